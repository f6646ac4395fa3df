"""The way that needs nobody: in, booked, confirmed, handed off."""

from datetime import timedelta

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.updates import AcceptHandoff, HandoffReply, SubmitVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Gate
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from tests.workflows.orders import MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, submit


async def begin(world: World, *, gate: Gate = Gate.ACK_GATED, **decision: object) -> Story:
    order = an_order(a_number(), await world.now())
    made = a_decision(gate=gate, **decision)  # type: ignore[arg-type]
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, made)
    return await submit(world, order)


async def test_an_ack_gated_order_says_received_at_once_and_confirms_on_the_erp_receipt(world: World) -> None:
    story = await begin(world)
    assert story.reply
    assert story.reply.verdict is SubmitVerdict.ACCEPTED
    await story.settle()
    assert story.script.kinds() == ["received"]
    await story.sleep(MINUTE * 2)
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    assert story.script.kinds() == ["received", "confirmation"]
    status = await story.status()
    assert (status.stage, status.confirmed_revision, status.erp_document_id) == (
        Stage.HANDED_OFF,
        1,
        f"SO-{story.order.number}-1",
    )
    assert len(story.script.handoffs) == 1


async def test_an_erp_gated_order_is_told_nothing_but_the_confirmation_when_the_erp_answers_in_its_budget(
    world: World,
) -> None:
    story = await begin(world, gate=Gate.ERP_GATED)
    await story.sleep(timedelta(seconds=20))
    assert story.script.kinds() == []
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    assert story.script.kinds() == ["confirmation"]
    await story.sleep(MINUTE * 20)
    assert story.script.kinds() == ["confirmation"]


async def test_an_erp_gated_order_says_received_at_45_seconds_so_that_the_minutes_promise_stands(world: World) -> None:
    story = await begin(world, gate=Gate.ERP_GATED)
    await story.sleep(timedelta(seconds=44))
    assert story.script.kinds() == []
    await story.sleep(timedelta(seconds=3))
    assert story.script.kinds() == ["received"]
    clocks = {c.name: c for c in (await story.status()).clocks}
    assert clocks[ClockName.ACKNOWLEDGE].met_at is not None


async def test_no_confirmation_goes_out_before_the_receipt_whatever_the_gate(world: World) -> None:
    for gate in Gate:
        story = await begin(world, gate=gate)
        await story.sleep(timedelta(hours=30))
        assert Kind.CONFIRMATION not in story.script.kinds()


async def test_the_same_order_twice_is_one_run_and_a_receipt_twice_is_one_confirmation(world: World) -> None:
    story = await begin(world)
    again = await submit(world, story.order)
    assert again.reply == story.reply
    receipt = a_receipt(story.order, await world.now())
    for _ in range(3):
        await story.receipt(receipt)
    await story.settle()
    assert story.script.kinds() == ["received", "confirmation"]
    assert len(story.script.submissions) == 1


async def test_the_team_accepts_the_very_revision_and_work_waits_for_delivery(world: World) -> None:
    story = await begin(world)
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    wrong = AcceptHandoff(id="a1", revision=1, content_hash="other", by="warehouse")
    assert not (await story.ask("accept_handoff", wrong, HandoffReply)).accepted
    right = AcceptHandoff(id="a2", revision=1, content_hash=story.order.content_hash, by="warehouse")
    reply = await story.ask("accept_handoff", right, HandoffReply)
    assert reply.accepted
    assert not reply.may_begin
    delivered = EvidenceFact(
        id="d1",
        event=EvidenceEvent.DELIVERED,
        grade=Grade.E2,
        channel="email",
        revision=1,
        kind=Kind.CONFIRMATION,
        occurred_at=await world.now(),
    )
    await story.handle.signal("evidence", delivered)
    await story.handle.signal("evidence", delivered)
    status = await story.status()
    assert status.work_may_begin
    await story.sleep(timedelta(days=8))
    assert (await story.result()).stage is Stage.CLOSED
    assert story.script.events().count(Event.WORK_MAY_BEGIN) == 1
    assert story.script.events()[-1] is Event.CLOSED
