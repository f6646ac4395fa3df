"""kill -9 of the Temporal server, and of everything that is ours, while orders come in."""

import asyncio
from collections.abc import Sequence

from orderack.domain.order import Order
from orderack.errors import OrderAckError
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup
from tests.faults.world_stage import Shop, checked, confirmed, gateway_up, outcome, until

KILLS = 6
OURS = ("temporal", "gateway", "worker")
"""The sandbox is the world: its log is what we are judged by."""

WORLD = Setup(settings={"ORDERACK_SEND_LEASE_SECONDS": "5"})


async def server(rig: Rig) -> Outcome:
    """Six times, each as soon as it answers again."""
    shop = Shop(rig)
    orders = shop.orders(12 if rig.short else 60)
    trading = asyncio.create_task(shop.trade(orders, 1.0))
    down, fired = [], 0
    for _ in range(KILLS):
        await asyncio.sleep(1.5)
        at = asyncio.get_running_loop().time()
        rig.kill("temporal")
        fired += 1
        await asyncio.sleep(0.1)
        await until(lambda: _pings(rig), "Temporal to answer")
        down.append(asyncio.get_running_loop().time() - at)
    return await _all_is_well(rig, "server", shop, trading, orders, fired, max(down))


async def everything(rig: Rig) -> Outcome:
    """Server, gateway and worker in the same moment, with orders at every stage."""
    shop = Shop(rig)
    orders = shop.orders(10 if rig.short else 40)
    trading = asyncio.create_task(shop.trade(orders, 0.25))
    await asyncio.sleep(2)
    at = asyncio.get_running_loop().time()
    rig.kill(*OURS)
    await asyncio.sleep(0.2)
    await gateway_up(rig)
    await until(lambda: _pings(rig), "Temporal to answer")
    await rig.all_work(within=120)
    recovery = asyncio.get_running_loop().time() - at
    return await _all_is_well(rig, "everything", shop, trading, orders, len(OURS), recovery)


async def _pings(rig: Rig) -> bool:
    try:
        await rig.driver.orders.ping()
    except OrderAckError:
        return False
    return True


async def _all_is_well(
    rig: Rig, name: str, shop: Shop, trading: "asyncio.Task[None]", orders: Sequence[Order], fired: int, recovery: float
) -> Outcome:
    await trading
    refs = [order.ref for order in orders]
    await confirmed(rig, refs)
    verdict = await checked(rig, name, shop)
    told = sum(answer.status < 300 for answer in shop.answers)
    note = f"{told} taken, {len(shop.answers) - told} put off, {shop.unheard} unanswered"
    return outcome(verdict, refs, fired, recovery=recovery, note=note)


FAULTS = (
    Fault("world_server", f"kill -9 of the Temporal server, {KILLS} times under load", server, WORLD),
    Fault("world_everything", "kill -9 of server, gateway and worker at once", everything, WORLD, spoils=True),
)
