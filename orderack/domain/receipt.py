"""The ERP receipt: the ERP's own statement that it booked the order (R133, R138)."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from orderack.domain.order import Amount, Name, Quantity, Text
from orderack.domain.value import Value, is_none


class StockVerdict(StrEnum):
    """What the ERP says of one line."""

    AVAILABLE = "available"
    PARTIAL = "partial"
    BACKORDERED = "backordered"
    SUBSTITUTED = "substituted"
    UNAVAILABLE = "unavailable"


class LineVerdict(Value):
    """The ERP's answer for one line; `quantity`: what it can supply now (partial), or all it booked (available)."""

    line_id: Name
    verdict: StockVerdict
    quantity: Quantity | None = None
    expected_on: date | None = None
    substitute_sku: Name | None = None
    note: Text | None = None
    unit_price: Annotated[Amount | None, Field(exclude_if=is_none)] = None
    """The price that it booked, where it says one."""


class ErpReceipt(Value):
    """Document id + time recorded + a verdict per line.

    `id` is the sender's own id of this announcement: the same one twice is one receipt.
    `revision` is the revision the ERP booked; absent, it is the last one submitted to it.
    """

    id: Name
    erp: Name
    store: Name
    number: Name
    revision: int | None = None
    document_id: Name
    recorded_at: AwareDatetime
    lines: tuple[LineVerdict, ...] = ()

    def answers_for_stock(self, line_ids: frozenset[str]) -> bool:
        """Whether every ordered line has a verdict; an id without stock is not a receipt (DESIGN §1)."""
        return line_ids <= {line.line_id for line in self.lines}

    @property
    def worst(self) -> StockVerdict | None:
        """The verdict on any of its lines that is the furthest from what was ordered; None: it says nothing."""
        said = {line.verdict for line in self.lines}
        return next((verdict for verdict in reversed(StockVerdict) if verdict in said), None)
