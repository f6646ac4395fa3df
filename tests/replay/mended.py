"""Orders that once went wrong, told once to be recorded; most of them also in the old way (`histories/before`)."""

from collections.abc import Awaitable, Callable, Mapping

from orderack.contracts.updates import (
    CancelRequest,
    ChangeRequest,
    Claim,
    ClaimTarget,
    PaymentChanged,
    Reply,
    ReviewVerdict,
    SettleSend,
    SettleVerdict,
)
from orderack.domain.acknowledgement import SendState
from orderack.domain.assessment import AnswerCall, Assessment, SourceCall
from orderack.domain.order import PaymentStatus
from orderack.domain.source import Answered, AnswerStage, AnswerState
from tests.replay.steps import review
from tests.workflows.beginnings import begin, booked, changed
from tests.workflows.orders import HIGH_VALUE, HOUR, MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, submit


async def cancelled_with_a_change_unassessed(world: World) -> Story:
    story = await begin(world)
    await booked(story)
    assess, story.script.assess = story.script.assess, _away
    await story.ask("change", ChangeRequest(id="c", order=changed(story.order)), Reply)
    await story.settle()
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    story.script.assess = assess
    await story.sleep(MINUTE)
    return story


async def cancelled_before_its_assessment(world: World) -> Story:
    order = an_order(a_number(), await world.now())
    world.script(order.number).assess = _away
    story = await submit(world, order)
    await story.settle()
    await story.receipt(a_receipt(order, await world.now()))
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    story.script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    await story.sleep(MINUTE)
    return story


def _away(request: object) -> Assessment:
    raise RuntimeError("the ledger is down")


async def receipt_of_another_erp(world: World) -> Story:
    story = await begin(world)
    await story.receipt(a_receipt(story.order, await world.now()).model_copy(update={"erp": "netsuite"}))
    await story.settle()
    await booked(story)
    return story


async def changed_before_the_change_was_confirmed(world: World) -> Story:
    story = await begin(world)
    await booked(story)
    for revision, quantity in ((2, 5), (3, 6)):
        request = ChangeRequest(id=f"c{revision}", order=changed(story.order, quantity))
        await story.ask("change", request, Reply)
        await story.settle()
    await booked(story, 3)
    return story


async def approved_after_the_receipt_was_overdue(world: World) -> Story:
    story = await begin(world)
    await story.settle()
    flagged = PaymentChanged(id="p1", status=PaymentStatus.FLAGGED, occurred_at=await world.now())
    await story.handle.signal("payment_changed", flagged)
    await story.sleep(MINUTE * 20)
    await review(story, "r", ReviewVerdict.APPROVE)
    await story.sleep(MINUTE * 20)
    await booked(story)
    return story


async def assessed_too_slowly(world: World) -> Story:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess, script.thinks = (lambda r: an_assessment(r.order, r.revision, a_decision())), 20
    story = await submit(world, order)
    while not script.told:
        await story.settle()
    await booked(story)
    return story


async def holding_in_doubt_and_then_confirmed(world: World) -> Story:
    story = await begin(world)
    story.script.send = lambda d, n: SendState.UNKNOWN if (d.kind, d.n) == ("holding", 1) else SendState.ACCEPTED
    await story.sleep(MINUTE * 20)
    await booked(story)
    key = (await story.status()).unknown_sends[0]
    for id, verdict in (("s1", SettleVerdict.SEND_AGAIN), ("s2", SettleVerdict.NOT_SENT)):
        await story.ask("settle_send", SettleSend(id=id, key=key, verdict=verdict, by="ann"), Reply)
        await story.settle()
    return story


async def confirmed_and_the_partner_out_of_reach(world: World) -> Story:
    now = await world.now()
    order = an_order(a_number(), now, partner_due=now + HOUR)
    call = SourceCall(system="edi", call=AnswerCall.COMMITMENT, stages=tuple(AnswerStage))
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision(answer=call))
    script.answer = lambda r: Answered(state=AnswerState.REFUSED, detail="unknown purchase order")
    story = await submit(world, order)
    await booked(story)
    await story.sleep(HOUR * 6)
    await story.ask("claim", Claim(id="c", target=ClaimTarget.ESCALATION, by="ann"), Reply)
    await story.sleep(HOUR * 3)
    return story


async def receipt_that_names_no_revision(world: World) -> Story:
    story = await begin(world)
    await story.settle()
    looked = story.script.assess
    story.script.assess = lambda r: looked(r).model_copy(update={"flags": () if r.waived else (HIGH_VALUE,)})
    await story.ask("change", ChangeRequest(id="c", order=changed(story.order)), Reply)
    await story.settle()
    await story.receipt(a_receipt(story.order, await world.now(), revision=None))
    await review(story, "r", ReviewVerdict.APPROVE)
    await booked(story, 2)
    return story


MENDED: Mapping[str, Callable[[World], Awaitable[Story]]] = {
    told.__name__: told
    for told in (
        cancelled_with_a_change_unassessed,
        cancelled_before_its_assessment,
        receipt_of_another_erp,
        changed_before_the_change_was_confirmed,
        approved_after_the_receipt_was_overdue,
        assessed_too_slowly,
        holding_in_doubt_and_then_confirmed,
        confirmed_and_the_partner_out_of_reach,
        receipt_that_names_no_revision,
    )
}
