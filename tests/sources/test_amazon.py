"""Amazon's sellers: orders as they are looked up, and the notifications of a topic."""

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus, TaxBasis
from orderack.errors import BadSignature, InvalidInput
from orderack.ports import Delivery, RawRequest, Skipped, Source, Standing
from tests import sns_topic
from tests.conformance.source import NOW, Sample, SampleConformance, SourceConformance
from tests.sources.amazon_bodies import CHANGE, ORDER, SECRETS, amazon, changed, orders_in, read, snapshot


class TestAmazon(SourceConformance):
    name = "amazon"
    secrets = SECRETS
    required = ("client_id", "client_secret", "refresh_token", "marketplace_ids")
    body = CHANGE.encode()

    def make(self, base_url: str = "http://127.0.0.1:9") -> Source:
        source = amazon(base_url)
        # the topic's certificate as SNS would show it
        source._sns._certificates[sns_topic.CERTIFICATE] = sns_topic.certificate(NOW)
        return source

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        headers = {"x-amz-sns-message-type": "Notification"}
        post = sns_topic.post(body.decode("utf-8", "replace"), at)
        return RawRequest(url="https://shop.example/intake/shop/amazon", headers=headers, body=post)

    async def test_what_the_system_signed_is_believed_and_one_changed_byte_is_not(self) -> None:
        """SNS signs the fields of a post and not its bytes, so it is a field's byte that is changed here."""
        async with self.made() as source:
            request = self.signed(self.body)
            await source.verify(request)
            other = request.body.replace(b"0000007", b"0000008", 1)
            assert other != request.body
            with pytest.raises(BadSignature):
                await source.verify(request.model_copy(update={"body": other}))
            with pytest.raises(BadSignature):
                await source.verify(request.model_copy(update={"headers": {}}))


class TestSamples(SampleConformance):
    folder = "amazon_sp_api"
    skipped: ClassVar[Mapping[str, str]] = {"250-1234567-8901234": "Amazon fulfils this order itself"}

    def source(self) -> Source:
        return amazon()

    def samples(self, path: Path) -> Sequence[Sample] | str:
        body = json.loads(path.read_bytes())
        if path.name.startswith("examples_from_vendor"):
            return "purchase orders of vendors"
        found = list(orders_in(body, frozenset({"orderId", "orderItems"})))
        if not found:
            return "notifications: what they are about has to be fetched"
        return [
            Sample(
                name=str(one["orderId"]),
                delivery=Delivery(id=f"{index}", body=json.dumps(one)),
                total=Decimal(one["proceeds"]["grandTotal"]["amount"]),
            )
            for index, one in enumerate(found)
        ]


async def test_an_order_keeps_everything_that_amazon_says_of_it() -> None:
    found = await snapshot(ORDER)
    order = found.order
    assert (found.external_id, found.standing, found.at) == (order.number, Standing.OPEN, NOW.replace(hour=9, minute=0))
    assert order.trigger_at == datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
    assert (order.customer.name, order.contacts.email, order.contacts.phone) == (
        "Ada Example",
        "ada@example.com",
        "+15005550006",
    )
    assert order.customer.id is not None
    assert order.customer.id.startswith("guest-")
    assert (order.payment.status, order.payment.terms) == (PaymentStatus.CONFIRMED, "prepaid by CreditCard")
    tea, cup = order.lines
    assert (tea.line_id, tea.sku, tea.quantity, tea.unit_price, tea.discount) == (
        "90071992547409931",
        "TEA-1",
        2,
        Decimal("12.50"),
        2,
    )
    assert tea.instructions == "gift wrap: PREMIUM\ngift message: For you"
    assert {(code.system, code.id) for code in tea.codes} == {
        ("amazon_line", "90071992547409931"),
        ("asin", "B000000001"),
    }
    assert cup.sku == "asin:B000000002"
    totals = order.totals
    assert (totals.discount, totals.tax, totals.shipping, totals.fees) == (2, 7, Decimal("4.90"), Decimal("3.60"))
    assert totals.total == add_up(order) == Decimal("58.40")
    assert order.purchase_order == "PO-77"
    assert order.instructions == "leave at: Front desk\nRing twice\nordered by: Example Ltd"
    assert {(one.system, one.id) for one in order.external_ids} == {
        ("amazon", "302-0000001-0000007"),
        ("amazon_seller_order_id", "OUR-7"),
    }
    assert order.delivery_window is not None
    assert order.delivery_address is not None
    assert (order.delivery_address.country, order.delivery_address.street2) == ("NO", "Floor 2")


@pytest.mark.parametrize(
    ("status", "standing", "payment"),
    [
        ("PENDING", Standing.NOT_YET, PaymentStatus.PENDING),
        ("PENDING_AVAILABILITY", Standing.NOT_YET, PaymentStatus.PENDING),
        ("UNSHIPPED", Standing.OPEN, PaymentStatus.CONFIRMED),
        ("PARTIALLY_SHIPPED", Standing.OPEN, PaymentStatus.CONFIRMED),
        ("SHIPPED", Standing.OPEN, PaymentStatus.CONFIRMED),
        ("CANCELLED", Standing.CANCELLED, PaymentStatus.CONFIRMED),
    ],
)
async def test_every_status_is_a_standing(status: str, standing: Standing, payment: PaymentStatus) -> None:
    found = await snapshot(changed("fulfillment.fulfillmentStatus", status))
    assert (found.standing, found.order.payment.status) == (standing, payment)
    assert bool(found.reason) == (standing is Standing.CANCELLED)


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("fulfillment.fulfilledBy", "AMAZON", "Amazon fulfils"),
        ("fulfillment.fulfillmentStatus", "UNFULFILLABLE", "UNFULFILLABLE"),
        ("fulfillment.fulfillmentStatus", "NEW_WORD", "NEW_WORD"),
        ("salesChannel.channelName", "NON_AMAZON", "elsewhere"),
    ],
)
async def test_what_is_not_the_sellers_to_fulfil_is_skipped_saying_why(path: str, value: str, why: str) -> None:
    found = await read(changed(path, value))
    assert isinstance(found, Skipped)
    assert why in found.why


async def test_a_pending_order_without_money_waits_and_an_open_one_without_a_total_is_refused() -> None:
    for status, standing in (("PENDING", Standing.NOT_YET), ("CANCELLED", Standing.CANCELLED)):
        bare = changed("fulfillment.fulfillmentStatus", status)
        bare["proceeds"] = None
        for item in bare["orderItems"]:
            item["proceeds"] = item["product"]["price"] = None
        assert (await snapshot(bare)).standing is standing
        bare["fulfillment"]["fulfillmentStatus"] = "UNSHIPPED"
        with pytest.raises(InvalidInput, match="currency"):
            await read(bare)
    with pytest.raises(InvalidInput, match=r"proceeds.grandTotal"):
        await read(changed("proceeds.grandTotal", None))


async def test_a_cancelled_order_without_quantities_is_a_cancellation() -> None:
    body = changed("fulfillment.fulfillmentStatus", "CANCELLED")
    for item in body["orderItems"]:
        item["quantityOrdered"] = 0
    found = await snapshot(body)
    assert (found.standing, found.order.lines) == (Standing.CANCELLED, ())


async def test_a_line_that_was_cancelled_is_gone_and_a_request_to_cancel_is_a_persons_to_read() -> None:
    found = await snapshot(changed("orderItems.1.quantityOrdered", 0))
    assert [line.sku for line in found.order.lines] == ["TEA-1"]
    wish: JsonValue = {"cancellationRequest": {"requester": "BUYER", "cancelReason": "Changed my mind"}}
    asked = await snapshot(changed("orderItems.1.cancellation", wish))
    assert asked.order.lines[1].instructions == "BUYER asks to cancel: Changed my mind"
    assert asked.order.content_hash != (await snapshot(ORDER)).order.content_hash


async def test_item_is_the_lines_whole_cost_and_the_unit_price_only_stands_in_for_it() -> None:
    thirds: JsonValue = [{"type": "ITEM", "subtotal": {"amount": "10.00", "currencyCode": "EUR"}}]
    body = changed("orderItems.0.quantityOrdered", 3)
    body["orderItems"][0]["proceeds"]["breakdowns"] = thirds
    line = (await snapshot(body)).order.lines[0]
    assert (line.amount, line.subtotal) == (10, 10)
    without = (await snapshot(changed("orderItems.0.proceeds", None))).order.lines[0]
    assert without.amount == 25


async def test_whether_a_price_holds_the_tax_is_what_the_sums_say() -> None:
    assert (await snapshot(ORDER)).order.totals.tax_basis is TaxBasis.ADDED
    included = await snapshot(changed("proceeds.grandTotal.amount", "51.40"))
    assert included.order.totals.tax_basis is TaxBasis.INCLUDED
    assert add_up(included.order) == Decimal("51.40")


async def test_money_that_does_not_add_up_stays_as_amazon_says() -> None:
    order = (await snapshot(changed("proceeds.grandTotal.amount", "60.00"))).order
    assert order.totals.total == 60
    assert add_up(order) != 60


async def test_two_currencies_are_refused() -> None:
    with pytest.raises(InvalidInput, match="currency"):
        await read(changed("orderItems.1.product.price.unitPrice.currencyCode", "USD"))


TAX_OF_AMAZON: JsonValue = {"taxCollections": [{"model": "MARKETPLACE_FACILITATOR", "responsibleParty": "Amazon"}]}


def eur(kind: str, value: JsonValue) -> JsonValue:
    return {"type": kind, "subtotal": {"amount": value, "currencyCode": "EUR"}}


async def test_a_tax_that_amazon_keeps_and_the_total_does_not_hold_is_no_part_of_the_price_but_iosss_is() -> None:
    body = changed("proceeds.grandTotal.amount", "51.40")
    item = body["orderItems"][0]
    item["proceeds"]["breakdowns"].append(eur("TAX", "7.00"))
    item["tax"] = TAX_OF_AMAZON
    totals = (await snapshot(body)).order.totals
    assert (totals.tax, totals.tax_basis, totals.total) == (0, TaxBasis.ADDED, Decimal("51.40"))
    item["tax"] = {**TAX_OF_AMAZON, "taxCalculationBreakdowns": [{"reportingScheme": "IOSS"}]}
    totals = (await snapshot(body)).order.totals
    assert (totals.tax, totals.tax_basis) == (7, TaxBasis.INCLUDED)
    body["proceeds"]["grandTotal"]["amount"] = "58.40"
    item["tax"] = TAX_OF_AMAZON
    totals = (await snapshot(body)).order.totals
    assert (totals.tax, totals.tax_basis, totals.total) == (7, TaxBasis.ADDED, Decimal("58.40"))


async def test_where_the_order_has_no_total_its_items_totals_stand_in_for_it_and_all_of_them_have_to() -> None:
    body = changed("proceeds", None)
    with pytest.raises(InvalidInput, match="grandTotal"):
        await read(body)
    body["orderItems"][1]["proceeds"]["proceedsTotal"] = {"amount": "19.90", "currencyCode": "EUR"}
    assert (await snapshot(body)).order.totals.total == Decimal("53.40")


async def test_fees_of_every_kind_a_tip_and_a_cod_fee_are_charged_and_an_amount_below_zero_is_a_credit() -> None:
    body = copy.deepcopy(ORDER)
    body["proceeds"]["breakdowns"] += [
        eur("COD_FEE", "1.50"),
        eur("DELIVERY_TIP", "5.00"),
        eur("OTHER", "-2.00"),
        eur("A_KIND_OF_2031", 1),
    ]
    body["proceeds"]["grandTotal"]["amount"] = 63.90
    order = (await snapshot(body)).order
    assert (order.totals.fees, order.totals.credit) == (Decimal("11.10"), 2)
    assert add_up(order) == order.totals.total == Decimal("63.90")


async def test_an_item_that_was_called_off_is_gone_and_one_that_was_sent_all_the_same_is_not() -> None:
    body = copy.deepcopy(ORDER)
    done = {"cancelledBy": "MERCHANT", "cancelReason": "No stock"}
    body["orderItems"][0]["cancellation"] = {"cancellationExecution": done}
    for fulfilled, unfulfilled, left in ((0, 0, 1), (2, 0, 2), (0, 2, 2)):
        body["orderItems"][0]["fulfillment"] |= {"quantityFulfilled": fulfilled, "quantityUnfulfilled": unfulfilled}
        assert len((await snapshot(body)).order.lines) == left


async def test_what_the_warehouse_and_the_carrier_have_to_know_of_an_item_is_said_with_its_line() -> None:
    body = changed("orderItems.0.product.condition", {"conditionType": "USED", "conditionSubtype": "VERY_GOOD"})
    options: JsonValue = [{"sellerSku": "TEA-2", "quantityOrdered": 2}, {"asin": "B000000003"}, {}]
    must = {"signatureConfirmation": "MANDATORY", "recipientAgeVerification": "MANDATORY", "palletDelivery": None}
    body["orderItems"][0]["fulfillment"] |= {
        "picking": {
            "substitutionPreference": {"substitutionType": "CUSTOMER_PREFERENCE", "substitutionOptions": options}
        },
        "shipping": {"shippingConstraints": must, "internationalShipping": {"iossNumber": "IM0000000001"}},
    }
    body["orderItems"][0]["measurement"] = {"unit": "GRAMS", "value": 250.5}
    body["fulfillment"]["fulfillmentServiceLevel"] = "NEXT_DAY"
    order = (await snapshot(body)).order
    line = order.lines[0]
    assert line.model == "USED VERY_GOOD"
    assert line.instructions is not None
    assert line.instructions.splitlines() == [
        "measured: 250.5 GRAMS",
        "gift wrap: PREMIUM",
        "gift message: For you",
        "if it is not there: customer preference, 2 x TEA-2, 1 x B000000003",
        "have it signed for",
        "check the recipient's age",
    ]
    assert ("ioss", "IM0000000001") in {(code.system, code.id) for code in line.codes}
    assert "ship: NEXT_DAY" in (order.instructions or "")
