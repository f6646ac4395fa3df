"""NetSuite: sales orders by its REST record service, look-ups by SuiteQL (commerce.md §12; docs/erps/netsuite.md).

An order is PUT by its external id, and each attempt looks first: the document says which revision it holds. What was
cut off may have been done, and is safe to ask again, so nothing here is ever in doubt. `Idempotency-Key` is not used:
NetSuite heeds it for asynchronous requests only.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated

import httpx
from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings

from orderack.clients import oauth1
from orderack.clients.http import NO_HEADERS, Clock, Http, utc_now
from orderack.clients.oauth import RsaKey
from orderack.clients.secure_url import SecureUrl
from orderack.domain.acknowledgement import Reason
from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import ErpReceipt, StockVerdict
from orderack.erps._netsuite_answers import Said, failure
from orderack.erps._netsuite_catalog import Catalog, Row, quoted
from orderack.erps._netsuite_ids import external_id
from orderack.erps._netsuite_login import Login, Signed, machine
from orderack.erps._netsuite_reading import (
    OFF,
    PENDING_APPROVAL,
    UNDER_WAY,
    SalesOrder,
    about,
    booking,
    receipt,
)
from orderack.erps._netsuite_record import Found, House, charges, record
from orderack.erps._pushed import Pushed, WebhookSecret
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.ports import Awaited, Booking, RawRequest, Stock
from orderack.registry import ErpSpec, settings_config

RECORDS = "/services/rest/record/v1"
SUITEQL = "/services/rest/query/v1/suiteql"
STANDINGS = (
    "SELECT externalid AS id, status AS name FROM transaction WHERE type = 'SalesOrd' AND externalid IN ({names})"
)
"""Status is `A` or `SalesOrd:A`, by the door that is asked."""
CLOSED_BY_US = "Cancelled by the shop: "
SEAT_WAIT = 5.0
"""Seconds for which a request waits for one of our own seats before it is put off."""

InternalId = Annotated[str, StringConstraints(pattern=r"^-?\d{1,18}$")]


def _realm(account: str) -> str:
    return account.strip().upper().replace("-", "_")


class NetsuiteSettings(BaseSettings):
    """`ORDERACK_ERP_NETSUITE_…`"""

    model_config = settings_config("ORDERACK_ERP_NETSUITE_")

    account: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$"), AfterValidator(_realm)] = Field(
        description="the account id (Setup › Company › Company Information), e.g. `1234567` or `1234567_SB1`"
    )
    consumer_key: SecretStr = Field(description="consumer key, or client id, of the integration record")
    consumer_secret: SecretStr | None = Field(
        None, description="with token-based authentication: of the integration record"
    )
    token_id: SecretStr | None = Field(
        None, description="with token-based authentication: of the access token for that integration, a user and a role"
    )
    token_secret: SecretStr | None = Field(
        None, description="with token-based authentication: of the same access token"
    )
    certificate_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="with OAuth 2.0 for machines: id of the certificate in the mapping"
    )
    private_key: RsaKey | None = Field(
        None, description="with OAuth 2.0 for machines: the certificate's private key (RSA, PEM)"
    )
    webhook_secret: WebhookSecret | None = Field(
        None, description="`whsec_<base64>`: signs the receipts that our SuiteScript pushes; two while rotating"
    )
    guest_customer: InternalId | None = Field(
        None, description="internal id of the customer for buyers without a record of their own"
    )
    subsidiary: InternalId | None = Field(None, description="internal id of the subsidiary that sells (OneWorld)")
    location: InternalId | None = Field(None, description="internal id of the location that ships")
    shipping_item: InternalId | None = Field(None, description="internal id of the item that shipping costs are")
    discount_item: InternalId | None = Field(None, description="internal id of the item that discounts are")
    fees_item: InternalId | None = Field(None, description="internal id of the item that surcharges are")
    credit_item: InternalId | None = Field(None, description="internal id of the item that redeemed gift cards are")
    concurrency: int = Field(
        3, ge=1, le=100, description="requests at the same time, of all that the account allows its integrations"
    )
    base_url: SecureUrl | None = Field(
        None, description="where it answers, if not https://<account>.suitetalk.api.netsuite.com"
    )

    @property
    def url(self) -> str:
        host = self.account.lower().replace("_", "-")
        return self.base_url or f"https://{host}.suitetalk.api.netsuite.com"

    @model_validator(mode="after")
    def _has_one_login(self) -> "NetsuiteSettings":
        signed = [self.consumer_secret, self.token_id, self.token_secret]
        machine = [self.certificate_id, self.private_key]
        whole, other = (signed, machine) if any(signed) else (machine, signed)
        if any(other) or not all(whole):
            signing, certificate = "…CONSUMER_SECRET, …TOKEN_ID and …TOKEN_SECRET", "…CERTIFICATE_ID and …PRIVATE_KEY"
            raise ValueError(f"set {signing}, or {certificate}: one login, whole")
        return self

    def login(self, http: Http, nonce: Callable[[], str], prefix: str) -> Login:
        """The way in that is set."""
        client_id = self.consumer_key.get_secret_value()
        if self.certificate_id and self.private_key:
            return machine(
                http,
                self.url,
                client_id=client_id,
                certificate_id=self.certificate_id,
                key_pem=self.private_key.get_secret_value(),
                setting=f"{prefix}ACCOUNT, _CONSUMER_KEY, _CERTIFICATE_ID and _PRIVATE_KEY",
                clock=http.clock,
            )
        others = (self.consumer_secret, self.token_id, self.token_secret)
        keys = oauth1.Keys(self.account, client_id, *(one.get_secret_value() for one in others if one))
        return Signed(http, self.url, keys, nonce)

    @property
    def house(self) -> House:
        items = {name: getattr(self, f"{name}_item") for name in ("shipping", "discount", "fees", "credit")}
        return House(self.subsidiary, self.location, {name: item for name, item in items.items() if item})


class _Rows(BaseModel):
    items: tuple[Row, ...]


class _Invoice(BaseModel):
    tran_id: str = Field(alias="tranId", min_length=1)


class NetsuiteErp:
    """One NetSuite account. `name` is its key in the policy and in `/receipts/{name}`."""

    def __init__(
        self,
        name: str,
        settings: NetsuiteSettings,
        prefix: str = "ORDERACK_ERP_NETSUITE_",
        clock: Clock = utc_now,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self.name = name
        self._prefix = prefix
        self._house = settings.house
        self._seats = asyncio.Semaphore(settings.concurrency)
        self._http = Http(f"ERP {name}", settings.url, repeatable=True, clock=clock)
        self._login = settings.login(self._http, nonce, prefix)
        self._catalog = Catalog(name, self._rows, clock, settings.guest_customer)
        self._pushed = Pushed(name, settings.webhook_secret, clock)

    async def submit(self, order: Order, revision: int) -> Booking:
        """PUT the order by its external id, unless it is there in this revision; then read it back.

        Raises Refused with NetSuite's reason or ours (an item or customer that it does not have, a later revision
        that it does, an order that has left or was closed), Misconfigured for a charge without an item, Unavailable
        for all that may be tried again.
        """
        if (known := await self._read(order.ref)) is None or (mark := about(known, order.ref)) is None:
            await self._put(order, revision)
        elif mark.revision > revision:
            raise Refused(f"ERP {self.name} holds revision {mark.revision} already", Reason.OTHER, "LATER_REVISION")
        elif mark.revision < revision:
            self._may_change(known)
            await self._put(order, revision)
        else:
            return booking(known, mark, self.name)
        written = await self._read(order.ref)
        mark = about(written, order.ref) if written is not None else None
        if written is None or mark is None or mark.revision != revision:
            raise Unavailable(f"ERP {self.name} took the order and does not show it yet")
        return booking(written, mark, self.name)

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        """Read the document. None: not there, of another revision, waiting for approval, or without one of our lines.

        Raises Unavailable for a document under our external id that says it is another order's.
        """
        return self._receipt(await self._read(ref), ref, revision)

    async def find_several(self, wanted: Sequence[Awaited]) -> Sequence[ErpReceipt]:
        """One question says which of these are there and approved; only those are read."""
        if not wanted:
            return ()
        names = {external_id(one.ref): one for one in wanted}
        rows = await self._rows(STANDINGS.format(names=quoted(names)))
        ready = [names[row.id] for row in rows if row.id in names and not (row.name or "").endswith(PENDING_APPROVAL)]
        found = [self._receipt(await self._shown(one.ref), one.ref, one.revision) for one in ready]
        return tuple(one for one in found if one is not None)

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        """Close every line, which is as far as REST can go: nothing is voided or deleted. False: it has no such order.

        Raises Refused once goods have left or were invoiced.
        """
        known = await self._read(ref)
        if known is None:
            return False
        standing = known.standing
        if standing in UNDER_WAY:
            raise Refused(f"ERP {self.name}: the order is {UNDER_WAY[standing]}", Reason.OTHER, standing)
        if standing not in OFF:
            lines = [{"line": line.line, "isClosed": True} for line in known.item.items]
            body = {"memo": f"{CLOSED_BY_US}{reason}"[:999], "item": {"items": lines}}
            path = f"{RECORDS}/salesOrder/{known.id}"
            self._done(await self._send("PATCH", path, json.dumps(body).encode()))
        return True

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        """What is free by item, all locations or ours. Items that it does not know or does not stock are absent."""
        items = await self._catalog.some_items(lines)
        left = dict(await self._catalog.available(items.values(), self._house.location))
        said: list[Stock] = []
        for line in lines:
            if (item := items.get(line.sku)) in left:
                said.append(_stock(line, left[item]))
                left[item] -= line.quantity
        return tuple(said)

    async def invoice(self, ref: OrderRef, document_id: str) -> str:
        """Transform the order into an invoice, whose external id keeps it the only one; the invoice's number.

        Raises Refused where NetSuite will not bill it yet: most accounts bill what was fulfilled.
        """
        name = f"{external_id(ref)}__invoice"
        path = f"{RECORDS}/invoice/eid:{name}"
        if (made := await self._invoiced(path)) is not None:
            return made
        known = await self._read(ref)
        if known is None:
            raise Refused(f"ERP {self.name} has no such order to invoice", Reason.OTHER, "NONEXISTENT_ID")
        body = json.dumps({"externalId": name}).encode()
        self._done(await self._send("POST", f"{RECORDS}/salesOrder/{known.id}/!transform/invoice", body))
        if (made := await self._invoiced(path)) is None:
            raise Unavailable(f"ERP {self.name} made the invoice and does not show it yet")
        return made

    def verify(self, request: RawRequest) -> None:
        """Standard Webhooks, as our SuiteScript signs. Raises BadSignature, always where no secret is set."""
        self._pushed.verify(request)

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        """What our SuiteScript pushed. Raises InvalidInput."""
        return self._pushed.receipts(request)

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._login.aclose()

    def _may_change(self, known: SalesOrder) -> None:
        """Refused: what has left, and what a person cancelled or closed, for new lines would open it again."""
        if word := {**UNDER_WAY, **OFF}.get(known.standing):
            raise Refused(f"ERP {self.name}: the order is {word}", Reason.OTHER, known.standing)

    async def _put(self, order: Order, revision: int) -> None:
        for charge in charges(order):
            if charge not in self._house.charges:
                setting = f"{self._prefix}{charge}_item".upper()
                raise Misconfigured(f"ERP {self.name}: the order has a {charge} and {setting} is not set")
        found = Found(
            customer=await self._catalog.customer(order),
            currency=await self._catalog.currency(order.currency),
            items=await self._catalog.items(order.lines),
        )
        path = f"{RECORDS}/salesOrder/eid:{external_id(order.ref)}?replace=item"
        self._done(await self._send("PUT", path, record(order, revision, found, self._house).body))

    def _receipt(self, known: SalesOrder | None, ref: OrderRef, revision: int) -> ErpReceipt | None:
        mark = about(known, ref) if known is not None else None
        return receipt(known, mark, self.name) if known and mark and mark.revision == revision else None

    async def _read(self, ref: OrderRef) -> SalesOrder | None:
        known = await self._shown(ref)
        if known is not None and (mark := known.mark) is not None and mark.ref != ref:
            raise Unavailable(f"ERP {self.name} answered about another order")
        return known

    async def _shown(self, ref: OrderRef) -> SalesOrder | None:
        path = f"{RECORDS}/salesOrder/eid:{external_id(ref)}?expandSubResources=true"
        response = await self._send("GET", path)
        if Said(response).not_there:
            return None
        return self._http.read(SalesOrder, self._done(response))

    async def _invoiced(self, path: str) -> str | None:
        response = await self._send("GET", path)
        return None if Said(response).not_there else self._http.read(_Invoice, self._done(response)).tran_id

    async def _rows(self, question: str) -> Sequence[Row]:
        body = json.dumps({"q": question}).encode()
        response = await self._send("POST", f"{SUITEQL}?limit=1000", body, {"Prefer": "transient"})
        return self._http.read(_Rows, self._done(response)).items

    async def _send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> httpx.Response:
        async with self._seat():
            kind = {"Content-Type": "application/json", "X-NetSuite-PropertyNameValidation": "Error"} if body else {}
            return await self._login.send(method, path, content=body, headers={**headers, **kind})

    @asynccontextmanager
    async def _seat(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(SEAT_WAIT):
                await self._seats.acquire()
        except TimeoutError:
            raise Unavailable(f"ERP {self.name}: all of our seats are taken ({self._prefix}CONCURRENCY)") from None
        try:
            yield
        finally:
            self._seats.release()

    def _done(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        raise failure(self._http, response, self._prefix)


def _stock(line: Line, free: Decimal) -> Stock:
    if free >= line.quantity:
        return Stock(line_id=line.line_id, verdict=StockVerdict.AVAILABLE, available=free)
    if free > 0:
        return Stock(line_id=line.line_id, verdict=StockVerdict.PARTIAL, available=free)
    return Stock(line_id=line.line_id, verdict=StockVerdict.BACKORDERED)


def make(name: str, prefix: str) -> NetsuiteErp:
    """The installation of this name, with the settings of this prefix. Raises pydantic's ValidationError."""
    return NetsuiteErp(name, NetsuiteSettings(_env_prefix=prefix), prefix)


ERP: ErpSpec = ErpSpec(
    description="Oracle NetSuite: sales orders by its REST record service",
    obtain=(
        "in NetSuite: Setup › Company › Enable Features › SuiteCloud (REST web services; OAuth 2.0 or token-based"
        " authentication), then an integration record, and for a role that may write sales orders a certificate's"
        " mapping (OAuth 2.0 client credentials) or an access token"
    ),
    settings=NetsuiteSettings,
    make=make,
    once="The order is written under an external id of its own, and looked up before every attempt.",
    receipts="A SuiteScript that we supply (docs/erps/netsuite/) pushes them, signed; and it is asked.",
    traps=(
        "Two custom fields must be installed first (docs/erps/netsuite/); without them it takes no order.",
        "As of release 2027.1 no new integration can have token-based authentication: use OAuth 2.0 there.",
        "Its tax is its own: NetSuite computes it again, and the agreed total stands in the memo.",
        "A shipping cost, discount, surcharge or gift card needs an item of its own; without one the order waits.",
        "Cancelling closes the lines; nothing is deleted. What has shipped in part cannot be cancelled from here.",
        "The account's concurrency is shared by all its integrations: leave seats for the others.",
    ),
)
