"""A sale and its order as Cin7 Core takes them: the header first, then the order with its lines (commerce.md §13)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated

from babel import Locale
from pydantic import ConfigDict, PlainSerializer
from pydantic.alias_generators import to_pascal

from orderack.clients.http import segment
from orderack.domain.order import Address, Line, Order, OrderRef, TaxBasis
from orderack.domain.value import Value
from orderack.erps._fitting import Fitting
from orderack.erps._marks import Mark, tail

AUTHORISED = "AUTHORISED"
DRAFT = "DRAFT"
COMMENT = 256
MEMO = 2_000
REFERENCE = 256
"""Characters. Cin7 publishes no limits: these are short enough to be safe, and what is cut is told in the memo."""

Number = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]

CHARGES: Mapping[str, int] = MappingProxyType({"discount": -1, "shipping": 1, "fees": 1, "credit": -1})
"""Fields of the order's totals that are charges beside its lines, and whether they add or spare."""


class _Wire(Value):
    model_config = ConfigDict(frozen=True, alias_generator=to_pascal, populate_by_name=True)

    @property
    def body(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class WireAddress(_Wire):
    line1: str
    line2: str | None
    city: str
    state: str | None
    postcode: str | None
    country: str


class ShipTo(WireAddress):
    company: str | None
    contact: str | None
    ship_to_other: bool = True
    """The order's own address, whatever the customer's record says."""


class Header(_Wire):
    """POST /sale; with `ID`, PUT."""

    i_d: str | None = None
    customer_i_d: str | None
    customer: str | None
    contact: str | None
    phone: str | None
    email: str | None
    billing_address: WireAddress | None
    shipping_address: ShipTo | None
    shipping_notes: str | None
    note: str
    location: str | None
    tax_rule: str
    tax_inclusive: bool
    customer_reference: str
    external_i_d: str
    skip_quote: bool = True


class OrderLine(_Wire):
    s_k_u: str
    name: str
    quantity: Number
    price: Number
    tax_rule: str
    total: Number
    comment: str


class Charge(_Wire):
    description: str
    quantity: Number = Decimal(1)
    price: Number
    tax_rule: str
    total: Number


class WireOrder(_Wire):
    """POST /sale/order"""

    sale_i_d: str
    status: str
    memo: str
    lines: tuple[OrderLine, ...]
    additional_charges: tuple[Charge, ...]


@dataclass(frozen=True)
class House:
    """How this account keeps its orders."""

    tax_rule: str
    location: str | None
    charges: Mapping[str, str]
    """Name of the service product by field of the order's totals."""
    status: str


def external_id(ref: OrderRef) -> str:
    """The sale's ExternalID; percent-encoded, so that no two orders have the same."""
    return f"{segment(ref.store)}/{segment(ref.number)}"


def header(order: Order, house: House, customer: tuple[str | None, str | None], sale: str | None = None) -> Header:
    """`customer`: its id, or its name. `sale`: the one that is changed."""
    fitting = Fitting()
    ship = order.delivery_address
    return Header(
        i_d=sale,
        customer_i_d=customer[0],
        customer=customer[1],
        contact=(ship.name if ship else None) or order.customer.name,
        phone=order.contacts.phone,
        email=order.contacts.email,
        billing_address=WireAddress(**_address(order.billing_address)) if order.billing_address else None,
        shipping_address=ShipTo(company=ship.company, contact=ship.name, **_address(ship)) if ship else None,
        shipping_notes=fitting.fit("delivery", _delivery(order), COMMENT) or None,
        note=fitting.fit("note", f"{order.currency} {order.totals.total} as agreed, tax {order.totals.tax}", COMMENT),
        location=house.location,
        tax_rule=house.tax_rule,
        tax_inclusive=order.totals.tax_basis is TaxBasis.INCLUDED,
        customer_reference=fitting.fit("reference", order.purchase_order or order.number, REFERENCE),
        external_i_d=external_id(order.ref),
    )


def wire_order(order: Order, revision: int, sale: str, house: House) -> WireOrder:
    """The order with its lines. KeyError for a charge whose service product the house does not name."""
    fitting = Fitting()
    lines = tuple(_line(line, house, fitting) for line in order.lines)
    mark = Mark(store=order.store, number=order.number, revision=revision, lines=len(lines))
    charges = tuple(_charge(house, name, amount) for name, amount in charges_of(order).items())
    return WireOrder(
        sale_i_d=sale,
        status=house.status,
        memo=_memo(order, fitting.told, mark),
        lines=lines,
        additional_charges=charges,
    )


def charges_of(order: Order) -> Mapping[str, Decimal]:
    """What the order costs or spares beside its lines and tax; nothing that is zero."""
    amounts = {name: sign * Decimal(getattr(order.totals, name)) for name, sign in CHARGES.items()}
    return {name: amount for name, amount in amounts.items() if amount}


def _charge(house: House, name: str, amount: Decimal) -> Charge:
    return Charge(description=house.charges[name], price=amount, tax_rule=house.tax_rule, total=amount)


def _line(line: Line, house: House, fitting: Fitting) -> OrderLine:
    mark = tail(json.dumps([line.line_id, line.sku, str(line.quantity)]))
    said = " · ".join(text for text in (line.unit, line.instructions, line.design, line.dietary) if text)
    room = max(COMMENT - len(mark) - 1, 1)
    price = line.unit_price if line.subtotal is None else line.subtotal / line.quantity
    return OrderLine(
        s_k_u=line.sku,
        name=line.description or line.sku,
        quantity=line.quantity,
        price=price,
        tax_rule=house.tax_rule,
        total=line.amount,
        comment=f"{fitting.fit(f'line {line.line_id}', said, room)} {mark}".strip(),
    )


def _memo(order: Order, told: Sequence[str], mark: Mark) -> str:
    end = tail(mark.model_dump_json())
    parts = (order.instructions or "", _delivery(order), _payment(order), *told)
    said = Fitting().fit("memo", " · ".join(part for part in parts if part), MEMO - len(end) - 1)
    return f"{said}\n{end}"


def _delivery(order: Order) -> str:
    window, pickup = order.delivery_window, order.pickup
    when = f"deliver {window.start.isoformat()} to {window.end.isoformat()}" if window else ""
    return " · ".join(text for text in (when, f"pickup at {pickup.location}" if pickup else "") if text)


def _payment(order: Order) -> str:
    return f"payment {order.payment.status}: {order.payment.terms or order.payment.method or 'no terms given'}"


def _address(address: Address) -> dict[str, str | None]:
    return {
        "line1": address.street,
        "line2": address.street2,
        "city": address.city,
        "state": address.region,
        "postcode": address.postal_code,
        "country": Locale("en").territories.get(address.country, address.country),
    }
