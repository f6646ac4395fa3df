"""Viber against the channel's conformance suite, the fields of its documentation and its published signature."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import ClassVar, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from orderack.channels.viber import Viber, ViberSettings
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_KEY, WEBHOOK_URL, HttpChannelConformance, Statuses
from tests.conformance.channel import WebhookConformance as Webhooks
from tests.conformance.openapi import spec
from tests.conformance.peer import Answer, CutOff, json_answer
from tests.payloads import payload

TOKEN = "44dafb7e0f40021e-test-only-0123456789"
ADA = "01234567890Ada=="


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Button(_Strict):
    Columns: int = Field(ge=1, le=6)
    Rows: int = Field(ge=1, le=2)
    ActionType: Literal["reply", "open-url", "location-picker", "share-phone", "none"]
    ActionBody: str = Field(min_length=1)
    Text: str = Field(min_length=1, max_length=250)
    Silent: bool


class Keyboard(_Strict):
    Type: Literal["keyboard"]
    DefaultHeight: bool
    Buttons: list[Button] = Field(min_length=1)


class Sender(_Strict):
    name: str = Field(min_length=1, max_length=28)


class Post(_Strict):
    """send_message, as Viber documents it."""

    receiver: str = Field(min_length=1)
    type: Literal["text"]
    text: str = Field(min_length=1, max_length=7_000)
    sender: Sender
    tracking_data: str = Field(max_length=4_000)
    min_api_version: int = Field(default=1, ge=1)
    keyboard: Keyboard | None = None


def status(code: int, **more: JsonValue) -> Answer:
    """Viber says everything with 200."""
    return json_answer(200, {"status": code, "status_message": "", "chat_hostname": "SN-CHAT-05_", **more})


def settings(base_url: str, token: str = TOKEN) -> ViberSettings:
    return ViberSettings.model_validate({"auth_token": token, "sender_name": "Fjord", "base_url": base_url})


class TestViber(HttpChannelConformance, Webhooks):
    name = "viber"
    recipient = ADA
    secrets = (TOKEN,)
    required = ("ORDERACK_VIBER_AUTH_TOKEN", "ORDERACK_VIBER_SENDER_NAME")
    key = None
    has_window = False
    malformed = (b"", b"{}", b"[]", b"null", b'{"event": ""}', b'{"event": 1}', b'{"event": "seen", "timestamp": "x"}')

    accepted = status(0, message_token=5741311803571721087, billing_status=1)
    provider_id = "5741311803571721087"
    healthy = (status(0, id="pa:1", name="Fjord", uri="fjord", webhook="https://acks.example.com/webhooks/viber"),)
    refusals = (
        (status(3), Reason.CONTENT),
        (status(4), Reason.CONTENT),
        (status(5), Reason.BAD_RECIPIENT),
        (status(6), Reason.OPTED_OUT),
        (status(11), Reason.UNSUPPORTED),
        (status(13), Reason.UNSUPPORTED),
        (status(14), Reason.CONTENT),
        *((status(code), Reason.OTHER) for code in (16, 17, 18, 19, 20, 22, 23, 99)),
        (status(21), Reason.BLOCKED),
        (Answer(400, b"<html>"), Reason.OTHER),
        (Answer(413, b""), Reason.OTHER),
    )
    ours_to_mend = (
        *(status(code) for code in (1, 2, 7, 8, 9, 10, 15, 24)),
        Answer(401, b""),
        Answer(403, b""),
        Answer(404, b""),
    )
    not_now = (status(12),)
    in_doubt = (status(-1), status(0), status(0, message_token=0), json_answer(200, {"message_token": 1}))

    statuses: ClassVar[Statuses] = {
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "seen": (EvidenceEvent.DISPLAYED, Grade.E3),
        "failed": (EvidenceEvent.BOUNCED, None),
        "subscribed": (EvidenceEvent.OPTED_IN, None),
        "unsubscribed": (EvidenceEvent.OPTED_OUT, None),
        "conversation_started": (EvidenceEvent.UNKNOWN, None),
        "client_status": (EvidenceEvent.UNKNOWN, None),
        "action": (EvidenceEvent.UNKNOWN, None),
    }

    def make(self, base_url: str) -> Viber:
        return Viber(settings(base_url), clock=lambda: NOW)

    def callback(self, status: str, **change: JsonValue) -> RawRequest:
        event: dict[str, JsonValue] = {"event": status, "timestamp": 1795253399123}
        event |= {"message_token": 4912661846655238145}
        if status in ("subscribed", "conversation_started"):
            event["user"] = {"id": ADA, "name": "Ada Example"}
        else:
            event["user_id"] = ADA
        if status == "failed":
            event["desc"] = "failure description"
        return self.signed(json.dumps(event | change).encode(), NOW)

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        mac = hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
        return RawRequest(url=WEBHOOK_URL, headers={"x-viber-content-signature": mac}, body=body)

    async def read(self, request: RawRequest) -> ChannelEvent:
        async with self.channel() as channel:
            await channel.verify(request)
            (event,) = channel.events(request)
            return event

    async def written(self, text: str | None, **change: JsonValue) -> ChannelEvent:
        event = json.loads(payload("viber/message.json")) | change
        event["message"] = {"type": "text", "text": text} if text is not None else {"type": "sticker", "sticker_id": 1}
        return await self.read(self.signed(json.dumps(event).encode(), NOW))

    async def post(self, message: Message) -> Post:
        return Post.model_validate_json((await self.sent(message)).body)

    async def test_the_request_has_the_fields_viber_documents_and_our_key(self) -> None:
        request = await self.sent()
        post = Post.model_validate_json(request.body)
        assert (request.method, request.target) == ("POST", "/pa/send_message")
        assert request.headers["x-viber-auth-token"] == TOKEN
        assert (post.receiver, post.tracking_data) == (ADA, self.message().key_text)

    async def test_the_buttons_affirm_and_open(self) -> None:
        message = self.message(affirm_label="Habe <ich>", open_label="Ansehen", chat="Kurz")
        post = await self.post(message)
        assert post.text == "Kurz"
        assert post.keyboard is not None
        assert [(one.ActionType, one.Text, one.ActionBody) for one in post.keyboard.Buttons] == [
            ("reply", "Habe ‹ich>", f"orderack:affirm:{message.key_text}"),
            ("open-url", "Ansehen", "https://acks.example.com/o/abc"),
        ]
        assert post.min_api_version == 6

    async def test_without_buttons_there_is_no_keyboard_and_every_app_takes_it(self) -> None:
        post = await self.post(self.message(link=None))
        assert (post.keyboard, post.min_api_version) == (None, 1)

    @pytest.mark.parametrize(
        ("store", "shown"), [("Tea & Sons", "Tea & Sons"), ("x" * 28, "x" * 28), ("x" * 29, "Fjord"), ("", "Fjord")]
    )
    async def test_the_store_is_the_sender_where_its_name_fits(self, store: str, shown: str) -> None:
        post = await self.post(self.message().model_copy(update={"sender_name": store}))
        assert post.sender.name == shown

    async def test_what_is_over_the_requests_bytes_is_unsupported(self) -> None:
        async with self.provider() as (peer, channel):
            ref = self.message().key.ref.model_copy(update={"store": "🍎" * 200, "number": "🍎" * 200})
            message = self.message(text="🍎" * 7_000, affirm_label="Got it")
            with pytest.raises(Unsupported):
                await channel.send(message.model_copy(update={"key": message.key.model_copy(update={"ref": ref})}))
            assert peer.received == []

    @pytest.mark.parametrize("recipient", ["ada", "+1 500 555 0006", "a b c d e f g", "../../../x?", "ä" * 20])
    async def test_what_is_no_id_of_viber_is_refused_before_anything_is_sent(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    @pytest.mark.parametrize(
        ("token", "provider_id"),
        [(2**63 - 1, str(2**63 - 1)), (2**64 - 1, str(2**64 - 1)), ("1234567890", "1234567890")],
    )
    async def test_a_token_beyond_a_floats_digits_is_kept_whole(self, token: int | str, provider_id: str) -> None:
        async with self.provider() as (peer, channel):
            peer.will(status(0, message_token=token))
            assert (await channel.send(self.message())).provider_id == provider_id
        assert (await self.read(self.callback("seen", message_token=token))).provider_id == provider_id

    async def test_a_check_finds_a_bot_without_a_webhook_and_one_that_viber_has_suspended(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Viber)
            for answer in (status(0, name="Fjord"), status(2), status(9)):
                peer.will(answer)
                with pytest.raises(Misconfigured, match="ORDERACK_VIBER_"):
                    await channel.check()
            for unclear in (status(12), status(99), Answer(200, b"<html>"), Answer(400), CutOff()):
                peer.will(unclear)
                with pytest.raises(Unavailable):
                    await channel.check()
            assert peer.received[0].target == "/pa/get_account_info"

    async def test_several_devices_report_one_thing_once_and_two_things_twice(self) -> None:
        first = await self.read(self.callback("seen"))
        later = await self.read(self.callback("seen", timestamp=1795253399999))
        other = await self.read(self.callback("seen", message_token=4912661846655238146))
        assert first.id == later.id
        assert first.id != other.id
        assert first.id != (await self.read(self.callback("delivered"))).id
        assert first.provider_id == "4912661846655238145"
        assert first.occurred_at == datetime(2026, 11, 21, 9, 29, 59, 123_000, UTC)

    async def test_a_time_beyond_all_calendars_is_ours(self) -> None:
        for timestamp in (4977069964384421269, -1, 0, 1795253400000 + 86_400_001):
            assert (await self.read(self.callback("seen", timestamp=timestamp))).occurred_at == NOW

    @pytest.mark.parametrize("event", ["subscribed", "unsubscribed"])
    async def test_who_subscribes_or_leaves_is_named(self, event: str) -> None:
        found = await self.read(self.callback(event))
        assert (found.sender, found.provider_id) == (ADA, None)

    @pytest.mark.parametrize(
        ("text", "meaning", "grade", "kept"),
        [
            ("Where is it?", EvidenceEvent.REPLIED, Grade.E4, "Where is it?"),
            ("x" * 7_000, EvidenceEvent.REPLIED, Grade.E4, "x" * 2_000),
            (None, EvidenceEvent.REPLIED, Grade.E4, "(a sticker, a picture or a file, without a word)"),
            ("STOP", EvidenceEvent.OPTED_OUT, None, ""),
            ("cancel", EvidenceEvent.OPTED_OUT, None, "cancel"),
        ],
    )
    async def test_what_the_buyer_writes_is_bound_by_who_writes_it(
        self, text: str | None, meaning: EvidenceEvent, grade: Grade | None, kept: str
    ) -> None:
        event = await self.written(text)
        assert (event.event, event.grade, event.text, event.sender) == (meaning, grade, kept, ADA)
        assert (event.key, event.provider_id) == (None, None)

    async def test_a_press_affirms_the_message_whose_button_it_was(self) -> None:
        event = await self.written(f"orderack:affirm:{WEBHOOK_KEY}", silent=True)
        assert (event.event, event.grade, event.key) == (EvidenceEvent.AFFIRMED, Grade.E5, WEBHOOK_KEY)
        assert (event.sender, event.text) == (ADA, "")

    async def test_set_webhooks_trial_is_verified_and_says_nothing(self) -> None:
        request = self.callback("webhook")
        async with self.channel() as channel:
            await channel.verify(request)
            assert channel.events(request) == []

    async def test_the_links_button_is_no_reply(self) -> None:
        event = await self.written("https://acks.example.com/o/abc", silent=True)
        assert (event.event, event.grade, event.text) == (EvidenceEvent.UNKNOWN, None, "")

    async def test_vibers_published_signature_verifies_its_trial_says_nothing_and_no_bit_can_be_changed(self) -> None:
        (vector,) = json.loads(spec("viber/signature_vectors.json").read_text())["vectors"]
        channel = Viber(settings("http://127.0.0.1:9", vector["auth_token"]), clock=lambda: NOW)
        headers = {"x-viber-content-signature": vector["X-Viber-Content-Signature"]}
        body = vector["raw_body"].encode()
        request = RawRequest(url=WEBHOOK_URL, headers=headers, body=body)
        await channel.verify(request)
        assert channel.events(request) == []
        for place in range(len(body)):
            for bit in range(8):
                changed = body[:place] + bytes([body[place] ^ 1 << bit]) + body[place + 1 :]
                with pytest.raises(BadSignature):
                    await channel.verify(request.model_copy(update={"body": changed}))
        await channel.aclose()
