"""The promise date: one working day, never in the past, with its arithmetic."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orderack.domain.calendar import WorkingCalendar
from orderack.domain.promise import Workload, promise_date

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = WorkingCalendar(workdays=frozenset(range(5)))
THURSDAY = date(2026, 11, 12)


def workload(**changes: object) -> Workload:
    return Workload.model_validate(
        {"time_zone": "Europe/Berlin", "cut_off": time(15), "lead_days": 2, "capacity_per_day": 200, **changes}
    )


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), BERLIN)


@pytest.mark.parametrize(
    ("asked", "changes", "expected"),
    [
        (at(THURSDAY, 14, 59), {}, date(2026, 11, 16)),
        (at(THURSDAY, 15, 0), {}, date(2026, 11, 17)),
        (at(THURSDAY, 14, 59), {"lead_days": 0}, THURSDAY),
        (at(date(2026, 11, 14), 23, 59), {"lead_days": 0}, date(2026, 11, 16)),
        (at(THURSDAY, 9), {"lead_days": 0, "queue_depth": 199}, THURSDAY),
        (at(THURSDAY, 9), {"lead_days": 0, "queue_depth": 200}, date(2026, 11, 13)),
        (at(THURSDAY, 9), {"lead_days": 0, "queue_depth": 450}, date(2026, 11, 16)),
        (at(THURSDAY, 9), {"restocked_on": date(2026, 11, 20)}, date(2026, 11, 24)),
        (at(THURSDAY, 9), {"restocked_on": date(2026, 11, 1)}, date(2026, 11, 16)),
        (at(THURSDAY, 9), {"undated_backorder": True, "backorder_lead_days": 10}, date(2026, 11, 30)),
        (at(THURSDAY, 9), {"wanted_on": date(2026, 12, 5)}, date(2026, 12, 7)),
        (at(THURSDAY, 9), {"wanted_on": date(2026, 11, 13)}, date(2026, 11, 16)),
    ],
    ids=[
        "before the cut-off",
        "at the cut-off it is tomorrow's work",
        "no lead time",
        "a weekend has no cut-off",
        "a queue of less than a day",
        "a full day of queue",
        "queue over a weekend",
        "back in stock, then the lead time",
        "back in stock already",
        "no day from the ERP",
        "wanted later, on a Saturday",
        "wanted sooner than possible",
    ],
)
def test_the_date_follows_from_its_inputs(asked: datetime, changes: dict[str, object], expected: date) -> None:
    assert promise_date(asked, workload(**changes), WEEK).on == expected


def test_a_holiday_is_skipped_like_a_weekend() -> None:
    calendar = WEEK.model_copy(update={"holidays": frozenset({date(2026, 12, 25)})})
    assert promise_date(at(date(2026, 12, 24), 9), workload(lead_days=1), calendar).on == date(2026, 12, 28)


def test_the_cut_off_is_local_time_on_both_sides_of_the_clock_change() -> None:
    summer, winter = datetime(2026, 10, 23, 13, 30, tzinfo=UTC), datetime(2026, 10, 26, 13, 30, tzinfo=UTC)
    assert promise_date(summer, workload(), WEEK).missed_cut_off
    assert not promise_date(winter, workload(), WEEK).missed_cut_off


def test_the_day_is_the_stores_day_not_ours() -> None:
    late = datetime(2026, 11, 12, 23, 30, tzinfo=UTC)
    assert promise_date(late, workload(lead_days=0), WEEK).on == date(2026, 11, 13)


def test_the_promise_keeps_the_numbers_it_was_made_of() -> None:
    promise = promise_date(at(THURSDAY, 16), workload(queue_depth=450, restocked_on=THURSDAY), WEEK)
    assert (promise.missed_cut_off, promise.starts_on, promise.queue_days) == (True, date(2026, 11, 13), 2)
    assert promise.workload.queue_depth == 450
    assert type(promise).model_validate_json(promise.model_dump_json()) == promise


def test_a_calendar_without_working_days_says_so() -> None:
    with pytest.raises(ValueError, match="no working day"):
        promise_date(at(THURSDAY, 9), workload(), WorkingCalendar(workdays=frozenset()))
    with pytest.raises(ValidationError):
        workload(capacity_per_day=0)


workloads = st.builds(
    workload,
    time_zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kolkata"]),
    cut_off=st.times(),
    lead_days=st.integers(0, 30),
    queue_depth=st.integers(0, 2_000),
    capacity_per_day=st.integers(1, 500).filter(lambda capacity: capacity >= 50),
    restocked_on=st.none() | st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    undated_backorder=st.booleans(),
    backorder_lead_days=st.integers(0, 30),
    wanted_on=st.none() | st.dates(date(2026, 1, 1), date(2027, 12, 31)),
)
calendars = st.builds(
    WorkingCalendar,
    workdays=st.frozensets(st.integers(0, 6), min_size=1),
    holidays=st.frozensets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=40),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(moments, workloads, calendars)
def test_it_is_always_a_working_day_at_least_the_lead_time_away_and_never_past(
    now: datetime, load: Workload, calendar: WorkingCalendar
) -> None:
    promise = promise_date(now, load, calendar)
    today = now.astimezone(ZoneInfo(load.time_zone)).date()
    assert calendar.is_working(promise.on)
    assert promise.on >= today
    between = (today + timedelta(days=ahead) for ahead in range((promise.on - today).days))
    assert sum(calendar.is_working(day) for day in between) >= load.lead_days
    for other in (load.wanted_on, load.restocked_on):
        assert other is None or promise.on >= other


@given(moments, workloads, calendars, st.integers(1, 1_000))
def test_a_longer_queue_never_makes_it_earlier(
    now: datetime, load: Workload, calendar: WorkingCalendar, more: int
) -> None:
    longer = load.model_copy(update={"queue_depth": load.queue_depth + more})
    assert promise_date(now, longer, calendar).on >= promise_date(now, load, calendar).on
