"""A Magento order as one of ours (commerce.md §11)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from pydantic import ValidationError

from orderack.domain.order import DIGITAL, Line, PaymentStatus
from orderack.domain.order import Address as OurAddress
from orderack.domain.validation import problems_of
from orderack.errors import InvalidInput
from orderack.ports import Connection, Snapshot, Standing
from orderack.sources._loose import ZERO, first, iso_8601, payable
from orderack.sources._magento_money import MagentoMoney
from orderack.sources._magento_wire import Address, GiftMessage, Item, Ordered, Parts
from orderack.sources._reading import (
    OF_A_LINE,
    OF_AN_ORDER,
    Extras,
    address_of,
    canonical,
    email_of,
    extras_kept,
    guest_id,
    line_of,
    name_of,
    phone_of,
    priced,
    prose_of,
    refuse,
    sku_of,
    word_of,
)

SYSTEM = "magento"
OURS = "orderack "
"""How the last line of our own comments begins (`_storefront_note.marker`)."""
AT_CHECKOUT = timedelta(seconds=2)
"""A comment that the shop shows on its page, as old as the order, was written by the buyer at the checkout; a later one
by the payment's module, as a rule."""

STANDING: Mapping[str, Standing] = {
    "pending_payment": Standing.NOT_YET,
    "canceled": Standing.CANCELLED,
    "closed": Standing.CANCELLED,
}
"""`state`. `pending_payment`: the buyer is at the payment provider's and may never come back. `closed`: refunded."""
FLAGGED = frozenset({"holded", "payment_review", "fraud"})
"""`state`, or `status`: somebody or something wants a look at it first."""

VIRTUAL = frozenset({"virtual", "downloadable"})
"""`product_type` of what is not shipped."""

METHODS: Mapping[str, str] = {
    "checkmo": "check or money order",
    "banktransfer": "bank transfer",
    "cashondelivery": "cash on delivery",
    "purchaseorder": "purchase order",
    "companycredit": "company credit",
}
"""Magento's own methods that name themselves by a code only."""


def snapshot_of(order: Ordered, connection: Connection) -> Snapshot:
    """How the order stands. Raises InvalidInput naming every field that cannot be taken."""
    placed, changed = iso_8601(order.created_at), iso_8601(order.updated_at)
    if placed is None:
        raise refuse("created_at", "is no time", "see the order in Magento")
    try:
        ours = canonical(_order(order, connection) | {"trigger_at": placed}, SYSTEM)
    except ValidationError as error:
        raise InvalidInput(list(problems_of(error))) from None
    standing = STANDING.get(order.stands, Standing.OPEN)
    reason = (order.status or order.stands) if standing is Standing.CANCELLED else ""
    return Snapshot(
        external_id=order.entity_id, at=changed or placed, order=ours, standing=standing, reason=line_of(reason) or ""
    )


def _order(order: Ordered, connection: Connection) -> dict[str, object]:
    parts = order.extension_attributes or Parts()
    billing = order.billing_address or Address()
    shipping = _shipping(parts)
    money = MagentoMoney(order)
    email = email_of(first(order.customer_email, billing.email, shipping.email if shipping else None))
    pickup = _pickup(parts, shipping)
    account = None if order.customer_is_guest or order.customer_id in (None, "0") else order.customer_id
    virtual = order.is_virtual or (bool(money.rows) and all(_is_virtual(row) for row in money.rows))
    rows = [row for row in money.rows if money.left(row) > 0]
    extras = _extras(parts, rows, connection)
    po = name_of(order.payment.po_number) if order.payment else None
    return {
        "store": connection.store,
        "number": name_of(order.increment_id) or order.entity_id,
        "source": connection.source,
        "customer": {
            "id": account or guest_id(email, order.entity_id),
            "name": first(_joined(order.customer_firstname, order.customer_lastname), _name(billing), billing.company),
        },
        "contacts": {
            "email": email,
            "phone": phone_of(
                first(billing.telephone, shipping.telephone if shipping else None),
                name_of(billing.country_id) or connection.country,
            ),
            "language": connection.language,
        },
        "lines": [_line(row, money, order, connection) for row in rows],
        "delivery_address": None if pickup or shipping is None else _address(shipping, connection),
        "pickup": pickup and pickup | {"at": extras.pickup_at},
        "delivery_window": extras.window,
        "billing_address": _address(billing, connection),
        "payment": _payment(order, parts, money),
        "currency": money.currency,
        "totals": money.totals,
        "instructions": prose_of(*_said_at_checkout(order), _gift(parts.gift_message), *extras.instructions),
        "purchase_order": po or extras.purchase_order,
        "order_type": DIGITAL if virtual and shipping is None and pickup is None else "standard",
        "external_ids": _numbers(order),
    }


def _numbers(order: Ordered) -> list[dict[str, str]]:
    found = (
        (SYSTEM, order.entity_id),
        (f"{SYSTEM}_external", name_of(order.ext_order_id)),
        (f"{SYSTEM}_original", name_of(order.original_increment_id)),
        ("coupon", name_of(order.coupon_code)),
    )
    return [{"system": system, "id": number} for system, number in found if number]


def _extras(parts: Parts, rows: Sequence[Item], connection: Connection) -> Extras:
    """What modules keep beside the order (a delivery date, say), where its name says what it is to us; else what the
    first line's options say of the order."""
    beside = [(name.replace("_", " "), value) for name, value in (parts.model_extra or {}).items()]
    known = [(name, value) for name, value in beside if _is_text(value) and word_of(name, connection.fields)]
    place_for = OF_AN_ORDER | ({"pickup_at"} if parts.pickup_location_code else set())
    whole = extras_kept(known, connection.fields, connection.time_zone, place_for)
    lines = [_options(row, connection) for row in rows]
    found = {
        "window": whole.window or next((one.window for one in lines if one.window), None),
        "purchase_order": first(whole.purchase_order, *(one.purchase_order for one in lines)),
    }
    return whole.model_copy(update=found)


def _is_text(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _is_virtual(row: Item) -> bool:
    return row.is_virtual or row.product_type in VIRTUAL


def _shipping(parts: Parts) -> Address | None:
    """The first address that goods are sent to; a virtual order has none."""
    found = (one.shipping.address for one in parts.shipping_assignments if one.shipping)
    return next((address for address in found if address is not None), None)


def _pickup(parts: Parts, shipping: Address | None) -> dict[str, object] | None:
    """In-store pickup: Magento writes the store's own address as the one that goods are sent to."""
    if parts.pickup_location_code is None:
        return None
    spot = shipping or Address()
    said = _joined(spot.company, _name(spot), *_street(spot), spot.city, by=", ")
    return {"location": line_of(said) or parts.pickup_location_code}


def _joined(*parts: str | None, by: str = " ") -> str | None:
    return by.join(part for part in parts if part) or None


def _name(address: Address) -> str | None:
    return _joined(address.firstname, address.middlename, address.lastname)


def _street(address: Address) -> list[str]:
    lines = address.street.splitlines() if isinstance(address.street, str) else address.street
    return [line for line in lines if line]


def _address(address: Address, connection: Connection) -> OurAddress | None:
    street, *more = _street(address) or [""]
    return address_of(
        name=_name(address),
        company=address.company,
        street=street,
        street2=_joined(*more, by=", "),
        city=address.city,
        region=address.region,
        postal_code=address.postcode,
        country=address.country_id,
        otherwise=connection.country,
    )


def _payment(order: Ordered, parts: Parts, money: MagentoMoney) -> dict[str, object]:
    """R55: paid at the checkout is prepaid; a purchase order is on account; any other says by what it is due."""
    code = order.payment.method if order.payment else None
    titles = (info.value for info in parts.payment_additional_info if info.key == "method_title")
    title = next((title for title in titles if isinstance(title, str) and title.strip() not in ("", "null")), None)
    method = line_of(title or METHODS.get(code or "") or code, 500)
    grand = payable(order.grand_total, money.currency)
    paid = not grand or payable(order.total_paid, money.currency) >= grand
    held = order.stands in FLAGGED or order.status in FLAGGED
    status = PaymentStatus.FLAGGED if held else PaymentStatus.CONFIRMED if paid else PaymentStatus.PENDING
    if not grand:
        return {"status": status, "method": method, "terms": "nothing to pay"}
    how = "prepaid by" if paid else "on account by" if code in ("purchaseorder", "companycredit") else "to be paid by"
    return {"status": status, "method": method, "terms": f"{how} {method}" if method else None}


def _said_at_checkout(order: Ordered) -> list[str]:
    """What the buyer wrote at the checkout. Magento, or a module, keeps it among the comments, where ours are too."""
    placed = iso_8601(order.created_at)
    found = [order.customer_note] if order.customer_note else []
    for one in order.status_histories:
        at = iso_8601(one.created_at)
        early = at is not None and placed is not None and abs(at - placed) <= AT_CHECKOUT
        ours = (one.comment or "").rpartition("\n")[2].startswith(OURS)
        if one.comment and one.is_visible_on_front and early and not ours:
            found.append(one.comment)
    return list(dict.fromkeys(found))


def _gift(message: GiftMessage | None) -> str | None:
    if message is None or not message.message:
        return None
    who = _joined(
        f"to {message.recipient}" if message.recipient else None, f"from {message.sender}" if message.sender else None
    )
    return f"gift message{f' {who}' if who else ''}: {message.message}"


def _options(item: Item, connection: Connection) -> Extras:
    """What the buyer filled in. Magento names an option by its number; the policy's `fields` may say what it is."""
    parts = item.product_option.extension_attributes if item.product_option else None
    options = parts.custom_options if parts else ()
    pairs = (
        (f"option {one.option_id}", one.option_value if isinstance(one.option_value, str) else None) for one in options
    )
    return extras_kept(pairs, connection.fields, connection.time_zone, OF_A_LINE)


def _line(row: Item, money: MagentoMoney, order: Ordered, connection: Connection) -> Line:
    said, cost = _options(row, connection), money.cost(row)
    bundle = next((item.name for item in order.items if item.item_id == row.parent), None) if row.parent else None
    described = _joined(row.name, f"(in {bundle})" if bundle and bundle != row.name else None)
    gift = row.extension_attributes.gift_message if row.extension_attributes else None
    line = Line(
        line_id=row.item_id,
        sku=sku_of(row.sku, ("product", row.product_id)),
        description=prose_of(described) or "",
        quantity=money.left(row),
        unit_price=ZERO,
        instructions=prose_of(*said.instructions, _gift(gift), _elsewhere(row, order)),
        design=said.design,
        dietary=said.dietary,
        discount=min(money.discount(row), cost),
        codes=[
            {"system": system, "id": number}
            for system, number in ((f"{SYSTEM}_line", row.item_id), (f"{SYSTEM}_product", row.product_id))
            if number
        ],
    )
    return priced(line, cost)


def _elsewhere(row: Item, order: Ordered) -> str | None:
    """Where this line goes, if the order goes to several addresses and this is not the first."""
    parts = order.extension_attributes or Parts()
    first_of_all = _shipping(parts)
    for one in parts.shipping_assignments:
        place = one.shipping.address if one.shipping else None
        if place is None or place == first_of_all:
            continue
        if {row.item_id, row.parent} & {item.item_id for item in one.items} - {None}:
            return f"deliver to: {_spelled(place)}"
    return None


def _spelled(place: Address) -> str:
    street = ", ".join(_street(place))
    return _joined(_name(place), place.company, street, place.postcode, place.city, place.country_id, by=", ") or ""
