"""eBay: orders by the Sell Fulfillment API, told of by ORDER_CONFIRMATION and looked through besides.

The notification holds no prices and no address, so it is a hint, and the order is fetched. Changes, cancellations and
refunds have no such notification; a look by the time of the last change finds them, and what was dropped. eBay has no
call by which a seller acknowledges an order in this API, so none is answered (commerce.md §18).
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    JsonValue,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, Http, segment, utc_now
from orderack.clients.oauth import SignedIn, Tokens
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import read, scrub
from orderack.domain.validation import problems_of
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Refused, Unavailable
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
from orderack.sources._ebay_order import reading_of
from orderack.sources._ebay_shapes import EbayOrder
from orderack.sources._ebay_signature import Keys, PublicKey, check, key_of, signature_of
from orderack.sources._states import delivery_of

ORDERS = "/sell/fulfillment/v1/order"
KEYS = "/commerce/notification/v1/public_key"
LOGIN = "/identity/v1/oauth2/token"
TOPIC = "ORDER_CONFIRMATION"
PAGE = 100
FIRST_LOOK = timedelta(days=1)
OVERLAP = timedelta(minutes=5)
_APPLICATION = {"grant_type": "client_credentials", "scope": "https://api.ebay.com/oauth/api_scope"}


class EbaySettings(BaseSettings):
    """`ORDERACK_SOURCE_<STORE>_EBAY_…`"""

    model_config = settings_config("ORDERACK_SOURCE_EBAY_")

    client_id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x39\x3b-\x7e]{1,200}$")] = Field(
        description="the application's production App ID (client id)"
    )
    client_secret: SecretStr = Field(description="the application's Cert ID (client secret)")
    refresh_token: SecretStr = Field(
        description="the refresh token of the seller's consent, with the scope sell.fulfillment or .readonly"
    )
    verification_token: SecretStr = Field(
        min_length=32, max_length=80, description="32 to 80 letters, digits, _ and -, as the destination is made with"
    )
    base_url: SecureUrl = Field(
        default="https://api.ebay.com", description="https://api.sandbox.ebay.com for eBay's sandbox"
    )


class _Order(BaseModel):
    orderId: str = Field(min_length=1, max_length=200)


class _Data(BaseModel):
    order: _Order


class _Told(BaseModel):
    notificationId: str = Field(min_length=1, max_length=200)
    data: _Data


class _Metadata(BaseModel):
    topic: str = Field(min_length=1, max_length=100)


class _Named(BaseModel):
    notificationId: str = Field(min_length=1, max_length=200)


class _Any(BaseModel):
    """Any notification."""

    metadata: _Metadata
    notification: _Named


class _Confirmation(BaseModel):
    notification: _Told


class _Found(BaseModel):
    orders: list[dict[str, JsonValue]] = []
    next: str | None = None
    total: int = 0


class _Cursor(BaseModel):
    since: AwareDatetime
    until: AwareDatetime | None = None
    offset: int = 0


class _Error(BaseModel):
    errorId: int = 0
    message: str = ""


class _Errors(BaseModel):
    errors: list[_Error] = []


_ORDER = TypeAdapter(EbayOrder)
_ANY = TypeAdapter(_Any)
_CONFIRMATION = TypeAdapter(_Confirmation)
_JSON: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class Ebay:
    """One seller's account."""

    name: ClassVar[str] = "ebay"
    traits: ClassVar[SourceTraits] = SourceTraits(kind=SourceKind.MARKETPLACE, poll_every=timedelta(minutes=5))

    def __init__(
        self, connection: Connection, settings: EbaySettings, prefix: str = "", *, clock: Clock = utc_now
    ) -> None:
        self.connection = connection
        self._token = settings.verification_token.get_secret_value()
        self._clock = clock
        self._setting = f"{prefix}CLIENT_ID, {prefix}CLIENT_SECRET and {prefix}REFRESH_TOKEN"
        login = (settings.client_id, settings.client_secret.get_secret_value())
        consent = {"grant_type": "refresh_token", "refresh_token": settings.refresh_token.get_secret_value()}

        def signed_in(form: dict[str, str]) -> SignedIn:
            http, at_login = (Http("eBay", settings.base_url, repeatable=True, clock=clock) for _ in range(2))
            tokens = Tokens(at_login, LOGIN, lambda: form, setting=self._setting, auth=login, clock=clock)
            return SignedIn(http, tokens)

        self._seller = signed_in(consent)
        self._application = signed_in(_APPLICATION)
        self._keys = Keys()
        self._strangers = asyncio.Lock()

    async def greet(self, request: RawRequest) -> Greeting | None:
        """eBay's challenge: the hash of its code, our token and this address. It proves that the token is ours."""
        url = urlsplit(request.url)
        code = parse_qs(url.query).get("challenge_code", [""])[0]
        if request.method != "GET" or not code:
            return None
        endpoint = urlunsplit((url.scheme, url.netloc, url.path, "", ""))
        answer = hashlib.sha256(f"{code}{self._token}{endpoint}".encode("utf-8", "replace")).hexdigest()
        body = f'{{"challengeResponse":"{answer}"}}'
        return Greeting(body=body, media_type="application/json")

    async def verify(self, request: RawRequest) -> None:
        """By the key that the header names, from eBay alone. Raises Unavailable while it cannot be fetched."""
        signature = signature_of(request.headers.get("x-ebay-signature", ""))
        key = self._keys.kept(signature.kid, self._clock())
        if key is None and self._keys.was_good(signature.kid):
            key = await self._fetched(signature.kid)
        elif key is None:
            async with self._strangers:  # anybody may name keys: of many at once no more are asked for than one by one
                key = self._keys.kept(signature.kid, self._clock()) or await self._fetched(signature.kid)
        check(signature, key, request.body)

    async def _fetched(self, kid: str) -> EllipticCurvePublicKey:
        response = await self._application.send("GET", f"{KEYS}/{segment(kid)}")
        if response.status_code in {400, 404}:
            self._keys.keep(kid, None, self._clock())
            raise BadSignature("eBay has no such key")
        if not response.is_success:
            # eBay is answered 5xx then and tells it again; a 4xx would be the end of it
            raise Unavailable(f"eBay answered {response.status_code} when it was asked for a key")
        key = key_of(self._application.http.read(PublicKey, response).key)
        self._keys.keep(kid, key, self._clock())
        return key

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """One notification, by its own id: a second attempt has the same."""
        text = request.body.decode("utf-8", "replace")
        try:
            found = read(_ANY, request.body)
        except InvalidInput:
            return [Delivery(id=hashlib.sha256(request.body).hexdigest(), topic=TOPIC, body=text)]
        return [Delivery(id=found.notification.notificationId, topic=found.metadata.topic, body=text)]

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """An order as a look brought it, or a notification that there is one."""
        body = delivery.body.encode("utf-8", "replace")
        if delivery.topic == "order":
            return [self._order(body)]
        if delivery.topic != TOPIC:
            return [Skipped(why="a notification of another topic than ORDER_CONFIRMATION")]
        return [Hint(external_id=read(_CONFIRMATION, body).notification.data.order.orderId)]

    def _order(self, body: bytes) -> Reading:
        found = read(_ORDER, body)
        try:
            return reading_of(found, self.connection)
        except ValidationError as error:
            raise InvalidInput(list(problems_of(error))) from None

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        """getOrder, which alone says why somebody asks to cancel."""
        response = await self._seller.send("GET", f"{ORDERS}/{segment(external_id)}?fieldGroups=TAX_BREAKDOWN")
        if response.status_code == httpx.codes.NOT_FOUND:
            return [Skipped(why="eBay has no such order of this seller's")]
        self._check(response)
        return [self._order(response.content)]

    async def look(self, cursor: str, now: datetime) -> Looked:
        """getOrders by the time of the last change, those that are not shipped, page by page."""
        at = _Cursor.model_validate_json(cursor) if cursor else _Cursor(since=now - FIRST_LOOK)
        until = at.until or now
        changed = f"lastmodifieddate:[{_written(at.since)}..{_written(until)}]"
        asked = {
            "filter": f"{changed},orderfulfillmentstatus:{{NOT_STARTED|IN_PROGRESS}}",
            "fieldGroups": "TAX_BREAKDOWN",
            "limit": str(PAGE),
            "offset": str(at.offset),
        }
        response = await self._seller.send("GET", f"{ORDERS}?{urlencode(asked)}")
        if at.offset and response.status_code in {400, 404}:  # that page is gone: the next look begins anew
            return Looked(deliveries=(), cursor=_Cursor(since=at.since).model_dump_json(), more=False)
        self._check(response)
        found = self._seller.http.read(_Found, response)
        after = _Cursor(since=max(at.since, until - OVERLAP))
        seen = at.offset + len(found.orders)
        if found.next and found.orders and seen < (found.total or seen + 1):
            # an order that changes meanwhile leaves the window, and the rest move up: a tenth of a page is read again
            after = _Cursor(since=at.since, until=until, offset=seen - len(found.orders) // 10)
        deliveries = tuple(
            delivery_of(order, order.get("orderId"), order.get("lastModifiedDate")) for order in found.orders
        )
        return Looked(deliveries=deliveries, cursor=after.model_dump_json(), more=after.until is not None)

    def _check(self, response: httpx.Response) -> None:
        """Raise what an answer that is no success means."""
        if response.is_success:
            return
        if response.status_code in {401, 403}:
            raise Misconfigured(f"eBay answered {response.status_code}: check {self._setting}, and the consent's scope")
        self._seller.http.ours_to_mend(response, self._setting)
        try:
            errors = _Errors.model_validate_json(response.content).errors
        except ValidationError:
            errors = []
        error = errors[0] if errors else _Error()
        said = f"{error.errorId}: {scrub(error.message)}"
        raise Refused(f"eBay answered {response.status_code} ({said})", code=str(error.errorId))

    async def check(self) -> str:
        """One order's worth of a look, and a sign-in of the application, which the keys need."""
        response = await self._seller.send("GET", f"{ORDERS}?limit=1")
        self._check(response)
        await self._application.tokens.bearer()
        total = self._seller.http.read(_Found, response).total
        return f"eBay shows us the seller's orders ({total} in the last 90 days)"

    async def aclose(self) -> None:
        await self._seller.aclose()
        await self._application.aclose()


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def make(connection: Connection, prefix: str) -> Ebay:
    """Raises ValidationError where the settings do not suffice."""
    return Ebay(connection, EbaySettings(_env_prefix=prefix), prefix)


SOURCE = SourceSpec(
    description="eBay: orders of a seller, told of at checkout and looked through every five minutes",
    obtain="developer.ebay.com → your application's production keyset: App ID and Cert ID; User Tokens → sign in as "
    "the seller with the scope sell.fulfillment, and note the refresh token (good for 18 months)",
    settings=EbaySettings,
    adapter=Ebay,
    make=make,
    trigger="the buyer has checked out and paid (payment status PAID); the clock starts when the order was made",
    webhook="Notification API: create a destination with this address and the VERIFICATION_TOKEN, then subscribe it to "
    "ORDER_CONFIRMATION; eBay tries the address first and we answer its challenge",
    traps=(
        "The address that is registered has to be the public one to the letter: it is part of the challenge's answer.",
        "eBay has no acknowledgement for orders in this API: nothing is written back.",
        "The refresh token ends after 18 months, or when the seller changes his password: sign in again then.",
        "An order that eBay's buyer has not paid yet is not taken; it comes once it is paid.",
    ),
)
