"""The weekly record of reliability by mail (R130, R131): a schedule starts it, each week anew."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey

from orderack.contracts import names, reports
from orderack.contracts.reports import WeeklyMailed, WeeklyRequest

LONGEST = timedelta(hours=1)
"""For one attempt: a week of forty thousand orders takes seconds."""

SILENT = timedelta(seconds=30)
"""A worker that says nothing for so long is dead, and another goes on."""

RETRY = RetryPolicy(initial_interval=timedelta(seconds=30), maximum_interval=timedelta(hours=1))
"""A mail server that is away for a weekend is asked some sixty times, and the mail comes when it is back."""

SCHEDULED_FOR = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Temporal's own: when the schedule meant to start it; of a Monday that is caught up or filled in, that Monday."""


@workflow.defn(name=names.WORKFLOW_WEEKLY_REPORT)
class WeeklyReport:
    """One activity. Which week it is about is settled here, so that no retry, however late, is about another."""

    @workflow.run
    async def run(self, request: WeeklyRequest) -> WeeklyMailed:
        """Who got it. A failure is seen here, in the Temporal UI, and in `orderack doctor`."""
        return await workflow.execute_activity(
            reports.mail_weekly_report,
            request.model_copy(update={"as_of": request.as_of or _scheduled_for()}),
            task_queue=names.SOURCES_QUEUE,
            start_to_close_timeout=LONGEST,
            schedule_to_close_timeout=request.within,
            heartbeat_timeout=SILENT,
            retry_policy=RETRY,
            summary="make and mail the weekly report",
        )


def _scheduled_for() -> datetime:
    """What was started by hand is about now."""
    return workflow.info().typed_search_attributes.get(SCHEDULED_FOR) or workflow.now()
