"""Rules of the state that other rules also cover in a whole story: each on its own here."""

from datetime import UTC, datetime, timedelta

import pytest

from orderack.contracts.activities import Facts
from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import CancelRequest, ChangeRequest, SettleSend, SettleVerdict
from orderack.domain.acknowledgement import Kind, SendOutcome, SendState
from orderack.domain.assessment import ServiceLevels
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from tests.workflows.beginnings import changed
from tests.workflows.orders import a_decision, a_receipt, an_assessment, an_order
from workflows._clocks import next_update
from workflows._doubts import attend, untrue
from workflows._facts import take_evidence
from workflows._owners import escalate
from workflows._requests import cancel, change, settle_send
from workflows._state import Acknowledgement, LegProgress, LegState, OrderState
from workflows._steps import accept_order, assessed, confirm_if_booked, take_receipt
from workflows._telling import say, take_outcome

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def state() -> OrderState:
    """An order accepted and assessed at noon."""
    order = an_order("R-1", NOON)
    made = OrderState(ref=order.ref, started_at=NOON)
    accept_order(made, order, NOON)
    assessed(made, an_assessment(order, 1, a_decision()), NOON)
    return made


def test_the_next_update_keeps_the_two_hourly_grid_and_skips_the_slots_of_an_outage(state: OrderState) -> None:
    first = NOON + timedelta(hours=2)
    assert next_update(state, first, first) == NOON + timedelta(hours=4)
    late = first + timedelta(hours=7, minutes=30)
    assert next_update(state, first, late) == NOON + timedelta(hours=12)


@pytest.mark.parametrize(("late", "then"), [(0, 120), (0.5, 120), (59, 120), (61, 240), (119, 240), (120, 240)])
def test_no_update_follows_a_late_one_within_half_of_the_interval(state: OrderState, late: float, then: float) -> None:
    slot = NOON + timedelta(hours=2)
    assert next_update(state, slot, slot + timedelta(minutes=late)) == slot + timedelta(minutes=then)


@pytest.mark.parametrize("kind", [Kind.RECEIVED, Kind.HOLDING, Kind.REJECTION, Kind.CANCELLATION, Kind.CONFIRMATION])
def test_what_may_be_said_once_is_never_decided_twice(state: OrderState, kind: Kind) -> None:
    state.acknowledgements.clear()
    say(state, NOON, [kind], Facts())
    say(state, NOON, [kind], Facts())
    assert len(state.said(kind)) == 1


def test_a_fact_that_came_before_leaves_no_second_entry(state: OrderState) -> None:
    fact = EvidenceFact(
        id="e-1",
        event=EvidenceEvent.DELIVERED,
        grade=Grade.E2,
        channel="email",
        revision=1,
        kind=Kind.RECEIVED,
        occurred_at=NOON,
    )
    for _ in range(3):
        take_evidence(state, fact, NOON)
    assert [entry.event for entry in state.timeline].count(Event.EVIDENCE) == 1


def test_an_escalation_is_opened_once_with_an_owner_and_two_clocks(state: OrderState) -> None:
    escalate(state, NOON, "late")
    escalate(state, NOON + timedelta(hours=1), "later")
    assert state.escalation is not None
    assert (state.escalation.since, state.escalation.owner) == (NOON, "ops-1")
    assert state.escalation.next_update_at == NOON + timedelta(hours=2)


def test_an_erp_that_names_no_revision_means_the_one_that_it_was_given(state: OrderState) -> None:
    order, later = state.order, NOON + timedelta(minutes=5)
    assert order is not None
    state.erp.submitted_revision, state.erp.submitted_at = 1, NOON
    change(state, ChangeRequest(id="c", order=changed(order)), later)
    assessed(state, an_assessment(changed(order), 2, a_decision()), later)
    take_receipt(state, a_receipt(order, later + timedelta(minutes=1), revision=None), later)
    assert state.receipt is None
    assert state.timeline[-1].note.endswith("for revision 1")
    state.erp.submitted_revision, state.erp.submitted_at = 2, later
    take_receipt(state, a_receipt(order, later + timedelta(minutes=2), id="R2", revision=None), later)
    assert state.receipt is not None


def test_a_second_receipt_changes_nothing_of_the_first(state: OrderState) -> None:
    order = state.order
    assert order is not None
    take_receipt(state, a_receipt(order, NOON), NOON)
    take_receipt(state, a_receipt(order, NOON, id="R2", l1="unavailable"), NOON)
    confirm_if_booked(state, NOON)
    assert state.stage is Stage.CONFIRMED
    assert state.receipt is not None


@pytest.fixture
def in_doubt(state: OrderState) -> OrderState:
    """`holding` may have gone out; it has a next channel."""
    say(state, NOON, [Kind.HOLDING], Facts())
    take_outcome(state, NOON, *_holding(state), SendOutcome(channel="email", state=SendState.UNKNOWN))
    return state


def _holding(state: OrderState) -> tuple[Acknowledgement, LegProgress]:
    (ack,) = state.said(Kind.HOLDING)
    return ack, ack.legs[0]


def _settled(state: OrderState, verdict: SettleVerdict) -> bool:
    key = f"{state.ref}/1/holding/1/email"
    return settle_send(state, SettleSend(id=verdict, key=key, verdict=verdict, by="ann"), NOON).accepted


def test_a_send_in_doubt_that_is_still_true_may_be_sent_again(in_doubt: OrderState) -> None:
    assert _settled(in_doubt, SettleVerdict.SEND_AGAIN)
    assert len(in_doubt.said(Kind.HOLDING)) == 2


@pytest.mark.parametrize("end", [True, False], ids=["cancelled", "confirmed"])
def test_what_has_become_untrue_is_sent_no_more_by_any_channel_whatever_a_person_says(
    in_doubt: OrderState, end: bool
) -> None:
    assert in_doubt.order is not None
    if end:
        cancel(in_doubt, CancelRequest(id="x"), NOON)
    else:
        take_receipt(in_doubt, a_receipt(in_doubt.order, NOON), NOON)
        confirm_if_booked(in_doubt, NOON)
    assert not _settled(in_doubt, SettleVerdict.SEND_AGAIN)
    assert _settled(in_doubt, SettleVerdict.NOT_SENT)
    ack, leg = _holding(in_doubt)
    assert (leg.state, ack.pending) == (LegState.SUPERSEDED, False)


def test_a_question_to_the_buyer_and_an_alert_keep_their_fallback_after_a_later_word(state: OrderState) -> None:
    for kind in (Kind.QUESTION, Kind.ALERT):
        say(state, NOON, [kind], Facts())
    say(state, NOON, [Kind.HOLDING], Facts())
    (question,), (alert,) = state.said(Kind.QUESTION), state.said(Kind.ALERT)
    assert not untrue(state, question)
    assert not untrue(state, alert)
    cancel(state, CancelRequest(id="x"), NOON)
    assert untrue(state, question)


def doubted(since: datetime | None, told: datetime, levels: ServiceLevels | None = None) -> OrderState:
    """An order whose first word by e-mail was in doubt `since` then, of which it is `told` then; not within its minute,
    which would hurry the repeat."""
    order = an_order("R-2", NOON)
    levels = levels or ServiceLevels(acknowledge_within=timedelta(hours=1))
    made = OrderState(ref=order.ref, started_at=NOON)
    accept_order(made, order, NOON)
    assessed(made, an_assessment(order, 1, a_decision(on_doubt={"received": "resend_marked"}, levels=levels)), NOON)
    (ack,) = made.said(Kind.RECEIVED)
    outcome = SendOutcome(channel="email", state=SendState.UNKNOWN, since=since)
    take_outcome(made, told, ack, ack.legs[0], outcome)
    return made


@pytest.mark.parametrize(
    ("since", "told", "due"),
    [(None, 45, 105), (1, 45, 61), (-90, 45, 60), (300, 45, 105), (1, 600, 61)],
    ids=["nobody knows", "at the first attempt", "another clock, behind", "another clock, ahead", "told late"],
)
def test_the_wait_is_counted_from_the_doubt_and_not_from_the_word_of_it(
    since: float | None, told: float, due: float
) -> None:
    at = NOON + timedelta(seconds=since) if since is not None else None
    state = doubted(at, NOON + timedelta(seconds=told))
    (ack,) = state.said(Kind.RECEIVED)
    assert ack.legs[0].again_at == NOON + timedelta(seconds=due)


def test_it_is_said_again_once_however_often_it_is_looked_at() -> None:
    state, later = doubted(NOON, NOON), NOON + timedelta(minutes=2)
    for _ in range(3):
        attend(state, later)
    assert [(ack.n, ack.repeat_of, ack.facts.may_repeat) for ack in state.said(Kind.RECEIVED)] == [
        (1, None, False),
        (2, 1, True),
    ]
    again = OrderState.model_validate_json(state.model_dump_json())
    attend(again, later)
    assert again == state


def test_proof_of_either_ends_the_wait_for_evidence_of_the_other() -> None:
    state, later = doubted(NOON, NOON, ServiceLevels(evidence_within=timedelta(hours=1))), NOON + timedelta(minutes=2)
    attend(state, later)
    first, repeat = state.said(Kind.RECEIVED)
    repeat.legs[0].channels.insert(1, "letter")
    take_outcome(state, later, repeat, repeat.legs[0], SendOutcome(channel="sms", state=SendState.ACCEPTED))
    assert repeat.legs[0].evidence_due_at == later + timedelta(hours=1)
    assert not state.overtaken(first), "its own repeat is no later word"
    fact = EvidenceFact(
        id="e1",
        event=EvidenceEvent.DELIVERED,
        grade=Grade.E2,
        channel="email",
        revision=1,
        kind=Kind.RECEIVED,
        occurred_at=later,
    )
    take_evidence(state, fact, later)
    assert [leg.evidence_due_at for ack in (first, repeat) for leg in ack.legs] == [None, None]
    assert first.legs[0].state is LegState.DONE
