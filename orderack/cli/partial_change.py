"""A few changed fields over a whole order: pure, and checked at the same door as any order."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from orderack.cli.exits import bad
from orderack.cli.reading import accepted
from orderack.domain.intake import parse_order
from orderack.domain.money import minor_unit
from orderack.domain.order import Line, Order, Text
from orderack.domain.value import Value


class PartialChange(Value):
    """Quantities by line id (0: the line goes), and the order's instructions."""

    quantities: Mapping[str, Decimal] = {}
    instructions: Text | None = None

    @property
    def empty(self) -> bool:
        return not self.quantities and self.instructions is None


def merged(current: Order, change: PartialChange) -> Order:
    """The whole new order. Raises InvalidInput: a line that it has not, or content that no order may have."""
    known = {line.line_id for line in current.lines}
    for line_id in change.quantities:
        if line_id not in known:
            raise bad("--line", f"{line_id} is no line of the order", f"use one of: {', '.join(sorted(known))}")
    lines = tuple(new for line in current.lines if (new := _changed(line, change)) is not None)
    total = current.totals.total + _price(lines, current.currency) - _price(current.lines, current.currency)
    update = {
        "lines": lines,
        "totals": current.totals.model_copy(update={"total": total}),
        "instructions": current.instructions if change.instructions is None else change.instructions,
    }
    return accepted(parse_order(current.model_copy(update=update).model_dump_json()))


def _changed(line: Line, change: PartialChange) -> Line | None:
    quantity = change.quantities.get(line.line_id, line.quantity)
    return line.model_copy(update={"quantity": quantity}) if quantity else None


def _price(lines: tuple[Line, ...], currency: str) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0)).quantize(minor_unit(currency), ROUND_HALF_UP)
