"""What came in from outside, as it is recorded."""

from datetime import datetime

from orderack.domain.evidence import EvidenceFact, Provenance
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value


class InboxEvent(Value):
    """An inbound event as recorded: once per (source, external_id), announced once."""

    id: int
    source: Name
    external_id: Name
    kind: Name
    ref: OrderRef | None
    body: str
    received_at: datetime
    announced_at: datetime | None
    outcome: Text = ""
    new: bool = False
    """The call that returned this has recorded it: it did not come before."""


class Report(Value):
    """What an inbound event proves of a message, to be recorded with the event itself."""

    fact: EvidenceFact
    raw: str
    """The event as its sender wrote it."""
    provenance: Provenance
    outcome: Text | None = None
    """The event's own outcome where nobody has to be told of it; None: it is announced later."""
