"""The team is told of the work that it is handed, and when it must stop: each word once, and none that is not so."""

from temporalio.api.enums.v1 import EventType

from orderack.contracts.activities import ForTeam, TeamWord
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.updates import (
    AcceptHandoff,
    CancelRequest,
    ChangeRequest,
    Claim,
    ClaimTarget,
    HandoffReply,
    PaymentChanged,
    Reply,
    ReviewVerdict,
)
from orderack.domain.acknowledgement import SendState
from orderack.domain.assessment import ServiceLevels
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import PaymentStatus
from tests.replay.steps import review
from tests.workflows.beginnings import begin, booked, changed, confirmed, shadow
from tests.workflows.orders import HIGH_VALUE, HOUR, MINUTE, a_decision, a_receipt, an_assessment
from tests.workflows.world import Story, World


async def accept(story: Story, by: str, *, id: str = "a1", revision: int = 1, content: str = "") -> HandoffReply:
    wanted = AcceptHandoff(id=id, revision=revision, content_hash=content or story.order.content_hash, by=by)
    reply = await story.ask("accept_handoff", wanted, HandoffReply)
    assert isinstance(reply, HandoffReply)
    return reply


async def claim(story: Story, by: str, id: str = "c1") -> None:
    assert (await story.ask("claim", Claim(id=id, target=ClaimTarget.HANDOFF, by=by), Reply)).accepted


async def change(story: Story, quantity: int, id: str) -> None:
    reply = await story.ask("change", ChangeRequest(id=id, order=changed(story.order, quantity)), Reply)
    assert reply.accepted, reply.message
    await story.settle()


async def pay(story: Story, status: PaymentStatus, id: str) -> None:
    paid = PaymentChanged(id=id, status=status, occurred_at=await story.world.now())
    for _ in range(2):  # a provider's webhook comes twice
        await story.handle.signal("payment_changed", paid)
    await story.settle()


def last_word(story: Story) -> ForTeam:
    found = [t.request.facts.for_team for t in story.script.told if t.request.facts.for_team]
    assert found[-1] is not None
    return found[-1]


async def test_the_team_is_told_of_the_very_revision_it_is_handed_in_the_step_that_hands_it_over(world: World) -> None:
    story = await confirmed(world, tell=True)
    assert story.script.to_team() == ["offered 1 ops-1"]
    word = last_word(story)
    assert (word.content_hash, word.team) == (story.order.content_hash, "operations")
    assert word.waits == ("no evidence of grade E2 that the buyer has revision 1",)
    stored = story.script.handoffs
    assert [(h.revision, h.content_hash, h.team, h.owner) for h in stored] == [
        (1, story.order.content_hash, "operations", "ops-1")
    ]
    said = next(t for t in story.script.told if t.request.facts.for_team)
    clock = next(c for c in (await story.status()).clocks if c.name is ClockName.CLAIM)
    assert said.request.facts.decided_by == clock.due_at
    assert (await story.status()).stage is Stage.HANDED_OFF


async def test_a_team_that_nothing_is_said_of_hears_nothing_and_its_handoff_is_stored_all_the_same(
    world: World,
) -> None:
    story = await confirmed(world)
    await claim(story, "grace")
    await change(story, 5, "h1")
    await booked(story, 2)
    assert story.script.to_team() == []
    assert [h.revision for h in story.script.handoffs] == [1, 2]


async def test_the_receipt_and_the_change_twice_are_told_once(world: World) -> None:
    story = await confirmed(world, tell=True)
    await booked(story)
    await claim(story, "grace")
    await claim(story, "grace")
    for _ in range(2):
        await change(story, 5, "h1")
    await booked(story, 2)
    await booked(story, 2)
    assert story.script.to_team() == ["offered 1 ops-1", "stopped 1 grace", "offered 2 grace"]
    assert len(story.script.handoffs) == 2


async def test_whoever_has_it_in_hand_is_stopped_before_the_change_is_even_booked_and_then_told_what_changed(
    world: World,
) -> None:
    story = await confirmed(world, tell=True)
    assert (await accept(story, "grace")).accepted
    await change(story, 5, "h1")
    assert story.script.to_team() == ["offered 1 ops-1", "stopped 1 grace"]
    assert last_word(story).waits == ("a change is being decided",)
    await booked(story, 2)
    told = story.script.told[-1].request
    assert story.script.to_team()[-1] == "offered 2 grace"
    assert (told.revision, told.facts.changed_from) == (2, 1)
    assert last_word(story).content_hash == changed(story.order, 5).content_hash
    old = await accept(story, "grace", id="a2")
    assert not old.accepted
    new = await accept(story, "grace", id="a3", revision=2, content=changed(story.order, 5).content_hash)
    assert new.accepted


async def test_nobody_is_stopped_who_has_not_begun(world: World) -> None:
    story = await confirmed(world, tell=True)
    await change(story, 5, "h1")
    await booked(story, 2)
    assert story.script.to_team() == ["offered 1 ops-1", "offered 2 ops-1"]


async def test_a_second_change_of_a_frozen_handoff_stops_nobody_twice_and_the_difference_is_to_what_the_team_had(
    world: World,
) -> None:
    story = await confirmed(world, tell=True)
    await claim(story, "grace")
    await change(story, 5, "h1")
    await change(story, 7, "h2")
    await booked(story, 3)
    assert story.script.to_team() == ["offered 1 ops-1", "stopped 1 grace", "offered 3 grace"]
    assert story.script.told[-1].request.facts.changed_from == 1


async def test_work_that_waited_for_the_delivery_may_begin_and_only_who_has_it_in_hand_is_told(world: World) -> None:
    idle = await confirmed(world, tell=True)
    await idle.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    await idle.settle()
    assert idle.script.to_team() == ["offered 1 ops-1"]

    story = await confirmed(world, tell=True)
    assert not (await accept(story, "grace")).may_begin
    for _ in range(2):
        await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
        await story.settle()
    assert story.script.to_team() == ["offered 1 ops-1", "may_begin 1 grace"]


async def test_a_payment_taken_back_stops_the_work_and_one_that_comes_lets_it_begin(world: World) -> None:
    story = await confirmed(world, tell=True)
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    assert (await accept(story, "grace")).may_begin
    await pay(story, PaymentStatus.PENDING, "p1")
    assert last_word(story).waits == ("the payment is not confirmed",)
    await pay(story, PaymentStatus.CONFIRMED, "p2")
    await pay(story, PaymentStatus.FLAGGED, "p3")
    words = ["offered 1 ops-1", "stopped 1 grace", "may_begin 1 grace", "stopped 1 grace"]
    assert story.script.to_team() == words
    alerts = [t for t in story.script.told if t.dispatch.audience == "internal"]
    assert len(alerts) == len(words), "the flag's own alert says stop: there is no second one"


async def test_the_buyers_no_stops_the_work_in_the_alert_that_tells_of_it(world: World) -> None:
    story = await confirmed(world, tell=True)
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    await accept(story, "grace")
    await story.evidence(EvidenceEvent.DECLINED, Grade.E5)
    await story.settle()
    assert story.script.to_team() == ["offered 1 ops-1", "stopped 1 grace"]
    assert story.script.kinds("internal") == ["alert", "alert"]
    await story.evidence(EvidenceEvent.ASSENTED, Grade.E5)
    await story.settle()
    assert story.script.to_team()[-1] == "may_begin 1 grace"


async def test_an_order_called_off_is_taken_back_in_the_activity_that_tells_the_buyer(world: World) -> None:
    story = await confirmed(world, tell=True)
    for _ in range(2):
        await story.ask("cancel", CancelRequest(id="x", reason="my mother is ill"), Reply)
        await story.settle()
    assert story.script.to_team() == ["offered 1 ops-1", "withdrawn 1 ops-1"]
    assert last_word(story).waits == ("the order is cancelled",)
    last = story.script.told[-1].request
    assert {str(d.kind) for d in last.dispatches} == {"cancellation", "alert"}
    assert story.script.kinds().count("cancellation") == 1
    assert story.script.kinds("internal") == ["alert", "alert"]


async def test_an_order_called_off_with_a_change_in_review_is_taken_back_from_the_revision_that_the_team_had(
    world: World,
) -> None:
    story = await confirmed(world, tell=True)
    looked = story.script.assess
    story.script.assess = lambda r: looked(r).model_copy(update={"flags": () if r.waived else (HIGH_VALUE,)})
    await claim(story, "grace")
    await change(story, 5, "h1")
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    assert story.script.to_team() == ["offered 1 ops-1", "stopped 1 grace", "withdrawn 1 grace"]
    assert story.script.kinds().count("cancellation") == 1
    assert {str(d.kind) for d in story.script.told[-1].request.dispatches} == {"cancellation", "alert"}


async def test_a_change_that_a_reviewer_rejects_takes_the_work_back(world: World) -> None:
    story = await confirmed(world, tell=True)
    looked = story.script.assess
    story.script.assess = lambda r: looked(r).model_copy(update={"flags": () if r.waived else (HIGH_VALUE,)})
    await claim(story, "grace")
    await change(story, 5, "h1")
    await review(story, "d1", ReviewVerdict.REJECT, note="too many")
    await story.settle()
    assert story.script.to_team()[-1] == "withdrawn 1 grace"
    assert story.script.kinds().count("rejection") == 1


async def test_a_change_that_makes_it_another_teams_work_takes_it_from_the_first(world: World) -> None:
    story = await begin(world, tell=True)
    kitchen = a_decision(tell=True, team="kitchen", rota=("chef",))
    first = story.script.assess
    story.script.assess = lambda r: an_assessment(r.order, r.revision, kitchen) if r.revision == 2 else first(r)
    await booked(story)
    await claim(story, "grace")
    await change(story, 5, "h1")
    await booked(story, 2)
    assert story.script.to_team()[:2] == ["offered 1 ops-1", "stopped 1 grace"]
    assert set(story.script.to_team()[2:]) == {"offered 2 chef", "withdrawn 1 grace"}
    assert story.script.told[-1].request.facts.changed_from is None
    assert [h.team for h in story.script.handoffs] == ["operations", "kitchen"]


async def test_an_offer_that_nobody_takes_goes_to_the_next_with_all_that_the_first_was_told(world: World) -> None:
    story = await confirmed(world, tell=True, levels=ServiceLevels(claim_within=MINUTE * 5))
    await story.sleep(MINUTE * 6)
    assert story.script.to_team() == ["offered 1 ops-1", "offered 1 ops-2"]
    assert last_word(story).content_hash == story.order.content_hash
    assert len(story.script.handoffs) == 1, "it is stored once"


async def test_a_word_that_could_not_go_out_is_overtaken_by_the_next_and_the_handoff_is_stored(world: World) -> None:
    story = await begin(world, tell=True)
    away = {"slack"}
    story.script.send = lambda d, n: SendState.CLAIMED if d.channel in away else SendState.ACCEPTED
    await booked(story)
    assert [h.revision for h in story.script.handoffs][:1] == [1], "stored although the team's channel is away"
    await claim(story, "grace")
    await change(story, 5, "h1")
    await booked(story, 2)
    history = [event async for event in story.handle.fetch_history_events()]
    stopped = [e for e in history if e.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED]
    assert len(stopped) == 2, "what is overtaken is given up in the very step: the first offer, and then the stop"
    away.clear()
    await story.sleep(HOUR)
    assert story.script.to_team()[0] == "offered 2 grace"
    assert not [word for word in story.script.to_team() if " 1 " in word], "nothing of what is no longer so"
    assert {h.revision for h in story.script.handoffs} == {1, 2}


async def test_a_stop_goes_out_by_the_fallback_although_the_erp_has_booked_the_change_meanwhile(world: World) -> None:
    story = await confirmed(world, tell=True, internal=("slack", "google_chat"))
    await claim(story, "grace")
    story.script.send = lambda d, n: SendState.REJECTED if d.channel == "slack" else SendState.ACCEPTED
    story.script.found = a_receipt(story.order, await world.now(), id="R2", revision=2)
    await change(story, 5, "h1")
    stop = next(t for t in story.script.told if t.dispatch.channel == "google_chat")
    assert stop.request.facts.for_team
    assert stop.request.facts.for_team.word is TeamWord.STOPPED


async def test_a_team_without_a_way_to_be_told_is_handed_it_in_silence(world: World) -> None:
    story = await confirmed(world, tell=True, internal=())
    assert (await story.status()).stage is Stage.HANDED_OFF
    assert [h.revision for h in story.script.handoffs] == [1]
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    assert story.script.kinds()[-1] == "cancellation"


async def test_a_shadow_orders_team_hears_nothing(world: World) -> None:
    story = await shadow(world, tell=True)
    await booked(story)
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    told = [e for e in story.script.entries.values() if e.event is Event.KEPT]
    assert not [e for e in told if e.note.startswith("alert")]
    assert len(story.script.handoffs) == 1, "it is kept, as in silence"
    assert story.script.to_team() == []


async def test_it_is_told_once_over_any_number_of_fresh_histories(world: World) -> None:
    story = await begin(world, tell=True, can=20)
    await booked(story)
    await claim(story, "grace")
    await change(story, 5, "h1")
    await booked(story, 2)
    await accept(story, "grace", revision=2, content=changed(story.order, 5).content_hash)
    await story.evidence(EvidenceEvent.AFFIRMED, Grade.E5, revision=2)
    await story.settle()
    words = ["offered 1 ops-1", "stopped 1 grace", "offered 2 grace", "may_begin 2 grace"]
    assert story.script.to_team() == words
    assert {TeamWord(word.split()[0]) for word in words} == set(TeamWord) - {TeamWord.WITHDRAWN}
    described = await story.handle.describe()
    assert described.run_id != story.handle.first_execution_run_id
