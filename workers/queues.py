"""One worker per task queue: which workflows, which activities, which limits."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities import (
    Acknowledge,
    AnswerSource,
    Assess,
    CancelInErp,
    HandOff,
    InvoiceInErp,
    Look,
    MailWeeklyReport,
    Outages,
    Record,
    Sending,
    SubmitToErp,
    Sweep,
    ToOwners,
    for_erp,
    for_messaging,
    for_orders,
    for_sources,
    utc_now,
)
from orderack.bootstrap import Parts, channel_traits, source_answers
from orderack.contracts import names
from orderack.diagnostics.weekly.apart import mailed_apart
from orderack.settings import Settings
from orderack.temporal.orders import Orders
from orderack.temporal.runs import OpenRuns
from workers.ahead import InTimeRunner
from workers.versions import MovesOn, deployment
from workflows import WORKFLOWS
from workflows.interceptor import AroundOrders

INTERCEPTORS = (AroundOrders(), MovesOn())
"""What every run of an order goes through, its replay too."""

STICKY = timedelta(seconds=1.5)
"""How long a dead worker's orders wait before another takes them over (10 s by default)."""


def orders_worker(client: Client, parts: Parts) -> Worker:
    """Workflows, their assessments and our own ledger. The only one with versions (`workers.versions`)."""
    settings = parts.settings
    assess = Assess(parts.ledger, parts.policy, parts.erps.ready, channel_traits(), source_answers())
    return Worker(
        client,
        task_queue=names.ORDERS_QUEUE,
        workflows=WORKFLOWS,
        activities=for_orders(assess, HandOff(parts.ledger, utc_now), Record(parts.ledger)),
        workflow_runner=InTimeRunner(),
        interceptors=INTERCEPTORS,
        deployment_config=deployment(settings),
        max_cached_workflows=settings.worker_cached_orders,
        max_concurrent_workflow_tasks=settings.worker_order_tasks,
        max_concurrent_workflow_task_polls=settings.worker_pollers,
        max_concurrent_activity_task_polls=settings.worker_pollers,
        sticky_queue_schedule_to_start_timeout=STICKY,
        graceful_shutdown_timeout=_drain(settings),
    )


def messaging_worker(client: Client, parts: Parts) -> Worker:
    """Everything that reaches people."""
    acknowledge = Acknowledge(
        ledger=parts.ledger,
        channels=parts.channels.__getitem__,
        erps=parts.erps.ready,
        stores=parts.store,
        renderer=parts.renderer,
        sending=_sending(parts),
        now=utc_now,
    )
    return Worker(
        client,
        task_queue=names.MESSAGING_QUEUE,
        activities=for_messaging(acknowledge),
        max_concurrent_activities=parts.settings.worker_sends,
        max_concurrent_activity_task_polls=parts.settings.worker_pollers,
        max_task_queue_activities_per_second=parts.settings.messaging_per_second,
        graceful_shutdown_timeout=_drain(parts.settings),
    )


def erp_worker(client: Client, parts: Parts) -> Worker:
    """Everything that changes an ERP."""
    outages = Outages(parts.ledger, Orders(client).try_now, utc_now)
    return Worker(
        client,
        task_queue=names.ERP_QUEUE,
        activities=for_erp(
            SubmitToErp(parts.ledger, parts.erps.ready, outages, utc_now),
            CancelInErp(parts.ledger, parts.erps.ready, outages, utc_now),
            InvoiceInErp(parts.ledger, parts.erps.ready, outages, utc_now),
            _look(client, parts),
            _sweep(client, parts),
        ),
        max_concurrent_activities=parts.settings.worker_calls,
        max_concurrent_activity_task_polls=parts.settings.worker_pollers,
        graceful_shutdown_timeout=_drain(parts.settings),
    )


def sources_worker(client: Client, parts: Parts) -> Worker:
    """The systems that orders come from: looked at, and answered. And the weekly report, in a process of its own."""
    answer = AnswerSource(parts.ledger, parts.sources.ready, parts.store_page, utc_now)
    return Worker(
        client,
        task_queue=names.SOURCES_QUEUE,
        activities=for_sources(answer, _look(client, parts), MailWeeklyReport(mailed_apart)),
        max_concurrent_activities=parts.settings.worker_calls,
        max_concurrent_activity_task_polls=parts.settings.worker_pollers,
        graceful_shutdown_timeout=_drain(parts.settings),
    )


def _sending(parts: Parts) -> Sending:
    return Sending(
        lease=timedelta(seconds=parts.settings.send_lease_seconds),
        status_url=parts.status_url,
        links=parts.message_links,
        rates=parts.settings.rates,
    )


def _drain(settings: Settings) -> timedelta:
    """A stopping worker lets its activities end: by default longer than a provider may take to answer."""
    return timedelta(seconds=settings.worker_drain_seconds)


def _look(client: Client, parts: Parts) -> Look:
    return Look(parts.ledger, Orders(client), parts.sources.ready, parts.erps.ready, utc_now)


def _sweep(client: Client, parts: Parts) -> Sweep:
    return Sweep(
        parts.ledger,
        Orders(client),
        OpenRuns(client),
        parts.erps.ready,
        parts.policy,
        utc_now,
        parts.settings.sweep_per_second,
        to_owners=ToOwners(parts.channels.__getitem__, parts.digest_words, _sending(parts)),
    )


QUEUES = {
    names.ORDERS_QUEUE: orders_worker,
    names.MESSAGING_QUEUE: messaging_worker,
    names.ERP_QUEUE: erp_worker,
    names.SOURCES_QUEUE: sources_worker,
}
