"""What the product asks of the world outside: channels, ERPs, the record. Adapters implement it, others call it."""

from typing import Protocol

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
from orderack.ports.channel_book import SOON, ChannelBook, Health, Pause, Reach
from orderack.ports.erp import Booking, Erp, Invoices, Stock
from orderack.ports.ledger import (
    UNSAID,
    ClaimResult,
    EvidenceRecord,
    InboxEvent,
    Ledger,
    OrderRow,
    PastOrder,
    StoredRevision,
    StoredSend,
)
from orderack.ports.outbox import DeliveryEnd, DeliveryState, DueEvent, Outbox, Subscription
from orderack.ports.renderer import Content, MessageLinks, Renderer
from orderack.ports.source import (
    Answers,
    Connection,
    Delivery,
    Fetches,
    Hint,
    Looked,
    Looks,
    Reading,
    Responds,
    Skipped,
    Snapshot,
    Source,
    SourceAnswer,
    SourceKind,
    SourceTraits,
    Standing,
)
from orderack.ports.source_book import Awaited, KnownOrder, SourceBook
from orderack.ports.touches import TouchBook


class GatewayLedger(Ledger, Outbox, TouchBook, Protocol):
    """All that the gateway asks of the record."""


__all__ = [
    "SOON",
    "UNSAID",
    "Answers",
    "Awaited",
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
    "DueEvent",
    "Erp",
    "EvidenceRecord",
    "Fetches",
    "GatewayLedger",
    "Greeting",
    "Greets",
    "Health",
    "Hint",
    "Idempotency",
    "InboxEvent",
    "Invoices",
    "KnownOrder",
    "Ledger",
    "Looked",
    "Looks",
    "Medium",
    "Message",
    "MessageLinks",
    "OrderRow",
    "Outbox",
    "PastOrder",
    "Pause",
    "Polls",
    "RawRequest",
    "Reach",
    "Reading",
    "Rendered",
    "Renderer",
    "Responds",
    "Sent",
    "Skipped",
    "Snapshot",
    "Source",
    "SourceAnswer",
    "SourceBook",
    "SourceKind",
    "SourceTraits",
    "Standing",
    "Stock",
    "StoredRevision",
    "StoredSend",
    "Subscription",
    "TouchBook",
    "Traits",
]
