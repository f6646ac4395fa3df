"""What the policy says of a message in doubt: said again once and marked, left as it is, or a person is asked."""

from datetime import timedelta

import pytest

from orderack.contracts.activities import Dispatch, ErpAnswer, ErpSubmission
from orderack.contracts.journal import ClockName, Event
from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import CancelRequest, ChangeRequest, PaymentChanged, Reply, SettleSend, SettleVerdict
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import QuietHours, ServiceLevels, Side
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import PaymentStatus
from tests.workflows.beginnings import booked, changed
from tests.workflows.orders import HOUR, MINUTE, a_decision, an_assessment, an_order
from tests.workflows.world import Answer, Story, World, a_number, submit

AGAIN = {str(kind): "resend_marked" for kind in Kind}
SECOND = timedelta(seconds=1)
LAST = ("2/email", "2/portal")
"""No channel comes after these, in the repeats below."""


def doubtful(*keys: str) -> Answer:
    """Nobody can say whether these went out (`received/1/email`); all else is accepted."""

    def send(dispatch: Dispatch, attempt: int) -> SendState:
        key = f"{dispatch.kind}/{dispatch.n}/{dispatch.channel}"
        return SendState.UNKNOWN if key in keys else SendState.ACCEPTED

    return send


async def begun(world: World, *keys: str, can: int | None = None, **decision: object) -> Story:
    """An order that was just submitted, of which these sends end in doubt."""
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    made = a_decision(**{"on_doubt": AGAIN} | decision)  # type: ignore[arg-type]
    script.assess = lambda r: an_assessment(r.order, r.revision, made)
    script.send = doubtful(*keys)
    story = await submit(world, order, continue_as_new_after=can)
    await story.settle()
    return story


def tried(story: Story, kind: str = "received") -> list[str]:
    """Every send of this kind that was tried, in order: `1/email`."""
    return [key.split("/")[-2] + "/" + key.split("/")[-1] for key in story.script.attempts if f"/{kind}/" in key]


def due(status: OrderStatus) -> list[str]:
    """The sends that are to be said again."""
    return [send.key for said in status.acknowledgements for send in said.sends if send.repeat_due_at]


async def settled(story: Story) -> list[str]:
    return [entry.note for entry in (await story.timeline()).entries if entry.event is Event.SEND_SETTLED]


async def settle(story: Story, key: str, verdict: SettleVerdict) -> Reply:
    request = SettleSend(id=f"s-{verdict}", key=f"demo/{story.order.number}/1/{key}", verdict=verdict, by="ann")
    reply: Reply = await story.ask("settle_send", request, Reply)
    await story.settle()
    return reply


async def test_a_first_word_in_doubt_is_said_again_before_its_minute_is_over(world: World) -> None:
    story = await begun(world, "received/1/email")
    await story.sleep(SECOND * 40)
    assert tried(story) == ["1/email"], "its vendor's report may still come"
    await story.sleep(SECOND * 10)
    assert tried(story) == ["1/email", "2/sms"]
    clock = next(one for one in (await story.status()).clocks if one.name is ClockName.ACKNOWLEDGE)
    assert clock.met_at is not None
    assert clock.breached_at is None
    assert story.minutes("received", "sms") == [0.8]


async def test_after_a_minute_in_doubt_the_buyer_hears_it_again_marked_by_the_next_channel(world: World) -> None:
    story = await begun(world, "received/1/email", levels=ServiceLevels(acknowledge_within=HOUR))
    status = await story.status()
    assert status.unknown_sends == tuple(due(status)) == (f"demo/{story.order.number}/1/received/1/email",)
    await story.sleep(SECOND * 50)
    assert tried(story) == ["1/email"]
    await story.sleep(SECOND * 30)
    assert tried(story) == ["1/email", "2/sms"]
    repeat = next(told for told in story.script.told if told.key.n == 2)
    assert repeat.request.facts.may_repeat
    assert story.minutes("received", "sms") == [1.0]
    status = await story.status()
    assert (status.unknown_sends, due(status)) == ((), [])
    assert [said.repeat_of for said in status.acknowledgements if said.kind is Kind.RECEIVED] == [None, 1]
    await story.sleep(HOUR)
    assert tried(story) == ["1/email", "2/sms"]


async def test_the_first_word_is_never_marked(world: World) -> None:
    story = await begun(world)
    assert [told.request.facts.may_repeat for told in story.script.told] == [False]


async def test_without_the_policy_s_word_a_person_is_asked_as_ever(world: World) -> None:
    story = await begun(world, "received/1/email", on_doubt={"confirmation": "resend_marked"})
    await story.sleep(MINUTE * 10)
    status = await story.status()
    assert (status.unknown_sends, due(status)) == ((f"demo/{story.order.number}/1/received/1/email",), [])
    assert tried(story) == ["1/email"]


async def test_the_policy_says_how_long_its_vendor_s_report_is_waited_for(world: World) -> None:
    story = await begun(
        world, "received/1/email", levels=ServiceLevels(acknowledge_within=HOUR, doubt_within=MINUTE * 5)
    )
    await story.sleep(MINUTE * 4.5)
    assert tried(story) == ["1/email"]
    await story.sleep(MINUTE)
    assert story.minutes("received", "sms") == [5.0]


async def test_a_repeat_in_doubt_too_is_for_a_person(world: World) -> None:
    story = await begun(world, "received/1/email", "received/2/sms")
    await story.sleep(MINUTE * 10)
    status = await story.status()
    assert (status.unknown_sends, due(status)) == ((f"demo/{story.order.number}/1/received/2/sms",), [])
    assert tried(story) == ["1/email", "2/sms"]
    assert (await settle(story, "received/2/sms", SettleVerdict.SEND_AGAIN)).accepted
    assert tried(story) == ["1/email", "2/sms", "3/sms"]
    assert story.script.told[-1].request.facts.may_repeat


@pytest.mark.parametrize(
    ("legs", "refused", "expected"),
    [
        ((("email",),), (), ["1/email", "2/email"]),
        ((("email", "portal"),), ("email",), ["1/email", "2/email", "2/portal"]),
        ((("email", "sms"),), ("sms",), ["1/email", "2/sms", "2/email"]),
        ((("email", "sms", "letter"),), ("sms",), ["1/email", "2/sms", "2/letter"]),
        ((("email", "sms"), ("sms",)), (), ["1/email", "1/sms", "2/email"]),
    ],
    ids=["its only channel", "a page last", "refused there", "refused there, and a third", "not where it is already"],
)
async def test_the_repeat_goes_by_the_next_channel_then_by_the_doubtful_one_and_to_a_page_last(
    world: World, legs: tuple[tuple[str, ...], ...], refused: tuple[str, ...], expected: list[str]
) -> None:
    story = await begun(world, "received/1/email", legs=legs)
    story.script.send = lambda d, n: SendState.REJECTED if d.channel in refused else SendState.ACCEPTED
    await story.sleep(MINUTE * 2)
    assert tried(story) == expected
    told = next(told for told in reversed(story.script.told) if told.dispatch.kind == "received")
    assert told.dispatch.last is (expected[-1] in LAST), "the repeat's own order says whether another comes after it"


async def test_a_report_in_the_wait_settles_it_and_nothing_is_said_again(world: World) -> None:
    story = await begun(world, "received/1/email")
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2, kind=Kind.RECEIVED)
    await story.sleep(MINUTE * 10)
    assert tried(story) == ["1/email"]
    assert (await story.status()).unknown_sends == ()
    assert await settled(story) == ["received 1 by email: delivered"]


async def test_a_report_after_the_repeat_was_decided_stops_it_before_it_goes_out(world: World) -> None:
    story = await begun(world, "received/1/email")
    story.script.held = {"sms", "email"}
    await story.sleep(MINUTE * 2)
    assert tried(story) == ["1/email"]
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2, kind=Kind.RECEIVED)
    await story.settle()
    story.script.held.clear()
    await story.sleep(MINUTE * 10)
    assert tried(story) == ["1/email"]
    said = (await story.status()).acknowledgements
    assert [each.sends[-1].state for each in said if each.kind is Kind.RECEIVED and each.sends] == [SendState.ACCEPTED]


async def test_a_report_after_the_repeat_went_out_settles_the_first_and_both_are_on_record(world: World) -> None:
    story = await begun(world, "confirmation/1/email", levels=ServiceLevels(evidence_within=HOUR))
    await booked(story)
    await story.sleep(MINUTE * 2)
    assert tried(story, "confirmation") == ["1/email", "2/sms"]
    assert not (await story.status()).work_may_begin
    for _ in range(2):
        await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    await story.settle()
    status = await story.status()
    assert status.work_may_begin
    first, second = (said for said in status.acknowledgements if said.kind is Kind.CONFIRMATION)
    assert (first.sends[-1].state, second.sends[-1].state) == (SendState.ACCEPTED, SendState.ACCEPTED)
    await story.sleep(HOUR * 5)
    assert tried(story, "confirmation") == ["1/email", "2/sms"]


async def test_a_repeat_without_evidence_goes_on_to_the_next_channel_but_not_back_to_the_doubtful_one(
    world: World,
) -> None:
    levels = ServiceLevels(evidence_within=HOUR)
    story = await begun(world, "confirmation/1/email", legs=(("email", "sms", "letter"),), levels=levels)
    await booked(story)
    await story.sleep(HOUR * 5)
    assert tried(story, "confirmation") == ["1/email", "2/sms", "2/letter"]


async def test_evidence_of_the_repeat_counts_for_the_message(world: World) -> None:
    story = await begun(world, "confirmation/1/email")
    await booked(story)
    await story.sleep(MINUTE * 2)
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2, channel="sms", n=2)
    assert (await story.status()).work_may_begin


async def test_a_bounce_in_the_wait_is_no_doubt_any_more_and_the_fallback_has_its_turn_at_once(world: World) -> None:
    story = await begun(world, "received/1/email")
    await story.evidence(EvidenceEvent.BOUNCED, Grade.E1, kind=Kind.RECEIVED)
    await story.sleep(MINUTE * 10)
    assert tried(story) == ["1/email", "1/sms"]
    assert not story.script.told[-1].request.facts.may_repeat


async def test_a_bounce_after_the_repeat_brings_no_third(world: World) -> None:
    story = await begun(world, "received/1/email", legs=(("email", "sms", "letter"),))
    await story.sleep(MINUTE * 2)
    await story.evidence(EvidenceEvent.BOUNCED, Grade.E1, kind=Kind.RECEIVED)
    await story.sleep(MINUTE * 2)
    assert tried(story) == ["1/email", "2/sms"]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (SettleVerdict.SENT, ["1/email"]),
        (SettleVerdict.NOT_SENT, ["1/email", "1/sms"]),
        (SettleVerdict.SEND_AGAIN, ["1/email", "2/email"]),
    ],
)
async def test_a_person_s_word_that_comes_first_wins(world: World, verdict: SettleVerdict, expected: list[str]) -> None:
    story = await begun(world, "received/1/email")
    assert (await settle(story, "received/1/email", verdict)).accepted
    await story.sleep(MINUTE * 10)
    assert tried(story) == expected


async def test_what_a_person_sends_again_is_not_said_a_third_time_by_the_policy(world: World) -> None:
    story = await begun(world, "received/1/email", "received/2/email")
    await settle(story, "received/1/email", SettleVerdict.SEND_AGAIN)
    await story.sleep(MINUTE * 10)
    assert tried(story) == ["1/email", "2/email"]
    assert (await story.status()).unknown_sends == (f"demo/{story.order.number}/1/received/2/email",)


async def test_never_asks_nobody_and_says_nothing_again_and_a_late_report_still_counts(world: World) -> None:
    story = await begun(world, "received/1/email", on_doubt={"received": "never"})
    await story.sleep(MINUTE * 10)
    status = await story.status()
    assert (status.unknown_sends, due(status), tried(story)) == ((), [], ["1/email"])
    assert status.acknowledgements[0].sends[0].state is SendState.UNKNOWN
    assert {Event.SEND_UNKNOWN, Event.SEND_SETTLED} <= set(story.script.events())
    assert await settled(story) == ["received 1 by email: left: it may have been sent"]
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2, kind=Kind.RECEIVED)
    assert (await story.status()).acknowledgements[0].sends[-1].state is SendState.ACCEPTED


async def test_what_is_left_is_not_said_by_the_next_channel_for_want_of_evidence_either(world: World) -> None:
    levels = ServiceLevels(evidence_within=MINUTE * 2)
    story = await begun(world, "received/1/email", on_doubt={"received": "never"}, levels=levels)
    await story.sleep(MINUTE * 10)
    assert tried(story) == ["1/email"]


async def test_the_confirmation_overtakes_a_first_word_in_doubt(world: World) -> None:
    story = await begun(world, "received/1/email")
    await booked(story)
    await story.sleep(MINUTE * 10)
    assert tried(story) == ["1/email"]
    assert story.script.kinds() == ["confirmation"]
    assert (await story.status()).unknown_sends == ()
    assert await settled(story) == ["received 1 by email: overtaken: it may have been sent"]


async def test_a_change_in_the_wait_leaves_the_old_confirmation_unsaid(world: World) -> None:
    story = await begun(world, "confirmation/1/email")
    await booked(story)
    await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    await story.sleep(MINUTE * 10)
    assert tried(story, "confirmation") == ["1/email"]
    story.script.send = doubtful()
    await booked(story, 2)
    assert story.script.kinds()[-2:] == ["change_received", "confirmation"]
    assert (await story.status()).unknown_sends == ()


async def test_a_cancellation_in_the_wait_leaves_all_but_itself_unsaid(world: World) -> None:
    story = await begun(world, "received/1/email", "cancellation/1/email")
    await story.ask("cancel", CancelRequest(id="x", reason="off"), Reply)
    await story.sleep(MINUTE * 10)
    assert tried(story) == ["1/email"]
    assert tried(story, "cancellation") == ["1/email", "2/sms"]


async def test_the_notice_of_a_change_is_said_again_while_the_change_is_looked_at(world: World) -> None:
    story = await begun(world, "change_received/1/email")
    await booked(story)
    looked = story.script.assess

    def away(request: object) -> object:
        raise RuntimeError("the ledger is away")

    story.script.assess = away  # type: ignore[assignment]
    await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    await story.sleep(MINUTE * 3)
    story.script.assess = looked
    assert tried(story, "change_received") == ["1/email", "2/sms"]
    assert {t.request.contacts_of for t in story.script.told if t.dispatch.kind == "change_received"} == {1}


@pytest.mark.parametrize("silent", [True, False], ids=["by its rule", "since its payment was flagged"])
async def test_under_a_fraud_hold_a_person_is_asked(world: World, silent: bool) -> None:
    story = await begun(world, "received/1/email", silent=silent)
    if not silent:
        flagged = PaymentChanged(id="p", status=PaymentStatus.FLAGGED, occurred_at=await world.now())
        await story.handle.signal("payment_changed", flagged)
    await story.sleep(MINUTE * 5)
    assert tried(story) == ["1/email"]
    status = await story.status()
    assert (status.unknown_sends, due(status)) == ((f"demo/{story.order.number}/1/received/1/email",), [])


async def test_of_a_shadow_order_nothing_is_said_again(world: World) -> None:
    """None of its sends ends in doubt, for none goes out; nothing may leave if one did."""
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    made = a_decision(on_doubt=AGAIN).model_copy(update={"side": Side.SHADOW})
    script.assess = lambda r: an_assessment(r.order, r.revision, made)
    script.submit = lambda asked: ErpSubmission(answer=ErpAnswer.KEPT)
    script.send = lambda d, n: SendState.UNKNOWN if d.kind == "received" else SendState.KEPT
    story = await submit(world, order)
    await story.sleep(MINUTE * 5)
    assert tried(story) == ["1/email"]


async def test_what_another_leg_has_brought_is_not_said_again(world: World) -> None:
    story = await begun(world, "received/1/email", legs=(("email",), ("sms",)))
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2, kind=Kind.RECEIVED, channel="sms")
    await story.sleep(MINUTE * 5)
    assert tried(story) == ["1/email", "1/sms"]
    assert await settled(story) == ["received 1 by email: it arrived by another channel"]


async def test_an_alert_in_doubt_is_said_again_unless_what_it_says_is_over(world: World) -> None:
    story = await begun(world, "alert/1/slack", internal=("slack", "chat"))
    await story.sleep(MINUTE * 18)
    assert tried(story, "alert") == ["1/slack", "2/chat"]
    over = await begun(world, "alert/1/slack", internal=("slack", "chat"))
    await over.sleep(MINUTE * 15 + SECOND * 20)
    await booked(over)
    await over.sleep(MINUTE * 5)
    assert tried(over, "alert") == ["1/slack"]


async def test_an_update_s_repeat_keeps_the_quiet_hours(world: World) -> None:
    """It went out at a quarter past, a moment before they began."""
    order = an_order(a_number(), await world.now())
    hour = (await world.now()).hour
    quiet = QuietHours(start=f"{hour + 2:02}:17", end=f"{hour + 3:02}:17")
    made = a_decision(on_doubt=AGAIN, levels=ServiceLevels(acknowledge_within=HOUR, doubt_within=MINUTE * 5))
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, made.model_copy(update={"quiet_hours": quiet}))
    script.send = doubtful("update/1/email")
    story = await submit(world, order)
    await story.sleep(HOUR * 2 + MINUTE * 40)
    assert tried(story, "update") == ["1/email"]
    assert [told.key.n for told in story.script.told if told.dispatch.kind == "update"] == []
    await story.sleep(MINUTE * 40)
    assert tried(story, "update") == ["1/email", "2/sms"]
    assert story.minutes("update", "sms") == [197.0]


async def test_the_wait_outlives_a_fresh_history(world: World) -> None:
    story = await begun(
        world, "received/1/email", can=5, levels=ServiceLevels(acknowledge_within=HOUR, doubt_within=MINUTE * 5)
    )
    first = (await story.handle.describe()).run_id
    await story.sleep(MINUTE * 3)
    flagged = PaymentChanged(id="p", status=PaymentStatus.CONFIRMED, occurred_at=await world.now())
    await story.handle.signal("payment_changed", flagged)
    await story.sleep(MINUTE * 5)
    assert (await story.handle.describe()).run_id != first
    assert tried(story) == ["1/email", "2/sms"]
    assert story.minutes("received", "sms") == [5.0]


async def test_a_dozen_first_words_in_doubt_all_reach_their_buyers_and_none_thrice(world: World) -> None:
    stories = [await begun(world, "received/1/email") for _ in range(12)]
    await world.sleep(MINUTE * 5)
    for place, story in enumerate(stories):
        if place % 3 == 0:
            await story.evidence(EvidenceEvent.DELIVERED, Grade.E2, kind=Kind.RECEIVED)
    await world.sleep(MINUTE * 5)
    for story in stories:
        assert story.script.kinds() == ["received"]
        assert len(tried(story)) == 2


async def test_the_entry_of_the_doubt_says_when_it_is_said_again(world: World) -> None:
    story = await begun(world, "received/1/email", levels=ServiceLevels(acknowledge_within=HOUR))
    entry = next(e for e in story.script.entries.values() if e.event is Event.SEND_UNKNOWN)
    assert entry.due_at == entry.at + MINUTE
    asked = await begun(world, "received/1/email", on_doubt={})
    entry = next(e for e in asked.script.entries.values() if e.event is Event.SEND_UNKNOWN)
    assert entry.due_at is None
