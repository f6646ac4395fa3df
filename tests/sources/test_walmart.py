"""Walmart: orders of three marketplaces, looked for and told of, acknowledged once and cancelled line by line."""

import copy
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus
from orderack.errors import InvalidInput
from orderack.ports import Delivery, RawRequest, Skipped, Standing
from orderack.sources.walmart import Walmart
from tests.conformance.source import NOW, Sample, SampleConformance, SourceConformance
from tests.sources.walmart_bodies import EVENT, MX, US, request, stands, taken, walmart


class TestWalmart(SourceConformance):
    name = "walmart"
    secrets = ("secret-of-the-api", "password-of-the-hook", "secret-of-the-hook", "eyJ.sandbox.token")
    required = ("client_id", "client_secret")
    body = json.dumps(EVENT).encode()

    def make(self, base_url: str = "http://127.0.0.1:9") -> Walmart:
        return walmart(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return request(body, authorization=hmac.new(b"secret-of-the-hook", body, hashlib.sha256).hexdigest())


class TestWalmartsSamples(SampleConformance):
    """Mexico's `orderTotal` is of the goods alone, so an order with paid shipping or a coupon is a person's to see."""

    folder = "walmart"
    skipped: ClassVar = {
        "examples_from_mx_mp_orders.json/4/0": "Walmart Fulfillment Services",
        "examples_from_mx_mp_orders.json/4/1": "Walmart Fulfillment Services",
    }

    def source(self) -> Walmart:
        return walmart()

    def samples(self, path: Path) -> Sequence[Sample] | str:
        found = json.loads(path.read_text(), parse_float=Decimal)
        return [
            Sample(
                f"{path.name}/{at}/{n}", Delivery(id=f"{at}/{n}", body=json.dumps(order, default=float)), _paid(order)
            )
            for at, example in enumerate(found)
            for n, order in enumerate(_orders(example["value"]))
        ] or "it holds no order"


def _orders(tree: object) -> Iterator[dict]:
    """Whatever is an order: a request to Walmart (a shipment, a refund) names no customer's order."""
    if isinstance(tree, dict):
        if "customerOrderId" in tree and "orderLines" in tree:
            yield tree
            return
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from _orders(part)


def _paid(order: dict) -> Decimal | None:
    if "orderTotal" in order:  # Mexico's: of the goods, with their tax; shipping and coupons stand beside it
        charges = [charge for line in order["orderLines"] for charge in line["charges"] if "chargeAmount" in charge]
        taxes = [tax["taxAmount"]["amount"] for one in charges if one["chargeType"] == "SHIPPING" for tax in one["tax"]]
        beside = [charge["chargeAmount"]["amount"] for charge in charges]
        return Decimal(order["orderTotal"]["amount"]) + sum(map(Decimal, (*taxes, *beside)))
    charges = [charge for line in order["orderLines"]["orderLine"] for charge in line["charges"]["charge"]]
    taxes = [Decimal(charge.get("tax", {}).get("taxAmount", {}).get("amount", 0)) for charge in charges]
    return sum((Decimal(charge["chargeAmount"]["amount"]) for charge in charges), Decimal(0)) + sum(taxes, Decimal(0))


class TestWhatAnOrderSays:
    async def test_nothing_of_it_is_lost(self) -> None:
        found = await taken(US)
        order = found.order
        assert found.external_id == "9007199254740993123"
        assert (order.number, order.source, order.currency) == ("2000116012345678", "walmart", "USD")
        assert order.trigger_at == datetime(2026, 11, 21, 9, 30, 0, 123_000, tzinfo=UTC)
        assert order.partner_deadline
        assert order.partner_deadline.due_at == order.trigger_at + timedelta(hours=4)
        assert found.at > order.trigger_at
        assert (order.customer.id, order.customer.name) == (US["buyerId"], "Ada Exámple")
        assert (order.contacts.email, order.contacts.phone) == ("ADA0EXAMPLE@relay.walmart.com", "+15005550006")
        assert order.delivery_address
        assert (order.delivery_address.country, order.delivery_address.street2) == ("US", "Flat 2")
        assert (order.payment.status, order.payment.terms) == (PaymentStatus.CONFIRMED, "prepaid through Walmart")
        assert order.payment.method == "CREDITCARD"
        first, second = order.lines
        assert (first.line_id, first.sku, first.quantity, first.unit_price) == ("1", "KET-1", 3, Decimal("19.99"))
        assert (second.sku, second.design) == ("line:2", "Walmart configuration CFG-77")
        totals = order.totals
        assert (totals.discount, totals.tax, totals.shipping) == (Decimal(3), Decimal("5.28"), Decimal(6))
        assert (totals.fees, totals.total) == (Decimal("0.75"), Decimal("81.50"))
        assert add_up(order) == totals.total
        assert {one.system: one.id for one in order.external_ids} == {
            "walmart": "9007199254740993123",
            "walmart_customer_order": "2000116012345678",
        }
        assert order.instructions == "Ship method: Express"

    async def test_mexicos_shape_has_its_prices_with_tax_and_drops_what_is_cancelled(self) -> None:
        order = (await taken(MX, walmart(market="mx"))).order
        (line,) = order.lines
        assert (line.quantity, line.unit_price, line.codes[1].id) == (2, Decimal("732.51"), "00009785509713")
        assert order.totals.total == add_up(order) == Decimal("1465.02")
        assert order.partner_deadline is None
        assert order.delivery_address
        assert order.delivery_address.street2 == "Int 2, NOCHISTLAN"

    async def test_one_object_where_a_list_is_usual_is_the_same_order(self) -> None:
        single = copy.deepcopy(US)
        single["orderLines"]["orderLine"] = [single["orderLines"]["orderLine"][0]]
        bare = copy.deepcopy(single)
        bare["orderLines"] = bare["orderLines"]["orderLine"][0]
        bare["orderLines"]["charges"] = bare["orderLines"]["charges"]["charge"]
        bare["orderLines"]["orderLineStatuses"] = bare["orderLines"]["orderLineStatuses"]["orderLineStatus"][0]
        bare["orderDate"] = "2026-11-21T09:30:00.123Z"
        assert await taken(bare) == await taken(single)

    async def test_acknowledging_and_shipping_do_not_change_the_order(self) -> None:
        placed = (await taken(US)).order.content_hash
        for status in ("Acknowledged", "Shipped", "Delivered"):
            shape = copy.deepcopy(US)
            for line in shape["orderLines"]["orderLine"]:
                line["orderLineStatuses"]["orderLineStatus"][0]["status"] = status
                line["statusDate"] += 60_000
            assert (await taken(shape)).order.content_hash == placed

    async def test_what_is_cancelled_of_a_line_goes_with_its_share_of_the_charges(self) -> None:
        part = copy.deepcopy(US)
        part["orderLines"]["orderLine"][0]["orderLineStatuses"]["orderLineStatus"] = [
            {"status": "Created", "statusQuantity": {"unitOfMeasurement": "EACH", "amount": "2"}},
            {"status": "Cancelled", "statusQuantity": {"unitOfMeasurement": "EACH", "amount": "1"}},
        ]
        part["orderLines"]["orderLine"][1]["orderLineStatuses"]["orderLineStatus"][0]["status"] = "Cancelled"
        found = await taken(part)
        (line,) = found.order.lines
        assert found.standing is Standing.OPEN
        assert (line.quantity, line.amount) == (2, Decimal("39.98"))
        assert found.order.totals.total == add_up(found.order) == Decimal("45.50")

    async def test_an_order_cancelled_whole_is_told_as_cancelled_with_walmarts_reason(self) -> None:
        gone = copy.deepcopy(US)
        for line in gone["orderLines"]["orderLine"]:
            line["orderLineStatuses"]["orderLineStatus"][0] |= {
                "status": "Cancelled",
                "cancellationReason": "ESD passed",
            }
        found = await taken(gone)
        assert (found.standing, found.reason) == (Standing.CANCELLED, "ESD passed")
        assert len(found.order.lines) == 2

    async def test_walmarts_own_total_stands_even_where_its_charges_do_not_come_to_it(self) -> None:
        said = {**US, "orderSummary": {"totalAmount": {"currencyAmount": 99.99, "currencyUnit": "USD"}}}
        order = (await taken(said)).order
        assert order.totals.total == Decimal("99.99") != add_up(order)
        zero = {**US, "orderSummary": {"totalAmount": {"currencyAmount": 0, "currencyUnit": "USD"}}}
        assert (await taken(zero)).order.totals.total == 0

    async def test_a_replacement_says_of_what(self) -> None:
        order = (await taken({**US, "orderType": "REPLACEMENT", "originalCustomerOrderID": "77"})).order
        assert order.order_type == "replacement"
        assert order.instructions
        assert "Replacement of order 77" in order.instructions
        assert ("walmart_original_order", "77") in {(one.system, one.id) for one in order.external_ids}

    async def test_a_replacement_that_costs_nothing_is_an_order_of_zero(self) -> None:
        free = copy.deepcopy(US)
        for line in free["orderLines"]["orderLine"]:
            line["charges"] = {"charge": [{"chargeType": "PRODUCT", "chargeName": "ItemPrice",
                               "chargeAmount": {"currency": "USD", "amount": 0}}]}  # fmt: skip
        assert (await taken(free)).order.totals.total == 0

    async def test_who_has_no_account_is_known_by_the_relay_address(self) -> None:
        guest = {name: value for name, value in US.items() if name != "buyerId"}
        one, same = (await taken(guest)).order.customer.id, (await taken(guest)).order.customer.id
        assert one
        assert one == same
        assert one.startswith("guest-")

    async def test_what_walmart_holds_is_flagged_and_what_the_buyer_takes_back_is_seen(self) -> None:
        odd = copy.deepcopy(US)
        odd["orderLines"]["orderLine"][0]["orderLineStatuses"]["orderLineStatus"][0]["status"] = "OnHold"
        odd["orderLines"]["orderLine"][1]["intentToCancel"] = "true"
        order = (await taken(odd)).order
        assert order.payment.status is PaymentStatus.FLAGGED
        assert "asked Walmart to cancel line 2" in (order.instructions or "")

    async def test_what_walmart_sends_itself_is_nothing_for_us(self) -> None:
        source = walmart()
        for wfs in ({**US, "shipNode": {"type": "WFSFulfilled"}}, {**US, "shipNode": [{"type": "WFSFulfilled"}]}):
            (reading,) = await source.read(Delivery(id="1", body=json.dumps(wfs)))
            assert isinstance(reading, Skipped)

    async def test_what_was_refunded_after_it_was_shipped_is_not_counted_twice(self) -> None:
        refunded = copy.deepcopy(US)
        first = refunded["orderLines"]["orderLine"][0]
        first["orderLineStatuses"]["orderLineStatus"] = [
            {"status": status, "statusQuantity": {"unitOfMeasurement": "EACH", "amount": amount}}
            for status, amount in (("Shipped", "3"), ("Refund", "3"))
        ]
        first["refund"] = {"refundCharges": {"refundCharge": [{"refundReason": "DamagedItem"}]}}
        assert (await taken(refunded)).order.lines == (await taken(US)).order.lines

    async def test_one_line_may_stand_in_several_ways_at_once(self) -> None:
        parts = (("Shipped", "1"), ("Acknowledged", "0.5"), ("Created", 0.5), ("CANCELLED", "1"))
        found = await taken(
            {
                **US,
                "orderLines": {
                    "orderLine": [stands(US, *parts)["orderLines"]["orderLine"][0], US["orderLines"]["orderLine"][1]]
                },
            }
        )
        assert [line.quantity for line in found.order.lines] == [2, 1]
        assert found.order.totals.total == add_up(found.order)

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (["shippingInfo", "estimatedShipDate"], ""),
            (["shippingInfo", "phone"], None),
            (["shippingInfo", "postalAddress", "postalCode"], 62701),
            (["orderLines", "orderLine", 0, "intentToCancel"], False),
            (["orderLines", "orderLine", 0, "fulfillment"], None),
            (["orderLines", "orderLine", 0, "seller"], None),
            (["orderLines", "orderLine", 0, "statusDate"], ""),
            (["orderLines", "orderLine", 0, "charges", "charge", 1, "tax"], []),
            (["orderLines", "orderLine", 0, "orderLineQuantity", "amount"], 3),
            (["orderLines", "orderLine", 0, "charges", "charge", 0, "chargeAmount", "amount"], "59.97"),
            (["orderLines", "orderLine", 0, "item", "productName"], "ケトル 🫖 غلاية"),
            (["orderDate"], "1795253400123"),
            (["paymentTypes"], None),
            (["paymentTypes"], {"paymentType": ["CREDITCARD", "GIFTCARD"]}),
            (["shipNode"], {"type": "3PLFulfilled", "name": "x", "id": "1"}),
            (["shippingInfo", "methodCode"], "DRONE"),
            (["pickupPersons"], {}),
        ],
    )
    async def test_another_way_to_write_the_same_is_the_same_money(self, path: list, value: object) -> None:
        other = copy.deepcopy(US)
        at = other
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        order = (await taken(other)).order
        assert order.totals.total == add_up(order) == Decimal("81.50")

    async def test_several_taxes_of_a_charge_are_one_and_thousandths_are_rounded_to_what_can_be_paid(self) -> None:
        taxes = [{"taxAmount": {"currency": "USD", "amount": amount}} for amount in (2.504, 1.2, 1.101)]
        for shape in (taxes, {"tax": taxes}):
            taxed = copy.deepcopy(US)
            taxed["orderLines"]["orderLine"][0]["charges"]["charge"][0]["tax"] = shape
            totals = (await taken(taxed)).order.totals
            assert (totals.tax, totals.total) == (Decimal("5.29"), Decimal("81.51"))

    async def test_who_may_fetch_it_is_said(self) -> None:
        persons = {"pickupPerson": [{"name": {"firstName": "Ada", "lastName": "Example"}}, {"name": None}]}
        order = (await taken({**US, "pickupPersons": persons})).order
        assert "To be handed to Ada Example" in (order.instructions or "")

    async def test_two_hundred_lines_add_up(self) -> None:
        line = US["orderLines"]["orderLine"][0]
        order = (await taken({**US, "orderLines": [{**line, "lineNumber": str(n)} for n in range(200)]})).order
        assert len(order.lines) == 200
        assert add_up(order) == order.totals.total == 200 * Decimal("68.25")

    @pytest.mark.parametrize(
        ("path", "value", "said"),
        [
            (["purchaseOrderId"], None, "purchaseOrderId"),
            (["orderDate"], "tomorrow", "orderDate"),
            (["orderLines", "orderLine", 0, "lineNumber"], "2", "line_id"),
            (["orderLines", "orderLine", 0, "charges", "charge", 0, "chargeAmount", "currency"], "EUR", "currency"),
            (["orderLines", "orderLine", 0, "charges", "charge", 0, "chargeAmount", "amount"], "NaN", "amount"),
            (["orderLines", "orderLine", 1, "charges", "charge", 0, "chargeAmount"], None, "price"),
        ],
    )
    async def test_what_cannot_be_an_order_is_refused_by_name(self, path: list, value: object, said: str) -> None:
        broken = copy.deepcopy(US)
        at = broken
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        with pytest.raises(InvalidInput, match=said):
            await taken(broken)
