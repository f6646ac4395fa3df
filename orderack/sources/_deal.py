"""A CRM's deal into an order: it is one once its stage is "won", and is cancelled when it leaves that stage.

What the CRMs call things is in their own files; here is what they have in common. A deal without lines is an order
without lines, which a person then completes: nothing is made up.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from pydantic import JsonValue, ValidationError

from orderack.domain.order import Address, ExternalId, Line, TaxBasis
from orderack.domain.validation import problems_of
from orderack.domain.value import Value
from orderack.errors import InvalidInput
from orderack.ports import Connection, Snapshot, Standing
from orderack.sources._loose import ZERO, payable
from orderack.sources._reading import (
    FOUR,
    Extras,
    canonical,
    doubts_of_length,
    email_of,
    extras_of,
    guest_id,
    line_of,
    name_of,
    phone_of,
    priced,
    prose_of,
    refuse,
    sku_of,
    without_markup,
)


class DealLine(Value):
    """One line as the CRM has it. What it costs in all goes before what is said to be off it."""

    id: str
    sku: str | None = None
    product: str | None = None
    name: str | None = None
    note: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    """In all, after its discount and before taxes."""
    discount: Decimal | None = None
    """Off the whole line."""
    percent: Decimal | None = None
    """Off the whole line, where no amount is said."""


class Deal(Value):
    """A deal as it stands, whole where it is won."""

    id: str
    won: bool
    stage: str
    """Where it stands, in the CRM's word."""
    at: datetime
    """Last modified."""
    won_at: datetime | None = None
    number: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    """What the CRM says that the buyer pays."""
    tax: Decimal | None = None
    taxed: Decimal | None = None
    """What the lines cost with their taxes, where the CRM says: so it is seen whether `amount` has them."""
    shipping: Decimal | None = None
    fees: Decimal | None = None
    discount: Decimal | None = None
    """Off the whole deal, beside what is off its lines."""
    customer_id: str | None = None
    customer_name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    ship_to: Address | None = None
    bill_to: Address | None = None
    terms: str | None = None
    purchase_order: str | None = None
    description: str | None = None
    own: tuple[tuple[str, str | None], ...] = ()
    """Fields that the shop added, as the connection names them."""
    lines: tuple[DealLine, ...] = ()
    ids: tuple[tuple[str, str | None], ...] = ()


def snapshot_of(deal: Deal, connection: Connection, system: str, default_terms: str | None) -> Snapshot:
    """How the deal stands as an order. Raises InvalidInput naming what is wrong with a deal that is won."""
    if not deal.won:
        return _lost(deal, connection, system)
    try:
        made = _made(deal, connection, system, default_terms)
    except ValidationError as error:
        raise InvalidInput(list(problems_of(error))) from None
    return Snapshot(external_id=deal.id, at=deal.at, order=canonical(made, system))


def _lost(deal: Deal, connection: Connection, system: str) -> Snapshot:
    """Not won, or no longer: of an order that we never took, nobody hears."""
    made: dict[str, object] = {
        "store": connection.store,
        "number": name_of(deal.number) or deal.id,
        "source": connection.source,
        "trigger_at": deal.at,
        "currency": "USD",  # of nothing: what it would have cost is no longer anybody's question
        "totals": {"total": ZERO},
    }
    reason = line_of(f"the deal's stage is {deal.stage}") or ""
    order = canonical(made, system)
    return Snapshot(external_id=deal.id, at=deal.at, order=order, standing=Standing.CANCELLED, reason=reason)


def _made(deal: Deal, connection: Connection, system: str, default_terms: str | None) -> dict[str, object]:
    currency = (line_of(deal.currency) or "").upper()
    if not currency:
        raise refuse("currency", "is missing", "give the deal its currency, or set CURRENCY")
    extras = extras_of(deal.own, connection.fields, connection.time_zone)
    lines, given = _lines(deal, system)
    won_at = deal.won_at if deal.won_at and deal.won_at <= deal.at else deal.at
    email = email_of(deal.email)
    pickup = {"location": extras.pickup_location, "at": extras.pickup_at} if extras.pickup_location else None
    terms = line_of(deal.terms) or line_of(default_terms)
    prose = (without_markup(deal.description or ""), *extras.instructions, *_beside(extras), *given)
    notes = (doubts_of_length(line.note) for line in deal.lines)
    return {
        "store": connection.store,
        "number": name_of(deal.number) or deal.id,
        "source": connection.source,
        "trigger_at": won_at,
        "customer": {
            "id": name_of(deal.customer_id) or (guest_id(email, deal.id) if email else None),
            "name": line_of(deal.customer_name),
        },
        "contacts": {
            "email": email,
            "phone": phone_of(deal.phone, connection.country),
            "language": deal.language or connection.language,
        },
        "lines": lines,
        "delivery_address": None if pickup else deal.ship_to,
        "pickup": pickup,
        "billing_address": deal.bill_to,
        "delivery_window": extras.window,
        "payment": {"terms": terms},
        "currency": currency,
        "totals": _totals(deal, lines, given, currency),
        "instructions": prose_of(*prose),
        "doubts": (*doubts_of_length(*prose), *(doubt for each in notes for doubt in each))[:100],
        "purchase_order": extras.purchase_order or name_of(deal.purchase_order),
        "external_ids": _ids(deal, system),
    }


def _beside(extras: Extras) -> Iterator[str]:
    """What is said of the whole deal's design and diet: it is no single line's."""
    yield from (f"{name}: {text}" for name, text in (("design", extras.design), ("dietary", extras.dietary)) if text)


def _lines(deal: Deal, system: str) -> tuple[tuple[Line, ...], Mapping[str, Decimal]]:
    """Those that are ordered; and what is given as a line below nothing, by its name: it lowers the total.

    A line of none of a thing is no line.
    """
    lines, given = [], dict[str, Decimal]()
    for place, line in enumerate(deal.lines):
        costs = line.amount if line.amount is not None else (line.price or ZERO) * _pieces(line)
        if costs < 0:
            given[f"{line_of(line.name) or 'discount'} ({place + 1}): {costs:f}"] = -costs
        elif _pieces(line) or costs:
            lines.append(_line(place, line, system))
    return tuple(lines), given


def _pieces(line: DealLine) -> Decimal:
    return Decimal(1) if line.quantity is None else line.quantity


def _line(place: int, line: DealLine, system: str) -> Line:
    """At its price before discounts."""
    goods, discount = _cost(place, line, _pieces(line))
    codes = ((f"{system}_line", line.id), (f"{system}_product", line.product))
    try:
        made = Line(
            line_id=line.id,
            sku=sku_of(line.sku, ("product", line.product), ("line", line.id)),
            description=line_of(line.name) or "",
            quantity=_pieces(line).quantize(FOUR, ROUND_HALF_UP),
            unit_price=ZERO,
            instructions=prose_of(line.note),
            discount=discount.quantize(FOUR, ROUND_HALF_UP),
            codes=tuple(ExternalId(system=name, id=found) for name, value in codes if (found := name_of(value))),
        )
    except ValidationError as error:
        wrong = [one.model_copy(update={"field": f"lines[{place}].{one.field}"}) for one in problems_of(error)]
        raise InvalidInput(wrong) from None
    return priced(made, goods.quantize(FOUR, ROUND_HALF_UP))


def _cost(place: int, line: DealLine, quantity: Decimal) -> tuple[Decimal, Decimal]:
    """Before its discount, and the discount."""
    if line.price is None and line.amount is None:
        raise refuse(f"lines[{place}].price", "is missing", "give the line its price in the CRM")
    net, price = line.amount, line.price
    if price is None:
        off = line.discount or ZERO
        return (net or ZERO) + off, off
    goods = price * quantity
    if net is not None:
        return max(goods, net), max(goods - net, ZERO)
    off = goods * (line.percent or ZERO) / 100 if line.discount is None else line.discount
    return goods, off


def _totals(deal: Deal, lines: tuple[Line, ...], given: Mapping[str, Decimal], currency: str) -> Mapping[str, object]:
    """The CRM's total stands; only where it says none is it the sum."""
    goods = sum((line.amount for line in lines), ZERO)
    off = sum((line.discount for line in lines), sum(given.values(), deal.discount or ZERO))
    discount, tax, shipping, fees = (payable(part, currency) for part in (off, deal.tax, deal.shipping, deal.fees))
    net = payable(goods - discount, currency)
    taxed = None if deal.taxed is None else payable(deal.taxed, currency)
    basis = TaxBasis.INCLUDED if tax and taxed == net else TaxBasis.ADDED
    summed = net + shipping + fees + (tax if basis is TaxBasis.ADDED else ZERO)
    total = summed if deal.amount is None else payable(deal.amount, currency)
    if taxed == net + tax and total == summed - tax:
        total = summed  # the CRM says what the lines cost with their taxes, and that its own sum is without
    return {
        "discount": discount,
        "tax": tax,
        "shipping": shipping,
        "fees": fees,
        "tax_basis": basis,
        "total": total,
    }


def plain(value: JsonValue) -> str | None:
    """A field of the shop's own as text: the ticked of several, a looked-up record's name; None for what is none."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value).strip() or None
        case list():
            return ", ".join(text for one in value if (text := plain(one))) or None
        case {"name": name}:
            return plain(name)
    return None


def _ids(deal: Deal, system: str) -> list[ExternalId]:
    pairs = ((system, deal.id), *deal.ids)
    return [ExternalId(system=name, id=found) for name, value in pairs if (found := name_of(value))]
