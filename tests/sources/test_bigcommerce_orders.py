"""BigCommerce orders in every shape that is documented, or was seen in the wild: an order, or a field that is named."""

import json
from decimal import Decimal

import pytest
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus, Relation, TaxBasis
from orderack.errors import InvalidInput, Unavailable
from orderack.ports import Delivery, Skipped, Standing
from orderack.sources._bigcommerce_order import PAYMENT, STATUSES
from tests.conformance.peer import Answer, json_answer, running_peer
from tests.sources.bigcommerce_bodies import COUPONS, HEAD, LINES, ORDER, REFUND, bigcommerce, like, snapshot

API = "https://api.bigcommerce.com/stores/abc123/v2"


def link(path: str) -> JsonValue:
    return {"url": f"{API}{path}", "resource": path}


def place(number: int, **fields: object) -> JsonValue:
    return {**ORDER["order"]["consignments"]["shipping"][0], "id": number, **fields}


def spot(number: int, name: str, *products: int) -> JsonValue:
    return {
        "id": number,
        "pickup_method_id": 1,
        "pickup_method_display_name": "Pick Up",
        "collection_instructions": "Bring your ID",
        "location": {"id": number, "name": name, "address_line_1": "3 Example Way", "address_line_2": "Suite 1"},
        "line_items": [link(f"/orders/250/products/{one}") for one in products],
    }


@pytest.mark.parametrize("customer", [0, 11, "11", None, "0"])
def test_who_is_a_guest_is_not_thereby_new(customer):
    assert snapshot(like({"customer_id": customer})).order.customer.relation is Relation.REPEAT


# ------------------------------------------------------------------------------------------- where it goes


@pytest.mark.parametrize("lines", [[link("/orders/250/products/116")], ORDER["products"], [], None, {}])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_consignments_lines_are_links_or_lines(lines, wrapped):
    consignments = {
        "pickups": None,
        "shipping": [place(81, line_items=lines, shipping_method="Free Shipping", shipping_quotes=link("/q"))],
        "downloads": [],
        "email": {"gift_certificates": []},
    }
    order = snapshot(like({"consignments": [consignments] if wrapped else consignments})).order
    assert order.delivery_address.city == "Bonn"
    assert order.lines == snapshot(ORDER).order.lines


@pytest.mark.parametrize("consignments", [None, [], "", {}, link("/orders/250/consignments")])
def test_without_consignments_the_addresses_say_where(consignments):
    order = snapshot(like({"consignments": consignments}, addresses=[place(7, zip=53111, phone=4915735983)])).order
    assert (order.delivery_address.city, order.delivery_address.postal_code) == ("Bonn", "53111")
    bare = snapshot(like({"consignments": consignments})).order
    assert bare.delivery_address is None
    assert bare.order_type == "standard"


def test_several_consignments_stand_at_their_lines_once_each():
    body = like()
    body["order"]["consignments"]["shipping"] += [place(82, street_1="P.O. Box 7"), place(83)]
    body["products"][1]["order_address_id"] = "82"
    body["products"].append({**body["products"][1], "id": 118, "order_address_id": 83})
    cake, candle, third = snapshot(body).order.lines
    assert candle.instructions.startswith("deliver to: Ada Example, Example Ltd, P.O. Box 7")
    assert "deliver to" not in (cake.instructions + (third.instructions or ""))  # the third is the first one's address


def test_what_is_fetched_of_an_order_that_is_sent_says_where():
    consignments = {"pickups": [spot(9, "Counter", 117)], "shipping": [place(81)]}
    order = snapshot(like({"consignments": consignments})).order
    assert (order.pickup, order.delivery_address.city) == (None, "Bonn")
    assert order.lines[1].instructions == "to be fetched: Counter, 3 Example Way, Suite 1"
    assert "fetched" not in order.lines[0].instructions


def test_an_order_that_is_fetched_at_two_places_says_which_line_where():
    consignments = {"pickups": [spot(9, "Counter", 116), spot(10, "Depot", 117)], "shipping": []}
    order = snapshot(like({"consignments": consignments})).order
    assert order.pickup.location == "Counter, 3 Example Way, Suite 1"
    assert order.lines[1].instructions == "to be fetched: Depot, 3 Example Way, Suite 1"
    assert "fetched" not in order.lines[0].instructions


@pytest.mark.parametrize(
    ("types", "flag", "order_type"),
    [
        (("giftcertificate", "giftcertificate"), False, "digital"),
        (("digital", "giftcertificate"), False, "digital"),
        (("physical", "digital"), False, "standard"),
        (("physical", "physical"), True, "digital"),
        ((None, "a new type"), False, "standard"),
    ],
)
def test_what_goes_by_mail_needs_no_address(types, flag, order_type):
    body = like({"consignments": {"downloads": [{}], "shipping": []}, "order_is_digital": flag})
    for line, kind in zip(body["products"], types, strict=True):
        line["type"] = kind
    assert snapshot(body).order.order_type == order_type


# ------------------------------------------------------------------------------------------- what was chosen


def test_what_the_buyer_chose_or_wrote_is_kept_whatever_kind_of_field_it_was():
    body = like()
    body["products"][1] |= {
        "name": "",
        "name_customer": "蝋燭 🕯",
        "product_options": [
            {"display_name": "", "display_name_customer": "couleur", "display_value_customer": "bleu", "value": "69"},
            {"display_name": "Pieces", "display_value": "", "value": 12, "type": "Multiple choice"},
            {"display_name": "Logo", "display_value": "logo.jpeg", "value": '{"path": "f6.jpeg"}'},
            {"display_name": "Gift?", "value": True},
        ],
        "configurable_fields": [{"name": "Engraving", "value": "Rabin"}, {"name": "Wax", "value": ["soy", "bee"]}],
    }  # fmt: skip
    candle = snapshot(body).order.lines[1]
    assert candle.description == "蝋燭 🕯"
    assert candle.instructions == "couleur: bleu\nPieces: 12\nLogo: logo.jpeg\nWax: soy, bee"
    assert candle.design == "Rabin"


@pytest.mark.parametrize(
    ("sku", "variant", "product", "wanted"),
    [
        (" A 1 ", 9, 8, "A 1"),
        (12345, 9, 8, "12345"),
        ("", 9, 8, "variant:9"),
        (None, 0, 8, "product:8"),
        (None, "0", 0, "unnumbered"),
        (None, None, None, "unnumbered"),
    ],
)
def test_a_line_has_a_number_of_some_kind(sku, variant, product, wanted):
    body = like()
    body["products"][0] |= {"sku": sku, "variant_id": variant, "product_id": product}
    assert snapshot(body).order.lines[0].sku == wanted


# --------------------------------------------------------------------------------------------------- money


def test_a_discount_on_an_order_whose_prices_contain_the_tax_re_adds():
    head = {
        "is_tax_inclusive_pricing": True,
        "total_ex_tax": "2274.8800",
        "total_inc_tax": "2400.0000",
        "total_tax": "125.1200",
        "discount_amount": "100.0000",
        "coupon_discount": "0.0000",
        **{
            f"{kind}_cost_{tax}_tax": "0.0000" for kind in ("shipping", "handling", "wrapping") for tax in ("ex", "inc")
        },
        "fees": link("/orders/250/fees"),
    }
    manual = {"id": "manual-discount", "amount": "100.0000", "name": "Manual", "code": None, "target": "order"}
    line = {
        "id": 537,
        "sku": "BOTTLE",
        "quantity": 10,
        "total_ex_tax": "2369.6667",
        "total_inc_tax": "2500.0000",
        "applied_discounts": [manual],
    }
    order = snapshot(like(head, products=[line], coupons=[])).order
    assert (order.totals.tax_basis, order.totals.discount) == (TaxBasis.INCLUDED, 100)
    assert (order.lines[0].unit_price, order.lines[0].discount) == (250, 100)
    assert add_up(order) == order.totals.total == 2400


@pytest.mark.parametrize(
    ("discount", "coupon", "total", "found"),
    [
        ("2.0000", "3.0000", "86.8700", "5.00"),
        ("5.0000", "3.0000", "86.8700", "5.00"),  # the coupon is contained in the discount
        ("5.0000", "5.0000", "86.8700", "5.00"),
        ("3.0000", "5.0000", "86.8700", "5.00"),
        ("5.0000", "3.0000", "83.8700", "8.00"),
        ("5.0000", "3.0000", "80.0000", "8.00"),  # nothing re-adds: both stand as they are
    ],
)
def test_a_coupon_counts_once(discount, coupon, total, found):
    order = snapshot(like({"discount_amount": discount, "coupon_discount": coupon, "total_inc_tax": total})).order
    assert (order.totals.discount, order.totals.total) == (Decimal(found), Decimal(total))
    assert (add_up(order) == order.totals.total) == (total != "80.0000")


@pytest.mark.parametrize(
    ("paid", "shown", "store", "found"),
    [("EUR", "USD", "CAD", "EUR"), ("eur", "", None, "EUR"), ("", "USD", "CAD", "USD"), (None, "jpy", "CAD", "JPY")],
)
def test_the_currency_is_the_one_that_is_paid_and_no_rate_is_applied(paid, shown, store, found):
    fields = {
        "default_currency_code": paid,
        "currency_code": shown,
        "store_default_currency_code": store,
        "currency_exchange_rate": "1.2345000000",
        "store_default_to_transactional_exchange_rate": "100.0000000000",
    }
    order = snapshot(like(fields)).order
    assert order.currency == found
    assert order.totals.total == (87 if found == "JPY" else Decimal("86.87"))


def test_an_order_of_nothing_owes_nothing():
    zeros = {name: 0 for name, value in ORDER["order"].items() if name.endswith("_tax") and value}
    lines = [
        {**line, "total_ex_tax": "0.0000", "total_inc_tax": 0, "applied_discounts": None} for line in ORDER["products"]
    ]
    order = snapshot(like(zeros | {"discount_amount": 0, "coupon_discount": "", "fees": {}}, products=lines)).order
    assert add_up(order) == order.totals.total == 0


def test_part_of_a_line_bears_part_of_its_discount():
    order = snapshot(like({"status_id": 14}, refunds=[REFUND])).order
    assert (order.lines[0].quantity, order.lines[0].discount) == (1, Decimal("1.5"))


@pytest.mark.parametrize(
    "refunds",
    [
        [{"total_amount": 5, "total_tax": 0, "items": [{"item_type": "ORDER", "item_id": 250}]}],
        [{"total_amount": 5, "items": [{"item_type": "FEE", "item_id": 1, "quantity": None}], "payments": []}],
        [{"total_amount": 2.5, "total_tax": 2.5, "items": [], "payments": None}] * 2,
        [{"total_amount": "5.00", "total_tax": "-1", "items": [{"item_type": "SHIPPING", "item_id": 81}]}],
        [{"total_amount": 5, "items": [{"item_type": "a new kind", "item_id": 116, "quantity": 2}]}],
    ],
)
def test_a_refund_of_something_else_leaves_every_piece_and_re_adds(refunds):
    order = snapshot(like({"payment_status": "partially refunded"}, refunds=refunds)).order
    assert [line.quantity for line in order.lines] == [2, 1]
    assert add_up(order) == order.totals.total == Decimal("81.87")


def test_more_refunded_than_was_paid_is_named():
    with pytest.raises(InvalidInput) as caught:
        snapshot(like(refunds=[{"total_amount": 500, "items": []}]))
    assert {problem.field for problem in caught.value.problems} == {"totals.total"}


# ----------------------------------------------------------------------------------------- states and texts


@pytest.mark.parametrize("status", range(15))
def test_a_status_is_known_by_its_number_or_by_its_name(status):
    by_number = snapshot(like({"status_id": status, "payment_status": ""}))
    for other in ({"status_id": str(status)}, {"status_id": None, "status": STATUSES[status].title()}):
        found = snapshot(like({"payment_status": None} | other))
        assert (found.standing, found.order.payment.status) == (by_number.standing, by_number.order.payment.status)
    assert (by_number.standing is Standing.CANCELLED) == (status in (4, 5, 6))
    assert (by_number.standing is Standing.NOT_YET) == (status in (0, 1))


def test_a_status_of_tomorrow_is_an_order_that_is_not_known_to_be_paid():
    found = snapshot(like({"status_id": 99, "status": "Teleported", "payment_status": "a new word"}))
    assert (found.standing, found.order.payment.status) == (Standing.OPEN, PaymentStatus.PENDING)


def test_every_documented_payment_status_has_its_meaning():
    words = {"authorized", "captured", "capture pending", "declined", "held for review", "paid", "partially refunded"}
    assert words | {"pending", "refunded", "void", "void pending"} == PAYMENT.keys() | {"authorized"}
    assert snapshot(like({"payment_status": "Held For Review"})).order.payment.status is PaymentStatus.FLAGGED


@pytest.mark.parametrize("written", ["2026-11-21T09:20:11+00:00", "2026-11-21T10:20:11+01:00", "2026-11-21 09:20:11"])
def test_a_date_is_read_in_either_form(written):
    assert snapshot(like({"date_created": written})).order.trigger_at == snapshot(ORDER).order.trigger_at


@pytest.mark.parametrize("name", ["عبد الله", "山田 太郎", "Zoë 🎉", "O’Brien-Smith", "x" * 3_000])
def test_a_name_is_kept_in_any_script(name):
    body = like()
    body["order"]["billing_address"] |= {"first_name": name, "last_name": "", "country_iso2": "", "country": "Atlantis"}
    order = snapshot(body).order
    assert order.customer.name == name[:2_000]
    assert order.billing_address.country == "ZZ"  # nobody knows it: it is not the shop's own


def test_two_hundred_lines_and_a_number_beyond_fifty_three_bits():
    many = [{**ORDER["products"][1], "id": 2**53 + n, "quantity": "1", "total_ex_tax": "0.3333"} for n in range(200)]
    order = snapshot(like({"id": 2**60 + 1}, products=many)).order
    assert (len(order.lines), order.lines[1].line_id, order.number) == (200, str(2**53 + 1), str(2**60 + 1))


def test_numbers_as_text_and_text_as_numbers_are_the_same_order():
    def flipped(value: JsonValue) -> JsonValue:
        if isinstance(value, dict):
            return {name: flipped(one) for name, one in value.items()}
        if isinstance(value, list):
            return [flipped(one) for one in value]
        if isinstance(value, str) and value.endswith("0000") and value[0].isdecimal():
            return float(value)
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    assert flipped(ORDER) != ORDER
    assert snapshot(flipped(ORDER)) == snapshot(ORDER)


@pytest.mark.parametrize("absent", [None, "", [], {}])
def test_what_may_be_absent_may_be_absent_in_any_way(absent):
    head = dict.fromkeys(("customer_message", "staff_notes", "external_id", "payment_method", "customer_locale"))
    parts = {"billing_address": [] if absent in ({}, "") else absent, "consignments": absent, "fees": absent}
    lines = [{**line, **dict.fromkeys(("applied_discounts", "product_options", "configurable_fields"), absent)}
             for line in ORDER["products"]]  # fmt: skip
    order = snapshot(like(head | parts, products=lines)).order
    assert (order.contacts.email, order.contacts.phone, order.customer.name) == (None, None, None)
    assert (order.payment.terms, order.instructions, order.contacts.language) == (None, None, "en")


# -------------------------------------------------------------------------------------------------- fetching


async def test_an_order_of_the_shops_former_system_is_left_alone():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(json_answer(200, {**ORDER["order"], "external_source": "M-MIG"}))
        (found,) = await source.fetch("250")
        assert isinstance(found, Skipped)
        assert len(peer.received) == 1
        await source.aclose()


async def test_an_order_that_is_deleted_while_it_is_read_has_not_lost_its_lines():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(HEAD, Answer(404), HEAD, LINES, Answer(404))
        with pytest.raises(Unavailable):
            await source.fetch("250")
        (found,) = await source.fetch("250")  # only its coupons are gone: those are names
        assert [line.sku for line in found.order.lines] == ["CAKE-1", "variant:510"]
        await source.aclose()


@pytest.mark.parametrize(
    ("head", "refunded", "asked"),
    [
        ({}, 0, False),
        ({}, 1, True),
        ({"payment_status": "refunded"}, 0, True),
        ({"status_id": 14}, 0, True),
        ({"status_id": 4, "payment_status": "refunded"}, 2, False),
    ],
)
async def test_refunds_are_asked_for_wherever_anything_speaks_of_one(head, refunded, asked):
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        lines = json.loads(json.dumps(ORDER["products"]))
        lines[0]["quantity_refunded"] = refunded
        answers = (json_answer(200, {"data": [REFUND]}),) if asked else ()
        peer.will(json_answer(200, {**ORDER["order"], **head}), json_answer(200, lines), COUPONS, *answers)
        (found,) = await source.fetch("250")
        assert any("refunds" in one.target for one in peer.received) == asked
        assert found.order.lines[0].quantity == (1 if asked else 2)
        await source.aclose()


@pytest.mark.parametrize(
    "junk", ["", "../3", "250/../../v3/hooks", "250?x=1", "٢٥٠", "²", "-1", "1e3", "9" * 21, "250\n"]
)
async def test_a_number_that_is_none_asks_for_nothing(junk):
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        assert isinstance((await source.fetch(junk))[0], Skipped)
        assert peer.received == []
        await source.aclose()


@pytest.mark.parametrize(
    "junk", ["../../v3/hooks", "250/../1", "250?x=1", "", None, -1, 1.5, True, [], {}, "9" * 21, "٢٥٠"]
)
async def test_a_webhook_whose_number_is_none_is_refused_by_name(junk):
    source = bigcommerce()
    event = {"scope": "store/order/updated", "producer": "stores/abc123", "data": {"type": "order", "id": junk}}
    with pytest.raises(InvalidInput) as caught:
        await source.read(Delivery(id="1", body=json.dumps(event)))
    assert {problem.field for problem in caught.value.problems} == {"data.id"}
    await source.aclose()


@pytest.mark.parametrize(
    "producer", ["stores/abc1234", "stores/ABC123", "stores/abc123/x", "abc123", " stores/abc123x"]
)
async def test_an_event_of_another_store_is_left_alone(producer):
    source = bigcommerce()
    event = {"scope": "store/order/updated", "producer": producer, "data": {"type": "order", "id": 250}}
    (reading,) = await source.read(Delivery(id="1", body=json.dumps(event)))
    assert isinstance(reading, Skipped)
    await source.aclose()
