"""Day by day: the tickets that were opened, beside the orders that were placed and how they were acknowledged."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta, tzinfo

from orderack.diagnostics.wismo.figures import Asked, DayFigures, SourceFigures
from orderack.diagnostics.wismo.rates import gap, rate
from orderack.domain.order import OrderRef
from orderack.ports.wismo import WatchedOrder


def by_day(
    orders: Sequence[WatchedOrder], asked: Sequence[Asked], since: datetime, until: datetime, zone: tzinfo
) -> tuple[DayFigures, ...]:
    """Every day that the span touches, in this time zone."""
    placed, opened = defaultdict[date, list[WatchedOrder]](list), defaultdict[date, list[Asked]](list)
    for order in orders:
        placed[order.trigger_at.astimezone(zone).date()].append(order)
    for ticket in asked:
        opened[ticket.at.astimezone(zone).date()].append(ticket)
    return tuple(
        DayFigures(
            day=day,
            tickets=len(opened[day]),
            rate=rate(_about(opened[day]), len(placed[day])),
            gap=gap(placed[day]),
        )
        for day in _days(since.astimezone(zone).date(), (until - timedelta(microseconds=1)).astimezone(zone).date())
    )


def whole_days(since: datetime, until: datetime, zone: tzinfo) -> tuple[date, date]:
    """The first day that lies wholly in the span, and the day after the last such."""
    first, last = since.astimezone(zone), until.astimezone(zone)
    starts = first.replace(hour=0, minute=0, second=0, microsecond=0) == first
    return first.date() + timedelta(days=0 if starts else 1), last.date()


def by_source(orders: Sequence[WatchedOrder], asked: Collection[OrderRef]) -> tuple[SourceFigures, ...]:
    """The sources of the orders, the one with the most first. `asked`: those asked about."""
    of = defaultdict[str, list[WatchedOrder]](list)
    for order in orders:
        of[order.source or "(none)"].append(order)
    found = []
    for source, own in sorted(of.items(), key=lambda item: (-len(item[1]), item[0])):
        share = rate(sum(order.ref in asked for order in own), len(own))
        if share is not None:
            found.append(SourceFigures(source=source, rate=share, gap=gap(own)))
    return tuple(found)


def _about(tickets: Sequence[Asked]) -> int:
    """Orders that these tickets ask about: each once; a ticket that found none counts as one."""
    return len({ticket.ref for ticket in tickets if ticket.ref}) + sum(ticket.ref is None for ticket in tickets)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=each) for each in range((last - first).days + 1)]
