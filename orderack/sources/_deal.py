"""A CRM's deal into an order: it is one once its stage is "won", and is cancelled when it leaves that stage.

What the CRMs call things is in their own files; here is what they have in common. A deal without lines is an order
without lines, which a person then completes: nothing is made up.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from pydantic import ValidationError

from orderack.domain.money import minor_unit
from orderack.domain.order import Address, ExternalId, Line, TaxBasis
from orderack.domain.validation import problems_of
from orderack.domain.value import Value
from orderack.errors import InvalidInput
from orderack.ports import Connection, Snapshot, Standing
from orderack.sources._loose import ZERO, payable
from orderack.sources._reading import (
    FOUR,
    canonical,
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
    """One line as the CRM has it; `amount`: what it costs in all after its discount, where the CRM says."""

    id: str
    sku: str | None = None
    product: str | None = None
    name: str | None = None
    note: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    discount: Decimal | None = None
    """Off the whole line."""


class Deal(Value):
    """A deal as it stands, whole where it is won."""

    id: str
    won: bool
    stage: str
    at: datetime
    """Last modified."""
    won_at: datetime | None = None
    number: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    """What the CRM says that the buyer pays."""
    tax: Decimal | None = None
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
    currency = line_of(deal.currency, 3)
    if currency is None:
        raise refuse("currency", "is missing", "give the deal its currency, or set CURRENCY")
    extras = extras_of(deal.own, connection.fields, connection.time_zone)
    lines = tuple(_line(line, system) for line in deal.lines)
    won_at = deal.won_at if deal.won_at and deal.won_at <= deal.at else deal.at
    email = email_of(deal.email)
    pickup = {"location": extras.pickup_location, "at": extras.pickup_at} if extras.pickup_location else None
    terms = line_of(deal.terms) or line_of(default_terms)
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
        "totals": _totals(deal, lines, currency),
        "instructions": prose_of(without_markup(deal.description or ""), *extras.instructions),
        "purchase_order": extras.purchase_order or name_of(deal.purchase_order),
        "external_ids": _ids(deal, system),
    }


def _line(line: DealLine, system: str) -> Line:
    """At its price before discounts. A discount that the CRM tells only by the line's amount is what is missing."""
    quantity = Decimal(1) if line.quantity is None else line.quantity
    price = line.price
    if price is None:
        if line.amount is None or not quantity:
            raise refuse(f"line {line.id}", "has no price", "give the line its price in the CRM")
        price = (line.amount + (line.discount or ZERO)) / quantity
    goods = (price * quantity).quantize(FOUR, ROUND_HALF_UP)
    discount = line.discount
    if discount is None:
        discount = max(goods - line.amount, ZERO) if line.amount is not None else ZERO
    codes = ((f"{system}_line", line.id), (f"{system}_product", line.product))
    made = Line(
        line_id=line.id,
        sku=sku_of(line.sku, ("product", line.product), ("line", line.id)),
        description=line_of(line.name) or "",
        quantity=quantity,
        unit_price=ZERO,
        instructions=prose_of(line.note),
        discount=discount.quantize(FOUR, ROUND_HALF_UP),
        codes=tuple(ExternalId(system=name, id=found) for name, value in codes if (found := name_of(value))),
    )
    return priced(made, goods)


def _totals(deal: Deal, lines: tuple[Line, ...], currency: str) -> Mapping[str, object]:
    """The CRM's total stands; only where it says none is it the sum."""
    goods = sum((line.amount for line in lines), ZERO)
    discount = payable(sum((line.discount for line in lines), deal.discount or ZERO), currency)
    tax, shipping, fees = (payable(part, currency) for part in (deal.tax, deal.shipping, deal.fees))
    summed = (goods - discount + tax + shipping + fees).quantize(minor_unit(currency), ROUND_HALF_UP)
    return {
        "discount": discount,
        "tax": tax,
        "shipping": shipping,
        "fees": fees,
        "tax_basis": TaxBasis.ADDED,
        "total": summed if deal.amount is None else payable(deal.amount, currency),
    }


def _ids(deal: Deal, system: str) -> list[ExternalId]:
    pairs = ((system, deal.id), *deal.ids)
    return [ExternalId(system=name, id=found) for name, value in pairs if (found := name_of(value))]
