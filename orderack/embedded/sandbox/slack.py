"""Slack's chat.postMessage: HTTP 200 whether it worked or not, `ok` says which."""

import hashlib
import time
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, JsonValue, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import KEY_FIELD, LookAlike, bearer
from orderack.embedded.sandbox.state import SandboxState

TEXT_MAX = 40_000
BLOCKS_MAX = 50
BOT_ID = "B0SANDBOX"
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


def _parsed(value: object) -> object:
    """Structured fields come as JSON, or as text that holds JSON (always so in a form)."""
    return _JSON.validate_json(value) if isinstance(value, str) else value


class Metadata(BaseModel):
    event_type: str = ""
    event_payload: dict[str, JsonValue] = {}


class Post(BaseModel):
    channel: str = ""
    text: str = ""
    blocks: Annotated[list[dict[str, JsonValue]], BeforeValidator(_parsed)] = []
    attachments: Annotated[list[dict[str, JsonValue]], BeforeValidator(_parsed)] = []
    metadata: Annotated[Metadata, BeforeValidator(_parsed)] = Metadata()
    thread_ts: str | None = None


class Slack(LookAlike):
    """One workspace whose bot is in every channel."""

    target: ClassVar[Target] = Target.SLACK

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._last_microsecond = 0

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/api/chat.postMessage", self.endpoint(Operation.SEND, self._post), methods=["POST"]),
            Route("/api/auth.test", self.endpoint(Operation.LOOKUP, self._test), methods=["POST"]),
        )

    def refused(self, code: str | None) -> Response:
        return _not_ok(code or "channel_not_found")

    def throttled(self, retry_after: int) -> Response:
        return JSONResponse(
            {"ok": False, "error": "ratelimited"}, status_code=429, headers={"Retry-After": str(retry_after)}
        )

    def failed(self, status: int) -> Response:
        return JSONResponse({"ok": False, "error": "internal_error"}, status_code=status)

    def too_large(self) -> Response:
        return _not_ok("msg_too_long")

    def _stranger(self, request: Request) -> Response | None:
        if "authorization" not in request.headers:
            return _not_ok("not_authed")
        return None if bearer(request, self.state.credentials.slack_token) else _not_ok("invalid_auth")

    async def _test(self, request: Request, plan: Plan) -> Response:
        who = {"ok": True, "url": "https://sandbox.slack.com/", "team": "Sandbox", "team_id": "T0SANDBOX"}
        who |= {"user": "orderack", "user_id": "U0SANDBOX", "bot_id": BOT_ID}
        return self._stranger(request) or JSONResponse(who, headers={"X-OAuth-Scopes": "chat:write,commands"})

    async def _post(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            post = await _read(request)
        except ValidationError:
            return _not_ok("invalid_arguments")
        if (wrong := wrong_with(post)) is not None:
            return _not_ok(wrong)
        channel, ts = channel_id(post.channel), self._timestamp()
        self._record(post, f"{channel}/{ts}", plan)
        message: dict[str, JsonValue] = {
            "type": "message",
            "subtype": "bot_message",
            "bot_id": BOT_ID,
            "text": post.text[:TEXT_MAX],
            "ts": ts,
        }
        if post.blocks:
            message["blocks"] = list[JsonValue](post.blocks)
        if post.thread_ts:
            message["thread_ts"] = post.thread_ts
        return JSONResponse({"ok": True, "channel": channel, "ts": ts, "message": message})

    def _record(self, post: Post, provider_id: str, plan: Plan) -> None:
        found = post.metadata.event_payload.get(KEY_FIELD)
        key = str(found) if found is not None else None
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=provider_id,
            recipient=post.channel,
            key=key,
            faults=plan.actions,
        )
        self.state.outbox.put(
            self.target,
            recipient=post.channel,
            sender=BOT_ID,
            provider_id=provider_id,
            text="\n\n".join(part for part in (post.text, *_block_texts(post.blocks)) if part),
            key=key,
        )

    def _timestamp(self) -> str:
        """Unique and rising in the workspace, as the message's id must be."""
        self._last_microsecond = max(time.time_ns() // 1_000, self._last_microsecond + 1)
        return f"{self._last_microsecond // 1_000_000}.{self._last_microsecond % 1_000_000:06d}"


async def _read(request: Request) -> Post:
    if request.headers.get("content-type", "").startswith("application/json"):
        return Post.model_validate_json(await request.body())
    return Post.model_validate(dict(await request.form()))


def wrong_with(post: Post) -> str | None:
    """Slack's word for the first thing it would refuse."""
    if not post.channel:
        return "channel_not_found"
    if not (post.text or post.blocks or post.attachments):
        return "no_text"
    if len(post.blocks) > BLOCKS_MAX or not all(block.get("type") for block in post.blocks):
        return "invalid_blocks"
    return None


def channel_id(channel: str) -> str:
    """The id Slack answers for a channel: itself, or one made from a name or a user."""
    if channel[:1] in "CGD" and len(channel) >= 9 and channel.isalnum() and channel.isupper():
        return channel
    kind = "D" if channel[:1] in "UW" and channel.isupper() else "C"
    return kind + hashlib.sha256(channel.encode()).hexdigest()[:10].upper()


def _block_texts(blocks: Sequence[JsonValue]) -> list[str]:
    """Every `text` that blocks show, in order, however deep."""
    texts: list[str] = []
    for block in blocks:
        if isinstance(block, dict):
            text = block.get("text")
            texts += [text] if isinstance(text, str) else _block_texts([text])
            texts += _block_texts([value for name, value in block.items() if name != "text"])
        elif isinstance(block, list):
            texts += _block_texts(block)
    return texts


def _not_ok(error: str) -> Response:
    return JSONResponse({"ok": False, "error": error})
