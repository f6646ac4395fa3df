"""`orderack customer`: how reliable a store was to one customer, and by which channel the customer is reached."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson
from orderack.cli.printing import cell, console, print_facts, print_json, print_table
from orderack.cli.session import run, the_ledger
from orderack.cli.zones import zone_of
from orderack.diagnostics.weekly.one_customer import AskedOf, CustomerRecord, record_of
from orderack.diagnostics.weekly.words import RECORD_COLUMNS, record_row, record_words
from orderack.diagnostics.wording import counted
from orderack.domain.address import reaches
from orderack.domain.order import Name, Text
from orderack.domain.reach_words import sentence, span, words_of
from orderack.domain.reachability import (
    ENOUGH,
    LOOK_BACK,
    ChannelFigures,
    Reachability,
    Suggestion,
    suggestion,
)
from orderack.domain.unknown_fields import closest
from orderack.domain.value import Value
from orderack.ledger.repository import SqlLedger
from orderack.policy.load import PolicyInvalid, load_policy
from orderack.policy.model import Learning
from orderack.ports import ReachAsked
from orderack.settings import Settings

Store = Annotated[str, typer.Argument(help="The store, as the policy names it.", metavar="STORE")]
Customer = Annotated[
    str,
    typer.Argument(
        help="The store's id of the customer; where its orders have none, the e-mail address on them.",
        metavar="CUSTOMER",
    ),
]

Weeks = Annotated[int, typer.Option("--weeks", min=1, max=53, help="Whole weeks of the record of reliability.")]

COLUMNS = ("channel", "sent", "arrived", "read", "acted", "affirmed", "within", "trouble")

SAID = {
    Learning.OFF: "no: the policy's order of channels stands (learn_channels: off)",
    Learning.SUGGEST: "it is said, and nothing changes (learn_channels: suggest)",
    Learning.APPLY: "the channel that is answered goes first in its leg (learn_channels: apply)",
}


class Profile(Value):
    """One customer's record of reliability, the channels, and what they suggest."""

    store: Name
    customer_id: Name | None
    """None: found by an address, which is shown to nobody."""
    found: bool
    learns: Learning | None
    """None: the policy has no row for the store, or cannot be read."""
    reliability: CustomerRecord | None = None
    """None: found by an address; orders without a customer's id are in nobody's record."""
    reach: Reachability = Reachability()
    suggestion: Suggestion | None = None
    say: Text = ""


def customer(store: Store, customer: Customer, weeks: Weeks = 8, as_json: AsJson = False) -> None:
    """What a customer was promised and what became of it; by which channel the customer is reached, and what that
    suggests.

    The record is that of `orderack report weekly --customer`, of the last whole weeks and of this one so far. Of
    channels the last 50 messages of 365 days count, less from quarter to quarter: docs/reachability.md has the rule.

    Example: orderack customer demo C-1

    Exit code 0: known; 1: no order of and no message to such a customer; 2: no such store; 3: the ledger did not
    answer.
    """
    if not customer.strip():
        raise bad("CUSTOMER", "is empty", "give the store's customer id, or an e-mail address")
    found = run(_profile(store, customer.strip(), weeks))
    if not found.found:
        _demand_store(store)
    if as_json:
        print_json(found)
    elif found.found:
        _print(found)
    else:
        typer.echo(
            f"orderack: no message went to such a customer of {store} in the last {LOOK_BACK.days} days, and no order "
            f"came in {counted(weeks, 'week')}; check the spelling, or look for an order with `orderack find`",
            err=True,
        )
    if not found.found:
        raise typer.Exit(NO)


async def _profile(store: str, named: str, weeks: int) -> Profile:
    async with the_ledger() as ledger:
        asked = AskedOf(store, named, zone_of(store), weeks, datetime.now(UTC))
        record = await record_of(ledger, asked)
        by_id = await _reached(ledger, store, customer_id=named)
        reach = by_id if by_id.orders or "@" not in named else await _reached(ledger, store, email=named)
    hint = suggestion(reach)
    return Profile(
        store=store,
        customer_id=None if reaches(named) else named,
        found=reach.orders > 0 or record.orders > 0,
        learns=_learns(store),
        reliability=record if by_id.orders or record.orders else None,
        reach=reach,
        suggestion=hint,
        say=_say(reach, hint) if reach.orders else "No message went out to them.",
    )


async def _reached(
    ledger: SqlLedger, store: str, *, customer_id: str | None = None, email: str | None = None
) -> Reachability:
    asked = ReachAsked(store=store, customer_id=customer_id, email=email, now=datetime.now(UTC))
    return await ledger.reachability(asked)


def _learns(store: str) -> Learning | None:
    try:
        row = load_policy(Settings().policy_dir).stores.get(store)
    except PolicyInvalid:
        return None
    return row.learn_channels if row else None


def _demand_store(store: str) -> None:
    """Raises InvalidInput where the policy knows no such store."""
    stores = load_policy(Settings().policy_dir).stores
    if store not in stores:
        guess = closest(store, sorted(stores))
        raise bad("STORE", f"the policy has no store {store!r}", f"did you mean {guess or ', '.join(stores)}?")


def _say(reach: Reachability, hint: Suggestion | None) -> Text:
    if hint is not None:
        return sentence(hint)
    if reach.best is not None:
        return f"Nothing to suggest: {words_of(reach.best)}, and no other channel goes before it."
    return f"Nothing to suggest: that takes {ENOUGH} messages by one channel, and answers to some of them."


def _print(found: Profile) -> None:
    print_facts(_facts(found))
    if found.reliability and found.reliability.total.orders:
        rows = (one for one in found.reliability.weeks if one.figures.orders)
        print_table(RECORD_COLUMNS, ((one.week, *record_row(one.figures)) for one in rows))
    if found.reach.channels:
        print_table(COLUMNS, (_row(one, found) for one in found.reach.channels))
    console().print(cell(found.say), soft_wrap=True)


def _facts(found: Profile) -> Iterator[tuple[str, object]]:
    yield "customer", f"{found.customer_id or 'known by an address only'}, store {found.store}"
    if found.reliability:
        weeks = f"{counted(len(found.reliability.weeks), 'whole week')} ({found.reliability.time_zone})"
        yield "reliability", f"{weeks}: {record_words(found.reliability.total)}"
        if found.reliability.this_week.orders:
            yield "this week", record_words(found.reliability.this_week)
    else:
        yield "reliability", "not counted: orders without a customer's id are in nobody's record"
    if found.reach.orders:
        messages = sum(one.messages for one in found.reach.channels)
        about = f"{counted(messages, 'message')} about {counted(found.reach.orders, 'order')}"
        yield "looked at", f"{about}, of the last {LOOK_BACK.days} days"
    if found.reach.waiting:
        yield "wait", f"{counted(found.reach.waiting, 'message')} of less than a day ago, without an answer so far"
    yield "learned from", SAID[found.learns] if found.learns else "no: the policy has no such store"


def _row(one: ChannelFigures, found: Profile) -> tuple[object, ...]:
    after = None if one.answered_after is None else span(one.answered_after)
    counts = (one.messages, one.delivered, one.read, one.engaged, one.affirmed)
    return one.channel, *counts, after, ", ".join(_trouble(one, one.channel in found.reach.opted_out))


def _trouble(one: ChannelFigures, opted_out: bool) -> Iterator[str]:
    if one.fell_through:
        yield f"{one.fell_through} fell through"
    if one.failed:
        yield f"{one.failed} failed"
    if opted_out:
        yield "opted out"
    elif one.opted_out:
        yield "had opted out"
