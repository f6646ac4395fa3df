"""Beside what one would write instead: the same story, plainly, on Temporal and on DBOS; same machine, same run.

All three call the same look-alikes and commit their rows in SQLite with the same safety. The plain ones do the least
that the story needs (`tests/bench/rig/plain.py`, `plain_dbos.py`), and lack what docs/performance.md lists.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
from rich.console import Console

from orderack.embedded.stack import HOST, Stack
from tests.bench.figures import KIB, Line, Result, figure, quantile, ratio, spread, words
from tests.bench.measure import free_port
from tests.bench.processes import end, kill, memory, start
from tests.bench.rig import floor, plain_dbos
from tests.bench.rig import plain as plainly
from tests.bench.rig.lanes import DBOS, PLAIN, PRODUCT, Counts, mail_bytes, pids, plain, product, vendors
from tests.bench.rig.load import Lane, Round, drive
from tests.bench.rig.stage import embedded, order_of
from tests.bench.throughput import UNDER_WAY, one, spent

ROUNDS, MEASURED, WAITING, ALONE = 2, 4.0, 200, 10
QUICK_ROUNDS, QUICK_MEASURED, QUICK_WAITING, QUICK_ALONE = 1, 2.0, 60, 5
RECOVERY = 120.0
"""Seconds after which a crash counts as not recovered from."""
NEVER = 100_000.0
"""Seconds until an ERP books that does not."""


@dataclass
class Dbos:
    """The DBOS process, which can be killed and started again."""

    stack: Stack
    folder: Path
    port: int
    arguments: tuple[str, ...]
    settings: dict[str, str]
    process: asyncio.subprocess.Process | None = None

    async def begin(self) -> asyncio.subprocess.Process:
        environment = self.stack.environment | self.settings
        log = self.stack.home.log("bench-dbos")
        self.process = await start("tests.bench.rig.plain_dbos", self.arguments, environment, log)
        return self.process


@asynccontextmanager
async def on_dbos(stack: Stack, http: httpx.AsyncClient) -> AsyncIterator[tuple[Lane, Dbos, str]]:
    folder, port, size = stack.home.folder / "bench-dbos", free_port(), await mail_bytes(stack)
    async with vendors(stack, folder, port) as (settings, sandbox):
        arguments = (str(folder), "--port", str(port), "--mail-bytes", str(size))
        dbos = Dbos(stack, folder, port, arguments, settings)
        process = await dbos.begin()

        async def hand_in(run: str, place: int) -> None:
            body = order_of(run, place).model_dump_json()
            (await http.post(f"http://{HOST}:{port}/orders", content=body)).raise_for_status()

        own = {name: pid for name, pid in pids(stack, worker=process.pid, sandbox=sandbox).items() if name != "server"}
        url = settings["ORDERACK_ERP_SANDBOX_BASE_URL"].rpartition("/")[0]
        try:
            yield Lane(DBOS, hand_in, Counts(folder), own), dbos, url
        finally:
            if dbos.process:
                await end(dbos.process)


async def bench(quick: bool, progress: Console) -> Result:
    rounds, stretch = (QUICK_ROUNDS, QUICK_MEASURED) if quick else (ROUNDS, MEASURED)
    waiting, single = (QUICK_WAITING, QUICK_ALONE) if quick else (WAITING, ALONE)
    async with embedded() as stack, httpx.AsyncClient(timeout=60, trust_env=False) as http:
        ours = await product(stack)
        await one(ours, "W")
        async with plain(stack) as temporal, on_dbos(stack, http) as (lane, dbos, sandbox):
            lanes = (ours, temporal, lane)
            for each in lanes[1:]:
                await one(each, "X")
            alone = {each.name: [await story(each, place) for place in range(single)] for each in lanes}
            found = await by_turns(lanes, rounds, stretch, progress)
            held = await dbos_waiting(dbos, lane, http, sandbox, waiting, progress)
            mine = await product_waiting(stack, ours, http, waiting, progress)
    return Result(
        bench="beside",
        title="the same story, plainly written on Temporal and on DBOS",
        lines=tuple(lines(found, alone, mine, held)),
        notes=NOTES,
    )


async def story(lane: Lane, place: int) -> float:
    """One order on an idle machine, from its handing in to its handoff."""
    run = f"A{place}"
    before = lane.count("handed_off", run)
    began = time.monotonic()
    await lane.hand_in(run, 0)
    while lane.count("handed_off", run) == before:  # noqa: ASYNC110 - another process's count has no event
        await asyncio.sleep(0.005)
    took = time.monotonic() - began
    await asyncio.sleep(0.5)
    return took


async def by_turns(lanes: Sequence[Lane], rounds: int, stretch: float, progress: Console) -> Mapping[str, list[Round]]:
    found: dict[str, list[Round]] = {lane.name: [] for lane in lanes}
    for number in range(rounds):
        for lane in lanes if number % 2 == 0 else reversed(lanes):
            took = await drive(lane, f"R{number}", under_way=UNDER_WAY, measured=stretch)
            found[lane.name].append(took)
            progress.print(f"  round {number + 1}, {lane.name}: {took.per_second:.1f}/s")
    return found


@dataclass(frozen=True)
class Held:
    """Orders that wait for their ERP, and what a crash does to them."""

    bytes_each: float
    recovered: float
    """Seconds from kill -9 until the first of them, told its receipt, is handed off."""


async def erp_books(http: httpx.AsyncClient, sandbox: str, after: float) -> None:
    (await http.patch(f"{sandbox}/behaviour", json={"books_after": after})).raise_for_status()


async def hold(lane: Lane, run: str, orders: int) -> None:
    """Hand in orders that nobody books."""
    turns = asyncio.Semaphore(16)

    async def each(place: int) -> None:
        async with turns:
            await lane.hand_in(run, place)

    await asyncio.gather(*(each(place) for place in range(orders)))
    await asyncio.sleep(3)


async def announce(http: httpx.AsyncClient, sandbox: str, run: str, place: int) -> None:
    """The ERP books one of them after all, and tells."""
    body = {"order": order_of(run, place).model_dump(mode="json"), "revision": 1}
    (await http.post(f"{sandbox}/erp/announce", json=body)).raise_for_status()


async def recovered(lane: Lane, http: httpx.AsyncClient, sandbox: str, before: int, began: float) -> float:
    await announce(http, sandbox, "H", 0)
    while lane.count("handed_off", "H") == before:
        if time.monotonic() - began > RECOVERY:
            raise TimeoutError(f"{lane.name}: nothing came through {RECOVERY:g} s after a crash")
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def dbos_waiting(
    dbos: Dbos, lane: Lane, http: httpx.AsyncClient, sandbox: str, orders: int, progress: Console
) -> Held:
    assert dbos.process is not None
    await erp_books(http, sandbox, NEVER)
    before = memory(dbos.process.pid)
    done = lane.count("handed_off", "H")
    await hold(lane, "H", orders)
    each = (memory(dbos.process.pid) - before) / orders
    began = time.monotonic()
    await kill(dbos.process)
    await dbos.begin()
    took = await recovered(lane, http, sandbox, done, began)
    progress.print(f"  {lane.name}: {each / KIB:.0f} KiB a waiting order, back after {took:.1f} s")
    return Held(each, took)


async def product_waiting(stack: Stack, lane: Lane, http: httpx.AsyncClient, orders: int, progress: Console) -> Held:
    await erp_books(http, stack.sandbox_url, NEVER)
    worker = stack.processes["worker"]
    before, done = memory(worker.pid), lane.count("handed_off", "H")
    await hold(lane, "H", orders)
    each = (memory(worker.pid) - before) / orders
    began = time.monotonic()
    await kill(worker)  # `orderack up` starts another
    took = await recovered(lane, http, stack.sandbox_url, done, began)
    progress.print(f"  {lane.name}: {each / KIB:.0f} KiB a waiting order, back after {took:.1f} s")
    return Held(each, took)


def lines(
    rounds: Mapping[str, Sequence[Round]], alone: Mapping[str, Sequence[float]], mine: Held, held: Held
) -> Iterator[Line]:
    rates = {name: [each.per_second for each in found] for name, found in rounds.items()}
    for name, got in rates.items():
        yield words(f"{name}, orders/s", f"{median(got):.1f} ({spread(got)})")
    for name in (PLAIN, DBOS):
        yield figure(f"{PRODUCT} / {name}", ratio(rates[PRODUCT], rates[name]).value, digits=2)
    for name, found in rounds.items():
        yield words(f"CPU an order, {name}", spent(found))
    for name, took in alone.items():
        yield figure(f"one order, idle, {name}, p50 (0.2 s of it the ERP's)", 1000 * quantile(took, 0.5), " ms", 0)
    yield figure(f"memory a waiting order, {PRODUCT}'s worker", mine.bytes_each / KIB, " KiB", 0)
    yield figure(f"memory a waiting order, {DBOS}", held.bytes_each / KIB, " KiB", 0)
    yield figure(f"kill -9 until an order goes on, {PRODUCT}'s worker", mine.recovered, " s")
    yield figure(f"kill -9 until an order goes on, {DBOS}", held.recovered, " s")
    effects = code_lines(plainly)
    yield figure(f"lines of code, {PLAIN}: story", code_lines(floor), digits=0)
    yield figure(f"lines of code, {DBOS}: story and process", code_lines(plain_dbos), digits=0)
    yield figure("lines of code, the effects that both share", effects, digits=0)


def code_lines(module: object) -> int:
    """Lines that are neither blank nor a comment."""
    text = Path(str(getattr(module, "__file__", ""))).read_text()
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in text.splitlines())


NOTES = (
    "DBOS keeps its state in the application's own database: one process, one file, no server. Here it is SQLite, in "
    "WAL as ours is, asked for messages every 20 ms (its default is 1 s); DBOS itself recommends PostgreSQL.",
    "The plain ones claim nothing before they send, check no signature, keep no journal, no chain, no evidence, no "
    "rates, no clocks but one, and no page: what the difference buys.",
)
