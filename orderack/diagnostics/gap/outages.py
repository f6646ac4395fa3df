"""Times when the ERP booked nothing although orders were due: shown, and left out of the test of the usual flow."""

from dataclasses import dataclass

import numpy as np

from orderack.diagnostics.gap.resampling import Flags, Numbers
from orderack.diagnostics.gap.thresholds import STALL_DELAYS, STALL_ORDERS, STALL_SECONDS, STALLED


@dataclass(frozen=True)
class Outage:
    """From the last receipt before to the first after it, in seconds since 1970."""

    since: float
    until: float
    waiting: int
    """Orders that would have been booked meanwhile."""


def outages(captured: Numbers, receipt: Numbers) -> tuple[Outage, ...]:
    """Of orders sorted by capture. None where stalls are too frequent to be exceptions."""
    usual = float(np.median(receipt - captured))
    ordered = np.sort(receipt)
    between = np.diff(ordered)
    long = np.flatnonzero(between >= max(STALL_SECONDS, STALL_DELAYS * max(usual, 0.0)))
    due = np.sort(captured) + usual
    found = tuple(
        Outage(since, until, waiting)
        for since, until in zip(ordered[long].tolist(), ordered[long + 1].tolist(), strict=True)
        if (waiting := int(np.searchsorted(due, until) - np.searchsorted(due, since))) >= STALL_ORDERS
    )
    span = float(ordered[-1] - ordered[0]) or 1.0
    return found if sum(each.until - each.since for each in found) <= STALLED * span else ()


def usual(captured: Numbers, receipt: Numbers, found: tuple[Outage, ...]) -> Flags:
    """Orders that no outage touched: neither waited in one nor in what it left behind."""
    kept = np.ones(len(captured), dtype=np.bool_)
    delay = max(0.0, float(np.median(receipt - captured)))
    for each in found:
        after = each.until + 0.5 * (each.until - each.since)
        kept &= ~((captured >= each.since - delay) & (captured <= after))
    return kept
