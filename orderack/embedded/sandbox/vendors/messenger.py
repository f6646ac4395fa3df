"""Messenger's Send API: one page, the 24-hour window, utility templates, echoes, deliveries and watermarks."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.acknowledgement import Kind
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Deed, LookAlike, bearer
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors import _meta

EVENTS = "/webhooks/messenger"
WINDOW = 24 * 3_600
"""Seconds after a person's words in which a response may go back."""
TEMPLATES = {str(kind): f"orderack_{kind}" for kind in Kind}
NO_SUCH_PERSON, OUTSIDE_WINDOW = 2018001, 2018278


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Person(_Strict):
    id: str = Field(pattern=r"^\d+$")


class Button(_Strict):
    type: Literal["postback", "web_url"]
    title: str = Field(min_length=1, max_length=20)
    payload: str = Field(default="", max_length=1_000)
    url: str = ""


class Buttons(_Strict):
    template_type: Literal["button"]
    text: str = Field(min_length=1, max_length=640)
    buttons: list[Button] = Field(min_length=1, max_length=3)


class Attachment(_Strict):
    type: Literal["template"]
    payload: Buttons


class QuickReply(_Strict):
    content_type: Literal["text"]
    title: str = Field(min_length=1, max_length=20)
    payload: str = Field(min_length=1, max_length=1_000)


class Parameter(_Strict):
    type: Literal["text"]
    text: str = Field(min_length=1)


class Component(_Strict):
    type: Literal["body"]
    parameters: list[Parameter] = Field(min_length=3, max_length=3)


class Language(_Strict):
    code: str


class Template(_Strict):
    name: str
    language: Language
    components: list[Component] = Field(min_length=1, max_length=1)


class Said(_Strict):
    text: str = Field(default="", max_length=2_000)
    attachment: Attachment | None = None
    template: Template | None = None
    quick_replies: list[QuickReply] = Field(default=[], max_length=13)
    metadata: str = Field(default="", max_length=999)

    @property
    def shown(self) -> str:
        if self.attachment:
            payload = self.attachment.payload
            return "\n\n".join([payload.text, *(button.url for button in payload.buttons if button.url)])
        if self.template:
            number, store, line = (parameter.text for parameter in self.template.components[0].parameters)
            return f"{store} · {number}\n\n{line}"
        return self.text

    @property
    def titles(self) -> tuple[str, ...]:
        buttons = self.attachment.payload.buttons if self.attachment else []
        return (*(button.title for button in buttons), *(reply.title for reply in self.quick_replies))

    @property
    def payload(self) -> tuple[str, str]:
        """What a press gives back, and by which event."""
        buttons = self.attachment.payload.buttons if self.attachment else []
        pressed = next((button.payload for button in buttons if button.payload), "")
        quick = next((reply.payload for reply in self.quick_replies), "")
        return (pressed, "postback") if pressed else (quick, "quick_reply")


class Post(_Strict):
    recipient: Person
    messaging_type: Literal["RESPONSE", "UPDATE", "UTILITY"]
    message: Said


class Messenger(LookAlike):
    """One page, to which everybody has written at some time."""

    target: ClassVar[Target] = Target.MESSENGER
    channel: ClassVar[str] = "messenger"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = f"EAA{secrets.token_urlsafe(40)}"
        self._app_secret = secrets.token_hex(16)
        self._verify_token = secrets.token_urlsafe(16)
        self._page = str(secrets.randbelow(9 * 10**14) + 10**14)
        self._heard: dict[str, float] = {}

    def routes(self) -> Sequence[BaseRoute]:
        path = "/v25.0/{page}"
        return (
            Route(f"{path}/messages", self.endpoint(Operation.SEND, self._send), methods=["POST"]),
            Route(path, self.endpoint(Operation.LOOKUP, self._name), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        own = {
            "PAGE_ID": self._page,
            "PAGE_ACCESS_TOKEN": self._token,
            "APP_SECRET": self._app_secret,
            "VERIFY_TOKEN": self._verify_token,
            "TEMPLATES": json.dumps(TEMPLATES),
            "BASE_URL": url,
        }
        return {f"ORDERACK_MESSENGER_{name}": value for name, value in own.items()}

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """Words, a press on what the message brought, or a watermark; an opt-out is a word like others here."""
        person, about = message.recipient, dict(message.headers)
        if deed is Deed.READ:
            return self._post(person, "read", {"read": {"watermark": _now()}})
        if deed is Deed.PRESS and not about["payload"]:
            return None
        self._heard[person] = time.time()
        if deed is Deed.PRESS and about["press"] == "postback":
            pressed = {"mid": message.provider_id, "title": "Confirm", "payload": about["payload"]}
            return self._post(person, "postback", {"postback": pressed})
        said: dict[str, object] = {"mid": _mid(), "text": text or "STOP"}
        if deed is Deed.PRESS:
            said |= {"text": "Confirm", "quick_reply": {"payload": about["payload"]}}
        return self._post(person, "message", {"message": said})

    def refused(self, code: str | None) -> Response:
        """`code` or `code:subcode`."""
        main, _, subcode = (code or f"100:{NO_SUCH_PERSON}").partition(":")
        return _meta.error(400, int(main), "The message was refused", int(subcode) if subcode else None)

    def throttled(self, retry_after: int) -> Response:
        return _meta.throttled(613, "Calls to this api have exceeded the rate limit.", self._page, retry_after)

    def failed(self, status: int) -> Response:
        return _meta.error(status, 2, "Service temporarily unavailable")

    def too_large(self) -> Response:
        return _meta.error(413, 100, "The message is too long")

    def _stranger(self, request: Request) -> Response | None:
        if not bearer(request, self._token):
            return _meta.error(401, 190, "Invalid OAuth access token")
        if request.path_params["page"] != self._page:
            return _meta.error(400, 100, "Unsupported request. Object with this ID does not exist", 33)
        return None

    async def _name(self, request: Request, plan: Plan) -> Response:
        return self._stranger(request) or JSONResponse({"name": "Fjordlight", "id": self._page})

    async def _send(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            post = Post.model_validate_json(await request.body())
        except ValidationError:
            return _meta.error(400, 100, "Invalid parameter")
        if (wrong := self._wrong_with(post)) is not None:
            return wrong
        shown = self._record(post, plan)
        self.state.courier.start(self._progress(shown, plan))
        return JSONResponse({"recipient_id": shown.recipient, "message_id": shown.provider_id})

    def _wrong_with(self, post: Post) -> Response | None:
        said = post.message
        if not said.shown:
            return _meta.error(400, 100, "Must have text or attachment")
        if post.messaging_type == "UTILITY":
            known = said.template is not None and said.template.name in TEMPLATES.values()
            return None if known else _meta.error(400, 100, "The template does not exist")
        if said.template is not None:
            return _meta.error(400, 100, "A template needs messaging_type UTILITY")
        if time.time() - self._heard.get(post.recipient.id, 0) >= WINDOW:
            return _meta.error(403, 10, "This message is sent outside of allowed window.", OUTSIDE_WINDOW)
        return None

    def _record(self, post: Post, plan: Plan) -> Posted:
        mid, to, key = _mid(), post.recipient.id, post.message.metadata or None
        payload, press = post.message.payload
        self.state.log.accept(self.target, Operation.SEND, provider_id=mid, recipient=to, key=key, faults=plan.actions)
        return self.state.outbox.put(
            self.target,
            recipient=to,
            sender=self._page,
            provider_id=mid,
            text=post.message.shown,
            key=key,
            headers=(("payload", payload), ("press", press)),
            buttons=post.message.titles,
        )

    async def _progress(self, shown: Posted, plan: Plan) -> None:
        """The echo, then the delivery. A message that never arrives is never delivered: no failure is reported."""
        half = self.state.behaviour.delivered_after / 2
        await asyncio.sleep(half)
        echo = {"is_echo": True, "app_id": 1, "metadata": shown.key or "", "mid": shown.provider_id, "text": shown.text}
        self.state.announce(self._post(shown.recipient, "echo", {"message": echo}, by_page=True), plan)
        if plan.happens(Action.BOUNCE):
            return
        await asyncio.sleep(half)
        delivery = {"mids": [shown.provider_id], "watermark": _now()}
        self.state.announce(self._post(shown.recipient, "delivery", {"delivery": delivery}), plan)

    def _post(self, person: str, name: str, told: Mapping[str, object], *, by_page: bool = False) -> Webhook:
        who, whom = (self._page, person) if by_page else (person, self._page)
        item = {"sender": {"id": who}, "recipient": {"id": whom}, "timestamp": _now(), **told}
        post = {"object": "page", "entry": [{"id": self._page, "time": _now(), "messaging": [item]}]}
        return _meta.signed_post(f"messenger {name}", lambda: self.state.callback(EVENTS), self._app_secret, post)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _mid() -> str:
    return f"m_{secrets.token_urlsafe(33)}"


LOOK_ALIKE = Messenger
