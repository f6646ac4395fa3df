"""What others see of an order: the status query, and the operator's page in the Temporal UI."""

from orderack.contracts.journal import ClockName, Stage
from orderack.contracts.queries import AcknowledgementStatus, ClockStatus, OrderStatus, QuestionStatus, SendStatus
from orderack.contracts.search_attributes import OPEN, SHADOW
from orderack.domain.acknowledgement import Audience, SendOutcome, SendState
from orderack.domain.assessment import Side
from orderack.domain.claims import claim
from orderack.domain.response import promise_of
from workflows._clocks import deadlines, zone
from workflows._owners import waiting_for
from workflows._state import Acknowledgement, LegProgress, LegState, OrderState
from workflows._steps import answers, confirmation_grade, declined, work_gate
from workflows._telling import unknown_sends

SEND_STATES = {
    LegState.PENDING: SendState.CLAIMED,
    LegState.DONE: SendState.ACCEPTED,
    LegState.UNKNOWN: SendState.UNKNOWN,
    LegState.EXHAUSTED: SendState.REJECTED,
}

TITLES = {
    Stage.AWAITING_ORDER: "ERP receipt here, order not yet",
    Stage.ASSESSING: "Being assessed",
    Stage.REVIEW: "In review: a person decides",
    Stage.AWAITING_ERP: "Waiting for the ERP",
    Stage.CONFIRMED: "Confirmed",
    Stage.HANDED_OFF: "Confirmed and handed to the team",
    Stage.CANCELLED: "Cancelled",
    Stage.REJECTED: "Rejected",
    Stage.CLOSED: "Closed",
}

UNMARKED = f"{OPEN}/"
"""What the search attributes given at the start say: nobody is needed, nothing is contested."""

AT_EXPIRY = {
    ClockName.ACKNOWLEDGE: "the minute's promise to the buyer is broken",
    ClockName.ERP_BUDGET: "“received” goes to the buyer",
    ClockName.HOLD: "the holding message goes to the buyer",
    ClockName.REVIEW: "the review goes to the next reviewer and the order is escalated",
    ClockName.ERP_RECEIPT: "the ERP is asked, and if it has nothing the order is escalated",
    ClockName.UPDATE: "the buyer gets the next update",
    ClockName.RESOLVE: "the escalation goes to the next in the rota",
    ClockName.CLAIM: "it is reassigned to the next in the rota",
    ClockName.PARTNER: "the partner's deadline is broken",
    ClockName.PARTNER_WARNING: "the owner is warned of the partner's deadline",
    ClockName.EVIDENCE: "the fallback channel is used",
    ClockName.STAY_OPEN: "the order is closed",
    ClockName.ORPHAN: "the receipt without an order is closed",
    ClockName.DOUBT: "the message in doubt is said again, marked as a possible repeat",
}


def status(state: OrderState) -> OrderStatus:
    """The whole standing of the order, without the buyer's data."""
    upcoming = deadlines(state, telling=False)
    decision = state.assessment.decision if state.assessment else None
    why_not = work_gate(state)
    return OrderStatus(
        ref=state.ref,
        stage=state.stage,
        revision=state.revision,
        content_hash=state.order.content_hash if state.order else None,
        received_at=state.trigger_at,
        confirmed_revision=state.confirmed_revision or None,
        confirmed_at=state.confirmed_at,
        erp_document_id=state.erp.document_id,
        gate=decision.gate if decision else None,
        rule=decision.rule if decision else None,
        policy_version=decision.policy_version if decision else None,
        payment=state.payment,
        promise_on=promise_of(state.assessment.promise_on, answers(state)) if state.assessment else None,
        escalated=state.escalation is not None,
        owner=state.owner,
        flags=tuple(state.review.flags) if state.review else (),
        answers=answers(state),
        acknowledgements=tuple(_acknowledgement(state, ack) for ack in state.acknowledgements),
        clocks=tuple(ClockStatus(**dict(clock)) for clock in state.clocks),
        waiting_for=waiting_for(state),
        next_due_at=upcoming[0].at if upcoming else None,
        next_clock=upcoming[0].name if upcoming else None,
        unknown_sends=tuple(unknown_sends(state)),
        quarantined=len(state.quarantine),
        work_may_begin=not why_not,
        work_why_not=why_not,
        handoff_owner=(state.handoff.claimed_by or state.handoff.owner) if state.handoff else None,
        handoff_accepted_by=state.handoff.accepted_by if state.handoff else None,
        questions=tuple(QuestionStatus.model_validate(dict(question)) for question in state.questions),
        side=Side.SHADOW if state.shadow else Side.LIVE,
    )


def _acknowledgement(state: OrderState, ack: Acknowledgement) -> AcknowledgementStatus:
    return AcknowledgementStatus(
        kind=ack.kind,
        revision=ack.revision,
        n=ack.n,
        decided_at=ack.decided_at,
        out_at=ack.out_at,
        grade=ack.grade,
        proof=ack.proof,
        sends=tuple(_sends(state, ack)),
        repeat_of=ack.repeat_of,
    )


def _sends(state: OrderState, ack: Acknowledgement) -> list[SendStatus]:
    found = []
    for leg in ack.legs:
        ended = [_ended_send(state, ack, outcome) for outcome in leg.outcomes]
        if leg.again_at:
            ended[-1] = ended[-1].model_copy(update={"repeat_due_at": leg.again_at})
        found += ended
        if leg.state is LegState.PENDING:
            found.append(_waiting_send(state, ack, leg))
    return found


def _ended_send(state: OrderState, ack: Acknowledgement, o: SendOutcome) -> SendStatus:
    return SendStatus(key=str(ack.key(state.ref, o.channel)), channel=o.channel, state=o.state, detail=_why(o.reason))


def _waiting_send(state: OrderState, ack: Acknowledgement, leg: LegProgress) -> SendStatus:
    return SendStatus(key=str(ack.key(state.ref, leg.channel)), channel=leg.channel, state=SEND_STATES[leg.state])


def _why(reason: object) -> str:
    return str(reason) if reason else ""


def attention(state: OrderState) -> str:
    """The stage as the search attribute shows it: `open` while nobody is needed; a shadow order's never a live one's,
    so that no list of live work has it."""
    found = _attention(state)
    return found if not state.shadow else SHADOW if found == OPEN else f"{SHADOW}_{found}"


def _attention(state: OrderState) -> str:
    if state.stage in (Stage.REVIEW, Stage.CANCELLED, Stage.REJECTED):
        return state.stage
    return "escalated" if state.escalation else OPEN


def mark(state: OrderState) -> str:
    """What the search attributes are written for: who is needed, and the buyer's no to what was said."""
    contested = [f"/{state.disputes} disputes"] if state.disputes else []
    contested += ["/declined"] if declined(state) else []
    return f"{attention(state)}/{state.owner if state.escalation or state.review else ''}{''.join(contested)}"


def evidence(state: OrderState) -> str:
    """The grade of the current confirmation, else of the last message to the buyer; empty while there is none."""
    said = [ack for ack in state.acknowledgements if ack.audience is Audience.BUYER]
    grade = confirmation_grade(state) or (said[-1].grade if said else None)
    return grade or ""


def details(state: OrderState) -> str:
    """The operator's page in plain words (Markdown): stage, what it waits for and until when, owner, last message."""
    shadow = ["**SHADOW RUN: nothing of this order goes out; the old flow tells the buyer.**", ""]
    lines = [*(shadow if state.shadow else ()), f"**{_title(state)}**", "", f"Waits for {waiting_for(state)}."]
    upcoming = deadlines(state, telling=False)
    if upcoming:
        at = upcoming[0].at.astimezone(zone(state))
        lines.append(f"Until **{at:%a %d %b %H:%M:%S %Z}**; then {AT_EXPIRY[upcoming[0].name]}.")
    lines += ["", f"- Owner: {state.owner or 'nobody needed'}"]
    if state.escalation:
        lines.append(f"- Escalated: {state.escalation.why}; {state.escalation.updates} updates sent")
    if state.review:
        lines += [f"- Flag: {flag.name}: {flag.why}" for flag in state.review.flags]
    lines.append(f"- Last message: {_last_message(state)}")
    if state.erp.document_id:
        lines.append(f"- ERP document: {state.erp.document_id}")
    if state.stage in (Stage.CONFIRMED, Stage.HANDED_OFF):
        lines.append(f"- Work: {'; '.join(work_gate(state)) or 'may begin'}")
    if waiting := len(state.open_questions):
        lines.append(f"- **Questions of the buyer's that wait for an answer: {waiting}**")
    lines += _in_doubt(state)
    lines += [f"- **Quarantined:** {q.what}: {q.why}" for q in state.quarantine[-3:]]
    lines += ["", *_breaches(state)]
    return "\n".join(lines)


def _in_doubt(state: OrderState) -> list[str]:
    due = {
        str(ack.key(state.ref, leg.channel)): leg.again_at.astimezone(zone(state))
        for ack in state.acknowledgements
        for leg in ack.legs
        if leg.again_at
    }
    return [
        f"- In doubt, said again at {due[key]:%H:%M:%S %Z}: `{key}`"
        if key in due
        else f"- **In doubt, needs a person:** `{key}`"
        for key in unknown_sends(state)
    ]


def _title(state: OrderState) -> str:
    return f"{TITLES[state.stage]}{', escalated' if state.escalation else ''} (revision {state.revision})"


def _last_message(state: OrderState) -> str:
    said = [ack for ack in state.acknowledgements if ack.audience is Audience.BUYER]
    if not said:
        return "none yet"
    return claim(_acknowledgement(state, said[-1]), zone(state))


def _breaches(state: OrderState) -> list[str]:
    return [f"- Broken: {clock.name}, due {clock.due_at:%d %b %H:%M %Z}" for clock in state.clocks if clock.breached_at]
