"""Requests: what a caller may ask of an open order, and the answer it gets.

Each request carries its own id; the same id again returns the same answer and changes nothing
(Temporal's update-id dedupe is per run, so the workflow keeps the ids it has seen).
"""

from enum import StrEnum

from pydantic import AwareDatetime

from orderack.contracts.journal import Stage
from orderack.domain.order import Name, Order, PaymentStatus, Text
from orderack.domain.problem import Problem
from orderack.domain.value import Value


class SubmitVerdict(StrEnum):
    ACCEPTED = "accepted"
    REPEATED = "repeated"
    CHANGE_PROPOSED = "change_proposed"
    INVALID = "invalid"
    CLOSED = "closed"


class SubmitReply(Value):
    """What intake tells its caller: the order's reference and what happens next, in one call."""

    verdict: SubmitVerdict
    store: Name
    number: Name
    revision: int
    stage: Stage
    next: Text
    acknowledge_by: AwareDatetime | None = None
    problems: tuple[Problem, ...] = ()


class ChangeRequest(Value):
    """A proposed revision: the whole new order content (a partial change is merged by the caller)."""

    id: Name
    order: Order
    by: Name = "buyer"
    note: Text = ""


class Reply(Value):
    """The answer to a request about an open order."""

    accepted: bool
    stage: Stage
    revision: int
    message: Text


class CancelRequest(Value):
    id: Name
    by: Name = "buyer"
    reason: Text = ""
    dispute: bool = False


class ReviewVerdict(StrEnum):
    APPROVE = "approve"
    AMEND = "amend"
    ASK = "ask"
    REJECT = "reject"


class ReviewDecision(Value):
    """A person's decision. `order` is the amended content; `question` goes to the buyer word for word."""

    id: Name
    verdict: ReviewVerdict
    by: Name
    note: Text = ""
    question: Text = ""
    order: Order | None = None


class ClaimTarget(StrEnum):
    REVIEW = "review"
    HANDOFF = "handoff"
    ESCALATION = "escalation"


class Claim(Value):
    id: Name
    target: ClaimTarget
    by: Name


class AcceptHandoff(Value):
    """The team accepts exactly this revision, by its content hash."""

    id: Name
    revision: int
    content_hash: Name
    by: Name


class HandoffReply(Reply):
    """`may_begin` is false until the order is paid, stocked and evidenced; `why_not` says what is missing."""

    may_begin: bool
    why_not: tuple[Text, ...] = ()


class SettleVerdict(StrEnum):
    SENT = "sent"
    NOT_SENT = "not_sent"
    SEND_AGAIN = "send_again"


class SettleSend(Value):
    """A person settles a send whose outcome is unknown. `key` as `status` lists it."""

    id: Name
    key: Name
    verdict: SettleVerdict
    by: Name
    note: Text = ""


class BuyerQuestion(Value):
    """The buyer asks: on the page, or by answering a message. The owner is told, and answers."""

    id: Name
    revision: int
    """The one that the buyer was looking at."""
    via: Name
    """`portal`, or the channel on which it came."""
    text: Text


class Answer(Value):
    """A person's answer to the buyer's question, word for word."""

    id: Name
    question: Name
    """The question's id, as `status` lists it."""
    text: Text
    by: Name


class PaymentChanged(Value):
    """Signal: the payment's state as its own system reports it. Late and repeated ones are harmless."""

    id: Name
    status: PaymentStatus
    occurred_at: AwareDatetime
