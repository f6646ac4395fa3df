"""`python -m tests.bench.rig.worker KIND FOLDER`: a worker that stands beside the product's, with the same settings.

KIND: `order` (the product's workflow, activities that do nothing), `floor` (the bare floor, the same activities) or
`plain` (the bare floor with the product's effects; what vendors report comes in on PORT).
"""

import argparse
import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.start import Start
from orderack.domain.order import Order, OrderRef
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.ending import end
from tests.bench.rig.empty import EmptyForFloor, EmptyForOrder, Work, World, by_queue
from tests.bench.rig.floor import Floor
from tests.bench.rig.plain import Rows, Told, Vendors, receiver
from tests.bench.rig.tally import Tally
from workers.ahead import InTimeRunner
from workers.queues import STICKY
from workflows import WORKFLOWS
from workflows.interceptor import AroundOrders

DRAIN = timedelta(seconds=2)


def workers(client: Client, workflows: Sequence[type], work: Mapping[str, Sequence[Work]]) -> list[Worker]:
    """One for each queue that the story uses, set as `workers.queues` sets the product's."""
    own = Settings()
    at_once = {names.ORDERS_QUEUE: None, names.MESSAGING_QUEUE: own.worker_sends, names.ERP_QUEUE: own.worker_calls}
    return [
        Worker(
            client,
            task_queue=queue,
            workflows=workflows if queue == names.ORDERS_QUEUE else [],
            activities=activities,
            workflow_runner=InTimeRunner(),
            interceptors=[AroundOrders()],
            max_cached_workflows=own.worker_cached_orders if queue == names.ORDERS_QUEUE else 0,
            max_concurrent_workflow_tasks=own.worker_order_tasks if queue == names.ORDERS_QUEUE else None,
            max_concurrent_activities=at_once[queue],
            max_concurrent_workflow_task_polls=own.worker_pollers,
            max_concurrent_activity_task_polls=own.worker_pollers,
            sticky_queue_schedule_to_start_timeout=STICKY,
            graceful_shutdown_timeout=DRAIN,
        )
        for queue, activities in work.items()
    ]


class Signals(Told):
    """What vendors report, passed on to the order's workflow."""

    def __init__(self, client: Client, tally: Tally) -> None:
        self._client = client
        self._tally = tally

    async def receipt(self, number: str, body: str) -> None:
        await self._signal(number, names.SIGNAL_ERP_RECEIPT, body)

    async def delivered(self, number: str, body: str) -> None:
        await self._signal(number, names.SIGNAL_EVIDENCE, body)
        self._tally.add("delivered")

    async def _signal(self, number: str, name: str, body: str) -> None:
        id_ = order_workflow_id(OrderRef(store="demo", number=number))
        await self._client.get_workflow_handle(id_).signal(name, body)


class PlainForFloor:
    """What the floor asks for, done in the plainest way."""

    def __init__(self, rows: Rows, vendors: Vendors, tally: Tally) -> None:
        self._rows = rows
        self._vendors = vendors
        self._tally = tally
        self._said: Counter[str] = Counter()

    @activity.defn(name=names.ASSESS)
    async def assess(self, order: Order) -> None:
        await self._vendors.availability(order)
        await self._rows.write(order.number, "order", order.model_dump_json())

    @activity.defn(name=names.SUBMIT_TO_ERP)
    async def submit_to_erp(self, start: Start) -> None:
        await self._vendors.book(await self._rows.read(start.number, "order"), f"{start.store}/{start.number}/1")
        await self._rows.write(start.number, "submitted", "")

    @activity.defn(name=names.ACKNOWLEDGE)
    async def acknowledge(self, start: Start) -> None:
        self._said[start.number] += 1
        kind = "received" if self._said[start.number] == 1 else "confirmation"
        order = Order.model_validate_json(await self._rows.read(start.number, "order"))
        await self._vendors.send(order, f"{start.store}/{start.number}/1/{kind}/1/sendgrid_email")
        await self._rows.write(start.number, kind, "")

    @activity.defn(name=names.HAND_OFF)
    async def hand_off(self, start: Start) -> None:
        self._said.pop(start.number, None)
        await self._rows.write(start.number, "handed off", "")
        self._tally.add("handed_off")

    def all(self) -> dict[str, list[Work]]:
        """By queue."""
        return by_queue(self.assess, self.submit_to_erp, self.acknowledge, self.hand_off)


@asynccontextmanager
async def listening(app: Starlette, port: int) -> AsyncIterator[None]:
    """The app on this port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, http="h11", log_level="warning", access_log=False))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def serve(kind: str, folder: Path, port: int, mail_bytes: int) -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    client, tally = await connect(), Tally(folder)
    async with AsyncExitStack() as stack:
        if kind == "plain":
            rows = await stack.enter_async_context(Rows.opened(folder / "rows.db"))
            http = await stack.enter_async_context(httpx.AsyncClient(timeout=20, trust_env=False))
            await stack.enter_async_context(listening(receiver(rows, Signals(client, tally)), port))
            work = PlainForFloor(rows, Vendors(http, os.environ, mail_bytes), tally).all()
        else:
            world = World(client, tally)
            work = EmptyForOrder(world).all() if kind == "order" else EmptyForFloor(world).all()
        for worker in workers(client, WORKFLOWS if kind == "order" else [Floor], work):
            await stack.enter_async_context(worker)
        for number in (signal.SIGINT, signal.SIGTERM):  # after uvicorn, which would take them
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("order", "floor", "plain"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mail-bytes", type=int, default=0)
    asked = parser.parse_args()
    asyncio.run(serve(asked.kind, asked.folder, asked.port, asked.mail_bytes))
    end(0)


if __name__ == "__main__":
    main()
