"""Durations as business people write them: `60s`, `15m`, `4h`, `7d`, `1h30m`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_WHOLE = re.compile(r"(?:\d{1,6}[dhms])+")
_PART = re.compile(r"(\d+)([dhms])")


def parse_duration(text: object) -> timedelta:
    """`1h30m` → 90 minutes. Raises ValueError (`problem; remedy`) for anything else, a bare number included."""
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not _WHOLE.fullmatch(text):
        raise ValueError("is not a duration; write it with its unit: 60s, 15m, 4h, 7d or 1h30m")
    return sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _PART.findall(text)), timedelta())


def in_words(duration: timedelta) -> str:
    """The same spelling back: `1h30m`; fractions of a second (scaled clocks) as `0.45s`."""
    seconds = duration.total_seconds()
    if seconds != int(seconds):
        return f"{seconds:g}s"
    text, rest = "", int(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), Field(gt=timedelta(0))]
"""Never zero: a clock that is over before it starts promises nothing."""
