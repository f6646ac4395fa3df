"""One at a time: the same event that comes twice at once is told once, as it is when it comes twice in a row."""

from asyncio import Lock
from weakref import WeakValueDictionary


class Turns:
    """Whoever holds an event's lock may record and announce it. In this process alone; between two, ids make it one."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, str], Lock] = WeakValueDictionary()

    def of(self, source: str, external_id: str) -> Lock:
        """This event's lock; forgotten when nobody holds or awaits it any more."""
        return self._locks.setdefault((source, external_id), Lock())
