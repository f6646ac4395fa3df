"""Shadow orders: the real workflow and its clocks, told of every act that it was kept; and what follows from that."""

from datetime import timedelta

from orderack.contracts import search_attributes as sa
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.updates import CancelRequest, ChangeRequest, Reply, ReviewVerdict
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import (
    AnswerCall,
    Route,
    ServiceLevels,
    Side,
    SourceCall,
)
from orderack.domain.source import AnswerStage
from tests.replay.steps import review
from tests.workflows.beginnings import booked, changed
from tests.workflows.beginnings import shadow as begin
from tests.workflows.orders import HIGH_VALUE, HOUR, MINUTE, an_order
from tests.workflows.world import Story, World, a_number, submit

DAY = timedelta(days=1)


def kept(story: Story) -> list[str]:
    """What the timeline says was kept."""
    return [entry.note for seq, entry in sorted(story.script.entries.items()) if entry.event is Event.KEPT]


async def test_a_shadow_order_lives_its_whole_story_and_nothing_of_it_is_out(world: World) -> None:
    story = await begin(world)
    await story.settle()
    await booked(story)
    status = await story.status()
    assert (status.side, status.stage, status.confirmed_revision) == (Side.SHADOW, Stage.HANDED_OFF, 1)
    assert [a.kind for a in status.acknowledgements] == [Kind.RECEIVED, Kind.CONFIRMATION]
    assert {a.out_at for a in status.acknowledgements} == {None}
    assert {send.state for a in status.acknowledgements for send in a.sends} == {SendState.KEPT}
    clocks = {clock.name: clock for clock in status.clocks}
    assert clocks[ClockName.ACKNOWLEDGE].met_at is not None, "the promise is measured by what would have gone out"
    assert not status.work_may_begin
    assert status.handoff_owner is None
    events = {entry.event for entry in (await story.timeline()).entries}
    assert not events & {Event.ACKNOWLEDGED, Event.SUBMITTED_TO_ERP, Event.HANDED_OFF}
    assert Event.KEPT in events


async def test_every_list_and_page_of_temporals_shows_that_it_is_a_shadow_order(world: World) -> None:
    story = await begin(world, flags=(HIGH_VALUE,), route=Route.REVIEW)
    await story.settle()
    found = (await story.handle.describe()).typed_search_attributes
    assert (found[sa.STAGE], found[sa.ESCALATED]) == ("shadow_review", False)
    plain = await begin(world)
    await plain.settle()
    assert (await plain.handle.describe()).typed_search_attributes[sa.STAGE] == "shadow"
    await story.sleep(HOUR * 5)
    found = (await story.handle.describe()).typed_search_attributes
    assert (await story.status()).escalated
    assert (found[sa.STAGE], found[sa.ESCALATED]) == ("shadow_review", False), "in no list of live work"


async def test_no_evidence_comes_and_no_fallback_is_used_for_that(world: World) -> None:
    levels = ServiceLevels(evidence_within=timedelta(minutes=5))
    story = await begin(world, levels=levels)
    await booked(story)
    await story.sleep(HOUR)
    said = {a.kind: [send.channel for send in a.sends] for a in (await story.status()).acknowledgements}
    assert said == {Kind.RECEIVED: ["email"], Kind.CONFIRMATION: ["email"]}


async def test_a_channel_that_could_not_carry_it_leaves_it_to_its_fallback(world: World) -> None:
    story = await begin(world)
    story.script.send = lambda d, n: SendState.REJECTED if d.channel == "email" else SendState.KEPT
    await booked(story)
    confirmation = (await story.status()).acknowledgements[-1]
    assert [(s.channel, s.state) for s in confirmation.sends] == [
        ("email", SendState.REJECTED),
        ("sms", SendState.KEPT),
    ]


async def test_a_stuck_one_says_holding_update_and_alert_to_nobody_and_is_closed_in_the_end(world: World) -> None:
    story = await begin(world)
    await story.sleep(HOUR * 5)
    status = await story.status()
    assert status.escalated
    kinds = [a.kind for a in status.acknowledgements]
    assert kinds.count(Kind.HOLDING) == 1
    assert kinds.count(Kind.UPDATE) >= 2
    assert Kind.ALERT in kinds
    assert story.script.told == []
    await story.sleep(DAY * 8)
    ended = await story.result()
    assert (ended.stage, ended.escalated, ended.side) == (Stage.CLOSED, False, Side.SHADOW)
    assert not [clock for clock in ended.clocks if not (clock.met_at or clock.breached_at or clock.stopped_at)]


async def test_a_review_that_nobody_decides_ends_with_the_comparison(world: World) -> None:
    story = await begin(world, flags=(HIGH_VALUE,), route=Route.REVIEW, withhold=True)
    await story.sleep(DAY * 8)
    assert (await story.result()).stage is Stage.CLOSED
    assert story.script.told == []


async def test_a_reviewer_may_decide_and_the_order_stays_in_the_shadow(world: World) -> None:
    story = await begin(world, flags=(HIGH_VALUE,), route=Route.REVIEW)
    await review(story, "d1", ReviewVerdict.APPROVE)
    await booked(story)
    status = await story.status()
    assert (status.stage, status.side, story.script.told) == (Stage.HANDED_OFF, Side.SHADOW, [])


async def test_a_change_and_a_cancellation_are_told_to_nobody(world: World) -> None:
    story = await begin(world, invoice=True)
    await booked(story)
    change = ChangeRequest(id="c1", by="web", order=changed(story.order))
    assert (await story.ask("change", change, Reply)).accepted
    await booked(story, revision=2)
    status = await story.status()
    assert (status.confirmed_revision, status.side) == (2, Side.SHADOW)
    assert (await story.ask("cancel", CancelRequest(id="x1", reason="off"), Reply)).accepted
    await story.settle()
    kinds = [a.kind for a in (await story.status()).acknowledgements]
    assert kinds[-3:] == [Kind.CHANGE_RECEIVED, Kind.CONFIRMATION, Kind.CANCELLATION]
    assert story.script.told == []
    assert "cancellation at the ERP" in [e.note for e in (await story.timeline()).entries]


async def test_a_source_is_answered_nothing_and_the_partners_deadline_is_measured(world: World) -> None:
    call = SourceCall(system="amazon", call=AnswerCall.COMMITMENT, stages=(AnswerStage.CONFIRMED,))
    story = await begin(world, answer=call)
    await booked(story)
    await story.settle()
    assert [request.stage for _, request in story.script.answers] == [AnswerStage.CONFIRMED]
    events = [entry.event for entry in (await story.timeline()).entries]
    assert Event.SOURCE_ANSWERED not in events


async def test_its_side_is_carried_into_a_fresh_history(world: World) -> None:
    story = await begin(world, can=10)
    await booked(story)
    await story.sleep(MINUTE)
    await story.ask("change", ChangeRequest(id="c1", by="web", order=changed(story.order)), Reply)
    await booked(story, revision=2)
    status = await story.status()
    assert (status.side, status.confirmed_revision) == (Side.SHADOW, 2)
    assert story.script.told == []


async def test_a_live_orders_history_says_nothing_of_sides(world: World) -> None:
    order = an_order(a_number(), await world.now())
    story = await submit(world, order)
    await booked(story)
    history = (await story.handle.fetch_history()).to_json()
    assert "shadow" not in history
    assert "side" not in str((await story.status()).model_dump_json())
