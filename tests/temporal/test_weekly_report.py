"""The weekly report on a real server: by its schedule, caught up, filled in, tried again, and gone with its setting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import (
    Client,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    ScheduleRange,
    ScheduleSpec,
    WorkflowFailureError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.mail_weekly_report import MailWeeklyReport
from orderack.contracts import names
from orderack.contracts.reports import WeeklyMailed, WeeklyRequest
from orderack.embedded.stack import Ports
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.temporal.connect import connect
from orderack.temporal.report_schedule import ID, Slot, keep_report, schedule_of
from orderack.temporal.schedules import keep
from tests.temporal.server import LOOKS, Temporal, binary, now, temporal
from workers.ahead import InTimeRunner
from workflows import WORKFLOWS

__all__ = ["temporal"]

MONDAYS = Slot(weekday=1, hour=7, time_zone="Europe/Berlin", catch_up=timedelta(days=3))


class Maker:
    """Stands for the process that makes and mails the report: keeps what it was asked, fails as it is told first."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked: list[datetime] = []
        self.mailed: set[str] = set()

    async def __call__(self, as_of: datetime) -> WeeklyMailed:
        self.asked.append(as_of)
        if self.errors:
            raise self.errors.pop(0)
        week = str(as_of.date())
        already = week in self.mailed
        self.mailed.add(week)
        return WeeklyMailed(week=week, sent=int(not already), already=int(already))


@asynccontextmanager
async def working(client: Client, maker: Maker) -> AsyncIterator[None]:
    one = Worker(client, task_queue=names.ORDERS_QUEUE, workflows=WORKFLOWS, workflow_runner=InTimeRunner())
    two = Worker(client, task_queue=names.SOURCES_QUEUE, activities=[MailWeeklyReport(maker).mail_weekly_report])
    async with one, two:
        yield


async def begun(client: Client, within: timedelta = timedelta(minutes=1)) -> WeeklyMailed:
    return await client.execute_workflow(
        names.WORKFLOW_WEEKLY_REPORT,
        WeeklyRequest(within=within),
        id=f"{ID}/by-hand",
        task_queue=names.ORDERS_QUEUE,
        result_type=WeeklyMailed,
    )


async def until_asked(maker: Maker, times: int) -> None:
    async with asyncio.timeout(60):
        while len(maker.asked) < times:  # noqa: ASYNC110 (a server is on the other side)
            await asyncio.sleep(0.1)


async def is_kept(client: Client) -> bool:
    try:
        await client.get_schedule_handle(ID).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def test_the_schedule_is_made_once_follows_the_setting_and_is_gone_with_it(temporal: Temporal) -> None:
    client = await temporal.client(LOOKS)
    await keep_report(client, None)
    assert not await is_kept(client), "nobody is named, so there is none"
    await asyncio.gather(*(keep_report(client, MONDAYS) for _ in range(3)))
    described = await client.get_schedule_handle(ID).describe()
    due = described.info.next_action_times[0]
    assert (due.astimezone(UTC).weekday(), due.astimezone(UTC).hour in (5, 6)) == (0, True)
    policy = described.schedule.policy
    assert (policy.overlap, policy.catchup_window) == (ScheduleOverlapPolicy.SKIP, timedelta(days=3))
    await client.get_schedule_handle(ID).pause(note="the owner is away")
    await keep_report(client, replace(MONDAYS, weekday=5, hour=18, time_zone="UTC"))
    described = await client.get_schedule_handle(ID).describe()
    due = described.info.next_action_times[0].astimezone(UTC)
    assert (due.weekday(), due.hour) == (4, 18)
    assert described.schedule.state.paused, "what an operator paused stays paused"
    await asyncio.gather(*(keep_report(client, None) for _ in range(3)))
    assert not await is_kept(client)


async def test_every_week_that_is_filled_in_is_about_itself_and_mailed_once(temporal: Temporal) -> None:
    client, maker = await temporal.client(LOOKS), Maker()
    async with working(client, maker):
        await keep_report(client, MONDAYS)
        try:
            handle = client.get_schedule_handle(ID)
            begin, end = datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 13, tzinfo=UTC)
            for _ in range(2):
                await handle.backfill(ScheduleBackfill(begin, end, ScheduleOverlapPolicy.BUFFER_ALL))
            await until_asked(maker, 4)
        finally:
            await keep_report(client, None)
    mondays = [datetime(2026, 10, 5, 5, tzinfo=UTC), datetime(2026, 10, 12, 5, tzinfo=UTC)]
    assert sorted(maker.asked) == sorted(mondays * 2)
    assert maker.mailed == {"2026-10-05", "2026-10-12"}


async def test_what_cannot_be_mailed_now_is_tried_again_about_the_same_week(temporal: Temporal) -> None:
    client = await temporal.client(LOOKS)
    maker = Maker(Unavailable("the mail server is away", timedelta(seconds=0.1)))
    async with working(client, maker):
        before = now()
        assert (await begun(client)).sent == 1
    assert len(maker.asked) == 2
    assert maker.asked[0] == maker.asked[1]
    assert before - timedelta(seconds=30) < maker.asked[0] < now(), "started by hand it is about now"
    history = await client.get_workflow_handle(f"{ID}/by-hand").fetch_history()
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=InTimeRunner(), data_converter=client.data_converter)
    await replayer.replay_workflow(history)


async def test_a_refused_address_ends_it_and_a_missing_setting_is_tried_until_its_time_is_over(
    temporal: Temporal,
) -> None:
    client = await temporal.client(LOOKS)
    maker = Maker(Refused("2026-W46: address 2 of ORDERACK_WEEKLY_TO: refused"))
    async with working(client, maker):
        with pytest.raises(WorkflowFailureError) as refused:
            await begun(client)
        assert "address 2" in said(refused.value)
        assert len(maker.asked) == 1
        maker.errors = [Misconfigured("no e-mail channel is configured")]
        with pytest.raises(WorkflowFailureError) as lacking:
            await begun(client, within=timedelta(seconds=3))
        assert "no e-mail channel" in said(lacking.value)
        assert len(maker.asked) == 2


def said(error: BaseException | None) -> str:
    """The innermost failure's words."""
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    assert isinstance(error, ApplicationError)
    return str(error)


def at(moment: datetime) -> ScheduleSpec:
    """Every week at this second, in UTC."""
    calendar = ScheduleCalendarSpec(
        second=[ScheduleRange(moment.second)],
        minute=[ScheduleRange(moment.minute)],
        hour=[ScheduleRange(moment.hour)],
        day_of_week=[ScheduleRange(moment.isoweekday() % 7)],
    )
    return ScheduleSpec(calendars=[calendar], time_zone_name="UTC")


@asynccontextmanager
async def a_server(file: Path, port: int) -> AsyncIterator[Client]:
    """A dev server that keeps everything in this file."""
    server = await WorkflowEnvironment.start_local(
        ip="127.0.0.1",
        port=port,
        dev_server_existing_path=binary(),
        dev_server_extra_args=["--db-filename", str(file)],
    )
    async with server:
        yield await connect(env={"TEMPORAL_ADDRESS": f"127.0.0.1:{port}", "TEMPORAL_NAMESPACE": "default"})


async def until_reckoned(client: Client) -> None:
    """The server has reckoned when the schedule is due."""
    async with asyncio.timeout(8):
        while not (await client.get_schedule_handle(ID).describe()).info.next_action_times:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_monday_on_which_everything_was_down_is_caught_up_once(tmp_path: Path) -> None:
    file, port = tmp_path / "temporal.db", Ports(temporal=0).taken().temporal
    async with a_server(file, port) as client:
        due = (now() + timedelta(seconds=10)).replace(microsecond=0)
        slot = replace(MONDAYS, weekday=due.isoweekday() % 7, hour=due.hour, time_zone="UTC")
        schedule = schedule_of(slot)
        schedule.spec = at(due)
        await keep(client, ID, schedule, known=False)
        await until_reckoned(client)
    await asyncio.sleep(max(0.0, (due - now()).total_seconds()) + 2)
    maker = Maker()
    async with a_server(file, port) as client, working(client, maker):
        await keep(client, ID, schedule, known=False)  # what a worker does first
        await until_asked(maker, 1)
        await keep(client, ID, schedule, known=False)
        await asyncio.sleep(3)
    assert maker.asked == [due], "once, and about the week that was over then"
