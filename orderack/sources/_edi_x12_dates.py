"""DTM: when the buyer wants it, as a window where it can be one, and always in words where it cannot."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from orderack.domain.order import DeliveryWindow
from orderack.edi.purchase import Purchase, When

_DATES: Mapping[str, str] = {
    "001": "cancel if not shipped by",
    "010": "ship on",
    "015": "promotion begins",
    "037": "ship not before",
    "038": "ship not later than",
    "061": "cancel if not delivered by",
    "063": "deliver not later than",
    "064": "deliver not before",
    "118": "pick-up asked for",
}
"""DTM01 (element 374)."""
_ON_DAY = ("002", "074", "106", "017", "371")
_NOT_BEFORE, _NOT_AFTER = "064", "063"


def window_of(purchase: Purchase, zone: ZoneInfo) -> DeliveryWindow | None:
    """Of the whole order, or of every line alike."""
    since, until = _asked(_of_delivery(purchase))
    if since is None or until is None:
        return None
    start, end = _at(since, time.min, zone), _at(until, time(23, 59), zone)
    if until.clock is not None and since is until:
        end = start + timedelta(hours=1)
    return DeliveryWindow(start=start, end=end) if end > start else None


def header_dates(purchase: Purchase, zone: ZoneInfo) -> list[str]:
    """In words, those that the window does not say."""
    said = _asked(_of_delivery(purchase)) if window_of(purchase, zone) else ()
    return dates_in_words(one for one in purchase.dates if one not in said)


def dates_in_words(dates: Iterable[When]) -> list[str]:
    """Each."""
    return [_in_words(one) for one in dates]


def _in_words(one: When) -> str:
    words = _DATES.get(one.qualifier, "delivery asked for" if one.qualifier in _ON_DAY else f"date {one.qualifier}")
    return " ".join([words, one.day.isoformat(), *([f"{one.clock:%H:%M}"] if one.clock else [])])


def _of_delivery(purchase: Purchase) -> Sequence[When]:
    """The heading's dates; the lines' where it has none of the delivery and they all say the same."""
    if any(one.qualifier in (*_ON_DAY, _NOT_BEFORE, _NOT_AFTER) for one in purchase.dates):
        return purchase.dates
    of_lines = [tuple(item.dates) for item in purchase.items]
    return of_lines[0] if of_lines and len(set(of_lines)) == 1 else ()


def _asked(dates: Sequence[When]) -> tuple[When | None, When | None]:
    on = next((one for code in _ON_DAY for one in dates if one.qualifier == code), None)
    since = next((one for one in dates if one.qualifier == _NOT_BEFORE), on)
    until = next((one for one in dates if one.qualifier == _NOT_AFTER), on)
    return since or until, until or since


def _at(when: When, otherwise: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(when.day, when.clock or otherwise, zone)
