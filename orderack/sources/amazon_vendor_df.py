"""Amazon's vendors, direct fulfilment: purchase orders in, and the acknowledgement that Amazon wants within 24 hours.

Amazon posts nothing of them, so they are looked through: the new ones and the cancelled ones of the last week, for the
list can be asked by the time of arrival alone. An acknowledgement is a transaction: taken with an id, judged up to 15
minutes later, and asked after until then. Before one is submitted the purchase order itself is looked at, so that
what Amazon has as answered is not answered again. Facts: commerce.md §16; 10 requests a second (the descriptions).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar
from urllib.parse import urlencode

from pydantic import AwareDatetime, BaseModel, Field, JsonValue, StringConstraints, TypeAdapter, ValidationError

from orderack.clients.amazon_sp_api import SellingPartner, SellingPartnerLogin
from orderack.clients.http import Clock, segment, utc_now
from orderack.clients.wire import read, scrub
from orderack.domain.assessment import AnswerCall
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.domain.validation import problems_of
from orderack.errors import BadSignature, InvalidInput, Refused
from orderack.ports import (
    Connection,
    Delivery,
    Looked,
    RawRequest,
    Reading,
    Skipped,
    SourceAnswer,
    SourceKind,
    SourceTraits,
)
from orderack.registry import SourceSpec, settings_config
from orderack.sources._amazon_vendor_answer import OUT_OF_STOCK, WANTED, acknowledgement, differs, not_whole
from orderack.sources._amazon_vendor_order import ANSWER_WITHIN, PurchaseOrder, reading_of
from orderack.sources._reading import refuse
from orderack.sources._states import delivery_of

ORDERS = "/vendor/directFulfillment/orders/2021-12-28/purchaseOrders"
ACKNOWLEDGEMENTS = "/vendor/directFulfillment/orders/2021-12-28/acknowledgements"
TRANSACTIONS = "/vendor/directFulfillment/transactions/2021-12-28/transactions"
ASKED = ("NEW", "CANCELLED")
"""What an order that others have answered or shipped already is no business of ours."""
WEEK = timedelta(days=7)
PAGE = 100


class AmazonVendorDfSettings(SellingPartnerLogin):
    """`ORDERACK_SOURCE_<STORE>_AMAZON_VENDOR_DF_…`"""

    model_config = settings_config("ORDERACK_SOURCE_AMAZON_VENDOR_DF_")

    ship_from_party_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,40}$")] | None = Field(
        default=None, description="only the orders of this warehouse (Amazon's code for it); empty: of all"
    )
    rejection_code: Annotated[str, StringConstraints(pattern=r"^(0[1-9]|[1-9]\d)$")] = Field(
        default=OUT_OF_STOCK,
        description="the acknowledgement code by which an order is rejected, as agreed with Amazon (03: out of stock)",
    )


class _Pagination(BaseModel):
    nextToken: str | None = None


class _Found(BaseModel):
    orders: list[dict[str, JsonValue]] = []
    pagination: _Pagination | None = None


class _Cursor(BaseModel):
    """Where a look stands: which state is asked for, up to when, and on which page."""

    status: str = ASKED[0]
    until: AwareDatetime | None = None
    token: str | None = None


class _Taken(BaseModel):
    transactionId: str = Field(min_length=1, max_length=2_000)


class _Answer(BaseModel):
    """The description says `transactionId`; an earlier version wrapped it in `payload`."""

    transactionId: str | None = Field(default=None, max_length=2_000)
    payload: _Taken | None = None


class _Error(BaseModel):
    code: str = ""
    message: str = ""


class _Errors(BaseModel):
    errors: list[_Error] = []


class _Transaction(BaseModel):
    status: str
    errors: _Errors | list[_Error] | None = None


class _Status(BaseModel):
    transactionStatus: _Transaction


_ORDER = TypeAdapter(PurchaseOrder)
_JSON: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class AmazonVendorDf:
    """One vendor's account."""

    name: ClassVar[str] = "amazon_vendor_df"
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.MARKETPLACE,
        pushes=False,
        answer=AnswerCall.COMMITMENT,
        answers=frozenset(WANTED),
        answer_within=ANSWER_WITHIN,
        poll_every=timedelta(minutes=2),
    )

    def __init__(
        self, connection: Connection, settings: AmazonVendorDfSettings, prefix: str = "", *, clock: Clock = utc_now
    ) -> None:
        self.connection = connection
        self._settings = settings
        self._partner = SellingPartner(settings, prefix, clock=clock)

    async def verify(self, request: RawRequest) -> None:
        """Amazon posts none of these."""
        raise BadSignature("Amazon posts no purchase orders: they are looked for")

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """None: nothing is posted."""
        return ()

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """One purchase order as a look brought it."""
        body = delivery.body.encode("utf-8", "replace")
        try:
            found = read(_ORDER, body)
        except InvalidInput:
            if b'"purchaseOrderState"' not in body:
                raise
            said = "is of a purchase order for Amazon's own warehouses (Vendor Orders), not of direct fulfilment"
            raise refuse("purchaseOrderState", said, "acknowledge it in Vendor Central") from None
        return [self._reading(found)]

    def _reading(self, found: PurchaseOrder) -> Reading:
        try:
            return reading_of(found, self.connection)
        except ValidationError as error:
            raise InvalidInput(list(problems_of(error))) from None

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        """getOrder."""
        found = await self._partner.get(PurchaseOrder, f"{ORDERS}/{segment(external_id)}")
        if found is None:
            return [Skipped(why="Amazon has no such purchase order")]
        return [self._reading(found)]

    async def look(self, cursor: str, now: datetime) -> Looked:
        """One page: first of what is new, then of what was cancelled."""
        at = _Cursor.model_validate_json(cursor) if cursor else _Cursor()
        until = at.until or now
        try:
            found = await self._partner.get(_Found, f"{ORDERS}?{self._asked(at, until)}")
        except Refused:
            if at.token is None:
                raise
            # that page is gone: the next look begins anew
            return Looked(deliveries=(), cursor=_Cursor().model_dump_json(), more=False)
        if found is None:
            raise Refused("Amazon does not know its own list of purchase orders (404)")
        token = found.pagination.nextToken if found.pagination else None
        after = _next(at, until, None if token == at.token else token)  # a page that names itself would never end
        deliveries = tuple(delivery_of(order, order.get("purchaseOrderNumber")) for order in found.orders)
        return Looked(deliveries=deliveries, cursor=after.model_dump_json(), more=after.until is not None)

    def _asked(self, at: _Cursor, until: datetime) -> str:
        asked = {
            "createdAfter": f"{until - WEEK:%Y-%m-%dT%H:%M:%SZ}",
            "createdBefore": f"{until:%Y-%m-%dT%H:%M:%SZ}",
            "status": at.status,
            "includeDetails": "true",
            "sortOrder": "ASC",
            "limit": str(PAGE),
        }
        if self._settings.ship_from_party_id:
            asked["shipFromPartyId"] = self._settings.ship_from_party_id
        return urlencode(asked | ({"nextToken": at.token} if at.token else {}), safe=":")

    async def answer(self, answer: SourceAnswer) -> Answered:
        """Asked after while it is pending; else submitted, unless the purchase order stands so already."""
        if answer.reference:
            return await self._judged(answer)
        found = await self._partner.get(PurchaseOrder, f"{ORDERS}/{segment(answer.external_id)}")
        if found is None:
            return Answered(state=AnswerState.REFUSED, detail="Amazon has no such purchase order")
        if (settled := _settled(found, answer)) is not None:
            return settled
        if (refusal := _cannot(found, answer)) is not None:
            return Answered(state=AnswerState.REFUSED, detail=refusal)
        body = acknowledgement(found, answer, self._settings.rejection_code)
        taken = await self._partner.post(_Answer, ACKNOWLEDGEMENTS, body.model_dump_json(exclude_none=True).encode())
        reference = taken.transactionId or (taken.payload.transactionId if taken.payload else "")
        return Answered(state=AnswerState.PENDING, reference=reference)

    async def _judged(self, answer: SourceAnswer) -> Answered:
        """What became of the transaction; where it failed, or is not known, the purchase order has the last word."""
        reference = answer.reference
        status = await self._partner.get(_Status, f"{TRANSACTIONS}/{segment(reference)}")
        word = status.transactionStatus.status.casefold() if status else ""
        if word == "success":
            return Answered(state=AnswerState.ACCEPTED, reference=reference)
        if word == "failure" or status is None:
            found = await self._partner.get(PurchaseOrder, f"{ORDERS}/{segment(answer.external_id)}")
            settled = _settled(found, answer) if found else None
            if settled is not None:
                return settled.model_copy(update={"reference": reference})
        if status is not None and word == "failure":
            detail = _why(status.transactionStatus)
            return Answered(state=AnswerState.REFUSED, reference=reference, detail=detail)
        return Answered(state=AnswerState.PENDING, reference=reference)

    async def check(self) -> str:
        """A look at one order."""
        now = self._partner.reads.clock()
        await self._partner.get(_Found, f"{ORDERS}?{self._asked(_Cursor(), now)}")
        return "Amazon shows us the vendor's purchase orders"

    async def aclose(self) -> None:
        await self._partner.aclose()


def _next(at: _Cursor, until: datetime, token: str | None) -> _Cursor:
    """The next page; after the last one, the next state; after the last state, the next look from the beginning."""
    if token:
        return _Cursor(status=at.status, until=until, token=token)
    left = ASKED[ASKED.index(at.status) + 1 :] if at.status in ASKED else ()
    return _Cursor(status=left[0], until=until) if left else _Cursor()


def _settled(found: PurchaseOrder, answer: SourceAnswer) -> Answered | None:
    """Where the purchase order is past answering: as we would have it, or not. None: it still waits."""
    stands, wanted = found.orderDetails.orderStatus, WANTED[answer.key.stage]
    if stands == "NEW":
        return None
    if stands == wanted or (stands == "SHIPPED" and wanted == "ACCEPTED"):
        return Answered(state=AnswerState.ACCEPTED, detail=f"the purchase order stands as {stands} at Amazon")
    return Answered(
        state=AnswerState.REFUSED,
        detail=f"the purchase order stands as {stands} at Amazon already: settle it in Vendor Central",
    )


def _cannot(found: PurchaseOrder, answer: SourceAnswer) -> str | None:
    """Why this cannot be said of it."""
    if answer.key.stage is not AnswerStage.CONFIRMED:
        return None
    if differs(found, answer.order):
        return "Amazon's purchase order is another now than the one that was confirmed: look at it again"
    if short := not_whole(answer.order, answer.lines):
        lines = ", ".join(short[:20])
        return (
            f"Amazon takes a purchase order whole or not at all, and of line {lines} we do not have all: "
            "a person rejects it, or finds the rest, within 24 hours of the order"
        )
    return None


def _why(transaction: _Transaction) -> str:
    errors = transaction.errors.errors if isinstance(transaction.errors, _Errors) else transaction.errors or []
    said = "; ".join(f"{scrub(one.code)}: {scrub(one.message)}" for one in errors[:5])
    return f"Amazon did not take the acknowledgement: {said or 'it does not say why'}"


def make(connection: Connection, prefix: str) -> AmazonVendorDf:
    """Raises ValidationError where the settings do not suffice."""
    return AmazonVendorDf(connection, AmazonVendorDfSettings(_env_prefix=prefix), prefix)


SOURCE = SourceSpec(
    description="Amazon (vendor direct fulfilment): purchase orders in, acknowledged whole within 24 hours",
    obtain="Vendor Central → Integration → API integration: register an application with the role Direct-to-Consumer "
    "Shipping, authorise it, and note its LWA client id and secret and the refresh token",
    settings=AmazonVendorDfSettings,
    adapter=AmazonVendorDf,
    make=make,
    trigger="Amazon has placed the purchase order (its order date)",
    traps=(
        "A purchase order is accepted or rejected whole: of which we have a part, a person has to decide in 24 hours.",
        "The address is that of Amazon's customer, who is told by Amazon alone: there is nobody here to write to.",
        "Rejection codes are agreed with Amazon; REJECTION_CODE is 03 (out of stock) unless set.",
    ),
)
