"""The record of touches."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from orderack.ports.inbox_event import InboxEvent
from orderack.touches import GradedTouch, SettledTouch, Touch


class TouchBook(Protocol):
    """Touches of messages: counted as they come, graded once settled, their addresses forgotten in time."""

    async def record_touches(self, found: Sequence[Touch]) -> int:
        """Count them, like ones together; those of a message we don't hold are dropped. How many were counted."""
        ...

    async def settled_touches(self, before: datetime, limit: int = 100) -> Sequence[SettledTouch]:
        """Touches that first came before then and have no verdict yet, oldest first."""
        ...

    async def grade_touch(self, graded: GradedTouch, now: datetime) -> InboxEvent | None:
        """Write the verdict, its fact and, if it is news, the event to be announced: all of it once, or nothing."""
        ...

    async def forget_touches(self, before: datetime) -> int:
        """Drop whose touch it was (address, user agent, headers, raw event) from graded ones last seen before then."""
        ...
