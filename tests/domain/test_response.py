"""Every ordered line has one answer for its whole quantity, whatever the ERP says, and however little."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.order import DeliveryWindow, Line, Order, Totals
from orderack.domain.receipt import ErpReceipt, LineVerdict, StockVerdict
from orderack.domain.response import (
    LineAnswer,
    Outcome,
    answer_lines,
    gaps,
    needs_a_person,
    priced_otherwise,
    promise_of,
)

AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
WANTED = DeliveryWindow(start=datetime(2026, 12, 1, 8, tzinfo=UTC), end=datetime(2026, 12, 1, 12, tzinfo=UTC))


def an_order(*quantities: str, window: DeliveryWindow | None = None) -> Order:
    return Order(
        store="demo",
        number="1001",
        source="shop",
        trigger_at=AT,
        lines=tuple(
            Line(line_id=str(n), sku=f"SKU-{n}", quantity=Decimal(quantity), unit_price=Decimal("9.90"))
            for n, quantity in enumerate(quantities, 1)
        ),
        delivery_window=window,
        currency="EUR",
        totals=Totals(total=Decimal(0)),
    )


def a_receipt(*verdicts: LineVerdict) -> ErpReceipt:
    return ErpReceipt(
        id="r", erp="main", store="demo", number="1001", document_id="SO-1", recorded_at=AT, lines=verdicts
    )


def verdict(word: StockVerdict, **more: object) -> LineVerdict:
    return LineVerdict.model_validate({"line_id": "1", "verdict": word, **more})


S, OUT = StockVerdict, Outcome
DECEMBER = date(2026, 12, 24)


@pytest.mark.parametrize(
    ("said", "outcome", "split"),
    [
        (verdict(S.AVAILABLE), OUT.ACCEPT, (5, 0, 0)),
        (verdict(S.AVAILABLE, expected_on=date(2026, 12, 1)), OUT.ACCEPT, (5, 0, 0)),
        (verdict(S.AVAILABLE, quantity=7), OUT.ACCEPT, (5, 0, 0)),
        (verdict(S.AVAILABLE, quantity=3), OUT.QUANTITY, (3, 0, 2)),
        (verdict(S.AVAILABLE, expected_on=DECEMBER), OUT.DATE, (5, 0, 0)),
        (verdict(S.AVAILABLE, unit_price="9.90"), OUT.ACCEPT, (5, 0, 0)),
        (verdict(S.AVAILABLE, unit_price="10.90"), OUT.PRICE, (5, 0, 0)),
        (verdict(S.SUBSTITUTED, substitute_sku="SKU-9"), OUT.SUBSTITUTE, (5, 0, 0)),
        (verdict(S.PARTIAL, quantity=2), OUT.BACKORDER, (2, 3, 0)),
        (verdict(S.PARTIAL, quantity=5), OUT.ACCEPT, (5, 0, 0)),
        (verdict(S.BACKORDERED, expected_on=DECEMBER), OUT.BACKORDER, (0, 5, 0)),
        (verdict(S.UNAVAILABLE), OUT.REJECT, (0, 0, 5)),
    ],
)
def test_each_verdict_has_its_answer(said: LineVerdict, outcome: Outcome, split: tuple[int, int, int]) -> None:
    (answer,) = answer_lines(an_order("5", window=WANTED), a_receipt(said))
    assert answer.outcome is outcome
    assert (answer.accepted, answer.backordered, answer.rejected) == split


def test_a_line_that_the_erp_is_silent_on_is_held_and_goes_to_a_person() -> None:
    answers = answer_lines(an_order("5", "2"), a_receipt(verdict(S.AVAILABLE)))
    assert [(a.outcome, a.held) for a in answers] == [(OUT.ACCEPT, 0), (OUT.HOLD, 2)]
    assert needs_a_person(answers)


def test_a_smaller_quantity_and_another_price_are_a_persons_too() -> None:
    assert needs_a_person(answer_lines(an_order("5"), a_receipt(verdict(S.AVAILABLE, quantity=3))))
    dearer = answer_lines(an_order("5"), a_receipt(verdict(S.AVAILABLE, unit_price="10.90")))
    assert not needs_a_person(dearer)
    assert [answer.unit_price for answer in priced_otherwise(dearer)] == [Decimal("10.90")]


def test_a_date_is_late_only_against_what_the_buyer_asked_for() -> None:
    (answer,) = answer_lines(an_order("5"), a_receipt(verdict(S.AVAILABLE, expected_on=DECEMBER)))
    assert (answer.outcome, answer.expected_on) == (OUT.ACCEPT, DECEMBER)


amounts = st.decimals("0.0001", "9999", places=4)
verdicts = st.builds(
    LineVerdict,
    line_id=st.sampled_from("12345x"),
    verdict=st.sampled_from(StockVerdict),
    quantity=st.none() | amounts,
    expected_on=st.none() | st.dates(),
    unit_price=st.none() | amounts,
    substitute_sku=st.none() | st.just("SKU-9"),
)


@given(st.lists(amounts, min_size=1, max_size=5), st.lists(verdicts, max_size=8), st.booleans())
def test_the_answer_is_total_whatever_the_erp_says(
    quantities: list[Decimal], said: list[LineVerdict], wanted: bool
) -> None:
    order = an_order(*map(str, quantities), window=WANTED if wanted else None)
    answers = answer_lines(order, a_receipt(*said))
    assert gaps(order, answers) == ()
    assert [answer.line_id for answer in answers] == [line.line_id for line in order.lines]
    for answer in answers:
        assert min(answer.accepted, answer.backordered, answer.rejected, answer.held) >= 0
        assert (answer.outcome is OUT.REJECT) == (not answer.accepted and not answer.backordered and not answer.held)
        assert (answer.outcome is OUT.HOLD) == bool(answer.held)


def test_what_is_not_total_is_named() -> None:
    order = an_order("5", "2")
    answers = answer_lines(order, a_receipt(verdict(S.AVAILABLE)))
    assert gaps(order, answers[:1]) == ("2",)
    assert gaps(order, (*answers, answers[0])) == ("1",)
    assert gaps(order, (answers[0].model_copy(update={"accepted": Decimal(4)}), answers[1])) == ("1",)
    assert gaps(order, (*answers, answers[0].model_copy(update={"line_id": "9"}))) == ("9",)


SOON, LATER, LAST = date(2026, 12, 9), date(2026, 12, 15), date(2026, 12, 24)


def answer(accepted: int, backordered: int = 0, on: date | None = None) -> LineAnswer:
    return LineAnswer(
        line_id="1",
        outcome=Outcome.ACCEPT,
        accepted=Decimal(accepted),
        backordered=Decimal(backordered),
        expected_on=on,
    )


@pytest.mark.parametrize(
    ("computed", "answers", "promised"),
    [
        (SOON, (), SOON),
        (SOON, (answer(2),), SOON),
        (SOON, (answer(2), answer(0, 1, LATER)), SOON),
        (SOON, (answer(0, 2, LATER),), LATER),
        (SOON, (answer(2, 0, LATER),), LATER),
        (SOON, (answer(0, 1, LATER), answer(1, 0, LAST)), LAST),
        (SOON, (answer(0, 1, LATER), answer(0, 1)), None),
        (SOON, (answer(0), answer(0, 1, LATER)), LATER),
        (SOON, (answer(0),), None),
        (SOON, (answer(0, 1, LATER), answer(2, 1, SOON)), SOON),
        (None, (answer(0, 1, LATER),), None),
    ],
)
def test_no_day_is_promised_by_which_nothing_is_there(
    computed: date | None, answers: tuple[LineAnswer, ...], promised: date | None
) -> None:
    assert promise_of(computed, answers) == promised
