"""Weeks, intervals, and when a difference is called one."""

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from scipy.stats import binomtest

from orderack.diagnostics.weekly import words
from orderack.diagnostics.weekly.statistics import Good, Share, Verdict, spread, verdict
from orderack.diagnostics.weekly.weeks import Week, last_whole, parse_week, settled

BERLIN, HONOLULU = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Honolulu")


@pytest.mark.parametrize("text", ["2026-W47", "2026W47", " 2026-w47 "])
def test_a_week_is_written_as_iso_8601_writes_it(text: str) -> None:
    assert parse_week(text) == Week(date(2026, 11, 16))
    assert str(parse_week(text)) == "2026-W47"


@pytest.mark.parametrize(
    ("text", "says"),
    [("47", "write 2026-W47"), ("2026-W00", "W01 to W53"), ("2025-W53", "W01 to W52"), ("0000-W01", "is no week")],
)
def test_what_is_no_week_is_refused_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_week(text)


def test_the_week_of_the_change_of_clocks_has_an_hour_more() -> None:
    week = parse_week("2026-W43")
    assert week.ends(BERLIN) - week.begins(BERLIN) == timedelta(days=7, hours=1)
    assert str(parse_week("2026-W53").before(-1)) == "2027-W01"


def test_the_last_week_is_the_one_that_is_over_in_the_stores_zone() -> None:
    monday = datetime(2026, 11, 23, 1, 0, tzinfo=BERLIN)
    assert str(last_whole(monday, BERLIN)) == "2026-W47"
    assert str(last_whole(monday, HONOLULU)) == "2026-W46"
    assert str(last_whole(monday - timedelta(hours=2), BERLIN)) == "2026-W46"


def test_every_week_is_looked_at_as_long_after_its_end_as_the_last_one_is_at_most_two_days() -> None:
    week = parse_week("2026-W47")
    assert settled(week, UTC, week.ends(UTC) + timedelta(hours=7)) == timedelta(hours=7)
    assert settled(week, UTC, week.ends(UTC) + timedelta(days=70)) == timedelta(days=2)


@pytest.mark.parametrize(("hits", "of"), [(0, 1), (1, 1), (388, 400), (3, 7), (0, 500)])
def test_a_shares_interval_is_wilsons(hits: int, of: int) -> None:
    expected = binomtest(hits, of).proportion_ci(0.95, method="wilson")
    found = Share(hits=hits, of=of).interval
    assert found
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_a_quantile_is_a_value_that_was_measured_and_has_no_interval_of_too_few() -> None:
    few = spread([3.0, 1.0, 2.0])
    assert few.p50
    assert few.p95
    assert (few.p50.seconds, few.p95.seconds, few.p50.interval, few.p95.interval) == (2.0, 3.0, None, None)
    assert spread([1.0] * 105).p95.interval is None  # type: ignore[union-attr]
    assert spread([1.0] * 106).p95.interval is not None  # type: ignore[union-attr]
    assert spread([1.0] * 19).p50.interval is None  # type: ignore[union-attr]
    assert spread([1.0] * 20).p50.interval is not None  # type: ignore[union-attr]


@pytest.mark.parametrize(("q", "n"), [("p50", 60), ("p50", 400), ("p95", 150), ("p95", 400)])
def test_a_quantiles_interval_holds_the_true_one_about_as_often_as_it_says(q: str, n: int) -> None:
    dice, held, rounds = random.Random(n), 0, 600
    true = {"p50": 0.6931, "p95": 2.9957}[q]  # of an exponential distribution
    for _ in range(rounds):
        quantile = getattr(spread([dice.expovariate(1) for _ in range(n)]), q)
        held += quantile.interval.low <= true <= quantile.interval.high
    assert 0.92 <= held / rounds <= 0.99


def test_two_weeks_of_the_same_shop_seldom_get_a_verdict() -> None:
    """Nothing differs in 2,000 pairs of weeks: a share, a median and a p95 of each."""
    dice, said, rounds = random.Random(5), 0, 2_000
    for _ in range(rounds):
        pair = [Share(hits=sum(dice.random() < 0.9 for _ in range(200)), of=200) for _ in range(2)]
        said += _of_shares(*pair) is not Verdict.NONE
    assert said / rounds < 0.012
    said = 0
    for _ in range(400):
        for q in ("p50", "p95"):
            mine, other = (getattr(spread([dice.expovariate(1) for _ in range(200)]), q) for _ in range(2))
            said += verdict(mine.seconds, other.seconds, mine.interval, other.interval, Good.DOWN) is not Verdict.NONE
    assert said / 800 < 0.02


def _of_shares(mine: Share, other: Share, good: Good = Good.UP) -> Verdict:
    assert mine.value is not None
    assert other.value is not None
    return verdict(mine.value, other.value, mine.interval, other.interval, good)


def test_a_difference_that_is_one_is_called_by_its_direction() -> None:
    good, bad = Share(hits=390, of=400), Share(hits=340, of=400)
    assert _of_shares(bad, good) is Verdict.WORSE
    assert _of_shares(good, bad) is Verdict.BETTER
    assert _of_shares(good, bad, Good.DOWN) is Verdict.WORSE
    assert _of_shares(good, bad, Good.NEITHER) is Verdict.OTHER
    assert _of_shares(Share(hits=39, of=40), Share(hits=34, of=40)) is Verdict.NONE


@pytest.mark.parametrize(
    ("written", "words_"),
    [
        (words.points(0.971, 0.95), "2.1 points up"),
        (words.points(0.94, 0.95), "1 point down"),
        (words.points(0.9500001, 0.95), "the same"),
        (words.longer(64, 60.8), "3.2 s longer"),
        (words.longer(60, 400), "5 min 40 s shorter"),
        (words.amount(3, 15), "12 fewer"),
        (words.percent(0.00001), "under 0.1 %"),
        (words.percent(0.99999), "over 99.9 %"),
        (words.percent(1), "100 %"),
        (words.span(date(2026, 11, 16)), "16 to 22 Nov 2026"),
        (words.span(date(2026, 11, 30)), "30 Nov to 6 Dec 2026"),
        (words.span(date(2026, 12, 28)), "28 Dec 2026 to 3 Jan 2027"),
        (words.names(["a", "b", "c"], 2), "a, b and 1 more"),
    ],
)
def test_figures_are_said_plainly(written: str, words_: str) -> None:
    assert written == words_
