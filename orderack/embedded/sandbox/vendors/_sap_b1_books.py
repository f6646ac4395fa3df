"""A Business One company's books: orders, drafts and invoices by their own numbers, and what is committed of stock."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from types import MappingProxyType

from pydantic import JsonValue

from orderack.domain.receipt import StockVerdict
from orderack.embedded.sandbox.stock import SkuStock, Stock

Row = dict[str, JsonValue]
KEY, REVISION, LINE = "U_OrderackKey", "U_OrderackRev", "U_OrderackLine"
"""The fields that the company's admin has added."""
WAREHOUSE = "01"
PLENTY = 1_000_000

DOCUMENT: Mapping[str, int | None] = MappingProxyType(
    {
        **dict.fromkeys(("CardCode", "DocCurrency", "DocDate", "DocDueDate", "TaxDate"), 15),
        **dict.fromkeys(("OpeningRemarks", "ClosingRemarks", "TotalDiscount", "DiscountPercent", "AddressExtension")),
        **dict.fromkeys(("DocumentLines", "DocumentAdditionalExpenses", "SalesPersonCode", "PaymentGroupCode")),
        **{"NumAtCard": 100, "Comments": 254, KEY: 100, REVISION: 20},
    }
)
"""Properties of a document that may be written, and how long a text may be."""
LINES: Mapping[str, int | None] = MappingProxyType(
    {
        **dict.fromkeys(("Quantity", "UnitPrice", "PriceAfterVAT", "LineTotal", "GrossTotal", "ItemDetails")),
        **dict.fromkeys(("BaseType", "BaseEntry", "BaseLine", "LineNum", "DiscountPercent", "ShipDate")),
        **{"ItemCode": 50, "ItemDescription": 200, "FreeText": 100, "WarehouseCode": 8, "TaxCode": 8, LINE: 254},
    }
)
ADDRESS: Mapping[str, int] = MappingProxyType(
    {
        f"{side}{name}": limit
        for side in ("ShipTo", "BillTo")
        for name, limit in {
            "Street": 100,
            "Block": 100,
            "City": 100,
            "ZipCode": 20,
            "County": 100,
            "State": 3,
            "Country": 3,
            "Address2": 50,
            "Address3": 50,
        }.items()
    }
)


class No(Exception):
    """Refused, with Business One's code and sentence."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass
class Kept:
    """One document."""

    entry: int
    body: Row
    object_code: str = "17"
    number: int = 0
    cancelled: bool = False
    authorization: str = "dasWithout"
    delivered: dict[int, Decimal] = field(default_factory=dict)
    """By a row's number: what has left of it. All of it has left of a row that was invoiced."""
    closed: set[int] = field(default_factory=set)
    """Rows that somebody has closed before that."""
    etag: str = field(default_factory=lambda: f'W/"{secrets.token_hex(8).upper()}"')
    added: datetime = field(default_factory=lambda: datetime.now(UTC))
    changed: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def rows(self) -> list[Row]:
        lines = self.body.get("DocumentLines")
        return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []

    def text(self, name: str) -> str:
        value = self.body.get(name)
        return "" if value is None else str(value)

    def row(self, number: int) -> Row | None:
        return next((row for row in self.rows if row["LineNum"] == number), None)

    def undelivered(self, row: Row) -> Decimal:
        return Decimal(str(row["Quantity"])) - self.delivered.get(int(str(row["LineNum"])), Decimal(0))

    def open(self, row: Row) -> Decimal:
        done = self.cancelled or row["LineNum"] in self.closed
        return Decimal(0) if done else self.undelivered(row)

    def write(self, body: Row) -> None:
        self.body |= body
        self.body["DocumentLines"] = numbered(self.rows)
        self.etag = f'W/"{secrets.token_hex(8).upper()}"'
        self.changed = datetime.now(UTC)

    def shown(self) -> Row:
        done = self.cancelled or not any(self.open(row) for row in self.rows)
        lines: list[JsonValue] = [
            {
                **row,
                "WarehouseCode": row.get("WarehouseCode", WAREHOUSE),
                "RemainingOpenQuantity": float(self.undelivered(row)),
                "LineStatus": "bost_Open" if self.open(row) else "bost_Close",
                "UnitsOfMeasurment": 1.0,
            }
            for row in self.rows
        ]
        return {
            **self.body,
            "odata.etag": self.etag,
            "DocEntry": self.entry,
            "DocNum": self.number,
            "DocObjectCode": self.object_code,
            "DocumentStatus": "bost_Close" if done else "bost_Open",
            "Cancelled": "tYES" if self.cancelled else "tNO",
            "AuthorizationStatus": self.authorization,
            "CreationDate": self.added.date().isoformat(),
            "DocTime": self.added.strftime("%H:%M:%S"),
            "UpdateDate": self.changed.date().isoformat(),
            "UpdateTime": self.changed.strftime("%H:%M:%S"),
            "DocumentLines": lines,
        }


def numbered(rows: Iterable[Row]) -> list[JsonValue]:
    """Rows keep their numbers; new ones go on behind the highest."""
    kept = list(rows)
    used = [int(str(row["LineNum"])) for row in kept if "LineNum" in row]
    following = count(max(used, default=-1) + 1)
    return [row if "LineNum" in row else row | {"LineNum": next(following)} for row in kept]


class Books:
    """One company. `lacking`: items that it does not have; `partners`: its customers, with their e-mail addresses."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self.orders: dict[int, Kept] = {}
        self.drafts: dict[int, Kept] = {}
        self.invoices: dict[int, Kept] = {}
        self.lacking: set[str] = set()
        self.partners: dict[str, str] = {"C20000": "sales@shop.example", "C-ADA": "ada@example.com"}

    def add(self, body: Row, *, draft: bool) -> Kept:
        """A new order, or a draft of one. Raises No."""
        self._check(body)
        kept = Kept(len(self.orders) + len(self.drafts) + 501, body)
        kept.body["DocumentLines"] = numbered(kept.rows)
        if draft:
            kept.authorization = "dasPending"
            self.drafts[kept.entry] = kept
        else:
            self._number(kept)
        return kept

    def approve(self, entry: int) -> Kept | None:
        """A draft becomes an order. None: it was removed, or declined, before."""
        draft = self.drafts.get(entry)
        if draft is None or draft.authorization != "dasPending":
            return None
        draft.authorization = "dasGenerated"
        return self._number(Kept(len(self.orders) + len(self.drafts) + 501, draft.body))

    def change(self, kept: Kept, body: Row, etag: str | None, *, replace: bool) -> None:
        """PATCH. Raises No."""
        if etag is not None and etag != kept.etag:
            raise No(-2039, "Another user or another operation modified data", 412)
        if kept.cancelled or not any(kept.open(row) for row in kept.rows):
            raise No(-5006, "The document is closed")
        if "DocumentLines" in body:
            body = body | {"DocumentLines": self._rows_after(kept, Kept(0, body).rows, replace=replace)}
        if isinstance(extension := body.get("AddressExtension"), dict):
            had = kept.body.get("AddressExtension")
            body = body | {"AddressExtension": (had if isinstance(had, dict) else {}) | extension}
        self._check(kept.body | body)
        kept.write(body)

    def _rows_after(self, kept: Kept, said: list[Row], *, replace: bool) -> list[JsonValue]:
        """Rows by their numbers, each over the one that is there; where all are replaced, the others go."""
        merged: list[Row] = []
        for row in said:
            there = kept.row(int(str(row["LineNum"]))) if "LineNum" in row else {}
            if there is None:
                raise No(-5002, f"There is no row {row['LineNum']}")
            merged.append(there | row)
        numbers = {row.get("LineNum") for row in merged}
        others = [row for row in kept.rows if row["LineNum"] not in numbers]
        if not replace:
            merged = [*others, *merged]
        elif any(kept.delivered.get(int(str(row["LineNum"]))) or not kept.open(row) for row in others):
            raise No(-5002, "A row that was delivered or closed cannot be removed")
        for row in merged:
            self._delivered_stays(kept, row)
        return [dict(row) for row in merged]

    def _delivered_stays(self, kept: Kept, row: Row) -> None:
        there = kept.row(int(str(row["LineNum"]))) if "LineNum" in row else None
        if there is None or row == there:
            return
        number = int(str(row["LineNum"]))
        left = kept.delivered.get(number, Decimal(0))
        if number in kept.closed or not kept.open(there):
            raise No(-5002, f"Row {number + 1} is closed")
        if Decimal(str(row["Quantity"])) < left or (left and row["ItemCode"] != there["ItemCode"]):
            raise No(-5002, f"Row {number + 1} has been delivered in part")

    def cancel(self, kept: Kept) -> None:
        if kept.cancelled or kept.delivered or not any(kept.open(row) for row in kept.rows):
            raise No(-5006, "The document is closed or cancelled already")
        kept.cancelled = True

    def invoice(self, body: Row) -> Kept:
        """An invoice of open rows of an order. Raises No for rows that are closed."""
        self._properties(body)
        kept = Kept(len(self.invoices) + 901, body, object_code="13")
        taken = [(row, *self._base(row)) for row in kept.rows]
        for row, order, base in taken:
            row["Quantity"] = float(order.open(base))
            order.delivered[int(str(base["LineNum"]))] = Decimal(str(base["Quantity"]))
        kept.body["DocumentLines"] = numbered(kept.rows)
        kept.number = 700_000 + kept.entry
        self.invoices[kept.entry] = kept
        return kept

    def _base(self, row: Row) -> tuple[Kept, Row]:
        order = self.orders.get(int(str(row.get("BaseEntry", 0))))
        base = order.row(int(str(row.get("BaseLine", -1)))) if order is not None else None
        if row.get("BaseType") != 17 or order is None or base is None:
            raise No(-5002, "One of the base documents does not exist")
        if not order.open(base):
            raise No(-5002, "One of the base documents has already been closed")
        return order, base

    def items(self, codes: Iterable[str]) -> list[JsonValue]:
        """What is there of each; an item that is not known is left out."""
        return [self._item(code, self._stock.answer(code, Decimal(1))) for code in codes if code not in self.lacking]

    def purchases(self, code: str) -> list[JsonValue]:
        """The open rows of purchases of one item, joined with their documents."""
        due = self._coming(code)
        if not due:
            return []
        row: Row = {"ItemCode": code, "RemainingOpenQuantity": PLENTY, "WarehouseCode": WAREHOUSE, "ShipDate": str(due)}
        joined: Row = {"PurchaseOrders": {"DocEntry": 77}, "PurchaseOrders/DocumentLines": row}
        return [joined]

    def _number(self, kept: Kept) -> Kept:
        kept.number = 100_001 + len(self.orders)
        self.orders[kept.entry] = kept
        return kept

    def _committed(self, code: str) -> Decimal:
        rows = ((kept, row) for kept in self.orders.values() for row in kept.rows)
        return sum((kept.open(row) for kept, row in rows if row["ItemCode"] == code), Decimal(0))

    def _coming(self, code: str) -> date | None:
        entry = self._stock.table().get(code)
        gone = entry is None or entry.verdict is StockVerdict.UNAVAILABLE
        return None if entry is None or gone else entry.expected_on

    def _item(self, code: str, stock: SkuStock) -> Row:
        scripted = self._stock.table().get(code)
        has = Decimal(PLENTY)
        if scripted is not None and scripted.verdict is not StockVerdict.AVAILABLE:
            has = scripted.available or Decimal(0)
        elif scripted is not None and scripted.available is not None:
            has = scripted.available
        bought = self._coming(code) is not None or stock.verdict is StockVerdict.BACKORDERED
        warehouse: Row = {
            "WarehouseCode": WAREHOUSE,
            "InStock": float(has),
            "Committed": float(self._committed(code)),
            "Ordered": float(PLENTY if bought else 0),
        }
        return {"ItemCode": code, "InventoryItem": "tYES", "ItemWarehouseInfoCollection": [warehouse]}

    def _check(self, body: Row) -> None:
        self._properties(body)
        if body.get("CardCode") not in self.partners:
            raise No(-10, f"Customer '{body.get('CardCode')}' does not exist")
        try:
            date.fromisoformat(str(body.get("DocDueDate")))
        except ValueError:
            raise No(-5002, "Enter a valid due date") from None
        rows = Kept(0, body).rows
        if not rows:
            raise No(-5002, "A document needs at least one row")
        for number, row in enumerate(rows):
            if row.get("ItemCode") in (None, "") or row["ItemCode"] in self.lacking:
                raise No(-2028, "No matching records found (ODBC -2028)")
            if not isinstance(row.get("Quantity"), int | float) or float(str(row["Quantity"])) <= 0:
                raise No(-5002, f"Enter a quantity in row {number + 1}")

    def _properties(self, body: Row) -> None:
        extension = body.get("AddressExtension", {})
        groups = [("Document", body, DOCUMENT), ("AddressExtension", extension, ADDRESS)]
        groups += [("DocumentLine", row, LINES) for row in Kept(0, body).rows]
        for kind, values, allowed in groups:
            for name, value in values.items() if isinstance(values, dict) else ():
                if name not in allowed:
                    raise No(-1000, f"Property '{name}' of '{kind}' is invalid")
                limit = allowed[name]
                if isinstance(value, str) and limit is not None and len(value) > limit:
                    raise No(-1004, f"Value too long in property '{name}' of '{kind}'")
