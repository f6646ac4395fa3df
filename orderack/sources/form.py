"""Orders as JSON of somebody's own making: a web form, a portal, a till (docs/sources/form.md).

Either in our own shape (the order of `POST /orders`), or in any other, with the policy saying where each field stands:
`connections.form.fields: {"basket.items": lines, "basket.items.code": lines.sku, …}`.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import ClassVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings

from orderack.clients import standard_webhooks
from orderack.clients.http import Clock, utc_now
from orderack.clients.wire import same
from orderack.domain.intake import MAX_BYTES, YEARS, parse_order
from orderack.domain.money import minor_unit
from orderack.domain.order import Address, Doubt, Line, TaxBasis
from orderack.domain.validation import problems_of
from orderack.errors import BadSignature, InvalidInput
from orderack.ports import (
    Connection,
    Delivery,
    RawRequest,
    Reading,
    Skipped,
    Snapshot,
    SourceKind,
    SourceTraits,
    Standing,
)
from orderack.registry import SourceSpec
from orderack.sources._json_fields import Fields, tree_of
from orderack.sources._reading import (
    FOUR,
    address_of,
    canonical,
    doubts_of_length,
    email_of,
    guest_id,
    language_of,
    line_of,
    moment_in,
    name_of,
    phone_of,
    priced,
    prose_of,
    refuse,
    sku_of,
)

FIELDS = frozenset(
    {
        *("number", "placed_at", "updated_at", "status", "currency", "total", "tax", "shipping", "discount", "fees"),
        *("customer.id", "customer.name", "email", "phone", "language", "preferred_channel", "purchase_order"),
        *("address.name", "address.company", "address.street", "address.street2", "address.city", "address.region"),
        *("address.postal_code", "address.country", "pickup.location", "pickup.at", "window.start", "window.end"),
        *("billing.name", "billing.company", "billing.street", "billing.street2", "billing.city", "billing.region"),
        *("billing.postal_code", "billing.country", "order_type", "credit", "tax_included", "lines.model"),
        *("payment.terms", "payment.method", "payment.status", "instructions", "lines", "lines.id", "lines.sku"),
        *("lines.description", "lines.quantity", "lines.price", "lines.amount", "lines.instructions", "lines.design"),
        *("lines.dietary", "lines.discount", "lines.unit"),
    }
)
"""What the policy may name a place of."""
KEY_HEADER = "x-api-key"
_LEAST_KEY = 16
_CANCELLED = frozenset(
    {
        *("cancelled", "canceled", "storniert", "annulé", "annulée", "cancelado", "cancelada"),
        *("void", "voided", "refunded", "returned"),
    }
)
_NOT_YET = frozenset({"draft", "cart", "pending_payment", "entwurf", "brouillon", "borrador"})
_PAID = frozenset(
    {
        *("paid", "confirmed", "captured", "settled", "completed", "bezahlt", "payé", "payée", "pagado", "true"),
    }
)
_FLAGGED = frozenset({"flagged", "fraud", "held", "declined"})
_DAY = re.compile(r"\s*\d{4}-\d{2}-\d{2}\s*")
_ZERO = Decimal(0)
_HIGHEST = Decimal(10**14)


_OURS = frozenset({"schema_version", "trigger_at", "contacts", "totals"})
"""Fields that our own shape has and the plain one has not."""


class FormSettings(BaseSettings):
    """`ORDERACK_SOURCE_<STORE>_FORM_…`"""

    secret: SecretStr | None = Field(
        default=None, description="signing secret, `whsec_` and base64 (Standard Webhooks); two with a comma to rotate"
    )
    api_key: SecretStr | None = Field(
        default=None, description="what the sender puts in the header X-Api-Key, where it cannot sign: 16 characters"
    )

    @field_validator("secret")
    @classmethod
    def _readable(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            standard_webhooks.secrets_of(secret.get_secret_value())
        return secret

    @model_validator(mode="after")
    def _one_of_them(self) -> "FormSettings":
        if self.secret is None and self.api_key is None:
            raise ValueError("set SECRET (the sender signs), or API_KEY (it cannot)")
        if self.api_key is not None and len(self.api_key.get_secret_value()) < _LEAST_KEY:
            raise ValueError("API_KEY needs at least 16 characters")
        return self


class Form:
    """Takes orders that a form, a portal or a till posts."""

    name: ClassVar[str] = "form"
    traits: ClassVar[SourceTraits] = SourceTraits(kind=SourceKind.FORM, max_body=MAX_BYTES)

    def __init__(self, connection: Connection, settings: FormSettings, clock: Clock = utc_now) -> None:
        self.connection = connection
        self._clock = clock
        secret, key = settings.secret, settings.api_key
        self._secrets = standard_webhooks.secrets_of(secret.get_secret_value()) if secret else ()
        self._key = key.get_secret_value() if key else None

    async def verify(self, request: RawRequest) -> None:
        """A Standard Webhooks signature where there is a secret; else the key, which covers no body: TLS has to."""
        if self._secrets:
            standard_webhooks.verify(request, self._secrets, self._clock())
        elif self._key is None or not same(self._key, request.headers.get(KEY_HEADER, "")):
            raise BadSignature("X-Api-Key does not fit")

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """The one order of a post; the same bytes twice are one, but for what is signed as another message: an order
        may come to stand again as it did."""
        body = request.body.decode("utf-8", "replace")
        if not body.strip():
            return ()
        message = request.headers.get("webhook-id", "") if self._secrets else ""
        digest = hashlib.sha256(message.encode("utf-8", "replace") + b"\n" + request.body).hexdigest()
        return [Delivery(id=digest, body=body, sent_at=self._clock())]

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """The order, in our shape or by the policy's mapping. Raises InvalidInput naming every field."""
        tree = tree_of(delivery.body)
        if set(tree) == {"test"} or tree.get("event") == "ping":
            return [Skipped(why="a test of the connection")]
        arrived = delivery.sent_at or self._clock()
        if not self.connection.fields and not _OURS.isdisjoint(tree):
            return [self._ours(delivery.body, arrived)]
        if wrong := sorted(set(self.connection.fields.values()) - FIELDS):
            raise refuse("fields", f"names {', '.join(wrong)}, which is no field", "see docs/sources/form.md")
        return [self._mapped(Fields(tree, self.connection.fields), arrived)]

    async def aclose(self) -> None:
        """Nothing is open."""

    def _ours(self, body: str, arrived: datetime) -> Snapshot:
        """Our own shape: whose store and source it is, the connection says."""
        own = {"store": self.connection.store, "source": self.connection.source}
        tree = json.loads(body, parse_float=Decimal)
        parsed = parse_order({**tree, **own, "trigger_at": tree.get("trigger_at") or arrived.isoformat()})
        if isinstance(parsed, tuple):
            raise InvalidInput(parsed)
        order = canonical(parsed.model_dump(), self.connection.system)
        return Snapshot(external_id=order.number, at=max(arrived, order.trigger_at), order=order)

    def _mapped(self, fields: Fields, arrived: datetime) -> Snapshot:
        number = name_of(fields.text("number", needed=True))
        if number is None:
            raise refuse("number", "is missing", "send the order's number")
        placed = min(self._moment(fields, "placed_at") or arrived, arrived)
        email = email_of(fields.text("email"))
        phone = phone_of(fields.text("phone"), self.connection.country)
        window, left = self._window(fields)
        currency = (fields.text("currency") or "").strip().upper()
        made: dict[str, object] = {
            "store": self.connection.store,
            "source": self.connection.source,
            "number": number,
            "trigger_at": placed,
            "purchase_order": name_of(fields.text("purchase_order")),
            "customer": {
                "id": name_of(fields.text("customer.id")) or guest_id(email or phone, number),
                "name": line_of(fields.text("customer.name")),
            },
            "contacts": {
                "email": email,
                "phone": phone,
                "preferred_channel": name_of(fields.text("preferred_channel")),
                "language": language_of(fields.text("language"), self.connection.language),
            },
            "currency": currency,
            **_money(fields, currency),
            **self._delivery(fields),
            "delivery_window": window,
            "billing_address": self._address(fields, "billing"),
            "order_type": name_of(fields.text("order_type")) or "standard",
            "payment": _payment(fields),
            "instructions": prose_of(fields.text("instructions"), left),
            "doubts": (*doubts_of_length(fields.text("instructions"), left), *_cut(fields)),
        }
        status = (fields.text("status") or "").casefold()
        return Snapshot(
            external_id=number,
            at=min(self._moment(fields, "updated_at") or arrived, arrived),
            order=canonical(made, self.connection.system),
            standing=Standing.CANCELLED
            if status in _CANCELLED
            else Standing.NOT_YET
            if status in _NOT_YET
            else Standing.OPEN,
        )

    def _moment(self, fields: Fields, ours: str) -> datetime | None:
        text = fields.text(ours)
        if text is None:
            return None
        found = moment_in(text, self.connection.time_zone)
        if found is None or found.year not in YEARS:
            raise refuse(ours, "is not a time", "send it as 2026-11-24T15:00:00+01:00")
        return found

    def _window(self, fields: Fields) -> tuple[Mapping[str, object] | None, str | None]:
        """The wanted delivery, or what of it is no window. A day by itself is all of that day."""
        start, end = self._moment(fields, "window.start"), self._moment(fields, "window.end")
        if start is None:
            return None, f"delivery until {fields.text('window.end')}" if end else None
        if end is None:
            day = _DAY.fullmatch(fields.text("window.start") or "")
            end = start + (timedelta(hours=23, minutes=59) if day else timedelta(hours=1))
        return {"start": start, "end": end}, None

    def _delivery(self, fields: Fields) -> Mapping[str, object]:
        if location := line_of(fields.text("pickup.location")):
            return {"pickup": {"location": location, "at": self._moment(fields, "pickup.at")}}
        return {"delivery_address": self._address(fields, "address")}

    def _address(self, fields: Fields, kind: str) -> Address | None:
        """None where it names no street and no city: a country by itself is no place."""
        names = ("name", "company", "street", "street2", "city", "region", "postal_code", "country")
        said = {name: fields.text(f"{kind}.{name}") for name in names}
        if not said["street"] and not said["city"]:
            return None
        return address_of(otherwise=self.connection.country, **said)


def _cut(fields: Fields) -> Sequence[Doubt]:
    """What is said at a line at greater length than we keep."""
    said = (row.text(name) for row in fields.rows("lines") for name in ("instructions", "design", "dietary"))
    return [doubt for text in said for doubt in doubts_of_length(text)][:99]


def _money(fields: Fields, currency: str) -> Mapping[str, object]:
    """The lines and the totals. A total that is not sent is the sum of what was."""
    lines = [_line(place, row) for place, row in enumerate(fields.rows("lines")) if row.number("quantity") != 0]
    named = {name: fields.number(name) or _ZERO for name in ("tax", "shipping", "fees", "credit")}
    off = fields.number("discount")
    discount = sum((line.discount for line in lines), _ZERO) if off is None else abs(off)
    included, total = fields.flag("tax_included"), fields.number("total")
    if total is None:
        goods = sum((line.amount for line in lines), _ZERO)
        tax = _ZERO if included else named["tax"]
        total = goods - discount + tax + named["shipping"] + named["fees"] - named["credit"]
        total = total.quantize(minor_unit(currency), ROUND_HALF_UP)
    basis = {True: TaxBasis.INCLUDED, False: TaxBasis.ADDED, None: None}[included]
    return {"lines": lines, "totals": {**named, "discount": discount, "tax_basis": basis, "total": total}}


def _line(place: int, row: Fields) -> Line:
    """Beside a price, what its amount is short of is its discount."""
    quantity, price, amount = row.number("quantity"), row.number("price"), row.number("amount")
    if quantity is None or quantity < 0:
        raise refuse(f"lines[{place}].quantity", "is missing, or below 0", "send how many are ordered")
    off = row.number("discount")
    if price is None and amount is None:
        raise refuse(f"lines[{place}].price", "is missing", "send the price of one, or the line's amount")
    goods = amount or _ZERO if price is None else price * quantity
    if price is not None and amount is not None and off is None:
        goods, off = max(goods, amount), max(goods - amount, _ZERO)
    if abs(goods) >= _HIGHEST:
        raise refuse(f"lines[{place}]", "costs more than anybody pays", "see its quantity and its price")
    number = name_of(row.text("id")) or str(place + 1)
    try:
        line = Line(
            line_id=number,
            sku=sku_of(row.text("sku"), ("line", number)),
            model=line_of(row.text("model")),
            description=line_of(row.text("description")) or "",
            quantity=quantity.quantize(FOUR, ROUND_HALF_UP),
            unit_price=_ZERO,
            discount=abs(off or _ZERO).quantize(FOUR, ROUND_HALF_UP),
            unit=name_of(row.text("unit")),
            instructions=prose_of(row.text("instructions")),
            design=prose_of(row.text("design")),
            dietary=prose_of(row.text("dietary")),
        )
    except ValidationError as error:
        wrong = [one.model_copy(update={"field": f"lines[{place}].{one.field}"}) for one in problems_of(error)]
        raise InvalidInput(wrong) from None
    return priced(line, goods.quantize(FOUR, ROUND_HALF_UP))


def _payment(fields: Fields) -> Mapping[str, object]:
    status = next((str(said).strip().casefold() for said in fields.values("payment.status")), "")
    paid = status in _PAID
    method = line_of(fields.text("payment.method"))
    terms = line_of(fields.text("payment.terms")) or (f"prepaid by {method or 'other means'}" if paid else None)
    word = "confirmed" if paid else "flagged" if status in _FLAGGED else "pending"
    return {"status": word, "terms": terms, "method": method}


SOURCE: SourceSpec = SourceSpec(
    description="Orders from a web form, a portal or a till, as JSON of its own making",
    obtain="Whoever makes the form: agree on a secret (openssl rand -base64 32, behind whsec_) or, where it cannot "
    "sign, a key",
    settings=FormSettings,
    adapter=Form,
    make=lambda connection, prefix: Form(connection, FormSettings(_env_prefix=prefix)),
    trigger="the form is submitted, or the till writes the order's number",
    webhook="In the form's own program: post each order as JSON to this URL, signed (Standard Webhooks) or with a key",
    traps=(
        "A key in X-Api-Key does not cover the body: whoever reads it can post orders. Sign where you can.",
        "A form in a browser cannot keep a secret: let your server post, not the page.",
        "Send numbers with a point and without signs of a currency; `1.234,50` is refused.",
    ),
)
