"""What an order has told and the record has not is brought there once, with the clock that runs next."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.queries import OrderStatus, Timeline
from orderack.domain.order import OrderRef
from orderack.ledger.catching_up import catch_up
from orderack.ledger.repository import SqlLedger
from tests.ledger.samples import REF, entry, journal, stored


@dataclass
class Told:
    """The order, as it answers."""

    status_: OrderStatus
    timeline_: Timeline

    async def timeline(self, ref: OrderRef) -> Timeline:
        return self.timeline_

    async def status(self, ref: OrderRef) -> OrderStatus:
        return self.status_


def told(due_at: datetime, *events: Event) -> Told:
    entries = tuple(entry(seq, event) for seq, event in enumerate(events, 1))
    status = OrderStatus(
        ref=REF, stage=Stage.REVIEW, revision=1, owner="grace", next_due_at=due_at, next_clock=ClockName.RESOLVE
    )
    return Told(status, Timeline(ref=REF, entries=entries))


async def test_what_was_not_written_is_and_twice_is_once(ledger: SqlLedger) -> None:
    now = datetime.now(UTC)
    await ledger.save_revision(stored(), "print", journal([entry(1, Event.ORDER_ACCEPTED)]))
    order = told(now + timedelta(hours=1), Event.ORDER_ACCEPTED, Event.REVIEW_OPENED, Event.CLAIMED)
    for _ in range(2):
        await catch_up(order, ledger, REF)
    assert [each.event for each in await ledger.entries(REF)] == [
        Event.ORDER_ACCEPTED,
        Event.REVIEW_OPENED,
        Event.CLAIMED,
    ]
    (due,) = (await ledger.board((REF.store,), now)).due
    assert (due.owner, due.clock) == ("grace", ClockName.RESOLVE), "named by the order, and not guessed"
    assert await ledger.verify_chain(REF) == []


async def test_where_there_is_no_news_nothing_is_written(ledger: SqlLedger) -> None:
    now = datetime.now(UTC)
    await ledger.save_revision(stored(), "print", journal([entry(1, Event.ORDER_ACCEPTED)], stage=Stage.ASSESSING))
    await catch_up(told(now + timedelta(hours=1), Event.ORDER_ACCEPTED), ledger, REF)
    row = await ledger.order(REF)
    assert row is not None
    assert row.stage == Stage.ASSESSING, "the order's next step says how it stands"
