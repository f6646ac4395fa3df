"""The ways that a straight-through order can go on one server: the product's, and those that it is compared with."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.start import Start
from orderack.domain.order import Order
from orderack.embedded.stack import HOST, Stack
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from tests.bench.measure import free_port
from tests.bench.processes import started
from tests.bench.rig.load import Lane
from tests.bench.rig.stage import ledger_count, namespace, order_of
from tests.bench.rig.tally import Tally

PATIENCE = timedelta(minutes=2)

PRODUCT, PLAIN, ORDER, FLOOR, DBOS = "orderack", "plain Temporal", "workflow alone", "bare floor", "plain DBOS"


def pids(stack: Stack, **more: int) -> dict[str, int]:
    """The server and the driver, which every lane needs, and the lane's own."""
    return {"server": stack.processes["temporal"].pid, **more, "load": os.getpid()}


async def product(stack: Stack) -> Lane:
    """All of it, as `orderack up` runs it."""
    orders = Orders(await connect(env=stack.environment), within=PATIENCE)

    async def hand_in(run: str, place: int) -> None:
        await orders.submit(order_of(run, place))

    parts = {name: stack.processes[name].pid for name in ("worker", "gateway", "sandbox")}
    return Lane(PRODUCT, hand_in, lambda what, run: ledger_count(stack, what, run), pids(stack, **parts))


async def submit(client: Client, order: Order) -> None:
    """As `Orders.submit` does it, without reading the answer."""
    operation: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
        names.WORKFLOW,
        Start(store=order.store, number=order.number),
        id=order_workflow_id(order.ref),
        task_queue=names.ORDERS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
    )
    await client.execute_update_with_start_workflow(
        names.UPDATE_SUBMIT, order, start_workflow_operation=operation, id=f"submit/{order.content_hash}"
    )


@asynccontextmanager
async def worker(stack: Stack, name: str, kind: str) -> AsyncIterator[Lane]:
    """A worker of `tests.bench.rig.worker` with activities that do nothing, in a namespace of its own."""
    folder = stack.home.folder / f"bench-{kind}"
    environment = stack.environment | {"TEMPORAL_NAMESPACE": kind}
    client = await namespace(stack, kind)
    log = stack.home.log(f"bench-{kind}")
    async with started("tests.bench.rig.worker", (kind, str(folder)), environment, log) as process:
        yield Lane(name, handing_in(client), Counts(folder), pids(stack, worker=process.pid))


@asynccontextmanager
async def plain(stack: Stack) -> AsyncIterator[Lane]:
    """The floor with the product's effects, and look-alikes of its own, which report to it."""
    folder = stack.home.folder / "bench-plain"
    client = await namespace(stack, "plain")
    port, size = free_port(), await mail_bytes(stack)
    async with vendors(stack, folder, port) as (settings, sandbox):
        arguments = ("plain", str(folder), "--port", str(port), "--mail-bytes", str(size))
        environment = stack.environment | settings | {"TEMPORAL_NAMESPACE": "plain"}
        log = stack.home.log("bench-plain")
        async with started("tests.bench.rig.worker", arguments, environment, log) as process:
            counted = pids(stack, worker=process.pid, sandbox=sandbox)
            yield Lane(PLAIN, handing_in(client), Counts(folder), counted)


class Counts:
    """What came through since this run's first look; one run is on the way at a time."""

    def __init__(self, folder: Path) -> None:
        self._tally = Tally(folder)
        self._before: dict[str, dict[str, int]] = {}

    def __call__(self, what: str, run: str) -> int:
        before = self._before.setdefault(run, {name: self._tally.count(name) for name in ("handed_off", "delivered")})
        return self._tally.count(what) - before[what]


def handing_in(client: Client) -> Callable[[str, int], Awaitable[None]]:
    async def hand_in(run: str, place: int) -> None:
        await submit(client, order_of(run, place))

    return hand_in


@asynccontextmanager
async def vendors(stack: Stack, folder: Path, callback: int) -> AsyncIterator[tuple[dict[str, str], int]]:
    """A sandbox of its own that reports to this port: its settings and its process id."""
    ports = (str(free_port()), str(free_port()), f"http://{HOST}:{callback}")
    log = stack.home.log(f"{folder.name}-sandbox")
    async with started(
        "orderack.embedded.sandbox", ports, stack.environment, log, lambda written: written.endswith("}\n")
    ) as process:
        yield settings_in(log), process.pid


def settings_in(log: Path) -> dict[str, str]:
    """What a sandbox said first: the settings that lead to it."""
    told = next(line for line in log.read_text().splitlines() if line.startswith("{"))
    return {str(name): str(value) for name, value in json.loads(told).items()}


async def mail_bytes(stack: Stack) -> int:
    """How long the product's e-mails are on average: HTML, in bytes."""
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{stack.sandbox_url}/mailbox", params={"format": "json"})
    sizes = [len((post.get("html") or "").encode()) for post in answer.json()["messages"]]
    return sum(sizes) // max(len(sizes), 1)
