"""An order of eBay's Sell Fulfillment API in our words.

`lineItemCost` is what all pieces of a line cost together; the address is that of the first shipping step, which is
eBay's own hub where eBay takes the parcel further. Facts: commerce.md §18.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from orderack.domain.order import (
    DIGITAL,
    Address,
    Contacts,
    Customer,
    DeliveryWindow,
    Doubt,
    ExternalId,
    Line,
    Payment,
    PaymentStatus,
    Pickup,
)
from orderack.ports import Connection, Reading, Skipped, Snapshot, Standing
from orderack.sources._ebay_money import Purse, purse_of, totals_of
from orderack.sources._ebay_shapes import Appointment, Contact, EbayOrder, LineItem, Property, Refund, Start
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
    refuse,
    sku_of,
)

PAYMENT: Mapping[str, tuple[Standing, PaymentStatus]] = MappingProxyType(
    {
        "PAID": (Standing.OPEN, PaymentStatus.CONFIRMED),
        "PARTIALLY_REFUNDED": (Standing.OPEN, PaymentStatus.CONFIRMED),
        "FULLY_REFUNDED": (Standing.CANCELLED, PaymentStatus.CONFIRMED),
        "PENDING": (Standing.NOT_YET, PaymentStatus.PENDING),
        "FAILED": (Standing.NOT_YET, PaymentStatus.PENDING),
    }
)
"""orderPaymentStatus. eBay says to ship only what is PAID, so nothing is confirmed before. A word that is none of these
is a person's to look at."""
SHIPPED = "FULFILLED"
CANCELLED = "CANCELED"
ASKED_TO_CANCEL = frozenset({"IN_PROGRESS"})
PICKUPS = frozenset({"PREPARE_FOR_PICKUP"})


def reading_of(found: EbayOrder, connection: Connection) -> Reading:
    """The order as it stands; Skipped where eBay ships it itself. Raises InvalidInput."""
    if found.by_ebay:
        return Skipped(why="eBay fulfils this order from its own warehouse: the seller has nothing to do for it")
    standing, reason = _standing(found)
    return Snapshot(
        external_id=found.orderId,
        at=found.lastModifiedDate,
        order=canonical(_fields(found, connection), connection.system),
        standing=standing,
        reason=reason,
    )


def _standing(found: EbayOrder) -> tuple[Standing, str]:
    if found.cancelStatus and found.cancelStatus.cancelState == CANCELLED:
        return Standing.CANCELLED, line_of(_why(found)) or "cancelled at eBay"
    standing, _ = PAYMENT.get(found.orderPaymentStatus, (Standing.OPEN, PaymentStatus.FLAGGED))
    if standing is not Standing.CANCELLED:
        return standing, ""
    if found.orderFulfillmentStatus == SHIPPED:
        return Standing.OPEN, ""  # it was sent and came back: there is nothing left to cancel
    return Standing.CANCELLED, "refunded in full before it was shipped"


def _why(found: EbayOrder) -> str | None:
    asked = found.cancelStatus.cancelRequests if found.cancelStatus else []
    return next((one.cancelReason for one in reversed(asked) if one.cancelReason), None)


def _fields(found: EbayOrder, connection: Connection) -> Mapping[str, object]:
    purse = purse_of(found)
    starts = found.fulfillmentStartInstructions
    start = starts[0] if starts else Start()
    kind = start.fulfillmentInstructionsType or ""
    to = (start.shippingStep.shipTo if start.shippingStep else None) or Contact()
    own = (found.buyer.buyerRegistrationAddress if found.buyer else None) or Contact()
    email = email_of(to.email) or email_of(own.email)
    username = name_of(found.buyer.username if found.buyer else None)
    country = country_of(_of_place(to, "countryCode") or _of_place(own, "countryCode"), None)
    phone = (to.primaryPhone or own.primaryPhone) or None
    pickup = start.pickupStep.merchantLocationKey if start.pickupStep and kind in PICKUPS else None
    return {
        "store": connection.store,
        "number": found.orderId,
        "source": connection.source,
        "trigger_at": found.creationDate,
        "customer": Customer(
            id=username or guest_id(email, found.orderId), name=line_of(to.fullName) or line_of(own.fullName)
        ),
        "contacts": Contacts(
            email=email,
            phone=phone_of(phone.phoneNumber if phone else None, country),
            language=connection.language,
        ),
        "lines": [_line(line, purse) for line in found.lineItems if line.quantity],
        "delivery_address": None if kind == "DIGITAL" or pickup else _address(to, connection),
        "pickup": Pickup(location=pickup) if pickup else None,
        "billing_address": _address(own, connection),
        "delivery_window": _window(start),
        "payment": _payment(found),
        "currency": purse.currency,
        "totals": totals_of(found, purse),
        "instructions": _instructions(found, start),
        "order_type": DIGITAL if kind == "DIGITAL" else "standard",
        "external_ids": _ids(found, connection),
        "doubts": _doubts(starts),
    }


def _of_place(contact: Contact, field: str) -> str | None:
    return getattr(contact.contactAddress, field) if contact.contactAddress else None


def _address(contact: Contact, connection: Connection) -> Address | None:
    place = contact.contactAddress
    if place is None:
        return None
    return address_of(
        name=contact.fullName,
        company=contact.companyName,
        street=place.addressLine1,
        street2=place.addressLine2,
        city=place.city or place.county,
        region=place.stateOrProvince,
        postal_code=place.postalCode,
        country=place.countryCode,
        otherwise=connection.country,
    )


def _line(item: LineItem, purse: Purse) -> Line:
    variant = f"{item.legacyItemId}-{item.legacyVariationId}" if item.legacyVariationId else item.legacyItemId
    codes = {
        "ebay_line": item.lineItemId,
        "ebay_item": item.legacyItemId,
        "ebay_variation": item.legacyVariationId,
    }
    cost = purse.of(item.lineItemCost, "lineItems.lineItemCost")
    if cost < 0:
        raise refuse("lineItems.lineItemCost", "is below zero", "see the order at eBay")
    less = cost - purse.of(item.discountedLineItemCost, "discountedLineItemCost")
    gift = item.giftDetails
    line = Line(
        line_id=item.lineItemId,
        sku=sku_of(item.sku, ("ebay", variant)),
        model=line_of(", ".join(f"{one.name}: {one.value}" for one in item.variationAspects if one.value)),
        description=line_of(item.title) or "",
        quantity=Decimal(item.quantity),
        unit_price=Decimal(0),
        instructions=prose_of(
            *(_fits(one) for one in item.compatibilityProperties if one.propertyValue),
            *_refunds(item.refunds),
            f"gift card to: {gift.recipientEmail}" if gift and gift.recipientEmail else None,
            f"gift card from: {gift.senderName}" if gift and gift.senderName else None,
            f"gift message: {gift.message}" if gift and gift.message else None,
        ),
        discount=max(less, Decimal(0)) if item.discountedLineItemCost else Decimal(0),
        codes=tuple(ExternalId(system=system, id=id_) for system, code in codes.items() if (id_ := name_of(code))),
    )
    return priced(line, cost)


def _fits(one: Property) -> str:
    return f"fits {one.propertyDisplayName or one.propertyName}: {one.propertyValue}"


def _payment(found: EbayOrder) -> Payment:
    _, status = PAYMENT.get(found.orderPaymentStatus, (Standing.OPEN, PaymentStatus.FLAGGED))
    methods = [
        line_of(one.paymentMethod, 60) for one in (found.paymentSummary.payments if found.paymentSummary else [])
    ]
    method = ", ".join(dict.fromkeys(one for one in methods if one)) or None
    paid = status is PaymentStatus.CONFIRMED
    return Payment(status=status, terms=f"prepaid by {method or 'eBay'}" if paid else "payable to eBay", method=method)


def _window(start: Start) -> DeliveryWindow | None:
    """The appointment that the buyer has booked; else the days that eBay has told him."""
    booked = start.appointment or Appointment()
    for first, last in (
        (booked.appointmentStartTime, booked.appointmentEndTime),
        (start.minEstimatedDeliveryDate, start.maxEstimatedDeliveryDate),
    ):
        if first and last and first < last:
            return DeliveryWindow(start=first, end=last)
    return None


def _instructions(found: EbayOrder, start: Start) -> str | None:
    step = start.shippingStep
    asked = found.cancelStatus is not None and found.cancelStatus.cancelState in ASKED_TO_CANCEL
    return prose_of(
        found.buyerCheckoutNotes,
        f"reference on the parcel: {step.shipToReferenceId}" if step and step.shipToReferenceId else None,
        f"the buyer asks to cancel: {line_of(_why(found)) or 'no reason'}" if asked else None,
        *_refunds(found.paymentSummary.refunds if found.paymentSummary else []),
    )


def _refunds(refunds: Sequence[Refund]) -> list[str]:
    """Money that went back changes no price at eBay, so it is said: a part of the order may not be wanted any more."""
    amounts = [one.amount for one in refunds if one.amount and one.refundStatus != "FAILED"]
    return [f"eBay refunded {line_of(one.value, 20)} {line_of(one.currency, 3)}" for one in amounts]


def _ids(found: EbayOrder, connection: Connection) -> tuple[ExternalId, ...]:
    legacy = found.legacyOrderId if found.legacyOrderId != found.orderId else None
    steps = [start.shippingStep for start in found.fulfillmentStartInstructions if start.shippingStep]
    methods = dict.fromkeys(code for step in steps for code in (step.shippingCarrierCode, step.shippingServiceCode))
    named = {
        connection.system: found.orderId,
        "ebay_legacy_order": legacy,
        "ebay_sales_record": found.salesRecordReference,
        "ebay_seller": found.sellerId,
        "ebay_ship_method": " ".join(code for code in methods if code),
        "ebay_buyer_tax": found.buyer.taxIdentifier.taxpayerId if found.buyer and found.buyer.taxIdentifier else None,
    }
    return tuple(ExternalId(system=system, id=id_) for system, text in named.items() if (id_ := name_of(text)))


def _doubts(starts: list[Start]) -> tuple[Doubt, ...]:
    """One order goes to one place with us."""
    places = {start.model_dump_json(include={"shippingStep", "pickupStep"}) for start in starts}
    if len(places) < 2:
        return ()
    why = f"eBay wants it delivered to {len(places)} places, and here it goes to the first."
    return (Doubt(field="delivery_address", why=why, confidence=Decimal(0)),)
