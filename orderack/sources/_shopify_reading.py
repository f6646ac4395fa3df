"""A Shopify order → ours. Which field is read from where: docs/sources/shopify.md."""

from collections.abc import Mapping

from orderack.domain.money import minor_unit
from orderack.domain.order import (
    DIGITAL,
    Address,
    Contacts,
    Customer,
    ExternalId,
    Line,
    Order,
    Payment,
    PaymentStatus,
    Pickup,
)
from orderack.ports import Connection, Skipped, Snapshot, Standing
from orderack.sources import _shopify_order as shop
from orderack.sources._reading import (
    Extras,
    address_of,
    canonical,
    email_of,
    extras_of,
    guest_id,
    language_of,
    line_of,
    name_of,
    phone_of,
    priced,
    prose_of,
    sku_of,
)
from orderack.sources._shopify_money import Purse

PAYMENT: Mapping[str, PaymentStatus] = {
    "paid": PaymentStatus.CONFIRMED,
    "partially_refunded": PaymentStatus.CONFIRMED,
    "refunded": PaymentStatus.FLAGGED,
    "voided": PaymentStatus.FLAGGED,
    "expired": PaymentStatus.FLAGGED,
}
"""`financial_status`; every other is pending. Money that went back, or an authorisation that ended, while goods are
still on order is a person's to look at."""
SETTLED = frozenset({"paid", "authorized", "partially_paid", "partially_refunded", "refunded"})
"""At the checkout money was taken, or put aside."""


def reading_of(order: shop.ShopOrder, connection: Connection) -> Snapshot | Skipped:
    """The order as it stands; nothing for us where it is a test. Raises InvalidInput naming what is wrong."""
    if order.test:
        return Skipped(why="a test order")
    return Snapshot(
        external_id=order.id,
        at=order.updated_at,
        order=_order(order, connection),
        standing=Standing.CANCELLED if order.cancelled else Standing.OPEN,
        reason=_reason(order),
    )


def _reason(order: shop.ShopOrder) -> str:
    if not order.cancelled:
        return ""
    return (line_of(order.cancel_reason) or "").lower() or ("cancelled" if order.cancelled_at else "all taken back")


def _order(order: shop.ShopOrder, connection: Connection) -> Order:
    purse = Purse(order)
    sold = [line for line in order.line_items if not _is_tip(line, order)]
    tips = [line for line in order.line_items if _is_tip(line, order)]
    wanted = [line for line in sold if order.count(line)]
    said = extras_of(((one.name, one.value) for one in order.note_attributes), connection.fields, connection.time_zone)
    where = _delivery(order, wanted, connection, said)
    made: dict[str, object] = {
        "store": connection.store,
        "number": name_of(order.name) or order.id,
        "source": connection.source,
        "trigger_at": order.processed_at or order.created_at,
        "customer": _customer(order),
        "contacts": _contacts(order, connection),
        "lines": tuple(_line(line, order, purse, connection) for line in wanted),
        "delivery_window": said.window,
        "billing_address": _address(order.billing_address, connection),
        "payment": _payment(order),
        "currency": purse.currency,
        "totals": purse.totals(sold, tips),
        "instructions": prose_of(order.note, *said.instructions),
        "external_ids": _ids(order),
        "purchase_order": name_of(order.po_number) or said.purchase_order,
    }
    return canonical({**made, **where}, connection.system)


def _is_tip(line: shop.Line, order: shop.ShopOrder) -> bool:
    """A tip is a line of its own on some orders. In GraphQL nothing says so but its name, and that it is no product."""
    if line.tip is not None:
        return True
    nothing = line.product_id is None and line.variant_id is None and line.requires_shipping is False
    received = order.total_tip_received_set.shop_money.amount if order.total_tip_received_set else 0
    return nothing and line.title == "Tip" and bool(order.total_tip_received or received)


def _line(line: shop.Line, order: shop.ShopOrder, purse: Purse, connection: Connection) -> Line:
    said = extras_of(((one.name, one.value) for one in line.properties), connection.fields, connection.time_zone)
    sku = sku_of(line.sku, ("variant", line.variant_id), ("product", line.product_id), ("line", line.id))
    made = Line(
        line_id=line.id or sku,
        sku=sku,
        description=line_of(line.name) or line_of(line.title) or "",
        quantity=order.count(line),
        unit_price=0,
        instructions=prose_of(*said.instructions),
        design=said.design,
        dietary=said.dietary,
        discount=purse.discount(line),
        codes=(ExternalId(system="shopify_line", id=line.id),) if line.id else (),
    )
    return priced(made, purse.cost(line).quantize(minor_unit("UYW")))


def _customer(order: shop.ShopOrder) -> Customer:
    buyer = order.customer
    first = [(buyer.first_name, buyer.last_name)] if buyer else []
    names = [line_of(" ".join(part for part in name if part)) for name in first]
    names += [place.name for place in (order.shipping_address, order.billing_address) if place]
    return Customer(
        id=(buyer.id if buyer else None) or guest_id(_email(order), order.id),
        name=next((found for name in names if (found := line_of(name))), None),
    )


def _email(order: shop.ShopOrder) -> str | None:
    said = (order.email, order.contact_email, order.customer.email if order.customer else None)
    return next((found for one in said if (found := email_of(one))), None)


def _contacts(order: shop.ShopOrder, connection: Connection) -> Contacts:
    places = [place for place in (order.shipping_address, order.billing_address) if place]
    country = next((place.country_code for place in places if place.country_code), connection.country)
    said = [order.phone, *(place.phone for place in places), order.customer.phone if order.customer else None]
    return Contacts(
        email=_email(order),
        phone=next((found for one in said if (found := phone_of(one, country))), None),
        language=language_of(order.customer_locale, connection.language),
    )


def _address(place: shop.Place | None, connection: Connection) -> Address | None:
    if place is None:
        return None
    named = " ".join(part for part in (place.first_name, place.last_name) if part)
    return address_of(
        name=place.name or named,
        company=place.company,
        street=place.address1,
        street2=place.address2,
        city=place.city,
        region=place.province_code or place.province,
        postal_code=place.zip,
        country=place.country_code or place.country,
        otherwise=connection.country,
    )


def _delivery(
    order: shop.ShopOrder, wanted: list[shop.Line], connection: Connection, said: Extras
) -> Mapping[str, object]:
    """Where it goes: nowhere, to the buyer, or to a counter where the buyer is."""
    if wanted and all(line.requires_shipping is False for line in wanted):
        return {"order_type": DIGITAL}
    address = _address(order.shipping_address, connection)
    counter = said.pickup_location or _counter(order, address)
    if counter is not None:
        return {"pickup": Pickup(location=counter, at=said.pickup_at)}
    return {"delivery_address": address}


def _counter(order: shop.ShopOrder, address: Address | None) -> str | None:
    """Local pickup has the shop's place as the way of delivery, and no address of the buyer's; so has a sale at the
    till, which knows its location alone."""
    way = next((line for line in order.shipping_lines if not line.is_removed), None)
    if way is not None and ("pick" in (way.delivery_category or "").casefold() or address is None):
        return line_of(way.title) or line_of(way.code)
    at_the_till = order.source_name == "pos" and address is None and order.location_id is not None
    return f"the shop's location {order.location_id}" if at_the_till else None


def _payment(order: shop.ShopOrder) -> Payment:
    status = (order.financial_status or "").lower()
    named = [line_of(one) for one in order.payment_gateway_names] or [line_of(order.gateway)]
    method = ", ".join(dict.fromkeys(name for name in named if name))[:500] or None
    return Payment(
        status=PAYMENT.get(status, PaymentStatus.PENDING), method=method, terms=_terms(order, status, method)
    )


def _terms(order: shop.ShopOrder, status: str, method: str | None) -> str | None:
    agreed = line_of(order.payment_terms.payment_terms_name) if order.payment_terms else None
    if agreed:
        return agreed
    if status in SETTLED:
        return f"prepaid by {method}" if method else "prepaid"
    return f"to be paid by {method}" if method else None


def _ids(order: shop.ShopOrder) -> tuple[ExternalId, ...]:
    known = [("shopify", order.id), ("shopify_confirmation", name_of(order.confirmation_number))]
    return tuple(ExternalId(system=system, id=found) for system, found in known if found)
