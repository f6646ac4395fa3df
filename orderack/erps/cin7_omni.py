"""Cin7 Omni: sales orders under a reference of ours that it keeps unique (docs/erps/cin7_omni.md).

Another product and another API than Cin7 Core. Each attempt looks the order up by its reference before it writes; of
two attempts at once the second is refused for its reference, and then finds the first one's order. A new order that
was cut off is InDoubt; a change is the same however often it is written.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, Http, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import scrub
from orderack.domain.acknowledgement import Reason
from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.erps._cin7_omni_order import House, reference, wire_order
from orderack.erps._cin7_omni_reading import (
    Results,
    SalesOrder,
    SalesOrders,
    Units,
    about,
    key,
    receipt,
)
from orderack.erps._marks import Mark
from orderack.erps._pushed import Pushed, WebhookSecret
from orderack.erps._stock import NONE, Incoming, Position, stocks
from orderack.errors import InDoubt, Refused, Unavailable
from orderack.ports import Awaited, Booking, RawRequest, Stock
from orderack.registry import ErpSpec, settings_config

ORDERS, STOCK = "/v1/SalesOrders", "/v1/Stock"
MOST_CODES = 40
"""Codes asked for in one request."""
PACE = 0.34
"""Seconds between two requests: three a second are allowed."""
CHANGES = 2
"""A change may be written twice: two at once may each add a line, which shows only when it is read back."""
QUOTABLE = re.compile(r"[^'\\\x00-\x1f]{1,100}")
"""How a quote within a quoted text is written is not published, so a code that has one is not asked about."""
M = TypeVar("M", bound=BaseModel)

InternalId = Annotated[int, Field(ge=1, le=2**53)]


class Cin7OmniSettings(BaseSettings):
    """`ORDERACK_ERP_CIN7_OMNI_…`"""

    model_config = settings_config("ORDERACK_ERP_CIN7_OMNI_")

    username: SecretStr = Field(description="the API connection's username (Settings › Integrations › API v1)")
    connection_key: SecretStr = Field(description="the same connection's key")
    branch: InternalId = Field(description="id of the branch that ships: orders and stock are this one's")
    member: InternalId | None = Field(None, description="id of the contact that all orders are for; empty: none")
    approve: bool = Field(True, description="false: orders come as drafts, and a person approves them in Cin7 Omni")
    webhook_secret: WebhookSecret | None = Field(
        None, description="`whsec_<base64>`, where an integration of yours beside Cin7 Omni pushes receipts"
    )
    base_url: SecureUrl = Field("https://api.cin7.com/api", description="where its API answers")

    @property
    def house(self) -> House:
        return House(self.branch, self.member, self.approve)


class Cin7OmniErp:
    """One Cin7 Omni account. `name` is its key in the policy."""

    def __init__(
        self, name: str, settings: Cin7OmniSettings, prefix: str = "ORDERACK_ERP_CIN7_OMNI_", clock: Clock = utc_now
    ) -> None:
        self.name = name
        self._prefix = prefix
        self._house = settings.house
        self._login = settings.username.get_secret_value(), settings.connection_key.get_secret_value()
        self._pushed = Pushed(name, settings.webhook_secret, clock)
        self._turn = asyncio.Lock()
        self._http = Http(f"ERP {name}", settings.base_url, headers={"Content-Type": "application/json"}, clock=clock)

    async def submit(self, order: Order, revision: int) -> Booking:
        """Open the order unless it is there, change it unless it holds this revision, read it back.

        Raises Refused with Cin7's reason (or for a later revision, a voided, dispatched or invoiced order), InDoubt
        where a new order was cut off, Unavailable for what may be tried again.
        """
        known = await self._find(order.ref)
        if known is None:
            known = await self._open(order, revision)
        for _ in range(CHANGES):
            mark = self._mark(known, order.ref)
            if mark.revision > revision:
                raise self._no(f"it holds revision {mark.revision} already", "LATER_REVISION")
            if mark.revision == revision and known.ours(mark) is not None:
                break
            known = await self._change(known, order, revision)
        return await self._booking(known, order.ref, revision)

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        """None: no such order, a draft, on hold, another revision, or one of our lines is missing."""
        known = await self._find(ref)
        return next(iter(await self._receipts([known], {ref: revision})), None) if known else None

    async def find_several(self, wanted: Sequence[Awaited]) -> Sequence[ErpReceipt]:
        """The receipts of these that there are, for two requests in all where there are forty or fewer."""
        revisions = {one.ref: one.revision for one in wanted}
        return await self._receipts((await self._known(revisions)).values(), revisions)

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        """Void it, for ever; the reason has no field. False: there is no such order. Refused: dispatched, invoiced."""
        known = await self._find(ref)
        if known is None:
            return False
        if not known.off:
            self._mark(known, ref)
            self._may_change(known)
            await self._put([{"id": known.id, "isVoid": True}])
        return True

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        """What the branch has free and what is inbound. Codes that it keeps no stock of are absent."""
        positions = await self._positions(line.sku for line in lines)
        return stocks(lines, positions, key)

    async def invoice(self, ref: OrderRef, document_id: str) -> str:
        """Date the order's invoice, of which each order has one at most; its number. Refused: a draft, or voided."""
        known = await self._find(ref)
        if known is None or about(known, ref) is None or known.off or known.waits:
            raise self._no("there is no approved order to invoice", "NOT_APPROVED")
        if known.invoiced is None:
            at = self._http.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
            await self._put([{"id": known.id, "invoiceDate": at}])
            known = await self._one(known.id)
        if not known.invoice_number:
            raise Unavailable(f"ERP {self.name} dated the invoice and does not show its number yet")
        return known.invoice_number

    def verify(self, request: RawRequest) -> None:
        """Standard Webhooks, as an integration of theirs signs. Raises BadSignature, always where no secret is set."""
        self._pushed.verify(request)

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        """What such an integration pushed, in our form. Raises InvalidInput."""
        return self._pushed.receipts(request)

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()

    async def _receipts(self, known: Iterable[SalesOrder], revisions: Mapping[OrderRef, int]) -> Sequence[ErpReceipt]:
        ready = [
            (order, mark)
            for order in known
            if (mark := order.mark) is not None
            and revisions.get(mark.ref) == mark.revision
            and (order.off or not order.waits)
        ]
        positions = await self._positions(line.code for order, _ in ready for line in order.lines)
        found = (receipt(order, mark, self.name, positions) for order, mark in ready)
        return tuple(one for one in found if one is not None)

    async def _open(self, order: Order, revision: int) -> SalesOrder:
        try:
            made = await self._write("POST", wire_order(order, revision, self._house).body, order)
        except Refused:
            # its reference may be taken, by an attempt of ours of which we do not know what became
            if (known := await self._find(order.ref)) is None:
                raise
            return known
        return await self._one(made)

    async def _change(self, known: SalesOrder, order: Order, revision: int) -> SalesOrder:
        self._may_change(known)
        lines = [(line.id, mark.line_id if (mark := line.mark) else "") for line in known.lines]
        body = wire_order(order, revision, self._house, known.id, lines).body
        try:
            await self._write("PUT", body, order)
        except InDoubt as doubt:
            raise Unavailable(str(doubt)) from None
        return await self._one(known.id)

    def _mark(self, known: SalesOrder, ref: OrderRef) -> Mark:
        if (mark := about(known, ref)) is None:
            raise self._no("somebody else's order has our reference", "NOT_OURS")
        return mark

    def _may_change(self, known: SalesOrder) -> None:
        if known.off:
            raise self._no("the order was voided or declined", "VOID")
        if known.gone_too_far:
            raise self._no(f"it is too late: {known.gone_too_far}", "TOO_LATE")

    async def _booking(self, known: SalesOrder, ref: OrderRef, revision: int) -> Booking:
        mark = self._mark(known, ref)
        if mark.revision != revision:
            raise Unavailable(f"ERP {self.name} does not show what it took")
        if known.ours(mark) is None:
            raise self._no("it does not show the lines that were written", "NOT_AS_WRITTEN")
        if known.waits and not known.off:
            return Booking(document_id=known.reference, waits=known.waits)
        positions = await self._positions(line.code for line in known.lines)
        return Booking(document_id=known.reference, receipt=receipt(known, mark, self.name, positions))

    async def _find(self, ref: OrderRef) -> SalesOrder | None:
        known = (await self._known([ref])).get(ref)
        if known is not None and (mark := known.mark) is not None and mark.ref != ref:
            raise Unavailable(f"ERP {self.name} answered about another order")
        return known

    async def _known(self, refs: Iterable[OrderRef]) -> Mapping[OrderRef, SalesOrder]:
        """Those that it has."""
        wanted = {reference(ref): ref for ref in refs}
        found: dict[OrderRef, SalesOrder] = {}
        for some in _parts(wanted):
            asked = {"where": f"reference IN ({_quoted(some)})", "rows": "250"}
            for order in (await self._read(SalesOrders, ORDERS, asked)).root:
                if (ref := wanted.get(order.reference.upper())) is not None:
                    found[ref] = order
        return found

    async def _one(self, document: int) -> SalesOrder:
        return await self._read(SalesOrder, f"{ORDERS}/{document}", {})

    async def _positions(self, codes: Iterable[str]) -> Mapping[str, Position]:
        positions: dict[str, Position] = {}
        for some in _parts(code for code in codes if QUOTABLE.fullmatch(code)):
            asked = {"where": f"code IN ({_quoted(some)}) AND branchId={self._house.branch}", "rows": "250"}
            for unit in (await self._read(Units, STOCK, asked)).root:
                coming = (Incoming(unit.incoming),) if unit.incoming > NONE else ()
                positions[key(unit.code)] = Position(unit.available, coming)
        return positions

    async def _read(self, model: type[M], path: str, asked: Mapping[str, str]) -> M:
        try:
            response = self._accepted(await self._send("GET", f"{path}?{urlencode(asked)}" if asked else path))
            return self._http.read(model, response)
        except InDoubt as doubt:
            raise Unavailable(str(doubt)) from None

    async def _put(self, changes: Sequence[Mapping[str, object]]) -> None:
        try:
            await self._write("PUT", json.dumps(changes).encode())
        except InDoubt as doubt:
            raise Unavailable(str(doubt)) from None

    async def _write(self, method: str, body: bytes, order: Order | None = None) -> int:
        """The id of the order that was written."""
        response = self._accepted(await self._send(method, ORDERS, body), order)
        results = self._http.read(Results, response).root
        if len(results) == 1 and not results[0].success:
            raise self._refusal(response.status_code, results[0].errors, order)
        if len(results) != 1 or not results[0].id:
            raise InDoubt(f"ERP {self.name} does not say which order it wrote")
        return results[0].id

    async def _send(self, method: str, path: str, body: bytes | None = None) -> httpx.Response:
        async with self._turn:
            await asyncio.sleep(PACE)
        return await self._http.send(method, path, content=body, auth=self._login)

    def _accepted(self, response: httpx.Response, order: Order | None = None) -> httpx.Response:
        if response.is_success:
            return response
        self._http.ours_to_mend(
            response, f"{self._prefix}USERNAME, _CONNECTION_KEY (and its permissions) and _BASE_URL"
        )
        raise self._refusal(response.status_code, _said(response), order)

    def _refusal(self, status: int, reasons: Sequence[str], order: Order | None) -> Refused:
        said = "; ".join(reasons)
        lines = [line.line_id for line in order.lines if line.sku in said] if order else []
        where = f"line {', '.join(lines[:20])}: " if lines else ""
        return self._no(f"{where}{scrub(said) or 'no reason given'}", str(status))

    def _no(self, reason: str, code: str) -> Refused:
        return Refused(f"ERP {self.name} refused: {reason} ({code})", Reason.OTHER, code)


def _parts(texts: Iterable[str]) -> Iterator[Sequence[str]]:
    each = list(dict.fromkeys(texts))
    return (each[start : start + MOST_CODES] for start in range(0, len(each), MOST_CODES))


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(f"'{text}'" for text in texts)


def _said(response: httpx.Response) -> Sequence[str]:
    """Every text in a refusal's body, whose form is not published: a list of results, an object, or words."""
    try:
        return tuple(_texts(json.loads(response.content)))
    except (ValueError, RecursionError):
        return ()


def _texts(content: object) -> Iterable[str]:
    if isinstance(content, str):
        yield content
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from _texts(inner)


def make(name: str, prefix: str) -> Cin7OmniErp:
    """The installation of this name, with the settings of this prefix. Raises pydantic's ValidationError."""
    return Cin7OmniErp(name, Cin7OmniSettings(_env_prefix=prefix), prefix)


ERP: ErpSpec = ErpSpec(
    description="Cin7 Omni: sales orders (another product than Cin7 Core)",
    obtain="in Cin7 Omni: Settings › Integrations › API v1, add a connection; the branch's id is in the branch's URL",
    settings=Cin7OmniSettings,
    make=make,
    once="The order has a reference of ours, which it keeps unique; each attempt looks the order up by it first.",
    receipts="It is asked, for all orders that wait at once.",
    traps=(
        "5,000 calls a day, 60 a minute, three a second: an order costs four.",
        "Its lines say nothing of stock: the branch's free stock does, once the order is approved.",
        "What it keeps no stock of, kits and services too, counts as not available: such orders go to a person.",
        "A gift card is part of the discount: it has no field of its own.",
        "Its tax is its own; the agreed total stands in the internal comments.",
        "Voiding is for ever: an order that was voided there cannot be changed any more.",
        "Whether a change takes away lines of an approved order is not published; where it does not, a person is told.",
    ),
)
