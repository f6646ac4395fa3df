"""Orders that come as mail through SendGrid's Inbound Parse: each mail is a form, raw or taken apart.

SendGrid signs such a post only where a security policy is attached to the hook (ECDSA, as its event webhook). Without
one, a user and a password in the URL are all there is: whoever reads them can post mails in anybody's name.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import AfterValidator, Field, SecretStr, model_validator

from orderack.clients.http import Clock, utc_now
from orderack.clients.wire import same, within
from orderack.errors import BadSignature
from orderack.ports import Connection, Delivery, RawRequest, Reading, SourceKind, SourceTraits
from orderack.registry import SourceSpec
from orderack.sources._mail import MailReader, MailSettings, delivery_of
from orderack.sources._mail_composed import aligned, composed, sender_of
from orderack.sources._mail_parts import LARGEST, head_of, take_apart
from orderack.sources._multipart import Form, read_form

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
WINDOW = timedelta(minutes=10)
RECEIVER = "sendgrid.net"
_LEAST_PASSWORD = 16


def _key(text: str) -> ec.EllipticCurvePublicKey:
    found = load_der_public_key(base64.b64decode(text, validate=True))
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise ValueError("not an elliptic curve's")
    return found


def _public_key(text: str) -> str:
    try:
        _key(text)
    except ValueError:
        raise ValueError("not the base64 public key that SendGrid shows") from None
    return text


class SendgridInboundSettings(MailSettings):
    """`ORDERACK_SOURCE_<STORE>_SENDGRID_INBOUND_…`"""

    public_key: Annotated[str, AfterValidator(_public_key)] | None = Field(
        default=None, description="public key of the security policy that is attached to the hook"
    )
    user: str = Field(default="orderack", description="user in the hook's URL, where it is not signed")
    password: SecretStr | None = Field(
        default=None, description="password in the hook's URL, where it is not signed: at least 16 characters"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "SendgridInboundSettings":
        if self.public_key is None and self.password is None:
            raise ValueError("set PUBLIC_KEY (a signed hook), or PASSWORD (in the hook's URL)")
        if self.password is not None and len(self.password.get_secret_value()) < _LEAST_PASSWORD:
            raise ValueError("PASSWORD needs at least 16 characters")
        return self


class SendgridInbound:
    """Takes mails that SendGrid posts."""

    name: ClassVar[str] = "sendgrid_inbound"
    traits: ClassVar[SourceTraits] = SourceTraits(kind=SourceKind.EMAIL, max_body=LARGEST + 1024 * 1024)

    def __init__(self, connection: Connection, settings: SendgridInboundSettings, clock: Clock = utc_now) -> None:
        self.connection = connection
        self._settings = settings
        self._clock = clock
        self._reader = MailReader(connection, settings, RECEIVER)
        self._key = _key(settings.public_key) if settings.public_key else None

    async def verify(self, request: RawRequest) -> None:
        """The security policy's signature where there is a key; else the user and password of the URL; else neither."""
        if self._key is not None:
            self._signed(request, self._key)
        if self._settings.password is not None:
            self._known(request, self._settings.password.get_secret_value())

    def _signed(self, request: RawRequest, key: ec.EllipticCurvePublicKey) -> None:
        timestamp, signature = request.headers.get(TIMESTAMP, ""), request.headers.get(SIGNATURE, "")
        try:
            given = base64.b64decode(signature, validate=True)
            if base64.b64encode(given).decode() != signature:  # the same bytes, spelled otherwise
                raise BadSignature("the SendGrid signature is not spelled as encoders do")
            key.verify(given, timestamp.encode("utf-8", "replace") + request.body, ec.ECDSA(hashes.SHA256()))
        except (ValueError, InvalidSignature):
            raise BadSignature("the SendGrid signature does not fit") from None
        within(timestamp, self._clock(), WINDOW)

    def _known(self, request: RawRequest, password: str) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            login = base64.b64decode(given, validate=True).decode()
        except (binascii.Error, ValueError):
            login = ""
        if scheme.lower() != "basic" or not same(f"{self._settings.user}:{password}", login):
            raise BadSignature("the user and password of the hook's URL do not fit")

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """The one mail of a post: raw where the hook is set so, else put together from its fields."""
        form = read_form(request)
        raw = form.files["email"].data if "email" in form.files else form.field("email").encode("utf-8", "replace")
        if raw:
            results = f"Authentication-Results: {_verdict(form, take_apart(head_of(raw)).sender[1])}\r\n"
            return [delivery_of(results.encode() + raw.lstrip(), self._clock())]
        headers = list(take_apart(form.field("headers").encode()).headers)
        files = [form.files[name] for name in sorted(form.files) if name.startswith("attachment")]
        said = form.field("headers") or form.field("from")
        if not said:
            return [delivery_of(request.body, self._clock())]
        headers = headers or [
            ("from", form.field("from")),
            ("to", form.field("to")),
            ("subject", form.field("subject")),
        ]
        results = _verdict(form, sender_of(headers))
        return [delivery_of(composed(headers, form.field("text"), form.field("html"), files, results), self._clock())]

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """See `_mail.MailReader`."""
        return await self._reader.read(delivery, self._clock())

    async def aclose(self) -> None:
        """Nothing is open."""


def _verdict(form: Form, address: str) -> str:
    """What SendGrid found, as the receiving server would write it of this From. DKIM: `{@example.com : pass}`."""
    domain = address.rpartition("@")[2]
    passed = re.findall(r"@([A-Za-z0-9.-]{1,253})\s*:\s*pass\b", form.field("dkim"))
    try:
        sent_from = str(json.loads(form.field("envelope") or "{}").get("from", ""))
    except (ValueError, AttributeError, RecursionError):
        sent_from = ""
    spf = form.field("SPF").strip().lower() == "pass" and aligned(domain, sent_from.rpartition("@")[2])
    known = spf or any(aligned(domain, one) for one in passed)
    if not (form.field("dkim") or form.field("SPF")):
        return f"{RECEIVER}; none"
    return f"{RECEIVER}; dmarc={'pass' if domain and known else 'fail'}"


SOURCE: SourceSpec = SourceSpec(
    description="Orders by e-mail through SendGrid's Inbound Parse",
    obtain="SendGrid: Settings > Inbound Parse (a host of yours whose MX record is mx.sendgrid.net); a security policy "
    "with signature verification by its API (POST /v3/user/webhooks/security/policies)",
    settings=SendgridInboundSettings,
    adapter=SendgridInbound,
    make=lambda connection, prefix: SendgridInbound(connection, SendgridInboundSettings(_env_prefix=prefix)),
    trigger="the mail reaches SendGrid",
    webhook="Settings > Inbound Parse: this URL, “POST the raw, full MIME message” on, the security policy attached; "
    "without a policy the user and password in the URL (https://orderack:<password>@…)",
    traps=(
        "Inbound Parse signs nothing unless a security policy is attached to it: without one, whoever learns the URL's "
        "password can post mails in anybody's name.",
        "SendGrid tries for three days to post a mail, and drops it then.",
        "SendGrid posts no DMARC result: SPF and DKIM are taken as one where the domain is the sender's own.",
    ),
)
