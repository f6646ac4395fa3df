"""Signals are facts: idempotent by their own id, harmless late, twice or out of order."""

from datetime import datetime

from orderack.contracts.activities import Facts
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.updates import PaymentChanged
from orderack.domain.acknowledgement import Kind, Reason, SendOutcome, SendState
from orderack.domain.assessment import Flag, FlagName
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade, stronger
from orderack.domain.order import PaymentStatus
from workflows import _doubts, _handoffs
from workflows._clocks import proved_enough
from workflows._owners import open_review, waiting_facts
from workflows._state import Acknowledgement, LegProgress, LegState, OrderState
from workflows._steps import UNCONFIRMED, declined, work_gate
from workflows._telling import say, take_outcome, went_out

SETTLES = frozenset(EvidenceEvent) - {
    EvidenceEvent.BOUNCED,
    EvidenceEvent.MACHINE_TOUCH,
    EvidenceEvent.OPTED_OUT,
    EvidenceEvent.OPTED_IN,
    EvidenceEvent.UNKNOWN,
}
"""What can only follow a message that went out."""


OVER = (LegState.SUPERSEDED, LegState.EXHAUSTED, LegState.REPEATED)


def take_evidence(state: OrderState, fact: EvidenceFact, now: datetime) -> None:
    """One graded fact about one message: it may settle a send in doubt, raise a grade, or open a fallback."""
    if state.saw(f"evidence/{fact.id}"):
        return
    ack = state.find_ack(fact.kind, fact.revision, fact.n)
    if ack is None:
        state.note(now, Event.EVIDENCE, f"{fact.event} for a message that was not decided here")
        return
    leg = next((leg for leg in ack.legs if fact.channel in leg.channels[: leg.turn + 1]), None)
    if fact.event is EvidenceEvent.BOUNCED:
        _bounced(state, ack, leg, fact, now)
        return
    if leg and leg.state in _doubts.UNPROVED and leg.channel == fact.channel and fact.event in SETTLES:
        _went_out(state, ack, leg, fact, now)
    had_declined, was_closed = declined(state), bool(work_gate(state))
    ack.grade = fact.grade if ack.grade is None else stronger(ack.grade, fact.grade)
    ack.proof = ack.proof.and_(fact)
    if proved_enough(state, ack):
        for said in state.acknowledgements:
            if said.same_word(ack):
                for each in said.legs:
                    each.evidence_due_at = None
    state.note(now, Event.EVIDENCE, f"{ack.kind} {ack.n} by {fact.channel}: {fact.grade}")
    if fact.event is EvidenceEvent.DISPUTED:
        state.disputes += 1
        ack.disputed_at = max(ack.disputed_at or fact.occurred_at, fact.occurred_at)
        why = f"the buyer disputes {fact.kind} {fact.revision}"
        facts = _handoffs.stopping(state, now, waiting_facts(state, why))
        say(state, now, [Kind.ALERT], facts, lasting=True)
    if declined(state) and not had_declined:
        _declined(state, now)
    if was_closed and not work_gate(state):
        state.note(now, Event.WORK_MAY_BEGIN)
        _handoffs.may_begin(state, now)


def _went_out(state: OrderState, ack: Acknowledgement, leg: LegProgress, fact: EvidenceFact, now: datetime) -> None:
    """Its vendor reports what was in doubt: it is settled, and a repeat that has not gone out is called off."""
    if leg.state is LegState.UNKNOWN:  # else it is off the lists already
        _doubts.settled(state, now, ack, fact.channel, fact.event)
    went_out(state, now, ack, leg)


def _declined(state: OrderState, now: datetime) -> None:
    """The buyer's last word on the confirmation became no: the owner hears of it, work waits (`work_gate`)."""
    state.note(now, Event.DECLINED, owner=state.owner)
    if not state.ended:
        why = f"the buyer declined a part of revision {state.revision}: work waits"
        facts = _handoffs.stopping(state, now, waiting_facts(state, why))
        say(state, now, [Kind.ALERT], facts, lasting=True)


def _bounced(
    state: OrderState, ack: Acknowledgement, leg: LegProgress | None, fact: EvidenceFact, now: datetime
) -> None:
    """Accepted and then returned: the fallback's turn, unless better evidence says that it arrived.

    A fetched image is none: what fetches it may stand in front of the mailbox that sends the message back.
    """
    ack.proof = ack.proof.and_(fact)
    arrived = ack.proof.receipt is not None and ack.proof.receipt.grade is not Grade.E3P
    if leg is None or leg.channel != fact.channel or leg.state in OVER or arrived:
        state.note(now, Event.EVIDENCE, f"{ack.kind} {ack.n} by {fact.channel}: bounced")
        return
    outcome = SendOutcome(
        channel=fact.channel, state=SendState.REJECTED, reason=Reason.BAD_RECIPIENT, detail="returned by its carrier"
    )
    take_outcome(state, now, ack, leg, outcome)


def take_payment(state: OrderState, changed: PaymentChanged, now: datetime) -> None:
    """The payment's state, newest by its own time; a flag on an unconfirmed order brings a person in."""
    if state.saw(f"payment/{changed.id}"):
        return
    if state.payment_at and changed.occurred_at < state.payment_at:
        return
    was_closed = bool(work_gate(state))
    state.payment, state.payment_at = changed.status, changed.occurred_at
    state.note(now, Event.PAYMENT_CHANGED, changed.status)
    if changed.status is PaymentStatus.FLAGGED:
        why = "the payment was flagged by its provider"
        if state.stage is Stage.AWAITING_ERP:
            state.stop(ClockName.ERP_BUDGET, now)
            open_review(state, now, (Flag(name=FlagName.PAYMENT_FLAGGED, why=why),))
        elif state.stage not in UNCONFIRMED and not state.ended:
            facts = Facts(reason=why, owner=state.owner, waiting_for="a look at the payment")
            say(state, now, [Kind.ALERT], _handoffs.stopping(state, now, facts))
    elif not was_closed and work_gate(state):
        _handoffs.may_not_go_on(state, now)
    if was_closed and not work_gate(state):
        state.note(now, Event.WORK_MAY_BEGIN)
        _handoffs.may_begin(state, now)
