"""E-mail through any SMTP server. Nothing tells afterwards whether a message cut off after DATA was taken (class D,
reliability.md §4.1): such a send is in doubt for good. The Message-ID is made from the key, so that a repeat can at
least be recognised by its receiver.
"""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from types import MappingProxyType
from typing import Annotated, ClassVar

import aiosmtplib
from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from orderack.clients.email_address import one_address
from orderack.clients.http import Clock, utc_now
from orderack.clients.wire import not_an_event
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_SMTP_EMAIL_"
IMPLICIT_TLS_PORT = 465
"""RFC 8314: TLS from the first byte; every other port starts in the clear and upgrades."""
TOTAL_SECONDS = 18.0
SAYS_NO = range(400, 600)
"""An answer to the message that is neither 250 nor one of these (or no SMTP at all) leaves it open."""
SEVEN_BIT = SMTP.clone(cte_type="7bit")
"""Any server takes it, with or without 8BITMIME."""

REFUSED_ENHANCED = MappingProxyType(
    {
        "5.1.1": Reason.BAD_RECIPIENT,
        "5.1.2": Reason.BAD_RECIPIENT,
        "5.1.3": Reason.BAD_RECIPIENT,
        "5.1.6": Reason.BAD_RECIPIENT,
        "5.1.10": Reason.BAD_RECIPIENT,
        "5.2.1": Reason.BAD_RECIPIENT,
        "5.2.2": Reason.BLOCKED,
        "5.2.3": Reason.TOO_LONG,
        "5.3.4": Reason.TOO_LONG,
        "5.6.0": Reason.CONTENT,
        "5.6.1": Reason.CONTENT,
        "5.7.1": Reason.BLOCKED,
        "5.7.26": Reason.BLOCKED,
        "5.7.27": Reason.BLOCKED,
    }
)
"""RFC 3463 and the IANA registry of enhanced status codes."""
OURS_TO_MEND = frozenset({"5.1.7", "5.1.8", "5.5.1", "5.5.2", "5.5.4", "5.7.0", "5.7.8", "5.7.9", "5.7.11"})
"""Sender, login, encryption: no other message would fare better."""
REFUSED_BASIC = MappingProxyType(
    {550: Reason.BAD_RECIPIENT, 551: Reason.BAD_RECIPIENT, 552: Reason.TOO_LONG, 553: Reason.BAD_RECIPIENT}
)
"""RFC 5321, for servers that give no enhanced code."""
OURS_TO_MEND_BASIC = frozenset({500, 501, 502, 503, 504, 555})
LOGIN_REFUSED = frozenset({530, 534, 535, 538})
"""RFC 4954, whatever enhanced code comes with them."""

_ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})\b")


def _sender(text: str) -> str:
    try:
        return one_address(text)
    except Refused:
        raise ValueError("not one e-mail address") from None


class SmtpSettings(BaseSettings):
    """`ORDERACK_SMTP_EMAIL_…`"""

    model_config = settings_config(_PREFIX)

    host: str = Field(description="the mail server that takes our messages")
    port: int = Field(default=587, ge=1, le=65_535, description="587 (STARTTLS), 465 (TLS at once) or the sandbox's")
    username: str | None = Field(default=None, description="login, where the server asks for one")
    password: SecretStr | None = Field(default=None, description="the login's password")
    start_tls: bool = Field(default=True, description="refuse to send without STARTTLS; false only on one's own host")
    sender: Annotated[str, AfterValidator(_sender)] = Field(description="the address messages come from")
    sender_name: str = Field(default="", description="the name shown beside the sender's address")
    timeout: float = Field(default=5.0, gt=0, le=15, description="seconds for each step of the dialogue")


class SmtpEmail:
    """One message to one address, one connection each."""

    name: ClassVar[str] = "smtp_email"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.EMAIL,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.NONE,
        html=True,
        rate_per_second=10.0,
    )

    def __init__(self, settings: SmtpSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._clock = clock

    async def send(self, message: Message) -> Sent:
        """Deliver to the configured server. `provider_id` is the Message-ID.

        4xx answers are Unavailable, 5xx Refused or Misconfigured; cut off once DATA has begun is InDoubt.
        """
        recipient = one_address(message.recipient)
        mail = self._mail(message, recipient)
        smtp = self._connection()
        try:
            await self._offer(smtp, recipient)
            answer = await self._hand_over(smtp, bytes(mail))
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await smtp.quit(timeout=1)
        finally:
            smtp.close()
        return Sent(provider_id=str(mail["Message-ID"]), detail=f"taken with {answer}")

    def _connection(self) -> aiosmtplib.SMTP:
        own = self._settings
        implicit = own.port == IMPLICIT_TLS_PORT
        return aiosmtplib.SMTP(
            hostname=own.host,
            port=own.port,
            username=own.username,
            password=own.password.get_secret_value() if own.password else None,
            timeout=own.timeout,
            use_tls=implicit,
            start_tls=own.start_tls and not implicit,
        )

    async def _offer(self, smtp: aiosmtplib.SMTP, recipient: str) -> None:
        async with self._nothing_handed_over():
            await smtp.connect()
            await smtp.mail(self._settings.sender)
            await smtp.rcpt(recipient)

    @contextlib.asynccontextmanager
    async def _nothing_handed_over(self) -> AsyncIterator[None]:
        """The dialogue up to RCPT TO: being cut off here is Unavailable."""
        try:
            async with asyncio.timeout(TOTAL_SECONDS / 2):
                yield
        except aiosmtplib.SMTPSenderRefused as error:
            raise _no(error.code, error.message, ours=True) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _no(error.code, error.message) from None
        except OSError as error:  # lost, late, no name, no TLS: aiosmtplib's own words for these are OSErrors too
            raise Unavailable(f"the mail server cannot be reached ({type(error).__name__})") from None
        except aiosmtplib.SMTPException:
            raise Misconfigured(f"the mail server lacks STARTTLS or AUTH: check {_PREFIX}START_TLS, _PORT") from None

    async def _hand_over(self, smtp: aiosmtplib.SMTP, mail: bytes) -> int:
        try:
            async with asyncio.timeout(TOTAL_SECONDS / 2):
                return (await smtp.data(mail)).code
        except aiosmtplib.SMTPResponseException as error:
            if error.code not in SAYS_NO:
                raise InDoubt(f"the mail server's answer to the message says nothing ({error.code})") from None
            raise _no(error.code, error.message) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise InDoubt(f"the mail server was lost after DATA ({type(error).__name__})") from None

    def _mail(self, message: Message, recipient: str) -> EmailMessage:
        digest = hashlib.sha256(message.key_text.encode()).hexdigest()
        domain = self._settings.sender.rpartition("@")[2]
        mail = EmailMessage(policy=SEVEN_BIT)
        mail["From"] = Address(self._settings.sender_name, addr_spec=self._settings.sender)
        mail["To"] = Address(addr_spec=recipient)
        mail["Subject"] = " ".join(message.content.subject.split()) or message.kind.value
        mail["Date"] = format_datetime(self._clock())
        mail["Message-ID"] = f"<{digest[:40]}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers it
        mail["X-Auto-Response-Suppress"] = "All"
        mail["X-Orderack-Key"] = digest
        mail["Content-Language"] = message.language
        mail.set_content(message.content.text)
        if message.content.html is not None:
            mail.add_alternative(message.content.html, subtype="html")
            mail.set_boundary(f"=_{digest[:40]}")  # a random one would make each attempt's bytes differ
        return mail

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """SMTP cannot be asked."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """Connect, say hello, log in where a login is set, and say goodbye."""
        smtp = self._connection()
        try:
            async with self._nothing_handed_over():
                await smtp.connect()
                await smtp.ehlo()
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await smtp.quit(timeout=1)
        except Refused as no:
            raise Misconfigured(f"the mail server turns us away ({no.code}): check {_PREFIX}HOST and _PORT") from None
        finally:
            smtp.close()
        return "the mail server took the login" if self._settings.username else "the mail server answers, without login"

    async def verify(self, request: RawRequest) -> None:
        """SMTP calls nobody back, so no request can be genuine."""
        raise BadSignature("smtp_email has no webhook")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """SMTP calls nobody back."""
        raise not_an_event("body", "smtp_email has no webhook", "use a channel that reports delivery")

    async def aclose(self) -> None:
        """Nothing is held open between messages."""


def _no(code: int, text: str, ours: bool = False) -> Unavailable | Refused | Misconfigured:
    """The fate of a 4xx or 5xx answer. The server's text is dropped: it often repeats the recipient."""
    found = _ENHANCED.match(text)
    enhanced = found.group(1) if found else ""
    word = f"{code} {enhanced}".strip()
    if code < 500:
        return Unavailable(f"the mail server cannot take it now ({word})")
    ours = ours or code in LOGIN_REFUSED or (enhanced in OURS_TO_MEND if enhanced else code in OURS_TO_MEND_BASIC)
    if ours:
        return Misconfigured(f"the mail server refuses us ({word}): check {_PREFIX}SENDER, _USERNAME and _PASSWORD")
    reason = REFUSED_ENHANCED.get(enhanced) if enhanced else REFUSED_BASIC.get(code)
    return Refused(f"the mail server refused the message ({word})", reason or Reason.OTHER, word)


CHANNEL: ChannelSpec = ChannelSpec(
    description="E-mail through an SMTP server",
    obtain="your mail provider's SMTP submission page: host, port 587, user name and password",
    settings=SmtpSettings,
    make=lambda: SmtpEmail(SmtpSettings()),
    adapter=SmtpEmail,
    traps=(
        "Acceptance by your own server is all that is ever known: a bounce comes to the sender's mailbox, as a mail.",
        "A connection lost after the message went out leaves a doubt that nothing settles but a person.",
        "Port 465 speaks TLS at once, 587 after STARTTLS; a server that offers neither gets nothing.",
    ),
)
