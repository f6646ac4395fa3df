"""The doctor's look at the Temporal server: version, namespace, search attributes, clock, queues, builds."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueKind, TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    DescribeWorkerDeploymentRequest,
    GetClusterInfoRequest,
    PollWorkflowTaskQueueRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orderack.cli.doctor_findings import Finding, ok, warn, wrong
from orderack.contracts import names
from orderack.diagnostics.wording import counted
from orderack.errors import Misconfigured, OrderAckError, Unavailable
from orderack.settings import Settings
from orderack.temporal.search_attributes import missing

RETENTION = timedelta(days=90)
"""How long a closed order's history should stay: as long as somebody may ask how it went (reliability.md §6.1)."""

SILENT = timedelta(seconds=90)
"""A worker asks for work every minute at least; the server remembers for five who did."""

SKEW_WARN, SKEW_WRONG = timedelta(seconds=2), timedelta(seconds=10)
"""The server keeps deadlines, workers the leases of sends (45 s), the gateway the age of webhooks (5 min)."""

BACKLOG = timedelta(seconds=60)
"""The first promise to a buyer: work that waits longer breaks it."""

_WAIT = timedelta(seconds=5)
_POLL = timedelta(seconds=30)
"""The server takes no shorter one; it is given up as soon as the server has said when it began."""
_CLOCK_QUEUE = "orderack-doctor"
_UNDIVIDED = TaskQueueKind.TASK_QUEUE_KIND_STICKY
"""Such a queue has no partitions, so whoever is asked knows who asked it; and nothing of it is kept."""

KINDS = {"workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY}
QUEUES = (
    (names.ORDERS_QUEUE, "workflow"),
    (names.ORDERS_QUEUE, "activity"),
    (names.MESSAGING_QUEUE, "activity"),
    (names.ERP_QUEUE, "activity"),
    (names.SOURCES_QUEUE, "activity"),
)


async def check_server(client: Client) -> Finding:
    """Its version. Temporal Cloud does not tell."""
    try:
        info = await client.workflow_service.get_cluster_info(GetClusterInfoRequest(), timeout=_WAIT)
    except RPCError as error:
        if error.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED):
            return wrong("temporal", "the server does not answer", "is it up, and is the way to it open?", away=True)
        return ok("temporal", "it answers, and keeps its version to itself")
    return ok("temporal", f"it answers: server {info.server_version}")


async def check_namespace(client: Client) -> Finding:
    """Whether it is there, and how long it keeps closed orders' histories."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        found = await client.workflow_service.describe_namespace(request, timeout=_WAIT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return wrong(
                "namespace",
                f"there is no namespace {client.namespace}",
                f"temporal operator namespace create --namespace {client.namespace} --retention 90d",
            )
        return wrong("namespace", f"the server does not show it ({error.status.name})", "may this login see it?")
    kept = found.config.workflow_execution_retention_ttl.ToTimedelta()
    said = f"{client.namespace} keeps closed orders for {_days(kept)}"
    if kept < RETENTION:
        return warn(
            "namespace",
            f"{said}: `orderack status` of one knows nothing after that (the ledger does)",
            f"temporal operator namespace update --namespace {client.namespace} --retention 90d",
        )
    return ok("namespace", said)


def _days(kept: timedelta) -> str:
    return f"{kept.total_seconds() / 86_400:g} days"


async def check_attributes(client: Client) -> Finding:
    """The search attributes, each with its type: without one of them the server refuses every order."""
    try:
        lacking = await missing(client)
    except Unavailable as error:
        return wrong("search-attributes", str(error), "try again", away=True)
    except Misconfigured as error:
        return wrong("search-attributes", str(error), "docs/operations/cloud.md says how Temporal Cloud takes them")
    if lacking:
        return wrong(
            "search-attributes", f"missing: {', '.join(lacking)}; every order is refused", "orderack temporal setup"
        )
    return ok("search-attributes", "registered, with their types")


async def check_clock(client: Client) -> Finding:
    """This machine's clock against the server's: it tells when a queue was asked for work, so we ask an empty one."""
    asking = asyncio.create_task(_ask_for_work(client))
    began = datetime.now(UTC)
    try:
        for _ in range(100):
            await asyncio.sleep(0.05)
            if theirs := await _asked_at(client):
                return skew("clock-temporal", between(theirs, began, datetime.now(UTC)), "the Temporal server's")
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError, RPCError):
            await asking
    return warn("clock-temporal", "the server did not tell its time", "compare `date -u` on both machines")


async def _asked_at(client: Client) -> datetime | None:
    """When, by the server's clock, our question came in; None: it has not yet."""
    try:
        found = await _described(client, _CLOCK_QUEUE, "workflow", _UNDIVIDED)
    except RPCError:  # nobody has asked that queue yet, so there is none
        return None
    ours = [poller for poller in found.pollers if poller.identity == _identity(client)]
    return ours[0].last_access_time.ToDatetime(tzinfo=UTC) if ours else None


def between(theirs: datetime, began: datetime, ended: datetime) -> timedelta:
    """How far their clock is ahead at least: they read it at some moment between these two of ours."""
    return min(theirs - began, timedelta()) or max(theirs - ended, timedelta())


def skew(check: str, ahead: timedelta, whose: str) -> Finding:
    """What a difference of clocks means. `ahead`: how much theirs is before ours, give or take a call."""
    way = "ahead of" if ahead > timedelta() else "behind"
    said = f"{whose} clock is {abs(ahead.total_seconds()):.1f} s {way} this machine's"
    do = "keep both with NTP (chrony, systemd-timesyncd)"
    if abs(ahead) >= SKEW_WRONG:
        return wrong(check, said, do)
    return warn(check, said, do) if abs(ahead) >= SKEW_WARN else ok(check, f"{whose} clock agrees with this machine's")


def _identity(client: Client) -> str:
    return f"doctor of {client.identity}"


async def _ask_for_work(client: Client) -> None:
    queue = TaskQueue(name=_CLOCK_QUEUE, kind=_UNDIVIDED, normal_name=names.ORDERS_QUEUE)
    request = PollWorkflowTaskQueueRequest(namespace=client.namespace, task_queue=queue, identity=_identity(client))
    await client.workflow_service.poll_workflow_task_queue(request, timeout=_POLL)


# -- queues ---------------------------------------------------------------------------------------------------------


async def check_queues(client: Client, now: datetime) -> list[Finding]:
    """Each task queue: is somebody there, and does work wait?"""
    found = await asyncio.gather(*(_described(client, queue, kind) for queue, kind in QUEUES), return_exceptions=True)
    return [judge_queue(f"{queue}/{kind}", queue, one, now) for (queue, kind), one in zip(QUEUES, found, strict=True)]


def judge_queue(check: str, queue: str, found: DescribeTaskQueueResponse | BaseException, now: datetime) -> Finding:
    check = f"queue/{check}"
    if isinstance(found, BaseException):
        return wrong(check, "the server does not describe it", "try again", away=True)
    alive = [poller for poller in found.pollers if now - poller.last_access_time.ToDatetime(tzinfo=UTC) < SILENT]
    waiting, age = found.stats.approximate_backlog_count, found.stats.approximate_backlog_age.ToTimedelta()
    behind = f"{counted(waiting, 'task')} wait" if waiting else "nothing waits"
    if not alive:
        return wrong(check, f"no worker; {behind}", f"start one: orderack worker --queues {queue}")
    said = f"{counted(len({poller.identity for poller in alive}), 'worker')}; {behind}"
    if waiting and age > BACKLOG:
        return warn(
            check,
            f"{said}, the oldest for {age.total_seconds():.0f} s",
            f"start more: orderack worker --queues {queue}; or let one take more (ORDERACK_WORKER_...)",
        )
    return ok(check, said)


async def _described(
    client: Client, queue: str, kind: str, form: TaskQueueKind.ValueType = TaskQueueKind.TASK_QUEUE_KIND_NORMAL
) -> DescribeTaskQueueResponse:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue, kind=form),
        task_queue_type=KINDS[kind],
        report_stats=form != _UNDIVIDED,  # the server refuses them there
    )
    return await client.workflow_service.describe_task_queue(request, timeout=_WAIT)


# -- builds ---------------------------------------------------------------------------------------------------------


async def check_builds(client: Client, settings: Settings, now: datetime) -> list[Finding]:
    """Worker versions: which build new orders go to, and whether workers of it are there."""
    try:
        described = await _described(client, names.ORDERS_QUEUE, "workflow")
    except RPCError:
        return []
    alive = [poller for poller in described.pollers if now - poller.last_access_time.ToDatetime(tzinfo=UTC) < SILENT]
    current = await _current(client, settings.deployment)
    return [judge_builds(alive, current, settings)]


async def _current(client: Client, deployment: str) -> str:
    """The build that new orders go to; empty: none, or there is no such deployment."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
    try:
        found = await client.workflow_service.describe_worker_deployment(request, timeout=_WAIT)
    except (RPCError, OrderAckError):
        return ""
    return found.worker_deployment_info.routing_config.current_deployment_version.build_id


def judge_builds(alive: Sequence[PollerInfo], current: str, settings: Settings) -> Finding:
    """`alive`: who takes orders; `current`: the build that new orders go to, or nothing."""
    builds = {poller.deployment_options.build_id for poller in alive if poller.deployment_options.build_id}
    plain = any(not poller.deployment_options.build_id for poller in alive)
    make_current = "temporal worker deployment set-current-version --deployment-name {} --build-id {}"
    if not builds and not current:
        if settings.build_id:
            return wrong(
                "builds",
                f"ORDERACK_BUILD_ID is {settings.build_id}, but no worker has a version",
                "start workers with it, then make it current (docs/operations/deploy.md)",
            )
        return ok("builds", "no worker has a version: each takes every order (docs/operations/deploy.md)")
    if not current and not plain:
        return wrong(
            "builds",
            f"no build is current: new orders wait, though {', '.join(sorted(builds))} would take them",
            make_current.format(settings.deployment, sorted(builds)[-1]),
        )
    if current and current not in builds:
        return wrong(
            "builds",
            f"new orders go to build {current}, and no worker has it",
            f"start workers with ORDERACK_BUILD_ID={current}, or make another build current",
        )
    if settings.build_id and settings.build_id != current:
        return warn(
            "builds",
            f"this is build {settings.build_id}; new orders go to {current or 'workers without a version'}",
            make_current.format(settings.deployment, settings.build_id),
        )
    if plain and current:
        return warn(
            "builds",
            f"build {current} is current, and some workers have no version: they take no new order",
            "end them, or start them with ORDERACK_BUILD_ID",
        )
    return ok("builds", f"new orders go to build {current or 'none'}; running: {', '.join(sorted(builds))}")
