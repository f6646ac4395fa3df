"""What can be asked of an order: `status` (one value) and `timeline` (its entries)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from orderack.contracts.journal import ClockName, Entry, Stage
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import Flag, Gate, Side, is_live
from orderack.domain.evidence import Grade
from orderack.domain.order import Name, OrderRef, PaymentStatus, Text
from orderack.domain.proof import Proof
from orderack.domain.response import LineAnswer
from orderack.domain.value import Value, is_none


class SendStatus(Value):
    key: Name
    channel: Name
    state: SendState
    detail: Text = ""
    repeat_due_at: Annotated[AwareDatetime | None, Field(exclude_if=is_none)] = None
    """In doubt, and said again then, marked as a possible repeat, unless it is settled before."""


class AcknowledgementStatus(Value):
    kind: Kind
    revision: int
    n: int
    decided_at: AwareDatetime
    out_at: AwareDatetime | None = None
    grade: Grade | None = None
    proof: Proof = Proof()
    sends: tuple[SendStatus, ...] = ()
    repeat_of: Annotated[int | None, Field(exclude_if=is_none)] = None
    """The `n` of the one in doubt that the policy had said again by this one."""


class ClockStatus(Value):
    """A promised clock: met, breached, stopped or still running (all three None)."""

    name: ClockName
    started_at: AwareDatetime
    due_at: AwareDatetime
    owner: Name | None = None
    met_at: AwareDatetime | None = None
    breached_at: AwareDatetime | None = None
    stopped_at: AwareDatetime | None = None


class QuestionStatus(Value):
    """A question of the buyer's, in the buyer's words."""

    id: Name
    at: AwareDatetime
    revision: int
    via: Name
    text: Text
    answer: Text = ""
    """In the owner's words, as it was sent."""
    answered_at: AwareDatetime | None = None
    answered_by: Name | None = None


class OrderStatus(Value):
    """Everything an operator or a shop asks about one order; of the buyer's data only questions and their answers."""

    ref: OrderRef
    stage: Stage
    revision: int
    content_hash: Name | None = None
    received_at: AwareDatetime | None = None
    confirmed_revision: int | None = None
    confirmed_at: AwareDatetime | None = None
    erp_document_id: Name | None = None
    gate: Gate | None = None
    rule: Name | None = None
    policy_version: Name | None = None
    payment: PaymentStatus | None = None
    promise_on: date | None = None
    escalated: bool = False
    owner: Name | None = None
    flags: tuple[Flag, ...] = ()
    answers: tuple[LineAnswer, ...] = ()
    acknowledgements: tuple[AcknowledgementStatus, ...] = ()
    clocks: tuple[ClockStatus, ...] = ()
    waiting_for: Text = ""
    next_due_at: AwareDatetime | None = None
    next_clock: Annotated[ClockName | None, Field(exclude_if=is_none)] = None
    """Which clock that deadline is of."""
    unknown_sends: tuple[Name, ...] = ()
    quarantined: int = 0
    work_may_begin: bool = False
    work_why_not: tuple[Text, ...] = ()
    handoff_owner: Name | None = None
    handoff_accepted_by: Name | None = None
    questions: tuple[QuestionStatus, ...] = ()
    side: Annotated[Side, Field(exclude_if=is_live)] = Side.LIVE
    """`shadow`: nothing of it has gone out or will; the old flow tells the buyer. Left out of a live order's status."""

    @property
    def repeats_due(self) -> Mapping[str, datetime]:
        """The keys of sends in doubt that are said again, and when."""
        sends = (send for said in self.acknowledgements for send in said.sends)
        return {send.key: send.repeat_due_at for send in sends if send.repeat_due_at}


class Timeline(Value):
    ref: OrderRef
    entries: tuple[Entry, ...] = ()
