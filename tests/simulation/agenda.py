"""Simulated time: what is to happen, in order. It moves from one event to the next and never waits."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

EPOCH = datetime(2026, 3, 27, tzinfo=UTC)
"""Microsecond 0: two days before Europe's clocks go forward."""

_STEP = timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """The time of a microsecond."""
    return EPOCH + timedelta(microseconds=at)


def micros(at: datetime) -> int:
    """The microsecond of a time."""
    return (at - EPOCH) // _STEP


def span(length: timedelta) -> int:
    """A length in microseconds."""
    return length // _STEP


class Agenda:
    """One order's events by time; those of one moment in the order in which they were put down."""

    def __init__(self, now: int = 0) -> None:
        self.now = now
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, when: int, happens: Callable[[], None]) -> None:
        """Put it down. What should have happened already happens next."""
        heapq.heappush(self._events, (max(when, self.now), next(self._numbers), happens))

    def after(self, wait: int, happens: Callable[[], None]) -> None:
        """Put it down for `wait` microseconds from now."""
        self.at(self.now + wait, happens)

    def step(self) -> bool:
        """Let the next event happen; False when there is none."""
        if not self._events:
            return False
        self.now, _, happens = heapq.heappop(self._events)
        happens()
        return True

    def clock(self) -> datetime:
        """The time now."""
        return moment(self.now)
