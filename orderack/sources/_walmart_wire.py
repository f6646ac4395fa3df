"""A Walmart order as Walmart writes it: the United States', Canada's and Mexico's shapes.

Where one has a list the other has one object, or wraps the list once more; times are epoch milliseconds or ISO 8601;
amounts are numbers or text (commerce.md §17).
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field

_ZERO = Decimal(0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _unwrapped(inner: str, value: object) -> object:
    """The list in `{inner: [...]}`, in one object, or in a list."""
    if isinstance(value, dict) and inner in value:
        value = value[inner]
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _in(inner: str) -> BeforeValidator:
    return BeforeValidator(partial(_unwrapped, inner))


def _moment(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:16])
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < 253_000_000_000_000:
            raise ValueError("not a time of ours")
        return _EPOCH + timedelta(milliseconds=value)
    if isinstance(value, str):
        at = datetime.fromisoformat(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        if not 1970 <= at.year < 9_999:
            raise ValueError("not a time of ours")
        return at
    return value


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_When = Annotated[datetime, BeforeValidator(_moment)]
_Said = Annotated[str | None, BeforeValidator(_text)]


class _Money(BaseModel):
    currency: str = Field(validation_alias=AliasChoices("currency", "currencyUnit"))
    amount: Decimal = Field(validation_alias=AliasChoices("amount", "currencyAmount"))


class _Tax(BaseModel):
    amount: _Money | None = Field(default=None, alias="taxAmount")


class Charge(BaseModel):
    kind: str = Field(alias="chargeType")
    name: _Said = Field(default=None, alias="chargeName")
    amount: _Money | None = Field(default=None, alias="chargeAmount")
    taxes: Annotated[tuple[_Tax, ...], _in("tax")] = Field(default=(), alias="tax")

    @property
    def lowers(self) -> bool:
        """Whether it is a discount: by its kind, by its name (SubscriptionDiscount), or because it is negative."""
        named = self.kind == "DISCOUNT" or (self.name or "").casefold().endswith("discount")
        return named or (self.amount is not None and self.amount.amount < 0)


class _Quantity(BaseModel):
    unit: _Said = Field(default=None, alias="unitOfMeasurement")
    amount: Decimal = Field(ge=0, lt=100_000_000)


class _Status(BaseModel):
    status: str
    quantity: _Quantity = Field(alias="statusQuantity")
    reason: _Said = Field(default=None, alias="cancellationReason")
    at: _When | None = Field(default=None, alias="statusDate")


class _Item(BaseModel):
    sku: _Said = None
    name: _Said = Field(default=None, alias="productName")
    upc: _Said = None
    offer: _Said = Field(default=None, alias="offerId")
    condition: _Said = None
    price: _Money | None = Field(default=None, alias="unitPrice")


class _Fulfillment(BaseModel):
    option: _Said = Field(default=None, alias="fulfillmentOption")
    store: _Said = Field(default=None, alias="storeId")


class _Seller(BaseModel):
    node: _Said = Field(default=None, alias="shipNodeType")


class WalmartLine(BaseModel):
    """One line, of which parts may stand differently."""

    number: Annotated[str, BeforeValidator(_text)] = Field(
        validation_alias=AliasChoices("lineNumber", "primeLineNumber")
    )
    item: _Item = _Item()
    charges: Annotated[tuple[Charge, ...], _in("charge")] = ()
    quantity: _Quantity = Field(alias="orderLineQuantity")
    statuses: Annotated[tuple[_Status, ...], _in("orderLineStatus")] = Field(
        default=(), validation_alias=AliasChoices("orderLineStatuses", "orderLineStatus")
    )
    at: _When | None = Field(default=None, alias="statusDate")
    fulfillment: _Fulfillment | None = None
    config: _Said = Field(default=None, alias="configId")
    intent_to_cancel: _Said = Field(default=None, alias="intentToCancel")
    wfs: _Said = Field(default=None, alias="isWFSEnabled")
    seller: _Seller = _Seller()

    @property
    def by_walmart(self) -> bool:
        """Whether it leaves from a distribution centre of Walmart's (Mexico says so line by line)."""
        return self.wfs == "Y" or self.seller.node == "DC"

    @property
    def buyer_cancels(self) -> bool:
        """Whether the buyer has asked Walmart to cancel it."""
        return (self.intent_to_cancel or "").casefold() in ("true", "y", "yes")

    @property
    def cancelled(self) -> Decimal:
        return sum((one.quantity.amount for one in self.statuses if one.status == "Cancelled"), _ZERO)

    @property
    def ordered(self) -> Decimal:
        """As it was placed: Mexico lowers the line's own quantity by what is cancelled, the United States does not."""
        return max(self.quantity.amount, sum((one.quantity.amount for one in self.statuses), _ZERO))

    @property
    def left(self) -> Decimal:
        return self.ordered - self.cancelled

    def stands(self, *words: str) -> Decimal:
        """How many units stand like this."""
        return sum((one.quantity.amount for one in self.statuses if one.status in words), _ZERO)


class PostalAddress(BaseModel):
    name: _Said = None
    address1: _Said = None
    address2: _Said = None
    address3: _Said = None
    address4: _Said = None
    address5: _Said = None
    address6: _Said = None
    city: _Said = None
    state: _Said = None
    postal_code: _Said = Field(default=None, alias="postalCode")
    country: _Said = None


class _Where(BaseModel):
    phone: _Said = None
    deliver_by: _When | None = Field(default=None, alias="estimatedDeliveryDate")
    ship_by: _When | None = Field(default=None, alias="estimatedShipDate")
    method: _Said = Field(default=None, alias="methodCode")
    address: PostalAddress | None = Field(default=None, alias="postalAddress")


class _Summary(BaseModel):
    total: _Money | None = Field(default=None, alias="totalAmount")


class _ShipNode(BaseModel):
    type: _Said = None


class WalmartOrder(BaseModel):
    """One purchase order: what one seller sends of what the buyer ordered."""

    id: Annotated[str | None, BeforeValidator(_text)] = Field(default=None, alias="purchaseOrderId", max_length=100)
    customer_order: _Said = Field(default=None, alias="customerOrderId")
    seller_order: _Said = Field(default=None, alias="sellerOrderId")
    original: _Said = Field(
        default=None, validation_alias=AliasChoices("originalCustomerOrderID", "originalCustomerOrderId")
    )
    kind: _Said = Field(default=None, alias="orderType")
    buyer: _Said = Field(default=None, alias="buyerId")
    email: _Said = Field(default=None, alias="customerEmailId")
    placed_at: _When = Field(alias="orderDate")
    shipping: _Where = Field(default=_Where(), alias="shippingInfo")
    billing: _Where | None = Field(default=None, alias="billingInfo")
    lines: Annotated[tuple[WalmartLine, ...], _in("orderLine")] = Field(alias="orderLines")
    summary: _Summary | None = Field(default=None, alias="orderSummary")
    total: _Money | None = Field(default=None, alias="orderTotal")
    paid_with: Annotated[tuple[str, ...], _in("paymentType")] = Field(default=(), alias="paymentTypes")
    payment_method: _Said = Field(default=None, alias="paymentMethod")
    ship_node: Annotated[tuple[_ShipNode, ...], _in("shipNode")] = Field(default=(), alias="shipNode")

    @property
    def by_walmart(self) -> bool:
        """Walmart Fulfillment Services send it: not the seller's to acknowledge."""
        node = any(one.type == "WFSFulfilled" for one in self.ship_node)
        return node or (bool(self.lines) and all(line.by_walmart for line in self.lines))

    @property
    def left(self) -> tuple[WalmartLine, ...]:
        """The lines of which something is not cancelled."""
        return tuple(line for line in self.lines if line.left)
