"""What was told the buyer, written to the Shopify order: a metafield for each message, and a tag to find it by.

Shopify has no call that sends a buyer a mail (R191, mission.md 1d), and `orderUpdate(note:)` would overwrite the
shop's own note; so this is a record for the shop's people. Each send has a metafield of its own, named for it: to set
it again is the same send, and one that comes late overwrites no newer one.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.shopify import NAMESPACE, VALUE_BYTES, Admin, order_gid
from orderack.clients.wire import not_an_event
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.domain.order import Name
from orderack.domain.value import Value
from orderack.errors import BadSignature, Refused, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_SHOPIFY_NOTE_"
_SETTINGS = f"{_PREFIX}BASE_URL, _CLIENT_ID and _CLIENT_SECRET"


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
        self._admin = Admin(
            settings.base_url, settings.client_id, settings.client_secret, settings=_SETTINGS, clock=clock
        )

    async def send(self, message: Message) -> Sent:
        """Set the metafield and add the tag. The recipient is a role and not used; `provider_id`: the metafield's."""
        order = self._order(message)
        done = await self._admin.record(order, _name(message), _value(message), f"{NAMESPACE}-{message.kind}")
        return Sent(provider_id=done.id, detail="" if done.tagged else "written, and not tagged")

    async def check(self) -> str:
        """Sign in and ask for the shop's name. Whether the app may write shows only with the first record."""
        return await self._admin.check()

    def _order(self, message: Message) -> str:
        """The order's global id. Raises Refused where it has none in this shop, Unsupported without the order."""
        if message.order is None:
            raise Unsupported("order")
        system = self._settings.system
        known_as = next((one.id for one in message.order.external_ids if one.system == system), None)
        if known_as is None:
            raise Refused(f"the order has no id of {system}", Reason.NO_RECIPIENT, "no_external_id")
        if (found := order_gid(known_as)) is None:
            raise Refused(f"the order's id of {system} is none of Shopify's", Reason.BAD_RECIPIENT, "bad_external_id")
        return found

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
        await self._admin.aclose()


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
