"""The processes of docker-compose.yml by hand: a migrated PostgreSQL, workers per queue, the gateway; one dies."""

import json
import os
from collections.abc import AsyncIterator
from signal import SIGKILL, SIGTERM

import pytest
import pytest_asyncio

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.embedded.demo.driver import told
from orderack.embedded.demo.orders import an_order
from tests.deploy.installation import Installation, installed, made_namespace
from tests.postgres import Postgres
from tests.temporal.server import Temporal

NAMESPACE = "shop"


def confirmed(status: OrderStatus) -> bool:
    return status.stage is Stage.HANDED_OFF and Kind.CONFIRMATION in [message.kind for message in told(status)]


@pytest_asyncio.fixture(scope="module")
async def shop(
    temporal: Temporal, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """Everything up, one worker process per role and a second one for orders."""
    folder = tmp_path_factory.mktemp("shop")
    settings = {
        "TEMPORAL_ADDRESS": temporal.address,
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "ORDERACK_DATABASE_URL": postgres.new_database(),
        "ORDERACK_WORKER_DRAIN_SECONDS": "8",
    }
    async with installed(folder, settings) as made:
        code, out, err = await made.run("ledger", "migrate")
        assert (code, err) == (0, ""), err
        assert "made anew" in out
        for word in ("made", "there"):
            assert word in await made_namespace(temporal.address, NAMESPACE)
        code, out, err = await made.run("temporal", "setup")
        assert code == 0, err
        await made.start("gateway", "gateway", "--port", made.gateway.rpartition(":")[2])
        for name, queues in (
            ("orders-1", "orders"),
            ("orders-2", "orders"),
            ("messaging", "messaging"),
            ("erp", "erp,sources"),
        ):
            health = str(folder / f"{name}.health")
            await made.start(name, "worker", "--queues", queues, ORDERACK_WORKER_HEALTH_FILE=health)
        for name in ("orders-1", "orders-2", "messaging", "erp"):
            await made.says(name, "working: ")
        await made.answers(f"{made.gateway}/readyz")
        yield made


async def test_an_order_goes_through_every_process_and_a_dead_workers_orders_go_on(shop: Installation) -> None:
    first, second = an_order("P-1", 1), an_order("P-2", 2)
    await shop.hand_in(first)
    await shop.reach(first.ref, confirmed)
    await shop.ask_sandbox(
        "POST", "/faults", {"target": "erp", "action": "fail", "match": second.number, "times": None}
    )
    await shop.hand_in(second)
    await shop.reach(second.ref, lambda status: Kind.RECEIVED in [message.kind for message in told(status)])
    os.kill(shop.processes["orders-1"].pid, SIGKILL)
    await shop.processes["orders-1"].wait()
    await shop.ask_sandbox("DELETE", "/faults")
    await shop.ask_sandbox("POST", "/erp/announce", {"order": second.model_dump(mode="json"), "revision": 1})
    status = await shop.reach(second.ref, confirmed)
    assert [message.kind for message in told(status)].count(Kind.RECEIVED) == 1
    assert shop.processes["orders-1"].returncode == -SIGKILL


async def test_the_doctor_finds_nothing_wrong_with_it(shop: Installation) -> None:
    code, out, err = await shop.run("doctor", "--offline", "--json")
    found = json.loads(out)
    amiss = [one for one in found["findings"] if one["standing"] == "wrong"]
    assert (code, amiss) == (0, []), err
    looked_at = {one["check"] for one in found["findings"]}
    assert {"temporal", "namespace", "search-attributes", "clock-temporal", "clock-ledger", "ledger"} <= looked_at
    assert {"queue/orders/workflow", "queue/messaging/activity", "builds", "stuck-orders", "schedules"} <= looked_at


async def test_its_orders_replay_under_this_code(shop: Installation) -> None:
    code, out, err = await shop.run("temporal", "replay-check", "--last", "5", "--json")
    assert code == 0, err
    assert json.loads(out) == {"sound": True, "open": 2, "closed": 0, "misfits": []}


async def test_a_worker_that_is_told_to_stop_takes_no_more_and_ends_cleanly(shop: Installation) -> None:
    worker = shop.processes["messaging"]
    assert (shop.folder / "messaging.health").exists()
    worker.send_signal(SIGTERM)
    assert await worker.wait() == 0
    assert "stopping: no more work is taken" in shop.log("messaging")
    assert "nothing was left in flight" in shop.log("messaging")
    assert not (shop.folder / "messaging.health").exists()
