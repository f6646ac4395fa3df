"""Graded evidence: what a fact about a message proves, and no more (mission.md §4)."""

from enum import StrEnum

from pydantic import AwareDatetime

from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Name, Text
from orderack.domain.value import Value


class Grade(StrEnum):
    """E0 queued, E1 accepted, E2 delivered, M machine touch, E3 displayed (p: probably), E4 engaged, E5 affirmed.

    E6 is attested by a third party or an assured identity.
    """

    E0 = "E0"
    E1 = "E1"
    E2 = "E2"
    M = "M"
    E3P = "E3p"
    E3 = "E3"
    E4 = "E4"
    E5 = "E5"
    E6 = "E6"

    @property
    def rank(self) -> int:
        """Order of strength. A machine touch corroborates delivery and proves nothing above it."""
        return _RANK[self]


_RANK = {
    Grade.E0: 0,
    Grade.E1: 1,
    Grade.M: 2,
    Grade.E2: 2,
    Grade.E3P: 3,
    Grade.E3: 4,
    Grade.E4: 5,
    Grade.E5: 6,
    Grade.E6: 7,
}


def stronger(a: Grade, b: Grade) -> Grade:
    """The stronger of two grades; on a tie the first, so that a machine touch never replaces a delivery."""
    return b if b.rank > a.rank else a


class EvidenceEvent(StrEnum):
    """What a provider can report of a message, in our words."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    MACHINE_TOUCH = "machine_touch"
    DISPLAYED = "displayed"
    ENGAGED = "engaged"
    AFFIRMED = "affirmed"
    DISPUTED = "disputed"
    OPTED_OUT = "opted_out"
    UNKNOWN = "unknown"


class EvidenceFact(Value):
    """One fact about one acknowledgement, bound to its revision. `id` is the provider's event id."""

    id: Name
    event: EvidenceEvent
    grade: Grade
    channel: Name
    revision: int
    kind: Kind
    n: int = 1
    occurred_at: AwareDatetime
    basis: Text = ""
    """The rule that graded it, e.g. `twilio_sms:delivered`."""
