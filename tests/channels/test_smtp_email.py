"""SMTP against the channel's conformance suite and a mail server on a real socket."""

import email
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import default

import pytest
from pydantic import ValidationError

from orderack.channels import smtp_email
from orderack.channels.smtp_email import SmtpEmail, SmtpSettings
from orderack.domain.acknowledgement import Reason
from orderack.errors import InDoubt, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, ChannelConformance, told
from tests.conformance.peer import SmtpPeer, closed_port, running_smtp

PASSWORD = "test-only-0123456789"
REFUSALS = (
    ("RCPT", "550 5.1.1 <ada@example.com> no such user", Reason.BAD_RECIPIENT),
    ("RCPT", "550 5.1.10 null MX", Reason.BAD_RECIPIENT),
    ("RCPT", "550 no such user", Reason.BAD_RECIPIENT),
    ("RCPT", "551 not local", Reason.BAD_RECIPIENT),
    ("RCPT", "550 5.2.1 disabled", Reason.BAD_RECIPIENT),
    ("RCPT", "552 5.2.2 over quota", Reason.BLOCKED),
    ("RCPT", "554 5.7.1 relay denied", Reason.BLOCKED),
    ("RCPT", "550 5.9.9 a word of tomorrow", Reason.OTHER),
    (".", "552 5.3.4 too big", Reason.TOO_LONG),
    (".", "552 too big", Reason.TOO_LONG),
    (".", "554 5.6.0 bad content", Reason.CONTENT),
    (".", "550 5.7.26 unauthenticated", Reason.BLOCKED),
    ("DATA", "554 no valid recipients", Reason.OTHER),
)
OURS = (
    ("MAIL", "550 5.1.8 bad sender"),
    ("MAIL", "553 sender not owned"),
    ("MAIL", "530 5.7.0 authenticate first"),
    ("RCPT", "535 5.7.3 unsuccessful"),
    ("RCPT", "503 bad sequence"),
)


class TestSmtpEmail(ChannelConformance):
    name = "smtp_email"
    recipient = "ada@example.com"
    secrets = (PASSWORD,)
    required = ("ORDERACK_SMTP_EMAIL_HOST", "ORDERACK_SMTP_EMAIL_SENDER")

    def make(self, base_url: str, port: int = 25, **more: object) -> SmtpEmail:
        values = {"host": "127.0.0.1", "port": port, "sender": "orders@shop.example.com", "sender_name": "The Shop"}
        own = SmtpSettings.model_validate(values | {"start_tls": False, "timeout": 2, "password": PASSWORD} | more)
        return SmtpEmail(own, clock=lambda: NOW)

    @asynccontextmanager
    async def server(self, peer: SmtpPeer, **more: object) -> AsyncIterator[SmtpEmail]:
        async with running_smtp(peer):
            channel = self.make("", peer.port, **more)
            yield channel
            await channel.aclose()

    async def failure(self, peer: SmtpPeer, **more: object) -> Exception:
        async with self.server(peer, **more) as channel:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - the tests look at its type
                await channel.send(self.message())
            return caught.value

    async def mail(self, **content: str | None) -> EmailMessage:
        peer = SmtpPeer()
        async with self.server(peer) as channel:
            await channel.send(self.message(**content))
        parsed = email.message_from_bytes(peer.mails[0], policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    async def test_an_accepted_message_returns_its_message_id_and_says_goodbye(self) -> None:
        peer = SmtpPeer()
        async with self.server(peer) as channel:
            sent = await channel.send(self.message())
        assert sent.provider_id == email.message_from_bytes(peer.mails[0], policy=default)["Message-ID"]
        assert peer.dialogue[1:] == [
            "MAIL FROM:<orders@shop.example.com>",
            "RCPT TO:<ada@example.com>",
            "DATA",
            "QUIT",
        ]

    async def test_the_message_is_plain_and_html_from_us_to_one_and_answers_no_robot(self) -> None:
        mail = await self.mail(
            text="Grüße, Ada", html="<p>Grüße, Ada</p>", subject="Bestellung\r\nBcc: eve@example.com ü"
        )
        assert mail["From"] == "The Shop <orders@shop.example.com>"
        assert mail["To"] == "ada@example.com"
        assert mail["Subject"] == "Bestellung Bcc: eve@example.com ü"
        assert mail["Bcc"] is None
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Date"].datetime == NOW
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
        assert [part.get_content().strip() for part in mail.iter_parts()] == ["Grüße, Ada", "<p>Grüße, Ada</p>"]

    async def test_a_message_without_html_is_plain_text(self) -> None:
        assert (await self.mail(html=None)).get_content_type() == "text/plain"

    async def test_lines_that_begin_with_a_dot_arrive_whole(self) -> None:
        peer = SmtpPeer()
        async with self.server(peer) as channel:
            await channel.send(self.message(text=".\r\n.hidden\n\nQUIT", html=None))
        assert peer.mails[0].replace(b"\r\n..", b"\r\n.").endswith(b".\r\n.hidden\r\n\r\nQUIT\r\n")
        assert peer.dialogue.count("QUIT") == 1

    async def test_the_same_key_twice_is_the_same_message_and_another_key_another(self) -> None:
        peer = SmtpPeer()
        async with self.server(peer) as channel:
            message = self.message()
            await channel.send(message)
            await channel.send(message)
            await channel.send(message.model_copy(update={"key": message.key.model_copy(update={"n": 2})}))
        first, again, other = peer.mails
        assert first == again
        ids = [email.message_from_bytes(mail, policy=default)["Message-ID"] for mail in (first, other)]
        assert len(set(ids)) == 2

    @pytest.mark.parametrize(("verb", "reply", "reason"), REFUSALS)
    async def test_every_documented_refusal_has_our_reason_and_keeps_the_servers_code(
        self, verb: str, reply: str, reason: Reason
    ) -> None:
        error = await self.failure(SmtpPeer({verb: reply}))
        assert isinstance(error, Refused)
        assert error.reason is reason
        assert error.code.startswith(reply[:3])
        assert self.recipient not in told(error)

    @pytest.mark.parametrize(("verb", "reply"), OURS)
    async def test_what_is_ours_to_mend_is_misconfigured_and_names_a_setting(self, verb: str, reply: str) -> None:
        error = await self.failure(SmtpPeer({verb: reply}))
        assert isinstance(error, Misconfigured)
        assert "ORDERACK_SMTP_EMAIL_" in str(error)

    async def test_a_wrong_password_is_misconfigured(self) -> None:
        peer = SmtpPeer({"AUTH": "535 5.7.8 no"}, extensions=["AUTH PLAIN"])
        assert isinstance(await self.failure(peer, username="shop"), Misconfigured)

    async def test_a_server_without_starttls_gets_nothing_where_it_is_asked_for(self) -> None:
        peer = SmtpPeer()
        assert isinstance(await self.failure(peer, start_tls=True), Misconfigured)
        assert not [line for line in peer.dialogue if line.startswith(("MAIL", "AUTH"))]

    @pytest.mark.parametrize("verb", ["greeting", "MAIL", "RCPT", "DATA", "."])
    async def test_a_temporary_refusal_is_unavailable_at_every_step(self, verb: str) -> None:
        assert isinstance(await self.failure(SmtpPeer({verb: "451 4.3.0 later"})), Unavailable)

    @pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT"])
    async def test_cut_off_before_the_message_is_unavailable(self, verb: str) -> None:
        peer = SmtpPeer({"HELO": "250 ok"}, cut_off_at=verb)
        assert isinstance(await self.failure(peer), Unavailable)
        assert peer.mails == []

    async def test_cut_off_after_the_message_is_in_doubt(self) -> None:
        peer = SmtpPeer(cut_off_at=".")
        assert isinstance(await self.failure(peer), InDoubt)
        assert len(peer.mails) == 1

    @pytest.mark.parametrize("answer", ["It works!", "354 go on", "251 forwarded", "25x"])
    async def test_an_answer_to_the_message_that_says_neither_yes_nor_no_is_in_doubt(self, answer: str) -> None:
        assert isinstance(await self.failure(SmtpPeer({".": answer})), InDoubt)

    async def test_silence_after_the_message_is_in_doubt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(smtp_email, "TOTAL_SECONDS", 0.6)
        assert isinstance(await self.failure(SmtpPeer({".": "250-and"})), InDoubt)

    async def test_cut_off_at_goodbye_is_still_accepted(self) -> None:
        async with self.server(SmtpPeer(cut_off_at="QUIT")) as channel:
            assert (await channel.send(self.message())).provider_id

    async def test_a_server_that_is_down_is_unavailable(self) -> None:
        channel = self.make("", await closed_port())
        with pytest.raises(Unavailable):
            await channel.send(self.message())

    @pytest.mark.parametrize(
        "recipient", ["ada@example.com, eve@example.com", "ada", "a@b.c\r\nRCPT TO:<eve@example.com>"]
    )
    async def test_what_is_not_one_address_never_leaves(self, recipient: str) -> None:
        peer = SmtpPeer()
        async with self.server(peer) as channel:
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
        assert caught.value.reason is Reason.BAD_RECIPIENT
        assert peer.dialogue == []

    def test_a_sender_that_is_no_address_is_refused_with_the_settings(self) -> None:
        with pytest.raises(ValidationError, match="not one e-mail address"):
            self.make("", sender="The Shop <orders@shop.example.com>")

    async def test_no_log_shows_a_secret_or_the_buyers_data(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        peer = SmtpPeer({"RCPT": "550 5.1.1 <ada@example.com> Analytical"}, extensions=["AUTH PLAIN"])
        shown = told(await self.failure(peer, username="shop")) + caplog.text
        assert not [word for word in (PASSWORD, self.recipient, "Analytical") if word in shown]

    async def test_nobody_calls_it_back(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(InvalidInput):
                channel.events(RawRequest(url=WEBHOOK_URL, headers={}, body=b"{}"))

    async def test_a_check_says_hello_logs_in_and_says_goodbye_and_offers_no_mail(self) -> None:
        peer = SmtpPeer({"AUTH": "235 2.7.0 welcome"}, extensions=["AUTH PLAIN"])
        async with self.server(peer, username="shop") as channel:
            assert await channel.check() == "the mail server took the login"
        assert [line.partition(" ")[0] for line in peer.dialogue] == ["EHLO", "AUTH", "EHLO", "QUIT"]
        peer = SmtpPeer()
        async with self.server(peer) as channel:
            assert await channel.check() == "the mail server answers, without login"
        assert [line.partition(" ")[0] for line in peer.dialogue] == ["EHLO", "QUIT"]

    @pytest.mark.parametrize(
        ("peer", "more", "fate"),
        [
            (SmtpPeer({"AUTH": "535 5.7.8 no"}, extensions=["AUTH PLAIN"]), {"username": "shop"}, Misconfigured),
            (SmtpPeer(), {"start_tls": True}, Misconfigured),
            (SmtpPeer({"greeting": "554 no mail here"}), {}, Misconfigured),
            (SmtpPeer({"greeting": "421 4.3.2 later"}), {}, Unavailable),
            (SmtpPeer(cut_off_at="EHLO"), {}, Unavailable),
        ],
        ids=["login", "no TLS", "no mail here", "later", "cut off"],
    )
    async def test_a_check_that_fails_is_ours_to_mend_or_for_later(
        self, peer: SmtpPeer, more: dict[str, object], fate: type[Exception]
    ) -> None:
        async with self.server(peer, **more) as channel:
            with pytest.raises(fate) as caught:
                await channel.check()
        assert PASSWORD not in told(caught.value)
        if fate is Misconfigured:
            assert "ORDERACK_SMTP_EMAIL_" in str(caught.value)
