"""Messages in doubt, rule by rule: two legs of a message, whose evidence counts, and what needs no repeat any more."""

from datetime import UTC, datetime, timedelta

import pytest

from orderack.contracts.activities import Facts, ForTeam, TeamWord
from orderack.contracts.journal import Event
from orderack.contracts.updates import (
    CancelRequest,
    ChangeRequest,
    Reply,
    ReviewDecision,
    ReviewVerdict,
    SettleSend,
    SettleVerdict,
)
from orderack.domain.acknowledgement import Kind, SendOutcome, SendState
from orderack.domain.assessment import ServiceLevels
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from tests.workflows.beginnings import changed
from tests.workflows.orders import HIGH_VALUE, HOUR, MINUTE, a_decision, an_assessment, an_order
from workflows._doubts import attend
from workflows._facts import take_evidence
from workflows._owners import open_review
from workflows._requests import cancel, change, decide_review, settle_send
from workflows._state import Acknowledgement, Handoff, LegState, OrderState
from workflows._steps import accept_order, assessed
from workflows._telling import say, take_outcome, unknown_sends

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=2)
AGAIN = {str(kind): "resend_marked" for kind in Kind}
Legs = tuple[tuple[str, ...], ...]


def told(*legs: tuple[str, ...], levels: ServiceLevels | None = None) -> OrderState:
    """An order at noon whose first word is on its way by these legs; what is in doubt is said again."""
    order = an_order("R-3", NOON)
    made = OrderState(ref=order.ref, started_at=NOON)
    accept_order(made, order, NOON)
    assessed(made, an_assessment(order, 1, a_decision(on_doubt=AGAIN, legs=legs, levels=levels)), NOON)
    return made


def ends(state: OrderState, ack: Acknowledgement, how: SendState, *, leg: int = 0, at: datetime = NOON) -> None:
    of = ack.legs[leg]
    take_outcome(state, at, ack, of, SendOutcome(channel=of.channel, state=how))


def first_word(state: OrderState) -> Acknowledgement:
    return state.said(Kind.RECEIVED)[0]


def repeats(state: OrderState) -> list[Acknowledgement]:
    return state.said(Kind.RECEIVED)[1:]


def doubted(*legs: tuple[str, ...], levels: ServiceLevels | None = None) -> OrderState:
    """Its first leg ended in doubt and was said again two minutes later."""
    state = told(*legs, levels=levels)
    ends(state, first_word(state), SendState.UNKNOWN)
    attend(state, LATER)
    return state


def delivered(n: int, channel: str) -> EvidenceFact:
    return EvidenceFact(
        id=f"{n}/{channel}",
        event=EvidenceEvent.DELIVERED,
        grade=Grade.E2,
        channel=channel,
        revision=1,
        kind=Kind.RECEIVED,
        n=n,
        occurred_at=LATER,
    )


def settled(state: OrderState, key: str, verdict: SettleVerdict) -> Reply:
    return settle_send(state, SettleSend(id=verdict, key=f"{state.ref}/1/{key}", verdict=verdict, by="ann"), LATER)


@pytest.mark.parametrize(
    ("legs", "by"),
    [
        ((("email", "sms"), ("sms",)), [["email"], ["sms"]]),
        ((("email", "sms"), ("viber", "sms")), [["sms", "email"], ["viber"]]),
        ((("email", "sms", "letter"), ("viber", "letter")), [["sms", "letter", "email"], ["viber"]]),
    ],
    ids=["where the other is in doubt", "where its repeat goes", "where its repeat may come to"],
)
def test_two_legs_in_doubt_are_not_both_said_again_by_the_same_channel(legs: Legs, by: list[list[str]]) -> None:
    state = told(*legs)
    for leg in (0, 1):
        ends(state, first_word(state), SendState.UNKNOWN, leg=leg)
    attend(state, LATER)
    assert [repeat.legs[0].channels for repeat in repeats(state)] == by


def test_a_repeat_of_one_leg_does_not_overtake_that_of_another() -> None:
    state = told(("email", "letter"), ("sms", "fax"))
    for leg in (0, 1):
        ends(state, first_word(state), SendState.UNKNOWN, leg=leg)
    attend(state, LATER)
    one, two = repeats(state)
    assert not state.overtaken(one)
    ends(state, one, SendState.REJECTED, at=LATER)
    assert (one.pending, one.legs[0].channel, two.pending) == (True, "email", True)


def test_proof_of_a_repeat_ends_the_wait_for_evidence_of_the_other_leg() -> None:
    state = told(("email",), ("sms", "letter"), levels=ServiceLevels(evidence_within=HOUR))
    ends(state, first_word(state), SendState.UNKNOWN)
    ends(state, first_word(state), SendState.ACCEPTED, leg=1)
    attend(state, LATER)
    (repeat,) = repeats(state)
    ends(state, repeat, SendState.ACCEPTED, at=LATER)
    assert first_word(state).legs[1].evidence_due_at == NOON + HOUR
    take_evidence(state, delivered(2, "email"), LATER)
    assert first_word(state).legs[1].evidence_due_at is None


def test_what_a_repeat_has_brought_is_not_said_again_for_another_leg() -> None:
    state = doubted(("email",), ("sms", "letter"))
    ends(state, first_word(state), SendState.UNKNOWN, leg=1, at=LATER)
    (repeat,) = repeats(state)
    ends(state, repeat, SendState.ACCEPTED, at=LATER)
    take_evidence(state, delivered(2, "email"), LATER)
    attend(state, LATER + MINUTE * 2)
    assert len(repeats(state)) == 1
    assert first_word(state).legs[1].state is LegState.LEFT


def test_a_question_of_a_review_that_has_been_decided_is_not_asked_again() -> None:
    state = told(("email", "sms"))
    open_review(state, NOON, (HIGH_VALUE,))
    decide_review(state, ReviewDecision(id="a", verdict=ReviewVerdict.ASK, question="Which?", by="ann"), NOON)
    (question,) = state.said(Kind.QUESTION)
    ends(state, question, SendState.UNKNOWN)
    decide_review(state, ReviewDecision(id="b", verdict=ReviewVerdict.APPROVE, by="ann"), NOON)
    attend(state, LATER)
    assert state.said(Kind.QUESTION) == [question]
    assert question.legs[0].state is LegState.LEFT


@pytest.mark.parametrize("claimed", [None, "ann"])
def test_an_offer_of_work_is_said_again_only_while_nobody_has_it_in_hand(claimed: str | None) -> None:
    state = told(("email", "sms"))
    offer = ForTeam(word=TeamWord.OFFERED, revision=1, content_hash="abc", team="operations")
    state.handoff = Handoff(revision=1, content_hash="abc", offered_at=NOON, owner="ops-1", claimed_by=claimed)
    say(state, NOON, [Kind.ALERT], Facts(for_team=offer), lasting=True)
    ends(state, state.said(Kind.ALERT)[0], SendState.UNKNOWN)
    attend(state, LATER)
    assert len(state.said(Kind.ALERT)) == (1 if claimed else 2)


def test_an_alert_withdrawn_on_its_way_is_not_said_again() -> None:
    state = told(("email", "sms"))
    say(state, NOON, [Kind.ALERT], Facts(reason="late"))
    (alert,) = state.said(Kind.ALERT)
    cancel(state, CancelRequest(id="x"), NOON)
    ends(state, alert, SendState.UNKNOWN)
    attend(state, LATER)
    assert state.said(Kind.ALERT) == [alert]
    assert alert.legs[0].state is LegState.LEFT


def test_a_repeat_that_every_channel_refuses_leaves_the_doubt_to_a_person() -> None:
    state = doubted(("email",))
    assert unknown_sends(state) == []
    (repeat,) = repeats(state)
    ends(state, repeat, SendState.REJECTED, at=LATER)
    assert unknown_sends(state) == [f"{state.ref}/1/received/1/email"]
    assert [entry.event for entry in state.timeline][-2:] == [Event.UNDELIVERABLE, Event.SEND_UNKNOWN]
    attend(state, LATER + HOUR)
    assert repeats(state) == [repeat], "the policy says it again once"
    assert settled(state, "received/1/email", SettleVerdict.SEND_AGAIN).accepted


def test_a_refused_repeat_of_what_is_over_asks_nobody() -> None:
    state = doubted(("email",))
    cancel(state, CancelRequest(id="x"), LATER)
    (repeat,) = repeats(state)
    ends(state, repeat, SendState.REJECTED, at=LATER)
    assert unknown_sends(state) == []


def test_a_person_s_word_that_it_was_sent_stops_a_repeat_that_has_not_gone_out() -> None:
    state = doubted(("email", "sms"))
    (repeat,) = repeats(state)
    assert not settled(state, "received/1/email", SettleVerdict.SEND_AGAIN).accepted, "it is being said again"
    assert repeat.pending
    assert settled(state, "received/1/email", SettleVerdict.SENT).accepted
    assert not repeat.pending
    assert first_word(state).legs[0].state is LegState.DONE


def test_once_the_repeat_is_out_a_person_s_word_on_the_first_is_refused() -> None:
    state = doubted(("email", "sms"))
    (repeat,) = repeats(state)
    ends(state, repeat, SendState.ACCEPTED, at=LATER)
    assert not settled(state, "received/1/email", SettleVerdict.SENT).accepted


def test_a_late_report_of_the_first_leaves_nobody_to_be_asked_about_its_repeat() -> None:
    state = doubted(("email", "sms"))
    (repeat,) = repeats(state)
    ends(state, repeat, SendState.UNKNOWN, at=LATER)
    assert unknown_sends(state) == [f"{state.ref}/1/received/2/sms"]
    take_evidence(state, delivered(1, "email"), LATER)
    assert unknown_sends(state) == []
    take_evidence(state, delivered(2, "sms"), LATER)
    assert repeat.legs[0].state is LegState.DONE, "its own late report still counts"


def test_a_word_on_an_earlier_revision_s_message_says_which_one_it_means() -> None:
    state = told(("email", "sms"))
    ends(state, first_word(state), SendState.UNKNOWN)
    assert state.order is not None
    change(state, ChangeRequest(id="c", order=changed(state.order)), NOON)
    attend(state, LATER)
    assert settled(state, "received/1/email", SettleVerdict.SENT).accepted
    assert [entry.note for entry in state.timeline if entry.event is Event.SEND_SETTLED] == [
        "received 1 by email: overtaken: it may have been sent (revision 1)",
        "received 1 by email: sent (revision 1)",
    ]
