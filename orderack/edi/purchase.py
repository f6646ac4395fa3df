"""850 and 860: what a buyer orders or changes, read from a transaction set into plain values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal

from orderack.edi.envelope import TransactionSet, clock_of, day_of
from orderack.edi.rules import number_of, two_decimals
from orderack.edi.syntax import Segment

CANCELS = "01"
"""BEG01, BCH01 (element 353): the order is taken back."""


@dataclass(slots=True)
class Partner:
    """An N1 loop: who, and where."""

    role: str
    name: str = ""
    qualifier: str = ""
    id: str = ""
    more_names: list[str] = field(default_factory=list)
    streets: list[str] = field(default_factory=list)
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    contacts: list["Contact"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Contact:
    """PER."""

    role: str
    name: str
    ways: tuple[tuple[str, str], ...]
    """(qualifier, number): `EM` e-mail, `TE` telephone …"""


@dataclass(frozen=True, slots=True)
class Charge:
    """SAC. `amount` None: it says a rate and no amount."""

    is_charge: bool
    code: str
    amount: Decimal | None
    words: str


@dataclass(frozen=True, slots=True)
class When:
    """DTM."""

    qualifier: str
    day: date
    clock: time | None


@dataclass(slots=True)
class Said:
    """What may be said of the whole and of each line alike."""

    notes: list[str] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    taxes: list[Decimal] = field(default_factory=list)
    dates: list[When] = field(default_factory=list)
    references: list[tuple[str, str, str]] = field(default_factory=list)
    parties: list[Partner] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """Segments that mean nothing to us, as they came: a person may need them."""


@dataclass(frozen=True, slots=True)
class Share:
    """SDQ: how many of a line go to one place."""

    place: str
    quantity: Decimal


@dataclass(slots=True)
class Item(Said):
    """PO1 or POC with its loop."""

    id: str = ""
    change: str = ""
    quantity: Decimal | None = None
    unit: str = ""
    price: Decimal | None = None
    basis: str = ""
    numbers: tuple[tuple[str, str], ...] = ()
    """(qualifier, number) of the item."""
    descriptions: list[str] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    segment: Segment = field(default_factory=lambda: Segment("PO1"))


@dataclass(slots=True)
class Purchase(Said):
    """One 850 or 860."""

    code: str = "850"
    purpose: str = "00"
    type: str = ""
    number: str = ""
    release: str = ""
    sequence: str = ""
    day: date | None = None
    contract: str = ""
    currency: str = ""
    contacts: list[Contact] = field(default_factory=list)
    terms: list[Segment] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    total: Decimal | None = None
    """AMT*TT: what the buyer says that it comes to."""

    def party(self, *roles: str) -> Partner | None:
        """The first of these roles that is named."""
        found = {party.role: party for party in reversed(self.parties)}
        return next((found[role] for role in roles if role in found), None)


def read_purchase(of: TransactionSet) -> Purchase:
    """The values of a set that has been checked and found right."""
    return _Reading(of).purchase


class _Reading:
    """Walks through the segments; what a segment belongs to depends on those before it."""

    def __init__(self, of: TransactionSet) -> None:
        self.purchase = Purchase(code=of.code)
        self._item: Item | None = None
        self._party: Partner | None = None
        self._component = ""
        for segment in of.segments[1:-1]:
            self._take(segment)

    @property
    def _here(self) -> Said:
        return self._item or self.purchase

    def _take(self, segment: Segment) -> None:
        reader = _READERS.get(segment.tag)
        if reader is not None:
            reader(self, segment)
        elif segment.tag not in _OF_NO_USE:
            self._keep(segment)

    def _keep(self, segment: Segment) -> None:
        words = " ".join(element.strip() for element in segment.elements if element.strip())
        self._here.others.append(f"{segment.tag} {words}")

    def begin(self, segment: Segment) -> None:
        found = self.purchase
        found.purpose, found.type, found.number, found.release = (segment.at(number) for number in (1, 2, 3, 4))
        if segment.tag == "BEG":
            found.day, found.contract = day_of(segment.at(5)), segment.at(6)
        else:
            found.sequence, found.day, found.contract = segment.at(5), day_of(segment.at(6)), segment.at(8)

    def currency(self, segment: Segment) -> None:
        self.purchase.currency = segment.at(2).upper()

    def reference(self, segment: Segment) -> None:
        self._here.references.append((segment.at(1), segment.at(2), segment.at(3)))

    def contact(self, segment: Segment) -> None:
        found = Contact(segment.at(1), segment.at(2), tuple(segment.pairs(3)))
        (self._party.contacts if self._party else self.purchase.contacts).append(found)

    def terms(self, segment: Segment) -> None:
        self.purchase.terms.append(segment)

    def date(self, segment: Segment) -> None:
        day = day_of(segment.at(2))
        if day is None:  # a period (DTM06), or nothing that we read
            self._keep(segment)
        else:
            self._here.dates.append(When(segment.at(1), day, clock_of(segment.at(3))))

    def party(self, segment: Segment) -> None:
        self._party = Partner(segment.at(1), segment.at(2), segment.at(3), segment.at(4))
        self._here.parties.append(self._party)

    def party_name(self, segment: Segment) -> None:
        if self._party:
            self._party.more_names += [text for text in (segment.at(1), segment.at(2)) if text]

    def street(self, segment: Segment) -> None:
        if self._party:
            self._party.streets += [text for text in (segment.at(1), segment.at(2)) if text]

    def place(self, segment: Segment) -> None:
        if self._party:
            where = (segment.at(number) for number in (1, 2, 3, 4))
            self._party.city, self._party.region, self._party.postal_code, self._party.country = where

    def item(self, segment: Segment) -> None:
        self._party = None
        if segment.tag == "PO1":
            change, unit, quantity_at, price_at, numbers_at = "", segment.at(3).upper(), 2, 4, 6
        else:
            change, unit, quantity_at, price_at, numbers_at = segment.at(2), _first_word(segment.at(5)), 3, 6, 8
        self._item = Item(
            id=segment.at(1),
            change=change,
            quantity=number_of(segment.at(quantity_at)),
            unit=unit,
            price=number_of(segment.at(price_at)),
            basis=segment.at(price_at + 1).upper(),
            numbers=tuple((qualifier.upper(), own) for qualifier, own in segment.pairs(numbers_at)),
            segment=segment,
        )
        self.purchase.items.append(self._item)

    def description(self, segment: Segment) -> None:
        text = segment.at(5) or segment.at(4)
        if self._item and text:
            self._item.descriptions.append(text)
        elif text:
            self.purchase.notes.append(text)

    def note_head(self, segment: Segment) -> None:
        self._party = None
        named = segment.at(1) if segment.at(2) and segment.at(1) not in _NOTE_KINDS else ""
        text = " ".join(part for part in (named, segment.at(2), segment.at(3)) if part)
        if text:
            self._here.notes.append(text)

    def note(self, segment: Segment) -> None:
        self._here.notes.append(segment.at(1 if segment.tag == "MSG" else 2))

    def charge(self, segment: Segment) -> None:
        if segment.at(1) not in {"A", "C"}:
            self._keep(segment)
            return
        rate = f"{segment.at(7)} %" if segment.at(7) else segment.at(8)
        words = " ".join(part for part in (segment.at(2), segment.at(15), rate) if part)
        self._here.charges.append(Charge(segment.at(1) == "C", segment.at(2), two_decimals(segment.at(5)), words))

    def tax(self, segment: Segment) -> None:
        amount = number_of(segment.at(2))
        if amount is not None:
            self._here.taxes.append(amount)
        elif number_of(segment.at(3)):
            self._here.charges.append(Charge(True, "", None, f"tax {segment.at(1)} {segment.at(3)} %"))

    def amount(self, segment: Segment) -> None:
        if segment.at(1) == "TT":  # of the whole wherever it stands
            self.purchase.total = number_of(segment.at(2))
        else:
            self._keep(segment)

    def shares(self, segment: Segment) -> None:
        if self._item is None:
            self._keep(segment)
            return
        places = range(3, len(segment.elements), 2)
        shared = ((segment.at(place), number_of(segment.at(place + 1))) for place in places)
        self._item.shares += [Share(place, quantity) for place, quantity in shared if quantity is not None]

    def totals(self, segment: Segment) -> None:
        self._item = None
        self._party = None


def _first_word(composite: str) -> str:
    """The first component of POC05 (C001), whatever parts them."""
    return composite[:2].upper()


_OF_NO_USE = frozenset({"SE", "ST"})
_NOTE_KINDS = frozenset({"L1", "ZZ", "GEN"})
"""N901 of which N902 is a text or a number in it, and no reference of the partner's."""
_READERS: Mapping[str, Callable[[_Reading, Segment], None]] = {
    "BEG": _Reading.begin,
    "BCH": _Reading.begin,
    "CUR": _Reading.currency,
    "REF": _Reading.reference,
    "PER": _Reading.contact,
    "ITD": _Reading.terms,
    "DTM": _Reading.date,
    "N1": _Reading.party,
    "N2": _Reading.party_name,
    "N3": _Reading.street,
    "N4": _Reading.place,
    "PO1": _Reading.item,
    "POC": _Reading.item,
    "PID": _Reading.description,
    "N9": _Reading.note_head,
    "MSG": _Reading.note,
    "NTE": _Reading.note,
    "SAC": _Reading.charge,
    "TXI": _Reading.tax,
    "AMT": _Reading.amount,
    "SDQ": _Reading.shares,
    "CTT": _Reading.totals,
}
