"""What comes twice, late, out of order or half: an order ends as if all had come in order, each word said once."""

from orderack.contracts.activities import ErpAnswer, ErpSubmission, SubmitToErpRequest
from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import CancelRequest, ChangeRequest, PaymentChanged, Reply
from orderack.domain.order import PaymentStatus
from orderack.errors import Unavailable
from tests.workflows.beginnings import begin, booked, changed, confirmed
from tests.workflows.orders import HOUR, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, receipt_first, submit


def confirmed_revisions(story: Story) -> list[int]:
    return [told.key.revision for told in story.script.told if told.dispatch.kind == "confirmation"]


async def test_an_order_that_is_edited_back_to_what_it_was_is_booked_and_confirmed_as_that(world: World) -> None:
    story = await confirmed(world)
    for revision, order in ((2, changed(story.order)), (3, story.order)):
        reply = await story.ask("change", ChangeRequest(id=f"at-{revision}", order=order), Reply)
        assert reply.accepted
        await story.settle()
        await booked(story, revision)
    status = await story.status()
    assert (status.revision, status.confirmed_revision) == (3, 3)
    assert status.content_hash == story.order.content_hash
    assert confirmed_revisions(story) == [1, 2, 3]
    assert [request.revision for request in story.script.submissions] == [1, 2, 3]


async def test_a_change_that_comes_while_the_first_content_is_on_its_way_to_the_erp_is_what_is_confirmed(
    world: World,
) -> None:
    story = await begin(world)
    away = True

    def book(request: SubmitToErpRequest) -> ErpSubmission:
        if away:
            raise Unavailable("the ERP answered 503")
        now = story.order.trigger_at
        receipt = a_receipt(story.order, now, id=f"R{request.revision}", revision=request.revision)
        return ErpSubmission(answer=ErpAnswer.SUBMITTED, document_id=receipt.document_id, receipt=receipt)

    story.script.submit = book
    await story.settle()
    assert (await story.ask("change", ChangeRequest(id="c", order=changed(story.order)), Reply)).accepted
    await story.settle()
    away = False
    await story.sleep(HOUR)
    assert confirmed_revisions(story) == [2]
    assert story.script.submissions[-1].revision == 2
    await story.receipt(a_receipt(story.order, await world.now(), id="R1-again", revision=1))
    await story.settle()
    status = await story.status()
    assert (status.confirmed_revision, status.stage) == (2, Stage.HANDED_OFF)
    assert confirmed_revisions(story) == [2]


async def test_a_payment_that_comes_before_its_order_is_not_forgotten(world: World) -> None:
    now = await world.now()
    order = an_order(a_number(), now)
    pending = order.model_copy(update={"payment": order.payment.model_copy(update={"status": PaymentStatus.PENDING})})
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    story = await receipt_first(world, pending, a_receipt(pending, now))
    paid = PaymentChanged(id="p", status=PaymentStatus.CONFIRMED, occurred_at=now)
    await story.handle.signal("payment_changed", paid)
    await submit(world, pending)
    await story.settle()
    assert (await story.status()).payment is PaymentStatus.CONFIRMED


async def test_a_cancellation_goes_before_a_change_that_comes_after_it(world: World) -> None:
    story = await confirmed(world)
    assert (await story.ask("cancel", CancelRequest(id="x", by="shop"), Reply)).accepted
    late = await story.ask("change", ChangeRequest(id="c", order=changed(story.order)), Reply)
    assert (late.accepted, late.stage) == (False, Stage.CANCELLED)
    await story.settle()
    assert (await story.status()).revision == 1


async def test_what_the_erp_does_not_cancel_any_more_is_a_persons_to_know(world: World) -> None:
    story = await confirmed(world)
    story.script.cancel_answer, story.script.cancel_reason = ErpAnswer.REFUSED, "the goods have left"
    assert (await story.ask("cancel", CancelRequest(id="x", by="shop"), Reply)).accepted
    await story.sleep(HOUR)
    events = story.script.events()
    assert Event.ERP_REFUSED in events
    assert Event.ERP_CANCELLED not in events
    alerts = [told.request.facts.reason for told in story.script.told if told.dispatch.kind == "alert"]
    assert "the ERP refused the cancellation: the goods have left" in alerts
