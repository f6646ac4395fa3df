"""The sweep: everything unannounced is looked at, and what can't be told now holds up nobody else."""

from datetime import datetime, timedelta

import pytest

from orderack.contracts.updates import SubmitReply
from orderack.domain.order import Order
from orderack.errors import Unavailable
from orderack.gateway.announce import GRACE, InboxKind, announce_earlier, announce_stragglers
from orderack.gateway.rests import FIRST, LONGEST, Rests
from tests.gateway.conftest import Gateway
from tests.temporal.server import now
from tests.workflows.orders import an_order


async def recorded(gateway: Gateway, *numbers: str, quantity: int = 2) -> None:
    for number in numbers:
        order = an_order(number, now(), quantity=quantity)
        await gateway.ledger.receive(
            "intake/demo", f"{number}:{quantity}", InboxKind.ORDER, order.ref, order.model_dump_json(), now()
        )


@pytest.fixture
def stuck(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Orders named here can't be told; how often each was tried."""
    tries: dict[str, int] = {}
    submit = gateway.orders.submit

    async def picky(order: Order) -> SubmitReply:
        if order.number in tries:
            tries[order.number] += 1
            raise Unavailable("its worker hangs")
        return await submit(order)

    monkeypatch.setattr(gateway.orders, "submit", picky)
    gateway.clock.ahead = GRACE + timedelta(seconds=1)
    return tries


def told(gateway: Gateway) -> list[str]:
    return [order.number for order in gateway.orders.submitted]


async def test_more_stuck_orders_than_a_batch_holds_keep_no_other_from_being_told(
    gateway: Gateway, stuck: dict[str, int]
) -> None:
    stuck |= {f"stuck-{n}": 0 for n in range(7)}
    await recorded(gateway, *stuck, "fine-1", "fine-2")
    assert await announce_stragglers(gateway.parts, limit=3) == 2
    assert told(gateway) == ["fine-1", "fine-2"]
    assert set(stuck.values()) == {1}


async def test_what_is_stuck_is_tried_less_and_less_often_and_told_in_the_end(
    gateway: Gateway, stuck: dict[str, int]
) -> None:
    stuck["1"] = 0
    await recorded(gateway, "1")
    rests = Rests()
    for _ in range(120):
        await announce_stragglers(gateway.parts, rests=rests)
        gateway.clock.ahead += timedelta(seconds=5)
    assert 5 <= stuck["1"] <= 8
    del stuck["1"]
    gateway.clock.ahead += LONGEST
    assert await announce_stragglers(gateway.parts, rests=rests) == 1


@pytest.mark.parametrize("limit", [1, 200])
async def test_a_change_never_overtakes_its_order_also_while_that_rests(
    limit: int, gateway: Gateway, stuck: dict[str, int]
) -> None:
    stuck["1"] = 0
    await recorded(gateway, "1", "2")
    await recorded(gateway, "1", quantity=3)
    rests = Rests()
    for _ in range(3):
        await announce_stragglers(gateway.parts, limit, rests)
    assert (stuck["1"], told(gateway)) == (1, ["2"])
    del stuck["1"]
    gateway.clock.ahead += FIRST
    assert await announce_stragglers(gateway.parts, limit, rests) == 2
    assert [order.lines[0].quantity for order in gateway.orders.submitted if order.number == "1"] == [2, 3]


async def test_an_earlier_order_is_found_however_much_else_waits(gateway: Gateway, stuck: dict[str, int]) -> None:
    stuck["1"] = 0
    await recorded(gateway, *[f"other-{n}" for n in range(210)], "1")
    order = an_order("1", now(), quantity=3)
    row = await gateway.ledger.receive("intake/demo", "1:3", InboxKind.ORDER, order.ref, "{}", now())
    with pytest.raises(Unavailable):
        await announce_earlier(gateway.parts, row)
    assert (stuck["1"], told(gateway)) == (1, [])


def test_a_rest_doubles_up_to_its_longest_and_is_forgotten_with_its_event() -> None:
    rests, at = Rests(), datetime.now().astimezone()
    pauses = []
    for _ in range(9):
        rests.failed(1, at, holds=True)
        rest = rests.of(1, at)
        assert rest is not None
        pauses.append(rest.until - at)
    assert pauses[:3] == [FIRST, FIRST * 2, FIRST * 4]
    assert pauses[-1] == LONGEST
    assert rests.of(1, at + LONGEST) is None
    rests.keep({2})
    assert rests.of(1, at) is None
