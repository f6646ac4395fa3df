"""The few statistics of a what-if: quantiles that were seen, and a count that is estimated, with its interval."""

import math
from collections.abc import Sequence

from orderack.domain.value import Value

ENOUGH = 20
"""Cases from which a share is estimated; with fewer it is called unknown."""

_TAIL = 0.025


class Estimate(Value):
    """How many of `of` cases would break: the mean, and where the number lies with 95 % probability."""

    of: int
    mean: float
    low: int
    high: int
    basis: int
    """Measured cases that it rests on."""


def quantile(values: Sequence[float], share: float) -> float:
    """By nearest rank: a value that was really seen. Raises ValueError without values."""
    if not values:
        raise ValueError("nothing was measured")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def estimate(cases: int, broken: int, of: int) -> Estimate | None:
    """How many of `cases` break, where `broken` of `of` like them did; None when those are too few to say.

    Beta-binomial with Jeffreys' prior: the share is uncertain, and so is the draw. It takes for granted that the
    cases are like those that were measured.
    """
    if of < ENOUGH:
        return None
    a, b = broken + 0.5, of - broken + 0.5
    low, high, so_far = None, cases, 0.0
    for k in range(cases + 1):
        so_far += _probability(k, cases, a, b)
        if low is None and so_far >= _TAIL:
            low = k
        if so_far >= 1 - _TAIL:
            high = k
            break
    return Estimate(of=cases, mean=round(cases * a / (a + b), 1), low=low or 0, high=high, basis=of)


def _probability(k: int, n: int, a: float, b: float) -> float:
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(choose + _log_beta(k + a, n - k + b) - _log_beta(a, b))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
