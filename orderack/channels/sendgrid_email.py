"""E-mail through SendGrid: the `sendgrid` library builds the body and checks event signatures, httpx carries it.

The library's own client is synchronous and hides timeouts, so it does not send. No idempotency key exists
(messaging.md §2): our key travels as a custom argument and comes back in every event, which settles doubt.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, ClassVar

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_settings import BaseSettings
from sendgrid.helpers.eventwebhook import EventWebhook  # type: ignore[import-untyped]
from sendgrid.helpers.mail import CustomArg, From, Mail, To  # type: ignore[import-untyped]
from sendgrid.helpers.mail.exceptions import ApiKeyIncludedException  # type: ignore[import-untyped]

from orderack.clients.email_address import one_address
from orderack.clients.http import BaseUrl, Clock, Http, utc_now
from orderack.clients.wire import read, scrub, within
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config
from orderack.touches import What
from orderack.touches.reported import reported

_PREFIX = "ORDERACK_SENDGRID_EMAIL_"
KEY_ARGUMENT = "orderack_key"
"""No buyer's data goes here: custom arguments are stored by SendGrid and cannot be redacted."""
NEEDED_SCOPE = "mail.send"
WINDOW = timedelta(minutes=10)
SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

VENDOR_EVENT = MappingProxyType(
    {
        "processed": (EvidenceEvent.ACCEPTED, Grade.E1),
        "deferred": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "bounce": (EvidenceEvent.BOUNCED, None),
        "dropped": (EvidenceEvent.BOUNCED, None),
        "open": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "click": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "spamreport": (EvidenceEvent.OPTED_OUT, None),
        "unsubscribe": (EvidenceEvent.OPTED_OUT, None),
        "group_unsubscribe": (EvidenceEvent.OPTED_OUT, None),
        # says nothing of a message that was sent
        "group_resubscribe": (EvidenceEvent.OPTED_IN, None),
    }
)
TOUCHED = MappingProxyType({"open": What.PIXEL, "click": What.PAGE})
"""Events of SendGrid's own tracking, judged as our own touches are."""
NOT_VOUCHED_FOR = "sg_machine_open"
"""An open that SendGrid flags as a machine's (it knows Apple's only), or does not vouch for."""

REFUSED_STATUS = MappingProxyType({400: Reason.OTHER, 413: Reason.TOO_LONG})
REFUSED_FIELD = (
    (re.compile(r"^personalizations(\.\d+)?\.(to|cc|bcc)\b"), Reason.BAD_RECIPIENT),
    (re.compile(r"^(content|subject)\b"), Reason.CONTENT),
)


def _public_key(text: str) -> str:
    try:
        EventWebhook(text)
    except ValueError:
        raise ValueError("not the base64 public key that SendGrid shows") from None
    return text


class SendgridSettings(BaseSettings):
    """`ORDERACK_SENDGRID_EMAIL_…`"""

    model_config = settings_config(_PREFIX)

    api_key: SecretStr = Field(description="API key with the Mail Send permission")
    sender: str = Field(description="a verified sender's address")
    sender_name: str | None = Field(default=None, description="the name shown beside the sender's address")
    webhook_public_key: Annotated[str, AfterValidator(_public_key)] = Field(
        description="verification key of the signed event webhook"
    )
    base_url: BaseUrl = Field(
        default="https://api.sendgrid.com", description="https://api.eu.sendgrid.com for EU accounts, or the sandbox"
    )


class _ErrorItem(BaseModel):
    field: str | None = None


class _ErrorBody(BaseModel):
    errors: tuple[_ErrorItem, ...] = ()


def _cut(text: object) -> object:
    return text[:500] if isinstance(text, str) else text


Kept = Annotated[str, BeforeValidator(_cut)]


class _Event(BaseModel):
    model_config = ConfigDict(extra="allow")

    event: str = Field(max_length=100)
    timestamp: int = Field(ge=0, le=253_402_300_799)
    sg_event_id: Annotated[str, StringConstraints(strip_whitespace=True, max_length=150)] | None = None
    sg_message_id: str | None = Field(default=None, max_length=300)
    sg_machine_open: bool | None = None
    useragent: Kept | None = None
    ip: Kept | None = None
    orderack_key: str | None = Field(default=None, max_length=1_000)


_EVENTS: TypeAdapter[list[dict[str, JsonValue]]] = TypeAdapter(list[dict[str, JsonValue]])


class _Scopes(BaseModel):
    scopes: tuple[str, ...]


def _refused_fields(response: httpx.Response) -> tuple[str, ...]:
    try:
        errors = _ErrorBody.model_validate_json(response.content).errors
    except ValidationError:
        return ()
    return tuple(scrub(item.field) for item in errors if item.field)


class SendgridEmail:
    """One message to one address."""

    name: ClassVar[str] = "sendgrid_email"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.EMAIL,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E3P,
        idempotency=Idempotency.ECHO,
        html=True,
        rate_per_second=50.0,
    )

    def __init__(self, settings: SendgridSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        login = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
        self._http = Http("SendGrid", settings.base_url, headers=login, clock=clock)
        self._reads = Http("SendGrid", settings.base_url, headers=login, repeatable=True, clock=clock)
        self._webhook = EventWebhook(settings.webhook_public_key)

    async def send(self, message: Message) -> Sent:
        """POST /v3/mail/send. The id is in the header X-Message-Id; the body of a 202 is empty."""
        response = await self._http.send(
            "POST", "/v3/mail/send", content=self._body(message), headers={"Content-Type": "application/json"}
        )
        if response.status_code == httpx.codes.ACCEPTED:
            return Sent(provider_id=response.headers.get("x-message-id"))
        if response.is_success:
            raise InDoubt(f"SendGrid answered {response.status_code}, which it does not document")
        raise self._refusal(response)

    def _body(self, message: Message) -> bytes:
        try:
            mail = Mail(
                from_email=From(self._settings.sender, self._settings.sender_name),
                to_emails=To(one_address(message.recipient)),
                subject=" ".join(message.content.subject.split()) or message.kind.value,
                plain_text_content=message.content.text,
                html_content=message.content.html,
            )
        except ApiKeyIncludedException:
            raise Refused("the library refuses text that looks like an API key", Reason.CONTENT) from None
        mail.custom_arg = CustomArg(KEY_ARGUMENT, message.key_text)
        return json.dumps(mail.get(), separators=(",", ":"), sort_keys=True).encode()

    def _refusal(self, response: httpx.Response) -> Refused:
        """Our words for a 4xx. Raises Misconfigured where the key, the sender or the URL is at fault."""
        self._http.ours_to_mend(response, f"{_PREFIX}API_KEY, {_PREFIX}SENDER and {_PREFIX}BASE_URL")
        fields = _refused_fields(response)
        if any(field == "from" or field.startswith("from.") for field in fields):
            raise Misconfigured(f"SendGrid refuses the sender: check {_PREFIX}SENDER")
        named = [reason for field in fields for pattern, reason in REFUSED_FIELD if pattern.match(field)]
        reason = named[0] if named else REFUSED_STATUS.get(response.status_code, Reason.OTHER)
        code = f"{response.status_code} {fields[0] if fields else ''}".strip()
        return Refused(f"SendGrid refused the message ({code})", reason, code)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Not without the paid Email Activity add-on; events echo the key instead."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """The key's own scopes: it has to be allowed to send."""
        response = await self._reads.send("GET", "/v3/scopes")
        if not response.is_success:
            raise Misconfigured(f"SendGrid answered {response.status_code}: check {_PREFIX}API_KEY and _BASE_URL")
        if NEEDED_SCOPE not in self._reads.read(_Scopes, response).scopes:
            raise Misconfigured(f"the key lacks the permission {NEEDED_SCOPE}: check {_PREFIX}API_KEY")
        return "the key may send mail"

    async def verify(self, request: RawRequest) -> None:
        """ECDSA over timestamp and raw body; older or newer than ten minutes is refused (SendGrid sets no limit)."""
        timestamp, signature = request.headers.get(TIMESTAMP, ""), request.headers.get(SIGNATURE, "")
        try:
            # base64 can spell the same bytes in several ways; only the one that encoders write is accepted
            spelled = base64.b64encode(base64.b64decode(signature, validate=True)).decode()
            genuine = spelled == signature and self._webhook.verify_signature(
                request.body.decode("utf-8"), signature, timestamp
            )
        except ValueError:  # not base64, or not UTF-8
            genuine = False
        if not genuine:
            raise BadSignature("the SendGrid signature does not fit")
        within(timestamp, self._http.clock(), WINDOW)

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """One event per item of the array, in its order; an item that cannot be read is kept as UNKNOWN."""
        return [self._event(item) for item in read(_EVENTS, request.body)]

    def _event(self, item: dict[str, JsonValue]) -> ChannelEvent:
        raw = json.dumps(item, sort_keys=True)
        digest = hashlib.sha256(raw.encode()).hexdigest()
        try:
            event = _Event.model_validate(item)
        except ValidationError:
            return ChannelEvent(
                id=digest,
                event=EvidenceEvent.UNKNOWN,
                grade=None,
                occurred_at=self._http.clock(),
                basis=f"{self.name}:unreadable",
                raw=raw[:2_000],
            )
        meaning, grade = VENDOR_EVENT.get(event.event, (EvidenceEvent.UNKNOWN, None))
        at = datetime.fromtimestamp(event.timestamp, UTC)
        machine = _machine(event, at)
        if machine:
            meaning, grade = EvidenceEvent.MACHINE_TOUCH, Grade.M
        return ChannelEvent(
            id=event.sg_event_id or digest,
            event=meaning,
            grade=grade,
            key=event.orderack_key,
            provider_id=event.sg_message_id.split(".")[0] if event.sg_message_id else None,
            occurred_at=at,
            basis=f"{self.name}:{event.event}",
            raw=raw[:2_000],
            machine=machine,
        )

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._http.aclose()
        await self._reads.aclose()


def _machine(event: _Event, at: datetime) -> tuple[str, ...]:
    """Why an open or a click counts as a machine's, from the event alone: of its company SendGrid tells nothing."""
    what = TOUCHED.get(event.event)
    if what is None:
        return ()
    reasons = reported(what, at, address=event.ip, user_agent=event.useragent)
    vouched = what is not What.PIXEL or event.sg_machine_open is False
    return reasons if vouched else (*reasons, NOT_VOUCHED_FOR)


CHANNEL: ChannelSpec = ChannelSpec(
    description="E-mail through SendGrid",
    obtain="SendGrid: Settings > API Keys; Sender Authentication; Mail Settings > Event Webhook (signed)",
    settings=SendgridSettings,
    make=lambda: SendgridEmail(SendgridSettings()),
    adapter=SendgridEmail,
    webhook="Mail Settings > Event Webhook: this URL, signature verification on, and these events: processed, "
    "deferred, delivered, bounced, dropped, opened, clicked, spam reports, unsubscribes",
    traps=(
        "An open proves little: Apple's and Google's proxies open mail that nobody reads, so it counts as a person's "
        "only where nothing speaks for a machine.",
        "A sender that is not verified refuses every message, not only this one.",
        "There is no key against sending twice: a send in doubt is settled by its own events, which carry our key.",
        "An address on SendGrid's suppression list is accepted and then dropped; only the webhook says so.",
    ),
)
