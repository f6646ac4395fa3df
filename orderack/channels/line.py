"""Messages to a buyer on LINE: a bubble with buttons to one who has added the store's account as a friend.

LINE says neither "delivered" nor "read" (R199), and takes a message to somebody who has blocked the account like any
other. X-Line-Retry-Key makes a repeat harmless for 24 hours (messaging.md §11).
"""

import base64
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import digest
from types import MappingProxyType
from typing import ClassVar
from uuid import NAMESPACE_URL, uuid5

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.http import BaseUrl, Clock, Http, utc_now
from orderack.clients.wire import read, same
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import Name
from orderack.domain.replies import may_mean_the_order, opts_out
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_LINE_"
TEXT_LIMIT = 5_000
"""UTF-16 code units of a text message, which is how LINE counts."""
BUBBLE_LIMIT = 2_000
"""Of the words in a bubble; LINE limits the bubble's whole JSON to 30 KB."""
ALT_LIMIT = 200
"""Characters of what a notification shows: at most 400 code units."""
DATA_LIMIT = 300
"""Characters of a postback's data."""
URI_LIMIT = 1_000
LABEL_LIMIT = 40
AFFIRM = "orderack:affirm:"
"""Before our key in a button's data; frozen, for buttons of old messages still work. Others may have buttons too."""
NO_WORDS = "(a sticker, a picture or a file, without a word)"

VENDOR_EVENT = MappingProxyType(
    {"follow": (EvidenceEvent.OPTED_IN, None), "unfollow": (EvidenceEvent.OPTED_OUT, None)},
)
"""Besides `message` and `postback`. What else LINE reports (unsend, join, beacon …) says nothing of our messages."""
REFUSED_MESSAGE = MappingProxyType(
    {
        "the property, 'to', in the request body is invalid": Reason.BAD_RECIPIENT,
        # LINE's FAQ: one reason is a user who does not exist
        "failed to send messages": Reason.BAD_RECIPIENT,
        "the request body has": Reason.CONTENT,
        "the property,": Reason.CONTENT,
    }
)
"""The beginning of LINE's sentence, which is all it gives → our reason. The first that fits counts."""
REFUSED_STATUS = MappingProxyType({413: Reason.TOO_LONG})
MONTHLY_LIMIT = "monthly limit"
"""In a 429 that no waiting helps: the month's messages are used up."""

_RECIPIENT = re.compile(r"^[UCR][0-9a-f]{32}$")


class LineSettings(BaseSettings):
    """`ORDERACK_LINE_…`"""

    model_config = settings_config(_PREFIX)

    channel_access_token: SecretStr = Field(description="the channel's long-lived access token")
    channel_secret: SecretStr = Field(description="the channel's secret; signs what LINE posts to us")
    base_url: BaseUrl = Field(default="https://api.line.me", description="the sandbox's address in tests")


class _SentMessage(BaseModel):
    id: str = Field(min_length=1, max_length=200)


class _Pushed(BaseModel):
    sent: tuple[_SentMessage, ...] = Field(alias="sentMessages", min_length=1)


class _Problem(BaseModel):
    message: str = ""


class _Bot(BaseModel):
    name: str = Field(alias="displayName")


class _Source(BaseModel):
    user: str | None = Field(default=None, alias="userId", max_length=100)
    group: str | None = Field(default=None, alias="groupId", max_length=100)
    room: str | None = Field(default=None, alias="roomId", max_length=100)


class _Words(BaseModel):
    text: str = Field(default="", max_length=20_000)


class _Postback(BaseModel):
    data: str = Field(default="", max_length=1_000)


class _Event(BaseModel):
    type: str = Field(min_length=1, max_length=100)
    timestamp: int = Field(ge=0, le=253_402_300_799_000)
    id: Name = Field(alias="webhookEventId")
    source: _Source = _Source()
    message: _Words = _Words()
    postback: _Postback = _Postback()


class _Callback(BaseModel):
    destination: str
    events: tuple[dict[str, JsonValue], ...]


_CALLBACK = TypeAdapter(_Callback)
_EVENT = TypeAdapter(_Event)


class Line:
    """One push to one friend, or to one chat that the account was invited to."""

    name: ClassVar[str] = "line"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.CHAT,
        audience=Audience.BUYER,
        address="chat:line",
        evidence_ceiling=Grade.E5,
        idempotency=Idempotency.KEY,
        max_length=TEXT_LIMIT,
        buttons=True,
        replies=True,
        rate_per_second=2_000.0,
        key_lasts=timedelta(hours=24),
    )

    def __init__(self, settings: LineSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http(
            "LINE",
            settings.base_url,
            headers={"Authorization": f"Bearer {settings.channel_access_token.get_secret_value()}"},
            clock=clock,
        )

    async def send(self, message: Message) -> Sent:
        """POST /v2/bot/message/push. The recipient is a user's id. `provider_id` is the first message's id."""
        if not _RECIPIENT.fullmatch(message.recipient):
            raise Refused("the recipient is not an id of LINE", Reason.BAD_RECIPIENT, "recipient")
        push: dict[str, JsonValue] = {"to": message.recipient, "messages": _messages(message)}
        response = await self._http.send(
            "POST",
            "/v2/bot/message/push",
            content=json.dumps(push, separators=(",", ":"), ensure_ascii=False).encode(),
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "X-Line-Retry-Key": str(uuid5(NAMESPACE_URL, message.key_text)),
            },
            reads_429=True,
        )
        if response.status_code == httpx.codes.OK:
            return Sent(provider_id=self._http.read(_Pushed, response).sent[0].id)
        if response.status_code == httpx.codes.CONFLICT:
            return _accepted_before(response)
        raise self._fate(response)

    def _fate(self, response: httpx.Response) -> Unavailable | InDoubt | Refused | Misconfigured:
        """What an answer other than 200 and 409 means for us. LINE's sentence is dropped: it may repeat the message."""
        status, said = response.status_code, _said(response)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            if MONTHLY_LIMIT not in said:
                return self._http.limiting(response)
            return Refused("LINE refused: this month's messages are used up", Reason.OTHER, "monthly_limit")
        self._http.ours_to_mend(response, f"{_PREFIX}CHANNEL_ACCESS_TOKEN, and what the account may use")
        if response.is_success:
            return InDoubt(f"LINE answered {status}, which it does not document")
        reasons = (reason for words, reason in REFUSED_MESSAGE.items() if said.startswith(words))
        reason = next(reasons, REFUSED_STATUS.get(status, Reason.OTHER))
        return Refused(f"LINE refused the message ({status})", reason, str(status))

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """LINE shows nobody what was sent."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """GET /v2/bot/info."""
        try:
            response = await self._http.send("GET", "/v2/bot/info")
            self._http.ours_to_mend(response, f"{_PREFIX}CHANNEL_ACCESS_TOKEN")
            return f"signed in as {self._http.read(_Bot, response).name}"
        except InDoubt as error:
            raise Unavailable(str(error)) from None

    async def verify(self, request: RawRequest) -> None:
        """HMAC-SHA256 over the raw body. It carries no time: the events' ids catch replays."""
        mac = digest(self._settings.channel_secret.get_secret_value().encode(), request.body, sha256)
        if not same(base64.b64encode(mac).decode(), request.headers.get("x-line-signature", "")):
            raise BadSignature("the LINE signature does not fit")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """Each event of the callback; none in the trial that the console makes. A redelivered one keeps its id."""
        callback = read(_CALLBACK, request.body)
        return [self._event(json.dumps(event, ensure_ascii=False)) for event in callback.events]

    def _event(self, raw: str) -> ChannelEvent:
        found = read(_EVENT, raw.encode("utf-8", "replace"))
        key, text = None, ""
        grade: Grade | None
        if found.type == "postback" and found.postback.data.startswith(AFFIRM):
            meaning, grade, word = EvidenceEvent.AFFIRMED, Grade.E5, "postback"
            key = found.postback.data.removeprefix(AFFIRM)
        elif found.type == "message":
            meaning, grade, word, text = _reply(found.message.text)
        else:
            meaning, grade = VENDOR_EVENT.get(found.type, (EvidenceEvent.UNKNOWN, None))
            word = found.type
        source = found.source
        return ChannelEvent(
            id=found.id,
            event=meaning,
            grade=grade,
            key=key,
            occurred_at=datetime.fromtimestamp(found.timestamp / 1_000, UTC),
            basis=f"{self.name}:{word}",
            raw=raw[:2_000],
            # in a group it is the group that was written to
            sender=source.group or source.room or source.user,
            text=text,
        )

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


def _reply(text: str) -> tuple[EvidenceEvent, Grade | None, str, str]:
    """What the buyer's own words are: an opt-out, or words for others to read."""
    if opts_out(text):
        return EvidenceEvent.OPTED_OUT, None, "stop", text if may_mean_the_order(text) else ""
    return EvidenceEvent.REPLIED, Grade.E4, "message", text[:2_000] or NO_WORDS


def _accepted_before(response: httpx.Response) -> Sent:
    """409: the same retry key was accepted before. Raises InDoubt when LINE does not say so."""
    accepted = response.headers.get("x-line-accepted-request-id", "")
    if not accepted:
        raise InDoubt("LINE answered 409 without the request that it accepted")
    try:
        return Sent(provider_id=_Pushed.model_validate_json(response.content).sent[0].id, detail="accepted before")
    except ValidationError:
        return Sent(provider_id=accepted[:200], detail="accepted before")


def _said(response: httpx.Response) -> str:
    try:
        return _Problem.model_validate_json(response.content).message.casefold()
    except ValidationError:
        return ""


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "replace")) // 2


def _messages(message: Message) -> list[JsonValue]:
    """One bubble with words and buttons; words that are too long for it stand before it, and alone without buttons."""
    content = message.content
    title, words, buttons = content.subject or message.key.ref.number, _words(message), _buttons(message)
    if _units(words) > TEXT_LIMIT:
        raise Unsupported("max_length")
    text: JsonValue = {"type": "text", "text": words}
    if not buttons:
        return [text]
    fits = _units(words) <= BUBBLE_LIMIT
    head: JsonValue = {"type": "text", "text": title, "weight": "bold", "wrap": True}
    body: JsonValue = {"type": "text", "text": words.removeprefix(title).lstrip() or words, "wrap": True, "size": "sm"}
    bubble: JsonValue = {
        "type": "bubble",
        "body": _box([head, body] if fits else [head]),
        "footer": _box(buttons),
    }
    flex: JsonValue = {"type": "flex", "altText": title[:ALT_LIMIT], "contents": bubble}
    return [flex] if fits else [text, flex]


def _words(message: Message) -> str:
    """A link that no button can hold stands at the end."""
    content = message.content
    words = content.chat or content.text
    return f"{words}\n\n{content.link}" if content.link and len(content.link) > URI_LIMIT else words


def _box(contents: list[JsonValue]) -> JsonValue:
    return {"type": "box", "layout": "vertical", "spacing": "md", "contents": contents}


def _buttons(message: Message) -> list[JsonValue]:
    """A key that is too long for a postback leaves the button out: the buyer can say the same in words."""
    content, data, buttons = message.content, f"{AFFIRM}{message.key_text}", list[JsonValue]()
    if content.affirm_label and len(data) <= DATA_LIMIT:
        label = content.affirm_label[:LABEL_LIMIT]
        action: JsonValue = {"type": "postback", "label": label, "data": data, "displayText": label}
        buttons.append({"type": "button", "style": "primary", "action": action})
    if content.link and len(content.link) <= URI_LIMIT:
        uri: JsonValue = {"type": "uri", "label": content.open_label[:LABEL_LIMIT], "uri": content.link}
        buttons.append({"type": "button", "style": "secondary", "action": uri})
    return buttons


CHANNEL: ChannelSpec = ChannelSpec(
    description="Messages to buyers on LINE",
    obtain=(
        "LINE Developers console, a provider's Messaging API channel: Basic settings (channel secret); Messaging API "
        "(channel access token, long-lived)"
    ),
    settings=LineSettings,
    make=lambda: Line(LineSettings()),
    adapter=Line,
    webhook=(
        "LINE Developers console > Messaging API > Webhook settings: the URL, Use webhook on, Webhook redelivery on; "
        "turn off the automatic reply messages"
    ),
    traps=(
        "LINE never says that a message was delivered or read: without the button or a reply, acceptance is "
        "all the evidence there is.",
        "A buyer who has blocked the account looks like any other: LINE takes the message and shows it to nobody.",
        "Each plan has a number of messages a month; when they are used up LINE refuses all, and the next channel of "
        "the policy takes over.",
        "A buyer's id is known only once they have added the account as a friend, and another account has other ids.",
    ),
)
