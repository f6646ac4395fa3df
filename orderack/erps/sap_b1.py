"""SAP Business One over its Service Layer (version 10; OData 3 or 4).

Nothing in it is unique by our key, so a document is looked for before it is made, and after: our key, the revision
and each line's id stand in fields that the customer adds (docs/erps/sap_b1.md). Of two documents that two attempts at
once made all the same, the later one is cancelled. A later revision changes the same document.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, JsonValue, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.domain.acknowledgement import Reason
from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.erps import _stock
from orderack.erps._pushed import Pushed, WebhookSecret
from orderack.erps._sap_b1_change import changed
from orderack.erps._sap_b1_layer import ServiceLayer
from orderack.erps._sap_b1_order import ITEM_CODE, Json, Writing
from orderack.erps._sap_b1_stock import positions, verdicts
from orderack.erps._sap_b1_wire import (
    CLOSED,
    STATES,
    Document,
    Documents,
    Fields,
    Partners,
    key_of,
    literal,
    query,
)
from orderack.erps._zone import Zone
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.ports import Awaited, Booking, RawRequest, Stock
from orderack.registry import ErpSpec, settings_config

PAGE = 20
"""Documents in one answer; more than two of one key have never been ours."""
AT_ONCE = 5
"""Orders in one question: its page has room for the cancelled ones as well."""
ORDER_TYPE = 17
"""A sales order, as an invoice's lines refer to it."""


OwnField = Annotated[str, StringConstraints(pattern=r"^U_[A-Za-z0-9_]{1,50}$")]
Property = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,60}$")]


class SapB1Settings(BaseSettings):
    """`ORDERACK_ERP_SAP_B1_…`"""

    model_config = settings_config("ORDERACK_ERP_SAP_B1_")

    base_url: SecureUrl = Field(description="the Service Layer, https://<host>:50000/b1s/v1 (or /b1s/v2)")
    company_db: SecretStr = Field(description="the company's database")
    user_name: SecretStr = Field(description="a user of its own, with a licence for the Service Layer")
    password: SecretStr = Field(description="that user's password")
    card_code: str | None = Field(
        default=None, description="the business partner of every order that has none of its own"
    )
    customer_field: Property | None = Field(
        default=None, description="the business partners' field that holds the buyer's id (`EmailAddress`: the e-mail)"
    )
    key_field: OwnField = Field(default="U_OrderackKey", description="own field of documents: our key")
    revision_field: OwnField = Field(default="U_OrderackRev", description="own field of documents: the revision")
    line_field: OwnField = Field(default="U_OrderackLine", description="own field of documents' rows: the line's id")
    warehouse: str | None = Field(default=None, description="the warehouse to deliver from; else each item's own")
    tax_code: str | None = Field(default=None, description="the tax code of every line; else each partner's own")
    shipping_code: int | None = Field(default=None, description="the freight's number, where shipping is to be booked")
    time_zone: Zone = Field(default="UTC", description="the company's time zone")
    webhook_secret: WebhookSecret | None = Field(
        default=None, description="`whsec_<base64>`, where an integration of theirs pushes receipts (B1if)"
    )

    @model_validator(mode="after")
    def _has_a_customer(self) -> "SapB1Settings":
        if self.card_code is None and self.customer_field is None:
            raise ValueError("set …CARD_CODE, …CUSTOMER_FIELD or both: they say who the orders are for")
        return self

    @property
    def fields(self) -> Fields:
        return Fields(key=self.key_field, revision=self.revision_field, line=self.line_field)


class SapB1:
    """One company. `name` is its key in the policy and in `/receipts/{name}`."""

    def __init__(
        self, name: str, settings: SapB1Settings, prefix: str = "ORDERACK_ERP_SAP_B1_", clock: Clock = utc_now
    ) -> None:
        self.name = name
        self._prefix = prefix
        self._card_code = settings.card_code
        self._customer_field = settings.customer_field
        self._warehouse = settings.warehouse
        self._zone = ZoneInfo(settings.time_zone)
        self._fields = settings.fields
        self._clock = clock
        self._pushed = Pushed(name, settings.webhook_secret, clock)
        self._writing = Writing(
            settings.fields,
            warehouse=settings.warehouse,
            tax_code=settings.tax_code,
            shipping=settings.shipping_code,
        )
        login = {"CompanyDB": settings.company_db, "UserName": settings.user_name, "Password": settings.password}
        self._layer = ServiceLayer(name, prefix, settings.base_url, login, settings.fields, clock)

    async def submit(self, order: Order, revision: int) -> Booking:
        """Add the order, or change it to this revision; what is there already is answered for again.

        Raises Refused with SAP's reason, InDoubt where a new document was cut off, Unavailable for the rest.
        """
        found = await self._order(order.ref)
        if found is not None:
            return await self._amend(order, revision, found)
        draft = await self._draft(order.ref)
        if draft is not None:
            return await self._await_approval(order, revision, draft)
        try:
            await self._add(order, revision)
            return await self._after(order.ref, revision)
        except Refused as refusal:
            raise await self._explained(order, refusal) from None

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        """The receipt, if this revision is booked and no draft. Figures of stock as they are now."""
        found = await self._order(ref)
        if found is None or found.off or found.revision(self._fields) != revision:
            return None
        return await self._receipt(ref, revision, found)

    async def find_several(self, wanted: Sequence[Awaited]) -> Sequence[ErpReceipt]:
        """A question for a few at once says which are there; only those are looked into, a double's order by itself."""
        receipts: list[ErpReceipt | None] = []
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            found = await self._documents("/Orders", *dict.fromkeys(one.ref for one in some))
            for one in some:
                live = [each for each in found if each.own(self._fields.key) == key_of(one.ref) and not each.off]
                if len(live) > 1:
                    receipts.append(await self.find(one.ref, one.revision))
                elif live and live[0].revision(self._fields) == one.revision:
                    receipts.append(await self._receipt(one.ref, one.revision, live[0]))
        return tuple(receipt for receipt in receipts if receipt is not None)

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        """Cancel the order, or remove its draft. Raises Refused where it is delivered or invoiced."""
        found = await self._order(ref)
        if found is not None:
            if not found.off:
                await self._layer.act("POST", f"/Orders({found.entry})/Cancel")
            return True
        draft = await self._draft(ref)
        if draft is not None:
            await self._layer.act("DELETE", f"/Drafts({draft.entry})")
        return draft is not None

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        """Live stock per line. A line whose item is not there is absent."""
        wanted: dict[str, Decimal] = {}
        for line in lines:
            wanted[line.sku] = wanted.get(line.sku, Decimal(0)) + line.quantity
        found = await positions(self._layer, wanted, self._warehouse)
        return tuple(_stock.stock(line, found[line.sku]) for line in lines if line.sku in found)

    async def invoice(self, ref: OrderRef, document_id: str) -> str:
        """Invoice what is open of the order, once; the invoice's number. Looked for before and after."""
        if (made := await self._invoice(ref)) is not None:
            return made
        found = await self._order(ref)
        if found is None or found.off:
            raise Refused(f"ERP {self.name} has no such order to invoice", Reason.OTHER, "no order")
        rows: list[JsonValue] = [
            {"BaseType": ORDER_TYPE, "BaseEntry": found.entry, "BaseLine": line.number}
            for line in found.lines
            if line.still_open > 0
        ]
        if not rows:
            raise Refused(f"ERP {self.name}: nothing of order {found.number} is open any more", Reason.OTHER, "closed")
        body: Json = {"CardCode": found.customer, self._fields.key: key_of(ref), "DocumentLines": rows}
        try:
            await self._layer.create("/Invoices", body)
        except Refused:  # an attempt at the same time closed the lines
            if (made := await self._invoice(ref)) is None:
                raise
            return made
        if (made := await self._invoice(ref)) is None:
            raise Unavailable(f"ERP {self.name} holds the invoice as a draft: somebody has to approve it")
        return made

    def verify(self, request: RawRequest) -> None:
        """Standard Webhooks, for an integration of theirs; Business One itself posts nothing. Raises BadSignature."""
        self._pushed.verify(request)

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        """Receipts in our own form (docs/erp-http.md)."""
        return self._pushed.receipts(request)

    async def aclose(self) -> None:
        """Log out, so that the licence is free, and close the connection pools."""
        await self._layer.aclose()

    async def _add(self, order: Order, revision: int) -> None:
        body = self._writing.document(order, revision, await self._customer(order))
        try:
            await self._layer.create("/Orders", body)
        except Refused:  # "this reference is taken" may be about an attempt of our own
            if await self._order(order.ref) is None:
                raise

    async def _after(self, ref: OrderRef, revision: int) -> Booking:
        """What became of a document that was taken: an order, or a draft."""
        try:
            found = await self._order(ref)
            if found is not None:
                receipt = (
                    await self._receipt(ref, revision, found) if found.revision(self._fields) == revision else None
                )
                return Booking(document_id=str(found.number), receipt=receipt)
            draft = await self._draft(ref)
        except Unavailable:
            return Booking()  # it is taken; what it became is asked for later
        if draft is not None:
            return self._waiting(draft)
        raise Refused(f"ERP {self.name} did not add the order: no matching record (-2028)", Reason.OTHER, "-2028")

    async def _amend(self, order: Order, revision: int, found: Document) -> Booking:
        booked = found.revision(self._fields)
        if booked == revision and not found.off:
            receipt = await self._receipt(order.ref, revision, found)
            return Booking(document_id=str(found.number), receipt=receipt)
        for wrong, code in (
            (found.off, "cancelled"),
            (found.status == CLOSED, "closed"),
            (booked is not None and booked > revision, "superseded"),
        ):
            if wrong:
                raise Refused(f"ERP {self.name}: order {found.number} is {code} there", Reason.OTHER, code)
        body = self._change(order, revision, found)
        try:
            await self._layer.change(f"/Orders({found.entry})", body, found.etag)
        except Refused as refusal:
            raise await self._explained(order, refusal) from None
        return await self._after(order.ref, revision)

    def _change(self, order: Order, revision: int, there: Document) -> Json:
        try:
            return changed(self._writing, order, revision, there, self._fields)
        except Refused as late:
            raise Refused(f"ERP {self.name}: order {there.number}: {late}", late.reason, late.code) from None

    async def _await_approval(self, order: Order, revision: int, draft: Document) -> Booking:
        if draft.revision(self._fields) != revision:
            body = self._change(order, revision, draft)
            await self._layer.change(f"/Drafts({draft.entry})", body, draft.etag)
        return self._waiting(draft)

    def _waiting(self, draft: Document) -> Booking:
        if STATES.get(draft.authorization, "waits") == "declined":
            raise Refused(
                f"ERP {self.name}: the approval of draft {draft.entry} was declined", Reason.OTHER, "declined"
            )
        return Booking(waits=f"draft {draft.entry} waits in SAP Business One for its approval")

    async def _order(self, ref: OrderRef) -> Document | None:
        """The order's document: of several the first that is not cancelled, and the others are cancelled now."""
        found = await self._live(ref)
        for double in found[1:]:
            await self._cancel_double(ref, double)
        return next(iter(found), None)

    async def _live(self, ref: OrderRef) -> list[Document]:
        """Those that are not cancelled; where all are, the last."""
        found = await self._documents("/Orders", ref)
        return [document for document in found if not document.off] or found[-1:]

    async def _cancel_double(self, ref: OrderRef, double: Document) -> None:
        try:
            await self._layer.act("POST", f"/Orders({double.entry})/Cancel")
        except Refused:  # the attempt that made it has cancelled it as well
            if any(one.entry == double.entry for one in await self._live(ref)):
                raise

    async def _draft(self, ref: OrderRef) -> Document | None:
        drafts = await self._documents("/Drafts", ref)
        ours = [one for one in drafts if one.object_code in ("oOrders", str(ORDER_TYPE), "")]
        return next((one for one in reversed(ours) if STATES.get(one.authorization, "waits") != "gone"), None)

    async def _invoice(self, ref: OrderRef) -> str | None:
        for path in ("/Invoices", "/Drafts"):
            for document in await self._documents(path, ref):
                if path == "/Invoices" and not document.off:
                    return str(document.number)
                if document.object_code in ("oInvoices", "13") and STATES.get(document.authorization) == "waits":
                    raise Unavailable(f"ERP {self.name} holds the invoice as a draft: somebody has to approve it")
        return None

    async def _documents(self, path: str, *refs: OrderRef) -> list[Document]:
        """Those with our keys, the earliest first. A database that ignores case also gives a neighbour's."""
        keys = {key_of(ref) for ref in refs}
        condition = " or ".join(f"{self._fields.key} eq {literal(key)}" for key in sorted(keys))
        asked = query(filter=condition, orderby="DocEntry asc", top=str(PAGE))
        found = (await self._layer.read(Documents, f"{path}?{asked}")).documents
        known = {key.casefold() for key in keys}
        if any(document.own(self._fields.key).casefold() not in known for document in found):
            raise Unavailable(f"ERP {self.name} answered about another order")
        ours = [document for document in found if document.own(self._fields.key) in keys]
        return sorted(ours, key=lambda document: document.entry)

    async def _customer(self, order: Order) -> str:
        """The business partner's code. Raises Refused where there is none, or several."""
        mail = self._customer_field == "EmailAddress"
        wanted = order.contacts.email if mail else order.customer.id
        if self._customer_field and wanted:
            asked = query(select="CardCode", filter=f"{self._customer_field} eq {literal(wanted)}", top="2")
            found = (await self._layer.read(Partners, f"/BusinessPartners?{asked}")).partners
            if len(found) > 1:
                raise Refused(f"ERP {self.name} has several business partners for this buyer", Reason.OTHER, "customer")
            if found:
                return found[0].code
        if self._card_code is None:
            raise Refused(
                f"ERP {self.name} has no business partner for this buyer, and {self._prefix}CARD_CODE names no other",
                Reason.OTHER,
                "customer",
            )
        return self._card_code

    async def _explained(self, order: Order, refusal: Refused) -> Refused:
        """The refusal, with the lines whose items are not there: SAP's own sentence seldom names them."""
        try:
            known = await positions(self._layer, {line.sku: Decimal(0) for line in order.lines}, self._warehouse)
        except (Unavailable, Misconfigured):
            return refusal
        lacking = [
            f"line {line.line_id}: no item {line.sku[:ITEM_CODE]}" for line in order.lines if line.sku not in known
        ]
        return Refused("; ".join([*lacking[:5], str(refusal)]), refusal.reason, refusal.code)

    async def _receipt(self, ref: OrderRef, revision: int, found: Document) -> ErpReceipt | None:
        """Its stock as it is now. None: no row of the document is a line of ours."""
        lines = await verdicts(self._layer, found, self._fields, self._warehouse)
        if not lines:
            return None
        return ErpReceipt(
            id=f"{found.entry}/{revision}",
            erp=self.name,
            store=ref.store,
            number=ref.number,
            revision=revision,
            document_id=str(found.number),
            recorded_at=found.recorded_at(revision, self._zone) or self._clock(),
            lines=lines,
        )


def make(name: str, prefix: str) -> SapB1:
    """The installation of this name, with the settings of this prefix. Raises pydantic's ValidationError."""
    return SapB1(name, SapB1Settings(_env_prefix=prefix), prefix)


ERP: ErpSpec = ErpSpec(
    description="SAP Business One, over its Service Layer",
    obtain="ask the company's administrator for a user with a licence; docs/erps/sap_b1.md has the fields to add",
    settings=SapB1Settings,
    make=make,
    once="Our key stands in a field of the document, which is looked for before and after each try.",
    receipts="It posts nothing: it is asked. An integration of theirs (B1if) may push receipts in our signed form.",
    traps=(
        "With an approval procedure active an order becomes a draft: it waits, without a receipt, until it is added.",
        "The session is a licence: the user should be used by nothing else, and orderack logs out when it ends.",
        "Prices are sent as they are; taxes are Business One's own reckoning, so its total can differ by a rounding.",
    ),
)
