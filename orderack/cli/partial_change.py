"""A few changed fields over a whole order: pure, and checked at the same door as any order."""

from collections.abc import Mapping
from decimal import Decimal

from orderack.cli.exits import bad
from orderack.cli.reading import accepted
from orderack.domain.intake import parse_order
from orderack.domain.order import Order, Text
from orderack.domain.quantities import with_quantities
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
    asked = with_quantities(current, change.quantities)
    instructions = current.instructions if change.instructions is None else change.instructions
    return accepted(parse_order(asked.model_copy(update={"instructions": instructions}).model_dump_json()))
