"""How a shop is asked for what has changed: by the time of the change, page by page, so that nothing slips through."""

from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime

from orderack.domain.value import Value

OVERLAP = timedelta(minutes=2)
"""Each look goes back this far: orders become visible a little after the time that they carry."""
FIRST_LOOK = timedelta(hours=1)


class LookCursor(Value):
    """Orders changed since then, from that page on. `on`: in the midst of a look, so there is nothing to go back for.

    A full page moves `since` to its last order's time (what changes meanwhile moves to the end and is met there), and
    turns to the next page only where the whole page has one time.
    """

    since: AwareDatetime
    page: int = 1
    on: bool = False

    @classmethod
    def of(cls, text: str, now: datetime) -> "LookCursor":
        """The cursor that is kept; the beginning where there is none."""
        return cls.model_validate_json(text) if text else cls(since=now.astimezone(UTC) - FIRST_LOOK)

    @property
    def asked(self) -> datetime:
        """Changed at or after this."""
        return (self.since if self.on else self.since - OVERLAP).astimezone(UTC)

    def after(self, last: datetime | None, more: bool) -> "LookCursor":
        """Where the next page, or the next look, begins. `last`: the latest time on this page."""
        if not more:
            return LookCursor(since=max(last or self.since, self.since))
        if last is not None and last > self.asked:
            return LookCursor(since=last, on=True)
        return LookCursor(since=self.asked, page=self.page + 1, on=True)
