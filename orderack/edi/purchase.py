"""850 and 860: what a buyer orders or changes, read from a transaction set into plain values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal

from orderack.edi.envelope import TransactionSet, clock_of, day_of
from orderack.edi.rules import (
    Finding,
    Reporter,
    Wrong,
    WrongSegment,
    all_of,
    check_elements,
    first,
    number_of,
    two_decimals,
)
from orderack.edi.syntax import Segment

BEGINNING = {"850": "BEG", "860": "BCH"}
LINE = {"850": "PO1", "860": "POC"}

CANCELS = "01"
PURPOSES = {"850": frozenset({"00", "01", "05", "06", "07", "15"}), "860": frozenset({"00", "01", "04", "05", "15"})}
"""BEG01, BCH01 (element 353) that are taken: original, cancellation, change, replace, confirmation, duplicate,
re-submission."""

_CHANGE_CODES = "AI CA CB CC CE CH CT DI MU NC OA PC PQ PR QD QI RB RE RQ RS RZ"
CHANGES = frozenset(_CHANGE_CODES.split())
"""POC02 (element 670) that are taken."""
WITH_QUANTITY = frozenset({"AI", "QD", "QI", "PQ", "RQ", "RZ", "RE", "OA"})
"""Those that must say a quantity."""


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
    day: date | None
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


def check_purchase(of: TransactionSet, *, hash_total: bool = True) -> list[Finding]:
    """Everything that is wrong with an 850 or an 860; empty: it can be read.

    The counts are held against the sender (CTT01; CTT02 unless the partner's profile says otherwise): where they do
    not fit, a part of the order is missing, and an order that is short by a line must not be delivered. An amount
    (AMT) that does not add up is no reason to refuse: it is what the buyer says, and the assessment flags it.
    """
    report = Reporter()
    check_elements(of, report)
    _check_beginning(of, report)
    lines = list(all_of(of.segments, LINE[of.code]))
    if not lines and of.code == "850" and not _cancels(of):
        report.missing(LINE[of.code], of.segments[-1], "is missing: nothing is ordered")
    seen: set[str] = set()
    for line in lines:
        _check_line(line, report, seen)
    for total in all_of(of.segments, "CTT"):
        _check_totals(total, lines, report, hash_total)
    return report.found


def _cancels(of: TransactionSet) -> bool:
    begin = first(of.segments, BEGINNING[of.code])
    return begin is not None and begin.at(1) == CANCELS


def _check_beginning(of: TransactionSet, report: Reporter) -> None:
    tag = BEGINNING[of.code]
    if len(of.segments) < 2 or of.segments[1].tag != tag:
        report.missing(tag, of.segments[min(1, len(of.segments) - 1)], "is not the segment after ST")
        return
    for again in [*all_of(of.segments, tag)][1:]:
        report.segment(again, WrongSegment.TOO_OFTEN, "stands there twice")
    begin = of.segments[1]
    if begin.at(1) and begin.at(1) not in PURPOSES[of.code]:
        report.element(begin, 1, Wrong.VALUE, f"is none of {', '.join(sorted(PURPOSES[of.code]))}")


def _check_line(line: Segment, report: Reporter, seen: set[str]) -> None:
    quantity_at, price_at = (2, 4) if line.tag == "PO1" else (3, 6)
    if line.at(1) in seen:
        report.element(line, 1, Wrong.VALUE, "is that of an earlier line")
    if line.at(1):
        seen.add(line.at(1))
    if line.tag == "POC":
        change = line.at(2)
        if change and change not in CHANGES:
            report.element(line, 2, Wrong.VALUE, f"is none of {', '.join(sorted(CHANGES))}")
        if change in WITH_QUANTITY and not line.at(quantity_at):
            report.element(line, quantity_at, Wrong.MISSING, f"is missing, and the change {change} is about it")
        if not line.at(1) and change != "AI":
            report.element(line, 1, Wrong.MISSING, "is missing: which line is changed cannot be told")
    _check_quantity(line, quantity_at, report)
    price = _decimal(line.at(price_at))
    if price is not None and price < 0:
        report.element(line, price_at, Wrong.VALUE, "is below zero")


def _check_quantity(line: Segment, number: int, report: Reporter) -> None:
    quantity = _decimal(line.at(number))
    if quantity is None:
        return
    may_be_none = line.tag == "POC"
    if quantity < 0 or (quantity == 0 and not may_be_none) or quantity >= 10**8:
        report.element(line, number, Wrong.VALUE, "is not a quantity that can be ordered")
    elif quantity != round(quantity, 4):
        report.element(line, number, Wrong.VALUE, "has more than four decimals")


def _check_totals(total: Segment, lines: list[Segment], report: Reporter, hash_total: bool) -> None:
    said = total.at(1)
    if said.isdecimal() and said.isascii() and int(said) != len(lines):
        report.element(total, 1, Wrong.VALUE, f"is not the number of lines, which is {len(lines)}")
    said_sum = _decimal(total.at(2)) if hash_total else None
    if said_sum is not None:
        number = 2 if not lines or lines[0].tag == "PO1" else 3
        real = sum((_decimal(line.at(number)) or Decimal(0) for line in lines), Decimal(0))
        if said_sum != real:
            report.element(total, 2, Wrong.VALUE, "is not the sum of the quantities")


def _decimal(text: str) -> Decimal | None:
    try:
        found = Decimal(text) if text else None
    except ArithmeticError:
        return None
    return found if found is not None and found.is_finite() else None


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
        found = Contact(segment.at(2), tuple(segment.pairs(3)))
        (self._party.contacts if self._party else self.purchase.contacts).append(found)

    def terms(self, segment: Segment) -> None:
        self.purchase.terms.append(segment)

    def date(self, segment: Segment) -> None:
        self._here.dates.append(When(segment.at(1), day_of(segment.at(2)), clock_of(segment.at(3))))

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
            change, unit, quantity_at, price_at, numbers_at = "", segment.at(3), 2, 4, 6
        else:
            change, unit, quantity_at, price_at, numbers_at = segment.at(2), _first_word(segment.at(5)), 3, 6, 8
        self._item = Item(
            id=segment.at(1),
            change=change,
            quantity=number_of(segment.at(quantity_at)),
            unit=unit,
            price=number_of(segment.at(price_at)),
            basis=segment.at(price_at + 1),
            numbers=tuple(segment.pairs(numbers_at)),
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
        text = " ".join(part for part in (segment.at(2), segment.at(3)) if part)
        if text:
            self._here.notes.append(text)

    def note(self, segment: Segment) -> None:
        self._here.notes.append(segment.at(1 if segment.tag == "MSG" else 2))

    def charge(self, segment: Segment) -> None:
        if segment.at(1) not in {"A", "C"}:
            return
        rate = f"{segment.at(7)} %" if segment.at(7) else segment.at(8)
        words = " ".join(part for part in (segment.at(2), segment.at(15), rate) if part)
        self._here.charges.append(Charge(segment.at(1) == "C", segment.at(2), two_decimals(segment.at(5)), words))

    def tax(self, segment: Segment) -> None:
        amount = number_of(segment.at(2))
        if amount is not None:
            self._here.taxes.append(amount)

    def amount(self, segment: Segment) -> None:
        if segment.at(1) == "TT":  # of the whole wherever it stands
            self.purchase.total = number_of(segment.at(2))

    def totals(self, segment: Segment) -> None:
        self._item = None
        self._party = None


def _first_word(composite: str) -> str:
    """The first component of POC05 (C001), whatever parts them."""
    return composite[:2]


_OF_NO_USE = frozenset({"SE", "ST"})
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
    "CTT": _Reading.totals,
}
