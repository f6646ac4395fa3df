"""The order in ActiveCampaign, as "Makes a purchase" sees it: an automation there may turn it into a mail.

What that mail says is the automation's, and when it goes too, so an acceptance is never more than that (R196). One kind
of message makes the order (ORDERACK_ACTIVECAMPAIGN_KIND); all others are not supported, for a second order would count
the purchase twice. There is no idempotency key (commerce.md §5): the order is looked for before it is made, and after a
doubt.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.email_address import one_address
from orderack.clients.http import Clock, Http, segment, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import not_an_event, scrub
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.domain.money import MINOR_DIGITS
from orderack.domain.order import Line, Order
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

M = TypeVar("M", bound=BaseModel)

_PREFIX = "ORDERACK_ACTIVECAMPAIGN_"
_LOGIN = f"{_PREFIX}BASE_URL and {_PREFIX}API_TOKEN"
ORDERS = "/api/3/ecomOrders"
CUSTOMERS = "/api/3/ecomCustomers"
MOST = 2_147_483_647
"""Money and quantities are int32, in the currency's smallest unit."""
REAL_TIME = 1
"""`source`: 0 would be historical, and start no automation."""

DUPLICATE = "duplicate"
REFUSED_FIELD = MappingProxyType(
    {
        "email": Reason.BAD_RECIPIENT,
        "customerid": Reason.BAD_RECIPIENT,
        "currency": Reason.CONTENT,
        "orderproducts": Reason.CONTENT,
        "totalprice": Reason.CONTENT,
    }
)
"""The last part of a refusal's `source.pointer`."""
CONNECTION = "connectionid"
EXPIRED = 402
"""The account is not paid for."""


_NUMBERED = re.compile(r" \(revision ([0-9]{1,7})\)$")


class Starts(StrEnum):
    """The kinds that an order can begin with."""

    RECEIVED = "received"
    CONFIRMATION = "confirmation"


class ActivecampaignSettings(BaseSettings):
    """`ORDERACK_ACTIVECAMPAIGN_…`"""

    model_config = settings_config(_PREFIX)

    base_url: SecureUrl = Field(description="the account's API address, https://<account>.api-us1.com")
    api_token: SecretStr = Field(description="the API key of a user of the account")
    connection_id: int = Field(ge=1, description="id of an e-commerce connection of our own (POST /api/3/connections)")
    kind: Starts = Field(
        default=Starts.CONFIRMATION,
        description="the message with which an order begins there: confirmation, or received",
    )


class _Customer(BaseModel):
    id: str = Field(pattern=r"^\d{1,18}$")


class _Customers(BaseModel):
    ecomCustomers: tuple[_Customer, ...]


class _CustomerMade(BaseModel):
    ecomCustomer: _Customer


class _Order(BaseModel):
    id: str = Field(pattern=r"^\d{1,18}$")
    orderNumber: str | None = None


class _Orders(BaseModel):
    ecomOrders: tuple[_Order, ...]


class _OrderKept(BaseModel):
    ecomOrder: _Order


class _User(BaseModel):
    username: str


class _Me(BaseModel):
    user: _User


class _Source(BaseModel):
    pointer: str = ""


class _Error(BaseModel):
    code: str | None = None
    source: _Source | None = None


class _Errors(BaseModel):
    errors: tuple[_Error, ...] = ()


class Activecampaign:
    """One order on one connection."""

    name: ClassVar[str] = "activecampaign"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.RECORD,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.LOOKUP,
        # five requests a second for the whole account, and a send makes up to five
        rate_per_second=1.0,
        needs_order=True,
    )

    def __init__(self, settings: ActivecampaignSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        headers = {"Api-Token": settings.api_token.get_secret_value(), "Accept": "application/json"}
        base = settings.base_url
        self._http = Http("ActiveCampaign", base, headers=headers, clock=clock)
        self._before = Http("ActiveCampaign", base, headers=headers, repeatable=True, clock=clock)
        """For what comes before the order itself: when it fails, nothing was sent."""

    async def send(self, message: Message) -> Sent:
        """Make the order, or bring the one that is there up to this revision. `provider_id` is the order's id."""
        if message.order is None:
            raise Unsupported("order")
        if message.kind.value != self._settings.kind.value:
            raise Unsupported("kind")
        email = one_address(message.recipient)
        entry = _entry(message, message.order, email)
        customer = await self._customer(email)
        known = await self._known(message)
        if known is not None and _revision(known) > message.key.revision:
            raise Refused("a later revision of the order is there already", Reason.EXPIRED, "later_revision")
        if known is None:
            whole = {"source": REAL_TIME, "connectionid": self._settings.connection_id, "customerid": int(customer)}
            response = await self._put("POST", ORDERS, entry | whole)
            return Sent(provider_id=self._http.read(_OrderKept, response).ecomOrder.id)
        response = await self._put("PUT", f"{ORDERS}/{segment(known.id)}", entry)
        kept = self._http.read(_OrderKept, response).ecomOrder
        return Sent(provider_id=kept.id, detail="updated: that starts no purchase automation")

    async def _put(self, method: str, path: str, entry: dict[str, JsonValue]) -> httpx.Response:
        body = json.dumps({"ecomOrder": entry}, separators=(",", ":"), sort_keys=True).encode()
        headers = {"Content-Type": "application/json"}
        response = await self._http.send(method, path, content=body, headers=headers)
        if response.is_success:
            return response
        if method == "PUT" and response.status_code == httpx.codes.NOT_FOUND:
            raise Unavailable("the order was deleted in ActiveCampaign just now: it is made anew")
        raise self._no(response)

    async def _customer(self, email: str) -> str:
        """The customer's id on our connection, made where there is none."""
        connection = str(self._settings.connection_id)
        query = urlencode({"filters[email]": email, "filters[connectionid]": connection})
        found = await self._asked("GET", f"{CUSTOMERS}?{query}", _Customers)
        if found.ecomCustomers:
            return found.ecomCustomers[0].id
        new: JsonValue = {"ecomCustomer": {"connectionid": connection, "externalid": email, "email": email}}
        return (await self._asked("POST", CUSTOMERS, _CustomerMade, new)).ecomCustomer.id

    async def _known(self, message: Message) -> _Order | None:
        """The order as it is there already, in whatever revision. A list need not show its number, so it is fetched."""
        filters = {"filters[connectionid]": self._settings.connection_id, "filters[externalid]": str(message.key.ref)}
        found = await self._asked("GET", f"{ORDERS}?{urlencode(filters)}", _Orders)
        if not found.ecomOrders:
            return None
        return (await self._asked("GET", f"{ORDERS}/{segment(found.ecomOrders[0].id)}", _OrderKept)).ecomOrder

    async def _asked(self, method: str, path: str, model: type[M], body: JsonValue = None) -> M:
        """What comes before the order. Raises Unavailable, Refused or Misconfigured: nothing was sent."""
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        response = await self._before.send(method, path, content=content, headers=headers)
        if response.is_success:
            return self._before.read(model, response)
        error = self._no(response)
        raise Unavailable(str(error)) if isinstance(error, InDoubt) else error

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Whether the order is there in this revision: its `orderNumber` names it."""
        known = await self._known(message)
        return Sent(provider_id=known.id) if known is not None and known.orderNumber == _number(message) else None

    async def check(self) -> str:
        """Ask whose token it is, and whether the connection is there."""
        try:
            user = (await self._asked("GET", "/api/3/users/me", _Me)).user.username
        except Refused as error:
            raise Misconfigured(f"{error}: check {_LOGIN}") from None
        response = await self._before.send("GET", f"/api/3/connections/{self._settings.connection_id}")
        if not response.is_success:
            raise Misconfigured(f"ActiveCampaign has no such connection: check {_PREFIX}CONNECTION_ID")
        return f"signed in as {scrub(user)}; the connection is there"

    def _no(self, response: httpx.Response) -> Refused | InDoubt | Misconfigured:
        """A refusal in our words. Its sentences are dropped: they may repeat addresses."""
        status = response.status_code
        if status == EXPIRED:
            return Misconfigured(f"ActiveCampaign answered 402, the account is not paid for: check {_LOGIN}")
        self._http.ours_to_mend(response, _LOGIN)
        if not response.is_client_error:
            return InDoubt(f"ActiveCampaign answered {status}, which it does not document")
        errors = _errors(response)
        code = scrub(next((error.code for error in errors if error.code), ""))
        fields = [error.source.pointer.rpartition("/")[2].lower() for error in errors if error.source]
        if code == DUPLICATE:
            return InDoubt("ActiveCampaign has an order of this number: which, a look-up tells")
        if CONNECTION in fields:
            return Misconfigured(f"ActiveCampaign refuses the connection: check {_PREFIX}CONNECTION_ID")
        reason = next((REFUSED_FIELD[field] for field in fields if field in REFUSED_FIELD), Reason.OTHER)
        return Refused(f"ActiveCampaign refused the order ({status} {code})", reason, f"{status} {code}".strip())

    async def verify(self, request: RawRequest) -> None:
        """ActiveCampaign's webhooks are not signed, so no request can be genuine."""
        raise BadSignature("activecampaign has no webhook")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """ActiveCampaign's webhooks are not signed, so none is taken."""
        raise not_an_event("body", "activecampaign has no webhook", "read deliveries in ActiveCampaign")

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._http.aclose()
        await self._before.aclose()


def _entry(message: Message, order: Order, email: str) -> dict[str, JsonValue]:
    """The order as ActiveCampaign writes it. Raises Unsupported for what its whole numbers cannot say."""
    currency, totals = order.currency, order.totals
    entry: dict[str, JsonValue] = {
        "externalid": str(message.key.ref),
        "orderNumber": _number(message),
        "email": email,
        "currency": currency,
        "totalPrice": _cents(totals.total, currency),
        "shippingAmount": _cents(totals.shipping, currency),
        "taxAmount": _cents(totals.tax, currency),
        "discountAmount": _cents(totals.discount, currency),
        "externalCreatedDate": order.trigger_at.isoformat(),
        "orderProducts": [_product(line, currency) for line in order.lines],
    }
    if message.content.link:
        entry["orderUrl"] = message.content.link
    return entry


def _product(line: Line, currency: str) -> JsonValue:
    return {
        "externalid": line.sku,
        "sku": line.sku,
        "name": line.description or line.model or line.sku,
        "price": _cents(line.unit_price, currency),
        "quantity": _whole(line.quantity, "quantity"),
    }


def _number(message: Message) -> str:
    """The order's number as people read it, with the revision behind it from the second on."""
    number, revision = message.key.ref.number, message.key.revision
    return number if revision == 1 else f"{number} (revision {revision})"


def _revision(kept: _Order) -> int:
    """The revision that is there; an order that we did not number is as good as the first."""
    found = _NUMBERED.search(kept.orderNumber or "")
    return int(found[1]) if found else 1


def _cents(amount: Decimal, currency: str) -> int:
    """In the currency's smallest unit: 12.50 EUR is 1250, 12 JPY is 12, 1.234 KWD is 1234."""
    if currency not in MINOR_DIGITS:
        raise Unsupported("currency")
    return _whole(amount.scaleb(MINOR_DIGITS[currency]), "amount")


def _whole(number: Decimal, trait: str) -> int:
    if number != number.to_integral_value() or number > MOST:
        raise Unsupported(trait)
    return int(number)


def _errors(response: httpx.Response) -> tuple[_Error, ...]:
    try:
        return _Errors.model_validate_json(response.content).errors
    except ValidationError:
        return ()


CHANNEL: ChannelSpec = ChannelSpec(
    description="Orders in ActiveCampaign, for its automations",
    obtain="ActiveCampaign: Settings > Developer (address and key); the connection is made once by POST "
    "/api/3/connections, its answer has the id",
    settings=ActivecampaignSettings,
    make=lambda: Activecampaign(ActivecampaignSettings()),
    adapter=Activecampaign,
    traps=(
        "An order is no mail: an automation of yours that starts with 'Makes a purchase' has to send one, in words and "
        "at a time of its own. So 'accepted' says that ActiveCampaign has the order, and nothing about the buyer: "
        "set a fallback, or use it beside a channel that reports delivery.",
        "Only one kind of message can begin an order there (KIND: confirmation, or received); every other kind goes "
        "by the next channel. A later revision updates the order, which starts no purchase automation: a rule for "
        "changed orders needs another channel.",
        "Money there is a 32-bit number of cents: an order above 21,474,836.47, a price in fractions of a cent or "
        "half a piece is not carried, and never rounded.",
        "Five requests a second are all that an account has, for all its keys together; a message takes up to five.",
    ),
)
