"""Refused, in doubt, out of reach, returned: each message once, by the channel whose turn it is."""

from collections import Counter

from orderack.contracts import names
from orderack.contracts.journal import Event
from orderack.contracts.updates import (
    Reply,
    SettleSend,
    SettleVerdict,
)
from orderack.domain.acknowledgement import SendState
from orderack.domain.evidence import EvidenceEvent, Grade
from tests.workflows.beginnings import confirmed
from tests.workflows.orders import HOUR, MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, submit


async def test_a_refused_channel_opens_its_fallback_and_an_exhausted_leg_is_undeliverable(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision(legs=(("email", "sms"), ("portal",))))
    script.send = lambda d, n: SendState.REJECTED if d.channel == "email" else SendState.ACCEPTED
    story = await submit(world, order)
    await story.settle()
    assert [t.what for t in script.told] == ["received portal", "received sms"]

    nobody = an_order(a_number(), await world.now())
    world.script(nobody.number).assess = script.assess
    world.script(nobody.number).send = lambda d, n: SendState.REJECTED
    lost = await submit(world, nobody)
    await lost.settle()
    timeline = await lost.handle.query("timeline")
    assert any(entry["event"] == "undeliverable" for entry in timeline["entries"])


async def test_a_paused_channel_gives_its_fallback_the_turn_at_once(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision(legs=(("email", "sms"), ("portal",))))
    script.send = lambda d, n: SendState.UNAVAILABLE if d.channel == "email" else SendState.ACCEPTED
    story = await submit(world, order)
    await story.settle()
    assert [t.what for t in script.told] == ["received portal", "received sms"]
    assert max(story.minutes("received", "sms")) < 0.5
    assert script.attempts[f"demo/{order.number}/1/received/1/email"] == 1


async def test_a_send_in_doubt_is_never_repeated_and_its_delivery_settles_it(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.UNKNOWN if d.kind == "confirmation" else SendState.ACCEPTED
    story = await submit(world, order)
    await story.receipt(a_receipt(order, await world.now()))
    await story.sleep(HOUR * 5)
    status = await story.status()
    assert status.unknown_sends == (f"demo/{order.number}/1/confirmation/1/email",)
    assert script.attempts[status.unknown_sends[0]] == 1
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    status = await story.status()
    assert status.unknown_sends == ()
    assert status.work_may_begin


async def test_a_doubt_stands_in_the_ledger_at_once_though_no_other_activity_goes_there(world: World) -> None:
    story = await in_doubt(world, "received")
    assert Event.SEND_UNKNOWN in story.script.events()
    assert (await activities(story))[names.RECORD] == 1


async def test_a_doubt_that_another_activity_can_carry_to_the_ledger_costs_none_of_its_own(world: World) -> None:
    story = await in_doubt(world, "confirmation")
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    assert Event.SEND_UNKNOWN in story.script.events()
    assert (await activities(story)).keys() & {names.RECORD, names.HAND_OFF} == {names.HAND_OFF}


async def in_doubt(world: World, kind: str) -> Story:
    """An order of which nobody can say whether this message went out."""
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.UNKNOWN if d.kind == kind else SendState.ACCEPTED
    story = await submit(world, order)
    await story.settle()
    return story


async def activities(story: Story) -> Counter[str]:
    """How often each was asked for."""
    return Counter(
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in (await story.handle.fetch_history()).events
        if event.HasField("activity_task_scheduled_event_attributes")
    )


async def test_a_person_settles_a_send_that_nobody_else_can(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.UNKNOWN if (d.kind, d.n) == ("confirmation", 1) else SendState.ACCEPTED
    story = await submit(world, order)
    await story.receipt(a_receipt(order, await world.now()))
    await story.settle()
    key = (await story.status()).unknown_sends[0]
    settle = SettleSend(id="s", key=key, verdict=SettleVerdict.SEND_AGAIN, by="ann")
    assert (await story.ask("settle_send", settle, Reply)).accepted
    assert not (await story.ask("settle_send", settle.model_copy(update={"id": "s2"}), Reply)).accepted
    await story.settle()
    assert [t.key.n for t in script.told if t.dispatch.kind == "confirmation"] == [2]


async def test_a_holding_that_cannot_go_out_is_superseded_by_the_confirmation(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.CLAIMED if d.kind in ("holding", "alert") else SendState.ACCEPTED
    story = await submit(world, order)
    await story.sleep(MINUTE * 16)
    await story.receipt(a_receipt(order, await world.now()))
    await story.settle()
    script.send = lambda d, n: SendState.ACCEPTED
    await story.sleep(HOUR)
    assert "holding" not in script.kinds()
    assert script.kinds()[:2] == ["received", "confirmation"]


async def test_a_bounce_after_acceptance_opens_the_fallback_once(world: World) -> None:
    story = await confirmed(world)
    bounce = await story.evidence(EvidenceEvent.BOUNCED, Grade.E1)
    await story.handle.signal("evidence", bounce)
    await story.settle()
    assert [t.what for t in story.script.told][-1] == "confirmation sms"
    assert len(story.minutes("confirmation", "sms")) == 1


async def test_a_bounce_after_a_delivery_opens_nothing(world: World) -> None:
    story = await confirmed(world)
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    await story.evidence(EvidenceEvent.BOUNCED, Grade.E1)
    await story.sleep(MINUTE)
    assert story.minutes("confirmation", "sms") == []
