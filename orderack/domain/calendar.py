"""A store's working days."""

from datetime import date, timedelta

from orderack.domain.value import Value

_HORIZON = 3_660
"""Days looked ahead before a calendar without a working day is called one."""


class WorkingCalendar(Value):
    """Working weekdays (0 is Monday) without the holidays."""

    workdays: frozenset[int]
    holidays: frozenset[date] = frozenset()

    def is_working(self, day: date) -> bool:
        return day.weekday() in self.workdays and day not in self.holidays

    def on_or_after(self, day: date) -> date:
        """The first working day from `day` on. Raises ValueError when there is none in ten years."""
        for ahead in range(_HORIZON):
            candidate = day + timedelta(days=ahead)
            if self.is_working(candidate):
                return candidate
        raise ValueError("the calendar has no working day")

    def after(self, day: date, working_days: int) -> date:
        """The working day that many working days after `day`, itself moved to a working day first."""
        found = self.on_or_after(day)
        for _ in range(working_days):
            found = self.on_or_after(found + timedelta(days=1))
        return found
