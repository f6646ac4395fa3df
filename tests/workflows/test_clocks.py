"""Every promised clock, hit exactly (DESIGN §2). Times are minutes from the trigger."""

from datetime import UTC, datetime, timedelta

import pytest

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import SendState
from orderack.domain.assessment import ErpMode, QuietHours, ServiceLevels
from orderack.domain.order import Order
from tests.workflows.orders import HIGH_VALUE, HOUR, MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, submit
from workflows._clocks import after_quiet_hours


async def begin(world: World, *, flagged: bool = False, partner: timedelta | None = None, **decision: object) -> Story:
    now = await world.now()
    order = an_order(a_number(), now, partner_due=now + partner if partner else None)
    made = a_decision(**decision)  # type: ignore[arg-type]
    flags = (HIGH_VALUE,) if flagged else ()
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, made, flags)
    return await submit(world, order)


def minutes(story: Story, event: Event) -> list[int]:
    entries = sorted(story.script.entries.values(), key=lambda e: e.seq)
    return [round((e.at - story.order.trigger_at) / MINUTE) for e in entries if e.event is event]


async def test_holding_goes_out_at_fifteen_minutes_and_only_once(world: World) -> None:
    story = await begin(world)
    await story.sleep(MINUTE * 14.9)
    assert story.minutes("holding") == []
    await story.sleep(HOUR * 5)
    assert story.minutes("holding") == [15.0]


async def test_no_holding_when_the_receipt_came_at_fourteen_minutes(world: World) -> None:
    story = await begin(world)
    await story.sleep(MINUTE * 14)
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.sleep(HOUR)
    assert story.script.kinds() == ["received", "confirmation"]


async def test_a_late_erp_is_escalated_with_updates_every_two_hours_until_the_receipt_ends_them(world: World) -> None:
    story = await begin(world)
    await story.sleep(HOUR * 9)
    assert story.minutes("update") == [135.0, 255.0, 375.0, 495.0]
    status = await story.status()
    assert status.escalated
    assert status.owner == "ops-1"
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    assert not (await story.status()).escalated
    await story.sleep(HOUR * 5)
    assert story.minutes("update") == [135.0, 255.0, 375.0, 495.0]
    assert story.script.kinds().count("confirmation") == 1


async def test_the_erp_is_asked_before_anyone_is_told_that_it_has_not_answered(world: World) -> None:
    story = await begin(world)
    await story.settle()
    story.script.found = a_receipt(story.order, await world.now())
    await story.sleep(MINUTE * 20)
    assert story.script.asked == 1
    assert story.script.kinds() == ["received", "confirmation"]
    assert story.script.kinds("internal") == []
    assert not (await story.status()).escalated


async def test_escalation_is_owned_and_goes_round_the_rota_at_the_stores_midnight(world: World) -> None:
    zone = "Pacific/Auckland"
    story = await begin(world, time_zone=zone)
    await story.sleep(HOUR * 30)
    status = await story.status()
    resolve = [c for c in status.clocks if c.name is ClockName.RESOLVE]
    assert resolve[0].breached_at is not None
    since = resolve[0].started_at
    from zoneinfo import ZoneInfo

    local = since.astimezone(ZoneInfo(zone))
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert resolve[0].due_at == max(midnight.astimezone(UTC), since + HOUR * 4)
    assert status.owner in ("ops-2", "ops-3")
    assert "update" in story.script.kinds()


async def test_a_review_is_due_in_four_hours_with_a_holding_at_fifteen_minutes_then_reassigned_and_escalated(
    world: World,
) -> None:
    story = await begin(world, flagged=True, withhold=True)
    await story.sleep(MINUTE * 16)
    assert story.script.kinds() == ["holding"]
    await story.sleep(HOUR * 3.6)
    assert not (await story.status()).escalated
    await story.sleep(MINUTE * 20)
    status = await story.status()
    assert status.escalated
    assert status.stage is Stage.REVIEW
    review = [c for c in status.clocks if c.name is ClockName.REVIEW]
    assert review[0].due_at - review[0].started_at == HOUR * 4
    assert review[0].breached_at is not None
    assert story.script.submissions == []


async def test_an_unclaimed_review_and_an_unclaimed_handoff_go_to_the_next_in_the_rota_after_half_an_hour(
    world: World,
) -> None:
    review = await begin(world, flagged=True)
    handoff = await begin(world)
    await handoff.receipt(a_receipt(handoff.order, await world.now()))
    await handoff.settle()
    assert (await review.status()).owner == "reviewer-1"
    assert (await handoff.status()).owner == "ops-1"
    await world.sleep(MINUTE * 31)
    assert (await review.status()).owner == "reviewer-2"
    assert (await handoff.status()).owner == "ops-2"


async def test_a_partners_deadline_leads_when_it_is_earlier_than_ours(world: World) -> None:
    story = await begin(world, flagged=True, partner=HOUR * 3)
    status = await story.status()
    review = next(c for c in status.clocks if c.name is ClockName.REVIEW)
    assert review.due_at == story.order.trigger_at + HOUR * 2.5
    await story.sleep(HOUR * 2.6)
    assert (await story.status()).escalated
    await story.sleep(HOUR)
    clocks = {c.name: c for c in (await story.status()).clocks}
    assert clocks[ClockName.PARTNER].breached_at is not None


async def test_a_breached_minute_is_recorded_alerted_and_the_word_still_goes_out(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    late = order.trigger_at + MINUTE * 3
    down = {"until": late}

    def send(dispatch: object, attempt: int) -> SendState:
        return (
            SendState.CLAIMED if attempt <= 11 and getattr(dispatch, "kind", "") == "received" else SendState.ACCEPTED
        )

    script.send = send
    story = await submit(world, order)
    await story.sleep(MINUTE * 10)
    clocks = {c.name: c for c in (await story.status()).clocks}
    assert down["until"] == late
    assert clocks[ClockName.ACKNOWLEDGE].breached_at is not None
    assert story.script.kinds() == ["received"]
    assert story.script.kinds("internal") == ["alert"]


async def test_slots_missed_in_an_outage_are_skipped_and_not_burst(world: World) -> None:
    past = (await world.now()) - HOUR * 7
    order = an_order(a_number(), past)
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    story = await submit(world, order)
    await story.settle()
    assert story.script.kinds() == ["holding"]
    clocks = {c.name: c for c in (await story.status()).clocks}
    assert clocks[ClockName.HOLD].breached_at is not None


async def test_evidence_that_does_not_come_in_time_opens_the_fallback_channel(world: World) -> None:
    levels = ServiceLevels(evidence_within=HOUR)
    story = await begin(world, levels=levels)
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    assert story.minutes("confirmation", "sms") == []
    await story.sleep(MINUTE * 61)
    assert story.minutes("confirmation", "sms") == [60.0]
    await story.sleep(HOUR * 3)
    assert story.minutes("confirmation", "sms") == [60.0]


async def test_an_order_we_only_wait_for_is_never_submitted_and_its_receipt_clock_runs(world: World) -> None:
    story = await begin(world, erp_mode=ErpMode.WAIT)
    await story.sleep(MINUTE * 16)
    assert story.script.submissions == []
    assert (await story.status()).escalated


async def test_a_receipt_without_an_order_is_given_up_after_three_days(world: World) -> None:
    order: Order = an_order(a_number(), await world.now())
    from tests.workflows.world import receipt_first

    story = await receipt_first(world, order, a_receipt(order, await world.now()))
    await story.sleep(HOUR * 73)
    assert (await story.result()).stage is Stage.CLOSED


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-03-02T23:30", "2026-03-03T07:00"), ("2026-03-02T06:59", "2026-03-02T07:00"), ("2026-03-02T12:00", None)],
)
def test_updates_wait_for_the_end_of_quiet_hours_where_the_policy_has_them(at: str, expected: str | None) -> None:
    from zoneinfo import ZoneInfo

    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    quiet = QuietHours(start="22:00", end="07:00")
    end = datetime.fromisoformat(expected).replace(tzinfo=UTC) if expected else moment
    assert after_quiet_hours(moment, quiet, ZoneInfo("UTC")) == end
