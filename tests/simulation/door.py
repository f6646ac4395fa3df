"""How the outside reaches an order, as `orderack.temporal.orders` does it, and what became of everything it brought."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.start import Start
from orderack.contracts.updates import PaymentChanged
from orderack.domain.evidence import EvidenceFact
from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from tests.simulation._instance import CONVERTER
from tests.simulation.agenda import Agenda
from tests.simulation.calls import Perform
from tests.simulation.execution import Broken, Execution, Reply
from tests.simulation.plan import STORE, Plan
from tests.simulation.storm import Storm

LATE = "late"
"""The order has closed: its caller is told, and the ledger keeps it."""

UNKNOWN = "unknown"
"""There is no such order: its caller is told."""

TOLD = "told"


@dataclass
class Inbound:
    """One thing that came in."""

    what: str
    id: str
    at: int
    fate: str
    answered: Reply | None = None
    malformed: bool = False
    first: bool = True
    """Its id had not come in before."""


@dataclass(frozen=True)
class Sent:
    """One thing that reached the server: what a real one can be sent again, at the same time."""

    at: int
    update: bool
    name: str
    id: str
    payload: Payload


class Door:
    """Every caller of one order."""

    def __init__(
        self,
        agenda: Agenda,
        plan: Plan,
        storm: Storm,
        perform: Perform,
        after_task: Callable[[Execution], None],
        kind: type[Execution] = Execution,
    ) -> None:
        self._kind = kind
        self._agenda = agenda
        self._plan = plan
        self._storm = storm
        self._perform = perform
        self._after_task = after_task
        self.ref = OrderRef(store=STORE, number=plan.number)
        self.execution: Execution | None = None
        self.inbound: list[Inbound] = []
        self.sent: list[Sent] = []
        self._ids: set[str] = set()

    # -- facts and requests ---------------------------------------------------------------------------------------

    def submit(self, order: Order, again: str = "") -> None:
        """Intake: update-with-start. A closed order answers by itself (`REJECT_DUPLICATE`)."""
        if self.execution is None:
            self._start()
        self._update(names.UPDATE_SUBMIT, f"submit/{order.content_hash}", order, again)

    def receipt(self, receipt: ErpReceipt) -> None:
        """Signal-with-start: one that comes before its order waits for it."""
        if self.execution is None:
            self._start()
        self._signal(names.SIGNAL_ERP_RECEIPT, f"receipt/{receipt.id}", receipt)

    def evidence(self, fact: EvidenceFact) -> None:
        self._signal(names.SIGNAL_EVIDENCE, f"evidence/{fact.id}", fact)

    def payment(self, changed: PaymentChanged) -> None:
        self._signal(names.SIGNAL_PAYMENT_CHANGED, f"payment/{changed.id}", changed)

    def request(self, name: str, request_id: str, request: BaseModel, again: str = "") -> None:
        """An update. `again`: a caller who asks the same anew, under another update id."""
        self._update(name, request_id, request, again)

    def malformed(self, name: str, payloads: list[Payload]) -> None:
        """A signal that nobody can read."""
        found = self._note(f"malformed {name}", f"malformed/{len(self.inbound)}")
        found.malformed = True
        if self.execution is not None and found.fate == TOLD:
            self.execution.signal(name, payloads)

    def malformed_request(self, name: str, payload: Payload) -> None:
        """A request that nobody can read: its caller hears so, and nothing changes."""
        found = self._note(f"unreadable {name}", f"unreadable/{len(self.inbound)}")

        def answer(reply: Reply) -> None:
            if isinstance(reply, Payload):
                raise Broken("I8", f"{name} was read from {payload.data!r} and answered {reply.data!r}")
            found.answered = reply

        if self.execution is not None and found.fate == TOLD:
            self.execution.update(name, found.id, [payload], answer)

    # -- how ------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        dice, rates = self._storm.dice, self._storm.rates
        limit = dice.between(12, 40, "history") if dice.chance(rates.fresh_history, "fresh history") else None
        start = Start(store=self.ref.store, number=self.ref.number, continue_as_new_after=limit)
        self.execution = self._kind(
            self._agenda,
            self._storm,
            order_workflow_id(self.ref),
            CONVERTER.to_payloads([start])[0],
            self._perform,
            self._after_task,
        )

    def _note(self, what: str, id: str) -> Inbound:
        fate = UNKNOWN if self.execution is None else LATE if self.execution.closed else TOLD
        found = Inbound(what, id, self._agenda.now, fate, first=id not in self._ids)
        self._ids.add(id)
        self.inbound.append(found)
        return found

    def _signal(self, name: str, id: str, fact: BaseModel) -> None:
        found = self._note(name, id)
        if self.execution is not None and found.fate == TOLD:
            payloads = CONVERTER.to_payloads([fact])
            self.sent.append(Sent(self._agenda.now, False, name, id, payloads[0]))
            self.execution.signal(name, payloads)

    def _update(self, name: str, id: str, request: BaseModel, again: str) -> None:
        found = self._note(name, id)
        if self.execution is None or found.fate != TOLD:
            return

        def answer(reply: Reply) -> None:
            found.answered = reply

        payloads = CONVERTER.to_payloads([request])
        self.sent.append(Sent(self._agenda.now, True, name, f"{id}{again}", payloads[0]))
        self.execution.update(name, f"{id}{again}", payloads, answer)
