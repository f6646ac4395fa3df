"""What the ledger tells the watch on "where is my order" tickets."""

from collections.abc import Collection
from datetime import timedelta

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import Side
from orderack.domain.flags import fingerprint
from orderack.domain.order import OrderRef
from orderack.domain.shadow import OldEvent
from orderack.ledger.repository import SqlLedger
from orderack.ports.wismo import NamedOrder, WatchedOrder
from tests.ledger.samples import LEASE, NOW, clock_entry, entry, journal, key, message, order, outcome, stored

DAY = timedelta(days=1)


async def an_order(ledger: SqlLedger, number: str = "1001", *, stage: Stage = Stage.ASSESSING) -> OrderRef:
    content = order(number)
    await ledger.save_revision(stored(content), fingerprint(content), journal(ref=content.ref, stage=stage))
    return content.ref


async def told(ledger: SqlLedger, ref: OrderRef, kind: Kind, after: float) -> None:
    send = key(kind, ref=ref)
    await ledger.claim(send, message(send), NOW, LEASE)
    await ledger.finish(send, outcome(SendState.ACCEPTED, f"m-{kind}"), NOW + timedelta(seconds=after))


async def the_order(ledger: SqlLedger) -> WatchedOrder:
    (found,) = await ledger.watched_orders(NOW - DAY, NOW + DAY, None)
    return found


async def named(ledger: SqlLedger, words: Collection[str] = (), emails: Collection[str] = ()) -> list[NamedOrder]:
    return list(await ledger.named_orders(words, emails, None))


async def test_a_buyer_was_told_when_the_first_message_went_out_and_an_alert_tells_nobody(ledger: SqlLedger) -> None:
    ref = await an_order(ledger)
    await ledger.write(journal([entry(1, Event.ASSESSED)], ref=ref))
    await told(ledger, ref, Kind.ALERT, 1)
    assert (await the_order(ledger)).told_at is None
    await told(ledger, ref, Kind.CONFIRMATION, 70)
    await told(ledger, ref, Kind.RECEIVED, 20)
    found = await the_order(ledger)
    assert found.told_at == NOW + timedelta(seconds=20)
    assert found.confirmed_at == NOW + timedelta(seconds=70)
    assert (found.held, found.escalated, found.promised_at, found.erp_receipt_at) == (False, False, None, None)


async def test_a_held_and_an_escalated_order_say_so_and_what_was_promised_stands(ledger: SqlLedger) -> None:
    ref = await an_order(ledger)
    steps = [
        clock_entry(1, Event.CLOCK_STARTED, ClockName.ACKNOWLEDGE, 1),
        clock_entry(2, Event.CLOCK_STARTED, ClockName.HOLD, 15),
        entry(3, Event.ESCALATED, after=960),
        entry(4, Event.ERP_RECEIPT, note="SO-1", after=4_000),
    ]
    await ledger.write(journal(steps, ref=ref))
    await told(ledger, ref, Kind.HOLDING, 900)
    found = await the_order(ledger)
    assert (found.held, found.escalated) == (True, True)
    assert found.promised_at == NOW + timedelta(minutes=1)
    assert found.erp_receipt_at == NOW + timedelta(seconds=4_000)


async def test_a_shadow_orders_buyer_was_told_by_the_old_flow(ledger: SqlLedger) -> None:
    content = order("1001")
    kept = stored(content)
    decision = kept.assessment.decision.model_copy(update={"side": Side.SHADOW})
    assessment = kept.assessment.model_copy(update={"decision": decision})
    await ledger.save_revision(
        kept.model_copy(update={"assessment": assessment}), fingerprint(content), journal(ref=content.ref)
    )
    events = [
        OldEvent(id="o-1", order="1001", kind="order_confirmed", at=NOW + timedelta(seconds=3)),
        OldEvent(id="o-2", order="1001", kind="other", at=NOW + timedelta(seconds=1)),
    ]
    await ledger.take_old_events("north", events, NOW)
    found = await the_order(ledger)
    assert found.told_at == found.confirmed_at == NOW + timedelta(seconds=3)


async def test_only_orders_of_the_span_and_the_store_are_watched(ledger: SqlLedger) -> None:
    await an_order(ledger)
    assert len(await ledger.watched_orders(NOW, NOW + DAY, "north")) == 1
    assert await ledger.watched_orders(NOW, NOW + DAY, "south") == []
    assert await ledger.watched_orders(NOW - DAY, NOW, None) == []
    assert await ledger.watched_orders(NOW + timedelta(microseconds=1), NOW + DAY, None) == []


async def test_an_order_goes_by_its_number_its_id_elsewhere_and_its_buyers_address(ledger: SqlLedger) -> None:
    ref = await an_order(ledger)
    await ledger.write(journal([entry(1, Event.ERP_RECEIPT, note="SO-77")], ref=ref))
    found = await named(ledger, ["1001", "gid-55", "SO-77", "9999", "ada@example.com"], ["Ada@example.com "])
    assert {one.goes_by: (one.ref, one.open) for one in found} == dict.fromkeys(
        ("1001", "gid-55", "SO-77", "ada@example.com"), (ref, True)
    )
    assert "ada" not in repr(found).casefold()


async def test_an_ended_order_is_not_open_and_many_words_are_one_question(ledger: SqlLedger) -> None:
    await an_order(ledger, stage=Stage.CLOSED)
    (found,) = await named(ledger, [str(number) for number in range(1_800)])
    assert (found.goes_by, found.open) == ("1001", False)
