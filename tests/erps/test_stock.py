"""Figures of stock, and what they mean for a line."""

from datetime import date
from decimal import Decimal

import pytest

from orderack.domain.receipt import StockVerdict
from orderack.erps._stock import Incoming, Part, Position, stock, verdict
from tests.conformance.erp import LINES

SOON, LATER = date(2026, 12, 1), date(2027, 1, 1)


@pytest.mark.parametrize(
    ("free", "incoming", "wanted", "supplied", "word", "quantity", "on"),
    [
        (5, (), 5, 0, "available", 5, None),
        (2, (), 5, 0, "partial", 2, None),
        (2, ((10, SOON),), 5, 0, "partial", 2, SOON),
        (0, ((10, SOON),), 5, 0, "backordered", None, SOON),
        (0, ((10, None),), 5, 0, "backordered", None, None),
        (-8, ((10, SOON), (10, LATER)), 5, 0, "backordered", None, LATER),
        (-8, ((10, SOON),), 5, 0, "backordered", None, None),
        (0, (), 5, 0, "unavailable", None, None),
        (-3, (), 5, 0, "unavailable", None, None),
        (0, (), 0, 5, "available", 5, None),
        (5, (), 0, 0, "unavailable", None, None),
        (0, (), 2, 3, "partial", 3, None),
        (0, ((10, SOON),), 2, 3, "partial", 3, SOON),
    ],
)
def test_figures_of_stock_become_a_verdict(
    free: int,
    incoming: tuple[tuple[int, date | None], ...],
    wanted: int,
    supplied: int,
    word: str,
    quantity: int | None,
    on: date | None,
) -> None:
    position = Position(Decimal(free), tuple(Incoming(Decimal(many), day) for many, day in incoming))
    found = verdict("1", Part(position, Decimal(wanted), Decimal(supplied)))
    assert (found.verdict, found.quantity, found.expected_on) == (word, quantity, on)
    if wanted and not supplied:
        line = LINES[0].model_copy(update={"quantity": Decimal(wanted)})
        assert stock(line, position).verdict == word


def test_a_service_is_always_there_and_a_box_is_sold_whole_or_in_part() -> None:
    assert verdict("1", Part(Position(Decimal(0), endless=True), Decimal(9))).verdict is StockVerdict.AVAILABLE
    boxes = Position(Decimal(24)).per(Decimal(12))
    assert verdict("1", Part(boxes, Decimal(3))).quantity == Decimal(2)


def test_rows_of_one_line_are_answered_for_together() -> None:
    here, soon, later, never = (
        Position(Decimal(9)),
        Position(Decimal(0), (Incoming(Decimal(9), SOON),)),
        Position(Decimal(0), (Incoming(Decimal(9), LATER),)),
        Position(Decimal(0)),
    )
    table = (
        ((here, here), "available", 4, None),
        ((here, soon), "partial", 2, SOON),
        ((soon, later), "backordered", None, LATER),
        ((soon, never), "backordered", None, None),
        ((here, never), "partial", 2, None),
        ((never, never), "unavailable", None, None),
    )
    for (one, other), word, quantity, on in table:
        found = verdict("1", Part(one, Decimal(2)), Part(other, Decimal(2)))
        assert (found.verdict, found.quantity, found.expected_on) == (word, quantity, on)


@pytest.mark.parametrize(
    ("figure", "shown"),
    [("0.33335", "0.3333"), ("0.00001", None), ("1E+15", "99999999"), ("12.5000000", "12.5")],
)
def test_a_figure_that_no_order_could_have_is_no_traceback(figure: str, shown: str | None) -> None:
    found = verdict("1", Part(Position(Decimal(0), endless=True), Decimal(figure)))
    assert found.quantity == (Decimal(shown) if shown else None)
