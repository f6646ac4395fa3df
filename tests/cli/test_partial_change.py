"""A few changed fields over a whole order."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orderack.cli.partial_change import PartialChange, merged
from orderack.errors import InvalidInput
from tests.workflows.orders import an_order

ORDER = an_order("1", datetime(2026, 11, 14, 9, 0, tzinfo=UTC))
"""Two of line 1 at 9.90, one of line 2 at 20.00: 39.80."""


def test_a_new_quantity_moves_the_total_by_the_lines_price() -> None:
    changed = merged(ORDER, PartialChange(quantities={"1": Decimal(5)}))
    assert [line.quantity for line in changed.lines] == [5, 1]
    assert changed.totals.total == Decimal("69.50")
    assert changed.content_hash != ORDER.content_hash


def test_quantity_zero_takes_the_line_out() -> None:
    changed = merged(ORDER, PartialChange(quantities={"2": Decimal(0)}))
    assert [line.line_id for line in changed.lines] == ["1"]
    assert changed.totals.total == Decimal("19.80")


def test_instructions_alone_leave_lines_and_total_as_they_are() -> None:
    changed = merged(ORDER, PartialChange(instructions="ring twice"))
    assert (changed.lines, changed.totals, changed.instructions) == (ORDER.lines, ORDER.totals, "ring twice")


def test_a_line_that_the_order_has_not_is_named_with_those_it_has() -> None:
    with pytest.raises(InvalidInput, match=r"3 is no line of the order.*1, 2"):
        merged(ORDER, PartialChange(quantities={"3": Decimal(1)}))


def test_a_change_passes_the_same_door_as_any_order() -> None:
    with pytest.raises(InvalidInput, match="quantity"):
        merged(ORDER, PartialChange(quantities={"1": Decimal("0.00001")}))
    with pytest.raises(InvalidInput, match="instructions"):
        merged(ORDER, PartialChange(instructions="ring\x1b[2J"))
