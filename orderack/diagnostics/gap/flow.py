"""The orders that were found in both logs, as the tests read them: arrays in the order of capture."""

from dataclasses import dataclass

import numpy as np

from orderack.diagnostics.gap.resampling import Flags, Numbers, Places
from orderack.diagnostics.gap.thresholds import VOLUME_MINUTES
from orderack.diagnostics.gap.variation import Load


@dataclass(frozen=True)
class Flow:
    """Times in seconds since 1970; NaN where a stamp is missing. `captured` and `receipt` never are."""

    captured: Numbers
    receipt: Numbers
    received: Numbers
    """By the integration."""
    delivered: Numbers
    """By the integration, to the ERP."""
    confirmed: Numbers
    load: Load
    resolution: float = 0.0
    """Seconds that the ERP's stamps are rounded to; nought: under a second."""
    guessed: bool = False
    """Some log's times name no zone, and nobody named it."""

    def __len__(self) -> int:
        return len(self.captured)

    @property
    def delay(self) -> Numbers:
        """Capture to receipt, in seconds."""
        return self.receipt - self.captured

    @property
    def told(self) -> Flags:
        """Which have a confirmation."""
        return np.isfinite(self.confirmed)

    def of(self, chosen: Flags) -> "Flow":
        return Flow(
            self.captured[chosen],
            self.receipt[chosen],
            self.received[chosen],
            self.delivered[chosen],
            self.confirmed[chosen],
            self.load.of(chosen),
            self.resolution,
            self.guessed,
        )


def volumes(captured: Numbers, everything: Numbers) -> tuple[Numbers, ...]:
    """For each width of `VOLUME_MINUTES`: how many of all the orders (sorted) were captured around each, itself too."""
    return tuple(
        (
            np.searchsorted(everything, captured + minutes * 30, side="right")
            - np.searchsorted(everything, captured - minutes * 30, side="left")
        ).astype(np.float64)
        for minutes in VOLUME_MINUTES
    )


def loaded(captured: Numbers, everything: Numbers, hour: Numbers, group: Places) -> Load:
    """What may move the delay of orders captured then, among all the orders that were captured."""
    return Load(hour, volumes(captured, everything), group)
