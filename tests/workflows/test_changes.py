"""Every change is a revision with a confirmation of its own; a cancellation beats whatever has not gone out."""

from datetime import timedelta

from orderack.contracts.activities import ErpAnswer
from orderack.contracts.journal import Stage
from orderack.contracts.updates import (
    CancelRequest,
    ChangeRequest,
    Reply,
    SubmitVerdict,
)
from orderack.domain.acknowledgement import SendState
from orderack.domain.evidence import EvidenceEvent, Grade
from tests.workflows.beginnings import begin, changed, confirmed
from tests.workflows.orders import HIGH_VALUE, HOUR, MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import World, a_number, submit


async def test_every_change_is_a_new_confirmation_and_evidence_for_the_old_one_does_not_count(world: World) -> None:
    story = await confirmed(world)
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    assert (await story.status()).work_may_begin
    reply = await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    assert reply.accepted
    again = await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    assert again == reply
    await story.settle()
    status = await story.status()
    assert status.revision == 2
    assert not status.work_may_begin
    await story.receipt(a_receipt(story.order, await world.now(), id="R2", revision=2))
    await story.settle()
    assert story.script.kinds() == ["received", "confirmation", "change_received", "confirmation"]
    assert story.script.told[-1].request.facts.changed_from == 1
    await story.evidence(EvidenceEvent.AFFIRMED, Grade.E5)
    assert not (await story.status()).work_may_begin
    await story.evidence(EvidenceEvent.AFFIRMED, Grade.E5, revision=2)
    assert (await story.status()).work_may_begin
    assert [h.revision for h in story.script.handoffs] == [1, 2]
    assert [s.revision for s in story.script.submissions] == [1, 2]


async def test_the_same_number_with_another_body_is_a_change_proposal(world: World) -> None:
    story = await confirmed(world)
    second = await submit(world, changed(story.order))
    assert second.reply
    assert second.reply.verdict is SubmitVerdict.CHANGE_PROPOSED
    assert second.reply.revision == 2


async def test_a_cancellation_that_beats_the_receipt_wins_and_the_erp_is_told_when_the_order_lands(
    world: World,
) -> None:
    story = await begin(world)
    await story.settle()
    story.script.cancel_answer = ErpAnswer.NOT_FOUND
    assert (await story.ask("cancel", CancelRequest(id="x", reason="changed my mind"), Reply)).accepted
    await story.settle()
    assert story.script.kinds() == ["received", "cancellation"]
    assert len(story.script.cancellations) == 1
    story.script.cancel_answer = ErpAnswer.SUBMITTED
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    assert [c.document_id for c in story.script.cancellations] == [None, f"SO-{story.order.number}-1"]
    await story.sleep(HOUR * 30)
    assert story.script.kinds() == ["received", "cancellation"]
    await story.sleep(timedelta(days=8))
    assert (await story.result()).stage is Stage.CLOSED


async def test_after_a_cancellation_nothing_goes_out_but_the_cancellation(world: World) -> None:
    story = await begin(world, flags=(HIGH_VALUE,))
    await story.settle()
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.sleep(HOUR * 9)
    assert [k for k in story.script.kinds() if k != "received"] == ["cancellation"]


async def test_a_message_that_a_cancellation_made_untrue_never_goes_out_and_no_entry_is_lost(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.CLAIMED if d.kind in ("holding", "alert") else SendState.ACCEPTED
    story = await submit(world, order)
    await story.sleep(MINUTE * 16)
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    script.send = lambda d, n: SendState.ACCEPTED
    await story.sleep(timedelta(days=8))
    assert (await story.result()).stage is Stage.CLOSED
    assert script.kinds() == ["received", "cancellation"]
    assert sorted(script.entries) == list(range(1, len(script.entries) + 1))
