"""The journal: what the workflow did, carried to the ledger on the back of its next activity.

A separate activity per fact would be a billed Action each; a row that lags by one step costs none.
Rows are keyed by (order, seq), so that a retried activity writes each once.
"""

from enum import StrEnum

from pydantic import AwareDatetime

from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value


class Stage(StrEnum):
    """Where an order stands. Frozen names."""

    AWAITING_ORDER = "awaiting_order"
    ASSESSING = "assessing"
    REVIEW = "review"
    AWAITING_ERP = "awaiting_erp"
    CONFIRMED = "confirmed"
    HANDED_OFF = "handed_off"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    CLOSED = "closed"


class Event(StrEnum):
    """What can stand in a timeline. Frozen names."""

    ORDER_ACCEPTED = "order_accepted"
    ORDER_REPEATED = "order_repeated"
    ASSESSED = "assessed"
    REVIEW_OPENED = "review_opened"
    REVIEW_DECIDED = "review_decided"
    SUBMITTED_TO_ERP = "submitted_to_erp"
    ERP_REFUSED = "erp_refused"
    ERP_RECEIPT = "erp_receipt"
    ERP_RECEIPT_STALE = "erp_receipt_stale"
    ERP_CANCELLED = "erp_cancelled"
    ACKNOWLEDGED = "acknowledged"
    SEND_REJECTED = "send_rejected"
    SEND_UNKNOWN = "send_unknown"
    SEND_SETTLED = "send_settled"
    SUPERSEDED = "superseded"
    UNDELIVERABLE = "undeliverable"
    EVIDENCE = "evidence"
    EVIDENCE_MISSING = "evidence_missing"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    QUESTION_ASKED = "question_asked"
    QUESTION_ANSWERED = "question_answered"
    ESCALATED = "escalated"
    DE_ESCALATED = "de_escalated"
    REASSIGNED = "reassigned"
    CLAIMED = "claimed"
    CHANGE_PROPOSED = "change_proposed"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    HANDED_OFF = "handed_off"
    HANDOFF_FROZEN = "handoff_frozen"
    HANDOFF_ACCEPTED = "handoff_accepted"
    WORK_MAY_BEGIN = "work_may_begin"
    PAYMENT_CHANGED = "payment_changed"
    CLOCK_STARTED = "clock_started"
    CLOCK_MET = "clock_met"
    CLOCK_BREACHED = "clock_breached"
    CLOCK_STOPPED = "clock_stopped"
    QUARANTINED = "quarantined"
    SOURCE_ANSWERED = "source_answered"
    SOURCE_REFUSED = "source_refused"
    INVOICED = "invoiced"
    ERP_WAITS = "erp_waits"
    """The ERP has it and has not booked it: a draft that waits for its own approval."""
    KEPT = "kept"
    """A shadow order's: what would have gone out, and to whom. It went to nobody."""
    CLOSED = "closed"


class ClockName(StrEnum):
    """The service levels' names. Frozen."""

    ACKNOWLEDGE = "acknowledge_within"
    HOLD = "hold_after"
    REVIEW = "review_within"
    ERP_RECEIPT = "erp_receipt_within"
    UPDATE = "update_every"
    RESOLVE = "resolve_within"
    CLAIM = "claim_within"
    PARTNER = "partner_deadline"
    PARTNER_WARNING = "partner_warning"
    EVIDENCE = "evidence_within"
    ERP_BUDGET = "erp_budget"
    STAY_OPEN = "change_window"
    ORPHAN = "orphan_window"
    DOUBT = "doubt_within"


class Entry(Value):
    """One line of the timeline. `note` is plain words without buyers' data (it enters history)."""

    seq: int
    at: AwareDatetime
    event: Event
    revision: int = 0
    note: Text = ""
    clock: ClockName | None = None
    due_at: AwareDatetime | None = None
    owner: Name | None = None


class Journal(Value):
    """What an activity is to write beside its own work: the entries since the last one, and the order's standing."""

    ref: OrderRef
    stage: Stage
    revision: int
    owner: Name | None = None
    next_due_at: AwareDatetime | None = None
    next_clock: ClockName | None = None
    """Which clock that deadline is of."""
    entries: tuple[Entry, ...] = ()
