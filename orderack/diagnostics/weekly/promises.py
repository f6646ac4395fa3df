"""What becomes of one order's promises, as far as it is known at a moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orderack.contracts.journal import ClockName
from orderack.ports.past_orders import PastClock
from orderack.ports.reliability import OrderLife

TO_BUYERS = (ClockName.ACKNOWLEDGE, ClockName.HOLD, ClockName.RESOLVE, ClockName.PARTNER)
IN_THE_HOUSE = (ClockName.ERP_RECEIPT, ClockName.REVIEW, ClockName.CLAIM)
PROMISES = (*TO_BUYERS, *IN_THE_HOUSE)
"""The other clocks (the ERP's budget, the time for changes, warnings) are no promise to anybody."""


class End(StrEnum):
    KEPT = "kept"
    BROKEN = "broken"
    FELL_AWAY = "fell_away"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Ended:
    """One run of a promised clock."""

    clock: ClockName
    due_at: datetime
    end: End


def promises(order: OrderLife, by: datetime) -> Iterator[Ended]:
    """Every promise of the order that was made by then."""
    for clock in order.clocks:
        if clock.clock in PROMISES and (clock.started_at is None or clock.started_at < by):
            yield Ended(ClockName(clock.clock), clock.due_at, _end(clock, by))


def _end(clock: PastClock, by: datetime) -> End:
    """As it was recorded; broken stays broken, also where it was met later. What is past due and has no end is broken:
    whoever should have recorded it was not there."""
    if clock.breached_at is not None and clock.breached_at < by:
        return End.BROKEN
    if clock.met_at is not None and clock.met_at < by:
        return End.KEPT
    if clock.stopped_at is not None and clock.stopped_at < by:
        return End.FELL_AWAY
    return End.BROKEN if clock.due_at < by else End.RUNNING
