"""What the product asks of the world outside: channels, ERPs. Adapters implement, activities and gateway call."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Protocol

from pydantic import Field

from orderack.contracts.activities import Facts, HandOffRequest
from orderack.contracts.journal import Entry, Journal
from orderack.domain.acknowledgement import Audience, Kind, SendKey, SendOutcome, SendState
from orderack.domain.assessment import Assessment
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade, Provenance
from orderack.domain.order import Line, Name, Order, OrderRef, Text
from orderack.domain.receipt import ErpReceipt, StockVerdict
from orderack.domain.store import StoreProfile, TouchRules
from orderack.domain.value import Value
from orderack.outbox import Outbox
from orderack.touches import GradedTouch, SettledTouch, Touch


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


class Stock(Value):
    """What the ERP says is available for one line, now."""

    line_id: Name
    verdict: StockVerdict
    available: Decimal | None = None
    expected_on: date | None = None


class Booking(Value):
    """The ERP's answer to a submission: taken, perhaps booked and answered for at once."""

    document_id: Name | None = None
    receipt: ErpReceipt | None = None


class Erp(Protocol):
    """One ERP. `name` is its key in the policy."""

    name: str

    async def submit(self, order: Order, revision: int) -> Booking:
        """Book the order's revision once, whatever happens twice (external id). Raises the four fates or InDoubt."""
        ...

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        """The receipt of this revision, if the ERP has booked it and answered for its stock."""
        ...

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        """Tell it that the order is off. False: it does not know the order."""
        ...

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        """Live stock per line."""
        ...

    def verify(self, request: RawRequest) -> None:
        """Raise BadSignature unless the request proves it comes from this ERP."""
        ...

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        """The receipts in a verified request. Raises InvalidInput."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...


class StoredRevision(Value):
    """One revision as the ledger holds it."""

    order: Order
    revision: int
    content_hash: Name
    assessment: Assessment
    explanation: str = ""
    """JSON: every input of the promise date, flags and decision, for `explain`."""


class StoredSend(Value):
    """One send's row: the bytes as rendered once, and how it stands."""

    key: Text
    identity: SendKey
    channel: Name
    state: SendState
    provider_id: Text | None = None
    reason: Text = ""
    detail: Text = ""
    body_sha256: Name
    message_json: str
    """The `Message` exactly as first rendered: a retry sends these bytes and no others."""
    attempts: int
    claimed_at: datetime
    lease_until: datetime
    in_doubt_since: datetime | None = None


class ClaimResult(Value):
    """`mine`: we hold the lease and may send. Otherwise `send` says why not (finished, or leased to another)."""

    mine: bool
    first: bool
    """No attempt was ever made before: nothing can be in doubt."""
    send: StoredSend


UNSAID = Provenance()
"""The provider's own report, and nothing more is known of it."""


class EvidenceRecord(Value):
    """One fact as the ledger holds it: with its origin and the raw event, if that has not been erased."""

    fact: EvidenceFact
    provenance: Provenance
    recorded_at: datetime
    raw: str | None
    raw_sha256: Name


class InboxEvent(Value):
    """An inbound event as recorded: once per (source, external_id), announced once."""

    id: int
    source: Name
    external_id: Name
    kind: Name
    ref: OrderRef | None
    body: str
    received_at: datetime
    announced_at: datetime | None
    outcome: Text = ""


class OrderRow(Value):
    """An order's standing in the ledger."""

    ref: OrderRef
    source: Name
    customer_id: Name | None
    stage: Name
    revision: int
    owner: Name | None
    next_due_at: datetime | None
    total: Decimal
    currency: Name
    trigger_at: datetime
    updated_at: datetime


class PastOrder(Value):
    """What earlier orders tell an assessment."""

    ref: OrderRef
    trigger_at: datetime
    total: Decimal
    currency: Name
    fingerprint: Name
    """Same buyer, same lines: see `orderack.domain.flags.fingerprint`."""
    quantities: Mapping[str, Decimal]
    """Quantity per sku."""


class Ledger(Protocol):
    """The record (DESIGN §9). Every write is keyed and may be repeated."""

    async def save_revision(self, stored: StoredRevision, fingerprint: str, journal: Journal) -> None:
        """Store a revision and its journal in one transaction; the first writer of (order, revision) wins."""
        ...

    async def revision(self, ref: OrderRef, revision: int) -> StoredRevision | None: ...

    async def write(self, journal: Journal) -> None:
        """Append the journal's entries (unique by order and seq) and update the order's standing."""
        ...

    async def claim(self, key: SendKey, message: Message, now: datetime, lease: timedelta) -> ClaimResult:
        """Claim a send (BEGIN IMMEDIATE / row lock). Stores the message on the first claim.

        A finished send, or one leased to another attempt, is returned with `mine` false; an expired lease is taken.
        """
        ...

    async def finish(self, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
        """Record how the send ended. An accepted send stays accepted whatever comes later."""
        ...

    async def doubt(self, key: SendKey, detail: str, now: datetime) -> None:
        """Mark the claimed send as in doubt: we were cut off after it may have gone out."""
        ...

    async def send(self, key: str) -> StoredSend | None: ...

    async def sends(self, ref: OrderRef) -> Sequence[StoredSend]: ...

    async def send_by_provider_id(self, channel: str, provider_id: str) -> StoredSend | None: ...

    async def sends_to(self, channel: str, recipient_sha256: str, since: datetime) -> Sequence[StoredSend]:
        """Sends by this channel to this address (`orderack.domain.address`) claimed since then, the latest first."""
        ...

    async def record_evidence(
        self, ref: OrderRef, fact: EvidenceFact, raw: str, provenance: Provenance = UNSAID
    ) -> bool:
        """Append one fact; False when its id was known. A delivery of a send in doubt settles it as accepted."""
        ...

    async def evidence(self, ref: OrderRef) -> Sequence[EvidenceFact]: ...

    async def evidence_records(self, ref: OrderRef) -> Sequence[EvidenceRecord]:
        """Every fact about the order with its origin, in the order in which it was recorded."""
        ...

    async def receive(
        self, source: str, external_id: str, kind: str, ref: OrderRef | None, body: str, now: datetime
    ) -> InboxEvent:
        """Record an inbound event once. A repeat returns the first row (compare `body` to see a collision)."""
        ...

    async def announced(self, event_id: int, outcome: str, now: datetime) -> None: ...

    async def unannounced(
        self, before: datetime, limit: int = 100, *, after: int = 0, ref: OrderRef | None = None
    ) -> Sequence[InboxEvent]:
        """Events received before then and never announced, oldest first: those after this id, of this order."""
        ...

    async def received(self, source: str, prefix: str, limit: int = 20) -> Sequence[InboxEvent]:
        """Inbound events of this source whose hexadecimal id begins so, announced or not, the newest first."""
        ...

    async def links_revoked_at(self, ref: OrderRef) -> datetime | None:
        """From when on links to the buyer's page of this order count; None: all of them do."""
        ...

    async def revoke_links(self, ref: OrderRef, now: datetime) -> bool:
        """Let no link to the buyer's page count that was made up to now. False: there is no such order."""
        ...

    async def offer_handoff(self, request: HandOffRequest, now: datetime) -> str:
        """Store the offered handoff (unique by order and revision); returns its id."""
        ...

    async def past_orders(self, store: str, customer_id: str, since: datetime) -> Sequence[PastOrder]: ...

    async def orders_by_fingerprint(self, fingerprint: str, since: datetime) -> Sequence[PastOrder]: ...

    async def receipt_latencies(self, erp: str, limit: int = 500) -> Sequence[float]:
        """Seconds from submission to ERP receipt of the latest receipts of this ERP."""
        ...

    async def queue_depth(self, store: str) -> int:
        """Orders of the store that are accepted and neither handed off nor ended."""
        ...

    async def order(self, ref: OrderRef) -> OrderRow | None: ...

    async def find(self, text: str, limit: int = 20) -> Sequence[OrderRow]:
        """Orders by any id (ours, external, ERP document, customer), e-mail address or phone number."""
        ...

    async def orders(
        self, stage: str | None = None, store: str | None = None, limit: int = 100
    ) -> Sequence[OrderRow]: ...

    async def entries(self, ref: OrderRef) -> Sequence[Entry]: ...

    async def ping(self) -> None:
        """Raise Unavailable when the database does not answer."""
        ...

    async def aclose(self) -> None: ...


class TouchBook(Protocol):
    """Touches of messages: counted as they come, graded once settled, their addresses forgotten in time."""

    async def record_touches(self, found: Sequence[Touch]) -> int:
        """Count them, like ones together; those of a message we don't hold are dropped. How many were counted."""
        ...

    async def settled_touches(self, before: datetime, limit: int = 100) -> Sequence[SettledTouch]:
        """Touches that first came before then and have no verdict yet, oldest first."""
        ...

    async def grade_touch(self, graded: GradedTouch, now: datetime) -> InboxEvent | None:
        """Write the verdict, its fact and, if it is news, the event to be announced: all of it once, or nothing."""
        ...

    async def forget_touches(self, before: datetime) -> int:
        """Drop whose touch it was (address, user agent, headers, raw event) from graded ones last seen before then."""
        ...


class GatewayLedger(Ledger, Outbox, TouchBook, Protocol):
    """All that the gateway asks of the record."""


class MessageLinks(Value):
    """The links of one message, bound to it and to its recipient."""

    page_url: Text = ""
    page_link: Text = ""
    shop_link: Text = ""
    pixel_url: Text = ""
    honeypot_url: Text = ""

    def under(self, rules: TouchRules) -> "MessageLinks":
        """Those that the message may carry; the page's own address always."""
        off: tuple[str, ...] = () if rules.links else ("page_link", "shop_link", "honeypot_url")
        off += () if rules.pixel else ("pixel_url",)
        return self.model_copy(update=dict.fromkeys(off, ""))


class Content(Value):
    """The canonical content of one acknowledgement, before it takes a channel's shape."""

    kind: Kind
    language: Name
    store: StoreProfile
    order: Order
    revision: int
    assessment: Assessment
    facts: Facts
    previous: Order | None = None
    """The last confirmed revision's order, when this message shows what changed."""
    page_url: Text
    """The buyer's page for this order."""
    page_link: Text = ""
    """The same by a tracked link; empty: not tracked."""
    shop_link: Text = ""
    """The store's own site by a tracked link; empty: not tracked."""
    pixel_url: Text = ""
    """The open pixel; empty: none."""
    honeypot_url: Text = ""
    """A link that no person sees; empty: none."""
    takes_replies: bool = False
    """What the buyer writes back on this channel reaches us."""


class Renderer(Protocol):
    """Turns content into words. Raises Misconfigured when a wording is missing or breaks the guard."""

    def render(self, content: Content) -> Rendered: ...
