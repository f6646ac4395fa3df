"""Walmart: orders of three marketplaces, looked for and told of, acknowledged once and cancelled line by line."""

import base64
import copy
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_core import OpenAPI

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Unavailable
from orderack.ports import Connection, Delivery, Hint, RawRequest, Skipped, Snapshot, SourceAnswer, Standing
from orderack.sources._walmart_market import MOST_PAGES
from orderack.sources.walmart import Walmart, WalmartSettings
from tests.conformance.openapi import described_as
from tests.conformance.peer import Answer, CutOff, Reaction, Received, json_answer, running_peer
from tests.conformance.source import NOW, SPECS, Sample, SampleConformance, SourceConformance, anything, quickly

PAYLOADS = Path(__file__).resolve().parents[1] / "payloads" / "walmart"
US, MX, EVENT = (json.loads((PAYLOADS / f"{name}.json").read_text()) for name in ("us_order", "mx_order", "po_created"))
HOST = "https://marketplace.walmartapis.com"
TOKEN = json_answer(200, {"access_token": "eyJ.sandbox.token", "token_type": "Bearer", "expires_in": 900})
CONNECTION = Connection(store="shop", system="walmart", source="walmart", country="US")


def walmart(base_url: str = "http://127.0.0.1:9", **more: object) -> Walmart:
    settings = WalmartSettings(
        client_id="id-1",
        client_secret="secret-of-the-api",
        webhook_user="orderack",
        webhook_password="password-of-the-hook",
        webhook_secret="secret-of-the-hook",
        base_url=base_url,
        **more,
    )
    return Walmart(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_WALMART_", clock=lambda: NOW)


def request(body: bytes, **headers: str) -> RawRequest:
    return RawRequest(url="https://orders.example.com/intake/shop/walmart", headers=headers, body=body)


def stands(order: dict, *statuses: tuple[str, str]) -> dict:
    """The order with every line's units standing so."""
    changed = copy.deepcopy(order)
    for line in changed["orderLines"]["orderLine"]:
        line["orderLineStatuses"]["orderLineStatus"] = [
            {"status": status, "statusQuantity": {"unitOfMeasurement": "EACH", "amount": amount}}
            for status, amount in statuses or [("Acknowledged", line["orderLineQuantity"]["amount"])]
        ]
    return changed


async def taken(order: object, source: Walmart | None = None) -> Snapshot:
    source = source or walmart()
    (reading,) = await source.read(Delivery(id="1", body=json.dumps(order)))
    await source.aclose()
    assert isinstance(reading, Snapshot)
    return reading


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


def _places(tree: object, path: tuple = ()) -> Iterator[tuple]:
    if path:
        yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from _places(value, (*path, key))


@quickly
@given(data=st.data())
async def test_a_mutated_order_is_an_order_or_a_named_refusal(data: st.DataObject) -> None:
    shape = copy.deepcopy(data.draw(st.sampled_from((US, MX))))
    *way, last = data.draw(st.sampled_from(list(_places(shape))))
    at = shape
    for step in way:
        at = at[step]
    if data.draw(st.booleans()):
        del at[last]
    else:
        at[last] = data.draw(anything)
    source = walmart()
    try:
        readings = await source.read(Delivery(id="1", body=json.dumps(shape)))
    except InvalidInput:
        return
    for reading in readings:
        if isinstance(reading, Snapshot) and "amount" not in str(last):
            assert reading.order.totals.total >= 0


class TestWhatIsPosted:
    @pytest.mark.parametrize("prefix", ["", "Basic "])
    async def test_the_subscriptions_login_is_believed_and_no_other(self, prefix: str) -> None:
        source, body = walmart(), json.dumps(EVENT).encode()
        login = base64.b64encode(b"orderack:password-of-the-hook").decode()
        await source.verify(request(body, authorization=prefix + login))
        for wrong in ("orderack:password", "orderack:"):
            with pytest.raises(BadSignature):
                await source.verify(request(body, authorization=prefix + base64.b64encode(wrong.encode()).decode()))

    async def test_an_hmac_in_base64_and_in_hex_in_the_header_that_is_set(self) -> None:
        source, body = walmart(webhook_header="X-Walmart-Auth"), b'{"source":{}}'
        digest = hmac.new(b"secret-of-the-hook", body, hashlib.sha256)
        for text in (digest.hexdigest(), base64.b64encode(digest.digest()).decode()):
            await source.verify(request(body, **{"x-walmart-auth": text}))
        with pytest.raises(BadSignature):
            await source.verify(request(body + b" ", **{"x-walmart-auth": digest.hexdigest()}))

    async def test_without_a_login_nothing_is_believed(self) -> None:
        settings = WalmartSettings(client_id="id", client_secret="secret", base_url="http://127.0.0.1:9")
        source = Walmart(CONNECTION, settings, "P_")
        for header in ("", "Basic ", "Basic Og=="):
            with pytest.raises(BadSignature):
                await source.verify(request(b"{}", authorization=header))

    @pytest.mark.parametrize(
        "payload",
        [
            EVENT["payload"],
            {"meta": {"subEventType": "PO_CREATED"}, "order": {"purchaseOrderId": US["purchaseOrderId"]}},
        ],
    )
    async def test_an_event_is_a_hint_under_walmarts_own_id(self, payload: dict) -> None:
        source = walmart()
        (delivery,) = source.deliveries(request(json.dumps({**EVENT, "payload": payload}).encode()))
        assert delivery.id == EVENT["source"]["eventId"]
        assert delivery.sent_at == NOW
        assert await source.read(delivery) == [Hint(external_id="9007199254740993123")]

    async def test_an_order_in_an_event_is_not_taken_for_one_that_was_fetched(self) -> None:
        source = walmart()
        (delivery,) = source.deliveries(request(json.dumps({**US, **EVENT}).encode()))
        (reading,) = await source.read(delivery)
        assert isinstance(reading, Hint)

    async def test_an_event_that_names_no_order_is_skipped(self) -> None:
        source = walmart()
        (delivery,) = source.deliveries(request(b'{"source":{"eventType":"OFFER_PUBLISHED"},"payload":{}}'))
        (reading,) = await source.read(delivery)
        assert isinstance(reading, Skipped)


def listed(*orders: dict, cursor: str | None = None) -> Answer:
    return json_answer(200, {"list": {"meta": {"nextCursor": cursor}, "elements": {"order": list(orders)}}})


class TestLooking:
    async def test_a_round_goes_through_what_waits_and_what_changed_page_by_page(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            acknowledged = stands(US)
            more = "?limit=200&hasMoreElements=true&soIndex=9&poIndex=1&status=Created"
            peer.will(TOKEN, listed(US, cursor=more), listed(US), listed(acknowledged), listed())
            looks, cursor = [], ""
            for _ in range(3):
                looked = await source.look(cursor, NOW)
                looks.append(looked)
                cursor = looked.cursor
            assert [looked.more for looked in looks] == [True, True, False]
            ids = [looked.deliveries[0].id for looked in looks]
            assert ids[0] == ids[1] != ids[2]
            assert isinstance((await source.read(looks[0].deliveries[0]))[0], Snapshot)
            later = await source.look(cursor, NOW + timedelta(minutes=2))
            await source.look(later.cursor, NOW + timedelta(minutes=2))
            asked = [urlsplit(one.target) for one in peer.received[1:]]
            assert [one.path for one in asked] == [
                "/v3/orders/released", "/v3/orders/released", "/v3/orders", "/v3/orders/released", "/v3/orders",
            ]  # fmt: skip
            assert parse_qs(asked[1].query)["soIndex"] == ["9"]
            assert parse_qs(asked[4].query)["lastModifiedStartDate"] == ["2026-11-21T09:20:00.000Z"]
            await source.aclose()

    async def test_canadas_list_in_its_own_envelope_and_capitals_is_read_and_acknowledged(self) -> None:
        ours = json.loads(json.dumps(US).replace('"Created"', '"CREATED"'))
        after = json.loads(json.dumps(US).replace('"Created"', '"ACKNOWLEDGED"'))
        key = AnswerKey(ref=(await taken(US)).order.ref, revision=1, stage=AnswerStage.RECEIVED)
        async with running_peer() as peer:
            source = walmart(peer.url, market="ca")
            peer.will(
                TOKEN,
                json_answer(200, {"meta": {"totalCount": 1}, "elements": {"order": [ours]}}),
                json_answer(200, ours),
                json_answer(200, {}),
                json_answer(200, after),
            )
            looked = await source.look("", NOW)
            (reading,) = await source.read(looked.deliveries[0])
            assert isinstance(reading, Snapshot)
            answer = SourceAnswer(key=key, order=reading.order, external_id=reading.external_id, now=NOW)
            assert (await source.answer(answer)).state is AnswerState.ACCEPTED
            await source.aclose()
        assert peer.received[-2].target == f"/v3/ca/orders/{US['purchaseOrderId']}/acknowledge"
        gone = json.loads(json.dumps(US).replace('"Created"', '"CANCELLED"'))
        assert (await taken(gone)).standing is Standing.CANCELLED

    async def test_one_order_that_is_no_list_is_one_and_a_cursor_never_leads_elsewhere(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            one = {"list": {"meta": {"nextCursor": "https://evil.example/?a=1"}, "elements": {"order": US}}}
            peer.will(TOKEN, json_answer(200, one), listed())
            first = await source.look("", NOW)
            assert len(first.deliveries) == 1
            await source.look(first.cursor, NOW)
            assert peer.received[-1].target.startswith("/v3/orders/released?")
            await source.aclose()

    @pytest.mark.parametrize("status", [400, 404])
    async def test_a_page_that_is_gone_begins_the_round_anew_and_a_first_page_that_is_refused_is_told(
        self, status: int
    ) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            following = {"list": {"meta": {"nextCursor": "?poIndex=2"}, "elements": {"order": [US]}}}
            peer.will(TOKEN, json_answer(200, following), json_answer(status, {"errors": []}))
            first = await source.look("", NOW)
            second = await source.look(first.cursor, NOW)
            assert (first.more, second.more, second.deliveries) == (True, False, ())
            with pytest.raises((Unavailable, Misconfigured)):
                await source.look(second.cursor, NOW)
            asked = [one.target for one in peer.received[1:]]
            assert asked[0] == asked[2]
            await source.aclose()

    async def test_pages_that_lead_in_a_circle_end_and_the_round_goes_on(self) -> None:
        turns = 0

        def answer(request: Received) -> Reaction:
            nonlocal turns
            turns += 1
            if request.target == "/v3/token":
                return TOKEN
            meta = {"nextCursor": f"?page={'ab'[turns % 2]}"}
            return json_answer(200, {"list": {"meta": meta, "elements": {"order": [US]}}})

        async with running_peer() as peer:
            source, peer.aside, cursor, looks = walmart(peer.url), answer, "", 0
            more = True
            while more and looks < 1_000:
                looked = await source.look(cursor, NOW)
                cursor, more, looks = looked.cursor, looked.more, looks + 1
            await source.aclose()
        assert looks == 2 * (MOST_PAGES + 1)

    async def test_every_call_bears_an_id_of_its_own_the_service_and_one_token(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, listed())
            await source.look("", NOW)
            await source.look("", NOW)
            signed_in, *asked = peer.received
            assert signed_in.body == b"grant_type=client_credentials"
            assert signed_in.headers["authorization"] == "Basic " + base64.b64encode(b"id-1:secret-of-the-api").decode()
            assert {one.headers["wm_sec.access_token"] for one in asked} == {"eyJ.sandbox.token"}
            assert len({one.headers["wm_qos.correlation_id"] for one in peer.received}) == 3
            assert all(one.headers["wm_svc.name"] for one in peer.received)
            await source.aclose()

    async def test_a_spent_bucket_is_waited_for_as_long_as_it_says(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            at = str(int((NOW + timedelta(seconds=40)).timestamp() * 1000))
            peer.will(TOKEN, Answer(429, b"", {"x-current-token-count": "0", "x-next-replenish-time": at}))
            with pytest.raises(Unavailable) as caught:
                await source.look("", NOW)
            assert caught.value.retry_after == timedelta(seconds=40)
            await source.aclose()

    @pytest.mark.parametrize(
        ("status", "fate"), [(401, Misconfigured), (403, Misconfigured), (400, Unavailable), (500, Unavailable)]
    )
    async def test_every_failure_has_its_fate(self, status: int, fate: type[Exception]) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, json_answer(status, {"errors": [{"code": "X.GMP", "description": "no"}]}))
            if status == 401:
                peer.will(TOKEN, Answer(401), TOKEN, Answer(401))
            with pytest.raises(fate):
                await source.look("", NOW)
            await source.aclose()

    async def test_mexico_and_canada_are_asked_in_their_own_way(self) -> None:
        async with running_peer() as peer:
            mexico = walmart(peer.url, market="mx")
            peer.will(TOKEN, json_answer(200, {"meta": {"nextCursorMark": "AoJ4"}, "order": [MX]}), listed())
            first = await mexico.look("", NOW)
            await mexico.look(first.cursor, NOW)
            query = parse_qs(urlsplit(peer.received[-1].target).query)
            assert (query["cursorMark"], query["statusCodeFilter"]) == (["AoJ4"], ["Created"])
            assert peer.received[-1].headers["wm_market"] == "mx"
            canada = walmart(peer.url, market="ca")
            peer.will(TOKEN, listed())
            await canada.look("", NOW)
            assert peer.received[-1].target.startswith("/v3/ca/orders/released?")
            await mexico.aclose()
            await canada.aclose()

    @pytest.mark.parametrize("envelope", [US, {"order": US}, {"order": [US]}, {"list": {"elements": {"order": [US]}}}])
    async def test_an_order_is_fetched_in_whatever_envelope(self, envelope: dict) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, json_answer(200, envelope))
            (reading,) = await source.fetch("9007199254740993123")
            assert reading == await taken(US)
            peer.will(Answer(404))
            (reading,) = await source.fetch("../token")
            assert isinstance(reading, Skipped)
            assert peer.received[-1].target.startswith("/v3/orders/..%2Ftoken?")
            await source.aclose()


async def an_answer(stage: AnswerStage, shape: dict = US) -> SourceAnswer:
    order = (await taken(shape)).order
    key = AnswerKey(ref=order.ref, revision=1, stage=stage)
    return SourceAnswer(key=key, order=order, external_id=shape["purchaseOrderId"], now=NOW)


def fetched(order: dict) -> Answer:
    return json_answer(200, {"order": order})


GONE = json_answer(400, {"errors": [{"code": "INVALID_REQUEST_CONTENT.GMP_ORDER_API", "description": "Not allowed"}]})


class TestAnswering:
    @pytest.mark.parametrize(
        ("stage", "answers", "state", "detail", "posts"),
        [
            ("received", [fetched(US), fetched(stands(US)), fetched(stands(US))], "accepted", "acknowledged", 1),
            ("confirmed", [fetched(stands(US))], "accepted", "acknowledged", 0),
            ("received", [fetched(stands(US, ("Shipped", "1")))], "accepted", "shipped already", 0),
            ("received", [fetched(stands(US, ("Cancelled", "3")))], "refused", "cancelled at Walmart", 0),
            ("received", [Answer(404)], "refused", "no such order", 0),
            ("received", [fetched(US), GONE, fetched(stands(US, ("Cancelled", "3")))], "refused", "cancelled at", 1),
            ("received", [fetched(US), GONE, fetched(stands(US))], "accepted", "acknowledged", 1),
            ("received", [fetched(US), GONE, fetched(US)], "refused", "400 INVALID_REQUEST_CONTENT", 1),
            ("rejected", [fetched(US), GONE, fetched(stands(US, ("Cancelled", "3")))], "accepted", "cancelled", 1),
            ("cancelled", [fetched(stands(US, ("Cancelled", "3")))], "accepted", "cancelled", 0),
            ("cancelled", [fetched(stands(US, ("Shipped", "3")))], "refused", "it is shipped", 0),
            ("rejected", [fetched(US), GONE, fetched(US)], "refused", "400 INVALID_REQUEST_CONTENT", 1),
        ],
    )  # fmt: skip
    async def test_how_the_order_stands_decides(
        self, stage: str, answers: list, state: str, detail: str, posts: int
    ) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, *answers)
            answered = await source.answer(await an_answer(AnswerStage(stage)))
            assert (answered.state, detail in answered.detail) == (AnswerState(state), True), answered
            assert sum(one.method == "POST" for one in peer.received[1:]) == posts
            await source.aclose()

    async def test_a_cut_off_acknowledgement_is_made_again_and_is_one(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, fetched(US), CutOff())
            with pytest.raises(Unavailable):
                await source.answer(await an_answer(AnswerStage.RECEIVED))
            peer.will(fetched(stands(US)))
            answered = await source.answer(await an_answer(AnswerStage.RECEIVED))
            assert answered.state is AnswerState.ACCEPTED
            assert sum(one.method == "POST" for one in peer.received[1:]) == 1
            await source.aclose()

    async def test_another_order_than_the_one_that_was_asked_for_is_never_answered(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url, market="mx")
            other = {**MX, "purchaseOrderId": "P-of-somebody-else"}
            peer.will(TOKEN, json_answer(200, {"order": [other]}))
            answered = await source.answer(await an_answer(AnswerStage.RECEIVED, MX))
            assert (answered.state, answered.detail) == (AnswerState.REFUSED, "Walmart has no such order")
            peer.will(json_answer(200, {"order": [other, MX]}))
            (reading,) = await source.fetch(MX["purchaseOrderId"])
            assert isinstance(reading, Snapshot)
            assert reading.external_id == MX["purchaseOrderId"]
            await source.aclose()
        assert not [one for one in peer.received[1:] if one.method == "POST"]

    async def test_an_order_that_cannot_be_read_just_now_is_answered_later(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, fetched({**US, "orderDate": "soon"}))
            with pytest.raises(Unavailable):
                await source.answer(await an_answer(AnswerStage.RECEIVED))
            await source.aclose()

    async def test_a_cancellation_names_each_open_line_with_its_reason(self) -> None:
        odd = copy.deepcopy(US)
        odd["orderLines"]["orderLine"][1]["intentToCancel"] = "true"
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, fetched(odd), fetched(odd))
            await source.answer(await an_answer(AnswerStage.REJECTED))
            post = next(one for one in peer.received if one.target.endswith("/cancel"))
            lines = json.loads(post.body)["orderCancellation"]["orderLines"]["orderLine"]
            told = [(line["lineNumber"], line["orderLineStatuses"]["orderLineStatus"][0]) for line in lines]
            assert [(number, one["cancellationReason"], one["statusQuantity"]["amount"]) for number, one in told] == [
                ("1", "SELLER_CANCEL_OUT_OF_STOCK", "3"),
                ("2", "CUSTOMER_REQUESTED_SELLER_TO_CANCEL", "1"),
            ]
            await source.aclose()

    async def test_canada_is_cancelled_by_hand(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url, market="ca")
            peer.will(TOKEN, fetched(US))
            answered = await source.answer(await an_answer(AnswerStage.REJECTED))
            assert answered.state is AnswerState.REFUSED
            assert "Seller Center" in answered.detail
            assert len(peer.received) == 2
            await source.aclose()


@pytest.mark.parametrize(
    ("market", "order", "descriptions"),
    [
        ("us", US, ("us_mp_orders.openapi.json", "us_mp_orders.2026.trimmed.openapi.json")),
        ("mx", MX, ("mx_mp_orders.openapi.json",)),
    ],
)
async def test_every_request_is_as_walmart_describes_it(market: str, order: dict, descriptions: tuple) -> None:
    if not SPECS.is_dir():
        pytest.skip("the vendors' descriptions are not beside this checkout")
    async with running_peer() as peer:
        source = walmart(peer.url, market=market)
        peer.will(TOKEN, fetched(order))
        for stage in (AnswerStage.RECEIVED, AnswerStage.REJECTED):
            await source.answer(await an_answer(stage, order))
        await source.look((await source.look("", NOW)).cursor, NOW)
        sign_in, *asked = peer.received
        described_as(_described("us_mp_auth.openapi.json"), HOST, sign_in)
        assert {one.target.partition("?")[0].rpartition("/")[2] for one in asked} >= {"acknowledge", "cancel"}
        for name in descriptions:
            description, unknown = _described(name), "/v3/orders/released" if "2026" in name else "?"
            for one in asked:
                if not one.target.startswith(unknown):
                    described_as(description, HOST, one)
        await source.aclose()


def _described(name: str) -> OpenAPI:
    """Walmart's own description. It says `bearer` of a token that has a header of its own, and its notes on XML are
    no valid ones."""
    tree = _without(json.loads((SPECS / "walmart" / name).read_text()), "security", "xml")
    tree["info"].setdefault("version", "unsaid")
    return OpenAPI.from_dict(tree)


def _without(tree, *names: str):
    if isinstance(tree, dict):
        return {name: _without(value, *names) for name, value in tree.items() if name not in names}
    return [_without(value, *names) for value in tree] if isinstance(tree, list) else tree
