"""Klaviyo's events against the conformance suite and the fields of revision 2026-07-15."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, EmailStr, Field, JsonValue

from orderack import channels
from orderack.channels.klaviyo import STRING_BYTES, Klaviyo, KlaviyoSettings
from orderack.domain.acknowledgement import Kind, Reason
from orderack.domain.order import Line
from orderack.errors import Misconfigured, Unavailable, Unsupported
from orderack.ports import Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.orders import ORDER
from tests.conformance.peer import Answer, json_answer

KEY = "pk_test_only_0123456789"


class Strict(BaseModel):
    """Klaviyo refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True)


class MetricName(Strict):
    name: Annotated[str, Field(min_length=1, max_length=128)]


class MetricData(Strict):
    type: Literal["metric"]
    attributes: MetricName


class Metric(Strict):
    data: MetricData


class ProfileAttributes(Strict):
    email: EmailStr
    phone_number: Annotated[str, Field(pattern=r"^\+[1-9]\d{6,14}$")] = "+4740612345"


class ProfileData(Strict):
    type: Literal["profile"]
    attributes: ProfileAttributes


class Profile(Strict):
    data: ProfileData


class Attributes(Strict):
    properties: dict[str, JsonValue]
    value: float
    value_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    unique_id: Annotated[str, Field(min_length=1)]
    metric: Metric
    profile: Profile


class EventData(Strict):
    type: Literal["event"]
    attributes: Attributes


class Event(Strict):
    """The body of POST /api/events (commerce.md §4)."""

    data: EventData


def wrong(pointer: str, code: str = "invalid", status: int = 400) -> Answer:
    source: JsonValue = {"pointer": pointer}
    error: JsonValue = {"id": "1", "status": status, "code": code, "title": "No.", "detail": "No.", "source": source}
    return json_answer(status, {"errors": [error]})


class TestKlaviyo(HttpChannelConformance):
    name = "klaviyo"
    recipient = "ada@example.com"
    secrets = (KEY,)
    required = ("ORDERACK_KLAVIYO_API_KEY",)

    accepted = Answer(202, b"")
    provider_id = None
    healthy = (json_answer(200, {"data": [{"type": "account", "id": "AbC123"}]}),)
    refusals = (
        (wrong("/data/attributes/profile/data/attributes/email"), Reason.BAD_RECIPIENT),
        (wrong("/data/attributes/profile/data/attributes/phone_number"), Reason.BAD_RECIPIENT),
        (wrong("/data/attributes/profile"), Reason.BAD_RECIPIENT),
        (wrong("/data/attributes/properties"), Reason.CONTENT),
        (wrong("/data/attributes/value_currency"), Reason.OTHER),
        (wrong("/data/attributes/value"), Reason.CONTENT),
        (wrong("/data/attributes/metric/data/attributes/name"), Reason.CONTENT),
        (wrong("/data/attributes/profiles"), Reason.OTHER),
        (wrong("", "a_word_of_tomorrow", 409), Reason.OTHER),
        (Answer(400, b"<html>"), Reason.OTHER),
        (Answer(413, b""), Reason.TOO_LONG),
        (Answer(415, b"{}"), Reason.OTHER),
    )
    ours_to_mend = tuple(Answer(status, b"{}") for status in (401, 403, 404, 405, 410))
    in_doubt = (Answer(201, b"{}"), Answer(204, b""), Answer(304, b""))

    def make(self, base_url: str) -> Klaviyo:
        return Klaviyo(self.settings(base_url=base_url), clock=lambda: NOW)

    def settings(self, **changes: JsonValue) -> KlaviyoSettings:
        return KlaviyoSettings.model_validate({"api_key": KEY} | changes)

    def message(self, **content: str | None) -> Message:
        return super().message(**content).model_copy(update={"order": ORDER, "sender_name": "Fjordlight"})

    async def attributes(self, message: Message | None = None) -> Attributes:
        return Event.model_validate_json((await self.sent(message or self.message())).body).data.attributes

    async def test_the_request_has_the_fields_and_headers_that_klaviyo_documents(self) -> None:
        request = await self.sent()
        Event.model_validate_json(request.body)
        assert (request.method, request.target) == ("POST", "/api/events")
        assert request.headers["authorization"] == f"Klaviyo-API-Key {KEY}"
        assert request.headers["revision"] == "2026-07-15"
        assert request.headers["content-type"] == "application/vnd.api+json"

    async def test_the_events_id_is_the_sends_for_ever_and_two_sends_have_two(self) -> None:
        message = self.message()
        assert (await self.attributes(message)).unique_id == message.key_text
        other = message.model_copy(update={"key": message.key.model_copy(update={"n": 2})})
        assert (await self.attributes(other)).unique_id != message.key_text

    async def test_the_event_holds_the_order_and_the_whole_message(self) -> None:
        message, found = self.message(), await self.attributes()
        assert (found.value, found.value_currency) == (55.95, "EUR")
        properties = found.properties
        assert (properties["OrderId"], properties["Store"], properties["Kind"]) == ("A-1001", "shop", "confirmation")
        assert (properties["StoreName"], properties["Language"], properties["Revision"]) == ("Fjordlight", "en", 1)
        assert (properties["Subject"], properties["Text"]) == (message.content.subject, message.content.text)
        assert (properties["Link"], properties["$extra"]) == (message.content.link, {"Html": message.content.html})
        assert properties["ItemNames"] == ["Green tea", "Fjord"]
        assert properties["Items"] == [
            {
                "ProductID": "TEA-1",
                "SKU": "TEA-1",
                "ProductName": "Green tea",
                "Quantity": 2,
                "ItemPrice": 12.5,
                "RowTotal": 25,
            },
            {
                "ProductID": "CUP-9",
                "SKU": "CUP-9",
                "ProductName": "Fjord",
                "Quantity": 1,
                "ItemPrice": 19.9,
                "RowTotal": 19.9,
            },
        ]

    @pytest.mark.parametrize(
        ("phone", "sent"),
        [
            ("+47 406 12 345", "+4740612345"),
            ("40612345", None),
            ("+47 40612", None),
            (None, None),
            ("call me", None),
        ],
    )
    async def test_a_phone_goes_along_only_where_klaviyo_would_take_it(
        self, phone: str | None, sent: str | None
    ) -> None:
        order = ORDER.model_copy(update={"contacts": ORDER.contacts.model_copy(update={"phone": phone})})
        request = await self.sent(self.message().model_copy(update={"order": order}))
        Event.model_validate_json(request.body)
        profile = json.loads(request.body)["data"]["attributes"]["profile"]["data"]["attributes"]
        assert profile == {"email": "ada@example.com"} | ({"phone_number": sent} if sent else {})

    @pytest.mark.parametrize(
        ("kind", "metric"),
        [
            (Kind.RECEIVED, "Placed Order"),
            (Kind.CONFIRMATION, "Confirmed Order"),
            (Kind.CANCELLATION, "Cancelled Order"),
            (Kind.HOLDING, "Order Update"),
            (Kind.REJECTION, "Order Update"),
            (Kind.ANSWER, "Order Update"),
        ],
    )
    async def test_a_kind_has_its_metric(self, kind: Kind, metric: str) -> None:
        found = await self.attributes(self.message().model_copy(update={"kind": kind}))
        assert found.metric.data.attributes.name == metric

    async def test_a_setting_renames_one_metric_and_leaves_the_others(self) -> None:
        async with self.provider() as (peer, _):
            peer.will(self.accepted)
            channel = Klaviyo(self.settings(base_url=peer.url, metrics={"received": "Order Received"}))
            for kind in (Kind.RECEIVED, Kind.CONFIRMATION):
                await channel.send(self.message().model_copy(update={"kind": kind}))
            names = [Event.model_validate_json(one.body).data.attributes.metric for one in peer.received]
            assert [one.data.attributes.name for one in names] == ["Order Received", "Confirmed Order"]
            await channel.aclose()

    @pytest.mark.parametrize("metrics", ['{"reply": "Placed Order"}', '{"received": ""}', "Placed Order"])
    def test_a_metric_of_no_kind_is_named_with_its_setting(self, monkeypatch: pytest.MonkeyPatch, metrics: str) -> None:
        monkeypatch.setenv("ORDERACK_KLAVIYO_API_KEY", KEY)
        monkeypatch.setenv("ORDERACK_KLAVIYO_METRICS", metrics)
        (lack,) = channels.build(["klaviyo"]).not_configured["klaviyo"]
        assert "metrics" in lack.lower()

    @pytest.mark.parametrize("amount", ["0", "0.1", "19.90", "1099511627776.01", "12345678901234.5", "1000000"])
    async def test_an_amount_is_exactly_what_the_order_says(self, amount: str) -> None:
        order = ORDER.model_copy(update={"totals": ORDER.totals.model_copy(update={"total": Decimal(amount)})})
        request = await self.sent(self.message().model_copy(update={"order": order}))
        said = json.loads(request.body, parse_float=Decimal, parse_int=Decimal)["data"]["attributes"]["value"]
        assert said == Decimal(amount)

    async def test_an_amount_that_no_double_can_say_is_unsupported_and_never_rounded(self) -> None:
        totals = ORDER.totals.model_copy(update={"total": Decimal("12345678901234.5678")})
        line = Line(line_id="1", sku="X", quantity=Decimal("1"), unit_price=Decimal("99999999999999.9999"))
        async with self.channel() as channel:
            for order in (
                ORDER.model_copy(update={"totals": totals}),
                ORDER.model_copy(update={"lines": (line,)}),
            ):
                with pytest.raises(Unsupported):
                    await channel.send(self.message().model_copy(update={"order": order}))

    async def test_what_is_too_long_for_klaviyo_gives_way_and_is_never_cut(self) -> None:
        long = "ü" * (STRING_BYTES // 2 + 1)
        found = (await self.attributes(self.message(text=long, chat="In short.", html=f"<p>{long}</p>"))).properties
        assert found["Text"] == "In short."
        assert "$extra" not in found
        many = tuple(
            ORDER.lines[0].model_copy(update={"line_id": str(n), "description": "x" * 2_000}) for n in range(1_400)
        )
        async with self.channel() as channel:
            with pytest.raises(Unsupported):
                await channel.send(self.message(text=long, chat=None))
            with pytest.raises(Unsupported):
                await channel.send(
                    self.message().model_copy(update={"order": ORDER.model_copy(update={"lines": many})})
                )
            with pytest.raises(Unsupported):
                await channel.send(self.message().model_copy(update={"order": None}))

    async def test_an_address_that_is_two_is_refused_before_anything_is_sent(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(Exception, match="not one e-mail address"):
                await channel.send(self.message().model_copy(update={"recipient": "ada@example.com, eve@example.com"}))

    @pytest.mark.parametrize(
        ("answer", "fate"),
        [
            (Answer(403, b"{}"), Misconfigured),
            (Answer(400, b"{}"), Misconfigured),
            (Answer(200, b"<html>"), Unavailable),
            (Answer(503, b""), Unavailable),
        ],
    )
    async def test_a_check_that_says_nothing_is_no_check(self, answer: Answer, fate: type[Exception]) -> None:
        async with self.provider() as (peer, channel):
            peer.will(answer)
            assert isinstance(channel, Klaviyo)
            with pytest.raises(fate):
                await channel.check()

    async def test_a_throttle_names_its_seconds(self) -> None:
        error = await self.failure(Answer(429, b'{"errors": []}', {"Retry-After": "58"}))
        assert isinstance(error, Unavailable)
        assert error.retry_after == timedelta(seconds=58)

    def test_nothing_is_read_from_a_request(self) -> None:
        with pytest.raises(Exception, match="has no webhook"):
            self.make("https://a.klaviyo.com").events(RawRequest(url=WEBHOOK_URL, headers={}, body=b"{}"))
