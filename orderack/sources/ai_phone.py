"""Orders that an AI phone host took: JSON at the call's end, in a shape of ours that hosts can be told to post.

The host's own model says how sure it is of each field; what it is not sure of goes to a person, with the transcript in
the kept original (docs/sources/ai_phone.md).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, field_validator
from pydantic_settings import BaseSettings

from orderack.clients import standard_webhooks
from orderack.clients.http import Clock, utc_now
from orderack.clients.wire import Moment, read
from orderack.domain.money import minor_unit
from orderack.domain.order import Name, Text
from orderack.ports import Connection, Delivery, RawRequest, Reading, Skipped, Snapshot, SourceKind, SourceTraits
from orderack.registry import SourceSpec
from orderack.sources._json_fields import tree_of
from orderack.sources._reading import (
    address_of,
    canonical,
    email_of,
    guest_id,
    language_of,
    line_of,
    moment_in,
    name_of,
    phone_of,
    prose_of,
    refuse,
    sku_of,
)

MAX_BODY = 2 * 1024 * 1024
_NO_ORDER = frozenset({"no_order", "question", "wrong_number", "voicemail", "test", "abandoned"})
Sureness = Annotated[Decimal, Field(ge=0, le=1)]
Amount = Annotated[Decimal, Field(ge=0, lt=10**10, allow_inf_nan=False)]


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


class _Line(_Said):
    sku: Text | None = None
    description: Text | None = None
    quantity: Annotated[Decimal, Field(gt=0, lt=10**8, allow_inf_nan=False)]
    unit_price: Amount | None = None
    instructions: Text | None = None


class _Address(_Said):
    name: Text | None = None
    company: Text | None = None
    street: Text | None = None
    street2: Text | None = None
    city: Text | None = None
    region: Text | None = None
    postal_code: Text | None = None
    country: Text | None = None


class _Window(_Said):
    start: Text
    end: Text


class _Order(_Said):
    number: Name | None = None
    purchase_order: Name | None = None
    customer_id: Name | None = None
    customer_name: Text | None = None
    email: Text | None = None
    language: Text | None = None
    lines: Annotated[tuple[_Line, ...], Field(max_length=500)] = ()
    delivery_address: _Address | None = None
    pickup_location: Text | None = None
    delivery_window: _Window | None = None
    payment_terms: Text | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    total: Amount | None = None
    instructions: Text | None = None


class _Call(_Said):
    """What a host posts when a call has ended."""

    call_id: Name
    ended_at: Moment
    outcome: Name = "order"
    caller: Text | None = None
    """The caller's number, as the network showed it."""
    transcript: Annotated[str, Field(max_length=500_000)] = ""
    order: _Order | None = None
    confidence: Annotated[Mapping[str, Sureness], Field(max_length=2_000)] = {}
    """Our field (`lines[0].sku`, `delivery_address` …) → how sure the host is of it, 0 to 1."""


_CALL = TypeAdapter(_Call)


class AiPhoneSettings(BaseSettings):
    """`ORDERACK_SOURCE_<STORE>_AI_PHONE_…`"""

    secret: SecretStr = Field(
        description="signing secret, `whsec_` and base64 (Standard Webhooks); two with a comma to rotate"
    )

    @field_validator("secret")
    @classmethod
    def _readable(cls, secret: SecretStr) -> SecretStr:
        standard_webhooks.secrets_of(secret.get_secret_value())
        return secret


class AiPhone:
    """Takes calls that have ended."""

    name: ClassVar[str] = "ai_phone"
    traits: ClassVar[SourceTraits] = SourceTraits(kind=SourceKind.PHONE, max_body=MAX_BODY)

    def __init__(self, connection: Connection, settings: AiPhoneSettings, clock: Clock = utc_now) -> None:
        self.connection = connection
        self._clock = clock
        self._secrets = standard_webhooks.secrets_of(settings.secret.get_secret_value())

    async def verify(self, request: RawRequest) -> None:
        """Standard Webhooks, at most five minutes old."""
        standard_webhooks.verify(request, self._secrets, self._clock())

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """The one call of a post, as it came."""
        body = request.body.decode("utf-8", "replace")
        return [Delivery(id=hashlib.sha256(request.body).hexdigest(), topic="call", body=body, sent_at=self._clock())]

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """The order of a call, or why it holds none. Raises InvalidInput naming every field that is wrong."""
        tree_of(delivery.body, MAX_BODY)
        call = read(_CALL, delivery.body.encode("utf-8", "replace"))
        if call.order is None or call.outcome.casefold() in _NO_ORDER:
            return [Skipped(why=f"the call ended without an order ({line_of(call.outcome, 60)})")]
        now = delivery.sent_at or self._clock()
        if call.ended_at > now + timedelta(minutes=10):
            raise refuse("ended_at", "is in the future", "send when the call ended")
        return [self._snapshot(call, call.order)]

    async def aclose(self) -> None:
        """Nothing is open."""

    def _snapshot(self, call: _Call, said: _Order) -> Snapshot:
        phone = phone_of(call.caller, self.connection.country)
        number = said.number or f"CALL-{hashlib.sha256(call.call_id.encode()).hexdigest()[:12].upper()}"
        lines = [_line(place, line) for place, line in enumerate(said.lines)]
        goods = sum((line.quantity * (line.unit_price or 0) for line in said.lines), Decimal(0))
        total = said.total if said.total is not None else goods.quantize(minor_unit(said.currency), ROUND_HALF_UP)
        made: dict[str, object] = {
            "store": self.connection.store,
            "source": self.connection.source,
            "number": number,
            "purchase_order": name_of(said.purchase_order),
            "trigger_at": call.ended_at,
            "customer": {
                "id": name_of(said.customer_id) or guest_id(email_of(said.email) or phone, call.call_id),
                "name": line_of(said.customer_name),
            },
            "contacts": {
                "email": email_of(said.email),
                "phone": phone,
                "language": language_of(said.language, self.connection.language),
            },
            "currency": said.currency,
            "lines": lines,
            "totals": {"total": total},
            **self._delivery(said),
            "payment": {"terms": line_of(said.payment_terms), "status": "pending"},
            "instructions": prose_of(said.instructions),
            "doubts": self._doubts(call, said),
        }
        return Snapshot(external_id=call.call_id, at=call.ended_at, order=canonical(made, self.connection.system))

    def _delivery(self, said: _Order) -> Mapping[str, object]:
        window = None
        if said.delivery_window is not None:
            zone = self.connection.time_zone
            start, end = (moment_in(text, zone) for text in (said.delivery_window.start, said.delivery_window.end))
            if start is None or end is None:
                raise refuse("order.delivery_window", "is not two times", "send start and end as 2026-11-24T15:00")
            window = {"start": start, "end": end}
        if location := line_of(said.pickup_location):
            return {"pickup": {"location": location}, "delivery_window": window}
        if said.delivery_address is None:
            return {"delivery_window": window}
        address = address_of(otherwise=self.connection.country, **said.delivery_address.model_dump())
        return {"delivery_address": address, "delivery_window": window}

    def _doubts(self, call: _Call, said: _Order) -> list[Mapping[str, object]]:
        """Fields of which the host is less sure than the store demands, or says nothing of; and what is not there."""
        limit = Decimal(str(self.connection.sure_from))
        found = [
            (field, confidence, f"The phone host is {confidence} sure of what was said.")
            for field, confidence in call.confidence.items()
            if confidence < limit
        ]
        if not call.confidence:
            found.append(("order", Decimal(0), "The phone host does not say how sure it is of what was said."))
        unpriced = [place for place, line in enumerate(said.lines) if line.unit_price is None]
        found += [(f"lines[{place}].unit_price", Decimal(0), "No price was named in the call.") for place in unpriced]
        if not said.lines:
            found.append(("lines", Decimal(0), "No lines were named in the call."))
        if said.delivery_address is not None and said.pickup_location:
            found.append(("delivery", Decimal(0), "The call names a delivery and a pickup; the pickup was taken."))
        return [
            {"field": line_of(field, 200) or "order", "confidence": sure, "why": why}
            for field, sure, why in found[:100]
        ]


def _line(place: int, line: _Line) -> Mapping[str, object]:
    return {
        "line_id": str(place + 1),
        "sku": sku_of(line.sku, ("text", (line_of(line.description) or "")[:150])),
        "description": line_of(line.description) or "",
        "quantity": line.quantity,
        "unit_price": line.unit_price or Decimal(0),
        "instructions": prose_of(line.instructions),
    }


SOURCE: SourceSpec = SourceSpec(
    description="Orders that an AI phone host takes",
    obtain="The phone host: a tool or webhook at the call's end that posts the JSON of docs/sources/ai_phone.md; agree "
    "on a secret (openssl rand -base64 32, behind whsec_)",
    settings=AiPhoneSettings,
    adapter=AiPhone,
    make=lambda connection, prefix: AiPhone(connection, AiPhoneSettings(_env_prefix=prefix)),
    trigger="the call ends",
    webhook="At the phone host: post to this URL when a call has ended, signed (Standard Webhooks)",
    traps=(
        "A host that sends no confidence sends every order to a person.",
        "Caller ids can be forged: the number says who is called back, not who called.",
        "The transcript stays with the kept original; tell callers that it is written down where the law asks it.",
    ),
)
