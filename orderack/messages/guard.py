"""The wording guard: what is sent before the ERP's receipt promises nothing and names no date (mission.md 6.19)."""

import re
from functools import lru_cache

from babel.dates import get_day_names, get_month_names

from orderack.domain.value import Value
from orderack.messages.formats import Masked
from orderack.messages.promises import PROMISES
from orderack.ports import Content

_DATA = ("store", "order", "facts", "previous")
_KEPT = frozenset({"currency", "country", "time_zone", "language", "line_id", "brand_colour", "url", "waiting_for"})
"""Never shown as they are: they choose a format, a colour, a match or one of our own words."""

_MOST = 3
"""Items kept of any list: the words around them repeat."""


def commitments(language: str, wording: str) -> tuple[str, ...]:
    """The phrases of this wording that commit, as they stand in it. Raises KeyError for a language without a table."""
    committing, allowed = _patterns(language)
    text = allowed.sub(" ▢ ", _plain(wording))
    return tuple(dict.fromkeys(found[0].strip() for found in committing.finditer(text)))


def masked(content: Content) -> Content:
    """The same message with the placeholder for every text that is data, so that only wording is left to judge.

    An item called "Guaranteed Fresh Beans" is the buyer's word, not ours. Gaps stay gaps, so a template takes the
    same branches.
    """
    bare = {name: _mask(getattr(content, name)) for name in _DATA}
    return content.model_copy(update={**bare, "page_url": "https://-"})


def _mask(value: object) -> object:
    match value:
        case Value():
            fields = {name: _mask(getattr(value, name)) for name in type(value).model_fields if name not in _KEPT}
            return value.model_copy(update=fields)
        case tuple():
            return tuple(_mask(item) for item in value[:_MOST])
        case str() if type(value) is str and value:
            return Masked.PLACEHOLDER
        case _:
            return value


def _plain(wording: str) -> str:
    rows = wording.replace("’", "'").casefold().splitlines()
    return " ¶ ".join(" ".join(row.split()) for row in rows if row.strip())


@lru_cache(maxsize=32)
def _patterns(language: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    table = PROMISES[language]
    months = _names(language, "months")
    dates = (
        r"\b\d{4}-\d{2}-\d{2}\b",
        r"\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})?\b",
        rf"\b\d{{1,2}}(?:\.|er|st|nd|rd|th)? (?:de )?(?:{months})\b",
        rf"\b(?:{months}) \d{{1,2}}\b",
        rf"\b(?:{table.before_weekday}) (?:{_names(language, 'days')})\b",
    )
    committing = "|".join(f"(?:{pattern})" for pattern in (*table.committing, *dates, *table.soon))
    return re.compile(committing), re.compile("|".join(f"(?:{pattern})" for pattern in table.allowed))


def _names(language: str, what: str) -> str:
    if what == "months":
        values = [*get_month_names("wide", locale=language).values()]
        values += get_month_names("abbreviated", locale=language).values()
    else:
        values = [*get_day_names("wide", locale=language).values()]
    names = {value.casefold() for value in values}
    return "|".join(sorted((re.escape(name) for name in names), key=len, reverse=True))
