"""A Shopify order → ours. Which field is read from where: docs/sources/shopify.md."""

from collections.abc import Collection, Mapping
from decimal import Decimal

from pydantic import ValidationError

from orderack.domain.order import (
    DIGITAL,
    Address,
    Contacts,
    Customer,
    Doubt,
    ExternalId,
    Line,
    Payment,
    PaymentStatus,
    Pickup,
)
from orderack.domain.validation import problems_of
from orderack.errors import InvalidInput
from orderack.ports import Connection, Skipped, Snapshot, Standing
from orderack.sources import _shopify_order as shop
from orderack.sources._reading import (
    FETCHED,
    FOUR,
    OF_A_LINE,
    OF_AN_ORDER,
    Extras,
    address_of,
    canonical,
    doubts_of_length,
    email_of,
    extras_kept,
    guest_id,
    language_of,
    line_of,
    name_of,
    phone_of,
    priced,
    prose_of,
    refuse,
    sku_of,
    with_lines,
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
TERMS: Mapping[str, str] = {
    **dict.fromkeys(("paid", "authorized", "partially_refunded", "refunded"), "prepaid"),
    "partially_paid": "partly paid",
}
"""Whether money was taken, or put aside, at the checkout; every other waits for it."""


def reading_of(order: shop.ShopOrder, connection: Connection) -> Snapshot | Skipped:
    """The order as it stands; nothing for us where it is a test. Raises InvalidInput naming what is wrong."""
    if order.test:
        return Skipped(why="a test order")
    placed = order.processed_at or order.created_at
    at = order.updated_at or order.created_at or placed
    if placed is None or at is None:
        raise refuse("created_at", "is missing", "see the order in the shop")
    try:
        made = canonical({**_order(order, connection), "trigger_at": placed}, connection.system)
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None
    return Snapshot(
        external_id=order.id,
        at=at,
        order=made,
        standing=Standing.CANCELLED if order.cancelled else Standing.OPEN,
        reason=_reason(order),
    )


def _reason(order: shop.ShopOrder) -> str:
    if not order.cancelled:
        return ""
    return (line_of(order.cancel_reason) or "").lower() or ("cancelled" if order.cancelled_at else "all taken back")


def _order(order: shop.ShopOrder, connection: Connection) -> Mapping[str, object]:
    """The fields of ours, but for when it was placed."""
    purse = Purse(order)
    wanted = [line for line in order.sold if order.count(line)]
    said = _said(order.note_attributes, connection, OF_AN_ORDER | FETCHED)
    where = _delivery(order, wanted, connection, said)
    if "pickup" not in where:
        said = _said(order.note_attributes, connection, OF_AN_ORDER)
    said = with_lines(said, (_said(line.properties, connection, OF_A_LINE) for line in wanted))
    return {
        "store": connection.store,
        "number": name_of(order.name) or (f"#{order.order_number}" if order.order_number else order.id),
        "source": connection.source,
        "customer": _customer(order),
        "contacts": _contacts(order, connection),
        "lines": tuple(_line(at, line, order, purse, connection) for at, line in enumerate(wanted, 1)),
        "delivery_window": said.window,
        "billing_address": _address(order.billing_address, connection),
        "payment": _payment(order),
        "currency": purse.currency,
        "totals": purse.totals(),
        "instructions": prose_of(order.note, *said.instructions),
        "external_ids": _ids(order),
        "purchase_order": name_of(order.po_number) or said.purchase_order,
        "doubts": (*_doubts(order), *doubts_of_length(order.note, *said.instructions)),
        **where,
    }


def _doubts(order: shop.ShopOrder) -> tuple[Doubt, ...]:
    if not order.stale:
        return ()
    why = "The shop took part of it back, and did not say what it costs now: see there which lines are still wanted."
    return (Doubt(field="lines", why=why, confidence=Decimal("0.5")),)


def _line(at: int, line: shop.Line, order: shop.ShopOrder, purse: Purse, connection: Connection) -> Line:
    said = _said(line.properties, connection, OF_A_LINE)
    sku = sku_of(line.sku, ("variant", line.variant_id), ("product", line.product_id), ("line", line.id))
    made = Line(
        line_id=line.id or str(at),
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
    return priced(made, purse.cost(line).quantize(FOUR))


def _said(pairs: tuple[shop.Pair, ...], connection: Connection, place_for: Collection[str]) -> Extras:
    return extras_kept(((one.name, one.value) for one in pairs), connection.fields, connection.time_zone, place_for)


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
    """Local pickup has the shop's place as the way of delivery, costs nothing, and has no address of the buyer's; a
    sale at the till knows its location alone. An address that is not told with a way that costs something is one that
    the app may not see."""
    way = next((line for line in order.shipping_lines if not line.is_removed), None)
    if way is not None and ("pick" in (way.delivery_category or "").casefold() or (address is None and way.is_free)):
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
    agreed = order.payment_terms
    if agreed and (agreed.payment_terms_name or agreed.due_in_days):
        return line_of(agreed.payment_terms_name) or f"Net {agreed.due_in_days}"
    how = TERMS.get(status)
    if method is None:
        return how
    return f"{how or 'to be paid'} by {method}"


def _ids(order: shop.ShopOrder) -> tuple[ExternalId, ...]:
    known = [("shopify", order.id), ("shopify_confirmation", name_of(order.confirmation_number))]
    return tuple(ExternalId(system=system, id=found) for system, found in known if found)
