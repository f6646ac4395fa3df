"""Touches in the ledger: counted, bounded, graded once, and in time nobody's."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import select, update
from sqlalchemy.engine import RowMapping

from orderack.domain.acknowledgement import SendState
from orderack.domain.evidence import Assurance, EvidenceEvent, EvidenceFact, Grade, Provenance
from orderack.ledger.database import make_engine
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Table
from orderack.ledger.touches import MOST
from orderack.touches import GradedTouch, Reason, Touch, Verdict, What
from tests.ledger.samples import LEASE, NOW, REF, fact, key, message, outcome, stored
from tests.ledger.samples import journal as a_journal

SEND = key()
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
MONTH = timedelta(days=30)


def touch(what: What = What.PIXEL, *, after: float = 60, **more: object) -> Touch:
    made = Touch(
        send_key=str(SEND),
        what=what,
        address="203.0.113.7",
        user_agent=AGENT,
        headers={"purpose": "prefetch"},
        at=NOW + timedelta(seconds=after),
    )
    return made.model_copy(update=more)


def graded(of: Touch, verdict: Verdict | None = None, announce_as: str | None = None) -> GradedTouch:
    verdict = verdict or Verdict()
    told = EvidenceFact(
        id=f"touch-{of.id}",
        event=EvidenceEvent.DISPLAYED,
        grade=verdict.grade,
        channel=SEND.channel,
        revision=SEND.revision,
        kind=SEND.kind,
        n=SEND.n,
        occurred_at=of.at,
        basis=f"touch:{of.what}:person",
    )
    origin = Provenance(assurance=Assurance.NONE, machine=verdict.reasons)
    return GradedTouch(
        touch_id=of.id,
        verdict=verdict,
        ref=REF,
        fact=told,
        provenance=origin,
        raw=of.model_dump_json(),
        announce_as=announce_as,
    )


@pytest_asyncio.fixture
async def sent(ledger: SqlLedger) -> SqlLedger:
    """An accepted send."""
    await ledger.save_revision(stored(), "f-1", a_journal())
    await ledger.claim(SEND, message(SEND), NOW, LEASE)
    await ledger.finish(SEND, outcome(SendState.ACCEPTED, "p-1"), NOW + timedelta(seconds=2))
    return ledger


async def rows(url: str, table: str = "touches") -> list[RowMapping]:
    engine = make_engine(url)
    async with engine.connect() as connection:
        found = (await connection.execute(select(Table.metadata.tables[table]))).mappings().all()
    await engine.dispose()
    return list(found)


async def test_like_touches_are_one_row_with_a_count_and_unlike_ones_are_not(sent: SqlLedger, ledger_url: str) -> None:
    await sent.record_touches([touch(), touch(after=61)])
    await sent.record_touches([touch(after=90), touch(What.PAGE), touch(method="HEAD"), touch(user_agent="curl/8")])
    found = {(row["what"], row["method"], row["user_agent"]): row for row in await rows(ledger_url)}
    assert len(found) == 4
    pixel = found[What.PIXEL, "GET", AGENT]
    assert pixel["count"] == 3
    assert (pixel["last_at"] - pixel["first_at"]).total_seconds() == 30
    assert (pixel["address"], json.loads(pixel["headers"])) == ("203.0.113.7", {"purpose": "prefetch"})


async def test_a_late_and_an_early_touch_leave_the_span_right(sent: SqlLedger, ledger_url: str) -> None:
    await sent.record_touches([touch(after=90)])
    await sent.record_touches([touch(after=60)])
    (row,) = await rows(ledger_url)
    assert row["last_at"] >= row["first_at"]


async def test_a_touch_of_a_message_that_never_was_is_dropped(sent: SqlLedger, ledger_url: str) -> None:
    assert await sent.record_touches([touch(send_key="north/1001/9/confirmation/1/smtp_email"), touch()]) == 1
    assert len(await rows(ledger_url)) == 1


async def test_a_touch_of_a_message_whose_content_was_erased_is_dropped(sent: SqlLedger, ledger_url: str) -> None:
    engine = make_engine(ledger_url)
    async with engine.begin() as connection:
        await connection.execute(update(Table.metadata.tables["sends"]).values(message=None))
    await engine.dispose()
    assert await sent.record_touches([touch()]) == 0
    assert await rows(ledger_url) == []


async def test_a_thousand_unlike_touches_fill_two_hundred_rows_and_every_one_is_counted(
    sent: SqlLedger, ledger_url: str
) -> None:
    many = [touch(address=f"198.51.{n // 250}.{n % 250}", after=n) for n in range(1_000)]
    await asyncio.gather(*(sent.record_touches(many[n : n + 50]) for n in range(0, 1_000, 50)))
    found = await rows(ledger_url)
    assert len(found) == MOST == 200
    assert sum(row["count"] for row in found) == 1_000
    await sent.record_touches([many[0]])
    assert len(await rows(ledger_url)) == 200


async def test_callers_with_many_orders_do_not_wait_for_each_other_for_ever(sent: SqlLedger, ledger_url: str) -> None:
    others = [key(ref=REF.model_copy(update={"number": str(n)})) for n in range(2_000, 2_006)]
    for other in others:
        await sent.claim(other, message(other), NOW, LEASE)
    batch = [touch(send_key=str(other)) for other in others]
    async with asyncio.timeout(20):
        await asyncio.gather(*(sent.record_touches(batch if n % 2 else batch[::-1]) for n in range(10)))
    assert sorted(row["count"] for row in await rows(ledger_url)) == [10] * 6


async def test_touches_settle_in_time_with_the_company_that_they_came_in(sent: SqlLedger) -> None:
    await sent.record_touches([touch(), touch(What.PAGE, after=62), touch(What.SHOP, after=300)])
    assert await sent.settled_touches(NOW + timedelta(seconds=59)) == []
    first, second = await sent.settled_touches(NOW + timedelta(seconds=70))
    assert (first.touch, second.touch) == (touch(), touch(What.PAGE, after=62))
    assert {other.what for other in first.others} == {What.PAGE, What.SHOP}
    assert (first.count, first.last_at) == (1, touch().at)
    assert len(await sent.settled_touches(NOW + timedelta(days=1), limit=1)) == 1


@pytest.mark.parametrize("delivered", [[], [9.0], [12.0, 7.0]])
async def test_a_message_arrived_when_it_was_first_delivered_else_when_it_was_accepted(
    sent: SqlLedger, delivered: list[float]
) -> None:
    for n, after in enumerate(delivered):
        told = fact(f"d-{n}").model_copy(update={"occurred_at": NOW + timedelta(seconds=after)})
        await sent.record_evidence(REF, told, "{}")
    other = fact("other").model_copy(update={"n": 2, "occurred_at": NOW})
    await sent.record_evidence(REF, other, "{}")
    await sent.record_touches([touch()])
    (found,) = await sent.settled_touches(NOW + timedelta(days=1))
    assert found.arrived_at == NOW + timedelta(seconds=min(delivered, default=2.0))


async def test_a_touch_is_graded_once_and_is_one_fact(sent: SqlLedger, ledger_url: str) -> None:
    verdict = Verdict(reasons=(Reason.HONEYPOT, Reason.TOO_SOON))
    await sent.record_touches([touch(), touch()])
    assert await sent.grade_touch(graded(touch(), verdict), NOW) is None
    assert await sent.grade_touch(graded(touch(), Verdict(), "evidence"), NOW) is None
    (row,) = await rows(ledger_url)
    assert (row["grade"], json.loads(row["reasons"]), row["graded_at"]) == ("M", ["honeypot", "too_soon"], NOW)
    (found,) = await sent.evidence(REF)
    assert (found.id, found.grade) == (f"touch-{touch().id}", Grade.M)
    (kept,) = await rows(ledger_url, "evidence")
    assert (kept["assurance"], json.loads(kept["machine"])) == ("none", ["honeypot", "too_soon"])
    assert await sent.unannounced(NOW + timedelta(days=1)) == []
    assert await sent.settled_touches(NOW + timedelta(days=1)) == []


async def test_what_is_news_waits_in_the_inbox_until_it_is_announced(sent: SqlLedger) -> None:
    await sent.record_touches([touch()])
    event = await sent.grade_touch(graded(touch(), announce_as="evidence"), NOW)
    assert event is not None
    assert event.kind == "evidence"
    assert event.ref == REF
    assert EvidenceFact.model_validate_json(event.body) == graded(touch()).fact
    assert list(await sent.unannounced(NOW + timedelta(days=1))) == [event.model_copy(update={"new": False})]


async def test_a_touch_that_is_not_there_gets_no_verdict(sent: SqlLedger) -> None:
    assert await sent.grade_touch(graded(touch(), announce_as="evidence"), NOW) is None
    assert await sent.evidence(REF) == []


async def test_in_time_it_is_nobodys_touch_while_verdict_and_chain_stay(sent: SqlLedger, ledger_url: str) -> None:
    await sent.record_evidence(REF, fact(), "the provider's words")
    await sent.record_touches([touch(), touch(What.PAGE)])
    await sent.grade_touch(graded(touch(), Verdict(reasons=(Reason.TOO_SOON,))), NOW)
    assert await sent.forget_touches(NOW) == 0
    assert await sent.forget_touches(datetime.now(NOW.tzinfo) + MONTH) == 2
    assert await sent.forget_touches(datetime.now(NOW.tzinfo) + MONTH) == 0
    found = {row["what"]: row for row in await rows(ledger_url)}
    old, ungraded = found[What.PIXEL], found[What.PAGE]
    assert (old["address"], old["user_agent"], old["headers"]) == (None, None, None)
    assert (old["grade"], old["reasons"], old["count"]) == ("M", '["too_soon"]', 1)
    assert ungraded["address"] == "203.0.113.7"
    raws = {row["event_id"]: (row["raw"], len(row["raw_sha256"])) for row in await rows(ledger_url, "evidence")}
    assert raws == {"ev-1": ("the provider's words", 64), f"touch-{touch().id}": (None, 64)}
    assert await sent.verify_chain(REF) == []
    await sent.record_touches([touch(after=9_000)])
    assert {row["address"] for row in await rows(ledger_url) if row["what"] == What.PIXEL} == {None}


async def test_a_fact_whose_words_were_changed_instead_of_forgotten_breaks_the_chain(
    sent: SqlLedger, ledger_url: str
) -> None:
    await sent.record_touches([touch()])
    await sent.grade_touch(graded(touch()), NOW)
    engine = make_engine(ledger_url)
    async with engine.begin() as connection:
        await connection.execute(update(Table.metadata.tables["evidence"]).values(raw="something else"))
    await engine.dispose()
    assert await sent.verify_chain(REF) != []
