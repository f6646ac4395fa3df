"""What Cin7 Core says of a sale: its statuses, and what its lines mean for the buyer."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

from orderack.domain.order import Name, OrderRef, Quantity
from orderack.domain.receipt import ErpReceipt, LineVerdict, StockVerdict
from orderack.erps._cin7_core_sale import AUTHORISED
from orderack.erps._cin7_words import Moment, Number, Text
from orderack.erps._marks import Mark, read_mark, read_tail
from orderack.erps._stock import whole_parts

VOIDED = "VOIDED"
NOTHING_LEFT = frozenset({"", "NOT AVAILABLE", "NOT INVOICED", "NOT SHIPPED", "NOT PICKED", "NOT PACKED"})
"""Standings in which nothing was invoiced, shipped, picked or packed yet."""
NONE = Decimal(0)
LATEST = datetime.max.replace(tzinfo=UTC)


class LineMark(NamedTuple):
    line_id: Name
    sku: Name
    quantity: Quantity


_LINE_MARK = TypeAdapter(LineMark)


class Line(BaseModel):
    sku: Annotated[Text, Field(alias="SKU")]
    quantity: Annotated[Number, Field(alias="Quantity")]
    back_ordered: Annotated[Number, Field(alias="BackorderQuantity")] = NONE
    comment: Annotated[Text, Field(alias="Comment")] = ""

    @property
    def mark(self) -> LineMark | None:
        """Which of our lines this is; None: none of ours."""
        try:
            return _LINE_MARK.validate_json(read_tail(self.comment))
        except ValidationError:
            return None

    @property
    def short(self) -> bool:
        return self.back_ordered > 0


class SaleOrder(BaseModel):
    number: Annotated[Text, Field(alias="SaleOrderNumber")] = ""
    status: Annotated[Text, Field(alias="Status")] = ""
    memo: Annotated[Text, Field(alias="Memo")] = ""
    lines: Annotated[tuple[Line, ...], Field(alias="Lines"), BeforeValidator(lambda value: value or ())] = ()

    @property
    def mark(self) -> Mark | None:
        return read_mark(read_tail(self.memo))


class Sale(BaseModel):
    """GET /sale?ID=…"""

    id: Annotated[Name, Field(alias="ID")]
    status: Annotated[Text, Field(alias="Status")] = ""
    external_id: Annotated[Text, Field(alias="ExternalID")] = ""
    currency: Annotated[Text, Field(alias="CustomerCurrency")] = ""
    invoiced: Annotated[Text, Field(alias="CombinedInvoiceStatus")] = ""
    shipped: Annotated[Text, Field(alias="CombinedShippingStatus")] = ""
    picked: Annotated[Text, Field(alias="CombinedPickingStatus")] = ""
    packed: Annotated[Text, Field(alias="CombinedPackingStatus")] = ""
    modified: Annotated[Moment, Field(alias="LastModifiedOn")]
    order: Annotated[SaleOrder, Field(alias="Order"), BeforeValidator(lambda value: {} if value is None else value)]

    @property
    def voided(self) -> bool:
        return VOIDED in (self.status, self.order.status)

    @property
    def gone_too_far(self) -> str:
        """Why it cannot be taken back; empty where it can."""
        return _words(self.invoiced, self.shipped)

    @property
    def in_hand(self) -> str:
        """Why it cannot be changed though it could still be taken back: somebody has it on the table."""
        return _words(self.picked, self.packed)


def _words(*standings: str) -> str:
    return ", ".join(word.lower() for word in standings if word not in NOTHING_LEFT)


class Listed(BaseModel):
    """One row of GET /saleList."""

    id: Annotated[Name, Field(alias="SaleID")]
    external_id: Annotated[Text, Field(alias="ExternalID")] = ""
    status: Annotated[Text, Field(alias="Status")] = ""
    order_status: Annotated[Text, Field(alias="OrderStatus")] = ""
    updated: Annotated[Moment | None, Field(alias="Updated")] = None

    @property
    def rank(self) -> tuple[bool, bool, datetime, str]:
        """Of several of one ExternalID, the one with an order goes first, then the oldest.

        Whoever looks after opening a sale sees those that were opened before it, so that all go on with the first.
        """
        return self.order_status in NOTHING_LEFT, self.status == VOIDED, self.updated or LATEST, self.id

    @property
    def answers(self) -> bool:
        """Whether the sale has an order that is booked, or was voided."""
        return self.order_status == AUTHORISED or VOIDED in (self.status, self.order_status)


class SaleList(BaseModel):
    rows: Annotated[tuple[Listed, ...], Field(alias="SaleList")]

    @classmethod
    def of_rows(cls, rows: Sequence[Listed]) -> "SaleList":
        """Several answers' rows as one."""
        return cls.model_construct(rows=tuple(rows))

    def of(self, external_id: str) -> Listed | None:
        return min((row for row in self.rows if row.external_id == external_id), key=lambda row: row.rank, default=None)


class Customer(BaseModel):
    id: str = Field(alias="ID")
    name: str = Field(alias="Name")


class Customers(BaseModel):
    found: tuple[Customer, ...] = Field(alias="CustomerList")


class Free(BaseModel):
    sku: Text = Field(alias="SKU")
    available: Number = Field(alias="Available")
    on_order: Number = Field(alias="OnOrder")


class Availability(BaseModel):
    found: tuple[Free, ...] = Field(alias="ProductAvailabilityList")


def about(sale: Sale, ref: OrderRef) -> Mark | None:
    """The mark in the sale's order where it is this order's."""
    mark = sale.order.mark
    return mark if mark is not None and mark.ref == ref else None


def receipt(sale: Sale, mark: Mark, erp: str, coming: Mapping[str, Decimal]) -> ErpReceipt | None:
    """None unless the order is authorised (or the sale voided) and has all of our lines. `coming`: bought, by SKU."""
    ours = [(line, line_mark) for line in sale.order.lines if (line_mark := line.mark) is not None]
    if not (sale.voided or sale.order.status == AUTHORISED) or len(ours) != mark.lines or not sale.order.number:
        return None
    return ErpReceipt(
        id=f"{sale.id}/{mark.revision}",
        erp=erp,
        store=mark.store,
        number=mark.number,
        revision=mark.revision,
        document_id=sale.order.number,
        recorded_at=sale.modified,
        lines=tuple(_verdict(line, wanted, coming, off=sale.voided) for line, wanted in ours),
    )


def _verdict(line: Line, wanted: LineMark, coming: Mapping[str, Decimal], *, off: bool) -> LineVerdict:
    """Voided: nobody will send it. Back-ordered in full, and nothing bought for it: nobody can say when."""
    supplied = whole_parts(min(wanted.quantity, line.quantity - line.back_ordered))
    if off:
        return LineVerdict(line_id=wanted.line_id, verdict=StockVerdict.UNAVAILABLE)
    if line.sku != wanted.sku:
        return LineVerdict(line_id=wanted.line_id, verdict=StockVerdict.SUBSTITUTED, substitute_sku=line.sku)
    if supplied >= wanted.quantity:
        return LineVerdict(line_id=wanted.line_id, verdict=StockVerdict.AVAILABLE)
    if supplied > 0:
        return LineVerdict(line_id=wanted.line_id, verdict=StockVerdict.PARTIAL, quantity=supplied)
    awaited = coming.get(line.sku, NONE) > 0
    return LineVerdict(
        line_id=wanted.line_id, verdict=StockVerdict.BACKORDERED if awaited else StockVerdict.UNAVAILABLE
    )
