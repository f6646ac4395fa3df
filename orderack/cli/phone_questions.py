"""What the phone desk asks, in which order, and what counts as an answer.

Answers are kept as text by the question's name, so that any can be taken back; a check says at once what is wrong with
one and what to say instead.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import partial
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale

from orderack.clients.email_address import one_address
from orderack.domain.money import MINOR_DIGITS, fits
from orderack.domain.order import Order
from orderack.domain.value import Value
from orderack.errors import Refused

Answers = Mapping[str, str]
MOST_LINES = 200


class Desk(Value):
    """What the store's policy, and its earlier orders, tell the desk."""

    stores: tuple[str, ...]
    channels: Mapping[str, str]
    """Channel → the contact that it needs: `email` or `phone`."""
    country: str
    time_zone: str
    currency: str
    language: str
    today: date
    last: Order | None = None
    """The caller's latest order, where the ledger knows one."""


@dataclass(frozen=True)
class Question:
    """One of them. `check` gives the answer as it is kept, or raises ValueError with the remedy."""

    name: str
    ask: str
    check: Callable[[str], str]
    default: str = ""
    optional: bool = False


def script(desk: Desk, said: Answers) -> Iterator[Question]:
    """The questions, as far as what was said until now tells which they are."""
    last = desk.last
    yield Question("store", "Store", lambda text: _one_of(text, desk.stores), desk.stores[0] if desk.stores else "")
    yield Question("phone", "The caller's phone number", lambda text: _phone(text, desk.country))
    yield Question("customer_id", "Customer number", _short, last.customer.id or "" if last else "", optional=True)
    yield Question("name", "Name", _short, last.customer.name or "" if last else "")
    yield Question("email", "E-mail address", _email, last.contacts.email or "" if last else "", optional=True)
    usable = [name for name, contact in desk.channels.items() if contact == "phone" or said.get("email")]
    hear = f"How they want to hear ({', '.join(usable)})"
    yield Question("hear", hear, lambda text: _one_of(text, usable), next(iter(usable), ""))
    yield Question("currency", "Currency", _currency, desk.currency)
    place = 1
    while place <= MOST_LINES:
        name = f"line {place}"
        ask = f"Line {place}: item, quantity, price of one, description" + (" (Enter: no more)" if place > 1 else "")
        check = partial(_line, currency=said.get("currency", desk.currency), last=last)
        yield Question(name, ask, check, optional=place > 1)
        if not said.get(name):
            break
        place += 1
    yield Question("shipping", "Delivery costs", lambda text: _amount(text, said.get("currency", desk.currency)), "0")
    yield Question("way", "delivery or pickup", lambda text: _one_of(text, ("delivery", "pickup")), "delivery")
    yield from _pickup() if said.get("way") == "pickup" else _delivery(desk)
    yield Question(
        "when", "When (2026-12-01 9:00-12:00, or the day alone)", lambda text: _window(text, desk.today), optional=True
    )
    yield Question("instructions", "Instructions", _long, optional=True)
    yield Question("terms", "Payment terms (prepaid, net 30 …)", _short, last.payment.terms or "" if last else "")


def _pickup() -> Iterator[Question]:
    yield Question("location", "Where they fetch it", _short)


def _delivery(desk: Desk) -> Iterator[Question]:
    known = desk.last.delivery_address if desk.last else None
    yield Question("street", "Street and number", _short, known.street if known else "")
    yield Question("postal_code", "Postal code", _short, known.postal_code or "" if known else "", optional=True)
    yield Question("city", "Town", _short, known.city if known else "")
    yield Question("country", "Country (two letters)", _country, known.country if known else desk.country)


def _clean(text: str, most: int) -> str:
    text = " ".join(text.split())
    if len(text) > most:
        raise ValueError(f"that is longer than {most} letters; shorten it")
    if not text.isprintable():
        raise ValueError("that holds letters that cannot be shown; type it again")
    return text


def _short(text: str) -> str:
    return _clean(text, 200)


def _long(text: str) -> str:
    return _clean(text, 2_000)


def _one_of(text: str, words: Sequence[str]) -> str:
    found = [word for word in words if word.casefold() == text.casefold()]
    found = found or [word for word in words if word.casefold().startswith(text.casefold())]
    if len(found) != 1:
        raise ValueError(f"that is none of them; say one of {', '.join(words)}")
    return found[0]


def _phone(text: str, country: str) -> str:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValueError("that is no phone number; give it with its country code, such as +1 500 555 0006")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(text: str) -> str:
    try:
        return one_address(text)
    except Refused:
        raise ValueError("that is no e-mail address; have it spelled, such as ada@example.com") from None


def _currency(text: str) -> str:
    if text.upper() not in MINOR_DIGITS:
        raise ValueError("that is no currency; use its three letters, such as EUR")
    return text.upper()


def _country(text: str) -> str:
    if not re.fullmatch("[A-Za-z]{2}", text) or text.upper() not in Locale("en").territories:
        raise ValueError("that is no country's code; use two letters, such as DE")
    return text.upper()


def number_in(text: str) -> Decimal:
    """A number with a point or a comma before its decimals. Raises ValueError with the remedy."""
    if not re.fullmatch(r"\d{1,9}(?:[.,]\d{1,4})?", text):
        raise ValueError(f"“{text[:20]}” is no number; write 12 or 3.50")
    return Decimal(text.replace(",", "."))


def _amount(text: str, currency: str) -> str:
    found = number_in(text)
    if not fits(found, currency):
        raise ValueError(f"{currency} has no such small coins; round it")
    return f"{found:f}"


def line_in(text: str) -> tuple[str, Decimal, Decimal, str]:
    """(item, quantity, price of one, description). Raises ValueError with the remedy."""
    try:
        sku, quantity, price, *words = text.split(maxsplit=3)
    except ValueError:
        raise ValueError("say the item, how many, and the price of one, such as AB-100 10 3.50 Blue lamp") from None
    count = number_in(quantity.removesuffix("x"))
    if not count:
        raise ValueError("the quantity is above 0; say how many")
    return sku, count, number_in(price), words[0] if words else ""


def _line(text: str, currency: str, last: Order | None = None) -> str:
    text = _as_before(_clean(text, 300), currency, last)
    _, quantity, price, _ = line_in(text)
    try:
        if quantity * price > 10**9:
            raise ValueError(f"that is more than a thousand million {currency}; check quantity and price")
    except InvalidOperation:
        raise ValueError("that cannot be multiplied; check quantity and price") from None
    return text


def _as_before(text: str, currency: str, last: Order | None) -> str:
    """`AB-100 10` of somebody who had AB-100 before: at the price that it had then, which is read back to him."""
    words = text.split()
    if len(words) != 2 or last is None or last.currency != currency:
        return text
    known = next((line for line in last.lines if line.sku.casefold() == words[0].casefold()), None)
    if known is None:
        raise ValueError(f"{words[0]} was not in the last order; say its price too, such as {words[0]} {words[1]} 3.50")
    return f"{known.sku} {words[1]} {known.unit_price:f} {known.description}".strip()


_WHEN = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\s+(\d{1,2})(?::(\d{2}))?\s*-\s*(\d{1,2})(?::(\d{2}))?)?")


def window_in(text: str, zone: str) -> tuple[datetime, datetime]:
    """From when to when. Raises ValueError with the remedy."""
    found = _WHEN.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        day = date.fromisoformat(found[1])
        first = time(int(found[2]), int(found[3] or 0)) if found[2] else time.min
        last = time(int(found[4]), int(found[5] or 0)) if found[4] else time(23, 59)
    except ValueError:
        raise ValueError("that is no day or time; write 2026-12-01 9:00-12:00, or the day alone") from None
    if last <= first:
        raise ValueError("the end is not after the beginning; swap the two")
    return datetime.combine(day, first, ZoneInfo(zone)), datetime.combine(day, last, ZoneInfo(zone))


def _window(text: str, today: date) -> str:
    start, _ = window_in(text, "UTC")
    if start.date() < today:
        raise ValueError(f"that day is past; today is {today.isoformat()}")
    return text
