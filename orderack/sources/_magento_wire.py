"""A Magento order as `GET /V1/orders/{id}` writes it (admin-schema-2.4.9): null and absent keys vary."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, JsonValue

from orderack.sources._loose import MANY, OBJECT, Flag, Money, Said


class Wire(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class Address(Wire):
    firstname: Said = None
    middlename: Said = None
    lastname: Said = None
    company: Said = None
    street: Annotated[tuple[Said, ...] | str, MANY] = ()
    city: Said = None
    region: Said = None
    postcode: Said = None
    country_id: Said = None
    telephone: Said = None
    email: Said = None


class GiftMessage(Wire):
    sender: Said = None
    recipient: Said = None
    message: Said = None


class CustomOption(Wire):
    option_id: Said = None
    option_value: JsonValue = None


class OptionParts(Wire):
    custom_options: Annotated[tuple[CustomOption, ...], MANY] = ()


class ProductOption(Wire):
    extension_attributes: Annotated[OptionParts | None, OBJECT] = None


class ItemParts(Wire):
    gift_message: Annotated[GiftMessage | None, OBJECT] = None


class Parent(Wire):
    item_id: Said = None


class Item(Wire):
    """A row. A configurable product has two (its own, and the variant's below it); a bundle one and its parts'."""

    item_id: str
    parent_item_id: Said = None
    parent_item: Annotated[Parent | None, OBJECT] = None
    product_id: Said = None
    product_type: Said = None
    is_virtual: Flag = False
    sku: Said = None
    name: Said = None
    price: Money = None
    price_incl_tax: Money = None
    qty_ordered: Money = None
    qty_canceled: Money = None
    qty_refunded: Money = None
    row_total: Money = None
    row_total_incl_tax: Money = None
    discount_amount: Money = None
    weee_tax_applied_row_amount: Money = None
    product_option: Annotated[ProductOption | None, OBJECT] = None
    extension_attributes: Annotated[ItemParts | None, OBJECT] = None

    @property
    def parent(self) -> str | None:
        """The row that it belongs to."""
        return self.parent_item_id or (self.parent_item.item_id if self.parent_item else None)


class Payment(Wire):
    method: Said = None
    po_number: Said = None


class History(Wire):
    comment: Said = None
    created_at: Said = None
    is_visible_on_front: Flag = False


class Shipping(Wire):
    address: Annotated[Address | None, OBJECT] = None
    method: Said = None


class Assignment(Wire):
    """A part of the order that is sent together. Magento itself makes one; modules that split orders make several."""

    shipping: Annotated[Shipping | None, OBJECT] = None
    items: Annotated[tuple[Parent, ...], MANY] = ()


class CustomFee(Wire):
    custom_fee_amount: Money = None


class Info(Wire):
    key: Said = None
    value: JsonValue = None


class Parts(Wire):
    """`extension_attributes`: Magento's own by their names, and those of the shop's modules."""

    model_config = ConfigDict(extra="allow")

    shipping_assignments: Annotated[tuple[Assignment, ...], MANY] = ()
    payment_additional_info: Annotated[tuple[Info, ...], MANY] = ()
    custom_fees: Annotated[tuple[CustomFee, ...], MANY] = ()
    pickup_location_code: Said = None
    gift_message: Annotated[GiftMessage | None, OBJECT] = None
    gift_cards_amount: Money = None
    customer_balance_amount: Money = None
    reward_currency_amount: Money = None
    gw_price: Money = None
    gw_items_price: Money = None
    gw_card_price: Money = None


class Ordered(Wire):
    """The order."""

    entity_id: str
    increment_id: Said = None
    created_at: Said = None
    updated_at: Said = None
    state: Said = None
    status: Said = None
    is_virtual: Flag = False
    customer_id: Said = None
    customer_is_guest: Flag = False
    customer_email: Said = None
    customer_firstname: Said = None
    customer_lastname: Said = None
    customer_note: Said = None
    coupon_code: Said = None
    ext_order_id: Said = None
    original_increment_id: Said = None
    """Of an order that was edited in the admin: Magento cancels it and makes another one in its place."""
    order_currency_code: Said = None
    subtotal: Money = None
    subtotal_incl_tax: Money = None
    discount_amount: Money = None
    discount_tax_compensation_amount: Money = None
    shipping_discount_tax_compensation_amount: Money = None
    shipping_amount: Money = None
    shipping_incl_tax: Money = None
    tax_amount: Money = None
    grand_total: Money
    base_grand_total: Money = None
    base_subtotal: Money = None
    base_discount_amount: Money = None
    base_discount_tax_compensation_amount: Money = None
    base_shipping_discount_tax_compensation_amnt: Money = None
    base_shipping_amount: Money = None
    base_tax_amount: Money = None
    total_paid: Money = None
    total_refunded: Money = None
    total_canceled: Money = None
    tax_refunded: Money = None
    tax_canceled: Money = None
    shipping_refunded: Money = None
    shipping_canceled: Money = None
    adjustment_negative: Money = None
    items: Annotated[tuple[Item, ...], MANY] = ()
    billing_address: Annotated[Address | None, OBJECT] = None
    payment: Annotated[Payment | None, OBJECT] = None
    status_histories: Annotated[tuple[History, ...], MANY] = ()
    extension_attributes: Annotated[Parts | None, OBJECT] = None

    @property
    def stands(self) -> str:
        """Its state; its status where that is not told, for Magento's own statuses bear their states' names."""
        return self.state or self.status or ""
