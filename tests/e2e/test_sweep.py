"""A sweep on the embedded run, as its operator has it: real server, real processes, an ERP that loses and keeps silent.

An order that the ERP lost becomes an exception with an owner; one that it has and never signalled is told its receipt
and confirmed; the same again shows nothing new; and a worker that is killed in the middle goes on where it was.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGKILL
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order
from orderack.embedded.demo.driver import Driver, told
from orderack.embedded.demo.orders import an_order
from orderack.embedded.stack import Ports, Stack, running
from orderack.ledger.repository import open_ledger
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders

COMMAND = Path(sys.executable).with_name("orderack")
MANY = 40
"""Orders of which the worker's death takes the sweep of some."""
SETTINGS = {"ORDERACK_SWEEP_PER_SECOND": "4", "ORDERACK_SWEEP_MINUTES": "1440"}
"""As slow as it can be killed in the middle of; no schedule comes in between."""


def own_policy(folder: Path) -> Path:
    """Only a sweep asks the ERP; orders of the type `impatient` are late after three seconds."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["erps"] = {"sandbox": {"system": "sandbox", "ask_every": "1000h"}}
    policy["stores"]["demo"]["checks"] = []
    late = {"service_levels": {"erp_receipt_within": "3s"}}
    policy["rules"] = [{"name": "late_soon", "when": 'order.type == "impatient"', "then": late}]
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


@pytest_asyncio.fixture(scope="module")
async def driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Driver]:
    folder = tmp_path_factory.mktemp("sweep")
    extra = SETTINGS | {"ORDERACK_POLICY_DIR": str(own_policy(folder / "policy"))}
    async with (
        httpx.AsyncClient(timeout=30) as http,
        running(folder / "home", Ports(0, 0, 0, 0, 0), extra=extra) as stack,
    ):
        made = Driver(stack, Orders(await connect(env=stack.environment)), http)
        await made.erp_takes(0.2)
        yield made


async def command(stack: Stack, *arguments: str) -> tuple[int, dict[str, Any]]:
    """`orderack … --json` on this run: its exit code and its answer."""
    process = await asyncio.create_subprocess_exec(
        *(str(COMMAND), *arguments, "--json"),
        env=os.environ | stack.environment,
        cwd=stack.home.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(180):
        out, err = await process.communicate()
    assert out, err.decode()
    return process.returncode or 0, json.loads(out)


def waits(status: OrderStatus) -> bool:
    return status.stage is Stage.AWAITING_ERP


def escalated(status: OrderStatus) -> bool:
    return waits(status) and status.escalated


async def order(driver: Driver, place: int, fault: str, kind: str) -> Order:
    """An order that befalls this; `kind` is its type."""
    made = an_order(driver.number(place), place).model_copy(update={"order_type": kind})
    await driver.fault("erp", fault, made.number, times=None)
    await driver.hand_in(made)
    return made


def named(found: dict[str, Any]) -> dict[str, str]:
    return {one["order"]["number"]: one["kind"] for one in found["exceptions"]}


async def test_a_sweep_finds_an_order_that_the_erp_lost_and_one_that_it_has_and_never_signalled(
    driver: Driver,
) -> None:
    lost, silent = await order(driver, 1, "lose", "impatient"), await order(driver, 2, "no_webhook", "patient")
    await driver.until(lost.ref, escalated, "be late")
    await driver.until(silent.ref, waits, "wait for a receipt that nobody sends")

    code, found = await command(driver.stack, "sweep", "now")
    assert code == 1, found
    assert named(found) == {lost.number: "missing_in_erp"}
    (exception,) = found["exceptions"]
    assert exception["owner"] == "operations-lead"
    assert "search the ERP" in exception["next_step"]
    asked = {one["name"]: one["found"] for one in found["sweeps"]}
    assert (asked["erp/sandbox"]["asked"], asked["erp/sandbox"]["receipted"]) == (2, 1)
    status = await driver.confirmed(silent.ref)
    assert status.erp_document_id

    _, again = await command(driver.stack, "sweep", "now", "--erp", "sandbox")
    (second,) = again["sweeps"]
    assert second["found"] == {**second["found"], "asked": 1, "receipted": 0, "opened": 0}
    assert again["exceptions"] == found["exceptions"], "the same again is nothing new"
    said = [post for post in await driver.posts(lost.ref) if f"orderack sweep claim {lost.ref}" in post.text]
    assert [post.channel for post in said] == ["slack"], "its owner was told once, by the team's channel"
    ledger = await open_ledger(f"sqlite+aiosqlite:///{driver.stack.home.folder}/ledger.db")
    assert len(await ledger.received("receipts/sandbox", "", limit=10)) == 1, "recorded once"
    await ledger.aclose()

    _, states = await command(driver.stack, "sweep", "status")
    assert {one["name"] for one in states["sweeps"] if one["complete_at"]} == {"erp/sandbox", "books"}
    _, closed = await command(
        driver.stack, "sweep", "resolve", str(lost.ref), "--note", "entered by hand", "--by", "ann"
    )
    assert named(closed) == {lost.number: "missing_in_erp"}
    code, after = await command(driver.stack, "sweep", "now")
    assert (code, after["exceptions"]) == (0, []), "a person's word stands"


async def test_an_erp_that_is_down_makes_no_exceptions_and_is_said_so(driver: Driver) -> None:
    waiting = await order(driver, 3, "no_webhook", "patient")
    await driver.until(waiting.ref, waits, "wait")
    await driver.fault("erp", "fail", waiting.number, operation="lookup", times=2)
    code, found = await command(driver.stack, "sweep", "list")
    assert (code, found["exceptions"]) == (0, [])
    process = asyncio.create_task(command(driver.stack, "sweep", "now", "--erp", "sandbox"))
    async with asyncio.timeout(60):
        while True:
            _, states = await command(driver.stack, "sweep", "status")
            if any(one["failure"] for one in states["sweeps"]):
                break
    code, found = await process
    assert found["exceptions"] == []
    await driver.confirmed(waiting.ref)


async def test_orders_of_an_erp_that_is_paused_wait_and_each_is_tried_once_when_it_is_resumed(
    driver: Driver,
) -> None:
    code, paused = await command(driver.stack, "erp", "pause", "sandbox", "--by", "ann", "--reason", "upgrade")
    assert (code, paused["changed"]) == (0, True)
    code, again = await command(driver.stack, "erp", "pause", "sandbox", "--by", "ben")
    assert (again["changed"], again["by"]) == (False, "ann")
    orders = [an_order(driver.number(60 + place), 60 + place) for place in range(3)]
    for one in orders:
        await driver.hand_in(one)
        await driver.until(one.ref, lambda s: waits(s) and bool(told(s)), "wait, its buyer told that it arrived")
    await asyncio.sleep(3)
    assert not set(await submitted(driver)) & {str(one.ref) for one in orders}, "nothing was tried"
    code, resumed = await command(driver.stack, "erp", "resume", "sandbox")
    assert (code, resumed["woken"], resumed["problem"]) == (0, 3, "")
    for one in orders:
        status = await driver.confirmed(one.ref)
        assert [message.kind for message in told(status)] == [Kind.RECEIVED, Kind.CONFIRMATION], "each was told once"
    ours = {str(one.ref) for one in orders}
    tried = [ref for ref in await submitted(driver) if ref in ours]
    assert sorted(tried) == sorted(ours), "woken a tenth of a second apart, two may reach the ERP in either order"
    assert (await command(driver.stack, "erp", "resume", "sandbox"))[1]["changed"] is False


async def submitted(driver: Driver) -> list[str]:
    """The orders that the ERP was given, in that order."""
    log = (await driver.http.get(f"{driver.stack.sandbox_url}/log")).json()["accepted"]
    return [one["recipient"] for one in log if (one["target"], one["operation"]) == ("erp", "send")]


@pytest.mark.long
async def test_a_worker_that_is_killed_in_the_middle_goes_on_where_it_was(driver: Driver) -> None:
    orders = [await order(driver, 10 + place, "no_webhook", "patient") for place in range(MANY)]
    for one in orders:
        await driver.until(one.ref, waits, "wait")
    sweep = asyncio.create_task(command(driver.stack, "sweep", "now", "--erp", "sandbox"))
    async with asyncio.timeout(60):
        while True:
            _, states = await command(driver.stack, "sweep", "status")
            if any(one["name"] == "erp/sandbox" and 0 < one["asked"] < MANY for one in states["sweeps"]):
                break
    os.kill(driver.stack.processes["worker"].pid, SIGKILL)
    code, found = await sweep
    assert (code, found["exceptions"]) == (0, [])
    (swept,) = found["sweeps"]
    # The one that the ERP lost still waits; a person has it. What was receipted in the pages that no heartbeat had told
    # of by the kill does not wait any more when the next worker counts.
    assert 1 < swept["found"]["asked"] == swept["found"]["waiting"] <= MANY + 1
    for one in orders:
        await driver.confirmed(one.ref)
