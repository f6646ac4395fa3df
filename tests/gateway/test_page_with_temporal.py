"""The page, the real door, a real server, the real workflow and a real ledger, together."""

from dataclasses import replace
from decimal import Decimal

import pytest_asyncio

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.evidence import Grade
from orderack.domain.order import Order
from orderack.temporal.orders import Orders
from tests.gateway.conftest import Gateway
from tests.gateway.page_world import Buyer, said, stored
from tests.gateway.test_with_temporal import over
from tests.temporal.server import now
from tests.temporal.test_orders import until
from tests.workflows.orders import a_receipt, an_order
from tests.workflows.world import a_number


@pytest_asyncio.fixture
async def buyer(gateway: Gateway, real_orders: Orders) -> Buyer:
    """Before a real order that is confirmed."""
    order = an_order(a_number(), now())
    await real_orders.submit(order)
    await real_orders.receipt(a_receipt(order, now()))
    await until(lambda: real_orders.status(order.ref), lambda s: s.stage is Stage.HANDED_OFF)
    await stored(gateway, order)
    await said(gateway, order)
    live = replace(gateway, parts=replace(gateway.parts, orders=real_orders), http=over(gateway, real_orders))
    return Buyer(live, order)


async def told(orders: Orders, buyer: Buyer, revision: int) -> OrderStatus:
    return await until(lambda: orders.status(buyer.order.ref), lambda s: s.revision == revision)


async def confirmed_anew(orders: Orders, buyer: Buyer, order: Order) -> None:
    await stored(buyer.gateway, order, 2)
    await orders.receipt(a_receipt(order, now(), id="R2", revision=2))
    await until(lambda: orders.status(order.ref), lambda s: s.confirmed_revision == 2)
    await said(buyer.gateway, order, revision=2)


async def test_a_buyer_affirms_declines_a_line_and_sees_revision_two_with_the_difference(
    buyer: Buyer, real_orders: Orders
) -> None:
    await buyer.sent("affirm")
    graded = await until(
        lambda: real_orders.status(buyer.order.ref),
        lambda s: any(said.grade is Grade.E5 for said in s.acknowledgements),
    )
    assert graded.revision == 1
    text = await buyer.sent("answer", **{"line-1": "accept", "line-2": "decline"})
    assert "It is recorded and has reached us." in text
    status = await told(real_orders, buyer, 2)
    left = buyer.order.model_copy(
        update={
            "lines": buyer.order.lines[:1],
            "totals": buyer.order.totals.model_copy(update={"total": Decimal("19.80")}),
        }
    )
    await confirmed_anew(real_orders, buyer, left)
    assert status.content_hash != buyer.order.content_hash
    text = await buyer.reads()
    assert "Compared with revision 1" in text
    assert "Cup: removed" in text
    assert "You have affirmed revision 2" not in text


async def test_a_question_and_a_cancellation_reach_the_order(buyer: Buyer, real_orders: Orders) -> None:
    await buyer.sent("question", text="When does it come?")
    asked = await until(lambda: real_orders.status(buyer.order.ref), lambda s: bool(s.questions))
    assert [question.text for question in asked.questions] == ["When does it come?"]
    assert "It is recorded and has reached us." in await buyer.sent("cancel", reason="ordered twice", sure="yes")
    await until(lambda: real_orders.status(buyer.order.ref), lambda s: s.stage is Stage.CANCELLED)
    assert "Your order is cancelled." in await buyer.reads()
