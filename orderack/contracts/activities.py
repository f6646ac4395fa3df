"""The activities' declarations: name, one argument, result. `activities/` implements them, workflows call them.

Requests name the order and its revision; the content is read from the ledger, where `assess` stored it,
so that history stays small and holds the buyer's data once.
"""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field
from temporalio import activity

from orderack.contracts import names
from orderack.contracts.journal import Journal
from orderack.contracts.looks import look_at_erp, look_at_source, sweep_books, sweep_erp
from orderack.contracts.reports import mail_weekly_report
from orderack.domain.acknowledgement import Audience, Kind, SendOutcome
from orderack.domain.assessment import Assessment, is_no
from orderack.domain.order import Name, Order, OrderRef, Text
from orderack.domain.receipt import ErpReceipt
from orderack.domain.response import LineAnswer
from orderack.domain.source import Answered, AnswerStage
from orderack.domain.value import Value, is_none


class AssessRequest(Value):
    """Look at this revision: store it, validate it, ask for stock, decide. Idempotent by (order, revision)."""

    order: Order
    revision: int
    now: AwareDatetime
    waived: tuple[Name, ...] = ()
    """Flags that a reviewer has already approved for this order."""
    journal: Journal


class SubmitToErpRequest(Value):
    """Book this revision in the ERP, once (external id = order and revision)."""

    ref: OrderRef
    revision: int
    erp: Name
    journal: Journal


class ErpAnswer(StrEnum):
    SUBMITTED = "submitted"
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    KEPT = "kept"
    """A shadow order's: the ERP was told nothing."""


class ErpSubmission(Value):
    """`receipt` is set where the ERP books and answers for stock in the same call."""

    answer: ErpAnswer
    document_id: Name | None = None
    receipt: ErpReceipt | None = None
    reason: Text = ""


class CancelInErpRequest(Value):
    """Tell the ERP that this order is off; `document_id` where it has booked it."""

    ref: OrderRef
    erp: Name
    document_id: Name | None = None
    reason: Text = ""
    journal: Journal


class Dispatch(Value):
    """One message to one channel; its key is `{order}/{revision}/{kind}/{n}/{channel}`."""

    kind: Kind
    n: int = 1
    channel: Name
    audience: Audience
    recipient_role: Name = "buyer"
    """`buyer`, or the owner's role for an internal alert."""
    last: Annotated[bool | None, Field(exclude_if=is_none)] = None
    """Whether no channel comes after this one; None: as the decision's legs have it. A repeat has an order of its
    own."""


class TeamWord(StrEnum):
    """What a team hears of an order that it was handed. Frozen names."""

    OFFERED = "offered"
    MAY_BEGIN = "may_begin"
    """Somebody has it in hand, and what its work waited for has come."""
    STOPPED = "stopped"
    """Somebody has it in hand, and it is not to be worked on for now."""
    WITHDRAWN = "withdrawn"
    """The order is off, or another team's."""


class ForTeam(Value):
    """What an alert tells the team of its handoff. Type, priority and window stand in the stored revision."""

    word: TeamWord
    revision: int
    content_hash: Name
    team: Name
    waits: tuple[Text, ...] = ()
    """Why work does not begin yet, or not go on."""


class Facts(Value):
    """What a message needs to know beyond the stored revision. Only what its kind uses is set."""

    document_id: Name | None = None
    answers: tuple[LineAnswer, ...] = ()
    promise_on: date | None = None
    next_update_at: AwareDatetime | None = None
    decided_by: AwareDatetime | None = None
    changed_from: int | None = None
    """The last confirmed revision, whose difference to this one the confirmation shows."""
    reason: Text = ""
    question: Text = ""
    answer: Text = ""
    owner: Name | None = None
    waiting_for: Text = ""
    escalated: bool = False
    may_repeat: Annotated[bool, Field(exclude_if=is_no)] = False
    """It was said before, and nobody knows whether it arrived: the message says that it may be a repeat."""
    for_team: Annotated[ForTeam | None, Field(exclude_if=is_none)] = None


class Offer(Value):
    """The confirmed revision, offered to the team that does the work."""

    revision: int
    content_hash: Name
    team: Name
    owner: Name | None
    document_id: Name | None
    answers: tuple[LineAnswer, ...]


class AcknowledgeRequest(Value):
    """Send these messages, each exactly once.

    `ask_erp`: ask that ERP first; when it has booked this revision, send nothing and return its receipt
    (a waiting message must still be true at the moment it goes out).
    `give_up_at`: from then on a provider out of reach ends as `unavailable` instead of being retried.
    `contacts_of`: the revision whose contacts they go to, where that is not the one they are about.
    `offer`: the handoff that these messages tell its team of; it is stored before they go out, in the same activity.
    `in_parts`: none of them waits for another one's channel that is paused or marked down.
    """

    ref: OrderRef
    revision: int
    contacts_of: Annotated[int | None, Field(exclude_if=is_none)] = None
    dispatches: tuple[Dispatch, ...]
    facts: Facts = Facts()
    ask_erp: Name | None = None
    offer: Annotated[Offer | None, Field(exclude_if=is_none)] = None
    in_parts: Annotated[bool, Field(exclude_if=is_no)] = False
    give_up_at: AwareDatetime
    journal: Journal


class AcknowledgeResult(Value):
    """One outcome per dispatch, in order; or the receipt that made them needless.

    Of what was asked for `in_parts`, `claimed` says that this one still waits, and is to be asked for again.
    """

    outcomes: tuple[SendOutcome, ...] = ()
    receipt: ErpReceipt | None = None


class HandOffRequest(Offer):
    """Offer it without a word to the team: its people look at the board."""

    ref: OrderRef
    journal: Journal


class HandOffResult(Value):
    """The handoff's id in the ledger."""

    handoff_id: Name


class AnswerSourceRequest(Value):
    """Tell the system that the order came from where it stands. Idempotent by (order, revision, stage)."""

    ref: OrderRef
    revision: int
    stage: AnswerStage
    system: Name
    answers: tuple[LineAnswer, ...] = ()
    document_id: Name | None = None
    promise_on: date | None = None
    reason: Text = ""
    journal: Journal


class InvoiceRequest(Value):
    """Have the ERP invoice the booked order, once."""

    ref: OrderRef
    erp: Name
    document_id: Name
    journal: Journal


class Invoiced(Value):
    """`invoice_id` None: the ERP would not, and `reason` says why."""

    invoice_id: Name | None
    reason: Text = ""


@activity.defn(name=names.ASSESS)
async def assess(request: AssessRequest) -> Assessment:
    """See `activities/assess.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.SUBMIT_TO_ERP)
async def submit_to_erp(request: SubmitToErpRequest) -> ErpSubmission:
    """See `activities/submit_to_erp.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.CANCEL_IN_ERP)
async def cancel_in_erp(request: CancelInErpRequest) -> ErpSubmission:
    """See `activities/cancel_in_erp.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.ACKNOWLEDGE)
async def acknowledge(request: AcknowledgeRequest) -> AcknowledgeResult:
    """See `activities/acknowledge.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.HAND_OFF)
async def hand_off(request: HandOffRequest) -> HandOffResult:
    """See `activities/hand_off.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.RECORD)
async def record(journal: Journal) -> None:
    """See `activities/record.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.ANSWER_SOURCE)
async def answer_source(request: AnswerSourceRequest) -> Answered:
    """See `activities/answer_source.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.INVOICE_IN_ERP)
async def invoice_in_erp(request: InvoiceRequest) -> Invoiced:
    """See `activities/invoice_in_erp.py`."""
    raise AssertionError("declared here, implemented in activities/")


DECLARATIONS: Sequence[object] = (
    assess,
    submit_to_erp,
    cancel_in_erp,
    acknowledge,
    hand_off,
    record,
    answer_source,
    invoice_in_erp,
    look_at_source,
    look_at_erp,
    sweep_erp,
    sweep_books,
    mail_weekly_report,
)
