"""The page's forms: what a browser sent, as a draft that makes sense, or the faults of each field."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from urllib.parse import parse_qsl

from babel import Locale
from babel.numbers import NumberFormatError, parse_decimal
from pydantic import TypeAdapter, ValidationError

from orderack.domain.intake import parse_order
from orderack.domain.order import Address, Line, Order, Quantity
from orderack.domain.quantities import with_quantities
from orderack.domain.store import BuyerMay
from orderack.gateway.buyer_requests import Draft
from orderack.messages.clean import line, prose
from orderack.messages.page_labels import Deed, Wrong

LONGEST = 2_000
"""Characters of any one text."""

_SPARE_FIELDS = 30
ADDRESS = ("street", "street2", "city", "postal_code", "region", "country")
_REQUIRED = ("street", "city")
_DIGITS = re.compile(r"[0-9][0-9.,'’\u00a0\u202f ]{0,19}")
_QUANTITY: TypeAdapter[Decimal] = TypeAdapter(Quantity)

SHOWN_FAULTS = 20


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field; `field` is its name."""

    field: str
    wrong: Wrong


class Faulty(Exception):
    """A form that cannot be taken as it is."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(", ".join(f"{fault.field}: {fault.wrong}" for fault in faults))
        self.faults = tuple(faults[:SHOWN_FAULTS])


class Unreadable(Exception):
    """Not a form that a page of ours sends."""


@dataclass(frozen=True)
class Form:
    """The fields of one form, each once: of a repeated one the first counts."""

    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """Several lines of the buyer's words, without anything hidden. Raises Faulty when they are too long."""
        return self._short(name, prose(self.fields.get(name, "")))

    def line(self, name: str) -> str:
        """One line of them."""
        return self._short(name, row(self.fields.get(name, ""), LONGEST + 1))

    def _short(self, name: str, text: str) -> str:
        if len(text) > LONGEST:
            raise Faulty([Fault(name, Wrong.TOO_LONG)])
        return text

    def demanded(self, name: str) -> str:
        """The same as `text`; raises Faulty where there is none."""
        if not (text := self.text(name)):
            raise Faulty([Fault(name, Wrong.EMPTY)])
        return text

    def __contains__(self, name: str) -> bool:
        return name in self.fields


def row(text: str, limit: int = LONGEST) -> str:
    """Somebody's words on one line, as a field shows them."""
    return line(text, limit)


def read_form(body: bytes, content_type: str, lines: int) -> Form:
    """The form in this body, of an order with so many lines. Raises Unreadable."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Unreadable
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=lines + _SPARE_FIELDS
        )
    except ValueError:
        raise Unreadable from None
    return Form(dict(reversed(pairs)))


def draft_of(action: BuyerMay, form: Form, order: Order, locale: Locale) -> Draft:
    """What the buyer did with this form over this order. Raises Faulty."""
    return _DRAFTS[action](form, order, locale)


def _affirm(form: Form, order: Order, locale: Locale) -> Draft:
    return Draft(deed=Deed.AFFIRMED)


def _answer(form: Form, order: Order, locale: Locale) -> Draft:
    chosen = {line_field(place): form.fields.get(line_field(place), "") for place in range(1, len(order.lines) + 1)}
    if "all" in form:
        faults = [Fault(field, Wrong.CONTRADICTION) for field, choice in chosen.items() if choice == "decline"]
        declined: tuple[Line, ...] = ()
    else:
        faults = [Fault(field, Wrong.CHOOSE) for field, choice in chosen.items() if choice not in ("accept", "decline")]
        declined = tuple(
            ordered for ordered, choice in zip(order.lines, chosen.values(), strict=True) if choice == "decline"
        )
    if faults:
        raise Faulty(faults)
    note = form.text("note")
    if not declined:
        return Draft(deed=Deed.ACCEPTED, text=note)
    ids = tuple(ordered.line_id for ordered in declined)
    if len(ids) == len(order.lines):
        return Draft(deed=Deed.DECLINED_ALL, text=note, declined=ids)
    left = with_quantities(order, dict.fromkeys(ids, Decimal(0)))
    return Draft(deed=Deed.DECLINED, text=note, declined=ids, order=left)


def line_field(place: int) -> str:
    """The field of the line at this place, counted from 1."""
    return f"line-{place}"


def quantity_field(place: int) -> str:
    """The field of that line's quantity."""
    return f"quantity-{place}"


def _ask(form: Form, order: Order, locale: Locale) -> Draft:
    return Draft(deed=Deed.ASKED, text=form.demanded("text"))


def _cancel(form: Form, order: Order, locale: Locale) -> Draft:
    reason = form.text("reason")
    if "sure" not in form:
        raise Faulty([Fault("sure", Wrong.NOT_SURE)])
    return Draft(deed=Deed.CANCELLED, text=reason)


def _change(form: Form, order: Order, locale: Locale) -> Draft:
    quantities, faults = _quantities(form, order, locale)
    address = order.delivery_address
    try:
        address = _address(form, order, locale)
    except Faulty as faulty:
        faults += faulty.faults
    instructions = order.instructions
    if "instructions" in form:
        try:
            instructions = _kept(form.text("instructions"), order.instructions, prose)
        except Faulty as faulty:
            faults += faulty.faults
    if faults:
        raise Faulty(faults)
    wanted = with_quantities(order, quantities).model_copy(
        update={"delivery_address": address, "instructions": instructions}
    )
    if not wanted.lines and order.lines:
        raise Faulty([Fault(quantity_field(1), Wrong.NOTHING_LEFT)])
    if wanted.content_hash == order.content_hash:
        raise Faulty([Fault(quantity_field(1), Wrong.UNCHANGED)])
    return Draft(deed=Deed.CHANGED, order=_accepted(wanted))


def _quantities(form: Form, order: Order, locale: Locale) -> tuple[dict[str, Decimal], list[Fault]]:
    """By line id; a line without its field stays as it is."""
    found: dict[str, Decimal] = {}
    faults = []
    for place, ordered in enumerate(order.lines, 1):
        field = quantity_field(place)
        if field in form:
            try:
                found[ordered.line_id] = quantity(form.fields[field], locale)
            except ValueError:
                faults.append(Fault(field, Wrong.QUANTITY))
    return found, faults


def quantity(typed: str, locale: Locale) -> Decimal:
    """A number as people of this language write it; 0 is one. Raises ValueError, also where it is ambiguous."""
    text = typed.strip()
    if not _DIGITS.fullmatch(text):
        raise ValueError("not a number")
    try:
        number: Decimal = parse_decimal(text, locale=locale, strict=True)
    except NumberFormatError:
        raise ValueError("not a number of this language") from None
    try:
        return _QUANTITY.validate_python(number) if number else Decimal(0)
    except ValidationError:
        raise ValueError("not a quantity") from None


def _address(form: Form, order: Order, locale: Locale) -> Address | None:
    """The address as the form says it; unchanged where the form has none, or the order is fetched."""
    old = order.delivery_address
    if order.pickup or not any(field in form for field in ADDRESS):
        return old
    typed = {field: form.line(field) for field in ADDRESS}
    if old is None and not any(value for field, value in typed.items() if field != "country"):
        return None
    faults = [Fault(field, Wrong.EMPTY) for field in _REQUIRED if not typed[field]]
    if len(typed["country"]) != 2 or typed["country"] not in locale.territories:
        faults.append(Fault("country", Wrong.COUNTRY))
    if faults:
        raise Faulty(faults)
    kept = {field: _kept(typed[field], getattr(old, field, None), row) for field in ADDRESS}
    return old.model_copy(update=kept) if old else Address.model_validate(kept)


def _kept(typed: str, old: str | None, shown: Callable[[str], str]) -> str | None:
    """The old text where what was typed is only how we show it."""
    return old if typed == shown(old or "") else typed or None


def _accepted(order: Order) -> Order:
    """The order through the door that every order goes through. Raises Faulty, naming our field."""
    parsed = parse_order(order.model_dump_json())
    if isinstance(parsed, Order):
        return parsed
    raise Faulty([*dict.fromkeys(Fault(_field(problem.field), Wrong.BAD_TEXT) for problem in parsed)])


def _field(path: str) -> str:
    last = path.rpartition(".")[2]
    return last if last in (*ADDRESS, "instructions") else "instructions"


def _countries(locale: Locale) -> Iterator[tuple[str, str]]:
    for code, country in locale.territories.items():
        if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRIES:
            yield code, country


_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"})
"""Two letters in CLDR's list, and no place to deliver to."""


@lru_cache(maxsize=64)
def countries(locale: Locale) -> tuple[tuple[str, str], ...]:
    """Code and name of every country, in the order in which this language's readers look for it, roughly."""
    return tuple(sorted(_countries(locale), key=lambda found: _unaccented(found[1])))


def _unaccented(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


_DRAFTS: Mapping[BuyerMay, Callable[[Form, Order, Locale], Draft]] = {
    BuyerMay.AFFIRM: _affirm,
    BuyerMay.ANSWER: _answer,
    BuyerMay.ASK: _ask,
    BuyerMay.CHANGE: _change,
    BuyerMay.CANCEL: _cancel,
}
