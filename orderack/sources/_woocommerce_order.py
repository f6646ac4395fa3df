"""A WooCommerce order as its webhooks and REST API write it.

PHP and its plugins let a field's type vary: a number may be a text, an empty object an empty list, a list an object
with numbered keys, nothing an empty text or `false` (commerce.md §9, order-alternative-types). Money is never guessed:
what is no amount is an error.
"""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orderack.errors import InvalidInput
from orderack.sources._reading import amount


def _said(value: object) -> str | None:
    """Text of text or number; nothing of anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)


def _id(value: object) -> str | None:
    """An id; 0 and the empty text are none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = (_said(value) or "").strip()
    return None if text in ("", "0") else text


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("not an amount")
    try:
        return amount(value, "amount")
    except InvalidInput:
        raise ValueError("not an amount") from None


def _amount_or_none(value: object) -> Decimal | None:
    return None if value in (None, "", False) or value == [] else _amount(value)


def _exact(value: object) -> Decimal | None:
    try:
        found = Decimal(_said(value) or "")
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < 10**12 else None


def _many(value: object) -> object:
    """PHP writes a list with gaps as an object, and none as nothing."""
    if isinstance(value, dict):
        return tuple(value.values())
    return () if value in (None, "", False) else value


def _objects(value: object) -> object:
    """What a plugin wrote in another form than WooCommerce's is nothing that could be read."""
    found = _many(value)
    return tuple(one for one in found if isinstance(one, dict)) if isinstance(found, tuple | list) else ()


def _object(value: object) -> object:
    """PHP writes an empty object as an empty list."""
    return value or None


def _yes(value: object) -> bool:
    return value in (True, 1, "1", "true", "yes")


Said = Annotated[str | None, BeforeValidator(_said)]
_Number = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,60}$")]
Id = Annotated[_Number | None, BeforeValidator(_id)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
MaybeAmount = Annotated[Decimal | None, BeforeValidator(_amount_or_none)]
Listed = BeforeValidator(_many)
Noted = BeforeValidator(_objects)
Part = BeforeValidator(_object)


class Read(BaseModel):
    """Whatever plugins add is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Meta(Read):
    """A field that a plugin or the shop added."""

    key: Said = None
    value: object = None
    display_key: Said = None
    display_value: object = None


class Line(Read):
    id: Id = None
    product_id: Id = None
    variation_id: Id = None
    sku: Said = None
    name: Said = None
    quantity: Amount
    subtotal: MaybeAmount = None
    total: Amount
    price: Annotated[Decimal | None, BeforeValidator(_exact)] = None
    """Each, after discounts, with all its digits: `total` is rounded, and rounded lines need not add up."""
    bundled_by: Id = None
    composite_parent: Id = None
    meta_data: Annotated[tuple[Meta, ...], Noted] = ()


class Fee(Read):
    name: Said = None
    total: Amount


class Way(Read):
    """How it is shipped."""

    method_id: Said = None
    method_title: Said = None
    total: MaybeAmount = None
    meta_data: Annotated[tuple[Meta, ...], Noted] = ()


class Refund(Read):
    total: MaybeAmount = None


class GiftCard(Read):
    amount: Amount


class Place(Read):
    first_name: Said = None
    last_name: Said = None
    company: Said = None
    address_1: Said = None
    address_2: Said = None
    city: Said = None
    state: Said = None
    postcode: Said = None
    country: Said = None
    email: Said = None
    phone: Said = None


class ShopOrder(Read):
    id: Annotated[_Number, BeforeValidator(_id)]
    number: Said = None
    status: str = Field(min_length=1)
    currency: str = Field(min_length=1)
    created_via: Said = None
    date_created: Said = None
    date_created_gmt: Said = None
    date_modified: Said = None
    date_modified_gmt: Said = None
    date_paid: Said = None
    date_paid_gmt: Said = None
    total: Amount
    total_tax: MaybeAmount = None
    shipping_total: MaybeAmount = None
    needs_processing: object = None
    """False: all of it is downloaded."""
    customer_id: Id = None
    customer_note: Said = None
    billing: Annotated[Place | None, Part] = None
    shipping: Annotated[Place | None, Part] = None
    payment_method: Said = None
    payment_method_title: Said = None
    line_items: Annotated[tuple[Line, ...], Listed]
    fee_lines: Annotated[tuple[Fee, ...], Listed] = ()
    shipping_lines: Annotated[tuple[Way, ...], Listed] = ()
    refunds: Annotated[tuple[Refund, ...], Listed] = ()
    gift_cards: Annotated[tuple[GiftCard, ...], Listed] = ()
    meta_data: Annotated[tuple[Meta, ...], Noted] = ()

    @property
    def stands(self) -> str:
        """Its status; some plugins write it as the database has it."""
        return self.status.strip().casefold().removeprefix("wc-")

    @property
    def lines(self) -> tuple[Line, ...]:
        """Each once: a row that is repeated whole, its id with it, is one row."""
        return tuple(line for at, line in enumerate(self.line_items) if line.id is None or not _had(self, at))


def _had(order: ShopOrder, at: int) -> bool:
    return order.line_items[at] in order.line_items[:at]


def moment_of(gmt: str | None, local: datetime | None) -> datetime | None:
    """A time that WooCommerce writes in UTC and without a zone; where it does not, the shop's own. None too for what
    MySQL has where there is none (the year 0), and others like it."""
    try:
        found: datetime | None = datetime.fromisoformat(gmt or "")
    except ValueError:
        found = local
    if found is None or not 1970 <= found.year < 9_999:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
