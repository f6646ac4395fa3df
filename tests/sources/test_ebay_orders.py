"""eBay: what an order says."""

import copy
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import DIGITAL, PaymentStatus, TaxBasis
from orderack.errors import InvalidInput
from orderack.ports import Delivery, Hint, Skipped, Snapshot, Standing
from tests.conformance.source import given, quickly, st
from tests.sources.amazon_bodies import ODD, mutated, paths_of
from tests.sources.ebay_bodies import ORDER, changed, ebay


def usd(value: str) -> dict[str, JsonValue]:
    return {"value": value, "currency": "USD"}


async def read(body: JsonValue) -> Snapshot | Skipped | Hint:
    source = ebay()
    (found,) = await source.read(Delivery(id="1", body=json.dumps(body)))
    await source.aclose()
    return found


async def snapshot(body: JsonValue) -> Snapshot:
    found = await read(body)
    assert isinstance(found, Snapshot)
    return found


# -- the order ------------------------------------------------------------------------------------------------------


async def test_an_order_keeps_everything_that_ebay_says_of_it() -> None:
    found = await snapshot(ORDER)
    order = found.order
    assert (found.external_id, order.number, found.standing) == ("12-34567-89012", "12-34567-89012", Standing.OPEN)
    assert (order.trigger_at, found.at) == (
        datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
        datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
    )
    assert (order.customer.id, order.customer.name) == ("ada_example", "Ada Example")
    assert (order.contacts.email, order.contacts.phone) == ("ada@example.com", "+15005550006")
    assert (order.payment.status, order.payment.terms) == (PaymentStatus.CONFIRMED, "prepaid by EBAY")
    tea, cup = order.lines
    assert (tea.quantity, tea.amount, tea.subtotal, tea.discount) == (3, 40, 40, 5)
    assert (tea.description, tea.model, tea.sku) == ("Green tea – 緑茶", "size: large", "TEA-1")
    assert (cup.sku, cup.unit_price) == ("ebay:110500000002", 20)
    assert {(code.system, code.id) for code in tea.codes} == {
        ("ebay_line", "90071992547409931"),
        ("ebay_item", "110500000001"),
        ("ebay_variation", "410000000001"),
    }
    totals = order.totals
    assert (totals.discount, totals.shipping, totals.fees, totals.tax) == (
        Decimal("5.5"),
        5,
        Decimal("1.5"),
        Decimal("4.25"),
    )
    assert totals.total == add_up(order) == Decimal("65.25")
    assert order.instructions == "Ring twice"
    assert order.delivery_window is not None
    assert order.billing_address is not None
    assert {one.system for one in order.external_ids} == {
        "ebay",
        "ebay_legacy_order",
        "ebay_sales_record",
        "ebay_seller",
        "ebay_ship_method",
    }


@pytest.mark.parametrize(
    ("status", "shipped", "standing", "payment"),
    [
        ("PAID", "NOT_STARTED", Standing.OPEN, PaymentStatus.CONFIRMED),
        ("PARTIALLY_REFUNDED", "NOT_STARTED", Standing.OPEN, PaymentStatus.CONFIRMED),
        ("FULLY_REFUNDED", "NOT_STARTED", Standing.CANCELLED, PaymentStatus.CONFIRMED),
        ("FULLY_REFUNDED", "FULFILLED", Standing.OPEN, PaymentStatus.CONFIRMED),
        ("PENDING", "NOT_STARTED", Standing.NOT_YET, PaymentStatus.PENDING),
        ("FAILED", "NOT_STARTED", Standing.NOT_YET, PaymentStatus.PENDING),
        ("SOMETHING_NEW", "NOT_STARTED", Standing.OPEN, PaymentStatus.FLAGGED),
    ],
)
async def test_every_payment_status_is_a_standing(
    status: str, shipped: str, standing: Standing, payment: PaymentStatus
) -> None:
    found = await snapshot(changed("orderPaymentStatus", status) | {"orderFulfillmentStatus": shipped})
    assert (found.standing, found.order.payment.status) == (standing, payment)


async def test_a_cancelled_order_says_why_and_one_that_is_asked_for_is_a_persons_to_read() -> None:
    asked: JsonValue = [{"cancelReason": "ORDER_MISTAKE", "cancelInitiator": "Buyer"}]
    gone = await snapshot(changed("cancelStatus", {"cancelState": "CANCELED", "cancelRequests": asked}))
    assert (gone.standing, gone.reason) == (Standing.CANCELLED, "ORDER_MISTAKE")
    bare = await snapshot(changed("cancelStatus", {"cancelState": "CANCELED"}))
    assert bare.reason == "cancelled at eBay"
    wish = await snapshot(changed("cancelStatus", {"cancelState": "IN_PROGRESS", "cancelRequests": asked}))
    assert wish.standing is Standing.OPEN
    assert wish.order.instructions == "Ring twice\nthe buyer asks to cancel: ORDER_MISTAKE"


async def test_a_refund_is_said_for_it_changes_no_price() -> None:
    refund: JsonValue = [{"amount": usd("5.0"), "refundStatus": "REFUNDED"}]
    order = (await snapshot(changed("paymentSummary.refunds", refund))).order
    assert order.instructions == "Ring twice\neBay refunded 5.0 USD"
    assert order.totals.total == Decimal("65.25")


@pytest.mark.parametrize(
    ("total", "taxes", "remitted", "charges", "tax", "fees"),
    [
        ("61.0", [], ["4.25"], [], 0, Decimal("1.5")),  # eBay's own tax is not in the total, as without TAX_BREAKDOWN
        ("65.25", [], ["4.25"], [], Decimal("4.25"), Decimal("1.5")),
        ("65.25", ["4.25"], ["4.25"], [], Decimal("4.25"), Decimal("1.5")),
        ("66.25", ["1.0"], ["4.25"], [], Decimal("5.25"), Decimal("1.5")),
        ("64.0", [], [], ["3.0"], 0, Decimal("4.5")),
    ],
)
async def test_what_ebay_collects_itself_is_in_the_total_or_not_as_it_adds_up(
    total: str, taxes: list[str], remitted: list[str], charges: list[str], tax: Decimal, fees: Decimal
) -> None:
    body = changed("pricingSummary.total", usd(total))
    del body["pricingSummary"]["tax"]
    line = body["lineItems"][0]
    line["taxes"] = [{"amount": usd(one)} for one in taxes]
    line["ebayCollectAndRemitTaxes"] = [{"amount": usd(one), "collectionMethod": "NET"} for one in remitted]
    line["ebayCollectedCharges"] = {"charges": [{"amount": usd(one)} for one in charges]}
    totals = (await snapshot(body)).order.totals
    assert (totals.tax, totals.fees, totals.total) == (tax, fees, Decimal(total))
    assert add_up((await snapshot(body)).order) == Decimal(total)


async def test_a_price_that_holds_the_tax_is_told_by_the_sums_and_what_fits_nothing_stays() -> None:
    included = (await snapshot(changed("pricingSummary.total", usd("61.0")))).order
    assert (included.totals.tax_basis, included.totals.tax) == (TaxBasis.INCLUDED, Decimal("4.25"))
    assert add_up(included) == 61
    odd = (await snapshot(changed("pricingSummary.total", usd("70.0")))).order
    assert odd.totals.total == 70
    assert add_up(odd) != 70


def converted(value: JsonValue) -> JsonValue:
    """As eBay gives it to a British seller: pounds, and before them the dollars that were paid."""
    if isinstance(value, dict):
        if value.keys() == {"value", "currency"}:
            pounds = str((Decimal(str(value["value"])) * Decimal("0.79")).quantize(Decimal("0.01")))
            return {
                "value": pounds,
                "currency": "GBP",
                "convertedFromValue": value["value"],
                "convertedFromCurrency": value["currency"],
            }
        return {name: converted(inner) for name, inner in value.items()}
    return [converted(inner) for inner in value] if isinstance(value, list) else value


async def test_the_order_is_in_the_currency_that_was_paid_unless_some_amount_is_not() -> None:
    body = converted(ORDER)
    order = (await snapshot(body)).order
    assert (order.currency, order.totals.total, add_up(order)) == ("USD", Decimal("65.25"), Decimal("65.25"))
    del body["pricingSummary"]["fee"]["convertedFromValue"]
    assert (await snapshot(body)).order.currency == "GBP"
    with pytest.raises(InvalidInput, match="another currency"):
        await read(changed("pricingSummary.fee", {"value": "1.5", "currency": "EUR"}))


async def test_an_order_without_phone_address_and_buyer_is_still_one() -> None:
    body = copy.deepcopy(ORDER)
    del body["buyer"]
    ship_to = body["fulfillmentStartInstructions"][0]["shippingStep"]["shipTo"]
    for name in ("primaryPhone", "email"):
        del ship_to[name]
    del ship_to["contactAddress"]["city"]
    order = (await snapshot(body)).order
    assert (order.contacts.email, order.contacts.phone) == (None, None)
    assert order.customer.id is not None
    assert order.customer.id.startswith("guest-")
    assert order.delivery_address is not None
    assert order.delivery_address.city == ""


async def test_digital_goods_pickup_and_what_ebay_ships_itself() -> None:
    start: JsonValue = {"fulfillmentInstructionsType": "DIGITAL"}
    digital = (await snapshot(changed("fulfillmentStartInstructions", [start]))).order
    assert (digital.order_type, digital.delivery_address) == (DIGITAL, None)
    start = {"fulfillmentInstructionsType": "PREPARE_FOR_PICKUP", "pickupStep": {"merchantLocationKey": "Oslo-1"}}
    pickup = (await snapshot(changed("fulfillmentStartInstructions", [start]))).order
    assert pickup.pickup is not None
    assert (pickup.pickup.location, pickup.delivery_address) == ("Oslo-1", None)
    theirs = await read(changed("fulfillmentStartInstructions", [{"fulfillmentInstructionsType": "FULFILLED_BY_EBAY"}]))
    assert isinstance(theirs, Skipped)


async def test_an_order_for_two_places_goes_to_a_person_and_a_hub_names_its_parcel() -> None:
    start = copy.deepcopy(ORDER["fulfillmentStartInstructions"][0])
    start["shippingStep"]["shipTo"]["contactAddress"]["city"] = "Oslo"
    first = copy.deepcopy(ORDER["fulfillmentStartInstructions"][0])
    first["shippingStep"]["shipToReferenceId"] = "REF-9"
    order = (await snapshot(changed("fulfillmentStartInstructions", [first, start]))).order
    assert [doubt.field for doubt in order.doubts] == ["delivery_address"]
    assert order.instructions == "Ring twice\nreference on the parcel: REF-9"
    assert (await snapshot(ORDER)).order.doubts == ()


async def test_a_part_names_the_vehicle_that_it_has_to_fit_and_a_line_what_was_refunded_of_it() -> None:
    body = changed(
        "lineItems.0.compatibilityProperties",
        [
            {"propertyName": "Make", "propertyDisplayName": "Marke", "propertyValue": "Example"},
            {"propertyName": "Year", "propertyValue": 2019},
            {"propertyName": "Trim", "propertyValue": None},
        ],
    )
    body["lineItems"][0]["refunds"] = [{"amount": {"value": "3.5", "currency": "GBP"}, "refundId": "5-1"}, {}]
    order = (await snapshot(body)).order
    assert order.lines[0].instructions == "fits Marke: Example\nfits Year: 2019\neBay refunded 3.5 GBP"
    assert order.totals.total == add_up(order) == Decimal("65.25")


async def test_a_gift_card_says_for_whom_it_is() -> None:
    gift: JsonValue = {"recipientEmail": "ada@example.com", "senderName": "Bob Example", "message": "Well done 🎁"}
    body = changed("lineItems.0.giftDetails", gift)
    body["fulfillmentStartInstructions"] = [{"fulfillmentInstructionsType": "DIGITAL"}]
    order = (await snapshot(body)).order
    assert order.order_type == DIGITAL
    assert order.lines[0].instructions == (
        "gift card to: ada@example.com\ngift card from: Bob Example\ngift message: Well done 🎁"
    )


async def test_what_ebay_sends_from_its_own_warehouse_is_nothing_for_us_however_it_says_so() -> None:
    program: JsonValue = {"fulfillmentProgram": {"fulfilledBy": "EBAY"}}
    assert isinstance(await read(ORDER | {"program": program}), Skipped)
    assert isinstance(await read(ORDER | {"program": {"ebayShipping": {"shippingLabelProvidedBy": "EBAY"}}}), Snapshot)


async def test_an_appointment_goes_before_the_days_that_ebay_reckons_with_and_a_tax_number_is_kept() -> None:
    body = copy.deepcopy(ORDER)
    body["fulfillmentStartInstructions"][0]["appointment"] = {
        "appointmentStartTime": "2026-11-27T09:00:00.000Z",
        "appointmentEndTime": "2026-11-27T10:00:00.000Z",
    }
    body["buyer"]["taxIdentifier"] = {"taxpayerId": "XMPADA80A01H501U", "taxIdentifierType": "CODICE_FISCALE"}
    order = (await snapshot(body)).order
    assert order.delivery_window is not None
    assert order.delivery_window.start == datetime(2026, 11, 27, 9, tzinfo=UTC)
    assert ("ebay_buyer_tax", "XMPADA80A01H501U") in {(one.system, one.id) for one in order.external_ids}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lineItems.0.lineItemId", 90071992547409931),
        ("lineItems.0.legacyItemId", 110500000001),
        ("lineItems.0.quantity", "3"),
        ("lineItems.0.variationAspects", None),
        ("lineItems.0.taxes", {}),
        ("lineItems.0.sku", 4711),
        ("lineItems.0.title", "   مقلاة 鍋 🍳"),
        ("pricingSummary.total.value", 65.25),
        ("pricingSummary.total.value", "65.2500"),
        ("cancelStatus", None),
        ("cancelStatus", {"cancelState": None, "cancelRequests": None}),
        ("buyerCheckoutNotes", ""),
        ("paymentSummary", None),
        ("salesRecordReference", 17),
        ("fulfillmentStartInstructions", []),
        ("orderFulfillmentStatus", "A_WORD_OF_2031"),
    ],
)
async def test_another_way_to_write_the_same_is_the_same_money(path: str, value: JsonValue) -> None:
    order = (await snapshot(changed(path, value))).order
    assert order.totals.total == add_up(order) == Decimal("65.25")
    assert (order.lines[0].line_id, order.lines[0].quantity) == ("90071992547409931", 3)


async def test_two_hundred_lines_and_thousandths_are_rounded_to_what_can_be_paid() -> None:
    line = {"quantity": 3, "lineItemCost": usd("10.001")}
    body = changed("lineItems", [line | {"lineItemId": str(n)} for n in range(200)])
    body["pricingSummary"] = {"total": usd("2000.2004")}
    order = (await snapshot(body)).order
    assert order.totals.total == add_up(order) == Decimal("2000.20")


async def test_a_line_of_no_pieces_is_gone() -> None:
    body = changed("lineItems.1.quantity", 0)
    order = (await snapshot(body)).order
    assert [line.sku for line in order.lines] == ["TEA-1"]
    assert add_up(order) != order.totals.total


@quickly
@given(path=st.sampled_from(list(paths_of(ORDER))), value=st.sampled_from(ODD))
async def test_an_order_with_any_field_spoiled_is_an_order_or_refused_and_its_total_is_ebays(
    path: Sequence[str | int], value: JsonValue
) -> None:
    body = mutated(ORDER, path, value)
    try:
        found = await read(body)
    except InvalidInput:
        return
    if isinstance(found, Snapshot):
        assert found.order.totals.total == Decimal(str(body["pricingSummary"]["total"]["value"]))
