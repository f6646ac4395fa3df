"""`mail_weekly_report`: the last week's record of reliability, once to each address that the settings name."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from temporalio import activity

from activities._boundary import boundary
from orderack.contracts import names
from orderack.contracts.reports import WeeklyMailed, WeeklyRequest

Making = Callable[[datetime], Awaitable[WeeklyMailed]]
"""Makes and mails the report of the last week that was over at that time, away from this process's event loop.

Raises Unavailable where somebody could not be mailed now, Refused where somebody cannot be at all or may have been,
Misconfigured where a setting is missing.
"""


class MailWeeklyReport:
    """It may run as often as it likes: the ledger knows who has which week's mail."""

    def __init__(self, making: Making) -> None:
        self._making = making

    @activity.defn(name=names.MAIL_WEEKLY_REPORT)
    @boundary
    async def mail_weekly_report(self, request: WeeklyRequest) -> WeeklyMailed:
        """Heartbeats while the report is made. An attempt that is cut off leaves nothing half done but, at worst, one
        mail in doubt, which the ledger has and nobody sends again."""
        return await self._making(request.as_of or datetime.now(UTC))
