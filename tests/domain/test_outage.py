"""When failed attempts add up to an outage: many orders without an answer for long, or half of many attempts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.outage import ATTEMPTS, LASTS, MANY, ORDERS, PUT_OFF_FOR, REMEMBERED, Ended, Window

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SILENT_FOR = timedelta(seconds=20)
ATTEMPT = st.tuples(st.floats(0, 30), st.integers(1, 6), st.sampled_from(Ended))
"""Seconds since the one before, the order, how it ended."""


def seen(*attempts: tuple[float, int, Ended]) -> Window:
    """What a window makes of attempts at these seconds, of these orders."""
    window = Window(SILENT_FOR)
    for seconds, order, ended in attempts:
        window.note(NOW + timedelta(seconds=seconds), str(order), ended)
    return window


def failures(count: int, over: float, orders: int, ended: Ended = Ended.FAILED) -> list[tuple[float, int, Ended]]:
    return [(over * place / (count - 1), place % orders, ended) for place in range(count)]


def test_several_orders_without_any_answer_for_long_are_an_outage_and_the_figures_are_told() -> None:
    assert seen(*failures(5, 20, 3)).outage() == "no answer to 5 attempts of 3 orders within 20 s"


@pytest.mark.parametrize(
    "attempts",
    [failures(4, 20, 3), failures(5, 20, 2), failures(5, 19, 3), failures(19, 4, 19)],
    ids=["too few attempts", "too few orders", "too short", "a hiccup"],
)
def test_less_than_that_is_none(attempts: list[tuple[float, int, Ended]]) -> None:
    assert seen(*attempts).outage() is None


def test_half_of_many_attempts_within_the_minute_are_an_outage_though_some_get_through() -> None:
    good = [(second, 100 + second, Ended.ANSWERED) for second in range(10)]
    bad = [(second, second, Ended.FAILED) for second in range(10)]
    both = sorted([*good, *bad])
    assert seen(*both).outage() == "10 of 20 attempts failed within 9 s"
    assert seen(*both, (9.5, 200, Ended.ANSWERED)).outage() is None


def test_a_restart_that_is_over_at_once_is_no_outage_however_many_it_hits() -> None:
    blow = failures(200, LASTS.total_seconds() - 0.1, 200)
    assert seen(*blow).outage() is None
    assert seen(*blow, (LASTS.total_seconds(), 1, Ended.FAILED)).outage()


def test_throttling_is_the_vendors_pace_until_nobody_has_got_through_for_minutes() -> None:
    long = PUT_OFF_FOR.total_seconds()
    assert seen(*failures(60, long - 1, 30, Ended.PUT_OFF)).outage() is None
    assert seen(*failures(60, long, 30, Ended.PUT_OFF)).outage()
    through = [*failures(60, long, 30, Ended.PUT_OFF), (long / 2 + 0.01, 99, Ended.ANSWERED)]
    assert seen(*sorted(through)).outage() is None


def test_what_was_cleared_is_not_counted_again() -> None:
    window = seen(*failures(40, 30, 20))
    assert window.outage()
    window.clear()
    assert window.outage() is None
    window.note(NOW + timedelta(seconds=31), "1", Ended.FAILED)
    assert window.outage() is None


@given(st.lists(ATTEMPT, max_size=60))
def test_one_slow_order_never_is_an_outage(steps: list[tuple[float, int, Ended]]) -> None:
    at, attempts = 0.0, []
    for wait, order, ended in steps:
        at += wait
        attempts.append((at, 1 if ended is not Ended.ANSWERED else order, ended))
    assert seen(*attempts).outage() is None


@given(st.lists(ATTEMPT, max_size=60))
def test_whoever_says_no_is_there(steps: list[tuple[float, int, Ended]]) -> None:
    at, window = 0.0, Window(SILENT_FOR)
    for wait, order, _ in steps:
        at += wait
        window.note(NOW + timedelta(seconds=at), str(order), Ended.ANSWERED)
        assert window.outage() is None


@given(st.lists(ATTEMPT, max_size=60))
def test_an_outage_rests_on_several_orders_and_on_nothing_that_is_long_past(
    steps: list[tuple[float, int, Ended]],
) -> None:
    at, attempts = 0.0, []
    for wait, order, ended in steps:
        at += wait
        attempts.append((at, order, ended))
        found = seen(*attempts).outage()
        fresh = [one for one in attempts if one[0] > at - REMEMBERED.total_seconds()]
        bad = [one for one in fresh if one[2] is not Ended.ANSWERED]
        assert found == seen(*fresh).outage()
        if found:
            assert len(bad) >= ATTEMPTS
            assert len({order for _, order, _ in bad}) >= ORDERS
            counted = [one for one in fresh if one[0] > at - 60 and one[2] is not Ended.PUT_OFF]
            silent = not any(one[2] is Ended.ANSWERED for one in fresh[-ATTEMPTS:])
            assert silent or len(counted) >= MANY


@given(st.integers(5, 40), st.integers(3, 10), st.floats(20, 170))
def test_an_answer_ends_a_silence(count: int, orders: int, over: float) -> None:
    window = seen(*failures(count, over, orders))
    assert window.outage()
    quiet = seen(*failures(min(count, MANY - 2), over, orders), (over, 99, Ended.ANSWERED))
    assert quiet.outage() is None
