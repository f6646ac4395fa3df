"""A time zone as a setting: for ERPs that write their wall clock."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone, such as Europe/Berlin") from None
    return name


Zone = Annotated[str, AfterValidator(_zone)]
"""A name of the IANA database."""
