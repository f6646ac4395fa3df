"""What arrives from outside, read into models; what is wrong with it, named without repeating it."""

import hmac
import re
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, TypeAdapter, ValidationError

from orderack.domain.problem import Problem
from orderack.domain.validation import MOST, REPEATING, too_many, unquoted
from orderack.errors import BadSignature, InvalidInput, StaleSignature

T = TypeVar("T")

_REMEDIES = {
    "missing": "add it",
    "extra_forbidden": "remove it, or correct its spelling",
    "json_invalid": "send valid JSON in UTF-8",
    "timezone_aware": "give the time with its offset, e.g. 2026-11-21T09:30:00Z",
    "enum": "use one of the words listed",
}
MOST_UNPROVED = 256 * 1024
"""Bytes of a body that has to be read before it is known whose it is; no vendor's single report comes near it."""

_EMAIL = re.compile(r"\S+@\S+")
_NUMBER = re.compile(r"\+?\d[\d\s().-]{5,}\d")


def read(adapter: TypeAdapter[T], body: bytes, strict: bool = False) -> T:
    """Parse JSON. Raises InvalidInput with every problem: field, what is wrong, remedy; never a value."""
    try:
        return adapter.validate_json(body, strict=strict)
    except ValidationError as error:
        if error.error_count() > MOST:
            raise InvalidInput([too_many(error)]) from None
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidInput([_problem(item["loc"], item["type"], item["msg"]) for item in found[:50]]) from None


def _of_our_time(at: AwareDatetime) -> AwareDatetime:
    if not 1970 <= at.year < 9_999:
        raise ValueError("not a time of ours")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_of_our_time)]
"""A time that somebody else wrote, with room to reckon with it: at the calendar's ends that is an error of Python's."""


def _problem(loc: tuple[int | str, ...], kind: str, message: str) -> Problem:
    field = ".".join(str(part) for part in loc)[:200] or "body"
    said = unquoted(message) if kind in REPEATING else message
    return Problem(field=field, problem=said[:300], remedy=_REMEDIES.get(kind, "send the type that is documented"))


def not_an_event(field: str, problem: str, remedy: str) -> InvalidInput:
    """One problem, ready to raise."""
    return InvalidInput([Problem(field=field, problem=problem, remedy=remedy)])


def scrub(text: str) -> str:
    """A vendor's sentence without addresses and numbers of a person and without keys, on one line, at most 200
    characters."""
    words = ("<key>" if _like_a_key(word) else word for word in text[:2_000].split())
    plain = _NUMBER.sub("<number>", _EMAIL.sub("<email>", " ".join(words)))
    return "".join(char for char in plain if char.isprintable())[:200]


def _like_a_key(word: str) -> bool:
    """Long, with letters and some digits: what a vendor repeats of our login looks so, and no name of a field does."""
    return len(word) >= 20 and sum(map(str.isdigit, word)) >= 4 and any(map(str.isalpha, word)) and "@" not in word


def same(expected: str, given: str) -> bool:
    """Compare two signatures in constant time, whatever bytes were given."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def within(timestamp: str, now: datetime, window: timedelta) -> None:
    """Raise unless `timestamp` (epoch seconds) lies in the window around `now`: StaleSignature, or BadSignature.

    To be asked once the signature holds: what is stale then was signed by its sender.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise BadSignature("the signature's timestamp is not a number of seconds")
    off = now.timestamp() - int(timestamp)
    if abs(off) > window.total_seconds():
        raise StaleSignature(off)
