"""Mailgun against the channel's conformance suite, its own description and its published event samples."""

import email
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from email.policy import HTTP
from typing import ClassVar

import pytest
from openapi_core.validation.request.exceptions import RequestValidationError
from pydantic import JsonValue

from orderack.channels.mailgun_email import VENDOR_EVENT, MailgunEmail, MailgunSettings
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, Misconfigured, Refused, Unavailable
from orderack.ports import RawRequest
from tests.conformance.channel import (
    NOW,
    WEBHOOK_KEY,
    WEBHOOK_URL,
    HttpChannelConformance,
    Statuses,
    WebhookConformance,
)
from tests.conformance.openapi import assert_described, spec
from tests.conformance.peer import Answer, Received, json_answer
from tests.payloads import payload

API_KEY = "key-test-only-0123456789"
SIGNING_KEY = "test-only-signing-key-0123456789"
MESSAGE_ID = "20261121092900.1.48906CB188F1A454@mg.shop.example"
PERSON = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.1", "bot": ""}
DOMAIN = {"domain": {"name": "mg.shop.example", "state": "active", "type": "custom", "is_disabled": False}}
DESCRIPTION = "mailgun/mailgun_openapi.messages.json"


def error(status: int, message: str) -> Answer:
    """Mailgun's error: a sentence, which may repeat the address."""
    return json_answer(status, {"message": message})


def form(request: Received) -> dict[str, str]:
    """The multipart body as Python's own mail parser reads it."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + request.body, policy=HTTP).get_payload()
    assert isinstance(parts, list)
    found = {}
    for part in parts:
        name = part.get_param("name", header="content-disposition")
        found[str(name)] = part.get_payload(decode=True).decode()
    return found


def settings(base_url: str, **more: str) -> MailgunSettings:
    return MailgunSettings.model_validate(
        {
            "api_key": API_KEY,
            "domain": "mg.shop.example",
            "sender": "orders@mg.shop.example",
            "sender_name": "The Shop",
            "webhook_signing_key": SIGNING_KEY,
            "base_url": base_url,
            **more,
        }
    )


class TestMailgunEmail(HttpChannelConformance, WebhookConformance):
    name = "mailgun_email"
    recipient = "ada@example.com"
    secrets = (API_KEY, SIGNING_KEY)
    required = (
        "ORDERACK_MAILGUN_EMAIL_API_KEY",
        "ORDERACK_MAILGUN_EMAIL_DOMAIN",
        "ORDERACK_MAILGUN_EMAIL_SENDER",
        "ORDERACK_MAILGUN_EMAIL_WEBHOOK_SIGNING_KEY",
    )
    signs_body = False
    malformed = (b"", b"{}", b'"x"', b"[]", b"<html>", b"[" * 5_000, b'{"signature": {}, "event-data": {}}')

    accepted = json_answer(200, {"id": f"<{MESSAGE_ID}>", "message": "Queued. Thank you."})
    provider_id = MESSAGE_ID
    healthy = (json_answer(200, DOMAIN),)
    refusals = (
        (error(400, "'to' parameter is not a valid address. please check documentation."), Reason.BAD_RECIPIENT),
        (error(400, "to parameter is not a valid address."), Reason.BAD_RECIPIENT),
        (error(400, "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters"), Reason.CONTENT),
        (
            error(400, "Send options (starting with o:, h:, or v:) are limited to 16KB total"),
            Reason.TOO_LONG,
        ),
        (error(400, "Something new about ada@example.com"), Reason.OTHER),
        (error(402, "Request failed"), Reason.OTHER),
        (error(413, "The message is bigger than 25 MB"), Reason.TOO_LONG),
        (Answer(400, b"not json"), Reason.OTHER),
    )
    ours_to_mend = (
        Answer(401, b'"Forbidden"'),
        Answer(401, b"Forbidden"),
        error(403, "Domain mg.shop.example is not allowed to send: The domain is unverified"),
        error(403, "Sandbox subdomains are for test purposes only. Please add your own domain"),
        error(400, "'from' parameter is not a valid address. please check documentation."),
        error(400, "from parameter is missing"),
        error(404, "Domain not found: mg.shop.example"),
        Answer(404, b"<html>"),
    )
    not_now = (error(400, "Domain mg.shop.example is not allowed to send: limit exceeded, try again after 58 minutes"),)
    in_doubt = (json_answer(200, {}), json_answer(200, {"id": ""}), Answer(202, b"{}"), Answer(204))

    statuses: ClassVar[Statuses] = {
        "accepted": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "failed": (EvidenceEvent.BOUNCED, None),
        "rejected": (EvidenceEvent.BOUNCED, None),
        "opened": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "clicked": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "unsubscribed": (EvidenceEvent.OPTED_OUT, None),
        "complained": (EvidenceEvent.OPTED_OUT, None),
        "stored": (EvidenceEvent.UNKNOWN, None),
    }

    def make(self, base_url: str) -> MailgunEmail:
        return MailgunEmail(settings(base_url), clock=lambda: NOW)

    def callback(self, status: str, **more: JsonValue) -> RawRequest:
        event = json.loads(payload("mailgun_email/event.json")) | {"event": status, "id": f"id-{status}"}
        event |= {"client-info": PERSON} if status in ("opened", "clicked") else {}
        return self.signed(json.dumps({"event-data": {**event, **more}}).encode(), NOW)

    def signed(self, body: bytes, at: datetime, **change: str) -> RawRequest:
        """An event is signed as of that time; anything else goes as it is."""
        given = {"timestamp": str(int(at.timestamp())), "token": "b" * 50}
        signature = hmac.digest(SIGNING_KEY.encode(), (given["timestamp"] + given["token"]).encode(), hashlib.sha256)
        try:
            post = json.loads(body)
            if "event" in post["event-data"]:
                body = json.dumps({**post, "signature": {**given, "signature": signature.hex(), **change}}).encode()
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        return RawRequest(url=WEBHOOK_URL, headers={}, body=body)

    # -- sending ---------------------------------------------------------------------------------------------------

    async def test_the_request_is_what_mailgun_describes(self) -> None:
        request = await self.sent()
        assert_described(DESCRIPTION, "https://api.mailgun.net", request)
        without = request.body.replace(b'name="subject"', b'name="object"')
        wrong = Received(request.method, request.target, request.headers, without, request.raw)
        with pytest.raises(RequestValidationError):
            assert_described(DESCRIPTION, "https://api.mailgun.net", wrong)

    async def test_the_form_says_who_what_and_carries_our_key(self) -> None:
        request = await self.sent()
        message = self.message()
        assert (request.method, request.target) == ("POST", "/v3/mg.shop.example/messages")
        assert form(request) == {
            "from": "The Shop <orders@mg.shop.example>",
            "to": "ada@example.com",
            "subject": "Your order A-1001",
            "text": message.content.text,
            "html": message.content.html,
            "v:orderack_key": message.key_text,
        }

    async def test_what_stands_in_the_text_can_forge_no_field(self) -> None:
        forged = '\r\n--x\r\nContent-Disposition: form-data; name="to"\r\n\r\neve@example.com\r\n'
        message = self.message(text=forged, subject='a\r\nBcc: eve@example.com"; name="cc')
        fields = form(await self.sent(message))
        assert fields["to"] == "ada@example.com"
        assert set(fields) == {"from", "to", "subject", "text", "html", "v:orderack_key"}
        assert fields["text"] == forged

    async def test_without_html_there_is_text_alone(self) -> None:
        assert "html" not in form(await self.sent(self.message(html=None)))

    @pytest.mark.parametrize(
        "recipient", ["ada@example.com, eve@example.com", "Ada <ada@example.com>", "ada", "a@b\r\nBcc: x@y.z"]
    )
    async def test_what_is_not_one_address_never_leaves(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    @pytest.mark.parametrize(
        ("status", "sentence", "wait"),
        [
            (429, "account-requests-per-sec limit exceeded, try again after 120 seconds", timedelta(seconds=120)),
            (429, "limit exceeded, try again after 1 second", timedelta(seconds=1)),
            (
                403,
                "Domain x is not allowed to send: recipient limit exceeded, try again after 2 minutes",
                timedelta(0, 120),
            ),
            (420, "hourly limit exceeded, try again in 9 hours", timedelta(hours=1)),
            (429, "limit exceeded", None),
        ],
    )
    async def test_the_delay_in_the_sentence_is_honoured(
        self, status: int, sentence: str, wait: timedelta | None
    ) -> None:
        failure = await self.failure(error(status, sentence))
        assert isinstance(failure, Unavailable)
        assert (failure.retry_after and min(failure.retry_after, timedelta(hours=1))) == wait

    @pytest.mark.parametrize("domain", ["mg.shop.example/../other", "a b.example", "", "x?y=z"])
    def test_a_domain_that_is_none_is_refused(self, domain: str) -> None:
        with pytest.raises(ValueError, match="domain"):
            settings("http://127.0.0.1:9", domain=domain)

    # -- checking --------------------------------------------------------------------------------------------------

    async def test_a_check_asks_for_our_domain(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.healthy)
            assert await channel.check() == "the domain mg.shop.example is active"
            assert peer.received[0].target == "/v4/domains/mg.shop.example"

    @pytest.mark.parametrize("change", [{"state": "unverified"}, {"is_disabled": True}])
    async def test_a_domain_that_may_not_send_is_misconfigured(self, change: dict[str, JsonValue]) -> None:
        async with self.provider() as (peer, channel):
            peer.will(json_answer(200, {"domain": {**DOMAIN["domain"], **change}}))
            with pytest.raises(Misconfigured, match="ORDERACK_MAILGUN_EMAIL_DOMAIN"):
                await channel.check()

    # -- events ----------------------------------------------------------------------------------------------------

    async def test_every_sample_that_mailgun_publishes_maps(self) -> None:
        samples = json.loads(spec("mailgun/event_examples.json").read_text())
        assert {sample["event"] for sample in samples.values()} | {"rejected"} == set(VENDOR_EVENT)
        async with self.channel() as channel:
            for name, sample in samples.items():
                request = self.signed(json.dumps({"event-data": sample}).encode(), NOW)
                await channel.verify(request)
                (event,) = channel.events(request)
                wanted = {**self.statuses, "failed_temporary": (EvidenceEvent.ACCEPTED, Grade.E1)}
                assert (event.event, event.grade) == wanted.get(name, wanted[sample["event"]]), name
                assert event.provider_id == sample["message"]["headers"]["message-id"]
                assert event.occurred_at.timestamp() == pytest.approx(sample["timestamp"])
                opted_out = event.event is EvidenceEvent.OPTED_OUT
                assert event.sender == (sample["recipient"] if opted_out else None)

    @pytest.mark.parametrize(
        ("severity", "reason", "meaning"),
        [
            ("temporary", "generic", EvidenceEvent.ACCEPTED),
            ("permanent", "bounce", EvidenceEvent.BOUNCED),
            ("permanent", "suppress-bounce", EvidenceEvent.BOUNCED),
            ("permanent", "suppress-unsubscribe", EvidenceEvent.OPTED_OUT),
            ("permanent", "suppress-complaint", EvidenceEvent.OPTED_OUT),
            ("permanent", "something new", EvidenceEvent.BOUNCED),
        ],
    )
    async def test_a_failure_is_for_now_for_good_or_because_they_had_opted_out(
        self, severity: str, reason: str, meaning: EvidenceEvent
    ) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("failed", severity=severity, reason=reason))
            assert event.event is meaning
            assert event.basis == f"mailgun_email:failed:{severity}:{reason}"
            assert event.sender == ("ada@example.com" if meaning is EvidenceEvent.OPTED_OUT else None)

    @pytest.mark.parametrize(
        ("client", "ip", "reason"),
        [
            ({"user-agent": "Mozilla/5.0", "bot": ""}, "203.0.113.9", "apple_mail_preload"),
            ({"user-agent": "Barracuda Sentinel (EE)", "bot": ""}, "203.0.113.9", "barracuda"),
            ({**PERSON, "bot": "apple"}, "203.0.113.9", "mailgun_bot"),
            ({"user-agent": "", "bot": ""}, "203.0.113.9", "no_user_agent"),
        ],
    )
    @pytest.mark.parametrize("status", ["opened", "clicked"])
    async def test_what_a_machine_opened_or_followed_is_a_machine_touch_with_its_reasons(
        self, status: str, client: dict[str, JsonValue], ip: str, reason: str
    ) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback(status, **{"client-info": client, "ip": ip}))
            assert (event.event, event.grade) == (EvidenceEvent.MACHINE_TOUCH, Grade.M)
            assert event.machine == (reason,)

    async def test_a_client_that_mailgun_left_out_says_nothing(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("opened", **{"client-info": {}}))
            assert (event.event, event.machine) == (EvidenceEvent.DISPLAYED, ())

    async def test_an_event_that_cannot_be_read_is_kept_and_has_one_id(self) -> None:
        async with self.channel() as channel:
            found = [channel.events(self.callback("delivered", timestamp="yesterday")) for _ in range(2)]
            assert found[0] == found[1]
            assert found[0][0].event is EvidenceEvent.UNKNOWN
            assert "yesterday" in found[0][0].raw

    @pytest.mark.parametrize("key", [None, 7, [], {}])
    async def test_a_variable_that_is_no_key_is_none(self, key: JsonValue) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("delivered", **{"user-variables": {"orderack_key": key}}))
            assert event.key is None

    @pytest.mark.parametrize(
        "change",
        [
            {"token": "c" * 50},
            {"timestamp": "1795253341"},
            {"timestamp": "soon"},
            {"timestamp": ""},
            {"signature": ""},
            {"signature": "0" * 64},
            {"signature": "é" * 64},
        ],
    )
    async def test_a_changed_time_token_or_signature_is_refused(self, change: dict[str, str]) -> None:
        async with self.channel() as channel:
            body = self.callback("delivered").body
            await channel.verify(self.signed(body, NOW))
            with pytest.raises(BadSignature):
                await channel.verify(self.signed(body, NOW, **change))

    @pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b"\xff\xfe", b"[" * 5_000])
    async def test_what_has_no_signature_is_refused(self, body: bytes) -> None:
        async with self.channel() as channel:
            with pytest.raises(BadSignature):
                await channel.verify(RawRequest(url=WEBHOOK_URL, headers={}, body=body))

    async def test_another_key_verifies_nothing(self) -> None:
        channel = MailgunEmail(settings("http://127.0.0.1:9", webhook_signing_key="another"), clock=lambda: NOW)
        with pytest.raises(BadSignature):
            await channel.verify(self.callback("delivered"))
        await channel.aclose()

    def test_the_key_in_the_payload_is_the_suites(self) -> None:
        event = json.loads(payload("mailgun_email/event.json"))
        assert event["user-variables"]["orderack_key"] == WEBHOOK_KEY
