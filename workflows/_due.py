"""What happens when a clock runs out: a table from its name to the step."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import Kind
from workflows import _handoffs
from workflows._clocks import levels
from workflows._owners import (
    partner_breached,
    partner_warning,
    resolve_breached,
    review_overdue,
    send_update,
    unclaimed,
    waiting_facts,
)
from workflows._source import partner_warned
from workflows._state import OrderState
from workflows._steps import budget_spent, erp_overdue, evidence_missing, hold_due, overdue_words
from workflows._telling import say


def handle(state: OrderState, names: Sequence[ClockName], now: datetime) -> None:
    """Do what is due, in order; the receipt that came in the same moment has been taken before."""
    if state.receipt is not None and state.stage is Stage.AWAITING_ERP:
        names = [name for name in names if name not in (ClockName.HOLD, ClockName.UPDATE, ClockName.ERP_BUDGET)]
    escalated_before = state.escalation is not None
    for name in names:
        if name is not ClockName.DOUBT:  # after all else that this moment brings: `_doubts.attend`
            STEPS[name](state, now)
    overdue = ClockName.ERP_RECEIPT in names and state.stage is Stage.AWAITING_ERP
    if ClockName.HOLD in names or overdue:
        overdue_words(state, now, holding=ClockName.HOLD in names, alert=overdue and not escalated_before)


def acknowledge_breached(state: OrderState, now: datetime) -> None:
    """The minute passed without a word accepted by a provider: recorded, the owner is told; the word is still sent."""
    state.breach(ClockName.ACKNOWLEDGE, now)
    say(state, now, [Kind.ALERT], waiting_facts(state, "the buyer was not told within the minute"))


def pass_on(state: OrderState, now: datetime) -> None:
    """What nobody took goes to the next in the rota, who is told."""
    if unclaimed(state, now):
        facts = waiting_facts(state, "nobody claimed it in time: now yours")
        say(state, now, [Kind.ALERT], _handoffs.offered_again(state, facts))


def close(state: OrderState, now: datetime) -> None:
    """The time for changes is over; a handoff that nobody accepted and a question that nobody answered keep it open."""
    state.stop(ClockName.STAY_OPEN, now)
    state.stop(ClockName.ORPHAN, now)
    unaccepted = not state.ended and state.handoff and not state.handoff.accepted_by
    if state.shadow:
        _stop_all(state, now)
    elif unaccepted or state.open_questions:
        state.start_clock(ClockName.STAY_OPEN, now, now + levels(state).change_window)
        if state.open_questions:
            why = f"the buyer still waits for an answer, {len(state.open_questions)} in all"
            say(state, now, [Kind.ALERT], waiting_facts(state, why), lasting=True)
        return
    state.stage, state.ended_at = Stage.CLOSED, now
    state.note(now, Event.CLOSED)


def _stop_all(state: OrderState, now: datetime) -> None:
    """A shadow order that closes may have waited for a person, or for the ERP: those promises fall away."""
    for clock in state.clocks:
        if clock.open:
            clock.stopped_at = now
    state.escalation = state.review = None


def partner_near(state: OrderState, now: datetime) -> None:
    """The partner's own deadline is near: the owner is told, and so is the partner whatever may be said by now."""
    partner_warned(state)
    partner_warning(state, now)


STEPS: Mapping[ClockName, Callable[[OrderState, datetime], None]] = {
    ClockName.ACKNOWLEDGE: acknowledge_breached,
    ClockName.ERP_BUDGET: budget_spent,
    ClockName.HOLD: hold_due,
    ClockName.REVIEW: review_overdue,
    ClockName.ERP_RECEIPT: erp_overdue,
    ClockName.UPDATE: send_update,
    ClockName.RESOLVE: resolve_breached,
    ClockName.CLAIM: pass_on,
    ClockName.PARTNER: partner_breached,
    ClockName.PARTNER_WARNING: partner_near,
    ClockName.EVIDENCE: evidence_missing,
    ClockName.STAY_OPEN: close,
    ClockName.ORPHAN: close,
}
