"""One time-skipping server and one worker for a file's stories, which run one after the other (one driver).

A server that has skipped through some hundred stories grows slow, and at last its clock's calls time out.
"""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.search_attributes import NAMES
from orderack.contracts.updates import CancelRequest
from orderack.domain.order import OrderRef
from orderack.temporal.converter import data_converter
from tests.workflows.world import World
from workflows import WORKFLOWS
from workflows.interceptor import AroundOrders


def binary(name: str) -> str:
    """A server binary that a package installed beside this interpreter."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}") or shutil.which(name)
    assert found, f"{name} is not installed: run make install"
    return found


@pytest.fixture(scope="module")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary("temporal-test-server"), data_converter=data_converter()
    ) as started:
        await started.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=started.client.namespace,
                search_attributes={name: IndexedValueType.ValueType(int(kind)) for name, kind in NAMES.items()},
            )
        )
        yield started


@pytest.fixture
async def world(shared_world: World) -> AsyncIterator[World]:
    """The world for one story, early in the day: "the same day" must not depend on when the tests are run.

    Its orders are cancelled afterwards, so that they don't live on in later stories.
    """
    now = await shared_world.now()
    morning = now.replace(hour=6, minute=0, second=0, microsecond=0)
    await shared_world.sleep((morning if now < morning else morning + timedelta(days=1)) - now)
    yield shared_world
    await asyncio.sleep(0.1)  # the test server leaks its clock's lock when a running activity is cancelled
    for number in list(shared_world.scripts):
        handle = shared_world.env.client.get_workflow_handle(order_workflow_id(OrderRef(store="demo", number=number)))
        with contextlib.suppress(RPCError):
            await handle.execute_update("cancel", CancelRequest(id="end-of-story"), id="end-of-story")
    shared_world.scripts.clear()


@pytest.fixture(scope="module")
async def shared_world(env: WorkflowEnvironment) -> AsyncIterator[World]:
    made = World(env, await _another(env))
    runner = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())
    queues = (names.ORDERS_QUEUE, names.MESSAGING_QUEUE, names.ERP_QUEUE, names.SOURCES_QUEUE)
    clients = [env.client, await _another(env), await _another(env), await _another(env)]
    workers = [
        Worker(
            client,
            task_queue=queue,
            workflows=WORKFLOWS if queue == names.ORDERS_QUEUE else [],
            activities=made.activities,
            workflow_runner=runner,
            max_cached_workflows=500,
            interceptors=[AroundOrders()],
        )
        for client, queue in zip(clients, queues, strict=True)
    ]
    async with workers[0], workers[1], workers[2], workers[3]:
        yield made


async def _another(env: WorkflowEnvironment) -> Client:
    """A connection of its own, without pings: the test server closes one that pings three times in a long wait."""
    return await Client.connect(
        env.client.service_client.config.target_host,
        namespace=env.client.namespace,
        data_converter=env.client.data_converter,
        keep_alive_config=None,
    )
