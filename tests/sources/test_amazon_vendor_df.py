"""Amazon's vendors: purchase orders as they are looked up, and the acknowledgement of a whole one."""

import copy
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from openapi_core import OpenAPI
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import Order, OrderRef, Priority
from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.errors import InDoubt, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import Connection, Delivery, Skipped, Snapshot, Source, SourceAnswer, Standing
from orderack.sources.amazon_vendor_df import ACKNOWLEDGEMENTS, ORDERS, AmazonVendorDf, AmazonVendorDfSettings
from tests.conformance.openapi import described_as
from tests.conformance.peer import Answer, CutOff, Received, json_answer, running_peer
from tests.conformance.source import NOW, SPECS, AnySource, Sample, SampleConformance, given, quickly, st
from tests.payloads import payload
from tests.sources.amazon_bodies import ODD, SECRETS, TOKEN, mutated, orders_in, paths_of

CONNECTION = Connection(store="shop", system="amazon_vendor_df", source="shop", country="US")
ORDER = json.loads(payload("amazon/purchase_order.json"))
TAKEN = json_answer(202, {"transactionId": "20261121-6ca0ac50"})


def vendor(base_url: str = "http://127.0.0.1:9", **more: str) -> AmazonVendorDf:
    settings = AmazonVendorDfSettings(
        _env_file=None,
        client_id="amzn1.application-oa2-client.tests",
        client_secret=SECRETS[0],
        refresh_token=SECRETS[1],
        base_url=base_url,
        login_url=base_url,
        **more,
    )
    return AmazonVendorDf(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_AMAZON_VENDOR_DF_", clock=lambda: NOW)


def standing_as(status: str) -> dict[str, JsonValue]:
    body = copy.deepcopy(ORDER)
    body["orderDetails"]["orderStatus"] = status
    return body


async def read(body: JsonValue) -> Snapshot:
    source = vendor()
    (found,) = await source.read(Delivery(id="1", body=json.dumps(body)))
    await source.aclose()
    assert isinstance(found, Snapshot)
    return found


class TestAmazonVendorDf(AnySource):
    name = "amazon_vendor_df"
    secrets = SECRETS
    required = ("client_id", "client_secret", "refresh_token")

    def make(self, base_url: str = "http://127.0.0.1:9") -> Source:
        return vendor(base_url)


class TestSamples(SampleConformance):
    folder = "amazon_sp_api"

    def source(self) -> Source:
        return vendor()

    def samples(self, path: Path) -> Sequence[Sample] | str:
        found = list(orders_in(json.loads(path.read_bytes()), frozenset({"purchaseOrderNumber", "orderDetails"})))
        if not found:
            return "no purchase orders"
        return [
            Sample(f"{path.name} {index}", Delivery(id=str(index), body=json.dumps(one)), _net_and_tax(one))
            for index, one in enumerate(found)
        ]


def _net_and_tax(one: dict[str, JsonValue]) -> Decimal:
    """The body has no total: its lines, each piece at its price, and the tax of them all."""
    details = one["orderDetails"]
    net = sum(Decimal(item["netPrice"]["amount"]) * item["orderedQuantity"]["amount"] for item in details["items"])
    return net + Decimal(details["taxTotal"]["taxLineItem"][0]["taxAmount"]["amount"])


async def test_a_purchase_order_keeps_everything_that_amazon_says_of_it() -> None:
    found = await read(ORDER)
    order = found.order
    assert (found.external_id, order.number, found.standing) == ("TeStPo01", "TeStPo01", Standing.OPEN)
    assert order.partner_deadline is not None
    assert order.partner_deadline.due_at == datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    assert (order.customer.id, order.customer.name, order.contacts.phone) == ("AMAZON-US", "Amazon", None)
    assert order.payment.terms == "invoiced to Amazon at the vendor's terms"
    tea, cup = order.lines
    assert (cup.quantity, cup.unit_price, cup.amount, cup.unit) == (2, 70, 140, None)
    assert tea.design == "https://example.com/design.zip"
    assert tea.instructions == "gift wrap: W1\ngift message: For you"
    assert order.totals.total == add_up(order) == 209
    assert order.delivery_address is not None
    assert (order.delivery_address.country, order.delivery_address.street2) == ("US", "Apt 5")
    assert order.delivery_window is not None
    assert {(one.system, one.id) for one in order.external_ids} == {
        ("amazon_vendor_df", "TeStPo01"),
        ("amazon_customer_order", "302-0000001-0000009"),
        ("amazon_selling_party", "999US"),
        ("amazon_ship_from", "ABCD"),
        ("amazon_ship_method", "UPS_2ND"),
    }


async def test_a_later_state_is_never_older_than_an_earlier_one() -> None:
    found = [await read(standing_as(status)) for status in ("NEW", "ACCEPTED", "SHIPPED", "CANCELLED")]
    assert [one.at for one in found] == sorted({one.at for one in found})
    assert [one.standing for one in found] == [Standing.OPEN, Standing.OPEN, Standing.OPEN, Standing.CANCELLED]
    with pytest.raises(InvalidInput, match="orderStatus"):
        await read(standing_as("UNHEARD_OF"))


async def test_the_items_taxes_stand_in_for_the_orders_and_a_total_tax_holds_the_others() -> None:
    body = copy.deepcopy(ORDER)
    del body["orderDetails"]["taxTotal"]
    assert (await read(body)).order.totals.tax == 19
    part: JsonValue = {"taxAmount": {"currencyCode": "USD", "amount": "10.00"}, "type": "GST"}
    body = copy.deepcopy(ORDER)
    body["orderDetails"]["taxTotal"]["taxLineItem"].append(part)
    assert (await read(body)).order.totals.tax == 19


async def test_what_goes_into_the_parcel_and_how_it_is_sent_is_said() -> None:
    body = copy.deepcopy(ORDER)
    shipment = {"isPriorityShipment": True, "isPslipRequired": True, "isGift": True, "messageToCustomer": "Thank you"}
    body["orderDetails"]["shipmentDetails"] |= shipment
    body["orderDetails"]["shipToParty"]["phone"] = "+15005550006"
    order = (await read(body)).order
    assert order.priority is Priority.HIGH
    assert order.instructions == "a gift\npacking slip: Thank you\ntelephone for the carrier: +15005550006"
    assert order.contacts.phone is None, "Amazon's customer is told by Amazon alone"
    body["orderDetails"]["shipToParty"]["phone"] = "xxxxx"
    assert "telephone" not in ((await read(body)).order.instructions or "")


@pytest.mark.parametrize(
    ("price", "quantity", "tax", "total"),
    [
        ("3.335", 3, "0", "10.01"),
        (70, "2", 0, "140.00"),
        ("0.00", 1, "0.00", "0.00"),
        ("19.99", 250, "399.805", "5397.31"),
    ],
)
async def test_a_total_is_rounded_half_up_to_what_can_be_paid(
    price: JsonValue, quantity: JsonValue, tax: JsonValue, total: str
) -> None:
    body = copy.deepcopy(ORDER)
    details = body["orderDetails"]
    details["items"] = details["items"][:1]
    details["items"][0] |= {
        "itemSequenceNumber": 1,
        "netPrice": {"amount": price, "currencyCode": "USD"},
        "orderedQuantity": {"amount": quantity, "unitOfMeasure": "Each"},
    }
    details["taxTotal"] = {"taxLineItem": [{"taxAmount": {"amount": tax, "currencyCode": "USD"}, "type": "TOTAL"}]}
    order = (await read(body)).order
    assert add_up(order) == order.totals.total == Decimal(total)


async def test_an_order_for_amazons_own_warehouses_is_refused_by_that_name() -> None:
    with pytest.raises(InvalidInput, match="Vendor Orders"):
        await read({"purchaseOrderNumber": "2JK3S9VC", "purchaseOrderState": "New", "orderDetails": {}})


async def test_an_order_without_a_status_is_a_new_one() -> None:
    body = copy.deepcopy(ORDER)
    del body["orderDetails"]["orderStatus"]
    assert (await read(body)).standing is Standing.OPEN


async def test_a_time_without_a_zone_is_utc_as_the_description_says() -> None:
    body = copy.deepcopy(ORDER)
    body["orderDetails"]["orderDate"] = "2026-11-21T08:30:00"
    assert (await read(body)).order.trigger_at == datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


@quickly
@given(path=st.sampled_from(list(paths_of(ORDER))), value=st.sampled_from(ODD))
async def test_a_purchase_order_with_any_field_spoiled_is_one_or_refused(
    path: Sequence[str | int], value: JsonValue
) -> None:
    try:
        found = await read(mutated(ORDER, path, value))
    except InvalidInput:
        return
    assert add_up(found.order) == found.order.totals.total


# -- looking --------------------------------------------------------------------------------------------------------


async def test_a_look_asks_for_the_new_ones_and_then_for_the_cancelled_ones_page_by_page() -> None:
    async with running_peer() as peer:
        source = vendor(peer.url, ship_from_party_id="ABCD")
        peer.will(
            TOKEN,
            json_answer(200, {"pagination": {"nextToken": "MDA="}, "orders": [ORDER]}),
            json_answer(200, {"orders": []}),
            json_answer(200, {"orders": [standing_as("CANCELLED")]}),
        )
        looks = [await source.look("", NOW)]
        while looks[-1].more:
            looks.append(await source.look(looks[-1].cursor, NOW + timedelta(seconds=len(looks))))
        await source.aclose()
    new, none, gone = [[one.id for one in look.deliveries] for look in looks]
    assert (len(new), len(none), len(gone)) == (1, 0, 1)
    assert new != gone
    asked = [parse_qs(urlsplit(one.target).query) for one in peer.received[1:]]
    assert [one["status"] for one in asked] == [["NEW"], ["NEW"], ["CANCELLED"]]
    assert [one.get("nextToken") for one in asked] == [None, ["MDA="], None]
    assert {one["createdBefore"][0] for one in asked} == {"2026-11-21T09:30:00Z"}
    assert {one["createdAfter"][0] for one in asked} == {"2026-11-14T09:30:00Z"}
    for request in peer.received[1:]:
        described(request)


async def test_a_page_that_is_gone_ends_the_look_and_the_next_begins_anew() -> None:
    async with running_peer() as peer:
        source = vendor(peer.url)
        gone = json_answer(400, {"errors": [{"code": "InvalidInput", "message": "nextToken"}]})
        peer.will(TOKEN, json_answer(200, {"pagination": {"nextToken": "MDA="}, "orders": [ORDER]}), gone)
        first = await source.look("", NOW)
        second = await source.look(first.cursor, NOW)
        peer.will(json_answer(200, {"orders": []}))
        await source.look(second.cursor, NOW)
        await source.aclose()
    assert (first.more, second.more, second.deliveries) == (True, False, ())
    asked = parse_qs(urlsplit(peer.received[-1].target).query)
    assert (asked["status"], asked.get("nextToken")) == (["NEW"], None)


async def test_a_page_that_names_itself_as_the_next_ends_its_state() -> None:
    async with running_peer() as peer:
        source = vendor(peer.url)
        peer.will(TOKEN, json_answer(200, {"pagination": {"nextToken": "MDA="}, "orders": [ORDER]}))
        cursor, count, more = "", 0, True
        while more and count < 20:
            look = await source.look(cursor, NOW)
            cursor, more, count = look.cursor, look.more, count + 1
        await source.aclose()
    assert count == 4, "two pages of the new ones, two of the cancelled ones"


async def test_an_order_that_amazon_does_not_have_is_skipped() -> None:
    async with running_peer() as peer:
        source = vendor(peer.url)
        peer.will(TOKEN, json_answer(404, {"errors": []}), json_answer(200, ORDER))
        assert isinstance((await source.fetch("NONE"))[0], Skipped)
        assert isinstance((await source.fetch("TeStPo01"))[0], Snapshot)
        await source.aclose()


# -- the acknowledgement --------------------------------------------------------------------------------------------


def described(request: Received) -> None:
    """The request fits Amazon's description. Its lists are in the swagger's own form, so paths and bodies are held
    against the definitions by hand."""
    path = SPECS / "amazon_sp_api" / "vendorDirectFulfillmentOrders_2021-12-28.json"
    if not path.is_file():
        return
    known = json.loads(path.read_bytes())
    target = urlsplit(request.target).path
    (operation,) = [way[request.method.lower()] for name, way in known["paths"].items() if name == target]
    names = {one["name"] for one in operation["parameters"]}
    if request.method == "GET":
        assert parse_qs(urlsplit(request.target).query).keys() <= names
        return
    converted = {
        "openapi": "3.0.3",
        "info": known["info"],
        "paths": {
            target: {
                "post": {
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": operation["parameters"][0]["schema"]}},
                    },
                    "responses": {"202": {"description": "taken"}},
                }
            }
        },
        "components": {"schemas": known["definitions"]},
        "servers": [{"url": "https://sellingpartnerapi-na.amazon.com"}],
    }
    strict = json.loads(json.dumps(converted).replace("#/definitions/", "#/components/schemas/"))
    for name in ("OrderAcknowledgementItem", "OrderItemAcknowledgement", "ItemQuantity", "AcknowledgementStatus"):
        strict["components"]["schemas"][name]["additionalProperties"] = False
    described_as(OpenAPI.from_dict(strict), "https://sellingpartnerapi-na.amazon.com", request)


async def ours() -> Order:
    return (await read(ORDER)).order


def lines(order: Order, *outcomes: Outcome) -> tuple[LineAnswer, ...]:
    made = []
    for line, outcome in zip(order.lines, outcomes, strict=False):
        whole = outcome in (Outcome.ACCEPT, Outcome.SUBSTITUTE, Outcome.DATE)
        accepted = line.quantity if whole else Decimal(0)
        rest = {"rejected" if outcome is Outcome.REJECT else "backordered": line.quantity - accepted}
        made.append(LineAnswer(line_id=line.line_id, outcome=outcome, accepted=accepted, **rest))
    return tuple(made)


async def answer(stage: AnswerStage = AnswerStage.CONFIRMED, *outcomes: Outcome, reference: str = "") -> SourceAnswer:
    order = await ours()
    return SourceAnswer(
        key=AnswerKey(ref=OrderRef(store="shop", number=order.number), revision=1, stage=stage),
        order=order,
        external_id="TeStPo01",
        lines=lines(order, *(outcomes or (Outcome.ACCEPT, Outcome.ACCEPT))),
        document_id="SO-1",
        reason="out of stock",
        reference=reference,
        now=NOW,
    )


def acknowledged(requests: Sequence[Received]) -> list[dict[str, JsonValue]]:
    return [
        json.loads(one.body)["orderAcknowledgements"][0] for one in requests if one.target.startswith(ACKNOWLEDGEMENTS)
    ]


@pytest.mark.parametrize(
    ("stage", "code"),
    [(AnswerStage.CONFIRMED, "00"), (AnswerStage.REJECTED, "03"), (AnswerStage.CANCELLED, "03")],
)
async def test_a_purchase_order_is_answered_whole_and_pending_until_amazon_has_judged(
    stage: AnswerStage, code: str
) -> None:
    async with running_peer() as peer:
        source = vendor(peer.url)
        peer.will(TOKEN, json_answer(200, ORDER), TAKEN)
        said = await source.answer(await answer(stage))
        await source.aclose()
    assert (said.state, said.reference) == (AnswerState.PENDING, "20261121-6ca0ac50")
    (one,) = acknowledged(peer.received)
    assert one["acknowledgementStatus"]["code"] == code
    assert (one["vendorOrderNumber"], one["sellingParty"]) == ("SO-1", {"partyId": "999US"})
    items = one["itemAcknowledgements"]
    assert [(item["itemSequenceNumber"], item["acknowledgedQuantity"]) for item in items] == [
        ("00001", {"amount": 1, "unitOfMeasure": "Each"}),
        ("00002", {"amount": 2, "unitOfMeasure": "Each"}),
    ]
    described(peer.received[-1])


@pytest.mark.parametrize(
    ("outcomes", "short"),
    [
        ((Outcome.ACCEPT, Outcome.BACKORDER), "00002"),
        ((Outcome.REJECT, Outcome.REJECT), "00001, 00002"),
        ((Outcome.SUBSTITUTE, Outcome.ACCEPT), "00001"),
        ((Outcome.HOLD, Outcome.ACCEPT), "00001"),
        ((Outcome.ACCEPT,), "00002"),
    ],
)
async def test_an_order_of_which_we_have_a_part_is_a_persons_to_decide_and_nothing_is_sent(
    outcomes: tuple[Outcome, ...], short: str
) -> None:
    async with running_peer() as peer:
        source = vendor(peer.url)
        peer.will(TOKEN, json_answer(200, ORDER))
        said = await source.answer(await answer(AnswerStage.CONFIRMED, *outcomes))
        await source.aclose()
    assert said.state is AnswerState.REFUSED
    assert f"of line {short} we" in said.detail
    assert acknowledged(peer.received) == []


async def test_an_order_that_is_another_one_now_is_not_confirmed() -> None:
    other = copy.deepcopy(ORDER)
    other["orderDetails"]["items"][1]["orderedQuantity"]["amount"] = 3
    async with running_peer() as peer:
        source = vendor(peer.url)
        peer.will(TOKEN, json_answer(200, other))
        said = await source.answer(await answer())
        await source.aclose()
    assert said.state is AnswerState.REFUSED
    assert acknowledged(peer.received) == []


@pytest.mark.parametrize(
    ("stands", "stage", "state"),
    [
        ("ACCEPTED", AnswerStage.CONFIRMED, AnswerState.ACCEPTED),
        ("SHIPPED", AnswerStage.CONFIRMED, AnswerState.ACCEPTED),
        ("CANCELLED", AnswerStage.CONFIRMED, AnswerState.REFUSED),
        ("CANCELLED", AnswerStage.REJECTED, AnswerState.ACCEPTED),
        ("CANCELLED", AnswerStage.CANCELLED, AnswerState.ACCEPTED),
        ("ACCEPTED", AnswerStage.REJECTED, AnswerState.REFUSED),
        ("SHIPPED", AnswerStage.CANCELLED, AnswerState.REFUSED),
    ],
)
async def test_what_amazon_has_as_answered_is_not_answered_again(
    stands: str, stage: AnswerStage, state: AnswerState
) -> None:
    async with running_peer() as peer:
        source = vendor(peer.url)
        peer.will(TOKEN, json_answer(200, standing_as(stands)))
        assert (await source.answer(await answer(stage))).state is state
        await source.aclose()
    assert acknowledged(peer.received) == []


def transaction(status: str, *errors: tuple[str, str]) -> Answer:
    told: list[JsonValue] = [{"code": code, "message": message} for code, message in errors]
    found: JsonValue = {"transactionId": "T-1", "status": status, "errors": {"errors": told}}
    return json_answer(200, {"transactionStatus": found})


@pytest.mark.parametrize(
    ("answers", "state", "detail"),
    [
        ((transaction("Processing"),), AnswerState.PENDING, ""),
        ((transaction("Success"),), AnswerState.ACCEPTED, ""),
        (
            (transaction("Failure", ("PO_TOO_OLD", "mail ada@example.com")), json_answer(200, ORDER)),
            AnswerState.REFUSED,
            "PO_TOO_OLD: mail <email>",
        ),
        (
            (transaction("Failure"), json_answer(200, standing_as("ACCEPTED"))),
            AnswerState.ACCEPTED,
            "stands as ACCEPTED",
        ),
        ((json_answer(404, {"errors": []}), json_answer(200, ORDER)), AnswerState.PENDING, ""),
        (
            (json_answer(404, {"errors": []}), json_answer(200, standing_as("ACCEPTED"))),
            AnswerState.ACCEPTED,
            "ACCEPTED",
        ),
    ],
)
async def test_a_pending_answer_is_asked_after_and_never_submitted_again(
    answers: tuple[Answer, ...], state: AnswerState, detail: str
) -> None:
    async with running_peer() as peer:
        source = vendor(peer.url)
        peer.will(TOKEN, *answers)
        said = await source.answer(await answer(reference="T-1"))
        await source.aclose()
    assert (said.state, said.reference) == (state, "T-1")
    assert detail in said.detail
    assert acknowledged(peer.received) == []


@pytest.mark.parametrize(
    ("reaction", "fate"),
    [
        (CutOff(), InDoubt),
        (json_answer(503, {"errors": []}), InDoubt),
        (Answer(202, b"<html>"), InDoubt),
        (json_answer(429, {"errors": []}, {"x-amzn-RateLimit-Limit": "10"}), Unavailable),
        (json_answer(400, {"errors": [{"code": "InvalidInput", "message": "bad"}]}), Refused),
        (json_answer(403, {"errors": []}), Misconfigured),
    ],
)
async def test_every_answer_to_an_acknowledgement_has_its_fate(
    reaction: Answer | CutOff, fate: type[Exception]
) -> None:
    async with running_peer() as peer:
        source = vendor(peer.url)
        more = (TOKEN, reaction) if fate is Misconfigured else ()
        peer.will(TOKEN, json_answer(200, ORDER), reaction, *more)
        with pytest.raises(fate) as caught:
            await source.answer(await answer())
        await source.aclose()
    assert not any(secret in str(caught.value) for secret in SECRETS)


async def test_after_a_cut_off_the_purchase_order_is_looked_at_first() -> None:
    async with running_peer() as peer:
        source = vendor(peer.url)
        peer.will(TOKEN, json_answer(200, ORDER), CutOff(), json_answer(200, standing_as("ACCEPTED")))
        with pytest.raises(InDoubt):
            await source.answer(await answer())
        assert (await source.answer(await answer())).state is AnswerState.ACCEPTED
        await source.aclose()
    assert len(acknowledged(peer.received)) == 1
    assert peer.received[-1].target == f"{ORDERS}/TeStPo01"


class TestSettings:
    bad: ClassVar = [("rejection_code", "00"), ("rejection_code", "3"), ("ship_from_party_id", "a b")]

    @pytest.mark.parametrize(("field", "value"), bad)
    def test_settings_that_cannot_be_right_are_refused(self, field: str, value: str) -> None:
        with pytest.raises(ValueError, match=field):
            vendor(**{field: value})
