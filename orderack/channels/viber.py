"""Messages to a buyer on Viber, from the store's bot to one who has subscribed to it; "seen" is a true receipt.

send_message answers 200 whether it worked or not, and has no idempotency key (messaging.md §13). What the buyer's
device cannot show is refused only later, as "failed".
"""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from hmac import digest
from types import MappingProxyType
from typing import ClassVar

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings

from orderack.clients.http import BaseUrl, Clock, Http, utc_now
from orderack.clients.wire import read, same
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.replies import may_mean_the_order, opts_out
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_VIBER_"
TEXT_LIMIT = 7_000
"""Characters of a text."""
BODY_LIMIT = 30_000
"""Bytes of the whole request."""
NAME_LIMIT = 28
LABEL_LIMIT = 250
SILENT_VERSION = 6
"""The API level from which a press need not stand in the chat as if the buyer had written our key."""
AFFIRM = "orderack:affirm:"
"""Before our key in what a press says; frozen, for buttons of old messages still work."""
NO_WORDS = "(a sticker, a picture or a file, without a word)"

VENDOR_EVENT = MappingProxyType(
    {
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "seen": (EvidenceEvent.DISPLAYED, Grade.E3),
        "failed": (EvidenceEvent.BOUNCED, None),
        "subscribed": (EvidenceEvent.OPTED_IN, None),
        "unsubscribed": (EvidenceEvent.OPTED_OUT, None),
        # the buyer has opened the chat, which is not yet a subscription
        "conversation_started": (EvidenceEvent.UNKNOWN, None),
    }
)
"""Besides `message`, and `webhook`, which is set_webhook's trial."""
OF_A_MESSAGE = frozenset({"delivered", "seen", "failed"})
REFUSED_STATUS = MappingProxyType(
    {
        3: Reason.CONTENT,
        4: Reason.CONTENT,
        5: Reason.BAD_RECIPIENT,
        6: Reason.OPTED_OUT,
        11: Reason.UNSUPPORTED,
        13: Reason.UNSUPPORTED,
        14: Reason.CONTENT,
        16: Reason.OTHER,
        17: Reason.OTHER,
        18: Reason.OTHER,
        19: Reason.OTHER,
        20: Reason.OTHER,
        21: Reason.BLOCKED,
        22: Reason.OTHER,
        # the month's free messages are used up
        23: Reason.OTHER,
    }
)
"""Not registered, not subscribed (any more), a device or an app that cannot show it, a country that is closed …"""
OURS_TO_MEND = MappingProxyType(
    {
        1: "the webhook's URL",
        2: f"{_PREFIX}AUTH_TOKEN",
        7: "the account, which is blocked",
        8: f"{_PREFIX}AUTH_TOKEN, which is of no bot",
        9: "the account, which is suspended",
        10: "the webhook, which must be set before anything is sent",
        15: "the account, which is not authorised",
        24: "the account, which has no balance",
    }
)
NOT_NOW = frozenset({12})
"""100 messages to one buyer within an hour without an answer."""

_RECIPIENT = re.compile(r"^[A-Za-z0-9+/=_-]{8,100}$", re.ASCII)


class ViberSettings(BaseSettings):
    """`ORDERACK_VIBER_…`"""

    model_config = settings_config(_PREFIX)

    auth_token: SecretStr = Field(description="the bot's app key; it also signs what Viber posts to us")
    sender_name: str = Field(
        min_length=1,
        max_length=NAME_LIMIT,
        description="who messages are from, where the store's own name is longer than 28 characters",
    )
    base_url: BaseUrl = Field(default="https://chatapi.viber.com", description="the sandbox's address in tests")


class _Answer(BaseModel):
    status: int
    message_token: int | str | None = Field(default=None, union_mode="left_to_right")


class _Account(BaseModel):
    status: int
    name: str = ""
    webhook: str = ""


class _User(BaseModel):
    id: str | None = Field(default=None, max_length=100)


class _Words(BaseModel):
    text: str = Field(default="", max_length=20_000)


class _Event(BaseModel):
    event: str = Field(min_length=1, max_length=100)
    timestamp: int = 0
    message_token: int | str = Field(default="", union_mode="left_to_right")
    user_id: str | None = Field(default=None, max_length=100)
    user: _User = _User()
    sender: _User = _User()
    message: _Words = _Words()
    silent: bool = False
    """A button was pressed, nothing was written."""

    @property
    def who(self) -> str | None:
        return self.sender.id or self.user.id or self.user_id


_EVENT = TypeAdapter(_Event)


class Viber:
    """One message to one subscriber."""

    name: ClassVar[str] = "viber"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.CHAT,
        audience=Audience.BUYER,
        address="chat:viber",
        evidence_ceiling=Grade.E5,
        idempotency=Idempotency.NONE,
        max_length=TEXT_LIMIT,
        buttons=True,
        replies=True,
    )

    def __init__(self, settings: ViberSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http(
            "Viber",
            settings.base_url,
            headers={"X-Viber-Auth-Token": settings.auth_token.get_secret_value()},
            clock=clock,
        )

    async def send(self, message: Message) -> Sent:
        """POST /pa/send_message. The recipient is the id by which this bot knows a user. `provider_id`: the token."""
        if not _RECIPIENT.fullmatch(message.recipient):
            raise Refused("the recipient is not an id of Viber", Reason.BAD_RECIPIENT, "recipient")
        body = json.dumps(self._post(message), separators=(",", ":"), ensure_ascii=False).encode()
        if len(body) > BODY_LIMIT:
            raise Unsupported("max_length")
        answer = self._http.read(_Answer, await self._call("send_message", body))
        if answer.status != 0:
            raise _fate(answer.status)
        if not answer.message_token:
            raise InDoubt("Viber answered ok without a message's token")
        return Sent(provider_id=str(answer.message_token)[:200])

    async def _call(self, method: str, body: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        response = await self._http.send("POST", f"/pa/{method}", content=body, headers=headers)
        if not response.is_success:
            self._http.ours_to_mend(response, f"{_PREFIX}AUTH_TOKEN and _BASE_URL")
            code = str(response.status_code)
            raise Refused(f"Viber refused the message ({code})", Reason.OTHER, code)
        return response

    def _post(self, message: Message) -> dict[str, JsonValue]:
        content = message.content
        words = content.chat or content.text
        if len(words) > TEXT_LIMIT:
            raise Unsupported("max_length")
        fits = 0 < len(message.sender_name) <= NAME_LIMIT
        post: dict[str, JsonValue] = {
            "receiver": message.recipient,
            "type": "text",
            "text": words,
            "sender": {"name": message.sender_name if fits else self._settings.sender_name},
            "tracking_data": message.key_text,
        }
        if buttons := _buttons(message):
            post["min_api_version"] = SILENT_VERSION
            post["keyboard"] = {"Type": "keyboard", "DefaultHeight": False, "Buttons": buttons}
        return post

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Viber shows nobody what was sent."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """get_account_info; a bot without a webhook may send nothing."""
        try:
            account = self._http.read(_Account, await self._call("get_account_info", b"{}"))
        except (InDoubt, Refused) as error:
            raise Unavailable(str(error)) from None
        if account.status != 0:
            fate = _fate(account.status)
            raise fate if isinstance(fate, Misconfigured) else Unavailable(str(fate))
        if not account.webhook:
            raise _fate(10)
        return f"signed in as {account.name}"

    async def verify(self, request: RawRequest) -> None:
        """Hexadecimal HMAC-SHA256 over the raw body. It carries no time: the events' ids catch replays."""
        mac = digest(self._settings.auth_token.get_secret_value().encode(), request.body, hashlib.sha256)
        if not same(mac.hex(), request.headers.get("x-viber-content-signature", "")):
            raise BadSignature("the Viber signature does not fit")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The one event; none in set_webhook's trial. Each of a buyer's devices reports: their ids are the same.

        `tracking_data`, which comes back with the buyer's words, is the last message's key, whichever they answer: so
        it stays in `raw`, and the words are bound by who says them.
        """
        found = read(_EVENT, request.body)
        if found.event == "webhook":
            return []
        meaning, grade = VENDOR_EVENT.get(found.event, (EvidenceEvent.UNKNOWN, None))
        key, text, word = None, "", found.event
        if found.event == "message":
            key, (meaning, grade, word, text) = _key(found.message.text), _said(found.message.text, found.silent)
        about = found.event in OF_A_MESSAGE
        return [
            ChannelEvent(
                id=_event_id(found),
                event=meaning,
                grade=grade,
                key=key,
                provider_id=str(found.message_token)[:200] if about else None,
                occurred_at=self._at(found.timestamp),
                basis=f"{self.name}:{word}",
                raw=request.body.decode("utf-8", "replace")[:2_000],
                sender=None if about else found.who,
                text=text,
            )
        ]

    def _at(self, milliseconds: int) -> datetime:
        now = self._http.clock()
        # Viber's own published callback has a time beyond all calendars
        plausible = 0 < milliseconds < (now.timestamp() + 86_400) * 1_000
        return datetime.fromtimestamp(milliseconds / 1_000, UTC) if plausible else now

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


def _key(text: str) -> str | None:
    return text.removeprefix(AFFIRM)[:2_000] if text.startswith(AFFIRM) else None


def _said(text: str, silent: bool) -> tuple[EvidenceEvent, Grade | None, str, str]:
    """A press, an opt-out, or words for others to read."""
    if text.startswith(AFFIRM):
        return EvidenceEvent.AFFIRMED, Grade.E5, "press", ""
    if silent:  # the link's button; opening a link proves no more than that
        return EvidenceEvent.UNKNOWN, None, "silent", ""
    if opts_out(text):
        return EvidenceEvent.OPTED_OUT, None, "stop", text if may_mean_the_order(text) else ""
    return EvidenceEvent.REPLIED, Grade.E4, "message", text[:2_000] or NO_WORDS


def _event_id(found: _Event) -> str:
    plain = f"{found.event}/{found.message_token}/{found.who or ''}"
    return plain if len(plain) <= 200 else hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()


def _buttons(message: Message) -> list[JsonValue]:
    content, buttons = message.content, list[JsonValue]()
    if content.affirm_label:
        buttons.append(_button(content.affirm_label, "reply", f"{AFFIRM}{message.key_text}"))
    if content.link:
        buttons.append(_button(content.open_label, "open-url", content.link))
    return buttons


def _button(label: str, action: str, body: str) -> JsonValue:
    # `<` would begin markup, which a button's text may hold
    text = label.replace("<", "‹")[:LABEL_LIMIT]
    return {
        "Columns": 6,
        "Rows": 1,
        "ActionType": action,
        "ActionBody": body,
        "Text": text,
        "Silent": True,
    }


def _fate(status: int) -> Unavailable | InDoubt | Refused | Misconfigured:
    """What Viber's status means for us. Its sentence is dropped."""
    if status in OURS_TO_MEND:
        return Misconfigured(f"Viber refuses us ({status}): check {OURS_TO_MEND[status]} ({_PREFIX}…)")
    if status in NOT_NOW:
        return Unavailable(f"Viber cannot take it now ({status})")
    if status < 0:
        return InDoubt(f"Viber broke down ({status}): it may have been sent")
    return Refused(f"Viber refused the message ({status})", REFUSED_STATUS.get(status, Reason.OTHER), str(status))


CHANNEL: ChannelSpec = ChannelSpec(
    description="Messages to buyers on Viber",
    obtain=(
        "Viber admin panel (partners.viber.com), the bot's Edit Info: app key. New bots since February 2024 need a "
        "commercial agreement with Viber or one of its partners"
    ),
    settings=ViberSettings,
    make=lambda: Viber(ViberSettings()),
    adapter=Viber,
    webhook=(
        "call set_webhook with this URL (https, a certificate of a public authority) and event_types delivered, seen, "
        "failed, subscribed, unsubscribed and conversation_started"
    ),
    traps=(
        "A bot is created only on commercial terms, with a monthly fee, since February 2024.",
        "Nothing can be sent before set_webhook has been called, nor to a buyer who has not subscribed to the bot.",
        "What the buyer's app cannot show is refused only later: the send counts as accepted until `failed` comes.",
        "The buttons stand below the chat in place of the keyboard until the next message; they need a Viber app that "
        "knows API level 6, and an older one refuses the message.",
    ),
)
