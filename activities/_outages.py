"""An ERP that is away, and answers again: nothing is tried while it is marked down, and then the longest waiting first.

Each submission backs off by itself, up to five minutes, and whose turn comes first would be chance: a young order tries
again within a second, an old one may sleep for minutes. So the first that gets through wakes the others in the order of
their age, a few in a second: they neither overtake each other nor fall on the ERP at once. Where it was marked down
(`activities._marks`), that is the probe which lifts the mark: one, over all workers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from activities._marks import SOONEST, Marks, Probe, Tried
from orderack.contracts import names
from orderack.domain.order import OrderRef
from orderack.domain.outage import Ended
from orderack.errors import OrderAckError, Unavailable
from orderack.ports import Ledger
from orderack.ports.channel_book import of_erp

log = structlog.get_logger(__name__)

AWAY_FROM = timedelta(seconds=20)
"""Without any answer for so long an ERP is away; less than that is a hiccup, which back-off alone sees through."""
IN_A_SECOND = 10
"""Orders woken. An ERP that has just come back is spared; five hundred orders take less than a minute."""
REACH = timedelta(days=7)
AT_MOST = 2_000
"""Woken by one return. Those after them come by their own back-off, or are woken by the next return."""
PAUSED_FOR = timedelta(minutes=5)
"""Asked again so often whether an ERP that was paused or marked down still is, by those whom nobody woke."""
BEHIND = timedelta(seconds=10)
"""One order comes by itself so long after a probe is due, should nobody have lived to wake one for it."""
OLDEST = 3
"""The probes go round among so many: one that the ERP never answers for must not keep it marked down."""
LOOKS = 200
"""Orders that are looked at for one that waits here: others have been given to the ERP, and wait for its receipt."""

TryNow = Callable[[OrderRef, str], Awaitable[bool]]
"""`orderack.temporal.orders.Orders.try_now`."""


@dataclass
class _Silence:
    since: datetime
    until: datetime


class Outages:
    """What the worker of one process has seen of its ERPs."""

    def __init__(self, ledger: Ledger, try_now: TryNow, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._try_now = try_now
        self._now = now
        self._marks = Marks(ledger, now, AWAY_FROM)
        self._silent = dict[str, _Silence]()
        self._waking = dict[str, asyncio.Task[None]]()
        self._probing = dict[str, asyncio.Task[None]]()
        self._invited = dict[str, datetime | None]()
        """By ERP: the probe to which somebody has been told to come, as long as it is known to be down."""

    @asynccontextmanager
    async def call(self, erp: str, order: OrderRef) -> AsyncIterator[None]:
        """One attempt at changing something in the ERP.

        Raises Unavailable instead of making it while the ERP is paused, or marked down and no probe is due.
        """
        tried = Tried(await self._admitted(erp))
        try:
            async with self._marks.trying(of_erp(erp), order, tried):
                yield
        except Unavailable as error:
            if tried.down_until:
                raise Unavailable(str(error), tried.down_until + BEHIND - self._now()) from None
            raise
        finally:
            self._learn(erp, tried)

    async def _admitted(self, erp: str) -> Probe | None:
        pause = (await self._ledger.paused()).get(of_erp(erp))
        if pause is None:
            return None
        if self._marks.is_due(pause) and (probe := await self._marks.probe(pause)):
            return probe
        self._silent.pop(erp, None)  # whoever lifts the mark wakes those that wait
        if pause.probe_at is None:
            raise Unavailable(f"the ERP {erp} is paused by {pause.by}", PAUSED_FOR)
        raise Unavailable(f"the ERP {erp} is marked down: {pause.reason}", self._back_in(erp, pause.probe_at))

    def _back_in(self, erp: str, probe_at: datetime) -> timedelta:
        """When whoever is turned away comes again, if nobody wakes it: the first of them soon after the next probe."""
        self._see_to_probes(erp)
        if self._invited.get(erp) == probe_at:
            return PAUSED_FOR
        self._invited[erp] = probe_at
        return min(max(probe_at - self._now(), SOONEST) + BEHIND, PAUSED_FOR)

    def _learn(self, erp: str, tried: Tried) -> None:
        if tried.ended is Ended.ANSWERED:
            self._answered(erp, lifted=tried.lifted)
        elif tried.down_until:
            self._silent.pop(erp, None)
            self._invited.setdefault(erp, None)
            self._see_to_probes(erp)
        elif tried.ended:
            now = self._now()
            self._silent.setdefault(erp, _Silence(now, now)).until = now

    def _answered(self, erp: str, *, lifted: bool) -> None:
        """The first answer after an outage wakes those that wait."""
        silence = self._silent.pop(erp, None)
        self._invited.pop(erp, None)
        away = silence is not None and silence.until - silence.since >= AWAY_FROM
        if erp in self._waking or not (away or lifted):
            return
        log.info("an ERP answers again", erp=erp)
        task = asyncio.create_task(self._wake(erp), name=f"wake those that wait for {erp}")
        self._waking[erp] = task
        task.add_done_callback(lambda _: self._waking.pop(erp, None))

    def _see_to_probes(self, erp: str) -> None:
        """From here on, until the mark is gone."""
        if erp not in self._probing:
            task = asyncio.create_task(self._wake_for_probes(erp), name=f"wake one for each probe of {erp}")
            self._probing[erp] = task
            task.add_done_callback(lambda _: self._probing.pop(erp, None))

    async def _wake_for_probes(self, erp: str) -> None:
        """Have one of the longest waiting tried whenever a probe is due: it is the first to be booked, too."""
        turn = 0
        try:
            while (mark := (await self._ledger.paused()).get(of_erp(erp))) and mark.probe_at:
                if self._marks.is_due(mark):
                    await self._wake_one(erp, turn)
                    wait, turn = timedelta(seconds=1), turn + 1
                else:
                    wait = min(max(mark.probe_at - self._now(), timedelta(seconds=1)), SOONEST)
                await asyncio.sleep(wait.total_seconds())
        except OrderAckError as error:  # whoever is turned away next begins anew
            log.info("nobody was woken for a probe", erp=erp, why=type(error).__name__)

    async def _wake_one(self, erp: str, turn: int) -> None:
        waiting = list(await self._ledger.awaited(erp, self._now() - REACH, limit=LOOKS))
        first = waiting[turn % OLDEST :] + waiting[: turn % OLDEST]
        for one in first:
            if await self._try_now(one.ref, names.SUBMIT_TO_ERP):
                return

    async def _goes_on(self, erp: str) -> bool:
        """Whether it is still there. A hiccup is waited out, or those that are left would sleep for minutes."""
        for _ in range(round(AWAY_FROM.total_seconds())):
            if erp not in self._silent or erp in self._invited:
                break
            await asyncio.sleep(1)
        return erp not in self._silent and erp not in self._invited

    async def _wake(self, erp: str) -> None:
        woken = 0
        try:
            for one in await self._ledger.awaited(erp, self._now() - REACH, limit=AT_MOST):
                if not await self._goes_on(erp):
                    break  # away again: they come by themselves, or are woken by the next return
                if await self._try_now(one.ref, names.SUBMIT_TO_ERP):
                    woken += 1
                    await asyncio.sleep(1 / IN_A_SECOND)
        except OrderAckError as error:
            log.warning("those that wait were not all woken", erp=erp, woken=woken, why=type(error).__name__)
            return
        log.info("those that waited were woken", erp=erp, woken=woken)
