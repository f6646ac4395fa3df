"""Looks, sweeps and reports, run once to be recorded: they last for hours or days, and what runs must replay."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities._erp_sweep import Progress
from orderack.contracts import names
from orderack.contracts.looks import ErpLook, LookRequest, LookResult, SourceLook, SweepRequest, SweepResult
from orderack.contracts.reports import WeeklyMailed, WeeklyRequest
from orderack.temporal.converter import data_converter
from tests.history.stage import binary, runner
from tests.replay.histories import FOLDER
from workflows import WORKFLOWS

LOOKS_FOLDER = FOLDER / "looks"
BEGAN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
AWAY, LOST = "away", "lost"
"""ERPs: one that never answers; one whose worker dies in the middle of the sweep."""

LOOKS: Mapping[str, LookRequest | SweepRequest | WeeklyRequest] = {
    "a_source_looked_at": LookRequest(source=SourceLook(store="demo", system="email")),
    "an_erp_looked_at": LookRequest(erp=ErpLook(erp="sandbox")),
    "nothing_to_look_at": LookRequest(),
    "a_look_at_an_erp_that_is_away": LookRequest(erp=ErpLook(erp=AWAY)),
    "an_erp_swept": SweepRequest(erp="sandbox"),
    "an_erp_swept_by_two_workers": SweepRequest(erp=LOST),
    "a_sweep_of_an_erp_that_is_away": SweepRequest(erp=AWAY),
    "the_books_swept": SweepRequest(),
    "the_weekly_report_mailed": WeeklyRequest(),
    "the_weekly_report_of_a_week_filled_in": WeeklyRequest(as_of=BEGAN),
}
"""What is recorded, by the name of its history."""

WORKFLOW_OF: Mapping[type, str] = {
    LookRequest: names.WORKFLOW_LOOK,
    SweepRequest: names.WORKFLOW_SWEEP,
    WeeklyRequest: names.WORKFLOW_WEEKLY_REPORT,
}


class Scripted:
    """Stands for the activities: they answer by the name of what is looked at."""

    @activity.defn(name=names.LOOK_AT_SOURCE)
    async def look_at_source(self, look: SourceLook) -> LookResult:
        return LookResult(found=2, told=1)

    @activity.defn(name=names.LOOK_AT_ERP)
    async def look_at_erp(self, look: ErpLook) -> LookResult:
        if look.erp == AWAY:
            raise ApplicationError("it does not answer", type="Unavailable")
        return LookResult(found=1, told=1, waiting=3)

    @activity.defn(name=names.SWEEP_ERP)
    async def sweep_erp(self, request: SweepRequest) -> SweepResult:
        if request.erp == AWAY:
            raise ApplicationError("it does not answer", type="Unavailable", next_retry_delay=timedelta(minutes=1))
        if request.erp == LOST and activity.info().attempt == 1:
            activity.heartbeat(Progress(began_at=BEGAN, asked=25))
            raise ApplicationError("the worker stops; another goes on", type="Stopping")
        return SweepResult(waiting=60, asked=60, receipted=2, opened=1)

    @activity.defn(name=names.SWEEP_BOOKS)
    async def sweep_books(self, request: SweepRequest) -> SweepResult:
        return SweepResult(waiting=12, asked=12, opened=1, closed=2)

    @activity.defn(name=names.MAIL_WEEKLY_REPORT)
    async def mail_weekly_report(self, request: WeeklyRequest) -> WeeklyMailed:
        if activity.info().attempt == 1:
            raise ApplicationError("the mail server does not answer", type="Unavailable")
        return WeeklyMailed(week="2026-W09", sent=2)


@asynccontextmanager
async def looking() -> AsyncIterator[Client]:
    """The time-skipping server, with workers that look and sweep."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary("temporal-test-server"), data_converter=data_converter()
    ) as env:
        said = Scripted()
        of_erps: list[Callable[..., object]] = [said.look_at_erp, said.sweep_erp, said.sweep_books]
        async with (
            Worker(env.client, task_queue=names.ORDERS_QUEUE, workflows=WORKFLOWS, workflow_runner=runner()),
            Worker(
                env.client, task_queue=names.SOURCES_QUEUE, activities=[said.look_at_source, said.mail_weekly_report]
            ),
            Worker(env.client, task_queue=names.ERP_QUEUE, activities=of_erps),
        ):
            yield env.client


async def looked(client: Client, name: str) -> WorkflowHistory:
    """Run it to its end, whichever that is; its history."""
    request = LOOKS[name]
    handle = await client.start_workflow(
        WORKFLOW_OF[type(request)], request, id=f"look/{name}", task_queue=names.ORDERS_QUEUE
    )
    try:
        await handle.result()
    except WorkflowFailureError as failure:
        if AWAY not in repr(request):
            raise failure.cause from None
    return await handle.fetch_history()
