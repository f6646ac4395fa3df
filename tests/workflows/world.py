"""The world around an order in the stories: scripted activities with an acceptance log, on a real Temporal server.

Only the world is scripted. The server, its clock (skipping), the worker and the workflow are real.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio import activity
from temporalio.api.testservice.v1 import SleepRequest, UnlockTimeSkippingRequest
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from orderack.contracts import names
from orderack.contracts.activities import (
    AcknowledgeRequest,
    AcknowledgeResult,
    AnswerSourceRequest,
    AssessRequest,
    CancelInErpRequest,
    Dispatch,
    ErpAnswer,
    ErpSubmission,
    HandOffRequest,
    HandOffResult,
    Invoiced,
    InvoiceRequest,
    SubmitToErpRequest,
)
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Entry, Event, Journal, Stage
from orderack.contracts.queries import OrderStatus, Timeline
from orderack.contracts.start import Start
from orderack.contracts.updates import SubmitReply
from orderack.domain.acknowledgement import Kind, Reason, SendKey, SendOutcome, SendState
from orderack.domain.assessment import Assessment
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.source import Answered, AnswerState
from orderack.temporal.rpc import answered, bounded
from tests.workflows.orders import a_decision, an_assessment

PATIENCE = timedelta(seconds=30)
HELD_AT_MOST = timedelta(seconds=45)
QUIET_LOOKS = 10
"""Of 50 ms each."""


@dataclass
class Told:
    """One message that a provider accepted."""

    at: datetime
    key: SendKey
    request: AcknowledgeRequest
    dispatch: Dispatch

    @property
    def what(self) -> str:
        return f"{self.dispatch.kind} {self.dispatch.channel}"


Answer = Callable[[Dispatch, int], SendState]


@dataclass
class Script:
    """What the world does to one order."""

    assess: Callable[[AssessRequest], Assessment] = lambda r: an_assessment(r.order, r.revision, a_decision())
    thinks: float = 0
    """Seconds that an assessment takes as a local activity."""
    meanwhile: Callable[[AcknowledgeRequest], Awaitable[None]] | None = None
    """Happens once the provider has the message and before the workflow hears of it."""
    send: Answer = lambda dispatch, attempt: SendState.ACCEPTED
    submit: Callable[[SubmitToErpRequest], ErpSubmission] = lambda r: ErpSubmission(answer=ErpAnswer.SUBMITTED)
    found: ErpReceipt | None = None
    held: set[str] = field(default_factory=set)
    """Channels that are paused, for messages that no other can carry."""
    told: list[Told] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)
    submissions: list[SubmitToErpRequest] = field(default_factory=list)
    cancellations: list[CancelInErpRequest] = field(default_factory=list)
    cancel_answer: ErpAnswer = ErpAnswer.SUBMITTED
    cancel_reason: str = ""
    handoffs: list[HandOffRequest] = field(default_factory=list)
    answer: Callable[[AnswerSourceRequest], Answered] = lambda r: Answered(state=AnswerState.ACCEPTED, reference="n-1")
    answers: list[tuple[datetime, AnswerSourceRequest]] = field(default_factory=list)
    invoice: Callable[[InvoiceRequest], Invoiced] = lambda r: Invoiced(invoice_id="INV-1")
    invoices: list[InvoiceRequest] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    asked: int = 0

    def kinds(self, audience: str = "buyer") -> list[str]:
        return [str(t.dispatch.kind) for t in self.told if t.dispatch.audience == audience]

    def to_team(self) -> list[str]:
        """What the team heard of its handoff, in order: the word, the revision, and to whom."""
        words = [(t.request.facts.for_team, t) for t in self.told if t.dispatch.audience == "internal"]
        return [f"{word.word} {word.revision} {t.dispatch.recipient_role}" for word, t in words if word]

    def events(self) -> list[Event]:
        return [self.entries[seq].event for seq in sorted(self.entries)]


class World:
    """Scripted activities for many orders at once, keyed by order number."""

    def __init__(self, env: WorkflowEnvironment, clock: Client | None = None) -> None:
        self.env = env
        self.clock = clock
        self.scripts: dict[str, Script] = {}

    def script(self, number: str) -> Script:
        return self.scripts.setdefault(number, Script())

    async def now(self) -> datetime:
        return await self.env.get_current_time()

    async def sleep(self, span: timedelta) -> None:
        """As the environment's own; with a clock at hand, whatever holds it.

        The test server holds its clock while a step is under way; it then runs like any other. It never lets go
        of it for a step that is cancelled before a worker has it: longer than any step lasts, and it is let go of here.
        """
        if self.clock is None:
            return await self.env.sleep(span)
        until = await self.now() + span
        request = SleepRequest()
        request.duration.FromTimedelta(span)
        try:
            await self.clock.test_service.unlock_time_skipping_with_sleep(request, timeout=HELD_AT_MOST)
        except RPCError:
            await self.clock.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
            async with asyncio.timeout(HELD_AT_MOST.total_seconds()):
                while await self.now() < until:  # noqa: ASYNC110 (the first request is still at work over there)
                    await asyncio.sleep(0.05)

    def _write(self, journal: Journal) -> Script:
        script = self.script(journal.ref.number)
        for entry in journal.entries:
            script.entries.setdefault(entry.seq, entry)
        return script

    @activity.defn(name=names.ASSESS)
    async def assess(self, request: AssessRequest) -> Assessment:
        script = self._write(request.journal)
        if script.thinks and activity.info().is_local:
            await asyncio.sleep(script.thinks)
        return script.assess(request)

    @activity.defn(name=names.SUBMIT_TO_ERP)
    async def submit_to_erp(self, request: SubmitToErpRequest) -> ErpSubmission:
        script = self._write(request.journal)
        script.submissions.append(request)
        return script.submit(request)

    @activity.defn(name=names.CANCEL_IN_ERP)
    async def cancel_in_erp(self, request: CancelInErpRequest) -> ErpSubmission:
        script = self._write(request.journal)
        script.cancellations.append(request)
        return ErpSubmission(answer=script.cancel_answer, reason=script.cancel_reason)

    @activity.defn(name=names.ACKNOWLEDGE)
    async def acknowledge(self, request: AcknowledgeRequest) -> AcknowledgeResult:
        script = self._write(request.journal)
        if request.ask_erp:
            script.asked += 1
            if script.found:
                return AcknowledgeResult(receipt=script.found)
        if request.offer:
            offered = HandOffRequest(ref=request.ref, journal=request.journal, **dict(request.offer))
            script.handoffs.append(offered)
        now = await self.now()
        held = [d for d in request.dispatches if d.channel in script.held]
        if held and (not request.in_parts or len(held) == len(request.dispatches)):
            raise ApplicationError("paused", type="Unavailable", next_retry_delay=timedelta(minutes=1))
        outcomes = tuple(self._send(script, request, d, now) for d in request.dispatches)
        if script.meanwhile:
            await script.meanwhile(request)
        return AcknowledgeResult(outcomes=outcomes)

    def _send(self, script: Script, request: AcknowledgeRequest, dispatch: Dispatch, now: datetime) -> SendOutcome:
        key = SendKey(
            ref=request.ref, revision=request.revision, kind=dispatch.kind, n=dispatch.n, channel=dispatch.channel
        )
        if dispatch.channel in script.held:
            return SendOutcome(channel=dispatch.channel, state=SendState.CLAIMED, reason=Reason.PAUSED)
        attempt = script.attempts[str(key)] = script.attempts.get(str(key), 0) + 1
        state = script.send(dispatch, attempt)
        if state is SendState.CLAIMED:  # the provider is out of reach: the real activity raises for a retry
            raise ApplicationError("provider unavailable", type="Unavailable")
        if state is SendState.ACCEPTED:
            script.told.append(Told(at=now, key=key, request=request, dispatch=dispatch))
        reason = Reason.BAD_RECIPIENT if state is SendState.REJECTED else None
        return SendOutcome(channel=dispatch.channel, state=state, reason=reason)

    @activity.defn(name=names.HAND_OFF)
    async def hand_off(self, request: HandOffRequest) -> HandOffResult:
        self._write(request.journal).handoffs.append(request)
        return HandOffResult(handoff_id=f"{request.ref}/{request.revision}")

    @activity.defn(name=names.RECORD)
    async def record(self, journal: Journal) -> None:
        self._write(journal)

    @activity.defn(name=names.ANSWER_SOURCE)
    async def answer_source(self, request: AnswerSourceRequest) -> Answered:
        script = self._write(request.journal)
        script.answers.append((await self.now(), request))
        return script.answer(request)

    @activity.defn(name=names.INVOICE_IN_ERP)
    async def invoice_in_erp(self, request: InvoiceRequest) -> Invoiced:
        script = self._write(request.journal)
        script.invoices.append(request)
        return script.invoice(request)

    @property
    def activities(self) -> list[Callable[..., Any]]:
        order = [self.assess, self.submit_to_erp, self.cancel_in_erp, self.acknowledge, self.hand_off, self.record]
        return [*order, self.answer_source, self.invoice_in_erp]


@dataclass
class Story:
    """One order's run, driven as its callers would."""

    world: World
    order: Order
    handle: WorkflowHandle[Any, OrderStatus]
    script: Script
    reply: SubmitReply | None = None

    @property
    def ref(self) -> OrderRef:
        return self.order.ref

    async def receipt(self, receipt: ErpReceipt) -> None:
        await self.handle.signal(names.SIGNAL_ERP_RECEIPT, receipt)

    async def ask(self, update: str, request: Any, result: type) -> Any:
        return await self.handle.execute_update(update, request, id=request.id, result_type=result)

    async def status(self) -> OrderStatus:
        """As the door asks: again, where a worker that began a fresh history has lost the question."""
        ask = answered(
            lambda within: self.handle.query(names.QUERY_STATUS, result_type=OrderStatus, rpc_timeout=within), PATIENCE
        )
        return await bounded(ask, PATIENCE)

    async def timeline(self) -> Timeline:
        return await self.handle.query(names.QUERY_TIMELINE, result_type=Timeline)

    async def result(self) -> OrderStatus:
        """The closed run's result; the clock stands still meanwhile (two drivers of it upset the test server)."""
        with self.world.env.auto_time_skipping_disabled():
            return await self.handle.result()

    async def evidence(
        self,
        event: EvidenceEvent,
        grade: Grade,
        *,
        kind: Kind = Kind.CONFIRMATION,
        revision: int = 1,
        channel: str = "email",
        n: int = 1,
    ) -> EvidenceFact:
        """One graded fact arrives, of this moment."""
        fact = EvidenceFact(
            id=uuid4().hex,
            event=event,
            grade=grade,
            channel=channel,
            revision=revision,
            kind=kind,
            n=n,
            occurred_at=await self.world.now(),
        )
        await self.handle.signal(names.SIGNAL_EVIDENCE, fact)
        return fact

    async def sleep(self, span: timedelta) -> None:
        await self.world.sleep(span)

    async def settle(self) -> None:
        """Let what is in flight come in, without moving the clock by more than it takes.

        What the story keeps from ending (a provider out of reach) is waited for until nothing has happened for half a
        second.
        """
        before, quiet, looks = None, 0, 0
        while quiet < QUIET_LOOKS:
            await asyncio.sleep(0.05)
            status = await self.status()
            looks += 1
            if not _under_way(status) and looks > 2:
                return
            seen = (status, len(self.script.told), sum(self.script.attempts.values()), len(self.script.entries))
            quiet = quiet + 1 if seen == before else 0
            before = seen

    def minutes(self, kind: str, channel: str = "email") -> list[float]:
        """When messages of a kind were accepted, in minutes from the trigger."""
        return [
            round((t.at - self.order.trigger_at).total_seconds() / 60, 1)
            for t in self.script.told
            if t.dispatch.kind == kind and t.dispatch.channel == channel
        ]


def _under_way(status: OrderStatus) -> bool:
    sends = [send for said in status.acknowledgements for send in said.sends]
    return status.stage in (Stage.ASSESSING, Stage.CONFIRMED) or any(s.state is SendState.CLAIMED for s in sends)


async def submit(world: World, order: Order, *, continue_as_new_after: int | None = None) -> Story:
    """Intake: update-with-start, as `orderack.temporal.orders` does it."""
    start = Start(store=order.store, number=order.number, continue_as_new_after=continue_as_new_after)
    operation = WithStartWorkflowOperation(
        names.WORKFLOW,
        start,
        id=order_workflow_id(order.ref),
        task_queue=names.ORDERS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        result_type=OrderStatus,
    )
    reply = await world.env.client.execute_update_with_start_workflow(
        names.UPDATE_SUBMIT,
        order,
        start_workflow_operation=operation,
        id=f"submit/{order.content_hash}",
        result_type=SubmitReply,
    )
    handle = world.env.client.get_workflow_handle(order_workflow_id(order.ref), result_type=OrderStatus)
    return Story(world=world, order=order, handle=handle, script=world.script(order.number), reply=reply)


def a_number() -> str:
    return f"T-{uuid4().hex[:8]}"


async def receipt_first(world: World, order: Order, receipt: ErpReceipt) -> Story:
    """The ERP's receipt beats the order: signal-with-start."""
    handle = await world.env.client.start_workflow(
        names.WORKFLOW,
        Start(store=order.store, number=order.number),
        id=order_workflow_id(order.ref),
        task_queue=names.ORDERS_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=names.SIGNAL_ERP_RECEIPT,
        start_signal_args=[receipt],
        result_type=OrderStatus,
    )
    return Story(world=world, order=order, handle=handle, script=world.script(order.number))
