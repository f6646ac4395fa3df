"""A deal as HubSpot's CRM objects say it (v3): everything is a property, and every property is text or null."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import BaseModel, Field, JsonValue, TypeAdapter

from orderack.clients.wire import not_an_event
from orderack.domain.order import Address
from orderack.sources._deal import Deal, DealLine, plain
from orderack.sources._loose import ZERO, Said, first
from orderack.sources._reading import address_of, amount, language_of, prose_of

DEAL = (
    "amount", "closedate", "deal_currency_code", "dealname", "dealstage", "description", "hs_lastmodifieddate",
    "hs_merged_object_ids",
)  # fmt: skip
LINE = (
    "amount", "description", "hs_discount_percentage", "hs_line_item_currency_code", "hs_post_tax_amount",
    "hs_product_id", "hs_recurring_billing_period", "hs_sku", "hs_tax_amount", "hs_total_discount", "name", "price",
    "quantity", "recurringbillingfrequency",
)  # fmt: skip
CONTACT = (
    "address", "city", "company", "country", "email", "firstname", "hs_language", "lastname", "mobilephone", "phone",
    "state", "zip",
)  # fmt: skip
COMPANY = ("address", "address2", "city", "country", "name", "phone", "state", "zip")


class _Ref(BaseModel):
    id: Said = None
    to: Said = Field(default=None, alias="toObjectId")


class _Next(BaseModel):
    after: Said = None


class _Paging(BaseModel):
    next: _Next | None = None


class Refs(BaseModel):
    """What is associated, or a page of it."""

    results: tuple[_Ref, ...] = ()
    paging: _Paging | None = None

    @property
    def after(self) -> str | None:
        """Where the next page begins; None where there is none."""
        return self.paging.next.after if self.paging and self.paging.next else None

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(one for ref in self.results if (one := ref.id or ref.to))


class Thing(BaseModel):
    """Any CRM object."""

    id: Said = Field(default=None, max_length=100)
    properties: Mapping[str, JsonValue] = {}
    associations: Mapping[str, Refs] | None = None
    archived: bool = False

    def __getitem__(self, name: str) -> str | None:
        return plain(self.properties.get(name))

    def money(self, name: str) -> Decimal | None:
        value = self[name]
        return None if value is None else amount(value, name)

    def number(self, name: str) -> Decimal | None:
        """With every decimal."""
        return None if self.money(name) is None else Decimal(str(self[name]))

    def refs(self, kind: str) -> tuple[Refs, ...]:
        """What is associated; HubSpot names one kind in several spellings."""
        names = {kind, kind.replace("_", " ")}
        return tuple(refs for name, refs in (self.associations or {}).items() if name in names)

    @property
    def merged(self) -> tuple[str, ...]:
        """The deals that this one was made of."""
        return tuple(filter(None, (part.strip() for part in (self["hs_merged_object_ids"] or "").split(";"))))


class Things(BaseModel):
    results: tuple[Thing, ...] = ()
    paging: _Paging | None = None


THING: TypeAdapter[Thing] = TypeAdapter(Thing)
_NOTHING = Thing()


def moment(text: str | None) -> datetime | None:
    """HubSpot's ISO 8601, or epoch milliseconds."""
    if not text:
        return None
    try:
        at = datetime.fromtimestamp(int(text) / 1000, UTC) if text.isdigit() else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise not_an_event("date", "is no time", "see the deal in HubSpot") from None
    if not 1970 <= at.year < 9_999:
        raise not_an_event("date", "is not a time of ours", "see the deal in HubSpot")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def deal_of(
    thing: Thing,
    lines: Sequence[Thing],
    contact: Thing | None,
    company: Thing | None,
    *,
    won_stages: frozenset[str],
    names: Mapping[str, str | None],
    own: Sequence[str],
    country: str,
    language: str,
    currency: str | None,
) -> Deal:
    """`names`: `number`, `terms`, `purchase_order` → the property that holds it, where the shop has one."""
    stage = thing["dealstage"] or ""
    at = moment(thing["hs_lastmodifieddate"])
    if thing.id is None or at is None:
        raise not_an_event("hs_lastmodifieddate", "is missing, or the id is", "see the deal in HubSpot")
    person, firm = contact or _NOTHING, company or _NOTHING
    full_name = " ".join(part for part in (person["firstname"], person["lastname"]) if part)
    named = {word: thing[field] if field else None for word, field in names.items()}
    where = _address(company, full_name, country) or _address(contact, full_name, country)
    return Deal(
        id=thing.id,
        won=stage in won_stages and not thing.archived,
        stage=stage,
        at=at,
        won_at=moment(first(thing[f"hs_v2_date_entered_{stage}"], thing["closedate"])),
        number=named.get("number"),
        currency=first(thing["deal_currency_code"], *(line["hs_line_item_currency_code"] for line in lines), currency),
        amount=thing.money("amount"),
        tax=sum((line.money("hs_tax_amount") or ZERO for line in lines), ZERO),
        taxed=_taxed(lines),
        customer_id=first(firm.id, person.id),
        customer_name=first(firm["name"], full_name, person["company"]),
        email=person["email"],
        phone=first(person["phone"], person["mobilephone"], firm["phone"]),
        language=language_of(person["hs_language"], language),
        ship_to=where,
        bill_to=where,
        terms=named.get("terms"),
        purchase_order=named.get("purchase_order"),
        description=thing["description"],
        own=tuple((name, thing[name]) for name in own),
        lines=tuple(_line(line) for line in lines),
        ids=(("hubspot_contact", person.id), ("hubspot_company", firm.id)),
    )


def _taxed(lines: Sequence[Thing]) -> Decimal | None:
    """What the lines cost with their taxes; None where HubSpot does not say it of each."""
    each = [line.money("hs_post_tax_amount") for line in lines]
    said = [one for one in each if one is not None]
    return sum(said, ZERO) if said and len(said) == len(each) else None


def _line(line: Thing) -> DealLine:
    """A recurring one at what a period costs, and how often that is in words."""
    often, until = line["recurringbillingfrequency"], line["hs_recurring_billing_period"]
    billed = f"billed {often}" + (f" for {until}" if until else "") if often else None
    return DealLine(
        id=line.id or "",
        sku=line["hs_sku"],
        product=line["hs_product_id"],
        name=line["name"],
        note=prose_of(line["description"], billed),
        quantity=line.number("quantity"),
        price=line.number("price"),
        amount=line.money("amount"),
        discount=line.money("hs_total_discount"),
        percent=line.number("hs_discount_percentage"),
    )


def _address(thing: Thing | None, name: str, country: str) -> Address | None:
    if thing is None or not thing["address"]:
        return None
    return address_of(
        name=name,
        company=first(thing["name"], thing["company"]),
        street=thing["address"],
        street2=thing["address2"],
        city=thing["city"],
        region=thing["state"],
        postal_code=thing["zip"],
        country=thing["country"],
        otherwise=country,
    )


class Event(BaseModel):
    """One of a batch."""

    id: Said = Field(default=None, alias="eventId", max_length=50)
    portal: Said = Field(default=None, alias="portalId", max_length=50)
    kind: str = Field(default="", alias="subscriptionType", max_length=60)
    object: Said = Field(default=None, alias="objectId", max_length=50)
    at: Said = Field(default=None, alias="occurredAt", max_length=20)
    property: Said = Field(default=None, alias="propertyName", max_length=60)
