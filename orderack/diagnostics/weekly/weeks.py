"""ISO weeks in a store's time zone: which one is meant, when it begins and ends there."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_WEEK = re.compile(r"(\d{4})-?W(\d{2})", re.IGNORECASE)
_YEARS = range(1970, 9000)
"""Of others the weeks before and after cannot be reckoned."""
SETTLES = timedelta(days=2)
"""What happens later than this after a week's end is not counted in it."""


@dataclass(frozen=True, order=True)
class Week:
    """An ISO 8601 week: Monday to Sunday."""

    monday: date

    def __str__(self) -> str:
        year, week, _ = self.monday.isocalendar()
        return f"{year}-W{week:02d}"

    def before(self, weeks: int = 1) -> "Week":
        """So many weeks earlier."""
        return Week(self.monday - timedelta(weeks=weeks))

    def begins(self, zone: tzinfo) -> datetime:
        """Its first moment there, in UTC."""
        return datetime.combine(self.monday, time.min, tzinfo=zone).astimezone(UTC)

    def ends(self, zone: tzinfo) -> datetime:
        """The first moment after it there, in UTC."""
        return self.before(-1).begins(zone)


def parse_week(text: str) -> Week:
    """`2026-W47`. Raises ValueError with the problem and the remedy, `; ` between them."""
    written = _WEEK.fullmatch(text.strip())
    if written is None:
        raise ValueError("is no ISO week; write 2026-W47")
    year, week = int(written[1]), int(written[2])
    try:
        found = Week(date.fromisocalendar(year, week, 1))
    except ValueError:
        last = date(max(year, 1), 12, 28).isocalendar().week
        raise ValueError(f"is no week of {year:04d}; its weeks are W01 to W{last}") from None
    if year not in _YEARS:
        raise ValueError("has no orders; write 2026-W47")
    return found


def last_whole(now: datetime, zone: tzinfo) -> Week:
    """The last week that is over there."""
    today = now.astimezone(zone).date()
    return Week(today - timedelta(days=today.weekday())).before()


def known_by(week: Week, zone: tzinfo, settled: timedelta) -> datetime:
    """Until when its orders are looked at."""
    return week.ends(zone) + settled


def settled(week: Week, zone: tzinfo, now: datetime) -> timedelta:
    """How long after its end the week is looked at, and every week that it is compared with."""
    return max(timedelta(), min(now - week.ends(zone), SETTLES))
