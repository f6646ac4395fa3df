"""Fishbowl's import: its columns against the vendor's list, what is written of an order, and questions in SQL."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.order import (
    Address,
    Contacts,
    Customer,
    DeliveryWindow,
    Line,
    Order,
    OrderRef,
    Pickup,
    Priority,
    TaxBasis,
    Totals,
)
from orderack.erps import _fishbowl_order as writing
from orderack.erps import _fishbowl_tables as tables
from orderack.erps._fishbowl_order import ITEM, ORDER, Mark, Writing, line_mark_in, number_of
from orderack.erps._line_marks import mark_of
from tests.conformance.erp import LINES, NOW, REF, an_order

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "specs" / "commerce" / "fishbowl"
COLUMNS = FOLDER / "import-sales-order.columns.json"
published = pytest.mark.skipif(not COLUMNS.is_file(), reason="the vendor's descriptions are not here")
HOME = Address(
    name="Ada Example", street="1 Main Street", city="Springfield", region="IL", postal_code="62701", country="US"
)
NAMES = st.text(min_size=1, max_size=200).filter(lambda text: text.strip() == text)
LONG = st.text(min_size=1, max_size=120).filter(lambda text: bool(text.strip()))
ADDRESSES = st.builds(
    Address,
    name=st.none() | LONG,
    company=st.none() | LONG,
    street=LONG,
    street2=st.none() | LONG,
    city=LONG,
    region=st.none() | LONG,
    postal_code=st.none() | LONG,
    country=st.sampled_from(["US", "CH", "JP", "XK", "GB"]),
)


def changed(**said: object) -> Order:
    return an_order().model_copy(update={"delivery_address": HOME, "billing_address": HOME} | said)


def head(order: Order, house: Writing | None = None, revision: int = 1, currency: str = "") -> dict[str, str]:
    """The order's row by its columns."""
    rows = (house or Writing()).rows(order, revision, currency)
    return dict(zip(rows[0], rows[2], strict=True))


def items(order: Order, house: Writing | None = None) -> list[dict[str, str]]:
    rows = (house or Writing()).rows(order, 1, "")
    return [dict(zip(rows[1], row, strict=True)) for row in rows[3:]]


@published
def test_the_columns_are_the_vendors_in_their_order() -> None:
    said = json.loads(COLUMNS.read_text())
    assert list(ORDER[: len(said["so_columns_head"])]) == said["so_columns_head"]
    assert len(set(ORDER)) == len(ORDER)
    assert len(set(ITEM)) == len(ITEM)


@published
def test_every_status_of_the_vendors_has_a_meaning_and_so_have_the_kinds_of_items_that_are_written() -> None:
    said = json.loads(COLUMNS.read_text())
    assert {int(code) for code in said["status_codes"]} <= tables.STATUSES.keys()
    off = {int(code) for code, word in said["status_codes"].items() if word in ("Void", "Cancelled", "Expired")}
    assert {code for code, word in tables.STATUSES.items() if word == tables.OFF} == off
    assert said["status_codes"][str(tables.CLOSED_SHORT)] == "Closed Short"
    assert (said["status_codes"][writing.ESTIMATE], said["status_codes"][writing.ISSUED]) == ("Estimate", "Issued")
    assert (said["item_types"][writing.SALE], said["item_types"][writing.SHIPPING]) == ("Sale", "Shipping")


@published
@given(
    number=NAMES,
    name=st.none() | NAMES,
    address=st.none() | ADDRESSES,
    billing=st.none() | ADDRESSES,
    purchase=st.none() | NAMES,
)
def test_no_order_lacks_a_required_column_or_is_too_long_for_one(
    number: str, name: str | None, address: Address | None, billing: Address | None, purchase: str | None
) -> None:
    said = json.loads(COLUMNS.read_text())
    order = an_order(OrderRef(store="shop", number=number)).model_copy(
        update={
            "customer": Customer(id="C-1", name=name),
            "delivery_address": address,
            "billing_address": billing,
            "purchase_order": purchase,
        }
    )
    row = head(order)
    assert [column for column in said["so_required"] if not row[column].strip()] == []
    limits = said["max_len"] | {column.replace("Bill", "Ship"): many for column, many in said["max_len"].items()}
    assert [column for column, many in limits.items() if len(row.get(column, "")) > many] == []
    assert not [column for column in row if column != "Note" and ("\n" in row[column] or "\r" in row[column])]


@given(one=st.tuples(NAMES, NAMES), other=st.tuples(NAMES, NAMES))
def test_two_orders_never_have_one_number(one: tuple[str, str], other: tuple[str, str]) -> None:
    numbers = [number_of(OrderRef(store=store, number=number)) for store, number in (one, other)]
    assert all(re.fullmatch(r"[A-Z0-9-]{10,25}", number) for number in numbers)
    assert (numbers[0] == numbers[1]) is (one == other)


@given(store=NAMES, number=NAMES, revision=st.integers(1, 999_999_999), line=NAMES, sku=NAMES)
def test_whose_an_order_is_and_which_line_an_item_is_are_read_back(
    store: str, number: str, revision: int, line: str, sku: str
) -> None:
    mark = Mark(ref=OrderRef(store=store, number=number), revision=revision)
    assert Mark.read(f"{mark}\n{number}\norderack a/b r9") == mark
    assert Mark.read(f" {mark} order {number}") == mark, "where a note loses its line breaks"
    item = Line(line_id=line, sku=sku, quantity=Decimal(1), unit_price=Decimal(1), instructions="ring\ntwice")
    (row,) = items(changed(lines=(item,)))
    found = line_mark_in(row["Note"])
    assert found is not None
    assert found.line_id == item.line_id
    assert found.is_of(item.sku)
    assert found.is_of(item.sku.upper().lower()) or item.sku.upper().lower().casefold() != item.sku.casefold()
    assert not found.is_of(f"{item.sku} of another kind")
    assert row["Note"].endswith(" ring twice")


@pytest.mark.parametrize(
    "note",
    [
        "",
        "called about colour",
        "orderack",
        "orderack shop/A-1 r",
        "orderack shop r1",
        "x orderack a/b r1",
        "orderack a/b r1x",
    ],
)
def test_a_note_of_somebody_elses_is_no_mark(note: str) -> None:
    assert Mark.read(note) is None
    assert line_mark_in(note) is None


def test_a_mark_of_an_earlier_form_names_its_line_and_judges_no_item() -> None:
    found = line_mark_in("#line%2F1 ring twice")
    assert found is not None
    assert (found.line_id, found.is_of("ANYTHING")) == ("line/1", True)


@given(text=st.text())
def test_a_text_in_a_question_is_hex_and_nothing_else(text: str) -> None:
    encodable = text.encode("utf-8", "ignore").decode()
    found = re.fullmatch(r"_utf8mb4 x'((?:[0-9a-f]{2})*)'", tables.text(encodable))
    assert found
    assert bytes.fromhex(found[1]).decode() == encodable


@pytest.mark.parametrize("evil", ["O'Brien') or 1 eq 1", "x' OR '1'='1", "\\'; DROP TABLE so; --", 'x" --', "/*", "`"])
def test_no_sku_and_no_location_group_stands_in_a_question_as_it_is(evil: str) -> None:
    for sql in (tables.products({evil}, evil), tables.purchases({evil}), tables.orders(evil)):
        assert evil not in sql
        assert "'" not in re.sub(r"x'[0-9a-f]*'", "", sql)


def test_an_order_is_told_whole() -> None:
    totals = Totals(
        total=Decimal("42.40"), shipping=Decimal("4.9"), discount=Decimal(3), fees=Decimal(1), credit=Decimal(2),
        tax_basis=TaxBasis.INCLUDED,
    )  # fmt: skip
    order = changed(
        totals=totals,
        pickup=Pickup(location="Main Street"),
        instructions="by bicycle",
        priority=Priority.HIGH,
        purchase_order="PO-7",
        delivery_window=DeliveryWindow(start=NOW, end=NOW),
    )
    row = head(order, revision=3, currency="Euro")
    assert row["Note"].splitlines() == [
        "orderack shop/A-1001 r3",
        "order shop/A-1001",
        "picked up at Main Street",
        "by bicycle",
        "discount of 3 EUR is on no line of this order",
        "shipping of 4.9 EUR is on no line of this order",
        "fees of 1 EUR is on no line of this order",
        "gift cards and credit of 2 EUR is on no line of this order",
    ]
    assert (row["PriorityId"], row["PONum"], row["CurrencyName"], row["Status"]) == ("20", "PO-7", "Euro", "20")
    assert (row["TotalIncludesTax"], row["OrderDateScheduled"]) == ("true", "11/21/2026")
    assert (row["BillToState"], row["BillToCountry"], row["Email"]) == ("IL", "United States", "ada@example.com")


def test_shipping_is_an_item_where_a_product_stands_for_it() -> None:
    order = changed(totals=Totals(total=Decimal(42), shipping=Decimal("4.90")))
    *_, shipping = items(order, Writing(shipping_product="Shipping"))
    assert (shipping["SOItemTypeID"], shipping["ProductNumber"], shipping["ProductPrice"]) == ("60", "Shipping", "4.9")
    assert shipping["ProductQuantity"] == "1"
    assert line_mark_in(shipping["Note"]) is None
    assert "shipping" not in head(order, Writing(shipping_product="Shipping"))["Note"]


@pytest.mark.parametrize(
    ("line", "price", "told"),
    [
        ({"unit_price": "3.5", "quantity": "5"}, "3.5", ""),
        ({"unit_price": "10", "quantity": "3", "discount": "10"}, "6.666667", "line 2 costs 20 in all"),
        ({"unit_price": "0", "quantity": "1"}, "0", ""),
        ({"unit_price": "1000000", "quantity": "2"}, "1000000", ""),
        ({"unit_price": "4", "quantity": "0.5", "discount": "1"}, "2", ""),
        ({"unit_price": "0.0001", "quantity": "1"}, "0.0001", ""),
    ],
)
def test_a_price_is_what_is_paid_and_never_in_scientific_notation(line: dict[str, str], price: str, told: str) -> None:
    figures = {name: Decimal(text) for name, text in line.items()}
    order = changed(lines=(LINES[0], LINES[1].model_copy(update=figures)))
    assert items(order)[1]["ProductPrice"] == price
    assert told in head(order)["Note"]


def test_what_is_too_long_is_shortened_visibly_and_told_in_full() -> None:
    name = "Donaudampfschifffahrtsgesellschaft für Binnenhandel"
    address = HOME.model_copy(update={"region": "Canton of Zürich", "country": "CH", "company": name})
    row = head(changed(delivery_address=address))
    assert row["CustomerName"] == name[:39].rstrip() + "…"
    assert row["ShipToState"] == "NA"
    assert f"customer: {name}" in row["Note"]
    assert "ShipTo region: Canton of Zürich" in row["Note"]


def test_an_order_without_an_address_or_a_name_says_so() -> None:
    order = an_order().model_copy(update={"customer": Customer(id="C-1"), "contacts": Contacts()})
    row = head(order, Writing(country="CA"))
    assert (row["BillToName"], row["BillToAddress"], row["BillToCountry"]) == ("n/a", "n/a", "Canada")
    assert "the order has no address" in row["Note"]


def test_two_hundred_lines_in_any_script_are_two_hundred_items() -> None:
    lines = tuple(
        Line(line_id=str(n), sku=f"شاي-{n}", quantity=Decimal(n), unit_price=Decimal(1), description="お茶 🍵" * 90)
        for n in range(1, 201)
    )
    found = items(changed(lines=lines, totals=Totals(total=Decimal(20100))))
    assert len(found) == 200
    assert all(len(item["ProductDescription"]) <= 256 for item in found)
    assert found[0]["Note"] == f"#{mark_of('1', 'شاي-1')}"


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("2026-11-21T09:30:00.000-0700", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("2026-11-21 09:30:00", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
)
def test_the_servers_wall_clock_is_read_in_its_zone(said: str | None, when: datetime | None) -> None:
    row = {"id": 1, "num": number_of(REF), "statusId": 20, "note": None, "created": said}
    (found,) = tables.ORDERS.validate_python([row])
    assert found.recorded_at(UTC) == when  # type: ignore[arg-type]


def test_figures_come_as_text_as_numbers_or_not_at_all() -> None:
    wire = [{"sku": "A", "kind": "10", "onHand": "7", "allocated": 2, "barred": None}, {"sku": "B", "kind": 21}]
    found = tables.positions(tables.PRODUCTS.validate_python(wire), [], {"a": Decimal(9)})
    assert (found["a"].free, found["a"].endless) == (Decimal(7), False)
    assert found["b"].endless
    (coming,) = tables.PURCHASES.validate_python([{"sku": "A", "quantity": 3.5, "due": "2026-12-01 00:00:00"}])
    assert tables.positions([], [coming], {}) == {}
    assert (coming.quantity, coming.due and coming.due.date()) == (Decimal("3.5"), date(2026, 12, 1))
