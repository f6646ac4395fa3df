"""What a channel is asked for, and what it gives: messages out, events back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Protocol, runtime_checkable

from pydantic import AfterValidator, AwareDatetime, Field

from orderack.domain.acknowledgement import Audience, Kind, SendKey
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import Name, Order, Text
from orderack.domain.value import Value


def _zoned(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Zoned = Annotated[datetime, AfterValidator(_zoned)]
"""A provider's time; one that names no zone is in UTC. Without any it compares with no other, and an event is lost."""


class Idempotency(StrEnum):
    """How a send in doubt is settled (reliability.md §4.1): A key, B lookup, C echo, D nothing."""

    KEY = "key"
    LOOKUP = "lookup"
    ECHO = "echo"
    NONE = "none"


class Medium(StrEnum):
    """What a rendered message looks like."""

    EMAIL = "email"
    SMS = "sms"
    CHAT = "chat"
    PAGE = "page"
    RECORD = "record"
    """A task, a note, a ticket or an event in another system."""


class Traits(Value):
    """Facts about a channel as data; the policy check and the activities read them."""

    medium: Medium
    audience: Audience
    address: Name
    """Which contact it needs: `email`, `phone`, `page`, or `chat:<platform>`."""
    evidence_ceiling: Grade
    idempotency: Idempotency
    max_length: int | None = None
    html: bool = False
    buttons: bool = False
    replies: bool = False
    """It brings what the buyer writes back: a keyword from the address a message went to affirms it (E5)."""
    rate_per_second: float = 10.0
    """Sends that the vendor takes in a second from one account; all workers together keep to it."""
    needs_order: bool = False
    """It keeps records, so `Message.order` is filled in."""
    key_lasts: timedelta | None = None
    """How long the vendor knows a key (`Idempotency.KEY`); None: for ever. An older doubt is not sent again."""
    window: timedelta | None = None
    """How long after the buyer's own last message (`Message.heard_at`) free words may be sent; None: always."""


class Rendered(Value):
    """One canonical message in the shapes that channels need. `text` is always there."""

    subject: Text = ""
    text: str = Field(max_length=200_000)
    html: str | None = Field(default=None, max_length=500_000)
    sms: Text | None = None
    chat: str | None = Field(default=None, max_length=2_000)
    """Plain text for a chat: everything that matters, at most 2,000 characters whatever the order's size."""
    statement: str = Field(default="", max_length=300)
    """The SMS's words on one line without the link and the request: what a template of a vendor's is filled with."""
    link: Text | None = None
    """The buyer's page for this message."""
    open_label: Text = "View your order"
    """What the link's button says, in the recipient's language."""
    affirm_label: Text = ""
    """What the button says by which the buyer affirms having it; empty: this message does not ask."""


class Message(Value):
    """What a channel is given to send; `key` is its identity and never changes between attempts."""

    key: SendKey
    recipient: Text
    """One address of the channel's kind, already checked."""
    kind: Kind
    language: Name
    content: Rendered
    status_url: Text | None = None
    """Where the provider should report delivery, where it takes such a URL per message."""
    order: Order | None = None
    """The revision itself, where `Traits.needs_order` asks for it (CRM, help desk, marketing events, storefront)."""
    sender_name: Text = ""
    """The store as its buyers know it."""
    heard_at: AwareDatetime | None = None
    """When the recipient last wrote to us by this channel (see `Traits.window`); None: never, as far as we know."""

    @property
    def key_text(self) -> str:
        return str(self.key)


class Sent(Value):
    """The provider accepted it."""

    provider_id: str | None = None
    detail: Text = ""


class RawRequest(Value):
    """An inbound request as it came: verification needs the raw bytes and the public URL."""

    method: Name = "POST"
    url: Text
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes


class ChannelEvent(Value):
    """What a provider reports about one message, translated. Unknown words keep `raw`."""

    id: Name
    event: EvidenceEvent
    grade: Grade | None
    key: Text | None = None
    """Our send key, where the provider gives it back; else `provider_id` finds it."""
    provider_id: Text | None = None
    occurred_at: Zoned
    basis: Text = ""
    raw: Text = ""
    sender: Text | None = None
    """The address an inbound message came from; without a key or an id it finds the message that is answered."""
    text: Text = ""
    """The buyer's own words, where the event is a reply."""
    machine: tuple[Name, ...] = ()
    """Why a touch counts as a machine's."""
    watermark: AwareDatetime | None = None
    """It is about every message sent to `sender` up to then, not about one (Messenger's read and delivery reports)."""


class Channel(Protocol):
    """One way to reach someone. `name` equals the file's name and is stored for ever."""

    name: ClassVar[str]
    traits: ClassVar[Traits]

    async def send(self, message: Message) -> Sent:
        """Send once. Raises Unavailable (not sent), InDoubt, Refused, Unsupported or Misconfigured."""
        ...

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Ask the provider whether it has this message (`Idempotency.LOOKUP` only); None: it has not."""
        ...

    async def verify(self, request: RawRequest) -> None:
        """Raise BadSignature unless the request proves it comes from the provider; Unavailable while its public keys
        cannot be fetched."""
        ...

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The events in a verified request. Raises InvalidInput when it is not one of the provider's."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...


class Greeting(Value):
    """What a provider is answered that only wants to know whether this URL is ours."""

    status: int = 200
    body: str = Field(default="", max_length=100_000)
    media_type: Name = "text/plain"


@runtime_checkable
class Greets(Protocol):
    """A channel whose provider tries the URL first (hub.challenge, url_verification, validationToken, SNS)."""

    async def greet(self, request: RawRequest) -> Greeting | None:
        """The answer to such a trial; None: it is none, so it is to be verified and read. Asked before `verify`,
        so it proves by itself whatever has to be proved. Raises BadSignature."""
        ...


@runtime_checkable
class Polls(Protocol):
    """A channel whose provider posts nothing (or a mere hint): its reports lie in a mailbox and are fetched."""

    async def poll(self, since: datetime) -> Sequence[ChannelEvent]:
        """What has come since then; the same report has the same id every time. Raises Unavailable, Misconfigured."""
        ...


@runtime_checkable
class Checks(Protocol):
    """A channel whose provider can be asked whether our settings are right, without sending anything."""

    async def check(self) -> str:
        """Ask; what it answered, in a few words and without a secret ("signed in as bot @fjordlight").

        Raises Misconfigured naming the setting that is wrong, or Unavailable.
        """
        ...
