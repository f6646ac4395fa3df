"""Service levels and review load by what was measured: small pasts whose figures can be counted by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from scipy.stats import betabinom

from orderack.contracts.journal import ClockName, Event
from orderack.diagnostics.whatif.clocks import Course
from orderack.diagnostics.whatif.levels import Replayed
from orderack.diagnostics.whatif.load import Arrival, arrivals, handling, handling_minutes, load
from orderack.diagnostics.whatif.plans import Compared, Plan
from orderack.diagnostics.whatif.result import Level
from orderack.diagnostics.whatif.shares import ENOUGH, estimate, quantile
from orderack.domain.assessment import Gate, Route, ServiceLevels
from orderack.domain.order import OrderRef
from orderack.ports.past_orders import PastClock, PastEvent, PastMessage, PastReview, PastTimes

START = datetime(2026, 11, 2, 9, 10, tzinfo=UTC)
"""A Monday."""
UNTIL = START + timedelta(days=3)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def plan(route: Route = Route.STRAIGHT, **levels: timedelta) -> Plan:
    return Plan(
        rule="default",
        route=route,
        gate=Gate.ACK_GATED,
        withheld=route is Route.REVIEW,
        silent=False,
        levels=ServiceLevels(**levels),
        erp="sandbox",
        team="operations",
        reviewers=("order-desk", "operations-lead"),
        time_zone="Europe/Berlin",
        told="mail",
    )


def row(number: int, was: Plan, after: Plan, at: datetime = START, **more: datetime) -> Compared:
    return Compared(
        ref=OrderRef(store="demo", number=str(number)),
        revision=1,
        source="web",
        at=at,
        trigger_at=at,
        currency="EUR",
        total=Decimal(10),
        before=was,
        after=after,
        was=was,
        **more,  # type: ignore[arg-type]
    )


def course(of: Compared, times: PastTimes) -> Course:
    return Course(of.ref, (of,), times)


def receipt(start: datetime, after: timedelta | None) -> PastClock:
    due, end = start + minutes(15), start + after if after is not None else None
    late = end is None or end > due
    return PastClock(ClockName.ERP_RECEIPT, due, start, None if late else end, due if late else None, None)


def reviewed(start: datetime, taken: timedelta | None, claim: timedelta | None = None) -> PastTimes:
    end = start + taken if taken is not None else None
    events = [PastEvent(end - claim, Event.CLAIMED, 1, "review")] if end and claim else []
    return PastTimes(reviews=[PastReview(1, start, ("high_value",), end, "approve" if end else "")], events=events)


def found(*courses: Course, until: datetime = UNTIL) -> dict[ClockName, Level]:
    replayed = Replayed(until)
    for one in courses:
        replayed.take(one)
    return {level.clock: level for level in replayed.levels()}


def test_orders_that_a_shorter_receipt_clock_would_escalate_are_counted_from_what_the_erp_took() -> None:
    was, after = plan(), plan(erp_receipt_within=minutes(5))
    taken = [1.0, 4, 5, 6, 7, 14, 16]
    courses = []
    for number, one in enumerate(taken):
        end = START + minutes(one)
        courses.append(
            course(row(number, was, after, receipt_at=end), PastTimes(clocks=[receipt(START, minutes(one))]))
        )
    level = found(*courses)[ClockName.ERP_RECEIPT]
    assert (level.before, level.after) == ("15m", "5m")
    assert (level.broken_before, level.recorded, level.broken_after, level.runs_after) == (1, 1, 4, 7)
    assert level.newly == ("demo/3", "demo/4", "demo/5")
    assert level.sentence == "with erp_receipt_within 5m, 4 of 7 ERP submissions would have escalated (were 1)"


def test_a_receipt_that_has_not_come_is_late_once_its_time_is_over_and_not_before() -> None:
    waiting = course(row(1, plan(), plan(erp_receipt_within=minutes(5))), PastTimes(clocks=[receipt(START, None)]))
    early, late = (found(waiting, until=START + minutes(m))[ClockName.ERP_RECEIPT] for m in (4, 10))
    assert (early.broken_before, early.broken_after) == (0, 0)
    assert (late.broken_before, late.broken_after) == (0, 1)


def test_an_escalation_goes_on_until_the_receipt_and_brings_updates_on_its_way() -> None:
    was, after = plan(), plan(erp_receipt_within=minutes(5), update_every=minutes(30))
    end = START + minutes(100)
    of = course(row(1, was, after, receipt_at=end), PastTimes(clocks=[receipt(START, minutes(100))]))
    levels = found(of)
    updates = levels[ClockName.UPDATE]
    assert (updates.broken_before, updates.broken_after) == (0, 3)  # 85 min over 2 h, 95 min over 30 min
    assert (levels[ClockName.RESOLVE].broken_after, levels[ClockName.RESOLVE].runs_after) == (0, 1)


def test_an_escalation_outlasts_the_day_in_the_stores_own_zone() -> None:
    late = START.replace(hour=20)  # 21:00 in Berlin: the day ends at 23:00 UTC, four hours on are later still
    end = late + timedelta(hours=4, minutes=30)
    short = plan(resolve_at_least=timedelta(hours=1))
    of = course(row(1, plan(), short, late, receipt_at=end), PastTimes(clocks=[receipt(late, timedelta(hours=4.5))]))
    level = found(of)[ClockName.RESOLVE]
    assert (level.broken_before, level.broken_after) == (1, 1)
    sooner = late + timedelta(hours=3, minutes=30)  # past midnight in Berlin, not yet in UTC
    times = PastTimes(clocks=[receipt(late, sooner - late)])
    level = found(course(row(1, plan(), short, late, receipt_at=sooner), times))[ClockName.RESOLVE]
    assert (level.broken_before, level.broken_after) == (0, 1)


def test_reviews_that_the_new_policy_spares_are_late_no_more() -> None:
    spared = course(row(1, plan(Route.REVIEW), plan()), reviewed(START, timedelta(hours=6)))
    level = found(spared)[ClockName.REVIEW]
    assert (level.runs_before, level.broken_before, level.runs_after, level.broken_after) == (1, 1, 0, 0)


def test_a_review_that_never_was_is_estimated_from_those_that_were() -> None:
    shorter = plan(Route.REVIEW, review_within=minutes(60))
    were = [
        course(row(n, plan(Route.REVIEW), shorter), reviewed(START, minutes(90 if n < 10 else 30))) for n in range(40)
    ]
    new = [course(row(100 + n, plan(), shorter), PastTimes(events=[])) for n in range(20)]
    level = found(*were, *new)[ClockName.REVIEW]
    assert (level.broken_after, level.unknown) == (10, 20)
    assert level.estimate is not None
    oracle = betabinom(20, 10.5, 30.5)
    assert (level.estimate.low, level.estimate.high) == (oracle.ppf(0.025), oracle.ppf(0.975))
    assert level.estimate.mean == pytest.approx(oracle.mean(), abs=0.05)
    assert level.estimate.basis == 40


def test_too_few_measured_reviews_are_called_unknown_and_not_guessed_from() -> None:
    were = [course(row(n, plan(Route.REVIEW), plan(Route.REVIEW)), reviewed(START, minutes(30))) for n in range(5)]
    new = course(row(100, plan(), plan(Route.REVIEW)), PastTimes())
    level = found(*were, new)[ClockName.REVIEW]
    assert (level.unknown, level.estimate) == (1, None)


def test_the_estimate_says_nothing_below_enough_cases() -> None:
    assert estimate(10, 0, ENOUGH - 1) is None
    assert estimate(10, 0, ENOUGH) is not None


@pytest.mark.parametrize(("cases", "broken", "of"), [(1, 0, 20), (50, 20, 20), (300, 7, 1000), (7, 3, 25)])
def test_the_interval_is_that_of_the_beta_binomial(cases: int, broken: int, of: int) -> None:
    made, oracle = estimate(cases, broken, of), betabinom(cases, broken + 0.5, of - broken + 0.5)
    assert made is not None
    assert (made.low, made.high) == (oracle.ppf(0.025), oracle.ppf(0.975))


def test_a_first_word_under_another_gate_is_not_taken_as_known() -> None:
    out = PastMessage(1, "received", START, START + timedelta(seconds=30), None)
    gated = Plan(**{name: getattr(plan(), name) for name in Plan.__slots__} | {"gate": Gate.ERP_GATED})
    level = found(course(row(1, plan(), gated), PastTimes(messages=[out])))[ClockName.ACKNOWLEDGE]
    assert (level.runs_after, level.broken_after, level.unknown) == (1, 0, 1)
    same = plan(acknowledge_within=timedelta(seconds=20))
    level = found(course(row(1, plan(), same), PastTimes(messages=[out])))[ClockName.ACKNOWLEDGE]
    assert (level.broken_before, level.broken_after, level.unknown) == (0, 1, 0)


def test_an_alert_is_no_word_to_the_buyer() -> None:
    alert = PastMessage(1, "alert", START, START + timedelta(seconds=5), None)
    word = PastMessage(1, "received", START, START + timedelta(seconds=90), None)
    level = found(course(row(1, plan(), plan()), PastTimes(messages=[alert, word])))[ClockName.ACKNOWLEDGE]
    assert level.broken_before == 1


def test_holding_goes_out_for_what_was_confirmed_later() -> None:
    hold = PastClock(ClockName.HOLD, START + minutes(15), START, None, None, None)
    told = PastTimes(clocks=[hold], events=[PastEvent(START + minutes(10), Event.CONFIRMED, 1, "SO-1")])
    level = found(course(row(1, plan(), plan(hold_after=minutes(5))), told))[ClockName.HOLD]
    assert (level.broken_before, level.broken_after) == (0, 1)


def test_an_order_that_was_held_because_its_erp_could_not_be_asked_would_be_held_again() -> None:
    due, told = START + minutes(15), START + minutes(40)
    hold = PastClock(ClockName.HOLD, due, START, due, None, None)
    was, after = plan(), plan(hold_after=minutes(20))
    of = row(1, was, after, submitted_at=START, receipt_at=told)
    times = PastTimes(
        clocks=[hold], events=[PastEvent(told, Event.CONFIRMED, 1, "SO-1")], booked={1: START + minutes(3)}
    )
    asked = found(course(of, times))[ClockName.HOLD]
    assert (asked.broken_before, asked.broken_after) == (0, 0), "asked when it is due, it says that it has booked it"
    times.messages.append(PastMessage(1, "holding", due, due, None))
    in_vain = found(course(of, times))[ClockName.HOLD]
    assert (in_vain.broken_before, in_vain.broken_after, in_vain.recorded) == (1, 1, 1)


def test_the_review_load_is_counted_by_hour_in_the_stores_zone() -> None:
    before: list[Arrival] = []
    after: list[Arrival] = []
    rows: list[Compared] = []
    for number in range(6):
        of = row(number, plan(), plan(Route.REVIEW), START + timedelta(minutes=20 * number))
        was, will = arrivals(Course(of.ref, (of,), PastTimes()))
        before, after, rows = [*before, *was], [*after, *will], [*rows, of]
    made = load(rows, before, after, handling([], given=30))
    assert made is not None
    assert (made.hours, made.before.reviews, made.after.reviews) == (2, 0, 6)
    assert (made.after.p50, made.after.max) == (3, 3)
    assert made.grid_after[0][10:12] == (3, 3)  # Monday, 10:10 to 11:50 in Berlin
    (team,) = made.teams
    assert (team.capacity_per_hour, team.over_before, team.over_after) == (4.0, 0, 0)
    busier = load(rows, before, after, handling([], given=50))
    assert busier is not None
    assert busier.teams[0].over_after == 2


def test_reviews_for_another_reason_come_under_either_policy() -> None:
    of = row(1, plan(), plan())
    refused = PastTimes(reviews=[PastReview(1, START + minutes(9), ("erp_refused",), None, "")])
    was, will = arrivals(Course(of.ref, (of,), refused))
    assert (len(was), len(will)) == (1, 1)


def test_the_time_per_review_is_from_the_last_claim_to_the_decision() -> None:
    courses = [
        course(row(n, plan(Route.REVIEW), plan(Route.REVIEW)), reviewed(START, minutes(60), claim=minutes(n + 1)))
        for n in range(6)
    ]
    taken = [one for of in courses for one in handling_minutes(of)]
    assert taken == [1, 2, 3, 4, 5, 6]
    assert handling(taken, None).median == 3
    assert handling(taken[:2], None).median is None


def test_flags_added_to_an_open_review_do_not_make_another() -> None:
    of = row(1, plan(Route.REVIEW), plan(Route.REVIEW))
    twice = [
        PastReview(1, START, ("high_value",), None, ""),
        PastReview(1, START + minutes(5), ("payment_flagged",), START + minutes(20), "approve"),
    ]
    level = found(course(of, PastTimes(reviews=twice)))[ClockName.REVIEW]
    assert (level.runs_before, level.broken_before) == (1, 0)
    assert len(arrivals(Course(of.ref, (of,), PastTimes(reviews=twice)))[0]) == 1


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert [quantile([1, 2, 3, 4], share) for share in (0.5, 0.95, 0)] == [2, 4, 1]
    with pytest.raises(ValueError, match="nothing"):
        quantile([], 0.5)


def test_a_clock_whose_start_was_not_recorded_began_its_level_before_it_was_due() -> None:
    end = START + minutes(8)
    met = PastClock(ClockName.ERP_RECEIPT, START + minutes(15), None, end, None, None)
    of = course(row(1, plan(), plan(erp_receipt_within=minutes(5)), receipt_at=end), PastTimes(clocks=[met]))
    level = found(of)[ClockName.ERP_RECEIPT]
    assert (level.runs_before, level.broken_before, level.broken_after) == (1, 0, 1)
    later = found(course(row(1, plan(), plan(erp_receipt_within=minutes(9)), receipt_at=end), PastTimes(clocks=[met])))
    assert later[ClockName.ERP_RECEIPT].broken_after == 0


def test_a_submission_of_which_no_clock_has_ended_yet_still_waits() -> None:
    waiting = row(1, plan(), plan(erp_receipt_within=minutes(5)), submitted_at=START)
    level = found(course(waiting, PastTimes()), until=START + minutes(6))[ClockName.ERP_RECEIPT]
    assert (level.broken_before, level.broken_after) == (0, 1)


def test_a_claim_that_took_longer_than_the_new_level_is_counted() -> None:
    met = PastClock(ClockName.CLAIM, START + minutes(30), None, START + minutes(12), None, None)
    of = course(row(1, plan(), plan(claim_within=minutes(10))), PastTimes(clocks=[met]))
    level = found(of)[ClockName.CLAIM]
    assert (level.broken_before, level.broken_after) == (0, 1)


def test_a_partners_warning_moves_with_the_margin() -> None:
    met = PastClock(ClockName.PARTNER_WARNING, START + minutes(210), None, START + minutes(200), None, None)
    of = course(row(1, plan(), plan(partner_margin=minutes(60))), PastTimes(clocks=[met]))
    level = found(of)[ClockName.PARTNER_WARNING]
    assert (level.title, level.broken_before, level.broken_after) == ("partner_margin", 0, 1)


def test_nothing_of_a_cancelled_order_is_late_afterwards() -> None:
    breached = PastClock(ClockName.ERP_RECEIPT, START + minutes(15), None, None, START + minutes(15), None)
    off = PastTimes(clocks=[breached], events=[PastEvent(START + minutes(50), Event.CANCELLED, 1, "")])
    levels = found(course(row(1, plan(), plan(update_every=minutes(10))), off), until=START + timedelta(days=2))
    assert levels[ClockName.ERP_RECEIPT].broken_before == levels[ClockName.ERP_RECEIPT].recorded == 1
    assert (levels[ClockName.UPDATE].broken_before, levels[ClockName.UPDATE].broken_after) == (0, 3)
    assert levels[ClockName.RESOLVE].broken_after == 0


def test_how_soon_another_erp_would_answer_is_not_known() -> None:
    other = Plan(**{name: getattr(plan(), name) for name in Plan.__slots__} | {"erp": "another"})
    of = course(row(1, plan(), other), PastTimes(clocks=[receipt(START, minutes(3))]))
    level = found(of)[ClockName.ERP_RECEIPT]
    assert (level.unknown, level.estimate) == (1, None)
