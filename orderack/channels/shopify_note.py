"""What was told the buyer, written to the Shopify order: a metafield for each message, and a tag to find it by.

Shopify has no call that sends a buyer a mail (R191, mission.md 1d), and `orderUpdate(note:)` would overwrite the
shop's own note; so this is a record for the shop's people. Each send has a metafield of its own, named for it: to set
it again is the same send, and one that comes late overwrites no newer one.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr
from pydantic_settings import BaseSettings

from orderack.clients.http import LONGEST_WAIT, Clock, Http, utc_now
from orderack.clients.oauth import SignedIn, Tokens
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import not_an_event, scrub
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.domain.order import Name
from orderack.domain.value import Value
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_SHOPIFY_NOTE_"
_SETTINGS = f"{_PREFIX}BASE_URL, _CLIENT_ID and _CLIENT_SECRET"
VERSION = "2026-07"
NAMESPACE = "orderack"
VALUE_BYTES = 65_535
"""What a metafield's text takes; JSON may be longer, but is no better read."""

WRITE = """
mutation Acknowledge($order: ID!, $metafields: [MetafieldsSetInput!]!, $tags: [String!]!) {
  metafieldsSet(metafields: $metafields) { metafields { id } userErrors { field code } }
  tagsAdd(id: $order, tags: $tags) { userErrors { field } }
}
"""
WHO = "query Check { shop { name } }"

OURS_TO_MEND = frozenset({"ACCESS_DENIED", "SHOP_INACTIVE", "APP_NOT_AUTHORIZED"})
"""Words of `errors[].extensions.code` and of `userErrors[].code`: scopes, or a shop that is closed."""
IN_DOUBT = frozenset({"INTERNAL_SERVER_ERROR", "INTERNAL_ERROR", "TIMEOUT"})
THROTTLED = "THROTTLED"
REFUSED_CODE = MappingProxyType({"TOO_LONG": Reason.TOO_LONG, "INVALID_VALUE": Reason.CONTENT})
REFUSED_FIELD = MappingProxyType({"ownerId": Reason.BAD_RECIPIENT, "value": Reason.CONTENT})
"""The last part of a user error's path, where its code says nothing: an order that this shop does not have, a text."""
SHOP_CLOSED = frozenset({402, 423})
"""A shop frozen for its bill, or locked."""

_GID = re.compile(r"(?:gid://shopify/Order/)?([0-9]{1,20})")


class ShopifyNoteSettings(BaseSettings):
    """`ORDERACK_SHOPIFY_NOTE_…`"""

    model_config = settings_config(_PREFIX)

    base_url: SecureUrl = Field(description="the shop's own address, https://<shop>.myshopify.com")
    client_id: str = Field(description="client id of an app of your own in the Dev Dashboard, installed in the shop")
    client_secret: SecretStr = Field(description="its client secret; the app needs the scope write_orders")
    system: Name = Field(
        default="shopify", description="the name under which orders carry this shop's order id in `external_ids`"
    )


class Record(Value):
    """A metafield's value."""

    key: str
    kind: str
    revision: int
    n: int
    subject: str
    text: str
    link: str | None


class _Extension(BaseModel):
    code: str = ""


class _Error(BaseModel):
    extensions: _Extension = _Extension()


class _UserError(BaseModel):
    field: tuple[str, ...] | None = None
    code: str | None = None


class _Id(BaseModel):
    id: str = Field(min_length=1, max_length=200)


class _Set(BaseModel):
    metafields: tuple[_Id, ...] | None = None
    userErrors: tuple[_UserError, ...] = ()


class _Tagged(BaseModel):
    userErrors: tuple[_UserError, ...] = ()


class _Shop(BaseModel):
    name: str


class _Data(BaseModel):
    metafieldsSet: _Set | None = None
    tagsAdd: _Tagged | None = None
    shop: _Shop | None = None


class _Throttle(BaseModel):
    currentlyAvailable: float
    restoreRate: float = Field(gt=0)


class _Cost(BaseModel):
    requestedQueryCost: float
    throttleStatus: _Throttle


class _Meta(BaseModel):
    cost: _Cost | None = None


class _Reply(BaseModel):
    data: _Data | None = None
    errors: tuple[_Error, ...] = ()
    extensions: _Meta = _Meta()


class ShopifyNote:
    """One record on one order of one shop."""

    name: ClassVar[str] = "shopify_note"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.RECORD,
        audience=Audience.INTERNAL,
        address="chat:shopify_note",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.KEY,
        max_length=VALUE_BYTES,
        # two mutations cost 20 points, and the smallest plan restores 100 a second: half of it is left to others
        rate_per_second=2.5,
        needs_order=True,
    )

    def __init__(self, settings: ShopifyNoteSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        base = settings.base_url
        self._http = Http("Shopify", base, clock=clock)
        signing_in = Http("Shopify", base, repeatable=True, clock=clock)
        tokens = Tokens(signing_in, "/admin/oauth/access_token", self._form, setting=_SETTINGS, clock=clock)
        self._shop = SignedIn(self._http, tokens, scheme="", header="X-Shopify-Access-Token")

    def _form(self) -> dict[str, str]:
        own = self._settings
        return {
            "grant_type": "client_credentials",
            "client_id": own.client_id,
            "client_secret": own.client_secret.get_secret_value(),
        }

    async def send(self, message: Message) -> Sent:
        """Set the metafield and add the tag. The recipient is a role and not used; `provider_id`: the metafield's."""
        order, value = self._order(message), _value(message)
        metafield: JsonValue = {
            "ownerId": order,
            "namespace": NAMESPACE,
            "key": _name(message),
            "type": "json",
            "value": value,
        }
        tags: list[JsonValue] = [f"{NAMESPACE}-{message.kind}"]
        reply = await self._ask(WRITE, {"order": order, "metafields": [metafield], "tags": tags})
        done = reply.data.metafieldsSet if reply.data else None
        for error in done.userErrors if done else ():
            raise _refusal(error)
        if done is None or not done.metafields:
            raise InDoubt("Shopify answered without a metafield")
        tagged = reply.data is not None and reply.data.tagsAdd is not None and not reply.data.tagsAdd.userErrors
        return Sent(provider_id=done.metafields[0].id, detail="" if tagged else "written, and not tagged")

    async def check(self) -> str:
        """Sign in and ask for the shop's name. Whether the app may write shows only with the first record."""
        try:
            reply = await self._ask(WHO, {})
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        except Refused as error:
            raise Misconfigured(f"{error}: check {_SETTINGS}") from None
        if reply.data is None or reply.data.shop is None:
            raise Unavailable("Shopify answered without the shop's name")
        return f"signed in to the shop {scrub(reply.data.shop.name)}; its scopes show with the first record"

    async def _ask(self, document: str, variables: dict[str, JsonValue]) -> _Reply:
        """One GraphQL request. Raises what its status, or its errors inside a 200, mean."""
        body = {"query": document, "variables": variables}
        response = await self._shop.send(
            "POST",
            f"/admin/api/{VERSION}/graphql.json",
            content=json.dumps(body, separators=(",", ":")).encode(),
            headers={"Content-Type": "application/json"},
        )
        if response.status_code != httpx.codes.OK:
            raise self._no(response)
        reply = self._http.read(_Reply, response)
        for error in reply.errors:
            raise _fate(error.extensions.code, reply.extensions.cost)
        if reply.data is None:
            raise InDoubt("Shopify answered with neither data nor errors")
        return reply

    def _no(self, response: httpx.Response) -> Refused | InDoubt | Misconfigured:
        status = response.status_code
        if status in SHOP_CLOSED:
            return Misconfigured(f"Shopify answered {status}, the shop is frozen or locked: check {_PREFIX}BASE_URL")
        self._http.ours_to_mend(response, _SETTINGS)
        if not response.is_client_error:
            return InDoubt(f"Shopify answered {status}, which it does not document")
        return Refused(f"Shopify refused the request ({status})", Reason.OTHER, str(status))

    def _order(self, message: Message) -> str:
        """The order's global id, from text to text: its number may be beyond 2^53.

        Raises Refused where the order has none in this shop, Unsupported without the order.
        """
        if message.order is None:
            raise Unsupported("order")
        system = self._settings.system
        known_as = next((one.id for one in message.order.external_ids if one.system == system), None)
        if known_as is None:
            raise Refused(f"the order has no id of {system}", Reason.NO_RECIPIENT, "no_external_id")
        number = _GID.fullmatch(known_as)
        if number is None:
            raise Refused(f"the order's id of {system} is none of Shopify's", Reason.BAD_RECIPIENT, "bad_external_id")
        return f"gid://shopify/Order/{number[1]}"

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Not needed: to set the same metafield again is the same send."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """Shopify reports nothing of metafields to us, so no request can be genuine."""
        raise BadSignature("shopify_note has no webhook")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """Shopify reports nothing of metafields to us."""
        raise not_an_event("body", "shopify_note has no webhook", "send the shop's order webhooks to /intake")

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._shop.aclose()


def _name(message: Message) -> str:
    """The metafield's key: one send of one order has it, and no other."""
    return f"r{message.key.revision}_{message.kind}_{message.key.n}"


def _value(message: Message) -> str:
    """The record as JSON, with the short text where the whole is too long. Raises Unsupported where neither fits."""
    content = message.content
    for text in (content.text, content.chat):
        if text is None:
            continue
        record = Record(
            key=message.key_text,
            kind=message.kind.value,
            revision=message.key.revision,
            n=message.key.n,
            subject=content.subject,
            text=text,
            link=content.link,
        )
        value = record.model_dump_json()
        if len(value.encode()) <= VALUE_BYTES:
            return value
    raise Unsupported("max_length")


def _fate(code: str, cost: _Cost | None) -> Unavailable | InDoubt | Refused | Misconfigured:
    """What an error inside a 200 means for us."""
    word = scrub(code) or "error"
    if code == THROTTLED:
        return Unavailable("Shopify is limiting our rate (THROTTLED)", _restored_in(cost))
    if code in OURS_TO_MEND:
        return Misconfigured(f"Shopify refuses us ({word}): check the app's scopes, and {_SETTINGS}")
    if code in IN_DOUBT:
        return InDoubt(f"Shopify broke down ({word}): it may have been written")
    return Refused(f"Shopify refused the record ({word})", REFUSED_CODE.get(code, Reason.OTHER), word)


def _refusal(error: _UserError) -> InDoubt | Refused | Misconfigured | Unavailable:
    """What a user error means for us: by its code, else by the field it is about."""
    if error.code in OURS_TO_MEND | IN_DOUBT or error.code in REFUSED_CODE:
        return _fate(error.code or "", None)
    field = error.field[-1] if error.field else ""
    word = scrub(f"{error.code or 'user error'} {field}".strip())
    return Refused(f"Shopify refused the record ({word})", REFUSED_FIELD.get(field, Reason.OTHER), word)


def _restored_in(cost: _Cost | None) -> timedelta | None:
    """How long until the bucket holds what the request costs."""
    if cost is None:
        return None
    missing = cost.requestedQueryCost - cost.throttleStatus.currentlyAvailable
    seconds = max(missing, 0.0) / cost.throttleStatus.restoreRate
    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))


CHANNEL: ChannelSpec = ChannelSpec(
    description="Records on Shopify orders: metafields and tags",
    obtain="Shopify's Dev Dashboard: an app of your own organization with the scope write_orders, installed in the "
    "shop; Settings shows its client id and secret",
    settings=ShopifyNoteSettings,
    make=lambda: ShopifyNote(ShopifyNoteSettings()),
    adapter=ShopifyNote,
    traps=(
        "Shopify has no call that sends the buyer a message: this is a record for the shop's people, and the buyer "
        "still needs a channel. Shopify's own confirmation mail goes out at payment, whatever we do: reword it as a "
        "receipt, or the buyer is told 'confirmed' before the ERP has booked anything.",
        "The shop's own note is left alone: each message is a metafield of its own (namespace orderack), and a tag "
        "(orderack-confirmation …) finds the orders. Whoever may read orders may read both.",
        "It serves the orders that carry this shop's order id in `external_ids`; others are refused (no_recipient).",
        "One shop per installation; it signs in as an app of your own organization (client credentials), and tokens "
        "of apps that were made in the shop's admin before 2026 are not taken.",
    ),
)
