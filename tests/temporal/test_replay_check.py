"""`orderack temporal replay-check` on a namespace whose orders nobody has taken up."""

import asyncio
from datetime import UTC, datetime

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.start import Start
from tests.temporal.server import IDLE, Temporal
from tests.workflows.orders import an_order
from tests.workflows.world import a_number
from workers.replay_check import replayed


async def test_an_order_of_which_nothing_was_decided_yet_is_no_reason_not_to_deploy(temporal: Temporal) -> None:
    client = await temporal.client(IDLE)
    order = an_order(a_number(), datetime.now(UTC))
    start = Start(store=order.store, number=order.number)
    handle = await client.start_workflow(
        names.WORKFLOW, start, id=order_workflow_id(order.ref), task_queue=names.ORDERS_QUEUE
    )
    try:
        async with asyncio.timeout(60):
            while not (found := await replayed(client, 5)).open:  # noqa: ASYNC110 (a server is on the other side)
                await asyncio.sleep(0.1)
        assert found.sound
    finally:
        await handle.terminate()
