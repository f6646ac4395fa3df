"""Ten thousand orders that are open and wait: what they take up, how soon one of them acts, what a tick costs.

The product's workflow in a worker of its own; activities do nothing, so that it is the workflow that is
measured. The server is the embedded run's, but does not wait for the disk.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from rich.console import Console
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.domain.order import Order
from orderack.embedded.stack import DYNAMIC
from orderack.temporal.converter import data_converter
from orderack.temporal.search_attributes import register
from tests.bench.figures import KIB, MIB, Line, Result, at_most, figure, quantile, words
from tests.bench.processes import cpu, kill, memory, start
from tests.bench.rig.lanes import submit
from tests.bench.rig.stage import order_of
from tests.bench.rig.waiting import PACES, Watch
from tests.history.stage import binary
from tests.workflows.orders import a_receipt

OPEN, TICKING, SAMPLE, COLD = 10_000, 200, 100, 300
QUICK_OPEN, QUICK_TICKING, QUICK_SAMPLE, QUICK_COLD = 1_000, 60, 50, 100
AT_ONCE = 64
PER_ORDER_AIM = 40.0
BASE = 300
"""Orders before memory is first looked at: what is loaded once, and the threads in which workflows run."""
FEW = 25


@dataclass
class Hall:
    """A server and one worker."""

    client: Client
    server: int
    database: Path
    folder: Path
    environment: Mapping[str, str]
    watch: Watch
    worker: asyncio.subprocess.Process

    async def again(self) -> float:
        """Kill the worker, start another; seconds until it works."""
        await kill(self.worker)
        began = time.monotonic()
        self.worker = await a_worker(self.folder, self.environment)
        return time.monotonic() - began

    def disk(self) -> int:
        return sum(file.stat().st_size for file in self.database.parent.glob(f"{self.database.name}*"))


async def a_worker(folder: Path, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await start("tests.bench.rig.waiting", (str(folder / "told"),), environment, folder / "worker.log")


@asynccontextmanager
async def hall(orders: int) -> AsyncIterator[Hall]:
    with TemporaryDirectory(prefix="orderack-bench-") as name:
        folder = Path(name)
        database, before = folder / "temporal.db", {child.pid for child in psutil.Process().children()}
        extra = ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=0"]
        extra += [part for setting in DYNAMIC for part in ("--dynamic-config-value", setting)]
        async with await WorkflowEnvironment.start_local(
            ip="127.0.0.1",
            dev_server_existing_path=binary("temporal"),
            dev_server_database_filename=str(database),
            dev_server_extra_args=extra,
            dev_server_log_level="error",
            data_converter=data_converter(),
        ) as env:
            server = next(child.pid for child in psutil.Process().children() if child.pid not in before)
            await register(env.client)
            environment = {
                **{"TEMPORAL_ADDRESS": env.client.service_client.config.target_host, "TEMPORAL_NAMESPACE": "default"},
                **{"ORDERACK_WORKER_CACHED_ORDERS": str(orders * 2), "PATH": str(Path(binary("temporal")).parent)},
            }
            worker = await a_worker(folder, environment)
            here = Hall(env.client, server, database, folder, environment, Watch(folder / "told"), worker)
            try:
                yield here
            finally:
                await kill(here.worker)


async def bench(quick: bool, progress: Console) -> Result:
    orders, ticking, sample, cold = (
        (QUICK_OPEN, QUICK_TICKING, QUICK_SAMPLE, QUICK_COLD) if quick else (OPEN, TICKING, SAMPLE, COLD)
    )
    async with hall(orders) as here:
        await take_in(here, [order_of("BASE", place) for place in range(BASE)], progress)
        few = await acting(here, [order_of("BASE", place) for place in range(FEW)])
        filled = await fill(here, orders, progress)
        many = await acting(here, random.Random(6).sample(filled.orders, sample))
        progress.print(f"  a receipt is acted on: p50 {1000 * quantile(many, 0.5):.0f} ms")
        together = await ticks(here, "B", ticking, timedelta(0), progress)
        apart = await ticks(here, "S", ticking, PACES["S"].update_every / ticking * 0.8, progress)
        up, first, rest = await restarted(here, filled.orders, cold, progress)
    return Result(
        bench="scale",
        title=f"{orders:,} orders open and waiting",
        lines=(
            *memory_lines(filled),
            figure(f"a receipt is acted on, {BASE} open, p50", 1000 * quantile(few, 0.5), " ms", 0),
            figure(f"a receipt is acted on, {orders:,} open, p50", 1000 * quantile(many, 0.5), " ms", 0),
            figure(f"a receipt is acted on, {orders:,} open, p99", 1000 * quantile(many, 0.99), " ms", 0),
            *tick_lines(together, apart, orders),
            figure("a worker killed: another works after", up, " s", 1),
            figure("its first order acts after (from the start of the new worker)", first, " s", 1),
            figure("orders that it has to replay, a second", cold / rest, "/s", 0),
            figure(f"all {orders:,} at once would take", orders / (cold / rest), " s", 0),
        ),
        notes=NOTES,
    )


@dataclass
class Filled:
    orders: list[Order]
    seconds: float
    worker: tuple[int, int]
    server: tuple[int, int]
    disk: tuple[int, int]


async def fill(here: Hall, orders: int, progress: Console) -> Filled:
    """Hand them in, and see what grew."""
    at_first = memory(here.worker.pid), memory(here.server), here.disk()
    handed_in = [order_of("N", place) for place in range(orders)]
    began = time.monotonic()
    await take_in(here, handed_in, progress)
    took = time.monotonic() - began
    await asyncio.sleep(1)
    worker, server, disk = zip(at_first, (memory(here.worker.pid), memory(here.server), here.disk()), strict=True)
    return Filled(handed_in, took, worker, server, disk)


async def take_in(here: Hall, orders: Sequence[Order], progress: Console) -> None:
    """All of them, and each buyer told `received`: then it waits."""
    turns, done = asyncio.Semaphore(AT_ONCE), 0

    async def one(order: Order) -> None:
        nonlocal done
        async with turns:
            await submit(here.client, order)
        done += 1
        if done % 1_000 == 0:
            progress.print(f"  {done:,} open")

    await asyncio.gather(*(one(order) for order in orders))
    await until(here, {order.number for order in orders}, "received", 120)


async def until(here: Hall, numbers: set[str], kind: str, within: float) -> Mapping[str, float]:
    """Wait until the buyer of each was told that; when. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while not numbers <= (told := here.watch.look(kind)).keys():  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.05)
    return told


async def acting(here: Hall, orders: Sequence[Order]) -> list[float]:
    """The ERP's receipt for each, one after another: seconds until its confirmation is being sent."""
    return [await until_acted(here, order) for order in orders]


async def until_acted(here: Hall, order: Order) -> float:
    sent = time.time()
    await tell(here, order)
    return (await until(here, {order.number}, "confirmation", 120))[order.number] - sent


async def tell(here: Hall, order: Order) -> None:
    handle = here.client.get_workflow_handle(order_workflow_id(order.ref))
    await handle.signal(names.SIGNAL_ERP_RECEIPT, a_receipt(order, datetime.now(UTC)))


@dataclass
class Ticks:
    """One update to each of some orders."""

    late: list[float]
    worker_ms: float
    server_ms: float
    seconds: float


async def ticks(here: Hall, run: str, orders: int, apart: timedelta, progress: Console) -> Ticks:
    """Orders whose triggers lie so far apart, and whose ERP never answers: their first update, and how late it is."""
    pace, began = PACES[run], datetime.now(UTC) + timedelta(seconds=1)
    ours = [order_of(run, place, began + apart * place) for place in range(orders)]
    await take_in(here, ours, progress)
    due = {order.number: (order.trigger_at + pace.hold_after + pace.update_every).timestamp() for order in ours}
    await asyncio.sleep(max(0.0, min(due.values()) - time.time() - 0.2))
    spent = cpu(here.worker.pid), cpu(here.server)
    began_at = time.time()
    told = await until(here, set(due), "update", pace.update_every.total_seconds() + 60)
    used = cpu(here.worker.pid) - spent[0], cpu(here.server) - spent[1]
    late = [told[number] - at for number, at in due.items()]
    progress.print(f"  ticks {run}: p99 {quantile(late, 0.99):.1f} s late")
    return Ticks(late, 1000 * used[0] / orders, 1000 * used[1] / orders, time.time() - began_at)


async def restarted(here: Hall, orders: Sequence[Order], number: int, progress: Console) -> tuple[float, float, float]:
    """Seconds until a new worker works, until its first order acts, and until so many have."""
    waiting = [order for order in orders if order.number not in here.watch.look("confirmation")][: number + 1]
    began = time.monotonic()
    up = await here.again()
    await tell(here, waiting[0])
    await until(here, {waiting[0].number}, "confirmation", 120)
    first = time.monotonic() - began
    began = time.monotonic()
    await asyncio.gather(*(tell(here, order) for order in waiting[1:]))
    await until(here, {order.number for order in waiting[1:]}, "confirmation", 120)
    progress.print(f"  a new worker: first order after {first:.1f} s")
    return up, first, time.monotonic() - began


def memory_lines(filled: Filled) -> Iterator[Line]:
    orders = len(filled.orders)
    yield figure("taken in", orders / filled.seconds, " orders/s", 0)
    before, after = filled.worker
    yield at_most("worker memory an open order", (after - before) / orders / KIB, PER_ORDER_AIM, " KiB")
    yield words("worker, before and after", f"{before / MIB:.0f} and {after / MIB:.0f} MiB")
    before, after = filled.server
    yield words("server, before and after", f"{before / MIB:.0f} and {after / MIB:.0f} MiB")
    before, after = filled.disk
    yield figure("server's database an open order", (after - before) / orders / KIB, " KiB")


def tick_lines(together: Ticks, apart: Ticks, orders: int) -> Iterator[Line]:
    """A two-hourly update of all of them: its price, and what becomes of it when they all came at once."""
    cost = apart.worker_ms + apart.server_ms
    yield words("one update, CPU", f"{cost:.0f} ms: worker {apart.worker_ms:.0f}, server {apart.server_ms:.0f}")
    share = 100 * orders * cost / 1000 / timedelta(hours=2).total_seconds()
    yield figure(f"two-hourly updates of {orders:,} orders that came spread out, of one core", share, " %")
    yield figure(f"{len(apart.late)} orders spread out: update late by, p99", quantile(apart.late, 0.99), " s")
    number = len(together.late)
    yield figure(f"{number} orders of one moment: update late by, p99", quantile(together.late, 0.99), " s")
    yield figure("updates of one moment, a second", number / max(together.late), "/s", 0)


NOTES = (
    "Every clock is anchored on its own order's trigger, so updates are spread as the orders were. Orders that came in "
    "one second are due in one second, two hours later too: nothing spreads them, and the queue's pace decides.",
    "A cold worker replays an order only when something happens to it: an order that waits costs nothing at a restart.",
    "The server does not wait for the disk here (synchronous=OFF): taking in so many orders would take three times as "
    "long and nothing else would change.",
)
