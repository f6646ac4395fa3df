"""A Shopify order as its webhooks (and the older REST API) write it. What the API of today gives is brought to this
form (`_shopify_graphql`), so that there is one reading of an order, and both ways in give the same.

Fields: shopify.dev, REST "Order"; commerce.md §8. Anything may be null; amounts are texts; ids go beyond 2^53.
"""

import json
import re
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orderack.clients.wire import Moment
from orderack.errors import InvalidInput
from orderack.sources._loose import MANY, Said
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


def _object(value: object) -> object:
    return None if value in ({}, [], "") else value


NUMBER = re.compile("[0-9]{1,20}")
Number = Annotated[str, Field(pattern=rf"^{NUMBER.pattern}$")]
Id = Annotated[Number | None, BeforeValidator(id_of)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
Count = Annotated[int, Field(ge=0, lt=10**8)]
Part = BeforeValidator(_object)
"""For what is an empty text, list or object where there is none."""
Yes = Annotated[bool | None, Part]
MaybeAmount = Annotated[Amount | None, Part]
MaybeMoment = Annotated[Moment | None, Part]


class Read(BaseModel):
    """Whatever Shopify adds is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Money(Read):
    amount: Amount
    currency_code: str = Field(min_length=1)


class Bag(Read):
    """An amount in the shop's currency and in the one that the buyer pays in."""

    shop_money: Money
    presentment_money: Annotated[Money | None, Part] = None


MaybeBag = Annotated[Bag | None, Part]


class Allocation(Read):
    amount: MaybeAmount = None
    amount_set: MaybeBag = None


def _value(value: object) -> object:
    """Some apps write a list of choices: it is kept as it came."""
    return json.dumps(value, ensure_ascii=False) if value and isinstance(value, list | dict) else _object(value)


class Pair(Read):
    name: Said = None
    value: Annotated[str | int | float | bool | None, BeforeValidator(_value)] = None


class Line(Read):
    id: Id = None
    variant_id: Id = None
    product_id: Id = None
    sku: Said = None
    name: Said = None
    title: Said = None
    quantity: Count
    current_quantity: Count | None = None
    price: MaybeAmount = None
    price_set: MaybeBag = None
    requires_shipping: Yes = None
    tip: object = None
    tip_payment_gateway: object = None
    """On the line of a tip it is there, null or not, and on no other."""
    properties: Annotated[tuple[Pair, ...], MANY] = ()
    discount_allocations: Annotated[tuple[Allocation, ...], MANY] = ()


class Shipping(Read):
    title: Said = None
    code: Said = None
    delivery_category: Said = None
    is_removed: Yes = None
    price: MaybeAmount = None
    price_set: MaybeBag = None
    discounted_price: MaybeAmount = None
    discounted_price_set: MaybeBag = None
    discount_allocations: Annotated[tuple[Allocation, ...], MANY] = ()

    @property
    def is_free(self) -> bool:
        return not _in_the_shop(self.price_set, self.price)


class RefundLine(Read):
    line_item_id: Id = None
    quantity: Count = 0


class Adjustment(Read):
    kind: Said = None
    amount: MaybeAmount = None
    amount_set: MaybeBag = None


class Refund(Read):
    refund_line_items: Annotated[tuple[RefundLine, ...], MANY] = ()
    order_adjustments: Annotated[tuple[Adjustment, ...], MANY] = ()


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
    due_in_days: Count | None = None


class ShopOrder(Read):
    id: Annotated[Number, BeforeValidator(id_of)]
    name: Said = None
    order_number: Id = None
    created_at: MaybeMoment = None
    processed_at: MaybeMoment = None
    updated_at: MaybeMoment = None
    cancelled_at: MaybeMoment = None
    cancel_reason: Said = None
    test: Yes = None
    currency: str = Field(min_length=1)
    presentment_currency: Said = None
    financial_status: Said = None
    payment_gateway_names: Annotated[tuple[Said, ...], MANY] = ()
    gateway: Said = None
    """As older versions have it."""
    payment_terms: Annotated[Terms | None, Part] = None
    taxes_included: Yes = None
    duties_included: Yes = None
    line_items: Annotated[tuple[Line, ...], MANY]
    shipping_lines: Annotated[tuple[Shipping, ...], MANY] = ()
    refunds: Annotated[tuple[Refund, ...], MANY] = ()
    total_price: MaybeAmount = None
    total_price_set: MaybeBag = None
    total_tax: MaybeAmount = None
    total_tax_set: MaybeBag = None
    total_discounts: MaybeAmount = None
    total_discounts_set: MaybeBag = None
    total_tip_received: MaybeAmount = None
    total_tip_received_set: MaybeBag = None
    original_total_duties_set: MaybeBag = None
    original_total_additional_fees_set: MaybeBag = None
    current_total_price: MaybeAmount = None
    current_total_price_set: MaybeBag = None
    current_total_tax: MaybeAmount = None
    current_total_tax_set: MaybeBag = None
    current_total_discounts: MaybeAmount = None
    current_total_discounts_set: MaybeBag = None
    current_total_duties_set: MaybeBag = None
    current_total_additional_fees_set: MaybeBag = None
    current_shipping_price_set: MaybeBag = None
    customer: Annotated[Buyer | None, Part] = None
    email: Said = None
    contact_email: Said = None
    phone: Said = None
    customer_locale: Said = None
    shipping_address: Annotated[Place | None, Part] = None
    billing_address: Annotated[Place | None, Part] = None
    note: Said = None
    note_attributes: Annotated[tuple[Pair, ...], MANY] = ()
    po_number: Said = None
    confirmation_number: Said = None
    source_name: Said = None
    location_id: Id = None

    @property
    def total_set(self) -> Bag | None:
        """What it costs: now, or as it was placed."""
        return self.current_total_price_set if self.edited else self.total_price_set

    @property
    def paid_in_its_currency(self) -> bool:
        """Whether it says its total in the currency that the buyer pays: a subscription may leave that out."""
        presented = self.total_set is not None and self.total_set.presentment_money is not None
        return presented or (self.presentment_currency or self.currency).casefold() == self.currency.casefold()

    @property
    def tips(self) -> tuple[Line, ...]:
        """A tip is a line of its own on most orders."""
        return tuple(line for line in self.line_items if self._is_tip(line))

    @property
    def sold(self) -> tuple[Line, ...]:
        return tuple(line for line in self.line_items if not self._is_tip(line))

    def _is_tip(self, line: Line) -> bool:
        """GraphQL says so by its name alone, which is in the shop's language: there the sum tells."""
        if line.product_id is not None or line.variant_id is not None or line.requires_shipping:
            return False
        if line.tip is not None or "tip_payment_gateway" in line.model_fields_set:
            return True
        received, each = (
            _in_the_shop(self.total_tip_received_set, self.total_tip_received),
            _in_the_shop(line.price_set, line.price),
        )
        return bool(received) and (line.title == "Tip" or (each or 0) * line.quantity == received)

    @property
    def all_gone(self) -> bool:
        """Every line was refunded or taken out: nothing of it is wanted any more."""
        return bool(self.sold) and not any(self.wanted(line) for line in self.sold)

    @property
    def cancelled(self) -> bool:
        return self.cancelled_at is not None or self.all_gone

    @property
    def edited(self) -> bool:
        """Whether the figures of now count. What was cancelled is told as it was when it was."""
        known = self.current_total_price is not None or self.current_total_price_set is not None
        return known and not self.cancelled

    @property
    def stale(self) -> bool:
        """Something was taken back, and there are no figures of now."""
        return not self.edited and not self.cancelled and any(self.wanted(one) != one.quantity for one in self.sold)

    def wanted(self, line: Line) -> int:
        """How many of it are still on order."""
        if line.current_quantity is not None:
            return line.current_quantity
        back = [one for refund in self.refunds for one in refund.refund_line_items if one.line_item_id == line.id]
        return max(line.quantity - sum(one.quantity for one in back), 0)

    def count(self, line: Line) -> int:
        """How many of it the order's figures stand for."""
        return self.wanted(line) if self.edited else line.quantity


def _in_the_shop(bag: Bag | None, plain: Decimal | None) -> Decimal | None:
    """The amount in the shop's own currency."""
    return plain if bag is None else bag.shop_money.amount
