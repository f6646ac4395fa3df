"""A deal as Zoho CRM says it (v8), with the sales order that was made of it, its account and its contact."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from orderack.clients.wire import Moment
from orderack.domain.order import Address
from orderack.sources._deal import Deal, DealLine
from orderack.sources._loose import MANY, OBJECT, ZERO, Money, Said, first
from orderack.sources._reading import address_of

_ID = r"^\d{10,25}$"
_PARTS = ("Street", "City", "State", "Code", "Country")
_ADDRESS = {"Mailing": ("Mailing_Street", "Mailing_City", "Mailing_State", "Mailing_Zip", "Mailing_Country")} | {
    kind: tuple(f"{kind}_{part}" for part in _PARTS) for kind in ("Shipping", "Billing")
}


class Named(BaseModel):
    """A lookup: another record's id and name."""

    id: Said = Field(default=None, max_length=30)
    name: Said = None
    code: Said = Field(default=None, alias="Product_Code")


class Record(BaseModel):
    """Any record; its fields are as the account's admin named them."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(pattern=_ID)

    def said(self, name: str | None) -> str | None:
        """A field as text; None for what is none."""
        value: JsonValue = (self.__pydantic_extra__ or {}).get(name) if name else None
        if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
            return str(value).strip() or None
        return None

    def address(self, kind: str, *, name: str | None, company: str | None, country: str) -> Address | None:
        street, city, state, code, land = (self.said(part) for part in _ADDRESS[kind])
        if not street:
            return None
        return address_of(
            name=name,
            company=company,
            street=street,
            city=city,
            region=state,
            postal_code=code,
            country=land,
            otherwise=country,
        )


class _Item(BaseModel):
    id: str = Field(max_length=30)
    product: Annotated[Named | None, OBJECT] = Field(default=None, alias="Product_Name")
    quantity: Money = Field(default=None, alias="Quantity")
    price: Money = Field(default=None, alias="List_Price")
    discount: Money = Field(default=None, alias="Discount")
    tax: Money = Field(default=None, alias="Tax")
    note: Said = Field(default=None, alias="Description")


class SalesOrder(Record):
    """What the deal was made into, where it was."""

    items: Annotated[tuple[_Item, ...], MANY] = Field(default=(), alias="Ordered_Items")
    total: Money = Field(default=None, alias="Grand_Total")
    tax: Money = Field(default=None, alias="Tax")
    discount: Money = Field(default=None, alias="Discount")
    adjustment: Money = Field(default=None, alias="Adjustment")
    """Added to the total; it may be negative."""


class ZohoDeal(Record):
    """The deal itself: it has no lines of its own."""

    stage: Said = Field(default=None, alias="Stage", max_length=255)
    at: Moment = Field(alias="Modified_Time")
    amount: Money = Field(default=None, alias="Amount")
    currency: Said = Field(default=None, alias="Currency")
    description: Said = Field(default=None, alias="Description")
    account: Annotated[Named | None, OBJECT] = Field(default=None, alias="Account_Name")
    contact: Annotated[Named | None, OBJECT] = Field(default=None, alias="Contact_Name")


def deal_of(
    found: ZohoDeal,
    order: SalesOrder | None,
    account: Record | None,
    contact: Record | None,
    *,
    stages: frozenset[str],
    names: Mapping[str, str | None],
    own: Sequence[str],
    country: str,
    currency: str | None,
) -> Deal:
    """`names`: `number`, `terms`, `purchase_order` → the deal's field that holds it, where the shop has one."""
    firm = found.account.name if found.account else None
    person = found.contact.name if found.contact else None
    sold = order.said if order else found.said
    adjustment = (order.adjustment if order else None) or ZERO
    return Deal(
        id=found.id,
        won=found.stage in stages,
        stage=found.stage or "none",
        at=found.at,
        number=first(found.said(names.get("number")), sold("SO_Number") if names.get("number") else None),
        currency=first(sold("Currency"), found.currency, currency),
        amount=order.total if order and order.total is not None else found.amount,
        tax=sum((item.tax or ZERO for item in order.items), order.tax or ZERO) if order else None,
        discount=((order.discount or ZERO) if order else ZERO) - min(adjustment, ZERO),
        fees=max(adjustment, ZERO),
        customer_id=first(found.account.id if found.account else None, found.contact.id if found.contact else None),
        customer_name=first(firm, person),
        email=contact.said("Email") if contact else None,
        phone=first(
            contact.said("Phone") if contact else None,
            contact.said("Mobile") if contact else None,
            account.said("Phone") if account else None,
        ),
        ship_to=_where("Shipping", order, account, contact, person, firm, country),
        bill_to=_where("Billing", order, account, contact, person, firm, country),
        terms=found.said(names.get("terms")),
        purchase_order=first(found.said(names.get("purchase_order")), order.said("Purchase_Order") if order else None),
        description=found.description,
        own=tuple((name, found.said(name)) for name in own),
        lines=tuple(_line(item) for item in order.items) if order else (),
        ids=(
            ("zoho_sales_order", order.id if order else None),
            ("zoho_account", found.account.id if found.account else None),
            ("zoho_contact", found.contact.id if found.contact else None),
        ),
    )


def _where(
    kind: str,
    order: SalesOrder | None,
    account: Record | None,
    contact: Record | None,
    person: str | None,
    firm: str | None,
    country: str,
) -> Address | None:
    """The sales order's address goes before the account's, and that before the contact's own."""
    for record, wanted in ((order, kind), (account, kind), (contact, "Mailing")):
        at = record.address(wanted, name=person, company=firm, country=country) if record else None
        if at is not None:
            return at
    return None


def _line(item: _Item) -> DealLine:
    return DealLine(
        id=item.id,
        sku=item.product.code if item.product else None,
        product=item.product.id if item.product else None,
        name=item.product.name if item.product else None,
        note=item.note,
        quantity=item.quantity,
        price=item.price,
        discount=item.discount or ZERO,
    )
