"""Looks after every workflow task, and once more when all is over, whether what must hold does."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from temporalio.api.common.v1 import Payload

from orderack.contracts import names
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.updates import SettleVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade
from tests.simulation import invariants as must
from tests.simulation.agenda import micros, moment
from tests.simulation.door import TOLD, Door
from tests.simulation.execution import Broken, Execution
from tests.simulation.plan import Plan
from tests.simulation.providers import CEILINGS
from tests.simulation.storm import Storm
from tests.simulation.world import World
from workflows._clocks import levels
from workflows._state import Acknowledgement, OrderState


class Watch:
    """One order's invariants."""

    def __init__(self, plan: Plan, storm: Storm, door: Door, world: World) -> None:
        self._plan = plan
        self._storm = storm
        self._door = door
        self._world = world
        self._open: set[tuple[ClockName, datetime]] = set()
        self._revision = 0
        self._looked_at = 0
        self._said = -1
        self._again = 0
        self._vouched: frozenset[tuple[str, int, int]] = frozenset()
        self.ended_at: int | None = None
        self.stages: set[Stage] = set()
        self.end: OrderState | None = None

    def after_task(self, execution: Execution, now: int) -> None:
        """Every step."""
        state = execution.instance.state
        self.stages.add(state.stage)
        _check("I10", must.i10_revisions_rise(self._revision, state.revision))
        self._revision = state.revision
        telling = any(name.startswith("send/") for name in execution.instance.tasks)
        late = [clock for clock in state.clocks if (clock.name, clock.due_at) in self._open]
        _check("D1", must.d1_met_or_recorded(late, moment(now), telling=telling))
        # one that is overdue when it begins, as an order that comes hours late has it, is dealt with in the next task
        self._open = {(clock.name, clock.due_at) for clock in state.clocks if clock.open}
        if self.ended_at is None and state.ended and state.ended_at:
            self.ended_at = micros(state.ended_at)
        self._people_said(state)
        self._receipt(state)
        self._messages(state)
        if len(state.acknowledgements) != self._said or state.timeline[-1:] != []:
            self._acknowledgements(state)
        if self._storm.dice.chance(self._storm.rates.query, "query", execution.tally.tasks):
            self._queries(execution)

    def _receipt(self, state: OrderState) -> None:
        if state.stage is not Stage.AWAITING_ERP or state.receipt is not None or state.order is None:
            return
        wanted = frozenset(line.line_id for line in state.order.lines)
        seen = [
            (receipt.revision or 0, receipt.answers_for_stock(wanted))
            for _, receipt in self._world.erp.booked.values()
            if f"receipt/{receipt.id}" in state.seen
        ]
        _check("I6", must.i6_receipt_counts(True, state.revision, seen))

    def _messages(self, state: OrderState) -> None:
        """What providers accepted since the last look."""
        accepted = self._world.accepted
        if len(accepted) == self._looked_at:
            return
        news = accepted[self._looked_at :]
        self._looked_at = len(accepted)
        booked = {revision: at for revision, (at, _) in self._world.erp.booked.items()}
        _check("I1", must.i1_no_confirmation_before_its_receipt(news, booked))
        _check("I4", must.i4_one_acceptance_a_key(accepted))
        offered = {revision: row.content_hash for revision, row in self._world.ledger.handoffs.items()}
        for message in news:
            _check("P1", must.p1_no_promise(message))
            _check("C1", must.c1_nothing_after_the_end(message, self.ended_at))
            _check("H1", must.h1_no_work_of_what_has_ended(message, self.ended_at))
            _check("H2", must.h2_told_of_what_is_offered(message, offered))
            stored = self._world.ledger.revisions.get(message.key.revision)
            if message.kind is Kind.CONFIRMATION and stored is not None:
                _check("I18", must.i18_amounts_are_the_orders(stored.order, message.facts.answers))

    def _acknowledgements(self, state: OrderState) -> None:
        """What was decided to be said."""
        acks = [ack for ack in state.acknowledgements if not ack.repeat_of]  # what the policy had said again is apart
        if len(state.acknowledgements) != self._said:
            self._said = len(state.acknowledgements)
            said, decision = state.acknowledgements, self._plan.decision
            _check("D2", must.d2_said_again_once_and_marked(said, decision, self._again, state.clocks))
            _check("I2", must.i2_said_once(acks, self._again))
            _check("H3", must.h3_told_once(acks))
            _check("I3", must.i3_updates_apart(acks, levels(state).update_every, self._again))
            _check("I10", must.i10_decided_in_order(acks, self._again))
            _check("I17", must.i17_quiet_hours(acks, decision.quiet_hours, ZoneInfo(decision.time_zone)))
            if not self._again and state.confirmed_revision == state.revision:
                _check("C2", must.c2_no_waiting_once_confirmed(said, state.confirmed_at, state.revision))
        for ack in state.acknowledgements:
            if ack.grade is not None:
                _check("E1", must.e1_no_more_than_proved(ack, self._ceilings(ack), self._was_accepted(ack)))

    def _people_said(self, state: OrderState) -> None:
        """What a person vouched for, and how often one had something sent again."""
        settled = [entry.note for entry in state.timeline if entry.event is Event.SEND_SETTLED]
        self._again = sum(note.endswith(f": {SettleVerdict.SEND_AGAIN}") for note in settled)

    def _was_accepted(self, ack: Acknowledgement) -> bool:
        wanted = (ack.kind, ack.revision, ack.n)
        return any((m.kind, m.key.revision, m.key.n) == wanted for m in self._world.accepted)

    def _ceilings(self, ack: Acknowledgement) -> Iterable[Grade]:
        wanted = (ack.kind, ack.revision, ack.n)
        for fact in self._world.ledger.facts.values():
            if (fact.kind, fact.revision, fact.n) == wanted:
                yield CEILINGS[fact.channel]

    def _queries(self, execution: Execution) -> None:
        """Reading changes nothing, and works at any time."""
        before = execution.instance.state.model_dump_json()
        for name in (names.QUERY_STATUS, names.QUERY_TIMELINE):
            execution.query(name)
        if execution.instance.state.model_dump_json() != before:
            raise Broken("R3", "a query changed the order")

    # -- when all is over -----------------------------------------------------------------------------------------

    def over(self, execution: Execution, now: datetime) -> None:
        """Nothing more can happen to it."""
        state = self.end = execution.instance.state
        if not execution.closed:
            raise Broken("I12", f"stuck: nothing more will happen, and it is {state.stage} at {now:%d %b %H:%M}")
        self._looked_at = -1
        self._messages(state)
        ledger, accepted = self._world.ledger, self._world.accepted
        rows = {key: row.state for key, row in ledger.rows.items()}
        _check("I5", must.i5_ledger_knows_what_was_accepted(accepted, rows))
        _check("I5", must.i5_only_what_was_accepted(state.acknowledgements, accepted, self._by_hand(state)))
        repeats = sum(ack.repeat_of is not None for ack in state.said(Kind.CONFIRMATION))
        _check("I4", must.i4_one_confirmation_a_channel(accepted, self._again + repeats))
        _check("I9", must.i9_ledger_is_history(ledger.entries, state.timeline, state.seq))
        self._inbound(state)

    def _by_hand(self, state: OrderState) -> frozenset[tuple[str, int, int]]:
        found = set()
        for entry in state.timeline:
            if entry.event is Event.SEND_SETTLED and entry.note.endswith(f": {SettleVerdict.SENT}"):
                kind, n = entry.note.split(" by ")[0].split(" ")
                found |= {(kind, revision, int(n)) for revision in range(1, state.revision + 1)}
        return frozenset(found)

    def _inbound(self, state: OrderState) -> None:
        told = [item for item in self._door.inbound if item.fate == TOLD]
        facts = [item.id for item in told if item.what.startswith(("erp_receipt", "evidence", "payment"))]
        parked = {f"receipt/{receipt.id}" for receipt in state.parked_receipts}
        _check("I8", must.i8_accounted(facts, frozenset(state.seen) | parked))
        malformed = sum(item.malformed for item in told)
        _check("I8", must.i8_quarantined(malformed, len(state.quarantine)))
        answers: dict[str, list[bytes]] = {}
        for item in told:
            if item.malformed or item.id in facts:
                continue
            if item.answered is None:
                raise Broken("I8", f"{item.what} {item.id} was never answered")
            if isinstance(item.answered, Payload) and item.what != names.UPDATE_SUBMIT:
                answers.setdefault(f"{item.what} {item.id}", []).append(item.answered.data)
        _check("A2", must.a2_same_answer(answers))


def _check(rule: str, complaints: Iterable[str]) -> None:
    for complaint in complaints:
        raise Broken(rule, complaint)
