"""An order in BigCommerce's own words, made of ours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime

from pydantic import JsonValue

from orderack.domain.order import DIGITAL, Address, Line, Order, TaxBasis

STATUS = {7: "Awaiting Payment", 11: "Awaiting Fulfillment", 5: "Cancelled"}


@dataclass
class Kept:
    """One order of the store. `order` is ours; what the API says is made of it at each asking."""

    id: int
    order: Order
    status: int
    created: datetime
    modified: datetime
    metafields: dict[tuple[str, str], dict[str, JsonValue]] = field(default_factory=dict)


def _money(amount: Decimal) -> str:
    return f"{amount:.4f}"


def head(kept: Kept) -> dict[str, JsonValue]:
    """An order as `GET /v2/orders/{id}` writes it. Credit is a payment: the total contains it."""
    order, totals, path = kept.order, kept.order.totals, f"/orders/{kept.id}"
    lines = sum((line.amount for line in order.lines), Decimal(0))
    included = totals.tax_basis is TaxBasis.INCLUDED
    total = totals.total + totals.credit
    shipping, zero = _money(totals.shipping), _money(Decimal(0))
    guest = order.customer.id is None or order.customer.id.startswith("guest")
    return {
        "id": kept.id,
        "customer_id": 0 if guest or not (order.customer.id or "").isdecimal() else int(order.customer.id or 0),
        "date_created": format_datetime(kept.created),
        "date_modified": format_datetime(kept.modified),
        "date_shipped": "",
        "status_id": kept.status,
        "status": STATUS[kept.status],
        "subtotal_ex_tax": _money(lines),
        "subtotal_inc_tax": _money(lines),
        "shipping_cost_ex_tax": shipping,
        "shipping_cost_inc_tax": shipping,
        **dict.fromkeys((f"{kind}_cost_{tax}_tax" for kind in ("handling", "wrapping") for tax in ("ex", "inc")), zero),
        "total_ex_tax": _money(total if included else total - totals.tax),
        "total_inc_tax": _money(total),
        "total_tax": _money(totals.tax),
        "is_tax_inclusive_pricing": included,
        "items_total": int(sum((line.quantity for line in order.lines), Decimal(0))),
        "payment_method": order.payment.method or "Test Payment Gateway",
        "payment_provider_id": None,
        "payment_status": "captured" if kept.status == 11 else "",
        "refunded_amount": zero,
        "order_is_digital": order.order_type == DIGITAL,
        "store_credit_amount": _money(totals.credit),
        "gift_certificate_amount": zero,
        "currency_code": "EUR" if order.currency != "EUR" else "USD",
        "default_currency_code": order.currency,
        "staff_notes": None,
        "customer_message": order.instructions,
        "discount_amount": _money(totals.discount),
        "coupon_discount": zero,
        "billing_address": {**_party(order.billing_address or order.delivery_address, order), "form_fields": []},
        "is_deleted": False,
        "customer_locale": order.contacts.language,
        "external_id": None,
        "external_order_id": "",
        **{name: {"url": f"https://api.example{path}/{name}", "resource": f"{path}/{name}"} for name in _LINKS},
    }


_LINKS = ("products", "shipping_addresses", "coupons", "consignments", "fees")


def product(line: Line, number: int) -> JsonValue:
    cost = _money(line.amount)
    options: list[JsonValue] = [
        {"id": n, "display_name": name, "display_value": text, "value": text, "type": "Text field"}
        for n, (name, text) in enumerate(
            (("Note", line.instructions), ("Engraving", line.design), ("Dietary needs", line.dietary)), 1
        )
        if text
    ]
    return {
        "id": number,
        "product_id": number + 60,
        "variant_id": number + 160,
        "order_address_id": 1,
        "name": line.description,
        "sku": line.sku,
        "type": "physical",
        "quantity": int(line.quantity),
        "price_ex_tax": _money(line.unit_price),
        "price_inc_tax": _money(line.unit_price),
        "total_ex_tax": cost,
        "total_inc_tax": cost,
        "quantity_refunded": 0,
        "event_name": None,
        "event_date": None,
        "applied_discounts": [{"id": "manual-discount", "amount": _money(line.discount)}] if line.discount else [],
        "product_options": options,
    }


def _party(address: Address | None, order: Order) -> dict[str, JsonValue]:
    name = (address.name if address else None) or order.customer.name or ""
    first, _, last = name.partition(" ")
    return {
        "first_name": first,
        "last_name": last,
        "company": (address.company or "") if address else "",
        "street_1": address.street if address else "",
        "street_2": (address.street2 or "") if address else "",
        "city": address.city if address else "",
        "state": (address.region or "") if address else "",
        "zip": (address.postal_code or "") if address else "",
        "country_iso2": address.country if address else "",
        "email": order.contacts.email or "",
        "phone": order.contacts.phone or "",
    }


def places(order: Order) -> Sequence[dict[str, JsonValue]]:
    if order.delivery_address is None:
        return []
    window = order.delivery_window
    fields: list[JsonValue] = []
    if window is not None:
        words = f"{window.start:%Y-%m-%d} {window.start:%H:%M}-{window.end:%H:%M}"
        fields.append({"name": "Delivery window", "value": words})
    return [{"id": 1, **_party(order.delivery_address, order), "form_fields": fields}]


def consignments(order: Order, number: int) -> JsonValue:
    """Each with links to its lines: the lines themselves stand there only where they are asked for."""
    pickups: list[dict[str, JsonValue]] = []
    if order.pickup is not None:
        pickups.append({"id": 1, "pickup_method_id": 1, "location": {"id": 1, "name": order.pickup.location}})
    lines: JsonValue = [{"url": f"https://api.example{path}", "resource": path} for path in _paths(order, number)]
    shipping: list[JsonValue] = [{**place, "line_items": lines} for place in places(order)]
    return {
        "pickups": [{**pickup, "line_items": lines} for pickup in pickups],
        "shipping": shipping,
        "downloads": [],
        "email": {"gift_certificates": []},
    }


def _paths(order: Order, number: int) -> Iterator[str]:
    return (f"/orders/{number}/products/{n}" for n in range(1, len(order.lines) + 1))


def fees(order: Order) -> JsonValue:
    cost = _money(order.totals.fees)
    return [{"id": 1, "type": "custom_fee", "cost_ex_tax": cost, "cost_inc_tax": cost}] if order.totals.fees else []
