"""The gateway, the real door, a real server, the real workflow and a real ledger, together."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient

from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Event, Stage
from orderack.gateway.announce import announce_stragglers
from orderack.gateway.app import create_app
from orderack.temporal.orders import Orders
from tests.gateway.conftest import Gateway
from tests.gateway.test_intake import BEARER, body_of
from tests.gateway.test_receipts import listed, report
from tests.temporal.server import IDLE, Temporal, now, working
from tests.temporal.test_orders import until
from tests.workflows.orders import a_receipt, an_order
from tests.workflows.world import a_number


@pytest_asyncio.fixture
async def live(gateway: Gateway, real_orders: Orders) -> AsyncIterator[Gateway]:
    async with over(gateway, real_orders) as http:
        yield replace(gateway, parts=replace(gateway.parts, orders=real_orders), http=http)


def over(gateway: Gateway, orders: Orders) -> AsyncClient:
    app = create_app(replace(gateway.parts, orders=orders))
    return AsyncClient(transport=ASGITransport(app), base_url="http://testserver")


async def test_an_order_goes_in_is_repeated_changed_booked_and_shown(live: Gateway, real_orders: Orders) -> None:
    order = an_order(a_number(), now())
    changed = order.model_copy(update={"instructions": "leave it with the porter"})
    answers = [
        await live.http.post("/intake/demo", content=body_of(content), headers=BEARER)
        for content in (order, order, changed, changed, order)
    ]
    assert [a.status_code for a in answers] == [202] * 5
    verdicts = [a.json()["verdict"] for a in answers]
    assert verdicts == ["accepted", "repeated", "change_proposed", "change_proposed", "repeated"]

    booked = await report(live, listed(a_receipt(changed, now(), revision=2)))
    assert booked.json()["receipts"][0]["outcome"] == "told"
    await until(lambda: real_orders.status(order.ref), lambda s: s.confirmed_revision == 2)
    standing = await live.http.get(f"/orders/demo/{order.number}", headers=BEARER)
    assert (standing.json()["may_confirm"], standing.json()["erp_document_id"]) == (True, f"SO-{order.number}-2")


async def test_a_receipt_before_its_order_waits_for_it(live: Gateway, real_orders: Orders) -> None:
    order = an_order(a_number(), now())
    assert (await report(live, listed(a_receipt(order, now())))).status_code == 202
    assert (await real_orders.status(order.ref)).stage is Stage.AWAITING_ORDER
    await live.http.post("/intake/demo", content=body_of(order), headers=BEARER)
    await until(lambda: real_orders.status(order.ref), lambda s: s.confirmed_revision == 1)


async def test_what_comes_for_a_closed_order_is_recorded_and_reopens_nothing(live: Gateway, temporal: Temporal) -> None:
    order = an_order(a_number(), now())
    await live.http.post("/intake/demo", content=body_of(order), headers=BEARER)
    handle = (await temporal.client()).get_workflow_handle(order_workflow_id(order.ref))
    await handle.terminate("closed for the test")
    changed = order.model_copy(update={"instructions": "too late"})
    late = await live.http.post("/intake/demo", content=body_of(changed), headers=BEARER)
    assert (late.status_code, late.json()["error"], late.json()["recorded"]) == (409, "order_closed", True)
    receipt = await report(live, listed(a_receipt(order, now())))
    assert receipt.json()["receipts"][0]["outcome"] == "late"
    assert (await handle.describe()).raw_info.close_time.seconds
    assert await live.inbox() == []


@pytest.mark.parametrize("repeats", [1, 3])
async def test_without_a_worker_an_order_is_recorded_and_told_exactly_once_when_one_comes(
    repeats: int, gateway: Gateway, temporal: Temporal
) -> None:
    order = an_order(a_number(), now())
    hasty = Orders(await temporal.client(IDLE), within=timedelta(seconds=0.7))
    async with over(gateway, hasty) as http:
        for _ in range(repeats):
            answer = await http.post("/intake/demo", content=body_of(order), headers=BEARER)
            assert (answer.status_code, answer.json()["recorded"]) == (503, True)
    assert len(await gateway.inbox()) == 1
    gateway.clock.ahead = timedelta(minutes=1)
    async with working(temporal, IDLE):
        patient = Orders(await temporal.client(IDLE))
        parts = replace(gateway.parts, orders=patient)
        assert await announce_stragglers(parts) == 1
        assert await announce_stragglers(parts) == 0
        events = [entry.event for entry in (await patient.timeline(order.ref)).entries]
    assert events.count(Event.ORDER_ACCEPTED) == 1
    assert Event.ORDER_REPEATED not in events
    assert await gateway.inbox() == []
