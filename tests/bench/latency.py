"""From an order's trigger to the moment a provider has accepted `received`: idle, at a steady pace, and in a burst.

Each order is posted to the gateway as a shop posts it; the moment is the one in the sandbox's own acceptance log.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import httpx
from pydantic import AwareDatetime, TypeAdapter
from rich.console import Console

from orderack.domain.order import Order
from orderack.domain.value import Value
from orderack.embedded.stack import Stack
from tests.bench.figures import Line, Result, at_least, at_most, figure, quantile, within
from tests.bench.rig.stage import embedded, order_of

IDLE_AIM_MS, WITHIN_S, SHARE_AIM = 120.0, 60.0, 100.0
IDLE, STEADY, BURST = 20, 60, 1_000
QUICK_IDLE, QUICK_STEADY, QUICK_BURST = 8, 16, 60
EVERY = 0.5
"""Seconds between two orders of the steady load."""
CONNECTIONS = 64
PATIENCE = 120.0
"""Seconds after which whoever has not been told counts as not told."""


class Accepted(Value):
    at: AwareDatetime
    key: str | None = None


class _Log(Value):
    accepted: tuple[Accepted, ...]


_LOG = TypeAdapter(_Log)


class Shop:
    """Posts orders, and looks up when their buyers were told."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient) -> None:
        self._stack = stack
        self._http = http
        self.put_off = 0
        """Orders answered 503: recorded, and announced by the gateway later."""

    async def post(self, order: Order) -> None:
        answer = await self._http.post(
            f"{self._stack.gateway_url}/intake/{order.store}",
            content=order.model_dump_json(),
            headers={
                "Authorization": f"Bearer {self._stack.secrets.api_key}",
                "Content-Type": "application/json",
            },
        )
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and answer.json().get("recorded"):
            self.put_off += 1
        else:
            answer.raise_for_status()

    async def told(self, run: str) -> Mapping[str, datetime]:
        """By order number: when the provider first accepted its `received`."""
        answer = await self._http.get(
            f"{self._stack.sandbox_url}/log", params={"target": "sendgrid", "key": f"/{run}-"}
        )
        return first_told(_LOG.validate_json(answer.content).accepted)


def first_told(entries: Iterable[Accepted]) -> Mapping[str, datetime]:
    """The earliest acceptance of each order's `received`, by its number."""
    found: dict[str, datetime] = {}
    for entry in entries:
        _, number, _, kind, *_ = (entry.key or "////").split("/")
        if kind == "received":
            found[number] = min(found.get(number, entry.at), entry.at)
    return found


def seconds(orders: Sequence[Order], told: Mapping[str, datetime]) -> list[float]:
    """From trigger to acceptance, of those that were told."""
    return [(told[o.number] - o.trigger_at).total_seconds() for o in orders if o.number in told]


async def bench(quick: bool, progress: Console) -> Result:
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with embedded() as stack, httpx.AsyncClient(timeout=600, limits=limits, trust_env=False) as http:
        shop = Shop(stack, http)
        await idle(shop, "WARM", 3)
        alone = await idle(shop, "IDLE", QUICK_IDLE if quick else IDLE)
        progress.print(f"  idle: p50 {1000 * quantile(alone, 0.5):.0f} ms")
        steady = await at_pace(shop, QUICK_STEADY if quick else STEADY)
        progress.print(f"  steady: p99 {quantile(steady, 0.99):.2f} s")
        number = QUICK_BURST if quick else BURST
        burst = await at_once(shop, number, progress)
    return Result(
        bench="latency",
        title="trigger to `received` accepted by the provider",
        lines=tuple(lines(alone, steady, burst, number, shop.put_off, QUICK_STEADY if quick else STEADY)),
        notes=(
            "Idle: one order after another. Steady: two a second. Burst: all have the same trigger; the time of the "
            f"last includes everybody's before it. {CONNECTIONS} connections post them.",
            "The providers' own rates are out of the way here (ORDERACK_RATES): with SendGrid's usual 50 sends a "
            "second a burst of 1,000 takes 20 s there, whatever we do.",
        ),
    )


async def idle(shop: Shop, run: str, orders: int) -> list[float]:
    """One after another, each once the last is told."""
    handed_in = []
    for place in range(orders):
        order = order_of(run, place)
        await shop.post(order)
        handed_in.append(order)
        await until_told(shop, run, place + 1)
        await asyncio.sleep(0.6)
    return seconds(handed_in, await shop.told(run))


async def at_pace(shop: Shop, orders: int) -> list[float]:
    """So many, evenly spaced, whatever becomes of them."""
    handed_in, posting = [], []
    for place in range(orders):
        handed_in.append(order_of("STEADY", place))
        posting.append(asyncio.create_task(shop.post(handed_in[-1])))
        await asyncio.sleep(EVERY)
    await asyncio.gather(*posting)
    return seconds(handed_in, await until_told(shop, "STEADY", orders))


async def at_once(shop: Shop, orders: int, progress: Console) -> list[float]:
    trigger = datetime.now(UTC)
    handed_in = [order_of("BURST", place, trigger) for place in range(orders)]
    lines_out = asyncio.Semaphore(CONNECTIONS)

    async def post(order: Order) -> None:
        async with lines_out:  # httpx looks through all that wait for a connection, again and again: half a core
            await shop.post(order)

    posting = asyncio.gather(*(post(order) for order in handed_in))
    told = await until_told(shop, "BURST", orders, every=2, progress=progress)
    posting.cancel()
    with suppress(asyncio.CancelledError):
        await posting
    return seconds(handed_in, told)


async def until_told(
    shop: Shop, run: str, orders: int, every: float = 0.1, progress: Console | None = None
) -> Mapping[str, datetime]:
    """All of them, or as many as were told before patience ended."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while len(told := await shop.told(run)) < orders and asyncio.get_running_loop().time() < deadline:
        if progress:
            progress.print(f"  burst: {len(told)} of {orders} told")
        await asyncio.sleep(every)
    return told


def lines(
    alone: Sequence[float], steady: Sequence[float], burst: Sequence[float], orders: int, put_off: int, paced: int
) -> Iterable[Line]:
    yield at_most("idle, p50", 1000 * quantile(alone, 0.5), IDLE_AIM_MS, " ms", 0)
    yield figure("idle, p95", 1000 * quantile(alone, 0.95), " ms", 0)
    for name, got, number in (("steady", steady, paced), ("burst", burst, orders)):
        for share in (0.5, 0.95, 0.99):
            yield figure(f"{name} ({number} orders), p{100 * share:.0f}", quantile(got, share), " s", 2)
        yield at_least(f"{name}: told within 60 s", within(got, WITHIN_S, number), SHARE_AIM, " %", 1)
    yield figure("answered 503 (recorded, announced a little later)", put_off, digits=0)
