"""The ledger locked, full, away, and left in the middle of a migration."""

import asyncio
import contextlib
import resource
import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from orderack.domain.order import Order
from orderack.ledger.repository import open_ledger
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup
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
from tests.postgres import binaries, running

WORLD = Setup(settings={"ORDERACK_SEND_LEASE_SECONDS": "6"})
LOCKED = 20.0
"""Seconds. Longer than the ledger waits for a lock (10 s)."""
LOCKED_SHORT = 12.0
AWAY = 8.0
SMALL = 64 * 1024
"""Bytes beyond which a file cannot be written when the disk is full."""


async def locked(rig: Rig) -> Outcome:
    """Another program holds SQLite's write lock while orders come in and messages are due."""
    seconds = LOCKED_SHORT if rig.short else LOCKED

    @contextlib.asynccontextmanager
    async def held() -> AsyncIterator[None]:
        with contextlib.closing(sqlite3.connect(rig.stack.home.folder / "ledger.db", isolation_level=None)) as other:
            other.execute("PRAGMA busy_timeout=10000")
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    return await _without_a_ledger(rig, "locked", held(), seconds)


async def full(rig: Rig) -> Outcome:
    """No file of ours can grow: what happens on a full disk, but that the error is EFBIG, so that no root is needed."""

    @contextlib.asynccontextmanager
    async def no_room() -> AsyncIterator[None]:
        victims = [rig.stack.processes[name].pid for name in ("worker", "gateway")]
        for pid in victims:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (SMALL, resource.RLIM_INFINITY))
        try:
            yield
        finally:
            for pid in victims:
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    return await _without_a_ledger(rig, "full", no_room(), 6.0)


async def away(rig: Rig) -> Outcome:
    """PostgreSQL stops at once (`stop -m immediate`: no farewell, recovery from its log) and is back later."""
    programs = binaries()
    assert programs, "no PostgreSQL server here, and none can be installed"
    with running(programs) as server:
        url = server.new_database()
        await (await open_ledger(url)).aclose()
        rig.stack.environment["ORDERACK_DATABASE_URL"] = url
        for name in ("worker", "gateway"):
            await replace(rig.stack, name, usual(rig.stack, name))
        await gateway_up(rig)

        @contextlib.asynccontextmanager
        async def down() -> AsyncIterator[None]:
            server.crash()
            try:
                yield
            finally:
                server.start()

        return await _without_a_ledger(rig, "away", down(), AWAY, url)


async def _without_a_ledger(
    rig: Rig,
    name: str,
    trouble: contextlib.AbstractAsyncContextManager[None],
    seconds: float,
    url: str | None = None,
) -> Outcome:
    """Orders before, during and after. None may be answered 2xx that the ledger could not take."""
    shop = Shop(rig)
    before, during, after = shop.orders(3), shop.orders(4), shop.orders(2)
    await shop.trade(before, 0.2)
    async with trouble:
        began = now()
        trading = asyncio.create_task(shop.trade(during, 0.1))
        await asyncio.sleep(seconds)
        ended = now()
        refused, taken = _answers(shop, during, began, ended)
    at = asyncio.get_running_loop().time()
    await trading
    recovery = asyncio.get_running_loop().time() - at
    await shop.trade(after, 0.2)
    refs = [order.ref for order in (*before, *during, *after)]
    await confirmed(rig, refs)
    verdict = await checked(rig, name, shop, url=url)
    wrong = () if not taken else (f"{taken} orders were answered 2xx while nothing could be written",)
    put_off = sum(answer.status >= 500 for answer in shop.answers)
    note = f"{len(during) - taken} had to wait: {refused} were told so meanwhile, {put_off} in all"
    return outcome(verdict, refs, len(during) - taken, recovery=recovery, wrong=wrong, note=note)


def _answers(shop: Shop, orders: Sequence[Order], began: datetime, ended: datetime) -> tuple[int, int]:
    """How many were put off and how many taken meanwhile. What was on its way when it began may have been in time."""
    refs = {order.ref for order in orders}
    meanwhile = [a for a in shop.answers if a.ref in refs and began + timedelta(seconds=1) < a.at < ended]
    return sum(a.status >= 500 for a in meanwhile), sum(a.status < 300 for a in meanwhile)


FAULTS = (
    Fault("world_ledger_locked", "the ledger's write lock is held by another for 20 s", locked, WORLD),
    Fault("world_ledger_full", "the ledger's disk is full", full, WORLD, spoils=True),
    Fault("world_ledger_away", "PostgreSQL stops at once and comes back", away, WORLD, spoils=True, short=False),
)
