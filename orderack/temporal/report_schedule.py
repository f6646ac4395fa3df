"""The schedule of the weekly report: one for the installation, kept as the settings say, dropped where they do not."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
)
from temporalio.service import RPCError

from orderack.contracts import names
from orderack.contracts.reports import WeeklyRequest
from orderack.errors import Unavailable
from orderack.temporal.schedules import drop, keep

ID = "report/weekly"
"""Its schedule's. Apart from those of looks: an older worker, which knows nothing of it, leaves it alone."""

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""As Temporal counts them."""

GRACE = timedelta(minutes=10)
"""The run is over so long after its activity has been given up, at the latest."""


@dataclass(frozen=True)
class Slot:
    """When the report goes out."""

    weekday: int
    """Its place in `WEEKDAYS`."""
    hour: int
    time_zone: str
    catch_up: timedelta
    """How late it may still begin when nobody was there, and how long what failed is tried again."""

    @property
    def request(self) -> WeeklyRequest:
        """What the schedule starts it with."""
        return WeeklyRequest(within=self.catch_up)

    @property
    def spec(self) -> ScheduleSpec:
        """An hour that the change to summer time leaves out does not come in that week."""
        calendar = ScheduleCalendarSpec(hour=[ScheduleRange(self.hour)], day_of_week=[ScheduleRange(self.weekday)])
        return ScheduleSpec(calendars=[calendar], time_zone_name=self.time_zone)


async def keep_report(client: Client, slot: Slot | None) -> None:
    """Have the report go out then, and not at all where there is no slot. Repeating it changes nothing.

    Raises Unavailable where Temporal does not answer.
    """
    try:
        if slot is None:
            await drop(client, ID)
        else:
            await keep(client, ID, schedule_of(slot), known=False)
    except RPCError as error:
        raise Unavailable(f"Temporal does not keep the report's schedule ({error.status.name.lower()})") from None


def schedule_of(slot: Slot) -> Schedule:
    """A run that goes on is not joined by the next; each is over before the next week's is due."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.WORKFLOW_WEEKLY_REPORT,
            slot.request,
            id=ID,
            task_queue=names.ORDERS_QUEUE,
            execution_timeout=slot.catch_up + GRACE,
            static_summary="weekly report",
        ),
        spec=slot.spec,
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=slot.catch_up),
    )
