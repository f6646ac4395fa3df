"""A clock that is three hours wrong, in one process alone: the worker's, or the gateway's."""

import sys
from datetime import timedelta
from functools import partial

from orderack.domain.acknowledgement import Kind
from orderack.embedded.demo.driver import NotAsTold
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup, eventually
from tests.faults.world_stage import (
    Shop,
    checked,
    confirmed,
    gateway_up,
    now,
    outcome,
    replace,
    usual,
)

OFF = timedelta(hours=3)
WORLD = Setup(settings={"ORDERACK_POLICY_DIVISOR": "90", "ORDERACK_SEND_LEASE_SECONDS": "6"})
"""Fifteen minutes are ten seconds, two hours eighty."""
PROMPT = timedelta(seconds=60)
"""How late `holding` may be on a busy machine: a clock that is followed would make it hours."""

SHIFTED = """
import sys, runpy
from datetime import datetime, timedelta
import time_machine
time_machine.travel(datetime.now().astimezone() + timedelta(seconds=float(sys.argv[1])), tick=True).start()
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a module whose wall clock is off; the monotonic clock is as it was, as it is when somebody sets a clock."""


async def worker(rig: Rig, off: timedelta) -> Outcome:
    """Timers are the server's: `holding` comes at its time, and evidence stands at the time it happened."""
    await _shift(rig, "worker", off)
    await rig.all_work(within=120)
    found = await _told_in_time(rig, f"worker{off.total_seconds():+.0f}", off)
    return found.model_copy(update={"wrong": (*found.wrong, *await _set_right(rig))})


async def _set_right(rig: Rig) -> list[str]:
    """Another worker, whose clock is right, does not wait for what the wrong one has booked."""
    came_up = rig.starts("worker")
    await replace(rig.stack, "worker", usual(rig.stack, "worker"))
    await eventually(lambda: rig.starts("worker") > came_up, "the worker to come up", 120)
    order = rig.order("sendgrid_email")
    await Shop(rig).hand_in(order)
    try:
        await confirmed(rig, [order.ref], 60)
    except NotAsTold as waited:
        return [f"once the clock was right: {waited}"]
    return []


async def gateway(rig: Rig, off: timedelta) -> Outcome:
    """Every signed time is out of its window: that must be seen (`stale_signature` in the log), not merely refused."""
    await _shift(rig, "gateway", off)
    await gateway_up(rig)
    found = await _told_in_time(rig, f"gateway{off.total_seconds():+.0f}", off)
    log = rig.stack.home.log("gateway").read_text(errors="replace")
    if "clock" not in log:
        return found.model_copy(update={"wrong": (*found.wrong, "the gateway refused signed times, and told nobody")})
    return found


async def _shift(rig: Rig, name: str, off: timedelta) -> None:
    """Start this part anew with a clock that is `off`."""
    words = usual(rig.stack, name)[2:]
    await replace(rig.stack, name, [sys.executable, "-c", SHIFTED, str(off.total_seconds()), *words])


async def _told_in_time(rig: Rig, name: str, off: timedelta) -> Outcome:
    """One order straight through, and one for which the ERP takes longer than fifteen minutes."""
    shop = Shop(rig)
    straight, late = shop.orders(2)
    await rig.driver.fault("erp", "fail", late.number, times=None)
    for order in (straight, late):
        await shop.hand_in(order)
    await confirmed(rig, [straight.ref])
    await rig.driver.until(late.ref, lambda s: any(a.kind is Kind.HOLDING for a in s.acknowledgements), "be held")
    await rig.healthy()
    await rig.driver.erp_books(late)
    await confirmed(rig, [late.ref])
    verdict = await checked(rig, name, shop, apart=abs(off))
    wrong = []
    for life in verdict.run.lives or ():
        state = life.state
        if state is None or life.ref not in (straight.ref, late.ref):
            continue
        for ack in state.said(Kind.HOLDING):
            due = (state.trigger_at or ack.decided_at) + timedelta(seconds=10)
            if not due - timedelta(seconds=1) <= ack.decided_at <= due + PROMPT:
                wrong.append(f"{life.ref}: holding at {ack.decided_at}, due at {due}")
        seen = [ack.proof.receipt.at for ack in state.said(Kind.CONFIRMATION) if ack.proof.receipt]
        wrong += [f"{life.ref}: evidence stands at {at}" for at in seen if abs(at - now()) > timedelta(minutes=30)]
    return outcome(verdict, [straight.ref, late.ref], 1, wrong=wrong, note=f"{off} off")


FAULTS = (
    Fault("world_clock_worker_ahead", "the worker's clock is 3 h ahead", partial(worker, off=OFF), WORLD, spoils=True),
    Fault("world_clock_worker_behind", "the worker's clock is 3 h behind", partial(worker, off=-OFF), WORLD, True),
    Fault("world_clock_gateway_ahead", "the gateway's clock is 3 h ahead", partial(gateway, off=OFF), WORLD, True),
    Fault("world_clock_gateway_behind", "the gateway's clock is 3 h behind", partial(gateway, off=-OFF), WORLD, True),
)
