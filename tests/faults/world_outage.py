"""The ERP is away for six hours with orders waiting, in two stores, and then it is back."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from functools import partial

import yaml

from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order, OrderRef
from orderack.embedded.demo.orders import STORE
from orderack.embedded.sandbox import Action, Operation, Target
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup
from tests.faults.world_stage import Shop, checked, confirmed, gateway_up, now, outcome, replace, usual
from tests.invariants.logs import Run

OTHER = "outlet"
OUTAGE = timedelta(hours=6)
SHORT, LONG = 240.0, 60.0
"""By how much the clocks run faster: six hours are a minute and a half, or six."""
FAIR = 0.5
"""At least so much of the confirmations' order is the orders' age (Spearman's rank correlation; 1: exactly)."""
STALE = frozenset({Kind.RECEIVED, Kind.HOLDING, Kind.UPDATE})


def _world(divisor: float) -> Setup:
    return Setup(settings={"ORDERACK_POLICY_DIVISOR": f"{divisor:g}", "ORDERACK_SEND_LEASE_SECONDS": "20"})


async def six_hours(rig: Rig, count: int, divisor: float) -> Outcome:
    """`count` orders come while it is away, spread over its first half."""
    await _open_another_store(rig)
    shop, seconds = Shop(rig), OUTAGE.total_seconds() / divisor
    down = await rig.strikes(Target.ERP, Action.FAIL, operation=Operation.ANY, times=None)
    began = asyncio.get_running_loop().time()
    orders = [_of(order, (STORE, OTHER)[place % 2]) for place, order in enumerate(shop.orders(count))]
    await shop.trade(orders, seconds / 2 / count)
    await asyncio.sleep(max(began + seconds - asyncio.get_running_loop().time(), 0))
    fired = await rig.struck(down)
    back = now()
    await rig.healthy()
    refs = [order.ref for order in orders]
    await confirmed(rig, refs, 600)
    recovery = (now() - back).total_seconds()
    verdict = await checked(rig, f"outage-{count}", shop)
    wrong = _too_many_words(verdict.run, refs, back)
    fair = _fairness(verdict.run, refs)
    wrong += [
        f"{store}: confirmed in an order of {value:.2f} by age (aim {FAIR})"
        for store, value in fair.items()
        if value < FAIR
    ]
    note = "fairness " + ", ".join(f"{store} {value:.2f}" for store, value in fair.items())
    return outcome(verdict, refs, fired, recovery=recovery, wrong=wrong, note=note)


def _of(order: Order, store: str) -> Order:
    return order.model_copy(update={"store": store})


async def _open_another_store(rig: Rig) -> None:
    """A second store with the same rules; the gateway's key is for both."""
    file = rig.folder / "policy" / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["stores"][OTHER] = deepcopy(policy["stores"][STORE])  # YAML would write the same twice as an alias
    written = file.with_suffix(".new")
    written.write_text(yaml.safe_dump(policy, sort_keys=False))
    shutil.move(written, file)
    rig.stack.environment["ORDERACK_API_KEYS"] = rig.stack.secrets.grants((STORE, OTHER))
    for name in ("worker", "gateway"):
        await replace(rig.stack, name, usual(rig.stack, name))
    await gateway_up(rig)


def _too_many_words(run: Run, refs: Sequence[OrderRef], back: datetime) -> list[str]:
    """What a buyer heard twice, or heard that was no longer so: beside the confirmation, at most one word after it."""
    wrong = []
    told: dict[OrderRef, list[tuple[datetime, Kind, int]]] = {}
    for entry, key in run.sent:
        if key.kind is not Kind.ALERT:
            told.setdefault(key.ref, []).append((entry.at, key.kind, key.n))
    for ref in refs:
        words = sorted(told.get(ref, []))
        if len({(kind, n) for _, kind, n in words}) < len(words):
            wrong.append(f"{ref}: told twice: {[f'{kind} {n}' for _, kind, n in words]}")
        booked = min((receipt.at for receipt in run.life_of[ref].receipts), default=None)
        late = [kind for at, kind, _ in words if kind in STALE and booked and at > booked + timedelta(seconds=5)]
        if late:
            wrong.append(f"{ref}: {late} went out after the ERP had it")
        burst = [kind for at, kind, _ in words if back < at < back + timedelta(seconds=3)]
        if len(burst) > 2:
            wrong.append(f"{ref}: {burst} went out at once")
    return wrong


def _fairness(run: Run, refs: Sequence[OrderRef]) -> Mapping[str, float]:
    """By store: Spearman's rank correlation between the orders' age and the confirmations' sequence."""
    at = {key.ref: entry.at for entry, key in run.sent_of(Kind.CONFIRMATION)}
    found = {}
    for store in (STORE, OTHER):
        mine = [ref for ref in refs if ref.store == store and ref in at]
        ranks = {ref: rank for rank, ref in enumerate(sorted(mine, key=at.__getitem__))}
        apart = sum((place - ranks[ref]) ** 2 for place, ref in enumerate(mine))
        n = len(mine)
        found[store] = 1 - 6 * apart / (n * (n * n - 1)) if n > 1 else 1.0
    return found


FAULTS = (
    Fault(
        "world_erp_six_hours_20",
        "the ERP is away for six hours, 20 orders wait",
        partial(six_hours, count=20, divisor=SHORT),
        _world(SHORT),
        spoils=True,
    ),
    Fault(
        "world_erp_six_hours_500",
        "the ERP is away for six hours, 500 orders wait",
        partial(six_hours, count=500, divisor=LONG),
        _world(LONG),
        spoils=True,
        short=False,
    ),
)
