"""An order that is there already, and what it shall be now: the body of the PATCH that changes it. Pure.

Its rows go over whole, each line of ours in the row that it has: so nothing that was delivered loses its row, and what
people added stays. What is absent in a PATCH stays as it was, so what is gone now is written as gone.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from pydantic import JsonValue

from orderack.domain.acknowledgement import Reason
from orderack.domain.order import Line, Order
from orderack.erps._sap_b1_order import ADDRESS, Json, Writing
from orderack.erps._sap_b1_wire import Document, DocumentLine, Fields
from orderack.errors import Refused

_PLACES = (*(theirs for theirs, _ in ADDRESS.values()), "Country", "State", "County")
NOTHING: Mapping[str, JsonValue] = MappingProxyType({"TotalDiscount": 0.0, "OpeningRemarks": ""})
"""What a document says where the order has none of it any more."""
NO_ADDRESS: Mapping[str, JsonValue] = MappingProxyType(
    {f"{side}{name}": "" for side in ("ShipTo", "BillTo") for name in _PLACES}
)
NO_MARKDOWN: Mapping[str, JsonValue] = MappingProxyType({"DiscountPercent": 0.0, "ItemDetails": ""})


def changed(writing: Writing, order: Order, revision: int, there: Document, fields: Fields) -> Json:
    """The body of the PATCH. Raises Refused for a line of which more has left than it shall be now."""
    body = {**NOTHING, **writing.no_charges, **writing.document(order, revision, there.customer)}
    addresses = body["AddressExtension"]
    if isinstance(addresses, dict) and addresses:
        sides = {name for name in NO_ADDRESS if any(said.startswith(name[:6]) for said in addresses)}
        body["AddressExtension"] = {**{name: NO_ADDRESS[name] for name in sorted(sides)}, **addresses}
    written = {line.line_id: (line, row) for line, row in zip(order.lines, _rows(body), strict=True)}
    kept: list[JsonValue] = []
    for row in there.lines:
        mark = row.mark(fields)
        line, new = written.pop(mark.line_id, (None, None)) if mark else (None, None)
        if mark is not None and line is not None and new is not None:
            kept.append(_row(line, new, row))
        elif mark is not None and row.left:
            raise _too_late(mark.line_id, row.left)
        elif mark is None or row.done:
            kept.append({"LineNum": row.number})
    body["DocumentLines"] = [*kept, *(new for _, new in written.values())]
    return body


def _rows(body: Json) -> list[Json]:
    rows = body["DocumentLines"]
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _row(line: Line, new: Json, row: DocumentLine) -> Json:
    same = line.quantity == row.quantity and line.sku.casefold() == row.item.casefold()
    if row.done and same:
        return {"LineNum": row.number}
    if row.done or line.quantity < row.left or (row.left and line.sku.casefold() != row.item.casefold()):
        raise _too_late(line.line_id, row.left)
    return {**NO_MARKDOWN, **new, "LineNum": row.number}


def _too_late(line_id: str, left: Decimal) -> Refused:
    why = f"{left.normalize():f} of it has left already" if left else "it is closed there"
    return Refused(f"line {line_id} cannot be changed any more: {why}", Reason.OTHER, "delivered")
