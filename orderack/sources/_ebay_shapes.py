"""The parts of an order of the Sell Fulfillment API that become ours, by eBay's own names (sell_fulfillment 1.20.7)."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from orderack.clients.wire import Moment
from orderack.domain.order import Name

Listed = BeforeValidator(lambda value: value or [])
"""A list that may be null."""


class Amount(BaseModel):
    """`value` is what was converted for the seller, `convertedFrom…` what it was before, where it was."""

    value: str | Decimal
    currency: str
    convertedFromValue: str | Decimal | None = None
    convertedFromCurrency: str | None = None


class Place(BaseModel):
    addressLine1: str | None = None
    addressLine2: str | None = None
    city: str | None = None
    county: str | None = None
    stateOrProvince: str | None = None
    postalCode: str | None = None
    countryCode: str | None = None


class Phone(BaseModel):
    phoneNumber: str | None = None


class Contact(BaseModel):
    fullName: str | None = None
    companyName: str | None = None
    contactAddress: Place | None = None
    primaryPhone: Phone | None = None
    email: str | None = None


class TaxIdentifier(BaseModel):
    taxpayerId: str | None = None


class Buyer(BaseModel):
    username: str | None = None
    buyerRegistrationAddress: Contact | None = None
    taxIdentifier: TaxIdentifier | None = None


class Pricing(BaseModel):
    priceSubtotal: Amount | None = None
    priceDiscount: Amount | None = None
    adjustment: Amount | None = None
    deliveryCost: Amount | None = None
    deliveryDiscount: Amount | None = None
    fee: Amount | None = None
    tax: Amount | None = None
    total: Amount


class CancelRequest(BaseModel):
    cancelReason: str | None = None
    cancelInitiator: str | None = None


class Cancel(BaseModel):
    cancelState: str = "NONE_REQUESTED"
    cancelRequests: Annotated[list[CancelRequest], Listed] = []


class Payment(BaseModel):
    paymentMethod: str | None = None


class Refund(BaseModel):
    amount: Amount | None = None
    refundStatus: str | None = None


class Payments(BaseModel):
    payments: Annotated[list[Payment], Listed] = []
    refunds: Annotated[list[Refund], Listed] = []


class Shipping(BaseModel):
    shipTo: Contact | None = None
    shipToReferenceId: str | None = None


class Pickup(BaseModel):
    merchantLocationKey: str | None = None


class Start(BaseModel):
    fulfillmentInstructionsType: str | None = None
    minEstimatedDeliveryDate: Moment | None = None
    maxEstimatedDeliveryDate: Moment | None = None
    shippingStep: Shipping | None = None
    pickupStep: Pickup | None = None


class Delivery(BaseModel):
    shippingCost: Amount | None = None
    discountAmount: Amount | None = None
    handlingCost: Amount | None = None
    importCharges: Amount | None = None


class Promotion(BaseModel):
    discountAmount: Amount | None = None


class Tax(BaseModel):
    amount: Amount | None = None


class Charge(BaseModel):
    amount: Amount | None = None


class Charges(BaseModel):
    charges: Annotated[list[Charge], Listed] = []
    ebayShipping: Amount | None = None


class Aspect(BaseModel):
    name: str | None = None
    value: str | None = None


class GiftDetails(BaseModel):
    message: str | None = None
    recipientEmail: str | None = None
    senderName: str | None = None


class LineItem(BaseModel):
    lineItemId: Name
    quantity: int = Field(ge=0)
    lineItemCost: Amount
    legacyItemId: str | None = None
    legacyVariationId: str | None = None
    sku: str | None = None
    title: str | None = None
    discountedLineItemCost: Amount | None = None
    deliveryCost: Delivery | None = None
    taxes: Annotated[list[Tax], Listed] = []
    ebayCollectAndRemitTaxes: Annotated[list[Tax], Listed] = []
    ebayCollectedCharges: Charges | None = None
    variationAspects: Annotated[list[Aspect], Listed] = []
    compatibilityProperties: Annotated[list[Aspect], Listed] = []
    giftDetails: GiftDetails | None = None


class EbayOrder(BaseModel):
    """As much of it as becomes ours."""

    orderId: Name
    legacyOrderId: str | None = None
    creationDate: Moment
    lastModifiedDate: Moment
    orderFulfillmentStatus: str | None = None
    orderPaymentStatus: str
    sellerId: str | None = None
    buyer: Buyer | None = None
    buyerCheckoutNotes: str | None = None
    pricingSummary: Pricing
    cancelStatus: Cancel | None = None
    paymentSummary: Payments | None = None
    fulfillmentStartInstructions: Annotated[list[Start], Listed] = []
    lineItems: list[LineItem]
    salesRecordReference: str | None = None
