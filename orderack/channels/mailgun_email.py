"""E-mail through Mailgun (POST /v3/{domain}/messages), multipart as its description has it.

No idempotency key exists (messaging.md §3): our key travels as a user variable and comes back in every event, which
settles doubt. A Message-ID of our own would settle nothing: the events list filters by the id "returned by the messages
API" only, and it lags, so that not to find a message proves nothing. Facts: Mailgun's OpenAPI description, R184.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import formataddr
from types import MappingProxyType
from typing import Annotated, ClassVar

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, StringConstraints, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.email_address import one_address
from orderack.clients.http import NO_HEADERS, BaseUrl, Clock, Http, segment, utc_now
from orderack.clients.wire import MOST_UNPROVED, read, same, within
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, InDoubt, InvalidInput, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config
from orderack.touches import What
from orderack.touches.reported import reported

_PREFIX = "ORDERACK_MAILGUN_EMAIL_"
KEY_VARIABLE = "orderack_key"
"""No buyer's data goes here: user variables are kept with Mailgun's events."""
WINDOW = timedelta(minutes=10)
USER = "api"

VENDOR_EVENT = MappingProxyType(
    {
        "accepted": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "failed": (EvidenceEvent.BOUNCED, None),
        "rejected": (EvidenceEvent.BOUNCED, None),
        "opened": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "clicked": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "unsubscribed": (EvidenceEvent.OPTED_OUT, None),
        "complained": (EvidenceEvent.OPTED_OUT, None),
        # a mail that came to Mailgun, kept there: says nothing of one of ours
        "stored": (EvidenceEvent.UNKNOWN, None),
    }
)
TEMPORARY = "temporary"
"""The severity of a failure after which Mailgun tries again."""
SUPPRESSED = MappingProxyType(
    {
        "suppress-unsubscribe": EvidenceEvent.OPTED_OUT,
        "suppress-complaint": EvidenceEvent.OPTED_OUT,
    }
)
"""Why a mail failed that Mailgun did not even try to deliver: they had opted out before."""
TOUCHED = MappingProxyType({"opened": What.PIXEL, "clicked": What.PAGE})
"""Events of Mailgun's own tracking, judged as our own touches are."""
BOT = "mailgun_bot"
"""Mailgun itself calls the client a machine's (`apple`, `gmail`, `generic`)."""

REFUSED_STATUS = MappingProxyType({413: Reason.TOO_LONG})
REFUSED_SENTENCE = (
    (re.compile(r"^'?to'? parameter|to parameter is not a valid|recipient", re.IGNORECASE), Reason.BAD_RECIPIENT),
    (re.compile(r"'text', 'html'|subject", re.IGNORECASE), Reason.CONTENT),
    (re.compile(r"limited to 16\s?KB|too large", re.IGNORECASE), Reason.TOO_LONG),
)
"""In the sentence of a refusal, which is all that Mailgun gives; the first that fits."""
OURS_TO_MEND = re.compile(
    r"^'?from'? parameter|from parameter is (missing|not)|not allowed to send|unverified|sandbox subdomains|"
    r"authorized recipients|account (is )?(disabled|suspended)|domain not found",
    re.IGNORECASE,
)
"""In the same sentence: no other message would fare better."""
WAIT = re.compile(r"try again (?:after|in) (\d{1,6}) (second|minute|hour)", re.IGNORECASE)
"""Mailgun's form of Retry-After."""


class MailgunSettings(BaseSettings):
    """`ORDERACK_MAILGUN_EMAIL_…`"""

    model_config = settings_config(_PREFIX)

    api_key: SecretStr = Field(description="an API key; a domain's sending key sends too, but cannot be checked")
    domain: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{3,253}$")] = Field(
        description="the verified sending domain, e.g. mg.shop.example"
    )
    sender: str = Field(description="the sender's address, on that domain")
    sender_name: str | None = Field(default=None, description="the name shown beside the sender's address")
    webhook_signing_key: SecretStr = Field(description="HTTP webhook signing key; it is not the API key")
    base_url: BaseUrl = Field(
        default="https://api.mailgun.net", description="https://api.eu.mailgun.net for EU domains, or the sandbox"
    )


class _Accepted(BaseModel):
    id: str = Field(min_length=3, max_length=500)


class _Error(BaseModel):
    message: str = ""


class _Domain(BaseModel):
    state: str
    is_disabled: bool = False


class _Domains(BaseModel):
    domain: _Domain


class _Signature(BaseModel):
    timestamp: str = Field(max_length=20)
    token: str = Field(min_length=1, max_length=200)
    signature: str = Field(max_length=200)


class _Client(BaseModel):
    user_agent: str | None = Field(default=None, alias="user-agent")
    bot: str = ""


class _Headers(BaseModel):
    message_id: str | None = Field(default=None, alias="message-id", max_length=500)


class _Mail(BaseModel):
    headers: _Headers = _Headers.model_validate({})


class _Event(BaseModel):
    event: str = Field(min_length=1, max_length=100)
    id: str = Field(min_length=1, max_length=150)
    timestamp: float = Field(ge=0, le=253_402_300_799, allow_inf_nan=False)
    recipient: str | None = Field(default=None, max_length=1_000)
    severity: str = Field(default="", max_length=100)
    reason: str = Field(default="", max_length=100)
    ip: str | None = None
    client: _Client = Field(default_factory=lambda: _Client.model_validate({}), alias="client-info")
    message: _Mail = _Mail()
    variables: Mapping[str, JsonValue] = Field(default={}, alias="user-variables")

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp, UTC)

    @property
    def key(self) -> str | None:
        key = self.variables.get(KEY_VARIABLE)
        return key[:2_000] if isinstance(key, str) else None

    @property
    def words(self) -> Sequence[str]:
        return tuple(word for word in (self.event, self.severity, self.reason) if word)


class _Post(BaseModel):
    signature: _Signature
    event: dict[str, JsonValue] = Field(alias="event-data")


_POST = TypeAdapter(_Post)


class MailgunEmail:
    """One message to one address."""

    name: ClassVar[str] = "mailgun_email"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.EMAIL,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E3P,
        idempotency=Idempotency.ECHO,
        html=True,
        rate_per_second=20.0,
    )

    def __init__(self, settings: MailgunSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http("Mailgun", settings.base_url, clock=clock, own_wait=_wait)
        self._reads = Http("Mailgun", settings.base_url, repeatable=True, clock=clock, own_wait=_wait)

    async def send(self, message: Message) -> Sent:
        """POST /v3/{domain}/messages. `provider_id` is the Message-ID without its brackets, as every event has it."""
        kind, body = _multipart(self._fields(message))
        path = f"/v3/{segment(self._settings.domain)}/messages"
        response = await self._call(self._http, "POST", path, body, {"Content-Type": kind})
        if response.status_code == httpx.codes.OK:
            return Sent(provider_id=self._http.read(_Accepted, response).id.strip("<> "))
        if response.is_success:
            raise InDoubt(f"Mailgun answered {response.status_code}, which it does not document")
        raise self._refusal(response)

    def _fields(self, message: Message) -> Mapping[str, str]:
        own, content = self._settings, message.content
        return {
            "from": formataddr((own.sender_name or "", own.sender)),
            "to": one_address(message.recipient),
            "subject": " ".join(content.subject.split()) or message.kind.value,
            "text": content.text,
            **({"html": content.html} if content.html else {}),
            f"v:{KEY_VARIABLE}": message.key_text,
        }

    async def _call(
        self, http: Http, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> httpx.Response:
        login = (USER, self._settings.api_key.get_secret_value())
        return await http.send(method, path, content=body, headers=headers, auth=login)

    def _refusal(self, response: httpx.Response) -> Refused | Unavailable | Misconfigured:
        """Our words for a 4xx. Mailgun's own sentence is read and dropped: it repeats addresses."""
        sentence = _sentence(response)
        if (wait := _wait(response)) is not None:
            return Unavailable(f"Mailgun is limiting our rate ({response.status_code})", wait)
        if OURS_TO_MEND.search(sentence):
            return Misconfigured(
                f"Mailgun refuses the sender ({response.status_code}): check {_PREFIX}DOMAIN and {_PREFIX}SENDER"
            )
        self._http.ours_to_mend(response, f"{_PREFIX}API_KEY, {_PREFIX}DOMAIN and {_PREFIX}BASE_URL (EU or US)")
        named = (reason for pattern, reason in REFUSED_SENTENCE if pattern.search(sentence))
        reason = next(named, REFUSED_STATUS.get(response.status_code, Reason.OTHER))
        return Refused(f"Mailgun refused the message ({response.status_code})", reason, str(response.status_code))

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """The events list cannot be asked for our key; events echo it instead."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """GET /v4/domains/{name}: whether the domain may send."""
        response = await self._call(self._reads, "GET", f"/v4/domains/{segment(self._settings.domain)}")
        if not response.is_success:
            raise self._refusal(response)
        domain = self._reads.read(_Domains, response).domain
        if domain.state != "active" or domain.is_disabled:
            raise Misconfigured(
                f"Mailgun calls the domain {domain.state[:50]}, so it may not send: see {_PREFIX}DOMAIN"
            )
        return f"the domain {self._settings.domain} is active"

    async def verify(self, request: RawRequest) -> None:
        """HMAC-SHA256 over time and token, at most ten minutes old. It does not cover the event: TLS has to."""
        if len(request.body) > MOST_UNPROVED:
            raise BadSignature("no post of Mailgun's is so large")
        try:
            given = read(_POST, request.body).signature
        except InvalidInput:
            raise BadSignature("there is no Mailgun signature in the body") from None
        key = self._settings.webhook_signing_key.get_secret_value().encode()
        signed = f"{given.timestamp}{given.token}".encode("utf-8", "replace")
        if not same(hmac.new(key, signed, hashlib.sha256).hexdigest(), given.signature):
            raise BadSignature("the Mailgun signature does not fit")
        within(given.timestamp, self._http.clock(), WINDOW)

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The one event in a post; one that cannot be read is kept as UNKNOWN."""
        item = read(_POST, request.body).event
        raw = json.dumps(item, sort_keys=True)
        try:
            event = _Event.model_validate(item)
        except ValidationError:
            return [self._unreadable(raw)]
        machine = _machine(event)
        meaning, grade = (EvidenceEvent.MACHINE_TOUCH, Grade.M) if machine else _meaning(event)
        return [
            ChannelEvent(
                id=event.id,
                event=meaning,
                grade=grade,
                key=event.key,
                provider_id=event.message.headers.message_id,
                occurred_at=event.at,
                basis=":".join((self.name, *event.words)),
                raw=raw[:2_000],
                sender=event.recipient if meaning is EvidenceEvent.OPTED_OUT else None,
                machine=machine,
            )
        ]

    def _unreadable(self, raw: str) -> ChannelEvent:
        return ChannelEvent(
            id=hashlib.sha256(raw.encode("utf-8", "replace")).hexdigest(),
            event=EvidenceEvent.UNKNOWN,
            grade=None,
            occurred_at=self._http.clock(),
            basis=f"{self.name}:unreadable",
            raw=raw[:2_000],
        )

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._http.aclose()
        await self._reads.aclose()


def _meaning(event: _Event) -> tuple[EvidenceEvent, Grade | None]:
    if event.event == "failed" and event.severity == TEMPORARY:
        return EvidenceEvent.ACCEPTED, Grade.E1
    if event.event == "failed" and event.reason in SUPPRESSED:
        return SUPPRESSED[event.reason], None
    return VENDOR_EVENT.get(event.event, (EvidenceEvent.UNKNOWN, None))


def _machine(event: _Event) -> tuple[str, ...]:
    what = TOUCHED.get(event.event)
    if what is None:
        return ()
    reasons = reported(what, event.at, address=event.ip, user_agent=event.client.user_agent)
    return (*reasons, BOT) if event.client.bot else reasons


def _multipart(fields: Mapping[str, str]) -> tuple[str, bytes]:
    """Content type and body. The boundary comes of the content: the same message makes the same bytes."""
    digest = hashlib.sha256(json.dumps(fields).encode()).hexdigest()
    kind = f"multipart/form-data; boundary={digest}"
    parts = [(name, (None, value)) for name, value in fields.items()]
    return kind, httpx.Request("POST", "http://multipart", headers={"Content-Type": kind}, files=parts).read()


def _sentence(response: httpx.Response) -> str:
    try:
        return _Error.model_validate_json(response.content).message
    except ValidationError:
        return ""


def _wait(response: httpx.Response) -> timedelta | None:
    found = WAIT.search(_sentence(response))
    return timedelta(**{f"{found[2].lower()}s": int(found[1])}) if found else None


CHANNEL: ChannelSpec = ChannelSpec(
    description="E-mail through Mailgun",
    obtain="Mailgun: Account settings > API security (API key, HTTP webhook signing key); Sending > Domains",
    settings=MailgunSettings,
    make=lambda: MailgunEmail(MailgunSettings()),
    adapter=MailgunEmail,
    webhook="Sending > Webhooks, for the domain: this URL for accepted, delivered, permanent and temporary failure, "
    "opens, clicks, unsubscribes and spam complaints.",
    traps=(
        "A 200 means queued, not sent: whether a server took the mail, only a later event tells.",
        "A domain lives in the EU or in the US; asked in the other region, Mailgun says that it is unknown (404).",
        "The signature vouches for the sender and not for the event, so the URL must be https and kept to yourself.",
        "Mailgun's lists of unsubscribed and complaining addresses stop a mail silently; it comes back as an opt-out.",
    ),
)
