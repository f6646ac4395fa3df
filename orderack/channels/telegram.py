"""Messages to a buyer on Telegram, from the store's bot to one who has started it.

Bots learn neither of delivery nor of reading (R200), and sendMessage has no idempotency key (messaging.md §12). The
bot's token stands in every URL: nothing here shows a URL, and httpx's own log line is rewritten.
"""

import hashlib
import html
import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

import httpx
from pydantic import AfterValidator, BaseModel, Field, JsonValue, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from orderack.channels._telegram_updates import AFFIRM_HASH, AFFIRM_KEY, Chat, read_update
from orderack.clients.http import LONGEST_WAIT, BaseUrl, Clock, Http, utc_now
from orderack.clients.wire import same
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_TELEGRAM_"
TEXT_LIMIT = 4_096
"""UTF-16 code units of a message, once its HTML is read."""
DATA_LIMIT = 64
"""Bytes of a button's data."""

REFUSED = MappingProxyType(
    {
        "chat not found": Reason.BAD_RECIPIENT,
        "user not found": Reason.BAD_RECIPIENT,
        "peer_id_invalid": Reason.BAD_RECIPIENT,
        "user is deactivated": Reason.BAD_RECIPIENT,
        "group chat was upgraded": Reason.BAD_RECIPIENT,
        "the group chat was deleted": Reason.BAD_RECIPIENT,
        "bot can't send messages to bots": Reason.BAD_RECIPIENT,
        "bot is not a member": Reason.BAD_RECIPIENT,
        "bot was blocked by the user": Reason.OPTED_OUT,
        "bot was kicked": Reason.OPTED_OUT,
        # the buyer has not started the bot
        "bot can't initiate conversation": Reason.BLOCKED,
        "not enough rights": Reason.BLOCKED,
        "have no rights": Reason.BLOCKED,
        "need administrator rights": Reason.BLOCKED,
        "chat_write_forbidden": Reason.BLOCKED,
        "message is too long": Reason.TOO_LONG,
        "message text is empty": Reason.CONTENT,
        "can't parse entities": Reason.CONTENT,
        "button_data_invalid": Reason.CONTENT,
        "button_url_invalid": Reason.CONTENT,
    }
)
"""What Telegram's description says after "Bad Request:" or "Forbidden:" → our reason, and the code we keep."""
MIGRATED = "migrate_to_chat_id"
_CHAT_ID = re.compile(r"^-?[1-9]\d{0,15}$", re.ASCII)
_IN_URL = re.compile(r"/bot\d+:[\w-]+", re.ASCII)
_TOKEN = re.compile(r"\d{1,20}:[\w-]{20,100}", re.ASCII)
_SECRET = re.compile(r"[\w-]{16,256}", re.ASCII)


def _token(secret: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(secret.get_secret_value()):
        raise ValueError("not a bot's token (digits, a colon, letters)")
    return secret


def _secret(secret: SecretStr) -> SecretStr:
    if not _SECRET.fullmatch(secret.get_secret_value()):
        raise ValueError("16 to 256 letters, digits, _ and -")
    return secret


class TelegramSettings(BaseSettings):
    """`ORDERACK_TELEGRAM_…`"""

    model_config = settings_config(_PREFIX)

    bot_token: Annotated[SecretStr, AfterValidator(_token)] = Field(description="the bot's token (123456:ABC…)")
    webhook_secret: Annotated[SecretStr, AfterValidator(_secret)] = Field(
        description="the secret_token given to setWebhook: 16 to 256 letters, digits, _ and - that nobody can guess"
    )
    base_url: BaseUrl = Field(default="https://api.telegram.org", description="the sandbox's address in tests")


class _Result(BaseModel):
    message_id: int
    chat: Chat


class _Accepted(BaseModel):
    ok: Literal[True]
    result: _Result


class _Me(BaseModel):
    username: str


class _Bot(BaseModel):
    ok: Literal[True]
    result: _Me


class _Parameters(BaseModel):
    retry_after: int | None = Field(default=None, ge=0)
    migrate_to_chat_id: int | None = None


class _Failed(BaseModel):
    description: str = ""
    parameters: _Parameters = _Parameters()


class Telegram:
    """One message to one chat."""

    name: ClassVar[str] = "telegram"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.CHAT,
        audience=Audience.BUYER,
        address="chat:telegram",
        evidence_ceiling=Grade.E5,
        idempotency=Idempotency.NONE,
        max_length=TEXT_LIMIT,
        buttons=True,
        replies=True,
        rate_per_second=30.0,
    )

    def __init__(self, settings: TelegramSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http("Telegram", settings.base_url, clock=clock)
        logging.getLogger("httpx").addFilter(_without_token)

    async def send(self, message: Message) -> Sent:
        """sendMessage. The recipient is a chat's id. `provider_id`: `chat id/message id`."""
        if not _CHAT_ID.fullmatch(message.recipient):
            raise Refused("the recipient is not a chat's id", Reason.BAD_RECIPIENT, "recipient")
        body = json.dumps(_post(message), separators=(",", ":"), ensure_ascii=False).encode()
        response = await self._call("sendMessage", body)
        if response.status_code == httpx.codes.OK:
            result = self._http.read(_Accepted, response).result
            return Sent(provider_id=f"{result.chat.id}/{result.message_id}")
        raise self._fate(response)

    async def _call(self, method: str, body: bytes | None = None) -> httpx.Response:
        path = f"/bot{self._settings.bot_token.get_secret_value()}/{method}"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        return await self._http.send("POST", path, content=body, headers=headers, reads_429=True)

    def _fate(self, response: httpx.Response) -> Unavailable | InDoubt | Refused | Misconfigured:
        """What an answer other than 200 means for us. A description that we do not know is dropped."""
        status, failed = response.status_code, _failed(response)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return self._later(response, failed.parameters.retry_after)
        if failed.parameters.migrate_to_chat_id is not None:
            return Refused(f"the chat has another id now ({MIGRATED})", Reason.BAD_RECIPIENT, MIGRATED)
        said = failed.description.casefold()
        word = next((word for word in REFUSED if word in said), None)
        if word is not None:
            return Refused(f"Telegram refused the message ({status}: {word})", REFUSED[word], word)
        if not said.startswith("forbidden"):
            self._http.ours_to_mend(response, f"{_PREFIX}BOT_TOKEN")
        if response.is_success:
            return InDoubt(f"Telegram answered {status}, which it does not document")
        return Refused(f"Telegram refused the message ({status})", Reason.OTHER, str(status))

    def _later(self, response: httpx.Response, seconds: int | None) -> Unavailable:
        later = self._http.limiting(response)
        if seconds is not None:
            later.retry_after = timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))
        return later

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Bots cannot read what they have sent."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """getMe."""
        try:
            response = await self._call("getMe")
            if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                raise self._http.limiting(response)
            self._http.ours_to_mend(response, f"{_PREFIX}BOT_TOKEN")
            return f"signed in as bot @{self._http.read(_Bot, response).result.username}"
        except InDoubt as error:
            raise Unavailable(str(error)) from None

    async def verify(self, request: RawRequest) -> None:
        """The secret that setWebhook was given. It covers who speaks, not what is said; ids catch replays."""
        secret = self._settings.webhook_secret.get_secret_value()
        if not same(secret, request.headers.get("x-telegram-bot-api-secret-token", "")):
            raise BadSignature("the Telegram secret does not fit")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The one update: a press, words, or a bot that was blocked or unblocked. `update_id` is its id."""
        found = read_update(request.body)
        return [
            ChannelEvent(
                id=found.id,
                event=found.event,
                grade=found.grade,
                key=found.key,
                provider_id=found.provider_id,
                occurred_at=datetime.fromtimestamp(found.at, UTC) if found.at else self._http.clock(),
                basis=f"{self.name}:{found.word}",
                raw=request.body.decode("utf-8", "replace")[:2_000],
                sender=found.sender,
                text=found.text,
            )
        ]

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


def _post(message: Message) -> dict[str, JsonValue]:
    content = message.content
    words = content.chat or content.text
    if _units(words) > TEXT_LIMIT:
        raise Unsupported("max_length")
    rest = words.removeprefix(content.subject).lstrip()
    titled = f"<b>{_escaped(content.subject)}</b>\n\n{_escaped(rest)}"
    fits = content.subject and rest and _units(f"{content.subject}\n\n{rest}") <= TEXT_LIMIT
    post: dict[str, JsonValue] = {
        "chat_id": int(message.recipient),
        "text": titled if fits else _escaped(words),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    if buttons := _buttons(message):
        post["reply_markup"] = {"inline_keyboard": [[button] for button in buttons]}
    return post


def _buttons(message: Message) -> list[JsonValue]:
    content, buttons = message.content, list[JsonValue]()
    if content.affirm_label:
        buttons.append({"text": content.affirm_label, "callback_data": _data(message.key_text)})
    if content.link:
        buttons.append({"text": content.open_label, "url": content.link})
    return buttons


def _data(key: str) -> str:
    whole = f"{AFFIRM_KEY}{key}"
    if len(whole.encode()) <= DATA_LIMIT:
        return whole
    return f"{AFFIRM_HASH}{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "replace")) // 2


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _failed(response: httpx.Response) -> _Failed:
    try:
        return _Failed.model_validate_json(response.content)
    except ValidationError:
        return _Failed()


def _without_token(record: logging.LogRecord) -> bool:
    """httpx logs each request's URL."""
    said = record.getMessage()
    if _IN_URL.search(said):
        record.msg, record.args = _IN_URL.sub("/bot<token>", said), ()
    return True


CHANNEL: ChannelSpec = ChannelSpec(
    description="Messages to buyers on Telegram",
    obtain="@BotFather in Telegram: /newbot (token); the webhook secret is yours to choose",
    settings=TelegramSettings,
    make=lambda: Telegram(TelegramSettings()),
    adapter=Telegram,
    webhook=(
        "call setWebhook with this URL, secret_token and allowed_updates message, callback_query, my_chat_member "
        "(Telegram sends to the ports 443, 80, 88 and 8443)"
    ),
    traps=(
        "A bot can write only to a buyer who has started it, and never learns whether a message was delivered or "
        "read: without the button or a reply, acceptance is all the evidence there is.",
        "Telegram has no key for sends: one that was cut off may have arrived; nothing settles it but a person, and "
        "`evidence_within` opens the next channel.",
        "The press of a button is recorded, but Telegram shows it as under way for a moment, for our answer is a "
        "receipt and not a call of answerCallbackQuery.",
        "The bot's token is part of the address of each request: keep such addresses out of proxies' logs.",
    ),
)
