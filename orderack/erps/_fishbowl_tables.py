"""What is asked of Fishbowl's database (MySQL), and what its rows mean. Every text in a question is written in hex."""

# ruff: noqa: S608 - each text in these questions is written in hex by `text`, and nothing else is put in

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, TypeAdapter

from orderack.domain.receipt import LineVerdict, StockVerdict
from orderack.erps._fishbowl_order import line_mark_in
from orderack.erps._line_marks import LONGEST, LineMark
from orderack.erps._stock import NONE, Incoming, Part, Position, at_hand, verdict

WAITS, BOOKED, OFF = "waits", "booked", "off"
STATUSES: Mapping[int, str] = MappingProxyType(
    {
        10: WAITS,  # Estimate
        20: BOOKED,  # Issued
        25: BOOKED,  # In Progress
        30: BOOKED,  # Picked: 30, 40 and 50 are older versions' words
        40: BOOKED,
        50: BOOKED,
        60: BOOKED,  # Fulfilled
        70: BOOKED,  # Closed Short
        80: OFF,  # Void
        85: OFF,  # Cancelled
        90: OFF,  # Expired
        95: BOOKED,  # Historical
    }
)
UNTOUCHED = frozenset({10, 20})
"""Nothing is picked yet, so that the order may be replaced or removed."""
HOLDING = frozenset({20, 25})
"""Orders for which stock is allocated."""
CLOSED_SHORT = 70
INVENTORY = 10
"""The type of a part that is stocked; services, shipping and the like are not."""


def text(value: str) -> str:
    """A string of SQL that can hold no quote and no backslash: its bytes in hex."""
    return f"_utf8mb4 x'{value.encode().hex()}'"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(text(value) for value in values)


def _none(value: object) -> object:
    return NONE if value in (None, "") else value


def _time(value: object) -> object:
    """`2026-11-21T09:30:00.000-0700`, or with a space: the wall clock of the server."""
    return str(value)[:19].replace(" ", "T") if value else None


Number = Annotated[Decimal, BeforeValidator(_none)]
"""A number, which Fishbowl also writes as text."""
Local = Annotated[datetime | None, BeforeValidator(_time)]


class SalesOrder(BaseModel):
    """One row of `so`."""

    id: int
    number: str = Field(alias="num")
    status: int = Field(alias="statusId")
    note: str | None = None
    created: Local = None

    @property
    def means(self) -> str | None:
        return STATUSES.get(self.status)

    def recorded_at(self, zone: ZoneInfo) -> datetime | None:
        return self.created.replace(tzinfo=zone) if self.created else None


class OrderItem(BaseModel):
    """One row of `soitem`."""

    sku: str | None = None
    ordered: Number = NONE
    fulfilled: Number = NONE
    note: str | None = None

    @property
    def mark(self) -> LineMark | None:
        return line_mark_in(self.note or "")

    @property
    def open(self) -> Decimal:
        return max(self.ordered - self.fulfilled, NONE)

    @property
    def left(self) -> Decimal:
        return max(self.fulfilled, NONE)


class _Product(BaseModel):
    sku: str
    kind: int = INVENTORY
    on_hand: Number = Field(validation_alias=AliasChoices("onHand", "ONHAND"), default=NONE)
    allocated: Number = NONE
    barred: Number = NONE


class _Purchase(BaseModel):
    sku: str
    quantity: Number = NONE
    due: Local = None


ORDERS = TypeAdapter(list[SalesOrder])
ITEMS = TypeAdapter(list[OrderItem])
PRODUCTS = TypeAdapter(list[_Product])
PURCHASES = TypeAdapter(list[_Purchase])


def orders(*numbers: str) -> str:
    """The sales orders of these numbers; there should be one of each."""
    return (
        "SELECT so.id AS id, so.num AS num, so.statusId AS statusId, so.note AS note, so.dateCreated AS created "
        f"FROM so WHERE so.num IN ({_texts(sorted(numbers))}) ORDER BY so.id"
    )


def items(order_id: int) -> str:
    return (
        "SELECT soitem.productNum AS sku, soitem.qtyOrdered AS ordered, soitem.qtyFulfilled AS fulfilled, "
        f"soitem.note AS note FROM soitem WHERE soitem.soId = {order_id} ORDER BY soitem.soLineItem"
    )


def products(skus: Collection[str], location_group: str) -> str:
    """On hand, allocated and barred of each product's part; a product that is not sold any more is left out."""
    group = f" AND locationgroup.name = {text(location_group)}" if location_group else ""
    totals = (
        "SELECT t.partId AS partId, SUM(t.qtyOnHand) AS onHand, SUM(t.qtyAllocated) AS allocated, "
        "SUM(t.qtyNotAvailable) AS barred FROM qtyinventorytotals t "
        f"JOIN locationgroup ON locationgroup.id = t.locationGroupId{group} GROUP BY t.partId"
    )
    return (
        "SELECT product.num AS sku, part.typeId AS kind, totals.onHand AS onHand, totals.allocated AS allocated, "
        "totals.barred AS barred FROM product JOIN part ON part.id = product.partId "
        f"LEFT JOIN ({totals}) totals ON totals.partId = part.id "
        f"WHERE product.activeFlag = 1 AND product.num IN ({_texts(sorted(skus))})"
    )


def purchases(skus: Collection[str]) -> str:
    """What is open on purchase orders that are issued and not yet received."""
    return (
        "SELECT product.num AS sku, poitem.qtyToFulfill - poitem.qtyFulfilled AS quantity, "
        "poitem.dateScheduledFulfillment AS due FROM poitem JOIN po ON po.id = poitem.poId "
        "JOIN product ON product.partId = poitem.partId "
        f"WHERE po.statusId BETWEEN 20 AND 50 AND product.num IN ({_texts(sorted(skus))})"
    )


def _share(own: Mapping[str, Decimal], product: _Product) -> Decimal:
    """What of the allocated is this order's: no more than is allocated."""
    return min(own.get(product.sku.casefold(), NONE), product.allocated)


def positions(
    found: Iterable[_Product], bought: Iterable[_Purchase], own: Mapping[str, Decimal]
) -> dict[str, Position]:
    """By sku in lower case. `own`: what of the allocated is this order's."""
    coming: dict[str, list[Incoming]] = {}
    for purchase in bought:
        if purchase.quantity > 0:
            due: date | None = purchase.due.date() if purchase.due else None
            coming.setdefault(purchase.sku.casefold(), []).append(Incoming(purchase.quantity, due))
    return {
        product.sku.casefold(): Position(
            product.on_hand - product.barred - product.allocated + _share(own, product),
            tuple(coming.get(product.sku.casefold(), ())),
            endless=product.kind != INVENTORY,
        )
        for product in found
    }


def verdicts(items: Iterable[OrderItem], stock: Mapping[str, Position], *, short: bool) -> tuple[LineVerdict, ...]:
    """The answer for each line of ours. `short`: the order is closed, and what has not left never will."""
    left = dict(stock)
    parts: dict[str, list[Part]] = {}
    others: dict[str, LineVerdict] = {}
    for item in items:
        if (mark := item.mark) is None:
            continue
        sku = (item.sku or "").casefold()
        position = Position(NONE) if short else left.get(sku, Position(NONE))
        left[sku] = position.less(at_hand(position, item.open))
        parts.setdefault(mark.line_id, []).append(Part(position, item.open, item.left))
        if sku.strip() and not mark.is_of(sku):
            others[mark.line_id] = LineVerdict(
                line_id=mark.line_id, verdict=StockVerdict.SUBSTITUTED, substitute_sku=str(item.sku)[:LONGEST]
            )
    return tuple(others.get(line_id) or verdict(line_id, *found) for line_id, found in parts.items())
