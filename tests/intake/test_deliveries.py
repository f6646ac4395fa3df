"""What a shop delivers is kept first, told once, and never out of order."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from orderack.contracts.journal import Stage
from orderack.contracts.updates import SubmitVerdict
from orderack.domain.order import OrderRef, PaymentStatus, Totals
from orderack.errors import Misconfigured, Unavailable
from orderack.intake.deliveries import LEASE, Outcome
from orderack.ports import Connection, Delivery, Reading, Standing
from tests.intake.conftest import Door
from tests.intake.fakes import FakeSource, Told, a_delivery


async def test_a_delivery_is_told_to_its_order_and_a_repeat_of_it_to_nobody(door: Door) -> None:
    assert await door.take(a_delivery("d1")) == Outcome.SUBMITTED
    assert await door.take(a_delivery("d1")) == Outcome.SUBMITTED
    assert await door.take(a_delivery("d2")) == Outcome.NO_NEWS, "another delivery of the same order, unchanged"
    (order,) = door.orders.submitted
    assert order.ref == OrderRef(store="demo", number="1001")
    assert order.origin is not None
    assert order.origin.delivery is not None, "it says where the original is kept"
    assert await door.unannounced() == 0


async def test_a_changed_order_is_submitted_again_and_an_older_state_of_it_never(door: Door) -> None:
    await door.take(a_delivery("d1", minute=1))
    assert await door.take(a_delivery("d3", minute=3, quantity=3)) == Outcome.CHANGE_PROPOSED
    assert await door.take(a_delivery("d2", minute=2, quantity=2)) == Outcome.STALE
    assert [order.lines[0].quantity for order in door.orders.contents] == [1, 3]


async def test_an_order_that_is_edited_back_to_what_it_was_is_changed_each_time(door: Door) -> None:
    for minute, quantity in enumerate((1, 2, 1, 2, 1)):
        await door.take(a_delivery(f"d{minute}", minute=minute, quantity=quantity))
    assert [order.lines[0].quantity for order in door.orders.contents] == [1, 2, 1, 2, 1]
    assert len({request.id for request in door.orders.changes}) == 4, "none is answered as a repeat of another"


async def test_a_change_that_was_told_and_not_marked_is_told_again_under_the_same_name(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(known: object) -> None:
        raise Unavailable("the ledger is gone")

    await door.take(a_delivery("d1"))
    monkeypatch.setattr(door.ledger, "took", dies)
    with pytest.raises(Unavailable):
        await door.take(a_delivery("d2", minute=1, quantity=2))
    monkeypatch.undo()
    door.ahead = LEASE + timedelta(seconds=1)
    assert await door.take(a_delivery("d2", minute=1, quantity=2)) == Outcome.CHANGE_PROPOSED
    first, second = door.orders.changes
    assert first.id == second.id


async def test_an_earlier_state_of_the_same_moment_that_comes_again_changes_nothing_back(door: Door) -> None:
    await door.take(a_delivery("create"))
    await door.take(a_delivery("paid", quantity=2))
    await door.take(a_delivery("updated"))
    assert door.orders.changes == [], "the order takes its first content for the repeat that it is"
    assert [order.lines[0].quantity for order in door.orders.submitted] == [1, 2, 1]


async def test_a_change_that_the_order_has_already_is_no_news(door: Door) -> None:
    await door.take(a_delivery("d1"))
    door.orders.grants = False
    assert await door.take(a_delivery("d2", minute=1, quantity=2)) == Outcome.NO_NEWS


async def test_two_states_of_one_moment_are_both_taken_in_the_order_in_which_they_came(door: Door) -> None:
    await door.take(a_delivery("d1", minute=1))
    await door.take(a_delivery("d2", minute=1, quantity=2))
    assert [order.lines[0].quantity for order in door.orders.contents] == [1, 2]


async def test_a_payment_is_a_fact_of_its_own_and_no_change_of_the_order(door: Door) -> None:
    await door.take(a_delivery("d1"))
    assert await door.take(a_delivery("d2", minute=1, payment=PaymentStatus.CONFIRMED)) == Outcome.PAYMENT_CHANGED
    assert await door.take(a_delivery("d3", minute=2, payment=PaymentStatus.CONFIRMED)) == Outcome.NO_NEWS
    assert len(door.orders.submitted) == 1
    assert [changed.status for changed in door.orders.payments] == [PaymentStatus.CONFIRMED]


async def test_an_order_that_is_paid_and_changed_at_once_is_told_of_both(door: Door) -> None:
    await door.take(a_delivery("d1"))
    both = a_delivery("d2", minute=1, quantity=2, payment=PaymentStatus.CONFIRMED)
    assert await door.take(both) == Outcome.CHANGE_PROPOSED
    assert len(door.orders.payments) == 1


async def test_a_cancellation_cancels_once_and_one_of_an_order_that_we_never_had_does_nothing(door: Door) -> None:
    assert await door.take(a_delivery("d0", "9", number="9", standing=Standing.CANCELLED)) == Outcome.NO_NEWS
    await door.take(a_delivery("d1"))
    assert await door.take(a_delivery("d2", minute=1, standing=Standing.CANCELLED)) == Outcome.CANCELLED
    assert await door.take(a_delivery("d3", minute=2, standing=Standing.CANCELLED)) == Outcome.NO_NEWS
    (request,) = door.orders.cancellations
    assert (request.by, request.reason) == ("shop", "changed my mind")
    assert [order.number for order in door.orders.submitted] == ["1001"]


async def test_an_order_that_is_open_again_after_its_cancellation_comes_too_late_and_is_not_passed_over(
    door: Door,
) -> None:
    await door.take(a_delivery("d1"))
    await door.take(a_delivery("d2", minute=1, standing=Standing.CANCELLED))
    assert await door.take(a_delivery("d3", minute=2)) == Outcome.TOO_LATE
    assert len(door.orders.submitted) == 1


async def test_a_cart_is_no_order_until_it_is_one(door: Door) -> None:
    assert await door.take(a_delivery("d1", standing=Standing.NOT_YET)) == Outcome.SKIPPED
    assert await door.take(a_delivery("d2", minute=1)) == Outcome.SUBMITTED


async def test_a_hint_is_followed_by_asking_and_waits_while_the_shop_is_away(door: Door) -> None:
    door.source.orders["1"], door.source.away = Told(id="1", quantity=4), True
    row = await door.intake.record(door.source, a_delivery("d1", kind="hint"))
    with pytest.raises(Unavailable):
        await door.intake.announce(row)
    assert await door.unannounced() == 1
    door.source.away = False
    assert await door.intake.announce(row) == Outcome.SUBMITTED
    assert [order.lines[0].quantity for order in door.orders.submitted] == [4]
    assert await door.take(a_delivery("d2", "77", kind="hint")) == Outcome.SKIPPED


async def test_what_cannot_be_read_is_kept_and_its_outcome_names_the_field(door: Door) -> None:
    good = a_delivery("d1")
    outcome = await door.take(good.model_copy(update={"body": good.body.replace('"quantity":"1"', '"quantity":"x"')}))
    assert outcome.startswith(Outcome.REFUSED)
    assert "quantity" in outcome
    assert await door.unannounced() == 0
    assert door.orders.submitted == []


async def test_what_an_adapter_did_not_foresee_is_refused_by_the_name_of_the_field_and_stops_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def short_sighted(delivery: Delivery) -> Sequence[Reading]:
        raise AssertionError(Totals(total=Decimal(-1)))  # it never gets that far

    monkeypatch.setattr(door.source, "read", short_sighted)
    assert await door.take(a_delivery("d1")) == "refused: total: is less than 0"
    assert await door.unannounced() == 0


async def test_nothing_is_lost_while_temporal_is_away(door: Door) -> None:
    door.orders.away = True
    row = await door.intake.record(door.source, a_delivery("d1"))
    with pytest.raises(Unavailable):
        await door.intake.announce(row)
    door.orders.away = False
    assert await door.intake.announce(row) == Outcome.SUBMITTED, "the order is not held any more by who failed"


async def test_an_order_that_is_held_is_taken_once_its_holder_has_died(door: Door) -> None:
    await door.ledger.hold("demo", "fake", "1", "1001", door.now(), LEASE)
    row = await door.intake.record(door.source, a_delivery("d1"))
    with pytest.raises(Unavailable, match="taken by another"):
        await door.intake.announce(row)
    door.ahead = LEASE + timedelta(seconds=1)
    assert await door.intake.announce(row) == Outcome.SUBMITTED


async def test_two_processes_with_two_states_of_one_order_never_tell_them_in_the_wrong_order(door: Door) -> None:
    rows = [await door.intake.record(door.source, a_delivery(f"d{n}", minute=n, quantity=n)) for n in range(1, 6)]

    async def announce(row: object) -> None:
        while True:
            try:
                await door.intake.announce(row)  # type: ignore[arg-type]
                return
            except Unavailable:
                await asyncio.sleep(0.01)

    await asyncio.gather(*(announce(row) for row in reversed(rows)))
    told = [order.lines[0].quantity for order in door.orders.contents]
    assert told == sorted(told)
    assert told[-1] == 5


async def test_two_orders_of_one_number_are_told_apart_for_ever(door: Door) -> None:
    await door.take(a_delivery("d1", "1"))
    await door.take(a_delivery("d2", "2", quantity=2))
    await door.take(a_delivery("d3", "2", minute=1, quantity=3))
    assert [order.number for order in door.orders.contents] == ["1001", "1001~2", "1001~2"]


async def test_a_late_word_about_an_order_that_has_ended_is_on_the_record(door: Door) -> None:
    await door.take(a_delivery("d1"))
    door.orders.grants, door.orders.stage = False, Stage.REJECTED
    assert await door.take(a_delivery("d2", minute=1, quantity=2)) == Outcome.TOO_LATE
    assert await door.take(a_delivery("d3", minute=2, standing=Standing.CANCELLED)) == Outcome.TOO_LATE
    door.orders.closed, door.orders.verdict = True, SubmitVerdict.CLOSED
    assert await door.take(a_delivery("d4", minute=3, quantity=4)) == Outcome.TOO_LATE


async def test_a_connection_that_has_gone_leaves_its_deliveries_until_it_is_back(door: Door) -> None:
    gone = FakeSource(Connection(store="demo", system="gone", source="shop"))
    row = await door.intake.record(gone, a_delivery("d1"))
    with pytest.raises(Misconfigured, match="demo/gone"):
        await door.intake.announce(row)
    assert await door.unannounced() == 1


async def test_one_delivery_belongs_to_one_store_and_another_stores_is_another(door: Door) -> None:
    other = FakeSource(Connection(store="other", system="fake", source="shop"))
    await door.intake.record(door.source, a_delivery("d1"))
    await door.intake.record(other, a_delivery("d1"))
    assert await door.unannounced() == 2


async def test_the_original_is_erased_with_its_order(door: Door) -> None:
    await door.take(a_delivery("d1"))
    rows = await door.ledger.received("sources/demo/fake", "d1")
    assert rows[0].ref == OrderRef(store="demo", number="1001")
