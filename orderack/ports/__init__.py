"""What the product asks of the world outside: channels, ERPs, the record. Adapters implement it, others call it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from orderack.ports.board import BoardBook, BoardRecord
from orderack.ports.channel import (
    Channel,
    ChannelEvent,
    Checks,
    Greeting,
    Greets,
    Idempotency,
    Medium,
    Message,
    Polls,
    RawRequest,
    Rendered,
    Sent,
    Traits,
)
from orderack.ports.channel_book import NO_LATER, SOON, ChannelBook, Health, Pause, Reach, Terms
from orderack.ports.digests import DigestBook
from orderack.ports.erp import Booking, Erp, FindsSeveral, Invoices, Stock
from orderack.ports.inbox_event import InboxEvent, Report
from orderack.ports.ledger import (
    UNSAID,
    ClaimResult,
    EvidenceRecord,
    Ledger,
    OrderRow,
    Past,
    PastAsked,
    PastOrder,
    ReachAsked,
    Reported,
    StoredRevision,
    StoredSend,
)
from orderack.ports.outbox import DeliveryEnd, DeliveryState, DueEvent, Outbox, Subscription
from orderack.ports.renderer import Content, MessageLinks, Renderer
from orderack.ports.shadow_book import ActKind, KeptAct, KeptMessage, OldOutcome, ShadowBook, SideSaid
from orderack.ports.source import (
    Answers,
    Connection,
    Delivery,
    Fetches,
    Given,
    Hint,
    Looked,
    Looks,
    Memory,
    Reading,
    Recalls,
    Responds,
    Skipped,
    Snapshot,
    Source,
    SourceAnswer,
    SourceKind,
    SourceTraits,
    Standing,
    Stands,
)
from orderack.ports.source_book import Awaited, KnownOrder, SourceBook
from orderack.ports.sweeps import SweepBook
from orderack.ports.touches import TouchBook
from orderack.telemetry import readings


class GatewayLedger(Ledger, Outbox, TouchBook, BoardBook, SweepBook, DigestBook, Protocol):
    """All that the gateway asks of the record."""

    async def readings(self, now: datetime) -> Sequence[readings.Reading]:
        """How the record stands, in figures."""
        ...


__all__ = [
    "NO_LATER",
    "SOON",
    "UNSAID",
    "ActKind",
    "Answers",
    "Awaited",
    "BoardBook",
    "BoardRecord",
    "Booking",
    "Channel",
    "ChannelBook",
    "ChannelEvent",
    "Checks",
    "ClaimResult",
    "Connection",
    "Content",
    "Delivery",
    "DeliveryEnd",
    "DeliveryState",
    "DigestBook",
    "DueEvent",
    "Erp",
    "EvidenceRecord",
    "Fetches",
    "FindsSeveral",
    "GatewayLedger",
    "Given",
    "Greeting",
    "Greets",
    "Health",
    "Hint",
    "Idempotency",
    "InboxEvent",
    "Invoices",
    "KeptAct",
    "KeptMessage",
    "KnownOrder",
    "Ledger",
    "Looked",
    "Looks",
    "Medium",
    "Memory",
    "Message",
    "MessageLinks",
    "OldOutcome",
    "OrderRow",
    "Outbox",
    "Past",
    "PastAsked",
    "PastOrder",
    "Pause",
    "Polls",
    "RawRequest",
    "Reach",
    "ReachAsked",
    "Reading",
    "Recalls",
    "Rendered",
    "Renderer",
    "Report",
    "Reported",
    "Responds",
    "Sent",
    "ShadowBook",
    "SideSaid",
    "Skipped",
    "Snapshot",
    "Source",
    "SourceAnswer",
    "SourceBook",
    "SourceKind",
    "SourceTraits",
    "Standing",
    "Stands",
    "Stock",
    "StoredRevision",
    "StoredSend",
    "Subscription",
    "SweepBook",
    "Terms",
    "TouchBook",
    "Traits",
]
