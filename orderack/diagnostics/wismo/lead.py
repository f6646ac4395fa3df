"""Do tickets tell of a gap before it is measured? The daily rate against the daily gap, some days apart.

Both series are put in ranks, freed of their weekdays, and of what each day takes over from the day before it (an
autoregression of order one, as Haugh 1976 does): two series that drift would else look related. The greatest of the
seven correlations is held against the same in shuffled days, so that looking at seven lags costs nothing.
"""

from collections.abc import Sequence
from datetime import date
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from orderack.diagnostics.wismo.figures import DayFigures, Lag, LeadFigures, Leading

DAYS = 21
"""Days that are needed."""
ORDERS = 10
"""Orders that a day needs to count."""
PAIRS = 12
"""Pairs of days that a lag needs."""
LAGS = range(-3, 4)
LEVEL = 0.02
"""Stricter than 0.05: with so few days the shuffle is a little generous (docs/wismo.md has what was measured)."""
SHUFFLES = 1_999
SEED = 20_260_403
"""The same figures give the same answer."""

Numbers = NDArray[np.float64]
T = TypeVar("T", bound=np.generic)


def lead(days: Sequence[DayFigures], first: date, after: date) -> LeadFigures:
    """From the whole days in [first, after). Refused under 21 days with enough orders, or where nothing varies."""
    whole = [day for day in days if first <= day.day < after]
    rates = np.array([day.tickets / day.gap.orders if _counts(day) else np.nan for day in whole])
    gaps = np.array([day.gap.receipt_p95 if _counts(day) and day.gap.receipt_p95 else np.nan for day in whole])
    known = int((np.isfinite(rates) & np.isfinite(gaps)).sum()) if whole else 0
    if known < DAYS:
        why = f"{known} whole days with {ORDERS} orders or more, {DAYS} are needed: {DAYS - known} more"
        return _refused(why, known)
    weekdays = np.array([day.day.weekday() for day in whole])
    ours, theirs = _freed(rates, weekdays), _freed(gaps, weekdays)
    if not _varies(ours) or not _varies(theirs):
        return _refused("the daily rate or the daily gap is the same every day", known)
    lags = [lag for days_apart in LAGS if (lag := _lag(ours, theirs, days_apart)) is not None]
    best = max(lags, key=lambda lag: lag.correlation)
    p = _probability(ours, theirs, best.correlation)
    return LeadFigures(
        leading=_leading(best, p), why="", days=known, days_needed=DAYS, lags=tuple(lags), best=best, p=p
    )


def _counts(day: DayFigures) -> bool:
    return day.gap.orders >= ORDERS


def _refused(why: str, days: int) -> LeadFigures:
    return LeadFigures(leading=Leading.REFUSED, why=why, days=days, days_needed=DAYS, lags=(), best=None, p=None)


def _leading(best: Lag, p: float) -> Leading:
    if p >= LEVEL:
        return Leading.NONE_FOUND
    if best.days == 0:
        return Leading.SAME_DAY
    return Leading.LEADS if best.days > 0 else Leading.FOLLOWS


def _freed(values: Numbers, weekdays: NDArray[np.int_]) -> Numbers:
    """In ranks, without the weekday's mean, without what the day before gives on."""
    from scipy.stats import rankdata

    ranks: Numbers = np.full(values.shape, np.nan)
    known = np.isfinite(values)
    ranks[known] = rankdata(values[known])
    for weekday in range(7):
        own = known & (weekdays == weekday)
        if own.any():
            ranks[own] -= ranks[own].mean()
    before, now = ranks[:-1], ranks[1:]
    both = np.isfinite(before) & np.isfinite(now)
    power = float((before[both] ** 2).sum())
    carried = float((before[both] * now[both]).sum()) / power if power else 0.0
    left = ranks.copy()
    left[1:][both] = now[both] - np.clip(carried, -0.95, 0.95) * before[both]
    return left


def _varies(values: Numbers) -> bool:
    known = values[np.isfinite(values)]
    return bool(known.size > 1 and np.ptp(known) > 1e-9)


def _lag(ours: Numbers, theirs: Numbers, days: int) -> Lag | None:
    """Our day against theirs so many days later."""
    one, two = _apart(ours, theirs, days)
    both = np.isfinite(one) & np.isfinite(two)
    if both.sum() < PAIRS or not _varies(one[both]) or not _varies(two[both]):
        return None
    return Lag(days=days, correlation=float(np.corrcoef(one[both], two[both])[0, 1]), pairs=int(both.sum()))


def _apart(ours: NDArray[T], theirs: NDArray[T], days: int) -> tuple[NDArray[T], NDArray[T]]:
    """Our days, and theirs so many days later."""
    if days >= 0:
        return ours[: len(ours) - days], theirs[days:]
    return ours[-days:], theirs[:days]


def _probability(ours: Numbers, theirs: Numbers, greatest: float) -> float:
    """How often shuffled days have a correlation as great at any lag. What is not known stays where it is."""
    random = np.random.default_rng(SEED)
    places = np.flatnonzero(np.isfinite(theirs))
    shuffled = np.tile(theirs, (SHUFFLES, 1))
    for row in shuffled:
        row[places] = theirs[random.permutation(places)]
    found = np.full(SHUFFLES, -1.0)
    for days in LAGS:
        if _lag(ours, theirs, days) is None:
            continue
        at = np.arange(len(ours))
        one, two = _apart(at, at, days)
        both = np.isfinite(ours[one]) & np.isfinite(theirs[two])
        found = np.maximum(found, _correlations(ours[one[both]], shuffled[:, two[both]]))
    return float(1 + (found >= greatest - 1e-12).sum()) / (1 + SHUFFLES)


def _correlations(one: Numbers, rows: Numbers) -> Numbers:
    """Of one series with each row; a row that does not vary has none."""
    centred, each = one - one.mean(), rows - rows.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).sum() * (each**2).sum(axis=1))
    found: Numbers = np.divide(each @ centred, size, out=np.zeros(len(rows)), where=size > 1e-9)
    return found
