"""Bells by which a route tells a background job that there is news."""

from asyncio import Event
from collections import defaultdict


class Bells:
    """One for each channel whose mailbox is read. In this process alone; another one's job looks when it is time."""

    def __init__(self) -> None:
        self._bells: dict[str, Event] = defaultdict(Event)

    def of(self, channel: str) -> Event:
        """Set while somebody has rung and nobody has looked yet."""
        return self._bells[channel]
