"""The block bootstrap: which orders each resample holds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orderack.diagnostics.gap.thresholds import BLOCK, BLOCKS, RESAMPLES, SAMPLE

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]
Flags = NDArray[np.bool_]

SEED = 20_260_403
"""The same logs give the same report."""


@dataclass(frozen=True)
class Interval:
    """A figure, and the range that 95 of 100 resamples fall into."""

    value: float
    low: float
    high: float


def resamples(count: int, seed: int = SEED) -> Places:
    """Places of the orders, sorted by time, that each resample draws: one row a resample, whole blocks of neighbours.

    Orders that wait in one queue are no independent draws; blocks keep that dependence, so intervals are as wide as
    they have to be (Künsch 1989). Where there are many orders, each resample draws fewer blocks than there are.
    """
    random = np.random.default_rng(seed)
    blocks = int(np.clip(count // BLOCK, 1, BLOCKS))
    width = max(1, min(count // blocks, SAMPLE // blocks))
    starts = random.integers(0, max(1, count - width + 1), size=(RESAMPLES, blocks))
    places: Places = (starts[:, :, None] + np.arange(width)[None, None, :]).reshape(RESAMPLES, -1)
    return places


def interval(value: float, drawn: Numbers) -> Interval:
    """The percentile interval, which always holds the value itself."""
    low, high = np.nanquantile(drawn, [0.025, 0.975]) if np.isfinite(drawn).any() else (value, value)
    return Interval(value, min(value, float(low)), max(value, float(high)))
