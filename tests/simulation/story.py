"""One order's whole life, from its seed: what became of it, whether something was broken, and a hash of every step."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from hashlib import blake2b

from temporalio.api.common.v1 import Payload

from orderack.contracts.journal import Event
from orderack.domain.acknowledgement import Audience
from orderack.domain.receipt import ErpReceipt
from tests.simulation.agenda import Agenda
from tests.simulation.arrivals import Arrivals
from tests.simulation.calls import Attempt
from tests.simulation.chance import DAY, Dice
from tests.simulation.door import LATE, Door
from tests.simulation.execution import Broken, Execution
from tests.simulation.people import People
from tests.simulation.plan import Plan
from tests.simulation.providers import BUYERS, Accepted
from tests.simulation.reports import Reports
from tests.simulation.storm import ORDERS_UNDER_ONE_SKY, Rates, Sky, Storm, sky_over
from tests.simulation.watch import Watch
from tests.simulation.world import World
from workflows._state import OrderState

LONGEST = 40 * DAY
"""No order lives as long: people see to it long before."""

EVENTS_AT_MOST = 60_000


@dataclass(frozen=True)
class Violation:
    """Which rule was broken, in words, and when in the simulated time."""

    rule: str
    text: str
    at: str


@dataclass(frozen=True)
class Outcome:
    """What a story comes to, whatever came twice or was lost on the way (I7)."""

    stage: str
    revision: int
    confirmed: int
    document: str | None
    accepted_by: str | None
    told: tuple[tuple[str, int], ...]


@dataclass
class Ending:
    """How one order ended."""

    index: int
    trace: str
    days: float
    violation: Violation | None = None
    outcome: Outcome | None = None
    counts: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    dump: str = ""


OF_ANY_CODE = frozenset({"R1", "R2", "R3", "I4", "I5", "I8"})

ONCE = frozenset({"confirmation", "cancellation", "rejection", "change_received", "answer"})
"""Messages whose number follows from the story alone; the others depend on how long things took."""


class Story:
    """Order number `index` of a seed."""

    def __init__(self, seed: int, index: int, rates: Rates | None = None, kind: type[Execution] = Execution) -> None:
        given, rates = rates, rates or Rates()
        self.index = index
        sky = Sky()
        if rates.outages:
            sky = sky_over(Dice(f"{seed}/sky/{index // ORDERS_UNDER_ONE_SKY}"), BUYERS, rates.outages)
        self.plan = Plan(f"S{seed}-{index}", Dice(f"{seed}/story/{index}"))
        self.storm = Storm(Dice(f"{seed}/storm/{index}"), rates, sky)
        self.agenda = Agenda()
        self.door = Door(self.agenda, self.plan, self.storm, self._perform, self._after_task, kind)
        self.world = World(self.agenda, self.plan, self.storm, self._accepted, self._announce)
        self.arrivals = Arrivals(self.agenda, self.plan, self.storm, self.door, self.world)
        self.reports = Reports(self.agenda, self.plan, self.door, lambda: self.world, self.arrivals.repeat)
        self.people = People(self.agenda, self.plan, self.door, self.world, by_turn=given is not None)
        self.watch = Watch(self.plan, self.storm, self.door, self.world)

    def _perform(self, activity: str, given: Payload, attempt: int) -> Attempt:
        return self.world.perform(activity, given, attempt)

    def _accepted(self, accepted: Accepted) -> None:
        self.reports.of(accepted)

    def _announce(self, receipt: ErpReceipt, at: int) -> None:
        self.arrivals.announce(receipt, at)

    def _after_task(self, execution: Execution) -> None:
        self.watch.after_task(execution, self.agenda.now)
        self.people.look(execution.instance.state)

    def live(self) -> Ending:
        """Let it happen."""
        self.arrivals.plan()
        violation = None
        try:
            self._run()
        except Broken as broken:
            violation = Violation(broken.rule, str(broken), f"{self.agenda.clock():%d %b %H:%M:%S}")
        if violation and self._is_of_old_code(violation):
            ending = self._ending(None)
            ending.counts["faults of old code"] += 1
            return ending
        return self._ending(violation)

    def _is_of_old_code(self, violation: Violation) -> bool:
        """A run that began before a patch keeps the fault that the patch mends; but it replays and sends once."""
        execution = self.door.execution
        old = execution is not None and execution.tally.old_code
        return bool(old) and violation.rule not in OF_ANY_CODE

    def _run(self) -> None:
        steps = 0
        while self.agenda.step():
            steps += 1
            if self.agenda.now > LONGEST or steps > EVENTS_AT_MOST:
                raise Broken("I12", f"it does not end: {steps} events in {self.agenda.now / DAY:.0f} days")
        if self.door.execution is not None:
            self.watch.over(self.door.execution, self.agenda.clock())

    def _ending(self, violation: Violation | None) -> Ending:
        execution = self.door.execution
        begun = execution is not None and execution.instance.begun and self.watch.stages
        state = execution.instance.state if execution is not None and begun else None
        trace = execution.trace.hexdigest() if execution is not None else blake2b(digest_size=16).hexdigest()
        days = (self.agenda.now - self.plan.arrives_at) / DAY
        ending = Ending(self.index, trace, days, violation)
        if state is not None:
            ending.outcome = self._outcome(state)
            ending.dump = state.model_dump_json(indent=1) if violation else ""
        ending.counts = self._counts(state)
        ending.reached = self._reached(state)
        if execution is not None:
            ending.counts.update({name: int(count) for name, count in asdict(execution.tally).items()})
            execution.instance.evict()
        return ending

    def _outcome(self, state: OrderState) -> Outcome:
        told = {
            (str(message.kind), message.key.revision)
            for message in self.world.accepted
            if message.kind in ONCE and message.audience is Audience.BUYER
        }
        return Outcome(
            stage=state.stage,
            revision=state.revision,
            confirmed=state.confirmed_revision,
            document=state.receipt.document_id if state.receipt else None,
            accepted_by=state.handoff.accepted_by if state.handoff else None,
            told=tuple(sorted(told)),
        )

    def _counts(self, state: OrderState | None) -> Counter[str]:
        """The mix: what this order had."""
        events = Counter(entry.event for entry in self.world.ledger.entries.values())
        had = {
            "orders": True,
            self.plan.temper.name: True,
            "with a change": events[Event.CHANGE_PROPOSED] > 0,
            "with a cancellation": events[Event.CANCELLED] > 0,
            "with a review": events[Event.REVIEW_OPENED] > 0,
            "rejected": events[Event.REJECTED] > 0,
            "escalated": events[Event.ESCALATED] > 0,
            "with a worker killed in an activity": self.world.kills > 0,
            "with a send in doubt": events[Event.SEND_UNKNOWN] > 0,
            "with a broken deadline": events[Event.CLOCK_BREACHED] > 0,
            "with a repeat": any(not item.first for item in self.door.inbound),
            "with something malformed": any(item.malformed for item in self.door.inbound),
            "with something late": any(item.fate == LATE for item in self.door.inbound),
            "confirmed": events[Event.CONFIRMED] > 0,
            "handed off": events[Event.HANDED_OFF] > 0,
        }
        counted = Counter({name: int(value) for name, value in had.items()})
        counted["messages accepted"] = len(self.world.accepted)
        counted["activity attempts"] = self.world.attempts
        counted["worker deaths in activities"] = self.world.kills
        counted["came in"] = len(self.door.inbound)
        return counted

    def _reached(self, state: OrderState | None) -> Counter[str]:
        found: Counter[str] = Counter()
        found.update(f"event {entry.event}" for entry in self.world.ledger.entries.values())
        found.update(f"stage {stage}" for stage in self.watch.stages)
        found.update(f"kind {message.kind}" for message in self.world.accepted)
        found.update(f"send {row.state}" for row in self.world.ledger.rows.values())
        found.update(f"evidence {fact.event}" for fact in self.world.ledger.facts.values())
        if state is not None:
            found.update(f"clock {clock.name}" for clock in state.clocks)
            found.update(f"leg {leg.state}" for ack in state.acknowledgements for leg in ack.legs)
        return found
