"""Amazon's sellers: orders that the seller ships himself, by the Orders API 2026-01-01 of the Selling Partner API.

Version 2026-01-01 and not 0: that one is deprecated, needs a request for the items of each order and a restricted data
token for each address; this one gives an order whole, and shows the buyer by the application's roles alone (Amazon's
migration guide and "Access Orders PII"). It is looked through every three minutes, which is its rate (0.0056 a second,
20 at once). ORDER_CHANGE may be pushed as well: an EventBridge rule that publishes to an SNS topic, which posts here
signed. Amazon has no call by which a seller acknowledges an order, so none is answered (commerce.md §16).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar
from urllib.parse import urlencode

from pydantic import AwareDatetime, BaseModel, Field, JsonValue, StringConstraints, TypeAdapter, ValidationError
from pydantic_settings import NoDecode

from orderack.clients.amazon_sp_api import SellingPartner, SellingPartnerLogin
from orderack.clients.http import Clock, segment, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.sns import NOTIFICATION, SUBSCRIPTION, Sns, TopicArn, read_post
from orderack.clients.wire import read
from orderack.domain.validation import problems_of
from orderack.errors import BadSignature, InvalidInput, Refused
from orderack.ports import (
    Connection,
    Delivery,
    Greeting,
    Hint,
    Looked,
    RawRequest,
    Reading,
    Skipped,
    SourceKind,
    SourceTraits,
)
from orderack.registry import SourceSpec, settings_config
from orderack.sources._amazon_order import reading_of
from orderack.sources._amazon_shapes import AmazonOrder
from orderack.sources._reading import refuse
from orderack.sources._states import delivery_of

ORDERS = "/orders/2026-01-01/orders"
INCLUDED = "BUYER,RECIPIENT,PROCEEDS,PROMOTION,CANCELLATION,FULFILLMENT,TAX,PAYMENT"
UNDONE = "PENDING_AVAILABILITY,PENDING,UNSHIPPED,PARTIALLY_SHIPPED,CANCELLED"
"""What a look asks for. An order that is shipped needs no acknowledgement, and one that we see then for the first time
is none of ours to confirm."""
PAGE = 100
FIRST_LOOK = timedelta(days=1)
OVERLAP = timedelta(minutes=5)
"""Amazon shows an order up to two minutes late."""
CHANGE = "ORDER_CHANGE"


class AmazonSettings(SellingPartnerLogin):
    """`ORDERACK_SOURCE_<STORE>_AMAZON_…`"""

    model_config = settings_config("ORDERACK_SOURCE_AMAZON_")

    marketplace_ids: Annotated[str, NoDecode, StringConstraints(pattern=r"^[A-Z0-9]+(,[A-Z0-9]+)*$")] = Field(
        description="ids of the marketplaces that you sell at, e.g. ATVPDKIKX0DER; several with commas"
    )
    sns_topic_arn: TopicArn | None = Field(
        default=None, description="the SNS topic that ORDER_CHANGE is published to; without one we only look"
    )
    sns_base_url: SecureUrl | None = Field(default=None, description="the sandbox's address in tests")


class _Pagination(BaseModel):
    nextToken: str | None = None


class _Found(BaseModel):
    orders: list[dict[str, JsonValue]]
    pagination: _Pagination | None = None


class _One(BaseModel):
    order: dict[str, JsonValue]


class _Cursor(BaseModel):
    since: AwareDatetime
    until: AwareDatetime | None = None
    token: str | None = None


class _Summary(BaseModel):
    FulfillmentType: str = ""


class _Change(BaseModel):
    AmazonOrderId: str = Field(min_length=1, max_length=200)
    Summary: _Summary = _Summary()


class _Payload(BaseModel):
    OrderChangeNotification: _Change | None = None


class _Metadata(BaseModel):
    NotificationId: str = Field(min_length=1, max_length=200)


class _Notification(BaseModel):
    NotificationType: str = ""
    Payload: _Payload = _Payload()
    NotificationMetadata: _Metadata


class _Event(BaseModel):
    """EventBridge's own envelope of it."""

    detail: _Notification


_ORDER = TypeAdapter(AmazonOrder)
_NOTIFICATION: TypeAdapter[_Notification | _Event] = TypeAdapter(_Notification | _Event)
_JSON: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class Amazon:
    """One seller's account."""

    name: ClassVar[str] = "amazon"
    traits: ClassVar[SourceTraits] = SourceTraits(kind=SourceKind.MARKETPLACE, poll_every=timedelta(minutes=3))

    def __init__(
        self, connection: Connection, settings: AmazonSettings, prefix: str = "", *, clock: Clock = utc_now
    ) -> None:
        self.connection = connection
        self._settings = settings
        self._partner = SellingPartner(settings, prefix, clock=clock)
        arn = settings.sns_topic_arn
        self._sns = Sns(arn, settings.sns_base_url, clock) if arn else None

    async def greet(self, request: RawRequest) -> Greeting | None:
        """A subscription of our topic that asks to be confirmed is, once it is proved."""
        try:
            kind = read_post(request.body).Type
        except InvalidInput:
            return None
        if self._sns is None or kind == NOTIFICATION:
            return None
        post = await self._sns.verify(request.body)
        if kind == SUBSCRIPTION:
            await self._sns.confirm(post)
        return Greeting()

    async def verify(self, request: RawRequest) -> None:
        """A post of our SNS topic, proved by its certificate."""
        if self._sns is None:
            raise BadSignature("this connection has no SNS topic, so nothing is posted to it")
        if "x-amz-sns-message-type" not in request.headers:
            raise BadSignature("no post of Amazon SNS")
        await self._sns.verify(request.body)

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """The notification in the post, by its own id: SNS, SQS and Amazon each may send it twice."""
        post = read_post(request.body)
        try:
            found = read(_NOTIFICATION, post.Message.encode("utf-8", "replace"))
            name = (found.detail if isinstance(found, _Event) else found).NotificationMetadata.NotificationId
        except InvalidInput:
            name = post.MessageId
        return [Delivery(id=name, topic=CHANGE, body=post.Message)]

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """An order as a look brought it, or a notification that something happened to one."""
        body = delivery.body.encode("utf-8", "replace")
        if delivery.topic == CHANGE:
            return [_hint(body)]
        return [self._order(body)]

    def _order(self, body: bytes) -> Reading:
        found = _read(body)
        try:
            return reading_of(found, self.connection)
        except ValidationError as error:
            raise InvalidInput(list(problems_of(error))) from None

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        """getOrder: 0.5 a second, 30 at once."""
        try:
            path = f"{ORDERS}/{segment(external_id)}?{urlencode({'includedData': INCLUDED}, safe=',')}"
            found = await self._partner.get(_One, path)
        except Refused as refused:
            if refused.code == "InvalidInput":
                return [Skipped(why="Amazon takes this for no order's number")]
            raise
        if found is None:
            return [Skipped(why="Amazon has no such order")]
        return [self._order(_JSON.dump_json(found.order))]

    async def look(self, cursor: str, now: datetime) -> Looked:
        """searchOrders by the time of the last change, page by page."""
        at = _Cursor.model_validate_json(cursor) if cursor else _Cursor(since=now - FIRST_LOOK)
        at = at if at.token else at.model_copy(update={"until": now})
        try:
            found = await self._partner.get(_Found, f"{ORDERS}?{self._asked(at)}")
        except Refused:
            if at.token is None:
                raise
            # a page's token is good for a day: the next look begins the window anew, and what is known is known
            return Looked(deliveries=(), cursor=_Cursor(since=at.since).model_dump_json(), more=False)
        if found is None:
            raise Refused("Amazon does not know its own list of orders (404)")
        token = found.pagination.nextToken if found.pagination else None
        token = None if token == at.token else token  # a page that names itself as the next would never end
        after = _Cursor(since=at.since, until=at.until, token=token)
        if not token:
            after = _Cursor(since=max(at.since, (at.until or now) - OVERLAP))
        deliveries = tuple(
            delivery_of(order, order.get("orderId"), order.get("lastUpdatedTime")) for order in found.orders
        )
        return Looked(deliveries=deliveries, cursor=after.model_dump_json(), more=bool(token))

    def _asked(self, at: _Cursor) -> str:
        asked = {
            "lastUpdatedAfter": f"{at.since:%Y-%m-%dT%H:%M:%SZ}",
            "marketplaceIds": self._settings.marketplace_ids,
            "fulfilledBy": "MERCHANT",
            "fulfillmentStatuses": UNDONE,
            "maxResultsPerPage": str(PAGE),
            "includedData": INCLUDED,
        } | ({"paginationToken": at.token} if at.token else {})
        return urlencode(asked, safe=",:")

    async def check(self) -> str:
        """Login with Amazon alone: a look would cost one of the few that there are."""
        await self._partner.tokens.bearer()
        return "Login with Amazon signed us in; the next look shows whether the roles suffice"

    async def aclose(self) -> None:
        await self._partner.aclose()
        if self._sns is not None:
            await self._sns.aclose()


def _read(body: bytes) -> AmazonOrder:
    try:
        return read(_ORDER, body)
    except InvalidInput:
        if b'"AmazonOrderId"' not in body:
            raise
        said = "is missing: this is an order of the Orders API v0, whose lines and addresses lie elsewhere"
        raise refuse("orderId", said, "fetch it in version 2026-01-01") from None


def _hint(body: bytes) -> Reading:
    found = read(_NOTIFICATION, body)
    notification = found.detail if isinstance(found, _Event) else found
    change = notification.Payload.OrderChangeNotification
    if notification.NotificationType != CHANGE:
        return Skipped(why="a notification of another type than ORDER_CHANGE")
    if change is None:
        raise refuse("Payload.OrderChangeNotification", "is missing", "subscribe to ORDER_CHANGE, version 1.0")
    if change.Summary.FulfillmentType == "AFN":
        return Skipped(why="Amazon fulfils this order itself (AFN): the seller has nothing to do for it")
    return Hint(external_id=change.AmazonOrderId)


def make(connection: Connection, prefix: str) -> Amazon:
    """Raises ValidationError where the settings do not suffice."""
    return Amazon(connection, AmazonSettings(_env_prefix=prefix), prefix)


SOURCE = SourceSpec(
    description="Amazon (sellers): orders that you ship yourself, looked through every three minutes or notified",
    obtain="Seller Central → Partner network → Develop apps: register a private application with the roles Inventory "
    "and Order Tracking, Direct-to-Consumer Delivery (restricted) and Tax Remittance or Tax Invoicing (restricted); "
    "authorise it for your own account, and note its LWA client id and secret and the refresh token",
    settings=AmazonSettings,
    adapter=Amazon,
    make=make,
    trigger="the buyer has placed the order and Amazon has authorised the payment (status UNSHIPPED)",
    webhook="optional: subscribe to ORDER_CHANGE with an EventBridge destination, let a rule publish it to an SNS "
    "topic, and subscribe this address to that topic (HTTPS); it confirms the subscription itself",
    traps=(
        "Without the restricted roles an order has no address and no e-mail address, and goes to review as incomplete.",
        "The e-mail address is Amazon's mask, and Amazon forbids marketing through it.",
        "Amazon has no acknowledgement for sellers' orders: nothing is written back.",
        "Orders of which Amazon is the shipper (FBA) are skipped.",
    ),
)
