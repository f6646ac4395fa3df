"""What the ledger tells the gap doctor of each order."""

from datetime import timedelta

from orderack.contracts.journal import Event, Stage
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.flags import fingerprint
from orderack.domain.order import OrderRef
from orderack.ledger.gap_times import GapTimes
from orderack.ledger.repository import SqlLedger
from tests.ledger.samples import LEASE, NOW, entry, journal, key, message, order, outcome, stored


async def told(ledger: SqlLedger, store: str | None = None, since: float = -60) -> list[GapTimes]:
    return [row async for row in ledger.gap_times(NOW + timedelta(seconds=since), store)]


async def an_order(ledger: SqlLedger, number: str) -> OrderRef:
    content = order(number)
    await ledger.save_revision(stored(content), fingerprint(content), journal(ref=content.ref))
    return content.ref


async def test_an_orders_times_are_those_of_its_first_revision(ledger: SqlLedger) -> None:
    ref = await an_order(ledger, "1001")
    steps = [entry(1, Event.SUBMITTED_TO_ERP, after=3), entry(2, Event.ERP_RECEIPT, note="SO-1", after=40)]
    await ledger.write(journal(steps, ref=ref))
    for kind, after in ((Kind.RECEIVED, 5), (Kind.CONFIRMATION, 44)):
        send = key(kind, ref=ref)
        await ledger.claim(send, message(send), NOW, LEASE)
        await ledger.finish(send, outcome(SendState.ACCEPTED, f"m-{kind}"), NOW + timedelta(seconds=after))
    (row,) = await told(ledger)
    assert (row.ref, row.source, row.trigger_at) == (ref, "storefront", NOW)
    after = [
        (at - NOW).total_seconds() if at else None
        for at in (row.submitted_to_erp_at, row.erp_receipt_at, row.confirmed_at)
    ]
    assert after == [3, 40, 44]
    assert {sku: float(quantity) for sku, quantity in row.quantities.items()} == {"MUG": 2.5}


async def test_an_order_that_the_erp_never_booked_is_told_without_a_receipt(ledger: SqlLedger) -> None:
    await an_order(ledger, "1002")
    (row,) = await told(ledger)
    assert (row.erp_receipt_at, row.confirmed_at) == (None, None)


async def test_an_order_that_waited_for_a_person_or_ended_unsubmitted_is_held(ledger: SqlLedger) -> None:
    said = {
        "reviewed": (entry(1, Event.REVIEW_OPENED, note="a flag"), Stage.REVIEW),
        "cancelled": (entry(1, Event.CANCELLED), Stage.CANCELLED),
        "submitted": (entry(1, Event.SUBMITTED_TO_ERP), Stage.CANCELLED),
        "flowing": (entry(1, Event.ASSESSED), Stage.AWAITING_ERP),
    }
    for number, (first, stage) in said.items():
        ref = await an_order(ledger, number)
        await ledger.write(journal([first], ref=ref, stage=stage))
    assert {row.ref.number: row.held for row in await told(ledger)} == {
        "reviewed": True,
        "cancelled": True,
        "submitted": False,
        "flowing": False,
    }


async def test_only_orders_since_then_and_of_the_store_are_told(ledger: SqlLedger) -> None:
    await an_order(ledger, "1003")
    assert len(await told(ledger, "north")) == 1
    assert await told(ledger, "south") == []
    assert await told(ledger, since=1) == []
