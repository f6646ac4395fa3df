"""Vonage SMS against the channel's conformance suite, Vonage's own description and its libraries' signatures."""

import hashlib
import hmac
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import ClassVar
from urllib.parse import parse_qs, urlencode

import pytest
import yaml
from openapi_core.validation.request.exceptions import RequestValidationError

from orderack.channels.vonage_sms import (
    ACCEPTED,
    IN_DOUBT,
    NOT_NOW,
    OURS_TO_MEND,
    REFUSED_STATUS,
    VENDOR_STATUS,
    VonageSettings,
    VonageSms,
)
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, InDoubt, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_KEY, HttpChannelConformance, Statuses, WebhookConformance
from tests.conformance.openapi import assert_described, spec
from tests.conformance.peer import Answer, json_answer
from tests.payloads import payload

SECRET = "test-only-0123456789"
SIGNATURE_SECRET = "test-only-signature-0123456789abcdef"
URL = "https://acks.example.com/webhooks/vonage_sms"
MESSAGE_ID = "0A0000000123ABCD1"
METHODS = ("md5hash", "md5", "sha1", "sha256", "sha512")
DESCRIPTION = "nexmo_sms/sms_v1.0.10.yml"

# "secret" signs a=1, b=2 and this time: test data of Vonage's own Python library (Vonage/vonage-python-sdk)
VECTOR_TIME = 1461605396
VECTORS = {
    "md5hash": "6af838ef94998832dbfc29020b564830",
    "md5": "c15c21ced558c93a226c305f58f902f2",
    "sha1": "3e19a4e6880fdc2c1426bfd0587c98b9532f0210",
    "sha256": "a321e824b9b816be7c3f28859a31749a098713d39f613c80d455bbaffae1cd24",
    "sha512": "812a18f76680fa0fe1b8bd9ee1625466ceb1bd96242e4d050d2cfd9a7b40166c"
    "63ed26ec9702168781b6edcf1633db8ff95af9341701004eec3fcf9550572ee8",
}


def part(status: str, sentence: str = "The number 15005550006 is wrong") -> dict[str, str]:
    """One part that was not taken."""
    return {"status": status, "error-text": sentence}


def taken(number: int) -> dict[str, str]:
    return {"to": "15005550006", "message-id": f"part-{number}", "status": "0", "network": "12345"}


def answer(*parts: dict[str, str]) -> Answer:
    """Vonage's 200, whatever became of it."""
    return json_answer(200, {"message-count": str(len(parts)), "messages": list(parts)})


def settings(base_url: str, **more: str) -> VonageSettings:
    return VonageSettings.model_validate(
        {
            "api_key": "abcd1234",
            "api_secret": SECRET,
            "sender": "+15005550001",
            "signature_secret": SIGNATURE_SECRET,
            "base_url": base_url,
            **more,
        }
    )


def sign(fields: dict[str, str], method: str = "sha256", secret: str = SIGNATURE_SECRET) -> dict[str, str]:
    """As the "Signing messages" guide has it, by other code than the adapter's."""
    text = ""
    for name, value in sorted(fields.items()):
        text += "&" + name + "=" + re.sub("[&=]", "_", value)
    if method == "md5hash":
        return {**fields, "sig": hashlib.md5((text + secret).encode()).hexdigest()}
    return {**fields, "sig": hmac.digest(secret.encode(), text.encode(), method).hex()}


def posted(fields: dict[str, str]) -> RawRequest:
    return RawRequest(url=URL, headers={}, body=urlencode(fields).encode())


def fetched(fields: dict[str, str]) -> RawRequest:
    return RawRequest(method="GET", url=f"{URL}?{urlencode(fields)}", headers={}, body=b"")


def in_json(fields: dict[str, str]) -> RawRequest:
    return RawRequest(url=URL, headers={}, body=json.dumps(fields).encode())


SHAPES = (posted, fetched, in_json)


class TestVonageSms(HttpChannelConformance, WebhookConformance):
    name = "vonage_sms"
    recipient = "+15005550006"
    secrets = (SECRET, SIGNATURE_SECRET)
    required = (
        "ORDERACK_VONAGE_SMS_API_KEY",
        "ORDERACK_VONAGE_SMS_API_SECRET",
        "ORDERACK_VONAGE_SMS_SENDER",
        "ORDERACK_VONAGE_SMS_SIGNATURE_SECRET",
    )
    malformed = (b"", b"foo=bar", b"{}", b'{"messageId": "x"}', b"messageId=x", b"status=delivered", b"{" * 5_000)

    accepted = Answer(200, payload("vonage_sms/accepted.json"), {"Content-Type": "application/json"})
    provider_id = MESSAGE_ID
    healthy = (json_answer(200, {"value": 10.28, "autoReload": False}),)
    refusals = (
        (answer(part("2", "Missing to param")), Reason.BAD_RECIPIENT),
        (answer(part("2", "Missing text param")), Reason.CONTENT),
        (answer(part("3", "Invalid value for parameter: to")), Reason.BAD_RECIPIENT),
        (answer(part("3", "to address is not numeric")), Reason.OTHER),
        (answer(part("6")), Reason.BAD_RECIPIENT),
        (answer(part("7")), Reason.BLOCKED),
        (answer(part("12")), Reason.TOO_LONG),
        (answer(part("22")), Reason.OTHER),
        (answer(part("33")), Reason.BAD_RECIPIENT),
        (answer(part("99")), Reason.OTHER),
        (answer(part("7"), part("7")), Reason.BLOCKED),
        (Answer(400, b"not json"), Reason.OTHER),
    )
    ours_to_mend = (
        *(answer(part(status)) for status in OURS_TO_MEND),
        answer(part("2", "Missing from param")),
        answer(part("2", "Missing api_secret")),
        answer(part("3", "Invalid value for parameter: callback")),
        Answer(401, b"{}"),
        Answer(404, b"<html>"),
    )
    not_now = (answer(part("1", "Throttled")), answer(part("10")))
    in_doubt = (
        answer(part("5")),
        answer(part("1"), part("5")),
        answer(),
        json_answer(200, {}),
        json_answer(200, {"messages": [{"status": "0"}]}),
        json_answer(200, {"messages": [{"message-id": "x"}]}),
    )

    statuses: ClassVar[Statuses] = {
        **dict.fromkeys(("accepted", "buffered"), (EvidenceEvent.ACCEPTED, Grade.E1)),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        **dict.fromkeys(("expired", "failed", "rejected"), (EvidenceEvent.BOUNCED, None)),
        "unknown": (EvidenceEvent.UNKNOWN, None),
    }

    def make(self, base_url: str) -> VonageSms:
        return VonageSms(settings(base_url), clock=lambda: NOW)

    def fields(self, status: str = "delivered", **more: str) -> dict[str, str]:
        given: dict[str, str] = json.loads(payload("vonage_sms/receipt.json"))
        return given | {"status": status, "timestamp": str(int(NOW.timestamp()))} | more

    def callback(self, status: str, **more: str) -> RawRequest:
        return posted(sign(self.fields(status, **more)))

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        """A form that has a time is signed again as of that time; anything else goes as it is."""
        form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        if "timestamp" in form:
            form.pop("sig")
            return posted(sign(form | {"timestamp": str(int(at.timestamp()))}))
        return RawRequest(url=URL, headers={}, body=body)

    def inbound(self, text: str, **more: str) -> dict[str, str]:
        given = {"msisdn": "15005550006", "to": "15005550001", "messageId": "0B00000001", "text": text, "type": "text"}
        given |= {
            "keyword": text.split(" ")[0].upper(),
            "api-key": "abcd1234",
            "message-timestamp": "2026-11-21 09:29:30",
        }
        return sign(given | {"timestamp": str(int(NOW.timestamp()))} | more)

    def long_key(self) -> Message:
        message = self.message()
        ref = message.key.ref.model_copy(update={"number": "A" * 120})
        return message.model_copy(update={"key": message.key.model_copy(update={"ref": ref})})

    async def test_two_fields_written_as_one_have_no_signature(self) -> None:
        genuine = self.inbound("no")
        names = sorted(name for name in genuine if name not in ("sig", "timestamp"))
        for left, right in pairwise(names):
            forged = {name: value for name, value in genuine.items() if name not in (left, right)}
            forged[f"{left}={genuine[left]}&{right}"] = genuine[right]
            async with self.channel() as channel:
                await channel.verify(posted(genuine))
                with pytest.raises(BadSignature):
                    await channel.verify(posted(forged))

    # -- sending ---------------------------------------------------------------------------------------------------

    async def test_the_request_is_what_vonage_describes(self) -> None:
        request = await self.sent()
        assert request.target == "/sms/json"
        assert_described(DESCRIPTION, "https://rest.nexmo.com", request)
        without = replace(request, body=request.body.replace(b"&to=", b"&too="))
        with pytest.raises(RequestValidationError):
            assert_described(DESCRIPTION, "https://rest.nexmo.com", without)

    def test_every_status_of_vonages_description_is_mapped(self) -> None:
        described = yaml.safe_load(spec(DESCRIPTION).read_text())
        receipt = described["components"]["schemas"]["DeliveryReceipt"]["properties"]["status"]
        assert set(receipt["x-possible-values"]) == set(VENDOR_STATUS)
        known = {*REFUSED_STATUS, *OURS_TO_MEND, *NOT_NOW, *IN_DOUBT}
        assert set(described["x-errors"]) == known
        assert len(known) == len(REFUSED_STATUS) + len(OURS_TO_MEND) + len(NOT_NOW) + len(IN_DOUBT)

    async def test_every_answer_that_vonage_publishes_is_read(self) -> None:
        examples = json.loads(spec("nexmo_sms/response_examples.json").read_text())
        details = {}
        for name, example in examples.items():
            async with self.provider() as (peer, channel):
                peer.will(json_answer(200, example))
                try:
                    details[name] = (await channel.send(self.message())).detail
                except Refused as refused:
                    details[name] = refused.reason
        assert details == {
            "send_sms": "1 part",
            "send_sms_error": Reason.BLOCKED,
            "send_sms_partial_error": "2 parts, 1 of them not taken (status 1)",
            "send_long_sms": "2 parts",
        }
        assert examples["send_sms"]["messages"][0]["status"] == ACCEPTED

    async def test_the_form_says_to_from_text_and_carries_our_key(self) -> None:
        form = {name: values[0] for name, values in parse_qs((await self.sent()).body.decode()).items()}
        assert form == {
            "api_key": "abcd1234",
            "api_secret": SECRET,
            "from": "15005550001",
            "to": "15005550006",
            "text": self.message().content.sms,
            "type": "text",
            "client-ref": self.message().key_text,
            "callback": "https://acks.example.com/webhooks/some",
        }

    @pytest.mark.parametrize(
        ("text", "kind"), [("plain £ € [é]", "text"), ("schön", "text"), ("order ✓", "unicode"), ("Ł", "unicode")]
    )
    async def test_what_the_alphabet_lacks_goes_as_unicode(self, text: str, kind: str) -> None:
        form = parse_qs((await self.sent(self.message(sms=text))).body.decode())
        assert (form["text"], form["type"]) == ([text], [kind])

    async def test_a_callback_that_vonage_would_refuse_is_left_out(self) -> None:
        for url in (None, "https://acks.example.com/" + "x" * 76):
            form = parse_qs((await self.sent(self.message().model_copy(update={"status_url": url}))).body.decode())
            assert "callback" not in form
        fits = "https://acks.example.com/" + "x" * 75
        form = parse_qs((await self.sent(self.message().model_copy(update={"status_url": fits}))).body.decode())
        assert form["callback"] == [fits]

    @pytest.mark.parametrize(
        "recipient", ["15005550006", "+1 500", "whatsapp:+15005550006", "+0123456789", "", "+15005550006\n"]
    )
    async def test_what_is_not_a_number_never_leaves(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    @pytest.mark.parametrize(
        ("parts", "provider_id", "detail"),
        [
            ((taken(1), taken(2), taken(3)), "part-1", "3 parts"),
            ((taken(1), part("1")), "part-1", "2 parts, 1 of them not taken (status 1)"),
            ((part("5"), taken(2)), "part-2", "2 parts, 1 of them not taken (status 5)"),
            ((part("7"), part("1"), taken(3)), "part-3", "3 parts, 2 of them not taken (status 7, 1)"),
        ],
    )
    async def test_a_message_of_which_some_parts_were_taken_is_accepted_and_says_so(
        self, parts: tuple[dict[str, str], ...], provider_id: str, detail: str
    ) -> None:
        async with self.provider() as (peer, channel):
            peer.will(answer(*parts))
            sent = await channel.send(self.message())
            assert (sent.provider_id, sent.detail) == (provider_id, detail)
            assert len(peer.received) == 1

    async def test_a_key_that_is_too_long_travels_as_its_hash_and_finds_the_send_for_every_part(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(answer(taken(1), taken(2)))
            sent = await channel.send(self.long_key())
            (reference,) = parse_qs(peer.received[0].body.decode())["client-ref"]
            assert reference == f"sha256:{hashlib.sha256(self.long_key().key_text.encode()).hexdigest()}"
            assert len(reference) <= 100
            assert (sent.provider_id, sent.detail) == (reference, "2 parts; part-1")
            for number in (1, 2):
                receipt = self.callback("delivered", **{"client-ref": reference, "messageId": f"part-{number}"})
                (event,) = channel.events(receipt)
                assert (event.key, event.provider_id) == (None, sent.provider_id)

    @pytest.mark.parametrize("sender", ["Fjord", "15005550001", "+15005550001", "Fjord & Co", "x" * 12, "", "a\nb"])
    def test_a_sender_is_a_number_or_eleven_letters_and_digits(self, sender: str) -> None:
        if sender in ("Fjord", "15005550001", "+15005550001"):
            assert settings("http://127.0.0.1:9", sender=sender).sender == sender.removeprefix("+")
            return
        with pytest.raises(ValueError, match="neither a number"):
            settings("http://127.0.0.1:9", sender=sender)

    async def test_a_check_tells_the_credit(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.healthy)
            assert await channel.check() == "signed in; 10.28 EUR of credit"
            assert (peer.received[0].method, peer.received[0].target) == ("GET", "/account/get-balance")
            peer.will(Answer(418))
            with pytest.raises(Unavailable):
                await channel.check()
            peer.will(Answer(403))
            with pytest.raises(Misconfigured):
                await channel.check()

    # -- receipts --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("method", METHODS)
    async def test_a_receipt_verifies_in_every_shape_and_by_every_method(self, shape, method) -> None:
        channel = VonageSms(settings("http://127.0.0.1:9", signature_method=method), clock=lambda: NOW)
        fields = self.fields(**{"to": "a&b=c"})
        request = shape(sign(fields, method))
        await channel.verify(request)
        (event,) = channel.events(request)
        assert (event.event, event.key, event.provider_id) == (EvidenceEvent.DELIVERED, WEBHOOK_KEY, MESSAGE_ID)
        assert MESSAGE_ID in event.raw
        await channel.verify(shape({**sign(fields, method), "sig": sign(fields, method)["sig"].upper()}))
        for changed in ({"status": "failed"}, {"sig": ""}, {"sig": "é"}, {"more": "1"}, {"timestamp": "soon"}):
            with pytest.raises(BadSignature):
                await channel.verify(shape({**sign(fields, method), **changed}))
        for other in METHODS:
            if other != method:
                with pytest.raises(BadSignature):
                    await channel.verify(shape(sign(fields, other)))
        await channel.aclose()

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("method", METHODS)
    async def test_the_published_signatures_verify_and_one_changed_byte_does_not(self, shape, method) -> None:
        then = datetime.fromtimestamp(VECTOR_TIME, UTC)
        own = settings("http://127.0.0.1:9", signature_method=method, signature_secret="secret")
        channel = VonageSms(own, clock=lambda: then)
        fields = {"a": "1", "b": "2", "timestamp": str(VECTOR_TIME), "sig": VECTORS[method]}
        await channel.verify(shape(fields))
        for changed in (
            {"a": "2"},
            {"b": "3"},
            {"timestamp": str(VECTOR_TIME + 1)},
            {"sig": "x" + VECTORS[method][1:]},
        ):
            with pytest.raises(BadSignature):
                await channel.verify(shape(fields | changed))
        await channel.aclose()

    @pytest.mark.parametrize("shape", SHAPES)
    async def test_a_receipt_is_good_for_ten_minutes_in_every_shape(self, shape) -> None:
        async with self.channel() as channel:
            for minutes, good in ((-9, True), (9, True), (-11, False), (11, False)):
                at = str(int((NOW + timedelta(minutes=minutes)).timestamp()))
                request = shape(sign(self.fields(timestamp=at)))
                if good:
                    await channel.verify(request)
                    continue
                with pytest.raises(BadSignature):
                    await channel.verify(request)

    @pytest.mark.parametrize(
        "body",
        [b'{"a": {"b": "1"}}', b'{"a": ["1"]}', b'{"a": true}', b'{"a": "1", "a": "2"}', b"a=1&a=2", b"{", b"\xff=1"],
    )
    async def test_fields_that_can_be_read_in_two_ways_prove_nothing(self, body: bytes) -> None:
        async with self.channel() as channel:
            request = RawRequest(url=URL, headers={}, body=body)
            with pytest.raises(BadSignature, match="nothing that Vonage"):
                await channel.verify(request)
            with pytest.raises(InvalidInput):
                channel.events(request)

    async def test_a_field_in_both_query_and_form_proves_nothing(self) -> None:
        async with self.channel() as channel:
            request = self.callback("delivered").model_copy(update={"url": f"{URL}?status=failed"})
            with pytest.raises(BadSignature):
                await channel.verify(request)

    async def test_the_body_of_a_get_counts_for_nothing(self) -> None:
        async with self.channel() as channel:
            request = fetched(sign(self.fields())).model_copy(update={"body": b"status=failed"})
            await channel.verify(request)
            (event,) = channel.events(request)
            assert event.event is EvidenceEvent.DELIVERED

    async def test_a_number_in_json_is_signed_as_it_is_written(self) -> None:
        async with self.channel() as channel:
            fields = sign(self.fields(**{"err-code": "0", "price": "0.03330000"}))
            body = json.dumps(fields).replace('"0.03330000"', "0.03330000").replace('"err-code": "0"', '"err-code": 0')
            await channel.verify(RawRequest(url=URL, headers={}, body=body.encode()))

    async def test_a_receipt_of_a_later_part_is_an_event_of_its_own_for_the_same_message(self) -> None:
        async with self.channel() as channel:
            events = [
                event
                for number in (1, 2)
                for event in channel.events(self.callback("delivered", messageId=f"part-{number}"))
            ]
            assert {event.key for event in events} == {WEBHOOK_KEY}
            assert len({event.id for event in events}) == 2

    async def test_the_reason_of_a_failure_is_kept_and_the_time_is_vonages(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("failed", **{"err-code": "6"}))
            assert event.basis == "vonage_sms:failed:6"
            assert event.occurred_at == datetime(2026, 11, 21, 9, 29, 30, tzinfo=UTC)
            (event,) = channel.events(self.callback("delivered", **{"message-timestamp": "lately"}))
            assert (event.basis, event.occurred_at) == ("vonage_sms:delivered", NOW)

    async def test_without_our_reference_the_vendors_id_remains(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("delivered", **{"client-ref": ""}))
            assert (event.key, event.provider_id) == (None, MESSAGE_ID)

    # -- replies ---------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("text", ["Yes & thanks ✓", "no", "where = is it?"])
    async def test_a_message_to_our_number_is_a_reply_with_its_words_and_its_sender(self, shape, text: str) -> None:
        async with self.channel() as channel:
            request = shape(self.inbound(text))
            await channel.verify(request)
            (event,) = channel.events(request)
            assert (event.event, event.grade, event.text) == (EvidenceEvent.REPLIED, Grade.E4, text)
            assert (event.sender, event.key, event.provider_id) == (self.recipient, None, None)

    @pytest.mark.parametrize("text", ["STOP", " stop. ", "Unsubscribe", "STOPP", "Arrêt"])
    async def test_an_opt_out_is_one_and_asks_nobody(self, text: str) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(posted(self.inbound(text)))
            assert (event.event, event.grade, event.text) == (EvidenceEvent.OPTED_OUT, None, "")
            assert event.sender == self.recipient

    async def test_cancel_is_an_opt_out_that_a_person_reads_for_it_may_mean_the_order(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(posted(self.inbound("CANCEL")))
            assert (event.event, event.text) == (EvidenceEvent.OPTED_OUT, "CANCEL")

    async def test_start_is_an_opt_in(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(posted(self.inbound(" Start ")))
            assert (event.event, event.grade, event.sender) == (EvidenceEvent.OPTED_IN, None, self.recipient)

    @pytest.mark.parametrize("text", ["yes", "STOP", "start"])
    async def test_a_part_of_a_long_message_is_never_taken_for_the_whole(self, text: str) -> None:
        more = {"concat": "true", "concat-ref": "7", "concat-total": "3", "concat-part": "3"}
        async with self.channel() as channel:
            (event,) = channel.events(posted(self.inbound(text, **more)))
            assert (event.event, event.text) == (EvidenceEvent.REPLIED, f"(3 of 3) {text}")

    async def test_a_picture_without_words_is_a_reply(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(posted(self.inbound("", type="binary", data="00ff")))
            assert event.event is EvidenceEvent.REPLIED
            assert event.text

    async def test_a_reply_delivered_twice_has_one_id(self) -> None:
        async with self.channel() as channel:
            ids = {event.id for _ in range(2) for event in channel.events(posted(self.inbound("yes")))}
            assert len(ids) == 1

    async def test_a_breakdown_of_any_part_leaves_it_open(self) -> None:
        assert isinstance(await self.failure(answer(part("5"), part("7"))), InDoubt)
