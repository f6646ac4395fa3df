"""Updates are requests: each is answered once per id, and refused in words when it cannot be granted."""

from datetime import datetime

from orderack.contracts.activities import Facts
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.updates import (
    AcceptHandoff,
    CancelRequest,
    ChangeRequest,
    Claim,
    ClaimTarget,
    HandoffReply,
    Reply,
    ReviewDecision,
    ReviewVerdict,
    SettleSend,
    SettleVerdict,
    SubmitReply,
    SubmitVerdict,
)
from orderack.domain.acknowledgement import Kind, SendOutcome, SendState
from orderack.domain.assessment import Assessment, FlagName
from orderack.domain.order import Order
from orderack.domain.problem import Problem
from workflows import _doubts, _handoffs
from workflows._clocks import levels
from workflows._owners import close_review, de_escalate, waiting_facts, waiting_for
from workflows._patches import patched
from workflows._state import LegState, OrderState
from workflows._steps import accept_order, new_revision, take_parked, work_gate
from workflows._telling import WAITING, by_key, say, supersede, take_outcome, went_out

RECHECKED = frozenset(
    {FlagName.INCOMPLETE, FlagName.TOTALS_MISMATCH, FlagName.STOCK_GONE, FlagName.ERP_REFUSED, FlagName.PRICE_CHANGED}
)
"""Flags that an amendment is meant to cure: they are looked at again, never waived with it."""

NOT_APPROVABLE = frozenset({FlagName.INCOMPLETE})
"""An incomplete order is amended or asked about; it is never acknowledged as it is (R57)."""


def submit(state: OrderState, parsed: Order | tuple[Problem, ...], now: datetime) -> SubmitReply:
    """The order at the door: accepted, repeated, a change proposal, or invalid. Never raises, never loses it."""
    if isinstance(parsed, tuple):
        return _submit_reply(state, SubmitVerdict.INVALID, "mend the fields named and submit again", parsed)
    if parsed.ref != state.ref:
        problem = Problem(field="number", problem="names another order", remedy=f"submit it under {state.ref}")
        return _submit_reply(state, SubmitVerdict.INVALID, "submit it under its own number", (problem,))
    if state.order is None and not state.ended:
        accept_order(state, parsed, now)
        return _submit_reply(state, SubmitVerdict.ACCEPTED, "it is validated now; the acknowledgement follows")
    if parsed.content_hash in state.hashes:
        state.note(now, Event.ORDER_REPEATED)
        return _submit_reply(state, SubmitVerdict.REPEATED, f"nothing new; it waits for {waiting_for(state)}")
    if state.ended:
        return _submit_reply(state, SubmitVerdict.CLOSED, "the order has ended; submit a new one under a new number")
    reply = change(state, ChangeRequest(id=f"submit/{parsed.content_hash}", order=parsed, by=parsed.source), now)
    return _submit_reply(state, SubmitVerdict.CHANGE_PROPOSED, reply.message)


def _submit_reply(
    state: OrderState, verdict: SubmitVerdict, text: str, problems: tuple[Problem, ...] = ()
) -> SubmitReply:
    due = state.trigger_at + levels(state).acknowledge_within if state.trigger_at else None
    return SubmitReply(
        verdict=verdict,
        store=state.ref.store,
        number=state.ref.number,
        revision=state.revision,
        stage=state.stage,
        next=text,
        acknowledge_by=due,
        problems=problems,
    )


def reply(state: OrderState, accepted: bool, message: str) -> Reply:
    return Reply(accepted=accepted, stage=state.stage, revision=state.revision, message=message)


def change(state: OrderState, request: ChangeRequest, now: datetime) -> Reply:
    """A proposed change: acknowledged at once, the handoff frozen, revision n+1 assessed and confirmed anew."""
    if state.order is None:
        return reply(state, False, "the order itself has not arrived yet: submit it first")
    if state.ended:
        return reply(state, False, f"the order is {state.stage}: a person has to decide; submit a new order")
    if request.order.ref != state.ref:
        return reply(state, False, f"the change names another order than {state.ref}")
    if request.order.content_hash == state.order.content_hash:
        return reply(state, False, "nothing in it differs from the current revision")
    withdrawn_kinds = {*WAITING, Kind.RECEIVED} if state.confirmed_revision else set(WAITING)
    supersede(state, now, withdrawn_kinds)
    state.note(now, Event.CHANGE_PROPOSED, f"by {request.by}")
    latest, offered = state.assessment, state.handoff
    frozen_before = offered is not None and offered.frozen
    new_revision(state, request.order, now)
    if offered and not frozen_before:
        _handoffs.froze(state, now, offered)
    _tell_of_the_change(state, latest, now)
    return reply(state, True, f"revision {state.revision} is being checked; it has its own confirmation")


def _tell_of_the_change(state: OrderState, latest: Assessment | None, now: datetime) -> None:
    """To those whom the last accepted revision was told, by its channels: no change turns its own notice away."""
    accepted = state.accepted
    told = accepted if accepted is latest or patched("change-told-to-the-accepted") else latest
    if told is None or (latest or told).decision.withhold_updates:
        return
    state.assessment = told  # for its channels alone: `say` needs somewhere to send to
    say(state, now, [Kind.CHANGE_RECEIVED], Facts(changed_from=state.confirmed_revision or None))
    state.assessment = None


def cancel(state: OrderState, request: CancelRequest, now: datetime) -> Reply:
    """A cancellation or dispute wins over every confirmation that has not gone out (R173)."""
    if state.ended:
        return reply(state, state.stage is Stage.CANCELLED, f"the order is {state.stage} already")
    state.note(now, Event.CANCEL_REQUESTED, f"by {request.by}{', disputed' if request.dispute else ''}")
    if state.assessment is None and state.accepted and patched("cancelled-unassessed"):
        state.assessment = state.accepted  # nobody has looked at the change that was proposed: it is called off with it
    _withdraw(state, now)
    state.stage, state.ended_at = Stage.CANCELLED, now
    state.cancelled_by, state.cancelled_why = request.by, request.reason
    state.note(now, Event.CANCELLED, owner=request.by)
    _tell_of_the_cancellation(state, now)
    return reply(state, True, "cancelled; the ERP is told, now or when the order reaches it")


def assessed_after_the_end(state: OrderState, assessment: Assessment, now: datetime) -> None:
    """Called off before anybody had looked at it: by now it is known whom to tell, and which ERP may have it."""
    if state.stage is not Stage.CANCELLED or state.assessment is not None:
        return
    state.assessment, state.answers_to = assessment, assessment.decision.answer
    state.note(now, Event.ASSESSED, f"{assessment.decision.rule}: cancelled before")
    _tell_of_the_cancellation(state, now)


def _tell_of_the_cancellation(state: OrderState, now: datetime) -> None:
    if state.assessment is None:
        return  # as soon as it is known by which channels
    take_parked(state, now)
    facts = Facts(reason=state.cancelled_why, document_id=state.erp.document_id)
    if _handoffs.withdraw(state, now, Kind.CANCELLATION, facts):
        return
    say(state, now, [Kind.CANCELLATION], facts)
    if state.handoff:
        say(state, now, [Kind.ALERT], Facts(reason="cancelled: stop the work", owner=state.owner))


def _withdraw(state: OrderState, now: datetime) -> None:
    """Everything not yet out is moot, every running promise falls away, the ERP must forget the order."""
    supersede(state, now, set(Kind) - {Kind.CANCELLATION, Kind.REJECTION})
    if state.review:
        close_review(state, now)
    de_escalate(state, now)
    for clock in state.clocks:
        if clock.open:
            clock.stopped_at = now
    if state.handoff:
        state.handoff.frozen = True
    state.start_clock(ClockName.STAY_OPEN, now, now + levels(state).change_window)
    state.erp.cancel_needed = bool(state.erp.submitted_revision or state.erp.document_id)


def decide_review(state: OrderState, decision: ReviewDecision, now: datetime) -> Reply:
    """A person's word on a flagged order."""
    review = state.review
    if review is None:
        return reply(state, False, f"there is no review open: the order waits for {waiting_for(state)}")
    names = {flag.name for flag in review.flags}
    match decision.verdict:
        case ReviewVerdict.APPROVE if names & NOT_APPROVABLE:
            missing = ", ".join(flag.field or flag.why for flag in review.flags if flag.name in NOT_APPROVABLE)
            return reply(state, False, f"an incomplete order can't be approved ({missing}): amend it, or ask the buyer")
        case ReviewVerdict.AMEND if decision.order is None:
            return reply(state, False, "amend needs the amended order")
        case ReviewVerdict.AMEND if decision.order and decision.order.content_hash == state.hashes[-1]:
            return reply(state, False, "the amended order does not differ from the current revision")
        case ReviewVerdict.ASK if not decision.question.strip():
            return reply(state, False, "ask needs a question for the buyer")
    state.note(now, Event.REVIEW_DECIDED, decision.verdict, owner=decision.by)
    if decision.verdict is ReviewVerdict.ASK:
        return _ask(state, decision, now)
    close_review(state, now)
    if decision.verdict is ReviewVerdict.REJECT:
        return _reject(state, decision, now)
    waived = names if decision.verdict is ReviewVerdict.APPROVE else names - RECHECKED
    state.waived += [name for name in waived if name not in state.waived]
    if decision.verdict is ReviewVerdict.AMEND and decision.order:
        new_revision(state, decision.order, now)
        return reply(state, True, f"amended: revision {state.revision} is being checked")
    if FlagName.ERP_REFUSED in names:
        state.erp.submitted_revision = state.erp.expected_revision = 0
        state.erp.submitted_at = None
    elif _nobody_minds_the_receipt(state) and patched("receipt-overdue-in-review"):
        state.erp.expected_revision = 0
    state.stage = Stage.AWAITING_ERP
    return reply(state, True, f"approved: it waits for {waiting_for(state)}")


def _nobody_minds_the_receipt(state: OrderState) -> bool:
    """The ERP's time ran out while a person was looking: from the approval on it has as much again."""
    expected = state.receipt is None and state.erp.expected_revision == state.revision
    return expected and state.clock(ClockName.ERP_RECEIPT) is None


def _ask(state: OrderState, decision: ReviewDecision, now: datetime) -> Reply:
    if state.review:
        state.review.questions += 1
        state.review.claimed_by = decision.by
        state.meet(ClockName.CLAIM, now)
    facts = waiting_facts(state, "a question about the order").model_copy(update={"question": decision.question})
    say(state, now, [Kind.QUESTION], facts)
    return reply(state, True, "asked; the answer comes as a change of the order, or amend it here")


def _reject(state: OrderState, decision: ReviewDecision, now: datetime) -> Reply:
    _withdraw(state, now)
    state.stage, state.ended_at = Stage.REJECTED, now
    state.note(now, Event.REJECTED, owner=decision.by)
    facts = Facts(reason=decision.note)
    if not _handoffs.withdraw(state, now, Kind.REJECTION, facts):
        say(state, now, [Kind.REJECTION], facts)
    return reply(state, True, "rejected; the buyer is told")


def claim(state: OrderState, request: Claim, now: datetime) -> Reply:
    """Someone takes ownership (R111)."""
    if request.target is ClaimTarget.REVIEW and state.review:
        state.review.claimed_by = request.by
        state.meet(ClockName.CLAIM, now)
    elif request.target is ClaimTarget.ESCALATION and state.escalation:
        state.escalation.owner = request.by
        if state.escalation.in_the_house:
            de_escalate(state, now)  # somebody sees to it, and nothing else would end it
    elif request.target is ClaimTarget.HANDOFF and state.handoff and not state.handoff.frozen:
        state.handoff.claimed_by = request.by
        state.meet(ClockName.CLAIM, now)
    else:
        return reply(state, False, f"there is no {request.target} to claim: the order waits for {waiting_for(state)}")
    state.note(now, Event.CLAIMED, request.target, owner=request.by)
    return reply(state, True, f"{request.by} owns the {request.target}")


def accept_handoff(state: OrderState, request: AcceptHandoff, now: datetime) -> HandoffReply:
    """The team accepts exactly the revision that was confirmed, by its content hash (R119)."""
    why_not = work_gate(state)
    handoff = state.handoff
    if handoff is None or handoff.frozen or state.stage is not Stage.HANDED_OFF:
        answer = reply(state, False, "there is no handoff to accept")
    elif (request.revision, request.content_hash) != (handoff.revision, handoff.content_hash):
        answer = reply(state, False, f"accept revision {handoff.revision} as it was confirmed; you named another")
    elif handoff.accepted_by:
        answer = reply(state, handoff.accepted_by == request.by, f"{handoff.accepted_by} has accepted it")
    else:
        handoff.accepted_by = request.by
        state.meet(ClockName.CLAIM, now)
        state.note(now, Event.HANDOFF_ACCEPTED, owner=request.by)
        answer = reply(state, True, "accepted" if not why_not else f"accepted; work waits: {'; '.join(why_not)}")
    return HandoffReply(**dict(answer), may_begin=answer.accepted and not why_not, why_not=why_not)


def settle_send(state: OrderState, request: SettleSend, now: datetime) -> Reply:
    """A person says what became of a send that nobody could settle."""
    found = by_key(state, request.key)
    if found is None or not _doubts.is_open(state, *found):
        return reply(state, False, "no send with that key is in doubt")
    ack, leg = found
    if leg.state is LegState.REPEATED and request.verdict is not SettleVerdict.SENT:
        return reply(state, False, "it is being said again already: only that it was sent would stop that")
    again = request.verdict is SettleVerdict.SEND_AGAIN
    if again and _doubts.untrue(state, ack) and patched("nothing-untrue-again"):
        return reply(state, False, "a later word, or the order's end, makes it untrue: say whether it was sent")
    _doubts.settled(state, now, ack, leg.channel, request.verdict, owner=request.by)
    match request.verdict:
        case SettleVerdict.SENT:
            went_out(state, now, ack, leg)
        case SettleVerdict.NOT_SENT:
            take_outcome(state, now, ack, leg, SendOutcome(channel=leg.channel, state=SendState.REJECTED))
        case SettleVerdict.SEND_AGAIN:
            leg.state = LegState.SUPERSEDED
            _doubts.say_again(state, now, ack, leg.channels[leg.turn :])
    return reply(state, True, f"settled: {request.verdict}")
