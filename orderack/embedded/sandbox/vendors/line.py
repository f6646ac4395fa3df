"""LINE's push messages, its retry keys, and the events that follow a friend's deeds."""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Deed, LookAlike, bearer
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

EVENTS = "/webhooks/line"
BOT = "U0123456789abcdef0123456789abcdef"
AFFIRM = "orderack:affirm:"
TYPES = frozenset({"text", "flex", "sticker", "image", "template"})
TEXT_MAX = 5_000
ALT_MAX = 400
DATA_MAX = 300
BUBBLE_MAX = 30_000
ERRORS: Mapping[str, tuple[int, str]] = {
    "to": (400, "The property, 'to', in the request body is invalid (line: -, column: -)"),
    "messages": (400, "The request body has 1 error(s)"),
    "nobody": (400, "Failed to send messages"),
    "retry_key": (400, "Invalid retry key"),
    "token": (401, "Authentication failed. Confirm that the access token in the authorization header is valid."),
    "forbidden": (403, "Access to this API is not available for your account"),
    "monthly_limit": (429, "You have reached your monthly limit."),
    "rate": (429, "The API rate limit has been exceeded. Try again later."),
}
_RECIPIENT = re.compile(r"[UCR][0-9a-f]{32}")


class Push(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: str
    messages: list[dict[str, JsonValue]] = Field(min_length=1, max_length=5)
    notificationDisabled: bool = False


class Line(LookAlike):
    """One official account; everybody is its friend."""

    target: ClassVar[Target] = Target.LINE
    channel: ClassVar[str] = "line"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = secrets.token_urlsafe(96)
        self._secret = secrets.token_hex(16)
        self._accepted: dict[UUID, tuple[str, JsonValue]] = {}
        """Request id and answer by retry key."""

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/v2/bot/message/push", self.endpoint(Operation.SEND, self._push), methods=["POST"]),
            Route("/v2/bot/info", self.endpoint(Operation.LOOKUP, self._info), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_LINE_CHANNEL_ACCESS_TOKEN": self._token,
            "ORDERACK_LINE_CHANNEL_SECRET": self._secret,
            "ORDERACK_LINE_BASE_URL": url,
        }

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """LINE reports words, presses, and friends who leave; no reading."""
        if deed is Deed.READ:
            return None
        event: dict[str, object] = {
            "mode": "active",
            "timestamp": time.time_ns() // 1_000_000,
            "source": {"type": "user", "userId": message.recipient},
            "webhookEventId": secrets.token_hex(13).upper(),
            "deliveryContext": {"isRedelivery": False},
        }
        if deed is Deed.OPT_OUT:
            event["type"] = "unfollow"
        elif deed is Deed.PRESS:
            event |= {"type": "postback", "replyToken": secrets.token_hex(16)}
            event["postback"] = {"data": f"{AFFIRM}{message.key}"}
        else:
            event |= {"type": "message", "replyToken": secrets.token_hex(16)}
            event["message"] = {"id": _number(), "type": "text", "text": text, "quoteToken": secrets.token_hex(8)}
        body = json.dumps({"destination": BOT, "events": [event]}, ensure_ascii=False).encode()
        mac = base64.b64encode(hmac.new(self._secret.encode(), body, hashlib.sha256).digest()).decode()
        headers = {"x-line-signature": mac, "Content-Type": "application/json; charset=utf-8"}
        return Webhook(
            name=f"line {event['type']}",
            url=lambda: self.state.callback(EVENTS),
            signed=lambda url: headers,
            body=body,
        )

    def refused(self, code: str | None) -> Response:
        return _error(code if code is not None and code in ERRORS else "nobody")

    def throttled(self, retry_after: int) -> Response:
        return _error("rate")  # LINE names no delay

    def failed(self, status: int) -> Response:
        return JSONResponse({"message": "Internal server error"}, status_code=status)

    def too_large(self) -> Response:
        return JSONResponse({"message": "Request size exceeds the limit"}, status_code=413)

    async def _info(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._token):
            return _error("token")
        about = {"userId": BOT, "basicId": "@216ru", "displayName": "Fjord", "chatMode": "bot"}
        return JSONResponse(about | {"markAsReadMode": "auto"})

    async def _push(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._token):
            return _error("token")
        try:
            push = Push.model_validate_json(await request.body())
        except ValidationError:
            return _error("messages")
        if not _RECIPIENT.fullmatch(push.to):
            return _error("to")
        if not all(_sound(message) for message in push.messages):
            return _error("messages")
        try:
            retry_key = UUID(request.headers["x-line-retry-key"]) if "x-line-retry-key" in request.headers else None
        except ValueError:
            return _error("retry_key")
        if retry_key is not None and retry_key in self._accepted:
            return self._again(push, retry_key, plan)
        request_id = str(uuid4())
        answer: JsonValue = {
            "sentMessages": [{"id": _number(), "quoteToken": secrets.token_hex(8)} for _ in push.messages]
        }
        if retry_key is not None:
            self._accepted[retry_key] = (request_id, answer)
        self._record(push, answer, retry_key, plan, repeated=False)
        return JSONResponse(answer, headers={"X-Line-Request-Id": request_id})

    def _again(self, push: Push, retry_key: UUID, plan: Plan) -> Response:
        request_id, answer = self._accepted[retry_key]
        self._record(push, answer, retry_key, plan, repeated=True)
        said = {"message": "The retry key is already accepted", **(answer if isinstance(answer, dict) else {})}
        headers = {"X-Line-Accepted-Request-Id": request_id, "X-Line-Request-Id": str(uuid4())}
        return JSONResponse(said, status_code=409, headers=headers)

    def _record(self, push: Push, answer: JsonValue, retry_key: UUID | None, plan: Plan, *, repeated: bool) -> None:
        key = next(
            (data.removeprefix(AFFIRM) for data in _found(push.messages, "data") if data.startswith(AFFIRM)), None
        )
        provider_id = next(iter(_found(answer, "id")), "")
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=provider_id,
            recipient=push.to,
            key=key,
            idempotency_key=str(retry_key) if retry_key else None,
            repeated=repeated,
            faults=plan.actions,
        )
        if not repeated:
            text = "\n\n".join([*_found(push.messages, "text"), *_found(push.messages, "uri")])
            self.state.outbox.put(
                self.target,
                recipient=push.to,
                sender="Fjord",
                provider_id=provider_id,
                text=text,
                key=key,
                buttons=tuple(_found(push.messages, "label")),
            )


def _sound(message: Mapping[str, JsonValue]) -> bool:
    """Within LINE's limits, as far as they are documented for what we send."""
    kind, text, alt = message.get("type"), message.get("text"), message.get("altText")
    if kind == "text":
        return isinstance(text, str) and 0 < len(text.encode("utf-16-le")) // 2 <= TEXT_MAX
    if kind == "flex":
        return (
            isinstance(alt, str)
            and 0 < len(alt.encode("utf-16-le")) // 2 <= ALT_MAX
            and bool(message.get("contents"))
            and len(json.dumps(message["contents"])) <= BUBBLE_MAX
            and all(len(data) <= DATA_MAX for data in _found(message, "data"))
        )
    return kind in TYPES


def _found(value: JsonValue | Sequence[JsonValue] | Mapping[str, JsonValue], name: str) -> list[str]:
    """Every text of that name, in order, however deep."""
    if isinstance(value, Mapping):
        own = [value[name]] if name in value else []
        return [text for text in own if isinstance(text, str)] + [
            text for inner in value.values() for text in _found(inner, name)
        ]
    if isinstance(value, list):
        return [text for inner in value for text in _found(inner, name)]
    return []


def _number() -> str:
    return str(secrets.randbelow(10**18))


def _error(code: str) -> Response:
    status, message = ERRORS[code]
    return JSONResponse({"message": message}, status_code=status)


LOOK_ALIKE = Line
