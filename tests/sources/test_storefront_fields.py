"""What a shop's own fields say, at the order and at its lines: read where there is a place for it, and never lost."""

import copy

import pytest
from pydantic import JsonValue

from orderack.domain.order import Order
from orderack.ports import Connection, Snapshot
from orderack.sources._reading import OF_A_LINE, OF_AN_ORDER, extras_kept, extras_of, word_of
from orderack.sources._shopify_order import ShopOrder as ShopifyOrder
from orderack.sources._shopify_reading import reading_of as shopify_reading
from orderack.sources._woocommerce_order import ShopOrder as WooOrder
from orderack.sources._woocommerce_reading import reading_of as woocommerce_reading
from tests.sources import bigcommerce_bodies as bigcommerce
from tests.sources import magento_bodies as magento
from tests.sources import shopify_bodies as shopify
from tests.sources import woocommerce_bodies as woocommerce

DAY = "2026-11-24"


def of_bigcommerce(order: dict[str, JsonValue], line: dict[str, JsonValue]) -> Order:
    """With these form fields of the buyer's, and these options of the first line."""
    body = bigcommerce.like()
    body["order"]["billing_address"]["form_fields"] = [{"name": name, "value": text} for name, text in order.items()]
    body["products"][0]["product_options"] = [{"display_name": n, "display_value": text} for n, text in line.items()]
    return bigcommerce.snapshot(body).order


def of_magento(order: dict[str, JsonValue], line: dict[str, JsonValue]) -> Order:
    """With these extension attributes, and these custom options of the first row, whose names the policy gives."""
    options = [{"option_id": str(n), "option_value": text} for n, text in enumerate(line.values(), 40)]
    body = magento.like({name.lower().replace(" ", "_"): value for name, value in order.items()})
    body["items"][0]["product_option"] = {"extension_attributes": {"custom_options": options}}
    words = {f"option {n}": word_of(name, {}) or "instructions" for n, name in enumerate(line, 40)}
    return magento.snapshot(body, **words).order


def of_shopify(order: dict[str, JsonValue], line: dict[str, JsonValue]) -> Order:
    """With these attributes of the cart, and these properties of the first line."""
    body = copy.deepcopy(shopify.ORDER)
    body["note_attributes"] = [{"name": name, "value": text} for name, text in order.items()]
    body["line_items"][0]["properties"] = [{"name": name, "value": text} for name, text in line.items()]
    body["po_number"] = None
    read = shopify_reading(ShopifyOrder.model_validate(body), Connection(store="shop", system="shopify", source="web"))
    assert isinstance(read, Snapshot)
    return read.order


def of_woocommerce(order: dict[str, JsonValue], line: dict[str, JsonValue]) -> Order:
    """With these fields of the order's, and these that the shop shows at its first line."""
    body = copy.deepcopy(woocommerce.ORDER)
    body["meta_data"] = [{"key": name, "value": text} for name, text in order.items()]
    body["line_items"][0]["meta_data"] = [{"key": name, "value": text} for name, text in line.items()]
    here = Connection(store="shop", system="woocommerce", source="web")
    return woocommerce_reading(WooOrder.model_validate(body), here).order


SHOPS = pytest.mark.parametrize("read", [of_bigcommerce, of_magento, of_shopify, of_woocommerce])


@SHOPS
@pytest.mark.parametrize("name", ["Delivery date", "Delivery Window", "Delivery time"])
def test_a_wanted_day_is_the_orders_wherever_it_stands(read, name):
    at_order = read({name: f"{DAY} 10:00-12:00"}, {})
    at_line = read({}, {name: f"{DAY} 10:00-12:00"})
    assert at_order.delivery_window == at_line.delivery_window
    assert (at_order.delivery_window.start.hour, at_order.delivery_window.end.hour) == (10, 12)
    assert DAY in at_line.lines[0].instructions  # which of the lines it was about
    assert DAY not in (at_order.instructions or "")


@SHOPS
def test_the_orders_own_day_goes_before_a_lines(read):
    order = read({"Delivery date": DAY}, {"Delivery date": "2026-12-01"})
    assert order.delivery_window.start.date().isoformat() == DAY
    assert "2026-12-01" in order.lines[0].instructions


@SHOPS
def test_a_day_that_cannot_be_read_is_an_instruction(read):
    order = read({"Delivery date": "next Tuesday"}, {"Delivery date": "the week after"})
    assert order.delivery_window is None
    assert "next Tuesday" in order.instructions
    assert "the week after" in order.lines[0].instructions


@SHOPS
def test_what_has_no_place_where_it_stands_is_an_instruction(read):
    order = read({"Allergies": "nuts", "Engraving": "Für Ada", "Pickup time": DAY}, {"Pickup location": "Depot"})
    for text in ("nuts", "Für Ada", DAY):
        assert text in order.instructions
    assert "Depot" in order.lines[0].instructions
    assert order.pickup is None


@pytest.mark.parametrize("read", [of_bigcommerce, of_magento])
def test_where_it_is_fetched_is_the_shops_own_to_say_where_it_has_a_way_to(read):
    order = read({"Pickup location": "Depot"}, {})
    assert "Depot" in order.instructions
    assert order.pickup is None


@pytest.mark.parametrize("read", [of_shopify, of_woocommerce])
def test_an_order_that_is_fetched_says_where_and_when(read):
    order = read({"Pickup location": "Depot", "Pickup time": f"{DAY} 15:00"}, {})
    assert order.pickup.location == "Depot"
    assert order.pickup.at.hour == 15
    assert "Depot" not in (order.instructions or "")


@SHOPS
def test_the_buyers_own_number_is_found_at_a_line_too(read):
    assert read({"PO Number": "PO-7"}, {"PO Number": "PO-8"}).purchase_order == "PO-7"
    order = read({}, {"PO Number": "PO-8"})
    assert order.purchase_order == "PO-8"
    assert "PO-8" in order.lines[0].instructions


def test_what_modules_keep_without_a_name_that_we_know_is_their_own_business():
    odd: dict[str, JsonValue] = {
        "converting_from_quote": True,
        "ps_x": "secret",
        "delivery_date": [DAY],
        "fees": {"a": 1},
    }
    before, after = magento.snapshot(magento.ORDER).order, magento.snapshot(magento.like(odd)).order
    assert after.content_hash == before.content_hash
    named = magento.snapshot(magento.like({"ps_x": "Ring twice more"}), **{"ps x": "instructions"}).order
    assert named.instructions.endswith("ps x: Ring twice more")


@pytest.mark.parametrize("slot", ["02:30-03:00", "02:30"])
def test_a_slot_in_the_hour_that_the_clocks_skip_is_an_instruction_and_no_reason_to_refuse_the_order(slot):
    said = extras_of([("Delivery window", f"2026-03-08 {slot}")], {}, "America/New_York")
    assert said.window is None
    assert said.instructions == (f"delivery: 2026-03-08 {slot}",)
    autumn = extras_of([("Delivery window", "2026-11-01 01:30-02:30")], {}, "America/New_York").window
    assert autumn is not None
    assert autumn.end.isoformat() == "2026-11-01T02:30:00-05:00"


@pytest.mark.parametrize("place_for", [OF_A_LINE, OF_AN_ORDER, frozenset()])
def test_no_text_of_a_field_is_lost_and_none_is_made_up(place_for):
    pairs = [
        ("Delivery date:", DAY),
        ("Engraving", "Ada"),
        ("Note", "Ring"),
        ("_x", "secret"),
        ("Hidden", "z"),
        ("", "bare"),
    ]
    kept = extras_kept(pairs, {"hidden": "ignore"}, "UTC", place_for)
    plain = extras_of(pairs, {"hidden": "ignore"}, "UTC")
    assert (kept.window, kept.design) == (plain.window, plain.design)
    said = "\n".join(kept.instructions)
    assert (DAY in said) == ("date" not in place_for)
    assert ("Engraving: Ada" in said) == ("design" not in place_for)
    assert "Note: Ring" in said
    assert "bare" in said
    assert "z" not in said
    assert "secret" not in said
    assert "::" not in said
