"""Worker Deployments on the real server, by the commands of docs/operations/deploy.md: who goes where, and when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.worker import Worker

from orderack.cli.doctor_temporal import check_builds
from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.start import Start
from orderack.domain.order import Order
from orderack.settings import Settings
from orderack.temporal.orders import Orders
from orderack.temporal.search_attributes import register
from tests.deploy.installation import made_namespace, said
from tests.temporal.server import Temporal
from tests.workflows.orders import a_receipt, an_order
from tests.workflows.world import World, a_number
from workers.ahead import InTimeRunner
from workers.queues import INTERCEPTORS
from workers.replay_check import replayed
from workers.versions import deployment
from workflows import WORKFLOWS, _steps

NAMESPACE = "versions"


@dataclass
class Shop:
    """A namespace of its own, with workers of builds that come and go."""

    temporal: Temporal
    client: Client
    world: World
    name: str
    builds: dict[str, AsyncExitStack] = field(default_factory=dict)

    @property
    def orders(self) -> Orders:
        return Orders(self.client)

    async def start(self, build: str, versioning: str = "pinned") -> None:
        """A worker of this build, as `workers.queues` makes it, with a scripted world around it."""
        settings = Settings.model_validate({"build_id": build, "deployment": self.name, "versioning": versioning})
        worker = Worker(
            self.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=WORKFLOWS,
            activities=self.world.activities,
            workflow_runner=InTimeRunner(),
            interceptors=INTERCEPTORS,
            deployment_config=deployment(settings),
            identity=build,
        )
        self.builds[build] = AsyncExitStack()
        await self.builds[build].enter_async_context(worker)

    async def stop(self, build: str) -> None:
        await self.builds.pop(build).aclose()

    async def make_current(self, build: str) -> None:
        """As the recipe says; a new worker takes a moment to be known."""
        command = ["temporal", "worker", "deployment", "set-current-version", "--yes"]
        command += ["--deployment-name", self.name, "--build-id", build]
        for _ in range(60):
            try:
                await said(*command, TEMPORAL_ADDRESS=self.temporal.address, TEMPORAL_NAMESPACE=NAMESPACE)
            except AssertionError:
                await asyncio.sleep(0.5)
            else:
                return
        await said(*command, TEMPORAL_ADDRESS=self.temporal.address, TEMPORAL_NAMESPACE=NAMESPACE)

    async def build_of(self, order: Order) -> str:
        """The build that took the order's last step."""
        described = await self.client.get_workflow_handle(order_workflow_id(order.ref)).describe()
        return described.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id

    async def until(self, order: Order, build: str) -> None:
        """Told again every second: a step that came before all of the server knew of the change goes the old way."""
        for turn in range(300):
            if await self.build_of(order) == build:
                return
            if turn % 10 == 9:
                await self.tell(order)
            await asyncio.sleep(0.1)
        raise AssertionError(f"{order.ref} is on {await self.build_of(order)}, never on {build}")

    async def tell(self, order: Order) -> None:
        """News for the order: its next step."""
        await self.orders.receipt(a_receipt(order, datetime.now(UTC)))

    async def asked(self, order: Order, holds: Callable[[World], bool]) -> None:
        for _ in range(300):
            if holds(self.world):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{order.ref}: nothing came of it")


@asynccontextmanager
async def a_shop(temporal: Temporal, name: str) -> AsyncIterator[Shop]:
    client = await temporal.client(NAMESPACE)
    shop = Shop(temporal, client, World(temporal.env), name)
    others = [
        Worker(client, task_queue=queue, activities=shop.world.activities)
        for queue in (names.MESSAGING_QUEUE, names.ERP_QUEUE, names.SOURCES_QUEUE)
    ]
    async with asyncio.timeout(150), others[0], others[1], others[2]:
        try:
            yield shop
        finally:
            for build in list(shop.builds):
                await shop.stop(build)


@pytest_asyncio.fixture(scope="module")
async def namespace(temporal: Temporal) -> None:
    await made_namespace(temporal.address, NAMESPACE)
    await register(await temporal.client(NAMESPACE))


async def judged(shop: Shop, build: str, after: timedelta = timedelta()) -> tuple[str, str]:
    """What the doctor says of builds. `after`: the server remembers for a while who asked for work."""
    settings = Settings.model_validate({"build_id": build, "deployment": shop.name})
    one = (await check_builds(shop.client, settings, datetime.now(UTC) + after))[0]
    return one.standing, one.said


async def seen(shop: Shop, build: str) -> None:
    """The doctor sees the build's worker; the server knows of it once it has asked for work."""
    async with asyncio.timeout(30):
        while (await judged(shop, build))[0] != "ok":  # noqa: ASYNC110 (a server is on the other side)
            await asyncio.sleep(0.2)


@pytest.mark.usefixtures("namespace")
async def test_a_pinned_order_stays_on_its_build_new_ones_go_to_the_next_and_continuing_as_new_moves_on(
    temporal: Temporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_shop(temporal, "orderack") as shop:
        await shop.start("v1")
        await shop.make_current("v1")
        await seen(shop, "v1")
        old, long = (an_order(a_number(), datetime.now(UTC)) for _ in range(2))
        start = Start(store=long.store, number=long.number, continue_as_new_after=10)
        await shop.client.start_workflow(
            names.WORKFLOW, start, id=order_workflow_id(long.ref), task_queue=names.ORDERS_QUEUE
        )
        for order in (old, long):
            await shop.orders.submit(order)
        await shop.start("v2")
        assert (await judged(shop, "v2")) == ("warn", "this is build v2; new orders go to v1")
        await shop.make_current("v2")
        new = an_order(a_number(), datetime.now(UTC))
        await shop.orders.submit(new)
        assert await shop.build_of(new) == "v2"
        first = (await shop.client.get_workflow_handle(order_workflow_id(long.ref)).describe()).run_id
        for order in (old, long):
            await shop.tell(order)
            await shop.asked(order, lambda world, n=order.number: "confirmation" in world.script(n).kinds())  # type: ignore[misc]
        assert await shop.build_of(old) == "v1"
        await shop.until(long, "v2")
        assert (await shop.client.get_workflow_handle(order_workflow_id(long.ref)).describe()).run_id != first
        found = await replayed(shop.client, 50)
        assert (found.sound, found.open) == (True, 3)
        with monkeypatch.context() as changed:
            changed.setattr(_steps, "needs_handoff", lambda state: False)  # a step left out: no build for these orders
            unfit = await replayed(shop.client, 50)
        assert str(old.ref) in {misfit.order for misfit in unfit.misfits}
        assert not unfit.sound
        assert "Nondeterminism" in unfit.misfits[0].problem
        await shop.stop("v2")
        assert await judged(shop, "v2", timedelta(minutes=3)) == (
            "wrong",
            "new orders go to build v2, and no worker has it",
        )


@pytest.mark.usefixtures("namespace")
async def test_an_order_that_upgrades_by_itself_takes_its_next_step_on_the_current_build_and_back(
    temporal: Temporal,
) -> None:
    async with a_shop(temporal, "rolling") as shop:
        await shop.start("a", "auto_upgrade")
        await shop.make_current("a")
        order = an_order(a_number(), datetime.now(UTC))
        await shop.orders.submit(order)
        assert await shop.build_of(order) == "a"
        await shop.start("b", "auto_upgrade")
        await shop.make_current("b")
        await shop.tell(order)
        await shop.until(order, "b")
        await shop.make_current("a")  # rolled back
        await shop.tell(order)
        await shop.until(order, "a")


def test_without_a_build_id_there_are_no_versions() -> None:
    assert deployment(Settings(build_id="")) is None
