"""Activities that do nothing, for the product's workflow and for the floor: what is left is the workflow's own cost.

The world answers both alike: a receipt 0.2 s after the submission, a delivery 0.2 s after each message.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.client import Client

from orderack.contracts import names
from orderack.contracts.activities import (
    AcknowledgeRequest,
    AcknowledgeResult,
    AssessRequest,
    ErpAnswer,
    ErpSubmission,
    HandOffRequest,
    HandOffResult,
    SubmitToErpRequest,
)
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.start import Start
from orderack.domain.acknowledgement import Kind, SendOutcome, SendState
from orderack.domain.assessment import Assessment, Decision, Gate, Leg, Route
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import ErpReceipt, LineVerdict, StockVerdict
from tests.bench.rig.tally import Tally

AFTER = 0.2
"""Seconds, as the sandbox has it."""

Work = Callable[..., object]


def a_decision() -> Decision:
    """Straight through, `received` at once, by one channel: what the demo's policy decides for a web order."""
    return Decision(
        rule="bench",
        policy_version="bench",
        route=Route.STRAIGHT,
        gate=Gate.ACK_GATED,
        erp="sandbox",
        legs=(Leg(channels=("email",)),),
        rota=("operations-lead",),
    )


class World:
    """What comes back from outside, as signals."""

    def __init__(self, client: Client, tally: Tally) -> None:
        self._client = client
        self._tally = tally
        self._tasks: set[asyncio.Task[None]] = set()

    def books(self, ref: OrderRef, lines: int = 2) -> None:
        verdicts = tuple(LineVerdict(line_id=str(n + 1), verdict=StockVerdict.AVAILABLE) for n in range(lines))
        now = datetime.now(UTC)
        receipt = ErpReceipt(
            id=f"R-{ref.number}",
            erp="sandbox",
            store=ref.store,
            number=ref.number,
            revision=1,
            document_id=f"SO-{ref.number}",
            recorded_at=now,
            lines=verdicts,
        )
        self._soon(self._signal(ref, names.SIGNAL_ERP_RECEIPT, receipt))

    def delivers(self, ref: OrderRef, kind: Kind) -> None:
        fact = EvidenceFact(
            id=f"{ref.number}/{kind}",
            event=EvidenceEvent.DELIVERED,
            grade=Grade.E2,
            channel="email",
            revision=1,
            kind=kind,
            occurred_at=datetime.now(UTC),
        )
        self._soon(self._deliver(ref, fact))

    def hands_off(self) -> None:
        self._tally.add("handed_off")

    async def _deliver(self, ref: OrderRef, fact: EvidenceFact) -> None:
        await self._signal(ref, names.SIGNAL_EVIDENCE, fact)
        self._tally.add("delivered")

    async def _signal(self, ref: OrderRef, name: str, fact: object) -> None:
        await self._client.get_workflow_handle(order_workflow_id(ref)).signal(name, fact)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        async def later() -> None:
            await asyncio.sleep(AFTER)
            await work

        task = asyncio.create_task(later())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class EmptyForOrder:
    """What the product's workflow asks for, answered at once."""

    def __init__(self, world: World) -> None:
        self._world = world

    @activity.defn(name=names.ASSESS)
    async def assess(self, request: AssessRequest) -> Assessment:
        return Assessment(revision=1, content_hash=request.order.content_hash, flags=(), decision=a_decision())

    @activity.defn(name=names.SUBMIT_TO_ERP)
    async def submit_to_erp(self, request: SubmitToErpRequest) -> ErpSubmission:
        self._world.books(request.ref)
        return ErpSubmission(answer=ErpAnswer.SUBMITTED, document_id=f"SO-{request.ref.number}")

    @activity.defn(name=names.ACKNOWLEDGE)
    async def acknowledge(self, request: AcknowledgeRequest) -> AcknowledgeResult:
        for dispatch in request.dispatches:
            self._world.delivers(request.ref, dispatch.kind)
        sent = tuple(SendOutcome(channel=d.channel, state=SendState.ACCEPTED) for d in request.dispatches)
        return AcknowledgeResult(outcomes=sent)

    @activity.defn(name=names.HAND_OFF)
    async def hand_off(self, request: HandOffRequest) -> HandOffResult:
        self._world.hands_off()
        return HandOffResult(handoff_id=f"{request.ref}/{request.revision}")

    def all(self) -> dict[str, list[Work]]:
        """By queue."""
        return by_queue(self.assess, self.submit_to_erp, self.acknowledge, self.hand_off)


class EmptyForFloor:
    """What the floor asks for, answered with nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._said: Counter[str] = Counter()

    @activity.defn(name=names.ASSESS)
    async def assess(self, order: Order) -> None:
        return None

    @activity.defn(name=names.SUBMIT_TO_ERP)
    async def submit_to_erp(self, start: Start) -> None:
        self._world.books(_ref(start))

    @activity.defn(name=names.ACKNOWLEDGE)
    async def acknowledge(self, start: Start) -> None:
        self._said[start.number] += 1
        kind = Kind.RECEIVED if self._said[start.number] == 1 else Kind.CONFIRMATION
        self._world.delivers(_ref(start), kind)

    @activity.defn(name=names.HAND_OFF)
    async def hand_off(self, start: Start) -> None:
        self._said.pop(start.number, None)
        self._world.hands_off()

    def all(self) -> dict[str, list[Work]]:
        """By queue."""
        return by_queue(self.assess, self.submit_to_erp, self.acknowledge, self.hand_off)


def _ref(start: Start) -> OrderRef:
    return OrderRef(store=start.store, number=start.number)


def by_queue(assess: Work, submit: Work, acknowledge: Work, hand_off: Work) -> dict[str, list[Work]]:
    """The activities on the queues where the product has them."""
    return {
        names.ORDERS_QUEUE: [assess, hand_off],
        names.ERP_QUEUE: [submit],
        names.MESSAGING_QUEUE: [acknowledge],
    }
