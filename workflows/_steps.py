"""The story's steps: accepted, assessed, booked, confirmed, handed off. Each changes the state and nothing else."""

from datetime import datetime

from orderack.contracts import names
from orderack.contracts.activities import ErpAnswer, ErpSubmission, Facts
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import Audience, Kind
from orderack.domain.assessment import Assessment, ErpMode, Flag, FlagName, Gate, Route
from orderack.domain.evidence import Grade, stronger
from orderack.domain.order import Order, PaymentStatus
from orderack.domain.receipt import ErpReceipt
from orderack.domain.response import LineAnswer, Outcome, answer_lines, needs_a_person, priced_otherwise, promise_of
from workflows._clocks import LATE, enough, levels, tick
from workflows._owners import de_escalate, escalate, open_review, rota, turn, waiting_facts
from workflows._patches import patched
from workflows._state import Handoff, OrderState
from workflows._telling import WAITING, may_tell_waiting, say, supersede, withdraw_overtaken

UNCONFIRMED = (Stage.ASSESSING, Stage.REVIEW, Stage.AWAITING_ERP)


def accept_order(state: OrderState, order: Order, now: datetime) -> None:
    """Take the order as revision 1. Clocks run from the trigger stamped at intake, which may lie in the past."""
    state.order, state.revision = order, 1
    state.trigger_at = min(order.trigger_at, now)
    if state.payment_at is None:  # told of the payment before the order came: that is the later word
        state.payment = order.payment.status
    state.hashes.append(order.content_hash)
    state.stage = Stage.ASSESSING
    state.revised_at = now
    state.stop(ClockName.ORPHAN, now)
    state.note(now, Event.ORDER_ACCEPTED, f"from {order.source}")


def new_revision(state: OrderState, order: Order, now: datetime) -> None:
    """The order's content changed: everything known of the old content no longer counts."""
    if state.assessment and state.confirmed_revision in (0, state.revision):
        state.accepted = state.assessment
    state.order, state.revision = order, state.revision + 1
    state.hashes.append(order.content_hash)
    state.assessment, state.receipt, state.revised_at = None, None, now
    state.stage = Stage.ASSESSING
    if state.review:
        state.review = None
        state.stop(ClockName.REVIEW, now)
        state.stop(ClockName.CLAIM, now)
    if state.handoff and not state.handoff.frozen:
        state.handoff.frozen = True
        state.stop(ClockName.CLAIM, now)
        state.note(now, Event.HANDOFF_FROZEN, owner=state.handoff.accepted_by or state.handoff.owner)
    state.stop(ClockName.STAY_OPEN, now)
    state.stop(ClockName.ERP_BUDGET, now)
    state.stop(ClockName.ERP_RECEIPT, now)


def assessed(state: OrderState, assessment: Assessment, now: datetime) -> None:
    """Act on what the assessment found: start the clocks, say `received`, go to review or to the ERP."""
    if assessment.revision != state.revision or state.stage is not Stage.ASSESSING:
        return
    state.assessment = assessment
    decision = assessment.decision
    state.answers_to = decision.answer
    state.note(now, Event.ASSESSED, f"{decision.rule}: {decision.route}, {decision.gate}")
    take_parked(state, now)
    if state.revision == 1:
        _start_order_clocks(state, now)
    _end_the_comparison(state, now)
    found = assessment.flags
    if state.payment is PaymentStatus.FLAGGED and not any(f.name is FlagName.PAYMENT_FLAGGED for f in found):
        found += (Flag(name=FlagName.PAYMENT_FLAGGED, why="the payment was flagged by its provider"),)
    if decision.route is Route.REVIEW and not found:
        found = (Flag(name=FlagName.RULE, why=decision.why or decision.rule),)
    flags = tuple(flag for flag in found if flag.name not in state.waived)
    if flags:
        open_review(state, now, flags)
    else:
        state.stage = Stage.AWAITING_ERP
    _first_words(state, now)


def _end_the_comparison(state: OrderState, now: datetime) -> None:
    """A shadow order is closed when its time for changes is over, whatever it waits for: nobody works on it."""
    if state.shadow and state.clock(ClockName.STAY_OPEN) is None:
        state.start_clock(ClockName.STAY_OPEN, now, now + levels(state).change_window)


def _start_order_clocks(state: OrderState, now: datetime) -> None:
    """The clocks that run from the trigger; a withheld order owes no word within the minute."""
    if state.assessment is None or state.trigger_at is None or state.order is None:
        return
    start, decision, promised = state.trigger_at, state.assessment.decision, levels(state)
    if not decision.withhold_received:
        state.start_clock(ClockName.ACKNOWLEDGE, start, start + promised.acknowledge_within)
    state.start_clock(ClockName.HOLD, start, start + promised.hold_after)
    if partner := state.order.partner_deadline:
        state.start_clock(ClockName.PARTNER_WARNING, start, partner.due_at - promised.partner_margin, partner.partner)
        state.start_clock(ClockName.PARTNER, start, partner.due_at, partner.partner)


def _first_words(state: OrderState, now: datetime) -> None:
    """`received`: at once, within the ERP's budget, or not before a person has looked; never after a receipt."""
    if state.assessment is None or state.revision > 1:
        return
    decision = state.assessment.decision
    hold = state.clock(ClockName.HOLD)
    if decision.withhold_received or state.receipt is not None or (hold and hold.due_at <= now):
        return  # after an outage `holding` is due already and says it all: no burst of two
    if decision.gate is Gate.ACK_GATED or state.stage is Stage.REVIEW:
        say(state, now, [Kind.RECEIVED], Facts())
    elif state.trigger_at is not None:
        state.start_clock(ClockName.ERP_BUDGET, state.trigger_at, state.trigger_at + decision.levels.erp_budget)


def budget_spent(state: OrderState, now: datetime) -> None:
    """The ERP did not answer within its budget: `received` goes out, so that the minute's promise stands."""
    state.stop(ClockName.ERP_BUDGET, now)
    if state.stage in UNCONFIRMED:
        say(state, now, [Kind.RECEIVED], Facts())


def expect_receipt(state: OrderState, now: datetime) -> None:
    """The order is the ERP's turn: its clock starts with the submission (or, when we only wait, with our waiting)."""
    if state.erp.expected_revision < state.revision and state.receipt is None:
        state.erp.expected_revision = state.revision
        state.start_clock(ClockName.ERP_RECEIPT, now, now + levels(state).erp_receipt_within)


def needs_submission(state: OrderState) -> bool:
    """Whether this revision must still be pushed to the ERP."""
    if state.assessment is None or state.stage is not Stage.AWAITING_ERP or state.receipt is not None:
        return False
    decision = state.assessment.decision
    pushes = decision.erp is not None and decision.erp_mode is ErpMode.PUSH
    return pushes and state.erp.submitted_revision < state.revision


def needs_cancelling(state: OrderState) -> bool:
    """Whether the ERP is to be told that the order is off; it can be once it is known which one that is."""
    return state.erp.cancel_needed and not state.erp.cancelled and state.assessment is not None


def submitted(state: OrderState, submission: ErpSubmission, revision: int, now: datetime) -> None:
    """The ERP took the submission, refused it, or booked it on the spot."""
    if submission.document_id:
        state.erp.document_id = submission.document_id
    if state.ended:
        state.erp.cancel_needed = not state.erp.cancelled
        return
    if revision != state.revision:
        return
    if submission.answer is ErpAnswer.REFUSED and state.receipt is None:
        state.stop(ClockName.ERP_RECEIPT, now)
        state.note(now, Event.ERP_REFUSED, submission.reason)
        open_review(state, now, (Flag(name=FlagName.ERP_REFUSED, why=f"the ERP refused it: {submission.reason}"),))
    elif submission.answer is ErpAnswer.KEPT:
        state.note(now, Event.KEPT, "submission to the ERP: the old flow's booking is waited for")
    elif submission.receipt:
        take_receipt(state, submission.receipt, now)
    elif submission.reason:
        state.note(now, Event.ERP_WAITS, submission.reason)


def kept_by_the_erp(state: OrderState, reason: str, now: datetime) -> None:
    """The ERP does not cancel what is called off (it has left, it is invoiced): a person has to know."""
    state.note(now, Event.ERP_REFUSED, f"cancellation: {reason}"[:500])
    say(state, now, [Kind.ALERT], waiting_facts(state, f"the ERP refused the cancellation: {reason}"[:500]))


def take_receipt(state: OrderState, receipt: ErpReceipt, now: datetime) -> None:
    """The ERP's word; kept until it is known which ERP that is."""
    if not state.unassessed:
        _believe(state, receipt, now)
    elif receipt not in state.parked_receipts:
        state.parked_receipts.append(receipt)


def take_parked(state: OrderState, now: datetime) -> None:
    """The receipts that came before it was known which ERP has this order."""
    parked, state.parked_receipts = state.parked_receipts, []
    for receipt in parked:
        _believe(state, receipt, now)


def _believe(state: OrderState, receipt: ErpReceipt, now: datetime) -> None:
    """Idempotent by its id; of an old revision, recorded; after the end, an instruction to undo. Of what it does not
    have, an ERP says nothing: a receipt in another's name confirms nothing, whoever signed it."""
    decided = state.assessment.decision.erp if state.assessment else None
    if decided not in (None, receipt.erp) and patched("receipt-of-another-erp"):
        if not state.saw(f"receipt/{receipt.erp}/{receipt.id}"):
            state.set_aside(
                now, names.SIGNAL_ERP_RECEIPT, f"it is {receipt.erp}'s, and the order is booked in {decided}"
            )
        return
    if state.saw(f"receipt/{receipt.id}"):
        return
    state.erp.document_id = receipt.document_id
    revision = receipt.revision or _revision_meant(state, receipt)
    if state.ended or state.order is None:
        state.erp.cancel_needed = not state.erp.cancelled
        state.note(now, Event.ERP_RECEIPT_STALE, f"{receipt.document_id} after the end: the ERP will be told")
    elif revision != state.revision:
        state.note(now, Event.ERP_RECEIPT_STALE, f"{receipt.document_id} for revision {revision}")
    elif not receipt.answers_for_stock(frozenset(line.line_id for line in state.order.lines)):
        state.note(now, Event.ERP_RECEIPT_STALE, f"{receipt.document_id} without a verdict on every line's stock")
    elif state.receipt is None:
        state.receipt = receipt
        state.note(now, Event.ERP_RECEIPT, receipt.document_id)
        state.meet(ClockName.ERP_RECEIPT, now)
        state.stop(ClockName.ERP_BUDGET, now)


def _revision_meant(state: OrderState, receipt: ErpReceipt) -> int:
    """An ERP that does not know revisions means the last one it was given; booked before that, an older one."""
    if 0 < state.erp.submitted_revision < state.revision and patched("receipt-of-what-was-given"):
        return state.erp.submitted_revision
    given = state.erp.submitted_at if state.erp.submitted_revision == state.revision else state.revised_at
    older = state.revision > 1 and given is not None and receipt.recorded_at < given
    return state.revision - 1 if older else state.revision


def answers(state: OrderState) -> tuple[LineAnswer, ...]:
    """The canonical line response to this revision; empty before the receipt."""
    return answer_lines(state.order, state.receipt) if state.order and state.receipt else ()


def confirm_if_booked(state: OrderState, now: datetime) -> None:
    """Confirm what the ERP has booked, once per revision; a refused line goes to a person first."""
    if state.stage is not Stage.AWAITING_ERP or state.receipt is None or state.assessment is None:
        return
    verdicts = answers(state)
    if flags := _unlike_the_order(state, verdicts):
        open_review(state, now, flags)
        return
    state.stage = Stage.CONFIRMED
    state.note(now, Event.CONFIRMED, state.receipt.document_id)
    state.confirmed_from, state.confirmed_revision, state.confirmed_at = (
        state.confirmed_revision,
        state.revision,
        now,
    )
    state.meet(ClockName.HOLD, now) if now <= _hold_due(state, now) else state.stop(ClockName.HOLD, now)
    de_escalate(state, now)
    supersede(state, now, WAITING | {Kind.ALERT})
    withdraw_overtaken(state, now, {Kind.RECEIVED, Kind.CHANGE_RECEIVED, Kind.CONFIRMATION})
    facts = Facts(
        document_id=state.receipt.document_id,
        answers=verdicts,
        promise_on=promise_of(state.assessment.promise_on, verdicts),
        changed_from=state.confirmed_from or None,
        owner=turn(rota(state), 0),
    )
    say(state, now, [Kind.CONFIRMATION], facts)


def _unlike_the_order(state: OrderState, verdicts: tuple[LineAnswer, ...]) -> tuple[Flag, ...]:
    """What a person has to see before it is confirmed, unless one has."""
    flags = []
    if needs_a_person(verdicts):
        gone = [a.line_id for a in verdicts if a.outcome in (Outcome.REJECT, Outcome.HOLD) or a.rejected]
        flags.append(Flag(name=FlagName.STOCK_GONE, why=f"the ERP has no stock for line {', '.join(gone)}"))
    if priced := priced_otherwise(verdicts):
        lines = ", ".join(a.line_id for a in priced)
        why = f"the ERP booked line {lines} at another price: mend it there, or ask the buyer"
        flags.append(Flag(name=FlagName.PRICE_CHANGED, why=why))
    return tuple(flag for flag in flags if flag.name not in state.waived)


def _hold_due(state: OrderState, now: datetime) -> datetime:
    clock = state.clock(ClockName.HOLD)
    return clock.due_at if clock else now


def hold_due(state: OrderState, now: datetime) -> None:
    """Fifteen minutes and still open: met when `holding` goes out in time, broken when an outage made it late."""
    clock = state.clock(ClockName.HOLD)
    if clock and now > clock.due_at + LATE:
        state.breach(ClockName.HOLD, now)
    state.meet(ClockName.HOLD, now)


def erp_overdue(state: OrderState, now: datetime) -> None:
    """No receipt in time: escalate. The messages' activity asks the ERP first, so nobody is told what is not so."""
    state.breach(ClockName.ERP_RECEIPT, now)
    if state.stage is Stage.AWAITING_ERP:
        escalate(state, now, "the ERP has not confirmed receipt")


def overdue_words(state: OrderState, now: datetime, *, holding: bool, alert: bool) -> None:
    """Holding and alert of the same moment go in one batch: one activity instead of two."""
    kinds = []
    if holding and state.stage in UNCONFIRMED and may_tell_waiting(state):
        withdraw_overtaken(state, now, {Kind.RECEIVED})
        kinds.append(Kind.HOLDING)
    if alert and state.escalation:
        kinds.append(Kind.ALERT)
    say(state, now, kinds, waiting_facts(state, state.escalation.why if state.escalation else "still being checked"))


def confirmation_settled(state: OrderState) -> bool:
    """The confirmation is out, or in doubt, or every channel said no: the team can have the order."""
    acks = state.said(Kind.CONFIRMATION, state.confirmed_revision)
    return not acks or any(a.out_at or not a.pending for a in acks)


def needs_handoff(state: OrderState) -> bool:
    return state.stage is Stage.CONFIRMED and confirmation_settled(state)


def handed_off(state: OrderState, now: datetime) -> None:
    """The confirmed revision was offered to the team; it has half an hour to claim it."""
    if state.order is None or state.stage is not Stage.CONFIRMED:
        return
    if state.shadow:  # the old flow's team has the work: nothing is offered, claimed or closed over it
        state.stage = Stage.HANDED_OFF
        state.note(now, Event.KEPT, f"handoff to {state.assessment.decision.team}" if state.assessment else "handoff")
        return
    owner = handoff_owner(state)
    state.handoff = Handoff(
        revision=state.confirmed_revision,
        content_hash=state.order.content_hash,
        offered_at=now,
        owner=owner,
        team=state.assessment.decision.team if state.assessment else "",
    )
    state.stage = Stage.HANDED_OFF
    state.start_clock(ClockName.CLAIM, now, now + levels(state).claim_within, owner)
    state.start_clock(ClockName.STAY_OPEN, now, now + levels(state).change_window)
    state.note(now, Event.HANDED_OFF, owner=owner)


def handoff_owner(state: OrderState) -> str | None:
    """Whoever has the revision before in hand gets the next one too; else whose turn it is in the team's rota."""
    before, team = state.handoff, state.assessment.decision.team if state.assessment else ""
    known = (before.accepted_by or before.claimed_by) if before and before.team in ("", team) else None
    return known or turn(rota(state), 0)


def work_gate(state: OrderState) -> tuple[str, ...]:
    """Why the team may not begin yet; empty when it may (R9, R22, R82)."""
    if state.assessment is None or not state.confirmed_revision:
        return ("the order is not confirmed",)
    if state.shadow:
        return ("a shadow order: the old flow does the work",)
    decision = state.assessment.decision
    why = []
    if state.confirmed_revision != state.revision or (state.handoff and state.handoff.frozen):
        why.append("a change is being decided")
    if state.payment is not PaymentStatus.CONFIRMED and not decision.work_on_account:
        why.append("the payment is not confirmed")
    if not any(answer.accepted for answer in answers(state)):
        why.append("nothing of it is in stock")
    if declined(state):
        why.append(f"the buyer declined a part of revision {state.revision}")
    if disputed(state):
        why.append(f"the buyer disputes revision {state.revision}")
    needed = Grade.E5 if state.confirmed_from else decision.work_needs
    if not any(enough(ack.grade, ack.proof, needed) for ack in state.said(Kind.CONFIRMATION, state.revision)):
        why.append(f"no evidence of grade {needed} that the buyer has revision {state.revision}")
    return tuple(why)


def declined(state: OrderState) -> bool:
    """Whether the buyer's last word on the current revision's confirmation is no; of two at one moment, the no."""
    proofs = [ack.proof for ack in state.said(Kind.CONFIRMATION, state.revision)]
    said = [(proof.assent.at, proof.assented is False) for proof in proofs if proof.assent]
    return bool(said) and max(said)[1]


def disputed(state: OrderState) -> bool:
    """Whether the current revision's confirmation is disputed, and the buyer has not accepted it since."""
    said = state.said(Kind.CONFIRMATION, state.revision)
    at = max((ack.disputed_at for ack in said if ack.disputed_at), default=None)
    yes = (ack.proof.assent.at for ack in said if ack.proof.assent and ack.proof.assented)
    return at is not None and max(yes, default=at) <= at


def confirmation_grade(state: OrderState) -> Grade | None:
    """The strongest evidence for the current revision's confirmation; an older revision's does not count."""
    grade: Grade | None = None
    for ack in state.said(Kind.CONFIRMATION, state.revision):
        if ack.grade and ack.audience is Audience.BUYER:
            grade = ack.grade if grade is None else stronger(grade, ack.grade)
    return grade


def evidence_missing(state: OrderState, now: datetime) -> None:
    """Out, but no evidence of the grade required in time: the fallback channel's turn, while its words are true."""
    for ack in state.acknowledgements:
        late = [leg for leg in ack.legs if leg.evidence_due_at and leg.evidence_due_at <= now + tick(state)]
        if not late or state.overtaken(ack):
            continue
        by = ", ".join(leg.channel for leg in late)
        state.note(now, Event.EVIDENCE_MISSING, f"{ack.kind} {ack.n} by {by}", clock=ClockName.EVIDENCE)
        for leg in late:
            leg.fall_back()
