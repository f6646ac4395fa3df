"""Tickets in Zendesk that the buyer gets by mail: Zendesk's own triggers send each public comment to the requester.

One ticket for each order and address; further messages are comments on it (`orderack.clients.zendesk`). A send in
doubt is looked up by our key in the ticket's audits. What the buyer answers comes back through a webhook that a
trigger calls, with a body of ours (docs/channels.md); its signature is Zendesk's own.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings

from orderack.clients.email_address import one_address
from orderack.clients.http import BaseUrl, Clock, utc_now
from orderack.clients.wire import Moment, read, same, within
from orderack.clients.zendesk import MAX_LENGTH, Entry, Zendesk, reader_tag
from orderack.domain.acknowledgement import Audience
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.replies import may_mean_the_order, opts_out
from orderack.errors import BadSignature, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_ZENDESK_"
WINDOW = timedelta(minutes=10)
"""Zendesk names no limit; a retried call is signed anew."""
SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"
EVENT = MappingProxyType({"comment": (EvidenceEvent.REPLIED, Grade.E4)})
"""The words of the trigger's body, which is ours."""
TRIGGER_BODY = """\
{
  "event": "comment",
  "ticket_id": "{{ticket.id}}",
  "author_email": "{{current_user.email}}",
  "text": "{{ticket.latest_public_comment}}",
  "at": "{{ticket.updated_at_with_timestamp}}"
}"""


class ZendeskSettings(BaseSettings):
    """`ORDERACK_ZENDESK_…`"""

    model_config = settings_config(_PREFIX)

    base_url: BaseUrl = Field(description="your account's address, https://<subdomain>.zendesk.com")
    email: str = Field(description="the agent who writes: the e-mail address the API token is used with")
    api_token: SecretStr = Field(description="an API token of the account")
    webhook_secret: SecretStr = Field(description="the webhook's signing secret")


class _Posted(BaseModel):
    model_config = ConfigDict(extra="ignore")

    event: str = Field(min_length=1, max_length=100)
    ticket_id: str = Field(pattern=r"^\d{1,20}$")
    author_email: str = Field(default="", max_length=254)
    text: str = Field(default="", max_length=70_000)
    at: Moment


_POSTED = TypeAdapter(_Posted)


class ZendeskTicket:
    """One public comment on the buyer's ticket for the order."""

    name: ClassVar[str] = "zendesk"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.RECORD,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E4,
        idempotency=Idempotency.LOOKUP,
        max_length=MAX_LENGTH,
        replies=True,
        rate_per_second=1.5,  # 200 requests a minute on the smallest plan, two for each send
        needs_order=True,
    )

    def __init__(self, settings: ZendeskSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._clock = clock
        login = (settings.email, settings.api_token.get_secret_value())
        self._desk = Zendesk(_PREFIX, settings.base_url, login, clock)

    async def send(self, message: Message) -> Sent:
        """A ticket, or a comment on the one the order has. `provider_id` is the ticket's id."""
        if len(message.content.text) > MAX_LENGTH:
            raise Unsupported("max_length")
        email = one_address(message.recipient)
        name = message.order.customer.name if message.order else None
        entry = Entry(
            key=message.key_text,
            reference=str(message.key.ref),
            subject=" ".join(message.content.subject.split()) or message.kind.value,
            text=message.content.text,
            public=True,
            reader_tag=reader_tag(email),
            requester={"name": name or email, "email": email},
        )
        return Sent(provider_id=await self._desk.put(entry))

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """The ticket of the order whose audits name our key."""
        found = await self._desk.find(str(message.key.ref), message.key_text)
        return Sent(provider_id=found) if found else None

    async def check(self) -> str:
        """Ask whose login it is."""
        return await self._desk.whoami()

    async def verify(self, request: RawRequest) -> None:
        """HMAC-SHA256 over timestamp and raw body, in base64 (developer.zendesk.com, "Verifying webhooks").

        An older page of Zendesk's has the body first, and its published example fits that order only.
        """
        timestamp = request.headers.get(TIMESTAMP, "")
        signed = timestamp.encode("utf-8", "replace") + request.body
        secret = self._settings.webhook_secret.get_secret_value().encode()
        expected = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        if not same(expected, request.headers.get(SIGNATURE, "")):
            raise BadSignature("the Zendesk signature does not fit")
        within(_epoch(timestamp), self._clock(), WINDOW)

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The one comment in the trigger's call. A call that comes again has the same body, and so the same id."""
        posted = read(_POSTED, request.body)
        meaning, grade = EVENT.get(posted.event, (EvidenceEvent.UNKNOWN, None))
        word = posted.event
        if meaning is EvidenceEvent.REPLIED and opts_out(posted.text) and not may_mean_the_order(posted.text):
            meaning, grade, word = EvidenceEvent.OPTED_OUT, None, "stop"
        return [
            ChannelEvent(
                id=hashlib.sha256(request.body).hexdigest(),
                event=meaning,
                grade=grade,
                provider_id=posted.ticket_id,
                occurred_at=posted.at,
                basis=f"{self.name}:{word}",
                raw=request.body.decode("utf-8", "replace")[:2_000],
                sender=posted.author_email or None,
                text=posted.text[:2_000] if meaning is EvidenceEvent.REPLIED else "",
            )
        ]

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._desk.aclose()


def _epoch(timestamp: str) -> str:
    """Zendesk's ISO time in seconds. Raises BadSignature."""
    try:
        at = datetime.fromisoformat(timestamp)
    except ValueError:
        raise BadSignature("the signature's timestamp is no time") from None
    if at.tzinfo is None:
        raise BadSignature("the signature's timestamp has no zone")
    return str(max(int(at.timestamp()), 0))


CHANNEL: ChannelSpec = ChannelSpec(
    description="Tickets in Zendesk that the buyer gets by mail, one for each order",
    obtain=(
        "Zendesk Admin Center: Apps and integrations > APIs > API tokens; Apps and integrations > Webhooks "
        "(signing secret)"
    ),
    settings=ZendeskSettings,
    make=lambda: ZendeskTicket(ZendeskSettings()),
    adapter=ZendeskTicket,
    webhook=(
        "A webhook (POST, JSON, no authentication), and a trigger that notifies it. Conditions: tags contain "
        f"`orderack`; ticket is updated; comment is public; current user is the end user. Body: `{TRIGGER_BODY}`"
    ),
    traps=(
        "Zendesk's triggers mail the requester: with an e-mail channel beside it for the same messages, the buyer "
        "is told everything twice. Choose one of the two.",
        'The standard trigger "Notify requester and CCs of received request" adds words of its own: leave out '
        'tickets tagged `orderack` there, and keep "Notify requester of new proactive ticket" and "of comment update".',
        "Zendesk keeps an idempotency key for two hours and for new tickets only, so a send in doubt is looked up "
        "in the ticket's audits. A comment is refused when the ticket changed since it was read.",
        "The body above uses Zendesk's documented placeholders; how Zendesk writes quotation marks in them was not "
        "tried on a live account. Try the trigger with a comment that has some.",
        "No one sees here whether Zendesk's mail arrived: acceptance proves the ticket, a reply proves the rest.",
    ),
)
