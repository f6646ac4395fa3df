"""A Walmart order into ours: charges are for the whole line, and what is cancelled of it goes (commerce.md §17)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from pydantic import ValidationError

from orderack.domain.order import ExternalId, Line, PaymentStatus, TaxBasis
from orderack.domain.validation import problems_of
from orderack.errors import InvalidInput
from orderack.ports import Connection, Skipped, Snapshot, Standing
from orderack.sources._loose import payable
from orderack.sources._reading import (
    address_of,
    amount,
    canonical,
    email_of,
    guest_id,
    line_of,
    name_of,
    phone_of,
    priced,
    prose_of,
    refuse,
    sku_of,
)
from orderack.sources._walmart_wire import Charge, PostalAddress, WalmartLine, WalmartOrder

SYSTEM = "walmart"
TERMS = "prepaid through Walmart"
"""Walmart charges the buyer and pays the seller, whatever the buyer paid with."""
_ZERO = Decimal(0)


def reading_of(order: WalmartOrder, connection: Connection, answer_within: timedelta | None) -> Snapshot | Skipped:
    """How the order stands. Raises InvalidInput naming what is wrong."""
    if order.by_walmart:
        return Skipped(why="Walmart Fulfillment Services send it")
    external_id = name_of(order.id)
    if external_id is None:
        raise refuse("purchaseOrderId", "is missing", "see what Walmart sent")
    times = [order.placed_at, *_times(order)]
    cancelled = bool(order.lines) and not order.left
    reasons = dict.fromkeys(status.reason for line in order.lines for status in line.statuses if status.reason)
    try:
        made = _made(order, external_id, connection)
    except ValidationError as error:
        raise InvalidInput(list(problems_of(error))) from None
    if answer_within is not None:
        made["partner_deadline"] = {"partner": SYSTEM, "due_at": order.placed_at + answer_within}
    return Snapshot(
        external_id=external_id,
        at=max(times),
        order=canonical(made, SYSTEM),
        standing=Standing.CANCELLED if cancelled else Standing.OPEN,
        reason=line_of("; ".join(reasons)) or "cancelled at Walmart" if cancelled else "",
    )


def _times(order: WalmartOrder) -> Iterable[datetime]:
    for line in order.lines:
        yield from (at for at in (line.at, *(status.at for status in line.statuses)) if at is not None)


def _made(order: WalmartOrder, external_id: str, connection: Connection) -> dict[str, object]:
    """The fields of our order."""
    lines = order.left or tuple(line for line in order.lines if line.ordered)
    sums = [_Sums(line, whole=not order.left) for line in lines]
    currency = _currency(order)
    ship_to, country = order.shipping.address, connection.country
    email = email_of(order.email)
    made: dict[str, object] = {
        "store": connection.store,
        "number": name_of(order.customer_order) or external_id,
        "source": connection.source,
        "trigger_at": order.placed_at,
        "customer": {
            "id": name_of(order.buyer) or guest_id(email, external_id),
            "name": line_of(ship_to.name) if ship_to else None,
        },
        "contacts": {
            "email": email,
            "phone": phone_of(order.shipping.phone, country),
            "language": connection.language,
        },
        "lines": [one.ours for one in sums],
        "delivery_address": _address(ship_to, country),
        "billing_address": _address(order.billing.address, country) if order.billing else None,
        "payment": {
            "status": PaymentStatus.FLAGGED if _held(order) else PaymentStatus.CONFIRMED,
            "terms": TERMS,
            "method": line_of(order.payment_method or ", ".join(order.paid_with)),
        },
        "currency": currency,
        "totals": _totals(order, sums, currency),
        "instructions": prose_of(*_instructions(order)),
        "order_type": "replacement" if order.kind == "REPLACEMENT" else "standard",
        "external_ids": _ids(order, external_id),
    }
    if made["delivery_address"] is None and (store := _store(order)):
        made["pickup"] = {"location": f"Walmart store {store}"}
    ship_by, deliver_by = order.shipping.ship_by, order.shipping.deliver_by
    if ship_by and deliver_by and ship_by < deliver_by:
        made["delivery_window"] = {"start": ship_by, "end": deliver_by}
    return made


class _Sums:
    """What a line comes to: all of it, or what is not cancelled of it."""

    def __init__(self, line: WalmartLine, whole: bool) -> None:
        self._line = line
        self.quantity = line.ordered if whole else line.left
        self.goods_priced = any(one.kind == "PRODUCT" and one.amount and not one.lowers for one in line.charges)
        if not self.goods_priced and line.item.price is None:
            raise refuse(f"line {line.number}", "has no price", "see the order at Walmart")

    @property
    def goods(self) -> Decimal:
        """The line's price before discounts. Mexico says what one costs, tax included, and charges no amount for it."""
        price = self._line.item.price
        if not self.goods_priced and price is not None:
            return amount(price.amount, "unitPrice") * self.quantity
        return self._of(lambda one: one.kind == "PRODUCT" and not one.lowers)

    @property
    def discount(self) -> Decimal:
        return self._of(lambda one: one.lowers)

    @property
    def shipping(self) -> Decimal:
        return self._of(lambda one: one.kind == "SHIPPING" and not one.lowers)

    @property
    def fees(self) -> Decimal:
        return self._of(lambda one: one.kind not in ("PRODUCT", "SHIPPING") and not one.lowers)

    def tax(self, *, of_shipping: bool | None = None) -> Decimal:
        """Of everything; or only of what is shipping."""
        found = [one for one in self._line.charges if of_shipping is None or (one.kind == "SHIPPING") is of_shipping]
        taxes = (tax.amount.amount for one in found for tax in one.taxes if tax.amount)
        return self._share(sum((amount(tax, "taxAmount") for tax in taxes), _ZERO))

    def _of(self, wanted: Callable[[Charge], bool]) -> Decimal:
        found = (one.amount.amount for one in self._line.charges if one.amount and wanted(one))
        return self._share(sum((abs(amount(one, "chargeAmount")) for one in found), _ZERO))

    def _share(self, of_all: Decimal) -> Decimal:
        """The part of a charge for the whole line that is for what is left of it, to the cent."""
        if self.quantity == self._line.ordered:
            return of_all
        return (of_all * self.quantity / self._line.ordered).quantize(Decimal("0.01"), ROUND_HALF_UP)

    @property
    def ours(self) -> Line:
        item, number = self._line.item, self._line.number
        ids = ((f"{SYSTEM}_line", number), ("gtin", item.upc), (f"{SYSTEM}_offer", item.offer))
        line = Line(
            line_id=name_of(number) or "unnumbered",
            sku=sku_of(item.sku, ("gtin", item.upc), ("line", number)),
            description=line_of(item.name) or "",
            model=None if item.condition in (None, "New") else line_of(item.condition),
            quantity=self.quantity,
            unit_price=_ZERO,
            design=f"Walmart configuration {line_of(self._line.config)}" if line_of(self._line.config) else None,
            discount=self.discount,
            unit=None if self._line.quantity.unit in (None, "EACH", "EA") else name_of(self._line.quantity.unit),
            codes=tuple(ExternalId(system=system, id=found) for system, value in ids if (found := name_of(value))),
        )
        return priced(line, self.goods)


def _totals(order: WalmartOrder, sums: Sequence[_Sums], currency: str) -> dict[str, object]:
    """What Walmart says that it comes to, where it says so; else what its charges come to."""
    included = {not one.goods_priced for one in sums}
    if len(included) > 1:
        raise refuse("charges", "are with and without tax in one order", "see the order at Walmart")
    basis = TaxBasis.INCLUDED if included == {True} else TaxBasis.ADDED
    shipping = sum((one.shipping for one in sums), _ZERO)
    if basis is TaxBasis.INCLUDED:
        shipping += sum((one.tax(of_shipping=True) for one in sums), _ZERO)
    found = {
        "discount": sum((one.discount for one in sums), _ZERO),
        "tax": sum((one.tax() for one in sums), _ZERO),
        "shipping": shipping,
        "fees": sum((one.fees for one in sums), _ZERO),
    }
    money = {name: payable(value, currency) for name, value in found.items()}
    goods = sum((one.goods for one in sums), _ZERO)
    added = goods - money["discount"] + money["shipping"] + money["fees"]
    added += money["tax"] if basis is TaxBasis.ADDED else _ZERO
    said = _said_total(order)
    if basis is TaxBasis.INCLUDED and said == goods:
        said = None  # Mexico's is of the goods alone, in each of its published orders: what is paid are the charges too
    return {**money, "tax_basis": basis, "total": payable(added if said is None else said, currency)}


def _said_total(order: WalmartOrder) -> Decimal | None:
    """Mexico's total is of what is left; the United States' summary is of what was placed, so it holds until then."""
    if order.total is not None:
        return amount(order.total.amount, "orderTotal")
    summary = order.summary.total if order.summary else None
    whole = not any(line.cancelled for line in order.lines)
    return amount(summary.amount, "orderSummary") if summary is not None and whole else None


def _currency(order: WalmartOrder) -> str:
    charges = [charge.amount for line in order.lines for charge in line.charges]
    taxes = [tax.amount for line in order.lines for charge in line.charges for tax in charge.taxes]
    prices = [line.item.price for line in order.lines]
    said = [*charges, *taxes, *prices, order.total, order.summary.total if order.summary else None]
    found = {money.currency for money in said if money is not None}
    if len(found) != 1:
        raise refuse("currency", "is not one for the whole order", "see the order at Walmart")
    return found.pop()


def _address(address: PostalAddress | None, country: str) -> object:
    if address is None:
        return None
    more = (address.address2, address.address3, address.address4, address.address5, address.address6)
    return address_of(
        name=address.name,
        street=address.address1,
        street2=", ".join(part for part in more if part),
        city=address.city,
        region=address.state,
        postal_code=address.postal_code,
        country=address.country,
        otherwise=country,
    )


def _instructions(order: WalmartOrder) -> Iterable[str]:
    if order.original:
        yield f"Replacement of order {line_of(order.original)}" if order.kind == "REPLACEMENT" else ""
    if order.shipping.method:
        yield f"Ship method: {line_of(order.shipping.method)}"
    for person in order.pickup_persons:
        yield f"To be handed to {line_of(person.name.whole)}" if person.name and line_of(person.name.whole) else ""
    for line in order.left:
        if line.fulfillment and (fetched_by := line_of(line.fulfillment.by)):
            yield f"Line {line_of(line.number)} is fetched by {fetched_by}"
        if line.buyer_cancels:
            yield f"The buyer has asked Walmart to cancel line {line_of(line.number)}"


def _held(order: WalmartOrder) -> bool:
    return any(line.stands("onhold", "on hold") for line in order.lines)


def _store(order: WalmartOrder) -> str | None:
    stores = (line_of(line.fulfillment.store) for line in order.lines if line.fulfillment)
    return next((store for store in stores if store), None)


def _ids(order: WalmartOrder, external_id: str) -> list[dict[str, str]]:
    also = (
        (SYSTEM, external_id),
        (f"{SYSTEM}_customer_order", order.customer_order),
        (f"{SYSTEM}_original_order", order.original),
        (f"{SYSTEM}_seller_order", order.seller_order),
    )
    return [{"system": system, "id": found} for system, value in also if (found := name_of(value))]
