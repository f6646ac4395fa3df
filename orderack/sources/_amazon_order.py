"""An order of the Orders API 2026-01-01 in our words. Facts: orders_2026-01-01.json, commerce.md §16."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType

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
)
from orderack.ports import Connection, Reading, Skipped, Snapshot, Standing
from orderack.sources._amazon_money import cost_of, currency_of, discount_of, totals_of
from orderack.sources._amazon_shapes import (
    AmazonOrder,
    Buyer,
    Extended,
    Item,
    Place,
    Preference,
    Product,
    Substitution,
    TaxRegistration,
)
from orderack.sources._reading import (
    address_of,
    canonical,
    country_of,
    email_of,
    guest_id,
    line_of,
    name_of,
    phone_of,
    priced,
    prose_of,
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
    currency = currency_of(found, standing, connection)
    lines = [_line(item) for item in found.orderItems if not item.gone]
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
        "totals": totals_of(found, lines, currency, standing),
        "instructions": _instructions(found),
        "purchase_order": name_of(buyer.buyerPurchaseOrderNumber),
        "external_ids": _ids(found, connection),
    }


def _country(place: Place | None) -> str | None:
    return place.countryCode if place else None


def _address(place: Place | None, connection: Connection) -> Address | None:
    if place is None:
        return None
    apart = place.extendedFields or Extended()
    number = ", ".join(part for part in (apart.streetName, apart.streetNumber) if part)
    more = (place.addressLine2 or apart.complement, place.addressLine3, place.districtOrCounty or apart.neighborhood)
    second = ", ".join(part for part in more if part)
    return address_of(
        name=place.name,
        company=place.companyName,
        street=place.addressLine1 or number,
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
    """A business buyer's registered address, in the name that he is registered by."""
    for one in _registered(found):
        if place := one.taxRegistrationAddress:
            company = place.companyName or one.legalName or (found.buyer.buyerCompanyName if found.buyer else None)
            return _address(place.model_copy(update={"companyName": company}), connection)
    return None


def _registered(found: AmazonOrder) -> list[TaxRegistration]:
    return [one for one in (found.tax.taxRegistrations if found.tax else []) if one.entityType == "BUYER"]


def _line(item: Item) -> Line:
    custom = item.product.customization
    sent = item.fulfillment.shipping if item.fulfillment else None
    ioss = sent.internationalShipping.iossNumber if sent and sent.internationalShipping else None
    codes = {"amazon_line": item.orderItemId, "asin": item.product.asin, "ioss": ioss}
    line = Line(
        line_id=item.orderItemId,
        sku=sku_of(item.product.sellerSku, ("asin", item.product.asin)),
        model=_condition(item.product),
        description=line_of(item.product.title) or "",
        quantity=Decimal(item.quantityOrdered),
        unit_price=Decimal(0),
        instructions=prose_of(*_said(item)),
        design=line_of(custom.customizedUrl if custom else None),
        discount=discount_of(item),
        codes=tuple(ExternalId(system=system, id=id_) for system, code in codes.items() if (id_ := name_of(code))),
    )
    return priced(line, cost_of(item))


def _condition(product: Product) -> str | None:
    """What is not new."""
    condition = product.condition
    words = [word for word in (condition.conditionType, condition.conditionSubtype) if word] if condition else []
    return line_of(" ".join(dict.fromkeys(words))) if words and words[0].upper() != "NEW" else None


MANDATORY: Mapping[str, str] = MappingProxyType(
    {
        "palletDelivery": "deliver by pallet",
        "cashOnDelivery": "collect the payment on delivery",
        "signatureConfirmation": "have it signed for",
        "recipientIdentityVerification": "hand it to the recipient alone",
        "recipientAgeVerification": "check the recipient's age",
    }
)


def _said(item: Item) -> Iterator[str]:
    """What has to be known to pick, pack and send it."""
    if item.measurement and item.measurement.unit != "COUNT":
        yield f"measured: {item.measurement.value:f} {item.measurement.unit}"
    if done := item.fulfillment:
        gift = done.packing.giftOption if done.packing else None
        if gift and gift.giftWrapLevel:
            yield f"gift wrap: {gift.giftWrapLevel}"
        if gift and gift.giftMessage:
            yield f"gift message: {gift.giftMessage}"
        if done.picking and done.picking.substitutionPreference:
            yield _instead(done.picking.substitutionPreference)
        asked = done.shipping.shippingConstraints if done.shipping else None
        yield from (text for name, text in MANDATORY.items() if asked and getattr(asked, name) == "MANDATORY")
    if wish := _wish(item):
        yield wish


def _instead(wish: Substitution) -> str:
    options = [
        f"{one.quantityOrdered or 1} x {one.sellerSku or one.asin}"
        for one in wish.substitutionOptions
        if one.sellerSku or one.asin
    ]
    words = (wish.substitutionType or "").replace("_", " ").casefold()
    return f"if it is not there: {', '.join([words, *options]).strip(', ')}"


def _wish(item: Item) -> str | None:
    """A cancellation that somebody asks for and nobody has carried out is a person's to answer."""
    asked = item.cancellation.cancellationRequest if item.cancellation else None
    if asked is None:
        return None
    return f"{line_of(asked.requester, 40) or 'buyer'} asks to cancel: {line_of(asked.cancelReason) or 'no reason'}"


def _payment(found: AmazonOrder, standing: Standing) -> Payment:
    """Amazon releases an order to the seller once the buyer's payment is authorised."""
    executed = found.payment.paymentExecutions if found.payment else []
    methods = [text for one in executed if (text := line_of(one.paymentMethod, 60))]
    unpaid = next((UNPAID[method] for method in methods if method in UNPAID), None)
    method = ", ".join(dict.fromkeys(methods)) or None
    if standing is Standing.NOT_YET or unpaid:
        return Payment(status=PaymentStatus.PENDING, terms=unpaid or "payable to Amazon", method=method)
    return Payment(status=PaymentStatus.CONFIRMED, terms=f"prepaid by {method or 'Amazon'}", method=method)


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
    wish = (found.recipient.deliveryPreference if found.recipient else None) or Preference()
    company = line_of(found.buyer.buyerCompanyName if found.buyer else None)
    speed = line_of(found.fulfillment.fulfillmentServiceLevel, 40)
    return prose_of(
        f"leave at: {wish.dropOffLocation}" if wish.dropOffLocation else None,
        wish.addressInstruction,
        f"ship: {speed}" if speed and speed.upper() != "STANDARD" else None,
        f"ordered by: {company}" if company else None,
    )


def _ids(found: AmazonOrder, connection: Connection) -> tuple[ExternalId, ...]:
    named = [(connection.system, found.orderId)]
    named += [(f"amazon_{one.aliasType.lower()}", one.aliasId) for one in found.orderAliases]
    for one in found.associatedOrders:
        named.append((f"amazon_{(one.associationType or 'order').lower()}", one.orderId or ""))
    named += [("amazon_buyer_tax", one.taxRegistrationNumber or "") for one in _registered(found)]
    pairs = ((name_of(system), name_of(id_)) for system, id_ in named)
    return tuple(ExternalId(system=system, id=id_) for system, id_ in pairs if system and id_)
