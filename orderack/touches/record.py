"""What the record holds of touches, once they have settled and once they are graded."""

from pydantic import AwareDatetime

from orderack.domain.evidence import EvidenceFact, Provenance
from orderack.domain.order import Name, OrderRef
from orderack.domain.value import Value
from orderack.touches.touch import Touch, Verdict


class SettledTouch(Value):
    """One touch and the company it came in: all that a verdict needs."""

    touch: Touch
    """As it first came."""
    others: tuple[Touch, ...]
    """Every other touch of the same send."""
    arrived_at: AwareDatetime
    """When the message was delivered; where that is not known, accepted; where that is not known, first claimed."""
    last_at: AwareDatetime
    count: int
    """How often it came, all told."""


class GradedTouch(Value):
    """The verdict on one touch, and the one fact that it is in the evidence."""

    touch_id: Name
    verdict: Verdict
    ref: OrderRef
    fact: EvidenceFact
    provenance: Provenance
    raw: str
    announce_as: Name | None
    """The kind of inbox event by which the order is told of the fact; None: it is no news."""
