"""E-mail through Amazon SES (API v2 SendEmail), signed by SigV4; its events come by Amazon SNS.

No idempotency key exists (messaging.md §14): our key travels in message tags and comes back in every event, which
settles doubt. Tag values are letters, digits, `_` and `-`, at most 256 of them, so the key goes as unpadded base64url,
over several tags where it is long. Facts: botocore's service model of `sesv2` (2019-09-27), R204.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import formataddr
from types import MappingProxyType
from typing import Annotated, ClassVar, Self, TypeVar

import httpx
from pydantic import (
    BaseModel,
    Field,
    JsonValue,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings

from orderack.channels._ses_events import reported_by, tags_of
from orderack.clients import sigv4
from orderack.clients.email_address import one_address
from orderack.clients.http import NO_HEADERS, BaseUrl, Clock, Http, segment, utc_now
from orderack.clients.sigv4 import SigV4
from orderack.clients.sns import NOTIFICATION, SUBSCRIPTION, Sns, TopicArn, read_post
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.errors import InDoubt, InvalidInput, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Greeting, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_SES_EMAIL_"
SEND = "/v2/email/outbound-emails"
ACCOUNT = "/v2/email/account"

REFUSED_CODE = MappingProxyType({"MessageRejected": Reason.CONTENT, "BadRequestException": Reason.OTHER})
BAD_ADDRESS = re.compile(
    r"illegal (address|character)|missing (final|start|end)|(local|domain) (name|part|address)", re.I
)
"""In the sentence of a BadRequestException: the recipient's address, which is the only one that varies."""
OURS_TO_MEND = MappingProxyType(
    {
        "AccountSuspendedException": "SES has suspended the account",
        "SendingPausedException": "sending is paused for the account or the configuration set",
        "MailFromDomainNotVerifiedException": "the MAIL FROM domain is not verified",
        "AccessDeniedException": "the key may not do this",
        "UnrecognizedClientException": "the access key is unknown",
        "InvalidClientTokenId": "the access key is unknown",
        "SignatureDoesNotMatch": "the secret key or the clock is wrong",
        "InvalidSignatureException": "the secret key or the clock is wrong",
        "IncompleteSignature": "the key cannot be sent as it is set",
        "ExpiredTokenException": "the session token has expired",
        "RequestExpired": "this machine's clock is wrong",
        "NotFoundException": "there is no such configuration set",
    }
)
NOT_VERIFIED = re.compile(r"not verified", re.IGNORECASE)
"""In the sentence of a MessageRejected: the sender, or any recipient while the account is in SES's sandbox."""
NOT_NOW = frozenset({"LimitExceededException", "ThrottlingException", "Throttling", "TooManyRequestsException"})


M = TypeVar("M", bound=BaseModel)


class SesSettings(BaseSettings):
    """`ORDERACK_SES_EMAIL_…`"""

    model_config = settings_config(_PREFIX)

    access_key_id: Annotated[str, StringConstraints(pattern=r"^\w{16,128}$")] = Field(
        description="access key of an IAM user that may ses:SendEmail"
    )
    secret_access_key: SecretStr = Field(description="that access key's secret")
    session_token: SecretStr | None = Field(default=None, description="with temporary credentials: their token")
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d{1,2}$")] = Field(
        description="the AWS region in which the sender is verified, e.g. eu-central-1"
    )
    sender: str = Field(description="a verified sender's address")
    sender_name: str | None = Field(default=None, description="the name shown beside the sender's address")
    configuration_set: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        description="the configuration set that publishes events to the topic; without one there are none"
    )
    sns_topic_arn: TopicArn = Field(description="ARN of the SNS topic that the configuration set publishes to")
    base_url: BaseUrl | None = Field(
        default=None, description="another endpoint than https://email.<region>.amazonaws.com, or the sandbox"
    )
    sns_base_url: BaseUrl | None = Field(
        default=None, description="the sandbox's address in tests; else SNS in the topic's region answers"
    )

    @model_validator(mode="after")
    def _can_sign(self) -> Self:
        if not sigv4.available():
            raise ValueError("not configured: install orderack[ses]")
        token = self.session_token.get_secret_value() if self.session_token else ""
        if not (token.isascii() and (token.isprintable())):
            raise ValueError(f"{_PREFIX}SESSION_TOKEN has characters that no header can carry")
        return self

    @property
    def endpoint(self) -> str:
        """Where SES answers."""
        ending = ".cn" if self.region.startswith("cn-") else ""
        return self.base_url or f"https://email.{self.region}.amazonaws.com{ending}"


class _Accepted(BaseModel):
    MessageId: str = Field(min_length=1, max_length=200)


class _Error(BaseModel):
    message: str | None = None
    Message: str | None = None
    type: str | None = Field(default=None, alias="__type")
    code: str | None = None


class _Quota(BaseModel):
    Max24HourSend: float = 0
    MaxSendRate: float = 0


class _Account(BaseModel):
    SendingEnabled: bool
    ProductionAccessEnabled: bool = False
    SendQuota: _Quota = _Quota()


class _SnsDestination(BaseModel):
    TopicArn: str = ""


class _Destination(BaseModel):
    Enabled: bool = False
    SnsDestination: _SnsDestination = _SnsDestination()


class _Destinations(BaseModel):
    EventDestinations: tuple[_Destination, ...] = ()


class SesEmail:
    """One message to one address."""

    name: ClassVar[str] = "ses_email"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.EMAIL,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E3P,
        idempotency=Idempotency.ECHO,
        html=True,
        rate_per_second=14.0,
    )

    def __init__(self, settings: SesSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._clock = clock
        self._http = Http("Amazon SES", settings.endpoint, clock=clock)
        self._reads = Http("Amazon SES", settings.endpoint, repeatable=True, clock=clock)
        self._sns = Sns(settings.sns_topic_arn, settings.sns_base_url, clock)
        self._signer = SigV4(
            settings.access_key_id,
            settings.secret_access_key,
            settings.session_token,
            service="ses",
            region=settings.region,
            clock=clock,
        )

    async def send(self, message: Message) -> Sent:
        """POST /v2/email/outbound-emails. `provider_id` is the MessageId, which every event repeats."""
        body = self._body(message)
        headers = self._signed("POST", SEND, {"Content-Type": "application/json"}, body)
        response = await self._http.send("POST", SEND, content=body, headers=headers)
        if response.status_code == httpx.codes.OK:
            return Sent(provider_id=self._http.read(_Accepted, response).MessageId)
        if response.is_success:
            raise InDoubt(f"Amazon SES answered {response.status_code}, which it does not document")
        raise self._refusal(response)

    def _body(self, message: Message) -> bytes:
        own, content = self._settings, message.content
        parts = {"Text": _utf8(content.text)} | ({"Html": _utf8(content.html)} if content.html else {})
        subject = " ".join(content.subject.split()) or message.kind.value
        request = {
            "FromEmailAddress": formataddr((own.sender_name or "", own.sender)),
            "Destination": {"ToAddresses": [one_address(message.recipient)]},
            "Content": {"Simple": {"Subject": _utf8(subject), "Body": parts}},
            "EmailTags": [{"Name": name, "Value": value} for name, value in tags_of(message.key_text).items()],
            "ConfigurationSetName": own.configuration_set,
        }
        return json.dumps(request, separators=(",", ":"), sort_keys=True).encode()

    def _signed(
        self, method: str, path: str, headers: Mapping[str, str] = NO_HEADERS, body: bytes = b""
    ) -> Mapping[str, str]:
        return self._signer.headers(method, f"{self._settings.endpoint}{path}", headers, body)

    def _refusal(self, response: httpx.Response) -> Refused | Unavailable | Misconfigured:
        """Our words for a 4xx. SES's own sentence is read and dropped: it repeats addresses."""
        code, sentence = _error(response)
        if code in NOT_NOW:
            return Unavailable(f"Amazon SES cannot take it now ({code})")
        if code in OURS_TO_MEND:
            return Misconfigured(f"Amazon SES refuses us: {OURS_TO_MEND[code]} ({code}); check {_LOGIN}")
        if code == "MessageRejected" and NOT_VERIFIED.search(sentence):
            return Misconfigured(
                f"Amazon SES refuses the sender: verify {_PREFIX}SENDER in {_PREFIX}REGION, and ask for production "
                "access (in SES's own sandbox every recipient has to be verified too)"
            )
        self._http.ours_to_mend(response, _LOGIN)
        reason = REFUSED_CODE.get(code, Reason.OTHER)
        if code == "BadRequestException" and BAD_ADDRESS.search(sentence):
            reason = Reason.BAD_RECIPIENT
        if response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            reason = Reason.TOO_LONG
        word = f"{response.status_code} {code}".strip()
        return Refused(f"Amazon SES refused the message ({word})", reason, word)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """SES keeps no list of what was sent; events echo the key instead."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """GetAccount, and whether the configuration set publishes to our topic."""
        account = await self._read(_Account, ACCOUNT)
        if not account.SendingEnabled:
            raise Misconfigured(f"Amazon SES has paused the account's sending in {_PREFIX}REGION")
        path = f"/v2/email/configuration-sets/{segment(self._settings.configuration_set)}/event-destinations"
        found = (await self._read(_Destinations, path)).EventDestinations
        if not any(one.Enabled and one.SnsDestination.TopicArn == self._settings.sns_topic_arn for one in found):
            raise Misconfigured(
                f"{_PREFIX}CONFIGURATION_SET publishes no events to {_PREFIX}SNS_TOPIC_ARN: add it as a destination"
            )
        access = (
            "production access" if account.ProductionAccessEnabled else "SES's own sandbox, verified recipients only"
        )
        quota = account.SendQuota
        return f"{self._settings.region}: {access}; {quota.Max24HourSend:g} a day, {quota.MaxSendRate:g} a second"

    async def _read(self, model: type[M], path: str) -> M:
        response = await self._reads.send("GET", path, headers=self._signed("GET", path))
        if not response.is_success:
            raise self._refusal(response)
        return self._reads.read(model, response)

    async def greet(self, request: RawRequest) -> Greeting | None:
        """A subscription that asks to be confirmed is, once it is proved to be our topic's; one that ends is heard."""
        try:
            kind = read_post(request.body).Type
        except InvalidInput:
            return None
        if kind == NOTIFICATION:
            return None
        post = await self._sns.verify(request.body)
        if kind == SUBSCRIPTION:
            await self._sns.confirm(post)
        return Greeting(body="confirmed" if kind == SUBSCRIPTION else "heard")

    async def verify(self, request: RawRequest) -> None:
        """The topic's signature by the certificate that SNS publishes; a post older than an hour is refused."""
        await self._sns.verify(request.body)

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The one event in a notification. What SES does not document (its test message, for one) is UNKNOWN."""
        return [reported_by(self.name, read_post(request.body), self._clock())]

    async def aclose(self) -> None:
        """Close the connection pools."""
        for client in (self._http, self._reads, self._sns):
            await client.aclose()


_LOGIN = f"{_PREFIX}ACCESS_KEY_ID, {_PREFIX}SECRET_ACCESS_KEY, {_PREFIX}REGION and {_PREFIX}CONFIGURATION_SET"


def _utf8(text: str) -> Mapping[str, JsonValue]:
    return {"Data": text, "Charset": "UTF-8"}


def _error(response: httpx.Response) -> tuple[str, str]:
    """SES's code, in the header or the body, without the namespace around it; and its sentence."""
    try:
        body = _Error.model_validate_json(response.content)
    except ValidationError:
        body = _Error()
    named = response.headers.get("x-amzn-errortype") or body.type or body.code or ""
    code = named.partition(":")[0].rpartition("#")[2]
    return (code if code.isascii() and code.isalnum() else "")[:100], body.message or body.Message or ""


CHANNEL: ChannelSpec = ChannelSpec(
    description="E-mail through Amazon SES",
    obtain="AWS console: IAM > Users (access key; allow ses:SendEmail, ses:GetAccount and "
    "ses:GetConfigurationSetEventDestinations); SES > Identities (sender), Configuration sets (with an SNS event "
    "destination for all event types); SNS > Topics (ARN)",
    settings=SesSettings,
    make=lambda: SesEmail(SesSettings()),
    adapter=SesEmail,
    webhook="SNS > the topic > Create subscription: protocol HTTPS, this URL, raw message delivery off. "
    "It is confirmed by itself within seconds.",
    traps=(
        "No configuration set, no events: without one SES takes every mail and never says what became of it.",
        "A new account is in SES's own sandbox, where every recipient has to be verified first.",
        "Raw message delivery takes the signature away, so what comes by it is turned away (401).",
        "A bounce, transient or permanent, comes after SES has said yes: only Delivery proves that a server took it.",
    ),
)
