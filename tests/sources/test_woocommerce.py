"""WooCommerce's orders: its ping and signature, what is read from where, whatever types PHP gives its fields."""

import copy
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import DIGITAL, PaymentStatus, TaxBasis
from orderack.errors import InvalidInput
from orderack.ports import RawRequest
from orderack.ports import Standing as At
from orderack.sources.woocommerce import Woocommerce
from tests.conformance.source import NOW, SourceConformance
from tests.sources.woocommerce_bodies import BODY, KEY, SECRET, SIGNING, Change, posted, reading, setting, shop


class TestWoocommerce(SourceConformance):
    name = "woocommerce"
    secrets = (KEY, SECRET, SIGNING)
    required = ("base_url", "consumer_key", "consumer_secret", "webhook_secret")
    body = BODY

    def make(self, base_url: str = "http://127.0.0.1:9") -> Woocommerce:
        return shop(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return posted(body)


async def test_an_order_is_read_whole() -> None:
    found = await reading()
    order = found.order
    assert (found.external_id, found.standing) == ("727", At.OPEN)
    assert found.at == datetime(2026, 11, 21, 9, 0, 8, tzinfo=UTC)
    assert (order.number, order.trigger_at) == ("W-727", datetime(2026, 11, 21, 9, 0, 6, tzinfo=UTC))
    assert str(order.customer.id).startswith("guest-")
    assert order.customer.name == "Ada Example"
    assert (order.contacts.email, order.contacts.phone) == ("ada@example.com", "+15005550006")
    lamp, card = order.lines
    assert (lamp.line_id, lamp.sku, lamp.description, lamp.quantity) == ("315", "LAMP-1", "Lamp – green", 2)
    assert (lamp.unit_price, lamp.discount) == (25, 5)
    assert (lamp.design, lamp.instructions) == ("Für Bob", "Gift wrap: blue")
    assert [(code.system, code.id) for code in lamp.codes] == [("woocommerce_line", "315")]
    assert (card.sku, card.unit_price) == ("product:22", 10)
    assert order.delivery_address is not None
    assert (order.delivery_address.street, order.delivery_address.country) == ("Hauptstraße 5", "DE")
    assert order.delivery_window is not None
    assert order.delivery_window.start.isoformat() == "2026-11-24T00:00:00+01:00"
    assert order.purchase_order == "PO-9"
    assert order.instructions == "Ring twice,\nplease."
    assert (order.payment.status, order.payment.terms) == (PaymentStatus.CONFIRMED, "prepaid by Credit card")
    totals = order.totals
    assert (totals.discount, totals.fees, totals.credit, totals.shipping) == (6, 2, 7, Decimal("4.90"))
    assert (totals.tax, totals.tax_basis) == (Decimal("10.43"), TaxBasis.ADDED)
    assert totals.total == add_up(order) == Decimal("64.33")
    assert [(one.system, one.id) for one in order.external_ids] == [("woocommerce", "727")]


def _alternative_types(order: dict[str, JsonValue]) -> None:
    """The same order as PHP and plugins may write it: every type another one."""
    order |= {
        "id": "727",
        "customer_id": "0",
        "total": 64.33,
        "total_tax": 10.43,
        "shipping_total": 4.9,
        "refunds": {},
        "coupon_lines": False,
        "needs_processing": "",
        "gift_cards": {"0": {"amount": "7.00"}},
        "fee_lines": {"3": {"name": "a", "total": 2}, "5": {"name": "b", "total": "-1"}},
    }
    meta, lines = order["meta_data"], order["line_items"]
    assert isinstance(meta, list)
    assert isinstance(lines, list)
    order["meta_data"] = {str(n * 2): one for n, one in enumerate(meta)}
    for line in lines:
        assert isinstance(line, dict)
        for name in ("id", "product_id", "variation_id", "quantity", "price"):
            line[name] = str(line[name])
        for name in ("subtotal", "total"):
            line[name] = float(str(line[name]))
        line["bundled_by"] = []
    order["line_items"] = {"315": lines[0], "316": lines[1]}
    billing = order["billing"]
    assert isinstance(billing, dict)
    billing |= {"company": None, "state": False, "postcode": 50667}


async def test_the_types_may_vary_and_the_order_is_the_same() -> None:
    assert await reading(_alternative_types) == await reading()


@pytest.mark.parametrize("empty", [None, [], "", False])
async def test_what_is_empty_is_empty_however_it_is_written(empty: JsonValue) -> None:
    nothing = setting(shipping=empty, gift_cards=empty, meta_data=empty, refunds=empty, customer_note=empty)
    order = (await reading(nothing)).order
    assert (order.totals.credit, order.instructions, order.doubts) == (0, None, ())
    assert order.delivery_address == order.billing_address is not None


@pytest.mark.parametrize("amount", [None, "", "free", True, [], {}, "NaN", "1e99", "-1"])
async def test_money_is_never_guessed(amount: JsonValue) -> None:
    with pytest.raises(InvalidInput) as caught:
        await reading(setting(total=amount))
    assert any("total" in problem.field for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        ("processing", At.OPEN),
        ("completed", At.OPEN),
        ("on-hold", At.OPEN),
        ("wc-processing", At.OPEN),
        ("awaiting-shipment", At.OPEN),
        ("pending", At.NOT_YET),
        ("failed", At.NOT_YET),
        ("checkout-draft", At.NOT_YET),
        ("auto-draft", At.NOT_YET),
        ("cancelled", At.CANCELLED),
        ("refunded", At.CANCELLED),
        ("trash", At.CANCELLED),
    ],
)
async def test_each_status_is_where_the_order_stands(status: str, standing: At) -> None:
    found = await reading(setting(status=status))
    assert found.standing is standing
    assert found.reason == (status if standing is At.CANCELLED else "")


@pytest.mark.parametrize(
    ("status", "method", "title", "paid", "ours", "terms"),
    [
        ("processing", "stripe", "Card", "2026-11-21T09:00:06", PaymentStatus.CONFIRMED, "prepaid by Card"),
        ("processing", "stripe", "Card", None, PaymentStatus.CONFIRMED, "prepaid by Card"),
        ("processing", "stripe", "", None, PaymentStatus.CONFIRMED, "prepaid by stripe"),
        ("processing", "", "", None, PaymentStatus.CONFIRMED, "prepaid"),
        ("processing", "cod", "On delivery", None, PaymentStatus.PENDING, "to be paid by On delivery"),
        ("completed", "cod", "On delivery", "2026-11-21T09:00:06", PaymentStatus.CONFIRMED, "prepaid by On delivery"),
        ("on-hold", "bacs", "Bank transfer", None, PaymentStatus.PENDING, "to be paid by Bank transfer"),
        ("on-hold", "", "", None, PaymentStatus.PENDING, None),
        ("my-own-status", "stripe", "Card", "2026-11-21T09:00:06", PaymentStatus.CONFIRMED, "prepaid by Card"),
    ],
)
async def test_how_it_is_paid(
    status: str, method: str, title: str, paid: str | None, ours: PaymentStatus, terms: str | None
) -> None:
    change = setting(
        status=status, payment_method=method, payment_method_title=title, date_paid_gmt=paid, date_paid=None
    )
    payment = (await reading(change)).order.payment
    assert (payment.status, payment.terms) == (ours, terms)


def _free(order: dict[str, JsonValue]) -> None:
    lines = order["line_items"]
    assert isinstance(lines, list)
    for line in lines:
        assert isinstance(line, dict)
        line["total"] = "0.00"
    order |= {"total": "0.00", "total_tax": "0.00", "shipping_total": "0.00", "fee_lines": [], "gift_cards": []}
    order |= {"date_paid_gmt": None, "date_paid": None, "payment_method": "", "payment_method_title": ""}


async def test_an_order_of_nothing_is_an_order() -> None:
    order = (await reading(_free)).order
    assert (order.totals.total, order.totals.discount, add_up(order)) == (0, 60, 0)
    assert (order.payment.status, order.payment.terms) == (PaymentStatus.CONFIRMED, "prepaid")


def _tax_inside(order: dict[str, JsonValue]) -> None:
    """Three things at 21.00 with 19 % in it: WooCommerce's rounded lines are a cent more than its total."""
    line: dict[str, JsonValue] = {"product_id": 1, "sku": "A", "name": "A", "quantity": 1, "price": 17.647059}
    order["line_items"] = [{**line, "id": n, "subtotal": "17.65", "total": "17.65"} for n in (1, 2, 3)]
    order |= {"fee_lines": [], "gift_cards": [], "shipping_total": "0.00", "total_tax": "10.06", "total": "63.00"}


async def test_lines_that_were_rounded_apart_still_add_up() -> None:
    order = (await reading(_tax_inside)).order
    assert order.totals.discount == 0
    assert add_up(order) == order.totals.total == 63


def _repeated(order: dict[str, JsonValue]) -> None:
    lines = order["line_items"]
    assert isinstance(lines, list)
    lines.append(copy.deepcopy(lines[0]))


def _same_id(order: dict[str, JsonValue]) -> None:
    lines = order["line_items"]
    assert isinstance(lines, list)
    assert isinstance(lines[1], dict)
    lines[1]["id"] = 315


async def test_a_row_that_is_given_twice_is_one_line_and_two_rows_of_one_id_are_two() -> None:
    assert (await reading(_repeated)).order == (await reading()).order
    order = (await reading(_same_id)).order
    assert [line.line_id for line in order.lines] == ["315", "315-2"]
    assert add_up(order) == order.totals.total


def _bundle(order: dict[str, JsonValue]) -> None:
    lines = order["line_items"]
    assert isinstance(lines, list)
    free: dict[str, JsonValue] = {
        "id": 400,
        "bundled_by": "315",
        "quantity": 2,
        "subtotal": "0",
        "total": "0",
        "sku": "BULB",
    }
    nothing: dict[str, JsonValue] = {"id": 401, "quantity": 0, "subtotal": "0", "total": "0", "sku": "GONE"}
    back: dict[str, JsonValue] = {"id": 402, "quantity": 1, "subtotal": "-3.00", "total": "-3.00", "name": "Trade-in"}
    raised: dict[str, JsonValue] = {
        "id": 403,
        "quantity": 3,
        "subtotal": "1.00",
        "total": "4.00",
        "sku": "DEAR",
        "price": 1.33,
    }
    lines += [free, nothing, back, raised]
    order["total"] = "65.33"


async def test_parts_of_a_bundle_rows_of_nothing_and_rows_below_nothing() -> None:
    order = (await reading(_bundle)).order
    assert [line.sku for line in order.lines] == ["LAMP-1", "product:22", "BULB", "DEAR"]
    assert {code.system: code.id for code in order.lines[2].codes}["woocommerce_bundle"] == "315"
    assert order.lines[3].amount == 4
    assert order.totals.discount == 9
    assert add_up(order) == order.totals.total


async def test_a_part_that_was_refunded_is_a_persons_and_all_of_it_a_cancellation() -> None:
    some = await reading(
        setting(refunds=[{"id": 73, "reason": "Cap!", "total": "-16.00"}, {"id": 0, "total": "-0.00"}])
    )
    assert some.standing is At.OPEN
    (doubt,) = some.order.doubts
    assert (doubt.field, "16.00 EUR" in doubt.why, "Cap" in doubt.why) == ("lines", True, False)
    assert (await reading(setting(refunds=[{"id": 0, "reason": "", "total": "-0.00"}]))).order.doubts == ()
    whole = await reading(setting(status="refunded", refunds=[{"id": 73, "total": "-64.33"}]))
    assert (whole.standing, whole.order.doubts) == (At.CANCELLED, ())


def _nobody(order: dict[str, JsonValue]) -> None:
    for name in ("billing", "shipping"):
        place = order[name]
        assert isinstance(place, dict)
        order[name] = dict.fromkeys(place, "")


async def test_without_an_address_it_is_an_order_that_lacks_one_and_two_guests_are_two() -> None:
    order = (await reading(_nobody)).order
    assert (order.delivery_address, order.billing_address, order.customer.name) == (None, None, None)
    other = (await reading(lambda body: (_nobody(body), body.update(id=728)))).order
    assert order.customer.id != other.customer.id
    assert (await reading(setting(customer_id=9007199254740993))).order.customer.id == "9007199254740993"


PICKUP: dict[str, JsonValue] = {
    "method_id": "pickup_location:0",
    "method_title": "Pickup (Harbour)",
    "total": "4.90",
    "meta_data": [{"key": "pickup_location", "value": "Harbour shop"}],
}


@pytest.mark.parametrize(
    ("change", "order_type", "counter"),
    [
        (setting(shipping_lines=[PICKUP]), "standard", "Harbour shop"),
        (setting(shipping_lines=[PICKUP | {"meta_data": []}]), "standard", "Pickup (Harbour)"),
        (setting(shipping_lines=[{"method_id": "local_pickup", "total": "0"}]), "standard", "the shop"),
        (setting(meta_data=[{"key": "Pickup Location", "value": "Pier"}]), "standard", "Pier"),
        (setting(needs_processing=False, shipping_lines=[]), DIGITAL, None),
    ],
)
async def test_where_it_goes_if_not_to_the_buyer(change: Change, order_type: str, counter: str | None) -> None:
    order = (await reading(change)).order
    assert (order.order_type, order.delivery_address) == (order_type, None)
    assert (order.pickup.location if order.pickup else None) == counter


async def test_the_shops_own_fields_are_what_its_connection_says_and_machinery_is_no_instruction() -> None:
    meta: list[JsonValue] = [
        {"key": "_delivery_slot", "value": "2026-11-25 10:00-12:00"},
        {"key": "gift_message", "value": "Happy\nbirthday"},
        {"key": "cart_tracking", "value": "x1"},
        {"key": "wc_connect_packages", "value": [{"id": 1}]},
        {"key": "wpml_language", "value": "fr"},
    ]
    fields = {"_delivery_slot": "window", "gift_message": "instructions"}
    order = (await reading(setting(meta_data=meta, customer_note=""), fields=fields)).order
    assert order.delivery_window is not None
    assert order.delivery_window.start.isoformat() == "2026-11-25T10:00:00+01:00"
    assert order.instructions == "gift_message: Happy\nbirthday"
    assert order.contacts.language == "fr"


async def test_times_without_a_zone_are_the_shops() -> None:
    none = {"date_created_gmt": None, "date_modified_gmt": None, "date_paid_gmt": None}
    found = await reading(setting(**none))
    assert found.at == datetime(2026, 11, 21, 9, 0, 8, tzinfo=UTC)
    assert found.order.trigger_at == datetime(2026, 11, 21, 9, 0, 6, tzinfo=UTC)
    with pytest.raises(InvalidInput):
        await reading(setting(**none, date_created=None))
