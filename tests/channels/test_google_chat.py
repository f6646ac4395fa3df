"""Google Chat against the channel's conformance suite, its discovery document and tokens as Google signs them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import RSAAlgorithm
from pydantic import JsonValue

from orderack.channels.google_chat import GoogleChat, GoogleChatSettings
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, Misconfigured, Unavailable, Unsupported
from orderack.ports import RawRequest
from tests.conformance.channel import NOW, WEBHOOK_KEY, WEBHOOK_URL, HttpChannelConformance, Statuses
from tests.conformance.channel import WebhookConformance as Webhooks
from tests.conformance.openapi import assert_described
from tests.conformance.peer import Answer, CutOff, json_answer, running_peer
from tests.payloads import payload

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
GOOGLES_KEY = rsa.generate_private_key(65537, 2048)
TOKEN = "ya29.test-only-0123456789"
EMAIL = "orders@fjord.iam.gserviceaccount.com"
AUDIENCE = "https://acks.example.com/webhooks/google_chat"
NAME = "spaces/AAAATEAM001/messages/xyz.abc"


def failed(code: int, status: str, reason: str = "") -> Answer:
    """An error as Google's APIs write it."""
    details: list[JsonValue] = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    ]
    error: dict[str, JsonValue] = {"code": code, "message": "no", "status": status}
    return json_answer(code, {"error": error | ({"details": details} if reason else {})})


def settings(base_url: str, keys_url: str = "http://127.0.0.1:9", audience: str = AUDIENCE) -> GoogleChatSettings:
    return GoogleChatSettings.model_validate(
        {
            "client_email": EMAIL,
            "private_key": PEM,
            "audience": audience,
            "default_space": "spaces/AAAAdefault",
            "spaces": {"ops": "spaces/AAAATEAM001"},
            "base_url": base_url,
            "token_base_url": base_url,
            "keys_base_url": keys_url,
        }
    )


def published() -> Answer:
    """Google's keys as Google publishes them."""
    return json_answer(
        200, {"keys": [{**RSAAlgorithm.to_jwk(GOOGLES_KEY.public_key(), as_dict=True), "kid": "g1", "alg": "RS256"}]}
    )


class TestGoogleChat(HttpChannelConformance, Webhooks):
    name = "google_chat"
    recipient = "ops"
    audience = Audience.INTERNAL
    secrets = (TOKEN, PEM.splitlines()[5])
    required = (
        "ORDERACK_GOOGLE_CHAT_CLIENT_EMAIL",
        "ORDERACK_GOOGLE_CHAT_PRIVATE_KEY",
        "ORDERACK_GOOGLE_CHAT_AUDIENCE",
        "ORDERACK_GOOGLE_CHAT_DEFAULT_SPACE",
    )
    login = (json_answer(200, {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}),)
    relogins = True
    signs_body = False
    has_window = False
    malformed = (b"", b"{}", b"[]", b"null", b'{"type": ""}', b'{"type": "MESSAGE"}', b'{"type": 1, "eventTime": 1}')

    accepted = json_answer(200, {"name": NAME, "createTime": "2026-11-21T09:30:00Z"})
    provider_id = NAME
    healthy = (json_answer(200, {"name": "spaces/AAAAdefault", "displayName": "Orders"}),)
    refusals = (
        (failed(400, "INVALID_ARGUMENT"), Reason.CONTENT),
        (failed(400, "FAILED_PRECONDITION"), Reason.OTHER),
        (failed(403, "PERMISSION_DENIED"), Reason.BAD_RECIPIENT),
        (failed(404, "NOT_FOUND"), Reason.BAD_RECIPIENT),
        (failed(400, "A_WORD_OF_TOMORROW"), Reason.OTHER),
        (Answer(413, b""), Reason.OTHER),
    )
    ours_to_mend = (
        failed(401, "UNAUTHENTICATED"),
        failed(403, "PERMISSION_DENIED", "SERVICE_DISABLED"),
        failed(403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
        Answer(401, b""),
        Answer(403, b"<html>not Google's</html>"),
        Answer(404, b"<html>not Google's</html>"),
    )
    not_now = (failed(409, "ABORTED"), failed(403, "PERMISSION_DENIED", "RATE_LIMIT_EXCEEDED"))
    in_doubt = (
        json_answer(200, {"name": ""}),
        json_answer(200, {"name": "spaces/AAAA"}),
        failed(409, "A_WORD_OF_TOMORROW"),
        Answer(409, b""),
        Answer(204, b""),
    )

    statuses: ClassVar[Statuses] = {
        "orderack_affirm": (EvidenceEvent.AFFIRMED, Grade.E5),
        "another_button": (EvidenceEvent.UNKNOWN, None),
        "MESSAGE": (EvidenceEvent.UNKNOWN, None),
        "ADDED_TO_SPACE": (EvidenceEvent.UNKNOWN, None),
        "REMOVED_FROM_SPACE": (EvidenceEvent.UNKNOWN, None),
        "WIDGET_UPDATED": (EvidenceEvent.UNKNOWN, None),
        "APP_COMMAND": (EvidenceEvent.UNKNOWN, None),
    }

    def make(self, base_url: str, keys_url: str = "http://127.0.0.1:9") -> GoogleChat:
        return GoogleChat(settings(base_url, keys_url), clock=lambda: NOW)

    @asynccontextmanager
    async def channel(self, base_url: str = "http://127.0.0.1:9") -> AsyncIterator[GoogleChat]:
        async with running_peer() as google:
            google.will(published())
            made = self.make(base_url, google.url)
            try:
                yield made
            finally:
                await made.aclose()

    def callback(self, status: str) -> RawRequest:
        interaction = json.loads(payload("google_chat/card_clicked.json"))
        if status.isupper():
            interaction = {name: interaction[name] for name in ("eventTime", "user", "space")} | {"type": status}
        else:
            interaction["action"]["actionMethodName"] = status
        return self.signed(json.dumps(interaction).encode(), NOW)

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        claims = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": "chat@system.gserviceaccount.com",
            "email_verified": True,
            "iat": int(min(at, NOW).timestamp()),
            "exp": int((at + timedelta(hours=1)).timestamp()),
        }
        token = jwt.encode(claims, GOOGLES_KEY, "RS256", {"kid": "g1"})
        return RawRequest(url=WEBHOOK_URL, headers={"authorization": f"Bearer {token}"}, body=body)

    async def test_the_request_is_what_google_describes(self) -> None:
        request = await self.sent()
        assert_described("google_chat/DERIVED.chat.openapi.json", "https://chat.googleapis.com", request)
        assert request.headers["authorization"] == f"Bearer {TOKEN}"

    async def test_it_signs_in_as_the_service_account_for_the_bots_scope_alone(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, self.accepted)
            await channel.send(self.message())
            asked = peer.received[0]
            form = parse_qs(asked.body.decode())
            assert (asked.target, form["grant_type"]) == ("/token", ["urn:ietf:params:oauth:grant-type:jwt-bearer"])
            claims = jwt.decode(
                form["assertion"][0],
                KEY.public_key(),
                ["RS256"],
                audience="https://oauth2.googleapis.com/token",
                issuer=EMAIL,
                options={"verify_exp": False, "verify_iat": False},
            )
            assert claims["scope"] == "https://www.googleapis.com/auth/chat.bot"

    async def test_the_key_makes_both_names_by_which_chat_knows_a_message_again(self) -> None:
        first = parse_qs(urlsplit((await self.sent()).target).query)
        other_key = self.message().key.model_copy(update={"n": 2})
        other = parse_qs(urlsplit((await self.sent(self.message().model_copy(update={"key": other_key}))).target).query)
        assert UUID(first["requestId"][0]).version == 5
        (name,) = first["messageId"]
        assert name.startswith("client-")
        assert len(name) <= 63
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert first["requestId"] != other["requestId"]
        assert first["messageId"] != other["messageId"]

    async def test_a_message_that_is_there_already_is_accepted_under_its_own_name(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, failed(409, "ALREADY_EXISTS"))
            sent = await channel.send(self.message())
            own_name = parse_qs(urlsplit(peer.received[-1].target).query)["messageId"][0]
            assert sent.provider_id == f"spaces/AAAATEAM001/messages/{own_name}"

    @pytest.mark.parametrize(
        ("recipient", "space"),
        [
            ("ops", "spaces/AAAATEAM001"),
            ("finance", "spaces/AAAAdefault"),
            ("spaces/BBBB-x_1", "spaces/BBBB-x_1"),
            ("spaces/AAAA/messages/x", "spaces/AAAAdefault"),
            ("spaces/../x", "spaces/AAAAdefault"),
        ],
    )
    async def test_a_role_goes_to_its_space_a_space_to_itself_and_the_rest_to_the_default(
        self, recipient: str, space: str
    ) -> None:
        request = await self.sent(self.message().model_copy(update={"recipient": recipient}))
        assert urlsplit(request.target).path == f"/v1/{space}/messages"

    async def test_the_card_has_the_order_the_words_and_the_buttons_and_pings_nobody(self) -> None:
        message = self.message(subject="<users/all> A & B", text="<users/all> <b>x</b> & y", chat=None)
        posted = json.loads((await self.sent(message)).body)
        assert posted["text"] == "‹users/all> A & B"
        (card,) = posted["cardsV2"]
        fact, words, buttons = card["card"]["sections"][0]["widgets"]
        assert fact["decoratedText"] == {"text": "A-1001", "wrapText": True, "bottomLabel": "shop"}
        assert words["textParagraph"]["text"] == "&lt;users/all&gt; &lt;b&gt;x&lt;/b&gt; &amp; y"
        affirm, link = buttons["buttonList"]["buttons"]
        assert affirm["text"] == "Got it"
        assert affirm["onClick"]["action"] == {
            "function": "orderack_affirm",
            "parameters": [{"key": "orderack_key", "value": message.key_text}],
        }
        assert link == {
            "text": "View your order",
            "onClick": {"openLink": {"url": "https://acks.example.com/o/abc"}},
        }

    async def test_the_buttons_speak_the_recipients_language_and_a_chat_gets_the_short_words(self) -> None:
        message = self.message(affirm_label="Verstanden", open_label="Öffnen", chat="Kurz", link=None)
        posted = json.loads((await self.sent(message)).body)
        _, words, buttons = posted["cardsV2"][0]["card"]["sections"][0]["widgets"]
        assert words["textParagraph"]["text"] == "Kurz"
        assert [button["text"] for button in buttons["buttonList"]["buttons"]] == ["Verstanden"]

    async def test_words_that_begin_with_the_title_say_it_once(self) -> None:
        posted = json.loads((await self.sent(self.message(chat="Your order A-1001\n\nIt is late."))).body)
        card = posted["cardsV2"][0]["card"]
        assert card["header"]["title"] == "Your order A-1001"
        assert card["sections"][0]["widgets"][1]["textParagraph"]["text"] == "It is late."

    async def test_a_message_over_chats_bytes_is_unsupported_before_anything_is_sent(self) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Unsupported):
                await channel.send(self.message(text="&" * 8_000, chat=None))
            assert peer.received == []

    async def test_a_press_names_its_key_and_its_message_and_nobodys_address(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("orderack_affirm"))
            assert (event.key, event.provider_id, event.sender) == (WEBHOOK_KEY, NAME, None)
            assert event.occurred_at.isoformat() == "2026-11-21T09:30:00.123456+00:00"

    async def test_who_pressed_is_kept_however_long_the_card_is_that_comes_back(self) -> None:
        interaction = json.loads(payload("google_chat/card_clicked.json"))
        interaction["message"]["cardsV2"] = [{"card": {"header": {"title": "x" * 20_000}}}]
        async with self.channel() as channel:
            (event,) = channel.events(self.signed(json.dumps(interaction).encode(), NOW))
        assert "users/100000000000000000002" in event.raw
        assert WEBHOOK_KEY in event.raw

    async def test_our_button_on_another_kind_of_event_affirms_nothing(self) -> None:
        interaction: dict[str, JsonValue] = json.loads(payload("google_chat/card_clicked.json"))
        async with self.channel() as channel:
            (event,) = channel.events(self.signed(json.dumps(interaction | {"type": "MESSAGE"}).encode(), NOW))
            assert (event.event, event.grade, event.key) == (EvidenceEvent.UNKNOWN, None, None)

    @pytest.mark.parametrize(
        "change",
        [
            {"aud": "https://someone.example.com/webhooks/google_chat"},
            {"iss": "chat@system.gserviceaccount.com"},
            {"email": "someone@example.iam.gserviceaccount.com"},
            {"email_verified": False},
            {"exp": int(NOW.timestamp()) - 61},
        ],
    )
    async def test_a_token_of_google_for_anyone_else_is_refused(self, change: dict[str, JsonValue]) -> None:
        good = jwt.decode(
            self.callback("MESSAGE").headers["authorization"].removeprefix("Bearer "),
            options={"verify_signature": False},
        )
        token = jwt.encode(good | change, GOOGLES_KEY, "RS256", {"kid": "g1"})
        async with self.channel() as channel:
            with pytest.raises(BadSignature):
                await channel.verify(
                    RawRequest(url=WEBHOOK_URL, headers={"authorization": f"Bearer {token}"}, body=b"{}")
                )

    async def test_a_project_number_as_audience_takes_chats_own_keys_and_issuer(self) -> None:
        async with running_peer() as google:
            google.will(published())
            channel = GoogleChat(settings("http://127.0.0.1:9", google.url, "123456789012"), clock=lambda: NOW)
            times = {"iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 600}
            claims = {"iss": "chat@system.gserviceaccount.com", "aud": "123456789012", **times}
            token = jwt.encode(claims, GOOGLES_KEY, "RS256", {"kid": "g1"})
            await channel.verify(RawRequest(url=WEBHOOK_URL, headers={"authorization": f"Bearer {token}"}, body=b"{}"))
            assert google.received[0].target == ("/service_accounts/v1/metadata/x509/chat@system.gserviceaccount.com")
            with pytest.raises(BadSignature):
                await channel.verify(self.callback("MESSAGE"))
            await channel.aclose()

    async def test_a_check_of_a_space_that_the_app_is_not_in_names_the_space(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, failed(403, "PERMISSION_DENIED"))
            assert isinstance(channel, GoogleChat)
            with pytest.raises(Misconfigured, match="ORDERACK_GOOGLE_CHAT_DEFAULT_SPACE"):
                await channel.check()
            for unclear in (CutOff(), Answer(200, b"<html>")):
                peer.will(unclear)
                with pytest.raises(Unavailable):
                    await channel.check()
