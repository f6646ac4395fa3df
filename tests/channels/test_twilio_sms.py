"""Twilio SMS against the channel's conformance suite, Twilio's own description and its published signatures."""

import base64
import hmac
import json
from datetime import datetime
from typing import ClassVar
from urllib.parse import parse_qs, urlencode

import pytest

from orderack import channels
from orderack.channels.twilio_sms import VENDOR_STATUS, TwilioSettings, TwilioSms
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, InDoubt, Misconfigured, OrderAckError, Refused, Unavailable
from orderack.ports import RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance, Statuses, WebhookConformance
from tests.conformance.openapi import assert_described, spec
from tests.conformance.peer import Answer, json_answer
from tests.payloads import payload

ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "0123456789abcdef0123456789abcdef"
SID = "SM00000000000000000000000000000007"


def error(status: int, code: int) -> Answer:
    """Twilio's error body, whose sentence repeats the number."""
    return json_answer(
        status, {"code": code, "message": "The number +15005550006 is wrong", "more_info": "", "status": status}
    )


def settings(
    base_url: str, sender: str | None = "+15005550001", service: str | None = None, token: str = TOKEN
) -> TwilioSettings:
    return TwilioSettings.model_validate(
        {
            "account_sid": ACCOUNT,
            "auth_token": token,
            "sender": sender,
            "messaging_service_sid": service,
            "base_url": base_url,
        }
    )


class TestTwilioSms(HttpChannelConformance, WebhookConformance):
    name = "twilio_sms"
    recipient = "+15005550006"
    secrets = (TOKEN, base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode())
    required = ("ORDERACK_TWILIO_SMS_ACCOUNT_SID", "ORDERACK_TWILIO_SMS_AUTH_TOKEN")
    has_window = False
    malformed = (
        b"",
        b"Foo=bar",
        b"{}",
        b"MessageSid=SM1",
        b"MessageSid=SM1&From=%2B15005550006",
        b"MessageStatus=sent&MessageSid=",
    )

    accepted = Answer(201, payload("twilio_sms/accepted.json"), {"Content-Type": "application/json"})
    provider_id = SID
    refusals = (
        (error(400, 21211), Reason.BAD_RECIPIENT),
        (error(400, 21217), Reason.BAD_RECIPIENT),
        (error(400, 21614), Reason.BAD_RECIPIENT),
        (error(403, 21408), Reason.BLOCKED),
        (error(400, 21612), Reason.BLOCKED),
        (error(400, 21610), Reason.OPTED_OUT),
        (error(400, 21617), Reason.TOO_LONG),
        (error(400, 21602), Reason.CONTENT),
        (error(400, 21604), Reason.NO_RECIPIENT),
        (error(400, 30004), Reason.BLOCKED),
        (error(400, 30005), Reason.BAD_RECIPIENT),
        (error(400, 30006), Reason.BAD_RECIPIENT),
        (error(400, 30007), Reason.CONTENT),
        (error(400, 30003), Reason.OTHER),
        (error(400, 30008), Reason.OTHER),
        (error(400, 99999), Reason.OTHER),
        (Answer(400, b"not json"), Reason.OTHER),
    )
    ours_to_mend = (
        error(401, 20003),
        error(404, 20404),
        error(400, 21212),
        error(400, 21606),
        error(400, 21609),
        error(400, 30034),
        Answer(404, b"<html>"),
        Answer(403, b""),
    )
    not_now = (error(400, 20429), error(400, 30001))
    in_doubt = (json_answer(201, {"status": "queued"}), json_answer(200, {"sid": 7}), Answer(201, b""))

    statuses: ClassVar[Statuses] = {
        **dict.fromkeys(("queued", "accepted", "scheduled", "sending", "sent"), (EvidenceEvent.ACCEPTED, Grade.E1)),
        **dict.fromkeys(("delivered", "read"), (EvidenceEvent.DELIVERED, Grade.E2)),
        **dict.fromkeys(("undelivered", "failed", "canceled"), (EvidenceEvent.BOUNCED, None)),
        **dict.fromkeys(("partially_delivered", "receiving", "received"), (EvidenceEvent.UNKNOWN, None)),
    }

    healthy = (json_answer(200, {"status": "active", "type": "Full"}),)

    def make(self, base_url: str) -> TwilioSms:
        return TwilioSms(settings(base_url), clock=lambda: NOW)

    def callback(self, status: str, **more: str) -> RawRequest:
        form = {"MessageSid": SID, "SmsSid": SID, "MessageStatus": status, "SmsStatus": status, "AccountSid": ACCOUNT}
        form |= {"From": "+15005550001", "To": self.recipient, "ApiVersion": "2010-04-01", **more}
        return self.signed(urlencode(form).encode(), NOW)

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        form = parse_qs(body.decode(), keep_blank_values=True)
        text = WEBHOOK_URL + "".join(name + form[name][0] for name in sorted(form))
        mac = base64.b64encode(hmac.digest(TOKEN.encode(), text.encode(), "sha1")).decode()
        return RawRequest(url=WEBHOOK_URL, headers={"x-twilio-signature": mac}, body=body)

    async def test_the_request_is_what_twilio_describes(self) -> None:
        request = await self.sent()
        assert_described("twilio_sms/twilio_api_v2010.messages.json", "https://api.twilio.com", request)

    def test_every_status_of_twilios_description_is_mapped(self) -> None:
        described = json.loads(spec("twilio_sms/twilio_api_v2010.messages.json").read_text())
        words = described["components"]["schemas"]["message_enum_status"]["enum"]
        assert set(words) == set(VENDOR_STATUS)

    async def test_the_form_says_to_from_body_and_where_to_report_with_our_key(self) -> None:
        request = await self.sent()
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        assert request.target == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        assert form == {
            "To": self.recipient,
            "From": "+15005550001",
            "Body": self.message().content.sms,
            "StatusCallback": "https://acks.example.com/webhooks/some"
            "?orderack_key=shop%2FA-1001%2F1%2Fconfirmation%2F1%2Ftwilio_sms",
        }
        assert request.headers["authorization"].startswith("Basic ")

    async def test_a_messaging_service_takes_the_senders_place(self) -> None:
        async with self.provider() as (peer, _):
            service = TwilioSms(settings(peer.url, None, "MG00000000000000000000000000000002"))
            peer.will(self.accepted)
            await service.send(self.message().model_copy(update={"status_url": None}))
            await service.aclose()
            form = parse_qs(peer.received[0].body.decode())
            assert form["MessagingServiceSid"] == ["MG00000000000000000000000000000002"]
            assert not {"From", "StatusCallback"} & form.keys()

    @pytest.mark.parametrize("sender", [None, "+15005550001"])
    def test_neither_or_both_senders_is_not_configured(
        self, sender: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ORDERACK_TWILIO_SMS_ACCOUNT_SID", ACCOUNT)
        monkeypatch.setenv("ORDERACK_TWILIO_SMS_AUTH_TOKEN", TOKEN)
        if sender:
            monkeypatch.setenv("ORDERACK_TWILIO_SMS_SENDER", sender)
            monkeypatch.setenv("ORDERACK_TWILIO_SMS_MESSAGING_SERVICE_SID", "MG1")
        (lack,) = channels.build(["twilio_sms"]).not_configured["twilio_sms"]
        assert lack.startswith("set one of ORDERACK_TWILIO_SMS_SENDER")

    @pytest.mark.parametrize(
        "recipient", ["whatsapp:+15005550006", "15005550006", "+0123", "+1500555000a", "ada@example.com"]
    )
    async def test_what_is_not_a_number_never_leaves(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    async def test_a_callback_about_an_opt_out_says_so(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("failed", ErrorCode="21610"))
            assert event.event is EvidenceEvent.OPTED_OUT
            assert event.basis == "twilio_sms:failed:21610"
            assert event.provider_id == SID

    def message_in(self, text: str, **more: str) -> RawRequest:
        """Somebody writes to our number."""
        form = {"MessageSid": SID, "SmsMessageSid": SID, "SmsSid": SID, "SmsStatus": "received", "NumMedia": "0"}
        form |= {"From": self.recipient, "To": "+15005550001", "Body": text, "AccountSid": ACCOUNT, **more}
        return self.signed(urlencode(form).encode(), NOW)

    async def test_what_the_message_costs_is_said(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(self.accepted)
            assert (await channel.send(self.message())).detail == "queued, segments: 1"

    @pytest.mark.parametrize("text", ["yes", "When does it come?", "not ok", "NO", "Sí 👍", "a=b&c=d"])
    async def test_a_message_to_our_number_is_a_reply_with_its_words_and_its_sender(self, text: str) -> None:
        async with self.channel() as channel:
            request = self.message_in(text)
            await channel.verify(request)
            (event,) = channel.events(request)
            assert (event.event, event.grade) == (EvidenceEvent.REPLIED, Grade.E4)
            assert (event.sender, event.text) == (self.recipient, text)
            assert (event.key, event.provider_id) == (None, None)
            assert event.basis == "twilio_sms:reply"

    @pytest.mark.parametrize(
        ("text", "more"),
        [
            *((word, {}) for word in ("STOP", "StopAll", "unsubscribe", "END", "Quit.")),
            ("Adiós", {"OptOutType": "STOP"}),
        ],
    )
    async def test_an_opt_out_is_one_and_asks_nobody(self, text: str, more: dict[str, str]) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.message_in(text, **more))
            assert (event.event, event.grade, event.text) == (EvidenceEvent.OPTED_OUT, None, "")

    async def test_cancel_is_an_opt_out_that_a_person_reads_for_it_may_mean_the_order(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.message_in("CANCEL"))
            assert (event.event, event.text) == (EvidenceEvent.OPTED_OUT, "CANCEL")

    async def test_what_twilio_answers_itself_is_no_answer_to_us(self) -> None:
        async with self.channel() as channel:
            for request in (self.message_in("START"), self.message_in("hola", OptOutType="START")):
                (event,) = channel.events(request)
                assert (event.event, event.grade, event.text) == (EvidenceEvent.OPTED_IN, None, "")

    async def test_a_picture_without_words_is_a_reply(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.message_in("", NumMedia="1"))
            assert event.event is EvidenceEvent.REPLIED
            assert event.text

    async def test_a_reply_delivered_twice_has_one_id(self) -> None:
        async with self.channel() as channel:
            ids = {event.id for _ in range(2) for event in channel.events(self.message_in("yes"))}
            assert len(ids) == 1
            assert ids.isdisjoint({event.id for event in channel.events(self.callback("received"))})

    async def test_a_list_where_a_message_should_be_is_in_doubt(self) -> None:
        assert isinstance(await self.failure(json_answer(201, [])), InDoubt)

    async def test_the_published_signatures_verify_and_one_changed_byte_does_not(self) -> None:
        vectors = json.loads(spec("twilio_sms/signature_vectors.json").read_text())["vectors"]
        signed = [vector for vector in vectors if "X-Twilio-Signature" in vector]
        assert len(signed) == 2
        for vector in signed:
            pairs = vector.get("params_list") or list(vector["params"].items())
            channel = TwilioSms(settings("http://127.0.0.1:9", token=vector["auth_token"]))
            headers = {"x-twilio-signature": vector["X-Twilio-Signature"]}
            request = RawRequest(
                url=vector["url"], headers=headers, body=urlencode([tuple(pair) for pair in pairs]).encode()
            )
            await channel.verify(request)
            with pytest.raises(BadSignature):
                await channel.verify(request.model_copy(update={"url": vector["url"] + "x"}))

    @pytest.mark.parametrize(
        ("answer", "fate"),
        [
            (json_answer(200, {"status": "suspended", "type": "Full"}), Misconfigured),
            (json_answer(200, {}), Misconfigured),
            (json_answer(404, {"code": 20404}), Misconfigured),
            (Answer(503, b""), Unavailable),
            (Answer(200, b"<html>"), Unavailable),
        ],
    )
    async def test_a_check_that_fails_is_ours_to_mend_or_for_later(
        self, answer: Answer, fate: type[OrderAckError]
    ) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, TwilioSms)
            peer.will(answer)
            with pytest.raises(fate):
                await channel.check()

    async def test_a_check_asks_for_the_account_and_says_when_it_is_on_trial(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, TwilioSms)
            peer.will(json_answer(200, {"status": "active", "type": "Trial"}))
            assert "verified numbers only" in await channel.check()
            (request,) = peer.received
            assert (request.method, request.target) == ("GET", f"/2010-04-01/Accounts/{ACCOUNT}.json")
            assert request.headers["authorization"].startswith("Basic ")
