"""E-mail from a teammate in Intercom to a contact that Intercom knows.

Messages have no idempotency key, and no conversation exists before the contact answers (commerce.md §7), so there is
nothing to look a send in doubt up by: a person settles it, or the policy. Notifications are signed with SHA-1 over the
raw body and carry no time; their ids catch replays.
"""

import hashlib
import hmac
import html
from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import ClassVar

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings

from orderack.clients.email_address import one_address
from orderack.clients.http import BaseUrl, Clock, utc_now
from orderack.clients.intercom import IntercomApi
from orderack.clients.reply_text import plain
from orderack.clients.wire import read, same
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.replies import may_mean_the_order, opts_out
from orderack.errors import BadSignature, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_INTERCOM_"
SIGNATURE = "x-hub-signature"

TOPIC = MappingProxyType(
    {
        "conversation.user.replied": (EvidenceEvent.REPLIED, Grade.E4),
        "contact.unsubscribed": (EvidenceEvent.OPTED_OUT, None),
        "contact.subscribed": (EvidenceEvent.OPTED_IN, None),
        # Intercom's own test of the URL
        "ping": (EvidenceEvent.UNKNOWN, None),
    }
)
REFUSED_CODE = MappingProxyType({"parameter_invalid": Reason.CONTENT, "parameter_not_found": Reason.CONTENT})
STARTED_BY_US = "admin_initiated"
CONTACT_AUTHORS = frozenset({"user", "lead", "contact"})


class IntercomSettings(BaseSettings):
    """`ORDERACK_INTERCOM_…`"""

    model_config = settings_config(_PREFIX)

    access_token: SecretStr = Field(description="the app's access token for this workspace")
    client_secret: SecretStr = Field(description="the app's client secret; it signs notifications")
    admin_id: int = Field(description="id of the teammate who writes")
    base_url: BaseUrl = Field(
        default="https://api.intercom.io", description="https://api.eu.intercom.io or api.au for those regions"
    )


class _Contact(BaseModel):
    id: str = ""
    role: str = "user"
    email: str | None = None
    unsubscribed_from_emails: bool = False
    marked_email_as_spam: bool = False
    has_hard_bounced: bool = False


class _Contacts(BaseModel):
    data: tuple[_Contact, ...]


class _Created(BaseModel):
    id: str = Field(min_length=1)


class _Author(BaseModel):
    type: str = ""
    email: str | None = Field(default=None, max_length=254)


class _Part(BaseModel):
    body: str | None = Field(default=None, max_length=200_000)
    author: _Author = _Author()


class _Parts(BaseModel):
    conversation_parts: tuple[_Part, ...] = ()


class _Source(BaseModel):
    id: str = ""
    delivered_as: str = ""


class _Item(_Contact):
    """A conversation, a contact, or a contact beside its subscriptions: only what is read here."""

    contact: _Contact | None = None
    source: _Source = _Source()
    conversation_parts: _Parts = _Parts()

    @property
    def address(self) -> str | None:
        """The contact's, wherever this topic keeps it."""
        return self.contact.email if self.contact else self.email

    @property
    def last_word(self) -> _Part:
        """What the contact wrote last."""
        theirs = [part for part in self.conversation_parts.conversation_parts if part.author.type in CONTACT_AUTHORS]
        return theirs[-1] if theirs else _Part()


class _Data(BaseModel):
    item: _Item


class _Notification(BaseModel):
    id: str = Field(min_length=1, max_length=150)
    topic: str = Field(min_length=1, max_length=100)
    created_at: int = Field(ge=0, le=253_402_300_799)
    data: _Data


_NOTIFICATION = TypeAdapter(_Notification)


class Intercom:
    """One message to one contact."""

    name: ClassVar[str] = "intercom"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.EMAIL,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E4,
        idempotency=Idempotency.NONE,
        replies=True,
        rate_per_second=20.0,
    )

    def __init__(self, settings: IntercomSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._api = IntercomApi(_PREFIX, settings.base_url, settings.access_token, clock)

    async def send(self, message: Message) -> Sent:
        """Find the contact by its address, and write to it. `provider_id` is the message's id."""
        contact = await self._contact(one_address(message.recipient))
        response = await self._api.write("/messages", self._mail(message, contact))
        if response.is_success:
            return Sent(provider_id=self._api.writes.read(_Created, response).id)
        raise self._refusal(response)

    async def _contact(self, email: str) -> _Contact:
        """The contact of this address, a user before a lead. Raises Refused where none may be written to."""
        query: JsonValue = {"query": {"field": "email", "operator": "=", "value": email}}
        found = self._api.reads.read(_Contacts, await self._api.ask("/contacts/search", query)).data
        if not found:
            raise Refused("Intercom knows no contact of this address", Reason.NO_RECIPIENT, "no_contact")
        contact = min(found, key=lambda one: (one.role != "user", one.id))
        for barred, reason, code in (
            (contact.unsubscribed_from_emails, Reason.OPTED_OUT, "unsubscribed_from_emails"),
            (contact.marked_email_as_spam, Reason.BLOCKED, "marked_email_as_spam"),
            (contact.has_hard_bounced, Reason.BAD_RECIPIENT, "has_hard_bounced"),
        ):
            if barred:
                raise Refused(f"Intercom does not mail this contact ({code})", reason, code)
        return contact

    def _mail(self, message: Message, contact: _Contact) -> JsonValue:
        return {
            "message_type": "email",
            "subject": " ".join(message.content.subject.split()) or message.kind.value,
            "body": _paragraphs(message.content.text),
            "template": "plain",
            "from": {"type": "admin", "id": self._settings.admin_id},
            "to": {"type": "lead" if contact.role == "lead" else "user", "id": contact.id},
        }

    def _refusal(self, response: httpx.Response) -> Unavailable | Refused:
        """What a 4xx means for us. Intercom's sentences are dropped: they may repeat the contact's address."""
        if response.status_code == httpx.codes.NOT_FOUND:  # documented: for a while after a contact was made
            return Unavailable("Intercom cannot write to this contact yet (404)")
        code = self._api.mended(response)
        word = f"{response.status_code} {code}".strip()
        return Refused(f"Intercom refused the message ({word})", REFUSED_CODE.get(code, Reason.OTHER), word)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """There is no conversation to be found before the contact answers."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """Ask whose token it is."""
        return await self._api.whoami()

    async def verify(self, request: RawRequest) -> None:
        """HMAC-SHA1 over the raw body with the client secret, as `sha1=` and hex."""
        secret = self._settings.client_secret.get_secret_value().encode()
        mac = hmac.digest(secret, request.body, hashlib.sha1).hex()
        if not same(f"sha1={mac}", request.headers.get(SIGNATURE, "")):
            raise BadSignature("the Intercom signature does not fit")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The one thing that a notification tells of. A notification that comes again has the same id."""
        told = read(_NOTIFICATION, request.body)
        item, word = told.data.item, told.topic
        meaning, grade = TOPIC.get(told.topic, (EvidenceEvent.UNKNOWN, None))
        sender, text, provider_id = item.address, "", None
        if meaning is EvidenceEvent.REPLIED:
            said = item.last_word
            text = plain(said.body or "").strip()[:2_000]
            # whoever begins a conversation in the store's chat window may call itself by any address
            answers = item.source.delivered_as == STARTED_BY_US
            sender, provider_id = (said.author.email, item.source.id) if answers else (None, None)
            if opts_out(text) and not may_mean_the_order(text):
                meaning, grade, word, text = EvidenceEvent.OPTED_OUT, None, "stop", ""
        return [
            ChannelEvent(
                id=told.id,
                event=meaning,
                grade=grade,
                provider_id=provider_id or None,
                occurred_at=datetime.fromtimestamp(told.created_at, UTC),
                basis=f"{self.name}:{word}",
                raw=request.body.decode("utf-8", "replace")[:2_000],
                sender=sender or None,
                text=text,
            )
        ]

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._api.aclose()


def _paragraphs(text: str) -> str:
    """Plain text as the HTML that Intercom takes a body for: nothing in it is markup, and every line stays one."""
    parts = (html.escape(part, quote=False).replace("\n", "<br>") for part in text.strip().split("\n\n"))
    return "".join(f"<p>{part}</p>" for part in parts)


CHANNEL: ChannelSpec = ChannelSpec(
    description="E-mail from a teammate in Intercom",
    obtain=(
        "Intercom Developer Hub, your app: Authentication (access token), Basic information (client secret); "
        "the teammate's id stands in the address of their page under Settings > Teammates"
    ),
    settings=IntercomSettings,
    make=lambda: Intercom(IntercomSettings()),
    adapter=Intercom,
    webhook=(
        "Developer Hub, your app, Webhooks: this URL, with the topics conversation.user.replied, contact.unsubscribed "
        "and contact.subscribed. Intercom tries the URL at once."
    ),
    traps=(
        "Only a contact that Intercom knows can be written to, and we make none: an unknown address is refused, so "
        "give the policy a fallback.",
        "A contact made a moment ago answers 404 for some minutes; such a message is tried again.",
        "Nothing settles a send in doubt: there is no key, and no conversation to be found before the contact answers.",
        "The teammate's id goes out as a number, as Intercom's description has it; its examples show text.",
    ),
)
