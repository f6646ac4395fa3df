"""Telegram against the channel's conformance suite and the Bot API's description."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from pydantic import JsonValue, ValidationError

from orderack.channels.telegram import Telegram, TelegramSettings
from orderack.clients.http import LONGEST_WAIT
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_KEY, WEBHOOK_URL, HttpChannelConformance, Statuses, told
from tests.conformance.channel import WebhookConformance as Webhooks
from tests.conformance.openapi import assert_described
from tests.conformance.peer import Answer, closed_port, json_answer
from tests.payloads import payload

TOKEN = "123456789:AAtest-only_0123456789abcdefghijklm"
SECRET = "test-only_0123456789"
ADA = "15005550006"
DATE = 1795253399


def failed(status: int, description: str, **parameters: JsonValue) -> Answer:
    """Telegram's no."""
    body: dict[str, JsonValue] = {"ok": False, "error_code": status, "description": description}
    return json_answer(status, body | ({"parameters": parameters} if parameters else {}))


def settings(base_url: str, **change: str) -> TelegramSettings:
    return TelegramSettings.model_validate(
        {"bot_token": TOKEN, "webhook_secret": SECRET, "base_url": base_url} | change
    )


class TestTelegram(HttpChannelConformance, Webhooks):
    name = "telegram"
    recipient = ADA
    secrets = (TOKEN, TOKEN.partition(":")[2], SECRET)
    required = ("ORDERACK_TELEGRAM_BOT_TOKEN", "ORDERACK_TELEGRAM_WEBHOOK_SECRET")
    signs_body = False
    has_window = False
    malformed = (
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"update_id": "x"}',
        b'{"update_id": -1}',
        b'{"update_id": 1, "message": {}}',
        b'{"update_id": 1, "message": {"message_id": 1, "chat": {"id": 1}, "date": 999999999999999}}',
        b'{"update_id": 1, "callback_query": 7}',
    )

    accepted = json_answer(
        200, {"ok": True, "result": {"message_id": 42, "date": DATE, "chat": {"id": 15005550006, "type": "private"}}}
    )
    provider_id = f"{ADA}/42"
    healthy = (json_answer(200, {"ok": True, "result": {"id": 123456789, "is_bot": True, "username": "fjord_bot"}}),)
    refusals = (
        (failed(400, "Bad Request: chat not found"), Reason.BAD_RECIPIENT),
        (failed(400, "Bad Request: user not found"), Reason.BAD_RECIPIENT),
        (failed(400, "Bad Request: PEER_ID_INVALID"), Reason.BAD_RECIPIENT),
        (
            failed(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001234567890),
            Reason.BAD_RECIPIENT,
        ),
        (failed(400, "Bad Request: group chat was upgraded to a supergroup chat"), Reason.BAD_RECIPIENT),
        (failed(403, "Forbidden: the group chat was deleted"), Reason.BAD_RECIPIENT),
        (failed(400, "Bad Request: message is too long"), Reason.TOO_LONG),
        (failed(400, "Bad Request: message text is empty"), Reason.CONTENT),
        (failed(400, "Bad Request: can't parse entities: Unsupported start tag"), Reason.CONTENT),
        (failed(400, "Bad Request: BUTTON_URL_INVALID"), Reason.CONTENT),
        (failed(400, "Bad Request: BUTTON_DATA_INVALID"), Reason.CONTENT),
        (failed(400, "Bad Request: not enough rights to send text messages to the chat"), Reason.BLOCKED),
        (failed(400, "Bad Request: have no rights to send a message"), Reason.BLOCKED),
        (failed(400, "Bad Request: need administrator rights in the channel chat"), Reason.BLOCKED),
        (failed(400, "Bad Request: CHAT_WRITE_FORBIDDEN"), Reason.BLOCKED),
        (failed(403, "Forbidden: bot was blocked by the user"), Reason.OPTED_OUT),
        (failed(403, "Forbidden: bot was kicked from the group chat"), Reason.OPTED_OUT),
        (failed(403, "Forbidden: user is deactivated"), Reason.BAD_RECIPIENT),
        (failed(403, "Forbidden: bot is not a member of the channel chat"), Reason.BAD_RECIPIENT),
        (failed(403, "Forbidden: bot can't send messages to bots"), Reason.BAD_RECIPIENT),
        (failed(403, "Forbidden: bot can't initiate conversation with a user"), Reason.BLOCKED),
        (failed(403, "Forbidden: a reason of tomorrow"), Reason.OTHER),
        (failed(400, "Bad Request: a reason of tomorrow"), Reason.OTHER),
        (failed(409, "Conflict: terminated by other getUpdates request"), Reason.OTHER),
        (Answer(400, b"<html>"), Reason.OTHER),
    )
    ours_to_mend = (
        failed(401, "Unauthorized"),
        failed(404, "Not Found"),
        Answer(403, b"<html>a proxy</html>"),
        Answer(404, b""),
    )
    not_now = (failed(429, "Too Many Requests: retry after 5", retry_after=5), Answer(429, b"<html>"))
    in_doubt = (
        failed(200, "said with the wrong status"),
        json_answer(200, {"ok": True}),
        json_answer(200, {"ok": True, "result": {"message_id": 1}}),
        Answer(204, b""),
    )

    statuses: ClassVar[Statuses] = {
        "callback_query": (EvidenceEvent.AFFIRMED, Grade.E5),
        **dict.fromkeys(
            (
                *("edited_message", "channel_post", "edited_channel_post", "business_message", "message_reaction"),
                *("inline_query", "poll", "poll_answer", "chat_member", "chat_join_request", "chat_boost"),
            ),
            (EvidenceEvent.UNKNOWN, None),
        ),
    }

    def make(self, base_url: str) -> Telegram:
        return Telegram(settings(base_url), clock=lambda: NOW)

    def callback(self, status: str, **content: JsonValue) -> RawRequest:
        update = json.loads(payload("telegram/callback_query.json"))
        if status != "callback_query":
            about = {"message_id": 43, "date": DATE, "chat": {"id": int(ADA), "type": "private"}, "text": "edited"}
            update = {status: about | content}
        else:
            update["callback_query"] |= content
        update["update_id"] = 700_000_000 + sum(status.encode()) + len(status) * 10_000
        return self.signed(json.dumps(update).encode(), NOW)

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        return RawRequest(url=WEBHOOK_URL, headers={"x-telegram-bot-api-secret-token": SECRET}, body=body)

    async def event(self, status: str, **content: JsonValue) -> ChannelEvent:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback(status, **content))
            return event

    async def posted(self, message: Message) -> dict[str, JsonValue]:
        body: dict[str, JsonValue] = json.loads((await self.sent(message)).body)
        return body

    async def test_the_request_is_what_the_bot_api_describes(self) -> None:
        for message in (self.message(), self.message(affirm_label="Got it", subject="", link=None)):
            request = await self.sent(message)
            assert_described("telegram/DERIVED.sendMessage.openapi.json", "https://api.telegram.org", request)
            assert request.target == f"/bot{TOKEN}/sendMessage"

    async def test_a_check_is_what_the_bot_api_describes(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.healthy)
            assert isinstance(channel, Telegram)
            assert await channel.check() == "signed in as bot @fjord_bot"
            description = "telegram/DERIVED.sendMessage.openapi.json"
            assert_described(description, "https://api.telegram.org", peer.received[0])
            for unclear in (Answer(200, b"{}"), Answer(503), Answer(429)):
                peer.will(unclear)
                with pytest.raises(Unavailable):
                    await channel.check()

    async def test_the_token_is_in_no_log_of_any_level_and_in_no_error(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        shown = repr(settings("http://127.0.0.1:9"))
        async with self.provider() as (peer, channel):
            peer.will(self.accepted)
            await channel.send(self.message())
        assert "/bot<token>/sendMessage" in caplog.text, "httpx logs each request's address"
        async with self.channel(f"http://127.0.0.1:{await closed_port()}") as channel:
            with pytest.raises(Unavailable) as caught:
                await channel.send(self.message())
            shown += told(caught.value)
        assert TOKEN.partition(":")[2] not in shown + caplog.text

    @pytest.mark.parametrize(
        "change",
        [
            {"bot_token": "not-a-token"},
            {"bot_token": TOKEN + "/../x"},
            {"webhook_secret": "tooshort"},
            {"webhook_secret": "é" * 20},
        ],
    )
    def test_a_token_or_a_secret_that_is_none_is_refused_without_being_shown(self, change: dict[str, str]) -> None:
        with pytest.raises(ValidationError) as caught:
            settings("http://127.0.0.1:9", **change)
        assert next(iter(change.values())) not in told(caught.value)

    async def test_the_words_are_escaped_and_the_title_is_bold(self) -> None:
        posted = await self.posted(self.message(subject="A & <B>", text="<a href='x'>x</a> & y"))
        assert posted["text"] == "<b>A &amp; &lt;B&gt;</b>\n\n&lt;a href='x'&gt;x&lt;/a&gt; &amp; y"
        assert (posted["chat_id"], posted["parse_mode"]) == (int(ADA), "HTML")
        assert posted["link_preview_options"] == {"is_disabled": True}

    async def test_words_that_begin_with_the_title_say_it_once(self) -> None:
        posted = await self.posted(self.message(chat="Your order A-1001\n\nIt is with us."))
        assert posted["text"] == "<b>Your order A-1001</b>\n\nIt is with us."

    async def test_the_buttons_affirm_and_open(self) -> None:
        message = self.message(affirm_label="Habe ich", open_label="Ansehen", chat="Kurz")
        posted = await self.posted(message)
        assert posted["reply_markup"] == {
            "inline_keyboard": [
                [{"text": "Habe ich", "callback_data": f"oa:{message.key_text}"}],
                [{"text": "Ansehen", "url": "https://acks.example.com/o/abc"}],
            ]
        }
        assert str(posted["text"]).endswith("\n\nKurz")
        assert "reply_markup" not in await self.posted(self.message(link=None))

    async def test_a_long_key_is_carried_as_its_hash_within_64_bytes(self) -> None:
        data = set()
        for number in ("ü" * 28, "ü" * 29, "n" * 200, "m" * 200):
            message = self.message(affirm_label="Got it", link=None)
            key = message.key.model_copy(update={"ref": message.key.ref.model_copy(update={"number": number})})
            posted = json.loads((await self.sent(message.model_copy(update={"key": key}))).body)
            ((button,),) = posted["reply_markup"]["inline_keyboard"]
            assert len(button["callback_data"].encode()) <= 64
            data.add(button["callback_data"])
        assert len(data) == 4

    async def test_a_title_that_no_longer_fits_is_left_out_and_words_that_do_not_are_unsupported(self) -> None:
        posted = await self.posted(self.message(text="x" * 4_096))
        assert posted["text"] == "x" * 4_096
        async with self.provider() as (peer, channel):
            with pytest.raises(Unsupported):
                await channel.send(self.message(text="🍎" * 2_049))
            assert peer.received == []

    @pytest.mark.parametrize("recipient", ["@fjord", "ada", "0", "+15005550006", "1" * 17, "1/../x"])
    async def test_what_is_no_chats_id_is_refused_before_anything_is_sent(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    @pytest.mark.parametrize(
        ("seconds", "wait"), [(35, timedelta(seconds=35)), (10**9, LONGEST_WAIT), (0, timedelta(0))]
    )
    async def test_the_delay_stands_in_the_body(self, seconds: int, wait: timedelta) -> None:
        error = await self.failure(failed(429, "Too Many Requests", retry_after=seconds))
        assert isinstance(error, Unavailable)
        assert error.retry_after == wait

    async def test_a_chat_that_moved_keeps_the_code_and_shows_no_address(self) -> None:
        error = await self.failure(
            failed(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1001234567890)
        )
        assert isinstance(error, Refused)
        assert error.code == "migrate_to_chat_id"
        assert "1001234567890" not in told(error)

    async def test_a_press_names_the_message_the_key_and_the_chat(self) -> None:
        event = await self.event("callback_query")
        assert (event.key, event.provider_id, event.sender) == (WEBHOOK_KEY, f"{ADA}/42", ADA)
        assert event.occurred_at == NOW

    async def test_a_press_with_a_hash_is_found_by_its_message(self) -> None:
        event = await self.event("callback_query", data="oa#0123456789abcdef0123456789abcdef")
        assert (event.event, event.grade, event.key) == (EvidenceEvent.AFFIRMED, Grade.E5, None)
        assert event.provider_id == f"{ADA}/42"

    @pytest.mark.parametrize("content", [{"data": "buy:1"}, {"data": ""}, {"message": None}])
    async def test_a_press_that_is_not_of_our_button_or_on_no_message_affirms_nothing(
        self, content: dict[str, JsonValue]
    ) -> None:
        event = await self.event("callback_query", **content)
        assert (event.event, event.grade) == (EvidenceEvent.UNKNOWN, None)

    @pytest.mark.parametrize(
        ("content", "meaning", "text"),
        [
            ({"text": "Where is it?"}, EvidenceEvent.REPLIED, "Where is it?"),
            ({"text": "", "caption": "Broken!", "photo": [{}]}, EvidenceEvent.REPLIED, "Broken!"),
            (
                {"text": "", "sticker": {"emoji": "👍"}},
                EvidenceEvent.REPLIED,
                "(a sticker, a picture or a file, without a word)",
            ),
            ({"text": "", "new_chat_title": "x"}, EvidenceEvent.UNKNOWN, ""),
            ({"text": " \n"}, EvidenceEvent.UNKNOWN, ""),
            ({"text": "hello", "from": {"id": 1, "is_bot": True}}, EvidenceEvent.UNKNOWN, ""),
            ({"text": "/start A-1001"}, EvidenceEvent.OPTED_IN, ""),
            ({"text": "/START@fjord_bot"}, EvidenceEvent.OPTED_IN, ""),
            ({"text": "/stop"}, EvidenceEvent.OPTED_OUT, ""),
            ({"text": "/startle"}, EvidenceEvent.REPLIED, "/startle"),
            ({"text": "Stop!"}, EvidenceEvent.OPTED_OUT, ""),
            ({"text": "cancel"}, EvidenceEvent.OPTED_OUT, "cancel"),
        ],
    )
    async def test_what_the_buyer_writes(
        self, content: dict[str, JsonValue], meaning: EvidenceEvent, text: str
    ) -> None:
        event = await self.event("message", **content)
        grade = Grade.E4 if meaning is EvidenceEvent.REPLIED else None
        assert (event.event, event.grade, event.text, event.sender) == (meaning, grade, text, ADA)
        assert (event.key, event.provider_id) == (None, None)
        assert event.occurred_at == datetime.fromtimestamp(DATE, UTC)

    @pytest.mark.parametrize(("is_bot", "provider_id"), [(True, f"{ADA}/42"), (False, None)])
    async def test_a_reply_to_one_of_our_messages_names_it(self, is_bot: bool, provider_id: str | None) -> None:
        answered: JsonValue = {"message_id": 42, "from": {"id": 1, "is_bot": is_bot}}
        event = await self.event("message", text="yes", reply_to_message=answered)
        assert (event.event, event.provider_id) == (EvidenceEvent.REPLIED, provider_id)

    @pytest.mark.parametrize(
        ("status", "meaning"),
        [
            ("kicked", EvidenceEvent.OPTED_OUT),
            ("member", EvidenceEvent.OPTED_IN),
            ("administrator", EvidenceEvent.UNKNOWN),
            ("left", EvidenceEvent.UNKNOWN),
        ],
    )
    async def test_a_bot_that_is_blocked_or_unblocked(self, status: str, meaning: EvidenceEvent) -> None:
        event = await self.event("my_chat_member", new_chat_member={"status": status})
        assert (event.event, event.grade, event.sender, event.basis) == (meaning, None, ADA, f"telegram:{status}")

    async def test_an_update_without_anything_is_kept_and_means_nothing(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.signed(b'{"update_id": 9}', NOW))
            assert (event.id, event.event, event.basis) == ("update/9", EvidenceEvent.UNKNOWN, "telegram:nothing")
