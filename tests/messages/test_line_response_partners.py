"""The line response as it is written to those who are no readers of messages: the buyer's page line by line, X12's
855 and 865, Amazon's vendors, Walmart. Whatever an ERP says, each says every line once and quantities add up.

`python -m tests.messages.test_line_response_partners` writes the golden files anew after a deliberate change.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from babel import Locale
from hypothesis import given, settings
from hypothesis import strategies as st

from orderack.domain.order import Line, Order
from orderack.domain.receipt import ErpReceipt, LineVerdict, StockVerdict
from orderack.domain.response import LineAnswer, Outcome, answer_lines, gaps
from orderack.domain.source import AnswerKey, AnswerStage
from orderack.edi.acknowledgment import Answer, acknowledgment
from orderack.edi.envelope import Envelope, Party, wrap
from orderack.edi.partner import STATUS, PartnerProfile
from orderack.edi.syntax import Delimiters
from orderack.messages.formats import Formats, zone_for
from orderack.messages.labels import LABELS, load_labels
from orderack.messages.lines import LineWriter
from orderack.ports import SourceAnswer
from orderack.settings import Settings
from orderack.sources import _amazon_vendor_answer as amazon
from orderack.sources import _walmart_receipt as walmart
from orderack.sources._amazon_vendor_order import PurchaseOrder
from orderack.sources._walmart_wire import WalmartOrder
from tests.edi.interchanges import parsed
from tests.messages.test_line_response import ANSWERS, GOLDEN, ORDERED

PAYLOADS = Path(__file__).parents[1] / "payloads"
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
TODAY, SHIPS = date(2026, 11, 21), date(2026, 12, 1)
PROFILE = PartnerProfile.model_validate(
    {"theirs": {"id": "THEM"}, "ours": {"id": "US"}, "versions": ["004010"], "currency": ORDERED.currency}
)
ENVELOPE = Envelope(Party("ZZ", "US"), Party("ZZ", "THEM"), "US", "THEM", "004010", "P", 42, NOW)
FORMATS = Formats(Locale("en", "US"), zone_for("UTC"))
LABELLED = load_labels(Settings().policy_dir / "messages" / "en" / LABELS)


def page(order: Order, answers: Sequence[LineAnswer]) -> list[str]:
    """Each line as the buyer's page has it."""
    views = LineWriter(order, tuple(answers), LABELLED, FORMATS).every()
    return [f"{view.title} | {view.price} | {view.stock} | {view.tone}" for view in views]


def x12(order: Order, answers: Sequence[LineAnswer], *, is_change: bool = False) -> str:
    answer = Answer(order, tuple(answers), "SO-77001", SHIPS, "", is_change)
    return wrap(answer.code, [acknowledgment(answer, PROFILE, on=TODAY)], ENVELOPE, Delimiters(line_end="\n"))


def said_to(order: Order, answers: Sequence[LineAnswer], stage: AnswerStage) -> SourceAnswer:
    return SourceAnswer(
        key=AnswerKey(ref=order.ref, revision=1, stage=stage),
        order=order, external_id="1", lines=tuple(answers), document_id="SO-77001", reason="Not made any more", now=NOW,
    )  # fmt: skip


def purchase_order(order: Order) -> PurchaseOrder:
    """As Amazon asks for these lines, after its own sample."""
    body = json.loads((PAYLOADS / "amazon" / "purchase_order.json").read_bytes())
    body = body.get("payload", body)
    body = body["orders"][0] if "orders" in body else body
    (model, *_) = body["orderDetails"]["items"]
    body["orderDetails"]["items"] = [
        {**model, "itemSequenceNumber": line.line_id, "orderedQuantity": {"amount": int(line.quantity)}}
        for line in order.lines
    ]
    return PurchaseOrder.model_validate(body)


def to_amazon(order: Order, stage: AnswerStage) -> str:
    body = amazon.acknowledgement(purchase_order(order), said_to(order, (), stage), "03")
    return body.model_dump_json(indent=1) + "\n"


def walmart_order(order: Order, status: str = "Created") -> WalmartOrder:
    """As Walmart asks for these lines."""
    body = json.loads((PAYLOADS / "walmart" / "us_order.json").read_bytes())
    body = body.get("order", body)
    (model, *_) = body["orderLines"]["orderLine"]
    body["orderLines"]["orderLine"] = [_walmart_line(model, line, status) for line in order.lines]
    return WalmartOrder.model_validate(body)


def _walmart_line(model: Mapping[str, object], line: Line, status: str) -> Mapping[str, object]:
    quantity = {"unitOfMeasurement": "EACH", "amount": str(line.quantity)}
    stands = {"orderLineStatus": [{"status": status, "statusQuantity": quantity}]}
    return {**model, "lineNumber": line.line_id, "orderLineQuantity": quantity, "orderLineStatuses": stands}


GOLDENS: Mapping[str, Callable[[], str]] = {
    "line_response.page.txt": lambda: "\n".join(page(ORDERED, ANSWERS)) + "\n",
    "line_response.855.edi": lambda: x12(ORDERED, ANSWERS),
    "line_response.865.edi": lambda: x12(ORDERED, ANSWERS, is_change=True),
    "line_response.amazon_accepted.json": lambda: to_amazon(ORDERED, AnswerStage.CONFIRMED),
    "line_response.amazon_rejected.json": lambda: to_amazon(ORDERED, AnswerStage.REJECTED),
    "line_response.walmart_acknowledged.json": lambda: _json(walmart.acknowledgement(walmart_order(ORDERED))),
    "line_response.walmart_cancelled.json": lambda: _json(walmart.cancellation(walmart_order(ORDERED), "OUT_OF_STOCK")),
}


def _json(body: object) -> str:
    return json.dumps(body, indent=1) + "\n"


@pytest.mark.parametrize("name", GOLDENS)
def test_the_line_response_is_written_as_it_was(name: str) -> None:
    assert GOLDENS[name]() == (GOLDEN / name).read_text(encoding="utf-8")


def test_amazon_is_told_of_every_line_that_it_would_not_get_whole() -> None:
    assert amazon.not_whole(ORDERED, ANSWERS) == ("2", "5", "6", "7", "8")


# -- whatever an ERP says ---------------------------------------------------------------------------------------------

pieces = st.integers(1, 9_999).map(Decimal)
verdicts = st.builds(
    LineVerdict,
    line_id=st.sampled_from("12345x"),
    verdict=st.sampled_from(StockVerdict),
    quantity=st.none() | pieces,
    expected_on=st.none() | st.just(date(2026, 12, 24)),
    unit_price=st.none() | st.just(Decimal("10.9")),
    substitute_sku=st.none() | st.just("WT-99"),
    note=st.none() | st.text(max_size=20),
)


@st.composite
def answered(draw: st.DrawFn) -> tuple[Order, tuple[LineAnswer, ...]]:
    """An order, and the answer to it that follows from any receipt."""
    quantities = draw(st.lists(pieces, min_size=1, max_size=5))
    lines = [ORDERED.lines[at].model_copy(update={"quantity": quantity}) for at, quantity in enumerate(quantities)]
    order = ORDERED.model_copy(update={"lines": tuple(lines)})
    receipt = ErpReceipt(
        id="r", erp="main", store=order.store, number=order.number, document_id="SO-1", recorded_at=NOW,
        lines=tuple(draw(st.lists(verdicts, max_size=8))),
    )  # fmt: skip
    return order, answer_lines(order, receipt)


fast = settings(max_examples=120, deadline=None)


@fast
@given(answered(), st.booleans())
def test_x12_answers_every_line_once_and_for_all_that_was_ordered(
    said: tuple[Order, tuple[LineAnswer, ...]], is_change: bool
) -> None:
    order, answers = said
    assert gaps(order, answers) == ()
    found: dict[str, dict[str, Decimal]] = {}
    for tag, *elements in parsed(x12(order, answers, is_change=is_change)):
        if tag in ("PO1", "POC"):
            assert elements[0] not in found
            found[elements[0]] = {}
        elif tag == "ACK":
            found[[*found][-1]][elements[0]] = Decimal(elements[1])
    assert {own: sum(parts.values(), Decimal(0)) for own, parts in found.items()} == {
        line.line_id: line.quantity for line in order.lines
    }
    for one in answers:
        parts = found[one.line_id]
        assert parts.get(STATUS[Outcome.BACKORDER], 0) == one.backordered
        assert parts.get(STATUS[Outcome.REJECT], 0) == one.rejected
        assert parts.get(STATUS[Outcome.HOLD], 0) == one.held


@fast
@given(answered())
def test_the_page_says_of_every_line_how_many_do_not_come_as_ordered(
    said: tuple[Order, tuple[LineAnswer, ...]],
) -> None:
    order, answers = said
    rows = page(order, answers)
    assert len(rows) == len(order.lines)
    for row, line, one in zip(rows, order.lines, answers, strict=True):
        title, price, stock, tone = row.split(" | ")
        assert title == line.description
        assert price.startswith(f"{FORMATS.number(line.quantity)} ×")
        for words, count in (("on backorder", one.backordered), ("not available", one.rejected)):
            assert (f"{FORMATS.number(count)} {words}" in stock) == bool(count)
        assert ("WT-99" in stock) == (one.substitute_sku is not None)
        assert ("not settled" in stock) == bool(one.held)
        assert tone != "good" or one.accepted == line.quantity


@fast
@given(answered())
def test_amazon_and_walmart_are_answered_for_every_unit_that_they_asked_for(
    said: tuple[Order, tuple[LineAnswer, ...]],
) -> None:
    order, answers = said
    ordered = {line.line_id: line.quantity for line in order.lines}
    short = set(amazon.not_whole(order, answers))
    whole = {
        one.line_id for one in answers if one.accepted == ordered[one.line_id] and one.outcome is not Outcome.SUBSTITUTE
    }
    assert short == set(ordered) - whole
    for stage in (AnswerStage.CONFIRMED, AnswerStage.REJECTED):
        (one,) = json.loads(to_amazon(order, stage))["orderAcknowledgements"]
        items = one["itemAcknowledgements"]
        assert [(item["itemSequenceNumber"], item["acknowledgedQuantity"]["amount"]) for item in items] == [
            (own, int(quantity)) for own, quantity in ordered.items()
        ]
    found = walmart_order(order)
    for body, key in (
        (walmart.acknowledgement(found), "orderAcknowledge"),
        (walmart.cancellation(found, "OUT_OF_STOCK"), "orderCancellation"),
    ):
        lines = json.loads(json.dumps(body))[key]["orderLines"]["orderLine"]
        units = {
            line["lineNumber"]: sum(
                Decimal(one["statusQuantity"]["amount"]) for one in line["orderLineStatuses"]["orderLineStatus"]
            )
            for line in lines
        }
        assert len(lines) == len(units)
        assert units == ordered


if __name__ == "__main__":
    for file, text in GOLDENS.items():
        (GOLDEN / file).write_text(text(), encoding="utf-8")
