"""Shares and durations with the interval that chance alone would give them, and when two weeks differ for sure."""

import math
from collections.abc import Sequence
from enum import StrEnum

from pydantic import computed_field

from orderack.domain.value import Value

_Z = 1.959963984540054
"""Of a 95 % interval."""

SPREAD_NEEDS = 5.0
"""An interval of a quantile is given where n · q · (1 − q) is at least this: 20 values for p50, 106 for p95."""


class Interval(Value):
    """Where a figure lies, with 95 % confidence."""

    low: float
    high: float

    def apart_from(self, other: "Interval") -> bool:
        return self.high < other.low or other.high < self.low


class Share(Value):
    """So many of so many."""

    hits: int
    of: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def value(self) -> float | None:
        return self.hits / self.of if self.of else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval(self) -> Interval | None:
        """Wilson's; None: of nothing."""
        if not self.of:
            return None
        n, p = self.of, self.hits / self.of
        middle, half = p + _Z**2 / (2 * n), _Z * math.sqrt(p * (1 - p) / n + (_Z / (2 * n)) ** 2)
        whole = 1 + _Z**2 / n
        return Interval(low=max(0.0, (middle - half) / whole), high=min(1.0, (middle + half) / whole))


class Quantile(Value):
    """By nearest rank: a duration that was really measured, in seconds."""

    seconds: float
    interval: Interval | None
    """Of order statistics, without any assumption on the durations; None: there are too few of them."""


class Spread(Value):
    """How long it took, in seconds; None: it never happened."""

    values: int
    p50: Quantile | None = None
    p95: Quantile | None = None


def spread(seconds: Sequence[float]) -> Spread:
    """Of these durations."""
    ranked = sorted(seconds)
    if not ranked:
        return Spread(values=0)
    return Spread(values=len(ranked), p50=_quantile(ranked, 0.5), p95=_quantile(ranked, 0.95))


def _quantile(ranked: Sequence[float], q: float) -> Quantile:
    n = len(ranked)
    at = ranked[max(0, math.ceil(q * n) - 1)]
    variance = n * q * (1 - q)
    if variance < SPREAD_NEEDS:
        return Quantile(seconds=at, interval=None)
    half = _Z * math.sqrt(variance)
    low, high = math.floor(n * q - half), math.ceil(n * q + half)
    return Quantile(
        seconds=at, interval=Interval(low=ranked[max(0, low - 1)], high=ranked[min(n - 1, max(high - 1, 0))])
    )


class Verdict(StrEnum):
    """What the difference to the week before says."""

    BETTER = "better"
    WORSE = "worse"
    OTHER = "different"
    """For sure another figure, which is neither good nor bad by itself."""
    FAULT = "fault"
    """There must be none at all, whatever the week before."""
    NONE = "no_verdict"
    """Chance alone could make this difference, or there are too few orders to tell."""


class Good(StrEnum):
    """Which way a figure ought to go."""

    UP = "up"
    DOWN = "down"
    NEITHER = "neither"


def verdict(now: float, before: float, mine: Interval | None, other: Interval | None, good: Good) -> Verdict:
    """A difference is a finding only where the two intervals do not overlap."""
    if mine is None or other is None or not mine.apart_from(other):
        return Verdict.NONE
    if good is Good.NEITHER:
        return Verdict.OTHER
    return Verdict.BETTER if (now > before) is (good is Good.UP) else Verdict.WORSE
