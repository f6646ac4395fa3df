"""One message that is marked as a test, sent by one channel. No order stands behind it, and the ledger is not asked."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import uuid4

from orderack.domain.acknowledgement import Kind, SendKey
from orderack.domain.order import Contacts, Customer, ExternalId, Name, Text
from orderack.domain.value import Value
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Refused, Unavailable, Unsupported
from orderack.messages import MessageRenderer
from orderack.messages.samples import samples
from orderack.ports import Channel, Message, Rendered, Traits

STORE = "test"
CHAT_LIMIT = 2_000
BANNER: Mapping[str, str] = MappingProxyType(
    {
        "en": "TEST: no order stands behind this message.",
        "de": "TEST: Hinter dieser Nachricht steht keine Bestellung.",
        "fr": "TEST : aucune commande ne correspond à ce message.",
        "es": "PRUEBA: no hay ningún pedido detrás de este mensaje.",
    }
)
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)


class Fate(StrEnum):
    """How a send ends: the provider has it, or one of the four fates of `orderack.errors`, or nobody knows."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    MISCONFIGURED = "misconfigured"
    UNAVAILABLE = "unavailable"
    IN_DOUBT = "in doubt"


_FATES: tuple[tuple[type[OrderAckError], Fate], ...] = (
    (Refused, Fate.REFUSED),
    (Unsupported, Fate.UNSUPPORTED),
    (Misconfigured, Fate.MISCONFIGURED),
    (Unavailable, Fate.UNAVAILABLE),
    (InDoubt, Fate.IN_DOUBT),
)


class Tried(Value):
    """How the one send ended."""

    channel: Name
    key: Text
    kind: Kind
    fate: Fate
    provider_id: str | None = None
    reason: Text = ""
    code: Text = ""
    detail: Text = ""


class Wanted(Value):
    """What is to be tried."""

    to: Text
    kind: Kind
    language: Name
    on: ExternalId | None = None
    """An order in another system for the channels that write on one."""


def trial(name: str, traits: Traits, wanted: Wanted, renderer: MessageRenderer, url: str) -> Message:
    """A made-up order's message to this address, marked as a test in every shape. Raises Misconfigured."""
    to, kind, language = wanted.to, wanted.kind, wanted.language
    content = next(samples(kind, language))
    number = f"TEST-{datetime.now(UTC):%Y%m%d}-{uuid4().hex[:8]}"
    order = content.order.model_copy(
        update={
            "store": STORE,
            "number": number,
            "customer": Customer(name="Test"),
            "contacts": _contacts(to, language),
            "external_ids": (wanted.on,) if wanted.on else (),
        }
    )
    content = content.model_copy(update={"order": order, "takes_replies": False})
    return Message(
        key=SendKey(ref=order.ref, revision=content.revision, kind=kind, n=1, channel=name),
        recipient=to,
        kind=kind,
        language=language,
        content=marked(renderer.render(content), language),
        status_url=f"{url.rstrip('/')}/webhooks/{name}",
        order=order if traits.needs_order else None,
        sender_name=content.store.display_name,
    )


def marked(rendered: Rendered, language: str) -> Rendered:
    """The message with the banner above each of its shapes, and nothing to affirm."""
    banner = BANNER.get(language.partition("-")[0].lower(), BANNER["en"])
    word = banner.partition(":")[0].strip()
    return rendered.model_copy(
        update={
            "subject": f"[{word}] {rendered.subject}",
            "text": f"{banner}\n\n{rendered.text}",
            "html": _html(rendered.html, banner),
            "sms": f"{word}: {rendered.sms}" if rendered.sms else None,
            "chat": _shortened(f"{banner}\n\n{rendered.chat}") if rendered.chat else None,
            "affirm_label": "",
        }
    )


async def tried(channel: Channel, message: Message) -> Tried:
    """Send once. Never raises what a channel may raise: that is the answer."""
    result = Tried(channel=channel.name, key=message.key_text, kind=message.kind, fate=Fate.ACCEPTED)
    try:
        sent = await channel.send(message)
    except OrderAckError as error:
        fate = next((fate for kind, fate in _FATES if isinstance(error, kind)), None)
        if fate is None:
            raise
        reason, code = (error.reason.value, error.code) if isinstance(error, Refused) else ("", "")
        return result.model_copy(update={"fate": fate, "reason": reason, "code": code, "detail": str(error)})
    return result.model_copy(update={"provider_id": sent.provider_id, "detail": sent.detail})


def _contacts(to: str, language: str) -> Contacts:
    """The buyer of the made-up order has this address and no other."""
    email = to if "@" in to and len(to) <= 254 else None
    phone = to if to.startswith("+") and len(to) <= 32 else None
    return Contacts(email=email, phone=phone, language=language)


def _html(html: str | None, banner: str) -> str | None:
    if html is None:
        return None
    line = f'<p style="margin:0;padding:12px;background:#fff3cd;color:#5c4400;font-weight:bold">{banner}</p>'
    begins = _BODY.search(html)
    place = begins.end() if begins else 0
    return html[:place] + line + html[place:]


def _shortened(text: str) -> str:
    return text if len(text) <= CHAT_LIMIT else f"{text[: CHAT_LIMIT - 1]}…"
