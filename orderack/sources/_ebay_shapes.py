"""The parts of an order of the Sell Fulfillment API that become ours, by eBay's own names (sell_fulfillment 1.20.7)."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

from orderack.clients.wire import Moment
from orderack.sources._loose import MANY, Id, Said


class Amount(BaseModel):
    """`value` is what was converted for the seller, `convertedFrom…` what it was before, where it was."""

    value: str | Decimal
    currency: str
    convertedFromValue: str | Decimal | None = None
    convertedFromCurrency: Said = None


class Place(BaseModel):
    addressLine1: Said = None
    addressLine2: Said = None
    city: Said = None
    county: Said = None
    stateOrProvince: Said = None
    postalCode: Said = None
    countryCode: Said = None


class Phone(BaseModel):
    phoneNumber: Said = None


class Contact(BaseModel):
    fullName: Said = None
    companyName: Said = None
    contactAddress: Place | None = None
    primaryPhone: Phone | None = None
    email: Said = None


class TaxIdentifier(BaseModel):
    taxpayerId: Said = None


class Buyer(BaseModel):
    username: Said = None
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
    cancelReason: Said = None
    cancelInitiator: Said = None


class Cancel(BaseModel):
    cancelState: Said = None
    cancelRequests: Annotated[list[CancelRequest], MANY] = []


class Payment(BaseModel):
    paymentMethod: Said = None


class Refund(BaseModel):
    amount: Amount | None = None
    refundStatus: Said = None


class Payments(BaseModel):
    payments: Annotated[list[Payment], MANY] = []
    refunds: Annotated[list[Refund], MANY] = []


class Shipping(BaseModel):
    shipTo: Contact | None = None
    shipToReferenceId: Said = None
    shippingCarrierCode: Said = None
    shippingServiceCode: Said = None


class Pickup(BaseModel):
    merchantLocationKey: Said = None


class Appointment(BaseModel):
    """When the goods are fitted, where the buyer has booked that (tyres)."""

    appointmentStartTime: Moment | None = None
    appointmentEndTime: Moment | None = None


class Start(BaseModel):
    fulfillmentInstructionsType: Said = None
    minEstimatedDeliveryDate: Moment | None = None
    maxEstimatedDeliveryDate: Moment | None = None
    appointment: Appointment | None = None
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
    charges: Annotated[list[Charge], MANY] = []
    ebayShipping: Amount | None = None


class Aspect(BaseModel):
    name: Said = None
    value: Said = None


class Property(BaseModel):
    """Of the vehicle that a part has to fit."""

    propertyDisplayName: Said = None
    propertyName: Said = None
    propertyValue: Said = None


class GiftDetails(BaseModel):
    message: Said = None
    recipientEmail: Said = None
    senderName: Said = None


class LineItem(BaseModel):
    lineItemId: Id
    quantity: int = Field(ge=0)
    lineItemCost: Amount
    legacyItemId: Said = None
    legacyVariationId: Said = None
    sku: Said = None
    title: Said = None
    discountedLineItemCost: Amount | None = None
    deliveryCost: Delivery | None = None
    taxes: Annotated[list[Tax], MANY] = []
    ebayCollectAndRemitTaxes: Annotated[list[Tax], MANY] = []
    ebayCollectedCharges: Charges | None = None
    variationAspects: Annotated[list[Aspect], MANY] = []
    compatibilityProperties: Annotated[list[Property], MANY] = []
    refunds: Annotated[list[Refund], MANY] = []
    giftDetails: GiftDetails | None = None


class FulfillmentProgram(BaseModel):
    fulfilledBy: Said = None


class Program(BaseModel):
    fulfillmentProgram: FulfillmentProgram | None = None


class EbayOrder(BaseModel):
    """As much of it as becomes ours."""

    orderId: Id
    legacyOrderId: Said = None
    creationDate: Moment
    lastModifiedDate: Moment
    orderFulfillmentStatus: Said = None
    orderPaymentStatus: str
    sellerId: Said = None
    buyer: Buyer | None = None
    buyerCheckoutNotes: Said = None
    pricingSummary: Pricing
    cancelStatus: Cancel | None = None
    paymentSummary: Payments | None = None
    fulfillmentStartInstructions: Annotated[list[Start], MANY] = []
    lineItems: list[LineItem]
    salesRecordReference: Said = None
    program: Program | None = None

    @property
    def by_ebay(self) -> bool:
        """Whether eBay sends it from a warehouse of its own."""
        own = self.program.fulfillmentProgram if self.program else None
        kinds = {start.fulfillmentInstructionsType for start in self.fulfillmentStartInstructions}
        return kinds == {"FULFILLED_BY_EBAY"} or (own is not None and own.fulfilledBy == "EBAY")
