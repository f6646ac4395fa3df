"""kill -9 of the gateway at each step between a request and its order: F8 to F12 of reliability.md §3.1."""

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from urllib.parse import quote

from orderack.contracts.journal import Event
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from orderack.embedded.demo.orders import an_order
from orderack.embedded.sandbox import signatures
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup, eventually
from tests.faults.world_stage import (
    PATIENT,
    Shop,
    checked,
    confirmed,
    gateway_up,
    outcome,
    replace,
    struck,
    usual,
)
from tests.faults.world_victim import Place, arm

WORLD = Setup(settings={"ORDERACK_SEND_LEASE_SECONDS": "6"})
MODULE = "tests.faults.world_victim"


async def killed_at_intake(rig: Rig, place: Place) -> Outcome:
    """The shop hears nothing and hands it in again."""
    await _victim(rig)
    shop, proof = Shop(rig), arm(rig.folder, place)
    order = rig.order("sendgrid_email")
    at = asyncio.get_running_loop().time()
    ref = await shop.hand_in(order)
    recovery = asyncio.get_running_loop().time() - at
    return await _judged(rig, place, shop, [ref], proof, recovery)


async def killed_after_its_answer(rig: Rig) -> Outcome:
    """A provider's report is answered 200 while Temporal stands still; nobody sends it again, and the gateway dies."""
    await _victim(rig)
    await rig.behaves(webhooks=False)
    place = rig.number()
    order = an_order(f"F-{rig.driver.run}-{place}-X", place, source="phone")
    shop = Shop(rig)
    await shop.hand_in(order)
    await confirmed(rig, [order.ref])
    proof, temporal = arm(rig.folder, Place.UNDELIVERED), rig.stack.processes["temporal"]
    temporal.send_signal(SIGSTOP)
    try:
        answered = await _report_delivery(rig, order.ref)
        await eventually(proof.exists, "the gateway to die", PATIENT)
    finally:
        temporal.send_signal(SIGCONT)
    at = asyncio.get_running_loop().time()
    await gateway_up(rig)
    await rig.behaves(webhooks=True)
    await rig.driver.seen(order.ref, Event.EVIDENCE)
    recovery = asyncio.get_running_loop().time() - at
    wrong = () if answered == 200 else (f"the report was answered {answered}, so its sender knows",)
    return await _judged(rig, Place.UNDELIVERED, shop, [order.ref], proof, recovery, wrong)


async def killed_in_the_sweep(rig: Rig) -> Outcome:
    """Orders that came while Temporal was away; the sweep dies behind the first of them."""
    await _victim(rig)
    shop, temporal = Shop(rig), rig.stack.processes["temporal"]
    orders = shop.orders(4)
    temporal.send_signal(SIGSTOP)
    try:
        await asyncio.gather(*(shop.once(order) for order in orders))
    finally:
        proof = arm(rig.folder, Place.BETWEEN_ROWS)
        temporal.send_signal(SIGCONT)
    await eventually(proof.exists, "the sweep to die", PATIENT)
    at = asyncio.get_running_loop().time()
    refs = [order.ref for order in orders]
    await confirmed(rig, refs)
    recovery = asyncio.get_running_loop().time() - at
    put_off = sum(answer.status == 503 for answer in shop.answers)
    wrong = () if put_off == len(orders) else (f"only {put_off} of {len(orders)} were put off",)
    return await _judged(rig, Place.BETWEEN_ROWS, shop, refs, proof, recovery, wrong)


async def _victim(rig: Rig) -> None:
    """Have the gateway of this world watch for its death; once."""
    marker = rig.folder / "gateway-watches"
    if marker.exists():
        await gateway_up(rig)
        return
    words = usual(rig.stack, "gateway")[3:]
    await replace(rig.stack, "gateway", [sys.executable, "-m", MODULE, str(rig.folder), "gateway", *words])
    await gateway_up(rig)
    marker.touch()


async def _report_delivery(rig: Rig, ref: OrderRef) -> int:
    """As Twilio reports that the confirmation arrived; the answer's status."""
    sent = next(
        entry for entry in await rig.accepted() if entry.key and entry.key.startswith(f"{ref}/1/{Kind.CONFIRMATION}/")
    )
    path = f"/webhooks/twilio_sms?orderack_key={quote(sent.key or '', safe='')}"
    url = f"{rig.stack.environment['ORDERACK_PUBLIC_URL']}{path}"
    form = {"MessageSid": sent.provider_id, "MessageStatus": "delivered", "To": sent.recipient}
    token = rig.stack.vendors["ORDERACK_TWILIO_SMS_AUTH_TOKEN"]
    answer = await rig.driver.http.post(
        f"{rig.stack.gateway_url}{path}", data=form, headers=dict(signatures.twilio(token, url, form)), timeout=60
    )
    return answer.status_code


async def _judged(
    rig: Rig,
    place: Place,
    shop: Shop,
    refs: Sequence[OrderRef],
    proof: Path,
    recovery: float,
    wrong: Sequence[str] = (),
) -> Outcome:
    await confirmed(rig, refs)
    verdict = await checked(rig, f"gateway-{place}", shop)
    put_off = sum(answer.status >= 300 for answer in shop.answers)
    note = f"{shop.unheard} unanswered, {put_off} put off"
    return outcome(verdict, refs, struck(proof), recovery=recovery, wrong=wrong, note=note)


FAULTS = (
    Fault(
        "world_gateway_uncommitted",
        "kill -9 of the gateway: verified, the inbox not committed (F8)",
        partial(killed_at_intake, place=Place.UNCOMMITTED),
        WORLD,
    ),
    Fault(
        "world_gateway_unanswered",
        "kill -9 of the gateway: committed, no 2xx yet (F9)",
        partial(killed_at_intake, place=Place.UNANSWERED),
        WORLD,
    ),
    Fault(
        "world_gateway_undelivered",
        "kill -9 of the gateway: 2xx sent, Temporal not told (F10)",
        killed_after_its_answer,
        WORLD,
    ),
    Fault(
        "world_gateway_unmarked",
        "kill -9 of the gateway: Temporal told, the inbox not marked (F11)",
        partial(killed_at_intake, place=Place.UNMARKED),
        WORLD,
    ),
    Fault(
        "world_gateway_sweep", "kill -9 of the sweep between two rows (F12)", killed_in_the_sweep, WORLD, spoils=True
    ),
)
