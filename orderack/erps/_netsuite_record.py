"""The sales order as NetSuite's REST record service takes it (salesOrder of the REST API Browser)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer

from orderack.domain.order import Address, Line, Order
from orderack.domain.value import Value
from orderack.erps._fitting import Fitting
from orderack.erps._marks import Mark
from orderack.erps._netsuite_ids import LineMark, external_id

MEMO = 999
DESCRIPTION = 4_000
REFERENCE = 45
"""Characters that NetSuite's own fields hold."""
CUSTOM_PRICE = "-1"
"""The price level of a rate that is given with the line, instead of one of the account's price lists."""

Number = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]
"""A JSON number, as the record service asks for."""


class Ref(Value):
    """Another record, by its internal id."""

    id: str


class WireAddress(Value):
    addressee: str | None
    attention: str | None
    addr1: str
    addr2: str | None
    city: str
    state: str | None
    zip: str | None
    country: Ref


class WireLine(Value):
    """One line of ours, or a charge that NetSuite knows as an item."""

    item: Ref
    quantity: Number | None = None
    price: Ref = Ref(id=CUSTOM_PRICE)
    rate: Number | None = None
    amount: Number | None = None
    description: str | None = None
    location: Ref | None = None
    mark: Annotated[str | None, Field(serialization_alias="custcol_orderack_line")] = None


class WireLines(Value):
    items: tuple[WireLine, ...]


class WireOrder(Value):
    """What is PUT to /salesOrder/eid:…"""

    external_id: Annotated[str, Field(serialization_alias="externalId")]
    mark: Annotated[str, Field(serialization_alias="custbody_orderack_order")]
    entity: Ref
    currency: Ref
    subsidiary: Ref | None
    location: Ref | None
    other_ref_num: Annotated[str, Field(serialization_alias="otherRefNum")]
    memo: str
    email: str | None
    to_be_emailed: Annotated[bool, Field(serialization_alias="toBeEmailed")] = False
    """NetSuite writes no mail of its own to the buyer."""
    shipping_address: Annotated[WireAddress | None, Field(serialization_alias="shippingAddress")]
    billing_address: Annotated[WireAddress | None, Field(serialization_alias="billingAddress")]
    item: WireLines

    @property
    def body(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


@dataclass(frozen=True)
class Found:
    """NetSuite's internal ids of what the order names."""

    customer: str
    currency: str
    items: Mapping[str, str]
    """By sku."""


@dataclass(frozen=True)
class House:
    """How this account keeps its orders; internal ids."""

    subsidiary: str | None
    location: str | None
    charges: Mapping[str, str]
    """Item by field of the order's totals (`discount`, `shipping`, `fees`, `credit`)."""


TAKEN_OFF = frozenset({"discount", "credit"})


def charges(order: Order) -> Mapping[str, Decimal]:
    """What the order costs or spares beside its lines and tax, by field of its totals; nothing that is zero."""
    totals = order.totals
    amounts = {
        "discount": totals.discount,
        "shipping": totals.shipping,
        "fees": totals.fees,
        "credit": totals.credit,
    }
    return {name: -amount if name in TAKEN_OFF else amount for name, amount in amounts.items() if amount}


def record(order: Order, revision: int, found: Found, house: House) -> WireOrder:
    """The whole order. KeyError for a charge whose item the house does not have."""
    fitting = Fitting()
    mark = Mark(store=order.store, number=order.number, revision=revision, lines=len(order.lines))
    location = Ref(id=house.location) if house.location else None
    lines = [_line(line, found.items[line.sku], location) for line in order.lines]
    extra = [
        WireLine(item=Ref(id=house.charges[name]), rate=amount, amount=amount)
        if name in TAKEN_OFF
        else WireLine(item=Ref(id=house.charges[name]), quantity=Decimal(1), rate=amount, amount=amount)
        for name, amount in charges(order).items()
    ]
    reference = fitting.fit("reference", order.purchase_order or order.number, REFERENCE)
    return WireOrder(
        external_id=external_id(order.ref),
        mark=mark.model_dump_json(),
        entity=Ref(id=found.customer),
        currency=Ref(id=found.currency),
        subsidiary=Ref(id=house.subsidiary) if house.subsidiary else None,
        location=location,
        other_ref_num=reference,
        memo=_memo(order, fitting.told),
        email=order.contacts.email,
        shipping_address=_address(order.delivery_address),
        billing_address=_address(order.billing_address),
        item=WireLines(items=(*lines, *extra)),
    )


def _line(line: Line, item: str, location: Ref | None) -> WireLine:
    said = (line.description, line.unit, line.instructions, line.design, line.dietary)
    priced = {"rate": line.unit_price} if line.subtotal is None else {"amount": line.subtotal}
    return WireLine(
        item=Ref(id=item),
        quantity=line.quantity,
        description=Fitting().fit("description", " · ".join(text for text in said if text), DESCRIPTION) or None,
        location=location,
        mark=str(LineMark(item=item, quantity=line.quantity, line_id=line.line_id)),
        **priced,
    )


def _memo(order: Order, told: Sequence[str]) -> str:
    """What has no field of its own, the most urgent first: the memo may be cut at its end."""
    window = order.delivery_window
    parts = (
        f"{order.store} {order.number}",
        f"deliver {window.start.isoformat()} to {window.end.isoformat()}" if window else "",
        f"pickup at {order.pickup.location}" if order.pickup else "",
        order.instructions or "",
        f"payment {order.payment.status}: {order.payment.terms or order.payment.method or 'no terms given'}",
        f"{order.currency} {order.totals.total} as agreed, tax {order.totals.tax}",
        *told,
    )
    return Fitting().fit("memo", " · ".join(part for part in parts if part), MEMO)


def _address(address: Address | None) -> WireAddress | None:
    if address is None:
        return None
    return WireAddress(
        addressee=address.company or address.name,
        attention=address.name if address.company else None,
        addr1=address.street,
        addr2=address.street2,
        city=address.city,
        state=address.region,
        zip=address.postal_code,
        country=Ref(id=address.country),
    )
