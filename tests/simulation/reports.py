"""What providers, machines and buyers let us know of a message: early, late, twice, or never."""

from collections.abc import Callable

from orderack.domain.acknowledgement import Audience, Kind
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from tests.simulation.agenda import Agenda, moment
from tests.simulation.chance import DAY, HOUR, MINUTE, SECOND
from tests.simulation.door import Door
from tests.simulation.plan import Plan
from tests.simulation.providers import CEILINGS, Accepted
from tests.simulation.world import World

E = EvidenceEvent
OWN = "its own"
"""The channel that the message went by."""

PAGE = "portal"

REPORTS: tuple[tuple[float, EvidenceEvent, Grade, str, tuple[int, int]], ...] = (
    (0.80, E.DELIVERED, Grade.E2, OWN, (SECOND, MINUTE)),
    (0.05, E.BOUNCED, Grade.E0, OWN, (2 * SECOND, 3 * HOUR)),
    (0.10, E.MACHINE_TOUCH, Grade.M, OWN, (SECOND, 9 * SECOND)),
    (0.20, E.DISPLAYED, Grade.E3P, OWN, (MINUTE, DAY)),
    (0.12, E.ENGAGED, Grade.E4, PAGE, (MINUTE, 2 * DAY)),
    (0.08, E.AFFIRMED, Grade.E5, PAGE, (MINUTE, 2 * DAY)),
    (0.03, E.ASSENTED, Grade.E5, PAGE, (MINUTE, 3 * DAY)),
    (0.025, E.DECLINED, Grade.E5, PAGE, (MINUTE, 3 * DAY)),
    (0.02, E.DISPUTED, Grade.E5, PAGE, (MINUTE, 6 * DAY)),
    (0.02, E.REPLIED, Grade.E4, PAGE, (MINUTE, 3 * DAY)),
    (0.01, E.OPTED_OUT, Grade.E0, OWN, (MINUTE, DAY)),
    (0.01, E.UNKNOWN, Grade.E0, OWN, (SECOND, DAY)),
)
"""How likely, what, how much it proves at most, through which channel, and how long after."""

TOLD_OF = frozenset({Kind.CONFIRMATION})
"""Of other messages hardly anybody reports more than their delivery."""

Repeat = Callable[[int, str, Callable[[str], None]], None]


class Reports:
    """Lets the order know what became of each message that a provider accepted."""

    def __init__(self, agenda: Agenda, plan: Plan, door: Door, world: Callable[[], World], repeat: Repeat) -> None:
        self._agenda = agenda
        self._plan = plan
        self._door = door
        self._world = world
        self._repeat = repeat

    def of(self, accepted: Accepted) -> None:
        """Put down what will be reported of it."""
        if accepted.audience is not Audience.BUYER:
            return
        dice = self._plan.dice
        scale = (1.0 if accepted.kind in TOLD_OF else 0.35) * self._plan.temper.reports
        for probability, event, grade, channel, (low, high) in REPORTS:
            if not dice.chance(probability * scale, "report", accepted.key, event):
                continue
            by = accepted.channel if channel is OWN else channel
            at = accepted.at + dice.between(low, high, "reported", accepted.key, event)
            if dice.chance(0.05, "late report", accepted.key, event):
                at += dice.between(0, 3 * DAY, "how late", accepted.key, event)
            fact = EvidenceFact(
                id=f"{accepted.key}/{event}",
                event=event,
                grade=min(grade, CEILINGS[by], key=lambda given: given.rank),
                channel=by,
                revision=accepted.key.revision,
                kind=accepted.kind,
                n=accepted.key.n,
                occurred_at=moment(at),
                basis=f"simulated:{event}",
            )
            self._put(at, accepted, fact)

    def _put(self, at: int, accepted: Accepted, fact: EvidenceFact) -> None:
        def happens(again: str = "") -> None:
            self._world().ledger.record_evidence(accepted.key, fact)
            self._door.evidence(fact)

        self._agenda.at(at, happens)
        self._repeat(at, f"evidence/{fact.id}", happens)
