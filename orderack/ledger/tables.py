"""The ledger's tables (DESIGN §9). A class is a table and bears its name in the plural; a change needs a migration.

Content that holds buyers' data (`Revisions.content`, `Sends.message`, `Evidence.raw`, `Inbox.body`) stands in columns
of its own beside its SHA-256, so that it can be erased later while every hash and proof stays.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKeyConstraint, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from orderack.ledger.columns import Moment, Money, Words

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMES))):
    """The base of every table; its metadata is the ledger's schema."""


def _of_order() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["store", "number"], ["orders.store", "orders.number"])


class Orders(Table, table=True):
    """One order's standing. Made by the first word about it, so the content may still be missing."""

    __tablename__ = "orders"
    __table_args__ = (
        Index("ix_orders_customer", "store", "customer_id", "trigger_at"),
        Index("ix_orders_fingerprint", "fingerprint", "trigger_at"),
        Index("ix_orders_stage", "store", "stage"),
    )

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True, index=True)
    received_at: datetime = Field(sa_type=Moment)
    """When the ledger first heard of it."""
    updated_at: datetime = Field(sa_type=Moment)
    # Standing: from the journal with the highest seq.
    stage: str = Field(sa_type=Words)
    revision: int
    owner: str | None = Field(default=None, sa_type=Words)
    next_due_at: datetime | None = Field(default=None, sa_type=Moment, index=True)
    next_clock: str | None = Field(default=None, sa_type=Words)
    """Which clock `next_due_at` is of; empty where the order's last word came before this was told."""
    journal_seq: int = 0
    """The highest seq in the timeline."""
    # Content: from the highest revision stored.
    content_revision: int = 0
    source: str | None = Field(default=None, sa_type=Words)
    trigger_at: datetime | None = Field(default=None, sa_type=Moment)
    customer_id: str | None = Field(default=None, sa_type=Words)
    email: str | None = Field(default=None, sa_type=Words, index=True)
    """Case-folded."""
    phone: str | None = Field(default=None, sa_type=Words, index=True)
    """Digits only."""
    currency: str | None = Field(default=None, sa_type=Words)
    total: Decimal | None = Field(default=None, sa_type=Money)
    fingerprint: str | None = Field(default=None, sa_type=Words)
    quantities: str = Field(default="{}", sa_type=Words)
    """JSON: quantity per sku."""
    # The audit chain's head: the row lock on it is what keeps the chain from forking.
    chain_length: int = 0
    chain_head: str = Field(default="", sa_type=Words)
    side: str | None = Field(default=None, sa_type=Words)
    """`shadow`: nothing of it leaves the house. From its first revision, for ever; empty: live, or not assessed yet."""
    links_revoked_at: datetime | None = Field(default=None, sa_type=Moment)
    """Links to the buyer's page that were made before then are no longer valid."""


class OrderIds(Table, table=True):
    """The order's id in another system: its source's, a marketplace's, the ERP's document."""

    __tablename__ = "order_ids"
    __table_args__ = (_of_order(),)

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    system: str = Field(sa_type=Words, primary_key=True)
    id: str = Field(sa_type=Words, primary_key=True, index=True)


class Revisions(Table, table=True):
    """One revision's content and what was found when it was assessed."""

    __tablename__ = "revisions"
    __table_args__ = (_of_order(), Index("ix_revisions_receipts", "erp", "erp_receipt_at"))

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    revision: int = Field(primary_key=True)
    recorded_at: datetime = Field(sa_type=Moment)
    content_hash: str = Field(sa_type=Words)
    """The domain's: over what was agreed."""
    content: str | None = Field(default=None, sa_type=Words)
    """JSON of the `Order`."""
    content_sha256: str = Field(sa_type=Words)
    assessment: str = Field(sa_type=Words)
    explanation: str = Field(sa_type=Words)
    fingerprint: str = Field(sa_type=Words)
    erp: str | None = Field(default=None, sa_type=Words)
    submitted_to_erp_at: datetime | None = Field(default=None, sa_type=Moment)
    erp_receipt_at: datetime | None = Field(default=None, sa_type=Moment)


class Acknowledgements(Table, table=True):
    """One message to someone, over whichever channels; from its sends and their evidence."""

    __tablename__ = "acknowledgements"
    __table_args__ = (_of_order(),)

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    revision: int = Field(primary_key=True)
    kind: str = Field(sa_type=Words, primary_key=True)
    n: int = Field(primary_key=True)
    first_claimed_at: datetime = Field(sa_type=Moment)
    out_at: datetime | None = Field(default=None, sa_type=Moment)
    """When the first channel accepted it."""
    grade: str | None = Field(default=None, sa_type=Words)
    """The strongest evidence so far."""
    # Three columns, never one flag (mission.md §4): see `orderack.domain.proof`.
    receipt_at: datetime | None = Field(default=None, sa_type=Moment)
    receipt_basis: str | None = Field(default=None, sa_type=Words)
    reading_at: datetime | None = Field(default=None, sa_type=Moment)
    reading_basis: str | None = Field(default=None, sa_type=Words)
    assent: str | None = Field(default=None, sa_type=Words)
    """`assented` or `declined`: the buyer's last word."""
    assent_at: datetime | None = Field(default=None, sa_type=Moment)
    assent_basis: str | None = Field(default=None, sa_type=Words)


class Sends(Table, table=True):
    """One acknowledgement over one channel: the claim, the bytes, the end (reliability.md §4.2)."""

    __tablename__ = "sends"
    __table_args__ = (
        _of_order(),
        UniqueConstraint("key"),
        Index("ix_sends_provider_id", "channel", "provider_id"),
        Index("ix_sends_recipient", "channel", "recipient_sha256", "claimed_at"),
        Index("ix_sends_health", "channel", "state", "finished_at"),
    )

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    revision: int = Field(primary_key=True)
    kind: str = Field(sa_type=Words, primary_key=True)
    n: int = Field(primary_key=True)
    channel: str = Field(sa_type=Words, primary_key=True)
    key: str = Field(sa_type=Words)
    state: str = Field(sa_type=Words, index=True)
    provider_id: str | None = Field(default=None, sa_type=Words)
    reason: str = Field(default="", sa_type=Words)
    detail: str = Field(default="", sa_type=Words)
    message: str | None = Field(default=None, sa_type=Words)
    """JSON of the `Message`, as first rendered."""
    message_sha256: str = Field(sa_type=Words)
    recipient_sha256: str | None = Field(default=None, sa_type=Words)
    """Of the recipient's address, so that a reply finds what it answers; gone when personal data is erased."""
    attempts: int
    claimed_at: datetime = Field(sa_type=Moment)
    lease_until: datetime = Field(sa_type=Moment)
    in_doubt_since: datetime | None = Field(default=None, sa_type=Moment)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)
    turn_at: datetime | None = Field(default=None, sa_type=Moment)
    """When the channel's rate lets it go out."""


class Reaches(Table, table=True):
    """One address on one channel: whether it may be written to, and when it last wrote to us. Only its hash is kept."""

    __tablename__ = "reaches"

    channel: str = Field(sa_type=Words, primary_key=True)
    address_sha256: str = Field(sa_type=Words, primary_key=True)
    heard_at: datetime | None = Field(default=None, sa_type=Moment)
    opted_out_at: datetime | None = Field(default=None, sa_type=Moment)
    opted_in_at: datetime | None = Field(default=None, sa_type=Moment)
    basis: str = Field(default="", sa_type=Words)


class Pauses(Table, table=True):
    """A channel or an ERP that an operator has paused, or that was marked down; resuming it removes the row."""

    __tablename__ = "pauses"

    channel: str = Field(sa_type=Words, primary_key=True)
    at: datetime = Field(sa_type=Moment)
    by: str = Field(sa_type=Words)
    reason: str = Field(default="", sa_type=Words)
    probe_at: datetime | None = Field(default=None, sa_type=Moment)
    """Marked down by its own errors: one attempt may be made from then on. Empty: paused by hand, nothing is tried."""


class Lanes(Table, table=True):
    """A channel's turns as one store takes them; the row without a store is the channel's own."""

    __tablename__ = "lanes"

    channel: str = Field(sa_type=Words, primary_key=True)
    store: str = Field(sa_type=Words, primary_key=True)
    next_at: datetime = Field(sa_type=Moment)
    """The first turn that is free."""
    asked_at: datetime = Field(sa_type=Moment)


class Evidence(Table, table=True):
    """One graded fact about one acknowledgement, and the provider's own words for it."""

    __tablename__ = "evidence"
    __table_args__ = (_of_order(), UniqueConstraint("channel", "event_id"), Index(None, "store", "number"))

    id: int | None = Field(default=None, primary_key=True)
    store: str = Field(sa_type=Words)
    number: str = Field(sa_type=Words)
    channel: str = Field(sa_type=Words)
    event_id: str = Field(sa_type=Words)
    event: str = Field(sa_type=Words)
    grade: str = Field(sa_type=Words)
    revision: int
    kind: str = Field(sa_type=Words)
    n: int
    occurred_at: datetime = Field(sa_type=Moment)
    recorded_at: datetime = Field(sa_type=Moment)
    basis: str = Field(sa_type=Words)
    raw: str | None = Field(default=None, sa_type=Words)
    raw_sha256: str = Field(sa_type=Words)
    form: int = 1
    """Which columns the audit chain vouches for: 1 those above, 2 these as well."""
    content_sha256: str | None = Field(default=None, sa_type=Words)
    """Of the message as it was sent."""
    recipient_role: str | None = Field(default=None, sa_type=Words)
    actor: str | None = Field(default=None, sa_type=Words)
    assurance: str | None = Field(default=None, sa_type=Words)
    verified: bool | None = None
    """The report's signature was checked and held."""
    machine: str | None = Field(default=None, sa_type=Words)
    """JSON list: why the touch was judged a machine's."""


class Touches(Table, table=True):
    """An image or a link of a message was fetched. Like fetches are one row with a count; graded once settled."""

    __tablename__ = "touches"
    __table_args__ = (_of_order(), Index(None, "graded_at", "first_at"), Index(None, "store", "number"))

    id: str = Field(sa_type=Words, primary_key=True)
    """SHA-256 over the send's key, what was touched, method, address and user agent."""
    store: str = Field(sa_type=Words)
    number: str = Field(sa_type=Words)
    send_key: str = Field(sa_type=Words)
    what: str = Field(sa_type=Words)
    """`pixel`, `page`, `shop` or `honeypot`."""
    method: str = Field(sa_type=Words)
    address: str | None = Field(default=None, sa_type=Words)
    """The client's IP address; dropped after a while, the verdict stays."""
    user_agent: str | None = Field(default=None, sa_type=Words)
    """Dropped with the address."""
    headers: str | None = Field(default=None, sa_type=Words)
    """JSON of the few other headers that a verdict can rest on; dropped with the address."""
    first_at: datetime = Field(sa_type=Moment)
    last_at: datetime = Field(sa_type=Moment)
    count: int = 1
    graded_at: datetime | None = Field(default=None, sa_type=Moment)
    grade: str | None = Field(default=None, sa_type=Words)
    reasons: str = Field(default="[]", sa_type=Words)
    """JSON list: why it was judged a machine's; empty for a person's."""


class Outbox(Table, table=True):
    """An event for others, written in the transaction of what it tells (no PII in it)."""

    __tablename__ = "outbox"
    __table_args__ = (_of_order(), UniqueConstraint("event_id"), Index(None, "fanned_out_at", "id"))

    id: int | None = Field(default=None, primary_key=True)
    event_id: str = Field(sa_type=Words)
    type: str = Field(sa_type=Words)
    store: str = Field(sa_type=Words)
    number: str = Field(sa_type=Words)
    body: str = Field(sa_type=Words)
    """JSON, exactly as it is posted and signed."""
    created_at: datetime = Field(sa_type=Moment)
    fanned_out_at: datetime | None = Field(default=None, sa_type=Moment)


class Deliveries(Table, table=True):
    """One event to one endpoint: attempts, and how it ended (`delivered`, `dead`), or when it is tried next."""

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "state", "next_at"),)

    event_id: str = Field(sa_type=Words, primary_key=True)
    endpoint: str = Field(sa_type=Words, primary_key=True)
    state: str = Field(sa_type=Words)
    attempts: int = 0
    next_at: datetime | None = Field(default=None, sa_type=Moment)
    last_at: datetime | None = Field(default=None, sa_type=Moment)
    last_answer: str = Field(default="", sa_type=Words)
    """The HTTP status, or why there was none. Never a body."""


class Erasures(Table, table=True):
    """Personal data of an order was erased: when, by whom, and why. Content is gone, hashes stay."""

    __tablename__ = "erasures"
    __table_args__ = (_of_order(),)

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    erased_at: datetime = Field(sa_type=Moment, primary_key=True)
    by: str = Field(sa_type=Words)
    reason: str = Field(sa_type=Words)


class Inbox(Table, table=True):
    """An inbound event: recorded once, announced once. It may name an order that the ledger does not know yet."""

    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("source", "external_id"), Index(None, "announced_at", "received_at"))

    id: int | None = Field(default=None, primary_key=True)
    source: str = Field(sa_type=Words)
    external_id: str = Field(sa_type=Words)
    kind: str = Field(sa_type=Words)
    store: str | None = Field(default=None, sa_type=Words)
    number: str | None = Field(default=None, sa_type=Words)
    body: str = Field(sa_type=Words)
    received_at: datetime = Field(sa_type=Moment)
    announced_at: datetime | None = Field(default=None, sa_type=Moment)
    outcome: str = Field(default="", sa_type=Words)


class Reviews(Table, table=True):
    """A person's decision, asked for and given; `seq` is that of the entry which opened it."""

    __tablename__ = "reviews"
    __table_args__ = (_of_order(),)

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    seq: int = Field(primary_key=True)
    revision: int
    opened_at: datetime = Field(sa_type=Moment)
    owner: str | None = Field(default=None, sa_type=Words)
    why: str = Field(sa_type=Words)
    decided_at: datetime | None = Field(default=None, sa_type=Moment)
    decided_by: str | None = Field(default=None, sa_type=Words)
    verdict: str = Field(default="", sa_type=Words)


class Handoffs(Table, table=True):
    """A confirmed revision offered to the team that does the work, and its acceptance."""

    __tablename__ = "handoffs"
    __table_args__ = (_of_order(), UniqueConstraint("store", "number", "revision"))

    id: str = Field(sa_type=Words, primary_key=True)
    store: str = Field(sa_type=Words)
    number: str = Field(sa_type=Words)
    revision: int
    content_hash: str = Field(sa_type=Words)
    team: str = Field(sa_type=Words)
    owner: str | None = Field(default=None, sa_type=Words)
    document_id: str | None = Field(default=None, sa_type=Words)
    answers: str = Field(sa_type=Words)
    """JSON of the line answers."""
    offered_at: datetime = Field(sa_type=Moment)
    accepted_at: datetime | None = Field(default=None, sa_type=Moment)
    accepted_by: str | None = Field(default=None, sa_type=Words)


class Deadlines(Table, table=True):
    """One promised clock. Breached and met later both stand; neither, and not stopped: it runs."""

    __tablename__ = "deadlines"
    __table_args__ = (_of_order(), Index(None, "clock", "due_at"))

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    clock: str = Field(sa_type=Words, primary_key=True)
    due_at: datetime = Field(sa_type=Moment, primary_key=True)
    owner: str | None = Field(default=None, sa_type=Words)
    started_at: datetime | None = Field(default=None, sa_type=Moment)
    met_at: datetime | None = Field(default=None, sa_type=Moment)
    breached_at: datetime | None = Field(default=None, sa_type=Moment)
    stopped_at: datetime | None = Field(default=None, sa_type=Moment)


class Timeline(Table, table=True):
    """The journal's entries, as the workflow told them."""

    __tablename__ = "timeline"
    __table_args__ = (_of_order(),)

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    seq: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Moment)
    event: str = Field(sa_type=Words)
    revision: int
    note: str = Field(sa_type=Words)
    clock: str | None = Field(default=None, sa_type=Words)
    due_at: datetime | None = Field(default=None, sa_type=Moment)
    owner: str | None = Field(default=None, sa_type=Words)


class Audit(Table, table=True):
    """The order's chain, append only: each row vouches for one fact and for every row before it."""

    __tablename__ = "audit"
    __table_args__ = (_of_order(),)

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    position: int = Field(primary_key=True)
    recorded_at: datetime = Field(sa_type=Moment)
    subject: str = Field(sa_type=Words)
    """Which fact: see `orderack.ledger.audit.SUBJECTS`."""
    subject_id: str = Field(sa_type=Words)
    content_hash: str = Field(sa_type=Words)
    prev_hash: str = Field(sa_type=Words)
    hash: str = Field(sa_type=Words)
