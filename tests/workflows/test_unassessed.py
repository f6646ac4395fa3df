"""What comes while nobody has looked at an order, or at a change of it: nothing is lost, nobody is left out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from orderack.contracts.activities import AssessRequest
from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import CancelRequest, ChangeRequest, Reply
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import AnswerCall, Assessment, SourceCall
from orderack.domain.order import Order
from orderack.domain.source import AnswerStage
from tests.workflows.beginnings import begin, booked, changed, confirmed
from tests.workflows.orders import MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, receipt_first, submit
from workflows._requests import assessed_after_the_end, cancel, change
from workflows._state import OrderState
from workflows._steps import accept_order, assessed, confirm_if_booked, needs_cancelling, take_receipt

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
FEED = SourceCall(system="bigmart", call=AnswerCall.COMMITMENT, stages=tuple(AnswerStage))


class Away:
    """The ledger does not answer, until it is back."""

    def __init__(self, story: Story | None = None) -> None:
        self._then: Callable[[AssessRequest], Assessment] | None = story.script.assess if story else None
        self.back = False

    def __call__(self, request: AssessRequest) -> Assessment:
        if not self.back:
            raise RuntimeError("the ledger is down")
        return self._then(request) if self._then else an_assessment(request.order, request.revision, a_decision())


async def test_an_order_cancelled_with_a_change_unassessed_is_cancelled_in_the_erp_and_its_buyer_told(
    world: World,
) -> None:
    story = await confirmed(world)
    story.script.assess = away = Away(story)
    assert (await story.ask("change", ChangeRequest(id="c", order=changed(story.order)), Reply)).accepted
    await story.settle()
    assert (await story.status()).stage is Stage.ASSESSING
    assert (await story.ask("cancel", CancelRequest(id="x", reason="changed my mind"), Reply)).accepted
    await story.settle()
    assert [told.document_id for told in story.script.cancellations] == [f"SO-{story.order.number}-1"]
    (said,) = [told.request for told in story.script.told if told.dispatch.kind == "cancellation"]
    assert (said.revision, said.facts.reason) == (1, "changed my mind")
    away.back = True
    await story.sleep(MINUTE * 5)
    status = await story.status()
    assert (status.stage, status.revision) == (Stage.CANCELLED, 2)
    assert story.script.kinds().count("cancellation") == 1
    assert len(story.script.cancellations) == 1


async def test_an_order_cancelled_before_its_assessment_is_told_of_once_it_is_known_whom_to_tell(world: World) -> None:
    order = an_order(a_number(), await world.now())
    world.script(order.number).assess = away = Away()
    story = await submit(world, order)
    await story.settle()
    await story.receipt(a_receipt(order, await world.now()))
    assert (await story.ask("cancel", CancelRequest(id="x", reason="changed my mind"), Reply)).accepted
    await story.settle()
    assert story.script.told == []
    away.back = True
    await story.sleep(MINUTE * 5)
    assert story.script.kinds() == ["cancellation"]
    assert story.script.told[0].request.facts.reason == "changed my mind"
    assert [told.document_id for told in story.script.cancellations] == [f"SO-{order.number}-1"]
    assert story.script.submissions == []
    assert (await story.status()).stage is Stage.CANCELLED


async def test_a_receipt_of_another_erp_is_quarantined_and_the_right_one_still_confirms(world: World) -> None:
    story = await begin(world)
    await story.settle()
    strange = a_receipt(story.order, await world.now()).model_copy(update={"erp": "netsuite"})
    for _ in range(2):
        await story.receipt(strange)
    await story.settle()
    status = await story.status()
    assert (status.stage, status.quarantined, status.erp_document_id) == (Stage.AWAITING_ERP, 1, None)
    assert "confirmation" not in story.script.kinds()
    await booked(story)
    assert story.script.kinds().count("confirmation") == 1


async def test_a_receipt_of_another_erp_that_beat_its_order_confirms_nothing_and_hides_no_right_one(
    world: World,
) -> None:
    order = an_order(a_number(), await world.now())
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    right = a_receipt(order, await world.now())
    early = await receipt_first(world, order, right.model_copy(update={"erp": "netsuite", "document_id": "X-1"}))
    await early.receipt(right)
    story = await submit(world, order)
    await story.settle()
    status = await story.status()
    assert (status.quarantined, status.erp_document_id) == (1, right.document_id)
    assert story.script.kinds() == ["confirmation"]


async def test_the_notice_of_a_change_goes_to_those_who_were_told_of_what_stands(world: World) -> None:
    story = await confirmed(world)
    for revision, quantity in ((2, 5), (3, 6)):
        request = ChangeRequest(id=f"c{revision}", order=changed(story.order, quantity))
        assert (await story.ask("change", request, Reply)).accepted
        await story.settle()
    notices = [told.request for told in story.script.told if told.dispatch.kind == "change_received"]
    assert [(notice.revision, notice.contacts_of) for notice in notices] == [(2, 1), (3, 1)]
    await booked(story, 3)
    told = story.script.told[-1]
    assert (told.dispatch.kind, told.request.revision, told.request.contacts_of) == ("confirmation", 3, None)


@pytest.fixture
def order() -> Order:
    return an_order("R-1", NOON)


@pytest.fixture
def state(order: Order) -> OrderState:
    """An order accepted, and not looked at yet."""
    made = OrderState(ref=order.ref, started_at=NOON)
    accept_order(made, order, NOON)
    return made


@pytest.fixture
def stands(state: OrderState, order: Order) -> OrderState:
    """An order that was confirmed, by e-mail."""
    assessed(state, an_assessment(order, 1, a_decision(legs=(("email",),), answer=FEED)), NOON)
    take_receipt(state, a_receipt(order, NOON), NOON)
    confirm_if_booked(state, NOON)
    return state


def test_a_cancellation_beside_a_change_is_about_what_was_accepted(stands: OrderState, order: Order) -> None:
    change(stands, ChangeRequest(id="c", order=changed(order)), LATER)
    cancel(stands, CancelRequest(id="x", reason="no"), LATER)
    (said,) = stands.said(Kind.CANCELLATION)
    assert (said.revision, said.contacts_of, said.facts.reason) == (1, None, "no")
    assert [leg.channels for leg in said.legs] == [["email"]]
    assert needs_cancelling(stands)
    assert (stands.revision, stands.standing_revision) == (2, 1)


def test_a_cancellation_that_nobody_answers_has_its_fallback_though_a_change_was_numbered_after_it(
    stands: OrderState, order: Order
) -> None:
    change(stands, ChangeRequest(id="c", order=changed(order)), LATER)
    cancel(stands, CancelRequest(id="x"), LATER)
    (said,) = stands.said(Kind.CANCELLATION)
    assert not stands.overtaken(said)


def test_an_unassessed_order_is_cancelled_in_no_erp_until_it_is_known_in_which(state: OrderState, order: Order) -> None:
    take_receipt(state, a_receipt(order, NOON), NOON)
    cancel(state, CancelRequest(id="x"), LATER)
    assert not needs_cancelling(state)
    assert state.said(Kind.CANCELLATION) == []
    for _ in range(2):
        assessed_after_the_end(state, an_assessment(order, 1, a_decision()), LATER)
    assert needs_cancelling(state)
    assert len(state.said(Kind.CANCELLATION)) == 1


def test_the_first_assessment_of_a_cancelled_order_makes_it_no_open_one(state: OrderState, order: Order) -> None:
    cancel(state, CancelRequest(id="x"), LATER)
    assessed_after_the_end(state, an_assessment(order, 1, a_decision()), LATER)
    assert state.stage is Stage.CANCELLED
    assert state.said(Kind.RECEIVED) == []


def test_a_receipt_before_the_assessment_is_taken_once_with_it(state: OrderState, order: Order) -> None:
    for _ in range(2):
        take_receipt(state, a_receipt(order, NOON), NOON)
    assert state.receipt is None
    assessed(state, an_assessment(order, 1, a_decision()), LATER)
    assert state.receipt is not None
    assert state.parked_receipts == []
    assert [entry.event for entry in state.timeline].count(Event.ERP_RECEIPT) == 1


def test_an_order_whose_store_names_no_erp_believes_the_one_that_speaks(state: OrderState, order: Order) -> None:
    nameless = a_decision().model_copy(update={"erp": None})
    assessed(state, an_assessment(order, 1, nameless), NOON)
    take_receipt(state, a_receipt(order, NOON), NOON)
    assert state.receipt is not None


def test_the_same_id_of_another_erp_is_another_receipt(stands: OrderState, order: Order) -> None:
    change(stands, ChangeRequest(id="c", order=changed(order)), LATER)
    assessed(stands, an_assessment(changed(order), 2, a_decision()), LATER)
    receipt = a_receipt(changed(order), LATER, id="R2", revision=2)
    take_receipt(stands, receipt.model_copy(update={"erp": "netsuite"}), LATER)
    assert (stands.receipt, len(stands.quarantine)) == (None, 1)
    take_receipt(stands, receipt, LATER)
    assert stands.receipt == receipt


def test_a_change_of_a_change_is_told_to_those_of_the_confirmed_revision_assessed_or_not(
    stands: OrderState, order: Order
) -> None:
    change(stands, ChangeRequest(id="c2", order=changed(order, 5)), LATER)
    change(stands, ChangeRequest(id="c3", order=changed(order, 6)), LATER)
    assessed(stands, an_assessment(changed(order, 6), 3, a_decision(legs=(("sms",),))), LATER)
    change(stands, ChangeRequest(id="c4", order=changed(order, 7)), LATER)
    said = stands.said(Kind.CHANGE_RECEIVED)
    assert [(ack.revision, ack.contacts_of) for ack in said] == [(2, 1), (3, 1), (4, 1)]
    assert {tuple(leg.channels) for ack in said for leg in ack.legs} == {("email",)}


def test_of_an_order_under_fraud_hold_no_change_is_told(state: OrderState, order: Order) -> None:
    assessed(state, an_assessment(order, 1, a_decision(silent=True)), NOON)
    change(state, ChangeRequest(id="c2", order=changed(order, 5)), LATER)
    change(state, ChangeRequest(id="c3", order=changed(order, 6)), LATER)
    assert state.said(Kind.CHANGE_RECEIVED) == []


def test_a_change_that_was_never_confirmed_hands_the_word_to_the_next_assessed_one(
    state: OrderState, order: Order
) -> None:
    for revision, quantity in ((1, 2), (2, 5)):
        assessed(state, an_assessment(changed(order, quantity), revision, a_decision()), LATER)
        change(state, ChangeRequest(id=f"c{revision}", order=changed(order, quantity + 1)), LATER)
    assert [ack.contacts_of for ack in state.said(Kind.CHANGE_RECEIVED)] == [1, 2]
