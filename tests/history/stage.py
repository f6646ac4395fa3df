"""A server, workers for the three queues and a scripted world, outside of pytest as well as inside."""

import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from orderack.contracts import names
from orderack.contracts.search_attributes import NAMES
from orderack.temporal.converter import data_converter
from orderack.temporal.search_attributes import register
from tests.workflows.world import World
from workflows import WORKFLOWS
from workflows.interceptor import AroundOrders

QUEUES = (names.ORDERS_QUEUE, names.MESSAGING_QUEUE, names.ERP_QUEUE, names.SOURCES_QUEUE)
SPEED = ("transferProcessorMaxPollRPS", "timerProcessorMaxPollRPS")


def runner() -> SandboxedWorkflowRunner:
    """The sandbox as the workers have it."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())


def binary(name: str) -> str:
    """A server that a package installed beside this interpreter."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    assert found, f"{name} is not installed: run make install"
    return found


@asynccontextmanager
async def skipping() -> AsyncIterator[World]:
    """The time-skipping server: real durations in no time."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary("temporal-test-server"), data_converter=data_converter()
    ) as env:
        # This server can add search attributes but not list them, so `register` has nothing to compare with.
        request = AddSearchAttributesRequest(
            namespace=env.client.namespace,
            search_attributes={name: IndexedValueType.ValueType(int(kind)) for name, kind in NAMES.items()},
        )
        await env.client.operator_service.add_search_attributes(request)
        async with working(env) as world:
            yield world


@asynccontextmanager
async def serving(database: Path, metrics_port: int, workflows: Sequence[type] = ()) -> AsyncIterator[World]:
    """The dev server on a database file, with its metrics; `workflows` run beside ours on the same queues."""
    extra = ["--metrics-port", str(metrics_port)]
    extra += [part for name in SPEED for part in ("--dynamic-config-value", f"history.{name}=2000")]
    async with await WorkflowEnvironment.start_local(
        ip="127.0.0.1",
        dev_server_existing_path=binary("temporal"),
        dev_server_database_filename=str(database),
        dev_server_extra_args=extra,
        dev_server_log_level="error",
        data_converter=data_converter(),
    ) as env:
        await register(env.client)
        async with working(env, workflows) as world:
            yield world


@asynccontextmanager
async def working(env: WorkflowEnvironment, more: Sequence[type] = ()) -> AsyncIterator[World]:
    """Workers for the three queues, each with its own client as in production."""
    world = World(env)
    async with AsyncExitStack() as stack:
        for queue in QUEUES:
            worker = Worker(
                await another_client(env),
                task_queue=queue,
                workflows=[*WORKFLOWS, *more] if queue == names.ORDERS_QUEUE else [],
                activities=world.activities,
                workflow_runner=runner(),
                interceptors=[AroundOrders()],
            )
            await stack.enter_async_context(worker)
        yield world


async def another_client(env: WorkflowEnvironment) -> Client:
    return await Client.connect(
        env.client.service_client.config.target_host,
        namespace=env.client.namespace,
        data_converter=env.client.data_converter,
    )
