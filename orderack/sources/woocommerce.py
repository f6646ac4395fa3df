"""Orders of a WooCommerce shop: its webhooks bring the whole order, a look finds what they did not, and where we stand
is a private note on the order.

Signature, ping, delivery and their ids: commerce.md §9 (read from WooCommerce's own code). A delivery's own id is made
of the webhook and the second, so that two orders of one second share it: ours is of what it says.
"""

import base64
import hashlib
import hmac
import html
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, Field, JsonValue, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import read, same
from orderack.clients.woocommerce import NOTE_BYTES, Shop, is_order_id
from orderack.domain.acknowledgement import Reason
from orderack.domain.assessment import AnswerCall
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.domain.value import Value
from orderack.errors import BadSignature, Misconfigured, Refused
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
from orderack.sources._reading import refuse
from orderack.sources._woocommerce_order import Id, ShopOrder, moment_of
from orderack.sources._woocommerce_reading import reading_of

OVERLAP = timedelta(minutes=10)
"""A shop's clock and ours differ, and a request that changes an order may take a while to be done."""
FIRST_LOOK = timedelta(hours=1)
"""How far the first look of all reaches back: what is older was acknowledged before we came."""
PAGE = 20
"""Orders asked for at once: PHP builds each of them anew, and a small host takes its time."""
PING = re.compile(rb"webhook_id=[0-9]{1,20}")
"""What a webhook that is saved posts to try its address: unsigned, and to be answered 200."""


class WoocommerceSettings(BaseSettings):
    """`ORDERACK_SOURCE_<STORE>_WOOCOMMERCE_…`"""

    model_config = settings_config("ORDERACK_SOURCE_WOOCOMMERCE_")

    base_url: SecureUrl = Field(description="the shop's address, e.g. https://shop.example.com; not its /wp-json")
    consumer_key: SecretStr = Field(description="consumer key (ck_…) of a REST API key with read and write")
    consumer_secret: SecretStr = Field(description="its consumer secret (cs_…)")
    webhook_secret: SecretStr = Field(
        min_length=1, description="the webhooks' secret; where each has its own, all of them, separated by commas"
    )


class _About(BaseModel):
    """What can be seen of a body before it is taken for an order."""

    id: Id = None
    status: object = None
    line_items: object = None
    data: object = None


class _Wrapped(BaseModel):
    """As WordPress.com's proxy answers."""

    data: ShopOrder


class _Cursor(Value):
    since: AwareDatetime
    """Everything that changed before it has been told."""
    began: AwareDatetime | None = None
    """When the first page was asked for, while there are more."""
    latest: AwareDatetime | None = None
    """The last change seen on these pages, by the shop's clock."""
    page: int = 1
    trash: bool = False
    """These are the pages of what is in the trash, which no other list has."""


_ABOUT = TypeAdapter(_About)
_ORDER = TypeAdapter(ShopOrder)
_WRAPPED = TypeAdapter(_Wrapped)


class Woocommerce:
    """One shop."""

    name: ClassVar[str] = "woocommerce"
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.STOREFRONT,
        answer=AnswerCall.NOTE,
        answers=frozenset(AnswerStage),
        poll_every=timedelta(minutes=10),
        max_body=5 * 1024 * 1024,
    )

    def __init__(self, connection: Connection, settings: WoocommerceSettings, clock: Clock = utc_now) -> None:
        self.connection = connection
        whole = settings.webhook_secret.get_secret_value()
        # WooCommerce makes up secrets that may hold a comma themselves
        parts = {whole, *(part.strip() for part in whole.split(","))}
        self._secrets = [part.encode() for part in sorted(parts) if part]
        self._shop = Shop(
            settings.base_url,
            settings.consumer_key,
            settings.consumer_secret,
            settings=f"BASE_URL, CONSUMER_KEY and CONSUMER_SECRET of the connection {connection}",
            clock=clock,
        )

    async def greet(self, request: RawRequest) -> Greeting | None:
        """The ping of a webhook that is being saved, and nothing else that is unsigned."""
        signed = "x-wc-webhook-signature" in request.headers
        ping = request.method == "POST" and not signed and PING.fullmatch(request.body)
        return Greeting() if ping else None

    async def verify(self, request: RawRequest) -> None:
        """HMAC-SHA256 of the body, in base64, by the webhook's secret."""
        given = request.headers.get("x-wc-webhook-signature", "")
        expected = [hmac.digest(secret, request.body, hashlib.sha256) for secret in self._secrets]
        if not any(same(base64.b64encode(one).decode(), given) for one in expected):
            raise BadSignature("the body is not signed with this webhook's secret")

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """One: of this webhook, this topic and this very body. A body that tells only of an id tells it again when it
        happens again: there, and nowhere else, the delivery's own id is part of it."""
        topic = request.headers.get("x-wc-webhook-topic", "").strip()[:100] or "order"
        known_as = [request.headers.get("x-wc-webhook-id", ""), topic, hashlib.sha256(request.body).hexdigest()[:32]]
        if topic.endswith(".deleted"):
            known_as.append(request.headers.get("x-wc-webhook-delivery-id", ""))
        body = request.body.decode("utf-8", "replace")
        return (Delivery(id="/".join(part[:60] for part in known_as), topic=topic, body=body),)

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """The order in it; a hint where it was deleted: its status is asked for."""
        body = delivery.body.encode("utf-8", "replace")
        if not delivery.topic.startswith("order"):
            return (Skipped(why=f"not about an order, but {delivery.topic}"),)
        about = read(_ABOUT, body)
        if about.data is not None and about.line_items is None:
            return (reading_of(read(_WRAPPED, body).data, self.connection),)
        if about.line_items is not None:
            return (reading_of(read(_ORDER, body), self.connection),)
        if about.id is None:
            raise refuse("id", "is missing", "see which order the webhook is about")
        return (Hint(external_id=about.id),)

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        """The order: one in the trash is cancelled, one that is deleted for good is not there."""
        gone = Skipped(why="the shop has no such order")
        if not is_order_id(external_id):
            return (gone,)
        try:
            body = await self._shop.order(external_id)
        except Refused as refused:
            if refused.reason is not Reason.BAD_RECIPIENT:
                raise
            return (gone,)
        return (reading_of(read(_ORDER, body), self.connection),)

    async def look(self, cursor: str, now: datetime) -> Looked:
        """Orders that were modified, a page at a time, by their ids: one that is modified meanwhile moves no other out
        of its page. Then those in the trash. Raises Misconfigured where the shop is too old to be asked so (before
        WooCommerce 5.8)."""
        at = _Cursor.model_validate_json(cursor) if cursor else _Cursor(since=now - FIRST_LOOK)
        deliveries = await self._page(at)
        following = _following(at, now, deliveries)
        if following.trash and not at.trash:  # there is seldom anything in it
            thrown = await self._page(following)
            following = _following(following, now, thrown)
            deliveries += thrown
        return Looked(deliveries=deliveries, cursor=following.model_dump_json(), more=following.began is not None)

    async def _page(self, at: _Cursor) -> tuple[Delivery, ...]:
        bound = at.since - OVERLAP
        asked = {
            "modified_after": bound.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "dates_are_gmt": "true",
            "orderby": "id",
            "order": "asc",
            "per_page": str(PAGE),
            "page": str(at.page),
            **({"status": "trash"} if at.trash else {}),
        }
        return tuple(_found(order, bound) for order in await self._shop.orders(asked))

    async def answer(self, answer: SourceAnswer) -> Answered:
        """A private note, once: its last line is looked for first, and again afterwards, for of two that are written at
        once the later goes. Never a customer note, which would be a mail."""
        order = answer.external_id
        if not is_order_id(order):
            return Answered(state=AnswerState.REFUSED, detail="the id is none of WooCommerce's", at=answer.now)
        try:
            number = await self._shop.noted(order, _last_line(answer))
            if number is None:
                number = await self._noted_once(order, answer)
        except Refused as refused:
            if refused.reason is Reason.OTHER:
                raise
            return Answered(state=AnswerState.REFUSED, detail=str(refused), at=answer.now)
        return Answered(state=AnswerState.ACCEPTED, reference=f"{order}/{number}", at=answer.now)

    async def _noted_once(self, order: str, answer: SourceAnswer) -> int:
        written = await self._shop.note(order, _note(answer))
        first = await self._shop.noted(order, _last_line(answer))
        if first is None or first >= written:
            return written
        await self._shop.unnote(order, written)
        return first

    async def check(self) -> str:
        """Read one order's id."""
        return await self._shop.check()

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._shop.aclose()


def _following(at: _Cursor, now: datetime, deliveries: Sequence[Delivery]) -> _Cursor:
    """Where it goes on. It ends at the last change that was seen: the shop's clock may be behind ours. But not after
    the moment when it began: what was changed then on a page that had been read is for the next look."""
    began = at.began or now
    seen = [moment for moment in (at.latest, *(one.sent_at for one in deliveries)) if moment is not None]
    latest = max(seen, default=None)
    if len(deliveries) == PAGE:
        return at.model_copy(update={"began": began, "latest": latest, "page": at.page + 1})
    if not at.trash:
        return at.model_copy(update={"began": began, "latest": latest, "page": 1, "trash": True})
    return _Cursor(since=max(at.since, min(began, latest)) if latest else at.since)


def _found(order: dict[str, JsonValue], bound: datetime) -> Delivery:
    """The order as a delivery: in the same state it is the same one."""
    body = json.dumps(order, sort_keys=True)
    modified = moment_of(str(order.get("date_modified_gmt")), None)
    if modified is not None and modified < bound - timedelta(days=1):
        raise Misconfigured("the shop does not know modified_after: it needs WooCommerce 5.8 or later")
    known_as = hashlib.sha256(body.encode()).hexdigest()[:32]
    return Delivery(id=f"look/{order.get('id')}/{known_as}"[:200], topic="order.updated", body=body, sent_at=modified)


def _last_line(answer: SourceAnswer) -> str:
    """Short, and the same for the same answer for ever."""
    return f"orderack {hashlib.sha256(f'source/{answer.key}'.encode()).hexdigest()[:16]}"


_SAID = {
    AnswerStage.RECEIVED: "The order was received. Nothing is promised yet.",
    AnswerStage.CONFIRMED: "The order is confirmed.",
    AnswerStage.REJECTED: "The order is rejected.",
    AnswerStage.CANCELLED: "The order is cancelled.",
}


def _note(answer: SourceAnswer) -> str:
    """Where it stands, escaped: WooCommerce shows notes as HTML. Without its lines where they would be too many."""
    promised = answer.promise_on.isoformat() if answer.promise_on else ""
    facts = (("ERP document", answer.document_id), ("Promised for", promised), ("Reason", answer.reason))
    head = [_SAID[answer.key.stage], *(f"{name}: {text}" for name, text in facts if text)]
    foot = [*([answer.page_url] if answer.page_url else []), _last_line(answer)]
    skus = {line.line_id: line.sku for line in answer.order.lines}
    lines = [f"{skus.get(one.line_id, one.line_id)}: {one.outcome}" for one in answer.lines]
    for part in (lines, []):
        text = "\n".join(html.escape(line, quote=False) for line in (*head, *part, *foot))
        if len(text.encode()) <= NOTE_BYTES:
            break
    return text


SOURCE: SourceSpec = SourceSpec(
    description="Orders of a WooCommerce shop",
    obtain="The shop's admin, WooCommerce > Settings > Advanced: REST API > Add key, with read and write; Webhooks > "
    "Add webhook, with a secret of your own",
    settings=WoocommerceSettings,
    adapter=Woocommerce,
    make=lambda connection, prefix: Woocommerce(connection, WoocommerceSettings(_env_prefix=prefix)),
    trigger="the order is paid (`date_paid`), or placed to be paid later",
    webhook="four webhooks, for Order created, updated, deleted and restored, API version 3, all with one secret, to "
    "https://<gateway>/intake/<store>/woocommerce",
    traps=(
        "WooCommerce sends a webhook once, and disables it after five that failed in a row: we look every ten minutes "
        "for what was not told.",
        "Its webhooks leave by WordPress's own cron, which waits for a visitor: let the server's cron call "
        "wp-cron.php every minute, or the clock starts late.",
        "An order that is refunded in part says how much, and not for which lines: it goes to a person.",
        "Its own mail 'Processing order' goes out at payment: reword it as a receipt (docs/sources/woocommerce.md).",
        "An order that is deleted for good cannot be asked for any more: put it in the trash, which cancels it.",
    ),
)
