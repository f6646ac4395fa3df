"""Magento: three ways in, one order out in the currency that was paid; answered once by a comment nobody is mailed."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus, TaxBasis
from orderack.errors import InvalidInput
from orderack.ports import Delivery, RawRequest, Snapshot, Standing
from orderack.sources._loose import payable
from orderack.sources._storefront_note import note_of
from orderack.sources.magento import Magento
from tests.conformance.source import NOW, Sample, SampleConformance, SourceConformance, given, quickly
from tests.sources.magento_bodies import BODY, KEY, ORDER, TOKEN, by_module, like, magento, snapshot, told
from tests.sources.mutations import mutated


class TestMagento(SourceConformance):
    name = "magento"
    secrets = (KEY, TOKEN)
    required = ("base_url", "access_token")
    body = BODY

    def make(self, base_url: str = "http://127.0.0.1:9") -> Magento:
        return magento(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return by_module(body, at)


class TestSamples(SampleConformance):
    """What is an order among the samples, wherever it stands in its file."""

    folder = "magento"

    def source(self) -> Magento:
        return magento()

    def samples(self, path: Path) -> Sequence[Sample] | str:
        try:
            found = list(_orders(json.loads(path.read_text())))
        except ValueError:
            return "no JSON"
        if not found:
            return "no order: a cart, an invoice, stock, or a request to the shop"
        return [self._sample(f"{path.name}:{one['increment_id']}", one) for one in found]

    def _sample(self, name: str, one: Mapping[str, JsonValue]) -> Sample:
        return Sample(name, Delivery(id="1", body=json.dumps(one)), Decimal(str(one["grand_total"])))

    def own(self) -> Sequence[Sample]:
        return (self._sample("our own payload", ORDER),)


def _orders(body: JsonValue):
    if isinstance(body, dict):
        # an invoice and a credit memo have a number and a total too, but no item that was ordered
        if {"increment_id", "grand_total", "items"} <= body.keys() and any(
            isinstance(item, dict) and "qty_ordered" in item for item in body["items"] or []
        ):
            yield body
        else:
            for value in body.values():
                yield from _orders(value)
    elif isinstance(body, list):
        for value in body:
            yield from _orders(value)


# ---------------------------------------------------------------------------------------------------- the order


def test_nothing_of_an_order_is_lost():
    found = snapshot(ORDER, **{"option 7": "design"})
    order = found.order
    assert (found.external_id, found.standing) == ("361", Standing.OPEN)
    assert found.at == datetime(2026, 11, 21, 9, 25, 2, tzinfo=UTC)
    assert order.trigger_at == datetime(2026, 11, 21, 9, 20, 11, tzinfo=UTC)
    assert (order.number, order.currency, order.customer.id, order.customer.name) == (
        "000000361",
        "SAR",
        "41",
        "آدا مثال",
    )
    assert (order.contacts.email, order.contacts.phone) == ("ada@example.com", "+15005550006")
    tee, part_a, part_b = order.lines
    assert (tee.sku, tee.quantity, tee.unit_price, tee.discount) == ("TEE-RED-M", 2, Decimal("37.5"), Decimal("7.5"))
    assert tee.design == "Für Ada"
    assert (part_a.sku, part_a.description, part_a.amount) == ("PART-A", "Part A (in Kit)", Decimal(45))
    assert part_b.codes[0].model_dump() == {"system": "magento_line", "id": "505"}
    assert order.totals.model_dump() == {
        "discount": Decimal("15.00"),
        "tax": Decimal("24.75"),
        "shipping": Decimal("30.00"),
        "fees": Decimal("15.00"),
        "tax_basis": TaxBasis.ADDED,
        "total": Decimal("204.75"),
    }
    assert add_up(order) == order.totals.total
    assert (order.delivery_address.company, order.delivery_address.city) == ("Example Ltd", "Jeddah")
    assert (order.billing_address.street2, order.billing_address.city) == ("Floor 2, Door 3", "الرياض")
    assert order.instructions == "Please ring twice\nLeave it with the neighbour"
    assert (order.payment.status, order.payment.terms) == (PaymentStatus.PENDING, "to be paid by Cash On Delivery")
    assert {(one.system, one.id) for one in order.external_ids} == {("magento", "361"), ("coupon", "TEA")}


def test_an_option_without_a_name_is_an_instruction():
    assert snapshot(ORDER).order.lines[0].instructions == "option 7: Für Ada"


@pytest.mark.parametrize(
    ("body", "fees", "credit"),
    [
        (like(grand_total=189.75, base_grand_total=50.6), "0", "0"),
        (like({"custom_fees": [{"custom_fee_amount": 15}]}), "15", "0"),
        (like({"gw_price": "5"}), "15", "0"),
        (like({"gift_cards_amount": 20, "base_gift_cards_amount": 5.33}, grand_total=169.75, base_grand_total=45.27),
         "0", "20"),
        (like({"customer_balance_amount": 9.75}, grand_total=180, base_grand_total=48), "0", "9.75"),
        (like(grand_total=182.25, base_grand_total=48.6), "0", "7.5"),
        (like(base_grand_total=65.6), "15", "0"),
    ],
)  # fmt: skip
def test_surcharges_gift_cards_and_points_re_add(body, fees, credit):
    order = snapshot(body).order
    assert (order.totals.fees, order.totals.credit) == (Decimal(fees), Decimal(credit))
    assert add_up(order) == order.totals.total == Decimal(str(body["grand_total"]))


@pytest.mark.parametrize(
    "changed",
    [{"grand_total": 999}, {"base_grand_total": 50.6}, {"subtotal": 90}, {"shipping_amount": 3}, {"tax_amount": None}],
)
def test_a_remainder_that_nothing_bears_out_is_left_for_a_person(changed):
    order = snapshot(like(**changed)).order
    assert order.totals.total == Decimal(str(changed.get("grand_total", "204.75")))
    assert add_up(order) != order.totals.total


def test_prices_with_tax_in_them_re_add_after_a_discount():
    rows = [{"item_id": 1, "sku": "A", "qty_ordered": 1, "row_total": 100, "row_total_incl_tax": 119}]
    body = like(
        items=rows,
        subtotal=100,
        discount_amount=-11.9,
        discount_tax_compensation_amount=1.9,
        shipping_amount=0,
        tax_amount=17.1,
        grand_total=107.1,
    )
    order = snapshot(body).order
    assert (order.totals.discount, order.totals.tax) == (Decimal("10.00"), Decimal("17.10"))
    assert add_up(order) == Decimal("107.10")


def test_a_bundle_with_a_price_of_its_own_is_a_line_and_its_parts_cost_nothing():
    body = like()
    for item in body["items"][3:]:
        item |= {"row_total": 0, "row_total_incl_tax": 0, "price": 0}
    order = snapshot(body).order
    assert [(line.sku, line.amount) for line in order.lines[1:]] == [
        ("KIT-A-B", Decimal(75)),
        ("PART-A", 0),
        ("PART-B", 0),
    ]
    assert add_up(order) == order.totals.total


def test_what_was_cancelled_or_refunded_is_no_longer_ordered():
    body = like(total_refunded=54.75, tax_refunded=6.75, shipping_refunded=0)
    body["items"][3]["qty_refunded"] = 3
    order = snapshot(body).order
    assert [line.sku for line in order.lines] == ["TEE-RED-M", "PART-B"]
    assert order.totals.total == Decimal("150.00")
    assert order.totals.tax == Decimal("18.00")
    assert add_up(order) == order.totals.total


@pytest.mark.parametrize(
    ("changed", "standing", "payment"),
    [
        ({}, Standing.OPEN, PaymentStatus.PENDING),
        ({"state": "pending_payment"}, Standing.NOT_YET, PaymentStatus.PENDING),
        ({"state": "payment_review"}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"state": "holded", "total_paid": 204.75}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"state": "processing", "status": "fraud"}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"state": "processing", "total_paid": 204.75}, Standing.OPEN, PaymentStatus.CONFIRMED),
        ({"state": "processing", "total_paid": 204.74}, Standing.OPEN, PaymentStatus.PENDING),
        ({"state": "complete", "total_paid": 204.75}, Standing.OPEN, PaymentStatus.CONFIRMED),
        ({"state": "canceled"}, Standing.CANCELLED, PaymentStatus.PENDING),
        ({"state": "closed", "total_paid": 204.75, "total_refunded": 204.75}, Standing.CANCELLED,
         PaymentStatus.CONFIRMED),
        ({"state": "new", "status": "custom_of_the_shop"}, Standing.OPEN, PaymentStatus.PENDING),
    ],
)  # fmt: skip
def test_every_state_has_its_meaning(changed, standing, payment):
    found = snapshot(like(**changed))
    assert (found.standing, found.order.payment.status) == (standing, payment)
    assert bool(found.reason) == (standing is Standing.CANCELLED)
    assert add_up(found.order) == found.order.totals.total == Decimal("204.75")


@pytest.mark.parametrize(
    ("payment", "terms"),
    [
        ({"method": "checkmo"}, "to be paid by check or money order"),
        ({"method": "purchaseorder", "po_number": "PO-9"}, "on account by purchase order"),
        ({"method": "braintree"}, "to be paid by braintree"),
        (None, None),
    ],
)
def test_terms_are_named_by_the_method(payment, terms):
    order = snapshot(like({"payment_additional_info": []}, payment=payment)).order
    assert order.payment.terms == terms
    assert order.purchase_order == ((payment or {}).get("po_number"))


def test_an_order_of_nothing_owes_nothing():
    rows = [{"item_id": 1, "sku": "A", "qty_ordered": 1, "row_total": 0}]
    zeros = dict.fromkeys(("subtotal", "discount_amount", "shipping_amount", "tax_amount", "grand_total"), 0)
    order = snapshot(like(items=rows, payment={"method": "free"}, **zeros)).order
    assert (order.payment.status, order.payment.terms) == (PaymentStatus.CONFIRMED, "nothing to pay")
    assert order.totals.total == 0


def test_a_guest_a_virtual_order_and_a_pickup():
    guest = snapshot(like(customer_is_guest=1, customer_id=None, customer_firstname=None, customer_lastname=None))
    assert guest.order.customer.id.startswith("guest-")
    assert guest.order.customer.name == "آدا مثال"
    virtual = snapshot(like({"shipping_assignments": []}, is_virtual=1)).order
    assert (virtual.order_type, virtual.delivery_address) == ("digital", None)
    pickup = snapshot(like({"pickup_location_code": "jeddah-1"})).order
    assert pickup.pickup.location == "Example Ltd, Bea Example, 2 Example Way, Jeddah"
    assert pickup.delivery_address is None
    bare = snapshot(like({"pickup_location_code": "jeddah-1", "shipping_assignments": None})).order
    assert bare.pickup.location == "jeddah-1"


def test_php_writes_an_empty_object_as_a_list():
    order = snapshot(like(extension_attributes=[], billing_address=[], payment=[], status_histories=None)).order
    assert (order.delivery_address, order.billing_address, order.payment.terms) == (None, None, None)


def test_our_own_comment_is_never_an_instruction():
    before = snapshot(ORDER).order
    ours = {"comment": note_of(told()), "created_at": "2026-11-21 09:20:12", "is_visible_on_front": 1}
    body = like(status_histories=[*ORDER["status_histories"], ours])
    assert snapshot(body).order.content_hash == before.content_hash


def test_gift_messages_are_instructions():
    message = {"sender": "Ada", "recipient": "Bea", "message": "Happy birthday"}
    order = snapshot(like({"gift_message": message})).order
    assert order.instructions.endswith("gift message to Bea from Ada: Happy birthday")


@pytest.mark.parametrize("field", ["entity_id", "created_at", "grand_total", "order_currency_code"])
async def test_what_an_order_cannot_be_without_is_named(field):
    source, body = magento(), like()
    del body[field]
    with pytest.raises(InvalidInput) as caught:
        await source.read(Delivery(id="1", body=json.dumps(body)))
    assert {problem.field for problem in caught.value.problems} & {field, "currency"}
    await source.aclose()


@given(body=mutated(ORDER))
@quickly
async def test_a_body_with_one_thing_wrong_is_an_order_or_a_named_refusal(body):
    source = magento()
    try:
        (found,) = await source.read(Delivery(id="1", body=json.dumps(body)))
    except InvalidInput:
        return
    finally:
        await source.aclose()
    said = Decimal(str(body["grand_total"]).strip())
    assert isinstance(found, Snapshot)
    assert found.order.totals.total == payable(said, found.order.currency)
