"""An Opportunity as one SOQL query brings it: with its lines, its account and the people in it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from orderack.clients.wire import Moment, not_an_event
from orderack.domain.order import Address
from orderack.sources._deal import Deal, DealLine, plain
from orderack.sources._loose import Exact, Money, Said, first
from orderack.sources._reading import address_of

_ADDRESS = ("Street", "City", "State", "PostalCode", "Country")
_ACCOUNT = (
    *("Id", "Name", "AccountNumber", "Phone"),
    *(f"{kind}{part}" for kind in ("Shipping", "Billing") for part in _ADDRESS),
)
_LOCATOR = re.compile(r"/query/([A-Za-z0-9]{15,18}-\d{1,6})$")
_LINE = ("Id", "Quantity", "UnitPrice", "TotalPrice", "Description", "ProductCode", "Product2Id", "Product2.Name")
_PERSON = ("ContactId", "IsPrimary", "Contact.Name", "Contact.Email", "Contact.Phone", "Contact.MobilePhone")
_OPPORTUNITY = (
    *("Id", "Name", "Amount", "StageName", "IsWon", "Description"),
    *("LastModifiedDate", "LastStageChangeDate"),
)


def query(external_id: str, own: Sequence[str], *, with_currency: bool) -> str:
    """SOQL for one opportunity. `external_id` and `own` have been checked to be an id and field names."""
    currency = ("CurrencyIsoCode",) if with_currency else ()
    fields = dict.fromkeys((*_OPPORTUNITY, *currency, *own, *(f"Account.{name}" for name in _ACCOUNT)))
    lines = f"(SELECT {','.join(_LINE)} FROM OpportunityLineItems ORDER BY SortOrder NULLS LAST, Id)"  # noqa: S608 - our own words
    people = f"(SELECT {','.join(_PERSON)} FROM OpportunityContactRoles ORDER BY IsPrimary DESC, CreatedDate)"  # noqa: S608 - ours
    return f"SELECT {','.join(fields)},{lines},{people} FROM Opportunity WHERE Id = '{external_id}'"  # noqa: S608 - checked


def _records(value: object) -> object:
    """A sub-query's records; null where there are none."""
    if isinstance(value, dict):
        value = value.get("records")
    return value or ()


class Page(BaseModel):
    """Records, or the first of them."""

    records: tuple[JsonValue, ...] = ()
    done: bool = True
    next: str | None = Field(default=None, alias="nextRecordsUrl")

    @property
    def rest(self) -> str | None:
        """Where the rest is to be had, below the API's version; None: this is all.

        Only the locator is taken of the address: where to send a login is for the settings to say.
        """
        if self.done:
            return None
        found = _LOCATOR.search(self.next or "")
        if found is None:
            raise not_an_event("nextRecordsUrl", "is not as documented", "see the opportunity in Salesforce")
        return f"/query/{found.group(1)}"


class Family(BaseModel):
    """An opportunity's sub-queries, of which Salesforce may hand out only the beginning."""

    lines: Page | None = Field(default=None, alias="OpportunityLineItems")


class _Product(BaseModel):
    name: Said = Field(default=None, alias="Name")


class _Line(BaseModel):
    id: str = Field(alias="Id", max_length=18)
    quantity: Exact = Field(default=None, alias="Quantity")
    price: Exact = Field(default=None, alias="UnitPrice")
    total: Money = Field(default=None, alias="TotalPrice")
    note: Said = Field(default=None, alias="Description")
    code: Said = Field(default=None, alias="ProductCode")
    product_id: Said = Field(default=None, alias="Product2Id")
    product: _Product | None = Field(default=None, alias="Product2")


class _Contact(BaseModel):
    name: Said = Field(default=None, alias="Name")
    email: Said = Field(default=None, alias="Email")
    phone: Said = Field(default=None, alias="Phone")
    mobile: Said = Field(default=None, alias="MobilePhone")


class _Role(BaseModel):
    id: Said = Field(default=None, alias="ContactId")
    contact: _Contact | None = Field(default=None, alias="Contact")


class _Account(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    id: Said = Field(default=None, alias="Id")
    name: Said = Field(default=None, alias="Name")
    number: Said = Field(default=None, alias="AccountNumber")
    phone: Said = Field(default=None, alias="Phone")

    def address(self, kind: str, person: str | None, country: str) -> Address | None:
        """`Shipping` or `Billing`; its street may have several lines."""
        street, city, state, code, land = (plain(self.__pydantic_extra__.get(f"{kind}{part}")) for part in _ADDRESS)
        if not street:
            return None
        head, _, rest = street.replace("\r", "").partition("\n")
        return address_of(
            name=person,
            company=self.name,
            street=head,
            street2=rest,
            city=city,
            region=state,
            postal_code=code,
            country=land,
            otherwise=country,
        )


class Opportunity(BaseModel):
    """One record; the shop's own fields are among the extra ones."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(alias="Id", pattern=r"^[A-Za-z0-9]{15,18}$")
    stage: str = Field(alias="StageName", max_length=255)
    won: bool = Field(alias="IsWon")
    at: Moment = Field(alias="LastModifiedDate")
    staged_at: Moment | None = Field(default=None, alias="LastStageChangeDate")
    amount: Money = Field(default=None, alias="Amount")
    currency: Said = Field(default=None, alias="CurrencyIsoCode")
    description: Said = Field(default=None, alias="Description")
    account: _Account | None = Field(default=None, alias="Account")
    lines: Annotated[tuple[_Line, ...], BeforeValidator(_records)] = Field(default=(), alias="OpportunityLineItems")
    roles: Annotated[tuple[_Role, ...], BeforeValidator(_records)] = Field(default=(), alias="OpportunityContactRoles")

    def own(self, name: str | None) -> str | None:
        """A field of the shop's own, as text."""
        return plain((self.__pydantic_extra__ or {}).get(name)) if name else None


def deal_of(
    found: Opportunity,
    *,
    stages: frozenset[str],
    names: Mapping[str, str | None],
    own: Sequence[str],
    country: str,
    currency: str | None,
) -> Deal:
    """`stages`: those that count as won; none: as Salesforce says (`IsWon`)."""
    role = next((one for one in found.roles if one.contact), None)
    person = (role.contact if role else None) or _Contact()
    account = found.account or _Account()
    won = found.stage in stages if stages else found.won
    ship_to, bill_to = (account.address(kind, person.name, country) for kind in ("Shipping", "Billing"))
    return Deal(
        id=found.id,
        won=won,
        stage=found.stage,
        at=found.at,
        won_at=found.staged_at,
        number=found.own(names.get("number")),
        currency=first(found.currency, currency),
        amount=found.amount,
        customer_id=first(account.id, role.id if role else None),
        customer_name=first(account.name, person.name),
        email=person.email,
        phone=first(person.phone, person.mobile, account.phone),
        ship_to=ship_to or bill_to,
        bill_to=bill_to or ship_to,
        terms=found.own(names.get("terms")),
        purchase_order=found.own(names.get("purchase_order")),
        description=found.description,
        own=tuple((name, found.own(name)) for name in own),
        lines=tuple(_line(line) for line in found.lines),
        ids=(("salesforce_account", account.id), ("salesforce_contact", role.id if role else None)),
    )


def _line(line: _Line) -> DealLine:
    """`Discount` is a percentage that `TotalPrice` contains already."""
    return DealLine(
        id=line.id,
        sku=line.code,
        product=line.product_id,
        name=line.product.name if line.product else None,
        note=line.note,
        quantity=line.quantity,
        price=line.price,
        amount=line.total,
    )


def soql_time(at: datetime) -> str:
    """A moment (UTC) as SOQL writes it: bare, and with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def checked(name: str, what: str) -> str:
    """A field's name as it may stand in a query. Raises InvalidInput for what is none."""
    if not name.isascii() or not name.replace("_", "").replace(".", "").isalnum() or len(name) > 120:
        raise not_an_event(what, "is no name of a field", "use its API name, e.g. Payment_Terms__c")
    return name
