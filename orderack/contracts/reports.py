"""Reports that go out by themselves. Nobody's address is in here: whom they go to is a setting of the workers."""

from datetime import timedelta

from pydantic import AwareDatetime
from temporalio import activity

from orderack.contracts import names
from orderack.domain.order import Text
from orderack.domain.value import Value


class WeeklyRequest(Value):
    """The weekly report, mailed to everybody whom the settings name."""

    as_of: AwareDatetime | None = None
    """The report is of the last week that was over then. None: the time for which its schedule started it."""
    within: timedelta = timedelta(days=3)
    """How long what cannot be mailed now is tried again."""


class WeeklyMailed(Value):
    """How it ended."""

    week: Text = ""
    """Empty: nobody is named, and nothing was made."""
    sent: int = 0
    already: int = 0
    """Addresses that had this week's mail before."""


@activity.defn(name=names.MAIL_WEEKLY_REPORT)
async def mail_weekly_report(request: WeeklyRequest) -> WeeklyMailed:
    """See `activities/mail_weekly_report.py`."""
    raise AssertionError("declared here, implemented in activities/")
