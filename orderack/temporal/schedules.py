"""The schedules of looks and sweeps: one for each connection that is polled, two for each ERP, one for the books."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from orderack.contracts import names
from orderack.contracts.looks import LookRequest, SweepRequest
from orderack.errors import Unavailable
from orderack.ports.sweeps import BOOKS

PREFIX = "look/"
"""How the ids of our schedules begin. Others' are left alone."""
SWEEPS = f"{PREFIX}sweep/"

Scheduled = LookRequest | SweepRequest
S = TypeVar("S", bound=Scheduled)

LONGEST = timedelta(minutes=5)
"""A look that takes longer is ended, so that the next one can begin."""
LONGEST_SWEEP = timedelta(hours=6)
"""And a sweep. The next one is skipped while it runs."""

CATCH_UP = timedelta(seconds=10)
"""After an outage one look is enough: it begins where the last one ended."""

SETTLES = 30
"""Seconds within which a schedule that another worker has just made can be read: its own first step is to come."""

_PASSING = (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)
"""It was dropped since it was listed, and is to be made; it was made a moment ago, and is to be read a little later."""


async def keep_schedules(client: Client, wanted: Mapping[S, timedelta]) -> None:
    """Have exactly these looks run, each in its own interval. Repeating it, from several workers, changes nothing.

    Raises Unavailable where Temporal does not answer.
    """
    by_id = {id_of(request): (request, every) for request, every in wanted.items()}
    try:
        known = {listed.id async for listed in await client.list_schedules() if listed.id.startswith(PREFIX)}
        for id_, (request, every) in by_id.items():
            await keep(client, id_, _schedule(id_, request, every), known=id_ in known)
        for id_ in known - by_id.keys():
            await drop(client, id_)
    except RPCError as error:
        raise Unavailable(f"Temporal does not keep our schedules ({error.status.name.lower()})") from None


def id_of(request: Scheduled) -> str:
    """`look/source/<store>/<system>`, `look/erp/<name>`, `look/sweep/erp/<name>`, `look/sweep/books`."""
    if isinstance(request, SweepRequest):
        return f"{SWEEPS}{sweep_name(request)}"
    if request.source is not None:
        return f"{PREFIX}source/{request.source.store}/{request.source.system}"
    return f"{PREFIX}erp/{request.erp.erp if request.erp else ''}"


def sweep_name(request: SweepRequest) -> str:
    """As it stands in the ledger: `erp/<name>`, `books`."""
    return BOOKS if request.erp is None else f"erp/{request.erp}"


def _schedule(id_: str, request: Scheduled, every: timedelta) -> Schedule:
    sweep = isinstance(request, SweepRequest)
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.WORKFLOW_SWEEP if sweep else names.WORKFLOW_LOOK,
            request,
            id=id_,
            task_queue=names.ORDERS_QUEUE,
            execution_timeout=LONGEST_SWEEP if sweep else LONGEST,
            static_summary=id_.removeprefix(PREFIX),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)], jitter=every / 10),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


async def keep(client: Client, id_: str, schedule: Schedule, *, known: bool) -> None:
    """Make or change it. Others do so at once with us, and lists lag: what one has may be gone, what it lacks there."""

    def update(found: ScheduleUpdateInput) -> ScheduleUpdate | None:
        """What an operator paused stays paused."""
        found.description.schedule.spec = schedule.spec
        found.description.schedule.policy = schedule.policy
        found.description.schedule.action = schedule.action
        return ScheduleUpdate(found.description.schedule)

    for left in reversed(range(SETTLES)):
        with suppress(ScheduleAlreadyRunningError):
            if not known:
                await client.create_schedule(id_, schedule)
                return
        try:
            await client.get_schedule_handle(id_).update(update)
            return
        except RPCError as error:
            if error.status not in _PASSING or not left:
                raise
            known = error.status is not RPCStatusCode.NOT_FOUND
        await asyncio.sleep(1)


async def drop(client: Client, id_: str) -> None:
    """Have it no more; it may be gone already."""
    try:
        await client.get_schedule_handle(id_).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # another worker was first
            raise
