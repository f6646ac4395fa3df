"""A Shopify order as its webhooks (and the older REST API) write it. What the API of today gives is brought to this
form (`_shopify_graphql`), so that there is one reading of an order, and both ways in give the same.

Fields: shopify.dev, REST "Order"; commerce.md §8. Anything may be null; amounts are texts; ids go beyond 2^53.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orderack.clients.wire import Moment
from orderack.errors import InvalidInput
from orderack.sources._reading import amount


def id_of(value: object) -> object:
    """An id, from number, text or global id (`gid://shopify/LineItem/7?…`) to text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.startswith("gid://"):
        return value.rsplit("/", 1)[-1].partition("?")[0]
    return value or None


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("not an amount")
    try:
        return amount(value, "amount")
    except InvalidInput:
        raise ValueError("not an amount") from None


def _many(value: object) -> object:
    return () if value is None else value


Number = Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
Id = Annotated[Number | None, BeforeValidator(id_of)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
Count = Annotated[int, Field(ge=0, lt=10**8)]
Yes = bool | None
Said = str | None


class Read(BaseModel):
    """Whatever Shopify adds is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Money(Read):
    amount: Amount
    currency_code: str


class Bag(Read):
    """An amount in the shop's currency and in the one that the buyer pays in."""

    shop_money: Money
    presentment_money: Money | None = None


class Allocation(Read):
    amount: Amount | None = None
    amount_set: Bag | None = None


class Pair(Read):
    name: str | None = None
    value: str | int | float | bool | None = None


class Line(Read):
    id: Id = None
    variant_id: Id = None
    product_id: Id = None
    sku: Said = None
    name: Said = None
    title: Said = None
    quantity: Count
    current_quantity: Count | None = None
    price: Amount | None = None
    price_set: Bag | None = None
    requires_shipping: Yes = None
    tip: object = None
    """Not null: this line is the buyer's tip."""
    properties: Annotated[tuple[Pair, ...], BeforeValidator(_many)] = ()
    discount_allocations: Annotated[tuple[Allocation, ...], BeforeValidator(_many)] = ()


class Shipping(Read):
    title: Said = None
    code: Said = None
    delivery_category: Said = None
    is_removed: Yes = None
    price: Amount | None = None
    price_set: Bag | None = None
    discounted_price: Amount | None = None
    discounted_price_set: Bag | None = None
    discount_allocations: Annotated[tuple[Allocation, ...], BeforeValidator(_many)] = ()


class RefundLine(Read):
    line_item_id: Id = None
    quantity: Count = 0


class Adjustment(Read):
    kind: Said = None
    amount: Amount | None = None
    amount_set: Bag | None = None


class Refund(Read):
    refund_line_items: Annotated[tuple[RefundLine, ...], BeforeValidator(_many)] = ()
    order_adjustments: Annotated[tuple[Adjustment, ...], BeforeValidator(_many)] = ()


class Place(Read):
    """An address."""

    first_name: Said = None
    last_name: Said = None
    name: Said = None
    company: Said = None
    address1: Said = None
    address2: Said = None
    city: Said = None
    province: Said = None
    province_code: Said = None
    zip: Said = None
    country: Said = None
    country_code: Said = None
    phone: Said = None


class Buyer(Read):
    id: Id = None
    first_name: Said = None
    last_name: Said = None
    email: Said = None
    phone: Said = None


class Terms(Read):
    payment_terms_name: Said = None


class ShopOrder(Read):
    id: Annotated[Number, BeforeValidator(id_of)]
    name: str = Field(min_length=1)
    created_at: Moment
    processed_at: Moment | None = None
    updated_at: Moment
    cancelled_at: Moment | None = None
    cancel_reason: Said = None
    test: Yes = None
    currency: str
    presentment_currency: Said = None
    financial_status: Said = None
    payment_gateway_names: Annotated[tuple[str | None, ...], BeforeValidator(_many)] = ()
    gateway: Said = None
    """As older versions have it."""
    payment_terms: Terms | None = None
    taxes_included: bool
    duties_included: Yes = None
    line_items: tuple[Line, ...]
    shipping_lines: Annotated[tuple[Shipping, ...], BeforeValidator(_many)] = ()
    refunds: Annotated[tuple[Refund, ...], BeforeValidator(_many)] = ()
    total_price: Amount
    total_price_set: Bag | None = None
    total_tax: Amount | None = None
    total_tax_set: Bag | None = None
    total_discounts: Amount | None = None
    total_discounts_set: Bag | None = None
    total_tip_received: Amount | None = None
    total_tip_received_set: Bag | None = None
    original_total_duties_set: Bag | None = None
    original_total_additional_fees_set: Bag | None = None
    current_total_price: Amount | None = None
    current_total_price_set: Bag | None = None
    current_total_tax: Amount | None = None
    current_total_tax_set: Bag | None = None
    current_total_discounts: Amount | None = None
    current_total_discounts_set: Bag | None = None
    current_total_duties_set: Bag | None = None
    current_total_additional_fees_set: Bag | None = None
    current_shipping_price_set: Bag | None = None
    customer: Buyer | None = None
    email: Said = None
    contact_email: Said = None
    phone: Said = None
    customer_locale: Said = None
    shipping_address: Place | None = None
    billing_address: Place | None = None
    note: Said = None
    note_attributes: Annotated[tuple[Pair, ...], BeforeValidator(_many)] = ()
    po_number: Said = None
    confirmation_number: Said = None
    source_name: Said = None
    location_id: Id = None

    @property
    def all_gone(self) -> bool:
        """Every line was refunded or taken out: nothing of it is wanted any more."""
        return bool(self.line_items) and not any(self.wanted(line) for line in self.line_items)

    @property
    def cancelled(self) -> bool:
        return self.cancelled_at is not None or self.all_gone

    @property
    def edited(self) -> bool:
        """Whether the figures of now count. What was cancelled is told as it was when it was."""
        known = self.current_total_price is not None or self.current_total_price_set is not None
        return known and not self.cancelled

    def wanted(self, line: Line) -> int:
        """How many of it are still on order."""
        if line.current_quantity is not None:
            return line.current_quantity
        back = [one for refund in self.refunds for one in refund.refund_line_items if one.line_item_id == line.id]
        return max(line.quantity - sum(one.quantity for one in back), 0)

    def count(self, line: Line) -> int:
        """How many of it the order's figures stand for."""
        return self.wanted(line) if self.edited else line.quantity
