"""Cases that lie between causes, and what is said of them. Each shop is made by hand: one thing is at issue."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from orderack.diagnostics.gap.diagnose import Options, diagnose
from orderack.diagnostics.gap.verdict import Refusal, Verdict
from orderack.diagnostics.gap.waiting import Cause
from tests.diagnostics.gap.made import DAY, Made, captures, steady
from tests.diagnostics.gap.shop import START

N = 800


def busy(
    captured: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """From 0 at night to 1 in the afternoon."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * (captured - START) / DAY)


def test_an_erp_queue_that_is_a_little_slower_by_day_is_still_consistent(tmp_path: Path) -> None:
    at = captures(N, 10)
    found = Made(at, at + steady(N, 240) * (1 + 0.2 * busy(at))).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.ERP_QUEUE
    assert found.ruling.variation is not None
    assert 1.05 < found.ruling.variation.swing.value < 1.4
    assert found.ruling.confidence > 0.95


def test_a_delay_that_doubles_by_day_is_the_integrations(tmp_path: Path) -> None:
    at = captures(N, 10)
    found = Made(at, at + steady(N, 120) * (1 + 1.5 * busy(at))).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.INTEGRATION_QUEUE
    assert found.ruling.variation is not None
    assert found.ruling.variation.swing.low > 1.4
    assert found.ruling.variation.hour_p < 1e-6


def test_a_webhook_that_fails_now_and_then_is_named_at_low_volume_too(tmp_path: Path) -> None:
    """25 orders a day: nothing ever queues, and neither hour nor volume explains anything."""
    at = captures(500, 20)
    random = np.random.default_rng(3)
    tries = random.geometric(0.6, 500) - 1
    found = Made(at, at + random.lognormal(2, 0.6, 500) + 30 * (2.0**tries - 1)).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.INTEGRATION_QUEUE
    assert found.ruling.variation is not None
    assert found.ruling.variation.explained.value < 0.05


@pytest.mark.parametrize("minutes", [5, 30])
def test_an_import_every_so_many_minutes_is_the_erps_queue_and_its_rhythm_is_named(
    minutes: int, tmp_path: Path
) -> None:
    """The delay spreads from nought to the interval, at every hour and volume alike: a schedule, no webhook."""
    at = captures(N, 10)
    run = np.ceil(at / (minutes * 60)) * minutes * 60
    found = Made(at, run + np.random.default_rng(4).uniform(1, 20, N)).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.ERP_QUEUE
    assert found.ruling.batch is not None
    assert found.ruling.batch.minutes == minutes
    assert f"every {minutes} minutes" in found.sentence


def test_a_confirmation_on_capture_is_the_trigger_though_the_erp_is_often_faster(tmp_path: Path) -> None:
    at = captures(N, 10)
    random = np.random.default_rng(5)
    told, booked = at + random.lognormal(1.5, 0.6, N), at + random.lognormal(1.2, 0.6, N)
    found = Made(at, booked, told).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.TRIGGER
    assert found.ruling.sequence is not None
    assert found.ruling.sequence.early_share.value < 0.4


@pytest.mark.parametrize("delay", ["consistent", "variable"])
def test_a_confirmation_on_capture_is_the_trigger_whatever_the_erp_does_and_the_wait_is_named_beside(
    delay: str, tmp_path: Path
) -> None:
    at = captures(N, 10)
    booked = at + steady(N, 200) * (1 + (1.8 * busy(at) if delay == "variable" else 0))
    found = Made(at, booked, at + steady(N, 4, 0.4, seed=9)).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.TRIGGER
    (wait,) = found.ruling.wait_cause
    assert wait.cause is (Cause.INTEGRATION_QUEUE if delay == "variable" else Cause.ERP_QUEUE)


def test_a_confirmation_that_waits_for_the_receipt_leaves_the_queue_to_be_named(tmp_path: Path) -> None:
    at = captures(N, 10)
    booked = at + steady(N, 300)
    found = Made(at, booked, booked + steady(N, 4, 0.4, seed=9)).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.ERP_QUEUE
    assert found.signals.confirmed_before_receipt == 0


@pytest.mark.parametrize("ahead", [-25.0, 25.0])
def test_a_clock_that_is_off_does_not_make_a_waiting_confirmation_early(ahead: float, tmp_path: Path) -> None:
    at = captures(N, 10)
    booked = at + steady(N, 300)
    found = Made(at, booked + ahead, booked + steady(N, 4, 0.4, seed=9)).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.ERP_QUEUE
    assert found.signals.confirmed_before_receipt < 0.03 * N


def test_half_of_the_orders_confirmed_on_capture_makes_two_causes_with_their_shares(tmp_path: Path) -> None:
    at = captures(N, 10)
    booked, first = at + steady(N, 300), np.random.default_rng(6).random(N) < 0.5
    told = np.where(first, at, booked) + steady(N, 4, 0.4, seed=9)
    found = Made(at, booked, told).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.MIXED
    shares = {part.cause: part.share for part in found.ruling.parts}
    assert shares[Cause.TRIGGER] == pytest.approx(first.mean(), abs=0.02)
    assert set(shares) == {Cause.TRIGGER, Cause.ERP_QUEUE}


def test_channels_with_different_causes_are_a_mixture_and_each_with_enough_orders_has_its_verdict(
    tmp_path: Path,
) -> None:
    at = captures(2_000, 10)
    web = np.random.default_rng(7).random(2_000) < 0.7
    booked = at + np.where(web, steady(2_000, 300), np.random.default_rng(8).lognormal(3.5, 0.9, 2_000))
    found = Made(at, booked, channel=np.where(web, "web", "amazon").tolist()).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.MIXED
    assert {part.cause for part in found.ruling.parts} == {Cause.ERP_QUEUE, Cause.INTEGRATION_QUEUE}
    assert found.ruling.parts[0].share == pytest.approx(0.7, abs=0.03)
    verdicts = {each.channel: each.ruling.verdict for each in found.channels}
    assert verdicts == {"web": Verdict.ERP_QUEUE, "amazon": Verdict.INTEGRATION_QUEUE}


def test_channels_at_levels_of_their_own_are_no_variation(tmp_path: Path) -> None:
    """Ten small marketplaces, the slowest ten times as slow as the fastest: each consistently."""
    at = captures(N, 10)
    which = np.random.default_rng(7).integers(0, 10, N)
    made = Made(at, at + steady(N, 60) * (1 + which), channel=[f"market {each}" for each in which])
    found = made.diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.ERP_QUEUE
    assert [each.ruling.verdict for each in found.channels] == [Verdict.REFUSED] * 10
    assert all(each.ruling.delay for each in found.channels)


def test_a_mailer_that_is_more_uneven_than_the_erp_does_not_make_the_trigger(tmp_path: Path) -> None:
    """The confirmation waits, but what the mailer adds hides that it follows the receipt."""
    at = captures(N, 10)
    booked = at + steady(N, 60, 0.04)
    found = Made(at, booked, booked + steady(N, 20, 0.7, seed=9)).diagnosed(tmp_path).diagnosis
    assert found.ruling.sequence is not None
    assert found.ruling.sequence.excess.value < 0.2
    assert found.verdict is Verdict.ERP_QUEUE


def test_the_integrations_stamps_take_the_delay_apart_whatever_its_pattern(tmp_path: Path) -> None:
    """By its pattern alone this ERP, which is slow at busy hours, would be the integration."""
    at = captures(N, 10)
    delivered = at + steady(N, 3, 0.4)
    made = Made(at, delivered + steady(N, 120, seed=4) * (1 + 2 * busy(at)))
    assert made.diagnosed(tmp_path).diagnosis.verdict is Verdict.INTEGRATION_QUEUE
    assert replace(made, delivered=delivered).diagnosed(tmp_path).diagnosis.verdict is Verdict.ERP_QUEUE


def test_two_slow_stages_of_one_path_are_a_mixture(tmp_path: Path) -> None:
    at = captures(N, 10)
    delivered = at + np.random.default_rng(4).lognormal(4.5, 0.7, N)
    found = Made(at, delivered + steady(N, 120), delivered=delivered).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.MIXED
    assert found.ruling.stages is not None
    assert 0.4 < found.ruling.stages.first_share.value < 0.6


def test_what_follows_the_integrations_taking_it_in_is_its_own_if_it_varies(tmp_path: Path) -> None:
    """The stamp says *received*: the integration's queue is still ahead of it."""
    at = captures(N, 10)
    received = at + steady(N, 2, 0.3)
    vary, even = received + steady(N, 120) * (1 + 2 * busy(at)), received + steady(N, 240)
    assert Made(at, vary, received=received).diagnosed(tmp_path).diagnosis.verdict is Verdict.INTEGRATION_QUEUE
    assert Made(at, even, received=received).diagnosed(tmp_path).diagnosis.verdict is Verdict.ERP_QUEUE


def test_an_outage_is_shown_and_does_not_make_a_consistent_queue_variable(tmp_path: Path) -> None:
    at = captures(N, 4)
    booked = at + steady(N, 180)
    since, until = START + 1.4 * DAY, START + 1.9 * DAY
    held = (booked > since) & (booked < until)
    booked = np.where(held, until + np.random.default_rng(5).uniform(0, 300, N), booked)
    found = Made(at, booked).diagnosed(tmp_path).diagnosis
    assert found.verdict is Verdict.ERP_QUEUE
    (outage,) = found.ruling.outages
    assert outage.waiting == pytest.approx(held.sum(), abs=5)
    assert any("outage" in note for note in found.notes)


def test_under_five_hundred_joined_orders_nothing_is_said_but_how_many_more(tmp_path: Path) -> None:
    at = captures(600, 10)
    booked = at + steady(600, 300)
    booked[499:] = np.nan
    short = Made(at, booked).diagnosed(tmp_path).diagnosis
    assert (short.verdict, short.ruling.refusal, short.ruling.orders_missing) == (Verdict.REFUSED, Refusal.TOO_FEW, 1)
    assert "1 more" in short.sentence
    assert short.ruling.parts == ()
    booked[499] = at[499] + 300
    assert Made(at, booked).diagnosed(tmp_path).diagnosis.verdict is Verdict.ERP_QUEUE


def test_receipts_before_their_capture_ask_for_the_time_zone(tmp_path: Path) -> None:
    at = captures(N, 10)
    found = Made(at, at + steady(N, 300) - 3_600).diagnosed(tmp_path).diagnosis
    assert (found.verdict, found.ruling.refusal) == (Verdict.REFUSED, Refusal.SHIFTED)
    assert "--time-zone" in found.next[0]


def test_a_delay_of_seconds_is_no_gap(tmp_path: Path) -> None:
    at = captures(N, 10)
    found = Made(at, at + steady(N, 2)).diagnosed(tmp_path).diagnosis
    assert (found.verdict, found.ruling.refusal) == (Verdict.REFUSED, Refusal.NO_GAP)


def test_times_rounded_to_the_minute_carry_no_pattern_of_a_shorter_delay(tmp_path: Path) -> None:
    at = captures(N, 10)
    found = Made(at, np.ceil((at + steady(N, 45)) / 60) * 60).diagnosed(tmp_path).diagnosis
    assert (found.verdict, found.ruling.refusal) == (Verdict.REFUSED, Refusal.COARSE)


def test_the_night_when_the_clock_goes_back_is_read_in_the_logs_zone(tmp_path: Path) -> None:
    """25 October 2026, Berlin: 02:00 to 03:00 comes twice. Without the zone, delays jump by an hour."""
    begin = datetime(2026, 10, 23, tzinfo=UTC).timestamp()
    at = np.sort(begin + np.random.default_rng(1).uniform(0, 5 * DAY, 900))
    booked = at + steady(900, 300)
    zone = ZoneInfo("Europe/Berlin")
    orders, erp = tmp_path / "orders.csv", tmp_path / "erp.csv"
    pl.DataFrame(
        {
            "order_id": [f"{n}" for n in range(900)],
            "created_at": [datetime.fromtimestamp(t, UTC).isoformat() for t in at],
        }
    ).write_csv(orders)
    local = [datetime.fromtimestamp(t, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") for t in booked]
    pl.DataFrame({"order_id": [f"{n}" for n in range(900)], "booked_at": local}).write_csv(erp)
    twice = sum("2026-10-25 02:" in each for each in local)
    assert twice > 5

    files = {"orders": orders, "erp": erp}
    found = diagnose(files, Options(zones=("erp=Europe/Berlin",))).diagnosis
    assert found.verdict is Verdict.ERP_QUEUE
    assert found.joined_orders == 900 - twice
    (log,) = (each for each in found.logs if each.log == "erp")
    assert log.unreadable == twice
    assert "twice" in log.unreadable_rows[0].why
    assert found.signals.not_in_erp == 0
    assert found.ruling.delay is not None
    assert found.ruling.delay.maximum < 1_000
    unsaid = diagnose(files, Options()).diagnosis
    assert any("read as UTC" in note for note in unsaid.notes)
    assert unsaid.ruling.delay is not None
    assert unsaid.ruling.delay.median.value > 3_600
