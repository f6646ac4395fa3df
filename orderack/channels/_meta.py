"""What WhatsApp and Messenger share: Meta's signature, its trial of a webhook, its errors, and a buyer's words."""

import hmac
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from orderack.clients.http import WRONG_KEY_OR_URL
from orderack.clients.wire import same
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.replies import may_mean_the_order, opts_out
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import Greeting, Message, RawRequest, Rendered

SIGNATURE = "x-hub-signature-256"
USAGE = "x-business-use-case-usage"
TITLE_LIMIT = 20
"""Characters of a button's title, on both platforms."""
LONGEST_CHALLENGE = 1_000
OPTS_IN = frozenset({"start", "unstop"})
NO_WORDS = "(a picture, a voice message or a file, without a word)"

Fate = Unavailable | InDoubt | Refused | Misconfigured


def verify(request: RawRequest, app_secret: str) -> None:
    """X-Hub-Signature-256: HMAC-SHA256 over the raw body. It has no time: the events' ids catch a replay."""
    mac = hmac.digest(app_secret.encode(), request.body, "sha256").hex()
    if not same(f"sha256={mac}", request.headers.get(SIGNATURE, "")):
        raise BadSignature("the X-Hub-Signature-256 does not fit")


def greet(request: RawRequest, verify_token: str) -> Greeting | None:
    """The challenge back, to whoever knows our verify token (hub.mode, hub.verify_token, hub.challenge)."""
    query = parse_qs(urlsplit(request.url).query)
    if request.method != "GET" or "hub.mode" not in query:
        return None
    given = query.get("hub.verify_token", [""])[-1]
    challenge = query.get("hub.challenge", [""])[-1]
    if not same(verify_token, given) or query["hub.mode"] != ["subscribe"]:
        raise BadSignature("hub.verify_token is not ours")
    if not challenge or len(challenge) > LONGEST_CHALLENGE:
        raise BadSignature("there is no hub.challenge to give back")
    return Greeting(body=challenge)


class GraphError(BaseModel):
    """What an error of the Graph API says, without its sentence, which may repeat the recipient."""

    code: int = 0
    error_subcode: int | None = None

    @property
    def word(self) -> str:
        return f"{self.code}:{self.error_subcode}" if self.error_subcode else str(self.code)


class _Refusal(BaseModel):
    error: GraphError


def error_of(response: httpx.Response) -> GraphError | None:
    """The error in an answer; None where it has none."""
    try:
        return _Refusal.model_validate_json(response.content).error
    except ValidationError:
        return None


class _Usage(BaseModel):
    estimated_time_to_regain_access: float = 0


_USAGES: TypeAdapter[dict[str, list[_Usage]]] = TypeAdapter(dict[str, list[_Usage]])


def regained(response: httpx.Response) -> timedelta | None:
    """How long Meta keeps us out: it names minutes, in a header of its own."""
    try:
        usages = _USAGES.validate_json(response.headers.get(USAGE, ""))
    except ValidationError:
        return None
    minutes = max((usage.estimated_time_to_regain_access for group in usages.values() for usage in group), default=0)
    return timedelta(minutes=min(minutes, 60)) if math.isfinite(minutes) and minutes > 0 else None


@dataclass(frozen=True)
class Codes:
    """One platform's table. A word in it is a code, a code with its subcode (`10:2018278`), or `:` and a subcode."""

    vendor: str
    refused: Mapping[str, Reason]
    ours_to_mend: Mapping[str, str]
    """Which of our settings, or what at the vendor, is to be looked at."""
    not_now: Mapping[str, timedelta | None]
    """How long at least, where the vendor's documentation says so."""
    in_doubt: frozenset[str]
    settings: str
    """What to check when an answer tells no more than that we are not let in."""

    def own_wait(self, response: httpx.Response) -> timedelta | None:
        """The delay of a 429 that no standard header names."""
        error = error_of(response)
        words = _words(error) if error else ()
        return regained(response) or next((self.not_now[word] for word in words if word in self.not_now), None)

    def fate(self, response: httpx.Response) -> Fate:
        """What an answer that is no success means for us."""
        error, status = error_of(response), response.status_code
        if error is None:
            if status in WRONG_KEY_OR_URL:
                return Misconfigured(f"{self.vendor} answered {status}: check {self.settings}")
            return Refused(f"{self.vendor} refused the message ({status})", Reason.OTHER, str(status))
        for word in _words(error):  # the more exact one first
            if word in self.refused:
                return Refused(f"{self.vendor} refused the message ({error.word})", self.refused[word], error.word)
            if word in self.not_now:
                wait = regained(response) or self.not_now[word]
                return Unavailable(f"{self.vendor} cannot take it now ({error.word})", wait)
            if word in self.in_doubt:
                return InDoubt(f"{self.vendor} broke down ({error.word}): it may have been sent")
            if word in self.ours_to_mend:
                return Misconfigured(f"{self.vendor} refuses us ({error.word}): check {self.ours_to_mend[word]}")
        if 200 <= error.code <= 299 or status in WRONG_KEY_OR_URL:
            return Misconfigured(f"{self.vendor} refuses us ({error.word}): check {self.settings}")
        return Refused(f"{self.vendor} refused the message ({error.word})", Reason.OTHER, error.word)


def _words(error: GraphError) -> tuple[str, ...]:
    return (error.word, f":{error.error_subcode}", str(error.code))


def worded(content: Rendered, limit: int) -> str:
    """The longest shape that fits, with the page's link at its end. Raises Unsupported when none does."""
    for shape in (content.chat, content.text, content.sms):
        if shape and len(whole := _with_link(shape, content)) <= limit:
            return whole
    raise Unsupported("max_length")


def _with_link(shape: str, content: Rendered) -> str:
    if not content.link or content.link in shape:
        return shape
    return f"{shape}\n\n{content.open_label}: {content.link}"


def title(label: str) -> str:
    """A button's title as it is shown: the platforms refuse a longer one."""
    return label if len(label) <= TITLE_LIMIT else label[: TITLE_LIMIT - 1].rstrip() + "…"


def is_key(payload: str, channel: str) -> bool:
    """Whether a button's payload is one of our keys: other systems may write from the same account."""
    return payload.endswith(f"/{channel}") and payload.count("/") >= 5


def parameter(text: str, limit: int) -> str:
    """One line for a template: Meta refuses line breaks, tabs and four spaces in a row."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def statement(content: Rendered) -> str:
    """What a template says of this message, in one line."""
    return content.statement or content.subject or content.text


def encoded(body: JsonValue) -> bytes:
    """The same message, the same bytes."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Spoken:
    """What somebody's words are to us."""

    event: EvidenceEvent
    grade: Grade | None
    word: str
    text: str


def spoken(text: str) -> Spoken:
    """An opt-out, an opt-in, or words that a person wrote."""
    text = text[:2_000]
    if opts_out(text):
        return Spoken(EvidenceEvent.OPTED_OUT, None, "stop", text if may_mean_the_order(text) else "")
    if text.strip().casefold() in OPTS_IN:
        return Spoken(EvidenceEvent.OPTED_IN, None, "start", "")
    return Spoken(EvidenceEvent.REPLIED, Grade.E4, "reply", text or NO_WORDS)


def moment(value: int, unit: int = 1) -> datetime:
    """Meta's times: seconds or (`unit` 1,000) milliseconds since 1970."""
    return datetime.fromtimestamp(value / unit, UTC)


def opened(message: Message, now: datetime, window: timedelta) -> bool:
    """Whether the buyer wrote so lately that free words may be sent."""
    return message.heard_at is not None and now - message.heard_at < window


def parameters(message: Message, limits: Sequence[int]) -> list[str]:
    """What fills a template, in this order: the order's number, the store, the message in one line."""
    ref = message.key.ref
    values = (ref.number, message.sender_name or ref.store, statement(message.content))
    return [parameter(text, limit) for text, limit in zip(values, limits, strict=True)]
