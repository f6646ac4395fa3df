"""855 and 865: what we will deliver of an order, line by line, from one canonical answer per line. Pure."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from orderack.domain.order import Line, Order
from orderack.domain.response import LineAnswer, Outcome
from orderack.edi.partner import PartnerProfile
from orderack.edi.prices import price_per
from orderack.edi.syntax import Segment, seg

LONGEST_MESSAGE = 264
"""Characters of MSG01."""
LONGEST_HASH = 10
"""Digits of CTT02; a sum that has more is left out, as it may be."""

CODE = "x12_"
"""`Line.codes` and `Order.external_ids` keep what an order said by X12's own qualifier behind this: `x12_BP`."""
UNIT = "x12_unit"
BASIS = "x12_basis"
PO_DATE = "x12_po_date"
RELEASE = "x12_release"
SEQUENCE = "x12_change"
CONTRACT = "x12_contract"
NOT_ITEMS = frozenset({UNIT, BASIS})


_NO_HEAD = frozenset({Outcome.BACKORDER, Outcome.REJECT, Outcome.HOLD})
"""Outcomes of a part of the quantity: what is accepted beside it is accepted as ordered."""


class DoesNotAddUp(ValueError):
    """A line that is not answered once, or whose quantities are not what was ordered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of a whole order."""

    order: Order
    lines: tuple[LineAnswer, ...]
    document_id: str
    """Our own number of it; empty: it was never booked."""
    ship_on: date | None
    reason: str
    is_change: bool
    """An 865, the answer to a changed order; else an 855."""

    @property
    def code(self) -> str:
        return "865" if self.is_change else "855"


def acknowledgment(answer: Answer, profile: PartnerProfile, *, on: date) -> list[Segment]:
    """The transaction set, without ST and SE, as we say it on that day. Raises DoesNotAddUp."""
    answers = complete(answer)
    segments = [_beginning(answer, _type(answers), on, profile)]
    if answer.order.currency != profile.currency:
        segments.append(seg("CUR", "SE", answer.order.currency))
    segments += _note("REASON", answer.reason, profile)
    for number, (line, said) in enumerate(answers, 1):
        segments += _line(answer, number, line, said, profile)
    hashed = _number(sum((line.quantity for line, _ in answers), Decimal(0)))
    fits = len(hashed.replace(".", "")) <= LONGEST_HASH
    return [*segments, seg("CTT", str(len(answers)), hashed if fits else "")]


def complete(answer: Answer) -> list[tuple[Line, LineAnswer]]:
    """Each ordered line with the one answer to it. Raises DoesNotAddUp."""
    said: Mapping[str, LineAnswer] = {one.line_id: one for one in answer.lines}
    ordered = [line.line_id for line in answer.order.lines]
    if len(answer.lines) != len(said) or set(said) != set(ordered):
        raise DoesNotAddUp("not every line of the order is answered once")
    for line in answer.order.lines:
        one = said[line.line_id]
        if min(one.accepted, one.backordered, one.rejected, one.held) < 0 or one.quantity != line.quantity:
            raise DoesNotAddUp(f"line {line.line_id} is answered for {one.quantity} of {line.quantity}")
    return [(line, said[line.line_id]) for line in answer.order.lines]


def _type(answers: Sequence[tuple[Line, LineAnswer]]) -> str:
    """BAK02, BCA02 (element 587), from what the lines say: never a code that they belie."""
    outcomes = {said.outcome for _, said in answers}
    if outcomes == {Outcome.ACCEPT}:
        return "AD"  # with detail, no change
    if outcomes == {Outcome.REJECT}:
        return "RD"
    if outcomes == {Outcome.HOLD}:
        return "AH"
    return "AC"  # with detail and change


def _beginning(answer: Answer, kind: str, on: date, profile: PartnerProfile) -> Segment:
    order = answer.order
    kept = {one.system: one.id for one in order.external_ids}
    number = order.purchase_order or order.number
    day = kept.get(PO_DATE) or f"{order.trigger_at:%Y%m%d}"
    release, contract = kept.get(RELEASE, ""), kept.get(CONTRACT, "")
    longest = 50 if profile.version >= "005" else 30  # of element 127; half a number would be another's
    today, own = f"{on:%Y%m%d}", answer.document_id if len(answer.document_id) <= longest else ""
    if answer.is_change:
        return seg("BCA", "00", kind, number, release, kept.get(SEQUENCE, ""), day, "", contract, own, today)
    return seg("BAK", "00", kind, number, day, release, "", contract, own, today)


def _line(answer: Answer, number: int, line: Line, said: LineAnswer, profile: PartnerProfile) -> list[Segment]:
    codes = {one.system: one.id for one in line.codes}
    unit = codes.get(UNIT, "EA")
    items = [
        part
        for system, own in codes.items()
        if system.startswith(CODE) and system not in NOT_ITEMS
        for part in (system.removeprefix(CODE), own)
    ] or ["VN", line.sku]
    own_id = line.line_id or str(number)
    basis = codes.get(BASIS, "")
    quantity, price = _number(line.quantity), _number(_price(line, said, price_per(basis, unit) or Decimal(1)))
    if answer.is_change:
        change = "DI" if said.outcome is Outcome.REJECT else "NC" if said.outcome is Outcome.ACCEPT else "CA"
        head = seg("POC", own_id, change, quantity, quantity, unit, price, basis, *items[:20])
    else:
        head = seg("PO1", own_id, quantity, unit, price, basis, *items[:20])
    return [head, *_schedule(said, unit, answer.ship_on, profile), *_note("NOTE", said.note or "", profile)]


def _price(line: Line, said: LineAnswer, per: Decimal) -> Decimal:
    """What it will cost, for as many as the buyer's own basis says."""
    each = line.amount / line.quantity if said.unit_price is None else said.unit_price
    return (each * per).quantize(Decimal("0.000001"))


def _schedule(said: LineAnswer, unit: str, ship_on: date | None, profile: PartnerProfile) -> list[Segment]:
    """One ACK for each part of the quantity: what goes out, what comes later, what never comes, what is open."""
    head = Outcome.ACCEPT if said.outcome in _NO_HEAD else said.outcome
    later = said.expected_on
    first = later if later and not said.backordered else ship_on
    parts = (
        (head, said.accepted, first),
        (Outcome.BACKORDER, said.backordered, later),
        (Outcome.REJECT, said.rejected, None),
        (Outcome.HOLD, said.held, None),
    )
    return [
        _ack(outcome, quantity, unit, on, said.substitute_sku if outcome is head else None, profile)
        for outcome, quantity, on in parts
        if quantity
    ]


def _ack(
    outcome: Outcome, quantity: Decimal, unit: str, on: date | None, substitute: str | None, profile: PartnerProfile
) -> Segment:
    when = (profile.date_qualifier, f"{on:%Y%m%d}") if on else ("", "")
    item = ("VN", substitute) if substitute else ()
    return seg("ACK", profile.status(outcome), _number(quantity), unit, *when, "", *item)


def _note(title: str, text: str, profile: PartnerProfile) -> list[Segment]:
    """Nothing where none of the text can be written."""
    flat = " ".join(profile.delimiters.clean(text).split())
    parts = textwrap.wrap(flat, LONGEST_MESSAGE)[:4]
    return [seg("N9", "L1", "", title), *(seg("MSG", part) for part in parts)] if parts else []


def _number(value: Decimal) -> str:
    """As type R has it: no exponent, no zeros at the end."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
