"""Reconciliation: every row of every input and every order ends in exactly one class; differences bear both values."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from orderack.diagnostics.reconcile.compare import compare, stock
from orderack.diagnostics.reconcile.reading import number, overrides, read
from orderack.diagnostics.reconcile.records import FINE, Difference, Kind, Row, Side, Totals
from orderack.domain.order import OrderRef
from orderack.errors import InvalidInput
from orderack.ports.captured import CapturedOrder

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def ours(number_: str, **more: object) -> CapturedOrder:
    """An order of 20.00 EUR for two mugs, booked and paid; `more` replaces fields."""
    fields: dict[str, object] = {
        "ref": OrderRef(store="demo", number=number_),
        "captured_at": NOW - timedelta(hours=2),
        "revision": 1,
        "erp": "main",
        "ids": frozenset({number_}),
        "total": Decimal("20.00"),
        "currency": "EUR",
        "units": {"MUG": Decimal(2)},
        "paid": True,
        "booked_at": NOW - timedelta(hours=1),
        "overdue_at": NOW - timedelta(minutes=90),
        "owner": "ops",
    }
    return CapturedOrder(**(fields | more))  # type: ignore[arg-type]


def row(line: int, id_: str, total: str | None = "20.00", **more: object) -> Row:
    return Row(line, id=id_, total=Decimal(total) if total else None, **more)  # type: ignore[arg-type]


def compared(side: Side, rows: Sequence[Row], orders: Sequence[CapturedOrder]) -> tuple[Totals, tuple[Difference, ...]]:
    return compare(side, rows, orders, NOW, lambda: "rota")


def the_one(side: Side, rows: Sequence[Row], orders: Sequence[CapturedOrder]) -> Difference:
    _, differences = compared(side, rows, orders)
    (found,) = differences
    return found


@pytest.mark.parametrize(
    ("rows", "orders", "kind", "here", "there"),
    [
        ([], [ours("1", booked_at=None)], Kind.PAID_NOT_BOOKED, "paid, 20.00 EUR", "–"),
        ([], [ours("1", paid=False)], Kind.MISSING_THERE, "20.00 EUR", "–"),
        ([], [ours("1", confirmed_at=NOW)], Kind.CONFIRMED_NOT_BOOKED, "confirmed 2026-03-02 12:00 UTC", "–"),
        ([row(2, "9")], [], Kind.MISSING_HERE, "–", "20.00"),
        ([row(2, "1", "21.50", currency="EUR")], [ours("1")], Kind.AMOUNT_DIFFERS, "20.00 EUR", "21.50 EUR"),
        ([row(2, "1", currency="USD")], [ours("1")], Kind.CURRENCY_DIFFERS, "EUR", "USD"),
        ([row(2, "1", sku="MUG", quantity=Decimal(3))], [ours("1")], Kind.QUANTITY_DIFFERS, "2 x MUG", "3 x MUG"),
        ([row(2, "1", quantity=Decimal(3))], [ours("1")], Kind.QUANTITY_DIFFERS, "2 in all", "3 in all"),
        ([row(2, "1")], [ours("1", ended="cancelled")], Kind.BOOKED_CANCELLED_HERE, "cancelled", "20.00"),
        ([row(2, "1", off=True)], [ours("1")], Kind.CANCELLED_THERE, "open", "cancelled"),
        ([row(2, "1"), row(3, "1")], [ours("1")], Kind.REPEATED, "once", "2 times"),
        ([row(2, "1")], [ours("1", paid=False)], Kind.BOOKED_UNPAID, "not paid", "20.00"),
        (
            [row(2, "1")],
            [ours("1"), ours("1", ref=OrderRef(store="south", number="1"))],
            Kind.AMBIGUOUS,
            "demo/1, south/1",
            "1",
        ),
        ([Row(2, problem="has no id")], [], Kind.UNREADABLE, "–", "has no id"),
    ],
)
def test_a_difference_from_the_erp_is_named_with_both_values(
    rows: list[Row], orders: list[CapturedOrder], kind: Kind, here: str, there: str
) -> None:
    _, differences = compared(Side.ERP, rows, orders)
    found = next(one for one in differences if one.kind is kind)
    assert (found.here, found.there) == (here, there)
    assert found.owner in ("ops", "rota")
    assert found.next_step


@pytest.mark.parametrize(
    ("rows", "order", "kind"),
    [
        ([row(2, "1")], ours("1", booked_at=None), Kind.PAID_NOT_BOOKED),
        ([], ours("1", paid=False), Kind.BOOKED_UNPAID),
        ([row(2, "1", pending=True)], ours("1"), Kind.BOOKED_UNPAID),
        ([], ours("1"), Kind.MISSING_THERE),
        ([row(2, "1")], ours("1", ended="cancelled"), Kind.PAID_CANCELLED_HERE),
        ([row(2, "1", off=True)], ours("1", booked_at=None), Kind.UNPAID_THERE),
        ([row(2, "1", "19.00")], ours("1"), Kind.AMOUNT_DIFFERS),
    ],
)
def test_a_difference_from_the_payments_is_named(rows: list[Row], order: CapturedOrder, kind: Kind) -> None:
    assert the_one(Side.PAYMENTS, rows, [order]).kind is kind


@pytest.mark.parametrize(
    ("side", "rows", "order"),
    [
        (Side.ERP, [row(2, "1", currency="EUR")], ours("1")),
        (Side.ERP, [row(2, "#0001")], ours("1")),
        (Side.ERP, [row(2, "SO-7")], ours("1", ids=frozenset({"1", "SO-7"}))),
        (Side.ERP, [], ours("1", ended="rejected")),
        (Side.ERP, [], ours("1", overdue_at=NOW + timedelta(minutes=1))),
        (Side.ERP, [row(2, "1", off=True)], ours("1", ended="cancelled")),
        (Side.ERP, [row(2, "1")], ours("1", paid=False, on_account=True)),
        (Side.PAYMENTS, [row(2, "1", "15.00"), row(3, "1", "5.00")], ours("1")),
        (Side.PAYMENTS, [], ours("1", paid=False, on_account=True)),
    ],
)
def test_what_agrees_is_no_difference(side: Side, rows: list[Row], order: CapturedOrder) -> None:
    assert compared(side, rows, [order])[1] == ()


def test_an_erp_that_lists_a_line_a_row_may_say_the_whole_total_on_each_or_each_lines_own() -> None:
    order = ours("1", units={"MUG": Decimal(1), "TEA": Decimal(1)})
    whole = [row(2, "1", sku="MUG", quantity=Decimal(1)), row(3, "1", sku="TEA", quantity=Decimal(1))]
    parts = [row(2, "1", "10", sku="MUG", quantity=Decimal(1)), row(3, "1", "10", sku="TEA", quantity=Decimal(1))]
    assert compared(Side.ERP, whole, [order])[1] == compared(Side.ERP, parts, [order])[1] == ()


@pytest.mark.parametrize("seed", range(8))
def test_every_row_and_every_order_ends_in_exactly_one_class(seed: int) -> None:
    chance = random.Random(seed)
    orders = [
        ours(
            str(n),
            ended=chance.choice(["", "", "cancelled"]),
            paid=chance.choice([True, False, None]),
            booked_at=chance.choice([None, NOW]),
            confirmed_at=chance.choice([None, NOW]),
        )
        for n in range(200)
    ]
    rows = [
        Row(line, problem="bad")
        if chance.random() < 0.05
        else row(
            line,
            str(chance.randrange(300)),
            chance.choice(["20.00", "21.00", None]),
            sku=chance.choice(["", "MUG"]),
            quantity=chance.choice([None, Decimal(2), Decimal(1)]),
            off=chance.random() < 0.2,
            pending=chance.random() < 0.2,
            currency=chance.choice(["", "EUR", "USD"]),
        )
        for line in range(2, 402)
    ]
    for side in (Side.ERP, Side.PAYMENTS):
        totals, differences = compared(side, rows, orders)
        assert sum(totals.by_row.values()) == totals.rows == len(rows)
        assert sum(totals.by_order.values()) == totals.ours == len(orders)
        told = [line for one in differences for line in one.lines]
        assert len(told) == len(set(told)), "a row is in one difference"
        assert len(told) == sum(many for kind, many in totals.by_row.items() if kind not in FINE)
        assert all(one.owner for one in differences)


def test_an_order_whose_number_two_stores_have_is_ambiguous_and_not_missing_too() -> None:
    both = [ours("1"), ours("1", ref=OrderRef(store="south", number="1"))]
    totals, differences = compared(Side.ERP, [row(2, "1")], both)
    assert [one.kind for one in differences] == [Kind.AMBIGUOUS]
    assert totals.by_order == {Kind.AMBIGUOUS: 2}


def test_what_a_marketplace_offers_is_held_against_what_is_left() -> None:
    rows = [
        Row(line, sku=sku, available=Decimal(many))
        for line, (sku, many) in enumerate([("MUG", 7), ("TEA", 2), ("CUP", 4), ("PEN", 1), ("MUG", 7)], start=2)
    ]
    known = {"MUG": Decimal(10), "TEA": Decimal(2), "CUP": Decimal(9)}
    totals, differences = stock(rows, known, {"MUG": Decimal(5)}, lambda: "rota")
    assert {one.what: (one.kind, one.here, one.there) for one in differences if one.kind is not Kind.REPEATED} == {
        "MUG": (Kind.OFFERS_TOO_MUCH, "5 left", "7 offered"),
        "CUP": (Kind.OFFERS_TOO_LITTLE, "9 left", "4 offered"),
        "PEN": (Kind.STOCK_UNKNOWN, "–", "1 offered"),
    }
    assert sum(totals.by_row.values()) == 5
    assert totals.by_row[Kind.REPEATED] == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("€ 12.00", "12.00"),
        ("12,5", "12.5"),
        ("1,234", "1234"),
        ("-3", "-3"),
        ("(4.00)", "-4.00"),
        ("CHF 1'200.00", "1200.00"),
        ("twelve", None),
        ("", None),
        ("1.2.3", None),
    ],
)
def test_an_amount_is_read_as_people_and_machines_write_it(text: str, value: str | None) -> None:
    assert number(text) == (Decimal(value) if value else None)


File = Callable[[str, str], Path]


@pytest.fixture
def file(tmp_path: Path) -> File:
    def made(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return made


def test_columns_are_guessed_by_their_names_and_told_otherwise(file: File) -> None:
    path = file("erp.csv", "Sales Order;External Reference;Net;Grand Total;Status\nS1;1001;16;20,00;Voided\n;;;;\n")
    found = read(Side.ERP, path, {})
    assert found.columns["id"] == "External Reference"
    assert found.columns["total"] == "Grand Total"
    assert found.rows == (
        Row(2, id="1001", total=Decimal("20.00"), off=True),
        Row(3, problem="has no id"),
    )
    told = read(Side.ERP, path, overrides(["erp.total=Net", "erp.id=Sales Order"]))
    assert (told.rows[0].id, told.rows[0].total) == ("S1", Decimal(16))


@pytest.mark.parametrize(
    ("text", "said"),
    [("colour\nred\n", "no column"), ("", "empty"), ("id,total\n", "no rows")],
)
def test_an_input_that_cannot_be_used_says_what_to_do(file: File, text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(Side.PAYMENTS, file("payments.csv", text), {})
    assert said in str(caught.value.problems)


@pytest.mark.parametrize("wrong", ["erp.colour=x", "erp", "shop.id=x"])
def test_a_map_that_says_nothing_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput):
        overrides([wrong])
