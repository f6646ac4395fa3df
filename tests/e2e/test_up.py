"""The embedded run, as its user has it: real server, real processes, real HTTP; killed and started again."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL

import httpx
import pytest

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from orderack.embedded.demo.driver import Driver, told
from orderack.embedded.demo.orders import an_order
from orderack.embedded.stack import Ports, Stack, running
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders

FAST = {"ORDERACK_POLICY_DIVISOR": "180", "ORDERACK_SEND_LEASE_SECONDS": "3"}
ANY_PORTS = Ports(0, 0, 0, 0, 0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


async def driver_of(stack: Stack, http: httpx.AsyncClient) -> Driver:
    return Driver(stack, Orders(await connect(env=stack.environment)), http)


def kinds(status: OrderStatus) -> list[Kind]:
    return [message.kind for message in told(status)]


def out(kind: Kind) -> Callable[[OrderStatus], bool]:
    return lambda status: kind in kinds(status)


def kill(stack: Stack, *names: str) -> None:
    for name in names:
        os.kill(stack.processes[name].pid, SIGKILL)


@pytest.mark.long
async def test_an_order_survives_kill_nine_of_the_worker_of_the_server_and_of_everything(home: Path) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        async with running(home, ANY_PORTS, extra=FAST) as stack:
            driver = await driver_of(stack, http)
            order = an_order("E2E-1", 1)
            await driver.fault("erp", "fail", order.number, times=None)
            await driver.hand_in(order)
            await driver.until(order.ref, out(Kind.RECEIVED), "say received")
            kill(stack, "worker")
            await driver.until(order.ref, out(Kind.HOLDING), "say holding after the worker's death")
            kill(stack, "temporal", "worker", "gateway", "sandbox")
            await asyncio.sleep(0.2)
            for watcher in stack.watchers:
                watcher.cancel()
        async with running(home, ANY_PORTS, extra=FAST) as again:
            driver = await driver_of(again, http)
            status = await driver.until(order.ref, lambda s: True, "be there again")
            assert kinds(status)[:2] == [Kind.RECEIVED, Kind.HOLDING]
            await driver.erp_books(order)
            status = await driver.confirmed(order.ref)
            assert kinds(status).count(Kind.RECEIVED) == 1
            assert kinds(status).count(Kind.HOLDING) == 1
            assert kinds(status)[-1] is Kind.CONFIRMATION
            await driver.until(order.ref, lambda s: s.stage is Stage.HANDED_OFF, "be handed off")
            repeated = await http.post(
                f"{again.gateway_url}/intake/demo",
                content=order.model_dump_json(),
                headers={
                    "Authorization": f"Bearer {again.secrets.api_key}",
                    "Content-Type": "application/json",
                },
            )
            assert repeated.json()["verdict"] in ("accepted", "repeated")
            await poison_orders_block_nobody(driver, http, again)


async def poison_orders_block_nobody(driver: Driver, http: httpx.AsyncClient, stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.secrets.api_key}", "Content-Type": "application/json"}
    for body in (b"", b"{", b"[]", b'{"store": "demo"}', b"\xff\xfe", b"9" * 300_000, b'{"lines": NaN}'):
        answer = await http.post(f"{stack.gateway_url}/intake/demo", content=body, headers=headers)
        assert 400 <= answer.status_code < 500, (body[:20], answer.status_code)
        assert "Traceback" not in answer.text
    odd = an_order("E2E-ODD", 7).model_copy(update={"source": "no-such-source", "trigger_at": datetime.now(UTC)})
    await driver.hand_in(odd)
    fine = an_order("E2E-2", 2)
    await driver.hand_in(fine)
    await driver.confirmed(fine.ref)
    await driver.until(odd.ref, lambda s: s.stage is Stage.REVIEW, "go to a person")
    assert (await driver.status(OrderRef(store="demo", number="NO-SUCH"))) is None
