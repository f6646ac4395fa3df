"""Are orders booked in batches: an import every so many minutes?"""

from dataclasses import dataclass

import numpy as np

from orderack.diagnostics.gap.resampling import Numbers
from orderack.diagnostics.gap.thresholds import BATCHED

_PERIODS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1_440)
"""Minutes that schedules are set to."""

_HALF = 0.5
"""The delay's middle half spans half a period where orders wait evenly for the next import: at least half of that."""


@dataclass(frozen=True)
class Batch:
    """Orders are booked at the same point of every period."""

    minutes: float
    strength: float
    """Mean vector of the receipts on a clock of this period, 0 to 1."""
    phase: float
    """Seconds after the period's start at which the receipts come."""

    def evened(self, captured: Numbers, receipt: Numbers) -> Numbers:
        """The delays as if each order had waited half a period for its run: what is left is not the import's rhythm."""
        period = self.minutes * 60
        wait = (self.phase - captured) % period
        evened: Numbers = receipt - captured - wait + period / 2
        return evened


def batch(captured: Numbers, receipt: Numbers, resolution: float) -> Batch | None:
    """The import's period, if receipts keep one that captures do not, and the delay spans it.

    A period as short as the stamps are coarse is not told from rounding.
    """
    low, high = np.quantile(receipt - captured, [0.25, 0.75])
    found = [
        Batch(minutes, strength, _phase(receipt, minutes))
        for minutes in (*_PERIODS, *_spacing(receipt))
        if minutes * 60 > resolution
        and _HALF / 2 <= (high - low) / (minutes * 60) <= 1.0
        and (strength := _strength(receipt, minutes)) >= BATCHED
        and strength - _strength(captured, minutes) >= BATCHED / 2
    ]
    return max(found, key=lambda each: (round(each.strength, 1), each.minutes), default=None)


def _strength(times: Numbers, minutes: float) -> float:
    return float(abs(np.exp(2j * np.pi * (times % (minutes * 60)) / (minutes * 60)).mean()))


def _phase(times: Numbers, minutes: float) -> float:
    period = minutes * 60
    angle = float(np.angle(np.exp(2j * np.pi * (times % period) / period).mean()))
    return angle / (2 * np.pi) * period % period


def _spacing(receipt: Numbers) -> tuple[float, ...]:
    """The usual distance of bursts, in minutes: for schedules that no clock face knows."""
    ordered = np.sort(receipt)
    between = np.diff(ordered)
    waits = between[between > max(20.0, float(np.quantile(between, 0.5)) * 5)]
    if len(waits) < 20 or len(waits) > len(receipt) / 2:
        return ()
    starts = ordered[1:][between > max(20.0, float(np.quantile(between, 0.5)) * 5)]
    return (float(np.median(np.diff(starts))) / 60,)
