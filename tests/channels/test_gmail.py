"""Gmail against the channel's conformance suite, Google's own description and mails as they lie in a mailbox."""

import base64
import email
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from email.policy import default
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import RSAAlgorithm
from pydantic import JsonValue, ValidationError

from orderack import channels
from orderack.channels.gmail import NOT_NOW, Gmail, GmailSettings
from orderack.clients import mailbox as mailbox_module
from orderack.clients.own_message_ids import OwnMessageIds
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import ChannelEvent, Polls, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.openapi import assert_described, spec
from tests.conformance.peer import Answer, Received, json_answer
from tests.payloads import payload

HOST = "https://gmail.googleapis.com"
DESCRIPTION = "gmail/DERIVED.gmail.openapi.json"
SECRET = "test-only-0123456789"
MAILBOX = "orders@shop.example.com"
KEY = rsa.generate_private_key(65_537, 2_048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
TOKEN = json_answer(200, {"access_token": "ya29.test-only", "expires_in": 3_599, "token_type": "Bearer"})
AUDIENCE, PUSHER = "https://acks.example.com/webhooks/gmail", "pusher@project.iam.gserviceaccount.com"


def no(status: int, reason: str, message: str = "said Google of ada@example.com") -> Answer:
    """Google's error, as its API documents it."""
    item: JsonValue = {"message": message, "domain": "global", "reason": reason}
    return json_answer(status, {"error": {"code": status, "message": message, "errors": [item], "status": "STATUS"}})


def settings(base_url: str, **more: object) -> GmailSettings:
    values = {
        "mailbox": MAILBOX,
        "sender_name": "The Shop",
        "message_id_secret": SECRET,
        "client_id": "client-1",
        "client_secret": "test-only-client-secret",
        "refresh_token": "test-only-refresh-token",
        "push_audience": AUDIENCE,
        "push_email": PUSHER,
        "base_url": base_url,
        "token_url": f"{base_url}/token",
        "keys_url": base_url,
    }
    return GmailSettings.model_validate(values | more)


class TestGmail(HttpChannelConformance):
    name = "gmail"
    recipient = "ada@example.com"
    secrets = (SECRET, "test-only-client-secret", "test-only-refresh-token", "ya29.test-only")
    required = ("ORDERACK_GMAIL_MAILBOX", "ORDERACK_GMAIL_MESSAGE_ID_SECRET")
    login = (TOKEN,)
    relogins = True
    accepted = json_answer(200, {"id": "18c1", "threadId": "18c1", "labelIds": ["SENT"]})
    provider_id = None
    found = (json_answer(200, {"messages": [{"id": "18c1", "threadId": "18c1"}], "resultSizeEstimate": 1}),)
    missing = (json_answer(200, {"resultSizeEstimate": 0}),)
    healthy = (json_answer(200, {"emailAddress": MAILBOX, "messagesTotal": 3, "threadsTotal": 2, "historyId": "9"}),)
    refusals = (
        (no(400, "invalidArgument", "Recipient address required"), Reason.BAD_RECIPIENT),
        (no(400, "invalidArgument", "Invalid To header"), Reason.BAD_RECIPIENT),
        (no(400, "invalidArgument", "'raw' RFC822 payload message string required"), Reason.CONTENT),
        (no(400, "invalidArgument", "Message too large"), Reason.TOO_LONG),
        (no(400, "a_word_of_tomorrow"), Reason.OTHER),
        (no(413, "uploadTooLarge"), Reason.TOO_LONG),
        (Answer(413, b""), Reason.TOO_LONG),
        (Answer(400, b"<html>"), Reason.OTHER),
    )
    ours_to_mend = (
        no(400, "failedPrecondition", "Mail service not enabled"),
        no(403, "insufficientPermissions"),
        no(403, "domainPolicy"),
        no(403, "accessNotConfigured"),
        no(403, "a_word_of_tomorrow"),
        no(404, "notFound"),
    )
    not_now = tuple(no(403, reason) for reason in sorted(NOT_NOW))
    in_doubt = (json_answer(200, {"threadId": "18c1"}), json_answer(200, {"id": ""}))

    def make(self, base_url: str, **more: object) -> Gmail:
        return Gmail(settings(base_url, **more), clock=lambda: NOW)

    async def test_an_accepted_send_returns_the_providers_id(self) -> None:
        """Ours: by our Message-ID, and not by Gmail's id, come bounces and replies."""
        async with self.provider() as (peer, channel):
            peer.will(*self.login, self.accepted)
            sent = await channel.send(self.message())
            assert sent.provider_id == self.mail(peer.received[-1])["Message-ID"]
            assert "18c1" in sent.detail

    def mail(self, request: Received) -> email.message.Message:
        raw = json.loads(request.body)["raw"]
        return email.message_from_bytes(base64.urlsafe_b64decode(raw), policy=default)

    async def test_every_request_is_what_google_describes(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(
                TOKEN, self.accepted, *self.healthy, *self.found, a_list("18c1"), in_mailbox(b"Subject: hi\r\n\r\n")
            )
            assert isinstance(channel, Gmail)
            await channel.send(self.message())
            await channel.check()
            await channel.lookup(self.message(), NOW)
            await channel.poll(NOW - timedelta(days=7))
            send, profile, search, listed, get = peer.received[1:]
        # Google's `byte` is base64url (discovery document), OpenAPI's is base64
        assert set(json.loads(send.body)["raw"]) & set("+/") == set()
        standard = {"raw": json.loads(send.body)["raw"].translate(str.maketrans("-_", "+/"))}
        for request in (replace(send, body=json.dumps(standard).encode()), profile, get):
            assert_described(DESCRIPTION, HOST, request)
        described = json.loads(spec("gmail/gmail.v1.json").read_text())
        listing = described["resources"]["users"]["resources"]["messages"]["methods"]["list"]
        for request in (search, listed):
            target = urlsplit(request.target)
            assert (request.method, target.path) == ("GET", f"/gmail/v1/users/{MAILBOX.replace('@', '%40')}/messages")
            assert set(parse_qs(target.query)) <= set(listing["parameters"])
            assert int(parse_qs(target.query)["maxResults"][0]) <= 500
        assert all(request.headers["authorization"] == "Bearer ya29.test-only" for request in peer.received[1:])

    async def test_the_mail_is_plain_and_html_from_the_mailbox_to_one_and_carries_our_key(self) -> None:
        request = await self.sent(self.message(subject="Bestellung\r\nBcc: eve@example.com ü", text="Grüße, Ada"))
        mail = self.mail(request)
        assert isinstance(mail, email.message.EmailMessage)
        assert (mail["From"], mail["To"]) == ("The Shop <orders@shop.example.com>", "ada@example.com")
        assert mail["Subject"] == "Bestellung Bcc: eve@example.com ü"
        assert (mail["Bcc"], mail["Disposition-Notification-To"]) == (None, None)
        assert mail["Date"].datetime == NOW
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["X-Orderack-Key"] == self.message().key_text
        ids = OwnMessageIds(settings("http://x").message_id_secret, "shop.example.com")
        assert mail["Message-ID"] == ids.of(self.message().key_text)
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
        assert next(iter(mail.iter_parts())).get_content().strip() == "Grüße, Ada"
        raw = base64.urlsafe_b64decode(json.loads(request.body)["raw"])
        assert max(len(line) for line in raw.split(b"\r\n")) < 998
        assert raw.isascii()

    async def test_a_receipt_notice_is_asked_for_where_the_settings_say_so(self) -> None:
        async with self.provider() as (peer, _):
            channel = self.make(peer.url, request_receipts=True)
            peer.will(TOKEN, self.accepted)
            await channel.send(self.message())
            await channel.aclose()
            assert self.mail(peer.received[-1])["Disposition-Notification-To"] == MAILBOX

    async def test_a_service_account_signs_in_as_the_mailbox(self) -> None:
        async with self.provider() as (peer, _):
            own = {"client_id": None, "service_account_email": "robot@project.example", "service_account_key": PEM}
            channel = self.make(peer.url, **own)
            peer.will(TOKEN, self.accepted)
            await channel.send(self.message())
            await channel.aclose()
            form = parse_qs(peer.received[0].body.decode())
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        claims = jwt.decode(
            form["assertion"][0],
            KEY.public_key(),
            ["RS256"],
            audience=f"{peer.url}/token",
            options={"verify_exp": False, "verify_iat": False},
        )
        assert (claims["iss"], claims["sub"]) == ("robot@project.example", MAILBOX)
        assert "https://www.googleapis.com/auth/gmail.send" in claims["scope"].split()

    async def test_a_revoked_token_is_forgotten_and_asked_for_anew(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(TOKEN, Answer(401, b"{}"), TOKEN, self.accepted)
            await channel.send(self.message())
            assert [urlsplit(request.target).path for request in peer.received[::2]] == ["/token", "/token"]

    async def test_a_sign_in_that_is_refused_names_the_setting(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(json_answer(400, {"error": "invalid_grant"}))
            with pytest.raises(Misconfigured, match="ORDERACK_GMAIL_REFRESH_TOKEN"):
                await channel.send(self.message())

    async def test_a_look_up_asks_for_our_message_id_in_every_folder(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(TOKEN, *self.found)
            found = await channel.lookup(self.message(), NOW)
            query = parse_qs(urlsplit(peer.received[-1].target).query)
        assert found is not None
        assert found.provider_id == OwnMessageIds(settings("http://x").message_id_secret, "shop.example.com").of(
            self.message().key_text
        )
        assert query["q"] == [f"rfc822msgid:{found.provider_id[1:-1]}"]
        assert query["includeSpamTrash"] == ["true"]

    @pytest.mark.parametrize(
        ("lacking", "problem"),
        [
            ({"refresh_token": None}, "ORDERACK_GMAIL_SERVICE_ACCOUNT_EMAIL"),
            ({"push_email": None}, "ORDERACK_GMAIL_PUSH_AUDIENCE"),
            ({"push_audience": None}, "ORDERACK_GMAIL_PUSH_AUDIENCE"),
            ({"message_id_secret": "short"}, "at least 16 characters"),
            ({"mailbox": "me"}, "not one e-mail address"),
            ({"service_account_key": "no key"}, "not an RSA private key"),
        ],
    )
    def test_settings_that_do_not_suffice_are_named(self, lacking: dict[str, object], problem: str) -> None:
        with pytest.raises(ValidationError, match=problem):
            settings("http://127.0.0.1:9", **lacking)

    def test_a_login_that_is_missing_is_said_in_one_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ORDERACK_GMAIL_MAILBOX", MAILBOX)
        monkeypatch.setenv("ORDERACK_GMAIL_MESSAGE_ID_SECRET", SECRET)
        (lack,) = channels.build(["gmail"]).not_configured["gmail"]
        assert lack.startswith("ORDERACK_GMAIL_SERVICE_ACCOUNT_EMAIL and _SERVICE_ACCOUNT_KEY are missing")

    @pytest.mark.parametrize("recipient", ["ada@example.com, eve@example.com", "a@b.example\r\nBcc: eve@example.com"])
    async def test_what_is_not_one_address_never_leaves(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused):
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert peer.received == []

    # -- pushes --------------------------------------------------------------------------------------------------

    def push(self, **claims: object) -> RawRequest:
        now = int(NOW.timestamp())
        told = {"iss": "https://accounts.google.com", "aud": AUDIENCE, "email": PUSHER, "email_verified": True}
        token = jwt.encode(told | {"iat": now, "exp": now + 3_600, **claims}, PEM, "RS256", headers={"kid": "k1"})
        body = payload("gmail/push.json")
        return RawRequest(url=WEBHOOK_URL, headers={"authorization": f"Bearer {token}"}, body=body)

    async def test_a_genuine_push_is_a_hint_and_no_event(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(keys())
            await channel.verify(self.push())
            assert urlsplit(peer.received[0].target).path == "/oauth2/v3/certs"
            assert channel.events(self.push()) == ()

    @pytest.mark.parametrize(
        "claims",
        [
            {"aud": "https://somebody-else.example"},
            {"email": "mallory@project.iam.gserviceaccount.com"},
            {"email_verified": False},
            {"iss": "https://evil.example"},
            {"exp": int(NOW.timestamp()) - 120},
        ],
    )
    async def test_a_push_for_others_or_by_others_is_refused(self, claims: dict[str, object]) -> None:
        async with self.provider() as (peer, channel):
            peer.will(keys())
            with pytest.raises(BadSignature):
                await channel.verify(self.push(**claims))

    async def test_one_changed_byte_of_the_token_breaks_it(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(keys())
            token = self.push().headers["authorization"]
            changed = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
            with pytest.raises(BadSignature):
                await channel.verify(self.push().model_copy(update={"headers": {"authorization": changed}}))

    async def test_while_googles_keys_cannot_be_fetched_a_push_is_asked_to_come_again(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(Answer(503))
            with pytest.raises(Unavailable):
                await channel.verify(self.push())

    async def test_without_a_subscription_no_push_is_genuine(self) -> None:
        async with self.provider() as (peer, _):
            channel = self.make(peer.url, push_audience=None, push_email=None)
            with pytest.raises(BadSignature, match="ORDERACK_GMAIL_PUSH_AUDIENCE"):
                await channel.verify(self.push())
            await channel.aclose()
            assert peer.received == []

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"message": 1, "subscription": "s"}', b"\xff"])
    async def test_a_body_that_is_no_push_names_the_problem(self, body: bytes) -> None:
        async with self.channel() as channel:
            with pytest.raises(InvalidInput):
                channel.events(self.push().model_copy(update={"body": body}))

    # -- the mailbox ---------------------------------------------------------------------------------------------

    SINCE: ClassVar = NOW - timedelta(days=7)

    def report(self, name: str, **more: str) -> bytes:
        """A stored mail about the message that this suite sends."""
        key = self.message().key_text
        message_id = OwnMessageIds(settings("http://x").message_id_secret, "shop.example.com").of(key)
        text = payload(f"mailbox/{name}.eml").decode()
        for field, value in {"message_id": message_id, "key": key, **more}.items():
            text = text.replace("{" + field + "}", value)
        return text.replace("\n", "\r\n").encode()

    async def polled(self, *mails: bytes) -> Sequence[ChannelEvent]:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Polls)
            newest_first = [f"m{n}" for n in reversed(range(len(mails)))]
            peer.will(TOKEN, a_list(*newest_first), *(in_mailbox(mail) for mail in mails))
            return await channel.poll(self.SINCE)

    async def test_what_lies_in_the_mailbox_comes_back_as_events_the_oldest_first(self) -> None:
        notice = self.report("notice", disposition="manual-action/MDN-sent-manually; displayed")
        reports = (
            self.report("gmail_failed"),
            b"Subject: an advertisement\r\n\r\nBuy!",
            notice,
            self.report("gmail_reply"),
        )
        bounced, shown, replied = await self.polled(*reports)
        assert [bounced.event, shown.event, replied.event] == [
            EvidenceEvent.BOUNCED,
            EvidenceEvent.DISPLAYED,
            EvidenceEvent.REPLIED,
        ]
        assert [bounced.grade, shown.grade, replied.grade] == [None, Grade.E3, Grade.E4]
        assert (bounced.basis, bounced.key) == ("gmail:failed:5.1.1", self.message().key_text)
        assert replied.sender == "ada@example.com"
        assert len({event.provider_id for event in (bounced, shown, replied)}) == 1
        assert len({event.id for event in (bounced, shown, replied)}) == 3
        assert all(event.occurred_at == NOW for event in (bounced, shown, replied))
        ceiling = Gmail.traits.evidence_ceiling.rank
        assert all(event.grade.rank <= ceiling for event in (shown, replied) if event.grade)

    async def test_the_same_mailbox_read_by_another_process_has_the_same_events(self) -> None:
        mail = self.report("gmail_failed")
        assert await self.polled(mail) == await self.polled(mail)

    async def test_a_forged_report_is_unknown(self) -> None:
        (event,) = await self.polled(self.report("gmail_failed", message_id="<made.up@shop.example.com>"))
        assert (event.event, event.grade, event.provider_id) == (EvidenceEvent.UNKNOWN, None, None)

    async def test_the_mailbox_is_asked_for_what_came_since_then_whatever_folder_it_is_in(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Gmail)
            peer.will(TOKEN, json_answer(200, {}))
            assert await channel.poll(self.SINCE) == []
            (query,) = parse_qs(urlsplit(peer.received[-1].target).query)["q"]
        assert query == f"after:{int(self.SINCE.timestamp())} -in:sent -in:draft -in:chats"

    async def test_a_mail_is_fetched_once_and_told_as_long_as_it_is_listed(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Gmail)
            listed = a_list("m1")
            peer.will(TOKEN, listed, in_mailbox(self.report("gmail_failed")), listed, json_answer(200, {}))
            first = await channel.poll(self.SINCE)
            assert await channel.poll(self.SINCE) == first
            assert len(first) == 1
            assert await channel.poll(self.SINCE) == []

    async def test_pages_are_followed_to_the_end(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Gmail)
            first = json_answer(200, {"messages": [{"id": "m2", "threadId": "t"}], "nextPageToken": "p/2"})
            mail = in_mailbox(b"Subject: hi\r\n\r\n")
            peer.will(TOKEN, first, a_list("m1"), mail, mail)
            await channel.poll(self.SINCE)
            assert "pageToken=p%2F2" in peer.received[2].target
            assert [urlsplit(request.target).path[-2:] for request in peer.received[3:]] == ["m1", "m2"]

    async def test_a_full_mailbox_is_read_bit_by_bit_and_nothing_is_left_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mailbox_module, "AT_A_TIME", 2)
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Gmail)
            mail = in_mailbox(self.report("gmail_failed"))
            listed = a_list("m3", "m2", "m1")
            peer.will(TOKEN, listed, mail, mail, listed, mail, json_answer(200, {}))
            assert len(await channel.poll(self.SINCE)) == 2
            assert len(await channel.poll(NOW)) == 3, "what was left is asked for again, though that was before"
            assert parse_qs(urlsplit(peer.received[4].target).query)["q"][0].startswith(
                f"after:{int(self.SINCE.timestamp())} "
            )
            await channel.poll(NOW)
            assert parse_qs(urlsplit(peer.received[-1].target).query)["q"][0].startswith(
                f"after:{int(NOW.timestamp())} "
            )

    async def test_a_mail_that_cannot_be_fetched_holds_up_the_others_for_a_while_only(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Gmail)
            listed, broken = a_list("m2", "m1"), Answer(503)
            for _ in range(2):
                peer.will(*([TOKEN] if not peer.received else []), listed, broken)
                with pytest.raises(Unavailable):
                    await channel.poll(self.SINCE)
            peer.will(listed, broken, in_mailbox(self.report("gmail_failed")))
            assert len(await channel.poll(self.SINCE)) == 1

    async def test_a_mail_that_was_deleted_meanwhile_is_none(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Gmail)
            peer.will(TOKEN, a_list("m1"), no(404, "notFound"))
            assert await channel.poll(self.SINCE) == []

    @pytest.mark.parametrize(
        ("answer", "fate"),
        [
            (Answer(503), Unavailable),
            (no(403, "userRateLimitExceeded"), Unavailable),
            (Answer(200, b"<html>"), Unavailable),
            (no(403, "insufficientPermissions"), Misconfigured),
            (no(400, "invalidArgument"), Misconfigured),
            (no(404, "notFound"), Misconfigured),
        ],
    )
    async def test_a_mailbox_that_cannot_be_read_says_why(self, answer: Answer, fate: type[Exception]) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Gmail)
            peer.will(TOKEN, answer)
            with pytest.raises(fate):
                await channel.poll(self.SINCE)


def a_list(*ids: str) -> Answer:
    return json_answer(200, {"messages": [{"id": one, "threadId": "t"} for one in ids], "resultSizeEstimate": len(ids)})


def in_mailbox(mail: bytes) -> Answer:
    """The answer to `messages.get` with `format=raw`."""
    raw = base64.urlsafe_b64encode(mail).decode().rstrip("=")
    return json_answer(200, {"id": "m", "raw": raw, "internalDate": str(int(NOW.timestamp() * 1_000))})


def keys() -> Answer:
    """Google's public keys."""
    jwk = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    return json_answer(200, {"keys": [{**jwk, "kid": "k1", "use": "sig", "alg": "RS256"}]})
