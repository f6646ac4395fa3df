"""Cin7 Core (formerly DEAR): a sale in two steps, its header and then its order (docs/erps/cin7_core.md).

Protocol: commerce.md §13.

Cin7 Core has no idempotency key and no unique external id, so each attempt looks before it writes, and goes on with
what it finds: a sale without an order is an earlier attempt's first step. A write that was cut off is InDoubt.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, Field, SecretStr, StringConstraints, TypeAdapter
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, Http, retry_after, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import read, same, scrub
from orderack.domain.acknowledgement import Reason
from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.erps._cin7_core_answers import UNREADABLE, said
from orderack.erps._cin7_core_reading import (
    Availability,
    Customers,
    Listed,
    Sale,
    SaleList,
    about,
    receipt,
)
from orderack.erps._cin7_core_sale import (
    AUTHORISED,
    DRAFT,
    House,
    charges_of,
    external_id,
    header,
    wire_order,
)
from orderack.erps._stock import Incoming, Position, stocks
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import Awaited, Booking, RawRequest, Stock
from orderack.registry import ErpSpec, settings_config

SECRET_HEADER = "x-orderack-secret"  # noqa: S105 - a header's name
LIMIT, BROKE = 503, 500
"""60 calls a minute and key are answered by 503; 500 may be a body that it cannot read, which no repetition mends."""
NEXT_MINUTE = timedelta(seconds=20)
MOST_SKUS = 20
"""Asked for one by one: more would use up the minute's calls."""
REMEMBERED = 1_000
PAGE, MOST_PAGES = 1_000, 5
"""Sales in one answer of the list, and answers that are read of it in one look."""
OVERLAP = timedelta(minutes=10)
"""Its clock and ours may differ by so much."""
M = TypeVar("M", bound=BaseModel)
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]


class Cin7CoreSettings(BaseSettings):
    """`ORDERACK_ERP_CIN7_CORE_…`"""

    model_config = settings_config("ORDERACK_ERP_CIN7_CORE_")

    account_id: SecretStr = Field(description="the Account ID (Integrations › API › Cin7 Core API)")
    application_key: SecretStr = Field(description="the key of an application of our own there: each has its own limit")
    customer: Text = Field(description="name or ID of the customer for buyers who have no record of their own")
    tax_rule: Text = Field(description="name of the tax rule of sales, e.g. `Tax on Sales`")
    location: Text | None = Field(None, description="name of the location that ships; empty: the account's default")
    shipping_charge: Text | None = Field(None, description="name of the service product that shipping costs are")
    discount_charge: Text | None = Field(None, description="name of the service product that discounts are")
    fees_charge: Text | None = Field(None, description="name of the service product that surcharges are")
    credit_charge: Text | None = Field(None, description="name of the service product that redeemed gift cards are")
    authorise: bool = Field(True, description="false: orders come as drafts, and a person authorises them in Cin7 Core")
    webhook_secret: SecretStr | None = Field(
        None, description=f"what its webhooks send in the header {SECRET_HEADER}; they are not signed", min_length=16
    )
    base_url: SecureUrl = Field("https://inventory.dearsystems.com/ExternalApi/v2", description="where its API answers")

    @property
    def house(self) -> House:
        charges = {name: getattr(self, f"{name}_charge") for name in ("shipping", "discount", "fees", "credit")}
        named = {name: product for name, product in charges.items() if product}
        return House(self.tax_rule, self.location, named, AUTHORISED if self.authorise else DRAFT)


_OBJECT: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


class Cin7CoreErp:
    """One Cin7 Core account. `name` is its key in the policy."""

    def __init__(
        self, name: str, settings: Cin7CoreSettings, prefix: str = "ORDERACK_ERP_CIN7_CORE_", clock: Clock = utc_now
    ) -> None:
        self.name = name
        self._prefix = prefix
        self._house = settings.house
        self._customer = settings.customer
        self._secret = settings.webhook_secret
        self._http = Http(
            f"ERP {name}",
            settings.base_url,
            headers={
                "api-auth-accountid": settings.account_id.get_secret_value(),
                "api-auth-applicationkey": settings.application_key.get_secret_value(),
                "Content-Type": "application/json",
            },
            clock=clock,
        )
        self._sales: dict[str, str] = {}
        """Sale by external id: the list may show a new sale a while later."""
        self._companies: dict[str, str] = {}

    async def submit(self, order: Order, revision: int) -> Booking:
        """Open the sale unless it is there, write its order unless it holds this revision, read it back.

        Raises Refused with Cin7's reason (or for a later revision, a voided sale, another currency), Misconfigured
        for a charge without a product, InDoubt where a write was cut off, Unavailable for what was certainly not done.
        """
        self._charges_are_known(order)
        sale = await self._find(order.ref)
        if sale is not None and (mark := about(sale, order.ref)) is not None and mark.revision == revision:
            return await self._booking(sale, order.ref)
        if sale is not None:
            self._may_change(sale, order.ref, revision)
            await self._change(sale, order)
        else:
            sale = await self._open(order)
        return await self._booking(await self._fill(sale, order, revision), order.ref)

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        """None: no sale, no authorised order in it, another revision, or one of our lines is missing."""
        sale = await self._find(ref)
        mark = about(sale, ref) if sale is not None else None
        if sale is None or mark is None or mark.revision != revision:
            return None
        return (await self._booking(sale, ref)).receipt

    async def find_several(self, wanted: Sequence[Awaited]) -> Sequence[ErpReceipt]:
        """The list says what changed since the first of these began to wait; only what has an order is read."""
        if not wanted:
            return ()
        listed, whole = await self._changed_since(min(one.since for one in wanted))
        found: list[ErpReceipt | None] = []
        for one in wanted:
            row = listed.of(external_id(one.ref))
            if row is not None and row.answers:
                found.append(await self._answer(row.id, one))
            elif row is None and not whole:
                found.append(await self.find(one.ref, one.revision))
        return tuple(receipt for receipt in found if receipt is not None)

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        """Void the sale; the reason has no field there. False: there is no such sale. Refused: invoiced or shipping."""
        sale = await self._find(ref)
        if sale is None:
            return False
        if not sale.voided:
            if sale.gone_too_far:
                raise self._no(f"it is too late: {sale.gone_too_far}", "TOO_LATE")
            await self._write("DELETE", f"/sale?{urlencode({'ID': sale.id, 'Void': 'true'})}")
        return True

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        """Free and bought quantities, in our location or in all. Unknown SKUs, and all but the first 20, are absent."""
        return stocks(lines, await self._positions([line.sku for line in lines]))

    def verify(self, request: RawRequest) -> None:
        """The secret in the header that was entered with the webhook: Cin7 Core signs nothing."""
        given = request.headers.get(SECRET_HEADER, "")
        if self._secret is None or not same(self._secret.get_secret_value(), given):
            raise BadSignature(f"{SECRET_HEADER} does not fit")

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        """None, ever: a webhook names the sale and neither its revision nor its lines, so Cin7 Core is asked for them.

        Raises InvalidInput for what is no JSON object.
        """
        read(_OBJECT, request.body)
        return ()

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()

    def _charges_are_known(self, order: Order) -> None:
        for charge in charges_of(order):
            if charge not in self._house.charges:
                setting = f"{self._prefix}{charge}_charge".upper()
                raise Misconfigured(f"ERP {self.name}: the order has a {charge} and {setting} is not set")

    def _may_change(self, sale: Sale, ref: OrderRef, revision: int) -> None:
        mark = about(sale, ref)
        if mark is not None and mark.revision > revision:
            raise self._no(f"it holds revision {mark.revision} already", "LATER_REVISION")
        if sale.voided:
            raise self._no("the sale was voided", "VOIDED")
        if mark is None and sale.order.status == AUTHORISED:
            raise self._no("somebody else authorised an order in this sale", "NOT_OURS")
        if too_late := sale.gone_too_far or sale.in_hand:
            raise self._no(f"it is too late: {too_late}", "TOO_LATE")

    async def _open(self, order: Order) -> Sale:
        body = header(order, self._house, await self._customer_of(order)).body
        try:
            sale = self._http.read(Sale, await self._write("POST", "/sale", body, order))
        except Refused:
            self._companies.clear()  # the customer may have been renamed
            raise
        self._same_currency(sale, order)
        key = external_id(order.ref)
        # an earlier attempt's sale may show in the list by now: whoever looks, the same one is gone on with
        listed = (await self._list(key)).of(key)
        self._remember(key, listed.id if listed else sale.id)
        return sale if listed is None or listed.id == sale.id else await self._sale(listed.id)

    async def _fill(self, sale: Sale, order: Order, revision: int) -> Sale:
        """Write the sale's order; a refusal may mean that another attempt of ours has written it this moment."""
        try:
            await self._write("POST", "/sale/order", wire_order(order, revision, sale.id, self._house).body, order)
        except Refused:
            written = await self._sale(sale.id)
            if (mark := about(written, order.ref)) is None or mark.revision != revision:
                raise
            return written
        return await self._sale(sale.id)

    async def _change(self, sale: Sale, order: Order) -> None:
        self._same_currency(sale, order)
        if sale.order.status == AUTHORISED:
            await self._write("DELETE", f"/sale?{urlencode({'ID': sale.id, 'Void': 'false'})}")
        body = header(order, self._house, await self._customer_of(order), sale.id).body
        await self._write("PUT", "/sale", body, order)

    def _same_currency(self, sale: Sale, order: Order) -> None:
        if sale.currency and sale.currency != order.currency:
            raise self._no(f"the customer is kept in {sale.currency}, the order is in {order.currency}", "CURRENCY")

    async def _booking(self, sale: Sale, ref: OrderRef) -> Booking:
        if sale.external_id != external_id(ref) or (mark := about(sale, ref)) is None:
            raise Unavailable(f"ERP {self.name} does not show the order that it took")
        if sale.order.status != AUTHORISED and not sale.voided:
            return Booking(document_id=sale.order.number or None, waits="Cin7 Core holds the order as a draft")
        short = [line.sku for line in sale.order.lines if line.short]
        coming = {sku: at.incoming[0].quantity for sku, at in (await self._positions(short)).items() if at.incoming}
        return Booking(document_id=sale.order.number, receipt=receipt(sale, mark, self.name, coming))

    async def _find(self, ref: OrderRef) -> Sale | None:
        """Of two sales of one order the one that holds it; else the one that everybody would go on with."""
        key = external_id(ref)
        listed = (await self._list(key)).of(key)
        first = self._sales.get(key) or (listed.id if listed else None)
        if first is None:
            return None
        sale = await self._sale(first)
        if listed is not None and listed.id != sale.id and sale.order.mark is None:
            sale = await self._sale(listed.id)
        if sale.external_id != key or ((mark := sale.order.mark) is not None and mark.ref != ref):
            raise Unavailable(f"ERP {self.name} answered about another order")
        return sale

    def _remember(self, key: str, sale: str) -> None:
        if len(self._sales) >= REMEMBERED:
            del self._sales[next(iter(self._sales))]
        self._sales[key] = sale

    async def _list(self, key: str) -> SaleList:
        return self._known(SaleList, await self._read("/saleList", {"ExternalID": key, "Limit": "100"}))

    async def _changed_since(self, since: datetime) -> tuple[SaleList, bool]:
        """What the list shows of it, and whether that is all."""
        rows: list[Listed] = []
        at = (since - OVERLAP).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for page in range(1, MOST_PAGES + 1):
            asked = {"UpdatedSince": at, "Limit": str(PAGE), "Page": str(page)}
            some = self._known(SaleList, await self._read("/saleList", asked)).rows
            rows += some
            if len(some) < PAGE:
                return SaleList.of_rows(rows), True
        return SaleList.of_rows(rows), False

    async def _answer(self, sale: str, wanted: Awaited) -> ErpReceipt | None:
        known = await self._sale(sale)
        mark = about(known, wanted.ref)
        if known.external_id != external_id(wanted.ref) or mark is None or mark.revision != wanted.revision:
            return None
        return (await self._booking(known, wanted.ref)).receipt

    async def _sale(self, sale: str) -> Sale:
        return self._known(Sale, await self._read("/sale", {"ID": sale}))

    async def _customer_of(self, order: Order) -> tuple[str | None, str | None]:
        """A company's own record, by its exact name; else the one for guests. People are never matched by name."""
        if order.customer.id and _GUID.fullmatch(order.customer.id):
            return order.customer.id, None
        company = order.billing_address and order.billing_address.company
        if company and (known := await self._company(company)):
            return known, None
        return (self._customer, None) if _GUID.fullmatch(self._customer) else (None, self._customer)

    async def _company(self, name: str) -> str | None:
        if (known := self._companies.get(name)) is not None:
            return known
        answer = await self._read("/customer", {"Name": name, "Limit": "100"})
        found = [one.id for one in self._known(Customers, answer).found if one.name == name]
        if len(found) != 1:
            return None
        if len(self._companies) >= REMEMBERED:
            self._companies.clear()
        self._companies[name] = found[0]
        return found[0]

    async def _positions(self, skus: Sequence[str]) -> Mapping[str, Position]:
        positions: dict[str, Position] = {}
        for sku in list(dict.fromkeys(skus))[:MOST_SKUS]:
            asked = {"Sku": sku, "Limit": "1000"} | ({"Location": self._house.location} if self._house.location else {})
            answer = await self._read("/ref/productavailability", asked)
            rows = [row for row in self._known(Availability, answer).found if row.sku == sku]
            if rows:
                bought = sum((row.on_order for row in rows), Decimal(0))
                free = sum((row.available for row in rows), Decimal(0))
                positions[sku] = Position(free, (Incoming(bought),) if bought > 0 else ())
        return positions

    async def _read(self, path: str, asked: Mapping[str, str]) -> httpx.Response:
        try:
            response = await self._http.send("GET", f"{path}?{urlencode(asked)}", reads={LIMIT})
        except InDoubt as doubt:
            raise Unavailable(str(doubt)) from None
        return self._accepted(response)

    def _known(self, model: type[M], response: httpx.Response) -> M:
        try:
            return self._http.read(model, response)
        except InDoubt as doubt:
            raise Unavailable(str(doubt)) from None

    async def _write(
        self, method: str, path: str, body: bytes | None = None, order: Order | None = None
    ) -> httpx.Response:
        response = await self._http.send(method, path, content=body, reads={LIMIT, BROKE})
        return self._accepted(response, order)

    def _accepted(self, response: httpx.Response, order: Order | None = None) -> httpx.Response:
        if response.is_success:
            return response
        if response.status_code == LIMIT:
            wait = retry_after(response.headers, self._http.clock()) or NEXT_MINUTE
            raise Unavailable(f"ERP {self.name} is limiting our rate ({LIMIT})", wait)
        self._http.ours_to_mend(response, f"{self._prefix}ACCOUNT_ID, _APPLICATION_KEY and _BASE_URL")
        reason, code = said(response)
        if response.status_code == BROKE and not UNREADABLE.search(reason):
            raise InDoubt(f"ERP {self.name} broke down ({BROKE}): it may have been done")
        lines = [line.line_id for line in order.lines if line.sku in reason] if order else []
        where = f"line {', '.join(lines[:20])}: " if lines else ""
        raise self._no(f"{where}{scrub(reason) or 'no reason given'}", code)

    def _no(self, reason: str, code: str) -> Refused:
        return Refused(f"ERP {self.name} refused: {reason} ({code})", Reason.OTHER, code)


def make(name: str, prefix: str) -> Cin7CoreErp:
    """The installation of this name, with the settings of this prefix. Raises pydantic's ValidationError."""
    return Cin7CoreErp(name, Cin7CoreSettings(_env_prefix=prefix), prefix)


ERP: ErpSpec = ErpSpec(
    description="Cin7 Core (formerly DEAR Inventory): sales and their orders",
    obtain="in Cin7 Core: Integrations › API › Cin7 Core API, add an application and note Account ID and key",
    settings=Cin7CoreSettings,
    make=make,
    once="Each attempt looks the sale up by its ExternalID and goes on where the last one stopped.",
    receipts="It is asked. Its webhooks name a sale and nothing of its stock, so they are taken and tell us nothing.",
    traps=(
        "60 calls a minute and key, and an order costs five: more than ten orders a minute have to wait.",
        "It sets the limit with 503, and 500 may mean a body that it cannot read: such an order goes to review.",
        "A customer is kept in one currency; an order in another is refused.",
        "A back-ordered line counts as unavailable while nothing is bought for it: enter the purchase first.",
        "Shipping, discounts, surcharges and gift cards need a service product each; without one the order waits.",
        "Its tax is its own, by the tax rule; the agreed total stands in the sale's note.",
        "A change undoes the authorised order and writes it anew; what was picked or invoiced refuses that.",
    ),
)
