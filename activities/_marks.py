"""A circuit breaker that all workers share: what fails for many orders is marked down, and tried by one at a time.

Each process watches its own attempts (`orderack.domain.outage`). The mark itself stands in the ledger, beside the
pauses that operators make, and is read where those are read: watching costs the usual case no statement. While it
stands one real attempt at a time, over all workers, is let through: the probe. Its moment is a lease: a worker that
dies in its probe is followed by another one. The probe that is answered lifts the mark. A pause by hand is nobody's to
lift but an operator's.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from activities._last_door import NobodyAsked
from orderack.domain.acknowledgement import Reason
from orderack.domain.order import OrderRef
from orderack.domain.outage import Ended, Window
from orderack.errors import InDoubt, OrderAckError, Refused, Unavailable
from orderack.ports import Pause
from orderack.ports.digests import SendBook

log = structlog.get_logger(__name__)

ORDERACK = "orderack"
"""By whom what is marked down is paused."""
SOONEST = timedelta(seconds=5)
"""The first probe after the marking, and the closest that two probes follow each other."""
SLOWEST = timedelta(seconds=60)
"""A return is noticed within so long."""
LEASE = timedelta(seconds=45)
"""A probe holds its place for so long: longer than any attempt may last (30 s)."""
BEFORE_ASKING = frozenset({Reason.BAD_RECIPIENT, Reason.NO_RECIPIENT, Reason.WINDOW_CLOSED})
"""Refusals that an adapter may make before it asks anybody: they say nothing of the other side."""


def between_probes(down_for: timedelta) -> timedelta:
    """Half of the time that it has been down: 5, 10, 15, 22, 34, 51, 76, 114 s after the marking, then each minute."""
    return min(max(down_for / 2, SOONEST), SLOWEST)


@dataclass(frozen=True)
class Probe:
    """The one attempt that is let through."""

    mark: Pause
    until: datetime
    """When another one may be made, unless this one says otherwise."""


@dataclass
class Tried:
    """An attempt under way, and afterwards what follows from how it ended."""

    probe: Probe | None = None
    ended: Ended | None = None
    """None: it said nothing of the other side."""
    lifted: bool = False
    """This very attempt ended a marking down."""
    down_until: datetime | None = None
    """This very attempt made a mark, or was a probe that failed: when the next probe is due."""


class Marks:
    """What the worker of one process has seen of the ERPs or channels that it calls, by the key of their pauses."""

    def __init__(self, ledger: SendBook, now: Callable[[], datetime], silent_for: timedelta) -> None:
        self._ledger = ledger
        self._now = now
        self._silent_for = silent_for
        self._windows = dict[str, Window]()

    def is_due(self, mark: Pause) -> bool:
        """Whether a probe may be made now; never where it is paused by hand. What was seen of it before is forgotten:
        it says nothing of the time after its return."""
        self._window(mark.channel).clear()
        return mark.is_due(self._now())

    async def probe(self, mark: Pause) -> Probe | None:
        """Take the probe that is due; None: another worker has it, or the mark is gone."""
        until = self._now() + LEASE
        taken = await self._ledger.probe(mark.channel, self._now(), until)
        return Probe(mark, until) if taken else None

    @asynccontextmanager
    async def trying(self, name: str, order: OrderRef, tried: Tried) -> AsyncIterator[None]:
        """One attempt at the other side, for this order; what comes of it stands in `tried`. It raises what it raises.

        A setting of ours that is wrong, or a worker that is stopped, says nothing of the other side.
        """
        try:
            yield
        except Refused as refusal:
            if refusal.reason not in BEFORE_ASKING:
                await self._answered(name, order, tried)
            elif tried.probe:
                await self._next_probe(tried.probe)
            raise
        except NobodyAsked:
            if tried.probe:
                await self._next_probe(tried.probe)
            raise
        except Unavailable as error:
            await self.failed(name, order, tried, Ended.PUT_OFF if error.retry_after else Ended.FAILED)
            raise
        except (InDoubt, TimeoutError):
            await self.failed(name, order, tried)
            raise
        except BaseException:
            if tried.probe:
                await self._next_probe(tried.probe)
            raise
        await self._answered(name, order, tried)

    async def failed(self, name: str, order: OrderRef, tried: Tried, how: Ended = Ended.FAILED) -> None:
        """It did not answer: mark it down, where that was one too many."""
        tried.ended = how
        if tried.probe:
            tried.down_until = await self._next_probe(tried.probe)
            return
        window = self._window(name)
        window.note(self._now(), str(order), how)
        if why := window.outage():
            tried.down_until = await self._mark(name, why)
            window.clear()

    async def _answered(self, name: str, order: OrderRef, tried: Tried) -> None:
        tried.ended = Ended.ANSWERED
        self._window(name).note(self._now(), str(order), tried.ended)
        if tried.probe is None:
            return
        mark = tried.probe.mark
        try:
            tried.lifted = await self._ledger.lift(name)
        except OrderAckError as error:  # the next probe lifts it; what was done now stands
            log.warning("cannot be marked up", name=name, why=type(error).__name__)
            return
        if tried.lifted:
            down_for = round((self._now() - mark.at).total_seconds())
            log.warning("marked up: it answers again", name=name, down_seconds=down_for, was=mark.reason)

    async def _mark(self, name: str, why: str) -> datetime | None:
        now = self._now()
        mark = Pause(channel=name, at=now, by=ORDERACK, reason=why, probe_at=now + SOONEST)
        try:
            made = await self._ledger.pause(mark)
        except OrderAckError as error:
            log.warning("cannot be marked down", name=name, why=type(error).__name__)
            return None
        if made:
            log.warning("marked down", name=name, reason=why, next_probe_seconds=SOONEST.total_seconds())
        return mark.probe_at

    async def _next_probe(self, probe: Probe) -> datetime:
        """This one has shown nothing good: when the next is due."""
        now = self._now()
        at = now + between_probes(now - probe.mark.at)
        try:
            await self._ledger.probe(probe.mark.channel, probe.until, at)
        except OrderAckError:
            return probe.until
        down_for = round((now - probe.mark.at).total_seconds())
        log.info("still down", name=probe.mark.channel, down_seconds=down_for, next_probe_at=at.isoformat())
        return at

    def _window(self, name: str) -> Window:
        return self._windows.setdefault(name, Window(self._silent_for))
