"""What Cin7 Omni says of a sales order, and what its stock means for each line."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, RootModel, ValidationError, model_validator

from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt, LineVerdict, StockVerdict
from orderack.erps._cin7_omni_order import LINE_MARK, LineMark
from orderack.erps._cin7_words import Moment, Number, Text
from orderack.erps._marks import Mark, read_mark, read_tail
from orderack.erps._stock import Position, at_hand, whole_parts

VOID = frozenset({"void", "2"})
"""OrderStatus: Draft 0, Approved 1, Void 2 (help, ResourceModel OrderStatus), by name or by number."""
DECLINED = "declined"
ON_HOLD = "on hold"
"""Stages that it publishes; an account adds its own, which mean nothing to us."""
NONE = Decimal(0)

Word = Annotated[Text, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
Flag = Annotated[bool, BeforeValidator(lambda value: False if value is None else value)]


class _Said(BaseModel):
    """Its OpenAPI document writes `lineItems`, its help pages `LineItems`: both are read."""

    @model_validator(mode="before")
    @classmethod
    def _in_camel_case(cls, said: object) -> object:
        return {name[:1].lower() + name[1:]: value for name, value in said.items()} if isinstance(said, dict) else said


class Line(_Said):
    id: int
    code: Text = ""
    qty: Number = NONE
    shipped: Annotated[Number, Field(alias="qtyShipped")] = NONE
    comments: Annotated[Text, Field(alias="lineComments")] = ""

    @property
    def mark(self) -> LineMark | None:
        """Which of our lines this is; None: none of ours."""
        try:
            return LINE_MARK.validate_json(read_tail(self.comments))
        except ValidationError:
            return None

    @property
    def open(self) -> Decimal:
        return max(self.qty - self.shipped, NONE)


class SalesOrder(_Said):
    id: int
    reference: Text = ""
    approved: Annotated[Flag, Field(alias="isApproved")] = False
    is_void: Annotated[Flag, Field(alias="isVoid")] = False
    status: Word = ""
    stage: Text = ""
    created: Annotated[Moment, Field(alias="createdDate")]
    modified: Annotated[Moment | None, Field(alias="modifiedDate")] = None
    dispatched: Annotated[Moment | None, Field(alias="dispatchedDate")] = None
    invoiced: Annotated[Moment | None, Field(alias="invoiceDate")] = None
    invoice_number: Annotated[Word, Field(alias="invoiceNumber")] = ""
    comments: Annotated[Text, Field(alias="internalComments")] = ""
    lines: Annotated[
        tuple[Line, ...], Field(alias="lineItems"), BeforeValidator(lambda value: () if value is None else value)
    ] = ()

    @property
    def mark(self) -> Mark | None:
        return read_mark(read_tail(self.comments))

    @property
    def off(self) -> bool:
        """Voided, or declined by a person: nobody will send it."""
        return self.is_void or self.status.casefold() in VOID or self.stage.casefold() == DECLINED

    @property
    def waits(self) -> str:
        """Why it is not booked, though it is there; empty where it is."""
        if not self.approved:
            return "Cin7 Omni holds the order as a draft"
        return "Cin7 Omni holds the order: On Hold" if self.stage.casefold() == ON_HOLD else ""

    @property
    def gone_too_far(self) -> str:
        """Why it cannot be changed or taken back; empty where it can."""
        if self.invoiced:
            return "invoiced"
        return "dispatched" if self.dispatched or any(line.shipped for line in self.lines) else ""

    def ours(self, mark: Mark) -> Mapping[str, Sequence[tuple[Line, LineMark]]] | None:
        """The rows of each of our lines; None unless all are there as of the mark, and none of them twice.

        A person may have split one into several rows, which together are no more than was ordered.
        """
        found: dict[str, list[tuple[Line, LineMark]]] = {}
        for line in self.lines:
            if (of := line.mark) is not None and of.revision == mark.revision:
                found.setdefault(of.line_id, []).append((line, of))
        whole = all(
            len(rows) == 1 or sum((line.qty for line, _ in rows), NONE) <= rows[0][1].quantity
            for rows in found.values()
        )
        return found if whole and len(found) == mark.lines else None


class SalesOrders(RootModel[tuple[SalesOrder, ...]]):
    """GET /v1/SalesOrders: a bare list."""


class Written(_Said):
    """What became of one order of a POST or PUT."""

    success: bool
    id: int | None = None
    errors: Annotated[tuple[str, ...], BeforeValidator(lambda value: () if value is None else value)] = ()


class Results(RootModel[tuple[Written, ...]]):
    """One row for each order that was sent."""


class Unit(_Said):
    """One product option in one branch. `available`: on hand, less what open sales (ours too) have promised."""

    code: Text = ""
    available: Number = NONE
    incoming: Number = NONE


class Units(RootModel[tuple[Unit, ...]]):
    """GET /v1/Stock: a bare list."""


def key(code: str) -> str:
    """A code by which stock is found; capitals are not told apart."""
    return code.strip().casefold()


def about(order: SalesOrder, ref: OrderRef) -> Mark | None:
    """The order's mark where it is this one's."""
    return mark if (mark := order.mark) is not None and mark.ref == ref else None


def receipt(order: SalesOrder, mark: Mark, erp: str, stock: Mapping[str, Position]) -> ErpReceipt | None:
    """None unless it is approved (or off) and has all of our lines. `stock`: by `key`."""
    ours = order.ours(mark)
    if ours is None or (order.waits and not order.off):
        return None
    left = {code: _given_back(code, order, position) for code, position in stock.items()}
    return ErpReceipt(
        id=f"{order.id}/{mark.revision}",
        erp=erp,
        store=mark.store,
        number=mark.number,
        revision=mark.revision,
        document_id=order.reference,
        recorded_at=order.modified or order.created,
        lines=tuple(_verdict(rows, left, off=order.off) for rows in ours.values()),
    )


def _given_back(code: str, order: SalesOrder, position: Position) -> Position:
    """The stock with what this order has promised itself put back: it is what there is for its own lines."""
    return position.less(-sum((line.open for line in order.lines if key(line.code) == code), NONE))


def _verdict(rows: Sequence[tuple[Line, LineMark]], left: dict[str, Position], *, off: bool) -> LineVerdict:
    wanted, has, awaited = rows[0][1], NONE, False
    if off:
        return LineVerdict(line_id=wanted.line_id, verdict=StockVerdict.UNAVAILABLE)
    for line, _ in rows:
        code = key(line.code)
        if code != key(wanted.sku):
            other = line.code.strip()[:200] or "another item"
            return LineVerdict(line_id=wanted.line_id, verdict=StockVerdict.SUBSTITUTED, substitute_sku=other)
        position = left.get(code, Position(NONE))
        has += line.shipped + at_hand(position, line.open)
        awaited = awaited or bool(position.incoming and line.open)
        left[code] = position.less(line.open)
    if (has := whole_parts(has)) >= wanted.quantity:
        return LineVerdict(line_id=wanted.line_id, verdict=StockVerdict.AVAILABLE)
    if has > 0:
        return LineVerdict(line_id=wanted.line_id, verdict=StockVerdict.PARTIAL, quantity=has)
    word = StockVerdict.BACKORDERED if awaited else StockVerdict.UNAVAILABLE
    return LineVerdict(line_id=wanted.line_id, verdict=word)
