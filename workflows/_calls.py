"""Every activity call with its timeouts and retry policy, in one list."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy

from orderack.contracts import activities, names
from orderack.contracts.activities import (
    AcknowledgeRequest,
    AcknowledgeResult,
    AnswerSourceRequest,
    AssessRequest,
    CancelInErpRequest,
    ErpSubmission,
    HandOffRequest,
    HandOffResult,
    Invoiced,
    InvoiceRequest,
    SubmitToErpRequest,
)
from orderack.contracts.journal import Journal
from orderack.domain.assessment import Assessment
from orderack.domain.source import Answered

HEARTBEAT = timedelta(seconds=4)
"""A dead worker is noticed after this. Activities heartbeat from their second second on: a quick one costs none."""

PATIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=5)
)
"""Provider outages last: few attempts (each is a billed Action), for as long as it takes. The first comes soon: where a
worker died in a send, another takes it over after its heartbeat and this, within six seconds."""

OWN_DATABASE = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))


async def assess_here(request: AssessRequest) -> Assessment:
    """Look-ups and our own ledger, in the same workflow task: all of it is one Action."""
    return await workflow.execute_local_activity(
        activities.assess,
        request,
        start_to_close_timeout=timedelta(seconds=6),
        schedule_to_close_timeout=timedelta(seconds=8),
        retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=2),
        summary="assess",
    )


async def assess_patiently(request: AssessRequest) -> Assessment:
    """The same as a regular activity, when the ledger did not answer at once: it is retried until it does."""
    return await workflow.execute_activity(
        activities.assess,
        request,
        task_queue=names.ORDERS_QUEUE,
        start_to_close_timeout=timedelta(seconds=30),
        retry_policy=OWN_DATABASE,
        summary="assess again: the ledger did not answer",
    )


async def submit_to_erp(request: SubmitToErpRequest) -> ErpSubmission:
    return await workflow.execute_activity(
        activities.submit_to_erp,
        request,
        task_queue=names.ERP_QUEUE,
        start_to_close_timeout=timedelta(seconds=30),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=PATIENT,
        priority=Priority(fairness_key=request.ref.store),
        summary=f"book revision {request.revision} in {request.erp}",
    )


async def cancel_in_erp(request: CancelInErpRequest) -> ErpSubmission:
    return await workflow.execute_activity(
        activities.cancel_in_erp,
        request,
        task_queue=names.ERP_QUEUE,
        start_to_close_timeout=timedelta(seconds=30),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=PATIENT,
        priority=Priority(fairness_key=request.ref.store),
        summary=f"tell {request.erp} that the order is off",
    )


async def acknowledge(request: AcknowledgeRequest, expires_at: datetime, *, first_word: bool) -> AcknowledgeResult:
    """One batch of messages. Past `expires_at` the loop decides anew; the ledger keeps each key single."""
    what = ", ".join(f"{d.kind} by {d.channel}" for d in request.dispatches)
    if word := request.facts.for_team:
        what += f" ({word.team}: {word.word} {word.revision})"
    return await workflow.execute_activity(
        activities.acknowledge,
        request,
        task_queue=names.MESSAGING_QUEUE,
        start_to_close_timeout=timedelta(seconds=30),
        schedule_to_close_timeout=max(expires_at - workflow.now(), timedelta(seconds=1)),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=PATIENT,
        priority=Priority(priority_key=_urgency(first_word), fairness_key=request.ref.store),
        summary=what,
    )


def _urgency(first_word: bool) -> int | None:
    """When messages queue up, the word that is promised within the minute goes before what else its order says."""
    own = workflow.info().priority.priority_key
    return max(1, own - 1) if own and first_word else None


async def hand_off(request: HandOffRequest) -> HandOffResult:
    return await workflow.execute_activity(
        activities.hand_off,
        request,
        task_queue=names.ORDERS_QUEUE,
        start_to_close_timeout=timedelta(seconds=30),
        retry_policy=OWN_DATABASE,
        summary=f"hand revision {request.revision} to {request.team}",
    )


async def answer_source(request: AnswerSourceRequest, due_at: datetime | None) -> Answered:
    """Tell the order's source. `due_at`: the partner's deadline, up to which it is tried at a brisker pace."""
    brisk = RetryPolicy(initial_interval=timedelta(seconds=2), maximum_interval=timedelta(minutes=1))
    return await workflow.execute_activity(
        activities.answer_source,
        request,
        task_queue=names.SOURCES_QUEUE,
        start_to_close_timeout=timedelta(seconds=60),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=brisk if due_at else PATIENT,
        priority=Priority(fairness_key=request.ref.store),
        summary=f"tell {request.system}: {request.stage}",
    )


async def invoice_in_erp(request: InvoiceRequest) -> Invoiced:
    return await workflow.execute_activity(
        activities.invoice_in_erp,
        request,
        task_queue=names.ERP_QUEUE,
        start_to_close_timeout=timedelta(seconds=60),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=PATIENT,
        priority=Priority(fairness_key=request.ref.store),
        summary=f"have {request.erp} invoice {request.document_id}",
    )


async def record(journal: Journal) -> None:
    """The last entries of an order that ends, or is moved to a fresh history."""
    await workflow.execute_activity(
        activities.record,
        journal,
        task_queue=names.ORDERS_QUEUE,
        start_to_close_timeout=timedelta(seconds=30),
        retry_policy=OWN_DATABASE,
        summary="write the last entries",
    )
