"""One look at an order revision: what is known, what is doubtful, and what the matrix decided."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Name, Text
from orderack.domain.receipt import StockVerdict
from orderack.domain.source import AnswerStage
from orderack.domain.value import Value, is_none


class Gate(StrEnum):
    """When the confirmation may go out (DESIGN §1). Frozen names."""

    ERP_GATED = "erp_gated"
    ACK_GATED = "ack_gated"


class Route(StrEnum):
    STRAIGHT = "straight"
    REVIEW = "review"


class ErpMode(StrEnum):
    """`push`: we submit the order. `wait`: another integration does; we wait and ask."""

    PUSH = "push"
    WAIT = "wait"


class Side(StrEnum):
    """Whether what an order says and does leaves the house. Decided once per order. Frozen names."""

    LIVE = "live"
    SHADOW = "shadow"
    """Everything is decided and rendered as for a live order, and kept: nothing is sent to anybody (R166)."""


def is_live(value: object) -> bool:
    """For fields that tell the side: live is left out (`exclude_if`), so that a live order's history stays the same."""
    return value == Side.LIVE


def is_no(value: object) -> bool:
    """For switches that came later: off is left out (`exclude_if`), so that the decisions before them stay the same."""
    return value is False


class FlagName(StrEnum):
    """Why a person should look first (R26–R29, R45)."""

    INCOMPLETE = "incomplete"
    HIGH_VALUE = "high_value"
    UNUSUAL_QUANTITY = "unusual_quantity"
    BILLING_MISMATCH = "billing_mismatch"
    NEW_CLIENT = "new_client"
    PROBABLE_DUPLICATE = "probable_duplicate"
    PAYMENT_FLAGGED = "payment_flagged"
    TOTALS_MISMATCH = "totals_mismatch"
    STOCK_GONE = "stock_gone"
    ERP_REFUSED = "erp_refused"
    ASSESSMENT_FAILED = "assessment_failed"
    CHANGE_AFTER_HANDOFF = "change_after_handoff"
    RULE = "rule"
    DOUBTFUL = "doubtful"
    """It was read from something that is no form, and not every field is sure."""
    PRICE_CHANGED = "price_changed"
    """The ERP booked a line at another price than the buyer agreed to."""


class Flag(Value):
    """One reason, in words that a person can act on."""

    name: FlagName
    why: Text
    field: Text = ""


class LineStock(Value):
    """Stock as the ERP told us when we asked; absent means that it did not answer in time."""

    line_id: Name
    verdict: StockVerdict
    available: Decimal | None = None
    expected_on: date | None = None


class AnswerCall(StrEnum):
    """What the system an order came from wants to hear of it by its own call. Frozen names."""

    NOTE = "note"
    """Where it stands, beside the order (a storefront). No deadline hangs on it."""
    RECEIPT = "receipt"
    """That we have it (Walmart): no promise, so it may be said while a person is still looking."""
    COMMITMENT = "commitment"
    """What we will deliver, line by line (EDI, Amazon's vendors): only what the ERP has booked, or a person's no."""


class SourceCall(Value):
    """The call that this order's source is answered by."""

    system: Name
    call: AnswerCall
    stages: tuple[AnswerStage, ...]
    """The stages that it takes an answer to."""


class Leg(Value):
    """Channels in order: the first that accepts is enough; the others are its fallback."""

    channels: tuple[Name, ...]


class OnDoubt(StrEnum):
    """What becomes of a message of which nobody but a person could say whether it went out. Frozen names."""

    ASK = "ask"
    """A person is asked."""
    RESEND_MARKED = "resend_marked"
    """Said again once, marked as a possible repeat, unless its vendor reports it within `doubt_within`."""
    NEVER = "never"
    """Nobody is asked and it is not said again: it may have been sent."""


class Doubts(Value):
    """What the matrix says of messages in doubt."""

    kinds: Mapping[Kind, OnDoubt]
    """Without those of which a person is asked."""
    pages: tuple[Name, ...] = ()
    """Of the buyer's channels those that only lay a message on the order's page: they call nobody, so a repeat goes
    there last."""


DOUBT_WITHIN = timedelta(seconds=60)


def _is_usual_wait(value: object) -> bool:
    """For a clock that came later: its default is left out, so that the decisions before it stay the same."""
    return value == DOUBT_WITHIN


class ServiceLevels(Value):
    """Every promised clock (DESIGN §2). A duration of the policy, absolute once anchored by the workflow.

    `resolve_within` None means "the same day in the store's zone". Defaults are wire format: never change one.
    """

    acknowledge_within: timedelta = timedelta(seconds=60)
    erp_budget: timedelta = timedelta(seconds=45)
    hold_after: timedelta = timedelta(minutes=15)
    review_within: timedelta = timedelta(hours=4)
    erp_receipt_within: timedelta = timedelta(minutes=15)
    update_every: timedelta = timedelta(hours=2)
    resolve_within: timedelta | None = None
    resolve_at_least: timedelta = timedelta(hours=4)
    claim_within: timedelta = timedelta(minutes=30)
    partner_margin: timedelta = timedelta(minutes=30)
    evidence_within: timedelta | None = None
    fallback_after: timedelta = timedelta(minutes=2)
    """A channel out of reach for this long is given up for its fallback."""
    doubt_within: Annotated[timedelta, Field(exclude_if=_is_usual_wait)] = DOUBT_WITHIN
    """A message in doubt waits so long for its vendor's own report before it is said again."""
    change_window: timedelta = timedelta(days=7)
    orphan_window: timedelta = timedelta(days=3)


class QuietHours(Value):
    """Local times between which updates wait (None in the policy: never quiet, the documents' literal reading)."""

    start: Text
    end: Text


class Decision(Value):
    """What the matrix decided for this revision, and under which version; running orders keep theirs."""

    rule: Name
    policy_version: Name
    why: Text = ""
    route: Route = Route.STRAIGHT
    gate: Gate = Gate.ACK_GATED
    gate_why: Text = ""
    withhold_received: bool = False
    withhold_updates: bool = False
    """Nothing to the buyer of an order under fraud hold unless the policy says so."""
    erp: Name | None = None
    erp_mode: ErpMode = ErpMode.PUSH
    legs: tuple[Leg, ...] = ()
    """Buyer's channels: every leg at once, each with its own fallbacks; empty means the buyer can't be reached."""
    internal: tuple[Leg, ...] = ()
    team: Name = "operations"
    rota: tuple[Name, ...] = ()
    reviewers: tuple[Name, ...] = ()
    time_zone: Name = "UTC"
    quiet_hours: QuietHours | None = None
    work_needs: Name = "E2"
    work_on_account: bool = False
    """Work may begin before payment (customers with terms); never by default (R22)."""
    evidence_needed: Name = "E2"
    button: bool = False
    """Messages ask the buyer to affirm on the order's page, so that any channel that carries its link can bring E5."""
    levels: ServiceLevels = ServiceLevels()
    answer: SourceCall | None = None
    """None: the system it came from, if any, is told nothing."""
    invoice: bool = False
    """The ERP is asked to invoice what was handed off."""
    tell_handoffs: Annotated[bool, Field(exclude_if=is_no)] = False
    """The team is told by its internal legs when it is handed the work, and when it must stop. An order keeps what was
    decided for it: the steps that telling adds are taken by decisions that say so, and no earlier decision does, so
    that they need no patch and every earlier history replays."""
    on_doubt: Annotated[Doubts | None, Field(exclude_if=is_none)] = None
    """None: a person is asked about every message in doubt. An order keeps what was decided for it, as with
    `tell_handoffs`: no decision before this key has it, so that its steps need no patch."""
    side: Annotated[Side, Field(exclude_if=is_live)] = Side.LIVE
    """Not the matrix's: the store's mode and the order's number decide it, for all revisions of the order alike."""


class Assessment(Value):
    """What `assess` found for one revision: what the workflow acts on. The explanation is in the ledger."""

    revision: int
    content_hash: Name
    flags: tuple[Flag, ...] = ()
    stock: tuple[LineStock, ...] = ()
    promise_on: date | None = None
    decision: Decision
