"""The orders of the sandbox's WooCommerce shop: ours in WooCommerce's form."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from pydantic import JsonValue

from orderack.domain.order import DIGITAL, Address, Line, Order, PaymentStatus
from orderack.embedded.sandbox.look_alike import ShopDeed

Body = dict[str, JsonValue]

FIRST_ID = 727
CENT = Decimal("0.01")
STATUS: Mapping[PaymentStatus, str] = {
    PaymentStatus.CONFIRMED: "processing",
    PaymentStatus.PENDING: "on-hold",
    PaymentStatus.FLAGGED: "on-hold",
}
TOPICS: Mapping[ShopDeed, tuple[str, ...]] = {
    ShopDeed.PLACE: ("order.created", "order.updated"),
    ShopDeed.CHANGE: ("order.updated",),
    ShopDeed.PAY: ("order.updated",),
    ShopDeed.CANCEL: ("order.updated",),
}
"""A new order is saved again at once by what else the checkout does, so it is told of twice."""


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


class Shop:
    """Orders by our reference."""

    def __init__(self) -> None:
        self._orders: dict[str, Body] = {}

    def happens(self, deed: ShopDeed, order: Order) -> Body:
        """The order as it is then. Raises KeyError for one that is not there."""
        name, now = str(order.ref), _time(datetime.now(UTC))
        if deed is not ShopDeed.PLACE and name not in self._orders:
            raise KeyError(name)
        if deed in (ShopDeed.PLACE, ShopDeed.CHANGE):
            known = self._orders.get(name, {})
            kept: Body = {field: known[field] for field in ("status", "date_paid_gmt") if field in known}
            self._orders[name] = {**_body(order), "id": known.get("id") or FIRST_ID + len(self._orders), **kept}
        body = self._orders[name]
        if deed is ShopDeed.PAY:
            body |= {"status": "processing", "date_paid_gmt": now}
        if deed is ShopDeed.CANCEL:
            body["status"] = "cancelled"
        body["date_modified_gmt"] = now
        return body

    def find(self, number: int) -> Body | None:
        return next((body for body in self._orders.values() if body["id"] == number), None)

    def modified_after(self, moment: datetime, trash: bool) -> Sequence[Body]:
        """Those in the trash are in a list of their own."""
        wanted = [body for body in self._orders.values() if (body["status"] == "trash") is trash]
        return [body for body in wanted if str(body["date_modified_gmt"]) > _time(moment)]


def _body(order: Order) -> Body:
    """Ours in WooCommerce's words: lines without tax and after discounts; a fee below nothing for what of the discount
    is no line's; gift cards off the total."""
    totals = order.totals
    left = totals.discount - sum((line.discount for line in order.lines), Decimal(0))
    fees = [("Fees", totals.fees), ("Discount", -left)]
    paid = order.payment.status is PaymentStatus.CONFIRMED
    return {
        "number": order.number,
        "status": STATUS[order.payment.status],
        "currency": order.currency,
        "created_via": "checkout",
        "date_created_gmt": _time(order.trigger_at),
        "date_modified_gmt": _time(order.trigger_at),
        "date_paid_gmt": _time(order.trigger_at) if paid else None,
        "prices_include_tax": False,
        "discount_total": f"{totals.discount:.2f}",
        "shipping_total": f"{totals.shipping:.2f}",
        "total_tax": f"{totals.tax:.2f}",
        "total": f"{totals.total:.2f}",
        "needs_processing": order.order_type != DIGITAL,
        "customer_id": _number(order.customer.id),
        "customer_note": order.instructions or "",
        "billing": _place(order.billing_address, order, order.contacts.email, order.contacts.phone),
        "shipping": _place(order.delivery_address, order),
        "payment_method": (order.payment.method or "card").lower().replace(" ", "_"),
        "payment_method_title": order.payment.method or "Card",
        "line_items": [_line(line) for line in order.lines],
        "fee_lines": [{"name": name, "total": f"{total:.2f}"} for name, total in fees if total],
        "shipping_lines": _ways(order),
        "coupon_lines": [],
        "refunds": [],
        "gift_cards": [{"id": 1, "code": "CARD", "amount": float(totals.credit)}] if totals.credit else [],
        "meta_data": _meta(order),
    }


def _number(text: str | None) -> int:
    """A customer's id is a number there; 0 is a guest."""
    if text is None or text.startswith("guest-"):
        return 0
    return int(text) if text.isascii() and text.isdigit() else int(hashlib.sha256(text.encode()).hexdigest()[:7], 16)


def _place(address: Address | None, order: Order, email: str | None = None, phone: str | None = None) -> Body:
    first, _, last = ((address.name if address else order.customer.name) or "").partition(" ")
    reached: Body = {"email": email or "", "phone": phone or ""}
    if address is None:
        empty = ("company", "address_1", "address_2", "city", "state", "postcode", "country")
        return {"first_name": first, "last_name": last, **dict.fromkeys(empty, ""), **reached}
    return {
        "first_name": first,
        "last_name": last,
        "company": address.company or "",
        "address_1": address.street,
        "address_2": address.street2 or "",
        "city": address.city,
        "state": address.region or "",
        "postcode": address.postal_code or "",
        "country": address.country,
        **reached,
    }


def _line(line: Line) -> Body:
    """Its sums are rounded to cents, and its price is not, as in WooCommerce."""
    total = line.amount - line.discount
    return {
        "id": _number(line.line_id),
        "name": line.description,
        "product_id": 93,
        "variation_id": 0,
        "sku": line.sku,
        "quantity": int(line.quantity) if line.quantity == int(line.quantity) else float(line.quantity),
        "subtotal": f"{line.amount.quantize(CENT, ROUND_HALF_UP):f}",
        "total": f"{total.quantize(CENT, ROUND_HALF_UP):f}",
        "price": float(total / line.quantity),
        "meta_data": _shown(line),
    }


def _shown(line: Line) -> JsonValue:
    said = [text.partition(": ")[::2] for text in (line.instructions or "").splitlines()]
    said += [(name, text) for name, text in (("Engraving", line.design), ("Allergies", line.dietary)) if text]
    return [{"key": key, "value": value, "display_key": key, "display_value": value} for key, value in said]


def _ways(order: Order) -> JsonValue:
    if order.order_type == DIGITAL:
        return []
    price = f"{order.totals.shipping:.2f}"
    if order.pickup is None:
        return [{"method_id": "flat_rate", "method_title": "Flat rate", "total": price, "meta_data": []}]
    place: Body = {"key": "pickup_location", "value": order.pickup.location}
    return [{"method_id": "pickup_location", "method_title": "Pickup", "total": price, "meta_data": [place]}]


def _meta(order: Order) -> JsonValue:
    said: list[tuple[str, str]] = [("_wc_order_attribution_source_type", "typein")]
    if window := order.delivery_window:
        said += [
            ("delivery_date", f"{window.start:%Y-%m-%d}"),
            ("delivery_window", f"{window.start:%H:%M}-{window.end:%H:%M}"),
        ]
    if order.pickup and order.pickup.at:
        said.append(("pickup_time", order.pickup.at.isoformat()))
    if order.purchase_order:
        said.append(("po_number", order.purchase_order))
    return [{"id": n, "key": key, "value": value} for n, (key, value) in enumerate(said)]
