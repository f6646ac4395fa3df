"""Messenger: the window, utility templates, buttons and quick replies, Meta's codes, echoes and watermarks."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from orderack.channels import _meta as meta
from orderack.channels.messenger import CODES, Messenger, MessengerSettings
from orderack.domain.acknowledgement import Kind, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, Refused, Unavailable
from orderack.ports import ChannelEvent, Greets, Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance, Statuses, WebhookConformance, a_message
from tests.conformance.peer import Answer, Received, json_answer
from tests.payloads import payload

TOKEN = "EAApage0123456789abcdef"
SECRET = "fedcba9876543210fedcba9876543210"
VERIFY = "words-of-our-choice"
PAGE = "106540352242922"
ADA = "1254477777772919"
KEY = "shop/A-1001/1/confirmation/1/messenger"
LINK = "https://acks.example.com/o/abc"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_Title = Annotated[str, Field(min_length=1, max_length=20)]
_Payload = Annotated[str, Field(min_length=1, max_length=1_000)]
_Value = Annotated[str, Field(pattern=r"^( {0,3}[^\s])+$")]


class _Postback(_Strict):
    type: Literal["postback"]
    title: _Title
    payload: _Payload


class _WebUrl(_Strict):
    type: Literal["web_url"]
    title: _Title
    url: Annotated[str, Field(pattern=r"^https?://")]


class _Buttons(_Strict):
    template_type: Literal["button"]
    text: Annotated[str, Field(min_length=1, max_length=640)]
    buttons: Annotated[list[_Postback | _WebUrl], Field(min_length=1, max_length=3)]


class _Attachment(_Strict):
    type: Literal["template"]
    payload: _Buttons


class _QuickReply(_Strict):
    content_type: Literal["text"]
    title: _Title
    payload: _Payload


class _Parameter(_Strict):
    type: Literal["text"]
    text: _Value


class _Component(_Strict):
    type: Literal["body"]
    parameters: list[_Parameter]


class _Language(_Strict):
    code: str


class _Utility(_Strict):
    name: str
    language: _Language
    components: list[_Component]


class _Said(_Strict):
    metadata: Annotated[str, Field(min_length=1, max_length=999)]


class _Text(_Said):
    text: Annotated[str, Field(min_length=1, max_length=2_000)]
    quick_replies: Annotated[list[_QuickReply], Field(min_length=1, max_length=13)] | None = None


class _Attached(_Said):
    attachment: _Attachment


class _Templated(_Said):
    template: _Utility


class _Person(_Strict):
    id: Annotated[str, Field(pattern=r"^\d+$")]


class _Request(_Strict):
    """POST /{PAGE_ID}/messages (facts §9)."""

    recipient: _Person
    messaging_type: Literal["RESPONSE", "UPDATE", "MESSAGE_TAG", "UTILITY"]
    message: _Text | _Attached | _Templated


def said(request: Received) -> _Request:
    return _Request.model_validate_json(request.body)


def error(status: int, word: str) -> Answer:
    """`10:2018278` is code and subcode; `:1545041` stands for a subcode under any code."""
    code, _, subcode = word.partition(":")
    told: dict[str, JsonValue] = {"message": f"(#1) no {ADA}", "type": "OAuthException", "code": int(code or 999)}
    return json_answer(status, {"error": told | ({"error_subcode": int(subcode)} if subcode else {})})


def settings(base_url: str, **more: object) -> MessengerSettings:
    own = {"page_id": PAGE, "page_access_token": TOKEN, "app_secret": SECRET, "verify_token": VERIFY}
    return MessengerSettings.model_validate({**own, "base_url": base_url, **more})


class TestMessenger(HttpChannelConformance, WebhookConformance):
    name = "messenger"
    recipient = ADA
    secrets = (TOKEN, SECRET, VERIFY)
    required = tuple(
        f"ORDERACK_MESSENGER_{name}" for name in ("PAGE_ID", "PAGE_ACCESS_TOKEN", "APP_SECRET", "VERIFY_TOKEN")
    )
    has_window = False
    malformed = (b"", b"{}", b"[]", b'{"object": "page", "entry": []}', b'{"object": "instagram", "entry": [{}]}',
                 b'{"object": "page", "entry": [{"messaging": [{"read": {}}]}]}')  # fmt: skip

    accepted = Answer(200, payload("messenger/accepted.json"), {"Content-Type": "application/json"})
    provider_id = "m_AG5Hz2Uq7tuwNEhXfYYKj8mJEM"
    healthy = (json_answer(200, {"name": "Fjordlight", "id": PAGE}),)
    refusals = (
        *((error(400, word), reason) for word, reason in CODES.refused.items()),
        (error(400, "200:1545041"), Reason.BLOCKED),
        (error(400, "999999"), Reason.OTHER),
        (Answer(400, b"not json"), Reason.OTHER),
    )
    ours_to_mend = (
        *(error(400, word) for word in CODES.ours_to_mend),
        error(403, "200"), error(400, "200:2018028"), error(400, "299"), Answer(404, b"<html>"), Answer(401, b"{}"),
    )  # fmt: skip
    not_now = tuple(error(400, word) for word in CODES.not_now)
    in_doubt = (error(400, "1"), json_answer(200, {"recipient_id": ADA}), json_answer(200, {"message_id": 7}))
    key = None
    statuses: ClassVar[Statuses] = {
        "delivery": (EvidenceEvent.DELIVERED, Grade.E2),
        "read": (EvidenceEvent.DISPLAYED, Grade.E3),
    }

    def make(self, base_url: str) -> Messenger:
        return Messenger(settings(base_url), clock=lambda: NOW)

    def message(self, **content: str | None) -> Message:
        """Within the window."""
        told = a_message(self.name, self.recipient, **content)
        return told.model_copy(update={"heard_at": NOW - timedelta(hours=1), "sender_name": "Fjordlight"})

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        mac = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
        return RawRequest(url=WEBHOOK_URL, headers={"x-hub-signature-256": f"sha256={mac}"}, body=body)

    def posted(self, **told: JsonValue) -> RawRequest:
        item: JsonValue = {"sender": {"id": ADA}, "recipient": {"id": PAGE}, "timestamp": 1_795_253_402_000, **told}
        return self.signed(json.dumps({"object": "page", "entry": [{"id": PAGE, "messaging": [item]}]}).encode(), NOW)

    def callback(self, status: str) -> RawRequest:
        told: dict[str, JsonValue] = {status: {"watermark": 1_795_253_401_500}}
        return self.posted(**told)

    async def event(self, **told: JsonValue) -> ChannelEvent:
        async with self.channel() as channel:
            (event,) = channel.events(self.posted(**told))
            return event

    # the request

    async def test_short_words_stand_above_both_buttons_as_messenger_documents_them(self) -> None:
        request = await self.sent(self.message(chat="It is confirmed.", affirm_label="Confirm receipt"))
        assert request.target == f"/v25.0/{PAGE}/messages"
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        body = said(request)
        assert (body.recipient.id, body.messaging_type, body.message.metadata) == (ADA, "RESPONSE", KEY)
        assert isinstance(body.message, _Attached)
        shown = body.message.attachment.payload
        assert shown.text == "It is confirmed."
        assert shown.buttons == [
            _Postback(type="postback", title="Confirm receipt", payload=KEY),
            _WebUrl(type="web_url", title="View your order", url=LINK),
        ]

    async def test_what_does_not_ask_has_no_affirming_button(self) -> None:
        body = said(await self.sent(self.message(chat="We have it.")))
        assert isinstance(body.message, _Attached)
        assert [button.type for button in body.message.attachment.payload.buttons] == ["web_url"]

    async def test_long_words_are_a_text_with_the_link_and_a_quick_reply(self) -> None:
        body = said(await self.sent(self.message(chat="x" * 641, affirm_label="Erhalt bestätigen")))
        assert isinstance(body.message, _Text)
        assert body.message.text == f"{'x' * 641}\n\nView your order: {LINK}"
        quick = _QuickReply(content_type="text", title="Erhalt bestätigen", payload=KEY)
        assert body.message.quick_replies == [quick]
        quiet = said(await self.sent(self.message(chat="x" * 641)))
        assert isinstance(quiet.message, _Text)
        assert quiet.message.quick_replies is None

    async def test_words_that_leave_no_room_for_the_link_give_way_to_the_short_form(self) -> None:
        body = said(await self.sent(self.message(chat="x" * 1_990, sms=f"Confirmed. {LINK}", text="y" * 3_000)))
        assert isinstance(body.message, _Text)
        assert body.message.text == f"Confirmed. {LINK}"

    async def test_without_a_link_short_words_are_a_text(self) -> None:
        body = said(await self.sent(self.message(chat="We have it.", link=None)))
        assert isinstance(body.message, _Text)
        assert body.message.text == "We have it."

    @pytest.mark.parametrize("recipient", ["ada@example.com", "+15005550006", "", "me", "1" * 31])
    async def test_what_is_no_page_scoped_id_never_leaves(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    @pytest.mark.parametrize("heard", [None, NOW - timedelta(hours=24)])
    async def test_outside_the_window_nothing_goes_without_a_template(self, heard: datetime | None) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"heard_at": heard}))
            assert caught.value.reason is Reason.WINDOW_CLOSED
            assert peer.received == []

    async def test_outside_the_window_an_approved_template_goes_as_utility(self) -> None:
        message = self.message(statement="Order A-1001 confirmed.\nTotal $111.80.", affirm_label="Confirm receipt")
        async with self.provider() as (peer, _):
            channel = Messenger(settings(peer.url, templates={Kind.CONFIRMATION: "order_confirmed"}), lambda: NOW)
            peer.will(self.accepted)
            await channel.send(message.model_copy(update={"heard_at": None, "language": "fr-CA"}))
            await channel.aclose()
            body = said(peer.received[0])
        assert (body.messaging_type, body.message.metadata) == ("UTILITY", KEY)
        assert isinstance(body.message, _Templated)
        template = body.message.template
        assert (template.name, template.language.code) == ("order_confirmed", "fr")
        values = [parameter.text for parameter in template.components[0].parameters]
        assert values == ["A-1001", "Fjordlight", "Order A-1001 confirmed. Total $111.80."]

    async def test_a_limit_says_how_long_it_holds(self) -> None:
        for status in (400, 429):
            failure = await self.failure(error(status, "613"))
            assert isinstance(failure, Unavailable)
            assert failure.retry_after == timedelta(minutes=1)

    # events

    async def test_one_post_brings_many_facts(self) -> None:
        async with self.channel() as channel:
            request = self.signed(payload("messenger/many.json"), NOW)
            await channel.verify(request)
            echo, first, second, read, words = channel.events(request)
            assert [event.id for event in channel.events(request)] == [
                event.id for event in (echo, first, second, read, words)
            ]
        assert (echo.event, echo.grade, echo.key, echo.provider_id) == (EvidenceEvent.ACCEPTED, Grade.E1, KEY, "m_A")
        assert [(event.event, event.provider_id, event.watermark) for event in (first, second)] == [
            (EvidenceEvent.DELIVERED, "m_A", None), (EvidenceEvent.DELIVERED, "m_B", None),
        ]  # fmt: skip
        assert (read.event, read.sender, read.key, read.provider_id) == (EvidenceEvent.DISPLAYED, ADA, None, None)
        assert read.watermark == datetime.fromtimestamp(1_795_253_401.5, UTC)
        assert (words.event, words.text, words.provider_id) == (EvidenceEvent.REPLIED, "When does it come?", "m_A")
        assert len({event.id for event in (echo, first, second, read, words)}) == 5

    async def test_a_delivery_without_ids_is_a_watermark(self) -> None:
        event = await self.event(delivery={"watermark": 1_795_253_401_500})
        assert (event.event, event.sender, event.provider_id) == (EvidenceEvent.DELIVERED, ADA, None)
        assert event.watermark == event.occurred_at == datetime.fromtimestamp(1_795_253_401.5, UTC)

    async def test_an_echo_of_somebody_elses_message_is_none_of_ours(self) -> None:
        for metadata in ({}, {"metadata": "crm"}, {"metadata": "shop/A/1/received/1/whatsapp"}):
            event = await self.event(message={"is_echo": True, "mid": "m_X", "text": "Hi", **metadata})
            assert (event.event, event.grade, event.key) == (EvidenceEvent.UNKNOWN, None, None)

    @pytest.mark.parametrize(
        "press",
        [
            {"postback": {"mid": "m_P", "title": "Confirm", "payload": KEY}},
            {"message": {"mid": "m_Q", "text": "Confirm", "quick_reply": {"payload": KEY}}},
        ],
    )
    async def test_a_press_affirms_its_message(self, press: dict[str, JsonValue]) -> None:
        event = await self.event(**press)
        assert (event.event, event.grade, event.key, event.sender) == (EvidenceEvent.AFFIRMED, Grade.E5, KEY, ADA)

    @pytest.mark.parametrize(
        ("told", "meaning", "text"),
        [
            ({"postback": {"title": "Get started", "payload": "GET_STARTED"}}, EvidenceEvent.UNKNOWN, ""),
            ({"message": {"mid": "m", "text": "stop"}}, EvidenceEvent.OPTED_OUT, ""),
            ({"message": {"mid": "m", "text": "START"}}, EvidenceEvent.OPTED_IN, ""),
            ({"message": {"mid": "m", "attachments": [{"type": "image"}]}}, EvidenceEvent.REPLIED, meta.NO_WORDS),
            ({"message": {"mid": "m", "is_deleted": True}}, EvidenceEvent.UNKNOWN, ""),
            ({"reaction": {"action": "react", "emoji": "👍", "mid": "m_A"}}, EvidenceEvent.REPLIED, "👍"),
            ({"reaction": {"action": "unreact", "mid": "m_A"}}, EvidenceEvent.UNKNOWN, ""),
            ({"optin": {"ref": "checkout"}}, EvidenceEvent.OPTED_IN, ""),
            ({"optin": {"type": "notification_messages"}}, EvidenceEvent.UNKNOWN, ""),
        ],
    )
    async def test_each_thing_a_person_does_has_its_meaning(
        self, told: dict[str, JsonValue], meaning: EvidenceEvent, text: str
    ) -> None:
        event = await self.event(**told)
        assert (event.event, event.text) == (meaning, text)
        assert event.sender == (ADA if meaning is not EvidenceEvent.UNKNOWN else event.sender)

    async def test_news_of_the_page_is_kept(self) -> None:
        change: JsonValue = {"field": "message_template_status_update", "value": {"event": "PAUSED"}}
        body = json.dumps({"object": "page", "entry": [{"id": PAGE, "time": 1, "changes": [change]}]}).encode()
        async with self.channel() as channel:
            (event,) = channel.events(self.signed(body, NOW))
        assert event.event is EvidenceEvent.UNKNOWN
        assert "PAUSED" in event.raw

    async def test_the_greeting_gives_the_challenge_to_whoever_knows_our_words(self) -> None:
        async with self.channel() as channel:
            assert isinstance(channel, Greets)
            url = f"https://acks.example.com/x?hub.mode=subscribe&hub.challenge=77&hub.verify_token={VERIFY}"
            greeting = await channel.greet(RawRequest(method="GET", url=url, headers={}, body=b""))
            assert greeting is not None
            assert greeting.body == "77"
            with pytest.raises(BadSignature):
                await channel.greet(RawRequest(method="GET", url=url + "x", headers={}, body=b""))


def test_the_model_of_the_request_refuses_what_messenger_would() -> None:
    good = {"recipient": {"id": ADA}, "messaging_type": "RESPONSE", "message": {"text": "x", "metadata": KEY}}
    _Request.model_validate(good)
    for wrong in ({"messaging_type": "X"}, {"message": {"text": "x" * 2_001, "metadata": KEY}}, {"tag": "HUMAN_AGENT"}):
        with pytest.raises(ValidationError):
            _Request.model_validate(good | wrong)
