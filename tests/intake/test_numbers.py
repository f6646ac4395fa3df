"""A number is chosen by whoever orders; it never makes one order another's, wherever the other came from."""

from datetime import timedelta

import pytest

from orderack.contracts.ids import order_workflow_id
from orderack.contracts.updates import CancelRequest, Reply
from orderack.domain.order import OrderRef
from orderack.intake.deliveries import LEASE, Outcome
from orderack.ports import Standing
from tests.intake.conftest import Door
from tests.intake.fakes import a_delivery
from tests.ledger.samples import journal, order, stored

BY_API = OrderRef(store="demo", number="1001")
LONG = "MAIL-" + "x" * 190


async def by_api(door: Door) -> None:
    content = order(BY_API.number).model_copy(update={"store": BY_API.store})
    await door.ledger.save_revision(stored(content), "f-1", journal(ref=BY_API))


async def test_an_order_under_the_number_of_one_that_came_by_api_is_another_order(door: Door) -> None:
    await by_api(door)
    assert await door.take(a_delivery("d1", order="77")) == Outcome.SUBMITTED
    assert [order.number for order in door.orders.submitted] == ["1001~77"]


async def test_a_cancellation_of_it_cancels_itself_and_not_the_one_that_came_by_api(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled: list[OrderRef] = []
    cancel = door.orders.cancel

    async def noted(ref: OrderRef, request: CancelRequest) -> Reply:
        cancelled.append(ref)
        return await cancel(ref, request)

    monkeypatch.setattr(door.orders, "cancel", noted)
    await by_api(door)
    await door.take(a_delivery("d1", order="77"))
    await door.take(a_delivery("d2", order="77", minute=1, standing=Standing.CANCELLED))
    await door.take(a_delivery("d3", order="78", standing=Standing.CANCELLED))
    assert [ref.number for ref in cancelled] == ["1001~77"]


async def test_one_that_came_by_api_a_moment_ago_has_its_number_already(door: Door) -> None:
    await door.ledger.receive("intake/demo", "1001:hash", "order", BY_API, "{}", door.now())
    await door.take(a_delivery("d1", order="77"))
    assert [order.number for order in door.orders.submitted] == ["1001~77"]


async def test_what_never_became_an_order_does_not_keep_its_number_for_ever(door: Door) -> None:
    row = await door.ledger.receive("intake/demo", "1001:hash", "order", BY_API, "{}", door.now())
    await door.ledger.announced(row.id, "invalid", door.now())
    door.ahead = timedelta(hours=1)
    await door.take(a_delivery("d1", order="77"))
    assert [order.number for order in door.orders.submitted] == ["1001"]


async def test_who_has_chosen_every_number_that_an_order_could_have_keeps_it_from_nothing(door: Door) -> None:
    for place, number in enumerate(("1001", "1001~77", "1001~77~77")):
        await door.take(a_delivery(f"squat{place}", order=f"form-{place}", number=number))
    assert await door.take(a_delivery("d1", order="77")) == Outcome.SUBMITTED
    numbers = [order.number for order in door.orders.submitted]
    assert len(set(numbers)) == 4
    assert numbers[-1].startswith("1001~")
    assert await door.take(a_delivery("d2", order="77", minute=1)) == Outcome.NO_NEWS, "it keeps the number it got"


@pytest.mark.parametrize("number", [LONG, "é" * 150, "🍵" * 50])
async def test_a_long_number_in_use_still_leads_to_one_that_a_workflow_can_bear(door: Door, number: str) -> None:
    for known_as in ("a" * 150, "b" * 150):
        assert await door.take(a_delivery(known_as, order=known_as, number=number)) == Outcome.SUBMITTED
    first, second = (one.ref for one in door.orders.submitted)
    assert first.number == number
    assert second != first
    assert len(order_workflow_id(OrderRef.model_validate(second.model_dump()))) < 1_000


async def test_two_stores_and_two_systems_of_one_id_are_never_one_order(door: Door) -> None:
    held = [
        await door.ledger.hold(store, system, "1", "1001", door.now(), LEASE)
        for store, system in (("demo", "fake"), ("demo", "form"), ("other", "fake"))
    ]
    assert [str(one.ref) for one in held if one] == ["demo/1001", "demo/1001~1", "other/1001"]
