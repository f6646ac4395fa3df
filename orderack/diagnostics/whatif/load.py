"""How much work the reviews are: how many are opened in an hour, and whether the roles that review can keep up."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from orderack.contracts.journal import Event
from orderack.diagnostics.whatif.clocks import Course, reviews
from orderack.diagnostics.whatif.plans import Compared
from orderack.diagnostics.whatif.shares import quantile
from orderack.domain.assessment import Route
from orderack.domain.order import Name
from orderack.domain.value import Value

ENOUGH_TIMES = 5
"""Measured times from which a review's length is said."""

DAYS, HOURS = 7, 24


class Spread(Value):
    """Reviews opened in an hour, over the hours in which orders came in."""

    reviews: int
    p50: int
    p95: int
    max: int


class Handling(Value):
    """Minutes from a reviewer's claim to the decision. `measured` 0 with a median: it was given, not measured."""

    measured: int
    median: float | None = None
    p90: float | None = None


class TeamLoad(Value):
    """One team's reviews. An hour is over capacity when its reviews take longer than its reviewers have."""

    team: Name
    reviewers: tuple[Name, ...]
    before: Spread
    after: Spread
    capacity_per_hour: float | None = None
    """None: how long a review takes is not known."""
    over_before: int | None = None
    over_after: int | None = None


class Load(Value):
    """All of it. The grids are 7 × 24: reviews opened by weekday (Monday first) and hour in the store's zone."""

    hours: int
    """Hours in which any order came in; the spreads are over these."""
    before: Spread
    after: Spread
    handling: Handling
    teams: tuple[TeamLoad, ...]
    grid_before: tuple[tuple[int, ...], ...]
    grid_after: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A review that is opened."""

    hour: datetime
    """Its clock hour in the store's zone."""
    team: str


def arrivals(course: Course) -> tuple[list[Arrival], list[Arrival]]:
    """The reviews of one order: as they were opened, and as the new policy would have them.

    What came of something else than the assessment (the ERP refused it, a line is gone) comes either way.
    """
    before, after, asked = [], [], set[int]()
    for opened in reviews(course):
        before.append(_arrival(opened.opened_at, opened.row.was.time_zone, opened.row.was.team))
        if opened.by_assessment:
            asked.add(opened.row.revision)
        if not opened.by_assessment or opened.row.after.route is Route.REVIEW:
            after.append(_arrival(opened.opened_at, opened.row.after.time_zone, opened.row.after.team))
    for row in course.rows:
        if row.revision in asked:
            continue
        if row.was.route is Route.REVIEW:  # decided so, and nothing was recorded of its review
            before.append(_arrival(row.at, row.was.time_zone, row.was.team))
        if row.after.route is Route.REVIEW:
            after.append(_arrival(row.at, row.after.time_zone, row.after.team))
    return before, after


def handling_minutes(course: Course) -> list[float]:
    """From the last claim of each review to its decision."""
    claims = [event.at for event in course.times.events if event.event is Event.CLAIMED and event.note == "review"]
    found = []
    for opened in reviews(course):
        if opened.decided_at is None:
            continue
        mine = [at for at in claims if opened.opened_at <= at <= opened.decided_at]
        if mine:
            found.append((opened.decided_at - max(mine)).total_seconds() / 60)
    return found


def handling(minutes: Sequence[float], given: float | None) -> Handling:
    """What is known of a review's length: as given, else as measured."""
    if given is not None:
        return Handling(measured=0, median=given)
    if len(minutes) < ENOUGH_TIMES:
        return Handling(measured=len(minutes))
    return Handling(
        measured=len(minutes), median=round(quantile(minutes, 0.5), 1), p90=round(quantile(minutes, 0.9), 1)
    )


def load(rows: Iterable[Compared], before: Sequence[Arrival], after: Sequence[Arrival], taken: Handling) -> Load | None:
    """The load; None where no order came in."""
    hours, reviewers = set[datetime](), dict[str, tuple[str, ...]]()
    for row in rows:
        hours.add(_hour(row.at, row.after.time_zone))
        for plan in (row.was, row.after):
            if plan.route is Route.REVIEW:
                reviewers[plan.team] = plan.reviewers
    hours |= {arrival.hour for arrival in (*before, *after)}
    if not hours:
        return None
    teams = sorted({arrival.team for arrival in (*before, *after)})
    return Load(
        hours=len(hours),
        before=_spread(before, len(hours)),
        after=_spread(after, len(hours)),
        handling=taken,
        teams=tuple(_team(name, reviewers.get(name, ()), before, after, len(hours), taken) for name in teams),
        grid_before=_grid(before),
        grid_after=_grid(after),
    )


def _team(
    name: str,
    reviewers: tuple[str, ...],
    before: Sequence[Arrival],
    after: Sequence[Arrival],
    hours: int,
    taken: Handling,
) -> TeamLoad:
    mine = [[arrival for arrival in some if arrival.team == name] for some in (before, after)]
    capacity = len(reviewers) * 60 / taken.median if taken.median and reviewers else None
    over = [None if capacity is None else sum(n > capacity for n in _per_hour(some).values()) for some in mine]
    return TeamLoad(
        team=name,
        reviewers=reviewers,
        before=_spread(mine[0], hours),
        after=_spread(mine[1], hours),
        capacity_per_hour=None if capacity is None else round(capacity, 1),
        over_before=over[0],
        over_after=over[1],
    )


def _per_hour(arrivals: Iterable[Arrival]) -> Counter[datetime]:
    return Counter(arrival.hour for arrival in arrivals)


def _spread(arrivals: Sequence[Arrival], hours: int) -> Spread:
    counts = sorted(_per_hour(arrivals).values())
    per_hour = [0] * (hours - len(counts)) + counts
    return Spread(
        reviews=len(arrivals),
        p50=int(quantile(per_hour, 0.5)),
        p95=int(quantile(per_hour, 0.95)),
        max=per_hour[-1],
    )


def _grid(arrivals: Iterable[Arrival]) -> tuple[tuple[int, ...], ...]:
    counts = Counter((arrival.hour.weekday(), arrival.hour.hour) for arrival in arrivals)
    return tuple(tuple(counts[day, hour] for hour in range(HOURS)) for day in range(DAYS))


def _arrival(at: datetime, zone: str, team: str) -> Arrival:
    return Arrival(_hour(at, zone), team)


def _hour(at: datetime, zone: str) -> datetime:
    local = at.astimezone(ZoneInfo(zone))
    return local - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
