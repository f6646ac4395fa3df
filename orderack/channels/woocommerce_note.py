"""A private note on the WooCommerce order: what was told the buyer stands where the shop's people look.

Never a customer note: WooCommerce would mail it to the buyer, who would hear the same thing twice (R192). Notes have
no idempotency key (commerce.md §9), so the last line of each names its send, and a doubt is settled by reading them.
"""

import hashlib
import html
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import not_an_event
from orderack.clients.woocommerce import NOTE_BYTES, Shop, is_order_id
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.domain.order import Name
from orderack.errors import BadSignature, Refused, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_WOOCOMMERCE_NOTE_"
_SETTINGS = f"{_PREFIX}BASE_URL, _CONSUMER_KEY and _CONSUMER_SECRET"


class WoocommerceNoteSettings(BaseSettings):
    """`ORDERACK_WOOCOMMERCE_NOTE_…`"""

    model_config = settings_config(_PREFIX)

    base_url: SecureUrl = Field(description="the shop's address, e.g. https://shop.example.com; not its /wp-json")
    consumer_key: SecretStr = Field(description="consumer key (ck_…) of a REST API key with read and write")
    consumer_secret: SecretStr = Field(description="its consumer secret (cs_…)")
    system: Name = Field(
        default="woocommerce", description="the name under which orders carry this shop's order id in `external_ids`"
    )


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
        self._shop = Shop(
            settings.base_url, settings.consumer_key, settings.consumer_secret, settings=_SETTINGS, clock=clock
        )

    async def send(self, message: Message) -> Sent:
        """POST …/orders/{id}/notes. The recipient is a role and not used; `provider_id`: `order/note`."""
        order = self._order_id(message)
        return Sent(provider_id=f"{order}/{await self._shop.note(order, _note(message))}")

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Read the order's private notes for the one that ends in our line."""
        order = self._order_id(message)
        found = await self._shop.noted(order, _marker(message))
        return None if found is None else Sent(provider_id=f"{order}/{found}")

    async def check(self) -> str:
        """Read one order's id. Whether the key may write shows only with the first note."""
        return await self._shop.check()

    def _order_id(self, message: Message) -> str:
        """The order's id in this shop. Raises Refused where it has none, Unsupported without the order."""
        if message.order is None:
            raise Unsupported("order")
        system = self._settings.system
        order = next((one.id for one in message.order.external_ids if one.system == system), None)
        if order is None:
            raise Refused(f"the order has no id of {system}", Reason.NO_RECIPIENT, "no_external_id")
        if not is_order_id(order):
            raise Refused(f"the order's id of {system} is no number", Reason.BAD_RECIPIENT, "bad_external_id")
        return order

    async def verify(self, request: RawRequest) -> None:
        """WooCommerce reports nothing of notes, so no request can be genuine."""
        raise BadSignature("woocommerce_note has no webhook")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """WooCommerce reports nothing of notes."""
        raise not_an_event("body", "woocommerce_note has no webhook", "send the shop's order webhooks to /intake")

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._shop.aclose()


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
