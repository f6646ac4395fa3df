"""An amended order out of a form: quantities, prices, notes, contacts and address; all else stays as it is.

The result goes through the same door as any order. What it comes to is computed anew, as a buyer's change is, unless
the reviewer writes another total.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal

from orderack.domain.intake import parse_order
from orderack.domain.money import minor_unit
from orderack.domain.order import Address, Line, Order
from orderack.domain.problem import Problem
from orderack.domain.quantities import with_quantities
from orderack.errors import InvalidInput
from orderack.messages.clean import line, prose

ADDRESS = ("name", "street", "street2", "city", "postal_code", "region", "country")
CONTACTS = ("email", "phone")
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,4})?\Z")
_NOT_A_NUMBER = "is not a number", "write it as 12 or 12.50"


def amended(order: Order, form: Mapping[str, str]) -> Order:
    """The order as the form has it. Raises InvalidInput with everything that is wrong."""
    problems = [*_bad_numbers(order, form)]
    if problems:
        raise InvalidInput(tuple(problems))
    priced = _with_prices(with_quantities(order, _quantities(order, form)), order, form)
    noted = priced.model_copy(update={"lines": _noted(priced, order, form), **_around(priced, form)})
    written = form.get("total", "")
    if written and Decimal(written) != order.totals.total:
        noted = noted.model_copy(update={"totals": noted.totals.model_copy(update={"total": Decimal(written)})})
    checked = parse_order(noted.model_dump_json())
    if isinstance(checked, tuple):
        raise InvalidInput(checked)
    return checked


def _bad_numbers(order: Order, form: Mapping[str, str]) -> Iterator[Problem]:
    fields = [f"{kind}-{place}" for place in range(1, len(order.lines) + 1) for kind in ("quantity", "price")]
    for field in (*fields, "total"):
        if field in form and not _NUMBER.match(form[field].strip()):
            yield Problem(field=field.replace("-", " of line "), problem=_NOT_A_NUMBER[0], remedy=_NOT_A_NUMBER[1])


def _quantities(order: Order, form: Mapping[str, str]) -> Mapping[str, Decimal]:
    """By line id; 0: without the line."""
    found: dict[str, Decimal] = {}
    for place, old in enumerate(order.lines, 1):
        if f"drop-{place}" in form:
            found[old.line_id] = Decimal(0)
        elif f"quantity-{place}" in form:
            found[old.line_id] = Decimal(form[f"quantity-{place}"].strip())
    return found


def _with_prices(changed: Order, order: Order, form: Mapping[str, str]) -> Order:
    """Another unit price moves the total by what the line then costs more or less; tax stays for the reviewer."""
    places = {old.line_id: place for place, old in enumerate(order.lines, 1)}
    lines: list[Line] = []
    for one in changed.lines:
        typed = form.get(f"price-{places[one.line_id]}", "").strip()
        price = Decimal(typed) if typed else one.unit_price
        lines.append(one if price == one.unit_price else one.model_copy(update={"unit_price": price, "subtotal": None}))
    before = sum((one.amount for one in changed.lines), Decimal(0))
    more = (sum((one.amount for one in lines), Decimal(0)) - before).quantize(minor_unit(order.currency), ROUND_HALF_UP)
    totals = changed.totals.model_copy(update={"total": max(Decimal(0), changed.totals.total + more)})
    return changed.model_copy(update={"lines": tuple(lines), "totals": totals if more else changed.totals})


def _noted(changed: Order, order: Order, form: Mapping[str, str]) -> tuple[Line, ...]:
    places = {old.line_id: place for place, old in enumerate(order.lines, 1)}
    return tuple(
        one.model_copy(update={"instructions": _text(form, f"note-{places[one.line_id]}", one.instructions)})
        for one in changed.lines
    )


def _around(order: Order, form: Mapping[str, str]) -> Mapping[str, object]:
    contacts = {name: _line(form, name, getattr(order.contacts, name)) for name in CONTACTS}
    update: dict[str, object] = {
        "instructions": _text(form, "instructions", order.instructions),
        "contacts": order.contacts.model_copy(update=contacts),
    }
    if not order.pickup and any(field in form for field in ADDRESS):
        update["delivery_address"] = _address(order.delivery_address, form)
    return update


def _address(old: Address | None, form: Mapping[str, str]) -> Address | None:
    """Unchecked: the door names what is wrong with it."""
    typed = {name: _line(form, name, getattr(old, name, None)) for name in ADDRESS}
    if old is None and not any(value for name, value in typed.items() if name != "country"):
        return None
    needed = {name: typed[name] or "" for name in ("street", "city", "country")}
    return (old or Address(street="", city="", country="XX")).model_copy(update={**typed, **needed})


def _text(form: Mapping[str, str], field: str, old: str | None) -> str | None:
    """Several lines; as they were where what was typed is only how we show them."""
    if field not in form:
        return old
    typed = prose(form[field])
    return old if typed == prose(old or "") else typed or None


def _line(form: Mapping[str, str], field: str, old: str | None) -> str | None:
    if field not in form:
        return old
    typed = line(form[field], 2_001)
    return old if typed == line(old or "", 2_001) else typed or None
