"""An 850 as our order: whose codes, terms, charges and dates mean what (docs/sources/edi_x12.md has the table)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from orderack.domain.money import minor_unit
from orderack.domain.order import (
    Address,
    Contacts,
    Customer,
    DeliveryWindow,
    Doubt,
    ExternalId,
    Line,
    Order,
    PartnerDeadline,
    Payment,
    Relation,
    TaxBasis,
    Totals,
)
from orderack.edi.acknowledgment import BASIS, CODE, CONTRACT, PO_DATE, PRICE_PER, RELEASE, SEQUENCE, UNIT
from orderack.edi.partner import PartnerProfile
from orderack.edi.purchase import Charge, Contact, Item, Partner, Purchase, Said, When
from orderack.edi.syntax import Segment
from orderack.ports import Connection
from orderack.sources._reading import (
    FOUR,
    address_of,
    canonical,
    email_of,
    line_of,
    name_of,
    phone_of,
    priced,
    prose_of,
    refuse,
    sku_of,
)

NAME = "edi_x12"
LINE_ID = f"{NAME}_line"

_NO_CHARGE = "NC"

_GTIN = frozenset({"UP", "UK", "EN", "UI", "EO"})
_BUYERS = frozenset({"BP", "IN", "PI", "CB", "SK"})
_FREIGHT = frozenset({"D240", "D270", "C310", "G470", "G821", "D244", "D980"})
"""SAC02 (element 1300) that are shipping."""
_TAX = frozenset({"H850", "H740", "H750", "H680", "D360", "B800"})

_DATES: Mapping[str, str] = {
    "001": "cancel if not shipped by",
    "010": "ship on",
    "015": "promotion begins",
    "037": "ship not before",
    "038": "ship not later than",
    "061": "cancel if not delivered by",
    "118": "pick-up asked for",
}
"""DTM01 (element 374) that are told to people; of the delivery itself see `_window`."""
_ON_DAY = ("002", "074", "106", "017", "371")
_NOT_BEFORE, _NOT_AFTER = ("064",), ("063",)


@dataclass(frozen=True, slots=True)
class Context:
    """What an order is read beside."""

    connection: Connection
    partner: str
    profile: PartnerProfile
    taken_at: datetime
    """When the interchange was accepted: from then on the clock runs."""

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.profile.time_zone or self.connection.time_zone)

    def external_id(self, purchase: Purchase) -> str:
        """Unique among all partners of the connection."""
        release = f"/{purchase.release}" if purchase.release else ""
        return f"{self.partner}/{purchase.number}{release}"


def order_of(purchase: Purchase, context: Context) -> Order:
    """The order. Raises InvalidInput naming what cannot be taken."""
    profile, connection = context.profile, context.connection
    currency = purchase.currency or profile.currency
    lines = tuple(line_of_item(item, number, profile) for number, item in enumerate(purchase.items, 1))
    contacts = _contacts(purchase, context)
    ship_to, bill_to = purchase.party("ST", "BY"), purchase.party("BT", "BY")
    made = {
        "store": connection.store,
        "number": f"{purchase.number}-{purchase.release}" if purchase.release else purchase.number,
        "source": connection.source,
        "trigger_at": context.taken_at,
        "customer": _customer(purchase, context),
        "contacts": contacts,
        "lines": lines,
        "delivery_address": _address(ship_to, context),
        "delivery_window": _window(purchase, context.zone),
        "billing_address": _address(bill_to, context),
        "payment": Payment(terms=_terms(purchase.terms) or profile.terms),
        "currency": currency,
        "totals": totals_of(lines, purchase, currency),
        "instructions": _instructions(purchase, ship_to, context),
        "external_ids": _external_ids(purchase, context),
        "partner_deadline": _deadline(context),
        "purchase_order": purchase.number,
        "doubts": _doubts(purchase),
    }
    return remade(made)


def remade(made: Mapping[str, object]) -> Order:
    """The order of these fields, checked as at the front door."""
    plain = {name: value for name, value in made.items() if value is not None}
    return canonical(plain, NAME)


def _deadline(context: Context) -> PartnerDeadline | None:
    within = context.profile.answer_within
    return PartnerDeadline(partner=context.partner, due_at=context.taken_at + within) if within else None


def _customer(purchase: Purchase, context: Context) -> Customer:
    buyer = purchase.party("BY", "BT")
    told = f"{buyer.qualifier}-{buyer.id}".strip("-") if buyer and buyer.id else context.partner
    name = (buyer.name if buyer else "") or context.profile.name
    own = context.profile.customer or name_of(told) or context.partner
    return Customer(id=own, name=line_of(name), relation=Relation.ENTERPRISE)


def _contacts(purchase: Purchase, context: Context) -> Contacts:
    profile, country = context.profile, context.connection.country
    buyer = purchase.party("BY", "BT")
    ways = _ways([*purchase.contacts, *(buyer.contacts if buyer else ())])
    return Contacts(
        email=email_of(ways.get("EM")) or email_of(profile.email),
        phone=phone_of(ways.get("TE"), country) or phone_of(profile.phone, country),
        language=context.connection.language,
    )


def _ways(contacts: Iterable[Contact]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for contact in contacts:
        for qualifier, number in contact.ways:
            found.setdefault(qualifier, number)
    return found


def _address(party: Partner | None, context: Context) -> Address | None:
    """What the N1 loop says, or where the code that stands in its place is, by the partner's profile."""
    if party is None:
        return None
    ways = {f"{party.qualifier}/{party.id}", party.id}
    known = next((place for code, place in context.profile.locations.items() if code in ways), None)
    if not party.streets and known is not None:
        return known
    return address_of(
        name=", ".join(party.more_names) or None,
        company=party.name or None,
        street=party.streets[0] if party.streets else None,
        street2=", ".join(party.streets[1:]) or None,
        city=party.city,
        region=party.region,
        postal_code=party.postal_code,
        country=party.country,
        otherwise=context.connection.country,
    )


def _terms(segments: Sequence[Segment]) -> str | None:
    """ITD in words: its own description, or what its numbers say."""
    said = []
    for segment in segments:
        discount = f"{segment.at(3)}% {segment.at(5)} days" if segment.at(3) and segment.at(5) else ""
        net = f"net {segment.at(7)}" if segment.at(7) else ""
        said.append(segment.at(12) or ", ".join(part for part in (discount, net) if part))
    return line_of("; ".join(part for part in said if part))


def _window(purchase: Purchase, zone: ZoneInfo) -> DeliveryWindow | None:
    """When the buyer wants it: of the whole order, or of every line alike."""
    dates = purchase.dates
    if not any(one.qualifier in (*_ON_DAY, *_NOT_BEFORE, *_NOT_AFTER) for one in dates):
        of_lines = [tuple(item.dates) for item in purchase.items]
        dates = list(of_lines[0]) if of_lines and len(set(of_lines)) == 1 else []
    on = next((one for code in _ON_DAY for one in dates if one.qualifier == code and one.day), None)
    since = next((one for one in dates if one.qualifier in _NOT_BEFORE and one.day), on)
    until = next((one for one in dates if one.qualifier in _NOT_AFTER and one.day), on)
    since, until = since or until, until or since
    if since is None or until is None:
        return None
    start, end = _at(since, time.min, zone), _at(until, time(23, 59), zone)
    if until.clock is not None and since is until:
        end = start + timedelta(hours=1)
    return DeliveryWindow(start=start, end=end) if end > start else None


def _at(when: When, otherwise: time, zone: ZoneInfo) -> datetime:
    assert when.day is not None
    return datetime.combine(when.day, when.clock or otherwise, zone)


def _dates_in_words(dates: Iterable[When], *, all_of_them: bool) -> list[str]:
    said = []
    for one in dates:
        of_delivery = one.qualifier in (*_ON_DAY, *_NOT_BEFORE, *_NOT_AFTER)
        if one.day is None or (of_delivery and not all_of_them):
            continue
        words = _DATES.get(one.qualifier, "delivery asked for" if of_delivery else f"date {one.qualifier}")
        said.append(f"{words} {one.day.isoformat()}")
    return said


def _instructions(purchase: Purchase, ship_to: Partner | None, context: Context) -> str | None:
    said = list(purchase.notes) + _dates_in_words(purchase.dates, all_of_them=False)
    where = _address(ship_to, context)
    if ship_to is not None and ship_to.id and not (where and where.street):
        said.append(f"ship to {ship_to.name} ({ship_to.qualifier} {ship_to.id})")
    said += [_place(party) for party in purchase.parties if party.role not in {"ST", "BY", "BT", "SE", "VN", "SU"}]
    said += [f"{qualifier} {own} {words}" for qualifier, own, words in purchase.references if words]
    said += _unpriced(purchase)
    return prose_of(*said, *purchase.others)


def _place(party: Partner) -> str:
    parts = (party.name, party.id, *party.streets, party.city, party.region, party.postal_code)
    return f"{party.role}: {', '.join(part for part in parts if part)}"


def _unpriced(said: Said) -> list[str]:
    return [f"{'charge' if one.is_charge else 'allowance'} {one.words}" for one in said.charges if one.amount is None]


def _external_ids(purchase: Purchase, context: Context) -> tuple[ExternalId, ...]:
    kept = [
        (NAME, context.external_id(purchase)),
        (PO_DATE, f"{purchase.day:%Y%m%d}" if purchase.day else ""),
        (RELEASE, purchase.release),
        (CONTRACT, purchase.contract),
        (SEQUENCE, purchase.sequence),
        *((f"{CODE}{qualifier}", own) for qualifier, own, _ in purchase.references),
    ]
    return tuple(ExternalId(system=system, id=clean) for system, own in kept if (clean := name_of(own)))


def _doubts(purchase: Purchase) -> tuple[Doubt, ...]:
    """What the order leaves open and somebody must know before it is promised."""
    unpriced = [
        Doubt(field=f"lines[{at}].unit_price", why="the order names no price", confidence=Decimal(0))
        for at, item in enumerate(purchase.items)
        if item.price is None and item.basis != _NO_CHARGE
    ]
    rates = [one for said in (purchase, *purchase.items) for one in said.charges if one.amount is None]
    if rates:
        unpriced.append(Doubt(field="totals", why="a charge or allowance names no amount", confidence=Decimal(0)))
    return tuple(unpriced)


def line_of_item(item: Item, number: int, profile: PartnerProfile) -> Line:
    """One ordered line. Raises InvalidInput where it says no quantity."""
    if not item.quantity:
        raise refuse(item.segment.name(), "says no quantity", "send how many are ordered")
    numbers = dict(reversed(item.numbers))
    sku = next((numbers[code] for code in profile.item_codes if code in numbers), None)
    first = item.numbers[0] if item.numbers else ("line", item.id or str(number))
    description = ", ".join(item.descriptions)
    bare = Line(
        line_id=item.id or str(number),
        sku=sku_of(sku, (first[0], first[1])),
        description=prose_of(description) or "",
        quantity=item.quantity,
        unit_price=Decimal(0),
        instructions=_line_instructions(item),
        discount=sum((one.amount for one in item.charges if one.amount and not one.is_charge), Decimal(0)),
        unit=name_of(profile.unit(item.unit)) if item.unit else None,
        codes=_codes(item),
    )
    price = item.price or Decimal(0)
    cost = item.quantity * price / PRICE_PER.get(item.basis, Decimal(1))
    if cost >= 10**14:
        raise refuse(item.segment.name(), "comes to more than can be paid", "check the quantity and the price")
    return priced(bare, cost)


def _line_instructions(item: Item) -> str | None:
    dates = _dates_in_words(item.dates, all_of_them=True)
    places = [_place(party) for party in item.parties]
    references = [f"{qualifier} {own} {words}".strip() for qualifier, own, words in item.references]
    return prose_of(*item.notes, *dates, *places, *references, *_unpriced(item), *item.others)


def _codes(item: Item) -> tuple[ExternalId, ...]:
    found = [(f"{CODE}{qualifier}", own) for qualifier, own in item.numbers]
    for qualifier, own in item.numbers:
        if qualifier in _GTIN:
            found.append(("gtin", own))
        elif qualifier in _BUYERS:
            found.append(("buyer_item", own))
    found += [(UNIT, item.unit), (BASIS, item.basis), (LINE_ID, item.id)]
    return tuple(ExternalId(system=system, id=clean) for system, own in found if (clean := name_of(own)))


def totals_of(lines: Sequence[Line], purchase: Purchase, currency: str) -> Totals:
    """The buyer's own total (AMT*TT), or what the order adds up to."""
    parts = sums_of([purchase, *purchase.items])
    worth = sum((line.amount for line in lines), Decimal(0))
    whole = worth - parts["discount"] + parts["tax"] + parts["shipping"] + parts["fees"]
    total = purchase.total if purchase.total is not None else whole.quantize(minor_unit(currency), ROUND_HALF_UP)
    if total < 0 or min(parts.values()) < 0:
        raise refuse("AMT, SAC, TXI", "come to less than nothing", "check the allowances")
    return Totals(**parts, total=total, tax_basis=TaxBasis.ADDED)


def sums_of(said: Iterable[Said]) -> dict[str, Decimal]:
    """What the charges, allowances and taxes of the order and its lines come to, by what they are to us."""
    found = dict.fromkeys(("discount", "tax", "shipping", "fees"), Decimal(0))
    for one in said:
        found["tax"] += sum(one.taxes, Decimal(0))
        for charge in one.charges:
            found[_kind(charge)] += charge.amount or Decimal(0)
    return {name: value.quantize(FOUR) for name, value in found.items()}


def _kind(charge: Charge) -> str:
    if not charge.is_charge:
        return "discount"
    return "shipping" if charge.code in _FREIGHT else "tax" if charge.code in _TAX else "fees"
