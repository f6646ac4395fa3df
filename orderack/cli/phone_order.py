"""What was said on the phone → an order, and the sentences by which it is read back."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from orderack.cli.phone_questions import Answers, Desk, line_in, window_in
from orderack.cli.reading import accepted
from orderack.domain.intake import parse_order
from orderack.domain.money import add_up, minor_unit
from orderack.domain.order import Order, Relation
from orderack.sources._reading import guest_id

SOURCE = "phone"


def order_of(said: Answers, desk: Desk, number: str, now: datetime) -> Order:
    """The order; the clock starts now. Raises InvalidInput naming every field."""
    currency = said["currency"]
    lines = [line_in(said[name]) for name in said if name.startswith("line ") and said[name]]
    shipping = Decimal(said["shipping"])
    goods = sum((quantity * price for _, quantity, price, _ in lines), Decimal(0))
    window = window_in(said["when"], desk.time_zone) if said.get("when") else None
    made: dict[str, object] = {
        "store": said["store"],
        "number": number,
        "source": SOURCE,
        "trigger_at": now.isoformat(),
        "customer": {
            "id": said.get("customer_id") or guest_id(None, said["phone"]),
            "name": said["name"],
            **({"relation": Relation.REPEAT} if desk.last else {}),
        },
        "contacts": {
            "phone": said["phone"],
            "email": said.get("email") or None,
            "preferred_channel": said["hear"],
            "language": desk.last.contacts.language if desk.last else desk.language,
        },
        "lines": [
            {
                "line_id": str(place),
                "sku": sku,
                "description": description,
                "quantity": str(quantity),
                "unit_price": str(price),
            }
            for place, (sku, quantity, price, description) in enumerate(lines, 1)
        ],
        "currency": currency,
        "totals": {"shipping": str(shipping), "total": str((goods + shipping).quantize(minor_unit(currency)))},
        "payment": {"terms": said["terms"]},
        "instructions": said.get("instructions") or None,
        **_place(said),
    }
    if window is not None:
        made["delivery_window"] = {"start": window[0].isoformat(), "end": window[1].isoformat()}
    return accepted(parse_order(made))


def _place(said: Answers) -> dict[str, object]:
    if said["way"] == "pickup":
        return {"pickup": {"location": said["location"]}}
    address = {name: said.get(name) or None for name in ("street", "postal_code", "city", "country")}
    return {"delivery_address": {"name": said["name"], **address}}


def read_back(order: Order) -> Iterator[str]:
    """The order in full sentences, for the caller to hear."""
    yield f"This is an order by {order.customer.name}, phone {order.contacts.phone}."
    for line in order.lines:
        named = f"{line.sku}, {line.description}" if line.description else line.sku
        each, whole = f"{line.unit_price:f} {order.currency}", f"{line.amount:f} {order.currency}"
        yield f"{line.quantity:f} of {named}, at {each} each: {whole}."
    if order.totals.shipping:
        yield f"Delivery costs {order.totals.shipping:f} {order.currency}."
    yield f"That is {add_up(order):f} {order.currency} in all."
    if order.pickup is not None:
        yield f"You fetch it at {order.pickup.location}."
    elif (address := order.delivery_address) is not None:
        town = f"{address.postal_code or ''} {address.city}".strip()
        yield f"It goes to {address.street}, {town}, {address.country}."
    if (window := order.delivery_window) is not None:
        yield f"You asked for {window.start:%A %d %B %Y}, between {window.start:%H:%M} and {window.end:%H:%M}."
    if order.instructions:
        yield f"Note: {order.instructions}"
    yield f"Payment: {order.payment.terms}."
    where = order.contacts.email if "mail" in (order.contacts.preferred_channel or "") else order.contacts.phone
    yield f"We write to {where} by {order.contacts.preferred_channel}."
