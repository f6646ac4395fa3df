"""The sandbox NetSuite's sales orders: by external id, numbered by itself, with the stock table's word in each line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orderack.domain.receipt import StockVerdict
from orderack.embedded.sandbox.stock import Stock

PENDING_APPROVAL, PENDING_FULFILLMENT, BILLED, CLOSED = "A", "B", "G", "H"
UNKNOWN = "404"
"""How the names of customers and items begin that this account does not have."""
CHARGES = {"901": "Shipping", "902": "Discount", "903": "Surcharge", "904": "Gift card"}
GUEST = "900"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Ref(_Strict):
    id: str


class PutLine(_Strict):
    """Field names of the REST API Browser; all else is refused."""

    item: Ref
    quantity: float | None = Field(None, gt=0)
    price: Ref | None = None
    rate: float | None = None
    amount: float | None = None
    description: str | None = Field(None, max_length=4000)
    location: Ref | None = None
    custcol_orderack_line: str | None = Field(None, max_length=300)


class PutLines(_Strict):
    items: list[PutLine] = Field(min_length=1)


class PutAddress(_Strict):
    addressee: str | None = None
    attention: str | None = None
    addr1: str
    addr2: str | None = None
    city: str
    state: str | None = None
    zip: str | None = None
    country: Ref


class PutOrder(_Strict):
    externalId: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]+$")
    custbody_orderack_order: str | None = None
    entity: Ref
    currency: Ref
    subsidiary: Ref | None = None
    location: Ref | None = None
    otherRefNum: str | None = Field(None, max_length=45)
    memo: str | None = Field(None, max_length=999)
    email: str | None = None
    toBeEmailed: bool = True
    shippingAddress: PutAddress | None = None
    billingAddress: PutAddress | None = None
    item: PutLines


@dataclass
class Document:
    """One sales order."""

    id: int
    external_id: str
    content: PutOrder
    created: datetime
    modified: datetime
    status: str = PENDING_APPROVAL
    closed: set[int] = field(default_factory=set)

    @property
    def tran_id(self) -> str:
        return f"SO{self.id}"

    @property
    def mark(self) -> Mapping[str, Any]:
        """Whose order it is, as our adapter wrote it there."""
        read: Mapping[str, Any] = json.loads(self.content.custbody_orderack_order or "{}")
        return read


class Books:
    """Orders, invoices, and internal ids given to every name that is asked for."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._documents: dict[str, Document] = {}
        self._invoices: dict[str, tuple[int, int]] = {}
        self._ids: dict[str, dict[str, str]] = {"item": {}, "customer": {}, "currency": {}}
        self._last = int(datetime.now(UTC).timestamp()) % 10_000_000 * 10

    def id_of(self, table: str, name: str) -> str | None:
        """The internal id; None for what the account does not have."""
        if name.startswith(UNKNOWN):
            return None
        known = self._ids[table]
        return known.setdefault(name, str(1000 + len(known)))

    def sku_of(self, item: str) -> str | None:
        return CHARGES.get(item) or next((sku for sku, known in self._ids["item"].items() if known == item), None)

    def get(self, external_id: str) -> Document | None:
        return self._documents.get(external_id.casefold())

    def by_id(self, internal: int) -> Document | None:
        return next((one for one in self._documents.values() if one.id == internal), None)

    def standings(self, external_ids: set[str]) -> list[dict[str, str]]:
        """External id and status of those that are there."""
        found = [self._documents[one] for one in sorted(external_ids) if one in self._documents]
        return [{"id": one.external_id, "name": f"SalesOrd:{one.status}"} for one in found]

    def put(self, external_id: str, content: PutOrder) -> Document:
        """Write the whole order anew; an order that is written again keeps its number, and is approved again."""
        now = datetime.now(UTC)
        known = self.get(external_id)
        if known is None:
            self._last += 1
            known = Document(self._last, external_id, content, now, now)
            self._documents[external_id.casefold()] = known
        known.content, known.modified, known.status, known.closed = content, now, PENDING_APPROVAL, set()
        return known

    def approve(self, document: Document) -> None:
        """Stock is committed; the lines that the stock table says nobody will have are closed."""
        document.status = PENDING_FULFILLMENT
        for number, line in enumerate(document.content.item.items, 1):
            if self._answer(line)[0] is StockVerdict.UNAVAILABLE:
                document.closed.add(number)

    def close(self, document: Document, lines: set[int]) -> None:
        document.closed |= lines
        if len(document.closed) == len(document.content.item.items):
            document.status = CLOSED
        document.modified = datetime.now(UTC)

    def invoice(self, external_id: str, document: Document) -> bool:
        """False: an invoice has that external id."""
        if external_id in self._invoices:
            return False
        self._last += 1
        self._invoices[external_id] = (self._last, document.id)
        document.status = BILLED
        return True

    def invoiced(self, external_id: str) -> int | None:
        found = self._invoices.get(external_id)
        return found[0] if found else None

    def free(self, item: str) -> Decimal:
        """What an inquiry is told of an item that no order holds."""
        answer = self._stock.answer(self.sku_of(item) or "", Decimal(10**9))
        if answer.verdict in (StockVerdict.AVAILABLE, StockVerdict.PARTIAL):
            return answer.available if answer.available is not None else Decimal(10**6)
        return Decimal(0)

    def line(self, document: Document, number: int) -> dict[str, Any]:
        """One line as the record service gives it; stock figures only once the order is approved."""
        line = document.content.item.items[number - 1]
        verdict, available, expected, other = self._answer(line)
        sku = self.sku_of(line.item.id)
        shown: dict[str, Any] = line.model_dump(exclude_none=True) | {
            "line": number,
            "item": {"id": line.item.id, "refName": sku},
            "itemType": {"id": "OthCharge" if line.item.id in CHARGES else "InvtPart"},
            "isClosed": number in document.closed,
        }
        if document.status == PENDING_APPROVAL or line.quantity is None or line.item.id in CHARGES:
            return shown
        if verdict is StockVerdict.SUBSTITUTED and other:
            shown["item"] = {"id": self.id_of("item", other), "refName": other}
        back = {StockVerdict.BACKORDERED: line.quantity, StockVerdict.PARTIAL: line.quantity - float(available or 0)}
        shown["quantityBackOrdered"] = back.get(verdict, 0.0)
        shown["quantityCommitted"] = line.quantity - shown["quantityBackOrdered"]
        if expected:
            shown["expectedShipDate"] = expected.isoformat()
        return shown

    def _answer(self, line: PutLine) -> tuple[StockVerdict, Decimal | None, Any, str | None]:
        if line.quantity is None or line.item.id in CHARGES:
            return StockVerdict.AVAILABLE, None, None, None
        found = self._stock.answer(self.sku_of(line.item.id) or "", Decimal(str(line.quantity)))
        return found.verdict, found.available, found.expected_on, found.substitute_sku
