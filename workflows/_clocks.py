"""Deadlines: pure functions of the state. One loop waits for the earliest of them, so an order costs one timer."""

from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from orderack.contracts.journal import ClockName
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import QuietHours, ServiceLevels
from orderack.domain.evidence import Grade
from orderack.domain.proof import Proof
from workflows._patches import patched
from workflows._state import Acknowledgement, OrderState

TICK = timedelta(seconds=1)
"""What is due within the same second is done in the same step: one timer and one send instead of two."""

OF_HOLDING = 20
"""Where clocks are scaled down, the tick is at most this part of `hold_after`."""

LATE = timedelta(seconds=60)
"""Later than this, a message that was due is recorded as late (its promise broken), and still goes out."""


class Deadline(NamedTuple):
    at: datetime
    name: ClockName


def deadlines(state: OrderState, *, telling: bool) -> list[Deadline]:
    """Everything this order waits for, earliest first.

    `telling`: a message to the buyer is in flight. Its own expiry watches `acknowledge_within` then,
    at no cost, so no timer is spent on it.
    """
    found = [
        Deadline(clock.due_at, clock.name)
        for clock in state.clocks
        if clock.open and not (telling and clock.name is ClockName.ACKNOWLEDGE)
    ]
    if state.escalation and not state.escalation.in_the_house:
        found.append(Deadline(state.escalation.next_update_at, ClockName.UPDATE))
    found += [
        Deadline(leg.evidence_due_at, ClockName.EVIDENCE)
        for ack in state.acknowledgements
        for leg in ack.legs
        if leg.evidence_due_at and not state.overtaken(ack)
    ]
    found += [
        Deadline(leg.again_at, ClockName.DOUBT) for ack in state.acknowledgements for leg in ack.legs if leg.again_at
    ]
    return sorted(found)


def due(state: OrderState, now: datetime, *, telling: bool) -> list[ClockName]:
    """The names of what is due now, earliest first, each once."""
    return list(dict.fromkeys(d.name for d in deadlines(state, telling=telling) if d.at <= now + tick(state)))


def tick(state: OrderState) -> timedelta:
    """How far apart two deadlines may be to be met together."""
    return min(TICK, levels(state).hold_after / OF_HOLDING)


def levels(state: OrderState) -> ServiceLevels:
    """The order's own service levels; the defaults until it is assessed."""
    return state.assessment.decision.levels if state.assessment else ServiceLevels()


def zone(state: OrderState) -> ZoneInfo:
    """The store's time zone; UTC until it is known."""
    return ZoneInfo(state.assessment.decision.time_zone if state.assessment else "UTC")


def resolve_by(state: OrderState, start: datetime) -> datetime:
    """An escalation's deadline: the end of the store's day, never less than four hours on (DESIGN §2)."""
    promised = levels(state)
    if promised.resolve_within is not None:
        return start + promised.resolve_within
    local = start.astimezone(zone(state))
    midnight = datetime.combine(local.date() + timedelta(days=1), time.min, tzinfo=local.tzinfo)
    return max(midnight.astimezone(start.tzinfo), start + promised.resolve_at_least)


def next_update(state: OrderState, previous: datetime, now: datetime) -> datetime:
    """The next slot of the two-hourly grid. Slots missed in an outage are skipped, not burst, and so is one that comes
    before half of the interval is over."""
    every = levels(state).update_every
    missed = max(0, (now + tick(state) - previous) // every)
    slot = previous + (missed + 1) * every
    if slot < now + every / 2 and patched("update-soon-after-a-late-one"):
        slot += every
    quiet = state.assessment.decision.quiet_hours if state.assessment else None
    return after_quiet_hours(slot, quiet, zone(state)) if quiet else slot


def after_quiet_hours(at: datetime, quiet: QuietHours, where: ZoneInfo) -> datetime:
    """The same moment, or the end of the quiet hours it falls in."""
    start, end = time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    local = at.astimezone(where)
    clock = local.time().replace(tzinfo=None)
    quiet_now = start <= clock < end if start <= end else clock >= start or clock < end
    if not quiet_now:
        return at
    day = local.date() + timedelta(days=1 if clock >= end else 0)
    return datetime.combine(day, end, tzinfo=where).astimezone(at.tzinfo)


def enough(grade: Grade | None, proof: Proof, needed: str) -> bool:
    """Whether what is known of a message satisfies the grade needed.

    Up to E2 that is an arrival. More is asked of a person, and an attested arrival (a signed MDN is E6) is no person.
    """
    if Grade(needed).rank > Grade.E2.rank:
        grade = proof.reading.grade if proof.reading else None
    return grade is not None and grade.rank >= Grade(needed).rank


def proved_enough(state: OrderState, ack: Acknowledgement) -> bool:
    """Whether the message's evidence spares it its fallback channel.

    Only a confirmation asks for the buyer's word; of any other message no more than its arrival can be expected.
    """
    needed = Grade(state.assessment.decision.evidence_needed if state.assessment else Grade.E2)
    if ack.kind is not Kind.CONFIRMATION and needed.rank > Grade.E2.rank:
        needed = Grade.E2
    return enough(ack.grade, ack.proof, needed)
