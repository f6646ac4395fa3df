"""The shadow run as its users have it: a whole installation, an old flow beside it, and the way live and back."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Any

import httpx
import pytest

from orderack.contracts.updates import BuyerQuestion, ChangeRequest, ReviewVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from orderack.embedded.demo.driver import Driver
from orderack.embedded.demo.orders import an_order, with_quantity
from orderack.embedded.stack import Ports, running
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from tests.e2e.shadow_run import ShadowRun, shadow_policy

CAPTURE, HELD, TOTAL = "S-CAPTURE", "S-HELD", "S-TOTAL"
PLANTED = {
    (CAPTURE, "old_confirmed_before_receipt", "confirmation"),
    (HELD, "old_only", "confirmation"),
    (TOTAL, "total", "confirmation"),
}


@asynccontextmanager
async def shadow_run(folder: Path, speed: int = 1) -> AsyncIterator[ShadowRun]:
    """A whole installation whose store is in shadow mode; its clocks run so many times as fast."""
    extra = {
        "ORDERACK_POLICY_DIR": str(shadow_policy(folder / "policy")),
        "ORDERACK_SEND_LEASE_SECONDS": "3",
        "ORDERACK_POLICY_DIVISOR": str(speed),
    }
    async with (
        running(folder / "home", Ports(0, 0, 0, 0, 0), extra=extra) as stack,
        httpx.AsyncClient(timeout=30) as http,
    ):
        yield ShadowRun(Driver(stack, Orders(await connect(env=stack.environment)), http))


async def from_shadow_to_live(run: ShadowRun, many: int, before: int = 0) -> None:
    """So many orders with three planted discrepancies: refused, resolved, live; and back."""
    await run.usual_orders("S", many - before - 3)
    await run.confirmed_on_capture(CAPTURE)
    await run.held_by_us(HELD)
    await run.another_total(TOTAL)
    assert set(await run.feed()) == {"taken"}
    assert set(await run.feed()) == {"repeated"}
    found = await run.settled(many)
    assert await run.left_the_house() == []
    ids = await refused_for_what_was_planted(run, found, many)
    await allowed_once_each_is_judged(run, ids, many)
    await an_order_goes_live_and_its_buyer_is_told(run)
    await back_at_once(run)


async def refused_for_what_was_planted(run: ShadowRun, found: dict[str, Any], many: int) -> dict[str, str]:
    named = {(one["order"], one["kind"], one["message"]): one["id"] for one in found["discrepancies"]}
    assert set(named) == PLANTED
    assert (await run.report())["discrepancies"] == found["discrepancies"]
    assert (found["orders"], found["alike"], found["untold"]) == (many, many - 3, 0)
    assert (found["ours_before_receipt"], found["old_before_receipt"]) == (0, 1)
    async with run.timed("cutover, refused"):
        refused = await run.cutover("--orders", str(many))
    assert refused.code == 1
    assert "3 reasons" in refused.err
    assert all(id_ in refused.err and order in refused.err for (order, _, _), id_ in named.items())
    more = await run.cutover("--orders", str(many + 7))
    assert (more.code, "7 more needed" in more.err) == (1, True)
    return {order: id_ for (order, _, _), id_ in named.items()}


async def allowed_once_each_is_judged(run: ShadowRun, ids: dict[str, str], many: int) -> None:
    by = ("--by", "grace")
    kind = ("--kind", "old_confirmed_before_receipt", "--for", "14d")
    for said in (
        ("waive", *kind, *by, "--reason", "it ends with the cutover"),
        ("resolve", ids[HELD], *by, "--note", "900 of one item is for a person"),
        ("waive", ids[TOTAL], *by, "--reason", "a shipping line, mended at the shop"),
    ):
        assert (await run.command("shadow", *said)).code == 0
    assert (await run.command("shadow", "resolve", "d-0000000000", *by, "--note", "?")).code == 1
    async with run.timed("cutover, allowed"):
        done = await run.cutover("--orders", str(many))
    assert (done.code, done.err) == (0, "")
    assert "demo is live, since" in done.out
    again = (await run.cutover("--orders", str(many), "--json")).json
    assert (again["changed"], again["live_percent"], again["step"]["n"]) == (False, 100, 1)
    assert '"orders":' in again["step"]["measured"]


async def an_order_goes_live_and_its_buyer_is_told(run: ShadowRun) -> None:
    order = an_order("L-1", 7)
    await run.driver.hand_in(order)
    await run.driver.confirmed(order.ref)
    posts = await run.driver.posts(order.ref)
    assert len(posts) >= 2, "received and confirmation"
    assert {one["target"] for one in await run.left_the_house()} >= {"erp"}
    held = await run.driver.status(an_order(HELD, 902).ref)
    assert held is not None
    assert held.side == "shadow", "an order under way keeps its side"


async def back_at_once(run: ShadowRun) -> None:
    assert (await run.cutover("--back")).code == 0
    assert "already" in (await run.cutover("--back")).out
    order = an_order("B-1", 8)
    await run.driver.hand_in(order)
    status = await run.driver.until(order.ref, lambda s: s.stage == "awaiting_erp", "be assessed")
    assert status.side == "shadow"
    assert await run.driver.posts(order.ref) == []
    refused = await run.cutover("--orders", "2")
    assert "1 more needed" in refused.err, "what was seen before the way back does not count"


async def every_turn_that_an_order_can_take(run: ShadowRun) -> dict[str, OrderRef]:
    """Each order by what becomes of it; the clocks run some 180 times as fast."""
    driver, orders = run.driver, {}
    for place, name in enumerate(("CHANGED", "CANCELLED", "STUCK", "HELD", "REJECTED", "ASKED"), 20):
        order = an_order(f"T-{name}", place)
        orders[name] = (with_quantity(order, 900) if name in ("HELD", "REJECTED", "ASKED") else order).ref
        await driver.hand_in(with_quantity(order, 900) if name in ("HELD", "REJECTED", "ASKED") else order)
    for name in ("CHANGED", "CANCELLED"):
        await driver.erp_books(an_order(f"T-{name}", 20 if name == "CHANGED" else 21))
        await driver.until(orders[name], lambda s: s.confirmed_revision == 1, "be confirmed")
    changed = ChangeRequest(id="c1", by="web", order=with_quantity(an_order("T-CHANGED", 20), 3))
    assert (await driver.orders.change(orders["CHANGED"], changed)).accepted
    await driver.cancel(orders["CANCELLED"], "changed my mind")
    for verdict, name in ((ReviewVerdict.APPROVE, "HELD"), (ReviewVerdict.REJECT, "REJECTED")):
        await driver.until(orders[name], lambda s: s.stage == "review", "be held")
        await driver.decide(orders[name], verdict, note="as in life")
    await driver.until(orders["ASKED"], lambda s: s.stage == "review", "be held")
    await driver.decide(orders["ASKED"], ReviewVerdict.ASK, question="Nine hundred?")
    question = BuyerQuestion(id="q1", revision=1, via="portal", text="Where is it?")
    assert (await driver.orders.ask(orders["STUCK"], question)).accepted
    await driver.answer(orders["STUCK"], "On its way to the ERP.")
    return orders


@pytest.mark.long
async def test_whatever_becomes_of_a_shadow_order_nobody_outside_hears_of_it(tmp_path: Path) -> None:
    async with shadow_run(tmp_path, speed=180) as run:
        orders = await every_turn_that_an_order_can_take(run)
        expected = {
            "CHANGED": {Kind.RECEIVED, Kind.CONFIRMATION, Kind.CHANGE_RECEIVED},
            "CANCELLED": {Kind.CONFIRMATION, Kind.CANCELLATION},
            "STUCK": {Kind.RECEIVED, Kind.HOLDING, Kind.UPDATE, Kind.ALERT, Kind.ANSWER},
            "REJECTED": {Kind.REJECTION, Kind.ALERT},
            "ASKED": {Kind.QUESTION, Kind.ALERT},
            "HELD": {Kind.ALERT},
        }
        for name, kinds in expected.items():
            await run.driver.until(
                orders[name],
                lambda s, kinds=kinds: kinds <= {a.kind for a in s.acknowledgements},  # type: ignore[misc]
                f"say {', '.join(kinds)}",
                within=120,
            )
        shown = await run.command("shadow", "show", "demo/T-STUCK", "--json")
        assert {one["kind"] for one in shown.json["kept"]} >= expected["STUCK"]
        assert (await run.command("queue", "--json")).json["waiting"] == []
        waits = (await run.command("queue", "--shadow", "--json")).json["waiting"]
        assert "demo/T-ASKED" in {f"{one['order']['store']}/{one['order']['number']}" for one in waits}
        assert "SHADOW RUN" in (await run.command("status", "demo/T-STUCK")).out
        assert "shadow run" in (await run.command("find", "T-STUCK")).out
        assert await run.left_the_house() == []
        mails = (await run.driver.http.get(f"{run.driver.stack.sandbox_url}/mailbox", params={"format": "json"})).json()
        assert mails["messages"] == []


async def test_a_shadow_run_of_twenty_orders_is_refused_for_three_discrepancies_and_then_goes_live(
    tmp_path: Path,
) -> None:
    async with shadow_run(tmp_path) as run:
        await from_shadow_to_live(run, 20)


@pytest.mark.long
async def test_a_shadow_run_of_five_hundred_orders_outlives_its_worker(tmp_path: Path) -> None:
    async with shadow_run(tmp_path) as run:
        await run.usual_orders("K", 60, first=500)
        os.kill(run.driver.stack.processes["worker"].pid, SIGKILL)
        await from_shadow_to_live(run, 500, before=60)
        print(run.took)
