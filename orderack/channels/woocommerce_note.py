"""A private note on the WooCommerce order: what was told the buyer stands where the shop's people look.

Never a customer note: WooCommerce would mail it to the buyer, who would hear the same thing twice (R192). Notes have
no idempotency key (commerce.md §9), so the last line of each names its send, and a doubt is settled by reading them.
"""

import hashlib
import html
import json
import re
from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, Http, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import not_an_event, scrub
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.domain.order import Name
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_WOOCOMMERCE_NOTE_"
NOTE_BYTES = 65_535
"""A note is a WordPress comment: a TEXT column, and a lenient database cuts what is longer without a word."""

REFUSED_CODE = MappingProxyType(
    {
        "woocommerce_rest_shop_order_invalid_id": Reason.BAD_RECIPIENT,
        "woocommerce_rest_order_invalid_id": Reason.BAD_RECIPIENT,
        "woocommerce_rest_invalid_id": Reason.BAD_RECIPIENT,
        "rest_missing_callback_param": Reason.CONTENT,
        "rest_invalid_param": Reason.CONTENT,
        "rest_invalid_json": Reason.CONTENT,
    }
)
"""WordPress's words for no, under whatever status."""
REFUSED_STATUS = MappingProxyType({413: Reason.TOO_LONG})

_ORDER_ID = re.compile(r"[0-9]{1,20}")


class WoocommerceNoteSettings(BaseSettings):
    """`ORDERACK_WOOCOMMERCE_NOTE_…`"""

    model_config = settings_config(_PREFIX)

    base_url: SecureUrl = Field(description="the shop's address, e.g. https://shop.example.com; not its /wp-json")
    consumer_key: SecretStr = Field(description="consumer key (ck_…) of a REST API key with read and write")
    consumer_secret: SecretStr = Field(description="its consumer secret (cs_…)")
    system: Name = Field(
        default="woocommerce", description="the name under which orders carry this shop's order id in `external_ids`"
    )


class _Note(BaseModel):
    id: int
    note: str
    customer_note: Literal[False]
    """True would have been mailed to the buyer."""


class _Found(BaseModel):
    id: int
    note: str = ""


class _Problem(BaseModel):
    code: str = ""


class _Id(BaseModel):
    model_config = ConfigDict(strict=True)

    id: int


_NOTES = TypeAdapter(tuple[_Found, ...])
_ORDERS = TypeAdapter(tuple[_Id, ...])


class WoocommerceNote:
    """One private note on one order of one shop."""

    name: ClassVar[str] = "woocommerce_note"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.RECORD,
        audience=Audience.INTERNAL,
        address="chat:woocommerce_note",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.LOOKUP,
        max_length=NOTE_BYTES,
        rate_per_second=2.0,
        needs_order=True,
    )

    def __init__(self, settings: WoocommerceNoteSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http("WooCommerce", settings.base_url, clock=clock)
        self._reading = Http("WooCommerce", settings.base_url, repeatable=True, clock=clock)

    async def send(self, message: Message) -> Sent:
        """POST …/orders/{id}/notes. The recipient is a role and not used; `provider_id`: `order/note`."""
        order, note = self._order_id(message), _note(message)
        response = await self._http.send(
            "POST",
            _path(order),
            content=json.dumps({"note": note, "customer_note": False}, separators=(",", ":")).encode(),
            headers={"Content-Type": "application/json"},
            auth=self._login(),
        )
        if response.is_success:
            return Sent(provider_id=f"{order}/{self._http.read(_Note, response).id}")
        raise self._no(response)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Read the order's private notes (WooCommerce gives them all at once) for the one that ends in our line."""
        order = self._order_id(message)
        response = await self._reading.send("GET", f"{_path(order)}?type=internal", auth=self._login())
        if not response.is_success:
            raise self._no(response)
        try:
            notes = _NOTES.validate_json(response.content)
        except ValidationError:
            raise Unavailable("WooCommerce answered with notes that cannot be read") from None
        found = next((note.id for note in notes if note.note.rstrip().endswith(_marker(message))), None)
        return None if found is None else Sent(provider_id=f"{order}/{found}")

    async def check(self) -> str:
        """Read one order's id. Whether the key may write shows only with the first note."""
        response = await self._reading.send("GET", "/wp-json/wc/v3/orders?per_page=1&_fields=id", auth=self._login())
        if not response.is_success:
            raise Misconfigured(f"{self._no(response)}: check {_PREFIX}BASE_URL, _CONSUMER_KEY and _CONSUMER_SECRET")
        try:
            _ORDERS.validate_json(response.content)
        except ValidationError:
            raise Misconfigured(f"no WooCommerce shop answers: check {_PREFIX}BASE_URL") from None
        return "the shop's orders can be read; whether the key may write shows with the first note"

    def _login(self) -> tuple[str, str]:
        own = self._settings
        return own.consumer_key.get_secret_value(), own.consumer_secret.get_secret_value()

    def _order_id(self, message: Message) -> str:
        """The order's id in this shop. Raises Refused where it has none, Unsupported without the order."""
        if message.order is None:
            raise Unsupported("order")
        system = self._settings.system
        order = next((one.id for one in message.order.external_ids if one.system == system), None)
        if order is None:
            raise Refused(f"the order has no id of {system}", Reason.NO_RECIPIENT, "no_external_id")
        if not _ORDER_ID.fullmatch(order):
            raise Refused(f"the order's id of {system} is no number", Reason.BAD_RECIPIENT, "bad_external_id")
        return order

    def _no(self, response: httpx.Response) -> Refused | InDoubt:
        """A refusal in our words. Raises Misconfigured where the key or the address is at fault."""
        word = _code(response)
        if word not in REFUSED_CODE:
            self._http.ours_to_mend(response, f"{_PREFIX}BASE_URL, _CONSUMER_KEY and _CONSUMER_SECRET")
        if not response.is_client_error:
            return InDoubt(f"WooCommerce answered {response.status_code}, which it does not document")
        code = f"{response.status_code} {word}".strip()
        reason = REFUSED_CODE.get(word) or REFUSED_STATUS.get(response.status_code, Reason.OTHER)
        return Refused(f"WooCommerce refused the note ({code})", reason, code)

    async def verify(self, request: RawRequest) -> None:
        """WooCommerce reports nothing of notes, so no request can be genuine."""
        raise BadSignature("woocommerce_note has no webhook")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """WooCommerce reports nothing of notes."""
        raise not_an_event("body", "woocommerce_note has no webhook", "send the shop's order webhooks to /intake")

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._http.aclose()
        await self._reading.aclose()


def _path(order: str) -> str:
    return f"/wp-json/wc/v3/orders/{order}/notes"


def _marker(message: Message) -> str:
    """Our line: short, and the same for the same send for ever."""
    return f"orderack {hashlib.sha256(message.key_text.encode()).hexdigest()[:16]}"


def _note(message: Message) -> str:
    """Subject, text and our line, escaped: WooCommerce shows notes as HTML. The short text where the whole is too long.

    Raises Unsupported where neither fits.
    """
    content = message.content
    for text in (content.text, content.chat):
        if text is None:
            continue
        parts = [part for part in (content.subject, text) if part]
        note = "\n\n".join([*(html.escape(part, quote=False) for part in parts), _marker(message)])
        if len(note.encode()) <= NOTE_BYTES:
            return note
    raise Unsupported("max_length")


def _code(response: httpx.Response) -> str:
    """WordPress's `code`: its `message` is dropped, for it may repeat what was sent."""
    try:
        return scrub(_Problem.model_validate_json(response.content).code)
    except ValidationError:
        return ""


CHANNEL: ChannelSpec = ChannelSpec(
    description="Private notes on WooCommerce orders",
    obtain="The shop's admin: WooCommerce > Settings > Advanced > REST API > Add key, with read and write",
    settings=WoocommerceNoteSettings,
    make=lambda: WoocommerceNote(WoocommerceNoteSettings()),
    adapter=WoocommerceNote,
    traps=(
        "The note is private: a customer note would make WooCommerce mail the buyer, who would hear the same twice.",
        "It tells the shop's people, never the buyer; it can stand beside a channel to the buyer, not instead of one.",
        "It serves the orders that carry this shop's order id in `external_ids`; others are refused (no_recipient).",
        "One shop per installation: WooCommerce keys are a shop's own, so a second shop needs a second installation, "
        "and SYSTEM must name the shop whose ids they are, or a note lands on another shop's order of that number.",
    ),
)
