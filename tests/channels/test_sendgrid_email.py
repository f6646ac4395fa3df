"""SendGrid against the channel's conformance suite, its own description and its published signature."""

import base64
import json
from datetime import datetime
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import JsonValue

from orderack import channels
from orderack.channels.sendgrid_email import SendgridEmail, SendgridSettings
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, Misconfigured, OrderAckError, Refused, Unavailable
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
from tests.conformance.peer import Answer, json_answer
from tests.payloads import payload

API_KEY = "SG.test-only.0123456789"
SIGNING_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY = base64.b64encode(
    SIGNING_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


def error(status: int, field: str | None) -> Answer:
    """SendGrid's error body."""
    return json_answer(status, {"errors": [{"message": "ada@example.com is wrong", "field": field, "help": None}]})


def settings(base_url: str, public_key: str = PUBLIC_KEY) -> SendgridSettings:
    return SendgridSettings.model_validate(
        {
            "api_key": API_KEY,
            "sender": "orders@shop.example.com",
            "sender_name": "The Shop",
            "webhook_public_key": public_key,
            "base_url": base_url,
        }
    )


class TestSendgridEmail(HttpChannelConformance, WebhookConformance):
    name = "sendgrid_email"
    recipient = "ada@example.com"
    secrets = (API_KEY,)
    required = (
        "ORDERACK_SENDGRID_EMAIL_API_KEY",
        "ORDERACK_SENDGRID_EMAIL_SENDER",
        "ORDERACK_SENDGRID_EMAIL_WEBHOOK_PUBLIC_KEY",
    )
    malformed = (b"", b"{}", b'"x"', b"[1]", b"<html>", b"[" * 5_000)

    accepted = Answer(202, headers={"X-Message-Id": "14c5d75ce93.dfd.64b469"})
    provider_id = "14c5d75ce93.dfd.64b469"
    refusals = (
        (error(400, "personalizations.0.to.0.email"), Reason.BAD_RECIPIENT),
        (error(400, "personalizations"), Reason.OTHER),
        (error(400, "content.0.value"), Reason.CONTENT),
        (error(400, "subject"), Reason.CONTENT),
        (error(400, None), Reason.OTHER),
        (Answer(400, b"not json"), Reason.OTHER),
        (error(413, None), Reason.TOO_LONG),
        (error(422, None), Reason.OTHER),
    )
    ours_to_mend = (
        error(401, None),
        error(403, "from"),
        error(400, "from.email"),
        error(404, None),
        error(405, None),
    )
    in_doubt = (json_answer(200, {}), Answer(204))

    statuses: ClassVar[Statuses] = {
        "processed": (EvidenceEvent.ACCEPTED, Grade.E1),
        "deferred": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "bounce": (EvidenceEvent.BOUNCED, None),
        "dropped": (EvidenceEvent.BOUNCED, None),
        # without SendGrid's word that no machine opened it, it proves nothing about a person
        "open": (EvidenceEvent.MACHINE_TOUCH, Grade.M),
        "click": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "spamreport": (EvidenceEvent.OPTED_OUT, None),
        "unsubscribe": (EvidenceEvent.OPTED_OUT, None),
        "group_unsubscribe": (EvidenceEvent.OPTED_OUT, None),
        "group_resubscribe": (EvidenceEvent.OPTED_IN, None),
    }

    healthy = (json_answer(200, {"scopes": ["2fa_required", "mail.send"]}),)

    def make(self, base_url: str) -> SendgridEmail:
        return SendgridEmail(settings(base_url), clock=lambda: NOW)

    def callback(self, status: str, **more: JsonValue) -> RawRequest:
        item = json.loads(payload("sendgrid_email/event.json")) | {"event": status, "sg_event_id": f"id-{status}"}
        return self.signed(json.dumps([item | more]).encode() + b"\r\n", NOW)

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        timestamp = str(int(at.timestamp()))
        signature = SIGNING_KEY.sign(timestamp.encode() + body.rstrip() + b"\r\n", ec.ECDSA(hashes.SHA256()))
        headers = {
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": timestamp,
        }
        return RawRequest(url=WEBHOOK_URL, headers=headers, body=body.rstrip() + b"\r\n")

    async def test_the_request_is_what_sendgrid_describes(self) -> None:
        request = await self.sent()
        assert_described("sendgrid/tsg_mail_v3.patched.json", "https://api.sendgrid.com", request)

    async def test_the_body_says_who_what_and_carries_our_key_and_nothing_personal_beside_it(self) -> None:
        request = await self.sent()
        message = self.message()
        assert (request.method, request.target) == ("POST", "/v3/mail/send")
        assert request.headers["authorization"] == f"Bearer {API_KEY}"
        assert json.loads(request.body) == {
            "from": {"email": "orders@shop.example.com", "name": "The Shop"},
            "personalizations": [{"to": [{"email": self.recipient}]}],
            "subject": "Your order A-1001",
            "content": [
                {"type": "text/plain", "value": message.content.text},
                {"type": "text/html", "value": message.content.html},
            ],
            "custom_args": {"orderack_key": message.key_text},
        }

    @pytest.mark.parametrize(
        "recipient", ["ada@example.com, eve@example.com", "Ada <ada@example.com>", "ada", "a@b\r\nBcc: x@y.z"]
    )
    async def test_what_is_not_one_address_never_leaves(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    async def test_text_that_looks_like_an_api_key_is_refused_and_not_an_error(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(Refused) as caught:
                await channel.send(self.message(text="SG.abc.def is what the order says"))
            assert caught.value.reason is Reason.CONTENT

    @pytest.mark.parametrize(
        ("flag", "meaning"),
        [
            (True, (EvidenceEvent.MACHINE_TOUCH, Grade.M)),
            (False, (EvidenceEvent.DISPLAYED, Grade.E3P)),
            (None, (EvidenceEvent.MACHINE_TOUCH, Grade.M)),
        ],
    )
    async def test_an_open_counts_as_a_persons_only_on_sendgrids_word(
        self, flag: bool | None, meaning: tuple[EvidenceEvent, Grade]
    ) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("open", sg_machine_open=flag))
            assert (event.event, event.grade) == meaning

    async def test_events_come_one_by_one_in_order_with_the_id_the_send_had(self) -> None:
        items = [json.loads(self.callback(status).body)[0] for status in ("processed", "delivered")]
        async with self.channel() as channel:
            first, second = channel.events(self.signed(json.dumps(items).encode(), NOW))
            assert [first.event, second.event] == [EvidenceEvent.ACCEPTED, EvidenceEvent.DELIVERED]
            assert second.provider_id == "14c5d75ce93"
            assert second.occurred_at.timestamp() == items[1]["timestamp"]

    async def test_an_item_that_cannot_be_read_does_not_lose_its_neighbours(self) -> None:
        good = json.loads(self.callback("delivered").body)[0]
        bad = good | {"timestamp": "yesterday"}
        async with self.channel() as channel:
            events = channel.events(self.signed(json.dumps([bad, good]).encode(), NOW))
            assert [event.event for event in events] == [EvidenceEvent.UNKNOWN, EvidenceEvent.DELIVERED]
            assert "yesterday" in events[0].raw

    def test_a_key_that_is_none_is_named_and_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ORDERACK_SENDGRID_EMAIL_API_KEY", API_KEY)
        monkeypatch.setenv("ORDERACK_SENDGRID_EMAIL_SENDER", "orders@shop.example.com")
        monkeypatch.setenv("ORDERACK_SENDGRID_EMAIL_WEBHOOK_PUBLIC_KEY", "oops")
        (lack,) = channels.build(["sendgrid_email"]).not_configured["sendgrid_email"]
        assert lack.startswith("ORDERACK_SENDGRID_EMAIL_WEBHOOK_PUBLIC_KEY: not the base64 public key")

    async def test_the_published_signature_verifies_and_one_changed_byte_does_not(self) -> None:
        (vector,) = json.loads(spec("sendgrid/signature_vectors.json").read_text())["vectors"]
        timestamp = vector["X-Twilio-Email-Event-Webhook-Timestamp"]
        then = datetime.fromtimestamp(int(timestamp), NOW.tzinfo)
        channel = SendgridEmail(settings("http://127.0.0.1:9", vector["public_key"]), clock=lambda: then)
        request = RawRequest(
            url=WEBHOOK_URL,
            headers={
                "x-twilio-email-event-webhook-signature": vector["X-Twilio-Email-Event-Webhook-Signature"],
                "x-twilio-email-event-webhook-timestamp": timestamp,
            },
            body=vector["raw_body"].encode(),
        )
        await channel.verify(request)
        (event,) = channel.events(request)
        assert event.event is EvidenceEvent.BOUNCED
        with pytest.raises(BadSignature):
            await channel.verify(request.model_copy(update={"body": request.body.replace(b"dropped", b"Dropped")}))

    @pytest.mark.parametrize(
        ("agent", "ip", "reason"),
        [
            ("Mozilla/5.0", "203.0.113.9", "apple_mail_preload"),
            (
                "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
                "",
                "google_image_proxy",
            ),
            ("Barracuda Sentinel (EE)", "203.0.113.9", "barracuda"),
            ("", "203.0.113.9", "no_user_agent"),
        ],
    )
    @pytest.mark.parametrize("status", ["open", "click"])
    async def test_what_a_machine_opened_or_followed_is_a_machine_touch_with_its_reasons(
        self, status: str, agent: str, ip: str, reason: str
    ) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback(status, sg_machine_open=False, useragent=agent, ip=ip))
            assert (event.event, event.grade) == (EvidenceEvent.MACHINE_TOUCH, Grade.M)
            assert event.machine == (reason,)

    @pytest.mark.parametrize("status", ["open", "click"])
    async def test_what_nothing_speaks_for_a_machine_in_is_probably_displayed(self, status: str) -> None:
        person = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.1"
        async with self.channel() as channel:
            for agent in (person, None, person + "x" * 5_000):
                (event,) = channel.events(
                    self.callback(status, sg_machine_open=False, useragent=agent, ip="203.0.113.9")
                )
                assert (event.event, event.grade, event.machine) == (EvidenceEvent.DISPLAYED, Grade.E3P, ())

    def test_the_key_in_the_payload_is_the_suites(self) -> None:
        assert json.loads(payload("sendgrid_email/event.json"))["orderack_key"] == WEBHOOK_KEY

    @pytest.mark.parametrize(
        ("answer", "fate"),
        [
            (json_answer(200, {"scopes": ["mail.batch.read"]}), Misconfigured),
            (error(403, None), Misconfigured),
            (Answer(503, b""), Unavailable),
            (Answer(200, b"<html>"), Unavailable),
        ],
    )
    async def test_a_check_that_fails_is_ours_to_mend_or_for_later(
        self, answer: Answer, fate: type[OrderAckError]
    ) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, SendgridEmail)
            peer.will(answer)
            with pytest.raises(fate):
                await channel.check()
            assert [request.target for request in peer.received] == ["/v3/scopes"]
