"""What does the confirmation wait for: the ERP's receipt, or nothing but the capture (R142, R163)?"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

from orderack.diagnostics.gap.resampling import SEED, Flags, Interval, Numbers, Places, interval, resamples
from orderack.diagnostics.gap.thresholds import (
    APART,
    DEPENDENT,
    FOLLOWS,
    GATED,
    PART,
    PREMATURE,
    REPELS,
    SKEW,
    SOME,
    TOLERANCE,
)

_FEW = 30
"""Orders under which nothing is said of the later, or of the early, ones."""

_TURNS = 5
"""Pairings by chance."""


class Fires(StrEnum):
    """What the confirmation fires on."""

    CAPTURE = "capture"
    RECEIPT = "receipt"
    BOTH = "both"
    """Some orders' on capture, others' on the receipt."""


@dataclass(frozen=True)
class Sequence:
    """How confirmations stand to receipts."""

    orders: int
    """With both a receipt and a confirmation."""
    early: int
    """Confirmed before the receipt, by more than the clocks' tolerance."""
    early_share: Interval
    """Exact (Clopper-Pearson), 95 %."""
    rho: Interval
    """Spearman: confirmation and receipt, both counted from capture."""
    excess: Interval
    """Of confirmations after the receipt: their rho, less what pairs by chance have."""
    keeps: Interval
    """Spearman: the receipt, and the time from it to the confirmation. Of a confirmation that waits, nought or more."""
    skew: float
    """Seconds that the ERP's clock seems ahead of the confirmations'; nought where nothing says so."""
    median_lag: float
    """Seconds from receipt to confirmation; negative: the buyer was told first."""
    fires: Fires
    trigger_share: float
    """Of these orders, whose confirmation did not wait for the receipt."""
    agree: float


def sequence(captured: Numbers, receipt: Numbers, confirmed: Numbers, skew: float = 0.0) -> Sequence:
    """Of orders that have all three, sorted by capture; times in seconds. `skew`: of the clocks, where it is known."""
    told, booked = confirmed - captured, receipt - captured
    lag = told - booked
    drawn = resamples(len(lag))
    rho = _rho(told, booked, drawn)
    keeps = _rho(lag, booked, drawn)
    skew = skew or _skew(lag, rho, keeps) or _skew_of_some(told, booked)
    early: Flags = lag + skew < -TOLERANCE
    count = int(early.sum())
    exact = stats.binomtest(count, len(lag)).proportion_ci(0.95)
    share = Interval(count / len(lag), float(exact.low), float(exact.high))
    excess = _excess(told, booked - skew, early)
    seen = keeps.high < REPELS
    apart = _apart(told, early)
    fires = _fires(share.low, share.high, excess.value, apart=apart, seen=seen)
    drifts = np.random.default_rng(SEED).normal(excess.value, (excess.high - excess.low) / 3.92, len(drawn))
    shares = early[drawn].mean(axis=1)
    again = [_fires(each, each, one, apart=apart, seen=seen) for each, one in zip(shares, drifts, strict=True)]
    return Sequence(
        orders=len(lag),
        early=count,
        early_share=share,
        rho=rho,
        excess=excess,
        keeps=keeps,
        skew=skew,
        median_lag=float(np.median(lag)),
        fires=fires,
        trigger_share={Fires.CAPTURE: 1.0, Fires.RECEIPT: 0.0, Fires.BOTH: share.value}[fires],
        agree=sum(each is fires for each in again) / len(again),
    )


def early_flags(receipt: Numbers, confirmed: Numbers, skew: float) -> Flags:
    """Which were confirmed before the receipt, by more than the clocks' tolerance; false where either is missing."""
    with np.errstate(invalid="ignore"):
        found: Flags = confirmed - receipt + skew < -TOLERANCE
    return found


def _fires(low: float, high: float, excess: float, *, apart: bool, seen: bool) -> Fires:
    """By the share of early confirmations (its interval), and by whether the others wait for the receipt."""
    if low >= PREMATURE or (excess < FOLLOWS and not apart and (low >= SOME or seen)):
        return Fires.CAPTURE
    return Fires.RECEIPT if high <= GATED else Fires.BOTH


def _excess(told: Numbers, booked: Numbers, early: Flags) -> Interval:
    """How much more the later confirmations follow their receipt than confirmations paired with others' receipts do.

    Looking only at those after the receipt makes any two columns correlate, so the pairs by chance are chosen alike.
    """
    late = ~early
    if int(late.sum()) < _FEW or np.ptp(told[late]) == 0 or np.ptp(booked[late]) == 0:
        return Interval(0.0, 0.0, 0.0)
    by_chance = [_by_chance(told, booked, np.random.default_rng([SEED, turn])) for turn in range(_TURNS)]
    seen = _rho(told[late], booked[late], resamples(int(late.sum())))
    chance = float(np.mean(by_chance))
    return Interval(seen.value - chance, seen.low - chance, seen.high - chance)


def _by_chance(told: Numbers, booked: Numbers, random: np.random.Generator) -> float:
    others = random.permutation(booked)
    late = told - others >= -TOLERANCE
    if int(late.sum()) < _FEW or np.ptp(told[late]) == 0 or np.ptp(others[late]) == 0:
        return 0.0
    return float(stats.spearmanr(told[late], others[late]).statistic)


def _apart(told: Numbers, early: Flags) -> bool:
    if min(int(early.sum()), int((~early).sum())) < _FEW:
        return False
    return bool(np.quantile(told[~early], 0.1) > APART * max(1.0, float(np.quantile(told[early], 0.9))))


def _rho(told: Numbers, booked: Numbers, drawn: Places) -> Interval:
    if np.ptp(told) == 0 or np.ptp(booked) == 0:
        return Interval(0.0, 0.0, 0.0)
    one, other = stats.rankdata(told), stats.rankdata(booked)
    a, b = one[drawn], other[drawn]
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    below = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    made: Numbers = np.divide((a * b).sum(axis=1), below, out=np.zeros(len(a)), where=below > 0)
    return interval(float(np.corrcoef(one, other)[0, 1]), made)


def _skew(lag: Numbers, rho: Interval, keeps: Interval) -> float:
    """A confirmation that follows the receipt at a steady, small, negative distance is under another clock."""
    first = float(np.quantile(lag, 0.02))
    steady = rho.low >= DEPENDENT and keeps.high >= REPELS
    return -first if steady and -SKEW <= first < 0 else 0.0


def _skew_of_some(told: Numbers, booked: Numbers) -> float:
    """Where only some wait: those whose delay is long, and whose confirmation comes at the receipt all the same."""
    near = (booked >= 3 * SKEW) & (told - booked >= -SKEW)
    if int(near.sum()) < max(_FEW, PART * len(told)) or np.ptp(told[near]) == 0 or np.ptp(booked[near]) == 0:
        return 0.0
    first = float(np.quantile((told - booked)[near], 0.02))
    follows = float(stats.spearmanr(told[near], booked[near]).statistic) >= DEPENDENT
    return -first if follows and first < 0 else 0.0
