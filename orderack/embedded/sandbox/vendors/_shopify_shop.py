"""The orders of the sandbox's Shopify shop: ours in Shopify's form of webhooks, and as its GraphQL gives them."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import JsonValue

from orderack.domain.order import DIGITAL, Address, Line, Order, PaymentStatus, TaxBasis
from orderack.embedded.sandbox.look_alike import ShopDeed

Body = dict[str, JsonValue]

FIRST_ID = 820_982_911_946_154_508
"""As in Shopify's own sample: beyond what a double can hold."""
FINANCIAL: Mapping[PaymentStatus, str] = {
    PaymentStatus.CONFIRMED: "paid",
    PaymentStatus.PENDING: "pending",
    PaymentStatus.FLAGGED: "expired",
}
TOPICS: Mapping[ShopDeed, tuple[str, ...]] = {
    ShopDeed.PLACE: ("orders/create",),
    ShopDeed.CHANGE: ("orders/edited", "orders/updated"),
    ShopDeed.PAY: ("order_transactions/create", "orders/paid", "orders/updated"),
    ShopDeed.CANCEL: ("orders/cancelled", "orders/updated"),
}


class Shop:
    """Orders by our reference."""

    def __init__(self) -> None:
        self._orders: dict[str, Body] = {}
        self._stores: dict[str, str] = {}

    def happens(self, deed: ShopDeed, order: Order) -> Body:
        """The order as it is then. Raises KeyError for one that is not there."""
        name = str(order.ref)
        now = datetime.now(UTC).replace(microsecond=0).isoformat()
        if deed is not ShopDeed.PLACE and name not in self._orders:
            raise KeyError(name)
        if deed in (ShopDeed.PLACE, ShopDeed.CHANGE):
            known = self._orders.get(name, {})
            order_id = known.get("id") or FIRST_ID + len(self._orders)
            paid = known.get("financial_status") == "paid"
            self._orders[name] = {**_body(order), "id": order_id, **({"financial_status": "paid"} if paid else {})}
            self._stores[str(order_id)] = order.store
        body = self._orders[name]
        if deed is ShopDeed.PAY:
            body["financial_status"] = "paid"
        if deed is ShopDeed.CANCEL:
            body |= {"cancelled_at": now, "cancel_reason": "customer"}
        body["updated_at"] = now
        return body

    def find(self, number: str) -> Body | None:
        return next((body for body in self._orders.values() if str(body["id"]) == number), None)

    def store_of(self, number: str) -> str:
        return self._stores[number]

    def changed_since(self, since: str) -> Sequence[Body]:
        moment = datetime.fromisoformat(since)
        changed = [body for body in self._orders.values() if _updated(body) >= moment]
        return sorted(changed, key=_updated)


def _updated(body: Body) -> datetime:
    return datetime.fromisoformat(str(body["updated_at"]))


def posted(topic: str, body: Body) -> Body:
    """What a webhook of that topic brings of the order."""
    if topic == "orders/edited":
        return {"order_edit": {"id": 1, "order_id": body["id"], "line_items": {"additions": [], "removals": []}}}
    if topic == "order_transactions/create":
        return {"id": 179_259_969, "order_id": body["id"], "kind": "sale", "status": "success"}
    return body


def told(body: Body, first: int, after: str | None) -> Body:
    """The order under the names of our own query, which are those of the webhooks; lines a page at a time."""
    lines = body["line_items"]
    items = lines if isinstance(lines, list) else []
    begin = int(after or 0)
    page = items[begin : begin + first]
    more = begin + first < len(items)
    buyer = body["customer"]
    reached: Body = {}
    if isinstance(buyer, dict):
        phone = buyer.get("phone")
        reached = {**buyer, "mail": {"text": buyer.get("email")}, "telephone": {"text": phone} if phone else None}
    plain = {name: value for name, value in body.items() if name not in {"line_items", "customer", "shipping_lines"}}
    return {
        **plain,
        "id": str(body["id"]),
        "financial_status": str(body["financial_status"]).upper(),
        "buyer": reached or None,
        "till": None,
        "ways": {"nodes": body["shipping_lines"]},
        "page": {"nodes": page, "pageInfo": {"hasNextPage": more, "endCursor": str(begin + first) if more else None}},
    }


def _body(order: Order) -> Body:
    """Ours in Shopify's words. A gift card lowers no total there: it is a way to pay."""
    totals, code = order.totals, order.currency
    total = totals.total + totals.credit
    gateways: list[JsonValue] = [order.payment.method or "shopify_payments"]
    terms = order.payment.terms or ""
    agreed = terms and not terms.startswith(("prepaid", "to be paid"))
    return {
        "name": order.number,
        "created_at": order.trigger_at.isoformat(),
        "processed_at": order.trigger_at.isoformat(),
        "cancelled_at": None,
        "cancel_reason": None,
        "test": False,
        "currency": code,
        "presentment_currency": code,
        "taxes_included": totals.tax_basis is TaxBasis.INCLUDED,
        "duties_included": False,
        "financial_status": FINANCIAL[order.payment.status],
        "payment_gateway_names": gateways,
        "payment_terms": {"payment_terms_name": terms} if agreed else None,
        "email": order.contacts.email,
        "phone": order.contacts.phone,
        "customer_locale": order.contacts.language,
        "customer": _customer(order),
        "shipping_address": _place(order.delivery_address),
        "billing_address": _place(order.billing_address),
        "note": order.instructions,
        "note_attributes": _attributes(order),
        "po_number": order.purchase_order,
        "source_name": "web",
        "tags": "",
        "line_items": _lines(order),
        "shipping_lines": _ways(order),
        "refunds": [],
        **_amounts("total_price", total, code),
        **_amounts("total_tax", totals.tax, code),
        **_amounts("total_discounts", totals.discount, code),
        "original_total_additional_fees_set": _bag(totals.fees, code) if totals.fees else None,
        "current_total_additional_fees_set": _bag(totals.fees, code) if totals.fees else None,
    }


def _amounts(name: str, amount: Decimal, code: str) -> Body:
    """One figure of the order, as it was and as it is: each alone and in both currencies."""
    bag = _bag(amount, code)
    return {name: f"{amount:f}", f"{name}_set": bag, f"current_{name}": f"{amount:f}", f"current_{name}_set": bag}


def _bag(amount: Decimal, code: str) -> Body:
    money: Body = {"amount": f"{amount:f}", "currency_code": code}
    return {"shop_money": money, "presentment_money": money}


def number_of(text: str) -> int:
    """Shopify's ids are numbers: that number, or one made of the text."""
    return int(text) if text.isascii() and text.isdigit() else int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)


def _customer(order: Order) -> JsonValue:
    if order.customer.id is None:
        return None
    first, _, last = (order.customer.name or "").partition(" ")
    return {"id": number_of(order.customer.id), "first_name": first, "last_name": last, "email": order.contacts.email}


def _place(address: Address | None) -> JsonValue:
    if address is None:
        return None
    return {
        "name": address.name,
        "company": address.company,
        "address1": address.street,
        "address2": address.street2,
        "city": address.city,
        "province_code": address.region,
        "zip": address.postal_code,
        "country_code": address.country,
    }


def _attributes(order: Order) -> JsonValue:
    said: list[tuple[str, str]] = []
    if window := order.delivery_window:
        said = [
            ("Delivery Date", f"{window.start:%Y-%m-%d}"),
            ("Delivery Time", f"{window.start:%H:%M}-{window.end:%H:%M}"),
        ]
    if order.pickup and order.pickup.at:
        said.append(("Pickup Time", order.pickup.at.isoformat()))
    return [{"name": name, "value": value} for name, value in said]


def _lines(order: Order) -> JsonValue:
    left = order.totals.discount - sum((line.discount for line in order.lines), Decimal(0))
    ships = order.order_type != DIGITAL
    made: list[JsonValue] = []
    for line in order.lines:
        made.append(_line(line, line.discount + left, order.currency, ships))
        left = Decimal(0)
    return made


def _line(line: Line, discount: Decimal, code: str, ships: bool) -> Body:
    allocated: list[JsonValue] = [{"amount": f"{discount:f}", "amount_set": _bag(discount, code)}] if discount else []
    return {
        "id": number_of(line.line_id),
        "sku": line.sku,
        "name": line.description,
        "title": line.description,
        "quantity": int(line.quantity),
        "current_quantity": int(line.quantity),
        "price": f"{line.unit_price:f}",
        "price_set": _bag(line.unit_price, code),
        "requires_shipping": ships,
        "properties": _properties(line),
        "discount_allocations": allocated,
    }


def _properties(line: Line) -> JsonValue:
    said = [tuple(text.partition(": ")[::2]) for text in (line.instructions or "").splitlines()]
    said += [(name, text) for name, text in (("Engraving", line.design), ("Allergies", line.dietary)) if text]
    return [{"name": name, "value": value} for name, value in said]


def _ways(order: Order) -> JsonValue:
    if order.order_type == DIGITAL:
        return []
    title, category = (order.pickup.location, "pickup") if order.pickup else ("Standard", None)
    price = order.totals.shipping
    bag = _bag(price, order.currency)
    amounts: Body = {"price": f"{price:f}", "price_set": bag, "discounted_price": f"{price:f}"}
    return [{"title": title, "code": title, "delivery_category": category, **amounts, "discounted_price_set": bag}]
