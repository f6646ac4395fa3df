"""Walmart Marketplace: purchase orders looked for and told of, acknowledged within four hours (R214, commerce.md §17).

Events are hints: the order is fetched. A look goes through what is not acknowledged, then through what changed. The
acknowledgement may be repeated, so it is made after a look at how the order stands, and a cut-off call is made again.
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Literal

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings

from orderack.clients.http import NO_HEADERS, Clock, Http, OwnWait, utc_now
from orderack.clients.oauth import SignedIn, Tokens
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import Moment, read, same
from orderack.domain.assessment import AnswerCall
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Unavailable
from orderack.ports import (
    Connection,
    Delivery,
    Hint,
    Looked,
    RawRequest,
    Reading,
    Skipped,
    SourceAnswer,
    SourceKind,
    SourceTraits,
)
from orderack.registry import SourceSpec, settings_config
from orderack.sources._reading import name_of
from orderack.sources._walmart_market import LATELY, MARKETS, MOST_PAGES, OVERLAP, MarketName, Page
from orderack.sources._walmart_order import reading_of
from orderack.sources._walmart_receipt import KEEPS, acknowledgement, cancellation, verdict, waits, why
from orderack.sources._walmart_wire import WalmartOrder

EVENT = "events/"
"""The topic of what was posted begins so; what was looked up has the topic of a plain order."""
SERVICE = "Walmart Marketplace"
PAGE_IS_GONE = frozenset({400, 404})
"""What a cursor that has expired is answered: the next look begins the round anew, and what is known is known."""

CancelReason = Literal[
    "SELLER_CANCEL_OUT_OF_STOCK",
    "SELLER_CANCEL_PRICING_ERROR",
    "SELLER_CANCEL_ADDRESS_NOT_SERVICEABLE",
    "CUSTOMER_REQUESTED_SELLER_TO_CANCEL",
]


class WalmartSettings(BaseSettings):
    """One seller's account."""

    model_config = settings_config("")

    client_id: str = Field(description="client id of the API keys")
    client_secret: SecretStr = Field(description="client secret of the API keys")
    market: MarketName = Field(default="us", description="us, ca or mx")
    reject_as: CancelReason = Field(
        default="SELLER_CANCEL_OUT_OF_STOCK", description="the reason that Walmart is given for lines that you reject"
    )
    webhook_user: str | None = Field(default=None, description="user name of the subscription, for BASIC_AUTH")
    webhook_password: SecretStr | None = Field(default=None, description="its password, for BASIC_AUTH")
    webhook_secret: SecretStr | None = Field(default=None, description="client secret of the subscription, for HMAC")
    webhook_header: str = Field(default="Authorization", description="authHeaderName of the subscription")
    base_url: SecureUrl = Field(
        default="https://marketplace.walmartapis.com", description="https://sandbox.walmartapis.com for its sandbox"
    )


class _Source(BaseModel):
    type: str = Field(default="", alias="eventType", max_length=100)
    id: str = Field(default="", alias="eventId", max_length=100)
    at: Moment | None = Field(default=None, alias="eventTime")


class _Named(BaseModel):
    id: str | None = Field(default=None, alias="purchaseOrderId", max_length=100)


class _Payload(_Named):
    order: _Named = _Named()
    resource: _Named = _Named()


class _Event(BaseModel):
    """A notification: `purchaseOrderId` in its payload, or in the payload's order (ORDER_UPDATES)."""

    source: _Source = _Source()
    payload: _Payload = _Payload()


class _Cursor(BaseModel):
    """Where a look stands: in which pass, on which page, and since when the changes of this round count."""

    since: datetime
    begun: datetime
    at: int = 0
    page: str = ""
    turned: int = 0
    """Pages of this pass so far."""


_EVENT: TypeAdapter[_Event] = TypeAdapter(_Event)
_ORDER: TypeAdapter[WalmartOrder] = TypeAdapter(WalmartOrder)


class _WalmartHttp(Http):
    """Every call has an id of its own, and says which service and market it is for."""

    def __init__(self, base_url: str, market: str, clock: Clock, own_wait: OwnWait) -> None:
        headers = {"WM_SVC.NAME": SERVICE, "Accept": "application/json", **({"WM_MARKET": market} if market else {})}
        # all that is sent may be repeated: reads, sign-ins, acknowledgements, and cancellations after a look
        super().__init__("Walmart", base_url, headers=headers, repeatable=True, clock=clock, own_wait=own_wait)

    async def send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        auth: tuple[str, str] | None = None,
        reads_429: bool = False,
        reads: Collection[int] = (),
    ) -> httpx.Response:
        own = {**headers, "WM_QOS.CORRELATION_ID": str(uuid.uuid4())}
        return await super().send(
            method, path, content=content, headers=own, auth=auth, reads_429=reads_429, reads=reads
        )


class Walmart:
    """One seller at one marketplace."""

    name: ClassVar[str] = "walmart"
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.MARKETPLACE,
        answer=AnswerCall.RECEIPT,
        answers=frozenset(AnswerStage),
        answer_within=timedelta(hours=4),
        poll_every=timedelta(minutes=2),
    )

    def __init__(self, connection: Connection, settings: WalmartSettings, prefix: str, clock: Clock = utc_now) -> None:
        self.connection = connection
        self._settings = settings
        self._market = MARKETS[settings.market]
        self._clock = clock
        self._login = f"{prefix}CLIENT_ID, {prefix}CLIENT_SECRET and {prefix}BASE_URL"
        http, to_sign_in = (
            _WalmartHttp(settings.base_url, self._market.header, clock, self._until_replenished) for _ in range(2)
        )
        key = (settings.client_id, settings.client_secret.get_secret_value())
        form = {"grant_type": "client_credentials"}
        tokens = Tokens(to_sign_in, "/v3/token", lambda: form, setting=self._login, auth=key, clock=clock)
        self._http = http
        self._signed_in = SignedIn(http, tokens, scheme="", header="WM_SEC.ACCESS_TOKEN")

    def __repr__(self) -> str:
        return f"Walmart({self.connection})"

    def _until_replenished(self, response: httpx.Response) -> timedelta | None:
        """Walmart's token bucket is filled again at `x-next-replenish-time` (epoch milliseconds)."""
        text = response.headers.get("x-next-replenish-time", "")
        if not (text.isascii() and text.isdigit()):
            return None
        return timedelta(milliseconds=min(int(text[:15]), 10**14)) - timedelta(seconds=self._clock().timestamp())

    async def verify(self, request: RawRequest) -> None:
        own, given = self._settings, request.headers.get(self._settings.webhook_header.lower(), "")
        expected = []
        if own.webhook_user is not None and own.webhook_password is not None:
            login = f"{own.webhook_user}:{own.webhook_password.get_secret_value()}".encode()
            expected.append(base64.b64encode(login).decode())
        if own.webhook_secret is not None:
            digest = hmac.digest(own.webhook_secret.get_secret_value().encode(), request.body, hashlib.sha256)
            expected += [base64.b64encode(digest).decode(), digest.hex()]
        bare = given.removeprefix("Basic ").strip()
        if not any(same(one, bare) for one in expected):
            raise BadSignature("the subscription's login does not fit")

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        text = request.body.decode("utf-8", "replace")
        try:
            source = read(_EVENT, request.body).source
        except InvalidInput:
            source = _Source()
        own = name_of(source.id) or f"body/{hashlib.sha256(request.body).hexdigest()[:40]}"
        topic = name_of(f"{EVENT}{source.type}") or EVENT
        return [Delivery(id=own, topic=topic, body=text.replace("\x00", ""), sent_at=source.at)]

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        body = delivery.body.encode("utf-8", "replace")
        if not delivery.topic.startswith(EVENT):
            return [reading_of(read(_ORDER, body), self.connection, self._market.answer_within)]
        payload = read(_EVENT, body).payload
        named = name_of(payload.id or payload.order.id or payload.resource.id)
        return [Hint(external_id=named) if named else Skipped(why=f"{delivery.topic} names no order")]

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        order = await self._order(external_id)
        if order is None:
            return [Skipped(why="Walmart has no such order")]
        return [reading_of(order, self.connection, self._market.answer_within)]

    async def look(self, cursor: str, now: datetime) -> Looked:
        """One page. A round goes through every pass of the market; the next begins where this one began."""
        at = _cursor(cursor, now)
        wanted = self._market.passes[at.at]
        query = at.page or wanted.first(at.since, at.begun)
        response = await self._signed_in.send("GET", f"{wanted.path}?{query}")
        if at.page and response.status_code in PAGE_IS_GONE:
            again = _Cursor(since=at.since, begun=at.begun)
            return Looked(deliveries=(), cursor=again.model_dump_json(), more=False)
        page = self._http.read(Page, self._let_in(response))
        following = page.next(query) if at.turned < MOST_PAGES else ""
        if following:
            after, more = at.model_copy(update={"page": following, "turned": at.turned + 1}), True
        elif at.at + 1 < len(self._market.passes):
            after, more = at.model_copy(update={"at": at.at + 1, "page": "", "turned": 0}), True
        else:
            after, more = _Cursor(since=at.begun - OVERLAP, begun=at.begun), False
        deliveries = tuple(_delivery(order) for order in page.orders)
        return Looked(deliveries=deliveries, cursor=after.model_dump_json(), more=more)

    async def answer(self, answer: SourceAnswer) -> Answered:
        """Acknowledged, or cancelled, as a whole; how it stood before and stands after says what became of it."""
        order = await self._standing(answer.external_id)
        if order is None:
            return Answered(state=AnswerState.REFUSED, detail="Walmart has no such order")
        stage, refusal = answer.key.stage, ""
        call, body = self._call(order, stage)
        if call and not self._market.cancels and stage not in KEEPS:
            detail = "cancel it in Seller Center: this marketplace takes no cancellation from us"
            return Answered(state=AnswerState.REFUSED, detail=detail)
        if call:
            refusal = await self._write(answer.external_id, call, body)
            order = await self._standing(answer.external_id) or order
        return verdict(order, stage, refusal)

    def _call(self, order: WalmartOrder, stage: AnswerStage) -> tuple[str, JsonValue]:
        """The call that is still to be made, and its body; empty: none is."""
        if stage in KEEPS:
            body = acknowledgement(order) if self._market.lines_in_receipt else None
            return ("acknowledge", body) if waits(order) else ("", None)
        body = cancellation(order, self._settings.reject_as)
        return ("cancel", body) if body is not None else ("", None)

    async def _write(self, external_id: str, what: str, body: JsonValue) -> str:
        """Why it was refused; empty: it was taken."""
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {} if content is None else {"Content-Type": "application/json"}
        path = self._market.call(external_id, what)
        response = await self._signed_in.send("POST", path, content=content, headers=headers)
        if response.is_success:
            return ""
        if response.status_code in (401, 403):
            raise Misconfigured(f"Walmart answered {response.status_code}: check {self._login}")
        return why(response)

    async def _standing(self, external_id: str) -> WalmartOrder | None:
        """How an order that was read before stands now. Raises Unavailable where it cannot be read just now."""
        try:
            return await self._order(external_id)
        except InvalidInput:
            raise Unavailable("Walmart showed the order in a form that cannot be read") from None

    async def _order(self, external_id: str) -> WalmartOrder | None:
        response = await self._signed_in.send("GET", self._market.path_of(external_id))
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        page = self._http.read(Page, self._let_in(response))
        if not page.orders and page.purchase_order is not None:
            return read(_ORDER, response.content)
        # a list that was asked for one order may hold others
        own = next((one for one in page.orders if isinstance(one, dict) and _id(one) == external_id), None)
        return None if own is None else read(_ORDER, json.dumps(own).encode())

    async def _asked(self, path: str) -> httpx.Response:
        return self._let_in(await self._signed_in.send("GET", path))

    def _let_in(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        self._http.ours_to_mend(response, self._login)
        raise Unavailable(f"Walmart does not give its orders out ({why(response)})")

    async def check(self) -> str:
        """Whether we are let in, and how many orders wait to be acknowledged."""
        waiting = self._market.passes[0]
        now = self._clock()
        page = self._http.read(Page, await self._asked(f"{waiting.path}?{waiting.first(now, now)}"))
        return f"signed in to Walmart; {len(page.orders)} orders on the first page wait to be acknowledged"

    async def aclose(self) -> None:
        await self._signed_in.aclose()


def _cursor(text: str, now: datetime) -> _Cursor:
    """Of the round under way, or the beginning of the next."""
    if not text:
        return _Cursor(since=now - LATELY, begun=now)
    at = _Cursor.model_validate_json(text)
    return at if at.at or at.page else at.model_copy(update={"begun": now})


def _delivery(order: JsonValue) -> Delivery:
    """As it stands now: the same order in the same state is the same delivery."""
    text = json.dumps(order, sort_keys=True, separators=(",", ":"))
    named = _id(order) if isinstance(order, dict) else None
    return Delivery(id=f"{named or 'order'}"[:100] + f"/{hashlib.sha256(text.encode()).hexdigest()[:40]}", body=text)


def _id(order: Mapping[str, JsonValue]) -> str | None:
    return name_of(order.get("purchaseOrderId"))


def make(connection: Connection, prefix: str) -> Walmart:
    """Reads the settings of this prefix."""
    return Walmart(connection, WalmartSettings(_env_prefix=prefix), prefix)


SOURCE: SourceSpec = SourceSpec(
    description="Orders of a Walmart Marketplace seller, acknowledged within Walmart's four hours",
    obtain="Seller Center: Settings > API Key Management (developer.walmart.com, My Account): client id and secret",
    settings=WalmartSettings,
    adapter=Walmart,
    make=make,
    trigger="Walmart creates the purchase order (`orderDate`); four hours from then it has to be acknowledged",
    webhook=(
        "POST /v3/webhooks/subscriptions for PO_CREATED and PO_LINE_AUTOCANCELLED (V1, resource ORDER) with our address"
        " as eventUrl and BASIC_AUTH or HMAC as authMethod (United States only; without it, a look every two minutes "
        "finds the orders)"
    ),
    traps=(
        "One customer's order may be several purchase orders: each is one order here; the second has its own number "
        "behind the customer's.",
        "An acknowledgement promises nothing: it is sent while a person is still looking at the order.",
        "Orders that Walmart Fulfillment Services send are left alone.",
        "The buyer's e-mail address is Walmart's relay, another one for each order.",
        "Mexico's orderTotal is of the goods alone: our total has the paid shipping and the coupons too.",
        "Canada takes cancellations in XML only: cancel there in Seller Center.",
        "What a person rejects line by line in an order that is kept is to be cancelled in Seller Center.",
    ),
)
