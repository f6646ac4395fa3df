"""What became of each order of a span: what a record of reliability is counted from (R130).

Plain dataclasses, not pydantic models: there are tens of thousands of them, and each was checked when it was stored.
No name, address or word of a buyer's is among them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from orderack.contracts.journal import ClockName, Event
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.ports.past_orders import PastClock, PastReview


@dataclass(frozen=True, slots=True)
class SaidMessage:
    """One acknowledgement to the buyer that a channel took."""

    revision: int
    kind: str
    n: int
    out_at: datetime


@dataclass(frozen=True, slots=True)
class ErpAnswer:
    """When a revision went to the ERP, and when its receipt came."""

    revision: int
    submitted_at: datetime | None
    receipt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entered:
    """One entry of the timeline. `disputed`: a request to cancel that disputes the charge."""

    at: datetime
    event: Event
    revision: int
    clock: ClockName | None = None
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class Proved:
    """One graded fact about a message."""

    revision: int
    kind: str
    n: int
    event: EvidenceEvent
    grade: Grade
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class OfferedWork:
    """One revision offered to its team."""

    revision: int
    offered_at: datetime
    accepted_at: datetime | None


@dataclass(slots=True)
class OrderLife:
    """One order, and what is recorded of it. Lists are in the order in which things happened."""

    ref: OrderRef
    customer_id: str | None
    trigger_at: datetime
    messages: list[SaidMessage] = field(default_factory=list)
    erp: list[ErpAnswer] = field(default_factory=list)
    clocks: list[PastClock] = field(default_factory=list)
    reviews: list[PastReview] = field(default_factory=list)
    entries: list[Entered] = field(default_factory=list)
    proofs: list[Proved] = field(default_factory=list)
    handoffs: list[OfferedWork] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lives:
    """The live orders of a span, and how many were left out."""

    orders: list[OrderLife]
    shadow: int
    """Orders of a shadow run: nothing of them left the house."""
    without_content: int
    """Heard of in the span, and their content has not come."""


class MailEnd(StrEnum):
    """How an attempt to mail a report ended. Frozen names."""

    BEGUN = "begun"
    """On its way; or cut off, and nobody knows whether it went out."""
    SENT = "sent"
    NOT_SENT = "not_sent"
    """Certainly not: the provider refused it, or could not be reached."""
    IN_DOUBT = "in_doubt"
    """Cut off after sending."""


@dataclass(frozen=True, slots=True)
class Mailing:
    """One attempt to mail one report to one address."""

    report: str
    """Which report to whom, without the address."""
    n: int
    at: datetime
    end: MailEnd
