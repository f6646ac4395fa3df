"""When failed attempts add up to an outage: the window of a circuit breaker, from values alone.

One process sees its own attempts only. What it counts are *orders that got no answer*: a no is an answer, and one order
that fails again and again is that order's trouble, for its own back-off spares the other side.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

REMEMBERED = timedelta(minutes=3)
"""Attempts older than this say nothing of now."""
AT_MOST = 2_000
"""Attempts remembered, so that neither memory nor the count over them grows with the traffic."""
ATTEMPTS = 5
ORDERS = 3
"""Fewer attempts or orders could be one bad order and its neighbour."""
MINUTE = timedelta(seconds=60)
MANY = 20
"""Attempts within the minute from which a share of failures says something: of 20, half by chance would be rare."""
HALF = 0.5
LASTS = timedelta(seconds=5)
"""A restart on the other side, or a lost route, is over sooner; back-off sees through that."""
PUT_OFF_FOR = timedelta(minutes=2)
"""Throttling is the vendor's pace. Nothing but throttling for so long, and nobody gets through: it is an outage."""


class Ended(StrEnum):
    """How an attempt ended, as far as it tells of the other side."""

    ANSWERED = "answered"
    """It was done, or refused: whoever says no is there."""
    FAILED = "failed"
    """Out of reach, an error of theirs, cut off, too late."""
    PUT_OFF = "put off"
    """Throttled: it named a time to come back at."""


class Attempt(NamedTuple):
    at: datetime
    order: str
    ended: Ended


class Window:
    """The last attempts at one ERP or channel."""

    def __init__(self, silent_for: timedelta) -> None:
        """`silent_for`: so long without any answer it is out."""
        self._silent_for = silent_for
        self._attempts = deque[Attempt](maxlen=AT_MOST)

    def note(self, at: datetime, order: str, ended: Ended) -> None:
        """An attempt ended so."""
        while self._attempts and self._attempts[0].at <= at - REMEMBERED:
            self._attempts.popleft()
        self._attempts.append(Attempt(at, order, ended))

    def clear(self) -> None:
        """Begin anew: what was seen has been told."""
        self._attempts.clear()

    def outage(self) -> str | None:
        """Why it is out, with the figures; None: it is not, as far as these attempts show. As of the last of them."""
        silent = self._since_the_last_answer()
        failed = [one for one in silent if one.ended is Ended.FAILED]
        if _several(failed) and _span(failed) >= self._silent_for:
            return f"no answer to {_figures(failed)}"
        if _several(silent) and _span(silent) >= PUT_OFF_FOR:
            return f"no answer but to come back later to {_figures(silent)}"
        return self._half_of_many()

    def _since_the_last_answer(self) -> Sequence[Attempt]:
        found: list[Attempt] = []
        for one in reversed(self._attempts):
            if one.ended is Ended.ANSWERED:
                break
            found.append(one)
        return found[::-1]

    def _half_of_many(self) -> str | None:
        last = self._attempts[-1].at if self._attempts else None
        lately = [one for one in self._attempts if last and one.at > last - MINUTE and one.ended is not Ended.PUT_OFF]
        failed = [one for one in lately if one.ended is Ended.FAILED]
        if len(lately) < MANY or len(failed) < HALF * len(lately) or not _several(failed) or _span(failed) < LASTS:
            return None
        return f"{len(failed)} of {len(lately)} attempts failed within {_span(lately).total_seconds():.0f} s"


def _several(attempts: Sequence[Attempt]) -> bool:
    return len(attempts) >= ATTEMPTS and len({one.order for one in attempts}) >= ORDERS


def _span(attempts: Sequence[Attempt]) -> timedelta:
    return attempts[-1].at - attempts[0].at


def _figures(attempts: Sequence[Attempt]) -> str:
    orders = len({one.order for one in attempts})
    return f"{len(attempts)} attempts of {orders} orders within {_span(attempts).total_seconds():.0f} s"
