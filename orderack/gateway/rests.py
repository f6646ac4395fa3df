"""What the sweep leaves alone for a while, so that events that can't be told hold up none that can."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

FIRST = timedelta(seconds=5)
LONGEST = timedelta(minutes=5)


@dataclass(frozen=True)
class Rest:
    """One event's. `holds`: later events of its order wait behind it."""

    until: datetime
    tries: int
    holds: bool


@dataclass
class Rests:
    """Each failed try doubles the rest before the next, up to five minutes. Kept in this process alone."""

    _by_row: dict[int, Rest] = field(default_factory=dict)

    def of(self, row: int, now: datetime) -> Rest | None:
        """The rest that the event takes now; None when it may be tried."""
        rest = self._by_row.get(row)
        return rest if rest and now < rest.until else None

    def failed(self, row: int, now: datetime, *, holds: bool) -> None:
        """The event could not be told."""
        known = self._by_row.get(row)
        tries = known.tries + 1 if known else 1
        pause = min(FIRST * 2 ** min(tries - 1, 10), LONGEST)
        self._by_row[row] = Rest(until=now + pause, tries=tries, holds=holds)

    def keep(self, rows: Collection[int]) -> None:
        """Forget all others: they have been told."""
        self._by_row = {row: rest for row, rest in self._by_row.items() if row in rows}
