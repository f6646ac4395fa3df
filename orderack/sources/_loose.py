"""Fields as shops' systems write them: the same thing may be a number or text, empty, null, or PHP's empty list."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, TypeAdapter

from orderack.clients.wire import read
from orderack.domain.money import minor_unit
from orderack.domain.order import Name
from orderack.errors import Unavailable
from orderack.sources._reading import FOUR

T = TypeVar("T")

ZERO = Decimal(0)


def _money(value: object) -> Decimal | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("not an amount")
    try:
        exact = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError("not an amount") from None
    if not exact.is_finite() or abs(exact) >= 10**14:
        raise ValueError("not an amount of money")
    return exact.quantize(FOUR, ROUND_HALF_UP)


def _exact(value: object) -> Decimal | None:
    """As `_money`, with every decimal that was written."""
    if _money(value) is None:
        return None
    return Decimal(str(value).strip())


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("not text")
    return str(value).strip() or None


def _flag(value: object) -> bool:
    return value in (True, 1, "1", "true")


def _many(value: object) -> object:
    """PHP writes a list with a gap in it as an object of its numbers."""
    if isinstance(value, dict) and value and all(str(key).isdecimal() for key in value):
        return list(value.values())
    return [] if value in (None, "", {}) else value


def _object(value: object) -> object:
    return None if value in ([], "") else value


Money = Annotated[Decimal | None, BeforeValidator(_money)]
"""An amount or a quantity to four decimals."""
Exact = Annotated[Decimal | None, BeforeValidator(_exact)]
"""A price or a quantity of which no decimal may be lost before it is multiplied."""
Said = Annotated[str | None, BeforeValidator(_text)]
"""Text or a number as text; None where it is empty."""
Id = Annotated[Name, BeforeValidator(_text)]
"""An id that has to be there, as text or as a number."""
Flag = Annotated[bool, BeforeValidator(_flag)]
MANY = BeforeValidator(_many)
"""For a list that is null where it is empty."""
OBJECT = BeforeValidator(_object)
"""For an object that is an empty list where there is none."""


def payable(amount: Decimal | None, currency: str) -> Decimal:
    """Rounded half up to what can be paid in this currency; nothing where there is none."""
    return (amount or ZERO).quantize(minor_unit(currency), ROUND_HALF_UP)


def answered(adapter: TypeAdapter[T], vendor: str, body: bytes) -> T:
    """A vendor's answer in its own form. Raises Unavailable where it is no JSON at all (a proxy's page, for one), and
    InvalidInput naming every field that is not as documented."""
    if body.lstrip()[:1] not in (b"{", b"["):
        raise Unavailable(f"{vendor} answered with something that is no JSON")
    return read(adapter, body)


def iso_8601(text: str | None) -> datetime | None:
    """A moment such as `2026-11-21 09:00:00`, which is UTC where it names no zone; None for what is none."""
    try:
        at = datetime.fromisoformat(text or "")
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def rfc_2822(text: str | None) -> datetime | None:
    """A moment such as `Tue, 05 Mar 2019 21:40:11 +0000`; None for what is none."""
    try:
        found = parsedate_to_datetime(text or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None


def first(*texts: str | None) -> str | None:
    """The first of these that says anything."""
    return next((text for text in texts if text), None)


def by_word(table: Mapping[str, T], word: str | None, otherwise: T) -> T:
    """What a vendor's word means, whatever its case; `otherwise` for a word outside the table."""
    return table.get((word or "").casefold(), otherwise)
