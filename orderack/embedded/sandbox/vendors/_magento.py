"""An order in Magento's own words, made of ours: paid in its currency, reckoned in the base's, which is worth twice."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pydantic import JsonValue

from orderack.domain.order import DIGITAL, Address, Line, Order, TaxBasis

RATE = Decimal(2)
"""Of the order's currency for one of the base currency."""


@dataclass
class Kept:
    """One order of the shop. `order` is ours; what the API says is made of it at each asking."""

    id: int
    order: Order
    state: str
    paid: bool
    created: datetime
    updated: datetime
    comments: list[dict[str, JsonValue]] = field(default_factory=list)


def whole(kept: Kept) -> dict[str, JsonValue]:
    """An order as `GET /V1/orders/{id}` writes it."""
    order, totals = kept.order, kept.order.totals
    guest = order.customer.id is None or not order.customer.id.isdecimal()
    first, _, last = (order.customer.name or "").partition(" ")
    grand = _number(totals.total)
    said: dict[str, JsonValue] = {
        "entity_id": kept.id,
        "increment_id": order.number,
        "created_at": _time(kept.created),
        "updated_at": _time(kept.updated),
        "state": kept.state,
        "status": "pending" if kept.state == "new" else kept.state,
        "store_id": 1,
        "is_virtual": int(order.order_type == DIGITAL),
        "customer_is_guest": int(guest),
        "customer_email": order.contacts.email,
        "customer_firstname": first,
        "customer_lastname": last,
        "order_currency_code": order.currency,
        "base_currency_code": "EUR" if order.currency != "EUR" else "USD",
        "total_due": 0 if kept.paid else grand,
        "items": [_item(line, n, order) for n, line in enumerate(order.lines, 1)],
        "billing_address": _address(order.billing_address, order, "billing"),
        "payment": {"account_status": None, "cc_last4": None, "method": "banktransfer", "additional_information": []},
        "status_histories": [dict(comment) for comment in kept.comments],
        "extension_attributes": _parts(order),
        **_sums(order),
    }
    if not guest:
        said["customer_id"] = int(order.customer.id or 0)
    if order.instructions:
        said["customer_note"] = order.instructions
    if kept.paid:
        said |= {"total_paid": grand, "base_total_paid": _number(totals.total / RATE)}
    return said


def _sums(order: Order) -> dict[str, JsonValue]:
    """In both currencies. Fees are a module's total: they stand in the grand total, and nowhere by a name."""
    totals = order.totals
    subtotal = sum((_row_total(line, order) for line in order.lines), Decimal(0))
    sums = {
        "grand_total": totals.total,
        "subtotal": subtotal,
        "subtotal_incl_tax": sum((line.amount for line in order.lines), Decimal(0)),
        "discount_amount": -totals.discount,
        "shipping_amount": totals.shipping,
        "shipping_incl_tax": totals.shipping,
        "tax_amount": totals.tax,
    }
    said: dict[str, JsonValue] = {name: _number(amount) for name, amount in sums.items()}
    return said | {f"base_{name}": _number(amount / RATE) for name, amount in sums.items()}


def _number(amount: Decimal) -> float:
    return float(round(amount, 4))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _row_total(line: Line, order: Order) -> Decimal:
    """Without tax: where the order's prices contain it, each line bears its part."""
    if order.totals.tax_basis is not TaxBasis.INCLUDED:
        return line.amount
    lines = sum((one.amount for one in order.lines), Decimal(0))
    return line.amount - (order.totals.tax * line.amount / lines if lines else Decimal(0))


def _item(line: Line, number: int, order: Order) -> JsonValue:
    options: list[JsonValue] = [
        {"option_id": str(n), "option_value": text}
        for n, text in enumerate((line.instructions, line.dietary, line.design), 1)
        if text
    ]
    total = _row_total(line, order)
    item: dict[str, JsonValue] = {
        "item_id": number,
        "order_id": 1,
        "product_id": 2_000 + number,
        "product_type": "simple",
        "sku": line.sku,
        "name": line.description,
        "qty_ordered": _number(line.quantity),
        "qty_canceled": 0,
        "qty_refunded": 0,
        "price": _number(total / line.quantity),
        "row_total": _number(total),
        "base_row_total": _number(total / RATE),
        "row_total_incl_tax": _number(line.amount),
        "discount_amount": _number(line.discount),
    }
    return item | {"product_option": {"extension_attributes": {"custom_options": options}}} if options else item


def _address(address: Address | None, order: Order, kind: str) -> JsonValue:
    if address is None:
        return None
    first, _, last = (address.name or "").partition(" ")
    return {
        "address_type": kind,
        "firstname": first,
        "lastname": last,
        "company": address.company,
        "street": [line for line in (address.street, address.street2) if line],
        "city": address.city,
        "region": address.region,
        "postcode": address.postal_code,
        "country_id": address.country,
        "telephone": order.contacts.phone,
        "email": order.contacts.email,
    }


def _parts(order: Order) -> JsonValue:
    parts: dict[str, JsonValue] = {
        "payment_additional_info": [{"key": "method_title", "value": order.payment.method or "Bank transfer"}]
    }
    place = _address(order.delivery_address, order, "shipping")
    if order.pickup is not None:
        place = {"address_type": "shipping", "company": order.pickup.location, "street": [], "city": ""}
        parts["pickup_location_code"] = "counter"
    if place is not None:
        parts["shipping_assignments"] = [{"shipping": {"address": place, "method": "flatrate_flatrate"}, "items": []}]
    if order.totals.credit:
        parts["gift_cards_amount"] = _number(order.totals.credit)
        parts["base_gift_cards_amount"] = _number(order.totals.credit / RATE)
    return parts
