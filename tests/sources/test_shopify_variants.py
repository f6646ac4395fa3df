"""Shopify orders of every make: what the documentation allows and no saved sample shows.

Sums are made here, from lines, discounts, refunds, taxes, the way, tips, duties and fees; they have to come back.
"""

import copy
import json
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus, Relation
from orderack.errors import InvalidInput, Unavailable
from orderack.ports import Connection, Delivery, Hint, Skipped, Snapshot, Standing
from orderack.sources._shopify_graphql import order_of
from orderack.sources._shopify_order import ShopOrder
from orderack.sources._shopify_reading import reading_of
from tests.conformance.source import given, quickly
from tests.sources.shopify_bodies import ORDER, answered, bag, needs_specs, part, reading, readings, setting, shopify

Body = dict[str, JsonValue]

CONNECTION = Connection(store="shop", system="shopify", source="shop")

cents = st.integers(min_value=0, max_value=500_000).map(lambda n: Decimal(n) / 100)


class Sold(BaseModel):
    """One line of an order that is made up."""

    price: Decimal
    ordered: int
    back: int
    off: Decimal
    """For each piece."""

    @property
    def wanted(self) -> int:
        return max(self.ordered - self.back, 0)


class Made(BaseModel):
    """An order that is made up, in the currency that is paid."""

    lines: list[Sold]
    tax: Decimal
    included: bool | None
    way: Decimal
    way_off: Decimal
    way_in_discounts: bool
    tip: Decimal
    tip_as: str
    duties: Decimal
    fees: Decimal
    rate: int
    """What the shop's own currency is worth of the one that is paid; 1: they are the same."""

    @property
    def off(self) -> Decimal:
        return sum((line.off * line.wanted for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        lines = sum((line.price * line.wanted for line in self.lines), Decimal(0))
        tax = Decimal(0) if self.included else self.tax
        return lines - self.off + tax + self.way - self.way_off + self.tip + self.duties + self.fees

    def money(self, amount: Decimal) -> JsonValue:
        shop: Body = {"amount": f"{amount * self.rate:.2f}", "currency_code": "EUR" if self.rate == 1 else "USD"}
        return {"shop_money": shop, "presentment_money": {"amount": f"{amount:.2f}", "currency_code": "EUR"}}

    def figures(self, name: str, amount: Decimal) -> Body:
        return {name: f"{amount * self.rate:.2f}", f"{name}_set": self.money(amount)}

    def body(self) -> Body:
        off = self.off + (self.way_off if self.way_in_discounts else 0)
        made: Body = {
            **ORDER,
            "currency": "EUR" if self.rate == 1 else "USD",
            "taxes_included": self.included,
            "line_items": [self.line(at, line) for at, line in enumerate(self.lines, 1)] + self.tips(),
            "shipping_lines": [
                {
                    "title": "Express",
                    "code": "Express",
                    **self.figures("price", self.way),
                    **self.figures("discounted_price", self.way - self.way_off),
                }
            ],
            **self.figures("current_total_price", self.total),
            **self.figures("current_total_tax", self.tax),
            **self.figures("current_total_discounts", off),
            "total_tip_received": f"{self.tip * self.rate:.2f}",
            "total_tip_received_set": self.money(self.tip),
            "current_total_duties_set": self.money(self.duties) if self.duties else None,
            "current_total_additional_fees_set": self.money(self.fees) if self.fees else None,
        }
        return made

    def line(self, at: int, line: Sold) -> JsonValue:
        off = line.off * line.ordered
        allocated: list[JsonValue] = [{"amount": f"{off * self.rate:.2f}", "amount_set": self.money(off)}]
        return {
            "id": 9_007_199_254_740_993 + at,
            "product_id": at,
            "sku": "",
            "title": "Lamp",
            "quantity": line.ordered,
            "current_quantity": line.wanted,
            "requires_shipping": True,
            "discount_allocations": allocated if off else [],
            **self.figures("price", line.price),
        }

    def tips(self) -> list[JsonValue]:
        named = {"line": {"tip_payment_gateway": None}, "name": {"title": "Tip"}, "sum": {"title": "Trinkgeld"}}
        if not self.tip or self.tip_as not in named:
            return []
        plain: Body = {"id": 7, "product_id": None, "variant_id": None, "quantity": 1, "requires_shipping": False}
        return [{**plain, "title": "Pourboire", **named[self.tip_as], **self.figures("price", self.tip)}]


@st.composite
def lines(draw: st.DrawFn) -> Sold:
    price = draw(cents)
    return Sold(
        price=price,
        ordered=draw(st.integers(min_value=0, max_value=30)),
        back=draw(st.sampled_from([0, 0, 0, 1, 30])),
        off=draw(st.sampled_from([Decimal(0), price, price.quantize(Decimal(1)) / 100])),
    )


@st.composite
def orders(draw: st.DrawFn) -> Made:
    way = draw(cents)
    kept = Sold(price=draw(cents), ordered=1, back=0, off=Decimal(0))
    return Made(
        lines=[*draw(st.lists(lines(), max_size=6)), kept],
        tax=draw(cents),
        included=draw(st.sampled_from([True, False])),
        way=way,
        way_off=draw(st.sampled_from([Decimal(0), way])),
        way_in_discounts=draw(st.booleans()),
        tip=draw(st.sampled_from([Decimal(0), Decimal("3.33")])),
        tip_as=draw(st.sampled_from(["line", "name", "sum", "head"])),
        duties=draw(st.sampled_from([Decimal(0), Decimal("12.34")])),
        fees=draw(st.sampled_from([Decimal(0), Decimal("0.99")])),
        rate=draw(st.sampled_from([1, 2])),
    )


@quickly
@given(made=orders())
def test_whatever_an_order_is_made_of_it_is_in_the_paid_currency_and_adds_up(made: Made) -> None:
    found = reading_of(ShopOrder.model_validate_json(json.dumps(made.body())), CONNECTION)
    assert isinstance(found, Snapshot)
    order = found.order
    assert (order.currency, order.totals.total) == ("EUR", made.total)
    assert add_up(order) == made.total
    assert [line.quantity for line in order.lines] == [line.wanted for line in made.lines if line.wanted]
    assert order.totals.fees == made.tip + made.duties + made.fees
    assert order.totals.shipping == made.way - made.way_off


async def test_an_order_of_two_hundred_lines_without_ids_is_two_hundred_lines() -> None:
    line = Sold(price=Decimal("0.01"), ordered=1, back=0, off=Decimal(0))
    nothing = Decimal(0)
    made = Made(
        lines=[line] * 200, tax=nothing, included=False, way=nothing, way_off=nothing, way_in_discounts=False,
        tip=nothing, tip_as="head", duties=nothing, fees=nothing, rate=1,
    ).body()  # fmt: skip
    items = made["line_items"]
    assert isinstance(items, list)
    for item in items:
        assert isinstance(item, dict)
        del item["id"]
    (found,) = await readings(made)
    assert isinstance(found, Snapshot)
    assert len({one.line_id for one in found.order.lines}) == 200
    assert add_up(found.order) == found.order.totals.total == 2


NAMES = ("Ada 例え", "آدا مثال", "Ада Пример", "Ada 👩‍🔬 Example", "Åse Ødegård", "O'Ada <b>", "n/a")
PLACES: Sequence[tuple[JsonValue, str | None]] = (
    ({"address1": "PO Box 7", "city": "Reno", "zip": "89501", "country_code": "US", "province_code": "NV"}, "US"),
    ({"address1": "1-1 千代田", "city": "東京", "zip": "100-0001", "country": "Japan"}, "JP"),
    ({"address1": "x", "city": "", "zip": None, "country_code": "xk"}, "XK"),
    ({"address1": "Road 1", "address2": "Flat\n2", "city": "Dublin", "country_code": "IE", "zip": None}, "IE"),
    ({"address1": "1", "city": "Reno", "zip": 89501, "country_code": "US"}, "US"),
    ({"country_code": "US"}, None),
    ({}, None),
)


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_of_any_script_is_the_buyers(name: str) -> None:
    found = await reading(setting(customer={"id": 1, "first_name": name, "last_name": None}))
    assert found.order.customer.name == name
    assert found.order.customer.relation is not Relation.NEW


@pytest.mark.parametrize(("place", "country"), PLACES)
async def test_any_address_is_one_or_is_missing(place: JsonValue, country: str | None) -> None:
    address = (await reading(setting(shipping_address=place, shipping_lines=[]))).order.delivery_address
    assert (address.country if address else None) == country


async def test_shopifys_own_trial_webhook_is_a_test_order() -> None:
    """As Settings > Notifications sends it: cancelled, never processed, a test."""
    trial = ORDER | {"test": True, "processed_at": None, "cancelled_at": "2026-11-21T09:00:00Z", "name": "#9999"}
    assert list(await readings(trial)) == [Skipped(why="a test order")]


async def test_a_company_orders_under_its_terms_and_its_own_number() -> None:
    terms: JsonValue = {"payment_terms_name": "Net 30", "payment_terms_type": "net", "due_in_days": 30}
    change = setting(
        company={"id": 1, "location_id": 2}, po_number="PO-7", payment_terms=terms, financial_status="pending",
        payment_gateway_names=[],
    )  # fmt: skip
    order = (await reading(change)).order
    assert (order.purchase_order, order.payment.terms) == ("PO-7", "Net 30")
    assert order.payment.status is PaymentStatus.PENDING
    unnamed = setting(payment_terms={"payment_terms_name": None, "due_in_days": 14})
    assert (await reading(unnamed)).order.payment.terms == "Net 14"
    assert (await reading(setting(payment_terms={}))).order.payment.terms == "prepaid by shopify_payments, gift_card"


async def test_a_note_that_is_cut_short_is_a_persons() -> None:
    whole, cut = await reading(setting(note="x" * 1_900)), await reading(setting(note="x" * 5_000))
    assert whole.order.doubts == ()
    assert [doubt.field for doubt in cut.order.doubts] == ["instructions"]
    assert len(cut.order.instructions or "") == 2_000


async def test_who_left_a_phone_number_alone_can_be_reached_by_it() -> None:
    found = await reading(setting(email="", contact_email=None, phone="+15005550006", customer={"id": 1}))
    assert (found.order.contacts.email, found.order.contacts.phone) == (None, "+15005550006")


async def test_numbers_may_be_text_and_text_may_be_numbers() -> None:
    def change(order: Body) -> None:
        order |= {"id": str(order["id"]), "po_number": 4711, "note": 5, "order_number": "1001", "name": None}
        part(order, "line_items", 0).update(quantity="2", current_quantity="2", sku=1234, properties={})
        part(order, "line_items", 1).update(price=12, properties=[{"name": "Colours", "value": ["red", "blue"]}])
        part(order, "shipping_address").update(zip=50667)

    found = await reading(change)
    assert (found.external_id, found.order.number) == ("820982911946154508", "#1001")
    assert (found.order.purchase_order, found.order.lines[0].sku) == ("4711", "1234")
    assert found.order.lines[1].instructions == 'Colours: ["red", "blue"]'
    assert add_up(found.order) == found.order.totals.total


@pytest.mark.parametrize("empty", [None, {}, [], ""])
async def test_what_is_empty_is_empty_however_it_is_written(empty: JsonValue) -> None:
    nothing = setting(
        customer=empty, shipping_address=empty, billing_address=empty, note_attributes=empty, refunds=empty,
        payment_terms=empty, payment_gateway_names=empty, note=None, processed_at=empty, cancelled_at=empty,
        shipping_lines=empty, total_tip_received=empty, current_total_duties_set=empty,
    )  # fmt: skip
    found = await reading(nothing)
    assert (found.standing, found.order.delivery_address, found.order.payment.terms) == (Standing.OPEN, None, "prepaid")


async def test_a_product_that_was_deleted_is_still_a_line() -> None:
    gone = {"product_id": None, "variant_id": None, "product_exists": False, "sku": None, "title": "Old lamp"}
    order = (await reading(lambda body: part(body, "line_items", 0).update(gone))).order
    assert (order.lines[0].sku, len(order.lines)) == ("line:466157049", 2)


async def test_a_word_of_tomorrow_changes_no_sum() -> None:
    change = setting(financial_status="half_moon", fulfillment_status="on_hold", cancel_reason="x", source_name="tv")
    found = await reading(change)
    assert (found.standing, found.order.payment.status) == (Standing.OPEN, PaymentStatus.PENDING)
    assert add_up(found.order) == found.order.totals.total


async def test_a_body_without_the_paid_currency_is_fetched_and_never_told_in_another() -> None:
    for name in ("total_price_set", "current_total_price_set"):
        body = {**ORDER, name: None} if name.startswith("current") else {**ORDER, "current_total_price": None}
        if name == "total_price_set":
            body |= {"total_price_set": None, "current_total_price_set": None}
        assert list(await readings(body)) == [Hint(external_id="820982911946154508")]


async def test_what_was_taken_back_without_figures_of_now_is_a_persons() -> None:
    def change(order: Body) -> None:
        for name in [name for name in order if name.startswith("current_")]:
            del order[name]
        part(order, "line_items", 0).update(current_quantity=None)
        order["refunds"] = [{"refund_line_items": [{"line_item_id": 466157049, "quantity": 1}]}]

    found = await reading(change)
    assert [doubt.field for doubt in found.order.doubts] == ["lines"]
    assert found.order.lines[0].quantity == 2
    assert (await reading()).order.doubts == ()


async def test_a_tip_left_over_when_all_else_went_back_is_no_order() -> None:
    def change(order: Body) -> None:
        tip: JsonValue = {"id": 9, "title": "Tip", "quantity": 1, "price_set": bag("3.00"), "tip_payment_gateway": "x"}
        items = order["line_items"]
        assert isinstance(items, list)
        for at in (0, 1):
            part(order, "line_items", at)["current_quantity"] = 0
        items.append(tip)

    found = await reading(change)
    assert (found.standing, found.reason) == (Standing.CANCELLED, "all taken back")


async def test_a_product_without_shipping_is_no_tip_though_a_null_says_so() -> None:
    """As tools write it that name every field they know."""
    line = {"tip_payment_gateway": None, "tip_payment_method": None, "requires_shipping": False}
    order = (await reading(lambda body: part(body, "line_items", 0).update(line))).order
    assert len(order.lines) == 2


@pytest.mark.parametrize("field", ["created_at", "updated_at", "taxes_included", "total_price", "email", "currency"])
async def test_a_field_that_is_left_out_is_done_without_or_named(field: str) -> None:
    body = {name: value for name, value in ORDER.items() if name != field}
    if field == "currency":
        with pytest.raises(InvalidInput, match="currency"):
            await readings(body)
        return
    (found,) = await readings(body)
    assert isinstance(found, Snapshot)
    assert found.order.totals.total == Decimal("78.97")
    assert (found.order.totals.tax_basis is None) == (field == "taxes_included")


async def test_without_any_time_it_is_none() -> None:
    with pytest.raises(InvalidInput, match="created_at"):
        await reading(setting(created_at=None, processed_at=None))


@pytest.mark.parametrize(
    ("topic", "body", "named"),
    [
        ("fulfillments/create", {"id": 1, "order_id": 7, "line_items": []}, "7"),
        ("returns/request", {"id": 1, "order": {"id": 7}}, "7"),
        (
            "orders/risk_assessment_changed",
            {"order_id": None, "admin_graphql_api_order_id": "gid://shopify/Order/7"},
            "7",
        ),
        ("carts/update", {"id": "eeafa272cebfd4b22385bc4b645e762c", "order_id": 7}, "7"),
        ("returns/request", {"id": 1, "order": {"id": 7, "line_items": None}}, "7"),
    ],
)
async def test_another_thing_of_an_order_is_a_hint(topic: str, body: Body, named: str) -> None:
    assert list(await readings(body, topic)) == [Hint(external_id=named)]


@pytest.mark.parametrize("named", ["x", "7/../8", "7'", -7, 7.5, True, "9" * 21])
async def test_what_is_no_orders_id_names_none(named: JsonValue) -> None:
    assert list(await readings({"id": named, "line_items": []}, "carts/update")) == [
        Skipped(why="not about an order, but carts/update")
    ]
    with pytest.raises(InvalidInput, match="id"):
        await readings({"id": named}, "orders/updated")


HOSTILE: tuple[JsonValue, ...] = (None, "", -1, True, "x" * 5_000, {"a": 1}, [None], 10**30)


def _paths(value: JsonValue, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += _paths(inner, (*at, key))
    return found


def _with(body: JsonValue, path: tuple[str | int, ...], value: JsonValue) -> JsonValue:
    changed = copy.deepcopy(body)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return changed


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(value)[:12])
async def test_every_field_set_to_it_is_an_order_or_is_named(value: JsonValue) -> None:
    source = shopify()
    unnamed = []
    for path in _paths(ORDER):
        try:
            await source.read(Delivery(id="1", topic="orders/updated", body=json.dumps(_with(ORDER, path, value))))
        except InvalidInput as refused:
            unnamed += [path for problem in refused.problems if not problem.field]
    await source.aclose()
    assert not unnamed


class Said:
    """Answers as Shopify's GraphQL would."""

    def __init__(self, order: JsonValue) -> None:
        self._order = order

    async def ask(self, document: str, variables: Body, model: type[BaseModel]) -> BaseModel:
        return model.model_validate({"order": self._order})


@needs_specs
@pytest.mark.parametrize("value", [None, "", -1, [None], {"a": 1}], ids=str)
async def test_every_field_of_a_fetched_order_set_to_it_is_an_order_or_is_named(value: JsonValue) -> None:
    order = json.loads(json.dumps(answered(ORDER)))["data"]["order"]
    read, unnamed = 0, []
    for path in _paths(order):
        try:
            found = await order_of(Said(_with(order, path, value)), "gid://shopify/Order/1")  # type: ignore[arg-type]
            if found is not None:
                read += isinstance(reading_of(found, CONNECTION), Snapshot)
        except InvalidInput as refused:
            unnamed += [path for problem in refused.problems if not problem.field]
        except Unavailable:
            unnamed += [path] if "pageInfo" not in path else []
    assert read
    assert not unnamed
