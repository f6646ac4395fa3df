"""Viber's bot API: messages to subscribers, and callbacks on what became of them."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Deed, Handler, LookAlike
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

EVENTS = "/webhooks/viber"
HOST = "SN-CHAT-05_"
AFFIRM = "orderack:affirm:"
BYTES_MAX = 30_000
SAID = {0: "ok", 2: "invalidAuthToken", 3: "badData", 4: "missingData", 5: "receiverNotRegistered"} | {
    6: "receiverNotSubscribed",
    10: "webhookNotSet",
    12: "tooManyRequests",
    24: "noBalance",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Button(_Strict):
    Columns: int = Field(default=6, ge=1, le=6)
    Rows: int = Field(default=1, ge=1, le=2)
    ActionType: Literal["reply", "open-url", "location-picker", "share-phone", "none"] = "reply"
    ActionBody: str = Field(min_length=1)
    Text: str = Field(default="", max_length=250)
    Silent: bool = False


class Keyboard(_Strict):
    Type: Literal["keyboard"] = "keyboard"
    DefaultHeight: bool = False
    Buttons: list[Button] = Field(min_length=1)


class Sender(_Strict):
    name: str = Field(min_length=1, max_length=28)
    avatar: str = ""


class Post(_Strict):
    receiver: str = ""
    type: Literal["text"]
    text: str = Field(default="", max_length=7_000)
    sender: Sender
    tracking_data: str = Field(default="", max_length=4_000)
    min_api_version: int = 1
    keyboard: Keyboard | None = None

    @property
    def buttons(self) -> Sequence[Button]:
        return self.keyboard.Buttons if self.keyboard else ()


class Viber(LookAlike):
    """One bot whose webhook is set; everybody has subscribed to it."""

    target: ClassVar[Target] = Target.VIBER
    channel: ClassVar[str] = "viber"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = f"{secrets.token_hex(8)}-{secrets.token_hex(8)}-{secrets.token_hex(8)}"

    def routes(self) -> Sequence[BaseRoute]:
        send, info = self._own(self._send), self._own(self._info)
        return (
            Route("/pa/send_message", self.endpoint(Operation.SEND, send), methods=["POST"]),
            Route("/pa/get_account_info", self.endpoint(Operation.LOOKUP, info), methods=["POST"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_VIBER_AUTH_TOKEN": self._token,
            "ORDERACK_VIBER_SENDER_NAME": "Fjord",
            "ORDERACK_VIBER_BASE_URL": url,
        }

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        if deed is Deed.READ:
            return self._event("seen", message_token=int(message.provider_id), user_id=message.recipient)
        if deed is Deed.OPT_OUT:
            return self._event("unsubscribed", message_token=_fresh(), user_id=message.recipient)
        press = deed is Deed.PRESS
        words = {"type": "text", "text": f"{AFFIRM}{message.key}" if press else text, "tracking_data": message.key}
        who = {"id": message.recipient, "name": "Ada Example", "language": "en", "country": "GB", "api_version": 10}
        return self._event("message", message_token=_fresh(), sender=who, message=words, silent=press)

    def refused(self, code: str | None) -> Response:
        return _answer(int(code) if code is not None and code.isdecimal() else 6)

    def throttled(self, retry_after: int) -> Response:
        return _answer(12)  # Viber names no delay

    def failed(self, status: int) -> Response:
        return Response("<html>Service Unavailable</html>", status_code=status, media_type="text/html")

    def too_large(self) -> Response:
        return _answer(3)

    def _own(self, handler: Handler) -> Handler:
        async def answer(request: Request, plan: Plan) -> Response:
            given = request.headers.get("x-viber-auth-token", "")
            known = hmac.compare_digest(given.encode(), self._token.encode())
            return await handler(request, plan) if known else _answer(2)

        return answer

    async def _info(self, request: Request, plan: Plan) -> Response:
        hook = self.state.callback(EVENTS) or "https://acks.example.com/webhooks/viber"
        return _answer(0, id="pa:1", name="Fjord", uri="fjord", webhook=hook, event_types=["delivered", "seen"])

    async def _send(self, request: Request, plan: Plan) -> Response:
        body = await request.body()
        try:
            post = Post.model_validate_json(body)
        except ValidationError:
            return _answer(3)
        if len(body) > BYTES_MAX:
            return _answer(3)
        if not post.receiver or not post.text:
            return _answer(4)
        if post.min_api_version < 6 and any(button.Silent for button in post.buttons):
            return _answer(14)
        token = _fresh()
        self._record(post, str(token), plan)
        bounced = plan.happens(Action.BOUNCE)
        about: dict[str, JsonValue] = {"message_token": token, "user_id": post.receiver}
        if bounced:
            about["desc"] = (plan.aftermath and plan.aftermath.code) or "could not be shown"
        report = self._event("failed" if bounced else "delivered", **about)
        self.state.announce(report, plan, self.state.behaviour.delivered_after)
        return _answer(0, message_token=token, billing_status=1)

    def _record(self, post: Post, provider_id: str, plan: Plan) -> None:
        key = post.tracking_data or None
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=provider_id, recipient=post.receiver, key=key, faults=plan.actions
        )
        links = [button.ActionBody for button in post.buttons if button.ActionType == "open-url"]
        self.state.outbox.put(
            self.target,
            recipient=post.receiver,
            sender=post.sender.name,
            provider_id=provider_id,
            text="\n\n".join([post.text, *links]),
            key=key,
            buttons=tuple(button.Text for button in post.buttons),
        )

    def _event(self, event: str, **about: object) -> Webhook:
        said = {"event": event, "timestamp": time.time_ns() // 1_000_000, "chat_hostname": HOST, **about}
        body = json.dumps(said, ensure_ascii=False).encode()
        mac = hmac.new(self._token.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Viber-Content-Signature": mac, "Content-Type": "application/json"}
        return Webhook(
            name=f"viber {event}", url=lambda: self.state.callback(EVENTS), signed=lambda url: headers, body=body
        )


def _fresh() -> int:
    """A token beyond the whole numbers that a float can hold."""
    return 2**62 + secrets.randbelow(2**61)


def _answer(status: int, **more: JsonValue) -> Response:
    said = {"status": status, "status_message": SAID.get(status, "generalError"), "chat_hostname": HOST}
    return JSONResponse(said | more)


LOOK_ALIKE = Viber
