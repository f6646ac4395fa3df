"""Other quantities in an order, and what it comes to then."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.money import fits
from orderack.domain.order import Line, Order, Totals
from orderack.domain.quantities import with_quantities

AT = datetime(2026, 6, 1, tzinfo=UTC)


def an_order(prices: list[tuple[str, str]], currency: str = "EUR", **totals: str) -> Order:
    lines = tuple(
        Line(line_id=str(n), sku=f"S{n}", quantity=Decimal(quantity), unit_price=Decimal(price))
        for n, (quantity, price) in enumerate(prices, 1)
    )
    return Order(
        store="demo", number="1", source="web", trigger_at=AT, lines=lines, currency=currency,
        totals=Totals.model_validate(totals),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "totals", "tax", "total"),
    [
        ("EUR", {"total": "30"}, "0", "10"),
        ("EUR", {"tax": "5.70", "total": "35.70"}, "1.90", "11.90"),
        ("EUR", {"tax": "1.00", "shipping": "4.90", "discount": "2.00", "total": "33.90"}, "0.33", "13.23"),
        ("EUR", {"tax": "4.79", "total": "30.00"}, "1.60", "10.00"),
        ("JPY", {"tax": "10", "total": "40"}, "3", "13"),
        ("KWD", {"tax": "1.000", "total": "31.000"}, "0.333", "10.333"),
    ],
    ids=["no tax", "taxed", "shipping and discount stay", "prices contain the tax", "no decimals", "three decimals"],
)
def test_without_two_thirds_of_it_the_order_comes_to_its_third(
    currency: str, totals: dict[str, str], tax: str, total: str
) -> None:
    order = an_order([("1", "10"), ("2", "10")], currency, **totals)
    left = with_quantities(order, {"2": Decimal(0)})
    assert [line.line_id for line in left.lines] == ["1"]
    assert (left.totals.tax, left.totals.total) == (Decimal(tax), Decimal(total))
    assert (left.totals.shipping, left.totals.discount) == (order.totals.shipping, order.totals.discount)


def test_the_same_quantities_are_the_very_same_order() -> None:
    order = an_order([("1", "10"), ("2", "0")], tax="1", total="11")
    for same in ({}, {"1": Decimal("1.0")}, {"nothing": Decimal(3)}):
        assert with_quantities(order, same).content_hash == order.content_hash


def test_a_discount_larger_than_what_is_left_never_makes_it_negative() -> None:
    order = an_order([("1", "10"), ("1", "1")], discount="8", total="3")
    assert with_quantities(order, {"1": Decimal(0)}).totals.total == 0


def test_lines_that_cost_nothing_leave_the_tax_alone() -> None:
    order = an_order([("1", "0"), ("1", "0")], tax="1", total="1")
    assert with_quantities(order, {"1": Decimal(0)}).totals == order.totals


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9_999)), min_size=1, max_size=6),
    st.dictionaries(st.integers(1, 6), st.integers(0, 99)),
    st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_what_comes_out_can_be_paid_and_more_never_costs_less(
    lines: list[tuple[int, int]], wanted: dict[int, int], currency: str
) -> None:
    gross = sum(quantity * price for quantity, price in lines)
    order = an_order([(str(q), str(p)) for q, p in lines], currency, tax=str(gross // 5), total=str(gross + gross // 5))
    found = with_quantities(order, {str(line): Decimal(quantity) for line, quantity in wanted.items()})
    assert fits(found.totals.total, currency)
    assert fits(found.totals.tax, currency)
    before, after = (sum((line.amount for line in each.lines), Decimal(0)) for each in (order, found))
    assert (found.totals.total >= order.totals.total) or after <= before
