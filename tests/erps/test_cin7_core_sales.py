"""Cin7 Core: what is posted and what is read, beside the vendor's own description."""

import json
from decimal import Decimal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from orderack.domain.order import Line, TaxBasis, Totals
from orderack.erps._cin7_core_reading import Line as SaleLine
from orderack.erps._cin7_core_reading import Sale, SaleList, SaleOrder
from orderack.erps._cin7_core_sale import header, wire_order
from orderack.erps._marks import Mark
from tests.conformance.erp import an_order
from tests.erps.test_cin7_core import HOUSE, ID, SPEC
from tests.erps.test_netsuite import whole


def schemas() -> dict[str, JsonValue]:
    if not SPEC.is_dir():
        pytest.skip("the vendors' descriptions are not beside this checkout")
    read: dict[str, dict[str, dict[str, JsonValue]]] = json.loads(
        (SPEC / "cin7-core-sales-trimmed.openapi.json").read_text()
    )
    return read["components"]["schemas"]


def names(schema: str) -> set[str]:
    found = schemas()[schema]
    assert isinstance(found, dict)
    properties = found["properties"]
    assert isinstance(properties, dict)
    return set(properties)


def test_what_is_posted_has_the_descriptions_names_and_types() -> None:
    """The order against its request's schema; the sale against its answer's, for its request's is not published."""
    order = json.loads(wire_order(whole(), 1, ID, HOUSE).body)
    document = {"components": {"schemas": schemas()}, "$ref": "#/components/schemas/saleOrder_post_request"}
    jsonschema.Draft202012Validator(document).validate(order)
    assert set(order) <= names("saleOrder_post_request")
    assert set(order["Lines"][0]) <= names("saleOrder_post_request_Lines_inner")
    assert set(order["AdditionalCharges"][0]) <= names("sale_put_200_response_Order_AdditionalCharges_inner")
    sold = json.loads(header(whole(), HOUSE, (None, "Web shop")).body)
    # `TaxInclusive` stands in the vendor's help page of this request
    assert set(sold) - names("sale_post_200_response") == {"TaxInclusive"}
    assert set(sold["ShippingAddress"]) <= names("sale_put_200_response_Fulfilments_inner_Ship_ShippingAddress")


def test_the_descriptions_own_sales_are_read() -> None:
    found = schemas()
    example = found["sale_post_200_response"]
    assert isinstance(example, dict)
    read = Sale.model_validate(example["example"])
    assert (read.order.number, read.order.status, read.currency) == ("SO-00001", "AUTHORISED", "RUB")
    assert read.order.mark is None
    assert [(line.sku, line.quantity, line.mark) for line in read.order.lines] == [("Bread", Decimal(1), None)]
    listed_example = found["Pg__Lmt__Srch__Createdsince__Updatedsince__Etc1_200_response"]
    assert isinstance(listed_example, dict)
    rows = SaleList.model_validate(listed_example["example"])
    assert [(one.order_status, one.status) for one in rows.rows] == [
        ("AUTHORISED", "ORDERED"),
        ("AUTHORISED", "BACKORDERED"),
    ]


def test_of_several_sales_the_one_with_an_order_goes_first_then_the_oldest_whatever_their_ids() -> None:
    opened = {"ExternalID": "x", "OrderStatus": "NOT AVAILABLE", "Status": "DRAFT"}
    later = opened | {"SaleID": "a", "Updated": "2026-11-21T09:30:00.9Z"}
    first = opened | {"SaleID": "b", "Updated": "2026-11-21T09:30:00.123Z"}
    voided = opened | {"SaleID": "c", "Updated": "2026-11-21T09:00:00Z", "Status": "VOIDED"}
    unsaid = opened | {"SaleID": "d", "Updated": None}
    written = later | {"SaleID": "e", "OrderStatus": "AUTHORISED", "Updated": "2026-11-21T10:00:00Z"}
    for rows, expected in (((later, first, voided, unsaid), "b"), ((later, first, written), "e")):
        assert (of := SaleList.model_validate({"SaleList": rows}).of("x")) is not None
        assert of.id == expected


def test_nothing_of_the_order_is_lost() -> None:
    order = whole()
    wire = wire_order(order, 3, ID, HOUSE)
    assert [(charge.description, charge.total) for charge in wire.additional_charges] == [
        ("Discount", Decimal(-5)),
        ("Shipping", Decimal("4.90")),
    ]
    assert "no sugar" in wire.lines[1].comment
    assert "ring twice" in wire.memo
    assert "2026-12-01" in wire.memo
    long = order.model_copy(update={"lines": (order.lines[0].model_copy(update={"instructions": "engrave " * 60}),)})
    cut = wire_order(long, 1, ID, HOUSE)
    assert len(cut.lines[0].comment) <= 256
    assert ("engrave " * 60).strip() in cut.memo
    sold = header(
        order.model_copy(update={"totals": Totals(total="1", tax_basis=TaxBasis.INCLUDED)}), HOUSE, (None, "x")
    )
    assert (sold.tax_inclusive, sold.customer_reference) == (True, "PO-9")
    assert sold.shipping_address is not None
    assert sold.shipping_address.country == "Germany"


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30), st.text(max_size=300))
def test_what_was_written_is_known_again_whatever_the_ids_and_words(line_id: str, sku: str, words: str) -> None:
    if not line_id.strip() or not sku.strip():
        return
    one = Line(line_id=line_id, sku=sku, quantity="1.5", unit_price="2", instructions=words)
    order = an_order().model_copy(update={"lines": (one,), "instructions": words})
    wire = wire_order(order, 2, ID, HOUSE)
    read = SaleLine.model_validate({"SKU": sku, "Quantity": 1.5, "Comment": wire.lines[0].comment})
    assert read.mark == (one.line_id, one.sku, Decimal("1.5"))
    mark = SaleOrder.model_validate({"Memo": wire.memo}).mark
    assert mark == Mark(store="shop", number="A-1001", revision=2, lines=1)


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_a_person_writes_there_is_a_mark_or_none(comment: str, memo: str) -> None:
    for text in (comment, f"[orderack {comment}]"):
        assert SaleLine.model_validate({"SKU": "x", "Quantity": 1, "Comment": text}).mark is None or "[" in text
    for text in (memo, f"[orderack {memo}]"):
        SaleOrder.model_validate({"Memo": text}).mark  # noqa: B018 - it raises nothing
