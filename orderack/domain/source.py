"""What the system an order came from is answered, in our words."""

from enum import StrEnum

from pydantic import AwareDatetime

from orderack.domain.order import OrderRef, Text
from orderack.domain.value import Value


class AnswerStage(StrEnum):
    """What the answer says. Frozen names."""

    RECEIVED = "received"
    """We have it. Nothing is promised."""
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class AnswerState(StrEnum):
    """How an answer stands. Frozen names."""

    PENDING = "pending"
    """The partner took it and has not said yet whether it stands: it is asked again with the reference."""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    KEPT = "kept"
    """A shadow order's: the partner was told nothing."""


class AnswerKey(Value):
    """One answer's identity: it is given once, however often it is asked for."""

    ref: OrderRef
    revision: int
    stage: AnswerStage

    def __str__(self) -> str:
        return f"{self.ref}/{self.revision}/{self.stage}"


class Answered(Value):
    """What became of an answer."""

    state: AnswerState
    reference: Text = ""
    """The partner's own number for it: a transaction, a control number, a note's id."""
    detail: Text = ""
    """In a few words without buyers' data: why it was refused, or what the partner said."""
    at: AwareDatetime | None = None
