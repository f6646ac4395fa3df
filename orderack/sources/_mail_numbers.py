"""Numbers, money and days as people write them in six languages of Europe; and how sure that is."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum

NUMBER = r"\d{1,3}(?:[ .,'’\u00a0\u202f]\d{3})+(?:[.,]\d{1,4})?(?!\d)|\d+(?:[.,]\d{1,4})?(?!\d)"
CURRENCY = r"€|£|US\$|\$|EUR|EURO|Euro|euros?|USD|GBP|CHF|CAD|AUD|SEK|NOK|DKK|PLN|MXN"
SURE, LIKELY, GUESS, MISSING = Decimal("0.95"), Decimal("0.85"), Decimal("0.5"), Decimal(0)
"""Found under its label or in its form; found in its usual place; guessed; not there."""


class Marks(StrEnum):
    """What stands before the decimals."""

    POINT = "point"
    COMMA = "comma"
    UNKNOWN = "unknown"


AMOUNT = re.compile(rf"(?:{CURRENCY})\s?\d|\d\s?(?:{CURRENCY})(?!\w)")
"""An amount of money stands there."""
_MONEY = re.compile(rf"(?:(?:{CURRENCY})\s?({NUMBER}))|(?:({NUMBER})\s?(?:{CURRENCY}))")
_TWO_DECIMALS = re.compile(r"(?<![\d.,])\d{1,3}(?:[ .,'’\u00a0\u202f]?\d{3})*([.,])\d{2}(?![\d.,]*\d)")


def marks_of(text: str) -> Marks:
    """By the amounts with two decimals: those beside a currency, else any. Both in one text: unknown."""
    beside = [first or second for first, second in _MONEY.findall(text[:100_000])]
    for looked_at in (" ; ".join(beside), _WITHOUT_DAYS.sub(" ", text[:100_000])):
        found = set(_TWO_DECIMALS.findall(looked_at))
        if found:
            return Marks.UNKNOWN if len(found) > 1 else Marks.COMMA if found == {","} else Marks.POINT
    return Marks.UNKNOWN


_WITHOUT_DAYS = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}[.:]\d{2}\s?(?:uhr|h\b|am\b|pm\b)", re.IGNORECASE)


def number_of(text: str, marks: Marks) -> tuple[Decimal, Decimal] | None:
    """(number, confidence). A single mark before three digits is told by the other numbers of the text, or guessed."""
    plain = re.sub(r"[\s'’\u00a0\u202f]", "", text)
    if not re.fullmatch(r"\d[\d.,]*", plain):
        return None
    last = max(plain.rfind("."), plain.rfind(","))
    confidence = SURE
    if last < 0:
        return _decimal(plain, SURE)
    mark, behind = plain[last], len(plain) - last - 1
    kinds = {char for char in plain if char in ".,"}
    if len(kinds) == 1 and plain.count(mark) > 1:
        return _decimal(plain.replace(mark, ""), SURE)
    decimals = True
    if len(kinds) == 1 and behind == 3 and plain[:last] != "0":
        decimals = marks is (Marks.POINT if mark == "." else Marks.COMMA)
        confidence = GUESS if marks is Marks.UNKNOWN else LIKELY
    whole = re.sub(r"[.,]", "", plain[:last])
    return _decimal(f"{whole}.{plain[last + 1 :]}" if decimals else whole + plain[last + 1 :], confidence)


def _decimal(text: str, confidence: Decimal) -> tuple[Decimal, Decimal] | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return (found, confidence) if found < 10**8 else None


_AMOUNT = re.compile(rf"-?\s?(?P<number>{NUMBER})")


def amount_in(text: str, marks: Marks) -> tuple[Decimal, Decimal] | None:
    """The one number in a text such as `3,50 €`; None where there are none or several."""
    found = list(_AMOUNT.finditer(text))
    return number_of(found[0]["number"], marks) if len(found) == 1 else None


_SIGNS: Mapping[str, str] = {"€": "EUR", "EURO": "EUR", "EUROS": "EUR", "£": "GBP", "US$": "USD"}
_DOLLARS: Mapping[str, str] = {"US": "USD", "CA": "CAD", "AU": "AUD", "MX": "MXN"}


def currencies_in(text: str, country: str) -> set[str]:
    """Those that amounts are written in; `$` is the store's own dollar, the United States' elsewhere."""
    found = set()
    for match in re.finditer(rf"(?<![A-Za-z])(?:{CURRENCY})(?![A-Za-z])", text[:100_000]):
        word = match[0].upper()
        found.add(_DOLLARS.get(country, "USD") if word == "$" else _SIGNS.get(word, word))
    return found


_MONTHS = (
    "january januar janvier enero jan ene jänner gennaio januari gen",
    "february februar février fevrier febrero feb fév fev febbraio februari",
    "march märz maerz mars marzo mar mär mrz maart mrt",
    "april avril abril apr avr abr aprile",
    "may mai mayo maggio mag mei",
    "june juni juin junio jun giugno giu",
    "july juli juillet julio jul juil luglio lug",
    "august août aout agosto aug ago augustus",
    "september septembre septiembre sep sept settembre set",
    "october oktober octobre octubre oct okt ottobre ott",
    "november novembre noviembre nov",
    "december dezember décembre decembre diciembre dec dez déc dic dicembre",
)
_MONTH = {name: place for place, names in enumerate(_MONTHS, 1) for name in names.split()}
_NAMES = "|".join(sorted(_MONTH, key=len, reverse=True))
_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_DOTTED = re.compile(r"(?<!\d)(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d{2})?(?!\d)")
_SLASHED = re.compile(r"(?<!\d)(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})(?!\d)")
_DAY_MONTH = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er|\.)?\s+(?:de\s+|of\s+)?({_NAMES})\b\.?(?:,?\s+(?:de\s+|del\s+)?(\d{{4}}))?",
    re.I,
)
_MONTH_DAY = re.compile(rf"\b({_NAMES})\b\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s+(\d{{4}}))?", re.I)


def day_of(text: str, written: date, country: str) -> tuple[date, Decimal] | None:
    """The day that a text names, and how sure that is. Without a year: the next such day after it was written."""
    for pattern, read in ((_ISO, _iso), (_DOTTED, _dotted), (_DAY_MONTH, _day_month), (_MONTH_DAY, _month_day)):
        if match := pattern.search(text):
            return _made(*read(match), written)
    if match := _SLASHED.search(text):
        return _slashed(match, written, country)
    return None


_Parts = tuple[int | None, int, int, Decimal]


def _iso(match: re.Match[str]) -> _Parts:
    return int(match[1]), int(match[2]), int(match[3]), SURE


def _dotted(match: re.Match[str]) -> _Parts:
    return _year(match[3]), int(match[2]), int(match[1]), SURE


def _day_month(match: re.Match[str]) -> _Parts:
    return _year(match[3]), _MONTH[match[2].lower()], int(match[1]), SURE


def _month_day(match: re.Match[str]) -> _Parts:
    return _year(match[3]), _MONTH[match[1].lower()], int(match[2]), SURE


def _slashed(match: re.Match[str], written: date, country: str) -> tuple[date, Decimal] | None:
    """Which is the month is told by a number beyond 12; else it is guessed by the store's country."""
    first, second = int(match[1]), int(match[2])
    month_first = second > 12 or (first <= 12 and country == "US")
    confidence = SURE if max(first, second) > 12 or first == second else GUESS
    month, day = (first, second) if month_first else (second, first)
    return _made(_year(match[3]), month, day, confidence, written)


def _year(text: str | None) -> int | None:
    return None if not text else int(text) + (2000 if len(text) == 2 else 0)


def _made(year: int | None, month: int, day: int, confidence: Decimal, written: date) -> tuple[date, Decimal] | None:
    try:
        if year is not None:
            return date(year, month, day), confidence
        near = date(written.year, month, day)
        return (near if near >= written else date(written.year + 1, month, day)), min(confidence, Decimal("0.7"))
    except ValueError:
        return None


_SPAN = re.compile(
    r"(?<![\d.,/-])(\d{1,2})(?:[:.h](\d{2}))?\s?(am|pm|uhr|h)?\s?(?:-|–|to|until|and|bis|und|à|et|a|y)\s?"
    r"(\d{1,2})(?:[:.h](\d{2}))?\s?(am|pm|uhr|h(?:rs?|oras)?)?(?![\d.,/-])",
    re.IGNORECASE,
)


def clocks_of(text: str) -> tuple[timedelta, timedelta, Decimal] | None:
    """From when to when on that day; None where no span is named."""
    for match in _SPAN.finditer(_ISO.sub(" ", _SLASHED.sub(" ", _DOTTED.sub(" ", text)))):
        half = match[6] or ""
        first = _clock(match[1], match[2], match[3] or (half if half.lower() in ("am", "pm") else ""))
        last = _clock(match[4], match[5], half)
        marked = bool(match[2] or match[5] or match[3] or half)
        if first is not None and last is not None and first < last and marked:
            return first, last, SURE if match[3] or match[2] or match[5] or half.lower() not in ("am", "pm") else LIKELY
    return None


def _clock(hour: str, minute: str | None, half: str) -> timedelta | None:
    hours, minutes = int(hour), int(minute or 0)
    if half.lower() in ("am", "pm"):
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    return timedelta(hours=hours, minutes=minutes) if hours < 24 and minutes < 60 else None
