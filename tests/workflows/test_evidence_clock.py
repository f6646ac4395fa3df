"""Evidence that does not come in time opens the next channel: per leg, once, and only while its words are true."""

from pathlib import Path

import pytest

from orderack.contracts.activities import AcknowledgeRequest
from orderack.contracts.updates import Answer, BuyerQuestion, CancelRequest, ChangeRequest, Reply
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import Gate, ServiceLevels
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.policy.decide import Circumstances, decide
from orderack.policy.load import load_policy
from orderack.policy.model import ChannelFacts
from tests.workflows.beginnings import begin, booked, changed, confirmed
from tests.workflows.orders import HOUR, MINUTE, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, submit

WITHIN_THE_HOUR = ServiceLevels(evidence_within=HOUR)


async def told(world: World, *legs: tuple[str, ...], needs: str = "E2") -> Story:
    """An order confirmed as its first message, whose evidence is due an hour later."""
    story = await confirmed(
        world, legs=legs or (("email", "sms"),), levels=WITHIN_THE_HOUR, evidence_needed=needs, gate=Gate.ERP_GATED
    )
    assert story.script.kinds() == ["confirmation"] * max(len(legs), 1)
    return story


def by(story: Story, kind: str = "confirmation") -> list[tuple[str, float]]:
    """The channels by which messages of a kind were accepted, each with its minute."""
    start = story.order.trigger_at
    return [(t.dispatch.channel, round((t.at - start) / MINUTE)) for t in story.script.told if t.dispatch.kind == kind]


async def test_a_delivery_in_time_spares_the_fallback_and_ends_the_clock(world: World) -> None:
    story = await told(world)
    await story.sleep(MINUTE * 59)
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    await story.sleep(HOUR * 5)
    assert by(story) == [("email", 0)]
    assert "evidence_missing" not in story.script.events()


async def test_without_any_the_next_channel_has_its_turn_and_the_last_one_is_the_end(world: World) -> None:
    story = await told(world, ("email", "sms", "letter"))
    await story.sleep(HOUR * 9)
    assert by(story) == [("email", 0), ("sms", 60), ("letter", 120)]


async def test_a_delivery_that_comes_late_counts_and_opens_nothing_more(world: World) -> None:
    story = await told(world, ("email", "sms", "letter"))
    await story.sleep(MINUTE * 90)
    assert not (await story.status()).work_may_begin
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    await story.sleep(HOUR * 5)
    assert by(story) == [("email", 0), ("sms", 60)]
    assert (await story.status()).work_may_begin


@pytest.mark.parametrize(
    ("event", "grade", "needs"),
    [(EvidenceEvent.MACHINE_TOUCH, Grade.M, "E2"), (EvidenceEvent.DELIVERED, Grade.E2, "E5")],
    ids=["a machine touch", "less than the policy asks for"],
)
async def test_evidence_that_proves_too_little_leaves_the_clock_running(
    world: World, event: EvidenceEvent, grade: Grade, needs: str
) -> None:
    story = await told(world, needs=needs)
    await story.evidence(event, grade)
    await story.sleep(HOUR * 3)
    assert by(story) == [("email", 0), ("sms", 60)]


async def test_a_message_that_never_asks_is_not_repeated_because_nobody_affirmed_it(world: World) -> None:
    story = await begin(
        world,
        legs=(("email", "sms"),),
        levels=ServiceLevels(evidence_within=5 * MINUTE),
        evidence_needed="E5",
        gate=Gate.ACK_GATED,
    )
    await story.settle()
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2, kind=Kind.RECEIVED)
    await story.sleep(MINUTE * 8)
    await booked(story)
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    await story.sleep(HOUR * 3)
    assert [channel for channel, _ in by(story, "received")] == ["email"]
    assert [channel for channel, _ in by(story)] == ["email", "sms"]


async def test_each_leg_has_its_own_clock_from_its_own_acceptance(world: World) -> None:
    story = await begin(world, legs=(("email", "sms"), ("chat", "letter")), levels=WITHIN_THE_HOUR, gate=Gate.ERP_GATED)
    story.script.send = lambda d, n: SendState.UNKNOWN if d.channel == "chat" else SendState.ACCEPTED
    await story.settle()
    await booked(story)
    assert (await story.status()).unknown_sends
    await story.sleep(HOUR * 3)
    assert by(story) == [("email", 0), ("sms", 60), ("letter", 60)]


async def test_evidence_by_one_leg_is_evidence_of_the_message(world: World) -> None:
    story = await told(world, ("email", "sms"), ("chat", "letter"))
    await story.evidence(EvidenceEvent.DISPLAYED, Grade.E3, channel="chat")
    await story.sleep(HOUR * 3)
    assert by(story) == [("email", 0), ("chat", 0)]


async def test_a_bounce_opens_the_fallback_at_once_and_its_clock_begins_anew(world: World) -> None:
    story = await told(world, ("email", "sms", "letter"))
    await story.sleep(MINUTE * 30)
    await story.evidence(EvidenceEvent.BOUNCED, Grade.E1)
    await story.sleep(HOUR * 4)
    assert by(story) == [("email", 0), ("sms", 30), ("letter", 90)]


async def test_a_bounce_that_overtakes_the_word_of_acceptance_still_opens_the_fallback(world: World) -> None:
    story = await begin(world, legs=(("email", "sms"),), gate=Gate.ERP_GATED)

    async def bounce(request: AcknowledgeRequest) -> None:
        if request.dispatches[0].channel == "email":
            await story.evidence(EvidenceEvent.BOUNCED, Grade.E1)

    story.script.meanwhile = bounce
    await booked(story)
    await story.sleep(MINUTE)
    assert [channel for channel, _ in by(story)] == ["email", "sms"]
    (said,) = (await story.status()).acknowledgements
    assert [(send.channel, send.state) for send in said.sends] == [
        ("email", SendState.REJECTED),
        ("sms", SendState.ACCEPTED),
    ]


async def test_what_a_confirmation_has_overtaken_is_not_repeated_by_another_channel(world: World) -> None:
    story = await begin(world, levels=WITHIN_THE_HOUR)
    await story.sleep(MINUTE * 10)
    await booked(story)
    await story.sleep(HOUR * 3)
    assert by(story, "received") == [("email", 0)]
    assert by(story) == [("email", 10), ("sms", 70)]


async def test_an_answer_keeps_its_clock_whatever_is_said_after_it(world: World) -> None:
    story = await begin(world, levels=WITHIN_THE_HOUR)
    await story.settle()
    await story.ask("ask", BuyerQuestion(id="q", revision=1, via="portal", text="When?"), Reply)
    await story.ask("answer", Answer(id="a", question="q", text="Soon.", by="ann"), Reply)
    await story.settle()
    await story.sleep(MINUTE * 10)
    await booked(story)
    await story.sleep(HOUR * 3)
    assert by(story, "answer") == [("email", 0), ("sms", 60)]


async def test_a_change_ends_the_old_confirmations_clock_and_the_new_one_has_its_own(world: World) -> None:
    story = await told(world)
    await story.sleep(MINUTE * 30)
    await story.ask("change", ChangeRequest(id="c", order=changed(story.order)), Reply)
    await story.settle()
    await story.sleep(MINUTE * 40)
    assert by(story) == [("email", 0)]
    await booked(story, 2)
    await story.sleep(HOUR * 3)
    assert [t.key.revision for t in story.script.told if t.dispatch.kind == "confirmation"] == [1, 2, 2]
    assert by(story)[1:] == [("email", 70), ("sms", 130)]


async def test_a_change_that_nobody_is_told_of_ends_the_old_confirmations_clock_too(world: World) -> None:
    story = await confirmed(world, silent=True, levels=WITHIN_THE_HOUR, gate=Gate.ERP_GATED)
    await story.sleep(MINUTE * 20)
    await story.ask("change", ChangeRequest(id="c", order=changed(story.order)), Reply)
    await story.sleep(HOUR * 2)
    assert story.script.kinds() == ["confirmation"]


async def test_a_cancellation_ends_every_clock_but_its_own(world: World) -> None:
    story = await told(world)
    await story.sleep(MINUTE * 30)
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.sleep(HOUR * 4)
    assert by(story) == [("email", 0)]
    assert by(story, "cancellation") == [("email", 30), ("sms", 90)]


async def test_the_waiting_clock_is_seen_by_operators_until_the_evidence_is_there(world: World) -> None:
    story = await told(world)
    await story.sleep(MINUTE * 45)  # past the handoff's claim
    due = (await story.status()).next_due_at
    assert due is not None
    assert round((due - story.order.trigger_at) / MINUTE) == 60
    await story.evidence(EvidenceEvent.DISPLAYED, Grade.E3)
    after = (await story.status()).next_due_at
    assert after is None or after != due


POLICY = """
languages: [en]
service_levels: {evidence_within: 40m}
stores:
  demo:
    profile: {display_name: Demo}
    erp: {name: sandbox, mode: push}
    calendar: {country: GB, cut_off: "15:00", lead_days: 2, capacity_per_day: 100}
sources:
  web: {trigger: submitted, channels: [[email, sms]], gate: erp_gated}
teams: {ops: {rota: [lead]}}
rules: []
default: {then: {evidence_needed: E3}}
"""
CHANNELS = {
    "email": ChannelFacts(buyer=True, ceiling=Grade.E3, address="email"),
    "sms": ChannelFacts(buyer=True, ceiling=Grade.E3, address="phone"),
}


async def test_the_policy_files_own_words_set_the_clock_and_the_grade(world: World, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    policy = load_policy(tmp_path)
    order = an_order(a_number(), await world.now())
    decision = decide(policy, order, (), Circumstances(channels=CHANNELS))
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, decision)
    story = await submit(world, order)
    await booked(story)
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    await story.sleep(HOUR * 2)
    assert by(story) == [("email", 0), ("sms", 40)]
