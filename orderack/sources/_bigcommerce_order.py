"""A BigCommerce order, with what has to be fetched beside it, as one of ours (commerce.md §10)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from pydantic import JsonValue, ValidationError

from orderack.domain.order import DIGITAL, Address, DeliveryWindow, Line, PaymentStatus
from orderack.domain.validation import problems_of
from orderack.errors import InvalidInput
from orderack.ports import Connection, Snapshot, Standing
from orderack.sources._bigcommerce_money import BigCommerceMoney
from orderack.sources._bigcommerce_wire import (
    Coupon,
    FormField,
    Head,
    Option,
    Party,
    PickupConsignment,
    Product,
    Whole,
)
from orderack.sources._loose import ZERO, by_word, first, iso_8601, rfc_2822
from orderack.sources._reading import (
    OF_A_LINE,
    OF_AN_ORDER,
    Extras,
    address_of,
    canonical,
    email_of,
    extras_kept,
    extras_of,
    guest_id,
    language_of,
    line_of,
    name_of,
    phone_of,
    priced,
    prose_of,
    refuse,
    sku_of,
)

SYSTEM = "bigcommerce"

STATUSES = (
    "incomplete",
    "pending",
    "shipped",
    "partially shipped",
    "refunded",
    "cancelled",
    "declined",
    "awaiting payment",
    "awaiting pickup",
    "awaiting shipment",
    "completed",
    "awaiting fulfillment",
    "manual verification required",
    "disputed",
    "partially refunded",
)
"""BigCommerce's own list: a status's place in it is its id."""
CANCELLED: Mapping[str, str] = {"4": "Refunded", "5": "Cancelled", "6": "Declined"}
"""`status_id` of an order that is none any more."""
NOT_YET = frozenset({"0", "1"})
"""Incomplete; pending: "started the checkout process, but did not complete it"."""
DONE = frozenset({"2", "3", "10", "14"})
"""Shipped, partly shipped, completed, partly refunded: archiving such an order takes nothing back."""
CONFIRMED = DONE | {"8", "9", "11"}
"""Statuses at which "payment has been confirmed"."""
FLAGGED = frozenset({"12", "13"})
"""Manual verification required; disputed."""
NOT_SHIPPED = frozenset({"digital", "giftcertificate"})
"""`type` of a product that goes by e-mail."""

PAYMENT: Mapping[str, PaymentStatus] = {
    "captured": PaymentStatus.CONFIRMED,
    "paid": PaymentStatus.CONFIRMED,
    "partially refunded": PaymentStatus.CONFIRMED,
    "refunded": PaymentStatus.CONFIRMED,
    "held for review": PaymentStatus.FLAGGED,
    "declined": PaymentStatus.FLAGGED,
    "void": PaymentStatus.FLAGGED,
    "void pending": PaymentStatus.FLAGGED,
    "capture pending": PaymentStatus.PENDING,
    "pending": PaymentStatus.PENDING,
}
"""`payment_status`. `authorized`, and none at all (offline), say nothing of it: the order's status does."""


def snapshot_of(whole: Whole, connection: Connection) -> Snapshot:
    """How the order stands. Raises InvalidInput naming every field that cannot be taken."""
    head = whole.order
    placed, changed = moment(head.date_created), moment(head.date_modified)
    if placed is None:
        raise refuse("date_created", "is no date", "see the order in BigCommerce")
    try:
        made = _order(whole, connection) | {"trigger_at": placed}
        order = canonical(made, SYSTEM)
    except ValidationError as error:
        raise InvalidInput(list(problems_of(error))) from None
    standing, reason = _standing(head)
    return Snapshot(external_id=head.id, at=changed or placed, order=order, standing=standing, reason=reason)


def moment(text: str | None) -> datetime | None:
    """RFC 2822, as it is documented; or ISO 8601, as orders from elsewhere are sometimes given."""
    return rfc_2822(text) or iso_8601(text)


def _status(head: Head) -> str:
    """Its number, by its name where there is none; nothing for a name of the shop's own."""
    name = (head.status or "").casefold()
    return head.status_id or (str(STATUSES.index(name)) if name in STATUSES else "")


def _standing(head: Head) -> tuple[Standing, str]:
    status = _status(head)
    if status in CANCELLED:
        return Standing.CANCELLED, head.status or CANCELLED[status]
    if head.is_deleted and status not in DONE:
        return Standing.CANCELLED, "Archived"
    return (Standing.NOT_YET if status in NOT_YET else Standing.OPEN), ""


def _order(whole: Whole, connection: Connection) -> dict[str, object]:
    head, billing = whole.order, whole.order.billing_address or Party()
    places = _places(whole)
    fetched = _fetched(head)
    extras = _extras((*places, billing), connection, fetched=fetched is not None)
    pickup = {"location": fetched.where, "at": extras.pickup_at} if fetched else None
    by_mail = bool(whole.products) and all(one.type in NOT_SHIPPED for one in whole.products)
    digital = (head.order_is_digital or by_mail) and not places
    country = name_of(billing.country_iso2) or connection.country
    money = BigCommerceMoney(whole)
    lines = [one for one in whole.products if money.left(one) > 0]
    email = email_of(first(billing.email, *(place.email for place in places)))
    delivery = None if pickup or digital or not places else _address(places[0], connection)
    return {
        "store": connection.store,
        "number": head.id,
        "source": connection.source,
        "customer": _customer(head, billing, email),
        "contacts": {
            "email": email,
            "phone": phone_of(first(billing.phone, *(place.phone for place in places)), country),
            "language": language_of(head.customer_locale, connection.language),
        },
        "lines": [_line(one, money, whole, connection) for one in lines],
        "delivery_address": delivery,
        "pickup": pickup,
        "delivery_window": extras.window or _wanted(lines, connection),
        "billing_address": _address(billing, connection),
        "payment": _payment(head),
        "currency": money.currency,
        "totals": money.totals,
        "instructions": prose_of(head.customer_message, *extras.instructions),
        "purchase_order": first(extras.purchase_order, *(_said(one, connection).purchase_order for one in lines)),
        "order_type": DIGITAL if digital else "standard",
        "external_ids": _numbers(head, whole.coupons),
    }


def _places(whole: Whole) -> tuple[Party, ...]:
    return whole.addresses or (whole.order.consignments.shipping if whole.order.consignments else ())


def _customer(head: Head, billing: Party, email: str | None) -> dict[str, object]:
    """Guests have the customer number 0."""
    account = head.customer_id if head.customer_id not in (None, "0") else None
    return {
        "id": account or guest_id(email, head.id),
        "name": first(billing.name, billing.company),
    }


def _numbers(head: Head, coupons: tuple[Coupon, ...]) -> list[dict[str, str]]:
    """The order's numbers, and the coupons that the buyer used: people ask for those by their code."""
    found = [
        (SYSTEM, head.id),
        (f"{SYSTEM}_external", name_of(first(head.external_order_id, head.external_id))),
        ("ebay", head.ebay_order_id if head.ebay_order_id != "0" else None),
        *(("coupon", name_of(coupon.code)) for coupon in coupons),
    ]
    return [{"system": system, "id": number} for system, number in found if number]


def _pairs(fields: tuple[FormField, ...]) -> Iterator[tuple[object, object]]:
    for one in fields:
        value = one.value
        yield one.name, ", ".join(map(str, value)) if isinstance(value, list) else value


def _extras(parties: Iterable[Party], connection: Connection, *, fetched: bool) -> Extras:
    fields = [pair for party in parties for pair in _pairs(party.form_fields)]
    return extras_kept(
        dict.fromkeys((str(name or ""), str(value or "")) for name, value in fields),
        connection.fields,
        connection.time_zone,
        OF_AN_ORDER | ({"pickup_at"} if fetched else set()),
    )


def _fetched(head: Head) -> PickupConsignment | None:
    """Where it is fetched. An order that is partly sent goes to an address; what is fetched of it says so by itself."""
    consignments = head.consignments
    return None if consignments is None or consignments.shipping else next(iter(consignments.pickups), None)


def _address(party: Party, connection: Connection) -> Address | None:
    return address_of(
        name=party.name,
        company=party.company,
        street=party.street_1,
        street2=party.street_2,
        city=party.city,
        region=party.state,
        postal_code=party.zip,
        country=first(party.country_iso2, party.country),
        otherwise=connection.country,
    )


def _payment(head: Head) -> dict[str, object]:
    """R55: what was paid at the checkout is prepaid; what is not says by which method it is due."""
    status = _status(head)
    by_status = PaymentStatus.CONFIRMED if status in CONFIRMED else PaymentStatus.PENDING
    paid = PaymentStatus.FLAGGED if status in FLAGGED else by_word(PAYMENT, head.payment_status, by_status)
    credits = {"gift certificate": head.gift_certificate_amount, "store credit": head.store_credit_amount}
    used = [f"{amount.normalize():f} of {name}" for name, amount in credits.items() if amount]
    method = line_of(" and ".join(part for part in (head.payment_method, *used) if part), 500)
    how = "prepaid by" if paid is PaymentStatus.CONFIRMED else "to be paid by"
    return {"status": paid, "method": method, "terms": f"{how} {method}" if method else None}


def _wanted(lines: Sequence[Product], connection: Connection) -> DeliveryWindow | None:
    """The first line's that names a day: by an option, or by its own date (`event_date`)."""
    for one in lines:
        at = moment(one.event_date)
        event = [("delivery date", at.date().isoformat())] if at is not None else []
        window = _said(one, connection).window or extras_of(event, {}, connection.time_zone).window
        if window is not None:
            return window
    return None


def _said(one: Product, connection: Connection) -> Extras:
    pairs = [*map(_chosen, one.product_options), *_pairs(one.configurable_fields)]
    return extras_kept(pairs, connection.fields, connection.time_zone, OF_A_LINE)


def _line(one: Product, money: BigCommerceMoney, whole: Whole, connection: Connection) -> Line:
    said = _said(one, connection)
    wrapping = f"gift wrapping: {one.wrapping_name}" if one.wrapping_name else None
    event = f"{one.event_name or 'wanted on'}: {one.event_date}" if one.event_date else None
    cost = money.cost(one)
    line = Line(
        line_id=one.id,
        sku=sku_of(one.sku, *((kind, found) for kind, found in _catalogue(one) if found != "0")),
        description=prose_of(first(one.name, one.name_customer)) or "",
        quantity=money.left(one),
        unit_price=ZERO,
        instructions=prose_of(*said.instructions, wrapping, one.wrapping_message, event, _elsewhere(one, whole)),
        design=said.design,
        dietary=said.dietary,
        discount=min(cost, money.discount(one)),
        codes=_codes(one),
    )
    return priced(line, cost)


def _catalogue(one: Product) -> tuple[tuple[str, str | None], ...]:
    """What it is in the catalogue. A product that was made up for the order is number 0."""
    return ("variant", one.variant_id), ("product", one.product_id)


def _chosen(option: Option) -> tuple[object, object]:
    """What the buyer chose or wrote, in the words that the buyer saw."""
    value = first(option.display_value, option.display_value_customer)
    return first(option.display_name, option.display_name_customer, option.name), value or _plain(option.value)


def _plain(value: JsonValue) -> str | None:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _codes(one: Product) -> list[dict[str, str]]:
    found = ((f"{SYSTEM}_line", one.id), (f"{SYSTEM}_product", one.product_id), ("gtin", name_of(one.upc)))
    return [{"system": system, "id": number} for system, number in found if number and number != "0"]


def _elsewhere(one: Product, whole: Whole) -> str | None:
    """Where this line goes or is fetched, if that is not where the order is said to go."""
    places = _places(whole)
    place = next((place for place in places[1:] if place.id and place.id == one.order_address_id), None)
    if place is not None:
        return f"deliver to: {_spelled(place)}" if _spelled(place) != _spelled(places[0]) else None
    pickups = whole.order.consignments.pickups if whole.order.consignments else ()
    spot = next((spot for spot in pickups if one.id in {line.product for line in spot.line_items}), None)
    is_the_orders = spot is None or (not places and spot.where == pickups[0].where)
    return None if spot is None or is_the_orders else f"to be fetched: {spot.where}"


def _spelled(place: Party) -> str:
    parts = (place.name, place.company, place.street_1, place.street_2, place.zip, place.city, place.country)
    return ", ".join(part for part in parts if part)
