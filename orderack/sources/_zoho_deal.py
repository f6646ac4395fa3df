"""A deal as Zoho CRM says it (v8), with the sales order that was made of it, its account and its contact."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orderack.clients.wire import Moment
from orderack.domain.order import Address
from orderack.sources._deal import Deal, DealLine, plain
from orderack.sources._loose import MANY, OBJECT, ZERO, Exact, Money, Said, first
from orderack.sources._reading import address_of, amount

_Id = Annotated[str, BeforeValidator(lambda given: str(given) if type(given) is int else given)]
"""Text, however it was written; Zoho's ids are beyond 2^53."""
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*%")
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

    id: _Id = Field(pattern=r"^\d{10,25}$")

    def said(self, name: str | None) -> str | None:
        """A field as text; None for what is none."""
        return plain((self.__pydantic_extra__ or {}).get(name)) if name else None

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


class _Tax(BaseModel):
    value: Money = None


class _Item(BaseModel):
    id: _Id = Field(max_length=30)
    product: Annotated[Named | None, OBJECT] = Field(default=None, alias="Product_Name")
    quantity: Exact = Field(default=None, alias="Quantity")
    price: Exact = Field(default=None, alias="List_Price")
    after: Money = Field(default=None, alias="Total_After_Discount")
    discount: Said = Field(default=None, alias="Discount")
    """An amount, or `10 %`."""
    tax: Money = Field(default=None, alias="Tax")
    taxes: Annotated[tuple[_Tax, ...], MANY] = Field(default=(), alias="Line_Tax")
    note: Said = Field(default=None, alias="Description")

    @property
    def taxed(self) -> Decimal:
        """Its tax, or what its several taxes come to."""
        return sum((one.value or ZERO for one in self.taxes), ZERO) if self.tax is None else self.tax


class SalesOrder(Record):
    """What the deal was made into, where it was."""

    items: Annotated[tuple[_Item, ...], MANY] = Field(default=(), alias="Ordered_Items")
    total: Money = Field(default=None, alias="Grand_Total")
    tax: Money = Field(default=None, alias="Tax")
    discount: Money = Field(default=None, alias="Discount")
    adjustment: Money = Field(default=None, alias="Adjustment")
    """Added to the total; it may be negative."""
    at: Moment | None = Field(default=None, alias="Modified_Time")
    deal: Annotated[Named | None, OBJECT] = Field(default=None, alias="Deal_Name")


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
    descriptions = filter(None, (found.description, order.said("Description") if order else None))
    return Deal(
        id=found.id,
        won=found.stage in stages,
        stage=found.stage or "none",
        at=max(found.at, order.at) if order and order.at else found.at,
        number=found.said(names.get("number")),
        currency=first(sold("Currency"), found.currency, currency),
        amount=order.total if order and order.total is not None else found.amount,
        tax=sum((item.taxed for item in order.items), order.tax or ZERO) if order else None,
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
        description="\n".join(dict.fromkeys(descriptions)),
        own=tuple((name, first(found.said(name), order.said(name) if order else None)) for name in own),
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
    percent = _PERCENT.fullmatch(item.discount or "")
    return DealLine(
        id=item.id,
        sku=item.product.code if item.product else None,
        product=item.product.id if item.product else None,
        name=item.product.name if item.product else None,
        note=item.note,
        quantity=item.quantity,
        price=item.price,
        amount=item.after,
        discount=amount(item.discount, "Discount") if item.discount and not percent else None,
        percent=Decimal(percent.group(1)) if percent else None,
    )
