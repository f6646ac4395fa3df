"""Text messages through Vonage's SMS API (formerly Nexmo): POST rest.nexmo.com/sms/json, a form.

It answers 200 whether it worked or not: each part of the message has a status of its own. No idempotency key exists
(messaging.md §4): our key travels as `client-ref` and comes back in the delivery receipt of every part, which settles
doubt. Facts: Vonage's OpenAPI description of the SMS API, R185.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings

from orderack.clients.http import WRONG_KEY_OR_URL, BaseUrl, Clock, Http, utc_now
from orderack.clients.wire import MOST_UNPROVED, not_an_event, same, within
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.gsm import in_gsm
from orderack.domain.replies import may_mean_the_order, opts_out
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_VONAGE_SMS_"
MAX_LENGTH = 1_600
"""Characters. Our own bound, ten parts: Vonage names none, and answers 12 to what is too long for it."""
REFERENCE_LENGTH = 100
CALLBACK_LENGTH = 100
"""A longer URL is refused by Vonage (23), so it is left out: the account's own webhook gets the receipts."""
WINDOW = timedelta(minutes=10)
MAX_FIELDS = 100

VENDOR_STATUS = MappingProxyType(
    {
        "accepted": (EvidenceEvent.ACCEPTED, Grade.E1),
        "buffered": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "expired": (EvidenceEvent.BOUNCED, None),
        "failed": (EvidenceEvent.BOUNCED, None),
        "rejected": (EvidenceEvent.BOUNCED, None),
        "unknown": (EvidenceEvent.UNKNOWN, None),
    }
)
ACCEPTED = "0"
REFUSED_STATUS = MappingProxyType(
    {
        "2": Reason.OTHER,
        "3": Reason.OTHER,
        "6": Reason.BAD_RECIPIENT,
        "7": Reason.BLOCKED,
        "12": Reason.TOO_LONG,
        "22": Reason.OTHER,
        "33": Reason.BAD_RECIPIENT,
    }
)
OURS_TO_MEND = MappingProxyType(
    {
        "4": "the key or its secret is wrong",
        "8": "Vonage has barred the account",
        "9": "the account has no credit left",
        "11": "the account may not use the SMS API",
        "14": "the request's signature is wrong",
        "15": "the sender is not allowed in the recipient's country",
        "23": "it takes no such callback address",
        "29": "the account is in demo mode and sends to its own test numbers only",
        "32": "the account wants signed requests",
    }
)
NOT_NOW = frozenset({"1", "10"})
IN_DOUBT = frozenset({"5"})
"""Vonage broke down "whilst processing this message": it may have gone out."""
PARAMETER = re.compile(r"(?:missing|parameter:?)\s+'?(?:the\s+)?([a-z_-]+)", re.IGNORECASE)
"""In the sentence of a 2 or a 3: which field is missing or not valid."""
REFUSED_PARAMETER = MappingProxyType({"to": Reason.BAD_RECIPIENT, "text": Reason.CONTENT, "type": Reason.CONTENT})
OUR_PARAMETER = frozenset({"from", "api_key", "api_secret", "username", "password", "callback"})

OPTS_IN = frozenset({"start", "unstop"})
NO_WORDS = "(a picture or a file, without a word)"
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_HASHED = re.compile(r"sha256:[0-9a-f]{64}")


class Signing(StrEnum):
    """How the account signs its webhooks (dashboard: API settings > Signature method)."""

    MD5HASH = "md5hash"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA512 = "sha512"


def _sender(text: str) -> str:
    sender = text.removeprefix("+")
    if not re.fullmatch(r"\d{3,15}|[A-Za-z0-9 ]{1,11}", sender):
        raise ValueError("neither a number in E.164 nor at most eleven letters and digits")
    return sender


class VonageSettings(BaseSettings):
    """`ORDERACK_VONAGE_SMS_…`"""

    model_config = settings_config(_PREFIX)

    api_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{8}$")] = Field(description="the API key")
    api_secret: SecretStr = Field(description="the API secret")
    sender: Annotated[str, AfterValidator(_sender)] = Field(
        description="a number of yours, or up to eleven letters and digits where the country allows it"
    )
    signature_secret: SecretStr = Field(description="the signature secret, which signs what Vonage posts to us")
    signature_method: Signing = Field(
        default=Signing.SHA256, description="md5hash, md5, sha1, sha256 or sha512, as in the dashboard"
    )
    base_url: BaseUrl = Field(default="https://rest.nexmo.com", description="the sandbox's address in tests")


class _Part(BaseModel):
    status: str = Field(min_length=1, max_length=20)
    message_id: str | None = Field(default=None, alias="message-id", max_length=200)
    error_text: str = Field(default="", alias="error-text")


class _Answer(BaseModel):
    messages: tuple[_Part, ...] = Field(min_length=1)


class _Balance(BaseModel):
    value: float


class VonageSms:
    """One text message to one number, in as many parts as it needs."""

    name: ClassVar[str] = "vonage_sms"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.SMS,
        audience=Audience.BUYER,
        address="phone",
        evidence_ceiling=Grade.E2,
        idempotency=Idempotency.ECHO,
        max_length=MAX_LENGTH,
        replies=True,
        rate_per_second=30.0,
    )

    def __init__(self, settings: VonageSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http("Vonage", settings.base_url, clock=clock)
        self._reads = Http("Vonage", settings.base_url, repeatable=True, clock=clock)

    async def send(self, message: Message) -> Sent:
        """POST /sms/json. `provider_id` is the id of the first part taken; `detail` says how many there are.

        Where some parts were taken and others not, the message is accepted and never sent again.
        """
        form = self._form(message)
        response = await self._http.send(
            "POST",
            "/sms/json",
            content=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        if not response.is_success:
            self._http.ours_to_mend(response, f"{_PREFIX}API_KEY and {_PREFIX}BASE_URL")
            raise Refused(f"Vonage refused the message ({response.status_code})", code=str(response.status_code))
        parts = self._http.read(_Answer, response).messages
        taken = [part for part in parts if part.status == ACCEPTED]
        if not taken:
            raise _fate(parts)
        if not taken[0].message_id:
            raise InDoubt("Vonage answered without a message id")
        return _sent(form["client-ref"], taken[0].message_id, parts)

    def _form(self, message: Message) -> Mapping[str, str]:
        text = message.content.sms or message.content.text
        if len(text) > MAX_LENGTH:
            raise Unsupported("max_length")
        if not _E164.fullmatch(message.recipient):
            raise Refused("the recipient is not a phone number in E.164", Reason.BAD_RECIPIENT)
        own, callback = self._settings, message.status_url or ""
        return {
            "api_key": own.api_key,
            "api_secret": own.api_secret.get_secret_value(),
            "from": own.sender,
            "to": message.recipient.removeprefix("+"),
            "text": text,
            "type": "text" if in_gsm(text) else "unicode",
            "client-ref": _reference(message.key_text),
            **({"callback": callback} if 0 < len(callback) <= CALLBACK_LENGTH else {}),
        }

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Nothing finds a message by our reference; its receipts echo it instead."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """GET /account/get-balance."""
        login = (self._settings.api_key, self._settings.api_secret.get_secret_value())
        response = await self._reads.send("GET", "/account/get-balance", auth=login)
        if not response.is_success:
            word = f"Vonage answered {response.status_code}"
            if response.status_code in WRONG_KEY_OR_URL:
                raise Misconfigured(f"{word}: check {_PREFIX}API_KEY, {_PREFIX}API_SECRET and {_PREFIX}BASE_URL")
            raise Unavailable(word)
        return f"signed in; {self._reads.read(_Balance, response).value:.2f} EUR of credit"

    async def verify(self, request: RawRequest) -> None:
        """The account's signature over all fields of the query, the form or the JSON; ten minutes old at most."""
        try:
            fields = _fields(request)
        except ValueError:
            raise BadSignature("nothing that Vonage could have signed") from None
        secret = self._settings.signature_secret.get_secret_value()
        right = _signature(self._settings.signature_method, secret, fields)
        if not same(right, fields.get("sig", "").lower()):
            raise BadSignature("the Vonage signature does not fit")
        within(fields.get("timestamp", ""), self._http.clock(), WINDOW)

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The one receipt of one part, or the one message that somebody wrote to our number."""
        try:
            fields = _fields(request)
        except ValueError:
            fields = {}
        if (message_id := fields.get("messageId")) and fields.get("status"):
            return [self._receipt(fields, message_id, request)]
        if message_id and fields.get("msisdn") and (fields.get("type") or "text" in fields):
            return [self._reply(fields, message_id, request)]
        raise not_an_event(
            "messageId, status",
            "neither a delivery receipt nor a message to our number",
            "point the account's webhooks for delivery receipts and inbound SMS at this URL, and nothing else",
        )

    def _receipt(self, fields: Mapping[str, str], message_id: str, request: RawRequest) -> ChannelEvent:
        """Each part reports by itself under an id of its own: our reference finds the message for all of them."""
        status, code, reference = fields["status"], fields.get("err-code", ""), fields.get("client-ref", "")
        meaning, grade = VENDOR_STATUS.get(status, (EvidenceEvent.UNKNOWN, None))
        hashed = _HASHED.fullmatch(reference) is not None
        return ChannelEvent(
            id=_event_id(message_id, status),
            event=meaning,
            grade=grade,
            key=None if hashed else reference[:REFERENCE_LENGTH] or None,
            provider_id=reference if hashed else message_id[:200],
            occurred_at=self._time(fields),
            basis=":".join((self.name, status[:100], *([code[:20]] if code.strip("0") else []))),
            raw=_raw(request),
        )

    def _reply(self, fields: Mapping[str, str], message_id: str, request: RawRequest) -> ChannelEvent:
        """Words from a person's handset."""
        text = fields.get("text", "")[:MAX_LENGTH]
        if fields.get("concat", "").casefold() == "true":  # a part alone must not be taken for the whole answer
            text = f"({fields.get('concat-part', '?')[:5]} of {fields.get('concat-total', '?')[:5]}) {text}"[
                :MAX_LENGTH
            ]
        if opts_out(text):
            meaning, grade, word = EvidenceEvent.OPTED_OUT, None, "stop"
            text = text if may_mean_the_order(text) else ""
        elif text.strip().casefold() in OPTS_IN:
            meaning, grade, word, text = EvidenceEvent.OPTED_IN, None, "start", ""
        else:
            meaning, grade, word = EvidenceEvent.REPLIED, Grade.E4, "reply"
        return ChannelEvent(
            id=_event_id(message_id, "reply"),
            event=meaning,
            grade=grade,
            occurred_at=self._time(fields),
            basis=f"{self.name}:{word}",
            raw=_raw(request),
            sender=f"+{fields['msisdn'].removeprefix('+')[:100]}",
            text=text or (NO_WORDS if meaning is EvidenceEvent.REPLIED else ""),
        )

    def _time(self, fields: Mapping[str, str]) -> datetime:
        """When Vonage says that it pushed this (UTC); else when it came."""
        try:
            return datetime.strptime(fields.get("message-timestamp", ""), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            return self._http.clock()

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._http.aclose()
        await self._reads.aclose()


def _reference(key: str) -> str:
    """The key as it is, or where it is too long, its hash: then that is what the ledger knows the message by."""
    return key if len(key) <= REFERENCE_LENGTH else f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def _sent(reference: str, message_id: str, parts: Sequence[_Part]) -> Sent:
    left = [part.status for part in parts if part.status != ACCEPTED]
    count = f"{len(parts)} part{'s' if len(parts) > 1 else ''}"
    detail = f"{count}, {len(left)} of them not taken (status {', '.join(left)[:100]})" if left else count
    if _HASHED.fullmatch(reference):
        return Sent(provider_id=reference, detail=f"{detail}; {message_id}")
    return Sent(provider_id=message_id, detail=detail)


def _fate(parts: Sequence[_Part]) -> InDoubt | Unavailable | Refused | Misconfigured:
    """What it means that no part was taken. Vonage's sentence is read and dropped: it may repeat the number."""
    if any(part.status in IN_DOUBT for part in parts):
        return InDoubt("Vonage broke down while it processed the message (5)")
    status = parts[0].status if parts[0].status.isascii() and parts[0].status.isalnum() else "?"
    if status in NOT_NOW:
        return Unavailable(f"Vonage is limiting our rate ({status})")
    if status in OURS_TO_MEND:
        return Misconfigured(f"Vonage refuses us: {OURS_TO_MEND[status]} ({status}); check {_LOGIN}")
    named = PARAMETER.search(parts[0].error_text) if status in {"2", "3"} else None
    parameter = named[1].lower() if named else ""
    if parameter in OUR_PARAMETER:
        return Misconfigured(f"Vonage refuses `{parameter}` ({status}): check {_LOGIN}")
    reason = REFUSED_PARAMETER.get(parameter, REFUSED_STATUS.get(status, Reason.OTHER))
    return Refused(f"Vonage refused the message ({status})", reason, status)


_LOGIN = f"{_PREFIX}API_KEY, {_PREFIX}API_SECRET and {_PREFIX}SENDER"


def _fields(request: RawRequest) -> Mapping[str, str]:
    """Query, form or JSON: the account decides which. Raises ValueError for what is none, or names a field twice."""
    if len(request.body) > MOST_UNPROVED:
        raise ValueError("too large")
    pairs = _pairs(urlsplit(request.url).query)
    if request.method.upper() == "POST":
        body = request.body.decode("utf-8")
        pairs = [*pairs, *(_json_pairs(body) if body.lstrip().startswith("{") else _pairs(body))]
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a field comes twice")
    if any("&" in name or "=" in name for name, _ in pairs):  # two fields written as one would have the same signature
        raise ValueError("no field of Vonage's has such a name")
    return dict(pairs)


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)


def _json_pairs(text: str) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=list)
    except RecursionError:
        raise ValueError("too deep") from None
    if not all(isinstance(value, str) for _, value in pairs):
        raise ValueError("a value is neither text nor a number")
    return [(name, value) for name, value in pairs]


def _signature(method: Signing, secret: str, fields: Mapping[str, str]) -> str:
    """Hex over `&name=value` in the names' order, with `&` and `=` in values as `_` (Vonage: signing messages)."""
    safe = {name: value.replace("&", "_").replace("=", "_") for name, value in fields.items() if name != "sig"}
    text = "".join(f"&{name}={safe[name]}" for name in sorted(safe))
    if method is Signing.MD5HASH:
        return hashlib.md5(f"{text}{secret}".encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    return hmac.new(secret.encode(), text.encode("utf-8", "replace"), method.value).hexdigest()


def _event_id(message_id: str, word: str) -> str:
    plain = f"{message_id}:{word}"
    return plain if len(plain) <= 200 else hashlib.sha256(plain.encode()).hexdigest()


def _raw(request: RawRequest) -> str:
    return (request.body.decode("utf-8", "replace") or urlsplit(request.url).query)[:2_000]


CHANNEL: ChannelSpec = ChannelSpec(
    description="Text messages through Vonage (Nexmo)",
    obtain="Vonage API dashboard: API settings (key, secret, signature secret and method); Numbers > Your numbers",
    settings=VonageSettings,
    make=lambda: VonageSms(VonageSettings()),
    adapter=VonageSms,
    webhook="API settings > SMS settings: this URL for delivery receipts and for inbound SMS, any HTTP method; have "
    "signed webhooks switched on for the account (they are off at first), or every report is turned away.",
    traps=(
        "Vonage answers 200 to everything: whether a message was taken stands in the status of each of its parts.",
        "Each part of a long text reports by itself; that one part was delivered counts for the message.",
        "A delivery receipt is as good as the carrier's route: some are made up on the way.",
        "A US long number sends one message a second, whatever the account may; a demo account reaches test numbers.",
    ),
)
