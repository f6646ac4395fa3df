"""The world of one order: the real activities on a ledger in memory, simulated providers, an ERP and a partner.

`assess` is a model: assessing is a pure function of the policy that has tests of its own, and what it finds is part of
the story. Everything else is the code that runs in production: `activities.acknowledge` with `activities.sending`
beneath it, `submit_to_erp`, `cancel_in_erp`, `invoice_in_erp`, `hand_off`, `answer_source`, `record`.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import Acknowledge, AnswerSource, HandOff, Outages, Record, Sending, SubmitToErp
from activities.cancel_in_erp import CancelInErp
from activities.invoice_in_erp import InvoiceInErp
from orderack.contracts import names
from orderack.contracts.activities import (
    AcknowledgeRequest,
    AnswerSourceRequest,
    AssessRequest,
    CancelInErpRequest,
    HandOffRequest,
    InvoiceRequest,
    SubmitToErpRequest,
)
from orderack.contracts.journal import Journal
from orderack.domain.assessment import Assessment, ErpMode
from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.store import StoreProfile
from orderack.ports import Ledger, Source, StoredRevision
from tests.simulation._instance import CONVERTER
from tests.simulation.agenda import Agenda, moment
from tests.simulation.books import Partner, SimErp
from tests.simulation.calls import Attempt
from tests.simulation.memory import MemoryLedger
from tests.simulation.plan import STORE, SYSTEM, Plan
from tests.simulation.providers import Accepted, Killed, Wire, Words, providers
from tests.simulation.storm import MS, Storm, inside


class _Loop(asyncio.SelectorEventLoop):
    """What an activity sleeps is over at once: its time is not ours, and not the order's either (`Wire.took` is)."""

    def __init__(self) -> None:
        self._passed = 0.0
        super().__init__(_Skips(self))

    def time(self) -> float:
        """Seconds that were slept so far."""
        return self._passed

    def sleep_out(self, seconds: float) -> None:
        self._passed += seconds


class _Skips(selectors.SelectSelector):
    """Asks nobody for news: the activities wait for nothing but each other and the clock."""

    def __init__(self, loop: _Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "an activity waits for something that never comes"
        self._loop.sleep_out(timeout)
        return []


LOOP = _Loop()

REQUESTS: Mapping[str, type[BaseModel]] = {
    names.ASSESS: AssessRequest,
    names.SUBMIT_TO_ERP: SubmitToErpRequest,
    names.CANCEL_IN_ERP: CancelInErpRequest,
    names.ACKNOWLEDGE: AcknowledgeRequest,
    names.HAND_OFF: HandOffRequest,
    names.RECORD: Journal,
    names.ANSWER_SOURCE: AnswerSourceRequest,
    names.INVOICE_IN_ERP: InvoiceRequest,
}

_PROFILE = StoreProfile(id=STORE, display_name="Demo")
_INFO = replace(ActivityEnvironment.default_info(), is_local=True)
"""Nothing heartbeats here: an activity takes no time of ours."""

Activity = Callable[[Any], Awaitable[object]]


class _NobodyIsWoken(Outages):
    """The simulated server knows back-off alone."""

    def _answered(self, erp: str, *, lifted: bool) -> None:
        """Nothing."""


async def _never(ref: OrderRef, activity: str) -> bool:
    return False


class World:
    """Performs one order's activities, and keeps what came of them."""

    def __init__(
        self,
        agenda: Agenda,
        plan: Plan,
        storm: Storm,
        told: Callable[[Accepted], None],
        announce: Callable[[ErpReceipt, int], None],
    ) -> None:
        self._agenda = agenda
        self._plan = plan
        self._storm = storm
        self.wire = Wire()
        self.ledger = MemoryLedger()
        self.accepted: list[Accepted] = []
        self.kills = 0
        self.attempts = 0
        self.erp = SimErp(
            self.wire, plan.dice, storm, announce, plan.temper.slow_erp, plan.decision.erp_mode is ErpMode.WAIT
        )
        self.partner = Partner(self.wire, plan.dice, storm)
        self._channels = providers(self.wire, plan.dice, storm, self.accepted, told)
        self._activities = self._made()

    def _made(self) -> Mapping[str, Activity]:
        ledger = cast("Ledger", self.ledger)  # the part of it that these activities ask
        clock = lambda: moment(self.wire.now + self.wire.took)  # noqa: E731
        erps = {self.erp.name: self.erp}
        sources = {f"{STORE}/{SYSTEM}": cast("Source", self.partner)}
        acknowledge = Acknowledge(
            ledger, self._channels.__getitem__, erps, lambda store: _PROFILE, Words(), Sending(), clock
        )
        outages = _NobodyIsWoken(ledger, _never, clock)
        cancel = CancelInErp(ledger, erps, outages, clock)
        return {
            names.ASSESS: self._assess,
            names.SUBMIT_TO_ERP: SubmitToErp(ledger, erps, outages, clock).submit_to_erp,
            names.CANCEL_IN_ERP: lambda request: self._in_context(cancel.cancel_in_erp, request),
            names.ACKNOWLEDGE: acknowledge.acknowledge,
            names.HAND_OFF: HandOff(ledger, clock).hand_off,
            names.RECORD: Record(ledger).record,
            names.ANSWER_SOURCE: AnswerSource(
                ledger, sources, lambda ref: "https://shop.example/o", clock
            ).answer_source,
            names.INVOICE_IN_ERP: InvoiceInErp(ledger, erps, outages, clock).invoice_in_erp,
        }

    def perform(self, activity: str, given: Payload, attempt: int) -> Attempt:
        """One attempt at one activity, now."""
        [request] = CONVERTER.from_payloads([given], [REQUESTS[activity]])
        try:
            result = LOOP.run_until_complete(self.run(activity, request, attempt))
        except Killed:
            self.kills += 1
            return Attempt(self.wire.took, lost=True)
        except ApplicationError as error:
            return Attempt(self.wire.took, error=error)
        return Attempt(self.wire.took, result=CONVERTER.to_payloads([result])[0])

    async def run(self, activity: str, request: BaseModel, attempt: int) -> object:
        """The activity itself. Raises Killed where its worker dies, and what the activity raises."""
        wire, now = self.wire, self._agenda.now
        self.attempts += 1
        wire.now = wire.asked_at = now
        wire.attempt, wire.took, wire.dead = attempt, 5 * MS, False
        self.ledger.up = not inside(self._storm.sky.ledger, now)
        if isinstance(request, AcknowledgeRequest):
            wire.facts = request.facts
        return await self._activities[activity](request)

    async def _assess(self, request: AssessRequest) -> Assessment:
        if not self.ledger.up or self._fails():
            raise ApplicationError("the ledger does not answer", type="Unavailable")
        known = await self.ledger.revision(request.order.ref, request.revision)
        if known is None:
            assessment = self._plan.assess(request.order, request.revision, request.waived)
            known = StoredRevision(
                order=request.order,
                revision=request.revision,
                content_hash=request.order.content_hash,
                assessment=assessment,
            )
        await self.ledger.save_revision(known, "", request.journal)
        return known.assessment

    def _fails(self) -> bool:
        return not self._storm.calm and self._plan.dice.chance(0.03, "assess fails", self.attempts)

    def _in_context(self, work: Activity, request: object) -> Awaitable[object]:
        """As an attempt that knows its number."""
        environment = ActivityEnvironment()
        environment.info = replace(_INFO, attempt=self.wire.attempt)
        return environment.run(work, request)
