"""One worker per task queue: which workflows, which activities, which limits."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities import (
    Acknowledge,
    AnswerSource,
    Assess,
    CancelInErp,
    HandOff,
    InvoiceInErp,
    Look,
    Record,
    Sending,
    SubmitToErp,
    for_erp,
    for_messaging,
    for_orders,
    for_sources,
    utc_now,
)
from orderack.bootstrap import Parts, channel_traits, source_answers
from orderack.contracts import names
from orderack.temporal.orders import Orders
from workflows import WORKFLOWS
from workflows.interceptor import OneArgument

DRAIN = timedelta(seconds=25)
"""A stopping worker lets its activities end: longer than a provider may take to answer."""

STICKY = timedelta(seconds=2)
"""How long a dead worker's orders wait before another takes them over (10 s by default)."""


def runner() -> SandboxedWorkflowRunner:
    """The sandbox's call restrictions, without re-importing every module per order (a quarter of the memory)."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())


def orders_worker(client: Client, parts: Parts) -> Worker:
    """Workflows, their assessments and our own ledger."""
    assess = Assess(parts.ledger, parts.policy, parts.erps.ready, channel_traits(), source_answers())
    return Worker(
        client,
        task_queue=names.ORDERS_QUEUE,
        workflows=WORKFLOWS,
        activities=for_orders(assess, HandOff(parts.ledger, utc_now), Record(parts.ledger)),
        workflow_runner=runner(),
        interceptors=[OneArgument()],
        max_cached_workflows=4_000,
        sticky_queue_schedule_to_start_timeout=STICKY,
        graceful_shutdown_timeout=DRAIN,
    )


def messaging_worker(client: Client, parts: Parts) -> Worker:
    """Everything that reaches people."""
    sending = Sending(
        lease=timedelta(seconds=parts.settings.send_lease_seconds),
        status_url=parts.status_url,
        links=parts.message_links,
        rates=parts.settings.rates,
    )
    acknowledge = Acknowledge(
        ledger=parts.ledger,
        channels=parts.channels.__getitem__,
        erps=parts.erps.ready,
        stores=parts.store,
        renderer=parts.renderer,
        sending=sending,
        now=utc_now,
    )
    return Worker(
        client,
        task_queue=names.MESSAGING_QUEUE,
        activities=for_messaging(acknowledge),
        max_concurrent_activities=50,
        max_task_queue_activities_per_second=parts.settings.messaging_per_second,
        graceful_shutdown_timeout=DRAIN,
    )


def erp_worker(client: Client, parts: Parts) -> Worker:
    """Everything that changes an ERP."""
    return Worker(
        client,
        task_queue=names.ERP_QUEUE,
        activities=for_erp(
            SubmitToErp(parts.ledger, parts.erps.ready),
            CancelInErp(parts.ledger, parts.erps.ready),
            InvoiceInErp(parts.ledger, parts.erps.ready),
            _look(client, parts),
        ),
        max_concurrent_activities=20,
        graceful_shutdown_timeout=DRAIN,
    )


def sources_worker(client: Client, parts: Parts) -> Worker:
    """The systems that orders come from: looked at, and answered."""
    answer = AnswerSource(parts.ledger, parts.sources.ready, parts.store_page, utc_now)
    return Worker(
        client,
        task_queue=names.SOURCES_QUEUE,
        activities=for_sources(answer, _look(client, parts)),
        max_concurrent_activities=20,
        graceful_shutdown_timeout=DRAIN,
    )


def _look(client: Client, parts: Parts) -> Look:
    return Look(parts.ledger, Orders(client), parts.sources.ready, parts.erps.ready, utc_now)


QUEUES = {
    names.ORDERS_QUEUE: orders_worker,
    names.MESSAGING_QUEUE: messaging_worker,
    names.ERP_QUEUE: erp_worker,
    names.SOURCES_QUEUE: sources_worker,
}
