"""The ledger's tables of the shadow run; see `orderack.ledger.tables`."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Index
from sqlmodel import Field

from orderack.ledger.columns import Moment, Money, Words
from orderack.ledger.tables import Table


class ShadowMessages(Table, table=True):
    """What would have gone out by one channel. `subject` and `text` are the buyer's data, and erased with it."""

    __tablename__ = "shadow_messages"
    __table_args__ = (Index(None, "store", "number"),)

    key: str = Field(sa_type=Words, primary_key=True)
    store: str = Field(sa_type=Words)
    number: str = Field(sa_type=Words)
    revision: int
    kind: str = Field(sa_type=Words)
    n: int
    channel: str = Field(sa_type=Words)
    audience: str = Field(sa_type=Words)
    role: str = Field(sa_type=Words)
    at: datetime = Field(sa_type=Moment)
    """When it would have gone out."""
    recipient_sha256: str | None = Field(default=None, sa_type=Words)
    message_sha256: str = Field(sa_type=Words)
    subject: str | None = Field(default=None, sa_type=Words)
    text: str | None = Field(default=None, sa_type=Words)
    total: Decimal | None = Field(default=None, sa_type=Money)
    currency: str | None = Field(default=None, sa_type=Words)
    lines: int | None = None
    promise_on: date | None = None
    document_id: str | None = Field(default=None, sa_type=Words)


class ShadowActs(Table, table=True):
    """What else a live order would have done outside: an ERP's call, an answer to a source, a handoff."""

    __tablename__ = "shadow_acts"

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    revision: int = Field(primary_key=True)
    kind: str = Field(sa_type=Words, primary_key=True)
    detail: str = Field(sa_type=Words, primary_key=True)
    at: datetime = Field(sa_type=Moment)


class OldEvents(Table, table=True):
    """A message that the old flow sent. It may name an order that we never saw."""

    __tablename__ = "old_events"
    __table_args__ = (Index(None, "store", "number"),)

    store: str = Field(sa_type=Words, primary_key=True)
    id: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words)
    said: str = Field(sa_type=Words)
    """The old flow's own word."""
    kind: str | None = Field(default=None, sa_type=Words)
    """Ours for it; None: no kind of ours."""
    at: datetime = Field(sa_type=Moment)
    channel: str = Field(sa_type=Words)
    revision: int | None = None
    total: Decimal | None = Field(default=None, sa_type=Money)
    currency: str | None = Field(default=None, sa_type=Words)
    lines: int | None = None
    promise_on: date | None = None
    recorded_at: datetime = Field(sa_type=Moment)
    content_sha256: str = Field(sa_type=Words)


class ShadowVerdicts(Table, table=True):
    """A person's word on a discrepancy, or on all of a kind (`kind/later`). The last one about it holds."""

    __tablename__ = "shadow_verdicts"

    store: str = Field(sa_type=Words, primary_key=True)
    subject: str = Field(sa_type=Words, primary_key=True)
    at: datetime = Field(sa_type=Moment, primary_key=True)
    verdict: str = Field(sa_type=Words)
    by: str = Field(sa_type=Words)
    note: str = Field(sa_type=Words)
    expires_at: datetime | None = Field(default=None, sa_type=Moment)


class Cutovers(Table, table=True):
    """A store's steps from shadow to live and back, numbered; the last one holds for new orders."""

    __tablename__ = "cutovers"

    store: str = Field(sa_type=Words, primary_key=True)
    n: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Moment)
    by: str = Field(sa_type=Words)
    live_percent: int
    back: bool
    note: str = Field(sa_type=Words)
    measured: str = Field(sa_type=Words)
    """JSON: what allowed it."""


class GatesUnasked(Table, table=True):
    """A store that had run in shadow and went live by this version of its policy, and the first such order."""

    __tablename__ = "gates_unasked"
    __table_args__ = (Index(None, "store", "number"),)

    store: str = Field(sa_type=Words, primary_key=True)
    policy_version: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words)
    seen_at: datetime = Field(sa_type=Moment)
    live_percent: int
    shadow_orders: int
    """How many of the store's orders had been kept by then."""
