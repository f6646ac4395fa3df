"""Attestations: what a system outside can vouch for, and what each way of proving can prove (mission.md §4, E6)."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import AwareDatetime, Field

from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent
from orderack.domain.order import Name
from orderack.domain.value import Value


class Method(StrEnum):
    """How it was proved. Frozen names."""

    LOGIN = "login"
    E_SIGNATURE = "e_signature"
    SIGNED_MDN = "signed_mdn"
    QUALIFIED_DELIVERY = "qualified_delivery"
    BUYER_DOCUMENT = "buyer_document"
    """The buyer's 860, ORDCHG or Order Change that matches our response."""


class Attested(StrEnum):
    """What was proved. Frozen names."""

    RECEIPT = "receipt"
    ASSENT = "assent"
    DECLINED = "declined"


EVENT: Mapping[tuple[Method, Attested], EvidenceEvent] = {
    (Method.LOGIN, Attested.RECEIPT): EvidenceEvent.AFFIRMED,
    (Method.LOGIN, Attested.ASSENT): EvidenceEvent.ASSENTED,
    (Method.LOGIN, Attested.DECLINED): EvidenceEvent.DECLINED,
    (Method.E_SIGNATURE, Attested.ASSENT): EvidenceEvent.ASSENTED,
    (Method.SIGNED_MDN, Attested.RECEIPT): EvidenceEvent.DELIVERED,
    (Method.QUALIFIED_DELIVERY, Attested.RECEIPT): EvidenceEvent.DELIVERED,
    (Method.BUYER_DOCUMENT, Attested.ASSENT): EvidenceEvent.ASSENTED,
}
"""What each method can prove. A signed MDN and a qualified delivery prove receipt only: nobody agreed to anything."""


class Attestation(Value):
    """One proof of one message of one revision. The same id again is the same proof."""

    id: Name
    revision: int = Field(ge=1, le=1_000_000)
    content_hash: Name
    """Of the revision, as the order's status gives it: what was attested is exactly this content."""
    kind: Kind = Kind.CONFIRMATION
    n: int = Field(default=1, ge=1, le=1_000_000)
    what: Attested
    method: Method
    occurred_at: AwareDatetime
    reference: Name
    """Where the proof itself is kept: a session, a signature's or a document's id. No buyer's data."""
