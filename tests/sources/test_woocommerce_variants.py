"""WooCommerce orders of every make: what its code and its plugins write and no saved sample shows.

Sums are made here as WooCommerce makes them: exact inside, each figure rounded by itself when it is written.
"""

import copy
import json
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import product

import pytest
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from orderack.domain.money import add_up, minor_unit
from orderack.domain.order import PaymentStatus, Relation
from orderack.errors import InvalidInput
from orderack.ports import Connection, Delivery, Skipped, Snapshot
from orderack.ports import Standing as At
from orderack.sources._woocommerce_order import ShopOrder
from orderack.sources._woocommerce_reading import reading_of
from orderack.sources.woocommerce import FIRST_LOOK, OVERLAP, PAGE
from tests.conformance.peer import json_answer, running_peer
from tests.conformance.source import NOW, given, quickly
from tests.sources.woocommerce_bodies import ORDER, reading, readings, setting, shop

Body = dict[str, JsonValue]

CONNECTION = Connection(store="shop", system="woocommerce", source="shop")
NOTHING = Decimal(0)


class Sold(BaseModel):
    gross: Decimal
    """What one costs, tax in it where the shop's prices hold it."""
    quantity: int
    percent: int
    """Of a coupon."""


class Made(BaseModel):
    """An order that is made up."""

    lines: list[Sold]
    currency: str
    decimals: int
    included: bool
    rate: int
    """Per cent of tax."""
    way: Decimal
    fee: Decimal
    card: Decimal

    def written(self, amount: Decimal) -> str:
        return f"{amount.quantize(Decimal(1).scaleb(-self.decimals), ROUND_HALF_UP):f}"

    def before(self, line: Sold) -> Decimal:
        cost = line.gross * line.quantity
        return cost / (1 + Decimal(self.rate) / 100) if self.included else cost

    def after(self, line: Sold) -> Decimal:
        return self.before(line) * (100 - line.percent) / 100

    @property
    def tax(self) -> Decimal:
        return sum((self.after(line) for line in self.lines), NOTHING) * self.rate / 100

    @property
    def total(self) -> Decimal:
        return sum((self.after(line) for line in self.lines), NOTHING) + self.tax + self.way + self.fee - self.card

    def body(self) -> Body:
        return {
            **ORDER,
            "currency": self.currency,
            "prices_include_tax": self.included,
            "line_items": [self.line(at, line) for at, line in enumerate(self.lines, 1)],
            "fee_lines": [{"name": "Fee", "total": self.written(self.fee)}] if self.fee else [],
            "gift_cards": [{"code": "X", "amount": float(self.card)}] if self.card else [],
            "shipping_lines": [],
            "shipping_total": self.written(self.way),
            "total_tax": self.written(self.tax),
            "total": self.written(self.total),
        }

    def line(self, at: int, line: Sold) -> Body:
        after = self.after(line)
        return {
            "id": at,
            "product_id": at,
            "sku": f"S{at}",
            "name": "Lamp",
            "quantity": line.quantity,
            "subtotal": self.written(self.before(line)),
            "total": self.written(after),
            "price": float(after / line.quantity),
        }


@st.composite
def orders(draw: st.DrawFn) -> Made:
    currency, decimals = draw(
        st.sampled_from(
            [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("EUR", 3), ("EUR", 4), ("USD", 0), ("EUR", 1)]
        )
    )
    coin = Decimal(1).scaleb(-decimals)
    price = st.integers(min_value=1, max_value=50_000).map(lambda n: n * coin)
    sold = st.builds(
        Sold, gross=price, quantity=st.integers(min_value=1, max_value=20), percent=st.sampled_from([0, 0, 10, 33, 100])
    )
    return Made(
        lines=draw(st.lists(sold, min_size=1, max_size=8)),
        currency=currency,
        decimals=decimals,
        included=draw(st.booleans()),
        rate=draw(st.sampled_from([0, 7, 19, 25])),
        way=draw(price),
        fee=draw(st.sampled_from([NOTHING, 7 * coin])),
        card=draw(st.sampled_from([NOTHING, coin])),
    )


@quickly
@given(made=orders())
def test_whatever_an_order_is_made_of_it_adds_up_to_what_the_shop_says(made: Made) -> None:
    found = reading_of(ShopOrder.model_validate_json(json.dumps(made.body())), CONNECTION)
    order, coin, said = found.order, minor_unit(made.currency), Decimal(made.written(made.total))
    assert order.totals.total == said.quantize(coin, ROUND_HALF_UP)
    assert bool(order.doubts) == (order.totals.total != said)
    step = max(coin, Decimal(1).scaleb(-made.decimals))
    # the sums of tax, way, fee and card are rounded one by one, and so is the total
    assert abs(add_up(order) - order.totals.total) <= 2 * step + coin * len(order.lines) / 10
    if made.decimals == 2:
        assert abs(add_up(order) - order.totals.total) <= coin * len(order.lines)
    assert sum((line.discount for line in order.lines), NOTHING) == order.totals.discount


async def test_a_coupon_where_prices_hold_the_tax_costs_no_cent() -> None:
    """Three at 21.00 with 19 % in it, 10 % off: WooCommerce's rounded lines are a cent below its total."""
    line: Body = {"product_id": 1, "sku": "A", "quantity": 1, "subtotal": "17.65", "total": "15.88", "price": 15.882353}
    lines: list[JsonValue] = [{**line, "id": n} for n in (1, 2, 3)]
    change = setting(
        line_items=lines, fee_lines=[], gift_cards=[], shipping_total="0.00", total_tax="9.05", total="56.70"
    )
    order = (await reading(change)).order
    assert order.totals.discount == Decimal("5.31")
    assert add_up(order) == order.totals.total


@pytest.mark.parametrize(
    ("currency", "total", "paid", "doubted"),
    [
        ("EUR", "64.3300", "64.33", False),
        ("EUR", "64.3349", "64.33", True),
        ("EUR", "64.335", "64.34", True),
        ("JPY", "64", "64", False),
        ("JPY", "64.33", "64", True),
        ("KWD", "64.330", "64.33", False),
    ],
)
async def test_a_total_that_nobody_can_pay_is_rounded_and_a_persons(
    currency: str, total: str, paid: str, doubted: bool
) -> None:
    order = (await reading(setting(currency=currency, total=total))).order
    assert order.totals.total == Decimal(paid)
    assert [doubt.field for doubt in order.doubts] == (["totals.total"] if doubted else [])


@pytest.mark.parametrize(
    ("field", "value"),
    [("total", "-1"), ("total_tax", "-1"), ("shipping_total", "-1"), ("gift_cards", [{"amount": -5}])],
)
async def test_a_sum_below_nothing_is_named(field: str, value: JsonValue) -> None:
    with pytest.raises(InvalidInput) as caught:
        await reading(setting(**{field: value}))
    named = {"total": "total", "total_tax": "tax", "shipping_total": "shipping", "gift_cards": "credit"}[field]
    assert [problem.field for problem in caught.value.problems] == [named]


@pytest.mark.parametrize(
    "noise", [{"a": "b"}, ["x"], [None], [[]], "x", 7, {"0": {"key": "po_number", "value": "PO-9"}}]
)
async def test_what_a_plugin_scribbles_beside_it_stops_no_order(noise: JsonValue) -> None:
    order = (
        await reading(lambda body: (body.update(meta_data=noise), body["line_items"][0].update(meta_data=noise)))
    ).order
    assert order.totals.total == add_up(order)
    assert order.purchase_order == ("PO-9" if isinstance(noise, dict) and "0" in noise else None)


async def test_a_note_that_is_cut_short_is_a_persons() -> None:
    whole, cut = await reading(setting(customer_note="x" * 2_000)), await reading(setting(customer_note="x" * 2_001))
    assert whole.order.doubts == ()
    assert [doubt.field for doubt in cut.order.doubts] == ["instructions"]


HELD: Sequence[tuple[str, str | None, PaymentStatus]] = (
    ("on-hold", "2026-11-21T09:00:06", PaymentStatus.FLAGGED),
    ("on-hold", None, PaymentStatus.PENDING),
    ("processing", "2026-11-21T09:00:06", PaymentStatus.CONFIRMED),
    ("wc-on-hold", "2026-11-21T09:00:06", PaymentStatus.FLAGGED),
)


@pytest.mark.parametrize(("status", "paid", "ours"), HELD)
async def test_what_was_paid_and_is_held_is_a_persons(status: str, paid: str | None, ours: PaymentStatus) -> None:
    change = setting(status=status, date_paid_gmt=paid, date_paid=None)
    assert (await reading(change)).order.payment.status is ours


@pytest.mark.parametrize(
    ("gmt", "local", "at"),
    [
        ("2026-11-21T09:00:08", None, "2026-11-21T09:00:08+00:00"),
        ("2026-11-21T09:00:08Z", None, "2026-11-21T09:00:08+00:00"),
        (None, "2026-11-21T10:00:08", "2026-11-21T10:00:08+01:00"),
        ("0000-00-00T00:00:00", "2026-07-21T10:00:08", "2026-07-21T10:00:08+02:00"),
        ("0001-01-01T00:00:00", "2026-11-21T10:00:08", None),
        ({"date": "2026-11-21 09:00:08.000000", "timezone": "UTC"}, "2026-11-21T10:00:08", "2026-11-21T10:00:08+01:00"),
    ],
)
async def test_a_time_is_read_however_it_is_written(gmt: JsonValue, local: JsonValue, at: str | None) -> None:
    found = await reading(setting(date_modified_gmt=gmt, date_modified=local))
    placed = await reading(setting(date_modified_gmt=None, date_modified=None))
    assert found.at.isoformat() == (at or placed.at.isoformat())


@pytest.mark.parametrize("name", ["Ada 例え", "آدا مثال", "Ада", "Ada 👩‍🔬", "O'Ada &amp; Sons"])
async def test_a_name_of_any_script_is_the_buyers_and_a_guest_is_not_called_new(name: str) -> None:
    order = (await reading(lambda body: body["billing"].update(first_name=name, last_name=""))).order
    assert order.customer.name == name
    assert order.customer.relation is not Relation.NEW


async def test_two_hundred_lines_are_two_hundred_lines() -> None:
    line: Body = {"product_id": 1, "quantity": "1", "subtotal": "0.01", "total": "0.01"}
    change = setting(
        line_items=[{**line, "name": f"n{n}"} for n in range(200)], fee_lines=[], gift_cards=[], shipping_total="0",
        total_tax="0", total="2.00",
    )  # fmt: skip
    order = (await reading(change)).order
    assert len({one.line_id for one in order.lines}) == 200
    assert add_up(order) == order.totals.total


async def test_a_box_alone_is_an_address_and_a_country_alone_is_none() -> None:
    empty = dict.fromkeys(
        ("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode"), ""
    )
    box = {**empty, "address_1": "PO Box 7", "city": "Reno", "postcode": 89501, "country": "US"}
    order = (await reading(setting(shipping=box))).order
    assert order.delivery_address is not None
    assert (order.delivery_address.street, order.delivery_address.postal_code) == ("PO Box 7", "89501")
    alone = (await reading(setting(shipping={**empty, "country": "US"}, billing={**empty, "country": "US"}))).order
    assert (alone.delivery_address, alone.billing_address) == (None, None)


def _paths(value: JsonValue, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += _paths(inner, (*at, key))
    return found


@pytest.mark.parametrize(
    "value", [None, "", -1, True, "x" * 5_000, {"a": 1}, [None], 10**30, "1,50"], ids=lambda v: str(v)[:9]
)
async def test_every_field_set_to_it_is_an_order_or_is_named(value: JsonValue) -> None:
    source, unnamed, read = shop(), [], 0
    for path in _paths(ORDER):
        body = copy.deepcopy(ORDER)
        holder: JsonValue = body
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = value
        try:
            await source.read(Delivery(id="1", topic="order.updated", body=json.dumps(body)))
            read += 1
        except InvalidInput as refused:
            unnamed += [path for problem in refused.problems if not problem.field]
    await source.aclose()
    assert read
    assert not unnamed


# Clocks, and what is changed meanwhile.


def _changed(number: int, at: str, **fields: JsonValue) -> Body:
    return {**ORDER, "id": number, "date_modified_gmt": at, **fields}


async def _asked_from(found: list[Body]) -> str:
    """Where the second look begins when the first, at NOW, found these."""
    async with running_peer() as peer:
        source = shop(peer.url)
        for _ in range(2):
            peer.will(json_answer(200, list[JsonValue](found)), json_answer(200, []))
        first = await source.look("", NOW)
        assert not first.more
        await source.look(first.cursor, NOW)
        await source.aclose()
        return peer.received[2].target.partition("modified_after=")[2].partition("&")[0].replace("%3A", ":")


@pytest.mark.parametrize(
    ("shops", "begins"),
    [
        ("2026-11-21T09:29:59", "2026-11-21T09:19:59"),
        ("2026-11-21T08:40:00", "2026-11-21T08:30:00"),  # its clock is behind: what comes next is stamped like that
        ("2026-11-21T11:00:00", "2026-11-21T09:20:00"),  # its clock is ahead
    ],
)
async def test_a_look_goes_on_by_the_shops_clock_where_that_is_behind(shops: str, begins: str) -> None:
    assert await _asked_from([_changed(1, shops)]) == begins


async def test_a_look_that_found_nothing_begins_where_it_began() -> None:
    assert await _asked_from([]) == (NOW - FIRST_LOOK - OVERLAP).strftime("%Y-%m-%dT%H:%M:%S")


async def test_what_changed_on_a_page_that_was_read_is_for_the_next_look() -> None:
    """The last page has a change of after the look began; one of the same time may be on the first."""
    async with running_peer() as peer:
        source = shop(peer.url)
        first_page = [_changed(n, "2026-11-21T09:00:00") for n in range(1, PAGE + 1)]
        peer.will(json_answer(200, list[JsonValue](first_page)))
        first = await source.look("", NOW)
        later = NOW + 2 * OVERLAP
        last = later.strftime("%Y-%m-%dT%H:%M:%S")
        peer.will(json_answer(200, [_changed(99, last)]), json_answer(200, []))
        second = await source.look(first.cursor, later)
        await source.aclose()
    assert json.loads(second.cursor)["since"] == "2026-11-21T09:30:00Z"


async def test_what_was_thrown_away_unheard_is_found_in_the_trash() -> None:
    async with running_peer() as peer:
        source = shop(peer.url)
        thrown = [_changed(n, "2026-11-21T09:00:00", status="trash") for n in range(1, PAGE + 2)]
        peer.will(json_answer(200, []), json_answer(200, list[JsonValue](thrown[:PAGE])))
        first = await source.look("", NOW)
        peer.will(json_answer(200, list[JsonValue](thrown[PAGE:])))
        second = await source.look(first.cursor, NOW)
        found = [(await source.read(one))[0] for one in (*first.deliveries, *second.deliveries)]
        await source.aclose()
        targets = [one.target for one in peer.received]
    assert ["status=trash" in target for target in targets] == [False, True, True]
    assert [("&page=2" in target) for target in targets] == [False, False, True]
    assert (first.more, second.more) == (True, False)
    assert {(one.external_id, one.standing) for one in found if isinstance(one, Snapshot)} == {
        (str(n), At.CANCELLED) for n in range(1, PAGE + 2)
    }


@pytest.mark.parametrize(("kind", "event"), [*product(["product", "customer", "coupon"], ["created", "deleted"])])
async def test_another_kind_of_thing_is_nothing_for_us(kind: str, event: str) -> None:
    topic = f"{kind}.{event}"
    assert list(await readings({"id": 1}, topic)) == [Skipped(why=f"not about an order, but {topic}")]
