"""The doctor's look at the weekly report: whether it goes out by itself, when, and how the last one ended."""

from collections.abc import Mapping
from datetime import datetime, tzinfo

from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleDescription,
    WorkflowExecutionStatus,
)
from temporalio.service import RPCError, RPCStatusCode

from orderack import channels
from orderack.bootstrap import report_addresses, report_slot
from orderack.cli.doctor_findings import Finding, ok, warn, wrong
from orderack.diagnostics.weekly.mail_channels import able, chosen, none_of
from orderack.diagnostics.weekly.store_zones import last_over, of_policy
from orderack.diagnostics.weekly.weeks import last_whole
from orderack.diagnostics.wording import counted
from orderack.errors import Misconfigured
from orderack.settings import Settings
from orderack.temporal.report_schedule import ID, Slot

CHECK = "weekly-report"
_ANEW = "start the workers of the queue `sources` anew: they keep its schedule as their settings say"
_BAD = (WorkflowExecutionStatus.FAILED, WorkflowExecutionStatus.TIMED_OUT, WorkflowExecutionStatus.TERMINATED)


async def check_report(client: Client, settings: Settings) -> Finding:
    """The settings first, then the schedule, then its last run."""
    try:
        slot = report_slot(settings)
    except Misconfigured as error:
        return wrong(CHECK, str(error), "mend it: workers of the queue `sources` do not start with it")
    kept = await _kept(client)
    if slot is None:
        if kept is None:
            return ok(CHECK, "mailed to nobody by itself (ORDERACK_WEEKLY_TO is empty)")
        return warn(CHECK, "ORDERACK_WEEKLY_TO is empty here, and its schedule is still kept", _ANEW)
    if kept is None:
        return wrong(CHECK, "to be mailed each week, and no schedule is kept", _ANEW)
    return _of_settings(slot, settings, kept) or await _of_runs(client, slot, settings, kept)


async def _kept(client: Client) -> ScheduleDescription | None:
    try:
        return await client.get_schedule_handle(ID).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


def _of_settings(slot: Slot, settings: Settings, kept: ScheduleDescription) -> Finding | None:
    """What is wrong with when and by what it goes out."""
    built = channels.build(able())
    if chosen(built.ready) is None:
        return wrong(CHECK, f"it cannot be mailed: {none_of(built.not_configured)}", "docs/channels.md has them")
    if kept.schedule.state.paused:
        return warn(CHECK, "its schedule is paused", f"temporal schedule toggle --schedule-id {ID} --unpause")
    due = next(iter(kept.info.next_action_times), None)
    zone = kept.schedule.spec.time_zone_name or "UTC"
    (calendar,) = kept.schedule.spec.calendars or (None,)
    hours = [(one.start, one.end) for one in calendar.hour] if calendar else []
    days = [(one.start, one.end) for one in calendar.day_of_week] if calendar else []
    if (zone, hours, days) != (slot.time_zone, [(slot.hour, slot.hour)], [(slot.weekday, slot.weekday)]):
        return warn(CHECK, "its schedule is not as the settings here say", _ANEW)
    if due and (behind := still_in_the_week(of_policy(settings.policy_dir), due)):
        return warn(
            CHECK,
            f"at its hour the week is not over for {', '.join(behind)}: it is about the week before for every store",
            "give it a later ORDERACK_WEEKLY_HOUR or ORDERACK_WEEKLY_DAY",
        )
    return None


def still_in_the_week(zones: Mapping[str, tzinfo], due: datetime) -> list[str]:
    """Stores that keep the report from being about the week that is over elsewhere by then."""
    newest = max((last_whole(due, zone) for zone in zones.values()), default=None)
    if newest is None or last_over(zones, due) == newest:
        return []
    return sorted(store for store, zone in zones.items() if last_whole(due, zone) != newest)


async def _of_runs(client: Client, slot: Slot, settings: Settings, kept: ScheduleDescription) -> Finding:
    due = next(iter(kept.info.next_action_times), None)
    to = counted(len(report_addresses(settings)), "address", "addresses")
    said = f"{settings.weekly_day}s, {slot.hour:02d}:00 {slot.time_zone}, to {to}"
    if due:
        said += f"; the next one on {due:%d %b %Y, %H:%M UTC}"
    runs = [one.action for one in kept.info.recent_actions]
    last = next((one for one in reversed(runs) if isinstance(one, ScheduleActionExecutionStartWorkflow)), None)
    if last is not None and await _went_wrong(client, last):
        show = f"temporal workflow show --workflow-id '{last.workflow_id}' says why"
        return warn(CHECK, f"the last one did not reach everybody; {said}", show)
    return ok(CHECK, said)


async def _went_wrong(client: Client, run: ScheduleActionExecutionStartWorkflow) -> bool:
    try:
        handle = client.get_workflow_handle(run.workflow_id, run_id=run.first_execution_run_id)
        return (await handle.describe()).status in _BAD
    except RPCError:  # longer ago than the namespace keeps it
        return False
