"""The canonical line response: one answer for every ordered line, whoever reads it later."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orderack.domain.order import Line, Name, Order, Text
from orderack.domain.receipt import ErpReceipt, LineVerdict, StockVerdict
from orderack.domain.value import Value, is_none


def _nothing(value: Decimal) -> bool:
    return not value


class Outcome(StrEnum):
    """The vocabulary X12 855, EDIFACT ORDRSP, Peppol and cXML share (mission.md §3)."""

    ACCEPT = "accept"
    QUANTITY = "quantity"
    PRICE = "price"
    DATE = "date"
    SUBSTITUTE = "substitute"
    BACKORDER = "backorder"
    REJECT = "reject"
    HOLD = "hold"


class LineAnswer(Value):
    """What we tell the buyer about one line; accepted + backordered + rejected + held = ordered."""

    line_id: Name
    outcome: Outcome
    accepted: Decimal = Decimal(0)
    backordered: Decimal = Decimal(0)
    rejected: Decimal = Decimal(0)
    held: Annotated[Decimal, Field(exclude_if=_nothing)] = Decimal(0)
    """Not answered yet."""
    expected_on: date | None = None
    substitute_sku: Name | None = None
    note: Text | None = None
    unit_price: Annotated[Decimal | None, Field(exclude_if=is_none)] = None
    """The price that the ERP booked, where it differs from the ordered one."""

    @property
    def quantity(self) -> Decimal:
        """All that is answered for."""
        return self.accepted + self.backordered + self.rejected + self.held


def answer_lines(order: Order, receipt: ErpReceipt) -> tuple[LineAnswer, ...]:
    """Answer every line of the order exactly once, from the ERP's verdicts, whole quantities each.

    A line that the ERP did not mention is on hold: nothing is accepted by silence (Peppol tbr76-005). Of several
    things that are unlike the order, the gravest is the outcome: substitute, backorder, price, quantity, date.
    """
    verdicts = {verdict.line_id: verdict for verdict in receipt.lines}
    wanted = order.delivery_window.end.date() if order.delivery_window else None
    return tuple(_answer(line, verdicts.get(line.line_id), wanted) for line in order.lines)


def _answer(line: Line, verdict: LineVerdict | None, wanted: date | None) -> LineAnswer:
    if verdict is None:
        return LineAnswer(line_id=line.line_id, outcome=Outcome.HOLD, held=line.quantity)
    accepted, backordered, rejected = _split(line, verdict)
    price = verdict.unit_price if verdict.unit_price not in (None, line.unit_price) and accepted + backordered else None
    late = wanted is not None and verdict.expected_on is not None and verdict.expected_on > wanted
    reasons = (
        (Outcome.REJECT, not accepted and not backordered),
        (Outcome.SUBSTITUTE, verdict.verdict is StockVerdict.SUBSTITUTED),
        (Outcome.BACKORDER, bool(backordered)),
        (Outcome.PRICE, price is not None),
        (Outcome.QUANTITY, bool(rejected)),
        (Outcome.DATE, late),
    )
    return LineAnswer(
        line_id=line.line_id,
        outcome=next((outcome for outcome, holds in reasons if holds), Outcome.ACCEPT),
        accepted=accepted,
        backordered=backordered,
        rejected=rejected,
        substitute_sku=verdict.substitute_sku if verdict.verdict is StockVerdict.SUBSTITUTED else None,
        expected_on=verdict.expected_on,
        note=verdict.note,
        unit_price=price,
    )


def _split(line: Line, verdict: LineVerdict) -> tuple[Decimal, Decimal, Decimal]:
    """Accepted, backordered, rejected: of the line's whole quantity."""
    zero, some = Decimal(0), min(verdict.quantity or Decimal(0), line.quantity)
    match verdict.verdict:
        case StockVerdict.UNAVAILABLE:
            return zero, zero, line.quantity
        case StockVerdict.PARTIAL | StockVerdict.BACKORDERED:
            return some, line.quantity - some, zero
        case _:
            booked = some if verdict.quantity is not None else line.quantity
            return booked, zero, line.quantity - booked


def gaps(order: Order, answers: Sequence[LineAnswer]) -> tuple[str, ...]:
    """Lines that are not answered exactly once and in their whole quantity, and answers to no line; empty: total."""
    ordered = {line.line_id: line.quantity for line in order.lines}
    found = [answer.line_id for answer in answers]
    wrong = {line_id for line_id in found if found.count(line_id) > 1 or line_id not in ordered}
    wrong |= ordered.keys() - set(found)
    wrong |= {answer.line_id for answer in answers if answer.quantity != ordered.get(answer.line_id)}
    return tuple(sorted(wrong))


def promise_of(computed: date | None, answers: Sequence[LineAnswer]) -> date | None:
    """The day that may be promised: the computed one while anything is there by then, else the last the ERP expects.

    None where nothing is there by then, and the ERP does not say of each line when it will be.
    """
    if computed is None or not answers:
        return computed
    if any(answer.accepted and (answer.expected_on or computed) <= computed for answer in answers):
        return computed
    days = [answer.expected_on for answer in answers if answer.accepted or answer.backordered]
    return max((day for day in days if day), default=None) if all(days) else None


def needs_a_person(answers: tuple[LineAnswer, ...]) -> bool:
    """A refused line is a decision for a person; a backorder is told in the first message instead (R65)."""
    return any(answer.outcome in (Outcome.REJECT, Outcome.HOLD) or answer.rejected for answer in answers)


def priced_otherwise(answers: tuple[LineAnswer, ...]) -> tuple[LineAnswer, ...]:
    """Lines that the ERP booked at another price than the buyer agreed to: nobody is confirmed that unasked."""
    return tuple(answer for answer in answers if answer.unit_price is not None)
