"""Shopify's orders: its headers and signature, what is read from where, and every request against Shopify's schema."""

import base64
import copy
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_client_schema, default_field_resolver, graphql_sync, parse, validate
from hypothesis import example
from hypothesis import strategies as st
from pydantic import JsonValue, SecretStr

from orderack.domain.money import add_up
from orderack.domain.order import DIGITAL, PaymentStatus, TaxBasis
from orderack.domain.source import AnswerKey, AnswerStage
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Unavailable
from orderack.ports import Connection, Delivery, Hint, RawRequest, Reading, Skipped, Snapshot, SourceAnswer, Standing
from orderack.sources import _shopify_graphql as graph
from orderack.sources.shopify import Shopify, ShopifySettings
from tests.conformance.peer import Answer, json_answer, running_peer
from tests.conformance.source import NOW, SPECS, SourceConformance, anything, given, quickly

PAYLOADS = Path(__file__).parents[1] / "payloads" / "shopify"
BODY = (PAYLOADS / "order_paid.json").read_bytes()
ORDER: dict[str, JsonValue] = json.loads(BODY)
SECRET, OLD, TOKEN = "shpss_fedcba9876543210", "shpss_0000000000000000", "shpat_test_only_00000001"
URL = "https://gateway.example/intake/shop/shopify"

Change = Callable[[dict[str, JsonValue]], object]


def shopify(base_url: str = "https://fjordlight.myshopify.com", **connection: object) -> Shopify:
    settings = ShopifySettings(
        base_url=base_url, client_id="0123456789abcdef", client_secret=SecretStr(SECRET),
        webhook_secrets=SecretStr(f"{OLD}, shpss_notifications"),
    )  # fmt: skip
    given = {"store": "shop", "system": "shopify", "source": "shop", "time_zone": "Europe/Berlin", **connection}
    return Shopify(Connection.model_validate(given), settings, clock=lambda: NOW)


def signature(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def posted(body: bytes, topic: str = "orders/create", secret: str = SECRET, **headers: str) -> RawRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    own = {
        "x-shopify-topic": topic,
        "x-shopify-hmac-sha256": signature(body, secret),
        "x-shopify-shop-domain": "fjordlight.myshopify.com",
        "x-shopify-webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        "x-shopify-event-id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
        "x-shopify-triggered-at": "2026-11-21T09:00:05.123456789Z",
    }
    return RawRequest(url=URL, headers={name: text for name, text in (own | named).items() if text}, body=body)


class TestShopify(SourceConformance):
    name = "shopify"
    secrets = (SECRET, OLD)
    required = ("base_url", "client_id", "client_secret")
    body = BODY

    def make(self, base_url: str = "http://127.0.0.1:9") -> Shopify:
        return shopify(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return posted(body)


async def readings(order: object, topic: str = "orders/updated", **connection: object) -> Sequence[Reading]:
    source = shopify(**connection)
    found = await source.read(Delivery(id="1", topic=topic, body=json.dumps(order)))
    await source.aclose()
    return found


async def reading(change: Change = lambda order: None, **connection: object) -> Snapshot:
    """The sample of ours with one thing changed, as it is read."""
    order = copy.deepcopy(ORDER)
    change(order)
    (found,) = await readings(order, **connection)
    assert isinstance(found, Snapshot)
    return found


def setting(**fields: JsonValue) -> Change:
    return lambda order: order.update(fields)


def part(order: dict[str, JsonValue], *path: str | int) -> dict[str, JsonValue]:
    found: JsonValue = order
    for step in path:
        found = found[step]
    assert isinstance(found, dict)
    return found


def bag(paid: str, shop: str | None = None, currency: str = "EUR") -> JsonValue:
    return {
        "shop_money": {"amount": shop or paid, "currency_code": "USD"},
        "presentment_money": {"amount": paid, "currency_code": currency},
    }


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


@pytest.mark.parametrize(
    ("topic", "body", "expected"),
    [
        ("refunds/create", {"id": 509562969, "order_id": 450789469}, Hint(external_id="450789469")),
        (
            "order_transactions/create",
            {"id": 1, "order_id": 820982911946154508},
            Hint(external_id="820982911946154508"),
        ),
        ("orders/edited", {"order_edit": {"id": 1, "order_id": 450789469}}, Hint(external_id="450789469")),
        ("orders/updated", {"id": 450789469, "name": "#1001"}, Hint(external_id="450789469")),
        ("orders/delete", {"id": 450789469}, Hint(external_id="450789469")),
        ("order/update", {"id": "gid://shopify/Order/450789469"}, None),
        ("orders/update", {"id": "gid://shopify/Order/450789469"}, Hint(external_id="450789469")),
        ("products/update", {"id": 1, "title": "Lamp"}, Skipped(why="not about an order, but products/update")),
        (
            "draft_orders/create",
            {"id": 1, "line_items": []},
            Skipped(why="not about an order, but draft_orders/create"),
        ),
        ("orders/create", ORDER | {"test": True}, Skipped(why="a test order")),
        ("refunds/create", {"id": 1}, None),
        ("orders/updated", {}, None),
    ],
)
async def test_what_a_topic_brings(topic: str, body: dict[str, JsonValue], expected: Reading | None) -> None:
    if expected is None:
        with pytest.raises(InvalidInput):
            await readings(body, topic)
    else:
        assert list(await readings(body, topic)) == [expected]


@pytest.mark.parametrize("secret", [SECRET, OLD, "shpss_notifications"])
async def test_each_secret_that_is_set_signs(secret: str) -> None:
    source = shopify()
    await source.verify(posted(BODY, secret=secret))
    with pytest.raises(BadSignature):
        await source.verify(posted(BODY, secret="shpss_a_stranger"))
    with pytest.raises(BadSignature):
        await source.verify(posted(BODY, secret=""))
    await source.aclose()


async def test_one_app_in_two_shops_signs_for_both_and_each_is_told_apart() -> None:
    source = shopify()
    with pytest.raises(BadSignature):
        await source.verify(posted(BODY, x_shopify_shop_domain="other.myshopify.com"))
    await source.verify(posted(BODY, x_shopify_shop_domain="Fjordlight.myshopify.com"))
    await source.aclose()


async def test_the_headers_of_today_are_read_as_those_before() -> None:
    source = shopify()
    own = {
        "shopify-topic": "orders", "shopify-action": "Create", "shopify-hmac-sha256": signature(BODY),
        "shopify-event-id": "e-1", "shopify-triggered-at": "2026-11-21T09:00:05Z",
    }  # fmt: skip
    request = RawRequest(url=URL, headers=own, body=BODY)
    await source.verify(request)
    (delivery,) = source.deliveries(request)
    assert (delivery.id[:18], delivery.topic) == ("orders/create/e-1/", "orders/create")
    assert delivery.sent_at == datetime(2026, 11, 21, 9, 0, 5, tzinfo=UTC)
    await source.aclose()


def test_a_delivery_is_known_by_its_topic_and_event_else_by_its_webhook_else_by_its_body() -> None:
    source = shopify()

    def known_as(*, topic: str = "orders/create", body: bytes = BODY, **headers: str) -> str:
        (delivery,) = source.deliveries(posted(body, topic, **headers))
        return delivery.id

    assert known_as(x_shopify_webhook_id="1") == known_as(x_shopify_webhook_id="2")
    assert known_as(topic="orders/paid") != known_as()
    assert known_as(x_shopify_event_id="2") != known_as(x_shopify_event_id="1")
    assert known_as(body=BODY.replace(b"#1001", b"#1002")) != known_as()  # done to two orders at once: one event
    assert len(known_as(x_shopify_event_id="x" * 400, topic="y" * 400)) <= 200
    assert known_as(topic=" ").startswith("order/")
    neither = {"x_shopify_event_id": ""}
    assert known_as(x_shopify_webhook_id="1", **neither) != known_as(x_shopify_webhook_id="2", **neither)
    nothing = neither | {"x_shopify_webhook_id": ""}
    assert known_as(**nothing) == known_as(**nothing) != known_as(body=BODY + b" ", **nothing)


def _paths(value: JsonValue, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += _paths(inner, (*at, key))
    return found


PATHS = _paths(ORDER)
GONE = object()
SOURCE = shopify()
"""Reading asks nobody, so it may be anybody's."""


@quickly
@given(path=st.sampled_from(PATHS), value=anything | st.just(GONE) | st.none())
@example(path=("current_total_price_set",), value=GONE)
@example(path=("line_items", 0, "current_quantity"), value=1)
@example(path=("customer", "id"), value="x" * 300)
@example(path=("updated_at",), value="9999-12-31T23:59:59Z")
@example(path=("line_items", 0, "quantity"), value=10**30)
@example(path=("line_items", 0, "price_set", "presentment_money", "amount"), value=-1)
async def test_whatever_is_changed_in_a_body_is_an_order_or_named_and_no_sum_is_made_up(
    path: tuple[str | int, ...], value: object
) -> None:
    body = copy.deepcopy(ORDER)
    holder: JsonValue = body
    for step in path[:-1]:
        holder = holder[step]
    if value is GONE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    try:
        found = await SOURCE.read(Delivery(id="1", topic="orders/updated", body=json.dumps(body)))
    except InvalidInput:
        return
    for one in found:
        if isinstance(one, Snapshot):
            said = json.dumps(body)
            assert any(
                f'"{text}"' in said for text in {f"{one.order.totals.total:f}", f"{one.order.totals.total:.2f}"}
            ) or (f"{one.order.totals.total.normalize():f}" in said)


# What is asked for, against Shopify's own schema.


@cache
def schema() -> GraphQLSchema:
    path = SPECS / "shopify" / "admin-graphql-2026-07-orders-introspection.json"
    introspection = json.loads(path.read_text())
    return build_client_schema(introspection.get("data", introspection), assume_valid=True)


needs_specs = pytest.mark.skipif(not SPECS.is_dir(), reason="the vendors' descriptions are not beside this checkout")


@needs_specs
@pytest.mark.parametrize("document", [graph.ORDER, graph.CHANGED])
def test_what_is_asked_is_valid_in_shopifys_schema(document: str) -> None:
    assert validate(schema(), parse(document)) == []
    assert validate(schema(), parse(document.replace("updatedAt", "updatedOn"))) != []


def _money(amount: str, shop: str) -> JsonValue:
    money = {"shopMoney": {"amount": shop, "currencyCode": "USD"}}
    return {**money, "presentmentMoney": {"amount": amount, "currencyCode": "EUR"}}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _as_graphql(bag: JsonValue) -> JsonValue:
    if not isinstance(bag, dict):
        return None
    shop, paid = bag["shop_money"], bag["presentment_money"]
    assert isinstance(shop, dict)
    assert isinstance(paid, dict)
    return _money(str(paid["amount"]), str(shop["amount"]))


def _place_of(place: JsonValue) -> JsonValue:
    assert isinstance(place, dict)
    return {_camel(name): value for name, value in place.items()} | {"countryCodeV2": place["country_code"]}


def in_graphql(order: Mapping[str, JsonValue], first: int, after: str | None) -> dict[str, object]:
    """The order as Shopify's own schema has it, written from its field names and not from our query."""
    lines = order["line_items"]
    assert isinstance(lines, list)
    begin = int(after or 0)
    nodes: list[JsonValue] = []
    for line in lines[begin : begin + first]:
        assert isinstance(line, dict)
        allocations = line["discount_allocations"]
        assert isinstance(allocations, list)
        nodes.append(
            {
                **{_camel(name): value for name, value in line.items()},
                "id": f"gid://shopify/LineItem/{line['id']}",
                "originalUnitPriceSet": _as_graphql(line["price_set"]),
                "variant": {"legacyResourceId": str(line["variant_id"])} if line["variant_id"] else None,
                "product": {"legacyResourceId": str(line["product_id"])} if line["product_id"] else None,
                "customAttributes": [{"key": one["name"], "value": one["value"]} for one in line["properties"]],
                "discountAllocations": [{"allocatedAmountSet": _as_graphql(one["amount_set"])} for one in allocations],
            }
        )
    bags = {_camel(name): _as_graphql(value) for name, value in order.items() if name.endswith("_set")}
    ways = order["shipping_lines"]
    assert isinstance(ways, list)
    customer = order["customer"]
    assert isinstance(customer, dict)
    more = begin + first < len(lines)
    zero = _money("0.00", "0.00")
    attributes = order["note_attributes"]
    assert isinstance(attributes, list)
    return {
        **{_camel(name): value for name, value in order.items()},
        **bags,
        "legacyResourceId": str(order["id"]),
        "currencyCode": order["currency"],
        "presentmentCurrencyCode": order["presentment_currency"],
        "displayFinancialStatus": str(order["financial_status"]).upper(),
        "totalTipReceivedSet": zero,
        "currentShippingPriceSet": _money("8.00", "9.60"),
        "customAttributes": [{"key": one["name"], "value": one["value"]} for one in attributes],
        "customer": {
            "legacyResourceId": str(customer["id"]), "firstName": "Ada", "lastName": "Example",
            "defaultEmailAddress": {"emailAddress": "ada@example.com"}, "defaultPhoneNumber": None,
        },
        "shippingAddress": _place_of(order["shipping_address"]),
        "billingAddress": _place_of(order["billing_address"]),
        "retailLocation": None,
        "shippingLines": {"nodes": [
            {**{_camel(name): value for name, value in way.items()},
             "originalPriceSet": _as_graphql(way["price_set"]),
             "discountedPriceSet": _as_graphql(way["discounted_price_set"])}
            for way in ways
        ]},
        "lineItems": {
            "nodes": nodes,
            "pageInfo": {"hasNextPage": more, "hasPreviousPage": False, "endCursor": str(begin + first)},
        },
    }  # fmt: skip


def answered(order: Mapping[str, JsonValue], after: str | None = None, first: int = graph.LINES) -> dict[str, object]:
    """Our query, run by graphql-core over the order as Shopify's schema has it."""
    variables = {"id": f"gid://shopify/Order/{order['id']}", "lines": first, "after": after}
    result = graphql_sync(
        schema(), graph.ORDER, {"order": in_graphql(order, first, after)}, variable_values=variables,
        field_resolver=default_field_resolver,
    )  # fmt: skip
    assert result.errors is None
    assert result.data is not None
    return {"data": result.data}


LOGIN = json_answer(200, {"access_token": TOKEN, "scope": "read_orders", "expires_in": 86399})


@needs_specs
async def test_what_is_fetched_is_the_order_that_a_webhook_brings() -> None:
    async with running_peer() as peer:
        peer.will(LOGIN, json_answer(200, json.loads(json.dumps(answered(ORDER)))))
        source = shopify(peer.url)
        (fetched,) = await source.fetch("820982911946154508")
        await source.aclose()
        asked = json.loads(peer.received[1].body)
        assert asked["variables"] == {"id": "gid://shopify/Order/820982911946154508", "lines": 50, "after": None}
        assert peer.received[1].headers["x-shopify-access-token"] == TOKEN
    assert fetched == await reading()


@needs_specs
async def test_lines_come_page_by_page_and_an_order_that_changes_meanwhile_is_asked_for_again() -> None:
    first = json.loads(json.dumps(answered(ORDER, first=1)))
    second = json.loads(json.dumps(answered(ORDER, "1", first=1)))
    async with running_peer() as peer:
        peer.will(LOGIN, json_answer(200, first), json_answer(200, second))
        source = shopify(peer.url)
        (fetched,) = await source.fetch("820982911946154508")
        assert fetched == await reading()
        second["data"]["order"]["updated_at"] = "2026-11-21T10:00:06+01:00"
        peer.will(json_answer(200, first), json_answer(200, second))
        with pytest.raises(Unavailable):
            await source.fetch("820982911946154508")
        await source.aclose()


@pytest.mark.parametrize(
    ("reply", "fate"),
    [
        ({"data": None, "errors": [{"extensions": {"code": "ACCESS_DENIED"}}]}, Misconfigured),
        ({"errors": [{"extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, Unavailable),
        ({"data": {"order": 7}}, Unavailable),
        ({"data": {"order": {"id": "1"}}}, InvalidInput),
    ],
)
async def test_what_shopify_answers_a_fetch_with(reply: JsonValue, fate: type[Exception]) -> None:
    async with running_peer() as peer:
        peer.will(LOGIN, json_answer(200, reply))
        source = shopify(peer.url)
        with pytest.raises(fate):
            await source.fetch("1")
        await source.aclose()


async def test_a_throttle_inside_a_200_names_its_wait() -> None:
    status: JsonValue = {"maximumAvailable": 1000.0, "currentlyAvailable": 14, "restoreRate": 50}
    cost: JsonValue = {"requestedQueryCost": 114, "actualQueryCost": None, "throttleStatus": status}
    error: JsonValue = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    async with running_peer() as peer:
        peer.will(LOGIN, json_answer(200, {"errors": [error], "extensions": {"cost": cost}}))
        source = shopify(peer.url)
        with pytest.raises(Unavailable) as caught:
            await source.look("", NOW)
        assert caught.value.retry_after == timedelta(seconds=2)
        await source.aclose()


@pytest.mark.parametrize("status", [429, 503])
async def test_a_limit_outside_graphql_names_its_wait_too(status: int) -> None:
    async with running_peer() as peer:
        peer.will(LOGIN, Answer(status, b"", {"Retry-After": "7"}))
        source = shopify(peer.url)
        with pytest.raises(Unavailable) as caught:
            await source.fetch("1")
        assert caught.value.retry_after == timedelta(seconds=7)
        await source.aclose()


def changes(*found: tuple[int, str], after: str | None = None) -> JsonValue:
    nodes: list[JsonValue] = [{"id": str(number), "updated_at": at} for number, at in found]
    return {"data": {"orders": {"nodes": nodes, "pageInfo": {"hasNextPage": bool(after), "endCursor": after}}}}


async def test_a_look_reaches_back_goes_on_page_by_page_and_leaves_what_changes_just_now() -> None:
    async with running_peer() as peer:
        source = shopify(peer.url)
        peer.will(LOGIN, json_answer(200, changes((1, "2026-11-21T09:00:00Z"), after="c1")))
        first = await source.look("", NOW)
        assert first.more
        peer.will(json_answer(200, changes((2, "2026-11-21T09:20:00Z"), (3, "2026-11-21T09:29:58Z"))))
        second = await source.look(first.cursor, NOW)
        peer.will(json_answer(200, changes()))
        third = await source.look(second.cursor, NOW)
        await source.aclose()
        asked = [json.loads(one.body)["variables"] for one in peer.received[1:]]
    assert [one.id for one in first.deliveries] == ["look/1/2026-11-21T09:00:00+00:00"]
    assert [one.id for one in second.deliveries] == ["look/2/2026-11-21T09:20:00+00:00"]
    assert not second.more
    assert not third.deliveries
    assert asked[0]["since"] == asked[1]["since"] == "updated_at:>='2026-11-21T08:25:00+00:00'"
    assert [one["after"] for one in asked] == [None, "c1", None]
    assert asked[2]["since"] == "updated_at:>='2026-11-21T09:15:00+00:00'"
    (hint,) = await readings(json.loads(first.deliveries[0].body), first.deliveries[0].topic)
    assert hint == Hint(external_id="1")


async def test_each_stage_and_revision_has_a_record_of_its_own_within_what_a_metafield_takes() -> None:
    order = (await reading()).order
    written: JsonValue = {"metafieldsSet": {"metafields": [{"id": "gid://shopify/Metafield/1"}], "userErrors": []}}
    names = set()
    async with running_peer() as peer:
        source = shopify(peer.url)
        peer.will(LOGIN, json_answer(200, {"data": written}))
        for revision in (1, 2):
            for stage in AnswerStage:
                key = AnswerKey(ref=order.ref, revision=revision, stage=stage)
                answer = SourceAnswer(key=key, order=order, external_id="7", reason="x" * 2_000, now=NOW)
                assert (await source.answer(answer)).detail == "written, and not tagged"
                asked = json.loads(peer.received[-1].body)["variables"]
                (metafield,) = asked["metafields"]
                assert (metafield["ownerId"], asked["tags"]) == ("gid://shopify/Order/7", [f"orderack-{stage}"])
                assert 3 <= len(metafield["key"]) <= 64
                names.add(metafield["key"])
        await source.aclose()
    assert len(names) == 8
