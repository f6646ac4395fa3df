"""An 850 as our order: whose codes, terms and charges mean what (docs/sources/edi_x12.md has the table)."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import count

from pydantic import ValidationError

from orderack.domain.money import minor_unit
from orderack.domain.order import Doubt, ExternalId, Line, Order, PartnerDeadline, Payment, Priority, TaxBasis, Totals
from orderack.domain.validation import problems_of
from orderack.edi.acknowledgment import BASIS, CODE, CONTRACT, PO_DATE, RELEASE, SEQUENCE, UNIT
from orderack.edi.partner import PartnerProfile
from orderack.edi.prices import price_per
from orderack.edi.purchase import Charge, Item, Purchase, Said
from orderack.edi.syntax import Segment
from orderack.errors import InvalidInput
from orderack.sources._edi_x12_context import NAME, Context
from orderack.sources._edi_x12_dates import dates_in_words, header_dates, window_of
from orderack.sources._edi_x12_places import (
    address_at,
    bill_to,
    contacts_of,
    customer_of,
    is_split,
    place_in_words,
    places_in_words,
    ship_to,
)
from orderack.sources._reading import FOUR, canonical, line_of, name_of, priced, prose_of, refuse, sku_of

LINE_ID = f"{NAME}_line"

LONGEST = 2_000
"""Characters of instructions."""

_NO_CHARGE = "NC"

_GTIN = frozenset({"UP", "UK", "EN", "UI", "EO"})
_BUYERS = frozenset({"BP", "IN", "PI", "CB", "SK"})
_FREIGHT = frozenset({"D240", "D270", "C310", "G470", "G821", "D244", "D980"})
"""SAC02 (element 1300) that are shipping."""
_TAX = frozenset({"H850", "H740", "H750", "H680", "D360", "B800"})

_URGENT = frozenset({"AC", "EO", "RO", "US"})
_ORDINARY = frozenset({"CF", "DR", "DS", "KN", "NE", "OS", "RE", "RL", "SA", "SO"})
_NOT_FIRM = frozenset({"AB", "BE", "BK", "KB", "KD", "KE", "KI", "KR", "LB", "RC"})
"""BEG02, BCH02 (element 92): frame agreements. What is delivered is called off by releases (BEG04)."""


def order_of(purchase: Purchase, context: Context) -> Order:
    """The order. Raises InvalidInput naming what cannot be taken."""
    try:
        return remade(_made(purchase, context))
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None


def _made(purchase: Purchase, context: Context) -> Mapping[str, object]:
    profile, connection = context.profile, context.connection
    currency = purchase.currency or profile.currency
    ids = line_ids(purchase.items)
    lines = tuple(line_of_item(item, own, profile) for item, own in zip(purchase.items, ids, strict=True))
    return {
        "store": connection.store,
        "number": f"{purchase.number}-{purchase.release}" if purchase.release else purchase.number,
        "source": connection.source,
        "trigger_at": context.taken_at,
        "customer": customer_of(purchase, context),
        "contacts": contacts_of(purchase, context),
        "lines": lines,
        "delivery_address": address_at(ship_to(purchase), context),
        "delivery_window": window_of(purchase, context.zone),
        "billing_address": address_at(bill_to(purchase), context),
        "payment": Payment(terms=_terms(purchase.terms) or profile.terms),
        "currency": currency,
        "totals": totals_of(lines, purchase, currency),
        "instructions": prose_of(*_told(purchase, context)),
        "priority": Priority.HIGH if purchase.type in _URGENT else None,
        "external_ids": _external_ids(purchase, context),
        "partner_deadline": _deadline(context),
        "purchase_order": purchase.number,
        "doubts": _doubts(purchase, context),
    }


def line_ids(items: Sequence[Item], taken: Iterable[str] = ()) -> list[str]:
    """PO101, and where a line has none, the first number that no line has."""
    used = {item.id for item in items} | set(taken)
    free = (str(number) for number in count(1) if str(number) not in used)
    return [item.id or next(free) for item in items]


def remade(made: Mapping[str, object]) -> Order:
    """The order of these fields, checked as at the front door."""
    plain = {name: value for name, value in made.items() if value is not None}
    return canonical(plain, NAME)


def _deadline(context: Context) -> PartnerDeadline | None:
    within = context.profile.answer_within
    return PartnerDeadline(partner=context.partner, due_at=context.taken_at + within) if within else None


def _terms(segments: Sequence[Segment]) -> str | None:
    """ITD in words: its own description, or what its numbers say."""
    said = []
    for segment in segments:
        discount = f"{segment.at(3)}% {segment.at(5)} days" if segment.at(3) and segment.at(5) else ""
        net = f"net {segment.at(7)}" if segment.at(7) else ""
        said.append(segment.at(12) or ", ".join(part for part in (discount, net) if part))
    return line_of("; ".join(part for part in said if part))


def _told(purchase: Purchase, context: Context) -> Sequence[str]:
    """What people are told of the whole."""
    kind = [f"order type {purchase.type}"] if purchase.type and purchase.type not in _ORDINARY else []
    said = [*kind, *purchase.notes, *header_dates(purchase, context.zone), *places_in_words(purchase)]
    said += [f"{qualifier} {own} {words}" for qualifier, own, words in purchase.references if words]
    return (*said, *_unpriced(purchase), *purchase.others)


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


def _doubts(purchase: Purchase, context: Context) -> tuple[Doubt, ...]:
    """What the order leaves open and somebody must know before it is promised."""
    said = (purchase, *purchase.items)
    found = [
        (f"lines[{at}].unit_price", why) for at, item in enumerate(purchase.items) if (why := doubtful_price(item))
    ]
    if any(one.amount is None for part in said for one in part.charges):
        found.append(("totals", "a charge, an allowance or a tax names no amount"))
    if purchase.taxes and any(item.taxes for item in purchase.items) and purchase.total is None:
        found.append(("totals.tax", "tax stands in the heading and on lines, and there is no total"))
    if is_split(purchase):
        found.append(("delivery_address", "the order goes to several places"))
    if purchase.type in _NOT_FIRM and not purchase.release:
        found.append(("lines", f"a frame agreement (order type {purchase.type}) without a release"))
    told = [("instructions", _told(purchase, context))]
    told += [(f"lines[{at}].instructions", _told_of(item)) for at, item in enumerate(purchase.items)]
    cut = [one for field, texts in told for one in doubt_of_length(field, *texts)]
    return (*(Doubt(field=field, why=why, confidence=Decimal(0)) for field, why in found), *cut)


def doubt_of_length(field: str, *texts: str | None) -> tuple[Doubt, ...]:
    """Where not all of these texts goes in."""
    if len(prose_of(*texts, limit=LONGEST + 1) or "") <= LONGEST:
        return ()
    why = f"this is the beginning of what the partner says; {LONGEST} characters go in, and all of it is in the record"
    return (Doubt(field=field, why=why, confidence=Decimal(0)),)


def doubtful_price(item: Item) -> str:
    """Why it is not what the line will cost; empty: it is."""
    if item.basis == _NO_CHARGE:
        return ""
    if item.price is None:
        return "the order names no price"
    if price_per(item.basis, item.unit) is None:
        return f"what the price is for (PO105 {item.basis}) cannot be told beside the unit {item.unit or 'left out'}"
    return ""


def line_of_item(item: Item, own: str, profile: PartnerProfile) -> Line:
    """One ordered line. Raises InvalidInput where it says no quantity."""
    if not item.quantity:
        raise refuse(item.segment.name(), "says no quantity", "send how many are ordered")
    numbers = dict(reversed(item.numbers))
    sku = next((numbers[code] for code in profile.item_codes if code in numbers), None)
    first = item.numbers[0] if item.numbers else ("line", own)
    description = ", ".join(item.descriptions)
    bare = Line(
        line_id=own,
        sku=sku_of(sku, (first[0], first[1])),
        description=prose_of(description) or "",
        quantity=item.quantity,
        unit_price=Decimal(0),
        instructions=prose_of(*_told_of(item)),
        discount=sum((one.amount for one in item.charges if one.amount and not one.is_charge), Decimal(0)),
        unit=name_of(profile.unit(item.unit)) if item.unit else None,
        codes=_codes(item),
    )
    price = item.price or Decimal(0)
    cost = item.quantity * price / (price_per(item.basis, item.unit) or Decimal(1))
    if cost >= 10**14:
        raise refuse(item.segment.name(), "comes to more than can be paid", "check the quantity and the price")
    return priced(bare, cost)


def _told_of(item: Item) -> Sequence[str]:
    """What people are told of one line."""
    places = [place_in_words(party) for party in item.parties]
    references = [f"{qualifier} {own} {words}".strip() for qualifier, own, words in item.references]
    shares = [f"to {share.place}: {share.quantity:f}" for share in item.shares]
    said = (*item.notes, *dates_in_words(item.dates), *places, *references, ", ".join(shares))
    return (*said, *_unpriced(item), *item.others)


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
