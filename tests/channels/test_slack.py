"""Slack against the channel's conformance suite, its own description and its published signature."""

import hmac
import json
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlencode

import pytest
from pydantic import JsonValue

from orderack import channels
from orderack.channels.slack import WINDOW, Slack, SlackSettings
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, Misconfigured, OrderAckError, Unavailable
from orderack.ports import RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance, Statuses, WebhookConformance
from tests.conformance.openapi import assert_described
from tests.conformance.peer import Answer, json_answer
from tests.payloads import payload

TOKEN = "xoxb-test-only-0123456789"
SECRET = "0123456789abcdef0123456789abcdef"


def not_ok(error: str) -> Answer:
    """Slack says no with 200."""
    return json_answer(200, {"ok": False, "error": error})


def settings(base_url: str, secret: str = SECRET) -> SlackSettings:
    return SlackSettings.model_validate(
        {
            "bot_token": TOKEN,
            "signing_secret": secret,
            "default_channel": "C0DEFAULT1",
            "channels": {"ops": "C0OPSOPS01"},
            "base_url": base_url,
        }
    )


class TestSlack(HttpChannelConformance, WebhookConformance):
    name = "slack"
    recipient = "ops"
    audience = Audience.INTERNAL
    secrets = (TOKEN, SECRET)
    required = (
        "ORDERACK_SLACK_BOT_TOKEN",
        "ORDERACK_SLACK_SIGNING_SECRET",
        "ORDERACK_SLACK_DEFAULT_CHANNEL",
    )
    malformed = (
        b"",
        b"{}",
        b"payload=",
        b"payload=%7B",
        b"payload=[]",
        b"payload=%7B%7D",
        b'{"type":"url_verification"}',
    )

    accepted = json_answer(200, {"ok": True, "channel": "C0OPSOPS01", "ts": "1795253399.000100", "message": {}})
    provider_id = "C0OPSOPS01/1795253399.000100"
    refusals = (
        *((not_ok(word), Reason.BAD_RECIPIENT) for word in ("channel_not_found", "not_in_channel", "is_archived")),
        (not_ok("user_not_found"), Reason.BAD_RECIPIENT),
        (not_ok("restricted_action"), Reason.BLOCKED),
        (not_ok("messages_tab_disabled"), Reason.BLOCKED),
        (not_ok("msg_too_long"), Reason.TOO_LONG),
        (not_ok("msg_blocks_too_long"), Reason.TOO_LONG),
        *((not_ok(word), Reason.CONTENT) for word in ("no_text", "invalid_blocks", "too_many_attachments")),
        (not_ok("a_word_of_tomorrow"), Reason.OTHER),
        (Answer(400, b""), Reason.OTHER),
    )
    ours_to_mend = (
        *(
            not_ok(word)
            for word in ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "missing_scope")
        ),
        Answer(404, b""),
    )
    not_now = (not_ok("ratelimited"), not_ok("rate_limited"), not_ok("service_unavailable"))
    in_doubt = (
        not_ok("internal_error"),
        not_ok("fatal_error"),
        json_answer(200, {"ok": True}),
        json_answer(200, {"ok": "perhaps"}),
    )

    statuses: ClassVar[Statuses] = {
        "orderack_affirm": (EvidenceEvent.AFFIRMED, Grade.E5),
        "orderack_open": (EvidenceEvent.UNKNOWN, None),
    }

    healthy = (json_answer(200, {"ok": True, "team": "The Shop"}, {"X-OAuth-Scopes": "chat:write, commands"}),)

    def make(self, base_url: str) -> Slack:
        return Slack(settings(base_url), clock=lambda: NOW)

    def callback(self, status: str) -> RawRequest:
        interaction = json.loads(payload("slack/interaction.json"))
        interaction["actions"][0]["action_id"] = status
        interaction["actions"][0]["action_ts"] = f"1795253400.{len(status):06d}"
        return self.signed(urlencode({"payload": json.dumps(interaction)}).encode(), NOW)

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        timestamp = str(int(at.timestamp()))
        mac = hmac.new(SECRET.encode(), f"v0:{timestamp}:".encode() + body, "sha256").hexdigest()
        headers = {"x-slack-signature": f"v0={mac}", "x-slack-request-timestamp": timestamp}
        return RawRequest(url=WEBHOOK_URL, headers=headers, body=body)

    async def test_the_request_is_what_slack_describes(self) -> None:
        request = await self.sent()
        assert_described("slack/slack_openapi3.chat.patched.json", "https://slack.com", request)

    @pytest.mark.parametrize(
        ("recipient", "channel"),
        [("ops", "C0OPSOPS01"), ("finance", "C0DEFAULT1"), ("C0123456789", "C0123456789"), ("U0ADAEXAM", "U0ADAEXAM")],
    )
    async def test_a_role_goes_to_its_channel_an_id_to_itself_and_the_rest_to_the_default(
        self, recipient: str, channel: str
    ) -> None:
        request = await self.sent(self.message().model_copy(update={"recipient": recipient}))
        assert json.loads(request.body)["channel"] == channel

    async def test_the_message_pings_nobody_whatever_the_order_says(self) -> None:
        request = await self.sent(self.message(subject="<!channel> A & B", text="<!here> <@U1> " + "x" * 4_000))
        posted = json.loads(request.body)
        assert posted["text"] == "&lt;!channel&gt; A &amp; B"
        *sections, actions = posted["blocks"]
        assert [len(section["text"]["text"]) for section in sections] == [3_000, 1_014]
        assert {section["text"]["type"] for section in sections} == {"plain_text"}
        assert [button["action_id"] for button in actions["elements"]] == ["orderack_affirm", "orderack_open"]
        assert actions["elements"][0]["value"] == self.message().key_text

    async def test_a_click_names_the_message_it_was_made_on(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("orderack_affirm"))
            assert event.provider_id == "C0123456789/1795253399.000100"
            assert event.occurred_at.replace(microsecond=0) == datetime.fromtimestamp(1795253400, UTC)

    async def test_the_same_action_of_another_kind_of_interaction_affirms_nothing(self) -> None:
        interaction: dict[str, JsonValue] = json.loads(payload("slack/interaction.json")) | {"type": "shortcut"}
        async with self.channel() as channel:
            body = urlencode({"payload": json.dumps(interaction)}).encode()
            (event,) = channel.events(self.signed(body, NOW))
            assert (event.event, event.grade) == (EvidenceEvent.UNKNOWN, None)

    def test_channels_that_are_not_json_are_named_and_not_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in self.required:
            monkeypatch.setenv(name, "x")
        monkeypatch.setenv("ORDERACK_SLACK_CHANNELS", "ops=C1")
        (lack,) = channels.build(["slack"]).not_configured["slack"]
        assert "channels" in lack
        assert "ops=C1" not in lack

    async def test_the_trial_of_the_url_gives_its_challenge_back_if_slack_signed_it(self) -> None:
        body = json.dumps({"token": "old", "challenge": "3eZbrw1aB", "type": "url_verification"}).encode()
        async with self.channel() as channel:
            assert isinstance(channel, Slack)
            greeting = await channel.greet(self.signed(body, NOW))
            assert greeting is not None
            assert (greeting.status, greeting.body, greeting.media_type) == (200, "3eZbrw1aB", "text/plain")
            forged = self.signed(body, NOW).model_copy(update={"body": body.replace(b"3eZ", b"4eZ")})
            for request in (forged, self.signed(body, NOW - WINDOW * 2), RawRequest(url="x", headers={}, body=body)):
                with pytest.raises(BadSignature):
                    await channel.greet(request)

    async def test_what_is_no_trial_is_not_greeted(self) -> None:
        async with self.channel() as channel:
            assert isinstance(channel, Slack)
            for body in (b"", b"{}", b'{"type":"url_verification"}', b'{"type":"event_callback","challenge":"x"}'):
                assert await channel.greet(self.signed(body, NOW)) is None
            assert await channel.greet(self.callback("orderack_affirm")) is None

    @pytest.mark.parametrize(
        ("answer", "fate"),
        [
            (not_ok("invalid_auth"), Misconfigured),
            (not_ok("account_inactive"), Misconfigured),
            (json_answer(200, {"ok": True}, {"X-OAuth-Scopes": "commands"}), Misconfigured),
            (not_ok("ratelimited"), Unavailable),
            (not_ok("internal_error"), Unavailable),
            (not_ok("a_word_of_tomorrow"), Unavailable),
            (Answer(503, b""), Unavailable),
            (Answer(200, b"<html>"), Unavailable),
        ],
    )
    async def test_a_check_that_fails_is_ours_to_mend_or_for_later(
        self, answer: Answer, fate: type[OrderAckError]
    ) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Slack)
            peer.will(answer)
            with pytest.raises(fate):
                await channel.check()

    async def test_the_published_signature_verifies_and_one_changed_byte_does_not(self) -> None:
        """Slack's documentation, "Verifying requests from Slack"."""
        body = (
            b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
            b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
            b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
            b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
        )
        headers = {
            "x-slack-request-timestamp": "1531420618",
            "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        }
        then = datetime.fromtimestamp(1531420618, UTC)
        channel = Slack(settings("http://127.0.0.1:9", "8f742231b10e8888abcd99yyyzzz85a5"), clock=lambda: then)
        request = RawRequest(url=WEBHOOK_URL, headers=headers, body=body)
        await channel.verify(request)
        with pytest.raises(BadSignature):
            await channel.verify(request.model_copy(update={"body": body.replace(b"foobar", b"foobaz")}))
