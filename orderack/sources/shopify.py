"""Orders of a Shopify shop: its webhooks, what they leave out by GraphQL, and where we stand as a record on the order.

Deliveries, headers and signature: shopify.dev, "Webhooks"; commerce.md §8. Most webhooks bring the whole order. Those
that do not, and those whose subscription leaves fields out, are hints: the order is fetched.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.shopify import NAMESPACE, VALUE_BYTES, Admin, order_gid
from orderack.clients.wire import read, same
from orderack.domain.acknowledgement import Reason
from orderack.domain.assessment import AnswerCall
from orderack.domain.order import Name, Text
from orderack.domain.response import LineAnswer
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.domain.value import Value
from orderack.errors import BadSignature, Refused
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
from orderack.sources._reading import refuse
from orderack.sources._shopify_graphql import changed_since, order_of
from orderack.sources._shopify_order import NUMBER, ShopOrder, id_of
from orderack.sources._shopify_reading import reading_of

OVERLAP = timedelta(minutes=5)
"""Shopify's search index lags a little behind its orders: each look reaches back by this."""
FIRST_LOOK = timedelta(hours=1)
"""How far the first look of all reaches back: what is older was acknowledged before we came."""
SETTLED_AFTER = timedelta(seconds=5)
"""A change is told once this has passed: Shopify's times are whole seconds, and a second change in one would not be
seen."""
PAGE = 100
ORDERS = "orders/"
ABOUT_AN_ORDER = frozenset({"refunds/create", "order_transactions/create", "tender_transactions/create"})
"""Topics that name the order they are about, and do not bring it."""


class ShopifySettings(BaseSettings):
    """`ORDERACK_SOURCE_<STORE>_SHOPIFY_…`"""

    model_config = settings_config("ORDERACK_SOURCE_SHOPIFY_")

    base_url: SecureUrl = Field(description="the shop's own address, https://<shop>.myshopify.com")
    client_id: str = Field(description="client id of an app of your own in the Dev Dashboard, installed in the shop")
    client_secret: SecretStr = Field(description="its client secret: the app signs in with it, and its webhooks too")
    webhook_secrets: SecretStr = Field(
        default=SecretStr(""),
        description="further secrets that webhooks may be signed with, separated by commas: the old client secret "
        "while it is being replaced, the one under Settings > Notifications > Webhooks",
    )


class Record(Value):
    """The value of the metafield that says where an order stands."""

    state: AnswerStage
    revision: int
    document: Name | None = None
    promised_on: str | None = None
    reason: Text = ""
    page: Text = ""
    lines: tuple[LineAnswer, ...] = ()


def _number(value: object) -> str | None:
    found = id_of(value)
    return found if isinstance(found, str) and NUMBER.fullmatch(found) else None


Named = Annotated[str | None, BeforeValidator(_number)]
"""An order's id; what is none is another thing's."""


class _About(BaseModel):
    """A body that does not bring the order whole."""

    id: Named = None
    order_id: Named = None
    admin_graphql_api_order_id: Named = None
    order_edit: "_About | None" = None
    line_items: object = None
    order: "_About | None" = None

    @property
    def named(self) -> str | None:
        """The order that it names as another thing's."""
        inner = (self.order_edit.order_id if self.order_edit else None, self.order.id if self.order else None)
        return next((found for found in (*inner, self.order_id, self.admin_graphql_api_order_id) if found), None)


class _Cursor(Value):
    since: AwareDatetime
    """Everything that changed before it has been told."""
    after: str | None = None
    """Where the next page begins, while there are more."""


class Shopify:
    """One shop."""

    name: ClassVar[str] = "shopify"
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.STOREFRONT,
        answer=AnswerCall.NOTE,
        answers=frozenset(AnswerStage),
        poll_every=timedelta(minutes=15),
        max_body=5 * 1024 * 1024,
    )

    def __init__(self, connection: Connection, settings: ShopifySettings, clock: Clock = utc_now) -> None:
        self.connection = connection
        given = [settings.client_secret.get_secret_value(), *settings.webhook_secrets.get_secret_value().split(",")]
        self._secrets = [secret.strip().encode() for secret in given if secret.strip()]
        self._domain = settings.base_url.partition("://")[2].casefold()
        self._admin = Admin(
            settings.base_url,
            settings.client_id,
            settings.client_secret,
            settings=f"BASE_URL, CLIENT_ID and CLIENT_SECRET of the connection {connection}",
            repeatable=True,
            clock=clock,
        )

    async def verify(self, request: RawRequest) -> None:
        """HMAC-SHA256 of the body, in base64, by the app's secret (or another that is set), and from this very shop."""
        given = _header(request, "hmac-sha256")
        expected = [hmac.digest(secret, request.body, hashlib.sha256) for secret in self._secrets]
        if not any(same(base64.b64encode(one).decode(), given) for one in expected):
            raise BadSignature("the body is not signed with this app's secret")
        shop = _header(request, "shop-domain").casefold()
        if shop and self._domain.endswith(".myshopify.com") and shop != self._domain:
            raise BadSignature("the webhook is another shop's")  # one app's shops share its secret

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """One. Sent again it is the same event with the same body. One event has several topics, and what is done to
        many orders at once may be one event: each is a delivery of its own."""
        topic = _topic(request)
        event = _header(request, "event-id") or _header(request, "webhook-id")
        known_as = (topic, event[:60], hashlib.sha256(request.body).hexdigest()[:32])
        body = request.body.decode("utf-8", "replace")
        return (
            Delivery(id="/".join(part for part in known_as if part), topic=topic, body=body, sent_at=_sent_at(request)),
        )

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """The order in it; a hint where it is only named; nothing where it is about something else."""
        body = delivery.body.encode("utf-8", "replace")
        about = read(_ABOUT, body)
        if about.order is not None and about.order.line_items is not None:
            return (self._told(read(_WRAPPED, body).order),)
        if about.line_items is not None and delivery.topic.startswith("order"):
            return (self._told(read(_ORDER, body)),)
        named = about.named
        if named is None and delivery.topic.startswith(ORDERS):
            named = about.id
        if named is not None:
            return (Hint(external_id=named),)
        if delivery.topic in ABOUT_AN_ORDER or delivery.topic.startswith("order"):
            raise refuse("id", "is missing", "see which order the webhook is about")
        return (Skipped(why=f"not about an order, but {delivery.topic}"),)

    def _told(self, order: ShopOrder) -> Reading:
        """The order, or a hint where it is told in another currency than it is paid in."""
        return reading_of(order, self.connection) if order.paid_in_its_currency else Hint(external_id=order.id)

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        """The order by GraphQL. Raises Unavailable, Misconfigured, Refused."""
        gid = order_gid(external_id)
        order = await order_of(self._admin, gid) if gid else None
        return (Skipped(why="the shop has no such order") if order is None else reading_of(order, self.connection),)

    async def look(self, cursor: str, now: datetime) -> Looked:
        """Ids of the orders that changed, a page at a time: each is a delivery that is a hint."""
        at = _Cursor.model_validate_json(cursor) if cursor else _Cursor(since=now - FIRST_LOOK)
        found, after = await changed_since(self._admin, (at.since - OVERLAP).isoformat(), at.after, PAGE)
        changed = [one for one in found if one.updated_at <= now - SETTLED_AFTER]
        latest = max((one.updated_at for one in changed), default=at.since)
        following = at.model_copy(update={"after": after}) if after else _Cursor(since=max(latest, at.since))
        return Looked(
            deliveries=tuple(
                Delivery(
                    id=f"look/{one.id}/{one.updated_at.isoformat()}",
                    topic="orders/updated",
                    body=json.dumps({"id": one.id}),
                    sent_at=one.updated_at,
                )
                for one in changed
            ),
            cursor=following.model_dump_json(),
            more=after is not None,
        )

    async def answer(self, answer: SourceAnswer) -> Answered:
        """Set a metafield of its own for this revision and stage, and add a tag: both change nothing when done again,
        and neither is read back as a change of the order."""
        gid = order_gid(answer.external_id)
        if gid is None:
            return Answered(state=AnswerState.REFUSED, detail="the id is none of Shopify's", at=answer.now)
        stage, revision = answer.key.stage, answer.key.revision
        try:
            done = await self._admin.record(gid, f"r{revision}_{stage}_state", _record(answer), f"{NAMESPACE}-{stage}")
        except Refused as refused:
            if refused.reason is Reason.OTHER:
                raise
            return Answered(state=AnswerState.REFUSED, detail=str(refused), at=answer.now)
        detail = "" if done.tagged else "written, and not tagged"
        return Answered(state=AnswerState.ACCEPTED, reference=done.id, detail=detail, at=answer.now)

    async def check(self) -> str:
        """Sign in and ask for the shop's name."""
        return await self._admin.check()

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._admin.aclose()


class _Wrapped(BaseModel):
    """As the REST API answers."""

    order: ShopOrder


_ABOUT = TypeAdapter(_About)
_ORDER = TypeAdapter(ShopOrder)
_WRAPPED = TypeAdapter(_Wrapped)
_MOMENT = TypeAdapter(AwareDatetime)


def _header(request: RawRequest, name: str) -> str:
    """By its name of today (`shopify-…`), else by the one before (`x-shopify-…`)."""
    return request.headers.get(f"shopify-{name}") or request.headers.get(f"x-shopify-{name}", "")


def _topic(request: RawRequest) -> str:
    """`orders/create`; the newer deliveries say the object and what was done to it apart."""
    topic, action = _header(request, "topic").strip() or "order", _header(request, "action").strip()
    return (f"{topic.lower()}/{action.lower()}" if action and "/" not in topic else topic.lower())[:100]


def _sent_at(request: RawRequest) -> datetime | None:
    try:
        return _MOMENT.validate_python(_header(request, "triggered-at"))
    except ValidationError:
        return None


def _record(answer: SourceAnswer) -> str:
    """Without the lines where that would be too long: they are on the order's page."""
    made = Record(
        state=answer.key.stage,
        revision=answer.key.revision,
        document=answer.document_id,
        promised_on=answer.promise_on.isoformat() if answer.promise_on else None,
        reason=answer.reason,
        page=answer.page_url,
        lines=answer.lines,
    )
    for one in (made, made.model_copy(update={"lines": ()})):
        value = one.model_dump_json(exclude_defaults=True)
        if len(value.encode()) <= VALUE_BYTES:
            break
    return value


SOURCE: SourceSpec = SourceSpec(
    description="Orders of a Shopify shop",
    obtain="Shopify's Dev Dashboard: an app of your own organization with the scopes read_orders, write_orders, "
    "read_customers, read_products and read_payment_terms, and access to protected customer data, installed in the "
    "shop; Settings shows its client id and secret",
    settings=ShopifySettings,
    adapter=Shopify,
    make=lambda connection, prefix: Shopify(connection, ShopifySettings(_env_prefix=prefix)),
    trigger="the order is placed at the checkout (`processed_at`)",
    webhook="webhooks of the app for orders/create, orders/paid, orders/updated, orders/edited, orders/cancelled, "
    "refunds/create and order_transactions/create, in JSON, to https://<gateway>/intake/<store>/shopify",
    traps=(
        "Shopify's own confirmation mail goes out at the checkout, whatever we do: reword it as a receipt, or the "
        "buyer reads 'confirmed' before the ERP has booked anything (docs/sources/shopify.md).",
        "Shopify deletes a subscription that failed eight times in a row: we look every 15 minutes for what was not "
        "told, and still `orderack sources` should be watched.",
        "An order is one in the currency that the buyer paid in; the shop's own currency may be another.",
        "A webhook sent by hand from Settings > Notifications is signed with another key, which WEBHOOK_SECRETS takes.",
        "The fraud analysis is in no webhook: let Shopify Flow cancel or hold what it finds.",
    ),
)
