"""What the buyer asks, and a person's answer to it. The handlers keep it; the loop tells the owner, then the buyer."""

from datetime import datetime

from orderack.contracts.activities import Facts
from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import Answer, BuyerQuestion, Reply
from orderack.domain.acknowledgement import Kind
from workflows._owners import waiting_facts
from workflows._requests import reply
from workflows._state import OrderState, Question
from workflows._telling import say

AT_MOST = 50
"""Open questions of one order; as many answered ones are remembered."""


def ask(state: OrderState, request: BuyerQuestion, now: datetime) -> Reply:
    """Keep the buyer's question for the owner; also of an order that has ended, while its workflow is open."""
    if refusal := _why_not_ask(state, request):
        return reply(state, False, refusal)
    question = Question(id=request.id, at=now, revision=request.revision, via=request.via, text=request.text)
    state.questions.append(question)
    state.note(now, Event.QUESTION_ASKED, f"by {request.via}", owner=state.owner)
    return reply(state, True, "asked: a person answers")


def _why_not_ask(state: OrderState, request: BuyerQuestion) -> str:
    if not request.text.strip():
        return "there is no question in it"
    if state.order is None or not 1 <= request.revision <= state.revision:
        return f"there is no revision {request.revision} of this order"
    if state.stage is Stage.CLOSED or (state.ended and state.assessment is None):
        return f"the order is {state.stage} and nobody has it in hand: use the contact in its messages"
    if len(state.open_questions) >= AT_MOST:
        return f"{AT_MOST} questions wait for their answers already: use the contact in the order's messages"
    return ""


def answer(state: OrderState, request: Answer, now: datetime) -> Reply:
    """Keep a person's answer; it goes to the buyer word for word, below the buyer's own words."""
    question = next((known for known in state.questions if known.id == request.question), None)
    if question is None:
        return reply(state, False, "there is no question with that id; `status` lists them")
    if question.answered_at:
        return reply(state, False, f"{question.answered_by} has answered it")
    if not request.text.strip():
        return reply(state, False, "there is no answer in it")
    question.answer, question.answered_at, question.answered_by = request.text, now, request.by
    state.note(now, Event.QUESTION_ANSWERED, owner=request.by)
    return reply(state, True, "answered: it goes to the buyer word for word")


def speak(state: OrderState, now: datetime) -> None:
    """Tell the owner of each question and the buyer of each answer, as soon as the order's channels are known."""
    if state.assessment is None:
        return
    for question in state.questions:
        if not question.told:
            question.told = True
            say(state, now, [Kind.ALERT], waiting_facts(state, "the buyer asks a question"), lasting=True)
        if question.answered_at and not question.sent:
            question.sent = True
            say(state, now, [Kind.ANSWER], Facts(question=question.text, answer=question.answer), lasting=True)
    _forget_the_oldest(state)


def _forget_the_oldest(state: OrderState) -> None:
    answered = [question for question in state.questions if question.sent]
    for question in answered[:-AT_MOST]:
        state.questions.remove(question)
