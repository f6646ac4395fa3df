"""The promise date: one specific day, never a range, with the arithmetic that led to it (R24, R25)."""

from datetime import date, time
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field

from orderack.domain.calendar import WorkingCalendar
from orderack.domain.order import Name
from orderack.domain.value import Value


class Workload(Value):
    """What the day depends on besides the calendar. Lead times are in working days.

    `cut_off` is the carrier's, in local time: an order that comes at that minute or later starts on the next
    working day.
    """

    time_zone: Name
    cut_off: time
    lead_days: int = Field(ge=0, le=366)
    queue_depth: int = Field(default=0, ge=0)
    capacity_per_day: int = Field(gt=0)
    restocked_on: date | None = None
    """The day the last back-ordered line is expected."""
    undated_backorder: bool = False
    """A line is back-ordered and the ERP gave no day: `backorder_lead_days` stand in for it."""
    backorder_lead_days: int = Field(default=0, ge=0, le=366)
    wanted_on: date | None = None
    """The buyer's own earliest day (delivery window or pickup): never promised before it."""


class Promise(Value):
    """The day, and every number it was computed from."""

    on: date
    asked_at: AwareDatetime
    starts_on: date
    missed_cut_off: bool
    queue_days: int
    restocked_on: date | None
    workload: Workload


def promise_date(now: AwareDatetime, workload: Workload, calendar: WorkingCalendar) -> Promise:
    """The first working day on which the order can be fulfilled.

    Start (today, or the next working day after the cut-off) + whole days of queue + lead time; not before the
    lead time after the goods are back in stock; not before the buyer wants it. Pure; `now` may be in any zone.
    """
    local = now.astimezone(ZoneInfo(workload.time_zone))
    today = local.date()
    missed = calendar.is_working(today) and local.time() >= workload.cut_off
    starts_on = calendar.after(today, 1) if missed else calendar.on_or_after(today)
    queue_days = workload.queue_depth // workload.capacity_per_day
    day = calendar.after(starts_on, queue_days + workload.lead_days)
    restocked_on = _restocked(starts_on, workload, calendar)
    if restocked_on is not None:
        day = max(day, calendar.after(restocked_on, workload.lead_days))
    if workload.wanted_on is not None:
        day = max(day, calendar.on_or_after(workload.wanted_on))
    return Promise(
        on=day,
        asked_at=now,
        starts_on=starts_on,
        missed_cut_off=missed,
        queue_days=queue_days,
        restocked_on=restocked_on,
        workload=workload,
    )


def _restocked(starts_on: date, workload: Workload, calendar: WorkingCalendar) -> date | None:
    days = [workload.restocked_on] if workload.restocked_on else []
    if workload.undated_backorder:
        days.append(calendar.after(starts_on, workload.backorder_lead_days))
    return max(days, default=None)
