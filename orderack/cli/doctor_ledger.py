"""The doctor's look at the ledger: does it answer, is its schema this code's, and does anything lie in it undone?"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from orderack.cli.doctor_findings import Finding, ok, warn, wrong
from orderack.cli.doctor_temporal import between, skew
from orderack.cli.paused import paused_words
from orderack.cli.printing import words
from orderack.cli.session import demand_file
from orderack.diagnostics.wording import counted
from orderack.errors import Misconfigured, Unavailable
from orderack.ledger import schema
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from orderack.ports import InboxEvent

SOON = timedelta(minutes=1)
"""The gateway looks for what is unannounced every five seconds."""

LATE = timedelta(minutes=20)
"""Longer than an event may wait for the message that it is about (15 min)."""

TOLD_WITHIN = timedelta(minutes=5)
"""What a sweep has just found is being told."""

MANY = 1_000


@asynccontextmanager
async def ledger_as_it_is(url: str) -> AsyncIterator[SqlLedger]:
    """The ledger, its schema left as it is: looking changes nothing."""
    ledger = SqlLedger(Database(make_engine(url)))
    try:
        yield ledger
    finally:
        await ledger.aclose()


async def check_schema(url: str) -> Finding:
    """Whether the database answers, and its schema is the one this code needs."""
    try:
        demand_file(url)
        found = await schema.current(url)
    except (Unavailable, Misconfigured) as error:
        return wrong(
            "ledger", str(error), "is it up, and is ORDERACK_DATABASE_URL right?", away=isinstance(error, Unavailable)
        )
    if found == schema.head():
        return ok("ledger", f"it answers; schema {found}, as this code needs")
    if found is None:
        return wrong("ledger", "it has no schema yet", "orderack ledger migrate")
    if found in schema.versions():
        return wrong("ledger", f"its schema is {found}; this code needs {schema.head()}", "orderack ledger migrate")
    return wrong(
        "ledger", f"its schema is {found}, which newer code made", "run that code here, or restore a backup of before"
    )


async def check_ledger(ledger: SqlLedger, now: datetime) -> list[Finding]:
    """What lies in it: events nobody was told of, sends in doubt, systems that were never told; what is out of service;
    and its clock."""
    rows = await ledger.unannounced(now - SOON, MANY)
    doubts = [doubt for doubt in await ledger.doubts(MANY) if not doubt.settled]
    dead = await ledger.dead_events(MANY)
    return [
        await _clock(ledger),
        _unannounced(rows, now),
        warn(
            "sends-in-doubt",
            f"{counted(len(doubts), 'message')} of which nobody knows whether they went out",
            "orderack queue",
        )
        if doubts
        else ok("sends-in-doubt", "none"),
        await _owners(ledger, now),
        warn("untold-systems", f"{counted(len(dead), 'event')} that a system never took", "orderack webhooks dead")
        if dead
        else ok("untold-systems", "none"),
        *await _out_of_service(ledger),
    ]


async def _out_of_service(ledger: SqlLedger) -> list[Finding]:
    """Each channel and ERP that is paused, or marked down: its settings alone look well."""
    paused = await ledger.paused()
    if not paused:
        return [ok("in-service", "no channel and no ERP is paused or marked down")]
    return [
        warn(
            "in-service",
            f"{name.removeprefix('erp/')}: {paused_words(one.at, one.by, one.reason, one.probe_at)}",
            f"when it is well again: orderack {'erp' if name.startswith('erp/') else 'channel'} resume "
            f"{name.removeprefix('erp/')}",
        )
        for name, one in sorted(paused.items())
    ]


async def _owners(ledger: SqlLedger, now: datetime) -> Finding:
    """Whether the owners of exceptions heard of them; what is younger than a sweep's pace is being told."""
    trouble = await ledger.digests_in_trouble(now - TOLD_WITHIN)
    if not trouble:
        return ok("owners-told", "whoever owns an exception was told of it, or nobody has to be")
    who = ", ".join(sorted({one.owner for one in trouble}))
    why = "; ".join(dict.fromkeys(one.problem or words(one.state) for one in trouble))
    many = counted(len({item.of.exception.ref for one in trouble for item in one.items}), "absent order")
    return warn("owners-told", f"{who}: not told of {many} ({why})", "tell them: orderack sweep list; mend the channel")


async def _clock(ledger: SqlLedger) -> Finding:
    began = datetime.now(UTC)
    theirs = await ledger.clock()
    if theirs is None:
        return ok("clock-ledger", "the ledger is a file here: it has this machine's clock")
    return skew("clock-ledger", between(theirs, began, datetime.now(UTC)), "the ledger's")


def _unannounced(rows: Sequence[InboxEvent], now: datetime) -> Finding:
    if not rows:
        return ok("unannounced", "every event was told to its order")
    oldest = now - min(row.received_at for row in rows)
    number = f"{MANY} or more" if len(rows) == MANY else str(len(rows))
    said = f"{number} recorded, and not yet told to an order; the oldest came {_ago(oldest)} ago"
    do = "is the gateway running, and does it reach Temporal? Its log names each row and why it waits"
    return wrong("unannounced", said, do) if oldest > LATE else warn("unannounced", said, do)


def _ago(past: timedelta) -> str:
    minutes = int(past.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
