"""A purchase order of Amazon's vendor direct fulfilment (2021-12-28) in our words.

The buyer is Amazon, the goods go to Amazon's customer. A net price is one piece's, before tax; the order has no total
of its own, so the total is the lines and the tax that it names. It has no time of change either, and its states only
go forwards, so each state counts as a microsecond after the order's date. Facts: commerce.md §16.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from orderack.clients.wire import Moment
from orderack.domain.order import (
    Address,
    Customer,
    DeliveryWindow,
    ExternalId,
    Line,
    PartnerDeadline,
    Payment,
    Priority,
    TaxBasis,
    Totals,
)
from orderack.ports import Connection, Reading, Snapshot, Standing
from orderack.sources._loose import MANY, Flag, Id, Said, payable
from orderack.sources._reading import address_of, amount, canonical, line_of, name_of, priced, prose_of, refuse, sku_of

ANSWER_WITHIN = timedelta(hours=24)
PARTNER = "Amazon"


def _with_zone(value: object) -> object:
    """UTC where the time names no zone, as the description says."""
    text = str(value or "")
    named = text.endswith(("Z", "z")) or "+" in text[10:] or "-" in text[10:]
    return value if not isinstance(value, str) or named else f"{text}Z"


Time = Annotated[Moment, BeforeValidator(_with_zone)]


class Money(BaseModel):
    amount: str | Decimal
    currencyCode: str


class TaxLine(BaseModel):
    taxAmount: Money
    type: Said = None


class Taxes(BaseModel):
    taxLineItem: Annotated[list[TaxLine], MANY] = []


class Party(BaseModel):
    partyId: Id


class Place(BaseModel):
    name: Said = None
    attention: Said = None
    addressLine1: Said = None
    addressLine2: Said = None
    addressLine3: Said = None
    city: Said = None
    county: Said = None
    district: Said = None
    stateOrRegion: Said = None
    postalCode: Said = None
    countryCode: Said = None
    phone: Said = None


class Quantity(BaseModel):
    amount: int = Field(ge=0)
    unitOfMeasure: Said = None


class Scheduled(BaseModel):
    earliestNominatedDeliveryDate: Time | None = None
    latestNominatedDeliveryDate: Time | None = None


class Gift(BaseModel):
    giftMessage: Said = None
    giftWrapId: Said = None


class Customized(BaseModel):
    customizedUrl: Said = None


class Item(BaseModel):
    itemSequenceNumber: Id
    buyerProductIdentifier: Said = None
    vendorProductIdentifier: Said = None
    title: Said = None
    orderedQuantity: Quantity
    netPrice: Money
    taxDetails: Taxes | None = None
    scheduledDeliveryShipment: Scheduled | None = None
    giftDetails: Gift | None = None
    buyerCustomizedInfo: Customized | None = None


class Dates(BaseModel):
    requiredShipDate: Time | None = None
    promisedDeliveryDate: Time | None = None


class Shipment(BaseModel):
    shipMethod: Said = None
    isPriorityShipment: Flag = False
    isPslipRequired: Flag = False
    isGift: Flag = False
    messageToCustomer: Said = None
    shipmentDates: Dates = Dates()


class Details(BaseModel):
    customerOrderNumber: Said = None
    orderDate: Time
    orderStatus: str = "NEW"
    shipmentDetails: Shipment = Shipment()
    taxTotal: Taxes | None = None
    sellingParty: Party
    shipFromParty: Party
    shipToParty: Place
    billToParty: Party
    items: list[Item]


class PurchaseOrder(BaseModel):
    purchaseOrderNumber: Id
    orderDetails: Details


STATES: Mapping[str, Standing] = MappingProxyType(
    {
        "NEW": Standing.OPEN,
        "ACCEPTED": Standing.OPEN,
        "SHIPPED": Standing.OPEN,
        "CANCELLED": Standing.CANCELLED,
    }
)
"""In the order in which a purchase order goes through them."""


def reading_of(found: PurchaseOrder, connection: Connection) -> Reading:
    """The purchase order as it stands. Raises InvalidInput."""
    details = found.orderDetails
    if details.orderStatus not in STATES:
        raise refuse("orderDetails.orderStatus", "is no state that Amazon documents", "see the order in Vendor Central")
    standing = STATES[details.orderStatus]
    return Snapshot(
        external_id=found.purchaseOrderNumber,
        at=details.orderDate + timedelta(microseconds=list(STATES).index(details.orderStatus)),
        order=canonical(_fields(found, connection), connection.system),
        standing=standing,
        reason="cancelled by Amazon" if standing is Standing.CANCELLED else "",
    )


def _fields(found: PurchaseOrder, connection: Connection) -> Mapping[str, object]:
    details = found.orderDetails
    currency = _currency(details)
    lines = [_line(item) for item in details.items if item.orderedQuantity.amount != 0]
    return {
        "store": connection.store,
        "number": found.purchaseOrderNumber,
        "source": connection.source,
        "trigger_at": details.orderDate,
        "customer": Customer(id=details.billToParty.partyId, name=PARTNER),
        "contacts": {"language": connection.language},
        "lines": lines,
        "delivery_address": _address(details.shipToParty, connection),
        "delivery_window": _window(details),
        "payment": Payment(terms="invoiced to Amazon at the vendor's terms", method="invoice"),
        "currency": currency,
        "totals": _totals(details, lines, currency),
        "instructions": prose_of(*_instructions(details)),
        "priority": Priority.HIGH if details.shipmentDetails.isPriorityShipment else Priority.NORMAL,
        "purchase_order": found.purchaseOrderNumber,
        "external_ids": _ids(found, connection),
        "partner_deadline": PartnerDeadline(partner=PARTNER, due_at=details.orderDate + ANSWER_WITHIN),
    }


def _currency(details: Details) -> str:
    """Raises InvalidInput where there are two, or none."""
    seen = {item.netPrice.currencyCode for item in details.items}
    seen |= {one.taxAmount.currencyCode for taxes in _all_taxes(details) for one in taxes.taxLineItem}
    if len(seen) != 1:
        raise refuse("currency", "is not one and the same for all amounts", "see the order in Vendor Central")
    return seen.pop()


def _all_taxes(details: Details) -> Sequence[Taxes]:
    return [taxes for taxes in (details.taxTotal, *(item.taxDetails for item in details.items)) if taxes]


def _line(item: Item) -> Line:
    ordered = item.orderedQuantity
    unit = (ordered.unitOfMeasure or "").strip()
    gift = item.giftDetails or Gift()
    codes = {
        "amazon_vendor_df_line": item.itemSequenceNumber,
        "asin": item.buyerProductIdentifier,
        "vendor_item": item.vendorProductIdentifier,
    }
    line = Line(
        line_id=item.itemSequenceNumber,
        sku=sku_of(item.vendorProductIdentifier, ("asin", item.buyerProductIdentifier)),
        description=line_of(item.title) or "",
        quantity=Decimal(ordered.amount),
        unit_price=Decimal(0),
        instructions=prose_of(
            f"gift wrap: {gift.giftWrapId}" if gift.giftWrapId else None,
            f"gift message: {gift.giftMessage}" if gift.giftMessage else None,
        ),
        design=_design(item.buyerCustomizedInfo),
        unit=None if unit.casefold() in ("", "each") else name_of(unit),
        codes=tuple(ExternalId(system=system, id=id_) for system, code in codes.items() if (id_ := name_of(code))),
    )
    each = amount(item.netPrice.amount, "items.netPrice.amount")
    return priced(line, each * ordered.amount)


def _design(info: Customized | None) -> str | None:
    """Where the customer's design lies: Amazon gives the address in base64."""
    written = line_of(info.customizedUrl if info else None)
    if written is None:
        return None
    try:
        return line_of(base64.b64decode(written, validate=True).decode())
    except (binascii.Error, ValueError):
        return written


def _totals(details: Details, lines: Sequence[Line], currency: str) -> Totals:
    tax = _tax(details.taxTotal)
    if tax is None:
        tax = sum((_tax(item.taxDetails) or Decimal(0) for item in details.items), Decimal(0))
    net = sum((line.amount for line in lines), Decimal(0))
    return Totals(
        tax=payable(tax, currency), tax_basis=TaxBasis.ADDED, total=payable(net + payable(tax, currency), currency)
    )


def _tax(taxes: Taxes | None) -> Decimal | None:
    """A `TOTAL` holds all the others."""
    found = taxes.taxLineItem if taxes else []
    counted = [one for one in found if one.type == "TOTAL"] or found
    return sum((amount(one.taxAmount.amount, "taxAmount") for one in counted), Decimal(0)) if counted else None


def _address(place: Place, connection: Connection) -> Address | None:
    second = ", ".join(part for part in (place.addressLine2, place.addressLine3) if part)
    return address_of(
        name=place.attention or place.name,
        company=place.name if place.attention and place.name != place.attention else None,
        street=place.addressLine1,
        street2=second,
        city=place.city or place.district or place.county,
        region=place.stateOrRegion,
        postal_code=place.postalCode,
        country=place.countryCode,
        otherwise=connection.country,
    )


def _instructions(details: Details) -> Iterator[str]:
    """What goes into the parcel, and whom the carrier may call: Amazon's customer is none of ours to write to."""
    shipment, phone = details.shipmentDetails, line_of(details.shipToParty.phone, 32)
    if shipment.isGift:
        yield "a gift"
    if shipment.isPslipRequired:
        yield f"packing slip: {shipment.messageToCustomer or 'required'}"
    if phone and phone.strip("x"):
        yield f"telephone for the carrier: {phone}"


def _window(details: Details) -> DeliveryWindow | None:
    """The appointment that Amazon's customer has chosen; else from the last day of shipping to what was promised."""
    chosen = [item.scheduledDeliveryShipment for item in details.items if item.scheduledDeliveryShipment]
    dates = details.shipmentDetails.shipmentDates
    pairs = [(one.earliestNominatedDeliveryDate, one.latestNominatedDeliveryDate) for one in chosen]
    for start, end in (*pairs, (dates.requiredShipDate, dates.promisedDeliveryDate)):
        if start and end:
            return DeliveryWindow(start=start, end=end) if start < end else None
    return None


def _ids(found: PurchaseOrder, connection: Connection) -> tuple[ExternalId, ...]:
    details = found.orderDetails
    named = {
        connection.system: found.purchaseOrderNumber,
        "amazon_customer_order": details.customerOrderNumber,
        "amazon_selling_party": details.sellingParty.partyId,
        "amazon_ship_from": details.shipFromParty.partyId,
        "amazon_ship_method": details.shipmentDetails.shipMethod,
    }
    return tuple(ExternalId(system=system, id=id_) for system, text in named.items() if (id_ := name_of(text)))
