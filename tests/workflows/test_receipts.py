"""The ERP's receipt early, partial, empty, old, refused or in the same call: confirmed once and only by it."""

from orderack.contracts.activities import ErpAnswer, ErpSubmission
from orderack.contracts.journal import Stage
from orderack.contracts.updates import (
    ChangeRequest,
    Reply,
    ReviewDecision,
    ReviewVerdict,
)
from orderack.domain.assessment import FlagName, Gate
from tests.workflows.beginnings import begin, changed
from tests.workflows.orders import a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import World, a_number, receipt_first, submit


async def test_a_receipt_before_the_order_waits_for_it_and_the_confirmation_is_the_only_message(world: World) -> None:
    order = an_order(a_number(), await world.now())
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    early = await receipt_first(world, order, a_receipt(order, await world.now()))
    assert (await early.status()).stage is Stage.AWAITING_ORDER
    story = await submit(world, order)
    await story.settle()
    assert story.script.kinds() == ["confirmation"]
    assert story.script.submissions == []


async def test_a_partial_receipt_confirms_and_tells_the_backorder_in_the_first_message(world: World) -> None:
    story = await begin(world, gate=Gate.ERP_GATED)
    await story.receipt(a_receipt(story.order, await world.now(), l1="backordered"))
    await story.settle()
    assert story.script.kinds() == ["confirmation"]
    answers = {a.line_id: a.outcome for a in story.script.told[0].request.facts.answers}
    assert answers == {"1": "backorder", "2": "accept"}


async def test_a_receipt_that_says_the_stock_is_gone_becomes_a_review_and_not_a_confirmation(world: World) -> None:
    story = await begin(world)
    await story.receipt(a_receipt(story.order, await world.now(), l1="unavailable"))
    await story.settle()
    status = await story.status()
    assert status.stage is Stage.REVIEW
    assert status.flags[0].name is FlagName.STOCK_GONE
    assert "confirmation" not in story.script.kinds()
    reply = await story.ask("decide_review", ReviewDecision(id="r", verdict=ReviewVerdict.APPROVE, by="ann"), Reply)
    assert reply.accepted
    await story.settle()
    assert story.script.kinds()[-1] == "confirmation"


async def test_a_document_id_without_stock_is_not_a_receipt(world: World) -> None:
    story = await begin(world)
    await story.receipt(a_receipt(story.order, await world.now()).model_copy(update={"lines": ()}))
    await story.settle()
    assert "confirmation" not in story.script.kinds()
    await story.receipt(a_receipt(story.order, await world.now(), id="R2"))
    await story.settle()
    assert story.script.kinds().count("confirmation") == 1


async def test_a_receipt_for_an_old_revision_confirms_nothing(world: World) -> None:
    story = await begin(world)
    await story.settle()
    await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    await story.settle()
    await story.receipt(a_receipt(story.order, await world.now(), revision=1))
    await story.settle()
    assert "confirmation" not in story.script.kinds()
    await story.receipt(a_receipt(story.order, await world.now(), id="R2", revision=2))
    await story.settle()
    assert [(t.key.revision, t.dispatch.kind) for t in story.script.told if t.dispatch.kind == "confirmation"] == [
        (2, "confirmation")
    ]


async def test_an_erp_that_refuses_the_order_brings_a_person_in_and_approval_submits_it_again(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.submit = lambda r: ErpSubmission(answer=ErpAnswer.REFUSED, reason="customer is blocked")
    story = await submit(world, order)
    await story.settle()
    assert (await story.status()).flags[0].name is FlagName.ERP_REFUSED
    script.submit = lambda r: ErpSubmission(answer=ErpAnswer.SUBMITTED)
    await story.ask("decide_review", ReviewDecision(id="r", verdict=ReviewVerdict.APPROVE, by="ann"), Reply)
    await story.settle()
    assert len(script.submissions) == 2


async def test_an_erp_that_answers_in_the_same_call_needs_no_signal(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision(gate=Gate.ERP_GATED))
    receipt = a_receipt(order, await world.now())
    script.submit = lambda r: ErpSubmission(answer=ErpAnswer.SUBMITTED, receipt=receipt)
    story = await submit(world, order)
    await story.settle()
    assert script.kinds() == ["confirmation"]
