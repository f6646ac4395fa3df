"""The buyer asks, the owner hears of it, a person answers, and the answer reaches the buyer word for word."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from temporalio.client import WorkflowUpdateFailedError

from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import (
    AcceptHandoff,
    Answer,
    BuyerQuestion,
    CancelRequest,
    HandoffReply,
    Reply,
)
from orderack.domain.acknowledgement import Kind, SendState
from tests.workflows.beginnings import begin, booked, confirmed
from tests.workflows.orders import MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World
from workflows import _view
from workflows._questions import AT_MOST, answer, ask, speak
from workflows._requests import cancel
from workflows._state import OrderState
from workflows._steps import accept_order, assessed, confirm_if_booked, take_receipt
from workflows._telling import pending_batches

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WORDS = "Is the walnut oiled?\nAnd <b>when</b> does it come to 12 Invented Road?"

a_question = partial(BuyerQuestion, revision=1, via="portal", text=WORDS)
an_answer = partial(Answer, text="Yes, with linseed oil.", by="ann")


async def ask_it(story: Story, id: str = "q1") -> Reply:
    reply: Reply = await story.ask("ask", a_question(id=id), Reply)
    await story.settle()
    return reply


async def answer_it(story: Story, id: str = "a1", question: str = "q1") -> Reply:
    reply: Reply = await story.ask("answer", an_answer(id=id, question=question), Reply)
    await story.settle()
    return reply


def alerts(story: Story) -> list[str]:
    return [t.request.facts.reason for t in story.script.told if t.dispatch.kind == "alert"]


async def test_a_question_is_kept_told_to_the_owner_without_its_words_and_answered_word_for_word(world: World) -> None:
    story = await confirmed(world)
    assert (await ask_it(story)).accepted
    (alert,) = [t for t in story.script.told if t.dispatch.kind == "alert"]
    assert (alert.dispatch.recipient_role, alert.request.facts.reason) == ("ops-1", "the buyer asks a question")
    assert "walnut" not in alert.request.model_dump_json()
    (kept,) = (await story.status()).questions
    assert (kept.id, kept.text, kept.via, kept.revision, kept.answered_at) == ("q1", WORDS, "portal", 1, None)

    assert (await answer_it(story)).accepted
    told = story.script.told[-1]
    assert (told.what, told.request.facts.question) == ("answer email", WORDS)
    assert told.request.facts.answer == "Yes, with linseed oil."
    (kept,) = (await story.status()).questions
    assert (kept.answer, kept.answered_by, kept.answered_at is not None) == ("Yes, with linseed oil.", "ann", True)
    entries = [
        e for e in (await story.timeline()).entries if e.event in (Event.QUESTION_ASKED, Event.QUESTION_ANSWERED)
    ]
    assert [(e.note, e.owner) for e in entries] == [("by portal", "ops-1"), ("", "ann")]


async def test_the_same_question_and_the_same_answer_again_change_nothing(world: World) -> None:
    story = await confirmed(world)
    first = await ask_it(story)
    assert await story.handle.execute_update("ask", a_question(id="q1"), id="again", result_type=Reply) == first
    first = await answer_it(story)
    again = an_answer(id="a1", question="q1")
    assert await story.handle.execute_update("answer", again, id="again2", result_type=Reply) == first
    late = await answer_it(story, "a2")
    assert (late.accepted, late.message) == (False, "ann has answered it")
    await story.settle()
    assert len((await story.status()).questions) == 1
    assert len(alerts(story)) == 1
    assert story.script.kinds().count("answer") == 1


async def test_a_cancelled_order_can_still_be_asked_about_and_answered(world: World) -> None:
    story = await confirmed(world)
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    assert (await ask_it(story)).accepted
    assert (await answer_it(story)).accepted
    assert alerts(story)[-1] == "the buyer asks a question"
    assert story.script.kinds()[-2:] == ["cancellation", "answer"]


async def test_an_order_stays_open_while_a_question_of_the_buyer_waits_and_its_owner_is_reminded(world: World) -> None:
    story = await confirmed(world)
    hand = AcceptHandoff(id="h", revision=1, content_hash=story.order.content_hash, by="warehouse")
    assert (await story.ask("accept_handoff", hand, HandoffReply)).accepted
    await ask_it(story)
    await story.sleep(timedelta(days=8))
    assert (await story.status()).stage is Stage.HANDED_OFF
    assert alerts(story) == [
        "the buyer asks a question",
        "the buyer still waits for an answer, 1 in all",
    ]
    assert (await answer_it(story)).accepted
    await story.sleep(timedelta(days=8))
    assert (await story.status()).stage is Stage.CLOSED


async def test_an_answer_on_its_way_survives_a_cancellation_and_an_alert_a_confirmation(world: World) -> None:
    story = await begin(world)
    await story.settle()
    story.script.send = lambda d, n: SendState.CLAIMED if d.kind in ("alert", "answer") else SendState.ACCEPTED
    await ask_it(story)
    await answer_it(story)
    await booked(story)
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    assert alerts(story) == []
    story.script.send = lambda d, n: SendState.ACCEPTED
    await story.sleep(MINUTE * 10)
    assert "the buyer asks a question" in alerts(story)
    assert story.script.kinds().count("answer") == 1


async def test_a_question_while_the_erp_is_awaited_reaches_the_owner_though_the_erp_has_the_order_by_now(
    world: World,
) -> None:
    story = await begin(world)
    await story.settle()
    story.script.found = a_receipt(story.order, await world.now())
    await ask_it(story)
    assert alerts(story) == ["the buyer asks a question"]
    assert story.script.asked == 0


async def test_a_question_that_cannot_be_read_fails_for_its_caller_and_leaves_no_trace(world: World) -> None:
    story = await confirmed(world)
    for update, bad in (("ask", {"id": "q1"}), ("ask", {**a_question(id="q").model_dump(), "text": "x" * 3000})):
        with pytest.raises(WorkflowUpdateFailedError):
            await story.handle.execute_update(update, bad)
    with pytest.raises(WorkflowUpdateFailedError):
        await story.handle.execute_update("answer", "no object")
    assert (await story.status()).questions == ()


# -- the rules, each on its own ---------------------------------------------------------------------------------------


@pytest.fixture
def state() -> OrderState:
    """An order that was accepted and assessed."""
    order = an_order("Q-1", NOON)
    made = OrderState(ref=order.ref, started_at=NOON)
    accept_order(made, order, NOON)
    assessed(made, an_assessment(order, 1, a_decision()), NOON)
    return made


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"text": " \n "}, "there is no question in it"),
        ({"revision": 2}, "there is no revision 2"),
        ({"revision": 0}, "there is no revision 0"),
    ],
)
def test_a_question_is_refused_in_words(state: OrderState, changes: dict[str, object], why: str) -> None:
    said = ask(state, a_question(id="q").model_copy(update=changes), NOON)
    assert not said.accepted
    assert why in said.message
    assert state.questions == []


def test_a_question_before_the_order_and_after_its_close_is_refused(state: OrderState) -> None:
    early = OrderState(ref=state.ref, started_at=NOON)
    assert not ask(early, a_question(id="q"), NOON).accepted
    state.stage = Stage.CLOSED
    assert not ask(state, a_question(id="q"), NOON).accepted


def test_an_order_that_ended_before_anyone_looked_at_it_has_nobody_to_ask() -> None:
    order = an_order("Q-2", NOON)
    state = OrderState(ref=order.ref, started_at=NOON)
    accept_order(state, order, NOON)
    cancel(state, CancelRequest(id="x"), NOON)
    said = ask(state, a_question(id="q"), NOON)
    assert not said.accepted
    assert "use the contact" in said.message


@pytest.mark.parametrize(("question", "text", "why"), [("q9", "Yes.", "no question"), ("q1", " ", "no answer")])
def test_an_answer_is_refused_in_words(state: OrderState, question: str, text: str, why: str) -> None:
    ask(state, a_question(id="q1"), NOON)
    said = answer(state, Answer(id="a", question=question, text=text, by="ann"), NOON)
    assert not said.accepted
    assert why in said.message
    speak(state, NOON)
    assert state.said(Kind.ANSWER) == []


def test_fifty_questions_wait_and_no_more_until_one_is_answered(state: OrderState) -> None:
    for n in range(AT_MOST):
        assert ask(state, a_question(id=f"q{n}"), NOON).accepted
    refused = ask(state, a_question(id="one more"), NOON)
    assert not refused.accepted
    assert str(AT_MOST) in refused.message
    answer(state, an_answer(id="a", question="q7"), NOON)
    assert ask(state, a_question(id="one more"), NOON).accepted


def test_what_was_answered_long_ago_is_forgotten_and_what_is_open_never(state: OrderState) -> None:
    ask(state, a_question(id="open"), NOON)
    for n in range(AT_MOST + 10):
        ask(state, a_question(id=f"q{n}"), NOON)
        answer(state, an_answer(id=f"a{n}", question=f"q{n}"), NOON)
        speak(state, NOON)
    assert [q.id for q in state.questions] == ["open", *(f"q{n}" for n in range(10, AT_MOST + 10))]
    assert len(state.said(Kind.ANSWER)) == AT_MOST + 10


def test_a_question_of_an_order_being_assessed_is_told_and_answered_once_it_is(state: OrderState) -> None:
    found, state.assessment = state.assessment, None
    ask(state, a_question(id="q1"), NOON)
    answer(state, an_answer(id="a1", question="q1"), NOON)
    speak(state, NOON)
    assert (state.said(Kind.ALERT), state.said(Kind.ANSWER)) == ([], [])
    state.assessment = found
    for _ in range(3):
        speak(state, NOON)
    assert (len(state.said(Kind.ALERT)), len(state.said(Kind.ANSWER))) == (1, 1)


def test_the_operators_page_counts_what_waits_for_an_answer_and_repeats_no_word_of_it(state: OrderState) -> None:
    assert "Questions" not in _view.details(state)
    for n in (1, 2):
        ask(state, a_question(id=f"q{n}"), NOON)
    assert "that wait for an answer: 2" in _view.details(state)
    assert "walnut" not in _view.details(state)
    answer(state, an_answer(id="a1", question="q1"), NOON)
    assert "that wait for an answer: 1" in _view.details(state)


def test_a_question_changes_neither_who_is_needed_nor_any_clock(state: OrderState) -> None:
    before = (_view.attention(state), _view.mark(state), [clock.model_dump() for clock in state.clocks])
    ask(state, a_question(id="q1"), NOON + timedelta(minutes=1))
    speak(state, NOON + timedelta(minutes=1))
    assert (_view.attention(state), _view.mark(state), [clock.model_dump() for clock in state.clocks]) == before


def test_a_confirmation_withdraws_alerts_about_waiting_and_not_the_one_about_a_question(state: OrderState) -> None:
    ask(state, a_question(id="q1"), NOON)
    speak(state, NOON)
    order = state.order
    assert order is not None
    take_receipt(state, a_receipt(order, NOON), NOON)
    confirm_if_booked(state, NOON)
    (alert,) = state.said(Kind.ALERT)
    assert alert.pending
    assert alert.batch in pending_batches(state)
