"""One customer's record of reliability (R130): week by week as the weekly report counts, and all of it together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Protocol

from orderack.diagnostics.weekly.customers import figures, of_customer
from orderack.diagnostics.weekly.figures import CustomerFigures, CustomerWeek
from orderack.diagnostics.weekly.seeing import Seen, seen
from orderack.diagnostics.weekly.weeks import Week, known_by, last_whole, settled
from orderack.domain.order import Text
from orderack.domain.value import Value
from orderack.ledger.reliability import Cohort
from orderack.ports.reliability import Lives, OrderLife


class CustomerRecord(Value):
    """What one customer of a store was promised, and what became of it."""

    time_zone: Text
    weeks: tuple[CustomerWeek, ...]
    """The last whole weeks, the oldest first: each as `orderack report weekly --customer` has it."""
    total: CustomerFigures
    """Of these weeks together."""
    this_week: CustomerFigures
    """Of the week that is not over, as it stands now: what is still due is neither kept nor broken."""

    @property
    def orders(self) -> int:
        return self.total.orders + self.this_week.orders


class Reads(Protocol):
    """The ledger, as far as this needs it."""

    async def lives(self, cohort: Cohort) -> Lives:
        """What became of a store's orders of a span."""
        ...


@dataclass(frozen=True)
class AskedOf:
    """Whose record, and of how many whole weeks."""

    store: str
    customer: str
    zone: tzinfo
    weeks: int
    now: datetime


async def record_of(ledger: Reads, asked: AskedOf) -> CustomerRecord:
    """The record. Each week is looked at as long after its end as the last one is now, at most two days."""
    last = last_whole(asked.now, asked.zone)
    first, after = last.before(asked.weeks - 1), settled(last, asked.zone, asked.now)
    until = last.before(-1).ends(asked.zone)
    cohort = Cohort(asked.store, first.begins(asked.zone), until, asked.customer)
    lives = (await ledger.lives(cohort)).orders
    weeks, whole = list[CustomerWeek](), list[Seen]()
    for back in range(asked.weeks - 1, -1, -1):
        week = last.before(back)
        mine = [seen(order, known_by(week, asked.zone, after)) for order in _of(week, asked.zone, lives)]
        weeks.append(of_customer(str(week), asked.customer, mine))
        whole += mine
    current = [seen(order, asked.now) for order in _of(last.before(-1), asked.zone, lives)]
    return CustomerRecord(
        time_zone=str(asked.zone),
        weeks=tuple(weeks),
        total=figures(asked.customer, whole),
        this_week=figures(asked.customer, current),
    )


def _of(week: Week, zone: tzinfo, lives: Sequence[OrderLife]) -> Sequence[OrderLife]:
    return [order for order in lives if week.begins(zone) <= order.trigger_at < week.ends(zone)]
