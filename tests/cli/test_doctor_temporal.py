"""`orderack doctor` on the real server: each wrong state of server, namespace, queues, builds, schedules and orders."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest_asyncio
from temporalio import activity, workflow
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from orderack.cli.doctor_findings import Finding, Standing
from orderack.cli.doctor_orders import (
    SETTLING,
    check_agreement,
    check_schedules,
    check_sealed,
    check_stuck,
    open_orders,
)
from orderack.cli.doctor_temporal import (
    check_attributes,
    check_builds,
    check_clock,
    check_namespace,
    check_queues,
    check_server,
    judge_builds,
)
from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Journal, Stage
from orderack.contracts.looks import ErpLook, LookRequest
from orderack.contracts.start import Start
from orderack.domain.order import OrderRef
from orderack.ledger.repository import SqlLedger
from orderack.settings import Settings
from orderack.temporal.codec_keys import CodecKeys, new_key
from orderack.temporal.connect import connect
from orderack.temporal.schedules import id_of, keep_schedules
from orderack.temporal.search_attributes import register
from tests.deploy.installation import made_namespace, said
from tests.temporal.server import Temporal

DOCTOR = "doctor"
EMPTY = "doctor-empty"
LOOK = LookRequest(erp=ErpLook(erp="sandbox"))


@pytest_asyncio.fixture(scope="module")
async def client(temporal: Temporal) -> Client:
    """A namespace of its own, set up as orders want it."""
    await made_namespace(temporal.address, DOCTOR)
    made = await temporal.client(DOCTOR)
    await register(made)
    return made


@pytest_asyncio.fixture(scope="module")
async def stranger(temporal: Temporal) -> AsyncIterator[Client]:
    """A namespace that nobody has set up for orders: short memory, no attributes, one of the wrong type."""
    command = ["temporal", "operator", "namespace", "create", "--namespace", EMPTY, "--retention", "2d"]
    await said(*command, TEMPORAL_ADDRESS=temporal.address)
    for _ in range(60):
        try:
            made = await temporal.client(EMPTY)
            await check_attributes(made)
            await said("temporal", "workflow", "list", TEMPORAL_ADDRESS=temporal.address, TEMPORAL_NAMESPACE=EMPTY)
        except AssertionError:
            await asyncio.sleep(0.5)
        else:
            break
    yield made


def judged(finding: Finding) -> tuple[str, bool]:
    """How it stands, and whether it says what to do."""
    return finding.standing, bool(finding.do)


async def start(client: Client, number: str) -> OrderRef:
    ref = OrderRef(store="demo", number=number)
    start = Start(store=ref.store, number=ref.number)
    await client.start_workflow(names.WORKFLOW, start, id=order_workflow_id(ref), task_queue=names.ORDERS_QUEUE)
    return ref


async def listed(client: Client, refs: int) -> None:
    """Wait until the server lists so many open orders."""
    for _ in range(100):
        if len(await open_orders(client)) >= refs:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the server does not list them")


async def test_a_server_that_is_set_up_is_fine(client: Client) -> None:
    server = await check_server(client)
    assert server.standing is Standing.OK
    assert "1.32" in server.said
    assert (await check_namespace(client)).standing is Standing.OK
    assert (await check_attributes(client)).standing is Standing.OK


async def test_a_namespace_that_forgets_early_or_is_not_there_is_said(temporal: Temporal, stranger: Client) -> None:
    short = await check_namespace(stranger)
    assert judged(short) == ("warn", True)
    assert "2 days" in short.said
    nowhere = await check_namespace(await temporal.client("no-such-namespace"))
    assert judged(nowhere) == ("wrong", True)
    assert "--retention 90d" in nowhere.do


async def test_search_attributes_that_are_missing_or_of_another_type_are_said(
    temporal: Temporal, stranger: Client
) -> None:
    lacking = await check_attributes(stranger)
    assert judged(lacking) == ("wrong", True)
    assert "OrderackOrder" in lacking.said
    create = ["temporal", "operator", "search-attribute", "create", "--namespace", EMPTY]
    name = SearchAttributeKey.for_keyword("OrderackEscalated").name
    await said(*create, "--name", name, "--type", "Keyword", TEMPORAL_ADDRESS=temporal.address)
    for _ in range(60):
        other = await check_attributes(stranger)
        if "another type" in other.said:
            break
        await asyncio.sleep(0.2)
    assert "OrderackEscalated" in other.said
    assert other.standing is Standing.WRONG


async def test_the_servers_clock_is_read_and_agrees_with_this_machines(client: Client) -> None:
    clock = await check_clock(client)
    assert clock.standing is Standing.OK, clock.said


async def test_a_queue_without_a_worker_is_wrong_and_one_with_a_worker_is_fine(client: Client) -> None:
    now = datetime.now(UTC)
    nobody = await check_queues(client, now)
    assert {one.standing for one in nobody} == {Standing.WRONG}
    assert {one.do.rpartition(" ")[2] for one in nobody} == {"orders", "messaging", "erp", "sources"}

    async def nothing() -> None: ...

    idle = activity.defn(nothing, name="nothing")
    async with Worker(client, task_queue=names.MESSAGING_QUEUE, activities=[idle]):
        for _ in range(50):
            found = {one.check: one for one in await check_queues(client, datetime.now(UTC))}
            if found["queue/messaging/activity"].standing is Standing.OK:
                break
            await asyncio.sleep(0.1)
        assert "1 worker" in found["queue/messaging/activity"].said
        assert found["queue/erp/activity"].standing is Standing.WRONG
    gone = {one.check: one for one in await check_queues(client, datetime.now(UTC) + timedelta(minutes=2))}
    assert gone["queue/messaging/activity"].standing is Standing.WRONG


def builds(alive: list[str], current: str, ours: str) -> tuple[str, str]:
    pollers = [PollerInfo(identity=str(place)) for place in range(len(alive))]
    for poller, build in zip(pollers, alive, strict=True):
        poller.deployment_options.build_id = build
    found = judge_builds(pollers, current, Settings.model_validate({"build_id": ours}))
    return found.standing, found.said


async def test_builds_are_judged_by_where_new_orders_go_and_who_is_there(client: Client) -> None:
    assert builds([""], "", "")[0] == "ok"
    assert builds(["v1"], "v1", "v1")[0] == "ok"
    assert "no worker has a version" in builds([""], "", "v1")[1]
    assert "new orders wait" in builds(["v1"], "", "v1")[1]
    assert "no worker has it" in builds(["v2"], "v1", "v2")[1]
    assert builds(["v1", "v2"], "v1", "v2")[0] == "warn"
    assert builds(["v1", ""], "v1", "v1")[0] == "warn"
    assert [one.standing for one in await check_builds(client, Settings(build_id=""), datetime.now(UTC))] == ["ok"]


async def test_a_schedule_that_is_missing_or_paused_is_said(client: Client) -> None:
    wanted = {LOOK: timedelta(minutes=1)}
    missing = await check_schedules(client, wanted)
    assert judged(missing) == ("wrong", True)
    assert id_of(LOOK) in missing.said
    await keep_schedules(client, wanted)
    await client.get_schedule_handle(id_of(LOOK)).pause()
    for _ in range(100):
        paused = await check_schedules(client, wanted)
        if paused.standing is Standing.WARN:
            break
        await asyncio.sleep(0.1)
    assert "paused" in paused.said
    await client.get_schedule_handle(id_of(LOOK)).unpause()
    for _ in range(100):
        if (await check_schedules(client, wanted)).standing is Standing.OK:
            break
        await asyncio.sleep(0.1)
    await client.get_schedule_handle(id_of(LOOK)).delete()
    assert (await check_schedules(client, {})).standing is Standing.OK


@workflow.defn(name=names.WORKFLOW)
class Broken:
    """An order's workflow as a bad deploy would have it."""

    @workflow.run
    async def run(self, _: Start) -> None:
        raise RuntimeError("a bug")


async def test_an_order_whose_step_fails_again_and_again_is_named(client: Client) -> None:
    await start(client, "STUCK-1")
    await listed(client, 1)
    assert (await check_stuck(client, await open_orders(client))).standing is Standing.OK
    broken = Worker(
        client, task_queue=names.ORDERS_QUEUE, workflows=[Broken], workflow_runner=UnsandboxedWorkflowRunner()
    )
    async with broken:
        for _ in range(300):
            found = await check_stuck(client, await open_orders(client))
            if found.standing is Standing.WRONG:
                break
            await asyncio.sleep(0.1)
    assert "demo/STUCK-1" in found.said
    assert found.do


async def test_an_order_that_is_sealed_with_a_key_that_is_not_here_is_said(temporal: Temporal, client: Client) -> None:
    key = new_key()
    sealed = await temporal.client(DOCTOR, key)
    await start(sealed, f"SEALED-{uuid4().hex[:6]}")
    for _ in range(100):
        newest = await open_orders(client)
        if newest and "SEALED" in newest[0].id:
            break
        await asyncio.sleep(0.1)
    lacking = await check_sealed(client, newest, CodecKeys())
    assert judged(lacking) == ("wrong", True)
    assert key.partition(":")[0] in lacking.said
    assert key.partition(":")[2] not in lacking.said
    assert (await check_sealed(client, newest, CodecKeys.parse(key))).standing is Standing.OK
    plain = [one for one in newest if "SEALED" not in one.id] or [
        one for one in await open_orders(client) if "SEALED" not in one.id
    ]
    assert plain
    assert (await check_sealed(client, plain, CodecKeys.parse(key))).standing is Standing.WARN
    assert (await check_sealed(client, plain, CodecKeys())).standing is Standing.OK


async def test_orders_that_only_one_of_the_two_knows_are_named(client: Client, ledger: SqlLedger) -> None:
    runs = await start(client, f"RUNS-{uuid4().hex[:6]}")
    await listed(client, 1)
    kept = OrderRef(store="demo", number="KEPT-1")
    await ledger.write(Journal(ref=kept, stage=Stage.AWAITING_ERP, revision=1))
    ended = OrderRef(store="demo", number="ENDED-1")
    await ledger.write(Journal(ref=ended, stage=Stage.CLOSED, revision=1))
    fresh = await check_agreement(client, ledger, await open_orders(client), datetime.now(UTC))
    assert {one.standing for one in fresh} == {Standing.OK}  # both have just begun: they may not be everywhere yet
    later = datetime.now(UTC) + 2 * SETTLING
    unknown, lost = await check_agreement(client, ledger, await open_orders(client), later)
    assert judged(unknown) == judged(lost) == ("wrong", True)
    assert str(runs) in unknown.said
    assert "demo/KEPT-1" in lost.said
    assert "ENDED" not in lost.said


async def test_a_server_that_went_away_is_said_to_be_away(temporal: Temporal) -> None:
    client = await connect(env={"TEMPORAL_ADDRESS": "127.0.0.1:9"}, lazy=True)
    found = await check_queues(client, datetime.now(UTC))
    assert all(one.away for one in found)
