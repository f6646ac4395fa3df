"""Events for other systems, between the record that keeps them and the gateway that posts them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value


class DeliveryState(StrEnum):
    """How one event stands with one endpoint. Frozen names."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Subscription(Value):
    """What one endpoint listens to. `*` among its events: everything. No stores: every store's."""

    endpoint: Name
    events: tuple[Name, ...]
    stores: tuple[Name, ...] = ()
    shadow: bool = False
    """Of shadow orders too."""


class DueEvent(Value):
    """One event that one endpoint is to be told now; we hold its lease."""

    event_id: Name
    endpoint: Name
    ref: OrderRef
    body: str
    """Exactly what is posted and signed."""
    attempt: int
    """From 1; proves at the end that the lease is still ours."""


class DeliveryEnd(Value):
    """How an attempt ended. `next_at`: when a pending one is tried again."""

    state: DeliveryState
    answer: Text
    """The HTTP status, or why there was none. Never a body."""
    next_at: datetime | None = None


class Outbox(Protocol):
    """Events for others. Rows are written with the timeline; here they are fanned out, leased and settled."""

    async def fan_out(self, subscriptions: Sequence[Subscription], now: datetime, limit: int = 500) -> int:
        """Make a delivery for each new event and each endpoint that listens to it; how many events there were."""
        ...

    async def claim_events(self, endpoint: str, now: datetime, lease: timedelta, limit: int) -> Sequence[DueEvent]:
        """Lease what is due to this endpoint, oldest first. A lease that runs out is given to the next who asks."""
        ...

    async def end_attempt(self, due: DueEvent, end: DeliveryEnd, now: datetime) -> bool:
        """Record how the attempt ended; False when the lease had run out and somebody else has taken it."""
        ...

    async def release_events(self, due: Sequence[DueEvent], next_at: datetime) -> None:
        """Give leases back without an attempt; they are due again then."""
        ...

    async def bury(self, endpoint: str, answer: str, now: datetime) -> int:
        """Make everything that is pending for this endpoint dead; how many that were."""
        ...

    async def forget_events(self, before: datetime) -> int:
        """Remove what was delivered before then, or listened to by nobody. What is dead stays for a person."""
        ...
