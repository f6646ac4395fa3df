"""Oversell by the gap: each oversold unit falls in the window between its order's capture and the ERP's receipt."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orderack.diagnostics.reconcile.oversell import left_over, oversell
from orderack.domain.order import OrderRef
from orderack.ports.captured import CapturedOrder

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(minutes: float | None) -> datetime | None:
    return None if minutes is None else NOON + timedelta(minutes=minutes)


def order(
    number: str,
    captured: float,
    booked: float | None,
    units: int,
    stock: int | None,
    *,
    off: float | None = None,
    confirmed: float | None = None,
) -> CapturedOrder:
    free: Mapping[str, Decimal] = {} if stock is None else {"MUG": Decimal(stock)}
    return CapturedOrder(
        ref=OrderRef(store="demo", number=number),
        captured_at=NOON + timedelta(minutes=captured),
        revision=1,
        erp="main",
        ids=frozenset({number}),
        total=None,
        currency="EUR",
        units={"MUG": Decimal(units)},
        ended="cancelled" if off is not None else "",
        ended_at=at(off),
        confirmed_at=at(confirmed),
        booked_at=at(booked),
        stock=free,
    )


def test_units_that_are_promised_while_an_earlier_order_stands_in_its_gap_are_oversold() -> None:
    report = oversell([order("A", 0, 10, 4, 5), order("B", 5, 12, 3, 5)])
    (mug,) = report.skus
    (window,) = mug.windows
    assert (mug.units, mug.oversold) == (Decimal(7), Decimal(2))
    assert window.ref.number == "B"
    assert (window.before, window.stock, window.oversold) == (Decimal(4), Decimal(5), Decimal(2))
    assert (window.captured_at, window.ends_at, window.seconds) == (at(5), at(12), 420)


def test_once_the_erp_knows_an_order_its_stock_counts_it_and_nothing_is_oversold() -> None:
    assert oversell([order("A", 0, 4, 4, 5), order("B", 5, 12, 1, 1)]).oversold == 0


def test_an_order_that_was_called_off_in_its_gap_frees_its_units() -> None:
    assert oversell([order("A", 0, None, 4, 5, off=3), order("B", 5, 12, 3, 5)]).oversold == 0


def test_an_order_that_wants_more_than_there_is_is_oversold_by_itself() -> None:
    (mug,) = oversell([order("A", 0, None, 9, 5)]).skus
    assert (mug.oversold, mug.windows[0].ends_at) == (Decimal(4), None)


@pytest.mark.parametrize(
    ("booked", "confirmed", "within"), [(10, 5, True), (10, 11, False), (None, 5, True), (None, None, False)]
)
def test_a_confirmation_within_the_gap_is_said_so(booked: float | None, confirmed: float | None, within: bool) -> None:
    (mug,) = oversell([order("A", 0, booked, 9, 5, confirmed=confirmed)]).skus
    assert mug.windows[0].confirmed_within is within


def test_units_of_which_nobody_knew_the_stock_are_counted_apart() -> None:
    report = oversell([order("A", 0, 10, 4, None)])
    assert (report.units, report.oversold, report.unknown) == (Decimal(4), Decimal(0), Decimal(4))


@pytest.mark.parametrize("seed", range(10))
def test_the_windows_say_what_going_through_it_unit_by_unit_says(seed: int) -> None:
    chance = random.Random(seed)
    orders = [
        order(str(n), n, n + chance.uniform(0.5, 9), chance.randint(1, 4), chance.randint(0, 9)) for n in range(40)
    ]
    report = oversell(orders)
    expected = 0
    for one in orders:
        waiting = sum(
            int(other.units["MUG"])
            for other in orders
            if other.captured_at < one.captured_at and other.booked_at and other.booked_at > one.captured_at
        )
        for unit in range(1, int(one.units["MUG"]) + 1):
            expected += waiting + unit > one.stock["MUG"]
    assert report.oversold == expected
    assert sum(window.oversold for sku in report.skus for window in sku.windows) == expected


def test_what_is_left_is_the_erps_last_word_less_what_it_does_not_know_of() -> None:
    known, promised = left_over([order("A", 0, 2, 4, 9), order("B", 5, None, 3, 5), order("C", 6, 7, 1, None)])
    assert known == {"MUG": Decimal(5)}
    assert promised == {"MUG": Decimal(4)}, "B waits; C was booked after the ERP's last word"
