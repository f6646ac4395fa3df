"""What other systems are told: the timeline's entries that leave the house, and the body in which they do.

The body is thin: it says what happened to which order and nothing about the buyer. Who needs more asks for it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import AwareDatetime

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.assessment import Side
from orderack.domain.order import Name, Text
from orderack.domain.value import Value

ALL = "*"
"""In an endpoint's `events`: every type."""


class Published(NamedTuple):
    """How one event of the timeline is published."""

    type: str
    note: bool = False
    """Whether the entry's note goes along: only where the workflow makes it of our own words, never of a person's."""


PUBLISHED: Mapping[Event, Published] = {
    Event.ORDER_ACCEPTED: Published("order.accepted", note=True),
    Event.REVIEW_OPENED: Published("order.review_opened", note=True),
    Event.REVIEW_DECIDED: Published("order.review_decided", note=True),
    Event.ESCALATED: Published("order.escalated", note=True),
    Event.DE_ESCALATED: Published("order.de_escalated"),
    Event.ERP_RECEIPT: Published("order.receipted"),
    Event.CONFIRMED: Published("order.confirmed"),
    Event.ACKNOWLEDGED: Published("order.acknowledged", note=True),
    Event.UNDELIVERABLE: Published("order.undeliverable", note=True),
    Event.EVIDENCE: Published("order.evidence", note=True),
    Event.DECLINED: Published("order.declined"),
    Event.QUESTION_ASKED: Published("order.question_asked"),
    Event.CHANGE_PROPOSED: Published("order.change_proposed"),
    Event.CANCELLED: Published("order.cancelled"),
    Event.REJECTED: Published("order.rejected"),
    Event.HANDED_OFF: Published("order.handed_off"),
    Event.HANDOFF_ACCEPTED: Published("order.handoff_accepted"),
    Event.WORK_MAY_BEGIN: Published("order.work_may_begin"),
    Event.CLOCK_BREACHED: Published("order.clock_breached"),
    Event.CLOSED: Published("order.closed"),
}
"""The whole mapping. A type's name is frozen: others have written it into their systems."""

TYPES: tuple[str, ...] = tuple(published.type for published in PUBLISHED.values())
TEST = "orderack.test"
"""The type of `orderack webhooks test`; it is sent to one endpoint, whatever it listens to."""


class OutboundData(Value):
    """What happened. Entries of one order sort by `seq`, whatever order they arrive in."""

    store: Name
    number: Name
    revision: int
    seq: int
    stage: Stage
    """Where the order stood when this was written down."""
    note: Text | None = None
    """In our words; for people to read, and subject to change."""
    clock: ClockName | None = None
    due_at: AwareDatetime | None = None
    erp_document_id: Name | None = None
    status_path: Text
    """Below the gateway's address: where the order's standing can be asked."""
    side: Side | None = None
    """`shadow`: it happened in a shadow run, and nobody was told. Of a live order nothing is said."""


class Outbound(Value):
    """The body, in the shape that Standard Webhooks recommends."""

    type: Name
    timestamp: AwareDatetime
    """When it happened, not when it was posted."""
    data: OutboundData
