"""How an order of ours is named in NetSuite, and how its revision and lines are known again there."""

import hashlib
from decimal import Decimal

from pydantic import ValidationError

from orderack.domain.order import Name, OrderRef
from orderack.domain.value import Value

ORDER_FIELD = "custbody_orderack_order"
"""Transaction body field (text area): store, number, revision and count of lines, as JSON."""
LINE_FIELD = "custcol_orderack_line"
"""Transaction line field (free-form text): the item's internal id, the quantity and our line's id."""

_LONGEST = 100
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-")


def external_id(ref: OrderRef) -> str:
    """The order's external id: small letters, digits, `-` and `_` (commerce.md §12), and never two orders' at once.

    All else, capitals too, is `_` and the byte in hexadecimal: whether NetSuite tells capitals apart in external ids
    does not matter then. Two `_` stand between store and number, where no encoded text has them. What would be too
    long is cut and ends in the SHA-256 of the whole.
    """
    whole = f"{_spelled(ref.store)}__{_spelled(ref.number)}"
    if len(whole) <= _LONGEST:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return f"{whole[: _LONGEST - 66].rstrip('_')}___{digest[:63]}"


def _spelled(text: str) -> str:
    return "".join(chr(byte) if byte in _PLAIN else f"_{byte:02x}" for byte in text.encode())


class LineMark(Value):
    """Which of our lines one of NetSuite's is, and what was ordered with it."""

    item: str
    quantity: Decimal
    line_id: Name

    def __str__(self) -> str:
        return f"{self.item} {self.quantity.normalize():f} {self.line_id}"


def read_line_mark(text: str) -> LineMark | None:
    """The mark in the line's field; None: a line that is not ours."""
    item, _, rest = text.partition(" ")
    quantity, _, line_id = rest.partition(" ")
    try:
        return LineMark.model_validate({"item": item, "quantity": quantity, "line_id": line_id})
    except ValidationError:
        return None
