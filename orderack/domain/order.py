"""The canonical order: what every source is translated into, and nothing vendor-shaped."""

import hashlib
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from orderack.domain.value import Value

Text = Annotated[str, StringConstraints(max_length=2_000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Amount = Annotated[Decimal, Field(allow_inf_nan=False, ge=0, max_digits=18, decimal_places=4)]
Quantity = Annotated[Decimal, Field(allow_inf_nan=False, gt=0, max_digits=12, decimal_places=4)]


def _unset(value: object) -> bool:
    """Whether a field that came later holds nothing: it is left out then, so that what was hashed before still is."""
    return not value


DIGITAL = "digital"
"""The `order_type` of an order of which nothing is shipped or fetched: it needs no address."""


class Relation(StrEnum):
    """How the buyer stands to the store (R39–R42, R45)."""

    NEW = "new"
    REPEAT = "repeat"
    ENTERPRISE = "enterprise"


class PaymentStatus(StrEnum):
    """R21: captured at the moment of acknowledgement."""

    CONFIRMED = "confirmed"
    PENDING = "pending"
    FLAGGED = "flagged"


class Priority(StrEnum):
    NORMAL = "normal"
    HIGH = "high"


class Customer(Value):
    id: Name | None = None
    name: Text | None = None
    relation: Relation = Relation.REPEAT


class ChatId(Value):
    """The buyer's address on one chat platform; `platform` is the channel's name."""

    platform: Name
    id: Name


class Contacts(Value):
    """Where the buyer can be reached (R92)."""

    email: Annotated[str, StringConstraints(max_length=254)] | None = None
    phone: Annotated[str, StringConstraints(max_length=32)] | None = None
    chats: tuple[ChatId, ...] = ()
    e_wallet_id: Name | None = None
    preferred_channel: Name | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"


class ExternalId(Value):
    """The id in another system."""

    system: Name
    id: Name


class Line(Value):
    """One ordered line. `line_id` is the source's own and unique within the order."""

    line_id: Name
    sku: Name
    model: Text | None = None
    description: Text = ""
    quantity: Quantity
    unit_price: Amount
    instructions: Text | None = None
    design: Text | None = None
    dietary: Text | None = None
    subtotal: Annotated[Amount | None, Field(exclude_if=_unset)] = None
    """What the source says the line costs before discounts, where no unit price of four decimals multiplies to it."""
    discount: Annotated[Amount, Field(exclude_if=_unset)] = Decimal(0)
    """This line's part of the order's discount (`Totals.discount`), where the source says."""
    unit: Annotated[Name | None, Field(exclude_if=_unset)] = None
    """What the quantity counts, where it is not pieces."""
    codes: Annotated[tuple[ExternalId, ...], Field(exclude_if=_unset)] = ()
    """The item's or the line's numbers elsewhere: `gtin`, `buyer_item`, `asin`, a system's own line id …"""

    @property
    def amount(self) -> Decimal:
        """Before discounts: quantity times unit price, unrounded, in the order's currency; or what the source says."""
        return self.quantity * self.unit_price if self.subtotal is None else self.subtotal


class Address(Value):
    name: Text | None = None
    company: Text | None = None
    street: Text
    street2: Text | None = None
    city: Text
    region: Text | None = None
    postal_code: Text | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class Pickup(Value):
    """The buyer fetches the order (R108)."""

    location: Text
    at: AwareDatetime | None = None


class DeliveryWindow(Value):
    """What the buyer asked for (R116); never our promise."""

    start: AwareDatetime
    end: AwareDatetime


class Payment(Value):
    status: PaymentStatus = PaymentStatus.PENDING
    terms: Text | None = None
    method: Text | None = None


class TaxBasis(StrEnum):
    """Whether the lines' and the shipping's prices contain the tax."""

    INCLUDED = "included"
    ADDED = "added"


class Totals(Value):
    """What the source says; `total` is what the buyer pays."""

    discount: Amount = Decimal(0)
    tax: Amount = Decimal(0)
    shipping: Amount = Decimal(0)
    fees: Annotated[Amount, Field(exclude_if=_unset)] = Decimal(0)
    """Surcharges, handling, gift wrapping: whatever is added beside lines, tax and shipping."""
    credit: Annotated[Amount, Field(exclude_if=_unset)] = Decimal(0)
    """Gift cards and store credit that lower the total, where the source takes them off it."""
    tax_basis: Annotated[TaxBasis | None, Field(exclude_if=_unset)] = None
    """None: as the store's row in the policy says."""
    total: Amount


class Origin(Value):
    """Through which of our doors the order came: a store's connection to a system."""

    system: Name
    delivery: Name | None = None
    """The inbox's id of what it was read from, where a person may want to see the original."""


class Doubt(Value):
    """A field that was read from something that is no form: an e-mail, a document, a call."""

    field: Name
    why: Text
    confidence: Annotated[Decimal, Field(ge=0, le=1)]


class PartnerDeadline(Value):
    """A marketplace's or trading partner's own clock (Walmart 4 h, Amazon vendor 24 h)."""

    partner: Name
    due_at: AwareDatetime


class OrderRef(Value):
    """Which order: the pair that is unique everywhere (ledger, workflow id, messages)."""

    store: Name
    number: Name

    def __str__(self) -> str:
        return f"{self.store}/{self.number}"


class Order(Value):
    """One revision's content.

    Optional where a source may leave it out: an incomplete order is still an order, and completeness
    is assessed (`domain.completeness`) rather than refused, so that nothing is lost.
    """

    schema_version: Literal[1] = 1
    store: Name
    number: Name
    source: Name
    trigger_at: AwareDatetime
    customer: Customer = Customer()
    contacts: Contacts = Contacts()
    lines: tuple[Line, ...] = ()
    delivery_address: Address | None = None
    pickup: Pickup | None = None
    delivery_window: DeliveryWindow | None = None
    billing_address: Address | None = None
    payment: Payment = Payment()
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    totals: Totals
    instructions: Text | None = None
    priority: Priority = Priority.NORMAL
    order_type: Name = "standard"
    external_ids: tuple[ExternalId, ...] = ()
    partner_deadline: PartnerDeadline | None = None
    purchase_order: Annotated[Name | None, Field(exclude_if=_unset)] = None
    """The buyer's own number for it."""
    doubts: Annotated[tuple[Doubt, ...], Field(exclude_if=_unset)] = ()
    """What a person has to look at before it is believed."""
    origin: Annotated[Origin | None, Field(exclude_if=_unset)] = None

    @property
    def ref(self) -> OrderRef:
        return OrderRef(store=self.store, number=self.number)

    @property
    def content_hash(self) -> str:
        """SHA-256 over what was agreed: everything but when and through which door it came.

        The same order sent again (a webhook's second delivery) hashes the same; a changed line does not.
        """
        body = self.model_dump_json(exclude={"trigger_at": True, "origin": True, "payment": {"status": True}})
        return hashlib.sha256(body.encode()).hexdigest()
