"""What may go wrong around a story without changing what should become of it, and when the systems are out of reach."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.simulation.chance import DAY, HOUR, MINUTE, SECOND, Dice

MS = 1_000
ORDERS_UNDER_ONE_SKY = 40
"""So many orders in a row have the same outages."""


@dataclass(frozen=True)
class Rates:
    """How often each disturbance comes, from 0 (never) to 1."""

    duplicate: float = 0.12
    """Something that came in comes in again."""
    malformed: float = 0.05
    """An order is sent something that cannot be read."""
    evict: float = 0.005
    """After a workflow task its run is evicted, and replayed."""
    task_lost: float = 0.003
    """The worker dies in the middle of a workflow task."""
    killed: float = 0.02
    """The worker dies in the middle of an activity."""
    fresh_history: float = 0.25
    """The order continues as new early and often."""
    old_code: float = 0.15
    """The order began under code without the later patches."""
    backs_off: float = 0.3
    """A local activity's retry is left to a timer."""
    outages: float = 1.0
    """Of the ERP, the workers, the ledger, the channels; more than 1: more often than usual."""
    weather: float = 1.0
    """Providers, the ERP and the partner refuse, are busy, or are cut off, as they do (`providers.WEATHER`)."""
    latency: float = 1.0
    query: float = 0.01
    """After a workflow task its queries are asked."""

    def without(self, *names: str) -> "Rates":
        """The same with these at 0."""
        return replace(self, **dict.fromkeys(names, 0.0))


CALM = Rates().without(*Rates.__dataclass_fields__)
"""Nothing goes wrong and nothing is slow."""


TWICE_TOLD = Rates().without("killed", "old_code", "backs_off", "outages", "latency", "query")
"""For a story that is told twice (I7): with what comes twice, cannot be read, is evicted, lost and begun afresh …"""

ONCE_TOLD = TWICE_TOLD.without("duplicate", "malformed", "evict", "task_lost", "fresh_history")
"""… and without. Nothing of that may make a difference."""


@dataclass(frozen=True)
class Sky:
    """When something is out of reach: from, until (microseconds)."""

    erp: tuple[tuple[int, int], ...] = ()
    workers: tuple[tuple[int, int], ...] = ()
    ledger: tuple[tuple[int, int], ...] = ()
    channels: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)


def sky_over(dice: Dice, channels: Sequence[str], often: float) -> Sky:
    """The outages of a week: none, mostly; else some of hours, at any time of day."""
    if not dice.chance(0.3 * often, "clouds"):
        return Sky()

    def outages(what: str, chance: float, longest: int) -> tuple[tuple[int, int], ...]:
        found = []
        for day in range(8):
            if dice.chance(chance * often, what, day):
                begins = day * DAY + dice.between(0, DAY, what, day, "begins")
                found.append((begins, begins + dice.between(MINUTE, longest, what, day, "lasts")))
        return tuple(found)

    return Sky(
        erp=outages("erp", 0.25, 8 * HOUR),
        workers=outages("workers", 0.12, 5 * HOUR),
        ledger=outages("ledger", 0.1, 3 * HOUR),
        channels={name: outages(name, 0.15, 4 * HOUR) for name in channels},
    )


def inside(outages: Sequence[tuple[int, int]], at: int) -> int:
    """When the outage that is on at that time ends; 0: none is."""
    return next((until for begins, until in outages if begins <= at < until), 0)


class Storm:
    """One order's disturbances."""

    def __init__(self, dice: Dice, rates: Rates, sky: Sky) -> None:
        self.dice = dice
        self.rates = rates
        self.sky = sky
        self.calm = not rates.weather

    def pick_up(self, what: str, seq: int, attempt: int = 1) -> int:
        """How long until a worker takes it."""
        if not self.rates.latency:
            return 0
        slow = self.dice.roll("slow", what, seq, attempt)
        return int(5 * MS + 40 * MS * slow if slow < 0.98 else 4 * SECOND * slow)

    def when_workers_are_up(self, at: int) -> int:
        """That time, or the end of the outage that it falls in."""
        until = inside(self.sky.workers, at)
        return until + self.dice.between(0, 2 * SECOND, "up again", at) if until else at

    def backs_off(self, seq: int, attempt: int) -> bool:
        return self.dice.chance(self.rates.backs_off, "backs off", seq, attempt)
