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
        """Order of strength. A machine touch corroborates a delivery and is none: it ranks below."""
        return _RANK[self]


_RANK = {
    grade: rank
    for rank, grade in enumerate(
        (Grade.E0, Grade.E1, Grade.M, Grade.E2, Grade.E3P, Grade.E3, Grade.E4, Grade.E5, Grade.E6)
    )
}


def stronger(a: Grade, b: Grade) -> Grade:
    """The stronger of two grades."""
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
    """The buyer says: I have it. Receipt and reading, not assent."""
    ASSENTED = "assented"
    """The buyer accepts what the message says."""
    DECLINED = "declined"
    """The buyer declines a part of what it says, or all."""
    REPLIED = "replied"
    """The buyer's own words came back from the address the message went to."""
    DISPUTED = "disputed"
    OPTED_OUT = "opted_out"
    """They want no more messages by this channel. Remembered by address."""
    OPTED_IN = "opted_in"
    """They want messages again, or have begun to write to us."""
    UNKNOWN = "unknown"


class Assurance(StrEnum):
    """What vouches for the actor of a fact, the weakest first. Frozen names."""

    NONE = "none"
    """Anybody could have caused it: an image or a link was fetched."""
    PROVIDER = "provider"
    """The provider's own report."""
    LINK = "link"
    """The holder of a signed link that went to the recipient's address."""
    ADDRESS = "address"
    """A reply from the very address that the message went to."""
    IDENTITY = "identity"
    """A login, a signature, or a third party that proves who it was."""


HOLDER_OF_LINK = "the holder of the link sent by "
"""Begins the `actor` of what was done on the order's page; the channel that had sent the link ends it. Frozen: ledgers
hold it."""


def link_sent_by(actor: str) -> str | None:
    """The channel whose link led its holder to the page; None: it was done otherwise."""
    return actor.removeprefix(HOLDER_OF_LINK) if actor.startswith(HOLDER_OF_LINK) else None


class Provenance(Value):
    """Where a fact comes from: kept in the ledger beside it, never in history."""

    content_sha256: Name | None = None
    """Of the message as it was sent."""
    recipient_role: Name = "buyer"
    actor: Text = ""
    """Who, in words and without an address: "the holder of the link sent by twilio_sms"."""
    assurance: Assurance = Assurance.PROVIDER
    verified: bool = False
    """The report's signature was checked and held."""
    machine: tuple[Name, ...] = ()
    """Why a touch was judged a machine's: see `orderack.touches`. Empty: nothing said so."""


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
