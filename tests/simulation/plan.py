"""What one order's story is: its content, what the matrix says of it, and what happens to it whatever we do."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import (
    AnswerCall,
    Assessment,
    Decision,
    Doubts,
    ErpMode,
    Flag,
    FlagName,
    Gate,
    Leg,
    OnDoubt,
    QuietHours,
    Route,
    ServiceLevels,
    SourceCall,
)
from orderack.domain.order import (
    Address,
    Contacts,
    Customer,
    Line,
    Order,
    PartnerDeadline,
    Payment,
    PaymentStatus,
    Totals,
)
from orderack.domain.source import AnswerStage
from tests.simulation.agenda import moment
from tests.simulation.chance import DAY, HOUR, MINUTE, SECOND, Dice

STORE = "demo"
SYSTEM = "partner"
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")

LEGS = (
    (("key", "lookup"),),
    (("lookup", "none"),),
    (("echo", "key"), ("none",)),
    (("none", "echo"),),
    (("key",), ("lookup",)),
)
"""Ways in which buyers are reached; all classes of providers take their turn, as a first choice and as a fallback."""

FLAGS = (
    FlagName.HIGH_VALUE,
    FlagName.INCOMPLETE,
    FlagName.NEW_CLIENT,
    FlagName.PROBABLE_DUPLICATE,
    FlagName.TOTALS_MISMATCH,
    FlagName.DOUBTFUL,
)

COMMITTING = (AnswerStage.CONFIRMED, AnswerStage.REJECTED, AnswerStage.CANCELLED)

CALLS = (
    SourceCall(system=SYSTEM, call=AnswerCall.NOTE, stages=tuple(AnswerStage)),
    SourceCall(system=SYSTEM, call=AnswerCall.RECEIPT, stages=tuple(AnswerStage)),
    SourceCall(system=SYSTEM, call=AnswerCall.COMMITMENT, stages=COMMITTING),
)


@dataclass(frozen=True)
class Temper:
    """How much happens to an order. Chances are multiplied by these."""

    name: str
    events: float
    """Changes, cancellations, payments, questions."""
    doubts: float
    """What an assessment finds, and a matrix that wants something special."""
    slow_erp: float
    reports: float


TEMPERS: tuple[tuple[float, Temper], ...] = (
    (0.72, Temper("plain", events=0.04, doubts=0.04, slow_erp=0.08, reports=0.3)),
    (0.22, Temper("lively", events=1.0, doubts=0.6, slow_erp=0.5, reports=0.8)),
    (0.06, Temper("wild", events=2.0, doubts=2.0, slow_erp=1.5, reports=1.5)),
)
"""Most orders are plain: they come in, are booked, confirmed, handed off and closed. Disturbances come to all alike."""


@dataclass(frozen=True)
class Happening:
    """Something that comes from outside at its time. `what`: a name of `arrivals.ARRIVALS`."""

    at: int
    what: str
    number: int = 0


class Plan:
    """One order, told by its dice. The same dice tell the same order."""

    def __init__(self, number: str, dice: Dice) -> None:
        self.number = number
        self.dice = dice
        self.temper = dice.weighed(TEMPERS, "temper")
        self.arrives_at = dice.between(HOUR, 5 * DAY, "arrives")

    @cached_property
    def order(self) -> Order:
        """The order as it first comes."""
        dice = self.dice
        trigger = self.arrives_at - dice.weighed(((0.8, 2 * SECOND), (0.1, 30 * SECOND), (0.1, 3 * HOUR)), "trigger")
        lines = tuple(self._line(index) for index in range(1 + dice.between(0, 3, "lines")))
        due = moment(trigger + dice.pick((4, 24), "partner due") * HOUR)
        return Order(
            store=STORE,
            number=self.number,
            source="web",
            trigger_at=moment(trigger),
            customer=Customer(id="C-1"),
            contacts=Contacts(email="ada@example.com"),
            lines=lines,
            delivery_address=Address(street="1 High Street", city="London", postal_code="N1 1AA", country="GB"),
            payment=Payment(status=dice.weighed(PAYMENTS, "payment")),
            currency="EUR",
            totals=Totals(total=sum((line.amount for line in lines), Decimal(0))),
            partner_deadline=PartnerDeadline(partner="bigmart", due_at=due) if dice.chance(0.15, "partner") else None,
        )

    def _line(self, index: int) -> Line:
        quantity = self.dice.pick((Decimal(1), Decimal(2), Decimal("0.7"), Decimal("1.1"), Decimal(24)), "qty", index)
        return Line(line_id=str(index + 1), sku=f"S{index}", quantity=quantity, unit_price=Decimal("9.90"))

    def version(self, number: int) -> Order:
        """The order's content after its n-th change; a change may go back to what it was before."""
        if number == 0:
            return self.order
        if number > 1 and self.dice.chance(0.35, "back", number):
            return self.version(number - 2)
        line = self.order.lines[0].model_copy(update={"quantity": Decimal(number + 2)})
        return self.order.model_copy(update={"lines": (line, *self.order.lines[1:])})

    # -- what the matrix says -------------------------------------------------------------------------------------

    @cached_property
    def decision(self) -> Decision:
        """The part that stays the same for all revisions."""
        dice = self.dice
        silent = dice.chance(0.06, "fraud")
        legs = () if dice.chance(0.02, "unreachable") else dice.pick(LEGS, "legs")
        return Decision(
            rule="simulated",
            policy_version="p1",
            gate=dice.pick(tuple(Gate), "gate"),
            withhold_received=silent or dice.chance(0.1, "withhold"),
            withhold_updates=silent,
            erp="erp",
            erp_mode=ErpMode.WAIT if dice.chance(0.2, "wait") else ErpMode.PUSH,
            legs=tuple(Leg(channels=leg) for leg in legs),
            internal=(Leg(channels=("owners",)),),
            rota=("ops-1", "ops-2", "ops-3"),
            reviewers=("reviewer-1", "reviewer-2"),
            evidence_needed=dice.weighed(((0.8, "E2"), (0.2, "E5")), "needed"),
            time_zone=dice.pick(ZONES, "zone"),
            quiet_hours=QuietHours(start="21:00", end="07:30") if dice.chance(0.15, "quiet") else None,
            levels=self._levels(),
            answer=dice.pick(CALLS, "call") if dice.chance(0.35, "answers") else None,
            invoice=dice.chance(0.15, "invoice"),
            tell_handoffs=dice.chance(0.4, "tell the team"),
            on_doubt=self._doubts(),
        )

    def _doubts(self) -> Doubts | None:
        """What becomes of messages in doubt: half of the shops leave all of them to a person."""
        words = dict.fromkeys(Kind, OnDoubt.RESEND_MARKED) | {Kind.HOLDING: OnDoubt.NEVER, Kind.UPDATE: OnDoubt.NEVER}
        if self.dice.chance(0.3, "updates are repeated"):
            words[Kind.UPDATE] = OnDoubt.RESEND_MARKED
        return Doubts(kinds=words, pages=("none",)) if self.dice.chance(0.5, "on doubt") else None

    def _levels(self) -> ServiceLevels:
        dice = self.dice
        return ServiceLevels(
            resolve_within=timedelta(hours=6) if dice.chance(0.2, "resolve") else None,
            evidence_within=timedelta(minutes=20) if dice.chance(0.3, "evidence") else None,
            change_window=timedelta(days=dice.pick((2, 7), "window")),
        )

    def assess(self, order: Order, revision: int, waived: tuple[str, ...]) -> Assessment:
        """What is found of a revision. What a reviewer has waived is not found again."""
        dice = self.dice
        found = []
        if dice.chance((0.22 if revision == 1 else 0.12) * self.temper.doubts, "flagged", revision) and revision < 5:
            name = dice.pick(FLAGS, "flag", revision)
            found = [Flag(name=name, why=f"simulated {name}")] if name not in waived else []
        by_rule = (
            not found
            and revision == 1
            and dice.chance(0.03 * self.temper.doubts, "by rule")
            and FlagName.RULE not in waived
        )
        route = Route.REVIEW if found or by_rule else Route.STRAIGHT
        return Assessment(
            revision=revision,
            content_hash=order.content_hash,
            flags=tuple(found),
            promise_on=date(2026, 4, 20),
            decision=self.decision.model_copy(update={"route": route}),
        )

    # -- what comes from outside ----------------------------------------------------------------------------------

    @cached_property
    def happenings(self) -> tuple[Happening, ...]:
        """The order itself, and what comes whatever becomes of it, in no order."""
        found = [Happening(self.arrives_at, "order")]
        for told in TELLERS:
            found += told(self)
        return tuple(found)

    def some(self, chance: float, at_most: int, what: str) -> int:
        """How many of something that plain orders hardly have: one is likelier than two."""
        if not self.dice.chance(chance * self.temper.events, what):
            return 0
        return 1 + int(at_most * self.dice.roll(what, "how many") ** 2)

    def soon(self, *key: object) -> int:
        """A time in the order's life: mostly in its first hours, sometimes days later, sometimes at once."""
        low, high = self.dice.weighed(
            ((0.25, (0, 2 * MINUTE)), (0.35, (2 * MINUTE, 3 * HOUR)), (0.3, (3 * HOUR, DAY)), (0.1, (DAY, 6 * DAY))),
            "when",
            *key,
        )
        return self.arrives_at + self.dice.between(low, high, "soon", *key)


PAYMENTS = ((0.8, PaymentStatus.CONFIRMED), (0.15, PaymentStatus.PENDING), (0.05, PaymentStatus.FLAGGED))


def _changes(plan: Plan) -> list[Happening]:
    count = plan.some(0.25, 3, "changes")
    at = sorted(plan.soon("change", n) for n in range(count))
    way = plan.dice.pick(("change", "changed order"), "way")
    return [Happening(when, way, n + 1) for n, when in enumerate(at)]


def _cancellations(plan: Plan) -> list[Happening]:
    if not plan.some(0.1, 1, "cancel"):
        return []
    before = plan.dice.chance(0.1, "cancel at once")
    return [Happening(plan.arrives_at if before else plan.soon("cancel"), "cancel")]


def _payments(plan: Plan) -> list[Happening]:
    count = plan.some(0.2, 2, "payments")
    return [Happening(plan.soon("paid", n) - (30 * MINUTE if n else 0), "payment", n + 1) for n in range(count)]


def _questions(plan: Plan) -> list[Happening]:
    count = plan.some(0.07, 3, "questions")
    return [Happening(plan.soon("asked", n), "question", n + 1) for n in range(count)]


def _booked_by_another(plan: Plan) -> list[Happening]:
    """Where another integration books: the ERP has it some time after, or before, we have."""
    if plan.decision.erp_mode is not ErpMode.WAIT:
        return []
    early = plan.dice.chance(0.25, "receipt first")
    return [Happening(plan.arrives_at - (2 * MINUTE if early else 0), "booked elsewhere", 0)]


def _never(plan: Plan) -> list[Happening]:
    """Sometimes a receipt comes of an order that never comes."""
    return [Happening(plan.arrives_at, "orphan")] if plan.dice.chance(0.01, "orphan") else []


TELLERS: tuple[Callable[[Plan], list[Happening]], ...] = (
    _changes,
    _cancellations,
    _payments,
    _questions,
    _booked_by_another,
    _never,
)
