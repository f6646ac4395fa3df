"""A sales order as Cin7 Omni takes it: POST and PUT /v1/SalesOrders (its OpenAPI document and help pages)."""

import hashlib
import json
import re
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from babel import Locale
from pydantic import ConfigDict, PlainSerializer, TypeAdapter
from pydantic.alias_generators import to_camel

from orderack.domain.order import Address, Line, Name, Order, OrderRef, Quantity, TaxBasis
from orderack.domain.value import Value
from orderack.erps._fitting import Fitting
from orderack.erps._marks import Mark, tail

REFERENCE = 20
"""Characters: published for the references of its other documents, and kept to here."""
TEXT, PHONE, INSTRUCTIONS = 250, 50, 2_000
"""Characters, as published for the same fields of its other documents."""
COMMENTS = 2_000
"""Characters. Cin7 publishes no limit for comments: this is short enough to be safe."""
DROPPED = "taken out of the order by a change"
"""The comment of a line that a later revision does not have; its quantity is 0."""

Number = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


class LineMark(Value):
    """Which of our lines one of Omni's is, in which revision it was written, and what was ordered with it."""

    revision: int
    line_id: Name
    sku: Name
    quantity: Quantity


LINE_MARK = TypeAdapter(LineMark)


class _Wire(Value):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class WireLine(_Wire):
    id: int | None = None
    code: str
    name: str
    qty: Number
    unit_price: Number
    line_comments: str
    sort: int


class Dropped(_Wire):
    id: int
    qty: int = 0
    line_comments: str = DROPPED


class WireOrder(_Wire):
    """A text that is None is left out of a new order, and emptied in one that is changed."""

    id: int | None = None
    reference: str
    is_approved: bool | None
    member_id: int | None
    branch_id: int
    first_name: str | None
    last_name: str | None
    company: str | None
    email: str | None
    phone: str | None
    delivery_first_name: str | None
    delivery_last_name: str | None
    delivery_company: str | None
    delivery_address1: str | None
    delivery_address2: str | None
    delivery_city: str | None
    delivery_state: str | None
    delivery_postal_code: str | None
    delivery_country: str | None
    billing_first_name: str | None
    billing_last_name: str | None
    billing_company: str | None
    billing_address1: str | None
    billing_address2: str | None
    billing_city: str | None
    billing_state: str | None
    billing_postal_code: str | None
    billing_country: str | None
    internal_comments: str
    delivery_instructions: str | None
    customer_order_no: str
    payment_terms: str | None
    currency_code: str
    tax_status: str | None
    freight_total: Number
    surcharge: Number
    surcharge_description: str | None
    discount_total: Number
    discount_description: str | None
    line_items: tuple[WireLine | Dropped, ...]

    @property
    def body(self) -> bytes:
        """A list of one, as both calls ask for. "" empties a field in a change; what is left out stays as it is."""
        said = self.model_dump(mode="json", by_alias=True, exclude_none=self.id is None)
        if self.id is not None:
            said = {name: "" if value is None else value for name, value in said.items() if name not in _KEPT}
            said["lineItems"] = [{k: v for k, v in line.items() if v is not None} for line in said["lineItems"]]
        return json.dumps([said]).encode()


_KEPT = frozenset({"isApproved", "memberId", "taxStatus"})
"""Not changed later: a person may have taken the approval back, or given the order to another contact."""


@dataclass(frozen=True)
class House:
    """How this account keeps its orders."""

    branch: int
    member: int | None
    approve: bool


def reference(ref: OrderRef) -> str:
    """The order's number as far as it fits, and a digest of the whole: never two orders' at once, in any case.

    Capital letters, digits and `-` only, so that it can stand in a `where` as it is.
    """
    whole = json.dumps([ref.store, ref.number]).encode()
    digest = b32encode(hashlib.sha256(whole).digest()).decode()[:10]
    plain = re.sub(r"[^A-Z0-9-]", "", ref.number.upper())[-(REFERENCE - len(digest) - 1) :].strip("-")
    return f"{plain}-{digest}" if plain else digest


def wire_order(
    order: Order, revision: int, house: House, document: int | None = None, lines: Sequence[tuple[int, str]] = ()
) -> WireOrder:
    """`document`: the order that is changed, `lines`: the ids of its lines and which of ours each is (or none)."""
    fitting = Fitting()
    first, last = _name(_buyer(order))
    billed, totals = order.billing_address, order.totals
    left = list(lines)
    items = tuple(_line(line, revision, place, fitting, _taken(left, line)) for place, line in enumerate(order.lines))
    mark = Mark(store=order.store, number=order.number, revision=revision, lines=len(items))
    return WireOrder(
        id=document,
        reference=reference(order.ref),
        is_approved=house.approve,
        member_id=house.member,
        branch_id=house.branch,
        first_name=first,
        last_name=last,
        company=fitting.fit("company", billed.company if billed else None, TEXT) or None,
        email=order.contacts.email,
        phone=fitting.fit("phone", order.contacts.phone, PHONE) or None,
        **_address("delivery", order.delivery_address, fitting),
        **_address("billing", billed, fitting),
        delivery_instructions=fitting.fit("delivery", _delivery(order), INSTRUCTIONS) or None,
        customer_order_no=fitting.fit("reference", order.purchase_order or order.number, TEXT),
        payment_terms=fitting.fit("terms", order.payment.terms, TEXT) or None,
        currency_code=order.currency,
        tax_status=_TAX.get(totals.tax_basis) if totals.tax_basis else None,
        freight_total=totals.shipping,
        surcharge=totals.fees,
        surcharge_description="Fees" if totals.fees else None,
        discount_total=totals.discount + totals.credit,
        discount_description=_discount(order),
        internal_comments=_comments(order, fitting.told, mark),
        line_items=(*items, *(Dropped(id=one) for one, ours in left if ours)),
    )


_TAX = {TaxBasis.INCLUDED: "Incl", TaxBasis.ADDED: "Excl"}


def _taken(left: list[tuple[int, str]], line: Line) -> int | None:
    """The first of the document's lines that is this one, taken out of those that are left."""
    for place, (document_line, ours) in enumerate(left):
        if ours == line.line_id:
            del left[place]
            return document_line
    return None


def _line(line: Line, revision: int, place: int, fitting: Fitting, known: int | None) -> WireLine:
    mark = LineMark(revision=revision, line_id=line.line_id, sku=line.sku, quantity=line.quantity)
    end = tail(mark.model_dump_json())
    said = " · ".join(text for text in (line.unit, line.instructions, line.design, line.dietary) if text)
    room = max(COMMENTS - len(end) - 1, 1)
    return WireLine(
        id=known,
        code=line.sku,
        name=fitting.fit(f"name of line {line.line_id}", line.description or line.sku, TEXT),
        qty=line.quantity,
        unit_price=line.unit_price if line.subtotal is None else line.subtotal / line.quantity,
        line_comments=f"{fitting.fit(f'line {line.line_id}', said, room)} {end}".strip(),
        sort=place + 1,
    )


def _buyer(order: Order) -> str | None:
    address = order.billing_address or order.delivery_address
    return order.customer.name or (address.name if address else None)


def _name(name: str | None) -> tuple[str | None, str | None]:
    """First and last name; a name of one word is the first."""
    first, _, last = (name or "").strip().rpartition(" ")
    return ((first or last)[:TEXT] or None, last[:TEXT] if first else None)


def _address(kind: str, address: Address | None, fitting: Fitting) -> dict[str, str | None]:
    if address is None:
        names = (
            "first_name",
            "last_name",
            "company",
            "address1",
            "address2",
            "city",
            "state",
            "postal_code",
            "country",
        )
        return {f"{kind}_{name}": None for name in names}
    first, last = _name(address.name)
    country = Locale("en").territories.get(address.country, address.country)
    fields = {
        "first_name": first,
        "last_name": last,
        "company": address.company,
        "address1": address.street,
        "address2": address.street2,
        "city": address.city,
        "state": address.region,
        "postal_code": address.postal_code,
        "country": country,
    }
    return {f"{kind}_{name}": fitting.fit(f"{kind} {name}", text, TEXT) or None for name, text in fields.items()}


def _delivery(order: Order) -> str:
    window, pickup = order.delivery_window, order.pickup
    when = f"deliver {window.start.isoformat()} to {window.end.isoformat()}" if window else ""
    where = f"pickup at {pickup.location}" if pickup else ""
    return " · ".join(text for text in (when, where, order.instructions or "") if text)


def _discount(order: Order) -> str | None:
    """A gift card has no field of its own: it is part of the discount, and said to be."""
    amounts = {"discount": order.totals.discount, "gift card or store credit": order.totals.credit}
    return ", ".join(f"{name} {amount}" for name, amount in amounts.items() if amount) or None


def _comments(order: Order, told: Sequence[str], mark: Mark) -> str:
    end = tail(mark.model_dump_json())
    payment = order.payment.terms or order.payment.method or "no terms given"
    parts = (
        f"{order.store} {order.number}",
        f"{order.currency} {order.totals.total} as agreed, tax {order.totals.tax}",
        f"payment {order.payment.status}: {payment}",
        *told,
    )
    return f"{Fitting().fit('comments', ' · '.join(parts), COMMENTS - len(end) - 1)}\n{end}"
