"""Telegram's look-alike: the Bot API's answers and updates, and nothing of the token anywhere."""

import json
import logging

import pytest

from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.embedded.sandbox import Target
from orderack.embedded.sandbox.vendors.telegram import Telegram
from orderack.errors import BadSignature
from orderack.ports import RawRequest
from tests.embedded.sandbox.chat_suite import ChatSuite

ADA = "15005550006"
GOOD = {"chat_id": int(ADA), "text": "Order A-1"}


class TestTelegram(ChatSuite):
    target = Target.TELEGRAM
    recipient = ADA
    refused_as = Reason.OPTED_OUT
    signs_body = False

    @pytest.mark.parametrize(
        ("deed", "text", "meaning", "grade"),
        [
            ("write", "Yes, thanks ✓", EvidenceEvent.REPLIED, Grade.E4),
            ("write", "/start", EvidenceEvent.OPTED_IN, None),
            ("write", "/stop", EvidenceEvent.OPTED_OUT, None),
            ("press", "", EvidenceEvent.AFFIRMED, Grade.E5),
            ("opt_out", "", EvidenceEvent.OPTED_OUT, None),
        ],
    )
    async def test_what_a_buyer_does_comes_back(self, channel, gateway, http, deed, text, meaning, grade):
        await channel.send(self.message())
        event = await self.done(channel, gateway, http, deed, text)
        assert (event.event, event.grade, event.sender) == (meaning, grade, ADA)

    async def test_a_press_of_a_button_with_a_long_key_is_found_by_its_message(self, channel, gateway, http, sandbox):
        sent = await channel.send(self.message(number="A-1" + "x" * 100))
        event = await self.done(channel, gateway, http, "press")
        assert (event.event, event.key, event.provider_id) == (EvidenceEvent.AFFIRMED, None, sent.provider_id)

    async def test_a_wrong_secret_is_refused(self, channel, gateway, http):
        await channel.send(self.message())
        await self.done(channel, gateway, http, "write", "hello")
        (post,) = gateway.received
        headers = dict(post.headers) | {"x-telegram-bot-api-secret-token": "guessed-0123456789"}
        with pytest.raises(BadSignature):
            await channel.verify(RawRequest(url=post.url, headers=headers, body=post.body))

    async def test_the_token_is_in_no_log_of_ours(self, channel, sandbox, caplog):
        caplog.set_level(logging.DEBUG)
        await channel.send(self.message())
        (vendor,) = [one for one in sandbox.vendors if isinstance(one, Telegram)]
        assert vendor._token not in caplog.text
        assert "sendMessage" in caplog.text


@pytest.fixture
def bot(sandbox) -> str:
    (vendor,) = [one for one in sandbox.vendors if isinstance(one, Telegram)]
    return f"/telegram/bot{vendor._token}"


async def test_answers_are_what_the_bot_api_describes(http, bot, description):
    telegram = description("telegram/DERIVED.sendMessage.openapi.json", "https://api.telegram.org", "/telegram")
    for method, body in (("sendMessage", GOOD), ("sendMessage", {}), ("getMe", None)):
        response = await http.post(f"{bot}/{method}", json=body)
        telegram.check(response)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chat_id": "@fjord"}, "chat not found"),
        ({"text": " "}, "message text is empty"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "message text is empty"),
        ({"text": "🍎" * 2_049}, "message is too long"),
        ({"text": "a < b", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "<script>x", "parse_mode": "HTML"}, "can't parse entities"),
        ({"reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": "ü" * 33}]]}}, "BUTTON_DATA_INVALID"),
        ({"disable_web_page_preview": True}, "can't parse the request"),
    ],
)
async def test_a_bad_message_is_refused_and_not_recorded(sandbox, http, bot, change, said):
    answer = await http.post(f"{bot}/sendMessage", content=json.dumps(GOOD | change))
    assert answer.json() == {"ok": False, "error_code": 400, "description": f"Bad Request: {said}"}
    assert sandbox.state.log.entries() == ()


async def test_a_stranger_is_unauthorized(sandbox, http):
    assert (await http.post("/telegram/bot1:x/sendMessage", json=GOOD)).status_code == 401
    assert sandbox.state.log.entries() == ()
