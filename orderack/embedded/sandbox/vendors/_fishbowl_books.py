"""A Fishbowl database: the tables that are asked of it, in SQLite, so that a question is really run."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

from pydantic import JsonValue

from orderack.domain.receipt import StockVerdict
from orderack.embedded.sandbox.stock import Stock

Row = dict[str, JsonValue]
PLENTY = 1_000_000
TABLES = """
CREATE TABLE so (id INTEGER PRIMARY KEY AUTOINCREMENT, num TEXT COLLATE NOCASE, statusId INT, note TEXT,
  dateCreated TEXT, customerName TEXT);
CREATE TABLE soitem (id INTEGER PRIMARY KEY, soId INT, soLineItem INT, typeId INT, productNum TEXT COLLATE NOCASE,
  qtyOrdered NUM, qtyFulfilled NUM, statusId INT, note TEXT, unitPrice NUM);
CREATE TABLE part (id INTEGER PRIMARY KEY, num TEXT COLLATE NOCASE UNIQUE, typeId INT);
CREATE TABLE product (id INTEGER PRIMARY KEY, num TEXT COLLATE NOCASE UNIQUE, partId INT, activeFlag INT);
CREATE TABLE locationgroup (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE onhand (partId INTEGER PRIMARY KEY, qty NUM);
CREATE TABLE po (id INTEGER PRIMARY KEY, statusId INT);
CREATE TABLE poitem (poId INT, partId INT, qtyToFulfill NUM, qtyFulfilled NUM, dateScheduledFulfillment TEXT);
INSERT INTO locationgroup VALUES (1, 'Main');
INSERT INTO po VALUES (1, 20);
CREATE VIEW qtyinventorytotals AS SELECT onhand.partId AS partId, 1 AS locationGroupId, onhand.qty AS qtyOnHand,
  (SELECT COALESCE(SUM(soitem.qtyOrdered - soitem.qtyFulfilled), 0) FROM soitem JOIN so ON so.id = soitem.soId
   JOIN product ON product.num = soitem.productNum
   WHERE so.statusId IN (20, 25) AND product.partId = onhand.partId) AS qtyAllocated,
  0 AS qtyNotAvailable FROM onhand;
"""
REQUIRED = ("Flag", "SONum", "Status", "CustomerName", *(f"BillTo{part}" for part in ("Name", "Address", "City")))
REQUIRED += ("BillToState", "BillToZip", "BillToCountry")
LIMITS: Mapping[str, int] = MappingProxyType(
    {"SONum": 25, "CustomerName": 40, "CustomerContact": 30, "PONum": 25}
    | {f"{side}Name": 60 for side in ("BillTo", "ShipTo")}
    | {f"{side}Address": 90 for side in ("BillTo", "ShipTo")}
    | {f"{side}{part}": 30 for side in ("BillTo", "ShipTo") for part in ("City", "Country")}
    | {f"{side}State": 2 for side in ("BillTo", "ShipTo")}
    | {f"{side}Zip": 10 for side in ("BillTo", "ShipTo")}
)
_HEX = re.compile(r"_utf8mb4 x'((?:[0-9a-f]{2})*)'")


class No(Exception):
    """Refused, with the server's sentence."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Books:
    """One company. `lacking`: products that it does not sell. `again`: what a second import does."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(TABLES)
        self.lacking: set[str] = set()
        self.again = "refused"
        """Or `ignored`, or `doubled`: nobody outside knows which."""

    def query(self, sql: str) -> list[Row]:
        """The rows of one SELECT. Raises No for anything else."""
        if not sql.lstrip().upper().startswith("SELECT"):
            raise No("Only queries are allowed.")
        for text in _HEX.findall(sql):
            self._stocked(bytes.fromhex(text).decode())
        plain = _HEX.sub(lambda found: f"CAST(x'{found[1]}' AS TEXT)", sql)
        self._db.execute("PRAGMA query_only = ON")
        try:
            return [_shown(dict(row)) for row in self._db.execute(plain)]
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise No(f"You have an error in your SQL syntax: {error}") from None
        finally:
            self._db.execute("PRAGMA query_only = OFF")

    def take(self, rows: Sequence[Sequence[str]], *, waits: bool) -> tuple[int, str, bool]:
        """Import: the order's id and number, and whether it is a new one. Raises No; then nothing is changed."""
        if len(rows) < 4:
            raise No("The import needs both headers, an order and an item.")
        head, item_head, first, *others = rows
        order, items = _named(head, first), [_named(item_head, row) for row in others]
        self._check(order, items)
        number = order["SONum"]
        known = self._db.execute("SELECT id FROM so WHERE num = ?", (number,)).fetchone()
        if known is not None and self.again == "refused":
            raise No(f"Sales order {number} already exists.")
        if known is not None and self.again == "ignored":
            return int(known["id"]), number, False
        status = 10 if waits else int(order["Status"])
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        made = self._db.execute(
            "INSERT INTO so (num, statusId, note, dateCreated, customerName) VALUES (?, ?, ?, ?, ?)",
            (number, status, order.get("Note"), now, order["CustomerName"]),
        )
        for place, item in enumerate(items, 1):
            self._db.execute(
                "INSERT INTO soitem (soId, soLineItem, typeId, productNum, qtyOrdered, qtyFulfilled, statusId, note, "
                "unitPrice) VALUES (?, ?, ?, ?, ?, 0, 10, ?, ?)",
                (
                    made.lastrowid,
                    place,
                    int(item["SOItemTypeID"]),
                    item["ProductNumber"],
                    float(item["ProductQuantity"]),
                    item.get("Note"),
                    float(item["ProductPrice"]),
                ),
            )
        return int(made.lastrowid or 0), number, True

    def issue(self, order_id: int) -> None:
        """Somebody issues an estimate."""
        self._db.execute("UPDATE so SET statusId = 20 WHERE id = ? AND statusId = 10", (order_id,))

    def turn(self, order_id: int, status: int) -> None:
        """Somebody there does something with an order."""
        self._db.execute("UPDATE so SET statusId = ? WHERE id = ?", (status, order_id))

    def remove(self, order_id: int) -> str:
        """DELETE; the number that it had. Raises No."""
        found = self._db.execute("SELECT num, statusId FROM so WHERE id = ?", (order_id,)).fetchone()
        if found is None:
            raise No("Sales order not found.", 404)
        if found["statusId"] not in (10, 20):
            raise No("Only a sales order that has not been started can be deleted.")
        self._db.execute("DELETE FROM soitem WHERE soId = ?", (order_id,))
        self._db.execute("DELETE FROM so WHERE id = ?", (order_id,))
        return str(found["num"])

    def orders(self) -> list[Row]:
        """All sales orders, the oldest first."""
        return [dict(row) for row in self._db.execute("SELECT * FROM so ORDER BY id")]

    def items(self, order_id: int) -> list[Row]:
        found = self._db.execute("SELECT * FROM soitem WHERE soId = ? ORDER BY soLineItem", (order_id,))
        return [dict(row) for row in found]

    def _check(self, order: Mapping[str, str], items: Sequence[Mapping[str, str]]) -> None:
        for column in REQUIRED:
            if not order.get(column, "").strip():
                raise No(f"{column} is required.")
        for column, longest in LIMITS.items():
            if len(order.get(column, "")) > longest:
                raise No(f"{column} is longer than {longest} characters.")
        if order["Flag"] != "SO" or order["Status"] not in ("10", "20"):
            raise No("The first row must be an order that is an estimate or issued.")
        for item in items:
            sku = item.get("ProductNumber", "")
            self._stocked(sku)
            known = self._db.execute("SELECT 1 FROM product WHERE num = ?", (sku,)).fetchone()
            if item.get("Flag") != "Item" or known is None:
                raise No(f"Unable to find product {sku}.")
            if not _positive(item.get("ProductQuantity", "")):
                raise No(f"{sku}: the quantity must be more than 0.")

    def _stocked(self, sku: str) -> None:
        """Whatever is asked for is sold here, as the sandbox's table of stock has it, unless it is lacking."""
        if not sku or sku in self.lacking or len(sku) > 70:
            return
        self._db.execute("INSERT OR IGNORE INTO part (num, typeId) VALUES (?, 10)", (sku,))
        part = self._db.execute("SELECT id FROM part WHERE num = ?", (sku,)).fetchone()["id"]
        self._db.execute("INSERT OR IGNORE INTO product (num, partId, activeFlag) VALUES (?, ?, 1)", (sku, part))
        scripted = self._stock.table().get(sku)
        available = scripted is None or scripted.verdict is StockVerdict.AVAILABLE
        has = scripted.available if scripted is not None else None
        quantity = has if has is not None else Decimal(PLENTY if available else 0)
        self._db.execute("INSERT OR REPLACE INTO onhand VALUES (?, ?)", (part, float(quantity)))
        self._db.execute("DELETE FROM poitem WHERE partId = ?", (part,))
        if scripted is None or scripted.verdict is StockVerdict.UNAVAILABLE:
            return
        if scripted.expected_on or scripted.verdict is StockVerdict.BACKORDERED:
            due = f"{scripted.expected_on}T00:00:00.000+0000" if scripted.expected_on else None
            self._db.execute("INSERT INTO poitem VALUES (1, ?, ?, 0, ?)", (part, PLENTY, due))


def _named(head: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    if len(head) != len(row) or len(set(head)) != len(head):
        raise No("A row has not as many columns as its header.")
    return dict(zip(head, row, strict=True))


def _positive(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False


def _shown(row: Row) -> Row:
    """Quantities are text, as the vendor's answers have them."""
    return {name: f"{value:g}" if isinstance(value, float) else value for name, value in row.items()}
