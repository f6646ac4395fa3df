"""What `orderack doctor` says: one finding a line, with what to do about it."""

from enum import StrEnum

from orderack.domain.order import Name
from orderack.domain.value import Value


class Standing(StrEnum):
    """How one thing stands."""

    OK = "ok"
    WARN = "warn"
    """It works; somebody should know."""
    WRONG = "wrong"
    """Orders wait, or will, until it is mended."""


class Finding(Value):
    """One thing that was looked at. Never a setting's value, never a buyer's data."""

    check: Name
    standing: Standing
    said: str
    do: str = ""
    """What to do; empty where nothing is to be done."""
    away: bool = False
    """A service did not answer, so it could not be looked at."""


def ok(check: str, said: str) -> Finding:
    return Finding(check=check, standing=Standing.OK, said=said)


def warn(check: str, said: str, do: str) -> Finding:
    return Finding(check=check, standing=Standing.WARN, said=said, do=do)


def wrong(check: str, said: str, do: str, *, away: bool = False) -> Finding:
    return Finding(check=check, standing=Standing.WRONG, said=said, do=do, away=away)
