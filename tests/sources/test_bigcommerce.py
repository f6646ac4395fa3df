"""BigCommerce: hints verified, orders fetched with all that stands beside them, answered once by a metafield."""

import base64
import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from openapi_core import OpenAPI
from pydantic import JsonValue, TypeAdapter

from orderack.clients.wire import read
from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus, TaxBasis
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox import signatures
from orderack.errors import BadSignature, InDoubt, InvalidInput, Misconfigured, Unavailable
from orderack.ports import Connection, Delivery, Hint, RawRequest, Skipped, Snapshot, SourceAnswer, Standing
from orderack.sources._bigcommerce_order import snapshot_of
from orderack.sources._bigcommerce_wire import Whole
from orderack.sources._loose import payable
from orderack.sources.bigcommerce import BigCommerce, BigCommerceSettings
from tests.conformance.openapi import described_as
from tests.conformance.peer import Answer, CutOff, Peer, json_answer, running_peer
from tests.conformance.source import NOW, SPECS, Sample, SampleConformance, SourceConformance, given, quickly
from tests.sources.mutations import mutated

HERE = Path(__file__).resolve().parents[1] / "payloads" / "bigcommerce"
BODY = (HERE / "webhook.json").read_bytes().strip()
ORDER: dict[str, JsonValue] = json.loads((HERE / "order.json").read_text())
CLIENT_SECRET = "c" * 20 + "lient-secret"
TOKEN = "token-of-the-account"
_WHOLE = TypeAdapter(Whole)


def connection() -> Connection:
    return Connection(store="shop", system="bigcommerce", source="shop", country="DE", time_zone="Europe/Berlin")


def bigcommerce(base_url: str = "http://127.0.0.1:9", **settings: object) -> BigCommerce:
    given_ = {"store_hash": "abc123", "access_token": TOKEN, "client_secret": CLIENT_SECRET, "base_url": base_url}
    made = BigCommerceSettings(_env_file=None, **(given_ | settings))
    return BigCommerce(connection(), made, "ORDERACK_SOURCE_SHOP_BIGCOMMERCE_", clock=lambda: NOW)


def signed(body: bytes, at: datetime = NOW, secret: str = CLIENT_SECRET) -> RawRequest:
    key = base64.b64encode(secret.encode()).decode()
    headers = signatures.standard_webhooks(key, "msg_1", int(at.timestamp()), body)
    return RawRequest(url="https://shop.example/intake/shop/bigcommerce", headers=headers, body=body)


def like(order: Mapping[str, object] | None = None, **parts: object) -> dict[str, JsonValue]:
    """The order of the payloads, with other fields of its own, or other parts beside it."""
    body = copy.deepcopy(ORDER)
    body["order"] |= order or {}  # type: ignore[operator]
    return body | parts  # type: ignore[operator]


def snapshot(body: JsonValue) -> Snapshot:
    return snapshot_of(read(_WHOLE, json.dumps(body).encode()), connection())


class TestBigCommerce(SourceConformance):
    name = "bigcommerce"
    secrets = (CLIENT_SECRET, TOKEN)
    required = ("store_hash", "access_token")
    body = BODY

    def make(self, base_url: str = "http://127.0.0.1:9") -> BigCommerce:
        return bigcommerce(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return signed(body, at)


class TestSamples(SampleConformance):
    """Its API gives an order without its lines, which come by another call: a sample has to have both."""

    folder = "bigcommerce"

    def source(self) -> BigCommerce:
        return bigcommerce()

    def samples(self, path: Path) -> Sequence[Sample] | str:
        try:
            body = json.loads(path.read_text())
        except ValueError:
            return "no JSON"
        found = list(_orders(body))
        if not found:
            return "a webhook that names what it is about" if "scope" in body else "no order"
        whole = [one for one in found if isinstance(one.get("products"), list)]
        if not whole:
            return "an order without its lines, which come by another call"
        return [self._sample(f"{path.name}:{one['id']}", one) for one in whole]

    def _sample(self, name: str, one: Mapping[str, JsonValue]) -> Sample:
        parts = {name: one.get(name) or [] for name in ("products", "coupons")}
        body = json.dumps({"order": one, **parts})
        return Sample(name, Delivery(id="1", body=body), Decimal(str(one["total_inc_tax"])))

    def own(self) -> Sequence[Sample]:
        order = {**ORDER["order"], **{k: ORDER[k] for k in ("products", "coupons")}}
        return (self._sample("our own payload", order),)

    async def _result(self, source: object, sample: Sample) -> tuple[str, str]:
        class Fetched:
            async def read(self, delivery: Delivery) -> Sequence[Snapshot]:
                return (snapshot_of(read(_WHOLE, delivery.body.encode()), connection()),)

        return await super()._result(Fetched(), sample)  # type: ignore[arg-type]


def _orders(body: JsonValue):
    if isinstance(body, dict):
        if "total_inc_tax" in body and "status_id" in body:
            yield body
        for value in body.values():
            yield from _orders(value)
    elif isinstance(body, list):
        for value in body:
            yield from _orders(value)


def test_nothing_of_an_order_is_lost():
    found = snapshot(ORDER)
    order = found.order
    assert (found.external_id, found.standing) == ("250", Standing.OPEN)
    assert found.at == datetime(2026, 11, 21, 9, 25, 2, tzinfo=UTC)
    assert order.trigger_at == datetime(2026, 11, 21, 9, 20, 11, tzinfo=UTC)
    assert (order.number, order.currency, order.customer.id, order.customer.name) == ("250", "EUR", "11", "Ada Example")
    assert (order.contacts.email, order.contacts.phone) == ("ada@example.com", "+15005550006")
    assert order.contacts.language == "pt-BR"
    cake, candle = order.lines
    assert (cake.line_id, cake.sku, cake.quantity, cake.unit_price) == ("116", "CAKE-1", 2, Decimal("20.0000"))
    assert (cake.design, cake.dietary, cake.discount) == ("Für Ada", "No nuts", Decimal("3.0000"))
    assert cake.instructions == "Size: Large\ngift wrapping: Red paper\nHappy birthday"
    assert {(code.system, code.id) for code in cake.codes} >= {("bigcommerce_line", "116"), ("gtin", "1234567891231")}
    assert candle.sku == "variant:510"
    assert order.totals.model_dump() == {
        "discount": Decimal("5.00"),
        "tax": Decimal("13.87"),
        "shipping": Decimal("10.00"),
        "fees": Decimal("6.00"),
        "tax_basis": TaxBasis.ADDED,
        "total": Decimal("86.87"),
    }
    assert add_up(order) == order.totals.total
    assert order.delivery_address.company == "Example Ltd"
    assert (order.delivery_address.street2, order.delivery_address.city) == ("Back door", "Bonn")
    assert order.billing_address.region == "Nordrhein-Westfalen"
    assert order.instructions == "Please ring twice\nDelivery Instructions: Leave in backyard"
    assert order.purchase_order == "PO-77"
    assert (order.payment.status, order.payment.terms) == (PaymentStatus.CONFIRMED, "prepaid by Credit Card")
    assert {(one.system, one.id) for one in order.external_ids} == {
        ("bigcommerce", "250"),
        ("bigcommerce_external", "X-9"),
        ("coupon", "TEA"),
    }
    assert "Difficult" not in order.model_dump_json()


@pytest.mark.parametrize(
    ("changed", "totals"),
    [
        ({"is_tax_inclusive_pricing": True}, {"tax_basis": TaxBasis.ADDED, "total": "86.87"}),
        (
            {"is_tax_inclusive_pricing": True, "total_inc_tax": "87.8200"},
            {"tax_basis": TaxBasis.INCLUDED, "total": "87.82", "shipping": "11.90", "fees": "7.14"},
        ),
        ({"total_inc_tax": "87.8200"}, {"tax_basis": TaxBasis.INCLUDED, "total": "87.82"}),
        ({"store_credit_amount": "6.8700"}, {"total": "86.87"}),
        ({"gift_certificate_amount": "6.8700", "total_inc_tax": "80.0000"}, {"total": "80.00", "credit": "6.87"}),
        ({"coupon_discount": None, "discount_amount": "5"}, {"discount": "5.00", "total": "86.87"}),
    ],
)
def test_money_re_adds_by_the_prices_that_the_shop_sells_at(changed, totals):
    order = snapshot(like(changed)).order
    for name, value in totals.items():
        wanted = value if name == "tax_basis" else Decimal(value)
        assert getattr(order.totals, name) == wanted, name
    assert add_up(order) == order.totals.total


def test_money_that_does_not_re_add_stays_as_bigcommerce_says():
    order = snapshot(like({"total_inc_tax": "99.0000"})).order
    assert order.totals.total == Decimal("99.00")
    assert add_up(order) == Decimal("86.87")


def test_credit_that_is_a_payment_is_told_by_the_terms():
    payment = snapshot(like({"store_credit_amount": "6.8700"})).order.payment
    assert payment.terms == "prepaid by Credit Card and 6.87 of store credit"


def test_yen_have_no_cents_and_nothing_is_converted():
    body = like({"default_currency_code": "JPY"})
    order = snapshot(body).order
    assert order.currency == "JPY"
    assert order.totals.total == Decimal("87")


REFUND = {
    "total_amount": 34,
    "total_tax": 3.8,
    "items": [
        {"item_type": "PRODUCT", "item_id": 116, "quantity": 1},
        {"item_type": "SHIPPING", "item_id": 81, "quantity": 1},
    ],
    "payments": [{"is_declined": False}],
}


def test_what_was_refunded_is_no_longer_ordered_and_the_rest_re_adds():
    order = snapshot(like({"status_id": 14}, refunds=[REFUND])).order
    assert order.lines[0].quantity == 1
    assert order.totals.total == Decimal("52.87")
    assert order.totals.tax == Decimal("10.07")
    assert add_up(order) == order.totals.total
    gone = {**REFUND, "items": [{"item_type": "PRODUCT", "item_id": 116, "quantity": 2}]}
    assert [line.line_id for line in snapshot(like(refunds=[gone])).order.lines] == ["117"]


def test_a_refund_whose_payment_was_declined_has_not_happened():
    declined = {**REFUND, "payments": [{"is_declined": True}]}
    assert snapshot(like(refunds=[declined])).order.content_hash == snapshot(ORDER).order.content_hash


@pytest.mark.parametrize(
    ("fields", "standing", "payment"),
    [
        ({"status_id": 0, "payment_status": ""}, Standing.NOT_YET, PaymentStatus.PENDING),
        ({"status_id": 1, "payment_status": ""}, Standing.NOT_YET, PaymentStatus.PENDING),
        ({"status_id": 7, "payment_status": ""}, Standing.OPEN, PaymentStatus.PENDING),
        ({"status_id": 7, "payment_status": "authorized"}, Standing.OPEN, PaymentStatus.PENDING),
        ({"status_id": 11, "payment_status": "authorized"}, Standing.OPEN, PaymentStatus.CONFIRMED),
        ({"status_id": 11, "payment_status": ""}, Standing.OPEN, PaymentStatus.CONFIRMED),
        ({"status_id": 11, "payment_status": "capture pending"}, Standing.OPEN, PaymentStatus.PENDING),
        ({"status_id": 11, "payment_status": "held for review"}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"status_id": 7, "payment_status": "declined"}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"status_id": 7, "payment_status": "void"}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"status_id": 11, "payment_status": "paid"}, Standing.OPEN, PaymentStatus.CONFIRMED),
        ({"status_id": 12, "payment_status": "paid"}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"status_id": 13, "payment_status": "captured"}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"status_id": 5, "status": "Cancelled"}, Standing.CANCELLED, PaymentStatus.CONFIRMED),
        ({"status_id": 4, "payment_status": "refunded"}, Standing.CANCELLED, PaymentStatus.CONFIRMED),
        ({"status_id": 6, "payment_status": "declined"}, Standing.CANCELLED, PaymentStatus.FLAGGED),
        ({"status_id": 11, "is_deleted": True}, Standing.CANCELLED, PaymentStatus.CONFIRMED),
        ({"status_id": 10, "is_deleted": True}, Standing.OPEN, PaymentStatus.CONFIRMED),
    ],
)
def test_every_status_has_its_meaning(fields, standing, payment):
    found = snapshot(like(fields))
    assert (found.standing, found.order.payment.status) == (standing, payment)
    assert bool(found.reason) == (standing is Standing.CANCELLED)


def test_a_guest_is_known_by_an_id_that_names_nobody():
    order = snapshot(like({"customer_id": 0})).order
    assert order.customer.id.startswith("guest-")
    assert "ada" not in order.customer.id
    nobody = snapshot(like({"customer_id": 0, "billing_address": [], "consignments": None})).order
    assert nobody.customer.id.startswith("guest-")
    assert (nobody.contacts.email, nobody.contacts.phone, nobody.delivery_address) == (None, None, None)


def test_a_digital_order_goes_nowhere():
    order = snapshot(like({"order_is_digital": True, "consignments": {"shipping": [], "downloads": [{}]}})).order
    assert (order.order_type, order.delivery_address) == ("digital", None)


def test_an_order_that_is_fetched_says_where():
    spot = {"id": 3, "name": "Store One", "address_line_1": "3 Example Way", "city": "Köln"}
    consignments = {"pickups": [{"id": 1, "pickup_method_display_name": "Pickup", "location": spot}], "shipping": []}
    order = snapshot(like({"consignments": consignments})).order
    assert order.pickup.location == "Store One, 3 Example Way, Köln"
    assert order.delivery_address is None


def test_a_second_address_stands_at_its_lines():
    body = like()
    first = body["order"]["consignments"]["shipping"][0]
    second = {**first, "id": 82, "first_name": "Bea", "street_1": "9 Other Way"}
    body["order"]["consignments"]["shipping"].append(second)
    body["products"][1]["order_address_id"] = 82
    cake, candle = snapshot(body).order.lines
    assert "deliver to" not in cake.instructions
    assert candle.instructions == "deliver to: Bea Example, Example Ltd, 9 Other Way, Back door, 53111, Bonn, Germany"


def test_a_lines_own_date_is_the_day_that_is_wanted():
    body = like()
    body["products"][0]["event_date"] = "Tue, 24 Nov 2026 00:00:00 +0000"
    window = snapshot(body).order.delivery_window
    assert window.start.isoformat() == "2026-11-24T00:00:00+01:00"


@pytest.mark.parametrize("field", ["id", "total_inc_tax", "date_created", "default_currency_code"])
def test_what_an_order_cannot_be_without_is_named(field):
    body = like({field: None})
    if field == "default_currency_code":
        body["order"]["currency_code"] = ""
    with pytest.raises(InvalidInput) as caught:
        snapshot(body)
    named = {problem.field.rpartition(".")[2] for problem in caught.value.problems}
    assert named & {field, "currency"}


@given(body=mutated(ORDER))
@quickly
def test_a_body_with_one_thing_wrong_is_an_order_or_a_named_refusal(body):
    try:
        found = snapshot(body)
    except InvalidInput:
        return
    said = body["order"]["total_inc_tax"]
    refunds = sum((Decimal(str(one.get("total_amount") or 0)) for one in body.get("refunds", [])), Decimal(0))
    assert found.order.totals.total == payable(Decimal(str(said).strip()) - refunds, found.order.currency)


# ----------------------------------------------------------------------------------------------- what it posts


async def test_a_webhook_is_a_hint_and_its_hash_makes_it_one():
    source = bigcommerce()
    (delivery,) = source.deliveries(signed(BODY))
    assert delivery.id == "store/order/created:dd70c0976e06b67aaf671e73f49dcb79230ebf9d"
    assert delivery.sent_at is not None
    assert await source.read(delivery) == (Hint(external_id="250"),)
    updated = BODY.replace(b"order/created", b"order/updated")
    (other,) = source.deliveries(signed(updated))
    assert other.id != delivery.id  # BigCommerce's own samples of the two share a hash
    await source.aclose()


async def test_every_sample_webhook_is_a_hint_or_has_nothing_for_us():
    if not SPECS.is_dir():
        pytest.skip("the vendors' samples are not beside this checkout")
    source, hints = bigcommerce(), 0
    for path in sorted((SPECS / "bigcommerce" / "samples" / "webhooks").glob("*.json")):
        body = path.read_text().replace("{store_hash}", "abc123")
        (reading,) = await source.read(Delivery(id="1", body=body))
        is_order = json.loads(body)["scope"].startswith("store/order")
        assert isinstance(reading, Hint) == is_order, path.name
        hints += is_order
        (foreign,) = await source.read(Delivery(id="1", body=path.read_text()))
        assert isinstance(foreign, Skipped)
    assert hints >= 3
    await source.aclose()


async def test_signatures_are_of_our_secret_and_of_now():
    source = bigcommerce()
    await source.verify(signed(BODY))
    for wrong in (signed(BODY, secret="another secret of the app"), signed(BODY, NOW - timedelta(minutes=6))):
        with pytest.raises(BadSignature):
            await source.verify(wrong)
    await source.aclose()


async def test_an_unsigned_hook_is_known_by_the_header_it_was_made_with():
    source = bigcommerce(client_secret=None, header_name="X-Shop-Key", header_value="k" * 20)
    right = RawRequest(url="https://shop.example", headers={"x-shop-key": "k" * 20}, body=BODY)
    await source.verify(right)
    for headers in ({}, {"x-shop-key": "wrong"}, {"x-orderack-secret": "k" * 20}):
        with pytest.raises(BadSignature):
            await source.verify(right.model_copy(update={"headers": headers}))
    await source.aclose()
    with pytest.raises(ValueError, match="CLIENT_SECRET"):
        bigcommerce(client_secret=None)


# --------------------------------------------------------------------------------------------- what is asked


@cache
def described(file: str) -> OpenAPI:
    if not SPECS.is_dir():
        pytest.skip("the vendors' descriptions are not beside this checkout")
    return OpenAPI.from_file_path(str(SPECS / "bigcommerce" / file))


def held_against_the_description(peer: Peer) -> None:
    for request in peer.received:
        assert request.headers["x-auth-token"] == TOKEN
        file = "orders.v3.yml" if "/v3/" in request.target else "orders.v2.oas2.yml"
        # `sort`: its text says that `:asc` may follow a field's name, its list of names forgets it
        target = request.target.replace("date_modified%3Aasc", "date_modified")
        described_as(described(file), "https://api.bigcommerce.com", replace(request, target=target))


HEAD, LINES = json_answer(200, ORDER["order"]), json_answer(200, ORDER["products"])
COUPONS = json_answer(200, ORDER["coupons"])


async def test_an_order_is_fetched_with_its_lines_and_coupons():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(HEAD, LINES, COUPONS)
        (found,) = await source.fetch("250")
        assert found == snapshot(ORDER)
        paths = [urlsplit(one.target).path.removeprefix("/stores/abc123") for one in peer.received]
        assert paths == ["/v2/orders/250", "/v2/orders/250/products", "/v2/orders/250/coupons"]
        held_against_the_description(peer)
        await source.aclose()


async def test_addresses_and_refunds_are_asked_for_where_there_may_be_some():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        head = {**ORDER["order"], "consignments": {"url": "x"}, "coupon_discount": "0", "status_id": 14}
        place = ORDER["order"]["consignments"]["shipping"]
        peer.will(json_answer(200, head), LINES, json_answer(200, place), json_answer(200, {"data": [REFUND]}))
        (found,) = await source.fetch("250")
        assert found.order.delivery_address.city == "Bonn"
        assert found.order.lines[0].quantity == 1
        assert peer.received[-1].target.endswith("/v3/orders/250/payment_actions/refunds")
        held_against_the_description(peer)
        await source.aclose()


async def test_lines_come_page_by_page_and_an_empty_list_is_a_204():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        many = [{**ORDER["products"][0], "id": n} for n in range(250)]
        peer.will(json_answer(200, {**ORDER["order"], "coupon_discount": "0"}), json_answer(200, many), Answer(204))
        (found,) = await source.fetch("250")
        assert len(found.order.lines) == 250
        assert "page=2" in peer.received[2].target
        await source.aclose()


@pytest.mark.parametrize(
    ("reaction", "fate"),
    [
        (Answer(429, headers={"X-Rate-Limit-Time-Reset-Ms": "15000"}), Unavailable),
        (Answer(503), Unavailable),
        (CutOff(), Unavailable),
        (Answer(200, b"<html>It works!</html>"), Unavailable),
        (Answer(400), Unavailable),
        (Answer(401), Misconfigured),
        (Answer(403), Misconfigured),
    ],
)
async def test_what_goes_wrong_while_asking_has_its_fate(reaction, fate):
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(HEAD, reaction)
        with pytest.raises(fate) as caught:
            await source.fetch("250")
        if isinstance(reaction, Answer) and reaction.status == 429:
            assert caught.value.retry_after == timedelta(seconds=15)
        assert TOKEN not in str(caught.value)
        await source.aclose()


async def test_an_order_that_is_not_there_is_skipped():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(Answer(404))
        for external_id in ("250", "../3"):
            (found,) = await source.fetch(external_id)
            assert isinstance(found, Skipped)
        assert len(peer.received) == 1
        await source.aclose()


def _row(number: int, minute: int) -> JsonValue:
    return {"id": number, "date_modified": f"Sat, 21 Nov 2026 09:{minute:02}:00 +0000", "total_inc_tax": "1.0000"}


async def test_a_look_asks_by_the_time_of_change_and_goes_a_little_back():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(json_answer(200, [_row(1, 10), _row(2, 12)]), Answer(204))
        first = await source.look("", NOW)
        assert [(await source.read(one))[0] for one in first.deliveries] == [
            Hint(external_id="1"),
            Hint(external_id="2"),
        ]
        assert not first.more
        again = await source.look(first.cursor, NOW)
        assert again.deliveries == ()
        asked = [parse_qs(urlsplit(one.target).query) for one in peer.received]
        assert asked[0]["min_date_modified"] == [(NOW - timedelta(hours=1, minutes=2)).isoformat()]
        assert asked[0]["sort"] == ["date_modified:asc"]
        assert asked[1]["min_date_modified"] == ["2026-11-21T09:10:00+00:00"]
        held_against_the_description(peer)
        await source.aclose()


async def test_full_pages_are_followed_without_a_gap():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        same_minute = [_row(n, 20) for n in range(250)]
        peer.will(json_answer(200, same_minute), json_answer(200, same_minute), json_answer(200, [_row(999, 20)]))
        seen, cursor, more = set(), "", True
        while more:
            looked = await source.look(cursor, NOW)
            seen |= {one.id for one in looked.deliveries}
            cursor, more = looked.cursor, looked.more
        assert len(seen) == 251
        asked = [parse_qs(urlsplit(one.target).query) for one in peer.received]
        assert [(one["min_date_modified"], one["page"]) for one in asked[1:]] == [
            (["2026-11-21T09:20:00+00:00"], ["1"]),
            (["2026-11-21T09:20:00+00:00"], ["2"]),
        ]
        await source.aclose()


# ------------------------------------------------------------------------------------------------ what is told


def told(stage: AnswerStage = AnswerStage.CONFIRMED, revision: int = 1) -> SourceAnswer:
    order = snapshot(ORDER).order
    return SourceAnswer(
        key=AnswerKey(ref=order.ref, revision=revision, stage=stage),
        order=order,
        external_id="250",
        document_id="SO-1",
        page_url="https://shop.example/o/1",
        now=NOW,
    )


NOTHING = json_answer(200, {"data": [], "meta": {}})


async def test_an_answer_is_looked_for_before_it_is_written():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(NOTHING, json_answer(200, {"data": {"id": 6}, "meta": {}}), json_answer(200, {"data": [{"id": 6}]}))
        first = await source.answer(told())
        again = await source.answer(told())
        assert (first.state, first.reference) == (again.state, again.reference) == (AnswerState.ACCEPTED, "6")
        assert [one.method for one in peer.received] == ["GET", "POST", "GET"]
        written = json.loads(peer.received[1].body)
        assert (written["namespace"], written["key"], written["permission_set"]) == ("orderack", "confirmed-1", "read")
        assert "SO-1" in written["value"]
        assert "https://shop.example/o/1" in written["value"]
        assert "ada@example.com" not in written["value"]
        held_against_the_description(peer)
        await source.aclose()


@pytest.mark.parametrize(
    ("reaction", "outcome"),
    [
        (Answer(409), AnswerState.ACCEPTED),
        (Answer(404), AnswerState.REFUSED),
        (Answer(422), AnswerState.REFUSED),
        (Answer(401), Misconfigured),
        (Answer(429, headers={"X-Rate-Limit-Time-Reset-Ms": "1000"}), Unavailable),
        (Answer(500), InDoubt),
        (CutOff(), InDoubt),
        (Answer(200, b"<html>It works!</html>"), InDoubt),
    ],
)
async def test_every_answer_to_an_answer_has_its_fate(reaction, outcome):
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(NOTHING, reaction)
        if isinstance(outcome, AnswerState):
            assert (await source.answer(told())).state is outcome
        else:
            with pytest.raises(outcome):
                await source.answer(told())
        await source.aclose()
