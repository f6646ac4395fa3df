"""Which orders run, as a real server knows it."""

import asyncio
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from orderack.contracts import names
from orderack.contracts.activities import ErpAnswer, ErpSubmission, SubmitToErpRequest
from orderack.contracts.journal import Stage
from orderack.domain.order import OrderRef
from orderack.temporal.orders import Orders
from orderack.temporal.runs import OpenRuns
from tests.temporal.server import STANDS_STILL, Temporal, now
from tests.temporal.test_orders import until
from tests.workflows.orders import an_order
from tests.workflows.world import World, a_number


async def test_the_server_knows_which_orders_run_and_what_they_try(
    temporal: Temporal, orders: Orders, world: World
) -> None:
    runs, order = OpenRuns(await temporal.client(), STANDS_STILL), an_order(a_number(), now())

    def down(_: SubmitToErpRequest) -> ErpSubmission:
        raise ApplicationError("503", type="Unavailable", next_retry_delay=timedelta(hours=1))

    world.script(order.number).submit = down
    await orders.submit(order)
    await until(lambda: orders.status(order.ref), lambda status: status.stage is Stage.AWAITING_ERP)
    await until(lambda: runs.is_trying(order.ref, names.SUBMIT_TO_ERP), lambda tries: tries)
    assert not await runs.is_trying(order.ref, names.HAND_OFF)
    assert await runs.is_running(order.ref)
    unknown = OrderRef(store="demo", number="no-such")
    assert not await runs.is_running(unknown)
    assert not await runs.is_trying(unknown, names.SUBMIT_TO_ERP)
    async with asyncio.timeout(60):
        while order.ref not in {place.ref async for place in runs.open_orders()}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    world.script(order.number).submit = lambda _: ErpSubmission(answer=ErpAnswer.SUBMITTED)
