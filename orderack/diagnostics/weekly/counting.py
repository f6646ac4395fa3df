"""From the orders of one week to its figures: every order is looked at once, and only until the moment given."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from orderack.contracts.journal import ClockName, Event
from orderack.diagnostics.weekly.figures import (
    Changes,
    Confirmed,
    Ends,
    Escalations,
    EvidenceFigures,
    HandoffFigures,
    Promise,
    Reached,
    Receipts,
    ReviewFigures,
    SendFigures,
    Told,
    Verdicts,
    WeekFigures,
)
from orderack.diagnostics.weekly.promises import PROMISES, End
from orderack.diagnostics.weekly.seeing import Seen, seen
from orderack.diagnostics.weekly.statistics import Share, spread
from orderack.diagnostics.weekly.weeks import Week, known_by
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.ports.past_orders import PastReview
from orderack.ports.reliability import Lives, Proved

GRADES = (Grade.E2, Grade.E3P, Grade.E3, Grade.E4, Grade.E5)
ASKED = "ask"
"""The review's verdict that asks the buyer and decides nothing."""


@dataclass(frozen=True)
class Looked:
    """A week's orders as they stood so long after its end."""

    week: Week
    zone: tzinfo
    by: datetime
    orders: Sequence[Seen]
    shadow: int
    without_content: int


def look(week: Week, zone: tzinfo, settled: timedelta, lives: Lives) -> Looked:
    """See `Looked`."""
    by = known_by(week, zone, settled)
    orders = [seen(order, by) for order in lives.orders]
    return Looked(week, zone, by, orders, lives.shadow, lives.without_content)


def count(looked: Looked) -> WeekFigures:
    """The week's figures."""
    week, zone, orders = looked.week, looked.zone, looked.orders
    return WeekFigures(
        week=str(week),
        monday=week.monday,
        since=week.begins(zone),
        until=week.ends(zone),
        known_by=looked.by,
        orders=len(orders),
        shadow=looked.shadow,
        without_content=looked.without_content,
        told=_told(orders),
        held=_share((one.said(Kind.HOLDING) for one in orders), len(orders)),
        receipts=_receipts(orders),
        confirmed=Confirmed(
            orders=_share((bool(one.confirmed_at) for one in orders), len(orders)),
            before_receipt=tuple(str(one.order.ref) for one in orders if one.early),
        ),
        escalations=_escalations(orders, zone),
        promises=_promises(orders),
        reviews=_reviews(orders),
        changes=_changes(orders),
        handoffs=_handoffs(orders),
        sends=SendFigures(
            undeliverable=_orders_with(orders, Event.UNDELIVERABLE),
            in_doubt=sum(one.events[Event.SEND_UNKNOWN] for one in orders),
            doubts_left=sum(one.doubts_left for one in orders),
        ),
        evidence=_evidence(orders),
        ends=_ends(orders),
    )


def _told(orders: Sequence[Seen]) -> Told:
    owed = [one for one in orders if one.owed]
    return Told(
        in_time=_share((one.in_time for one in owed), len(owed)),
        after=spread([_after(one, one.told_at) for one in owed if one.told_at]),
        untold=sum(one.told_at is None for one in owed),
    )


def _receipts(orders: Sequence[Seen]) -> Receipts:
    return Receipts(
        after=spread([_after(one, one.receipt_at[1]) for one in orders if 1 in one.receipt_at]),
        missing=sum(_waits_for_erp(one) for one in orders),
    )


def _ends(orders: Sequence[Seen]) -> Ends:
    return Ends(
        cancelled=_orders_with(orders, Event.CANCELLED),
        rejected=_orders_with(orders, Event.REJECTED),
        disputed=sum(one.disputed for one in orders),
        declined=_orders_with(orders, Event.DECLINED),
        questions=sum(one.events[Event.QUESTION_ASKED] for one in orders),
        unanswered=sum(one.unanswered for one in orders),
    )


def _orders_with(orders: Sequence[Seen], event: Event) -> int:
    return sum(one.events[event] > 0 for one in orders)


def _share(hits: Iterable[bool], of: int) -> Share:
    return Share(hits=sum(hits), of=of)


def _after(one: Seen, at: datetime) -> float:
    """Seconds from the trigger. What a clock that was off puts before it took no time."""
    return max(0.0, (at - one.order.trigger_at).total_seconds())


def _waits_for_erp(one: Seen) -> bool:
    given = any(n.revision == 1 and n.submitted_at and n.submitted_at < one.by for n in one.order.erp)
    return given and 1 not in one.receipt_at and not one.off


def _escalations(orders: Sequence[Seen], zone: tzinfo) -> Escalations:
    begun = same_day = left = concerned = 0
    for one in orders:
        since: datetime | None = None
        entries = one.entries(Event.ESCALATED, Event.DE_ESCALATED)
        concerned += any(entry.event is Event.ESCALATED for entry in entries)
        for entry in entries:
            if entry.event is Event.ESCALATED:
                begun += 1
                since = entry.at  # a second one before the first has ended replaces it, as the workflow has it
            elif since is not None:
                same_day += since.astimezone(zone).date() == entry.at.astimezone(zone).date()
                since = None
        left += since is not None
    return Escalations(
        orders=Share(hits=concerned, of=len(orders)),
        begun=begun,
        same_day=Share(hits=same_day, of=begun),
        left=left,
    )


def _promises(orders: Sequence[Seen]) -> tuple[Promise, ...]:
    ends = Counter((run.clock, run.end) for one in orders for run in one.promises)
    return tuple(
        Promise(
            clock=clock,
            kept=ends[clock, End.KEPT],
            broken=ends[clock, End.BROKEN],
            fell_away=ends[clock, End.FELL_AWAY],
            running=ends[clock, End.RUNNING],
        )
        for clock in PROMISES
        if any(ends[clock, end] for end in End)
    )


def _reviews(orders: Sequence[Seen]) -> ReviewFigures:
    took, verdicts, opened = list[float](), Counter[str](), 0
    for one in orders:
        for first, last in _whole_reviews(one):
            opened += 1
            if last.decided_at is not None and last.decided_at < one.by and last.verdict != ASKED:
                took.append((last.decided_at - first.opened_at).total_seconds())
                verdicts[last.verdict] += 1
    return ReviewFigures(
        opened=opened,
        decided=len(took),
        took=spread(took),
        verdicts=tuple(Verdicts(verdict=name, reviews=many) for name, many in sorted(verdicts.items())),
    )


def _whole_reviews(one: Seen) -> Iterable[tuple[PastReview, PastReview]]:
    """The first row of each review and its last: more flags on an open review are a row of their own."""
    open_: tuple[PastReview, PastReview] | None = None
    for row in one.order.reviews:
        if row.opened_at >= one.by:
            continue
        goes_on = open_ and open_[1].revision == row.revision and _undecided(open_[1], row.opened_at)
        if open_ and not goes_on:
            yield open_
        open_ = (open_[0] if open_ and goes_on else row, row)
    if open_:
        yield open_


def _undecided(row: PastReview, at: datetime) -> bool:
    return row.decided_at is None or row.verdict == ASKED or row.decided_at > at


def _changes(orders: Sequence[Seen]) -> Changes:
    proposed = acknowledged = confirmed = 0
    for one in orders:
        told = {m.revision for m in one.order.messages if m.kind == Kind.CHANGE_RECEIVED and m.out_at < one.by}
        for change in one.entries(Event.CHANGE_PROPOSED):
            becomes = change.revision + 1  # it is noted while the old revision stands
            proposed += 1
            acknowledged += becomes in told
            confirmed += any(revision >= becomes for revision in one.confirmed_at)
    return Changes(
        proposed=proposed,
        acknowledged=Share(hits=acknowledged, of=proposed),
        confirmed=Share(hits=confirmed, of=proposed),
    )


def _handoffs(orders: Sequence[Seen]) -> HandoffFigures:
    took, offered, reassigned = list[float](), 0, 0
    for one in orders:
        for handoff in one.order.handoffs:
            if handoff.offered_at < one.by:
                offered += 1
                if handoff.accepted_at is not None and handoff.accepted_at < one.by:
                    took.append(max(0.0, (handoff.accepted_at - handoff.offered_at).total_seconds()))
        reassigned += _reassigned(one)
    return HandoffFigures(
        offered=offered, accepted=Share(hits=len(took), of=offered), took=spread(took), reassigned=reassigned
    )


def _reassigned(one: Seen) -> int:
    """Handoffs that nobody took: the claim's clock ran out while a handoff, and no review, was open."""
    found, handoff, expired = 0, False, None
    for entry in one.entries(Event.REVIEW_OPENED, Event.HANDED_OFF, Event.CLOCK_BREACHED, Event.REASSIGNED):
        if entry.event in (Event.REVIEW_OPENED, Event.HANDED_OFF):
            handoff = entry.event is Event.HANDED_OFF
        elif entry.event is Event.CLOCK_BREACHED:
            expired = entry.clock
        else:
            found += handoff and expired is ClockName.CLAIM
    return found


def _evidence(orders: Sequence[Seen]) -> EvidenceFigures:
    reached, confirmations = Counter[Grade](), 0
    for one in orders:
        facts = _best(one)
        for message in one.order.messages:
            if message.kind == Kind.CONFIRMATION and message.out_at < one.by:
                confirmations += 1
                best = facts.get((message.revision, message.n))
                reached.update(grade for grade in GRADES if best is not None and best.rank >= grade.rank)
    return EvidenceFigures(
        confirmations=confirmations,
        reached=tuple(Reached(grade=grade, share=Share(hits=reached[grade], of=confirmations)) for grade in GRADES),
    )


def _best(one: Seen) -> Mapping[tuple[int, int], Grade]:
    """The strongest proof of each confirmation. A machine's touch is none; an attested delivery proves an arrival."""
    found: dict[tuple[int, int], Grade] = {}
    for fact in one.order.proofs:
        if fact.kind != Kind.CONFIRMATION or fact.occurred_at >= one.by or fact.grade.rank < Grade.E2.rank:
            continue
        grade, known = _proves(fact), found.get((fact.revision, fact.n))
        if known is None or grade.rank > known.rank:
            found[fact.revision, fact.n] = grade
    return found


def _proves(fact: Proved) -> Grade:
    """See `orderack.domain.proof.proves_reading`."""
    return Grade.E2 if fact.event is EvidenceEvent.DELIVERED else fact.grade
