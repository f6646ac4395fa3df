"""Fishbowl (Advanced) on the customer's own server, over its REST interface.

There is no call that makes a sales order but the import, and no word on what a second import of one number does. So
the number is ours, derived from store and number; an order is looked for before the import and after it, and what is
found decides. A later revision takes the place of the earlier under the same number, while nothing of it is picked.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.domain.acknowledgement import Reason
from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.erps import _fishbowl_tables as tables
from orderack.erps import _stock
from orderack.erps._fishbowl_order import ESTIMATE, ISSUED, Mark, Writing, number_of
from orderack.erps._fishbowl_server import FishbowlServer
from orderack.erps._fishbowl_tables import BOOKED, CLOSED_SHORT, HOLDING, OFF, UNTOUCHED, WAITS, SalesOrder
from orderack.erps._pushed import Pushed, WebhookSecret
from orderack.erps._stock import NONE, Position
from orderack.erps._zone import Zone
from orderack.errors import InDoubt, Refused, Unavailable
from orderack.ports import Awaited, Booking, RawRequest, Stock
from orderack.registry import ErpSpec, settings_config


class FishbowlSettings(BaseSettings):
    """`ORDERACK_ERP_FISHBOWL_…`"""

    model_config = settings_config("ORDERACK_ERP_FISHBOWL_")

    base_url: SecureUrl = Field(description="the Fishbowl server, https://<host>:2456")
    user_name: str = Field(description="a user of its own, with the rights to sales orders, imports and data queries")
    password: SecretStr = Field(description="that user's password")
    app_id: int = Field(default=9_415, gt=0, description="our application's number there; any that no other one has")
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$", description="the company's own currency")
    currencies: Mapping[str, str] = Field(
        default={}, description='other currencies by their names there, as JSON: {"EUR": "Euro"}'
    )
    issue: bool = Field(default=True, description="false: orders come in as estimates, which somebody issues")
    customer: str | None = Field(default=None, description="the customer of every order; else the buyer's own name")
    country: str = Field(default="US", pattern=r"^[A-Z]{2}$", description="for orders without an address")
    location_group: str = Field(default="", description="the location group to deliver from; else the user's own")
    tax_rate: str = Field(default="", description="the tax rate's name there; else the customer's own")
    unit: str = Field(default="ea", description="the unit of lines that name none")
    shipping_product: str | None = Field(default=None, description="the product that stands for shipping, where booked")
    time_zone: Zone = Field(default="UTC", description="the server's time zone")
    webhook_secret: WebhookSecret | None = Field(
        default=None, description="`whsec_<base64>`, where a plug-in or script of theirs pushes receipts"
    )


class Fishbowl:
    """One server. `name` is its key in the policy and in `/receipts/{name}`."""

    def __init__(
        self, name: str, settings: FishbowlSettings, prefix: str = "ORDERACK_ERP_FISHBOWL_", clock: Clock = utc_now
    ) -> None:
        self.name = name
        self._clock = clock
        self._zone = ZoneInfo(settings.time_zone)
        self._currencies = {settings.currency: ""} | dict(settings.currencies)
        self._location_group = settings.location_group
        self._pushed = Pushed(name, settings.webhook_secret, clock)
        self._writing = Writing(
            status=ISSUED if settings.issue else ESTIMATE,
            **settings.model_dump(
                include={"customer", "country", "location_group", "tax_rate", "unit", "shipping_product"}
            ),
        )
        login = (settings.user_name, settings.password, settings.app_id)
        self._server = FishbowlServer(name, prefix, settings.base_url, login, clock)

    async def submit(self, order: Order, revision: int) -> Booking:
        """Import the order, unless it is there; in a later revision it takes the earlier one's place.

        Raises Refused with Fishbowl's reason, InDoubt where the import was cut off, Unavailable for the rest.
        """
        if order.currency not in self._currencies:
            names = ", ".join(self._currencies)
            raise self._refused(f"does not book in {order.currency}, but in {names}", "currency")
        async with self._server.seat():
            found = await self._order(order.ref)
            if found is not None and self._mark(order.ref, found).revision == revision:
                return await self._booking(order.ref, revision, found)
            if found is not None:
                self._replaceable(self._mark(order.ref, found), found, revision)
            await self._all_known(order)
            if found is not None:
                await self._server.delete_order(found.id)
            rows = self._writing.rows(order, revision, self._currencies[order.currency])
            try:
                await self._server.import_order(rows)
            except Refused:  # "there is one of that number" may be about an attempt of our own
                if not await self._has(order.ref, revision):
                    raise
            made = await self._order(order.ref)
            if made is None or self._mark(order.ref, made).revision != revision:
                raise InDoubt(f"ERP {self.name} took the import, and does not have the order yet")
            return await self._booking(order.ref, revision, made)

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        """The receipt, if this revision is issued there. An estimate and a void order have none."""
        async with self._server.seat():
            found = await self._order(ref)
            mark = Mark.read(found.note or "") if found is not None else None
            if found is None or mark is None or self._meaning(found) != BOOKED:
                return None
            if self._mark(ref, found).revision != revision:
                return None
            return await self._receipt(ref, revision, found)

    async def find_several(self, wanted: Sequence[Awaited]) -> Sequence[ErpReceipt]:
        """One question, in one session, says which of these are there; only those are looked into."""
        if not wanted:
            return ()
        async with self._server.seat():
            rows = await self._server.query(tables.ORDERS, tables.orders(*{number_of(one.ref) for one in wanted}))
            receipts = [await self._receipt(one.ref, one.revision, row) for one in wanted for row in _issued(one, rows)]
        return tuple(receipt for receipt in receipts if receipt is not None)

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        """Remove the order, of which nothing is picked yet. Raises Refused where it is too late."""
        async with self._server.seat():
            found = await self._order(ref)
            if found is None or self._meaning(found) == OFF:
                return found is not None
            if found.status not in UNTOUCHED:
                raise self._refused(
                    f"has order {found.number} in hand already: void it there", f"status {found.status}"
                )
            await self._server.delete_order(found.id)
            return True

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        """Live stock per line. A line whose product is not sold there is absent."""
        async with self._server.seat():
            positions = await self._positions({line.sku for line in lines}, {})
        known = [(line, positions[line.sku.casefold()]) for line in lines if line.sku.casefold() in positions]
        return tuple(_stock.stock(line, position) for line, position in known)

    def verify(self, request: RawRequest) -> None:
        """Standard Webhooks, for a plug-in of theirs; Fishbowl itself posts nothing. Raises BadSignature."""
        self._pushed.verify(request)

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        """Receipts in our own form (docs/erp-http.md)."""
        return self._pushed.receipts(request)

    async def aclose(self) -> None:
        """Give the seat back, and close the connection pools."""
        await self._server.aclose()

    async def _order(self, ref: OrderRef) -> SalesOrder | None:
        """The order of our number: of several the first that is not void; the doubles that are untouched go now."""
        number = number_of(ref)
        found = await self._server.query(tables.ORDERS, tables.orders(number))
        if any(one.number.upper() != number for one in found):
            raise Unavailable(f"ERP {self.name} answered about another order")
        live = [one for one in found if one.means != OFF] or found[-1:]
        for double in live[1:]:
            if double.status in UNTOUCHED:
                await self._server.delete_order(double.id)
        return next(iter(live), None)

    async def _has(self, ref: OrderRef, revision: int) -> bool:
        found = await self._order(ref)
        return found is not None and self._mark(ref, found).revision == revision

    def _mark(self, ref: OrderRef, found: SalesOrder) -> Mark:
        mark = Mark.read(found.note or "")
        if mark is None:
            raise self._refused(f"has an order {found.number} whose note does not begin with our mark", "note")
        if mark.ref != ref:
            raise Unavailable(f"ERP {self.name} answered about another order")
        return mark

    def _meaning(self, found: SalesOrder) -> str:
        if found.means is None:
            raise Unavailable(f"ERP {self.name} has order {found.number} in a state of its own ({found.status})")
        return found.means

    def _replaceable(self, mark: Mark, found: SalesOrder, revision: int) -> None:
        if mark.revision > revision:
            raise self._refused(f"has a later revision of order {found.number}", "superseded")
        if found.status not in UNTOUCHED:
            raise self._refused(
                f"cannot change order {found.number} any more: change it there", f"status {found.status}"
            )

    async def _booking(self, ref: OrderRef, revision: int, found: SalesOrder) -> Booking:
        meaning = self._meaning(found)
        if meaning == OFF:
            raise self._refused(f"has order {found.number} as void or cancelled", f"status {found.status}")
        if meaning == WAITS:
            waits = f"estimate {found.number} waits in Fishbowl until somebody issues it"
            return Booking(document_id=found.number, waits=waits)
        try:
            return Booking(document_id=found.number, receipt=await self._receipt(ref, revision, found))
        except Unavailable:
            return Booking(document_id=found.number)  # it is booked; its stock is asked for later

    async def _all_known(self, order: Order) -> None:
        known = await self._positions({line.sku for line in order.lines}, {})
        lacking = [line for line in order.lines if line.sku.casefold() not in known]
        if lacking:
            named = "; ".join(f"line {line.line_id}: no product {line.sku[:60]}" for line in lacking[:5])
            raise self._refused(f"does not sell all of it: {named}", "product")

    async def _receipt(self, ref: OrderRef, revision: int, found: SalesOrder) -> ErpReceipt | None:
        """What the order itself has allocated counts as its own. None: no item of it is a line of ours."""
        items = [item for item in await self._server.query(tables.ITEMS, tables.items(found.id)) if item.sku]
        own: dict[str, Decimal] = {}
        for item in items if found.status in HOLDING else ():
            own[str(item.sku).casefold()] = own.get(str(item.sku).casefold(), NONE) + item.open
        stock = await self._positions({str(item.sku) for item in items if item.mark}, own)
        lines = tables.verdicts(items, stock, short=found.status == CLOSED_SHORT)
        if not lines:
            return None
        return ErpReceipt(
            id=f"{found.number}/{revision}",
            erp=self.name,
            store=ref.store,
            number=ref.number,
            revision=revision,
            document_id=found.number,
            recorded_at=found.recorded_at(self._zone) or self._clock(),
            lines=lines,
        )

    async def _positions(self, skus: set[str], own: Mapping[str, Decimal]) -> dict[str, Position]:
        if not skus:
            return {}
        found = await self._server.query(tables.PRODUCTS, tables.products(skus, self._location_group))
        bought = await self._server.query(tables.PURCHASES, tables.purchases(skus))
        return tables.positions(found, bought, own)

    def _refused(self, sentence: str, code: str) -> Refused:
        return Refused(f"ERP {self.name} {sentence}", Reason.OTHER, code)


def _issued(wanted: Awaited, rows: Sequence[SalesOrder]) -> Sequence[SalesOrder]:
    """The order among these in its revision, if it is issued; of several, which `find` would choose."""
    mark = Mark(ref=wanted.ref, revision=wanted.revision)
    number = number_of(wanted.ref)
    live = [row for row in rows if row.number.upper() == number and row.means != OFF]
    return [row for row in live[:1] if row.means == BOOKED and Mark.read(row.note or "") == mark]


def make(name: str, prefix: str) -> Fishbowl:
    """The installation of this name, with the settings of this prefix. Raises pydantic's ValidationError."""
    return Fishbowl(name, FishbowlSettings(_env_prefix=prefix), prefix)


ERP: ErpSpec = ErpSpec(
    description="Fishbowl (Advanced), over its REST interface",
    obtain="ask whoever administers the server for a user; the first sign-in has to be approved in Fishbowl",
    settings=FishbowlSettings,
    make=make,
    once="The sales order's number is derived from store and number; it is looked for before and after each import.",
    receipts="It posts nothing: it is asked. A plug-in of theirs may push receipts in our signed form.",
    traps=(
        "Each session is a seat of the licence: orderack signs out whenever it has nothing to ask.",
        "The first line of a sales order's note is how orderack knows it again: do not edit it.",
        "A change replaces the sales order under the same number while nothing of it is picked; later it is refused.",
        "Customers are found by name, and made where there is none: long names are shortened, and told in the note.",
        "There is no invoice trigger: Fishbowl invoices through the accounting system it is tied to.",
    ),
)
