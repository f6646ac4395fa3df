"""What the timeline's entries say about clocks, reviews, handoffs and the ERP: pure, and the same in any order.

Journals arrive twice and out of order, so rows are always made from all the entries there are, never step by step.
The two tables below are the whole mapping; `note` is opaque except where they name it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import AwareDatetime

from orderack.contracts.journal import ClockName, Entry, Event
from orderack.domain.order import Name, Text
from orderack.domain.value import Value

CLOCK_MARKS: Mapping[Event, str] = {
    Event.CLOCK_STARTED: "started_at",
    Event.CLOCK_MET: "met_at",
    Event.CLOCK_BREACHED: "breached_at",
    Event.CLOCK_STOPPED: "stopped_at",
}
"""Clock entries → the deadline's column. A deadline is known by its clock and the time it is due."""

REVISION_MARKS: Mapping[Event, str] = {
    Event.SUBMITTED_TO_ERP: "submitted_to_erp_at",
    Event.ERP_RECEIPT: "erp_receipt_at",
}
"""ERP entries → the revision's column; the first one counts. A receipt's note is the ERP's document id."""

REVIEWS = frozenset({Event.REVIEW_OPENED, Event.REVIEW_DECIDED})
PROJECTED = frozenset({*CLOCK_MARKS, *REVISION_MARKS, *REVIEWS, Event.HANDOFF_ACCEPTED})


class Deadline(Value):
    """One row of `deadlines`."""

    clock: ClockName
    due_at: AwareDatetime
    owner: Name | None
    started_at: AwareDatetime | None = None
    met_at: AwareDatetime | None = None
    breached_at: AwareDatetime | None = None
    stopped_at: AwareDatetime | None = None


class Review(Value):
    """One row of `reviews`: opened, and closed by the next decision."""

    seq: int
    revision: int
    opened_at: AwareDatetime
    owner: Name | None
    why: Text
    decided_at: AwareDatetime | None = None
    decided_by: Name | None = None
    verdict: Text = ""


class ErpTimes(Value):
    """When a revision went to the ERP, and when its receipt came."""

    revision: int
    submitted_to_erp_at: AwareDatetime | None = None
    erp_receipt_at: AwareDatetime | None = None


class Acceptance(Value):
    """A handoff accepted by its team."""

    revision: int
    accepted_at: AwareDatetime
    accepted_by: Name | None


class Projection(Value):
    """Everything the entries say, ready to be stored."""

    deadlines: tuple[Deadline, ...]
    reviews: tuple[Review, ...]
    erp_times: tuple[ErpTimes, ...]
    document_ids: tuple[str, ...]
    acceptances: tuple[Acceptance, ...]


def project(entries: Iterable[Entry]) -> Projection:
    """Read the entries in the order of their seq."""
    told = sorted((entry for entry in entries if entry.event in PROJECTED), key=lambda entry: entry.seq)
    return Projection(
        deadlines=_deadlines(told),
        reviews=_reviews(told),
        erp_times=_erp_times(told),
        document_ids=tuple(dict.fromkeys(e.note for e in told if e.event is Event.ERP_RECEIPT and e.note)),
        acceptances=tuple(
            Acceptance(revision=e.revision, accepted_at=e.at, accepted_by=e.owner)
            for e in told
            if e.event is Event.HANDOFF_ACCEPTED
        ),
    )


def touched(told: Projection, by: Iterable[Entry]) -> Projection:
    """Of all that is told the rows in which these entries have a word: no others change when they are new."""
    by = tuple(by)
    clocks = {(entry.clock, entry.due_at) for entry in by if entry.event in CLOCK_MARKS}
    revisions = {entry.revision for entry in by if entry.event in REVISION_MARKS}
    notes = {entry.note for entry in by if entry.event is Event.ERP_RECEIPT}
    accepted = {entry.revision for entry in by if entry.event is Event.HANDOFF_ACCEPTED}
    return Projection(
        deadlines=tuple(row for row in told.deadlines if (row.clock, row.due_at) in clocks),
        reviews=told.reviews if any(entry.event in REVIEWS for entry in by) else (),
        erp_times=tuple(row for row in told.erp_times if row.revision in revisions),
        document_ids=tuple(id_ for id_ in told.document_ids if id_ in notes),
        acceptances=tuple(row for row in told.acceptances if row.revision in accepted),
    )


def _deadlines(entries: Sequence[Entry]) -> tuple[Deadline, ...]:
    found: dict[tuple[ClockName, datetime], Deadline] = {}
    for entry in entries:
        if entry.event not in CLOCK_MARKS or entry.clock is None or entry.due_at is None:
            continue
        known = found.get((entry.clock, entry.due_at)) or Deadline(
            clock=entry.clock, due_at=entry.due_at, owner=entry.owner
        )
        marks = {CLOCK_MARKS[entry.event]: entry.at, "owner": entry.owner or known.owner}
        found[entry.clock, entry.due_at] = known.model_copy(update=marks)
    return tuple(found.values())


def _reviews(entries: Sequence[Entry]) -> tuple[Review, ...]:
    found: list[Review] = []
    for entry in entries:
        if entry.event is Event.REVIEW_OPENED:
            found.append(
                Review(seq=entry.seq, revision=entry.revision, opened_at=entry.at, owner=entry.owner, why=entry.note)
            )
        elif entry.event is Event.REVIEW_DECIDED and found:
            decided = {"decided_at": entry.at, "decided_by": entry.owner, "verdict": entry.note}
            found[-1] = found[-1].model_copy(update=decided)
    return tuple(found)


def _erp_times(entries: Sequence[Entry]) -> tuple[ErpTimes, ...]:
    found: dict[int, ErpTimes] = {}
    for entry in entries:
        column = REVISION_MARKS.get(entry.event)
        if column is None:
            continue
        known = found.get(entry.revision) or ErpTimes(revision=entry.revision)
        if getattr(known, column) is None:
            found[entry.revision] = known.model_copy(update={column: entry.at})
    return tuple(found.values())
