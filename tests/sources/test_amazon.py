"""Amazon's sellers: orders as they are looked up, and the notifications of a topic."""

import asyncio
import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus, TaxBasis
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import Connection, Delivery, Hint, RawRequest, Skipped, Snapshot, Source, Standing
from orderack.sources.amazon import ORDERS, Amazon, AmazonSettings
from tests import sns_topic
from tests.conformance.peer import Reaction, Received, json_answer, running_peer
from tests.conformance.source import NOW, SPECS, Sample, SampleConformance, SourceConformance, given, quickly, st
from tests.payloads import payload

CONNECTION = Connection(store="shop", system="amazon", source="shop", country="DE", time_zone="Europe/Berlin")
ORDER = json.loads(payload("amazon/order.json"))
CHANGE = payload("amazon/order_change.json").decode()
SECRETS = ("lwa-secret-of-tests", "Atzr|refresh-of-tests")
TOKEN = json_answer(200, {"access_token": "Atza|token", "token_type": "bearer", "expires_in": 3600})


def amazon(base_url: str = "http://127.0.0.1:9", **more: str) -> Amazon:
    settings = AmazonSettings(
        _env_file=None,
        client_id="amzn1.application-oa2-client.tests",
        client_secret=SECRETS[0],
        refresh_token=SECRETS[1],
        marketplace_ids="A1PA6795UKMFR9,A1F83G8C2ARO7P",
        base_url=base_url,
        login_url=base_url,
        **{"sns_topic_arn": sns_topic.TOPIC, "sns_base_url": sns_topic.HOME, **more},
    )
    return Amazon(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_AMAZON_", clock=lambda: NOW)


def changed(path: str, value: JsonValue) -> dict[str, JsonValue]:
    """The good order with one field set (`…` removes it)."""
    body = copy.deepcopy(ORDER)
    *way, last = path.split(".")
    at = body
    for step in way:
        at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
    at[int(last) if last.isdigit() else last] = value
    return body


async def read(body: JsonValue) -> Snapshot | Skipped | Hint:
    source = amazon()
    (found,) = await source.read(Delivery(id="1", body=json.dumps(body)))
    await source.aclose()
    return found


async def snapshot(body: JsonValue) -> Snapshot:
    found = await read(body)
    assert isinstance(found, Snapshot)
    return found


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


def orders_in(value: JsonValue, marks: frozenset[str]) -> Iterator[dict[str, JsonValue]]:
    """Every object that has these fields, wherever it stands."""
    if isinstance(value, dict):
        if marks <= value.keys():
            yield value
        else:
            for inner in value.values():
                yield from orders_in(inner, marks)
    elif isinstance(value, list):
        for inner in value:
            yield from orders_in(inner, marks)


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


async def test_an_address_of_brazil_is_put_together_and_a_business_is_billed_by_its_registered_name() -> None:
    apart = {"streetName": "Rua Exemplo", "streetNumber": "12", "complement": "ap 3", "neighborhood": "Centro"}
    body = changed("recipient.deliveryAddress", {"extendedFields": apart, "city": "Recife", "countryCode": "BR"})
    registered = {"entityType": "BUYER", "legalName": "Example SA", "taxRegistrationNumber": "00.000.000/0001-00"}
    body["tax"] = {
        "taxRegistrations": [
            {"entityType": "MERCHANT", "taxRegistrationNumber": "1"},
            registered | {"taxRegistrationAddress": {"addressLine1": "1 Office Way", "countryCode": "BR"}},
        ]
    }
    order = (await snapshot(body)).order
    assert order.delivery_address is not None
    assert order.billing_address is not None
    assert (order.delivery_address.street, order.delivery_address.street2) == ("Rua Exemplo, 12", "ap 3, Centro")
    assert (order.billing_address.company, order.billing_address.street) == ("Example SA", "1 Office Way")
    assert ("amazon_buyer_tax", "00.000.000/0001-00") in {(one.system, one.id) for one in order.external_ids}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("orderItems.0.orderItemId", 90071992547409931),
        ("orderItems.0.quantityOrdered", "2"),
        ("proceeds.grandTotal.amount", 58.40),
        ("recipient.deliveryAddress.postalCode", 150),
        ("programs", None),
        ("programs", {}),
        ("orderAliases", ""),
        ("salesChannel", None),
        ("recipient.deliveryAddress.name", "مريم 示例 🎁"),
        ("recipient.deliveryAddress.countryCode", "XX"),
        ("orderItems.0.product.sellerSku", 4711),
    ],
)
async def test_another_way_to_write_the_same_is_the_same_money(path: str, value: JsonValue) -> None:
    order = (await snapshot(changed(path, value))).order
    assert add_up(order) == order.totals.total == Decimal("58.40")
    assert order.lines[0].line_id == "90071992547409931"


async def test_two_hundred_items_and_yen_without_decimals_add_up() -> None:
    item = {
        "quantityOrdered": 3,
        "product": {"sellerSku": "A"},
        "proceeds": {"breakdowns": [{"type": "ITEM", "subtotal": {"amount": "1000.00", "currencyCode": "JPY"}}]},
    }
    body = changed("orderItems", [item | {"orderItemId": str(n)} for n in range(200)])
    body["proceeds"] = {"grandTotal": {"amount": "200000.00", "currencyCode": "JPY"}}
    order = (await snapshot(body)).order
    assert add_up(order) == order.totals.total == 200_000


async def test_an_order_of_the_old_version_is_refused_by_that_name() -> None:
    old = {"AmazonOrderId": "902-1845936-5435065", "OrderStatus": "Unshipped", "PurchaseDate": "2026-11-21T08:30:00Z"}
    with pytest.raises(InvalidInput, match="Orders API v0"):
        await read(old)


@pytest.mark.parametrize(
    ("method", "status", "terms"),
    [
        ("CashOnDelivery", PaymentStatus.PENDING, "cash on delivery"),
        ("Invoice", PaymentStatus.PENDING, "by invoice through Amazon"),
        ("Pix", PaymentStatus.CONFIRMED, "prepaid by Pix"),
        (None, PaymentStatus.CONFIRMED, "prepaid by Amazon"),
    ],
)
async def test_how_it_is_paid_says_whether_it_is(method: str | None, status: PaymentStatus, terms: str) -> None:
    payment = (await snapshot(changed("payment.paymentExecutions.0.paymentMethod", method))).order.payment
    assert (payment.status, payment.terms) == (status, terms)


async def test_an_order_that_is_fetched_in_a_store_is_a_pickup_there() -> None:
    order = (await snapshot(changed("programs", ["IN_STORE_PICK_UP"]))).order
    assert order.delivery_address is None
    assert order.pickup is not None
    assert order.pickup.location == "Ada Example, 1 Analytical Way, Oslo"


async def test_without_the_restricted_roles_an_order_has_no_buyer_and_is_still_one() -> None:
    body = {name: value for name, value in ORDER.items() if name not in ("buyer", "recipient")}
    order = (await snapshot(body)).order
    assert (order.contacts.email, order.delivery_address, order.customer.name) == (None, None, None)
    assert order.customer.id is not None


def paths_of(value: JsonValue, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    steps: Sequence[tuple[str | int, JsonValue]] = ()
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    for key, inner in steps:
        yield (*at, key)
        yield from paths_of(inner, (*at, key))


def mutated(body: JsonValue, path: Sequence[str | int], value: JsonValue) -> JsonValue:
    made = copy.deepcopy(body)
    at = made
    for step in path[:-1]:
        at = at[step]
    if value == "\x00":
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return made


ODD = (None, "", "x", 0, -1, 1e300, "NaN", "-5", True, [], {}, [None], "\x00", "9" * 400, "\ud800", 2**70)


@quickly
@given(path=st.sampled_from(list(paths_of(ORDER))), value=st.sampled_from(ODD))
async def test_an_order_with_any_field_spoiled_is_an_order_or_refused_and_its_total_is_amazons(
    path: Sequence[str | int], value: JsonValue
) -> None:
    body = mutated(ORDER, path, value)
    try:
        found = await read(body)
    except InvalidInput:
        return
    if isinstance(found, Snapshot) and found.standing is Standing.OPEN:
        said = body["proceeds"]["grandTotal"]["amount"]
        assert found.order.totals.total == Decimal(str(said))


# -- notifications --------------------------------------------------------------------------------------------------


async def test_a_notification_is_a_hint_by_its_own_id_and_so_is_what_eventbridge_wraps() -> None:
    source = TestAmazon().make()
    wrapped = json.dumps({"version": "0", "detail-type": "ORDER_CHANGE", "detail": json.loads(CHANGE)})
    for message in (CHANGE, wrapped):
        (delivery,) = source.deliveries(TestAmazon().signed(message.encode()))
        assert delivery.id == "d0e9e693-0000-0000-0000-000000000001"
        assert await source.read(delivery) == [Hint(external_id="302-0000001-0000007")]
    await source.aclose()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [('"MFN"', '"AFN"', "AFN"), ('"ORDER_CHANGE"', '"FEED_PROCESSING_FINISHED"', "another type")],
)
async def test_a_notification_that_is_not_about_our_orders_is_skipped(old: str, new: str, why: str) -> None:
    source = amazon()
    (found,) = await source.read(Delivery(id="1", topic="ORDER_CHANGE", body=CHANGE.replace(old, new)))
    assert isinstance(found, Skipped)
    assert why in found.why
    await source.aclose()


async def test_without_a_topic_nothing_that_is_posted_is_believed() -> None:
    settings = amazon()._settings.model_copy(update={"sns_topic_arn": None})
    source = Amazon(CONNECTION, settings, clock=lambda: NOW)
    with pytest.raises(BadSignature, match="no SNS topic"):
        await source.verify(TestAmazon().signed(CHANGE.encode()))
    assert await source.greet(TestAmazon().signed(CHANGE.encode())) is None
    await source.aclose()


async def test_a_subscription_is_confirmed_at_sns_alone() -> None:
    async with running_peer() as peer:
        source = amazon(sns_base_url=peer.url)
        source._sns._certificates[sns_topic.CERTIFICATE] = sns_topic.certificate(NOW)
        url = f"{peer.url}/?Action=ConfirmSubscription&TopicArn={sns_topic.TOPIC}&Token=2336412f37"
        cert = f"{peer.url}{sns_topic.CERTIFICATE}"
        peer.will(json_answer(200, {}))
        body = sns_topic.confirmation(NOW, url, SigningCertURL=cert)
        request = RawRequest(url="https://shop.example", headers={}, body=body)
        assert await source.greet(request) is not None
        assert len(peer.received) == 1
        elsewhere = sns_topic.confirmation(NOW, "https://evil.example/?Action=ConfirmSubscription", SigningCertURL=cert)
        with pytest.raises(BadSignature):
            await source.greet(request.model_copy(update={"body": elsewhere}))
        assert len(peer.received) == 1
        await source.aclose()


# -- looking and fetching -------------------------------------------------------------------------------------------


def described(request: object) -> None:
    """The request is one that Amazon describes."""
    path = SPECS / "amazon_sp_api" / "orders_2026-01-01.json"
    if path.is_file():
        known = json.loads(path.read_bytes())
        operation = known["paths"][ORDERS]["get"]
        asked = parse_qs(urlsplit(request.target).query)
        names = {one["name"]: one for one in operation["parameters"]}
        assert asked.keys() <= names.keys()
        for name in ("fulfillmentStatuses", "fulfilledBy", "includedData"):
            assert set(asked[name][0].split(",")) <= set(names[name]["items"]["enum"])
        assert len({"createdAfter", "lastUpdatedAfter"} & asked.keys()) == 1


async def test_a_look_goes_page_by_page_and_the_same_state_is_the_same_delivery() -> None:
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(
            TOKEN,
            json_answer(200, {"orders": [ORDER], "pagination": {"nextToken": "page+2="}}),
            json_answer(200, {"orders": [changed("lastUpdatedTime", "2026-11-21T09:10:00Z")], "pagination": {}}),
            json_answer(200, {"orders": []}),
        )
        first = await source.look("", NOW)
        second = await source.look(first.cursor, NOW)
        third = await source.look(second.cursor, NOW + timedelta(minutes=3))
        await source.aclose()
    assert [one.id.partition("#")[0] for one in first.deliveries] == ["302-0000001-0000007@2026-11-21T09:00:00Z"]
    assert [one.id.partition("#")[0] for one in second.deliveries] == ["302-0000001-0000007@2026-11-21T09:10:00Z"]
    assert (first.more, second.more, third.more) == (True, False, False)
    asked = [parse_qs(urlsplit(one.target).query) for one in peer.received[1:]]
    assert asked[0]["lastUpdatedAfter"] == ["2026-11-20T09:30:00Z"]
    assert asked[1]["paginationToken"] == ["page+2="]
    assert asked[1]["lastUpdatedAfter"] == asked[0]["lastUpdatedAfter"]
    assert asked[2]["lastUpdatedAfter"] == ["2026-11-21T09:25:00Z"]
    assert "paginationToken" not in asked[2]
    assert {one.headers["x-amz-access-token"] for one in peer.received[1:]} == {"Atza|token"}
    for one in peer.received[1:]:
        described(one)
    assert parse_qs(peer.received[0].body.decode())["grant_type"] == ["refresh_token"]


async def test_a_page_that_names_itself_as_the_next_ends_the_look() -> None:
    page = json_answer(200, {"orders": [ORDER], "pagination": {"nextToken": "again"}})
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(TOKEN, page, page)
        first = await source.look("", NOW)
        second = await source.look(first.cursor, NOW)
        await source.aclose()
    assert (first.more, second.more) == (True, False)


async def test_a_request_that_hears_late_that_its_token_is_denied_takes_nobodys_new_one_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed_in: list[Received] = []
    expired, heard, go_on = 0, asyncio.Event(), asyncio.Event()

    def answer(request: Received) -> Reaction:
        if request.target == "/auth/o2/token":
            signed_in.append(request)
            return json_answer(200, {"access_token": f"Atza|{len(signed_in)}", "expires_in": 3600})
        known = request.headers["x-amz-access-token"] == f"Atza|{expired + 1}"
        return json_answer(200, {"order": ORDER}) if known else json_answer(403, {"errors": []})

    async with running_peer() as peer:
        source, peer.aside = amazon(peer.url), answer
        await source.fetch("1")
        expired, send = 1, source._partner.reads.send

        async def sent_late(*wanted: str, **more: object) -> httpx.Response:
            response = await send(*wanted, **more)
            if not heard.is_set():
                heard.set()
                await go_on.wait()
            return response

        monkeypatch.setattr(source._partner.reads, "send", sent_late)
        slow = asyncio.create_task(source.fetch("1"))
        await heard.wait()
        await source.fetch("1")
        go_on.set()
        await slow
        await source.aclose()
    assert len(signed_in) == 2


async def test_a_page_that_has_expired_begins_the_window_anew() -> None:
    bad: JsonValue = {"errors": [{"code": "InvalidInput", "message": "Invalid paginationToken"}]}
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(TOKEN, json_answer(200, {"orders": [], "pagination": {"nextToken": "p2"}}), json_answer(400, bad))
        first = await source.look("", NOW)
        second = await source.look(first.cursor, NOW + timedelta(days=2))
        assert (second.more, second.deliveries) == (False, ())
        assert "2026-11-20T09:30" in second.cursor
        with pytest.raises(Refused, match="InvalidInput"):
            await source.look(second.cursor, NOW)
        await source.aclose()


async def test_its_rate_says_when_it_may_be_asked_again() -> None:
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(TOKEN, json_answer(429, {"errors": []}, {"x-amzn-RateLimit-Limit": "0.0056"}))
        with pytest.raises(Unavailable) as caught:
            await source.look("", NOW)
        assert caught.value.retry_after is not None
        assert caught.value.retry_after.total_seconds() == pytest.approx(178.57, abs=0.1)
        await source.aclose()


async def test_a_token_that_has_expired_is_renewed_once_and_a_missing_role_is_ours_to_mend() -> None:
    denied = json_answer(
        403, {"errors": [{"code": "Unauthorized", "message": "Access to requested resource is denied."}]}
    )
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(TOKEN, denied, TOKEN, json_answer(200, {"order": ORDER}), denied, TOKEN, denied)
        (found,) = await source.fetch("302-0000001-0000007")
        assert isinstance(found, Snapshot)
        with pytest.raises(Misconfigured, match="ORDERACK_SOURCE_SHOP_AMAZON_CLIENT_ID") as caught:
            await source.fetch("302-0000001-0000007")
        assert not any(secret in str(caught.value) for secret in (*SECRETS, "Atza|token"))
        await source.aclose()


async def test_an_order_that_amazon_does_not_have_is_skipped() -> None:
    async with running_peer() as peer:
        source = amazon(peer.url)
        peer.will(TOKEN, json_answer(404, {"errors": [{"code": "NotFound", "message": "none"}]}))
        (found,) = await source.fetch("../302")
        assert isinstance(found, Skipped)
        assert peer.received[-1].target.startswith(f"{ORDERS}/..%2F302?includedData=")
        await source.aclose()


@pytest.mark.parametrize(
    ("field", "value"),
    [("base_url", "http://amazon.example"), ("marketplace_ids", "a b"), ("region", "xx"), ("client_id", "a\nb")],
)
def test_settings_that_cannot_be_right_are_refused(field: str, value: str) -> None:
    good: Mapping[str, str] = {
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "r",
        "marketplace_ids": "ATVPDKIKX0DER",
    }
    AmazonSettings(_env_file=None, **good)
    with pytest.raises(ValueError, match=field):
        AmazonSettings(_env_file=None, **{**good, field: value})
