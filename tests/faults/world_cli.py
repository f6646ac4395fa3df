"""kill -9 of an operator's command around its one request (F14), and the same command again under the same id.

No command writes the ledger and then tells Temporal: what one asks for is one update or signal, so these are the two
places at which it can be cut in half.
"""

import asyncio
import sys
from functools import partial
from signal import SIGKILL

from orderack.contracts.journal import Event, Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order
from orderack.embedded.demo.driver import told
from orderack.embedded.demo.orders import an_order
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup
from tests.faults.world_stage import Shop, checked, confirmed, outcome, struck
from tests.faults.world_victim import Place, arm

WORLD = Setup(settings={"ORDERACK_SEND_LEASE_SECONDS": "6"})
BY = ("--by", "ada")


async def operators(rig: Rig, place: Place) -> Outcome:
    """Cancel, tell a receipt, approve a review, settle a doubt: each killed, each asked again."""
    shop, fired, wrong = Shop(rig), 0, list[str]()
    called_off, booked, reviewed, doubted = await _orders(rig, shop)
    commands = (
        (called_off, ("cancel", str(called_off.ref), *BY, "--reason", "ordered twice")),
        (booked, _receipt(booked)),
        (reviewed, ("review", "approve", str(reviewed.ref), *BY)),
        (doubted, ("settle", f"{doubted.ref}/1/received/1/smtp_email", "sent", *BY)),
    )
    for order, words in commands:
        proof = arm(rig.folder, place)
        asked = (*words, "--id", f"{place}-{order.number}")
        died = await _cli(rig, *asked)
        again = await _cli(rig, *asked)
        fired += struck(proof)
        if died != -SIGKILL or again != 0:
            wrong.append(f"{words[0]}: ended with {died}, and with {again} when it was asked again")
    await confirmed(rig, [booked.ref, reviewed.ref, doubted.ref])
    await rig.driver.until(called_off.ref, lambda s: s.stage is Stage.CANCELLED and _told_it(s), "be called off")
    verdict = await checked(rig, f"cli-{place}", shop)
    for order, event in zip(
        (called_off, reviewed, doubted), (Event.CANCELLED, Event.REVIEW_DECIDED, Event.SEND_SETTLED), strict=True
    ):
        state = verdict.run.life_of[order.ref].state
        times = sum(entry.event is event for entry in state.timeline) if state else 0
        if times != 1:
            wrong.append(f"{order.ref}: {event} stands in the timeline {times} times")
    refs = [booked.ref, reviewed.ref, doubted.ref]
    return outcome(verdict, refs, fired, wrong=wrong)


def _told_it(status: OrderStatus) -> bool:
    return any(message.kind is Kind.CANCELLATION for message in told(status))


async def _orders(rig: Rig, shop: Shop) -> tuple[Order, Order, Order, Order]:
    """One that waits for the ERP, another, one in review, and one whose first word is in doubt."""
    called_off, booked = shop.orders(2)
    place = rig.number()
    reviewed = an_order(f"F-{rig.driver.run}-{place}-X", place, price="4000.00")
    doubted = rig.order("smtp_email")
    for order in (called_off, booked):
        await rig.driver.fault("erp", "fail", order.number, times=None)
    await rig.driver.fault("smtp", "cut_off_after_accept", doubted.number)
    for order in (called_off, booked, reviewed, doubted):
        await shop.hand_in(order)
    await rig.driver.until(reviewed.ref, lambda s: s.stage is Stage.REVIEW, "go to a person")
    await rig.driver.until(called_off.ref, lambda s: bool(told(s)), "say received")
    await rig.driver.seen(doubted.ref, Event.SEND_UNKNOWN)
    return called_off, booked, reviewed, doubted


def _receipt(order: Order) -> tuple[str, ...]:
    lines = [word for line in order.lines for word in ("--line", f"{line.line_id}=available")]
    return ("receipt", "--order", str(order.ref), "--erp", "sandbox", "--document", f"SO-{order.number}", *lines)


async def _cli(rig: Rig, *words: str) -> int:
    """Run the command as an operator's shell does; its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.faults.world_victim", str(rig.folder), "cli", *words),
        env=rig.stack.environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait()


FAULTS = (
    Fault(
        "world_cli_before",
        "kill -9 of an operator's command before its request leaves (F14)",
        partial(operators, place=Place.CLI_BEFORE),
        WORLD,
    ),
    Fault(
        "world_cli_after",
        "kill -9 of an operator's command that is done and has not said so (F14)",
        partial(operators, place=Place.CLI_AFTER),
        WORLD,
    ),
)
