"""The board's rules, as pure values: which clock it is, how a system stands, how long ago."""

from datetime import UTC, datetime, timedelta

import pytest

from orderack.contracts.journal import ClockName, Stage
from orderack.domain.assessment import ServiceLevels
from orderack.domain.order import OrderRef
from orderack.gateway.board.feed import LISTED, Look, OpenLists, Snapshot
from orderack.gateway.board.figures import Tone, _channel_stands, _erp_stands, figures, percentile
from orderack.gateway.board.words import ago, span, until
from orderack.ledger.board_due import Began, which
from orderack.ports import Pause
from orderack.ports.board import BoardRecord, ChannelFlow, ErpFlow, Flagged, Standing
from orderack.temporal.open_orders import OpenOrder

NOW = datetime(2026, 3, 2, 9, 30, 0, 500, tzinfo=UTC)
LEVELS = ServiceLevels()


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@pytest.mark.parametrize(
    ("began", "due", "clock"),
    [
        (Began(order=NOW), minutes(1), ClockName.ACKNOWLEDGE),
        (Began(order=NOW), minutes(15), ClockName.HOLD),
        (Began(order=NOW - minutes(20), review=NOW), minutes(240), ClockName.REVIEW),
        (Began(order=NOW - minutes(20), review=NOW), minutes(30), ClockName.CLAIM),
        (Began(order=NOW - minutes(1), submitted=NOW), minutes(15), ClockName.ERP_RECEIPT),
        (Began(order=NOW - minutes(90), offered=NOW), minutes(30), ClockName.CLAIM),
        (Began(order=NOW - minutes(90), escalated=NOW), minutes(120), ClockName.UPDATE),
        (Began(order=NOW - minutes(90), escalated=NOW), minutes(360), ClockName.UPDATE),
        (Began(order=NOW, partner_due=NOW + minutes(200)), minutes(200), ClockName.PARTNER),
        (Began(order=NOW, partner_due=NOW + minutes(200)), minutes(170), ClockName.PARTNER_WARNING),
        (Began(order=NOW), minutes(2.2), None),
        (Began(), minutes(1), None),
    ],
)
def test_a_clock_is_known_by_what_began_it(began: Began, due: timedelta, clock: ClockName | None) -> None:
    assert which(NOW + due + timedelta(seconds=0.4), began, LEVELS) is clock


def test_the_end_of_the_stores_day_is_the_escalations_own() -> None:
    midnight = datetime(2026, 3, 2, 23, 0, 0, tzinfo=UTC)
    assert which(midnight, Began(escalated=NOW), LEVELS) is ClockName.RESOLVE


@pytest.mark.parametrize(
    ("waits", "receipt", "p95", "tone"),
    [
        (None, None, None, Tone.QUIET),
        (None, 1, 0.5, Tone.GOOD),
        (None, 60, None, Tone.QUIET),
        (0.5, 10, 0.5, Tone.GOOD),
        (2, 10, 0.5, Tone.LATE),
        (2, 10, 60.0, Tone.GOOD),
        (16, 20, 0.5, Tone.BAD),
        (16, 1, 0.5, Tone.BAD),
    ],
)
def test_an_erp_is_judged_by_what_waits_and_how_quick_it_was(
    waits: float | None, receipt: float | None, p95: float | None, tone: Tone
) -> None:
    since = NOW - minutes(waits) if waits is not None else None
    receipt_at = NOW - minutes(receipt) if receipt is not None else None
    assert _erp_stands(since, receipt_at, p95, NOW)[0] is tone


def test_an_erp_that_sends_no_receipts_is_told_from_one_stuck_order() -> None:
    assert _erp_stands(NOW - minutes(16), NOW - minutes(20), 1.0, NOW)[1] == "no receipts"
    assert _erp_stands(NOW - minutes(16), NOW - minutes(1), 1.0, NOW)[1] == "an order is stuck"


@pytest.mark.parametrize(
    ("accepted", "failed", "accepted_ago", "failed_ago", "tone"),
    [
        (0, 0, None, None, Tone.QUIET),
        (5, 0, 1, None, Tone.GOOD),
        (5, 1, 1, 2, Tone.LATE),
        (5, 1, 2, 1, Tone.LATE),
        (1, 5, 2, 1, Tone.BAD),
        (0, 1, None, 1, Tone.BAD),
    ],
)
def test_a_channel_is_judged_by_how_its_sends_end(
    accepted: int, failed: int, accepted_ago: float | None, failed_ago: float | None, tone: Tone
) -> None:
    at, failed_at = (NOW - minutes(each) if each is not None else None for each in (accepted_ago, failed_ago))
    assert _channel_stands(accepted, failed, at, failed_at)[0] is tone


def test_what_is_paused_is_somebodys_wish_and_what_is_marked_down_is_bad_of_channels_and_erps_alike() -> None:
    by_hand = Pause(channel="email", at=NOW, by="ada")
    mark = Pause(channel="erp/main", at=NOW, by="orderack", reason="no answer", probe_at=NOW)
    other = by_hand.model_copy(update={"channel": "main"})
    record = BoardRecord(
        erps=(ErpFlow(store="demo", erp="main", waiting=2, waiting_since=NOW),),
        channels=(ChannelFlow(store="demo", channel="email", accepted=3, accepted_at=NOW),),
        paused=(by_hand, mark, other),
    )
    shown = figures(Snapshot(record=record), ["demo"], NOW)
    assert [(one.tone, one.says, one.pause) for one in shown.channels] == [(Tone.LATE, "paused", by_hand)]
    assert [(one.tone, one.says, one.pause) for one in shown.erps] == [(Tone.BAD, "marked down", mark)]


def test_percentiles_are_of_what_was_measured() -> None:
    assert percentile([], 0.95) is None
    assert percentile([7.0], 0.95) == 7.0
    assert percentile([float(n) for n in range(1, 101)], 0.95) == 95.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3, "a moment"), (47, "40 s"), (119, "1 min"), (3_900, "1 h 05"), (90_000, "25 h 00"), (300_000, "3 d")],
)
def test_ages_are_said_to_about_a_tenth(seconds: int, said: str) -> None:
    assert span(timedelta(seconds=seconds)) == said


def test_what_is_past_due_is_said_as_over() -> None:
    assert until(NOW + minutes(5), NOW) == "in 5 min"
    assert until(NOW - minutes(5), NOW) == "5 min over"
    assert ago(None, NOW) == "never"


@pytest.mark.parametrize("away", [False, True])
def test_of_more_reviews_than_temporal_lists_the_first_are_shown_with_their_reason(away: bool) -> None:
    """A list that is cut holds the newest: those that are due first may not be in it."""
    first, second = (OrderRef(store="demo", number=number) for number in ("first", "second"))
    flagged = tuple(
        Flagged(
            ref=ref, revision=1, opened_at=NOW - minutes(90), why="high_value", owner="desk", due_at=NOW + minutes(n)
        )
        for n, ref in enumerate((first, second), start=5)
    )
    newest = tuple(OpenOrder(ref=OrderRef(store="demo", number=f"{n}"), started_at=NOW) for n in range(LISTED - 1))
    second_now = OpenOrder(ref=second, started_at=NOW, owner="lead", next_due_at=NOW + minutes(1))
    many = Standing(
        store="demo",
        source="web",
        stage=Stage.REVIEW,
        orders=LISTED + 5,
        bands=(LISTED + 5, 0, 0, 0, 0),
        oldest_at=NOW,
        latest_at=NOW,
        lately=0,
    )
    record = BoardRecord(flagged=flagged, standings=(many,))
    lists = OpenLists(reviews=(*newest, second_now))
    shown = figures(Snapshot(record=record, lists=lists, lists_look=Look(away=away)), ["demo"], NOW)
    rows = [(row.ref, row.owner, row.due_at, row.flagged and row.flagged.why) for row in shown.reviews]
    as_now = (second, "lead", NOW + minutes(1), "high_value")
    as_recorded = (second, "desk", NOW + minutes(6), "high_value")
    of_first = (first, "desk", NOW + minutes(5), "high_value")
    assert rows == ([of_first, as_recorded] if away else [as_now, of_first])
    assert shown.reviews_in_all == LISTED + 5


@pytest.mark.parametrize("away", [False, True])
def test_a_review_opened_for_one_more_reason_stands_once_with_the_last(away: bool) -> None:
    ref = OrderRef(store="demo", number="1")
    flagged = tuple(Flagged(ref=ref, revision=1, opened_at=NOW, why=why) for why in ("new_client", "erp_refused"))
    shown = figures(Snapshot(record=BoardRecord(flagged=flagged), lists_look=Look(away=away)), ["demo"], NOW)
    assert [row.flagged and row.flagged.why for row in shown.reviews] == ["erp_refused"]
