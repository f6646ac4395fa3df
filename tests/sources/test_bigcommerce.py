"""BigCommerce: an order with all that stands beside it, as ours."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import JsonValue

from orderack.clients.wire import read
from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus, TaxBasis
from orderack.errors import InvalidInput
from orderack.ports import Delivery, RawRequest, Snapshot, Standing
from orderack.sources._bigcommerce_order import snapshot_of
from orderack.sources._loose import payable
from orderack.sources.bigcommerce import BigCommerce
from tests.conformance.source import NOW, Sample, SampleConformance, SourceConformance, given, quickly
from tests.sources.bigcommerce_bodies import (
    BODY,
    CLIENT_SECRET,
    ORDER,
    REFUND,
    TOKEN,
    WHOLE,
    bigcommerce,
    connection,
    like,
    signed,
    snapshot,
)
from tests.sources.mutations import mutated


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
                return (snapshot_of(read(WHOLE, delivery.body.encode()), connection()),)

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
