"""An order of the Orders API 2026-01-01 in our words.

Its `proceeds` hold the money by kind: for the whole order, for each item, or for both. Where both say something the
order's own figure counts, and what no item has (a tip) stands there alone. `ITEM` is a line's whole cost; the unit
price beside it is used only where there is none. Facts: orders_2026-01-01.json, commerce.md §16.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from babel.numbers import get_territory_currencies

from orderack.domain.order import (
    Address,
    Contacts,
    Customer,
    DeliveryWindow,
    ExternalId,
    Line,
    Payment,
    PaymentStatus,
    Pickup,
    TaxBasis,
    Totals,
)
from orderack.ports import Connection, Reading, Skipped, Snapshot, Standing
from orderack.sources._amazon_shapes import AmazonOrder, Buyer, Execution, Item, Money, Place, Proceeds
from orderack.sources._reading import (
    address_of,
    amount,
    canonical,
    country_of,
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

STANDING: Mapping[str, Standing] = MappingProxyType(
    {
        "PENDING_AVAILABILITY": Standing.NOT_YET,
        "PENDING": Standing.NOT_YET,
        "UNSHIPPED": Standing.OPEN,
        "PARTIALLY_SHIPPED": Standing.OPEN,
        "SHIPPED": Standing.OPEN,
        "CANCELLED": Standing.CANCELLED,
    }
)
"""`UNFULFILLABLE` is about Amazon's own warehouses, and is none of ours. PENDING: the payment is not authorised yet."""

UNPAID: Mapping[str, str] = MappingProxyType(
    {"CashOnDelivery": "cash on delivery", "Invoice": "by invoice through Amazon"}
)
"""Ways to pay of which nothing has been paid when the order is released to the seller."""


def reading_of(found: AmazonOrder, connection: Connection) -> Reading:
    """The order as it stands; Skipped where it is not the seller's to fulfil. Raises InvalidInput."""
    status = found.fulfillment.fulfillmentStatus
    if (found.fulfillment.fulfilledBy or "").upper() == "AMAZON":
        return Skipped(why="Amazon fulfils this order itself (FBA): the seller has nothing to do for it")
    if found.salesChannel and (found.salesChannel.channelName or "").upper() == "NON_AMAZON":
        return Skipped(why="a fulfilment order that the seller made himself for a sale elsewhere: no sale of Amazon's")
    if status not in STANDING:
        return Skipped(why=f"its status {line_of(status, 60)} is none of a seller's own orders")
    standing = STANDING[status]
    order = canonical(_fields(found, connection, standing), connection.system)
    reason = "; ".join(text for item in found.orderItems if (text := _wish(item)))
    return Snapshot(
        external_id=found.orderId,
        at=found.lastUpdatedTime,
        order=order,
        standing=standing,
        reason=(line_of(reason) or "cancelled at Amazon") if standing is Standing.CANCELLED else "",
    )


def _fields(found: AmazonOrder, connection: Connection, standing: Standing) -> Mapping[str, object]:
    place = found.recipient.deliveryAddress if found.recipient else None
    address = _address(place, connection)
    fetched = "IN_STORE_PICK_UP" in found.programs
    buyer = found.buyer or Buyer()
    email = email_of(buyer.buyerEmail)
    currency = _currency(found, standing, connection)
    lines = [_line(item, currency) for item in found.orderItems if item.quantityOrdered > 0]
    return {
        "store": connection.store,
        "number": found.orderId,
        "source": connection.source,
        "trigger_at": found.createdTime,
        "customer": Customer(
            id=guest_id(email, found.orderId), name=line_of(buyer.buyerName) or line_of(place.name if place else None)
        ),
        "contacts": Contacts(
            email=email,
            phone=phone_of(place.phone if place and not fetched else None, country_of(_country(place), None)),
            language=connection.language,
        ),
        "lines": lines,
        "delivery_address": None if fetched else address,
        "pickup": Pickup(location=_spelled(address)) if fetched and address else None,
        "billing_address": _billing(found, connection),
        "delivery_window": _window(found),
        "payment": _payment(found, standing),
        "currency": currency,
        "totals": _totals(found, lines, currency, standing),
        "instructions": _instructions(found),
        "purchase_order": name_of(buyer.buyerPurchaseOrderNumber),
        "external_ids": _ids(found, connection),
    }


def _country(place: Place | None) -> str | None:
    return place.countryCode if place else None


def _address(place: Place | None, connection: Connection) -> Address | None:
    if place is None:
        return None
    second = ", ".join(part for part in (place.addressLine2, place.addressLine3, place.districtOrCounty) if part)
    return address_of(
        name=place.name,
        company=place.companyName,
        street=place.addressLine1,
        street2=second,
        city=place.city or place.municipality,
        region=place.stateOrRegion,
        postal_code=place.postalCode,
        country=place.countryCode,
        otherwise=connection.country,
    )


def _spelled(address: Address) -> str:
    return ", ".join(part for part in (address.name, address.street, address.city) if part)


def _billing(found: AmazonOrder, connection: Connection) -> Address | None:
    """A business buyer's registered address."""
    registered = found.tax.taxRegistrations if found.tax else []
    places = (one.taxRegistrationAddress for one in registered if one.entityType == "BUYER")
    return next((_address(place, connection) for place in places if place), None)


def _currency(found: AmazonOrder, standing: Standing, connection: Connection) -> str:
    """The one currency of everything in it. Raises InvalidInput where there are two, or none.

    An order that is not paid for, or is cancelled, may show no money at all. It is not taken, so nobody reckons with
    it: the store's own currency stands there.
    """
    seen = {money.currencyCode for money in _all_money(found)}
    if not seen and standing is not Standing.OPEN:
        seen = set(get_territory_currencies(connection.country)[:1])
    if len(seen) != 1:
        raise refuse("currency", "is not one and the same for all amounts", "see the order at Amazon")
    return seen.pop()


def _all_money(found: AmazonOrder) -> Iterable[Money]:
    for proceeds in (found.proceeds, *(item.proceeds for item in found.orderItems)):
        if proceeds is not None:
            yield from (money for money in (proceeds.grandTotal, proceeds.proceedsTotal) if money)
            yield from (one.subtotal for one in proceeds.breakdowns)
    for item in found.orderItems:
        if item.product.price and item.product.price.unitPrice:
            yield item.product.price.unitPrice


def _sum(proceeds: Proceeds | None, kind: str) -> Decimal | None:
    found = [one.subtotal.amount for one in (proceeds.breakdowns if proceeds else []) if one.type == kind]
    return sum((amount(one, f"proceeds.{kind}") for one in found), Decimal(0)) if found else None


def _line(item: Item, currency: str) -> Line:
    """A unit price is one's; `ITEM` is the cost of all of them."""
    cost = _sum(item.proceeds, "ITEM")
    if cost is None and item.product.price and item.product.price.unitPrice:
        cost = amount(item.product.price.unitPrice.amount, "product.price.unitPrice") * item.quantityOrdered
    gift = item.fulfillment.packing.giftOption if item.fulfillment and item.fulfillment.packing else None
    measured = item.measurement
    by_weight = f"measured: {measured.value:f} {measured.unit}" if measured and measured.unit != "COUNT" else None
    said = [
        by_weight,
        f"gift wrap: {gift.giftWrapLevel}" if gift and gift.giftWrapLevel else None,
        f"gift message: {gift.giftMessage}" if gift and gift.giftMessage else None,
        _wish(item),
    ]
    custom = item.product.customization
    codes = {"amazon_line": item.orderItemId, "asin": item.product.asin}
    line = Line(
        line_id=item.orderItemId,
        sku=sku_of(item.product.sellerSku, ("asin", item.product.asin)),
        description=line_of(item.product.title) or "",
        quantity=Decimal(item.quantityOrdered),
        unit_price=Decimal(0),
        instructions=prose_of(*said),
        design=line_of(custom.customizedUrl if custom else None),
        discount=abs(_sum(item.proceeds, "DISCOUNT") or Decimal(0)),
        codes=tuple(ExternalId(system=system, id=id_) for system, code in codes.items() if (id_ := name_of(code))),
    )
    return priced(line, _not_negative(cost or Decimal(0), "proceeds.ITEM"))


def _not_negative(value: Decimal, field: str) -> Decimal:
    if value < 0:
        raise refuse(field, "is below zero", "see the order at Amazon")
    return value


def _wish(item: Item) -> str | None:
    """A cancellation that somebody asks for and nobody has carried out is a person's to answer."""
    asked = item.cancellation.cancellationRequest if item.cancellation else None
    if asked is None:
        return None
    return f"{line_of(asked.requester, 40) or 'buyer'} asks to cancel: {line_of(asked.cancelReason) or 'no reason'}"


_NAMED = frozenset({"ITEM", "SHIPPING", "TAX", "DISCOUNT"})


def _totals(found: AmazonOrder, lines: Sequence[Line], currency: str, standing: Standing) -> Totals:
    """Raises InvalidInput where an order that is to be delivered does not say what it comes to."""
    grand = found.proceeds.grandTotal if found.proceeds else None
    if grand is None and standing is Standing.OPEN:
        raise refuse("proceeds.grandTotal", "is missing", "give the application the role that shows an order's money")
    tax = _not_negative(_of_order(found, "TAX"), "proceeds.TAX")
    discount = abs(_of_order(found, "DISCOUNT"))
    shipping = _not_negative(_of_order(found, "SHIPPING"), "proceeds.SHIPPING")
    others = [_of_order(found, kind) for kind in sorted(_kinds(found) - _NAMED)]
    fees = sum((one for one in others if one > 0), Decimal(0))
    credit = -sum((one for one in others if one < 0), Decimal(0))
    net = sum((line.amount for line in lines), Decimal(0)) - discount + shipping + fees - credit
    total = amount(grand.amount, "proceeds.grandTotal") if grand else max(net + tax, Decimal(0))
    return Totals(
        discount=discount,
        tax=tax,
        shipping=shipping,
        fees=fees,
        credit=credit,
        # nothing in the order says whether a price holds the tax: the sums do
        tax_basis=TaxBasis.INCLUDED if tax and net == total else TaxBasis.ADDED,
        total=_not_negative(total, "proceeds.grandTotal"),
    )


def _kinds(found: AmazonOrder) -> set[str]:
    all_proceeds = (found.proceeds, *(item.proceeds for item in found.orderItems))
    return {one.type for proceeds in all_proceeds if proceeds for one in proceeds.breakdowns}


def _of_order(found: AmazonOrder, kind: str) -> Decimal:
    whole = _sum(found.proceeds, kind)
    if whole is not None:
        return whole
    return sum((_sum(item.proceeds, kind) or Decimal(0) for item in found.orderItems), Decimal(0))


def _payment(found: AmazonOrder, standing: Standing) -> Payment:
    """Amazon releases an order to the seller once the buyer's payment is authorised."""
    methods = [text for one in (found.payment.paymentExecutions if found.payment else []) if (text := _method(one))]
    unpaid = next((UNPAID[method] for method in methods if method in UNPAID), None)
    method = ", ".join(dict.fromkeys(methods)) or None
    if standing is Standing.NOT_YET or unpaid:
        return Payment(status=PaymentStatus.PENDING, terms=unpaid or "payable to Amazon", method=method)
    return Payment(status=PaymentStatus.CONFIRMED, terms=f"prepaid by {method or 'Amazon'}", method=method)


def _method(execution: Execution) -> str | None:
    return line_of(execution.paymentMethod, 60)


def _window(found: AmazonOrder) -> DeliveryWindow | None:
    """The slot that was booked for an item; else the days that Amazon has promised the buyer."""
    booked = [item.fulfillment.shipping for item in found.orderItems if item.fulfillment and item.fulfillment.shipping]
    windows = [shipping.scheduledDeliveryWindow for shipping in booked] + [found.fulfillment.deliverByWindow]
    for window in windows:
        if window and window.earliestDateTime and window.latestDateTime:
            start, end = window.earliestDateTime, window.latestDateTime
            return DeliveryWindow(start=start, end=end) if start < end else None
    return None


def _instructions(found: AmazonOrder) -> str | None:
    wish = found.recipient.deliveryPreference if found.recipient else None
    if wish is None:
        return None
    return prose_of(f"leave at: {wish.dropOffLocation}" if wish.dropOffLocation else None, wish.addressInstruction)


def _ids(found: AmazonOrder, connection: Connection) -> tuple[ExternalId, ...]:
    named = [(connection.system, found.orderId)]
    named += [(f"amazon_{one.aliasType.lower()}", one.aliasId) for one in found.orderAliases]
    for one in found.associatedOrders:
        named.append((f"amazon_{(one.associationType or 'order').lower()}", one.orderId or ""))
    pairs = ((name_of(system), name_of(id_)) for system, id_ in named)
    return tuple(ExternalId(system=system, id=id_) for system, id_ in pairs if system and id_)
