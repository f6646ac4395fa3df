"""What comes twice, late, out of order or unreadable: each order beside a twin to which all came in order (I7)."""

import asyncio
from functools import partial
from random import Random
from typing import Any

import httpx
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.updates import ChangeRequest
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Order
from orderack.domain.receipt import ErpReceipt
from orderack.embedded.demo.orders import with_quantity
from orderack.embedded.sandbox import Action, Target
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup
from tests.faults.world_stage import CHANNEL, Shop, checked, confirmed, now, outcome, patiently
from tests.invariants.facts import outcome_of

WORLD = Setup(settings={"ORDERACK_SEND_LEASE_SECONDS": "6"})
SEED = 20261121

GARBAGE: tuple[tuple[str, tuple[object, ...]], ...] = (
    (names.SIGNAL_ERP_RECEIPT, ("not a receipt",)),
    (names.SIGNAL_ERP_RECEIPT, ({"id": "R", "lines": [None]},)),
    (names.SIGNAL_ERP_RECEIPT, ()),
    (names.SIGNAL_EVIDENCE, ({}, {})),
    (names.SIGNAL_EVIDENCE, (b"\xff\x00",)),
    (names.SIGNAL_PAYMENT_CHANGED, ({"id": "P", "status": "gone"},)),
    ("no_such_signal", ({"a": 1},)),
)


async def shuffled(rig: Rig) -> Outcome:
    """Pairs of orders with the same story; one of each pair hears everything the wrong way."""
    shop, chance = Shop(rig), Random(SEED)
    pairs = [(shop.orders(1)[0], shop.orders(1)[0]) for _ in range(3 if rig.short else 12)]
    faults = [await _unruly(rig, other) for _, other in pairs]
    await asyncio.gather(
        *(_in_order(rig, shop, orderly) for orderly, _ in pairs),
        *(_out_of_order(rig, shop, other, Random(chance.random())) for _, other in pairs),
    )
    struck = sum([await rig.struck(fault) for both in faults for fault in both])
    verdict = await checked(rig, "comes-twice", shop)
    wrong = []
    for orderly, other in pairs:
        here, there = (outcome_of(verdict.run, verdict.run.life_of[order.ref]) for order in (other, orderly))
        if here != there:
            wrong.append(f"I7: {other.ref} ended as {here}; its orderly twin {orderly.ref} as {there}")
    refs = [order.ref for pair in pairs for order in pair]
    wedged = [life.ref for life in verdict.run.lives or () if life.failed_tasks and life.ref in refs]
    wrong += [f"{ref}: a workflow task failed of what came" for ref in wedged]
    return outcome(verdict, refs, struck, wrong=wrong, note=f"seed {SEED}, {len(pairs)} pairs")


async def _unruly(rig: Rig, order: Order) -> tuple[int, int]:
    """Its ERP and its channel report everything twice, late."""
    return (
        await rig.strikes(Target.ERP, Action.DUPLICATE_WEBHOOK, match=order.number, times=None),
        await rig.strikes(Target.SENDGRID, Action.LATE_WEBHOOK, match=order.number, times=None, seconds=2.0),
    )


async def _in_order(rig: Rig, shop: Shop, order: Order) -> None:
    await shop.hand_in(order)
    await confirmed(rig, [order.ref])
    changed = with_quantity(order, 3)
    request = ChangeRequest(id="change", order=changed)
    await patiently(lambda: rig.driver.orders.change(order.ref, request))
    await confirmed(rig, [order.ref], revision=2)


async def _out_of_order(rig: Rig, shop: Shop, order: Order, chance: Random) -> None:
    """The same story, with everything around it that a network and a careless caller can do."""
    handle: WorkflowHandle[Any, Any] = rig.client.get_workflow_handle(order_workflow_id(order.ref))
    await asyncio.gather(*(shop.hand_in(order) for _ in range(3)))
    await _babble(handle, chance)
    await confirmed(rig, [order.ref])
    await _tell_again(rig, order, chance)
    request = ChangeRequest(id="change", order=with_quantity(order, 3))
    await asyncio.gather(*(patiently(lambda: rig.driver.orders.change(order.ref, request)) for _ in range(3)))
    await _babble(handle, chance)
    await confirmed(rig, [order.ref], revision=2)
    await _tell_again(rig, order, chance)
    await shop.hand_in(request.order)
    await _rubbish_webhooks(rig, order)


async def _babble(handle: WorkflowHandle[Any, Any], chance: Random) -> None:
    """Signals that nobody can read, in any order."""
    for name, words in chance.sample(GARBAGE, len(GARBAGE)):
        try:
            await handle.signal(name, args=list(words))
        except RPCError as refused:
            raise AssertionError(f"{name} was not even taken: {refused.message}") from refused


async def _tell_again(rig: Rig, order: Order, chance: Random) -> None:
    """Receipts and evidence that came before, or that are about nothing, again and in any order."""
    receipts = [receipt for revision in (1, 2) if (receipt := await _booked(rig, order, revision))]
    fact = EvidenceFact(
        id=f"E-{order.number}",
        event=EvidenceEvent.DELIVERED,
        grade=Grade.E2,
        channel=CHANNEL,
        revision=7,
        kind=Kind.CONFIRMATION,
        occurred_at=now(),
    )
    receipts = chance.sample(receipts * 2, len(receipts) * 2)
    for receipt in receipts:
        await patiently(partial(rig.driver.orders.receipt, receipt))
        await patiently(lambda: rig.driver.orders.evidence(order.ref, fact))


async def _booked(rig: Rig, order: Order, revision: int) -> ErpReceipt | None:
    """The receipt as the ERP gives it to whoever asks; None: it has not booked that."""
    answer = await rig.driver.http.get(
        f"{rig.stack.sandbox_url}/erp/orders/{order.store}/{order.number}",
        params={"revision": revision},
        headers={"Authorization": f"Bearer {rig.stack.vendors['ORDERACK_ERP_SANDBOX_API_KEY']}"},
    )
    return ErpReceipt.model_validate_json(answer.content) if answer.is_success else None


async def _rubbish_webhooks(rig: Rig, order: Order) -> None:
    """What no provider signed is turned away; whatever it is, the gateway answers and goes on."""
    for path in ("/webhooks/sendgrid_email", "/receipts/sandbox"):
        for body in (b"", b"{", b"\xff\xfe", b"[" * 5_000, order.number.encode()):
            answer = await rig.driver.http.post(f"{rig.stack.gateway_url}{path}", content=body)
            if not httpx.codes.is_client_error(answer.status_code):
                raise AssertionError(f"{path} answered {answer.status_code}")


FAULTS = (
    Fault("world_comes_twice", "signals and webhooks twice, late, out of order, unreadable (I7)", shuffled, WORLD),
)
