"""SAP Business One's documents: what is written of an order, its filters, its errors and its clock."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from orderack.domain.order import Address, DeliveryWindow, Order, OrderRef, Pickup, TaxBasis, Totals
from orderack.erps._line_marks import mark_of
from orderack.erps._sap_b1_order import COMMENTS, Writing
from orderack.erps._sap_b1_wire import KEY_LENGTH, Document, failure, key_of, literal
from orderack.errors import Refused
from tests.conformance.erp import LINES, NOW, an_order
from tests.erps.test_sap_b1 import FIELDS, document

WRITING = Writing(FIELDS, warehouse="01", tax_code="S1", shipping=3)
BERLIN = ZoneInfo("Europe/Berlin")
LONG = Address(
    name="Ada Example", street="S" * 120, city="Zürich", region="Canton of Zürich", postal_code="8001", country="CH"
)


def changed(**said: object) -> Order:
    return an_order().model_copy(update=said)


def test_an_order_is_written_in_the_vendors_fields() -> None:
    window = DeliveryWindow(start=NOW, end=datetime(2026, 11, 28, 12, tzinfo=UTC))
    line = LINES[1].model_copy(
        update={"instructions": "engrave: Ada", "dietary": "nut free", "discount": Decimal("2.5")}
    )
    order = changed(
        delivery_window=window,
        delivery_address=LONG,
        billing_address=LONG,
        purchase_order="PO-7",
        instructions="ring twice",
        lines=(LINES[0], line),
        totals=Totals(total=Decimal(40), shipping=Decimal("4.9"), discount=Decimal("3.5"), tax_basis=TaxBasis.ADDED),
    )
    body = WRITING.document(order, 2, "C20000")
    assert (body["CardCode"], body["NumAtCard"], body["DocDueDate"]) == ("C20000", "PO-7", "2026-11-28")
    assert (body["U_OrderackKey"], body["U_OrderackRev"]) == ("shop/A-1001", "2")
    assert body["DocumentLines"] == [
        {
            "ItemCode": "KETTLE",
            "Quantity": 1.0,
            "UnitPrice": 20.0,
            "U_OrderackLine": str(mark_of("1", "KETTLE")),
            "WarehouseCode": "01",
            "TaxCode": "S1",
        },
        {
            "ItemCode": "CUP",
            "Quantity": 5.0,
            "UnitPrice": 3.5,
            "LineTotal": 15.0,
            "U_OrderackLine": str(mark_of("2", "CUP")),
            "WarehouseCode": "01",
            "TaxCode": "S1",
            "ItemDetails": "engrave: Ada\nnut free",
        },
    ]
    assert body["TotalDiscount"] == 1.0
    assert body["DocumentAdditionalExpenses"] == [{"ExpenseCode": 3, "LineTotal": 4.9}]
    assert body["OpeningRemarks"] == "ring twice"
    extension = body["AddressExtension"]
    assert isinstance(extension, dict)
    assert (extension["ShipToCity"], extension["ShipToCounty"]) == ("Zürich", "Canton of Zürich")
    assert "ShipToState" not in extension
    assert str(extension["ShipToStreet"]).endswith("…")
    assert "street: SSS" in str(body["Comments"])


def test_prices_that_contain_the_tax_go_where_such_prices_belong() -> None:
    totals = Totals(total=Decimal(40), shipping=Decimal(5), tax_basis=TaxBasis.INCLUDED)
    body = WRITING.document(changed(totals=totals), 1, "C1")
    lines = body["DocumentLines"]
    assert isinstance(lines, list)
    assert all(isinstance(line, dict) and "PriceAfterVAT" in line and "UnitPrice" not in line for line in lines)
    assert body["DocumentAdditionalExpenses"] == [{"ExpenseCode": 3, "LineGross": 5.0}]


def test_what_has_no_place_on_the_document_is_told_to_its_reader() -> None:
    totals = Totals(total=Decimal(40), shipping=Decimal("4.9"), fees=Decimal(1), credit=Decimal(2))
    order = changed(totals=totals, pickup=Pickup(location="Main Street"))
    comments = str(Writing(FIELDS).document(order, 1, "C1")["Comments"])
    for word in ("Order shop/A-1001", "shipping 4.9 EUR", "fees 1 EUR", "credit 2 EUR", "picked up at Main Street"):
        assert word in comments
    long = Writing(FIELDS).document(order.model_copy(update={"delivery_address": LONG}), 1, "C1")
    assert len(str(long["Comments"])) <= COMMENTS


def test_a_number_that_would_be_another_there_is_refused() -> None:
    line = LINES[0].model_copy(update={"unit_price": Decimal("12345678901234.5678")})
    with pytest.raises(Refused, match="digits"):
        WRITING.document(changed(lines=(line,)), 1, "C1")


@given(text=st.text())
def test_a_text_in_a_filter_ends_where_it_ends(text: str) -> None:
    written = literal(text)
    assert re.fullmatch(r"'(?:[^']|'')*'", written, re.DOTALL)
    assert written[1:-1].replace("''", "'") == text


NAMES = st.text(min_size=1, max_size=200).filter(lambda text: text.strip() == text)


@given(one=st.tuples(NAMES, NAMES), other=st.tuples(NAMES, NAMES))
def test_two_orders_never_have_one_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    keys = [key_of(OrderRef(store=store, number=number)) for store, number in (one, other)]
    assert all(len(key) <= KEY_LENGTH and key.isascii() and "'" not in key for key in keys)
    assert (keys[0] == keys[1]) is (one == other)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"error": {"code": -10, "message": {"lang": "en-us", "value": "No item"}}}', "-10", "No item"),
        (b'{"error": {"code": "-10", "message": "No item"}}', "-10", "No item"),
        (b'{"error": {"code": 301}}', "301", ""),
        (b"<html>", "", ""),
        (b"[]", "", ""),
    ],
)
def test_both_forms_of_an_error_are_read(body: bytes, code: str, message: str) -> None:
    said = failure(httpx.Response(400, content=body))
    assert (said.code, said.message) == (code, message)


@pytest.mark.parametrize(
    ("revision", "said", "when"),
    [
        (1, {}, datetime(2026, 11, 21, 10, 30, tzinfo=BERLIN)),
        (2, {}, datetime(2026, 11, 22, 8, tzinfo=BERLIN)),
        (1, {"CreationDate": "2026-11-21T00:00:00Z"}, datetime(2026, 11, 21, 10, 30, tzinfo=BERLIN)),
        (1, {"DocTime": None}, datetime(2026, 11, 21, tzinfo=BERLIN)),
        (1, {"DocTime": "noon"}, None),
        (1, {"DocTime": 1030}, datetime(2026, 11, 21, 10, 30, tzinfo=BERLIN)),
        (1, {"DocTime": 930}, None),
        (1, {"CreationDate": ""}, None),
        (
            1,
            {"CreationDate": "2026-11-21T00:00:00Z", "DocTime": "10:30:00Z"},
            datetime(2026, 11, 21, 10, 30, tzinfo=BERLIN),
        ),
        (1, {"CreationDate": None}, None),
    ],
)
def test_the_companys_wall_clock_is_read_in_its_zone(
    revision: int, said: Mapping[str, JsonValue], when: datetime | None
) -> None:
    read = Document.model_validate({**_dict(document()), **said})
    assert read.recorded_at(revision, BERLIN) == when


def _dict(value: JsonValue) -> dict[str, JsonValue]:
    assert isinstance(value, dict)
    return value
