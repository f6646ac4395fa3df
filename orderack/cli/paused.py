"""How a terminal says that a channel or an ERP is paused, or marked down."""

from datetime import datetime

from orderack.cli.printing import when


def paused_words(since: datetime, by: str, reason: str, probe_at: datetime | None) -> str:
    """`paused since … by ann`, or `marked down since …: why; tried next …`."""
    if probe_at is None:
        return f"paused since {when(since)} by {by}"
    return f"marked down since {when(since)}: {reason}; tried next {when(probe_at)}"
