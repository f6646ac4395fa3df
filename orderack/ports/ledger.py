"""The record, as everyone but its own room sees it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from pydantic import AwareDatetime

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import Entry, Journal
from orderack.domain.acknowledgement import SendKey, SendOutcome, SendState
from orderack.domain.assessment import Assessment, Side
from orderack.domain.evidence import EvidenceFact, Provenance
from orderack.domain.order import Name, Order, OrderRef, Text
from orderack.domain.reachability import Reachability
from orderack.domain.value import Value
from orderack.ports.channel import Message
from orderack.ports.channel_book import ChannelBook, Pause, Reach, Terms
from orderack.ports.inbox_event import InboxEvent, Report
from orderack.ports.shadow_book import ShadowBook
from orderack.ports.source_book import SourceBook


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
    turn_at: datetime | None = None
    """When the channel's rate let it go out, or lets it."""


class Reported(Value):
    """A send that somebody reports on, and every fact that is known of its message so far, by whichever channel."""

    send: StoredSend
    facts: tuple[EvidenceFact, ...]


class ClaimResult(Value):
    """`mine`: we hold the lease and may send. Otherwise `send` says why not (finished, or leased to another)."""

    mine: bool
    first: bool
    """No attempt was ever made before: nothing can be in doubt."""
    send: StoredSend
    paused: Pause | None = None
    reach: Reach = Reach()
    held: bool = False
    """Its channel was paused or marked down when it was tried before: it waited, and not for want of patience."""
    turn_at: datetime | None = None
    """The turn that was taken with the claim; see `ChannelBook.turn`."""


UNSAID = Provenance()
"""The provider's own report, and nothing more is known of it."""


class EvidenceRecord(Value):
    """One fact as the ledger holds it: with its origin and the raw event, if that has not been erased."""

    fact: EvidenceFact
    provenance: Provenance
    recorded_at: datetime
    raw: str | None
    raw_sha256: Name


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
    side: Side = Side.LIVE


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


class PastAsked(Value):
    """Of which past an assessment asks."""

    store: Name
    customer_id: Name | None
    since: datetime
    """Of the customer's orders."""
    fingerprint: Name
    alike_since: datetime
    erp: Name | None
    latencies: int = 500
    """At most so many."""
    shadow: bool = False
    """Latencies of shadow orders, from their assessment on: the old flow submits them. Else of live ones alone."""


class Past(Value):
    """What is found of it, the latest first."""

    orders: tuple[PastOrder, ...] = ()
    """The customer's, of this store."""
    alike: tuple[PastOrder, ...] = ()
    """Of the same fingerprint, over all stores."""
    latencies: tuple[float, ...] = ()
    """Seconds from submission to receipt of this ERP's receipts."""
    queue_depth: int = 0
    """Orders of the store that are accepted and neither handed off nor ended."""


class ReachAsked(Value):
    """Of whose messages, and as of when."""

    store: Name
    customer_id: Name | None
    email: Text | None = None
    """Stands for the customer where the store has no id for them."""
    now: AwareDatetime
    addresses: Mapping[str, str] = {}
    """Channel → SHA-256 of the address that is written to next (`orderack.domain.address`), where it is known:
    else the one that was written to last may have opted out."""


class Ledger(ChannelBook, ShadowBook, SourceBook, Protocol):
    """The record (DESIGN §9). Every write is keyed and may be repeated."""

    async def save_revision(self, stored: StoredRevision, fingerprint: str, journal: Journal) -> StoredRevision | None:
        """Store a revision and its journal in one transaction; the first writer of (order, revision) wins.

        The revision that stands: this one, or the first writer's; None where that has been erased.
        """
        ...

    async def revision(self, ref: OrderRef, revision: int) -> StoredRevision | None: ...

    async def write(self, journal: Journal) -> None:
        """Append the journal's entries (unique by order and seq) and update the order's standing."""
        ...

    async def write_and_read(self, journal: Journal, revisions: Collection[int]) -> Mapping[int, StoredRevision]:
        """Write the journal and read these revisions of its order, as far as they are there, in one transaction."""
        ...

    async def claim(
        self, key: SendKey, message: Message, now: datetime, lease: timedelta, terms: Terms | None = None
    ) -> ClaimResult:
        """Claim a send (BEGIN IMMEDIATE / row lock). Stores the message on the first claim.

        A finished send, or one leased to another attempt, is returned with `mine` false; an expired lease is taken.
        With `terms` a claim that is mine also tells whether the channel is paused and what is known of the address,
        and takes its turn, if it has one and nothing is in its way: no doubt, no pause, no opt-out.
        """
        ...

    async def finish(self, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
        """Record how the send ended. An accepted send stays accepted whatever comes later."""
        ...

    async def doubt(self, key: SendKey, detail: str, now: datetime, until: datetime) -> None:
        """Mark the claimed send as in doubt: we were cut off after it may have gone out. The attempt is over, so its
        claim is held until then only, not for its whole lease."""
        ...

    async def send(self, key: str) -> StoredSend | None: ...

    async def sends(self, ref: OrderRef) -> Sequence[StoredSend]: ...

    async def reported(self, key: str | None, channel: str, provider_id: str | None) -> Reported | None:
        """The send with this key; where there is none, the latest that this channel's provider knows by its id."""
        ...

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
        self,
        source: str,
        external_id: str,
        kind: str,
        ref: OrderRef | None,
        body: str,
        now: datetime,
        report: Report | None = None,
    ) -> InboxEvent:
        """Record an inbound event once. A repeat returns the first row (compare `body` to see a collision).

        `report`: what a new event proves of a message of order `ref` is recorded in the same transaction.
        """
        ...

    async def announced(self, event_id: int, outcome: str, now: datetime, ref: OrderRef | None = None) -> None:
        """Mark the event as announced; the first outcome stands. `ref`: whose it turned out to be."""
        ...

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

    async def past(self, asked: PastAsked) -> Past:
        """What an assessment asks of the past, in one look."""
        ...

    async def reachability(self, asked: ReachAsked) -> Reachability:
        """What became of the newest messages to this customer, by channel; an empty one where there were none."""
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
