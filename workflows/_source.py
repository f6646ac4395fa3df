"""What the system an order came from is answered, and when: each stage of each revision once."""

from datetime import datetime

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import AnswerCall
from orderack.domain.source import Answered, AnswerStage, AnswerState
from workflows._owners import de_escalate, waiting_facts
from workflows._state import OrderState
from workflows._telling import answers_partner, say

PROMISES = frozenset({AnswerStage.RECEIVED, AnswerStage.CONFIRMED})


def answer_due(state: OrderState) -> AnswerStage | None:
    """The stage that its source has yet to hear of, if there is one."""
    call = state.answers_to
    if call is None:
        return None
    stage = _standing(state)
    if stage is None or stage not in call.stages or _key(state, stage) in state.answered:
        return None
    if call.call is AnswerCall.RECEIPT and stage is AnswerStage.CONFIRMED and _has_receipt(state):
        return None  # that we have it, it has heard before, and that is all this call says
    return stage


def _standing(state: OrderState) -> AnswerStage | None:
    match state.stage:
        case Stage.CANCELLED if state.order is None or state.cancelled_by != state.order.source:
            return AnswerStage.CANCELLED
        case Stage.REJECTED:
            return AnswerStage.REJECTED
        case Stage.CONFIRMED | Stage.HANDED_OFF:
            return AnswerStage.CONFIRMED
        case Stage.ASSESSING | Stage.REVIEW | Stage.AWAITING_ERP if state.answer_early:
            return AnswerStage.RECEIVED if not _has_receipt(state) else None
        case _:
            return None


def _has_receipt(state: OrderState) -> bool:
    return any(key.endswith(f"/{AnswerStage.RECEIVED}") for key in state.answered)


def _key(state: OrderState, stage: AnswerStage) -> str:
    return f"{state.standing_revision}/{stage}"


def partner_warned(state: OrderState) -> None:
    """The partner's deadline is near: what may be said without a promise is said now (Walmart's four hours)."""
    if state.answers_to and state.answers_to.call is AnswerCall.RECEIPT:
        state.answer_early = True


def reason(state: OrderState) -> str:
    """Why it was rejected or cancelled, as the buyer was told."""
    said = [ack for ack in state.acknowledgements if ack.kind in (Kind.REJECTION, Kind.CANCELLATION)]
    return said[-1].facts.reason if said else ""


def answered(state: OrderState, revision: int, stage: AnswerStage, answer: Answered, now: datetime) -> None:
    """The partner took it, or refused it: a person has to know of that, whatever the buyer was told."""
    state.answered.append(f"{revision}/{stage}")
    what = f"{state.answers_to.system if state.answers_to else 'source'}: {stage}"
    if answer.state is AnswerState.REFUSED:
        state.note(now, Event.SOURCE_REFUSED, f"{what}, {answer.detail}"[:500])
        say(state, now, [Kind.ALERT], waiting_facts(state, f"{what} was refused: {answer.detail}"[:500]))
        return
    if answer.state is AnswerState.KEPT:
        state.note(now, Event.KEPT, f"answer to {what}")
    else:
        state.note(now, Event.SOURCE_ANSWERED, f"{what} {answer.reference}".strip())
    if answers_partner(state):
        state.meet(ClockName.PARTNER, now)
        state.stop(ClockName.PARTNER_WARNING, now)
        if state.escalation and state.escalation.in_the_house:
            de_escalate(state, now)


def needs_invoice(state: OrderState) -> bool:
    """Whether the ERP is to invoice what was handed off; once per order, whatever changes later."""
    decision = state.assessment.decision if state.assessment else None
    wanted = decision is not None and decision.invoice and decision.erp is not None
    return wanted and state.stage is Stage.HANDED_OFF and bool(state.erp.document_id) and not state.erp.invoiced
