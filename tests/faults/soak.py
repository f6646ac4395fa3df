"""kill -9 of a random worker every few seconds while messages go out, by a seed; and an order parked on a dead worker.

The comparison is what most people write: send, then record. It runs in the same way, planted into the workers.
"""

import asyncio
import time
from collections import Counter
from functools import partial
from random import Random

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.queries import OrderStatus
from orderack.domain.order import Order, OrderRef
from orderack.embedded.sandbox import Action
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import CLASSES, PATIENT, TARGETS, Rig, Setup
from tests.faults.sends import history, when
from tests.faults.sweep import sweep

WORLD = Setup(workers=3, settings={"ORDERACK_SEND_LEASE_SECONDS": "21"})
NAIVE = Setup(workers=3, launcher=("tests.faults.naive",), settings={"ORDERACK_SEND_LEASE_SECONDS": "21"})
PARKED = 2.0
"""Seconds within which an order that waits is on another worker (the issue's aim)."""
SEED = 20261121
PARKED_ORDERS = 8
QUIET = 1.0
"""Seconds without anything under way."""
DONE = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
ROUNDS = {True: 4, False: 30}
"""Kills, by whether it is the short form."""
PER_ROUND = 6
"""Orders between two kills: twelve messages."""
ANSWERS_AFTER = 0.8
"""Seconds a vendor takes to answer what it has taken: so long a send can be cut off in the middle."""


async def soak(rig: Rig, letters: str, *, naive: bool = False) -> Outcome:
    """Orders come steadily, their vendors answer late, and every 2 to 4 s one of the workers dies."""
    await rig.all_work()
    await rig.healthy()
    chance, orders, kills = Random(SEED), dict[OrderRef, str](), 0
    for letter in letters:
        await rig.strikes(TARGETS[CLASSES[letter]], Action.SLOW, times=None, seconds=ANSWERS_AFTER)
    for _ in range(ROUNDS[rig.short]):
        made = [rig.order(CLASSES[chance.choice(letters)]) for _ in range(PER_ROUND)]
        orders |= {order.ref: order.order_type.removeprefix("by_") for order in made if order.order_type}
        async with asyncio.TaskGroup() as group:
            for order in made:
                group.create_task(rig.hand_in(order))
            await asyncio.sleep(chance.uniform(2, 4))
            rig.kill(chance.choice(rig.workers))
            kills += 1
    await rig.healthy()
    for ref in orders:
        await rig.told(ref, PATIENT)
    judged = await rig.judge(orders)
    cut = sum([send.attempts > 1 for ref in orders for send in await rig.ledger.sends(ref)])
    wrong = [*(() if naive else judged.wrong), *([f"{judged.lost} lost"] if judged.lost else [])]
    if naive is not bool(judged.doubled):
        wrong.append(f"{judged.doubled} doubled")
    if not naive and not cut:
        wrong.append("no kill hit a send")
    sends = 2 * len(orders)
    return Outcome(
        fired=kills,
        orders=len(orders),
        lost=judged.lost,
        doubled=judged.doubled,
        in_doubt=judged.in_doubt,
        wrong=tuple(wrong),
        note=f"{sends} sends, {cut} tried again, {100 * judged.doubled / sends:.1f} % doubled; seed {SEED}",
    )


async def parked(rig: Rig) -> Outcome:
    """Orders wait for the ERP, spread over the workers; one worker dies, and the ERP answers."""
    await rig.all_work()
    await rig.healthy()
    await rig.behaves(books_after=3600.0)
    orders = [rig.order(CLASSES["C"]) for _ in range(PARKED_ORDERS)]
    for order in orders:
        await rig.hand_in(order)
        await rig.driver.until(order.ref, _has_heard, "say received", PATIENT)
    for order in orders:
        await _rests(rig, order)
    held = Counter([await _holder(rig, order) for order in orders])
    (victim, fired), *_ = held.most_common(1)
    rig.kill(victim)
    await rig.behaves(books_after=0.2)
    waits = sorted(await asyncio.gather(*(taken_over(rig, order) for order in orders)))
    slowest = waits[-1]
    for order in orders:
        await rig.told(order.ref, PATIENT)
    judged = await rig.judge({order.ref: CLASSES["C"] for order in orders})
    wrong = [*judged.wrong, *([f"taken over after {slowest:.1f} s (aim: {PARKED:g})"] if slowest > PARKED else [])]
    return Outcome(
        fired=fired,
        orders=len(orders),
        lost=judged.lost,
        doubled=judged.doubled,
        in_doubt=judged.in_doubt,
        recovery=round(slowest, 2),
        wrong=tuple(wrong),
        note="went on, after each was told: " + ", ".join(f"{wait:.1f}" for wait in waits),
    )


def _has_heard(status: OrderStatus) -> bool:
    return any(ack.out_at for ack in status.acknowledgements)


async def _rests(rig: Rig, order: Order) -> None:
    """Wait until nothing of the order's is under way: what a worker has begun is another fault (F7)."""
    handle, still = rig.client.get_workflow_handle(order_workflow_id(order.ref)), time.monotonic()
    while time.monotonic() - still < QUIET:
        found = (await handle.describe()).raw_description
        if found.HasField("pending_workflow_task") or found.pending_activities:
            still = time.monotonic()
        await asyncio.sleep(0.1)


async def _holder(rig: Rig, order: Order) -> str:
    """The worker that has the order in its memory: the one that made its last step."""
    steps = [event for event in await history(rig, order.ref) if event.event_type == DONE]
    pid, _, _ = steps[-1].workflow_task_completed_event_attributes.identity.partition("@")
    return next(name for name in rig.workers if str(rig.stack.processes[name].pid) == pid)


async def taken_over(rig: Rig, order: Order) -> float:
    """Seconds from the ERP's receipt to the order's next step."""
    await rig.driver.erp_books(order)
    deadline = time.time() + PATIENT
    while time.time() < deadline:
        events = await history(rig, order.ref)
        told = next((event for event in events if _is_receipt(event)), None)
        for event in events:
            if told and event.event_type == DONE and event.event_id > told.event_id:
                return when(event) - when(told)
        await asyncio.sleep(0.2)
    raise TimeoutError(f"{order.ref} never went on")


def _is_receipt(event: HistoryEvent) -> bool:
    return event.workflow_execution_signaled_event_attributes.signal_name == names.SIGNAL_ERP_RECEIPT


FAULTS = (
    Fault("parked", "a worker dies on which orders are parked, one of three; the ERP answers", parked, WORLD),
    Fault(
        "soak-abc",
        "kill -9 of one of three workers every 2-4 s; providers with a key, a lookup, an echo",
        partial(soak, letters="ABC"),
        WORLD,
    ),
    Fault("soak-d", "the same; a provider with nothing", partial(soak, letters="D"), WORLD),
    sweep("soak-checked", WORLD),
    Fault(
        "soak-naive",
        "the same with workers that send and then record: the comparison, which must double",
        partial(soak, letters="BCD", naive=True),
        NAIVE,
    ),
)
