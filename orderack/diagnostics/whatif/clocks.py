"""Service levels held against what was measured: who would be late under the new clocks, and of whom nobody knows.

A case is one run of one clock for one order. Its end is what was measured and does not depend on the policy, as long as
the order takes the same way: an ERP answers when it answers. Where the way is another, the end is not known (`known`
False): it is estimated from the cases that took that way (`like`), or called unknown. docs/what-if.md states the model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from orderack.contracts.journal import ClockName, Event
from orderack.diagnostics.whatif.plans import Compared, Plan
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Gate, Route, ServiceLevels
from orderack.domain.order import OrderRef
from orderack.ports.past_orders import PastClock, PastTimes

AT_ONCE = timedelta(seconds=2)
"""A clock starts in the moment of what starts it; the ledger hears of both a little later."""

ASKED_WITHIN = timedelta(minutes=1)
"""The ERP's answer to the question that goes before `holding` is here by then."""

ENDS = frozenset({Event.CANCELLED, Event.REJECTED, Event.CLOSED})

INSIDE = frozenset({Kind.ALERT.value})
"""Messages that tell the buyer nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """One run of one clock. A level of None: it does not run under that policy."""

    ref: OrderRef
    clock: ClockName
    start: datetime
    end: datetime | None
    """When what it waits for came; None: it has not."""
    before: timedelta | None
    after: timedelta | None
    known: bool = True
    """Whether `end` also holds under the new policy."""
    like: str = ""
    """The way that it takes under the new policy: cases of the same one can stand in for each other."""

    def broken(self, level: timedelta | None, until: datetime) -> bool:
        """Whether this level is not kept. What has not come by `until` is late once its time is over."""
        return level is not None and (self.end or until) - self.start > level


@dataclass(frozen=True)
class Course:
    """One order's way, by the ledger."""

    ref: OrderRef
    rows: Sequence[Compared]
    """Its revisions that were compared, in their order."""
    times: PastTimes

    def row_at(self, at: datetime) -> Compared:
        """The revision that stood then."""
        return next((row for row in reversed(self.rows) if row.at <= at), self.rows[0])


@dataclass(frozen=True, slots=True)
class Opened:
    """A review, and whether it was the assessment that asked for it."""

    row: Compared
    opened_at: datetime
    decided_at: datetime | None
    by_assessment: bool


def cases(course: Course) -> Iterator[Case]:
    """Every clock of this order of which something is known or can be asked; the order's own end ends them all."""
    over = [event.at for event in course.times.events if event.event in ENDS]
    for clock in (_acknowledge, _hold, _receipt, _budget, _review, _claim, _partner, _evidence):
        for case in clock(course):
            later = min((at for at in over if at >= case.start), default=None)
            yield replace(case, end=later) if case.known and case.end is None and later else case


def reviews(course: Course) -> Iterator[Opened]:
    """Its reviews; more flags in an open one do not make another."""
    found = course.times.reviews
    begun, counted = None, set[int]()
    for review in found:
        begun = begun or review.opened_at
        if review.decided_at is None and review is not found[-1]:
            continue
        row = course.row_at(begun)
        first = row.revision not in counted and row.was.route is Route.REVIEW
        counted.add(row.revision)
        yield Opened(row, begun, review.decided_at, first)
        begun = None


def escalations(case: Case, level: timedelta | None, until: datetime) -> tuple[datetime, datetime | None] | None:
    """From when to when an order is escalated because of this case; None: it is not."""
    if level is None or not case.broken(level, until):
        return None
    return case.start + level, case.end


def resolve_by(start: datetime, levels: ServiceLevels, zone: str) -> datetime:
    """An escalation's deadline: the end of the store's day, never less than the policy's least (DESIGN §2)."""
    if levels.resolve_within is not None:
        return start + levels.resolve_within
    local = start.astimezone(ZoneInfo(zone))
    midnight = datetime.combine(local.date() + timedelta(days=1), time.min, tzinfo=local.tzinfo)
    return max(midnight, start + levels.resolve_at_least)


def _way(plan: Plan) -> str:
    """What decides how soon the buyer hears for the first time."""
    return "withheld" if plan.withheld else f"{plan.route}/{plan.gate}"


def _acknowledge(course: Course) -> Iterator[Case]:
    row = course.rows[0]
    measured = course.times.messages or _runs(course, ClockName.ACKNOWLEDGE) or row.was.withheld
    if row.revision != 1 or not measured:
        return
    out = [m.out_at for m in course.times.messages if m.revision == 1 and m.kind not in INSIDE and m.out_at]
    before = None if row.was.withheld else row.was.levels.acknowledge_within
    after = None if row.after.withheld else row.after.levels.acknowledge_within
    known = _way(row.was) == _way(row.after)
    end = min(out, default=None)
    yield Case(course.ref, ClockName.ACKNOWLEDGE, row.trigger_at, end, before, after, known, _way(row.after))


def _hold(course: Course) -> Iterator[Case]:
    """Over means that `holding` goes out."""
    row, runs = course.rows[0], _runs(course, ClockName.HOLD)
    if row.revision != 1 or not runs:
        return
    confirmed = [event.at for event in course.times.events if event.event is Event.CONFIRMED]
    stopped = [clock.stopped_at for clock in runs if clock.stopped_at and not clock.met_at]
    end = min(
        [*confirmed, *_booked(course, row, runs[0], confirmed), *_found(course, runs, confirmed), *stopped],
        default=None,
    )
    before = None if row.was.silent else row.was.levels.hold_after
    after = None if row.after.silent else row.after.levels.hold_after
    yield Case(course.ref, ClockName.HOLD, row.trigger_at, end, before, after, _same_way(row), _towards(row.after))


def _booked(course: Course, row: Compared, run: PastClock, confirmed: Sequence[datetime]) -> Iterator[datetime]:
    """When the ERP had booked an order that waited for nothing else: from then on it says so when it is asked, which it
    is before `holding` goes out."""
    booked, told = course.times.booked.get(row.revision), row.receipt_at
    if booked is None or row.submitted_at is None or told is None:
        return
    if booked <= run.due_at and _was_held(course):
        return  # it could not be asked, or did not say so
    if any(told <= at <= told + AT_ONCE for at in confirmed):
        yield min(max(booked, row.submitted_at), told)


def _found(course: Course, runs: Sequence[PastClock], confirmed: Sequence[datetime]) -> Iterator[datetime]:
    """When `holding` was due: the ERP was asked then and had booked it, so nothing went out, and it was confirmed."""
    if _was_held(course):
        return
    for run in runs:
        if run.met_at and any(run.due_at < at <= run.due_at + ASKED_WITHIN for at in confirmed):
            yield run.due_at


def _was_held(course: Course) -> bool:
    return any(message.kind == Kind.HOLDING for message in course.times.messages)


def _same_way(row: Compared) -> bool:
    """Whether the order reaches its confirmation by the same steps."""
    return _towards(row.was) == _towards(row.after)


def _towards(plan: Plan) -> str:
    return f"{plan.route}/{plan.erp or 'no ERP'}"


def _receipt(course: Course) -> Iterator[Case]:
    """A clock that has neither been met nor run out yet is not recorded: then the submission is its start."""
    begun = set[int]()
    for run in _runs(course, ClockName.ERP_RECEIPT):
        row, start = _began(course, run)
        begun.add(row.revision)
        later = [one.receipt_at for one in course.rows if one.receipt_at and one.receipt_at >= start]
        yield _receipt_case(course, row, start, min([*later, *_ends(run)], default=None))
    for row in course.rows:
        if row.submitted_at is not None and row.revision not in begun:
            yield _receipt_case(course, row, row.submitted_at, row.receipt_at)


def _receipt_case(course: Course, row: Compared, start: datetime, end: datetime | None) -> Case:
    levels = (row.was.levels.erp_receipt_within, row.after.levels.erp_receipt_within)
    known, like = row.was.erp == row.after.erp, row.after.erp or "no ERP"
    return Case(course.ref, ClockName.ERP_RECEIPT, start, end, *levels, known, like)


def _budget(course: Course) -> Iterator[Case]:
    """Over means that `received` goes out before the ERP has answered."""
    row = course.rows[0]
    gated = [
        plan.gate is Gate.ERP_GATED and plan.route is Route.STRAIGHT and not plan.withheld
        for plan in (row.was, row.after)
    ]
    if row.revision != 1 or not any(gated):
        return
    before = row.was.levels.erp_budget if gated[0] else None
    after = row.after.levels.erp_budget if gated[1] else None
    ends = [row.receipt_at] if row.receipt_at else []
    stopped = [run.stopped_at for run in _runs(course, ClockName.ERP_BUDGET) if run.stopped_at and not ends]
    end = min([*ends, *stopped], default=None)
    yield Case(
        course.ref, ClockName.ERP_BUDGET, row.trigger_at, end, before, after, _same_way(row), _towards(row.after)
    )


def _review(course: Course) -> Iterator[Case]:
    asked = set[int]()
    for opened in reviews(course):
        row = opened.row
        asked.add(row.revision)
        spared = opened.by_assessment and row.after.route is Route.STRAIGHT
        after = None if spared else row.after.levels.review_within
        before = row.was.levels.review_within
        yield Case(course.ref, ClockName.REVIEW, opened.opened_at, opened.decided_at, before, after)
    for row in course.rows:
        if row.revision not in asked and row.after.route is Route.REVIEW and row.was.route is Route.STRAIGHT:
            level = row.after.levels.review_within
            yield Case(course.ref, ClockName.REVIEW, row.at, None, None, level, known=False)


def _claim(course: Course) -> Iterator[Case]:
    spared = {
        opened.opened_at
        for opened in reviews(course)
        if opened.by_assessment and opened.row.after.route is Route.STRAIGHT
    }
    for run in _runs(course, ClockName.CLAIM):
        row, start = _began(course, run)
        after = None if any(abs(start - at) <= AT_ONCE for at in spared) else row.after.levels.claim_within
        yield Case(
            course.ref, ClockName.CLAIM, start, min(_ends(run), default=None), row.was.levels.claim_within, after
        )


def _partner(course: Course) -> Iterator[Case]:
    """The warning comes a margin before the partner's own deadline; over means that somebody is warned."""
    for run in _runs(course, ClockName.PARTNER_WARNING):
        row = course.rows[0]
        start = run.started_at or row.trigger_at
        before = run.due_at - start
        after = before + row.was.levels.partner_margin - row.after.levels.partner_margin
        end = min(_ends(run), default=None)
        yield Case(course.ref, ClockName.PARTNER_WARNING, start, end, before, after, _same_way(row))


def _evidence(course: Course) -> Iterator[Case]:
    """Over means that the fallback channel has its turn. Only where the policy names the time, not the channel."""
    for message in course.times.messages:
        if message.out_at is None or message.kind in INSIDE:
            continue
        row = next((one for one in course.rows if one.revision == message.revision), None)
        if row is None:
            continue
        before, after = row.was.levels.evidence_within, row.after.levels.evidence_within
        if before or after:
            known = row.was.told == row.after.told
            yield Case(
                course.ref, ClockName.EVIDENCE, message.out_at, message.receipt_at, before, after, known, row.after.told
            )


def _began(course: Course, run: PastClock) -> tuple[Compared, datetime]:
    """The revision that this clock ran for, and since when. An end is recorded, a start seldom: due less the level."""
    if run.started_at is not None:
        return course.row_at(run.started_at), run.started_at
    for row in reversed(course.rows):
        level = getattr(row.was.levels, run.clock)
        if row.at - AT_ONCE <= run.due_at - level:
            break
    return row, run.due_at - level


def _runs(course: Course, clock: ClockName) -> list[PastClock]:
    return [run for run in course.times.clocks if run.clock == clock.value]


def _ends(run: PastClock) -> list[datetime]:
    return [at for at in (run.met_at, run.stopped_at) if at is not None]


def ended(case: Case, until: datetime) -> Case:
    """The case as it stood at `until`: what came later is not known yet."""
    return replace(case, end=None) if case.end and case.end > until else case
