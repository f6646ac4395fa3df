"""The sandbox Cin7 Core's sales: two steps each, numbered by itself, with the stock table's word in each line."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orderack.domain.receipt import StockVerdict
from orderack.embedded.sandbox.stock import Stock

NOT_AVAILABLE, DRAFT, AUTHORISED, VOIDED = "NOT AVAILABLE", "DRAFT", "AUTHORISED", "VOIDED"
UNKNOWN = "404"
"""How the SKUs begin that this account does not have."""
PLENTY = Decimal(10**6)


class NewLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    SKU: str = Field(min_length=1)
    Name: str
    Quantity: float = Field(gt=0)
    Price: float = Field(ge=0)
    TaxRule: str
    Total: float
    Comment: str = Field("", max_length=256)


class NewCharge(BaseModel):
    model_config = ConfigDict(extra="forbid")

    Description: str
    Quantity: float
    Price: float
    TaxRule: str
    Total: float


class NewOrder(BaseModel):
    """POST /sale/order"""

    SaleID: str
    Status: str = Field(pattern="^(DRAFT|AUTHORISED)$")
    Memo: str = Field("", max_length=2000)
    Lines: list[NewLine] = Field(min_length=1)
    AdditionalCharges: list[NewCharge] = []


class NewSale(BaseModel):
    """POST and PUT /sale, with names of the answer's schema: the request's own is not published."""

    model_config = ConfigDict(extra="allow")

    ID: str | None = None
    CustomerID: str | None = None
    Customer: str | None = None
    TaxRule: str
    SkipQuote: bool
    ExternalID: str | None = None
    CustomerReference: str | None = None


@dataclass
class SaleRecord:
    """One sale. `submitted`: the order that waits for its authorisation."""

    id: str
    content: NewSale
    modified: datetime
    number: str = ""
    status: str = NOT_AVAILABLE
    order: NewOrder | None = None
    invoiced: bool = False
    listed_at: float = 0.0
    lines: list[dict[str, Any]] = field(default_factory=list)


class Books:
    """Sales by id. `currency` is every customer's."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._sales: dict[str, SaleRecord] = {}
        self._opened = int(datetime.now(UTC).timestamp()) % 10_000_000

    def open(self, content: NewSale) -> SaleRecord:
        sale = SaleRecord(str(uuid.uuid4()), content, datetime.now(UTC))
        self._sales[sale.id] = sale
        return sale

    def get(self, sale: str) -> SaleRecord | None:
        return self._sales.get(sale)

    def of(self, external_id: str | None) -> Sequence[SaleRecord]:
        return [sale for sale in self._sales.values() if external_id in (None, sale.content.ExternalID)]

    def write(self, sale: SaleRecord, order: NewOrder) -> None:
        """The order is there; it is authorised a while later."""
        if not sale.number:
            written = sum(1 for one in self._sales.values() if one.number)
            sale.number = f"SO-{self._opened}{written + 1:04}"
        sale.order, sale.status, sale.modified = order, DRAFT, datetime.now(UTC)

    def authorise(self, sale: SaleRecord) -> None:
        sale.status, sale.modified = AUTHORISED, datetime.now(UTC)

    def undo(self, sale: SaleRecord, status: str) -> None:
        sale.status, sale.modified = status, datetime.now(UTC)

    def back_ordered(self, line: NewLine) -> Decimal:
        answer = self._stock.answer(line.SKU, Decimal(str(line.Quantity)))
        wanted = Decimal(str(line.Quantity))
        if answer.verdict is StockVerdict.PARTIAL:
            return wanted - (answer.available or Decimal(0))
        return Decimal(0) if answer.verdict in (StockVerdict.AVAILABLE, StockVerdict.SUBSTITUTED) else wanted

    def free(self, sku: str) -> Mapping[str, Any]:
        """One row of product availability; what is backordered has been bought, what is unavailable has not."""
        answer = self._stock.answer(sku, PLENTY * 2)
        plenty = answer.verdict is StockVerdict.AVAILABLE
        free = answer.available if answer.available is not None else PLENTY if plenty else Decimal(0)
        bought = PLENTY if answer.verdict in (StockVerdict.BACKORDERED, StockVerdict.PARTIAL) else Decimal(0)
        return {
            "ID": str(uuid.uuid5(uuid.NAMESPACE_OID, sku)),
            "SKU": sku,
            "Name": sku,
            "Barcode": None,
            "Location": "Main Warehouse",
            "Bin": None,
            "Batch": None,
            "ExpiryDate": None,
            "OnHand": float(free),
            "Allocated": 0,
            "Available": float(free),
            "OnOrder": float(bought),
            "StockOnHand": 0,
            "InTransit": 0,
        }

    def shown_sku(self, line: NewLine) -> str:
        answer = self._stock.answer(line.SKU, Decimal(str(line.Quantity)))
        return answer.substitute_sku or line.SKU
