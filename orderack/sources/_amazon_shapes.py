"""The parts of an order of the Orders API 2026-01-01 that become ours, by Amazon's own names."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

from orderack.clients.wire import Moment
from orderack.sources._loose import MANY, Id, Said


class Money(BaseModel):
    amount: str | Decimal
    currencyCode: str


class Breakdown(BaseModel):
    type: str
    subtotal: Money


class Proceeds(BaseModel):
    grandTotal: Money | None = None
    proceedsTotal: Money | None = None
    breakdowns: Annotated[list[Breakdown], MANY] = []


class Window(BaseModel):
    earliestDateTime: Moment | None = None
    latestDateTime: Moment | None = None


class UnitPrice(BaseModel):
    unitPrice: Money | None = None


class Condition(BaseModel):
    conditionType: Said = None
    conditionSubtype: Said = None


class Customization(BaseModel):
    customizedUrl: Said = None


class Product(BaseModel):
    asin: Said = None
    title: Said = None
    sellerSku: Said = None
    condition: Condition | None = None
    price: UnitPrice | None = None
    customization: Customization | None = None


class Gift(BaseModel):
    giftMessage: Said = None
    giftWrapLevel: Said = None


class Packing(BaseModel):
    giftOption: Gift | None = None


class Substitute(BaseModel):
    sellerSku: Said = None
    asin: Said = None
    quantityOrdered: Said = None


class Substitution(BaseModel):
    substitutionType: Said = None
    substitutionOptions: Annotated[list[Substitute], MANY] = []


class Picking(BaseModel):
    substitutionPreference: Substitution | None = None


class Constraints(BaseModel):
    """What the parcel's carrier has to do, where it says MANDATORY."""

    palletDelivery: Said = None
    cashOnDelivery: Said = None
    signatureConfirmation: Said = None
    recipientIdentityVerification: Said = None
    recipientAgeVerification: Said = None


class International(BaseModel):
    iossNumber: Said = None


class Shipping(BaseModel):
    scheduledDeliveryWindow: Window | None = None
    shippingConstraints: Constraints | None = None
    internationalShipping: International | None = None


class ItemFulfillment(BaseModel):
    quantityFulfilled: int | None = None
    quantityUnfulfilled: int | None = None
    picking: Picking | None = None
    packing: Packing | None = None
    shipping: Shipping | None = None


class CancelRequest(BaseModel):
    requester: Said = None
    cancelReason: Said = None


class Execution(BaseModel):
    cancelledBy: Said = None
    cancelReason: Said = None


class Cancellation(BaseModel):
    cancellationRequest: CancelRequest | None = None
    cancellationExecution: Execution | None = None


class Measurement(BaseModel):
    unit: str
    value: Decimal


class TaxScheme(BaseModel):
    reportingScheme: Said = None


class TaxCollection(BaseModel):
    model: Said = None


class ItemTax(BaseModel):
    taxCalculationBreakdowns: Annotated[list[TaxScheme], MANY] = []
    taxCollections: Annotated[list[TaxCollection], MANY] = []


class Item(BaseModel):
    orderItemId: Id
    quantityOrdered: int = Field(ge=0)
    product: Product
    measurement: Measurement | None = None
    proceeds: Proceeds | None = None
    fulfillment: ItemFulfillment | None = None
    cancellation: Cancellation | None = None
    tax: ItemTax | None = None

    @property
    def gone(self) -> bool:
        """Whether nothing of it is to be sent: it was cancelled, whatever quantity it still names."""
        called_off = self.cancellation is not None and self.cancellation.cancellationExecution is not None
        left = self.fulfillment
        nothing = left is not None and left.quantityFulfilled == 0 and left.quantityUnfulfilled == 0
        return self.quantityOrdered == 0 or (called_off and nothing)


class Extended(BaseModel):
    """How Brazil's addresses are taken apart."""

    streetName: Said = None
    streetNumber: Said = None
    complement: Said = None
    neighborhood: Said = None


class Place(BaseModel):
    name: Said = None
    companyName: Said = None
    addressLine1: Said = None
    addressLine2: Said = None
    addressLine3: Said = None
    city: Said = None
    districtOrCounty: Said = None
    municipality: Said = None
    stateOrRegion: Said = None
    postalCode: Said = None
    countryCode: Said = None
    phone: Said = None
    extendedFields: Extended | None = None


class Preference(BaseModel):
    dropOffLocation: Said = None
    addressInstruction: Said = None


class Recipient(BaseModel):
    deliveryAddress: Place | None = None
    deliveryPreference: Preference | None = None


class Buyer(BaseModel):
    buyerName: Said = None
    buyerEmail: Said = None
    buyerCompanyName: Said = None
    buyerPurchaseOrderNumber: Said = None


class PaymentExecution(BaseModel):
    paymentMethod: Said = None


class Executions(BaseModel):
    paymentExecutions: Annotated[list[PaymentExecution], MANY] = []


class Fulfillment(BaseModel):
    fulfillmentStatus: str
    fulfilledBy: Said = None
    fulfillmentServiceLevel: Said = None
    deliverByWindow: Window | None = None


class Alias(BaseModel):
    aliasId: str
    aliasType: str


class Association(BaseModel):
    orderId: Said = None
    associationType: Said = None


class TaxRegistration(BaseModel):
    entityType: Said = None
    legalName: Said = None
    taxRegistrationNumber: Said = None
    taxRegistrationAddress: Place | None = None


class Tax(BaseModel):
    taxRegistrations: Annotated[list[TaxRegistration], MANY] = []


class Channel(BaseModel):
    channelName: Said = None
    marketplaceName: Said = None


class AmazonOrder(BaseModel):
    """As much of it as becomes ours."""

    orderId: Id
    createdTime: Moment
    lastUpdatedTime: Moment
    salesChannel: Channel | None = None
    programs: Annotated[list[str], MANY] = []
    orderAliases: Annotated[list[Alias], MANY] = []
    associatedOrders: Annotated[list[Association], MANY] = []
    buyer: Buyer | None = None
    recipient: Recipient | None = None
    proceeds: Proceeds | None = None
    payment: Executions | None = None
    tax: Tax | None = None
    fulfillment: Fulfillment
    orderItems: list[Item]
