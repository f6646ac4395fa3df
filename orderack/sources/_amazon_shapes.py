"""The parts of an order of the Orders API 2026-01-01 that become ours, by Amazon's own names."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from orderack.clients.wire import Moment
from orderack.domain.order import Name

Listed = BeforeValidator(lambda value: value or [])
"""A list that may be null."""


class Money(BaseModel):
    amount: str | Decimal
    currencyCode: str


class Breakdown(BaseModel):
    type: str
    subtotal: Money


class Proceeds(BaseModel):
    grandTotal: Money | None = None
    proceedsTotal: Money | None = None
    breakdowns: Annotated[list[Breakdown], Listed] = []


class Window(BaseModel):
    earliestDateTime: Moment | None = None
    latestDateTime: Moment | None = None


class UnitPrice(BaseModel):
    unitPrice: Money | None = None


class Customization(BaseModel):
    customizedUrl: str | None = None


class Product(BaseModel):
    asin: str | None = None
    title: str | None = None
    sellerSku: str | None = None
    price: UnitPrice | None = None
    customization: Customization | None = None


class Gift(BaseModel):
    giftMessage: str | None = None
    giftWrapLevel: str | None = None


class Packing(BaseModel):
    giftOption: Gift | None = None


class Shipping(BaseModel):
    scheduledDeliveryWindow: Window | None = None


class ItemFulfillment(BaseModel):
    packing: Packing | None = None
    shipping: Shipping | None = None


class CancelRequest(BaseModel):
    requester: str | None = None
    cancelReason: str | None = None


class Cancellation(BaseModel):
    cancellationRequest: CancelRequest | None = None


class Measurement(BaseModel):
    unit: str
    value: Decimal


class Item(BaseModel):
    orderItemId: Name
    quantityOrdered: int = Field(ge=0)
    product: Product
    measurement: Measurement | None = None
    proceeds: Proceeds | None = None
    fulfillment: ItemFulfillment | None = None
    cancellation: Cancellation | None = None


class Place(BaseModel):
    name: str | None = None
    companyName: str | None = None
    addressLine1: str | None = None
    addressLine2: str | None = None
    addressLine3: str | None = None
    city: str | None = None
    districtOrCounty: str | None = None
    municipality: str | None = None
    stateOrRegion: str | None = None
    postalCode: str | None = None
    countryCode: str | None = None
    phone: str | None = None


class Preference(BaseModel):
    dropOffLocation: str | None = None
    addressInstruction: str | None = None


class Recipient(BaseModel):
    deliveryAddress: Place | None = None
    deliveryPreference: Preference | None = None


class Buyer(BaseModel):
    buyerName: str | None = None
    buyerEmail: str | None = None
    buyerCompanyName: str | None = None
    buyerPurchaseOrderNumber: str | None = None


class Execution(BaseModel):
    paymentMethod: str | None = None


class Executions(BaseModel):
    paymentExecutions: Annotated[list[Execution], Listed] = []


class Fulfillment(BaseModel):
    fulfillmentStatus: str
    fulfilledBy: str | None = None
    deliverByWindow: Window | None = None


class Alias(BaseModel):
    aliasId: str
    aliasType: str


class Association(BaseModel):
    orderId: str | None = None
    associationType: str | None = None


class TaxRegistration(BaseModel):
    entityType: str | None = None
    taxRegistrationNumber: str | None = None
    taxRegistrationAddress: Place | None = None


class Tax(BaseModel):
    taxRegistrations: Annotated[list[TaxRegistration], Listed] = []


class Channel(BaseModel):
    channelName: str | None = None
    marketplaceName: str | None = None


class AmazonOrder(BaseModel):
    """As much of it as becomes ours."""

    orderId: Name
    createdTime: Moment
    lastUpdatedTime: Moment
    salesChannel: Channel | None = None
    programs: Annotated[list[str], Listed] = []
    orderAliases: Annotated[list[Alias], Listed] = []
    associatedOrders: Annotated[list[Association], Listed] = []
    buyer: Buyer | None = None
    recipient: Recipient | None = None
    proceeds: Proceeds | None = None
    payment: Executions | None = None
    tax: Tax | None = None
    fulfillment: Fulfillment
    orderItems: list[Item]
