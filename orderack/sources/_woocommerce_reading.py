"""A WooCommerce order → ours. Which field is read from where: docs/sources/woocommerce.md."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from pydantic import ValidationError

from orderack.domain.money import fits, minor_unit
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
    TaxBasis,
    Totals,
)
from orderack.domain.validation import problems_of
from orderack.errors import InvalidInput
from orderack.ports import Connection, Snapshot, Standing
from orderack.sources import _woocommerce_order as shop
from orderack.sources._loose import payable
from orderack.sources._reading import (
    FETCHED,
    FIELDS,
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
    moment_in,
    name_of,
    phone_of,
    priced,
    prose_of,
    refuse,
    sku_of,
    with_lines,
    without_markup,
)

STANDING: Mapping[str, Standing] = {
    "auto-draft": Standing.NOT_YET,
    "draft": Standing.NOT_YET,
    "checkout-draft": Standing.NOT_YET,
    "pending": Standing.NOT_YET,
    "failed": Standing.NOT_YET,
    "cancelled": Standing.CANCELLED,
    "refunded": Standing.CANCELLED,
    "trash": Standing.CANCELLED,
}
"""`status`; every other, a plugin's own with them, is an open order. `pending` waits at the payment provider, and is
dropped where nobody pays; to pay later is `on-hold`, or `processing` unpaid."""
PAID = frozenset({"processing", "completed"})
LATER = frozenset({"cod"})
"""Ways to pay that an order is processed with before it is paid."""
HELD = "on-hold"
"""It waits for a payment; of what was paid before, somebody, or a plugin against fraud, holds it."""
PICKUP = frozenset({"local_pickup", "pickup_location", "local_pickup_plus"})
NOTHING = Decimal(0)


def reading_of(order: shop.ShopOrder, connection: Connection) -> Snapshot:
    """The order as it stands. Raises InvalidInput naming what is wrong."""
    placed = _moment(order.date_created_gmt, order.date_created, connection)
    at = _moment(order.date_modified_gmt, order.date_modified, connection) or placed
    if placed is None or at is None:
        raise refuse("date_created_gmt", "is no time", "see the order in the shop")
    standing = STANDING.get(order.stands, Standing.OPEN)
    try:
        made = canonical(_order(order, placed, connection), connection.system)
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None
    return Snapshot(
        external_id=order.id,
        at=at,
        order=made,
        standing=standing,
        reason=(line_of(order.status) or "") if standing is Standing.CANCELLED else "",
    )


def _moment(gmt: str | None, local: str | None, connection: Connection) -> datetime | None:
    return shop.moment_of(gmt, moment_in(local or "", connection.time_zone))


def _order(order: shop.ShopOrder, placed: datetime, connection: Connection) -> Mapping[str, object]:
    wanted = [line for line in order.lines if line.quantity > 0 and line.total >= 0]
    currency = order.currency.upper()
    said = _said(_known(order.meta_data, connection), connection, OF_AN_ORDER | FETCHED)
    where = _delivery(order, connection, said)
    if "pickup" not in where:
        said = _said(_known(order.meta_data, connection), connection, OF_AN_ORDER)
    said = with_lines(said, (_said(_shown(line), connection, OF_A_LINE) for line in wanted))
    return {
        "store": connection.store,
        "number": name_of(order.number) or order.id,
        "source": connection.source,
        "trigger_at": _moment(order.date_paid_gmt, order.date_paid, connection) or placed,
        "customer": _customer(order),
        "contacts": _contacts(order, connection),
        "lines": _lines(wanted, currency, connection),
        "delivery_window": said.window,
        "billing_address": _address(order.billing, connection),
        "payment": _payment(order),
        "currency": currency,
        "totals": _totals(order, wanted, currency),
        "instructions": prose_of(order.customer_note, *said.instructions),
        "external_ids": (ExternalId(system="woocommerce", id=order.id),),
        "purchase_order": said.purchase_order,
        "doubts": (*_doubts(order), *doubts_of_length(order.customer_note, *said.instructions)),
        **where,
    }


def _known(meta: Iterable[shop.Meta], connection: Connection) -> list[tuple[object, object]]:
    """Of an order's own fields, most of which are plugins' machinery, those alone that are known to say something."""
    names = {*FIELDS, *(name.casefold() for name in connection.fields)}
    return [(one.key, one.value) for one in meta if (one.key or "").casefold() in names and _is_text(one.value)]


def _said(pairs: list[tuple[object, object]], connection: Connection, place_for: Collection[str]) -> Extras:
    return extras_kept(pairs, connection.fields, connection.time_zone, place_for)


def _is_text(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _totals(order: shop.ShopOrder, wanted: Sequence[shop.Line], currency: str) -> Totals:
    """As WooCommerce reckons: lines after discounts + fees + shipping + tax - gift cards. Its lines are without tax,
    whatever the shop shows its buyers. A shop may reckon with more decimals than can be paid: each sum is rounded to
    what can, and a total that was is a person's to see (`_doubts`)."""
    below = [fee.total for fee in order.fee_lines if fee.total < 0]
    below += [line.total for line in order.lines if line.total < 0]
    off = sum((_off(line, currency) for line in wanted), NOTHING) - sum(below, NOTHING)
    fees = sum((fee.total for fee in order.fee_lines if fee.total > 0), NOTHING)
    ways = sum((way.total or NOTHING for way in order.shipping_lines), NOTHING)
    return Totals(
        discount=payable(off, currency),
        tax=payable(order.total_tax, currency),
        shipping=payable(ways if order.shipping_total is None else order.shipping_total, currency),
        fees=payable(fees, currency),
        credit=payable(sum((card.amount for card in order.gift_cards), NOTHING), currency),
        tax_basis=TaxBasis.ADDED,
        total=payable(order.total, currency),
    )


def _before(line: shop.Line, currency: str) -> Decimal:
    """What it costs before discounts; a price that was raised by hand has none.

    `subtotal` and `total` are rounded, and the price (after discounts) is not. Where the shop's prices hold the tax,
    lines without it have more digits, and WooCommerce rounds their sum: so the price with all its digits counts.
    """
    exact = line.price * line.quantity if line.price is not None else line.total
    after = exact if abs(exact - line.total) <= minor_unit(currency) / 2 else line.total
    return (after + _off(line, currency)).quantize(FOUR, ROUND_HALF_UP)


def _off(line: shop.Line, currency: str) -> Decimal:
    """What less than half of a coin is was rounded off."""
    off = (line.total if line.subtotal is None else line.subtotal) - line.total
    return NOTHING if off <= minor_unit(currency) / 2 else payable(off, currency)


def _lines(wanted: Sequence[shop.Line], currency: str, connection: Connection) -> tuple[Line, ...]:
    made: dict[str, Line] = {}
    for at, line in enumerate(wanted):
        name = line.id or str(at + 1)
        while name in made:  # two rows of one id that are not the same row
            name = f"{name}-{at + 1}"
        made[name] = _line(line, name, currency, connection)
    return tuple(made.values())


def _line(line: shop.Line, name: str, currency: str, connection: Connection) -> Line:
    said = _said(_shown(line), connection, OF_A_LINE)
    codes = [("woocommerce_line", line.id), ("woocommerce_bundle", line.bundled_by or line.composite_parent)]
    made = Line(
        line_id=name,
        sku=sku_of(line.sku, ("variation", line.variation_id), ("product", line.product_id), ("line", line.id)),
        description=line_of(without_markup(line.name or "")) or "",
        quantity=line.quantity,
        unit_price=NOTHING,
        instructions=prose_of(*said.instructions),
        design=said.design,
        dietary=said.dietary,
        discount=_off(line, currency),
        codes=tuple(ExternalId(system=system, id=found) for system, found in codes if found),
    )
    return priced(made, _before(line, currency))


def _shown(line: shop.Line) -> list[tuple[object, object]]:
    """A line's fields that the shop shows its buyer; what a variation's name says already is not said twice."""
    named = without_markup(line.name or "").casefold() if line.variation_id else ""
    shown: list[tuple[object, object]] = []
    for one in line.meta_data:
        key, value = one.key or "", one.display_value if _is_text(one.display_value) else one.value
        if key.startswith("_") or not _is_text(value):
            continue
        text = without_markup(str(value)).strip()
        if not named or text.casefold() not in named:
            shown.append((without_markup(one.display_key or key.removeprefix("pa_")), text))
    return shown


def _customer(order: shop.ShopOrder) -> Customer:
    places = [place for place in (order.billing, order.shipping) if place]
    names = [line_of(" ".join(part for part in (place.first_name, place.last_name) if part)) for place in places]
    companies = [line_of(place.company) for place in places]
    email = email_of(order.billing.email) if order.billing else None
    return Customer(
        id=order.customer_id or guest_id(email, order.id),
        name=next((name for name in (*names, *companies) if name), None),
    )


def _contacts(order: shop.ShopOrder, connection: Connection) -> Contacts:
    """The language is in no field of WooCommerce's own; plugins for several write it as `wpml_language`."""
    places = [place for place in (order.billing, order.shipping) if place]
    country = next((place.country for place in places if place.country), connection.country)
    spoken = next((str(one.value) for one in order.meta_data if one.key == "wpml_language" and _is_text(one.value)), "")
    return Contacts(
        email=next((found for place in places if (found := email_of(place.email))), None),
        phone=next((found for place in places if (found := phone_of(place.phone, country))), None),
        language=language_of(spoken, connection.language),
    )


def _address(place: shop.Place | None, connection: Connection) -> Address | None:
    """WooCommerce writes an address that there is none of with empty texts."""
    if place is None:
        return None
    said = (place.address_1, place.city, place.postcode)
    if not any(line_of(part) for part in said):
        return None
    return address_of(
        name=" ".join(part for part in (place.first_name, place.last_name) if part),
        company=place.company,
        street=place.address_1,
        street2=place.address_2,
        city=place.city,
        region=place.state,
        postal_code=place.postcode,
        country=place.country,
        otherwise=connection.country,
    )


def _delivery(order: shop.ShopOrder, connection: Connection, said: Extras) -> Mapping[str, object]:
    """To the shipping address; to the billing address where the buyer gave no other; or to a counter of the shop's."""
    counter = next((way for way in order.shipping_lines if (way.method_id or "").partition(":")[0] in PICKUP), None)
    if counter is not None or said.pickup_location:
        named = [one.value for one in counter.meta_data if one.key == "pickup_location"] if counter else []
        place = next((line_of(one) for one in (said.pickup_location, *named) if _is_text(one)), None)
        title = line_of(counter.method_title) if counter else None
        return {"pickup": Pickup(location=place or title or "the shop", at=said.pickup_at)}
    if order.needs_processing is False and not order.shipping_lines:
        return {"order_type": DIGITAL}
    return {"delivery_address": _address(order.shipping, connection) or _address(order.billing, connection)}


def _payment(order: shop.ShopOrder) -> Payment:
    method = line_of(order.payment_method_title) or line_of(order.payment_method)
    dated = bool(order.date_paid_gmt or order.date_paid)
    paid = dated or (order.stands in PAID and (order.total == 0 or order.payment_method not in LATER))
    status = PaymentStatus.CONFIRMED if paid else PaymentStatus.PENDING
    if dated and order.stands == HELD:
        status = PaymentStatus.FLAGGED
    how = "prepaid" if paid else "to be paid"
    terms = f"{how} by {method}" if method else how if paid else None
    return Payment(status=status, terms=terms, method=method)


def _doubts(order: shop.ShopOrder) -> tuple[Doubt, ...]:
    return (*_given_back(order), *_not_payable(order))


def _given_back(order: shop.ShopOrder) -> Iterable[Doubt]:
    """Part of the money went back, and an order does not say for which of its lines."""
    back = sum((abs(one.total or NOTHING) for one in order.refunds), NOTHING)
    if back and order.stands not in STANDING:
        why = f"The shop gave back {back:.2f} {order.currency} of it: see there which lines are still wanted."
        yield Doubt(field="lines", why=why, confidence=Decimal("0.5"))


def _not_payable(order: shop.ShopOrder) -> Iterable[Doubt]:
    """WooCommerce's setting "Number of decimals" is above what the currency has: who took the money rounded it."""
    if not fits(order.total, order.currency.upper()):
        why = f"The shop says {order.total.normalize():f} {order.currency}, which nobody can pay: see what was taken."
        yield Doubt(field="totals.total", why=why, confidence=Decimal("0.5"))
