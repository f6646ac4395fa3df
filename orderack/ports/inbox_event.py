"""What came in from outside, as it is recorded."""

from datetime import datetime

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
