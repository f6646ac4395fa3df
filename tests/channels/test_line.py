"""LINE against the channel's conformance suite, the fields of its description and its own sample webhooks."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from orderack.channels.line import Line, LineSettings
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_KEY, WEBHOOK_URL, HttpChannelConformance, Statuses
from tests.conformance.channel import WebhookConformance as Webhooks
from tests.conformance.openapi import spec
from tests.conformance.peer import Answer, json_answer
from tests.payloads import payload

TOKEN = "line-test-only-0123456789/+="
SECRET = "0123456789abcdef0123456789abcdef"
ADA = "U4af4980629000000000000000000ada1"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Words(_Strict):
    type: Literal["text"]
    text: str = Field(min_length=1, max_length=5_000)
    weight: Literal["bold"] | None = None
    wrap: bool | None = None
    size: Literal["sm"] | None = None


class Uri(_Strict):
    type: Literal["uri"]
    label: str = Field(min_length=1, max_length=40)
    uri: str = Field(pattern=r"^https?://", max_length=1_000)


class Postback(_Strict):
    type: Literal["postback"]
    label: str = Field(min_length=1, max_length=40)
    data: str = Field(min_length=1, max_length=300)
    displayText: str = Field(max_length=300)


class Button(_Strict):
    type: Literal["button"]
    style: Literal["primary", "secondary", "link"]
    action: Annotated[Uri | Postback, Field(discriminator="type")]


class Box(_Strict):
    type: Literal["box"]
    layout: Literal["vertical"]
    spacing: Literal["md"]
    contents: list[Annotated[Words | Button, Field(discriminator="type")]] = Field(min_length=1)


class Bubble(_Strict):
    type: Literal["bubble"]
    body: Box
    footer: Box


class Flex(_Strict):
    type: Literal["flex"]
    altText: str = Field(min_length=1, max_length=400)
    contents: Bubble


class Push(_Strict):
    """PushMessageRequest of messaging-api.yml, as far as we use it, with the limits of the reference."""

    to: str = Field(pattern=r"^[UCR][0-9a-f]{32}$")
    messages: list[Annotated[Words | Flex, Field(discriminator="type")]] = Field(min_length=1, max_length=5)


def failed(status: int, message: str) -> Answer:
    """LINE's ErrorResponse."""
    return json_answer(status, {"message": message})


def settings(base_url: str, secret: str = SECRET) -> LineSettings:
    return LineSettings.model_validate({"channel_access_token": TOKEN, "channel_secret": secret, "base_url": base_url})


class TestLine(HttpChannelConformance, Webhooks):
    name = "line"
    recipient = ADA
    secrets = (TOKEN, SECRET)
    required = ("ORDERACK_LINE_CHANNEL_ACCESS_TOKEN", "ORDERACK_LINE_CHANNEL_SECRET")
    has_window = False
    malformed = (
        b"",
        b"{}",
        b"[]",
        b'{"destination": "U1"}',
        b'{"destination": "U1", "events": [{}]}',
        b'{"destination": "U1", "events": [1]}',
        b'{"destination": "U1", "events": [{"type": "message", "timestamp": -1, "webhookEventId": "x"}]}',
        b'{"destination": "U1", "events": [{"type": "message", "timestamp": 9e30, "webhookEventId": "x"}]}',
        b'{"destination": "U1", "events": [{"type": "message", "timestamp": 1}]}',
        b'{"destination": "U1", "events": [{"type": "message", "timestamp": 1, "webhookEventId": " "}]}',
    )

    accepted = json_answer(200, {"sentMessages": [{"id": "461230966842064897", "quoteToken": "IStG5h1Tz7b"}]})
    provider_id = "461230966842064897"
    healthy = (json_answer(200, {"userId": "U0", "basicId": "@216ru", "displayName": "Fjord", "chatMode": "bot"}),)
    refusals = (
        (failed(400, "The property, 'to', in the request body is invalid (line: -, column: -)"), Reason.BAD_RECIPIENT),
        (failed(400, "Failed to send messages"), Reason.BAD_RECIPIENT),
        (failed(400, "The request body has 2 error(s)"), Reason.CONTENT),
        (failed(400, "The property, messages, in the request body is invalid (line: 1, column: 2)"), Reason.CONTENT),
        (failed(400, "A sentence of tomorrow"), Reason.OTHER),
        (failed(410, "Gone"), Reason.OTHER),
        (failed(413, ""), Reason.TOO_LONG),
        (failed(415, "Unsupported"), Reason.OTHER),
        (failed(429, "You have reached your monthly limit."), Reason.OTHER),
        (Answer(400, b"<html>"), Reason.OTHER),
    )
    ours_to_mend = (
        failed(401, "Authentication failed due to the following reason: invalid token"),
        failed(403, "Access to this API is not available for your account"),
        failed(404, "Not found"),
    )
    not_now = (failed(429, "The API rate limit has been exceeded. Try again later."), Answer(429, b""))
    in_doubt = (
        json_answer(200, {}),
        json_answer(200, {"sentMessages": []}),
        json_answer(200, {"sentMessages": [{"id": ""}]}),
        failed(409, "The retry key is already accepted"),
        Answer(202, b"{}"),
    )

    statuses: ClassVar[Statuses] = {
        "postback": (EvidenceEvent.AFFIRMED, Grade.E5),
        **dict.fromkeys(
            (
                *("unsend", "join", "leave", "memberJoined", "memberLeft", "videoPlayComplete", "beacon"),
                *("accountLink", "membership", "module", "activated", "deactivated", "botSuspended", "botResumed"),
                *("delivery", "messageEdited"),
            ),
            (EvidenceEvent.UNKNOWN, None),
        ),
    }

    def make(self, base_url: str) -> Line:
        return Line(settings(base_url), clock=lambda: NOW)

    def callback(self, status: str, **change: JsonValue) -> RawRequest:
        body = json.loads(payload("line/callback.json"))
        (event,) = body["events"]
        event |= {"type": status, "webhookEventId": f"01HGZ{status}"} | change
        if status != "message":
            del event["message"]
        if status == "postback" and "postback" not in change:
            event["postback"] = {"data": f"orderack:affirm:{WEBHOOK_KEY}"}
        return self.signed(json.dumps(body).encode(), NOW)

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        mac = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
        return RawRequest(url=WEBHOOK_URL, headers={"x-line-signature": base64.b64encode(mac).decode()}, body=body)

    async def event(self, status: str, **change: JsonValue) -> ChannelEvent:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback(status, **change))
            return event

    async def push(self, message: Message) -> Push:
        return Push.model_validate_json((await self.sent(message)).body)

    async def test_the_request_has_the_fields_line_documents_and_the_key_in_its_header(self) -> None:
        first, again = await self.sent(), await self.sent()
        assert Push.model_validate_json(first.body).to == ADA
        assert (first.method, first.target) == ("POST", "/v2/bot/message/push")
        assert first.headers["authorization"] == f"Bearer {TOKEN}"
        assert UUID(first.headers["x-line-retry-key"]) == UUID(again.headers["x-line-retry-key"])
        key = self.message().key.model_copy(update={"n": 2})
        other = await self.sent(self.message().model_copy(update={"key": key}))
        assert other.headers["x-line-retry-key"] != first.headers["x-line-retry-key"]

    async def test_a_bubble_holds_the_words_and_the_buttons(self) -> None:
        message = self.message(chat="Kurz & gut", affirm_label="Habe ich", open_label="Ansehen")
        (flex,) = (await self.push(message)).messages
        assert isinstance(flex, Flex)
        assert flex.altText == "Your order A-1001"
        assert [part.text for part in flex.contents.body.contents if isinstance(part, Words)] == [
            "Your order A-1001",
            "Kurz & gut",
        ]
        affirm, link = [part.action for part in flex.contents.footer.contents if isinstance(part, Button)]
        assert isinstance(affirm, Postback)
        assert (affirm.label, affirm.data) == ("Habe ich", f"orderack:affirm:{message.key_text}")
        assert isinstance(link, Uri)
        assert (link.label, link.uri) == ("Ansehen", "https://acks.example.com/o/abc")

    async def test_a_message_that_does_not_ask_has_no_affirming_button_and_without_buttons_it_is_plain_text(
        self,
    ) -> None:
        (flex,) = (await self.push(self.message())).messages
        assert isinstance(flex, Flex)
        assert [part.action.type for part in flex.contents.footer.contents if isinstance(part, Button)] == ["uri"]
        (words,) = (await self.push(self.message(link=None))).messages
        assert isinstance(words, Words)

    async def test_long_words_stand_before_the_bubble_and_nothing_is_cut(self) -> None:
        words, flex = (await self.push(self.message(text="ü" * 4_999, affirm_label="Got it"))).messages
        assert isinstance(words, Words)
        assert words.text == "ü" * 4_999
        assert isinstance(flex, Flex)
        assert len(flex.contents.body.contents) == 1
        (flex,) = (await self.push(self.message(text="x" * 9_000, chat="short"))).messages
        assert isinstance(flex, Flex)

    async def test_length_is_counted_as_line_counts_it(self) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Unsupported):
                await channel.send(self.message(text="🍎" * 2_501))
            assert peer.received == []

    async def test_a_key_or_a_link_that_is_too_long_leaves_its_button_out(self) -> None:
        ref = self.message().key.ref.model_copy(update={"store": "s" * 200, "number": "n" * 200})
        message = self.message(affirm_label="Got it", link="https://acks.example.com/" + "x" * 1_000)
        message = message.model_copy(update={"key": message.key.model_copy(update={"ref": ref})})
        (words,) = (await self.push(message)).messages
        assert isinstance(words, Words)
        assert words.text.endswith(f"\n\n{message.content.link}")

    async def test_words_that_begin_with_the_title_say_it_once(self) -> None:
        (flex,) = (await self.push(self.message(chat="Your order A-1001\n\nIt is with us."))).messages
        assert isinstance(flex, Flex)
        shown = [part.text for part in flex.contents.body.contents if isinstance(part, Words)]
        assert shown == ["Your order A-1001", "It is with us."]

    @pytest.mark.parametrize(
        "recipient", ["ada", "@fjord", "u4af4980629000000000000000000ada1", ADA + "0", "+15005550006"]
    )
    async def test_what_is_no_id_of_line_is_refused_before_anything_is_sent(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    async def test_a_repeat_of_what_was_accepted_is_accepted(self) -> None:
        headers = {"X-Line-Accepted-Request-Id": "b7a9d6f0-0000-4000-8000-000000000001"}
        said: dict[str, JsonValue] = {"message": "The retry key is already accepted"}
        with_id = said | {"sentMessages": [{"id": "461230966842064897"}]}
        for body, provider_id in ((with_id, self.provider_id), (said, headers["X-Line-Accepted-Request-Id"])):
            async with self.provider() as (peer, channel):
                peer.will(json_answer(409, body, headers))
                assert (await channel.send(self.message())).provider_id == provider_id

    async def test_a_check_that_says_nothing_is_unavailable(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Line)
            for unclear in (Answer(200, b"<html>"), Answer(500), Answer(400, b"{}")):
                peer.will(unclear)
                with pytest.raises(Unavailable):
                    await channel.check()

    async def test_a_press_has_its_key_and_who_pressed(self) -> None:
        event = await self.event("postback")
        assert (event.key, event.sender) == (WEBHOOK_KEY, ADA)
        assert event.occurred_at == datetime(2026, 11, 21, 9, 30, 0, 123_000, UTC)

    async def test_another_systems_button_affirms_nothing(self) -> None:
        event = await self.event("postback", postback={"data": f"action=buy&key={WEBHOOK_KEY}"})
        assert (event.event, event.grade, event.key) == (EvidenceEvent.UNKNOWN, None, None)

    @pytest.mark.parametrize(
        ("message", "meaning", "grade", "text"),
        [
            ({"type": "text", "text": "Where is it?"}, EvidenceEvent.REPLIED, Grade.E4, "Where is it?"),
            ({"type": "text", "text": "ü" * 5_000}, EvidenceEvent.REPLIED, Grade.E4, "ü" * 2_000),
            (
                {"type": "sticker", "stickerId": "1"},
                EvidenceEvent.REPLIED,
                Grade.E4,
                "(a sticker, a picture or a file, without a word)",
            ),
            ({"type": "text", "text": "Stop"}, EvidenceEvent.OPTED_OUT, None, ""),
            ({"type": "text", "text": "cancel"}, EvidenceEvent.OPTED_OUT, None, "cancel"),
        ],
    )
    async def test_what_the_buyer_writes_is_a_reply_or_an_opt_out(
        self, message: dict[str, JsonValue], meaning: EvidenceEvent, grade: Grade | None, text: str
    ) -> None:
        event = await self.event("message", message=message)
        assert (event.event, event.grade, event.text, event.sender) == (meaning, grade, text, ADA)
        assert (event.key, event.provider_id) == (None, None)

    @pytest.mark.parametrize(
        ("type_", "meaning"), [("follow", EvidenceEvent.OPTED_IN), ("unfollow", EvidenceEvent.OPTED_OUT)]
    )
    async def test_a_friend_who_comes_or_goes_opts_in_or_out(self, type_: str, meaning: EvidenceEvent) -> None:
        event = await self.event(type_)
        assert (event.event, event.grade, event.sender, event.basis) == (meaning, None, ADA, f"line:{type_}")

    async def test_in_a_group_it_is_the_group_that_speaks(self) -> None:
        group = "Ca56f94637cc4347f90a25382909b24b9"
        event = await self.event("message", source={"type": "group", "groupId": group, "userId": ADA})
        assert event.sender == group

    async def test_a_redelivery_has_the_same_id(self) -> None:
        first = await self.event("message")
        assert first.id == (await self.event("message", deliveryContext={"isRedelivery": True})).id

    async def test_the_consoles_trial_without_events_is_verified_and_says_nothing(self) -> None:
        request = self.signed(b'{"destination":"U0123456789abcdef0123456789abcdef","events":[]}', NOW)
        async with self.channel() as channel:
            await channel.verify(request)
            assert channel.events(request) == []

    async def test_lines_own_samples_are_all_read(self) -> None:
        samples = spec("line/webhook_samples.json").read_bytes()
        async with self.channel() as channel:
            events = channel.events(self.signed(samples, NOW))
        meant = {event.basis.partition(":")[2] for event in events if event.event is not EvidenceEvent.UNKNOWN}
        assert meant == {"message", "follow", "unfollow"}
        assert len(events) == len(json.loads(samples)["events"])

    async def test_no_bit_of_the_body_can_be_changed(self) -> None:
        """Against a signature made once by other means (openssl dgst -sha256 -hmac)."""
        body = b'{"destination":"U1","events":[]}'
        given = "YcjF6m+Ps9TzxsnUyNEMYfO+3JDil0mwF3JMiAZ2A1k="
        channel = Line(settings("http://127.0.0.1:9", "channel_secret"))
        request = RawRequest(url=WEBHOOK_URL, headers={"x-line-signature": given}, body=body)
        await channel.verify(request)
        for place in range(len(body)):
            for bit in range(8):
                changed = body[:place] + bytes([body[place] ^ 1 << bit]) + body[place + 1 :]
                with pytest.raises(BadSignature):
                    await channel.verify(request.model_copy(update={"body": changed}))
        await channel.aclose()
