"""ActiveCampaign's orders against the conformance suite and ActiveCampaign's own description, its errata mended."""

import json
from datetime import timedelta
from decimal import Decimal
from functools import cache
from urllib.parse import parse_qs, urlsplit

import pytest
from openapi_core import Config, OpenAPI
from pydantic import JsonValue

from orderack.channels.activecampaign import Activecampaign, ActivecampaignSettings
from orderack.domain.acknowledgement import Kind, Reason
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.openapi import described_as, spec
from tests.conformance.orders import ORDER
from tests.conformance.peer import Answer, CutOff, Received, json_answer

TOKEN = "test-only-0123456789abcdef"
KNOWN = json_answer(200, {"ecomCustomers": [{"id": "7", "email": "ada@example.com"}], "meta": {"total": "1"}})
UNKNOWN = json_answer(200, {"ecomCustomers": [], "meta": {"total": "0"}})
NONE = json_answer(200, {"ecomOrders": [], "meta": {"total": "0"}})
ONE = json_answer(200, {"ecomOrders": [{"id": "55", "externalid": "shop/A-1001"}], "meta": {"total": "1"}})
INTEGERS = ("source", "totalPrice", "shippingAmount", "taxAmount", "discountAmount", "connectionid", "customerid")


def kept(number: str = "A-1001", status: int = 200) -> Answer:
    return json_answer(status, {"ecomOrder": {"id": "55", "orderNumber": number, "totalPrice": 5595}})


def no(code: str, pointer: str = "", status: int = 422) -> Answer:
    error: JsonValue = {"title": "No.", "detail": "No.", "code": code, "source": {"pointer": pointer}}
    return json_answer(status, {"errors": [error]})


@cache
def description() -> OpenAPI:
    """ActiveCampaign's own. Its errata (commerce.md §0, and its own text and examples) are mended here:

    either of externalid and externalcheckoutid is needed, never both nor the date of abandonment; products are a list;
    a created date has a time; an external id is no number.
    """
    path = spec("x").parents[1] / "commerce/activecampaign/activecampaign-v3-ecommerce-trimmed.openapi.json"
    given = json.loads(path.read_text())
    for route, method in (("/ecomOrders", "post"), ("/ecomOrders/{id}", "put")):
        body = given["paths"][route][method]["requestBody"]["content"]["application/json"]["schema"]
        order = body["properties"]["ecomOrder"]
        order["required"] = [one for one in order["required"] if one not in ("externalcheckoutid", "abandonedDate")]
        order["additionalProperties"] = False
        order["properties"]["externalCreatedDate"] = {"type": "string", "format": "date-time"}
        product = order["properties"]["orderProducts"] | {"additionalProperties": False}
        order["properties"]["orderProducts"] = {"type": "array", "items": product}
    for parameter in given["paths"]["/ecomOrders"]["get"]["parameters"]:
        if parameter["name"] == "filters[externalid]":
            parameter["schema"] = {"type": "string"}
    return OpenAPI.from_dict(given, config=Config(spec_validator_cls=None))  # elsewhere it is no valid description


def assert_described(request: Received) -> None:
    described_as(description(), "https://yourAccountName.api-us1.com", request)


class TestActivecampaign(HttpChannelConformance):
    name = "activecampaign"
    recipient = "ada@example.com"
    secrets = (TOKEN,)
    required = (
        "ORDERACK_ACTIVECAMPAIGN_BASE_URL",
        "ORDERACK_ACTIVECAMPAIGN_API_TOKEN",
        "ORDERACK_ACTIVECAMPAIGN_CONNECTION_ID",
    )
    nowhere = "https://nowhere.invalid"

    prelude = (KNOWN, NONE)
    accepted = kept(status=201)
    provider_id = "55"
    found = (ONE, kept())
    missing = (NONE,)
    healthy = (
        json_answer(200, {"user": {"username": "orders", "email": "ops@example.com"}}),
        json_answer(200, {"connection": {"id": "3"}}),
    )
    refusals = (
        (no("related_missing", "/data/attributes/email"), Reason.BAD_RECIPIENT),
        (no("related_missing", "/data/attributes/customerid"), Reason.BAD_RECIPIENT),
        (no("field_invalid", "/data/attributes/currency"), Reason.CONTENT),
        (no("field_invalid", "/data/attributes/orderProducts"), Reason.CONTENT),
        (no("field_missing", "/data/attributes/totalPrice"), Reason.CONTENT),
        (no("a_word_of_tomorrow", "/data/attributes/levity"), Reason.OTHER),
        (Answer(422, b"<html>"), Reason.OTHER),
        (Answer(400, b"{}"), Reason.OTHER),
    )
    ours_to_mend = (
        *(Answer(status, b'{"message": "No."}') for status in (401, 402, 403, 404)),
        no("related_missing", "/data/attributes/connectionid"),
    )
    in_doubt = (no("duplicate"), json_answer(201, {"ecomOrder": {}}), json_answer(200, {}), Answer(304, b""))

    def make(self, base_url: str) -> Activecampaign:
        return Activecampaign(self.settings(base_url=base_url), clock=lambda: NOW)

    def settings(self, **changes: JsonValue) -> ActivecampaignSettings:
        given = {"base_url": "https://fjordlight.api-us1.com", "api_token": TOKEN, "connection_id": 3}
        return ActivecampaignSettings.model_validate(given | changes)

    def message(self, **content: str | None) -> Message:
        return super().message(**content).model_copy(update={"order": ORDER})

    def of(self, **changes: object) -> Message:
        """The message with another order."""
        return self.message().model_copy(update={"order": ORDER.model_copy(update=changes)})

    def revised(self) -> Message:
        message = self.message()
        return message.model_copy(update={"key": message.key.model_copy(update={"revision": 2})})

    async def test_every_request_is_what_activecampaign_describes(self) -> None:
        made = json_answer(201, {"ecomCustomer": {"id": "8"}})
        async with self.provider() as (peer, channel):
            peer.will(UNKNOWN, made, NONE, self.accepted, KNOWN, ONE, kept(), kept(), ONE, kept())
            await channel.send(self.message())
            await channel.send(self.revised())
            await channel.lookup(self.revised(), NOW)
            for request in peer.received:
                assert_described(request)
                assert request.headers["api-token"] == TOKEN
        asked = [(one.method, urlsplit(one.target).path.removeprefix("/api/3/")) for one in peer.received]
        assert asked == [
            ("GET", "ecomCustomers"),
            ("POST", "ecomCustomers"),
            ("GET", "ecomOrders"),
            ("POST", "ecomOrders"),
            ("GET", "ecomCustomers"),
            ("GET", "ecomOrders"),
            ("GET", "ecomOrders/55"),
            ("PUT", "ecomOrders/55"),
            ("GET", "ecomOrders"),
            ("GET", "ecomOrders/55"),
        ]

    async def test_what_is_looked_for_is_the_buyer_and_the_order_on_our_connection(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(UNKNOWN, json_answer(201, {"ecomCustomer": {"id": "8"}}), NONE, self.accepted)
            await channel.send(self.message())
            customer, making, order, _ = peer.received
        assert parse_qs(urlsplit(customer.target).query) == {
            "filters[email]": ["ada@example.com"],
            "filters[connectionid]": ["3"],
        }
        assert json.loads(making.body) == {
            "ecomCustomer": {"connectionid": "3", "externalid": "ada@example.com", "email": "ada@example.com"}
        }
        assert parse_qs(urlsplit(order.target).query) == {
            "filters[connectionid]": ["3"],
            "filters[externalid]": ["shop/A-1001"],
        }

    async def test_a_new_order_is_a_purchase_now_in_whole_cents(self) -> None:
        entry = json.loads((await self.sent()).body)["ecomOrder"]
        assert entry == {
            "externalid": "shop/A-1001",
            "orderNumber": "A-1001",
            "source": 1,
            "email": "ada@example.com",
            "currency": "EUR",
            "totalPrice": 5595,
            "shippingAmount": 490,
            "taxAmount": 815,
            "discountAmount": 200,
            "connectionid": 3,
            "customerid": 7,
            "externalCreatedDate": "2026-11-21T09:00:00+00:00",
            "orderUrl": "https://acks.example.com/o/abc",
            "orderProducts": [
                {"externalid": "TEA-1", "sku": "TEA-1", "name": "Green tea", "price": 1250, "quantity": 2},
                {"externalid": "CUP-9", "sku": "CUP-9", "name": "Fjord", "price": 1990, "quantity": 1},
            ],
        }
        assert all(isinstance(entry[name], int) for name in INTEGERS)

    async def test_a_later_revision_updates_the_order_and_says_that_no_automation_starts(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(KNOWN, ONE, kept(), kept("A-1001 (revision 2)"))
            sent = await channel.send(self.revised())
            assert (sent.provider_id, sent.detail) == ("55", "updated: that starts no purchase automation")
            entry = json.loads(peer.received[-1].body)["ecomOrder"]
            assert (entry["externalid"], entry["orderNumber"]) == ("shop/A-1001", "A-1001 (revision 2)")
            assert not {"source", "connectionid", "customerid"} & set(entry)

    async def test_a_look_up_tells_one_revision_from_another(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(ONE, kept("A-1001"), ONE, kept("A-1001 (revision 2)"), ONE, kept("A-1001 (revision 2)"))
            assert await channel.lookup(self.revised(), NOW) is None
            assert await channel.lookup(self.message(), NOW) is None
            assert await channel.lookup(self.revised(), NOW) is not None

    async def test_a_revision_that_comes_late_overwrites_no_later_one(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(KNOWN, ONE, kept("A-1001 (revision 3)"))
            with pytest.raises(Refused) as caught:
                await channel.send(self.revised())
            assert (caught.value.reason, len(peer.received)) == (Reason.EXPIRED, 3)
            for there in ("A-1001 (revision 2)", "A-1001", "by hand"):
                peer.will(KNOWN, ONE, kept(there), kept("A-1001 (revision 2)"))
                await channel.send(self.revised())

    async def test_an_update_of_an_order_just_deleted_is_made_anew(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(KNOWN, ONE, kept(), Answer(404, b"{}"))
            with pytest.raises(Unavailable):
                await channel.send(self.revised())

    @pytest.mark.parametrize("answer", [CutOff(), Answer(503, b""), Answer(200, b"<html>"), Answer(429, b"")])
    async def test_a_customer_that_could_not_be_made_is_unavailable_for_nothing_was_sent(
        self, answer: Answer | CutOff
    ) -> None:
        async with self.provider() as (peer, channel):
            peer.will(UNKNOWN, answer)
            with pytest.raises(Unavailable):
                await channel.send(self.message())
            assert len(peer.received) == 2

    async def test_a_customer_that_is_refused_is_a_refusal_and_one_that_came_meanwhile_is_found_again(self) -> None:
        for answer, fate in ((no("field_invalid", "/data/attributes/email"), Refused), (no("duplicate"), Unavailable)):
            async with self.provider() as (peer, channel):
                peer.will(UNKNOWN, answer)
                with pytest.raises(fate):
                    await channel.send(self.message())

    @pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.CONFIRMATION])
    async def test_one_kind_alone_begins_an_order_and_all_others_are_unsupported(self, kind: Kind) -> None:
        async with self.channel() as channel:
            with pytest.raises(Unsupported, match="kind"):
                await channel.send(self.message().model_copy(update={"kind": kind}))

    async def test_a_setting_says_which(self) -> None:
        async with self.provider() as (peer, _):
            channel = Activecampaign(self.settings(base_url=peer.url, kind="received"))
            peer.will(*self.prelude, self.accepted)
            await channel.send(self.message().model_copy(update={"kind": Kind.RECEIVED}))
            with pytest.raises(Unsupported):
                await channel.send(self.message())
            await channel.aclose()

    @pytest.mark.parametrize(
        ("currency", "total", "cents"),
        [
            ("EUR", "21474836.47", 2_147_483_647),
            ("JPY", "2147483647", 2_147_483_647),
            ("KWD", "1.234", 1_234),
            ("EUR", "0", 0),
        ],
    )
    async def test_money_is_in_the_currencys_smallest_unit(self, currency: str, total: str, cents: int) -> None:
        totals = ORDER.totals.model_copy(
            update={"total": Decimal(total), "tax": Decimal(0), "shipping": Decimal(0), "discount": Decimal(0)}
        )
        request = await self.sent(self.of(currency=currency, totals=totals, lines=()))
        assert json.loads(request.body)["ecomOrder"]["totalPrice"] == cents

    @pytest.mark.parametrize(
        ("changes", "trait"),
        [
            ({"totals": ORDER.totals.model_copy(update={"total": Decimal("21474836.48")})}, "amount"),
            ({"totals": ORDER.totals.model_copy(update={"tax": Decimal("0.005")})}, "amount"),
            ({"currency": "JPY"}, "amount"),
            ({"currency": "XAU"}, "currency"),
            ({"lines": (ORDER.lines[0].model_copy(update={"unit_price": Decimal("0.0125")}),)}, "amount"),
            ({"lines": (ORDER.lines[0].model_copy(update={"quantity": Decimal("1.5")}),)}, "quantity"),
            ({"lines": (ORDER.lines[0].model_copy(update={"quantity": Decimal("2147483648")}),)}, "quantity"),
        ],
    )
    async def test_what_whole_numbers_cannot_say_is_unsupported_before_anything_is_asked(
        self, changes: dict[str, object], trait: str
    ) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Unsupported) as caught:
                await channel.send(self.of(**changes))
            assert caught.value.trait == trait
            assert peer.received == []

    async def test_without_the_order_or_with_two_addresses_nothing_is_asked(self) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Unsupported):
                await channel.send(self.message().model_copy(update={"order": None}))
            with pytest.raises(Refused):
                await channel.send(self.message().model_copy(update={"recipient": "ada@example.com, eve@example.com"}))
            assert peer.received == []

    async def test_a_check_of_a_connection_that_is_not_there_names_its_setting(self) -> None:
        for answer in (Answer(404, b"{}"), Answer(400, b"{}")):
            async with self.provider() as (peer, channel):
                peer.will(self.healthy[0], answer)
                assert isinstance(channel, Activecampaign)
                with pytest.raises(Misconfigured, match="CONNECTION_ID"):
                    await channel.check()
                assert_described(peer.received[1])
        async with self.provider() as (peer, channel):
            peer.will(self.healthy[0], Answer(503, b""))
            assert isinstance(channel, Activecampaign)
            with pytest.raises(Unavailable):
                await channel.check()

    async def test_a_duplicate_is_settled_by_looking_it_up(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.prelude, no("duplicate"), *self.found)
            with pytest.raises(InDoubt):
                await channel.send(self.message())
            found = await channel.lookup(self.message(), NOW)
            assert found is not None
            assert found.provider_id == "55"

    async def test_a_throttle_names_its_seconds(self) -> None:
        error = await self.failure(Answer(429, b"", {"Retry-After": "1"}))
        assert isinstance(error, Unavailable)
        assert error.retry_after == timedelta(seconds=1)

    def test_nothing_is_read_from_a_request(self) -> None:
        with pytest.raises(Exception, match="has no webhook"):
            self.make("https://x.example.com").events(RawRequest(url=WEBHOOK_URL, headers={}, body=b"{}"))
