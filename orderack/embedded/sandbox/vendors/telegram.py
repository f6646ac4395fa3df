"""Telegram's Bot API: sendMessage and getMe, and the updates that follow a buyer's deeds."""

import html
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Deed, Handler, LookAlike
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

EVENTS = "/webhooks/telegram"
KEY_PREFIX = "oa:"
TEXT_MAX = 4_096
DATA_MAX = 64
BOT = {"id": 123456789, "is_bot": True, "first_name": "Fjord", "username": "fjord_sandbox_bot"}
ERRORS: Mapping[str, tuple[int, str]] = {
    "chat_not_found": (400, "Bad Request: chat not found"),
    "text_empty": (400, "Bad Request: message text is empty"),
    "too_long": (400, "Bad Request: message is too long"),
    "entities": (400, "Bad Request: can't parse entities"),
    "button": (400, "Bad Request: BUTTON_DATA_INVALID"),
    "request": (400, "Bad Request: can't parse the request"),
    "unauthorized": (401, "Unauthorized"),
    "blocked": (403, "Forbidden: bot was blocked by the user"),
    "deactivated": (403, "Forbidden: user is deactivated"),
}
_TAG = re.compile(r"</?(?:b|i|u|s|code|pre|a(?: href=\"[^\"]*\")?)>")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Button(_Strict):
    text: str = Field(min_length=1)
    url: Annotated[str, Field(pattern=r"^(https?|tg)://")] | None = None
    callback_data: str | None = None


class Keyboard(_Strict):
    inline_keyboard: list[list[Button]]


class Preview(_Strict):
    is_disabled: bool = False


class Post(_Strict):
    chat_id: int | str
    text: str = ""
    parse_mode: str | None = None
    link_preview_options: Preview = Preview()
    disable_notification: bool = False
    reply_markup: Keyboard | None = None

    @property
    def buttons(self) -> list[Button]:
        return [button for row in (self.reply_markup.inline_keyboard if self.reply_markup else []) for button in row]

    @property
    def shown(self) -> str:
        """The text once its HTML is read."""
        return html.unescape(_TAG.sub("", self.text)) if self.parse_mode == "HTML" else self.text


class Telegram(LookAlike):
    """One bot that everybody has started."""

    target: ClassVar[Target] = Target.TELEGRAM
    channel: ClassVar[str] = "telegram"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = f"{BOT['id']}:AA{secrets.token_urlsafe(24)}"
        self._secret = secrets.token_urlsafe(24)
        self._last_message = 0
        self._last_update = secrets.randbelow(10**8)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/bot{token}/sendMessage", self.endpoint(Operation.SEND, self._own(self._send)), methods=["POST"]),
            Route("/bot{token}/getMe", self.endpoint(Operation.LOOKUP, self._own(self._me)), methods=["GET", "POST"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_TELEGRAM_BOT_TOKEN": self._token,
            "ORDERACK_TELEGRAM_WEBHOOK_SECRET": self._secret,
            "ORDERACK_TELEGRAM_BASE_URL": url,
        }

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """Telegram tells a bot of words, presses and blocks; of no reading."""
        if deed is Deed.READ:
            return None
        chat_id, _, message_id = message.provider_id.partition("/")
        who = {"id": int(chat_id), "is_bot": False, "first_name": "Ada", "last_name": "Example"}
        chat = {"id": int(chat_id), "first_name": "Ada", "last_name": "Example", "type": "private"}
        now = int(time.time())
        if deed is Deed.PRESS:
            about = {"message_id": int(message_id), "from": BOT, "chat": chat, "date": now, "text": message.text}
            query = {"id": secrets.token_hex(9), "from": who, "message": about, "chat_instance": "1"}
            update: dict[str, object] = {"callback_query": query | {"data": dict(message.headers)["callback_data"]}}
        elif deed is Deed.OPT_OUT:
            member = {"user": BOT, "status": "member"}
            change = {"chat": chat, "from": who, "date": now, "old_chat_member": member}
            update = {"my_chat_member": change | {"new_chat_member": member | {"status": "kicked", "until_date": 0}}}
        else:
            self._last_message += 1
            update = {
                "message": {"message_id": self._last_message, "from": who, "chat": chat, "date": now, "text": text}
            }
        self._last_update += 1
        body = json.dumps({"update_id": self._last_update, **update}, ensure_ascii=False).encode()
        headers = {"X-Telegram-Bot-Api-Secret-Token": self._secret, "Content-Type": "application/json"}
        return Webhook(
            name=f"telegram {next(iter(update))}",
            url=lambda: self.state.callback(EVENTS),
            signed=lambda url: headers,
            body=body,
        )

    def refused(self, code: str | None) -> Response:
        return _error(code if code is not None and code in ERRORS else "blocked")

    def throttled(self, retry_after: int) -> Response:
        said = f"Too Many Requests: retry after {retry_after}"
        body = {"ok": False, "error_code": 429, "description": said, "parameters": {"retry_after": retry_after}}
        return JSONResponse(body, status_code=429)

    def failed(self, status: int) -> Response:
        body = {"ok": False, "error_code": status, "description": "Internal Server Error"}
        return JSONResponse(body, status_code=status)

    def too_large(self) -> Response:
        body = {"ok": False, "error_code": 413, "description": "Request Entity Too Large"}
        return JSONResponse(body, status_code=413)

    def _own(self, handler: Handler) -> Handler:
        async def answer(request: Request, plan: Plan) -> Response:
            given = request.path_params["token"]
            return await handler(request, plan) if compare_digest(given, self._token) else _error("unauthorized")

        return answer

    async def _me(self, request: Request, plan: Plan) -> Response:
        return JSONResponse({"ok": True, "result": BOT | {"can_join_groups": True}})

    async def _send(self, request: Request, plan: Plan) -> Response:
        try:
            post = Post.model_validate_json(await request.body())
        except ValidationError:
            return _error("request")
        if (wrong := _wrong_with(post)) is not None:
            return _error(wrong)
        self._last_message += 1
        chat_id, message_id = int(post.chat_id), self._last_message
        self._record(post, f"{chat_id}/{message_id}", plan)
        chat = {"id": chat_id, "first_name": "Ada", "last_name": "Example", "type": "private"}
        result = {"message_id": message_id, "from": BOT, "chat": chat, "date": int(time.time()), "text": post.shown}
        return JSONResponse({"ok": True, "result": result})

    def _record(self, post: Post, provider_id: str, plan: Plan) -> None:
        data = next((button.callback_data for button in post.buttons if button.callback_data), "")
        key = data.removeprefix(KEY_PREFIX) if data.startswith(KEY_PREFIX) else None
        recipient = str(post.chat_id)
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=provider_id, recipient=recipient, key=key, faults=plan.actions
        )
        self.state.outbox.put(
            self.target,
            recipient=recipient,
            sender=f"@{BOT['username']}",
            provider_id=provider_id,
            text="\n\n".join([post.shown, *(button.url for button in post.buttons if button.url)]),
            key=key,
            headers=(("callback_data", data),),
            buttons=tuple(button.text for button in post.buttons),
        )


def _wrong_with(post: Post) -> str | None:
    """Telegram's word for the first thing it would refuse."""
    if not str(post.chat_id).lstrip("-").isdecimal():
        return "chat_not_found"
    if not post.shown.strip():
        return "text_empty"
    if len(post.shown.encode("utf-16-le")) // 2 > TEXT_MAX:
        return "too_long"
    if post.parse_mode == "HTML" and "<" in _TAG.sub("", post.text):
        return "entities"
    if any(len((button.callback_data or "").encode()) > DATA_MAX for button in post.buttons):
        return "button"
    return None


def _error(code: str) -> Response:
    status, description = ERRORS[code]
    return JSONResponse({"ok": False, "error_code": status, "description": description}, status_code=status)


LOOK_ALIKE = Telegram
