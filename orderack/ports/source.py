"""What a source is asked for: orders in, as they stand there, and our answer back."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import AwareDatetime, Field

from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import AnswerCall
from orderack.domain.order import Name, Order, Text
from orderack.domain.response import LineAnswer
from orderack.domain.source import Answered, AnswerKey, AnswerStage
from orderack.domain.value import Value
from orderack.ports.channel import Greeting, RawRequest


class SourceKind(StrEnum):
    STOREFRONT = "storefront"
    MARKETPLACE = "marketplace"
    EDI = "edi"
    EMAIL = "email"
    FORM = "form"
    """A web form, a portal, a till: JSON of somebody's own making."""
    CRM = "crm"
    PHONE = "phone"


class Connection(Value):
    """One store's account at one system, as the policy names it. Its secrets are settings of its own."""

    store: Name
    system: Name
    source: Name
    """The row of the policy that its orders have: what `Order.source` says."""
    country: Name = "US"
    """The store's (ISO 3166-1 alpha-2): where an address says none, and for phone numbers without a prefix."""
    time_zone: Name = "UTC"
    """For times that the system writes without a zone, where its documentation says that they are the shop's."""
    language: Name = "en"
    """For buyers of whom the system does not say it."""
    fields: Mapping[str, str] = {}
    """A field that the shop added (its name there, in any case) → ours: `sources.reading.FIELDS`."""
    sure_from: float = Field(default=0.8, ge=0, le=1)
    """What is read from prose with less confidence than this is looked at by a person."""
    partners: Mapping[str, Mapping[str, object]] = {}
    """Trading partners by our name, as the policy has them (EDI reads its own profile from each)."""

    def __str__(self) -> str:
        return f"{self.store}/{self.system}"


class Delivery(Value):
    """What came in one piece, as it is kept: a webhook's body, one order of a feed, one e-mail, one interchange."""

    id: Name
    """Its own at this connection: the same one twice is one delivery. At most 200 characters."""
    topic: Name = "order"
    """What the system calls it (`orders/updated`), where that is not in the body."""
    body: str = Field(max_length=16 * 1024 * 1024)
    """As it came. What is not text is in base64, as the adapter decides."""
    sent_at: AwareDatetime | None = None
    """When the system says that it happened or was sent; None: it does not say."""


class Standing(StrEnum):
    """How an order stands at its source."""

    OPEN = "open"
    CANCELLED = "cancelled"
    NOT_YET = "not_yet"
    """A draft, a cart, a payment that has not been authorised: to be heard of again when it is an order."""


class Snapshot(Value):
    """An order as it stands at its source, whole. What changed, and whether anything did, is for others to find out."""

    external_id: Name
    """The system's own id of the order, unique for ever."""
    at: AwareDatetime
    """When it came to stand so, by the system's clock: an older snapshot never takes the place of a newer one."""
    order: Order
    standing: Standing = Standing.OPEN
    reason: Text = ""
    """Why it was cancelled, in the system's words."""
    upon: Name | None = None
    """The content (`Order.content_hash`) that this is a change of, where the source told the change alone: taken only
    while that is what we last took."""


class Hint(Value):
    """Something happened to that order; what it is now has to be fetched."""

    external_id: Name


class Skipped(Value):
    """Nothing for us, and why: a test order, a ping, another kind of object."""

    why: Text


Reading = Snapshot | Hint | Skipped


class SourceTraits(Value):
    """Facts about a source as data."""

    kind: SourceKind
    pushes: bool = True
    """It sends to `/intake/{store}/{system}`."""
    answer: AnswerCall | None = None
    answers: frozenset[AnswerStage] = frozenset()
    """The stages that it takes an answer to."""
    answer_within: timedelta | None = None
    """The partner's own clock, from the order's time there."""
    poll_every: timedelta | None = None
    """How often it is asked unless the policy says otherwise; None: it cannot be asked, or need not be."""
    max_body: int = 1024 * 1024
    """Bytes of a request that it sends."""


class SourceAnswer(Value):
    """What we tell the system of an order that came from it."""

    key: AnswerKey
    order: Order
    external_id: Name
    lines: tuple[LineAnswer, ...] = ()
    """One for every line of the order, once the ERP has booked it or a person has rejected it."""
    document_id: Name | None = None
    promise_on: date | None = None
    reason: Text = ""
    page_url: Text = ""
    """The order's page, for people of the shop."""
    told: tuple[Kind, ...] = ()
    reference: Text = ""
    """Of the earlier call, where that one is pending."""
    now: AwareDatetime


class Source(Protocol):
    """One connection to one system. `name` equals the file's name and is stored for ever."""

    name: ClassVar[str]
    traits: ClassVar[SourceTraits]
    connection: Connection

    async def verify(self, request: RawRequest) -> None:
        """Raise BadSignature unless the request proves it comes from the system; Unavailable while a key cannot be
        fetched."""
        ...

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """What is in a verified request, to be recorded before anything is made of it; empty for a mere ping.

        Takes anything: a body that cannot be read is a delivery that cannot be read, and is kept as such. Changes
        nothing of the source's: a large body is taken apart in a thread beside the others.
        """
        ...

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """What a delivery says. Raises InvalidInput naming every field that is wrong: the delivery is kept, refused.

        Pure where the delivery holds it all. Raises Unavailable where something has to be asked for and is not there.
        """
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...


@runtime_checkable
class Fetches(Protocol):
    """A source that can be asked for an order: what its hints need."""

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        """How the order stands now; Skipped where there is no such order. Raises Unavailable, Misconfigured."""
        ...


class Looked(Value):
    """What one look brought."""

    deliveries: tuple[Delivery, ...]
    cursor: str = Field(max_length=4_000)
    """Where the next look begins; stored once these are recorded."""
    more: bool = False
    """There is more now: look again at once."""


@runtime_checkable
class Looks(Protocol):
    """A source that is polled: it posts nothing, or it may have dropped something."""

    async def look(self, cursor: str, now: datetime) -> Looked:
        """What has come or changed since the cursor (empty: since a sensible beginning). The same order in the same
        state has the same delivery id. Raises Unavailable, Misconfigured."""
        ...


@runtime_checkable
class Answers(Protocol):
    """A source that is told what became of its orders (`SourceTraits.answer`)."""

    async def answer(self, answer: SourceAnswer) -> Answered:
        """Tell it once, however often this is called: asked again, it looks first, or the partner makes it one.

        Raises the four fates, or InDoubt where nobody can tell whether it was taken: it is asked again then.
        """
        ...


@runtime_checkable
class Responds(Protocol):
    """A source that is owed an answer in the very response (EDI's 997)."""

    async def respond(self, request: RawRequest, recorded: Sequence[Delivery]) -> Greeting:
        """What the sender of this verified request is answered. `recorded`: its deliveries as they stand in our record.

        The record may have had one of that id before, with other content.
        """
        ...


class Stands(Value):
    """An order as we last took it from a source."""

    order: Order
    content_hash: Name
    """Of what we last took; a person may have amended the order since."""
    at: AwareDatetime


class Given(Value):
    """A number that was given to one thing and is never given to another."""

    number: int
    at: AwareDatetime
    """When it was given."""


class Memory(Protocol):
    """What is in the record of one connection, for a source whose deliveries make sense only beside earlier ones."""

    async def order(self, external_id: str) -> Stands | None:
        """The order as it stands; None: we never took it. Raises Unavailable while its last change is on its way."""
        ...

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """What was recorded first under this id; None too where it has been erased."""
        ...

    async def number(self, purpose: str, series: str, first: int = 1) -> Given:
        """A number for this purpose: asked again, the same one.

        Those of a series follow each other without a gap, whoever asks at once and whatever dies meanwhile. `first`
        is the lowest that may be given from now on: others have been used where no record of ours is.
        """
        ...


@runtime_checkable
class Recalls(Protocol):
    """A source that needs such a memory (EDI: an 860 says what changes, and no control number is used twice)."""

    def recall(self, memory: Memory) -> None:
        """Keep it. Called once, before anything else is asked of the source."""
        ...
