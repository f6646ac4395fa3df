"""What a channel is asked for, and what it gives: messages out, events back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from pydantic import Field

from orderack.domain.acknowledgement import Audience, Kind, SendKey
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import Name, Text
from orderack.domain.value import Value


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


class Rendered(Value):
    """One canonical message in the shapes that channels need. `text` is always there."""

    subject: Text = ""
    text: str = Field(max_length=200_000)
    html: str | None = Field(default=None, max_length=500_000)
    sms: Text | None = None
    link: Text | None = None
    """The buyer's page for this message."""


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
    occurred_at: datetime
    basis: Text = ""
    raw: Text = ""
    sender: Text | None = None
    """The address an inbound message came from; without a key or an id it finds the message that is answered."""
    text: Text = ""
    """The buyer's own words, where the event is a reply."""
    machine: tuple[Name, ...] = ()
    """Why a touch counts as a machine's."""


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

    def verify(self, request: RawRequest) -> None:
        """Raise BadSignature unless the request proves it comes from the provider."""
        ...

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The events in a verified request. Raises InvalidInput when it is not one of the provider's."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...
