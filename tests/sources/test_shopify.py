"""Shopify's orders: its headers and signature, what is read from where, and every request against Shopify's schema."""

import copy
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import DIGITAL, PaymentStatus, TaxBasis
from orderack.ports import RawRequest, Snapshot, Standing
from orderack.sources.shopify import Shopify
from tests.conformance.source import NOW, SourceConformance
from tests.sources.shopify_bodies import (
    BODY,
    OLD,
    ORDER,
    SECRET,
    Change,
    bag,
    part,
    posted,
    reading,
    readings,
    setting,
    shopify,
)


class TestShopify(SourceConformance):
    name = "shopify"
    secrets = (SECRET, OLD)
    required = ("base_url", "client_id", "client_secret")
    body = BODY

    def make(self, base_url: str = "http://127.0.0.1:9") -> Shopify:
        return shopify(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return posted(body)


async def test_an_order_is_read_whole() -> None:
    found = await reading()
    order = found.order
    assert (found.external_id, found.standing) == ("820982911946154508", Standing.OPEN)
    assert found.at == datetime(2026, 11, 21, 9, 0, 5, tzinfo=UTC)
    assert (order.number, order.trigger_at) == ("#1001", datetime(2026, 11, 21, 9, 0, tzinfo=UTC))
    assert (order.customer.id, order.customer.name) == ("207119551000000001", "Ada Example")
    contacts = order.contacts
    assert (contacts.email, contacts.phone, contacts.language) == ("ada@example.com", "+15005550006", "de-DE")
    lamp, card = order.lines
    assert (lamp.line_id, lamp.sku, lamp.description, lamp.quantity) == ("466157049", "LAMP-1", "Lamp - green", 2)
    assert (lamp.unit_price, lamp.discount, lamp.design, lamp.instructions) == (25, 5, "Für Bob", None)
    assert [(code.system, code.id) for code in lamp.codes] == [("shopify_line", "466157049")]
    assert (card.sku, card.unit_price) == ("line:518995019", 10)
    assert order.delivery_address is not None
    assert (order.delivery_address.street, order.delivery_address.country) == ("Hauptstraße 5", "DE")
    assert order.delivery_address == order.billing_address
    assert order.delivery_window is not None
    assert order.delivery_window.start.isoformat() == "2026-11-24T00:00:00+01:00"
    assert order.instructions == "Ring twice, please.\nGift wrap: blue"
    assert order.payment.status is PaymentStatus.CONFIRMED
    assert order.payment.terms == "prepaid by shopify_payments, gift_card"
    assert {one.system: one.id for one in order.external_ids} == {
        "shopify": "820982911946154508", "shopify_confirmation": "P0HNKQN95",
    }  # fmt: skip
    assert order.origin is not None
    assert order.origin.system == "shopify"


async def test_money_is_in_the_currency_that_the_buyer_pays_and_adds_up() -> None:
    order = (await reading()).order
    totals = order.totals
    assert (order.currency, totals.total) == ("EUR", Decimal("78.97"))
    assert (totals.discount, totals.shipping, totals.tax, totals.fees) == (5, 8, Decimal("11.97"), 4)
    assert totals.tax_basis is TaxBasis.ADDED
    assert add_up(order) == totals.total
    own = copy.deepcopy(ORDER)
    own["presentment_currency"] = "USD"
    for name in [name for name in own if name.endswith("_set")]:
        if name not in ("current_total_duties_set", "current_total_additional_fees_set"):
            own[name] = None
    for line in (*own["line_items"], *own["shipping_lines"]):
        for name in [name for name in line if name.endswith("_set")]:
            line[name] = None
        for one in line["discount_allocations"]:
            one["amount_set"] = None
    (plain,) = await readings(own)
    assert isinstance(plain, Snapshot)
    assert (plain.order.currency, plain.order.totals.total) == ("USD", Decimal("94.76"))
    assert add_up(plain.order) == plain.order.totals.total


def _free_way(order: dict[str, JsonValue]) -> None:
    """The whole way is off, and the total of discounts does not hold it."""
    part(order, "shipping_lines", 0).update({"discounted_price_set": bag("0.00"), "discount_allocations": []})
    order |= {"current_total_discounts_set": bag("5.00"), "current_total_price_set": bag("70.97")}


def _included(order: dict[str, JsonValue]) -> None:
    order |= {"taxes_included": True, "current_total_price_set": bag("67.00")}


def _tip_in_the_head(order: dict[str, JsonValue]) -> None:
    order |= {"total_tip_received_set": bag("3.00"), "current_total_price_set": bag("81.97")}


def _tip_line(order: dict[str, JsonValue]) -> None:
    tip = {
        "id": 9,
        "title": "Tip",
        "name": "Tip",
        "quantity": 1,
        "price_set": bag("3.00"),
        "tip": {"payment_method": 1},
    }
    lines = order["line_items"]
    assert isinstance(lines, list)
    lines.append(tip)
    _tip_in_the_head(order)


def _duties_inside(order: dict[str, JsonValue]) -> None:
    order |= {"duties_included": True, "current_total_price_set": bag("75.97")}


def _way_refunded(order: dict[str, JsonValue]) -> None:
    order |= {
        "refunds": [{"order_adjustments": [{"kind": "shipping_refund", "amount_set": bag("-8.00")}]}],
        "current_total_price_set": bag("70.97"),
    }


def _way_said(order: dict[str, JsonValue]) -> None:
    order |= {"current_shipping_price_set": bag("2.00"), "current_total_price_set": bag("72.97")}


def _one_lamp_back(order: dict[str, JsonValue]) -> None:
    part(order, "line_items", 0)["current_quantity"] = 1
    order |= {"current_total_discounts_set": bag("4.50"), "current_total_price_set": bag("56.47")}
    order |= {"current_total_tax_set": bag("11.97")}


def _one_lamp_back_as_a_refund(order: dict[str, JsonValue]) -> None:
    _one_lamp_back(order)
    for line in (0, 1):
        del part(order, "line_items", line)["current_quantity"]
    order["refunds"] = [{"refund_line_items": [{"line_item_id": 466157049, "quantity": 1}]}]


def _free(order: dict[str, JsonValue]) -> None:
    order |= {"current_total_price_set": bag("0.00"), "current_total_discounts_set": bag("62.00")}
    order |= {"current_total_tax_set": bag("0.00"), "payment_gateway_names": []}
    order |= {"current_total_duties_set": None, "current_total_additional_fees_set": None}
    part(order, "line_items", 0)["discount_allocations"] = [{"amount_set": bag("50.00")}]
    part(order, "line_items", 1)["discount_allocations"] = [{"amount_set": bag("10.00")}]
    part(order, "shipping_lines", 0).update(
        {"discounted_price_set": bag("0.00"), "price_set": bag("2.00"), "discount_allocations": []}
    )


@pytest.mark.parametrize(
    ("change", "shipping", "fees", "lines"),
    [
        (_free_way, 0, 4, 2),
        (_included, 8, 4, 2),
        (_tip_in_the_head, 8, 7, 2),
        (_tip_line, 8, 7, 2),
        (_duties_inside, 8, 1, 2),
        (_way_refunded, 0, 4, 2),
        (_way_said, 2, 4, 2),
        (_one_lamp_back, 8, 4, 2),
        (_one_lamp_back_as_a_refund, 8, 4, 2),
        (_free, 0, 0, 2),
    ],
)
async def test_whatever_is_added_or_taken_off_adds_up(change: Change, shipping: int, fees: int, lines: int) -> None:
    order = (await reading(change)).order
    assert (order.totals.shipping, order.totals.fees, len(order.lines)) == (shipping, fees, lines)
    assert add_up(order) == order.totals.total
    assert sum(line.discount for line in order.lines) <= order.totals.discount


async def test_what_was_taken_out_is_no_line_and_what_does_not_add_up_stays_as_shopify_says() -> None:
    order = (await reading(lambda body: part(body, "line_items", 0).update(current_quantity=0))).order
    assert [line.line_id for line in order.lines] == ["518995019"]
    assert order.totals.total == Decimal("78.97") != add_up(order)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (setting(cancelled_at="2026-11-21T10:00:00+01:00", cancel_reason="fraud"), "fraud"),
        (setting(cancelled_at="2026-11-21T10:00:00+01:00", cancel_reason="INVENTORY"), "inventory"),
        (setting(cancelled_at="2026-11-21T10:00:00+01:00"), "cancelled"),
        (lambda order: [part(order, "line_items", n).update(current_quantity=0) for n in (0, 1)], "all taken back"),
    ],
)
async def test_a_cancelled_order_is_told_as_it_was(change: Change, reason: str) -> None:
    found = await reading(change)
    assert (found.standing, found.reason) == (Standing.CANCELLED, reason)
    assert len(found.order.lines) == 2
    assert found.order.totals.total == add_up(found.order)


@pytest.mark.parametrize(
    ("status", "terms", "gateways", "ours", "said"),
    [
        ("paid", None, ["bogus"], PaymentStatus.CONFIRMED, "prepaid by bogus"),
        ("paid", None, [], PaymentStatus.CONFIRMED, "prepaid"),
        ("paid", None, [""], PaymentStatus.CONFIRMED, "prepaid"),
        ("PAID", None, ["bogus"], PaymentStatus.CONFIRMED, "prepaid by bogus"),
        ("partially_refunded", None, ["bogus"], PaymentStatus.CONFIRMED, "prepaid by bogus"),
        ("authorized", None, ["bogus"], PaymentStatus.PENDING, "prepaid by bogus"),
        ("partially_paid", None, ["bogus"], PaymentStatus.PENDING, "partly paid by bogus"),
        ("pending", None, ["Cash on Delivery (COD)"], PaymentStatus.PENDING, "to be paid by Cash on Delivery (COD)"),
        ("pending", "Net 30", [], PaymentStatus.PENDING, "Net 30"),
        ("pending", None, [], PaymentStatus.PENDING, None),
        ("refunded", None, ["bogus"], PaymentStatus.FLAGGED, "prepaid by bogus"),
        ("voided", None, ["bogus"], PaymentStatus.FLAGGED, "to be paid by bogus"),
        ("EXPIRED", None, ["bogus"], PaymentStatus.FLAGGED, "to be paid by bogus"),
        (None, None, ["bogus"], PaymentStatus.PENDING, "to be paid by bogus"),
        ("a_word_of_tomorrow", None, ["bogus"], PaymentStatus.PENDING, "to be paid by bogus"),
    ],
)
async def test_how_it_is_paid(
    status: str | None, terms: str | None, gateways: list[JsonValue], ours: PaymentStatus, said: str | None
) -> None:
    agreed: JsonValue = {"payment_terms_name": terms, "due_in_days": 30} if terms else None
    change = setting(financial_status=status, payment_terms=agreed, payment_gateway_names=gateways)
    payment = (await reading(change)).order.payment
    assert (payment.status, payment.terms) == (ours, said)


def _digital(order: dict[str, JsonValue]) -> None:
    for n in (0, 1):
        part(order, "line_items", n)["requires_shipping"] = False
    order |= {"shipping_address": None, "shipping_lines": []}


def _at_a_counter(order: dict[str, JsonValue]) -> None:
    """As Shopify writes local pickup: a way that bears the place's name and costs nothing, and no address."""
    way: JsonValue = {"title": "Harbour shop", "code": "Harbour shop", "price": "0.00", "delivery_category": None}
    order |= {"shipping_address": None, "shipping_lines": [way]}


def _till(order: dict[str, JsonValue]) -> None:
    order |= {"shipping_address": None, "shipping_lines": [], "source_name": "pos", "location_id": 487838322}


@pytest.mark.parametrize(
    ("change", "order_type", "counter"),
    [
        (_digital, DIGITAL, None),
        (_till, "standard", "the shop's location 487838322"),
        (_at_a_counter, "standard", "Harbour shop"),
        (setting(shipping_address=None), "standard", None),
        (lambda order: part(order, "shipping_lines", 0).update(delivery_category="pick-up"), "standard", "Express"),
        (setting(note_attributes=[{"name": "Pickup-Location", "value": "Pier"}, {"name": "Pickup location", "value":
         "Harbour"}]), "standard", "Harbour"),
    ],
)  # fmt: skip
async def test_where_it_goes_if_not_to_the_buyer(change: Change, order_type: str, counter: str | None) -> None:
    order = (await reading(change)).order
    assert order.order_type == order_type
    assert order.delivery_address is None
    assert (order.pickup.location if order.pickup else None) == counter


async def test_without_a_customer_and_an_address_it_is_an_order_that_lacks_them() -> None:
    nobody = setting(customer=None, shipping_address=None, billing_address=None, shipping_lines=[], email=None)
    order = (await reading(lambda body: (nobody(body), body.update(contact_email=None)))).order
    assert (order.delivery_address, order.billing_address, order.pickup) == (None, None, None)
    assert (order.contacts.email, order.contacts.phone, order.customer.name) == (None, None, None)
    assert str(order.customer.id).startswith("guest-")


async def test_any_script_any_long_id_and_an_empty_sku_come_through() -> None:
    def change(order: dict[str, JsonValue]) -> None:
        part(order, "line_items", 0).update(sku=None, variant_id=18_446_744_073_709_551_615, name="لمبة 緑")
        part(order, "customer").update(first_name="Ἀδα", last_name="")
        order["id"] = 18_446_744_073_709_551_615

    found = await reading(change)
    assert found.external_id == "18446744073709551615"
    assert found.order.lines[0].sku == "variant:18446744073709551615"
    assert (found.order.lines[0].description, found.order.customer.name) == ("لمبة 緑", "Ἀδα")


async def test_a_shops_own_fields_are_what_its_connection_says() -> None:
    extra: list[JsonValue] = [{"name": "Allergene", "value": "nuts"}, {"name": "PO", "value": "4711"}]
    order = (await reading(setting(note_attributes=extra, note=None), fields={"PO": "purchase_order"})).order
    assert (order.purchase_order, order.instructions) == ("4711", "Allergene: nuts")
    assert (await reading(setting(po_number="ABC123"))).order.purchase_order == "ABC123"
