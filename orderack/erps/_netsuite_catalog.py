"""NetSuite's internal ids of customers, items and currencies, asked for by SuiteQL and remembered for a while."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator

from orderack.clients.http import Clock
from orderack.domain.acknowledgement import Reason
from orderack.domain.order import Line, Order
from orderack.errors import Refused

REMEMBERED = timedelta(minutes=10)
MOST = 10_000
"""Names that are remembered at once."""
AT_ONCE = 500
"""Names in one question; SuiteQL takes a thousand in an IN list."""

_NAMED = "SELECT id, {column} AS name, externalid FROM {table} WHERE isinactive = 'F'"
_EITHER = " AND (externalid IN ({{names}}) OR {column} IN ({{names}}))"
_QUESTIONS: Mapping[str, str] = {
    "item": (_NAMED + _EITHER).format(table="item", column="itemid"),
    "customer": (_NAMED + _EITHER).format(table="customer", column="entityid"),
    "currency": "SELECT id, symbol AS name FROM currency WHERE symbol IN ({names})",
}
_FREE = (
    "SELECT item AS id, SUM(quantityavailable) AS available FROM aggregateitemlocation"
    " WHERE item IN ({items}){where} GROUP BY item"
)

Text = Annotated[str | None, BeforeValidator(lambda value: None if value is None else str(value))]


class Row(BaseModel):
    """One row; SuiteQL writes columns in small letters, numbers as text, and leaves out what is null."""

    id: Annotated[str, BeforeValidator(str)]
    name: Text = None
    externalid: Text = None
    available: Decimal | None = None


Ask = Callable[[str], Awaitable[Sequence[Row]]]


def quoted(texts: Iterable[str]) -> str:
    """The list for an IN; a quote within a text is doubled, the only sign that SuiteQL's literals know."""
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


class Catalog:
    """Look-ups of one account. Only what was found is remembered: what is missing may be entered any minute."""

    def __init__(self, erp: str, ask: Ask, clock: Clock, guest: str | None) -> None:
        """`guest`: the customer for buyers who have no record of their own; None: such an order is refused."""
        self._erp = erp
        self._ask = ask
        self._clock = clock
        self._guest = guest
        self._known: dict[tuple[str, str], tuple[str, datetime]] = {}

    async def items(self, lines: Sequence[Line]) -> Mapping[str, str]:
        """By sku: the item of that external id, else of that name or number. Raises Refused naming the lines."""
        found = await self._ids("item", {line.sku for line in lines})
        lacking = [line.line_id for line in lines if line.sku not in found]
        if lacking:
            raise self._refused(f"has no active item for line {', '.join(lacking[:20])}", "UNKNOWN_ITEM")
        return found

    async def some_items(self, lines: Sequence[Line]) -> Mapping[str, str]:
        """As `items`, without those that it does not know."""
        return await self._ids("item", {line.sku for line in lines})

    async def customer(self, order: Order) -> str:
        """The customer of that external id, else of that number or name. Raises Refused, which names no buyer."""
        name = order.customer.id
        found = await self._ids("customer", {name}) if name else {}
        if (known := found.get(name or "", self._guest)) is None:
            raise self._refused("does not know the order's customer, and none is set for guests", "UNKNOWN_CUSTOMER")
        return known

    async def currency(self, code: str) -> str:
        """Raises Refused for a currency that the account does not have."""
        found = await self._ids("currency", {code})
        if code not in found:
            raise self._refused(f"has no currency {code}", "UNKNOWN_CURRENCY")
        return found[code]

    async def available(self, items: Iterable[str], location: str | None) -> Mapping[str, Decimal]:
        """By item: what is free, in that location or in all. An item that is not stocked is absent."""
        ids = sorted({item for item in items if item.isdigit()}, key=int)
        if not ids:
            return {}
        question = _FREE.format(items=", ".join(ids), where=f" AND location = {location}" if location else "")
        rows = await self._ask(question)
        return {row.id: row.available or Decimal(0) for row in rows}

    async def _ids(self, table: str, names: set[str]) -> Mapping[str, str]:
        now = self._clock()
        known = {
            name: kept[0] for name in names if (kept := self._known.get((table, name))) is not None and kept[1] > now
        }
        if len(self._known) > MOST:
            self._known = {name: kept for name, kept in self._known.items() if kept[1] > now}
        lacking = sorted(names - known.keys())
        for start in range(0, len(lacking), AT_ONCE):
            part = lacking[start : start + AT_ONCE]
            rows = await self._ask(_QUESTIONS[table].format(names=quoted(part)))
            for name in part:
                if (found := _one(name, rows)) is not None:
                    known[name] = found
                    self._known[table, name] = found, now + REMEMBERED
        return known

    def _refused(self, reason: str, code: str) -> Refused:
        return Refused(f"ERP {self._erp} {reason} ({code})", Reason.OTHER, code)


def _one(name: str, rows: Sequence[Row]) -> str | None:
    """The record of that external id, else the only one of that name: which of two is meant nobody can say."""
    by_id = [row.id for row in rows if row.externalid == name]
    by_name = [row.id for row in rows if row.name == name]
    found = by_id or by_name
    return found[0] if len(found) == 1 else None
