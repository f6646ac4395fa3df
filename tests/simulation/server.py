"""The same world on a real server: Temporal's own, with its clock skipping, and workers that run the simulated world.

One driver moves the clock; nothing is terminated (facts: the test server loses its clock's lock then).
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from orderack.contracts import names
from orderack.contracts.search_attributes import NAMES
from orderack.temporal.converter import data_converter
from tests.simulation.agenda import Agenda, micros
from tests.simulation.chance import HOUR
from tests.simulation.plan import Plan
from tests.simulation.storm import CALM, Sky, Storm
from tests.simulation.world import REQUESTS, World
from workflows import OrderAcknowledgement
from workflows.interceptor import AroundOrders

STRIDE = 12 * HOUR
"""The clock is moved by no more at once: the call waits for all that happens meanwhile, and has a time limit."""

QUEUES = (names.ORDERS_QUEUE, names.MESSAGING_QUEUE, names.ERP_QUEUE, names.SOURCES_QUEUE)


class RealServer:
    """A server, its workers, and one simulated world for each order."""

    def __init__(self, env: WorkflowEnvironment) -> None:
        self.env = env
        self.worlds: dict[str, World] = {}
        self._agendas: dict[str, Agenda] = {}
        self._one_at_a_time = asyncio.Lock()

    @property
    def client(self) -> Client:
        return self.env.client

    def add(self, plan: Plan) -> World:
        """A world for this order, in which nothing goes wrong and nobody announces anything by himself."""
        agenda = Agenda()
        storm = Storm(plan.dice, CALM, Sky())
        world = World(agenda, plan, storm, lambda accepted: None, lambda receipt, at: None)
        self._agendas[plan.number], self.worlds[plan.number] = agenda, world
        return world

    async def at(self, when: int) -> None:
        """Move the clock to that microsecond, unless it is past."""
        while (left := when - micros(await self.env.get_current_time())) > 0:
            await self.env.sleep(timedelta(microseconds=min(left, STRIDE)))

    async def settle(self) -> None:
        """Let what is under way come in; time stands still meanwhile."""
        await asyncio.sleep(0.08)

    async def _perform(self, name: str, given: RawValue) -> object:
        request: BaseModel = self.client.data_converter.payload_converter.from_payload(given.payload, REQUESTS[name])
        number = _number(request)
        async with self._one_at_a_time:
            self._agendas[number].now = micros(await self.env.get_current_time())
            return await self.worlds[number].run(name, request, activity.info().attempt)

    def activities(self) -> list[Callable[..., Any]]:
        """One for each name."""
        return [_named(name, partial(self._perform, name)) for name in REQUESTS]


def _named(name: str, work: Callable[[RawValue], Coroutine[Any, Any, object]]) -> Callable[..., Any]:
    @activity.defn(name=name)
    async def performed(given: RawValue) -> Any:
        return await work(given)

    return performed


def _number(request: BaseModel) -> str:
    ref = getattr(request, "ref", None) or getattr(request, "order").ref  # noqa: B009
    number: str = ref.number
    return number


def payload(model: BaseModel) -> Payload:
    """As a client writes it."""
    [written] = data_converter().payload_converter.to_payloads([model])
    return written


@asynccontextmanager
async def real_server() -> AsyncIterator[RealServer]:
    """Started, with a worker for each queue; ended with the block."""
    found = shutil.which("temporal-test-server", path=str(Path(sys.executable).parent)) or "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=found, data_converter=data_converter()
    ) as env:
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=env.client.namespace,
                search_attributes={name: IndexedValueType.ValueType(int(kind)) for name, kind in NAMES.items()},
            )
        )
        server = RealServer(env)
        workers = [
            Worker(
                client,
                task_queue=queue,
                workflows=[OrderAcknowledgement] if queue == names.ORDERS_QUEUE else [],
                activities=server.activities(),
                workflow_runner=UnsandboxedWorkflowRunner(),
                interceptors=[AroundOrders()],
            )
            for queue, client in zip(QUEUES, [env.client, *[await _another(env) for _ in QUEUES[1:]]], strict=True)
        ]
        async with workers[0], workers[1], workers[2], workers[3]:
            yield server


async def _another(env: WorkflowEnvironment) -> Client:
    return await Client.connect(
        env.client.service_client.config.target_host,
        namespace=env.client.namespace,
        data_converter=env.client.data_converter,
    )
