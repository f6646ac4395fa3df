"""Orders' lives, from exported histories: decoded by our own converter, and replayed to the state they end in."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import ValidationError
from temporalio import workflow
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from orderack.contracts import names
from orderack.contracts.activities import AcknowledgeRequest, AcknowledgeResult, ErpSubmission, SubmitToErpRequest
from orderack.contracts.ids import order_ref
from orderack.domain.acknowledgement import SendKey
from orderack.domain.receipt import ErpReceipt
from orderack.domain.value import Value
from orderack.temporal.converter import data_converter
from tests.invariants.logs import Life, ToldReceipt
from workflows import WORKFLOWS, OrderAcknowledgement
from workflows._state import OrderState
from workflows.interceptor import AroundOrders

V = TypeVar("V", bound=Value)

REPLAYED_WITHIN = 30.0
"""Seconds for one history; one that makes no sense would keep the replayer waiting."""


async def read(histories: Sequence[WorkflowHistory], converter: DataConverter | None = None) -> tuple[Life, ...]:
    """The orders of these histories, one life each however often it was continued as new."""
    converter = converter or data_converter()
    states, failures = await replay(histories, converter)
    by_order: dict[str, list[WorkflowHistory]] = {}
    for history in histories:
        by_order.setdefault(history.workflow_id, []).append(history)
    lives = []
    for runs in by_order.values():
        runs.sort(key=lambda run: run.events[0].event_time.ToDatetime())
        last = runs[-1].run_id
        why = "; ".join(failures[run.run_id] for run in runs if run.run_id in failures)
        lives.append(await _life(runs, converter, states.get(last), why))
    return tuple(lives)


# -- replay ---------------------------------------------------------------------------------------------------------


async def replay(
    histories: Iterable[WorkflowHistory], converter: DataConverter
) -> tuple[Mapping[str, OrderState], Mapping[str, str]]:
    """By run id: the state that the replay under this code ends in, and why there is none."""
    kept: dict[str, OrderAcknowledgement] = {}
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=converter,
        interceptors=[_Keeping(kept), AroundOrders()],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    failures = {}
    async with replayer.workflow_replay_iterator(_each(histories)) as results:
        while True:
            try:
                result = await asyncio.wait_for(anext(results), REPLAYED_WITHIN)
            except StopAsyncIteration:
                break
            if result.replay_failure:
                failures[result.history.run_id] = f"{type(result.replay_failure).__name__}: {result.replay_failure}"
    return {run: order._state for run, order in kept.items()}, failures


async def _each(histories: Iterable[WorkflowHistory]) -> AsyncIterator[WorkflowHistory]:
    for history in histories:
        if any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in history.events):
            yield history  # of any other the replayer would wait for a task


class _Keeping(Interceptor):
    """Keeps the workflow instances of a replay, which hold their state."""

    def __init__(self, kept: dict[str, OrderAcknowledgement]) -> None:
        self._kept = kept

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        kept = self._kept

        class Inbound(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                order = workflow.instance()
                if isinstance(order, OrderAcknowledgement):
                    kept[workflow.info().run_id] = order
                return await super().execute_workflow(input)

        return Inbound


# -- what the events say --------------------------------------------------------------------------------------------


@dataclass
class _Found:
    """What is picked up on the way through the events."""

    converter: DataConverter
    submitted_at: datetime | None = None
    submissions: list[tuple[datetime, int]] = field(default_factory=list)
    receipts: list[ToldReceipt] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    failed_tasks: int = 0
    public: list[str] = field(default_factory=list)
    sent_bytes: list[tuple[str, str]] = field(default_factory=list)
    scheduled: dict[int, Value] = field(default_factory=dict)

    async def decoded(self, payloads: Payloads, into: type[V]) -> V | None:
        """None for what the workflow quarantined as well: it cannot be read."""
        if len(payloads.payloads) != 1:
            return None
        try:
            (found,) = await self.converter.decode(payloads.payloads, [into])
        except (ValidationError, ValueError, RuntimeError):
            return None
        return found if isinstance(found, into) else None

    def told(self, at: datetime, via: str, receipt: ErpReceipt) -> None:
        given = [revision for when, revision in self.submissions if when <= at]
        revision = receipt.revision or max(given, default=1)
        self.receipts.append(ToldReceipt(at=at, via=via, revision=revision, receipt=receipt))


async def _life(
    runs: Sequence[WorkflowHistory], converter: DataConverter, state: OrderState | None, unreplayable: str
) -> Life:
    found = _Found(converter)
    fresh = []
    found.public.append(runs[0].workflow_id)
    for run in runs:
        started = run.events[0]
        attributes = started.workflow_execution_started_event_attributes
        if not attributes.continued_execution_run_id:
            fresh.append(_at(started))
        found.scheduled.clear()
        for event in run.events:
            await _take(event, found)
    return Life(
        ref=order_ref(runs[0].workflow_id),
        started_at=tuple(fresh),
        last_event_at=_at(runs[-1].events[-1]),
        turned_away=state is None and runs[-1].events[-1].HasField("workflow_execution_failed_event_attributes"),
        submitted_at=found.submitted_at,
        receipts=tuple(found.receipts),
        signals=tuple(found.signals),
        failed_tasks=found.failed_tasks,
        in_public=tuple(found.public),
        sent_bytes=tuple(found.sent_bytes),
        state=state,
        unreplayable=unreplayable,
    )


async def _take(event: HistoryEvent, found: _Found) -> None:
    match event.WhichOneof("attributes"):
        case "workflow_execution_started_event_attributes":
            fields = event.workflow_execution_started_event_attributes.search_attributes.indexed_fields
            found.public += [payload.data.decode(errors="replace") for payload in fields.values()]
        case "upsert_workflow_search_attributes_event_attributes":
            upserted = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
            found.public += [payload.data.decode(errors="replace") for payload in upserted.values()]
        case "workflow_execution_terminated_event_attributes":
            found.public.append(event.workflow_execution_terminated_event_attributes.reason)
        case "workflow_execution_signaled_event_attributes":
            await _signal(event, found)
        case "workflow_execution_update_accepted_event_attributes":
            request = event.workflow_execution_update_accepted_event_attributes.accepted_request
            if request.input.name == names.UPDATE_SUBMIT and found.submitted_at is None:
                found.submitted_at = _at(event)
        case "activity_task_scheduled_event_attributes":
            await _scheduled(event, found)
        case "activity_task_completed_event_attributes":
            await _completed(event, found)
        case "activity_task_failed_event_attributes":
            found.public += _words(event.activity_task_failed_event_attributes.failure)
        case "workflow_task_failed_event_attributes":
            found.failed_tasks += 1
            found.public += _words(event.workflow_task_failed_event_attributes.failure)


async def _signal(event: HistoryEvent, found: _Found) -> None:
    signal = event.workflow_execution_signaled_event_attributes
    found.signals.append(signal.signal_name)
    if signal.signal_name == names.SIGNAL_ERP_RECEIPT and (receipt := await found.decoded(signal.input, ErpReceipt)):
        found.told(_at(event), "signal", receipt)


_REQUESTS: Mapping[str, type[Value]] = {names.ACKNOWLEDGE: AcknowledgeRequest, names.SUBMIT_TO_ERP: SubmitToErpRequest}


async def _scheduled(event: HistoryEvent, found: _Found) -> None:
    scheduled = event.activity_task_scheduled_event_attributes
    kind = _REQUESTS.get(scheduled.activity_type.name)
    request = await found.decoded(scheduled.input, kind) if kind else None
    if request is not None:
        found.scheduled[event.event_id] = request
    if isinstance(request, SubmitToErpRequest):
        found.submissions.append((_at(event), request.revision))


async def _completed(event: HistoryEvent, found: _Found) -> None:
    completed = event.activity_task_completed_event_attributes
    request = found.scheduled.get(completed.scheduled_event_id)
    if isinstance(request, SubmitToErpRequest):
        submission = await found.decoded(completed.result, ErpSubmission)
        if submission and submission.receipt:
            found.told(_at(event), "submission", submission.receipt)
    if isinstance(request, AcknowledgeRequest):
        result = await found.decoded(completed.result, AcknowledgeResult)
        if result and result.receipt:
            found.told(_at(event), "look-up", result.receipt)
        found.sent_bytes += list(_bytes(request, result)) if result else []


def _bytes(request: AcknowledgeRequest, result: AcknowledgeResult) -> Iterator[tuple[str, str]]:
    for dispatch, outcome in zip(request.dispatches, result.outcomes, strict=False):
        if outcome.body_sha256:
            key = SendKey(
                ref=request.ref, revision=request.revision, kind=dispatch.kind, n=dispatch.n, channel=outcome.channel
            )
            yield str(key), outcome.body_sha256


def _words(failure: Failure) -> Iterator[str]:
    """What a failure says outside of its (encodable) payloads. Its message is encoded only with a codec."""
    while True:
        yield failure.application_failure_info.type
        yield failure.message
        if not failure.HasField("cause"):
            return
        failure = failure.cause


def _at(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(UTC)
