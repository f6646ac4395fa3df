"""Magento and Adobe Commerce: polled, told by Adobe's events, or by our module in the shop (commerce.md §11)."""

import asyncio
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    JsonValue,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings

from orderack.clients import standard_webhooks
from orderack.clients.http import Clock, Http, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import read
from orderack.domain.assessment import AnswerCall
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.errors import BadSignature, InDoubt, Misconfigured, Unavailable
from orderack.ports import (
    Connection,
    Delivery,
    Greeting,
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
from orderack.sources._adobe_events import HOST, AdobeEvents
from orderack.sources._look_cursor import LookCursor
from orderack.sources._loose import MANY, Said, answered, iso_8601
from orderack.sources._magento_order import snapshot_of
from orderack.sources._magento_wire import Ordered, Wire
from orderack.sources._reading import refuse
from orderack.sources._storefront_note import marker, note_of

PAGE = 100
"""Magento may be set to give no more than 300 at a time."""
EVENT = "event"
"""The topic of what only names an order, Adobe's or the module's; every other delivery is an order."""
BY_NUMBER = "number:"
"""How a hint begins that names the order by the number that the buyer knows, for an event that has no other."""
_FILTER = "searchCriteria[filterGroups][0][filters][0]"


def _webhook_secret(secret: SecretStr) -> SecretStr:
    standard_webhooks.secrets_of(secret.get_secret_value())
    return secret


class MagentoSettings(BaseSettings):
    """`ORDERACK_SOURCE_<STORE>_MAGENTO_…`"""

    model_config = settings_config("ORDERACK_SOURCE_MAGENTO_")

    base_url: SecureUrl = Field(description="the shop's address, e.g. https://shop.example.com; not its /rest")
    access_token: SecretStr = Field(description="access token of an integration with Sales > Operations > Orders")
    event_client_id: str | None = Field(
        default=None, description="Adobe Commerce's events: the client id (API key) of the project they are sent for"
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(_webhook_secret)] | None = Field(
        default=None, description="our module in the shop: `whsec_<base64>` that it signs with; two, comma separated"
    )
    event_keys_url: SecureUrl = Field(default=HOST, description="where Adobe serves its public keys; leave it")

    @model_validator(mode="after")
    def _keys_are_adobes(self) -> "MagentoSettings":
        if self.event_keys_url != HOST and not self.event_keys_url.startswith("http://"):
            raise ValueError(f"EVENT_KEYS_URL is {HOST}, or this machine in a trial")
        return self


class _Challenge(BaseModel):
    challenge: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]


class _Named(Wire):
    entity_id: Said = None
    increment_id: Said = None


class _Data(BaseModel):
    value: _Named


class _Event(BaseModel):
    """A CloudEvent of Adobe Commerce, or our module's in the same form. Only the name of the order is taken."""

    type: str = ""
    data: _Data


class _Typed(BaseModel):
    """What an event says of itself. No order does."""

    type: str


class _Listed(Wire):
    entity_id: str
    updated_at: Said = None


class _Found(BaseModel):
    items: Annotated[list[JsonValue], MANY] = []
    total_count: int = 0


class _Orders(BaseModel):
    items: Annotated[tuple[Ordered, ...], MANY] = ()


class _Comment(BaseModel):
    comment: str | None = None


class _Comments(BaseModel):
    items: Annotated[tuple[_Comment, ...], MANY] = ()


_ORDER, _ORDERS, _FOUND = TypeAdapter(Ordered), TypeAdapter(_Orders), TypeAdapter(_Found)
_COMMENTS, _EVENT = TypeAdapter(_Comments), TypeAdapter(_Event)


class Magento:
    """One Magento installation, as one store of ours."""

    name: ClassVar[str] = "magento"
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.STOREFRONT,
        answer=AnswerCall.NOTE,
        answers=frozenset(AnswerStage),
        poll_every=timedelta(minutes=1),
    )

    def __init__(
        self, connection: Connection, settings: MagentoSettings, prefix: str = "", clock: Clock = utc_now
    ) -> None:
        self.connection = connection
        self._clock = clock
        self._check = f"{prefix}ACCESS_TOKEN and {prefix}BASE_URL"
        headers = {"Accept": "application/json", "Authorization": f"Bearer {settings.access_token.get_secret_value()}"}
        self._http = Http("Magento", f"{settings.base_url}/rest", headers=headers, clock=clock)
        self._asking = Http("Magento", f"{settings.base_url}/rest", headers=headers, repeatable=True, clock=clock)
        secret = settings.webhook_secret
        self._secrets = standard_webhooks.secrets_of(secret.get_secret_value()) if secret else ()
        keys = Http("Adobe's keys", settings.event_keys_url, repeatable=True, clock=clock)
        self._events = AdobeEvents(settings.event_client_id, keys) if settings.event_client_id else None
        self._keys = keys
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def greet(self, request: RawRequest) -> Greeting | None:
        """Adobe tries the address when events are registered: GET with a challenge in the query, or POST of one."""
        if self._events is None or _by_adobe(request) or "webhook-signature" in request.headers:
            return None
        try:
            if request.method == "GET":
                tried = _Challenge(challenge=httpx.URL(request.url).params.get("challenge", ""))
            else:
                tried = _Challenge.model_validate_json(request.body)
        except (ValidationError, httpx.InvalidURL):
            return None
        return Greeting(body=tried.model_dump_json(), media_type="application/json")

    async def verify(self, request: RawRequest) -> None:
        """Adobe's signature, or that of our module in the shop (Standard Webhooks): whichever the request claims."""
        if self._events is not None and _by_adobe(request):
            await self._events.verify(request)
        elif self._secrets:
            standard_webhooks.verify(request, self._secrets, self._clock())
        else:
            raise BadSignature("neither Adobe's events nor our module in the shop is set up to post here")

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """One. Whatever is verified is a delivery: Adobe never sends again what was answered with a 4xx."""
        body = request.body.decode("utf-8", "replace")
        adobe = _by_adobe(request)
        sender, header = ("adobe", "x-adobe-event-id") if adobe else ("module", "webhook-id")
        name = request.headers.get(header) or _digest(request.body)
        topic = EVENT if adobe or _is_event(body) else "order"
        return (Delivery(id=f"{sender}:{name}"[:200], topic=topic, body=body),)

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """The order that a look brought, or a module of the shop's own; of an event, which one it is about."""
        if delivery.topic != EVENT:
            return (snapshot_of(read(_ORDER, delivery.body.encode()), self.connection),)
        event = read(_EVENT, delivery.body.encode())
        if "sales_order_save" not in event.type:
            return (Skipped(why="an event that is not about an order"),)
        named = event.data.value
        if named.entity_id:
            return (Hint(external_id=named.entity_id[:200]),)
        if named.increment_id:
            return (Hint(external_id=f"{BY_NUMBER}{named.increment_id}"[:200]),)
        raise refuse("data.value.entity_id", "is missing", "add entity_id to the event's fields in Adobe Commerce")

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        """The order by its id; by the buyer's number where no more is known."""
        if external_id.startswith(BY_NUMBER):
            asked = {f"{_FILTER}[field]": "increment_id", f"{_FILTER}[value]": external_id.removeprefix(BY_NUMBER)}
            found = await self._get(f"/V1/orders?{urlencode({**asked, 'searchCriteria[pageSize]': '2'})}")
            orders = answered(_ORDERS, "Magento", found).items if found else ()
            return tuple(snapshot_of(order, self.connection) for order in orders) or (_NONE,)
        if not re.fullmatch("[0-9]{1,20}", external_id):
            return (Skipped(why="no number of a Magento order"),)
        found = await self._get(f"/V1/orders/{external_id}")
        if found is None:
            return (_NONE,)
        return (snapshot_of(answered(_ORDER, "Magento", found), self.connection),)

    async def look(self, cursor: str, now: datetime) -> Looked:
        """Orders updated since, whole: a page for each look, ordered by that time."""
        at = LookCursor.of(cursor, now)
        asked = {
            f"{_FILTER}[field]": "updated_at",
            f"{_FILTER}[value]": at.asked.strftime("%Y-%m-%d %H:%M:%S"),
            f"{_FILTER}[conditionType]": "gteq",
            "searchCriteria[sortOrders][0][field]": "updated_at",
            "searchCriteria[sortOrders][0][direction]": "ASC",
            "searchCriteria[pageSize]": str(PAGE),
            "searchCriteria[currentPage]": str(at.page),
        }
        found = await self._get(f"/V1/orders?{urlencode(asked)}")
        if found is None:
            raise Misconfigured(f"no Magento shop answers: check {self._check}")
        listed = answered(_FOUND, "Magento", found)
        deliveries = tuple(map(_looked, listed.items))
        last = max((one.sent_at for one in deliveries if one.sent_at), default=None)
        # asked for a page that is not there, Magento gives the last one again: only the count ends it
        more = bool(deliveries) and listed.total_count > at.page * PAGE
        return Looked(deliveries=deliveries, cursor=at.after(last, more).model_dump_json(), more=more)

    async def answer(self, answer: SourceAnswer) -> Answered:
        """A comment that neither notifies the buyer nor stands on the buyer's page; looked for before it is written.

        Magento takes the same comment twice, so two answers to one order go one after the other.
        """
        if not re.fullmatch("[0-9]{1,20}", answer.external_id):
            return Answered(state=AnswerState.REFUSED, detail="no number of a Magento order")
        async with self._turns.setdefault(answer.external_id, asyncio.Lock()):
            return await self._comment(answer)

    async def _comment(self, answer: SourceAnswer) -> Answered:
        path, ours = f"/V1/orders/{answer.external_id}/comments", marker(answer.key)
        found = await self._get(path)
        if found is None:
            return Answered(state=AnswerState.REFUSED, detail="Magento has no such order")
        done = Answered(state=AnswerState.ACCEPTED, reference=ours, at=answer.now)
        if any((one.comment or "").rstrip().endswith(ours) for one in answered(_COMMENTS, "Magento", found).items):
            return done
        comment = {
            "comment": note_of(answer),
            "is_customer_notified": 0,
            "is_visible_on_front": 0,
            "parent_id": int(answer.external_id),
        }
        response = await self._http.send(
            "POST",
            path,
            content=json.dumps({"statusHistory": comment}).encode(),
            headers={"Content-Type": "application/json"},
        )
        return self._written(response, done)

    def _written(self, response: httpx.Response, done: Answered) -> Answered:
        if response.is_success:
            if response.content.strip() == b"true":
                return done
            raise InDoubt("Magento answered a comment with something that says nothing")
        if response.status_code == httpx.codes.NOT_FOUND:
            return Answered(state=AnswerState.REFUSED, detail="Magento has no such order", at=done.at)
        self._http.ours_to_mend(response, self._check)
        return Answered(state=AnswerState.REFUSED, detail=f"Magento answered {response.status_code}", at=done.at)

    async def check(self) -> str:
        """Read one order. Whether the integration may write shows only with the first comment."""
        if await self._get("/V1/orders?searchCriteria%5BpageSize%5D=1") is None:
            raise Misconfigured(f"no Magento shop answers: check {self._check}")
        return "the shop's orders can be read; whether the integration may comment shows with the first answer"

    async def _get(self, path: str) -> bytes | None:
        """The body; None where there is no such thing."""
        response = await self._asking.send("GET", path)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        self._asking.ours_to_mend(response, self._check)
        if not response.is_success:
            raise Unavailable(f"Magento answered {response.status_code}, which it does not document")
        return response.content

    async def aclose(self) -> None:
        """Close the connection pools."""
        await asyncio.gather(self._http.aclose(), self._asking.aclose(), self._keys.aclose())


_NONE = Skipped(why="Magento has no such order")


def _by_adobe(request: RawRequest) -> bool:
    return any(name.startswith("x-adobe-digital-signature") for name in request.headers)


def _is_event(body: str) -> bool:
    try:
        return bool(_Typed.model_validate_json(body).type)
    except ValidationError:
        return False


def _looked(body: JsonValue) -> Delivery:
    """An order of a look: in the same state it has the same id. What is none is kept, and refused by name."""
    try:
        one = _Listed.model_validate(body)
    except ValidationError:
        one = _Listed(entity_id="")
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    return Delivery(
        id=f"look:{one.entity_id}:{_digest(text.encode())}"[-200:], body=text, sent_at=iso_8601(one.updated_at)
    )


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def make(connection: Connection, prefix: str) -> Magento:
    """The connection, with the settings of this prefix. Raises pydantic's ValidationError."""
    return Magento(connection, MagentoSettings(_env_prefix=prefix), prefix)


SOURCE: SourceSpec = SourceSpec(
    description="Orders of a Magento Open Source or Adobe Commerce shop",
    obtain="The shop's admin: System > Integrations > Add New Integration, with Sales > Orders; then activate it",
    settings=MagentoSettings,
    adapter=Magento,
    make=make,
    trigger="the order is placed (`created_at`); one that waits for the payment provider is waited for",
    webhook=(
        "Nothing has to be: the shop is asked every minute. Adobe Commerce: register our address for the event "
        "observer.sales_order_save_commit_after. Open Source: install the module in docs/sources/magento, and enter "
        "our address and the secret under Stores > Configuration > Sales > Orderack"
    ),
    traps=(
        "Magento Open Source posts nothing: without a module, an order is known within a minute of being placed.",
        "The token is sent as a Bearer: since 2.4.4 allow it under Stores > Configuration > Services > OAuth > "
        "Consumer Settings (`Allow OAuth Access Tokens to be used as standalone Bearer tokens`).",
        "Adobe never sends an event again that was answered with a 4xx, so the client id must be right; what an "
        "event did not bring, the look of the next minute does.",
        "Adobe Commerce's synchronous webhooks stop the buyer's checkout while we are slow: do not use them for this.",
        "Amounts are those of the order's currency, never of the base currency.",
        "A module's own total (a surcharge, points) has no name in Magento's API: it is read as a fee or a credit, "
        "where the base currency has it too.",
    ),
)
