"""The restore drill on the real server: the ledger older than Temporal, and Temporal older than the ledger."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import pytest_asyncio
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order
from orderack.embedded.demo.driver import told
from orderack.embedded.demo.orders import an_order
from orderack.temporal.connect import connect
from tests.deploy.installation import Installation, installed, made_namespace
from tests.temporal.server import Temporal

NAMESPACE = "drill"


def has_said(kind: Kind) -> Callable[[OrderStatus], bool]:
    return lambda status: kind in [message.kind for message in told(status)]


def handed_off(status: OrderStatus) -> bool:
    return status.stage is Stage.HANDED_OFF


AT_ONCE = """
from datetime import timedelta
from orderack.cli import doctor_orders
doctor_orders.SETTLING = -timedelta(hours=1)
"""
"""Nobody waits a minute here: the commands take every order for an old one."""


@pytest_asyncio.fixture(scope="module")
async def shop(temporal: Temporal, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """A ledger that is a file, one worker for everything, the gateway, the look-alikes. Each story has its orders."""
    folder = tmp_path_factory.mktemp("drill")
    settings = {
        "TEMPORAL_ADDRESS": temporal.address,
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "ORDERACK_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/ledger.db",
    }
    async with installed(folder, settings, AT_ONCE) as made:
        assert (await made.run("ledger", "migrate"))[0] == 0
        await made_namespace(temporal.address, NAMESPACE)
        assert (await made.run("temporal", "setup"))[0] == 0
        await up(made)
        yield made


async def up(shop: Installation) -> None:
    await shop.start("gateway", "gateway", "--port", shop.gateway.rpartition(":")[2])
    await shop.start("worker", "worker")
    await shop.says("worker", "working: ")
    await shop.answers(f"{shop.gateway}/readyz")


async def down(shop: Installation) -> None:
    for name in ("gateway", "worker"):
        shop.processes[name].terminate()
        await shop.processes[name].wait()


async def silent_erp(shop: Installation, order: Order) -> None:
    """The ERP will not take this order by itself."""
    fault = {"target": "erp", "action": "fail", "match": order.number, "times": None}
    await shop.ask_sandbox("POST", "/faults", fault)


async def erp_books(shop: Installation, order: Order) -> None:
    await shop.ask_sandbox("DELETE", "/faults")
    await shop.ask_sandbox("POST", "/erp/announce", {"order": order.model_dump(mode="json"), "revision": 1})


async def accepted(shop: Installation, order: Order) -> Counter[tuple[str, str]]:
    """How often providers took which message about this order: by channel, and by its subject or first words."""
    async with httpx.AsyncClient(timeout=30) as http:
        asked = {"format": "json", "q": order.number}
        posted = (await http.get(f"{shop.environment['SANDBOX_URL']}/mailbox", params=asked)).json()["messages"]
    return Counter((one["channel"], one.get("subject") or one["text"][:80]) for one in posted)


async def wrong(shop: Installation) -> dict[str, str]:
    """What the doctor finds wrong."""
    code, out, err = await shop.run("doctor", "--offline", "--json")
    assert code in (0, 1), err
    return {one["check"]: one["said"] for one in json.loads(out)["findings"] if one["standing"] == "wrong"}


async def forget(client: Client, order: Order) -> None:
    """As a restore of an older Temporal does it: the server has never heard of the order."""
    handle = client.get_workflow_handle(order_workflow_id(order.ref))
    execution = WorkflowExecution(workflow_id=handle.id)
    request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    await client.workflow_service.delete_workflow_execution(request)
    for _ in range(600):
        try:
            await handle.describe()
        except RPCError:
            return
        await asyncio.sleep(0.1)


async def test_a_ledger_that_is_older_than_temporal_is_told_what_it_lost_and_nobody_hears_twice(
    shop: Installation,
) -> None:
    assert (await shop.run("ledger", "backup", "copy.db"))[0] == 0
    order = an_order("OLD-LEDGER", 1)
    await silent_erp(shop, order)
    await shop.hand_in(order)
    await shop.reach(order.ref, has_said(Kind.RECEIVED))
    before = await accepted(shop, order)
    await down(shop)
    assert (await shop.run("ledger", "restore", "copy.db"))[0] == 1
    assert (await shop.run("ledger", "restore", "copy.db", "--force"))[0] == 0
    await up(shop)
    assert "demo/OLD-LEDGER" in (await wrong(shop))["ledger-knows-all"]
    code, out, err = await shop.run("ledger", "recall", "--all", "--json")
    assert (code, json.loads(out)["orders"][0]["said"]) == (0, "in the ledger again, revision 1"), err
    assert "ledger-knows-all" not in await wrong(shop)
    await erp_books(shop, order)
    await shop.reach(order.ref, handed_off)
    after = await accepted(shop, order)
    assert all(after[message] == times for message, times in before.items())
    assert max(after.values()) == 1
    assert len(after) > len(before)
    assert (await shop.run("audit", "verify", "demo/OLD-LEDGER"))[0] == 0


async def test_a_temporal_that_is_older_than_the_ledger_begins_anew_what_it_lost_and_nobody_hears_twice(
    shop: Installation,
) -> None:
    waiting, done = an_order("OLD-TEMPORAL", 2), an_order("OLD-CONFIRMED", 3)
    await shop.hand_in(done)
    await shop.reach(done.ref, handed_off)
    await silent_erp(shop, waiting)
    await shop.hand_in(waiting)
    await shop.reach(waiting.ref, has_said(Kind.RECEIVED))
    before = await accepted(shop, waiting)
    client = await connect(env=shop.environment)
    for order in (waiting, done):
        await forget(client, order)
    lost = (await wrong(shop))["all-orders-run"]
    assert "demo/OLD-TEMPORAL" in lost
    assert "demo/OLD-CONFIRMED" in lost
    code, out, err = await shop.run("ledger", "rerun", "--all", "--json")
    mended = {one["order"]: one for one in json.loads(out)["orders"]}
    assert (code, mended["demo/OLD-TEMPORAL"]["done"], mended["demo/OLD-CONFIRMED"]["done"]) == (1, True, False), err
    assert "confirmed" in mended["demo/OLD-CONFIRMED"]["said"]
    await erp_books(shop, waiting)
    await shop.reach(waiting.ref, handed_off)
    after = await accepted(shop, waiting)
    assert all(after[message] == times for message, times in before.items())
    assert max(after.values()) == 1
