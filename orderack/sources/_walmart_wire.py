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
    """The list in `{inner: [...]}`, in one object, or in a list; empty for what is nothing in any of these ways."""
    if isinstance(value, dict) and inner in value:
        value = value[inner]
    if value in (None, "", {}):
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _in(inner: str) -> BeforeValidator:
    return BeforeValidator(partial(_unwrapped, inner))


def _moment(value: object) -> object:
    if value == "":
        return None
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
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


_When = Annotated[datetime, BeforeValidator(_moment)]
_WhenSaid = Annotated[datetime | None, BeforeValidator(_moment)]
_Said = Annotated[str | None, BeforeValidator(_text)]
_Yes = Annotated[bool, BeforeValidator(lambda value: str(value).casefold() in ("true", "y", "yes"))]
_OBJECT = BeforeValidator(lambda value: value or {})
"""An object of which nothing is needed, and which may be null."""


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
    """Canada writes in capitals what the others write in lower case."""

    status: Annotated[str, BeforeValidator(lambda value: value.casefold() if isinstance(value, str) else value)]
    quantity: _Quantity = Field(alias="statusQuantity")
    reason: _Said = Field(default=None, alias="cancellationReason")
    at: _WhenSaid = Field(default=None, alias="statusDate")


class _Item(BaseModel):
    sku: _Said = None
    name: _Said = Field(default=None, alias="productName")
    upc: _Said = None
    offer: _Said = Field(default=None, alias="offerId")
    condition: _Said = None
    price: _Money | None = Field(default=None, alias="unitPrice")


class _Fulfillment(BaseModel):
    store: _Said = Field(default=None, alias="storeId")
    by: _Said = Field(default=None, alias="pickUpBy")


class _Seller(BaseModel):
    node: _Said = Field(default=None, alias="shipNodeType")


class WalmartLine(BaseModel):
    """One line, of which parts may stand differently."""

    number: Annotated[str, BeforeValidator(_text)] = Field(
        validation_alias=AliasChoices("lineNumber", "primeLineNumber")
    )
    item: Annotated[_Item, _OBJECT] = _Item()
    charges: Annotated[tuple[Charge, ...], _in("charge")] = ()
    quantity: _Quantity = Field(alias="orderLineQuantity")
    statuses: Annotated[tuple[_Status, ...], _in("orderLineStatus")] = Field(
        default=(), validation_alias=AliasChoices("orderLineStatuses", "orderLineStatus")
    )
    at: _WhenSaid = Field(default=None, alias="statusDate")
    fulfillment: _Fulfillment | None = None
    config: _Said = Field(default=None, alias="configId")
    buyer_cancels: _Yes = Field(default=False, alias="intentToCancel")
    """The buyer has asked Walmart to cancel it."""
    wfs: _Yes = Field(default=False, alias="isWFSEnabled")
    seller: Annotated[_Seller, _OBJECT] = _Seller()

    @property
    def by_walmart(self) -> bool:
        """Whether it leaves from a distribution centre of Walmart's (Mexico says so line by line)."""
        return self.wfs or self.seller.node == "DC"

    @property
    def cancelled(self) -> Decimal:
        return self.stands("cancelled", "canceled")

    @property
    def ordered(self) -> Decimal:
        """As it was placed: Mexico lowers the line's own quantity by what is cancelled, the United States does not.
        What was refunded was shipped before, and counts as that."""
        stood = sum((one.quantity.amount for one in self.statuses if one.status != "refund"), _ZERO)
        return max(self.quantity.amount, stood)

    @property
    def left(self) -> Decimal:
        return self.ordered - self.cancelled

    def stands(self, *words: str) -> Decimal:
        """How many units stand like this, in lower case."""
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
    deliver_by: _WhenSaid = Field(default=None, alias="estimatedDeliveryDate")
    ship_by: _WhenSaid = Field(default=None, alias="estimatedShipDate")
    method: _Said = Field(default=None, alias="methodCode")
    address: PostalAddress | None = Field(default=None, alias="postalAddress")


class _Summary(BaseModel):
    total: _Money | None = Field(default=None, alias="totalAmount")


class _PersonsName(BaseModel):
    complete: _Said = Field(default=None, alias="completeName")
    first: _Said = Field(default=None, alias="firstName")
    last: _Said = Field(default=None, alias="lastName")

    @property
    def whole(self) -> str:
        return self.complete or " ".join(part for part in (self.first, self.last) if part)


class _Person(BaseModel):
    name: _PersonsName | None = None


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
    shipping: Annotated[_Where, _OBJECT] = Field(default=_Where(), alias="shippingInfo")
    billing: _Where | None = Field(default=None, alias="billingInfo")
    lines: Annotated[tuple[WalmartLine, ...], _in("orderLine")] = Field(alias="orderLines")
    summary: _Summary | None = Field(default=None, alias="orderSummary")
    total: _Money | None = Field(default=None, alias="orderTotal")
    paid_with: Annotated[tuple[str, ...], _in("paymentType")] = Field(default=(), alias="paymentTypes")
    payment_method: _Said = Field(default=None, alias="paymentMethod")
    pickup_persons: Annotated[tuple[_Person, ...], _in("pickupPerson")] = Field(default=(), alias="pickupPersons")
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
