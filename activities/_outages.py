"""An ERP that was away and answers again: those that wait for it are tried now, the longest first.

Each submission backs off by itself, up to five minutes, and whose turn comes first would be chance: a young order tries
again within a second, an old one may sleep for minutes. So the first that gets through wakes the others in the order of
their age, a few in a second: they neither overtake each other nor fall on the ERP at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from orderack.contracts import names
from orderack.domain.order import OrderRef
from orderack.errors import OrderAckError
from orderack.ports import Ledger

log = structlog.get_logger(__name__)

AWAY_FROM = timedelta(seconds=20)
"""Without any answer for so long an ERP is away; less than that is a hiccup, which back-off alone sees through."""
IN_A_SECOND = 10
"""Orders woken. An ERP that has just come back is spared; five hundred orders take less than a minute."""
REACH = timedelta(days=7)
AT_MOST = 2_000
"""Woken by one return. Those after them come by their own back-off, or are woken by the next return."""

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
        self._silent = dict[str, _Silence]()
        self._waking = dict[str, asyncio.Task[None]]()

    def no_answer(self, erp: str) -> None:
        """A submission could not be made."""
        now = self._now()
        self._silent.setdefault(erp, _Silence(now, now)).until = now

    def answered(self, erp: str) -> None:
        """A submission was made. The first after an outage wakes those that wait."""
        silence = self._silent.pop(erp, None)
        if silence is None or silence.until - silence.since < AWAY_FROM or erp in self._waking:
            return
        log.info("an ERP answers again", erp=erp, away_seconds=(silence.until - silence.since).total_seconds())
        task = asyncio.create_task(self._wake(erp), name=f"wake those that wait for {erp}")
        self._waking[erp] = task
        task.add_done_callback(lambda _: self._waking.pop(erp, None))

    async def _wake(self, erp: str) -> None:
        woken = 0
        try:
            for one in await self._ledger.awaited(erp, self._now() - REACH, limit=AT_MOST):
                if erp in self._silent:
                    break  # away again: their own back-off goes on
                if await self._try_now(one.ref, names.SUBMIT_TO_ERP):
                    woken += 1
                    await asyncio.sleep(1 / IN_A_SECOND)
        except OrderAckError as error:
            log.warning("those that wait were not all woken", erp=erp, woken=woken, why=type(error).__name__)
            return
        log.info("those that waited were woken", erp=erp, woken=woken)
