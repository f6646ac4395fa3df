"""What changed between two revisions."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.difference import Change, Changed, difference
from orderack.domain.order import Address, Order, Pickup
from orderack.messages.samples import ORDER

FIRST, SECOND = ORDER.lines


def _with(**fields: object) -> Order:
    return ORDER.model_copy(update=fields)


def _line(**fields: object) -> Order:
    return _with(lines=(FIRST.model_copy(update=fields), SECOND))


def test_an_order_does_not_differ_from_itself() -> None:
    assert difference(ORDER, ORDER) == ()


def test_added_and_removed_lines_are_named_by_their_id() -> None:
    fewer = _with(lines=(FIRST,))
    assert difference(fewer, ORDER) == (Change(what=Changed.LINE_ADDED, line_id="2"),)
    assert difference(ORDER, fewer) == (Change(what=Changed.LINE_REMOVED, line_id="2"),)


@pytest.mark.parametrize(
    ("after", "what", "line_id"),
    [
        (_line(quantity=Decimal(9)), Changed.QUANTITY, "1"),
        (_line(unit_price=Decimal(9)), Changed.UNIT_PRICE, "1"),
        (_line(sku="other"), Changed.ITEM, "1"),
        (_line(instructions="other"), Changed.LINE_INSTRUCTIONS, "1"),
        (_line(design=None), Changed.DESIGN, "1"),
        (_line(dietary="no eggs"), Changed.DIETARY, "1"),
        (_with(instructions="other"), Changed.INSTRUCTIONS, None),
        (_with(delivery_address=Address(street="1 Elsewhere", city="Town", country="DE")), Changed.ADDRESS, None),
        (_with(pickup=Pickup(location="Counter")), Changed.PICKUP, None),
        (_with(delivery_window=None), Changed.WINDOW, None),
        (_with(totals=ORDER.totals.model_copy(update={"discount": Decimal(0)})), Changed.DISCOUNT, None),
        (_with(totals=ORDER.totals.model_copy(update={"shipping": Decimal(0)})), Changed.SHIPPING, None),
        (_with(totals=ORDER.totals.model_copy(update={"tax": Decimal(0)})), Changed.TAX, None),
        (_with(totals=ORDER.totals.model_copy(update={"total": Decimal(1)})), Changed.TOTAL, None),
        (_with(currency="EUR"), Changed.TOTAL, None),
        (_with(payment=ORDER.payment.model_copy(update={"terms": "Net 60"})), Changed.TERMS, None),
    ],
)
def test_each_thing_that_was_agreed_shows_as_one_change(after: Order, what: Changed, line_id: str | None) -> None:
    assert difference(ORDER, after) == (Change(what=what, line_id=line_id),)


def test_the_same_value_written_otherwise_is_no_change() -> None:
    assert difference(_line(quantity=Decimal("2.0")), _line(quantity=Decimal(2))) == ()
    assert difference(_with(instructions=None), _with(instructions="")) == ()


def test_payment_status_and_contacts_are_not_what_was_agreed() -> None:
    after = _with(payment=ORDER.payment.model_copy(update={"status": "pending"}), contacts=type(ORDER.contacts)())
    assert difference(ORDER, after) == ()


@given(st.lists(st.sampled_from([FIRST, SECOND, FIRST.model_copy(update={"line_id": "3"})]), max_size=5))
def test_added_one_way_is_removed_the_other_way(lines: list[object]) -> None:
    other = _with(lines=tuple(lines))
    added = {change.line_id for change in difference(ORDER, other) if change.what is Changed.LINE_ADDED}
    removed = {change.line_id for change in difference(other, ORDER) if change.what is Changed.LINE_REMOVED}
    assert added == removed
