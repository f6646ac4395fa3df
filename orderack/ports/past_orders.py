"""Orders of the past as the ledger recorded them: what was known when each was looked at, and what was measured since.

Plain dataclasses, not pydantic models: there are tens of thousands of them, and each was checked when it was stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from orderack.contracts.journal import Event
from orderack.domain.assessment import Assessment
from orderack.domain.order import Order, OrderRef


@dataclass(frozen=True, slots=True)
class PastRevision:
    """One revision as it was assessed. `content` None: its buyer's data was erased since."""

    ref: OrderRef
    revision: int
    recorded_at: datetime
    content: Order | None
    assessment: Assessment
    explanation: str
    """JSON, as it was stored; empty where none was."""
    submitted_to_erp_at: datetime | None = None
    erp_receipt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EarlierRevision:
    """What one stored revision told every assessment that came after it, until the order's next revision."""

    ref: OrderRef
    revision: int
    recorded_at: datetime
    trigger_at: datetime
    customer_id: str | None
    fingerprint: str
    quantities: Mapping[str, Decimal]
    erased_at: datetime | None = None
    """From then on it told nothing; whose it was and what was in it is not known any more."""


@dataclass(frozen=True, slots=True)
class ErpLatency:
    """One receipt of an ERP."""

    erp: str
    receipt_at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class PastClock:
    """One promised clock as it ran."""

    clock: str
    due_at: datetime
    started_at: datetime | None
    met_at: datetime | None
    breached_at: datetime | None
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True)
class PastReview:
    """One review as it was opened; several rows where more flags came before it was decided."""

    revision: int
    opened_at: datetime
    flags: tuple[str, ...]
    decided_at: datetime | None
    verdict: str


@dataclass(frozen=True, slots=True)
class PastMessage:
    """One acknowledgement: when it was first claimed, when a channel took it, when its arrival was proved."""

    revision: int
    kind: str
    first_claimed_at: datetime
    out_at: datetime | None
    receipt_at: datetime | None


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One entry of the timeline."""

    at: datetime
    event: Event
    revision: int
    note: str


@dataclass(slots=True)
class PastTimes:
    """What was measured of one order."""

    clocks: list[PastClock] = field(default_factory=list)
    reviews: list[PastReview] = field(default_factory=list)
    messages: list[PastMessage] = field(default_factory=list)
    events: list[PastEvent] = field(default_factory=list)
    booked: dict[int, datetime] = field(default_factory=dict)
    """Per revision, when the ERP says that it booked it: of receipts that it sent us, or that it was asked for."""
