"""Walmart's three marketplaces: where each lists its orders, and what each takes as an acknowledgement."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, Field, JsonValue

from orderack.clients.http import segment
from orderack.domain.value import Value

MarketName = Literal["us", "ca", "mx"]
LONGEST_AGO = timedelta(days=179)
"""Orders of the last 180 days can be asked for."""
OVERLAP = timedelta(minutes=10)
MOST_PAGES = 200
"""Walmart lists 20,000 orders at most; pages that lead in a circle end here."""
LATELY = timedelta(days=14)
"""Where a marketplace cannot be asked what changed, its cancellations are looked for among orders so young."""


class Pass(Value):
    """One list that a look goes through: its path, and its query, in which `{old}`, `{lately}`, `{since}` and `{now}`
    are times."""

    path: str
    query: Mapping[str, str]

    def first(self, since: datetime, now: datetime) -> str:
        """The query of its first page."""
        moments = {"old": now - LONGEST_AGO, "lately": now - LATELY, "since": since, "now": now}
        times = {name: at.isoformat(timespec="milliseconds").replace("+00:00", "Z") for name, at in moments.items()}
        return urlencode({name: value.format(**times) for name, value in self.query.items()})


class Market(Value):
    """One marketplace (Order Management of each; commerce.md §17)."""

    header: str = ""
    """`WM_MARKET`, where it is not the default one."""
    orders: str = "/v3/orders"
    one: str
    """Path and query of one order, with its id in `{}`."""
    passes: tuple[Pass, ...]
    """What is not acknowledged first: four hours hang on it. What changed second."""
    lines_in_receipt: bool = False
    """The acknowledgement names each line."""
    cancels: bool = True
    """Lines can be cancelled in JSON."""
    answer_within: timedelta | None = timedelta(hours=4)

    def path_of(self, external_id: str) -> str:
        return self.one.format(segment(external_id))

    def call(self, external_id: str, what: str) -> str:
        return f"{self.orders}/{segment(external_id)}/{what}"


_PAGE = {"limit": "200", "replacementInfo": "true"}
MARKETS: Mapping[MarketName, Market] = {
    "us": Market(
        one="/v3/orders/{}?replacementInfo=true",
        passes=(
            Pass(path="/v3/orders/released", query={**_PAGE, "createdStartDate": "{old}"}),
            Pass(path="/v3/orders", query={**_PAGE, "createdStartDate": "{old}", "lastModifiedStartDate": "{since}"}),
        ),
    ),
    "ca": Market(
        header="ca",
        orders="/v3/ca/orders",
        one="/v3/ca/orders/{}",
        passes=(
            Pass(path="/v3/ca/orders/released", query={"limit": "200", "createdStartDate": "{old}"}),
            Pass(path="/v3/ca/orders", query={"limit": "200", "createdStartDate": "{lately}", "status": "Cancelled"}),
        ),
        cancels=False,
    ),
    "mx": Market(
        header="mx",
        one="/v3/orders?purchaseOrderId={}",
        passes=tuple(
            Pass(
                path="/v3/orders/cursor",
                query={
                    "statusCodeFilter": status,
                    "limit": "100",
                    "createdStartDate": start,
                    "createdEndDate": "{now}",
                },
            )
            for status, start in (("Created", "{old}"), ("Cancelled", "{lately}"))
        ),
        lines_in_receipt=True,
        answer_within=None,
    ),
}


class _Meta(BaseModel):
    next: str | None = Field(default=None, alias="nextCursor", max_length=2_000)
    mark: str | None = Field(default=None, alias="nextCursorMark", max_length=2_000)


class _Elements(BaseModel):
    order: JsonValue = None


class _Inner(BaseModel):
    meta: _Meta = _Meta()
    elements: _Elements | None = None
    order: JsonValue = None


class Page(BaseModel):
    """What a request for orders brings: a list in two shapes, or one order, in an envelope or without."""

    list: _Inner | None = None
    meta: _Meta = _Meta()
    elements: _Elements | None = None
    order: JsonValue = None
    purchase_order: JsonValue = Field(default=None, alias="purchaseOrderId")

    @property
    def orders(self) -> tuple[JsonValue, ...]:
        """The orders in it; empty where it is one without an envelope."""
        inner = self.list or _Inner(meta=self.meta, elements=self.elements, order=self.order)
        found = inner.elements.order if inner.elements else inner.order
        if found is None:
            return ()
        return tuple(found) if isinstance(found, list) else (found,)

    def next(self, query: str) -> str:
        """The query of the next page after that of `query`; empty where there is none.

        Only a query is taken of the vendor's cursor, written anew: no answer may send us to another address.
        """
        meta = self.list.meta if self.list is not None else self.meta
        if not self.orders:
            return ""
        if meta.mark:
            following = urlencode({**dict(parse_qsl(query)), "cursorMark": meta.mark})
        else:
            following = urlencode(parse_qsl((meta.next or "").lstrip("?")))
        return "" if following == query else following
