"""HubSpot against the channel's conformance suite and its own description."""

import json
from datetime import timedelta
from functools import cache
from typing import cast

import pytest
from openapi_core import OpenAPI
from pydantic import JsonValue

from orderack.channels import hubspot_email
from orderack.channels.hubspot_email import HubspotEmail, HubspotEmailSettings
from orderack.domain.acknowledgement import Kind, Reason
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.openapi import described_as, spec
from tests.conformance.peer import Answer, json_answer

TOKEN = "pat-eu1-test-only-0123456789"
STATUS_ID = "AAAAExampleStatusId"
SETTINGS = {"token": TOKEN, "email_id": 101, "email_ids": {"confirmation": 202}}
DESCRIPTION = "../commerce/hubspot/transactional_single_send_v3.openapi.json"


def status(result: str | None = None, state: str = "COMPLETE") -> Answer:
    body: dict[str, JsonValue] = {"status": state, "statusId": STATUS_ID}
    return json_answer(200, body | ({"sendResult": result} if result else {}))


def error(code: int, category: str = "VALIDATION_ERROR", where: str | None = None) -> Answer:
    body: dict[str, JsonValue] = {
        "status": "error",
        "message": "Invalid input",
        "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf",
        "category": category,
    }
    return json_answer(code, body | ({"errors": [{"message": "no", "in": where}]} if where else {}))


@cache
def raw() -> dict[str, JsonValue]:
    return cast(dict[str, JsonValue], json.loads(spec(DESCRIPTION).read_text()))


@cache
def description() -> OpenAPI:
    """HubSpot's own, less one mistake: it types a custom property as an object without fields, and means text."""
    text = json.dumps(raw())
    broken = '"additionalProperties": {"type": "object", "properties": {}, "example": null}'
    assert text.count(broken) == 1
    return OpenAPI.from_dict(json.loads(text.replace(broken, '"additionalProperties": {"type": "string"}')))


class TestHubspotEmail(HttpChannelConformance):
    name = "hubspot_email"
    recipient = "ada@example.com"
    secrets = (TOKEN,)
    required = ("ORDERACK_HUBSPOT_EMAIL_TOKEN", "ORDERACK_HUBSPOT_EMAIL_EMAIL_ID")

    accepted = status(state="PENDING")
    provider_id = STATUS_ID
    healthy = (json_answer(200, {"portalId": 62515, "accountType": "STANDARD"}),)
    refusals = (
        *((status(word), reason) for word, reason in hubspot_email.REFUSED_RESULT.items()),
        (status("A_RESULT_OF_TOMORROW"), Reason.OTHER),
        (status(state="CANCELED"), Reason.OTHER),
        (error(400), Reason.OTHER),
        (error(400, where="message.to"), Reason.BAD_RECIPIENT),
        (error(400, where="customProperties"), Reason.OTHER),
        (error(409, "CONFLICT"), Reason.OTHER),
        (error(413, "PAYLOAD_TOO_LARGE"), Reason.TOO_LONG),
        (Answer(418, b"no JSON"), Reason.OTHER),
    )
    ours_to_mend = (
        *map(status, hubspot_email.OURS_TO_MEND),
        *(error(code, "x") for code in (401, 403, 404, 405)),
        *(error(400, where=field) for field in ("emailId", "from", "message.from")),
    )
    not_now = (*map(status, hubspot_email.NOT_NOW), error(423, "LOCKED"), error(477, "MIGRATION_IN_PROGRESS"))
    in_doubt = (
        *map(status, hubspot_email.IN_DOUBT),
        json_answer(200, {"status": "PENDING"}),
        json_answer(200, {"status": "PENDING", "statusId": ""}),
    )
    throttled_body = b'{"status":"error","errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING"}'

    def make(self, base_url: str) -> HubspotEmail:
        own = HubspotEmailSettings.model_validate(SETTINGS | {"base_url": base_url})
        return HubspotEmail(own, clock=lambda: NOW)

    async def test_the_request_is_what_hubspot_describes(self) -> None:
        described_as(description(), "https://api.hubapi.com", await self.sent())

    async def test_every_send_result_that_hubspot_describes_has_its_place_in_one_table(self) -> None:
        schemas = cast(dict[str, dict[str, dict[str, JsonValue]]], raw()["components"])["schemas"]
        fields = cast(dict[str, dict[str, list[str]]], schemas["EmailSendStatusView"]["properties"])
        tables = (
            *hubspot_email.TAKEN,
            *hubspot_email.REFUSED_RESULT,
            *hubspot_email.OURS_TO_MEND,
            *hubspot_email.NOT_NOW,
            *hubspot_email.IN_DOUBT,
        )
        assert sorted(tables) == sorted(fields["sendResult"]["enum"])

    async def test_the_send_id_is_our_key_and_the_template_that_of_the_kind(self) -> None:
        body = json.loads((await self.sent()).body)
        assert body["emailId"] == 202
        assert body["message"] == {"to": self.recipient, "sendId": self.message().key_text}
        other = self.message().model_copy(update={"kind": Kind.RECEIVED})
        assert json.loads((await self.sent(other)).body)["emailId"] == 101

    async def test_a_sender_of_ones_own_goes_into_the_from_header(self) -> None:
        async with self.provider() as (peer, _):
            peer.will(self.accepted)
            own = SETTINGS | {"base_url": peer.url, "sender": "Fjordlight <orders@shop.example.com>"}
            channel = HubspotEmail(HubspotEmailSettings.model_validate(own), clock=lambda: NOW)
            await channel.send(self.message())
            await channel.aclose()
            assert json.loads(peer.received[0].body)["message"]["from"] == "Fjordlight <orders@shop.example.com>"

    async def test_the_values_are_text_and_what_a_buyer_wrote_is_no_html(self) -> None:
        hostile = "Dear <script>alert(1)</script>\nTom & \"Ada\"\n<a href='https://evil.example'>x</a>"
        content = {"subject": "Order\n <b>A-1001</b>", "text": hostile, "link": 'https://x.example/?a=1&b="'}
        body = json.loads((await self.sent(self.message(**content))).body)
        custom = body["customProperties"]
        assert "contactProperties" not in body
        assert all(isinstance(value, str) for value in custom.values())
        assert custom["subject"] == "Order ‹b›A-1001‹/b›"
        assert custom["html_lines"].count("<") == custom["html_lines"].count("<br>") == 2
        assert custom["link"] == "https://x.example/?a=1&amp;b=&quot;"
        assert (custom["order_number"], custom["store"], custom["kind"]) == ("A-1001", "shop", "confirmation")

    async def test_every_value_that_a_template_may_print_is_told_in_the_traps(self) -> None:
        told = hubspot_email.CHANNEL.traps[0]
        assert not [name for name in hubspot_email.properties(self.message()) if name not in told]

    async def test_a_mail_that_hubspot_has_already_is_accepted(self) -> None:
        for word in hubspot_email.TAKEN:
            async with self.provider() as (peer, channel):
                peer.will(status(word))
                sent = await channel.send(self.message())
                assert (sent.provider_id, sent.detail) == (STATUS_ID, word)

    async def test_an_account_over_its_limit_is_left_alone_for_an_hour(self) -> None:
        caught = await self.failure(status("PORTAL_OVER_LIMIT"))
        assert isinstance(caught, Unavailable)
        assert caught.retry_after == timedelta(hours=1)

    async def test_an_account_that_is_being_moved_says_when_it_is_back(self) -> None:
        moving = error(477, "MIGRATION_IN_PROGRESS")
        caught = await self.failure(Answer(477, moving.body, {"Retry-After": "40"}))
        assert isinstance(caught, Unavailable)
        assert caught.retry_after == timedelta(seconds=40)

    async def test_two_addresses_in_one_are_refused_before_anything_is_sent(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(self.accepted)
            for recipient in ("ada@example.com,eve@example.com", "Ada <ada@example.com>", "ada"):
                with pytest.raises(Refused) as caught:
                    await channel.send(self.message().model_copy(update={"recipient": recipient}))
                assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    async def test_a_check_names_the_account_and_an_answer_that_says_nothing_is_no_success(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, HubspotEmail)
            peer.will(*self.healthy)
            assert await channel.check() == "signed in to HubSpot account 62515"
            assert peer.received[0].target == "/account-info/v3/details"
            peer.will(Answer(200, b"<html>"))
            with pytest.raises(Unavailable):
                await channel.check()
            peer.will(Answer(403, b"{}"))
            with pytest.raises(Misconfigured):
                await channel.check()

    async def test_nothing_that_is_posted_is_believed(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(BadSignature):
                await channel.verify(RawRequest(url=WEBHOOK_URL, headers={"x-hubspot-signature-v3": "x"}, body=b"[]"))

    async def test_a_breakdown_is_settled_by_the_same_send_id(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(Answer(502, b""), status("IDEMPOTENT_IGNORE"))
            with pytest.raises(InDoubt):
                await channel.send(self.message())
            await channel.send(self.message())
            first, second = peer.received
            assert first.body == second.body
