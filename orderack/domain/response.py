"""The canonical line response: one answer for every ordered line, whoever reads it later."""

from datetime import date
from decimal import Decimal
from enum import StrEnum

from orderack.domain.order import Line, Name, Order, Text
from orderack.domain.receipt import ErpReceipt, LineVerdict, StockVerdict
from orderack.domain.value import Value


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
    """What we tell the buyer about one line; accepted + backordered + rejected = ordered."""

    line_id: Name
    outcome: Outcome
    accepted: Decimal = Decimal(0)
    backordered: Decimal = Decimal(0)
    rejected: Decimal = Decimal(0)
    expected_on: date | None = None
    substitute_sku: Name | None = None
    note: Text | None = None


def answer_lines(order: Order, receipt: ErpReceipt) -> tuple[LineAnswer, ...]:
    """Answer every line of the order exactly once, from the ERP's verdicts.

    A line that the ERP did not mention is on hold: nothing is accepted by silence (Peppol tbr76-005).
    """
    verdicts = {verdict.line_id: verdict for verdict in receipt.lines}
    return tuple(_answer(line, verdicts.get(line.line_id)) for line in order.lines)


def _answer(line: Line, verdict: LineVerdict | None) -> LineAnswer:
    if verdict is None:
        return LineAnswer(line_id=line.line_id, outcome=Outcome.HOLD)
    zero = Decimal(0)
    substitute = None
    match verdict.verdict:
        case StockVerdict.AVAILABLE:
            outcome, accepted, backordered, rejected = Outcome.ACCEPT, line.quantity, zero, zero
        case StockVerdict.SUBSTITUTED:
            outcome, accepted, backordered, rejected = Outcome.SUBSTITUTE, line.quantity, zero, zero
            substitute = verdict.substitute_sku
        case StockVerdict.PARTIAL | StockVerdict.BACKORDERED:
            accepted = min(verdict.quantity or zero, line.quantity)
            backordered, rejected = line.quantity - accepted, zero
            outcome = Outcome.BACKORDER if backordered else Outcome.ACCEPT
        case StockVerdict.UNAVAILABLE:
            outcome, accepted, backordered, rejected = Outcome.REJECT, zero, zero, line.quantity
    return LineAnswer(
        line_id=line.line_id,
        outcome=outcome,
        accepted=accepted,
        backordered=backordered,
        rejected=rejected,
        substitute_sku=substitute,
        expected_on=verdict.expected_on,
        note=verdict.note,
    )


def needs_a_person(answers: tuple[LineAnswer, ...]) -> bool:
    """A refused line is a decision for a person; a backorder is told in the first message instead (R65)."""
    return any(answer.outcome in (Outcome.REJECT, Outcome.HOLD) for answer in answers)
