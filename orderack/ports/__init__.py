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
from orderack.ports.erp import Booking, Erp, Stock
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
from orderack.ports.touches import TouchBook


class GatewayLedger(Ledger, Outbox, TouchBook, Protocol):
    """All that the gateway asks of the record."""


__all__ = [
    "SOON",
    "UNSAID",
    "Booking",
    "Channel",
    "ChannelBook",
    "ChannelEvent",
    "Checks",
    "ClaimResult",
    "Content",
    "DeliveryEnd",
    "DeliveryState",
    "DueEvent",
    "Erp",
    "EvidenceRecord",
    "GatewayLedger",
    "Greeting",
    "Greets",
    "Health",
    "Idempotency",
    "InboxEvent",
    "Ledger",
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
    "Rendered",
    "Renderer",
    "Sent",
    "Stock",
    "StoredRevision",
    "StoredSend",
    "Subscription",
    "TouchBook",
    "Traits",
]
