"""One of our orders as eBay would have it."""

from datetime import UTC, datetime
from decimal import Decimal

from pydantic import JsonValue

from orderack.domain.order import DIGITAL, Address, Line, Order

Tree = dict[str, JsonValue]


def written(at: datetime) -> str:
    """eBay's clock shows thousandths."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def amount(value: Decimal, currency: str) -> Tree:
    """One decimal where that is enough, as eBay writes it."""
    short = value.quantize(Decimal("0.1"))
    return {"value": str(short if short == value else value.normalize()), "currency": currency}


def theirs(order: Order, payment: str, cancelled: bool) -> Tree:
    """eBay's order: what the buyer pays, and what is left of it for the seller."""
    currency, totals = order.currency, order.totals
    seller = (totals.total * Decimal("0.87")).quantize(Decimal("0.01"))
    paid: Tree = {
        "paymentMethod": order.payment.method or "CREDIT_CARD",
        "paymentStatus": payment,
        "amount": amount(seller, currency),
    }
    cancel: Tree = {"cancelState": "CANCELED" if cancelled else "NONE_REQUESTED", "cancelRequests": []}
    if cancelled:
        cancel["cancelRequests"] = [{"cancelReason": "ORDER_MISTAKE", "cancelInitiator": "Buyer"}]
    made: Tree = {
        "orderId": order.number,
        "legacyOrderId": order.number,
        "creationDate": written(order.trigger_at),
        "lastModifiedDate": written(datetime.now(UTC)),
        "orderFulfillmentStatus": "NOT_STARTED",
        "orderPaymentStatus": payment,
        "sellerId": "sandbox-seller",
        "buyer": {"username": order.customer.id or "sandbox-buyer"},
        "pricingSummary": _pricing(order),
        "cancelStatus": cancel,
        "paymentSummary": {"totalDueSeller": amount(seller, currency), "refunds": [], "payments": [paid]},
        "fulfillmentStartInstructions": [_start(order)],
        "fulfillmentHrefs": [],
        "lineItems": [_line(line, currency) for line in order.lines],
        "salesRecordReference": "1",
    }
    return made | ({"buyerCheckoutNotes": order.instructions} if order.instructions else {})


def _pricing(order: Order) -> Tree:
    currency, totals = order.currency, order.totals
    goods = sum((line.amount for line in order.lines), Decimal(0))
    extra = totals.fees - totals.credit
    found = {
        "priceSubtotal": goods,
        "priceDiscount": -totals.discount,
        "deliveryCost": totals.shipping,
        "fee": max(extra, Decimal(0)),
        "adjustment": min(extra, Decimal(0)),
        "tax": totals.tax,
        "total": totals.total,
    }
    always = {"priceSubtotal", "deliveryCost", "total"}
    return {name: amount(value, currency) for name, value in found.items() if value or name in always}


def _start(order: Order) -> Tree:
    if order.order_type == DIGITAL:
        return {"fulfillmentInstructionsType": "DIGITAL"}
    if order.pickup:
        step: Tree = {"merchantLocationKey": order.pickup.location}
        return {"fulfillmentInstructionsType": "PREPARE_FOR_PICKUP", "pickupStep": step}
    to: Tree = {"fullName": order.customer.name, "email": order.contacts.email}
    if order.contacts.phone:
        to["primaryPhone"] = {"phoneNumber": order.contacts.phone}
    if order.delivery_address:
        to["contactAddress"] = _place(order.delivery_address)
        to["companyName"] = order.delivery_address.company
    shipping: Tree = {"shipTo": to, "shippingCarrierCode": "UPS", "shippingServiceCode": "UPSGround"}
    made: Tree = {"fulfillmentInstructionsType": "SHIP_TO", "shippingStep": shipping}
    if window := order.delivery_window:
        made["minEstimatedDeliveryDate"] = written(window.start)
        made["maxEstimatedDeliveryDate"] = written(window.end)
    return made


def _place(place: Address) -> Tree:
    return {
        "addressLine1": place.street,
        "addressLine2": place.street2,
        "city": place.city,
        "stateOrProvince": place.region,
        "postalCode": place.postal_code,
        "countryCode": place.country,
    }


def _line(line: Line, currency: str) -> Tree:
    made: Tree = {
        "lineItemId": line.line_id,
        "legacyItemId": "110500000001",
        "sku": line.sku,
        "title": line.description,
        "quantity": int(line.quantity),
        "lineItemCost": amount(line.amount, currency),
        "total": amount(line.amount - line.discount, currency),
        "soldFormat": "FIXED_PRICE",
        "lineItemFulfillmentStatus": "NOT_STARTED",
        "deliveryCost": {"shippingCost": amount(Decimal(0), currency)},
        "appliedPromotions": [],
        "taxes": [],
    }
    if line.discount:
        made["discountedLineItemCost"] = amount(line.amount - line.discount, currency)
    if line.model:
        name, _, value = line.model.partition(": ")
        made["variationAspects"] = [{"name": name if value else "model", "value": value or name}]
    return made
