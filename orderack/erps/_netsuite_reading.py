"""What NetSuite says of a sales order: its standing, and what its lines mean for the buyer."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from orderack.domain.order import Name, OrderRef
from orderack.domain.receipt import ErpReceipt, LineVerdict, StockVerdict
from orderack.erps._marks import Mark, read_mark
from orderack.erps._netsuite_ids import LineMark, read_line_mark
from orderack.erps._stock import whole_parts
from orderack.ports import Booking

PENDING_APPROVAL = "A"
CANCELLED = "C"
CLOSED = "H"
UNDER_WAY: Mapping[str, str] = MappingProxyType(
    {
        "D": "partially fulfilled",
        "E": "partially fulfilled and waiting for its invoice",
        "F": "fulfilled and waiting for its invoice",
        "G": "invoiced",
    }
)
"""Standings in which goods have left: an order is not taken back then. B is "pending fulfilment"."""
OFF: Mapping[str, str] = MappingProxyType({CANCELLED: "cancelled", CLOSED: "closed"})
BOOKED = frozenset({"B", *OFF, *UNDER_WAY})
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "pending approval": PENDING_APPROVAL,
        "pending fulfillment": "B",
        "cancelled": CANCELLED,
        "partially fulfilled": "D",
        "pending billing/partially fulfilled": "E",
        "pending billing": "F",
        "billed": "G",
        "closed": CLOSED,
    }
)
"""Standings as they are shown to people."""
STOCKED = frozenset({"InvtPart", "Assembly"})
"""Kinds of items of which stock is committed; of services and the like there is none."""
NONE = Decimal(0)
_LETTER = re.compile(r"(?:SalesOrd:)?([A-H])")

Id = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""An internal id, which one door gives as text and another as a number."""


class Ref(BaseModel):
    id: Id | None = None
    ref_name: Annotated[str | None, Field(alias="refName")] = None


def _standing(ref: Ref | None) -> str:
    """The standing's letter, by whichever of its spellings is there; empty for none."""
    for text in (ref.id or "", ref.ref_name or "") if ref else ():
        if found := _LETTER.fullmatch(text):
            return found[1]
        if text.casefold() in NAMES:
            return NAMES[text.casefold()]
    return ""


class Line(BaseModel):
    """One line of the record. Quantities are absent where an item is not stocked (a service)."""

    line: int
    item: Ref
    quantity: Decimal = NONE
    back_ordered: Annotated[Decimal | None, Field(alias="quantityBackOrdered")] = None
    committed: Annotated[Decimal | None, Field(alias="quantityCommitted")] = None
    fulfilled: Annotated[Decimal | None, Field(alias="quantityFulfilled")] = None
    kind: Annotated[Ref | None, Field(alias="itemType")] = None
    closed: Annotated[bool, Field(alias="isClosed")] = False
    expected: Annotated[date | None, Field(alias="expectedShipDate")] = None
    said: Annotated[str | None, Field(alias="custcol_orderack_line")] = None

    @property
    def mark(self) -> LineMark | None:
        return read_line_mark(self.said or "")

    @property
    def undecided(self) -> bool:
        """Of a stocked item nothing was committed, back-ordered or sent: NetSuite has not looked at its stock yet."""
        stocked = self.kind is not None and self.kind.id in STOCKED
        return stocked and not self.closed and not (self.back_ordered or self.committed or self.fulfilled)


class Lines(BaseModel):
    items: tuple[Line, ...] = ()


class SalesOrder(BaseModel):
    """GET /salesOrder/eid:…?expandSubResources=true"""

    id: Id
    tran_id: Annotated[Name, Field(alias="tranId")]
    status: Ref | None = None
    """A to H. `orderStatus` beside it may know A and B only: it is what can be set."""
    order_status: Annotated[Ref | None, Field(alias="orderStatus")] = None
    created: Annotated[AwareDatetime, Field(alias="createdDate")]
    modified: Annotated[AwareDatetime | None, Field(alias="lastModifiedDate")] = None
    said: Annotated[str | None, Field(alias="custbody_orderack_order")] = None
    item: Lines

    @property
    def mark(self) -> Mark | None:
        return read_mark(self.said or "")

    @property
    def standing(self) -> str:
        """A letter; empty for one that nobody knows, which is no booking."""
        return _standing(self.status) or _standing(self.order_status)


def booking(order: SalesOrder, mark: Mark, erp: str) -> Booking:
    """Taken, and either booked or waiting for an approval within NetSuite."""
    if order.standing == PENDING_APPROVAL:
        return Booking(document_id=order.tran_id, waits="NetSuite holds it as Pending Approval")
    return Booking(document_id=order.tran_id, receipt=receipt(order, mark, erp))


def receipt(order: SalesOrder, mark: Mark, erp: str) -> ErpReceipt | None:
    """NetSuite's own statement; None while it is not approved, or a line of ours is not there or not decided."""
    ours = [(line, line_mark) for line in order.item.items if (line_mark := line.mark) is not None]
    if order.standing not in BOOKED or len(ours) != mark.lines:
        return None
    if order.standing not in OFF and any(line.undecided for line, _ in ours):
        return None
    return ErpReceipt(
        id=f"{order.id}/{mark.revision}",
        erp=erp,
        store=mark.store,
        number=mark.number,
        revision=mark.revision,
        document_id=order.tran_id,
        recorded_at=order.created if mark.revision == 1 else order.modified or order.created,
        lines=tuple(verdict(line, line_mark, off=order.standing == CANCELLED) for line, line_mark in ours),
    )


def verdict(line: Line, mark: LineMark, *, off: bool = False) -> LineVerdict:
    """One line's answer. `off`: the whole order was cancelled in NetSuite.

    Closed: nobody will send it. Another item than ours: a person put a substitute there. Less than was ordered,
    because somebody lowered it or it is partly back-ordered: that much can be supplied.
    """
    supplied = whole_parts(min(mark.quantity, line.quantity - (line.back_ordered or NONE)))
    if off or line.closed:
        return LineVerdict(line_id=mark.line_id, verdict=StockVerdict.UNAVAILABLE)
    if line.item.id != mark.item:
        return LineVerdict(
            line_id=mark.line_id, verdict=StockVerdict.SUBSTITUTED, substitute_sku=line.item.ref_name or line.item.id
        )
    if supplied >= mark.quantity:
        return LineVerdict(line_id=mark.line_id, verdict=StockVerdict.AVAILABLE)
    if supplied > 0:
        return LineVerdict(
            line_id=mark.line_id, verdict=StockVerdict.PARTIAL, quantity=supplied, expected_on=line.expected
        )
    return LineVerdict(line_id=mark.line_id, verdict=StockVerdict.BACKORDERED, expected_on=line.expected)


def about(order: SalesOrder, ref: OrderRef) -> Mark | None:
    """The order's mark where it is this one's."""
    mark = order.mark
    return mark if mark is not None and mark.ref == ref else None
