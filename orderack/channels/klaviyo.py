"""One event in Klaviyo for each message: a flow there may turn it into a mail, by Klaviyo's own rules and clock.

So an acceptance is no mail, and nothing here is ever more than accepted (R195). The event carries the whole message, so
that a flow can bring it word for word. Its `unique_id` is our key, which Klaviyo knows for ever (commerce.md §4): its
default, the time in seconds, would make one of two orders in a second.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, ClassVar

import httpx
import phonenumbers
from pydantic import BaseModel, Field, JsonValue, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.email_address import one_address
from orderack.clients.http import BaseUrl, Clock, Http, utc_now
from orderack.clients.wire import not_an_event, scrub
from orderack.domain.acknowledgement import Audience, Kind, Reason
from orderack.domain.evidence import Grade
from orderack.domain.order import Line, Order
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_KLAVIYO_"
REVISION = "2026-07-15"
STRING_BYTES = 100_000
"""Of one string; Klaviyo says 100 KB."""
EVENT_BYTES = 5_000_000

METRICS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.RECEIVED: "Placed Order",
        Kind.CONFIRMATION: "Confirmed Order",
        Kind.CANCELLATION: "Cancelled Order",
    }
)
"""What a kind is called in Klaviyo, unless METRICS says otherwise. `Placed Order` counts as revenue there."""
OTHERWISE = "Order Update"

REFUSED_POINTER = (
    (re.compile(r"^/data/attributes/profile\b"), Reason.BAD_RECIPIENT),
    (re.compile(r"^/data/attributes/(properties|value|metric)\b"), Reason.CONTENT),
)
"""Which part of the event a refusal is about (JSON:API's `source.pointer`)."""
REFUSED_STATUS = MappingProxyType({413: Reason.TOO_LONG})

Metric = Annotated[str, StringConstraints(min_length=1, max_length=128, strip_whitespace=True)]


class KlaviyoSettings(BaseSettings):
    """`ORDERACK_KLAVIYO_…`"""

    model_config = settings_config(_PREFIX)

    api_key: SecretStr = Field(description="private API key (pk_…) with events:write, and accounts:read for the check")
    metrics: dict[Kind, Metric] = Field(
        default={},
        description='metric by kind of message, as JSON: {"received": "Placed Order"}; else Placed Order (received), '
        "Confirmed Order (confirmation), Cancelled Order (cancellation), Order Update (all others)",
    )
    base_url: BaseUrl = Field(default="https://a.klaviyo.com", description="the sandbox's address in tests")


class _Source(BaseModel):
    pointer: str = ""


class _Error(BaseModel):
    code: str = ""
    source: _Source | None = None


class _Errors(BaseModel):
    errors: tuple[_Error, ...] = ()


class _Account(BaseModel):
    id: str


class _Accounts(BaseModel):
    data: tuple[_Account, ...]


class Klaviyo:
    """One event about one profile."""

    name: ClassVar[str] = "klaviyo"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.RECORD,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.KEY,
        max_length=STRING_BYTES,
        html=True,
        rate_per_second=50.0,
        needs_order=True,
    )

    def __init__(self, settings: KlaviyoSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        headers = {
            "Authorization": f"Klaviyo-API-Key {settings.api_key.get_secret_value()}",
            "revision": REVISION,
            "Accept": "application/vnd.api+json",
        }
        self._http = Http("Klaviyo", settings.base_url, headers=headers, clock=clock)
        self._reading = Http("Klaviyo", settings.base_url, headers=headers, repeatable=True, clock=clock)

    async def send(self, message: Message) -> Sent:
        """POST /api/events. Klaviyo queues the event and gives it no id: `provider_id` is None."""
        if message.order is None:
            raise Unsupported("order")
        body = json.dumps(self._event(message, message.order), separators=(",", ":"), ensure_ascii=False).encode()
        if len(body) > EVENT_BYTES:
            raise Unsupported("max_length")
        headers = {"Content-Type": "application/vnd.api+json"}
        response = await self._http.send("POST", "/api/events", content=body, headers=headers)
        if response.status_code == httpx.codes.ACCEPTED:
            return Sent(detail="queued in Klaviyo")
        raise self._no(response)

    def _event(self, message: Message, order: Order) -> JsonValue:
        metric = self._settings.metrics.get(message.kind) or METRICS.get(message.kind, OTHERWISE)
        return {
            "data": {
                "type": "event",
                "attributes": {
                    "properties": _properties(message, order),
                    "value": _number(order.totals.total),
                    "value_currency": order.currency,
                    "unique_id": message.key_text,
                    "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
                    "profile": {"data": {"type": "profile", "attributes": _profile(message.recipient, order)}},
                },
            }
        }

    async def check(self) -> str:
        """GET /api/accounts: whose key it is. Whether it may write events shows only with the first."""
        response = await self._reading.send("GET", "/api/accounts")
        if response.status_code != httpx.codes.OK:
            self._http.ours_to_mend(response, f"{_PREFIX}API_KEY (accounts:read)")
            raise Misconfigured(f"Klaviyo answered {response.status_code}: check {_PREFIX}BASE_URL")
        try:
            accounts = _Accounts.model_validate_json(response.content).data
        except ValidationError:
            raise Unavailable("Klaviyo answered without an account") from None
        ids = ", ".join(scrub(account.id) for account in accounts)
        return f"signed in to the account {ids}; events:write shows with the first event"

    def _no(self, response: httpx.Response) -> Refused | InDoubt | Misconfigured:
        """A refusal in our words. Its sentences are dropped: they repeat addresses."""
        status = response.status_code
        if status == httpx.codes.GONE:
            return Misconfigured(
                f"Klaviyo has retired revision {REVISION} (410): update orderack, or {_PREFIX}BASE_URL"
            )
        self._http.ours_to_mend(response, f"{_PREFIX}API_KEY (events:write) and {_PREFIX}BASE_URL")
        if not response.is_client_error:
            return InDoubt(f"Klaviyo answered {status}, which it does not document")
        errors = _errors(response)
        pointers = [error.source.pointer for error in errors if error.source]
        named = [reason for pointer in pointers for pattern, reason in REFUSED_POINTER if pattern.match(pointer)]
        word = scrub(errors[0].code) if errors else ""
        reason = named[0] if named else REFUSED_STATUS.get(status, Reason.OTHER)
        return Refused(f"Klaviyo refused the event ({status} {word})", reason, f"{status} {word}".strip())

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Not needed: the same unique_id is the same event for ever."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """Klaviyo posts nothing to us, so no request can be genuine."""
        raise BadSignature("klaviyo has no webhook")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """Klaviyo posts nothing to us."""
        raise not_an_event("body", "klaviyo has no webhook", "read deliveries in Klaviyo")

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._http.aclose()
        await self._reading.aclose()


def _profile(recipient: str, order: Order) -> dict[str, JsonValue]:
    """The buyer by e-mail; the phone only where Klaviyo will take it, for a bad one would cost the whole event."""
    profile: dict[str, JsonValue] = {"email": one_address(recipient)}
    phone = order.contacts.phone or ""
    try:
        number = phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return profile
    if phonenumbers.is_valid_number(number):
        profile["phone_number"] = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return profile


def _properties(message: Message, order: Order) -> dict[str, JsonValue]:
    """The order in the words of Klaviyo's own guide, and the message. Raises Unsupported where no text fits."""
    content = message.content
    text = next((one for one in (content.text, content.chat) if one is not None and _fits(one)), None)
    if text is None:
        raise Unsupported("max_length")
    properties: dict[str, JsonValue] = {
        "OrderId": order.number,
        "Store": order.store,
        "StoreName": message.sender_name,
        "Kind": message.kind.value,
        "Revision": message.key.revision,
        "Language": message.language,
        "Subject": content.subject,
        "Text": text,
        "ItemNames": [_named(line) for line in order.lines],
        "Items": [_item(line) for line in order.lines],
    }
    if content.link:
        properties["Link"] = content.link
    if content.html and _fits(content.html):
        properties["$extra"] = {"Html": content.html}  # not for segments: what `$extra` is for
    return properties


def _item(line: Line) -> JsonValue:
    return {
        "ProductID": line.sku,
        "SKU": line.sku,
        "ProductName": _named(line),
        "Quantity": _number(line.quantity),
        "ItemPrice": _number(line.unit_price),
        "RowTotal": _number(line.amount),
    }


def _named(line: Line) -> str:
    return line.description or line.model or line.sku


def _number(amount: Decimal) -> int | float:
    """A JSON number of exactly this amount. Raises Unsupported where a double cannot say it."""
    if amount == amount.to_integral_value():
        return int(amount)
    if Decimal(repr(float(amount))) != amount:
        raise Unsupported("amount")
    return float(amount)


def _fits(text: str) -> bool:
    return len(text.encode()) <= STRING_BYTES


def _errors(response: httpx.Response) -> tuple[_Error, ...]:
    try:
        return _Errors.model_validate_json(response.content).errors
    except ValidationError:
        return ()


CHANNEL: ChannelSpec = ChannelSpec(
    description="Events in Klaviyo, for its flows",
    obtain="Klaviyo: Settings > API keys > Create private API key, with events:write and accounts:read",
    settings=KlaviyoSettings,
    make=lambda: Klaviyo(KlaviyoSettings()),
    adapter=Klaviyo,
    traps=(
        "An event is no mail: a flow of yours has to turn it into one, with a delay, filters and consent of its own. "
        "So 'accepted' says that Klaviyo has the event, and nothing about the buyer: set a fallback, or use Klaviyo "
        "beside a channel that reports delivery.",
        "Mark the flow's mail as transactional, or Klaviyo leaves out every buyer who takes no marketing; and let it "
        "send at once, with {{ event.Text }} or {{ event.extra.Html|safe }}, or it says other words than our record.",
        "'Placed Order' counts as revenue: it goes out for `received` only, once per order. Where another integration "
        "(a storefront's own) sends Placed Order too, name ours differently in METRICS, or revenue counts twice.",
        "One message is one event: 'Ordered Product' per line is not sent. One Klaviyo account serves all stores; "
        "`Store` in the event tells them apart.",
    ),
)
