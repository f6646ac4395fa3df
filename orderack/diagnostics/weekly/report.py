"""The report of one week: every store by itself, from the ledger, week by week."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from orderack.diagnostics.weekly.comparing import RULE, lines, sentences
from orderack.diagnostics.weekly.counting import Looked, count, look
from orderack.diagnostics.weekly.customers import by_customer, least_reliable, of_customer, shown_id
from orderack.diagnostics.weekly.figures import CustomerWeek, StoreReport, WeekFigures, Weekly
from orderack.diagnostics.weekly.weeks import Week, settled
from orderack.domain.reachability import ReachReport
from orderack.ledger.reliability import Cohort
from orderack.ports.reliability import Lives

LEAST = 2
"""Weeks that are read: the one of the report, and the one before it."""

TREND = 4
"""Weeks that the trend shows where nobody says how many."""


class Reads(Protocol):
    """The ledger, as far as the report needs it."""

    async def lives(self, cohort: Cohort) -> Lives:
        """What became of a store's orders of a span."""
        ...

    async def reach_report(
        self, since: datetime, until: datetime, now: datetime, store: str | None = None
    ) -> ReachReport:
        """How buyers were reached by what was sent in a span."""
        ...


@dataclass(frozen=True)
class Asked:
    """What to report."""

    week: Week
    weeks: int
    """How many weeks the trend shows."""
    now: datetime
    zones: Mapping[str, tzinfo]
    """The stores, each with its zone."""
    customer: str | None = None
    said: Callable[[str], None] = field(default=lambda _: None)
    """Is told of progress."""


async def weekly(ledger: Reads, asked: Asked) -> Weekly:
    """The report. Every week is looked at as long after its end as the last one is now, at most two days."""
    reports = [await _store(ledger, asked, store, zone) for store, zone in asked.zones.items()]
    hours = max((_settled(asked, zone).total_seconds() / 3600 for zone in asked.zones.values()), default=0.0)
    return Weekly(
        week=str(asked.week), made_at=asked.now, settled_hours=round(hours, 2), stores=tuple(reports), rule=RULE
    )


def _settled(asked: Asked, zone: tzinfo) -> timedelta:
    return settled(asked.week, zone, asked.now)


async def _store(ledger: Reads, asked: Asked, store: str, zone: tzinfo) -> StoreReport:
    weeks, of_one = list[WeekFigures](), list[CustomerWeek]()
    for back in range(max(asked.weeks, LEAST) - 1, -1, -1):
        week = asked.week.before(back)
        asked.said(f"{store}: reading {week} …")
        lives = await ledger.lives(Cohort(store, week.begins(zone), week.ends(zone)))
        looked = look(week, zone, _settled(asked, zone), lives)
        weeks.append(count(looked))
        if asked.customer is not None:
            mine = [one for one in looked.orders if one.order.customer_id == asked.customer]
            of_one.append(of_customer(str(week), asked.customer, mine))
    asked.said(f"{store}: how buyers were reached …")
    reach = await ledger.reach_report(weeks[-1].since, weeks[-1].until, weeks[-1].known_by, store)
    return _reported(store, weeks, looked, _shown(reach), of_one)


def _shown(reach: ReachReport) -> ReachReport:
    """An id that is an address itself is shown to nobody."""
    strongest = tuple(
        one.model_copy(update={"customer_id": one.customer_id and shown_id(one.customer_id)}) for one in reach.strongest
    )
    return reach.model_copy(update={"strongest": strongest})


def _reported(
    store: str, weeks: Sequence[WeekFigures], last: Looked, reach: ReachReport, of_one: Sequence[CustomerWeek]
) -> StoreReport:
    """`last`: the week of the report."""
    found = tuple(lines(weeks[-1], weeks[-2]))
    customers = by_customer(last.orders)
    return StoreReport(
        store=store,
        time_zone=str(last.zone),
        weeks=tuple(weeks),
        lines=found,
        sentences=tuple(sentences(weeks[-1], found)),
        customers=len(customers),
        of_nobody=len(last.orders) - sum(map(len, customers.values())),
        worst=least_reliable(customers),
        reach=reach,
        customer=tuple(of_one),
    )
