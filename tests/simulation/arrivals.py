"""What comes from outside at its time, and comes again, or is no order's at all."""

from collections.abc import Callable, Mapping

from temporalio.api.common.v1 import Payload

from orderack.contracts import names
from orderack.contracts.updates import BuyerQuestion, CancelRequest, ChangeRequest, PaymentChanged
from orderack.domain.order import PaymentStatus
from orderack.domain.receipt import ErpReceipt
from tests.simulation._instance import CONVERTER
from tests.simulation.agenda import Agenda, moment
from tests.simulation.chance import DAY, HOUR, MINUTE, SECOND
from tests.simulation.door import Door
from tests.simulation.plan import Happening, Plan
from tests.simulation.storm import Storm
from tests.simulation.world import World

BAD: tuple[list[Payload], ...] = (
    [CONVERTER.to_payloads([{"by": "x"}])[0]],
    [CONVERTER.to_payloads(["words"])[0]],
    [Payload(metadata={"encoding": b"json/plain"}, data=b"{not json")],
    [CONVERTER.to_payloads([1])[0], CONVERTER.to_payloads([2])[0]],
    [],
)
"""Payloads that no signal takes: a field too few, no object, no JSON, two arguments, none."""


class Arrivals:
    """Puts one plan's happenings into the agenda."""

    def __init__(self, agenda: Agenda, plan: Plan, storm: Storm, door: Door, world: World) -> None:
        self._agenda = agenda
        self._plan = plan
        self._storm = storm
        self._door = door
        self._world = world
        self.count: dict[str, int] = {}
        self._arrive: Mapping[str, Callable[[int, str], None]] = {
            "order": self._order,
            "changed order": self._changed_order,
            "change": self._change,
            "cancel": self._cancel,
            "payment": self._payment,
            "question": self._question,
            "booked elsewhere": self._booked_elsewhere,
            "orphan": lambda number, again: None,
        }

    def plan(self) -> None:
        """Everything that is to come."""
        orphan = any(happening.what == "orphan" for happening in self._plan.happenings)
        for happening in self._plan.happenings:
            if not orphan or happening.what == "booked elsewhere":
                self._put(happening)
        if orphan:
            self._put(Happening(self._plan.arrives_at, "booked elsewhere"))
        dice = self._storm.dice
        if dice.chance(self._storm.rates.malformed, "malformed"):
            for n in range(1 + dice.between(0, 3, "malformed")):
                self._agenda.at(self._plan.soon("malformed", n), lambda n=n: self._malformed(n))  # type: ignore[misc]

    def _put(self, happening: Happening) -> None:
        def happens(again: str = "") -> None:
            self.count[happening.what] = self.count.get(happening.what, 0) + 1
            self._arrive[happening.what](happening.number, again)

        self._agenda.at(happening.at, happens)
        self.repeat(happening.at, f"{happening.what}/{happening.number}", happens)

    def repeat(self, at: int, key: str, happens: Callable[[str], None]) -> None:
        """Perhaps once more, or thrice: at once, after the caller's timeout, or days later; under either id."""
        dice = self._storm.dice
        if not dice.chance(self._storm.rates.duplicate, "again", key):
            return
        for n in range(1 + dice.between(0, 3, "agains", key)):
            low, high = dice.pick(
                ((0, SECOND), (9 * SECOND, 10 * SECOND), (MINUTE, HOUR), (HOUR, 5 * DAY)), "gap", key, n
            )
            again = f"/again-{n}" if dice.chance(0.5, "another id", key, n) else ""
            self._agenda.at(at + dice.between(low, high, "gap", key, n, "is"), lambda again=again: happens(again))  # type: ignore[misc]

    # -- one each -------------------------------------------------------------------------------------------------

    def _order(self, number: int, again: str) -> None:
        self._door.submit(self._plan.order, again)

    def _changed_order(self, number: int, again: str) -> None:
        self._door.submit(self._plan.version(number), again)

    def _change(self, number: int, again: str) -> None:
        request = ChangeRequest(id=f"c{number}", order=self._plan.version(number))
        self._door.request(names.UPDATE_CHANGE, request.id, request, again)

    def _cancel(self, number: int, again: str) -> None:
        dispute = self._plan.dice.chance(0.2, "dispute")
        by = self._plan.dice.pick(("buyer", "web"), "cancelled by")
        request = CancelRequest(id="cancel", by=by, reason="changed my mind", dispute=dispute)
        self._door.request(names.UPDATE_CANCEL, request.id, request, again)

    def _payment(self, number: int, again: str) -> None:
        status = self._plan.dice.pick(tuple(PaymentStatus), "payment", number)
        self._door.payment(PaymentChanged(id=f"p{number}", status=status, occurred_at=moment(self._agenda.now)))

    def _question(self, number: int, again: str) -> None:
        revision = self._plan.dice.pick((1, 1, 1, 2), "question", number)
        request = BuyerQuestion(id=f"q{number}", revision=revision, via="portal", text=f"When does it come? ({number})")
        self._door.request(names.UPDATE_ASK, request.id, request, again)

    def _booked_elsewhere(self, number: int, again: str) -> None:
        """Another integration gives the ERP each revision as it comes; a person there catches up with later ones."""
        self._world.erp.learn(self._plan.order, 1, self._agenda.now)

    def announce(self, receipt: ErpReceipt, at: int) -> None:
        """The ERP posts what it has booked, some time after; now and then it never does, and is asked."""
        dice = self._plan.dice
        if dice.chance(0.04, "never posted", receipt.document_id):
            return
        first = self._storm.dice.chance(0.03, "without stock", receipt.document_id) and not self._storm.calm
        bare = receipt.model_copy(update={"id": f"{receipt.id}-bare", "lines": ()})
        when = at + dice.between(SECOND // 10, 20 * SECOND, "posts", receipt.document_id)
        if first:
            self._agenda.at(when, lambda: self._door.receipt(bare))

        def posts(again: str = "") -> None:
            if self._world.erp.stands(receipt):
                self._door.receipt(receipt)

        self._agenda.at(when, posts)
        self.repeat(when, f"receipt/{receipt.document_id}", posts)

    def _malformed(self, n: int) -> None:
        dice = self._storm.dice
        if dice.chance(0.3, "bad request", n):
            name = dice.pick(
                (names.UPDATE_CHANGE, names.UPDATE_CANCEL, names.UPDATE_DECIDE_REVIEW), "bad", "request", n
            )
            self._door.malformed_request(name, BAD[n % 3][0])
            return
        signals = (names.SIGNAL_ERP_RECEIPT, names.SIGNAL_EVIDENCE, names.SIGNAL_PAYMENT_CHANGED, "no_such_signal")
        self._door.malformed(dice.pick(signals, "bad signal", n), list(dice.pick(BAD, "bad", n)))
