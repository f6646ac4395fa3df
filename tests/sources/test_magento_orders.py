"""Magento orders in every shape that is documented, or was seen in the wild: an order, or a field that is named."""

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal

import pytest
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus, Relation, TaxBasis
from orderack.domain.source import AnswerState
from orderack.errors import InvalidInput
from orderack.ports import Standing
from orderack.sources._storefront_note import note_of
from tests.conformance.peer import Answer, json_answer, running_peer
from tests.conformance.source import NOW
from tests.sources.magento_bodies import NOTHING, ORDER, like, magento, snapshot, told


def item(number: int, sku: str, total: object, **fields: object) -> JsonValue:
    return {"item_id": number, "sku": sku, "name": sku, "qty_ordered": 1, "row_total": total, **fields}  # type: ignore[dict-item]


def of(items: object, total: object, parts: Mapping[str, object] | None = None, **sums: object) -> JsonValue:
    """An order of these rows, with these sums and no others; the same in its base currency."""
    nothing = ("discount_amount", "shipping_amount", "shipping_incl_tax", "tax_amount", "subtotal")
    said = dict.fromkeys(nothing, 0) | {"subtotal_incl_tax": None, "grand_total": total} | sums
    return like(parts, items=items, **said, **{f"base_{name}": value for name, value in said.items()})


@pytest.mark.parametrize("guest", [{"customer_is_guest": 1, "customer_id": None}, {"customer_id": 0}, {}])
def test_who_is_a_guest_is_not_thereby_new(guest):
    assert snapshot(like(**guest)).order.customer.relation is Relation.REPEAT


# --------------------------------------------------------------------------------------------- what is ordered


def test_rows_that_are_written_after_their_discount_cost_what_they_did_before():
    rows = [
        item(1, "HOODIE", 55.2, price=69, price_incl_tax=74.69, row_total_incl_tax=59.75, discount_amount=13.8),
        item(2, "DRESS", 179.2, price=224, price_incl_tax=242.48, row_total_incl_tax=193.99, discount_amount=44.8),
    ]
    sums = {"subtotal": 293, "subtotal_incl_tax": 317.17, "discount_amount": -58.6, "tax_amount": 19.34}
    order = snapshot(of(rows, 253.74, **sums)).order
    assert [(line.amount, line.discount) for line in order.lines] == [(69, Decimal("13.8")), (224, Decimal("44.8"))]
    assert (order.totals.discount, order.totals.tax_basis) == (Decimal("58.60"), TaxBasis.ADDED)
    assert add_up(order) == order.totals.total == Decimal("253.74")


def test_rows_after_their_discount_are_exact_where_their_prices_are_rounded():
    rows = [item(1, "A", "90.00", qty_ordered=3, price="33.33", discount_amount=10)]
    order = snapshot(of(rows, 90, subtotal=100, discount_amount=-10)).order
    assert (order.lines[0].amount, order.lines[0].subtotal) == (100, 100)
    assert add_up(order) == order.totals.total == 90


def test_a_discount_of_everything_leaves_the_line_and_its_price():
    rows = [
        item(1, "SHORT-29", 0, product_type="configurable", price=44, discount_amount=44),
        item(2, "SHORT-29", 0, product_type="simple", price=44, parent_item_id=1),
    ]
    sums = {"subtotal": 44, "discount_amount": -49, "shipping_amount": 5}
    order = snapshot(of(rows, 0, payment={"method": "free"}, **sums)).order
    assert [(line.sku, line.amount) for line in order.lines] == [("SHORT-29", 44)]
    assert add_up(order) == order.totals.total == 0
    assert order.payment.terms == "nothing to pay"


@pytest.mark.parametrize("discounted", [False, True])
def test_a_bundle_that_is_priced_by_its_parts_is_its_parts_whatever_is_left_of_their_price(discounted):
    left = 0 if discounted else 1
    rows = [
        item(1, "KIT", 75 * left, product_type="bundle"),
        item(2, "A", 45 * left, parent_item_id=1, discount_amount=45, price=45),
        item(3, "B", 30 * left, parent_item={"item_id": 1}, discount_amount=30, price=30),
    ]
    order = snapshot(of(rows, 0, subtotal=75, discount_amount=-75)).order
    assert [(line.sku, line.amount) for line in order.lines] == [("A", 45), ("B", 30)]
    assert add_up(order) == order.totals.total == 0


def test_a_variant_that_repeats_its_price_is_counted_once():
    rows = [item(1, "TEE-M", 20, product_type="configurable"), item(2, "TEE-M", 20, parent_item_id=1)]
    order = snapshot(of(rows, 20, subtotal=20)).order
    assert [line.line_id for line in order.lines] == ["1"]
    assert add_up(order) == 20


def test_a_part_of_a_kind_that_nobody_knows_is_not_lost():
    rows = [item(1, "SUIT", 20, product_type="a new kind"), item(2, "SOCKS", 5, parent_item_id=1)]
    order = snapshot(of(rows, 25, subtotal=25)).order
    assert [line.sku for line in order.lines] == ["SUIT", "SOCKS"]
    assert add_up(order) == 25


def test_rows_without_totals_are_reckoned_by_their_price():
    rows = [{"item_id": 1, "sku": "A", "qty_ordered": "3.0000", "price": "33.3333"}]
    order = snapshot(of(rows, 100, subtotal="99.9999")).order
    assert (order.lines[0].unit_price, order.lines[0].quantity) == (Decimal("33.3333"), 3)
    with pytest.raises(InvalidInput, match="row_total"):
        snapshot(of([{"item_id": 1, "sku": "A", "qty_ordered": 1}], 100, subtotal=100))


@pytest.mark.parametrize(
    ("types", "order_type"),
    [
        (("downloadable", "virtual"), "digital"),
        (("downloadable", "simple"), "standard"),
        (("grouped", "simple"), "standard"),
        ((None, "a new kind"), "standard"),
    ],
)
@pytest.mark.parametrize("parts", [None, [], {}, {"shipping_assignments": [{"shipping": {"address": None}}]}])
def test_what_is_not_shipped_needs_no_address(types, order_type, parts):
    rows = [item(n, "X", 1, product_type=kind) for n, kind in enumerate(types, 1)]
    body = of(rows, 2, subtotal=2) | {"extension_attributes": parts, "is_virtual": 0}
    order = snapshot(body).order
    assert (order.order_type, order.delivery_address, len(order.lines)) == (order_type, None, 2)


def test_each_part_of_a_split_order_says_where_it_goes():
    body = like()
    (first,) = body["extension_attributes"]["shipping_assignments"]
    address = {**first["shipping"]["address"], "firstname": "Zoë", "street": ["P.O. Box 7"], "city": "臺北市"}
    first["items"] = [{"item_id": 501}, {"item_id": 502}]
    second = {"shipping": {"address": address}, "items": [{"item_id": "504"}]}
    same = {"shipping": first["shipping"], "items": [{"item_id": 505}]}
    body["extension_attributes"]["shipping_assignments"] += [second, same, {"shipping": None, "items": None}]
    tee, part_a, part_b = snapshot(body).order.lines
    assert part_a.instructions.startswith("deliver to: Zoë Example, Example Ltd, P.O. Box 7")
    assert "臺北市" in part_a.instructions
    assert "deliver to" not in f"{tee.instructions} {part_b.instructions}"


# ----------------------------------------------------------------------------------------------------- money


def test_the_base_currency_is_never_what_is_paid():
    body = like(
        base_grand_total=1, base_subtotal=1, base_tax_amount=1, base_to_order_rate=999, base_currency_code="JPY"
    )
    order = snapshot(body).order
    assert (order.currency, order.totals.total) == ("SAR", Decimal("204.75"))


def test_prices_with_tax_in_them_are_read_so_where_only_they_re_add():
    rows = [item(1, "A", "33.61", row_total_incl_tax="40.0000", qty_ordered="4.0000")]
    sums = {"subtotal": "33.61", "subtotal_incl_tax": "40", "tax_amount": "6.40", "grand_total": "40.0000"}
    order = snapshot(of(rows, "40.0000", **sums)).order
    assert (order.totals.tax_basis, order.totals.tax, order.lines[0].unit_price) == (
        TaxBasis.INCLUDED,
        Decimal("6.40"),
        10,
    )
    assert add_up(order) == 40


@pytest.mark.parametrize(
    ("gone", "total", "fees", "discount"),
    [
        ({"total_refunded": 45, "tax_refunded": 0}, "159.75", "15.00", "15.00"),
        ({"total_refunded": 40, "adjustment_negative": 5}, "164.75", "20.00", "15.00"),
        ({"total_refunded": 55, "adjustment_positive": 10}, "149.75", "15.00", "25.00"),
        ({"total_canceled": 45}, "159.75", "15.00", "15.00"),
    ],
)
def test_what_a_credit_memo_adds_or_keeps_is_a_discount_or_a_fee(gone, total, fees, discount):
    body = like(**gone)
    body["items"][3]["qty_canceled" if "total_canceled" in gone else "qty_refunded"] = 3
    order = snapshot(body).order
    assert [line.sku for line in order.lines] == ["TEE-RED-M", "PART-B"]
    assert (order.totals.total, order.totals.fees, order.totals.discount) == tuple(
        map(Decimal, (total, fees, discount))
    )
    assert add_up(order) == order.totals.total


def test_part_of_a_line_bears_part_of_its_discount():
    body = like(total_refunded=15, tax_refunded=0)
    body["items"][3]["qty_refunded"] = 1
    part = snapshot(body).order.lines[1]
    assert (part.quantity, part.amount, part.discount) == (2, 30, 3)


def test_an_order_that_did_not_add_up_is_not_made_to_by_a_refund():
    order = snapshot(like(subtotal=90, total_refunded=10)).order
    assert order.totals.total == Decimal("194.75")
    assert add_up(order) != order.totals.total


def test_more_refunded_than_was_paid_is_named():
    with pytest.raises(InvalidInput) as caught:
        snapshot(like(total_refunded=500))
    assert {problem.field for problem in caught.value.problems} == {"totals.total"}


@pytest.mark.parametrize("name", ["gift_cards_amount", "customer_balance_amount", "reward_currency_amount"])
def test_credit_of_every_kind_lowers_the_total(name):
    order = snapshot(of([item(1, "A", 30)], "10.0000", {name: "20.0000"}, subtotal=30)).order
    assert (order.totals.credit, order.totals.total) == (20, 10)
    assert add_up(order) == 10


# ------------------------------------------------------------------------------------------- states and texts


@pytest.mark.parametrize(
    ("state", "standing", "payment"),
    [
        ("new", Standing.OPEN, PaymentStatus.PENDING),
        ("processing", Standing.OPEN, PaymentStatus.PENDING),
        ("complete", Standing.OPEN, PaymentStatus.PENDING),
        ("pending_payment", Standing.NOT_YET, PaymentStatus.PENDING),
        ("payment_review", Standing.OPEN, PaymentStatus.FLAGGED),
        ("holded", Standing.OPEN, PaymentStatus.FLAGGED),
        ("canceled", Standing.CANCELLED, PaymentStatus.PENDING),
        ("closed", Standing.CANCELLED, PaymentStatus.PENDING),
        ("a state of tomorrow", Standing.OPEN, PaymentStatus.PENDING),
    ],
)
@pytest.mark.parametrize("told_as", ["state", "status"])
def test_a_state_that_is_not_told_is_known_by_its_status(told_as, state, standing, payment):
    found = snapshot(like(**({"state": None, "status": None} | {told_as: state})))
    assert (found.standing, found.order.payment.status) == (standing, payment)


@pytest.mark.parametrize("title", ["null", "", "  ", None, 7, ["Cash"]])
def test_a_title_that_is_none_is_not_the_method(title):
    info = [{"key": "method_title", "value": title}, {"key": 0, "value": None}]
    assert snapshot(like({"payment_additional_info": info})).order.payment.method == "cash on delivery"


@pytest.mark.parametrize(
    "street", [["1 Way", None, "Back"], "1 Way\nBack", {"0": "1 Way", "2": "Back"}, {"1": "1 Way", "2": "Back"}]
)
def test_a_street_is_read_however_php_wrote_its_lines(street):
    body = like()
    body["billing_address"]["street"] = street
    address = snapshot(body).order.billing_address
    assert (address.street, address.street2) == ("1 Way", "Back")


def test_rows_that_php_wrote_as_an_object_are_rows():
    body = like(items={str(n): row for n, row in enumerate(ORDER["items"], 1)})
    assert snapshot(body).order.lines == snapshot(ORDER).order.lines


@pytest.mark.parametrize("written", ["2026-11-21T09:20:11Z", "2026-11-21T12:20:11+03:00", "2026-11-21 09:20:11.000"])
def test_a_time_is_utc_unless_it_says_otherwise(written):
    assert snapshot(like(created_at=written)).order.trigger_at == snapshot(ORDER).order.trigger_at


def test_numbers_as_text_and_text_as_numbers_are_the_same_order():
    def flipped(value: JsonValue) -> JsonValue:
        if isinstance(value, dict):
            return {name: flipped(one) for name, one in value.items()}
        if isinstance(value, list):
            return [flipped(one) for one in value]
        if isinstance(value, float):
            return f"{value:.4f}"
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    body = flipped(ORDER) | {"customer_id": 41.0, "increment_id": "000000361"}
    body["billing_address"]["postcode"] = 11564
    found = snapshot(body | {"customer_id": 41})
    assert found == snapshot(ORDER)


def test_two_hundred_rows_and_a_number_beyond_fifty_three_bits():
    rows = [item(2**53 + n, f"S{n}", "0.3333", qty_ordered="1.0000") for n in range(200)]
    order = snapshot(of(rows, "66.66", subtotal="66.66") | {"entity_id": 2**60 + 1}).order
    assert (len(order.lines), order.lines[1].line_id) == (200, str(2**53 + 1))
    assert {one.id for one in order.external_ids} >= {str(2**60 + 1)}


@pytest.mark.parametrize("absent", [None, [], ""])
def test_what_may_be_absent_may_be_absent_in_any_way(absent):
    names = ("extension_attributes", "billing_address", "payment", "status_histories")
    texts = dict.fromkeys(("customer_note", "coupon_code", "customer_email", "customer_firstname", "customer_lastname"))
    order = snapshot(like(**dict.fromkeys(names, absent), **texts, customer_id=None)).order
    assert (order.contacts.email, order.contacts.phone, order.delivery_address) == (None, None, None)
    assert (order.payment.terms, order.instructions, order.customer.name) == (None, None, None)
    gone = {name: value for name, value in ORDER.items() if name not in {*names, *texts, "customer_id"}}
    assert snapshot(gone).order.content_hash == order.content_hash


def test_an_order_that_was_edited_is_known_by_the_first_ones_number_too():
    order = snapshot(like(increment_id="000000361-1", original_increment_id="000000361")).order
    assert order.number == "000000361-1"
    assert ("magento_original", "000000361") in {(one.system, one.id) for one in order.external_ids}


@pytest.mark.parametrize(
    ("comment", "seconds", "visible", "instructions"),
    [
        ("Ring twice", 0, 1, "Ring twice"),
        ("Leave it there", 1, 1, "Ring twice\nLeave it there"),
        ("付款類型 : NewebPay", 4, 1, "Ring twice"),
        ("Leave it there", 1, 0, "Ring twice"),
        (None, 0, 1, "Ring twice"),
    ],
)
def test_only_what_the_buyer_wrote_at_the_checkout_is_an_instruction_and_once(comment, seconds, visible, instructions):
    at = f"2026-11-21 09:20:{11 + seconds}"
    history = {"comment": comment, "created_at": at, "is_visible_on_front": visible, "is_customer_notified": None}
    assert snapshot(like(customer_note="Ring twice", status_histories=[history])).order.instructions == instructions


# ---------------------------------------------------------------------------------------- asking and answering


async def test_a_full_last_page_of_one_second_ends_the_look():
    async with running_peer() as peer:
        source = magento(peer.url)
        rows = [{**ORDER, "entity_id": n, "updated_at": "2026-11-21 08:28:00"} for n in range(100)]
        peer.will(json_answer(200, {"items": rows, "total_count": 100}))
        looked = await source.look("", NOW)
        assert (len(looked.deliveries), looked.more) == (100, False)
        await source.aclose()


async def test_a_look_keeps_every_digit_and_letter_of_an_order():
    async with running_peer() as peer:
        source = magento(peer.url)
        body = json.dumps(ORDER | {"entity_id": 2**60 + 1}).replace("204.75", "204.7500")
        peer.will(Answer(200, f'{{"items": [{body}], "total_count": 1}}'.encode()))
        (delivery,) = (await source.look("", NOW)).deliveries
        (found,) = await source.read(delivery)
        assert found.external_id == str(2**60 + 1)
        assert found.order.lines == snapshot(ORDER).order.lines
        await source.aclose()


async def test_the_same_answer_twice_at_once_is_written_once():
    async with running_peer() as peer:
        source = magento(peer.url)
        written = {"items": [{"comment": note_of(told())}]}
        peer.will(NOTHING, Answer(200, b"true"), json_answer(200, written))
        both = await asyncio.gather(source.answer(told()), source.answer(told()))
        assert {one.state for one in both} == {AnswerState.ACCEPTED}
        assert [one.method for one in peer.received] == ["GET", "POST", "GET"]
        await source.aclose()


@pytest.mark.parametrize(
    "junk", ["", "../3", "361/../../V1/store", "361?x=1", "٣٦١", "-1", "9" * 21, "361\n", "number:"]
)
async def test_a_number_that_is_none_is_no_order(junk):
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(json_answer(200, {"items": [], "total_count": 0}))
        assert [type(one).__name__ for one in await source.fetch(junk)] == ["Skipped"]
        assert len(peer.received) == (junk == "number:")
        assert (await source.answer(told().model_copy(update={"external_id": junk}))).state is AnswerState.REFUSED
        await source.aclose()
