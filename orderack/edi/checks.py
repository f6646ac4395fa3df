"""What is wrong with an 850 or an 860, by segment and element: what has to hold before anything of it is read."""

from decimal import Decimal

from orderack.edi.envelope import TransactionSet
from orderack.edi.purchase import CANCELS
from orderack.edi.rules import Finding, Reporter, Wrong, WrongSegment, all_of, check_elements, first
from orderack.edi.syntax import Segment

BEGINNING = {"850": "BEG", "860": "BCH"}
LINE = {"850": "PO1", "860": "POC"}

PURPOSES = {"850": frozenset({"00", "01", "05", "06", "07", "15"}), "860": frozenset({"00", "01", "04", "05", "15"})}
"""BEG01, BCH01 (element 353) that are taken: original, cancellation, change, replace, confirmation, duplicate,
re-submission."""

_CHANGE_CODES = "AI CA CB CC CE CH CT DI MU NC OA PC PQ PR QD QI RB RE RQ RS RZ"
CHANGES = frozenset(_CHANGE_CODES.split())
"""POC02 (element 670) that are taken."""
WITH_QUANTITY = frozenset({"AI", "QD", "QI", "PQ", "RQ", "RZ", "RE", "OA"})
"""Those that must say a quantity."""


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
    _check_shares(of, report)
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


def _check_shares(of: TransactionSet, report: Reporter) -> None:
    """SDQ: what the places get comes to what is ordered, else one of them gets too little."""
    line, shared = None, Decimal(0)
    for segment in [*of.segments, Segment("PO1")]:
        if segment.tag == "PO1":
            if line is not None and shared and shared != _decimal(line.at(2)):
                report.element(line, 2, Wrong.VALUE, f"is not what its SDQ come to, which is {shared}")
            line, shared = segment, Decimal(0)
        elif segment.tag == "SDQ":
            shared += sum((_decimal(segment.at(at)) or Decimal(0) for at in range(4, 23, 2)), Decimal(0))


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
