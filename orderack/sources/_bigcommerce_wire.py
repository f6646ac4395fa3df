"""A BigCommerce order and what stands beside it, as its API writes them (orders.v2.oas2.yml, orders.v3.yml)."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, JsonValue

from orderack.sources._loose import MANY, OBJECT, Flag, Money, Said
from orderack.sources._reading import line_of


def _one_object(value: object) -> object:
    """Consignments in the structure that is no longer supported: an array of one such object."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


class LineItem(BaseModel):
    """A line of a consignment: a link to it, or the line itself."""

    id: Said = None
    resource: Said = None

    @property
    def product(self) -> str | None:
        """The line's id."""
        return self.id or (self.resource or "").rpartition("/")[2] or None


class FormField(BaseModel):
    name: Said = None
    value: JsonValue = None


class Party(BaseModel):
    """A billing address, a shipping address or a shipping consignment."""

    id: Said = None
    first_name: Said = None
    last_name: Said = None
    company: Said = None
    street_1: Said = None
    street_2: Said = None
    city: Said = None
    state: Said = None
    zip: Said = None
    country: Said = None
    country_iso2: Said = None
    phone: Said = None
    email: Said = None
    form_fields: Annotated[tuple[FormField, ...], MANY] = ()

    @property
    def name(self) -> str | None:
        return line_of(" ".join(part for part in (self.first_name, self.last_name) if part))


class Location(BaseModel):
    name: Said = None
    address_line_1: Said = None
    address_line_2: Said = None
    city: Said = None


class PickupConsignment(BaseModel):
    pickup_method_display_name: Said = None
    location: Annotated[Location | None, OBJECT] = None
    line_items: Annotated[tuple[LineItem, ...], MANY] = ()

    @property
    def where(self) -> str:
        """Where it is fetched; "pickup" where that is all that is said."""
        spot = self.location or Location()
        name = spot.name or self.pickup_method_display_name
        return line_of(", ".join(filter(None, (name, spot.address_line_1, spot.address_line_2, spot.city)))) or "pickup"


class Option(BaseModel):
    display_name: Said = None
    display_name_customer: Said = None
    name: Said = None
    display_value: Said = None
    display_value_customer: Said = None
    value: JsonValue = None


class Discount(BaseModel):
    amount: Money = None


class Product(BaseModel):
    """One line of an order."""

    id: str
    name: Said = None
    name_customer: Said = None
    type: Said = None
    sku: Said = None
    upc: Said = None
    product_id: Said = None
    variant_id: Said = None
    order_address_id: Said = None
    quantity: Money = None
    total_ex_tax: Money = None
    total_inc_tax: Money = None
    quantity_refunded: Money = None
    wrapping_name: Said = None
    wrapping_message: Said = None
    event_name: Said = None
    event_date: Said = None
    applied_discounts: Annotated[tuple[Discount, ...], MANY] = ()
    product_options: Annotated[tuple[Option, ...], MANY] = ()
    configurable_fields: Annotated[tuple[FormField, ...], MANY] = ()

    model_config = {"coerce_numbers_to_str": True}


class Consignments(BaseModel):
    """Where the goods go (`include=consignments`); else a link to it, which says nothing here."""

    pickups: Annotated[tuple[PickupConsignment, ...], MANY] = ()
    shipping: Annotated[tuple[Party, ...], MANY] = ()


class Fee(BaseModel):
    cost_ex_tax: Money = None
    cost_exc_tax: Money = None
    """As BigCommerce's own example spells it."""
    cost_inc_tax: Money = None


class Head(BaseModel):
    """`GET /v2/orders/{id}?include=consignments,fees&consignment_structure=object`."""

    model_config = {"coerce_numbers_to_str": True}

    id: str
    customer_id: Said = None
    date_created: Said = None
    date_modified: Said = None
    status_id: Said = None
    status: Said = None
    is_deleted: Flag = False
    is_tax_inclusive_pricing: Flag = False
    total_inc_tax: Money
    total_tax: Money = None
    shipping_cost_ex_tax: Money = None
    shipping_cost_inc_tax: Money = None
    handling_cost_ex_tax: Money = None
    handling_cost_inc_tax: Money = None
    wrapping_cost_ex_tax: Money = None
    wrapping_cost_inc_tax: Money = None
    discount_amount: Money = None
    coupon_discount: Money = None
    store_credit_amount: Money = None
    gift_certificate_amount: Money = None
    payment_method: Said = None
    payment_status: Said = None
    order_is_digital: Flag = False
    default_currency_code: Said = None
    currency_code: Said = None
    customer_message: Said = None
    customer_locale: Said = None
    external_id: Said = None
    external_order_id: Said = None
    external_source: Said = None
    ebay_order_id: Said = None
    billing_address: Annotated[Party | None, OBJECT] = None
    consignments: Annotated[Consignments | None, BeforeValidator(_one_object), OBJECT] = None
    fees: Annotated[tuple[Fee, ...] | dict[str, JsonValue], MANY] = ()
    """The fees, or a link to them."""


class Coupon(BaseModel):
    code: Said = None


class RefundedItem(BaseModel):
    model_config = {"coerce_numbers_to_str": True}

    item_type: Said = None
    item_id: str
    quantity: Money = None


class RefundPayment(BaseModel):
    is_declined: Flag = False


class Refund(BaseModel):
    total_amount: Money = None
    total_tax: Money = None
    items: Annotated[tuple[RefundedItem, ...], MANY] = ()
    payments: Annotated[tuple[RefundPayment, ...], MANY] = ()

    @property
    def happened(self) -> bool:
        """Not every payment of it was declined."""
        return not self.payments or not all(payment.is_declined for payment in self.payments)


class Whole(BaseModel):
    """An order and what stands beside it."""

    order: Head
    products: tuple[Product, ...]
    addresses: tuple[Party, ...] = ()
    coupons: tuple[Coupon, ...] = ()
    refunds: tuple[Refund, ...] = ()
