"""Orders that come as mail through a Mailgun route: forwarded as a form, taken apart or (`…/mime`) raw.

Mailgun's signature covers a timestamp and a token, never the mail: TLS has to protect that. A token is taken once, so
that a signature that somebody saw carries no other mail.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field, SecretStr

from orderack.clients.http import Clock, utc_now
from orderack.clients.wire import same, within
from orderack.errors import BadSignature
from orderack.ports import Connection, Delivery, RawRequest, Reading, SourceKind, SourceTraits
from orderack.registry import SourceSpec
from orderack.sources._mail import MailReader, MailSettings, delivery_of
from orderack.sources._mail_composed import aligned, composed, sender_of
from orderack.sources._mail_parts import LARGEST, head_of, take_apart
from orderack.sources._multipart import Form, read_form

RECEIVER = "mailgun.net"
WINDOW = timedelta(minutes=10)
_MOST_TOKENS = 10_000


class MailgunInboundSettings(MailSettings):
    """`ORDERACK_SOURCE_<STORE>_MAILGUN_INBOUND_…`"""

    signing_key: SecretStr = Field(description="HTTP webhook signing key")
    spam_filter: bool = Field(
        default=False,
        description="true where the domain's inbound spam filter is on, so that X-Mailgun-Spf is Mailgun's own; "
        "without it every order goes to a person",
    )


class MailgunInbound:
    """Takes mails that a route forwards."""

    name: ClassVar[str] = "mailgun_inbound"
    traits: ClassVar[SourceTraits] = SourceTraits(kind=SourceKind.EMAIL, max_body=LARGEST + 1024 * 1024)

    def __init__(self, connection: Connection, settings: MailgunInboundSettings, clock: Clock = utc_now) -> None:
        self.connection = connection
        self._settings = settings
        self._clock = clock
        self._reader = MailReader(connection, settings, RECEIVER)
        self._tokens: dict[str, tuple[datetime, bytes]] = {}
        """Token → when it came, and the digest of what came with it."""

    async def verify(self, request: RawRequest) -> None:
        """HMAC-SHA256 over time and token, at most ten minutes old; the token for this one mail only."""
        form = read_form(request)
        timestamp, token = form.field("timestamp"), form.field("token")
        key = self._settings.signing_key.get_secret_value().encode()
        signed = f"{timestamp}{token}".encode("utf-8", "replace")
        if not token or not same(hmac.new(key, signed, hashlib.sha256).hexdigest(), form.field("signature")):
            raise BadSignature("the Mailgun signature does not fit")
        within(timestamp, self._clock(), WINDOW)
        self._once(token[:200], hashlib.sha256(request.body).digest())

    def _once(self, token: str, digest: bytes) -> None:
        now = self._clock()
        self._tokens = {key: seen for key, seen in self._tokens.items() if now - seen[0] <= 2 * WINDOW}
        if self._tokens.get(token, (now, digest))[1] != digest:
            raise BadSignature("the Mailgun token came with another mail before")
        if len(self._tokens) < _MOST_TOKENS:
            self._tokens.setdefault(token, (now, digest))

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """The one mail of a post."""
        form = read_form(request)
        if raw := form.field("body-mime").encode("utf-8", "replace") or _file(form, "body-mime"):
            head = take_apart(head_of(raw))
            results = f"Authentication-Results: {self._verdict(form, head.headers, head.sender[1])}\r\n"
            return [delivery_of(results.encode() + raw.lstrip(), self._clock())]
        headers = _headers(form.field("message-headers"))
        if not headers and not form.field("from"):
            return [delivery_of(request.body, self._clock())]
        kept = headers or [(name, form.field(name)) for name in ("from", "subject", "Message-Id")]
        files = [form.files[name] for name in sorted(form.files) if name.startswith("attachment")]
        text, html = form.field("body-plain"), form.field("body-html")
        results = self._verdict(form, headers, sender_of(kept))
        return [delivery_of(composed(kept, text, html, files, results), self._clock())]

    def _verdict(self, form: Form, headers: Sequence[tuple[str, str]], address: str) -> str:
        """SPF, where the domain that sent it is From's own; Mailgun names no signer of a DKIM signature that it found
        good. A sender can write X-Mailgun-Spf himself: one that differs, or all where no filter is on, tell nothing."""
        said = {value.strip().lower() for name, value in headers if name.lower() == "x-mailgun-spf"}
        if not self._settings.spam_filter or not said:
            return f"{RECEIVER}; none"
        domain, sent_from = address.rpartition("@")[2], form.field("sender").rpartition("@")[2]
        return f"{RECEIVER}; dmarc={'pass' if said == {'pass'} and aligned(domain, sent_from) else 'fail'}"

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """See `_mail.MailReader`."""
        return await self._reader.read(delivery, self._clock())

    async def aclose(self) -> None:
        """Nothing is open."""


def _file(form: Form, name: str) -> bytes:
    return form.files[name].data if name in form.files else b""


def _headers(text: str) -> list[tuple[str, str]]:
    """Mailgun's list of pairs."""
    try:
        pairs = json.loads(text or "[]")
        return [(str(name), str(value)) for name, value in pairs[:500]]
    except (ValueError, TypeError, RecursionError, KeyError):
        return []


SOURCE: SourceSpec = SourceSpec(
    description="Orders by e-mail through a Mailgun route",
    obtain="Mailgun: Sending > Webhooks > HTTP webhook signing key; Receiving > Create route",
    settings=MailgunInboundSettings,
    adapter=MailgunInbound,
    make=lambda connection, prefix: MailgunInbound(connection, MailgunInboundSettings(_env_prefix=prefix)),
    trigger="the mail reaches Mailgun",
    webhook="Receiving > Create route: match the recipient, forward to this URL, stop",
    traps=(
        "Mailgun signs a timestamp and a token, not the mail: only HTTPS keeps others from changing it on its way.",
        "Mailgun tries for eight hours to post a mail, and drops it then.",
        "A mail whose sender's SPF record does not name the server that sent it goes to a person; all do without "
        "SPAM_FILTER.",
    ),
)
