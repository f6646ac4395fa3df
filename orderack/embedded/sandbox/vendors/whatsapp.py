"""WhatsApp's Cloud API: messages from one number, the 24-hour window, templates, and the reports of each message."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
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

EVENTS = "/webhooks/whatsapp"
WINDOW = 24 * 3_600
"""Seconds after a person's words in which free words may go back."""
SHOWN_NUMBER = "15005550001"
ACCOUNT = "102290129340398"
LINK_BASE = "http"
"""What the link button of every template here begins with: any address will do in a sandbox."""
TEMPLATES = {str(kind): f"orderack_{kind}" for kind in Kind}
UNDELIVERABLE, WINDOW_CLOSED = 131026, 131047
ERRORS: Mapping[int, str] = {
    100: "Invalid parameter",
    190: "Invalid OAuth access token",
    130429: "Rate limit hit",
    131000: "Something went wrong",
    131009: "Parameter value is not valid",
    131026: "Message undeliverable",
    131047: "Re-engagement message",
    131050: "User has stopped receiving messages",
    132000: "Number of parameters does not match the expected number of params",
    132001: "Template name does not exist in the translation",
    132012: "Parameter format does not match format in the created template",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TextOf(_Strict):
    body: str = Field(min_length=1, max_length=4_096)
    preview_url: bool = False


class Title(_Strict):
    id: str = Field(min_length=1, max_length=256)
    title: str = Field(min_length=1, max_length=20)


class ReplyButton(_Strict):
    type: Literal["reply"]
    reply: Title


class LinkOf(_Strict):
    display_text: str = Field(min_length=1, max_length=20)
    url: str


class ActionOf(_Strict):
    buttons: list[ReplyButton] = Field(default=[], max_length=3)
    name: Literal["cta_url"] | None = None
    parameters: LinkOf | None = None

    @property
    def titles(self) -> tuple[str, ...]:
        link = (self.parameters.display_text,) if self.parameters else ()
        return (*(button.reply.title for button in self.buttons), *link)


class BodyOf(_Strict):
    text: str = Field(min_length=1, max_length=1_024)


class InteractiveOf(_Strict):
    type: Literal["button", "cta_url"]
    body: BodyOf
    action: ActionOf


class ParameterOf(_Strict):
    type: Literal["text", "payload"]
    text: str = ""
    payload: str = ""


class ComponentOf(_Strict):
    type: Literal["body", "button"]
    sub_type: Literal["url", "quick_reply"] | None = None
    index: str = ""
    parameters: list[ParameterOf]


class LanguageOf(_Strict):
    code: str


class TemplateOf(_Strict):
    name: str
    language: LanguageOf
    components: list[ComponentOf] = []

    def values(self, kind: str) -> list[str]:
        return [p.text or p.payload for c in self.components if kind in (c.type, c.sub_type) for p in c.parameters]


class _Common(_Strict):
    messaging_product: Literal["whatsapp"]
    recipient_type: Literal["individual"] = "individual"
    to: str = Field(pattern=r"^\+?\d{7,15}$")
    biz_opaque_callback_data: str = Field(default="", max_length=512)


class TextPost(_Common):
    type: Literal["text"]
    text: TextOf

    @property
    def shown(self) -> tuple[str, str]:
        return self.text.body, ""


class InteractivePost(_Common):
    type: Literal["interactive"]
    interactive: InteractiveOf

    @property
    def shown(self) -> tuple[str, str]:
        action = self.interactive.action
        links = [action.parameters.url] if action.parameters else []
        payload = next((button.reply.id for button in action.buttons), "")
        return "\n\n".join([self.interactive.body.text, *links]), payload


class TemplatePost(_Common):
    type: Literal["template"]
    template: TemplateOf

    @property
    def shown(self) -> tuple[str, str]:
        number, store, line = self.template.values("body")
        links = [LINK_BASE + suffix for suffix in self.template.values("url")]
        payload = next(iter(self.template.values("quick_reply")), "")
        return "\n\n".join([f"{store} · {number}", line, *links]), payload


Post = TextPost | InteractivePost | TemplatePost
_POST: TypeAdapter[Post] = TypeAdapter(Annotated[Post, Field(discriminator="type")])


class WhatsApp(LookAlike):
    """One number. A template for every kind of message is approved."""

    target: ClassVar[Target] = Target.WHATSAPP
    channel: ClassVar[str] = "whatsapp"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = f"EAA{secrets.token_urlsafe(40)}"
        self._app_secret = secrets.token_hex(16)
        self._verify_token = secrets.token_urlsafe(16)
        self._number_id = str(secrets.randbelow(9 * 10**14) + 10**14)
        self._heard: dict[str, float] = {}

    def routes(self) -> Sequence[BaseRoute]:
        path = "/v23.0/{number}"
        return (
            Route(f"{path}/messages", self.endpoint(Operation.SEND, self._send), methods=["POST"]),
            Route(path, self.endpoint(Operation.LOOKUP, self._number), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        own = {
            "PHONE_NUMBER_ID": self._number_id,
            "ACCESS_TOKEN": self._token,
            "APP_SECRET": self._app_secret,
            "VERIFY_TOKEN": self._verify_token,
            "TEMPLATES": json.dumps(TEMPLATES),
            "TEMPLATE_LINK_BASE": LINK_BASE,
            "TEMPLATE_AFFIRM": "true",
            "BASE_URL": url,
        }
        return {f"ORDERACK_WHATSAPP_{name}": value for name, value in own.items()}

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """Words, a press, or the report of reading; an opt-out is a word like others here."""
        if deed is Deed.READ:
            return self._report(message, "read")
        payload = dict(message.headers)["payload"]
        if deed is Deed.PRESS and not payload:
            return None
        self._heard[message.recipient] = time.time()
        about = {"context": {"from": SHOWN_NUMBER, "id": message.provider_id}}
        if deed is Deed.PRESS and dict(message.headers)["type"] == "template":
            said: dict[str, object] = {"type": "button", "button": {"payload": payload, "text": "Confirm"}, **about}
        elif deed is Deed.PRESS:
            reply = {"type": "button_reply", "button_reply": {"id": payload, "title": "Confirm"}}
            said = {"type": "interactive", "interactive": reply, **about}
        else:
            said = {"type": "text", "text": {"body": text or "STOP"}}
        who = {"from": message.recipient, "id": _wamid(), "timestamp": str(int(time.time()))}
        contact = {"profile": {"name": "Ada Example"}, "wa_id": message.recipient}
        return self._post(f"{said['type']} in", {"contacts": [contact], "messages": [who | said]})

    def refused(self, code: str | None) -> Response:
        return _error(400, int(code) if code and code.isdecimal() else UNDELIVERABLE)

    def throttled(self, retry_after: int) -> Response:
        return _meta.throttled(130429, ERRORS[130429], ACCOUNT, retry_after)

    def failed(self, status: int) -> Response:
        return _error(status, 131000)

    def too_large(self) -> Response:
        return _error(413, 131009)

    def _stranger(self, request: Request) -> Response | None:
        if not bearer(request, self._token):
            return _error(401, 190)
        if request.path_params["number"] != self._number_id:
            return _meta.error(400, 100, "Unsupported request. Object with this ID does not exist", 33)
        return None

    async def _number(self, request: Request, plan: Plan) -> Response:
        entry = {"verified_name": "Fjordlight", "quality_rating": "GREEN", "id": self._number_id}
        return self._stranger(request) or JSONResponse(entry)

    async def _send(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            post = _POST.validate_json(await request.body())
        except ValidationError:
            return _error(400, 100)
        if (code := _wrong_with(post)) is not None:
            return _error(400 if code != 132001 else 404, code)
        shown = self._record(post, plan)
        self.state.courier.start(self._progress(shown, post, plan))
        contact = {"input": post.to, "wa_id": shown.recipient}
        accepted = {"id": shown.provider_id, "message_status": "accepted"}
        return JSONResponse({"messaging_product": "whatsapp", "contacts": [contact], "messages": [accepted]})

    def _record(self, post: Post, plan: Plan) -> Posted:
        wamid, to, key = _wamid(), post.to.removeprefix("+"), post.biz_opaque_callback_data or None
        text, payload = post.shown
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=wamid, recipient=to, key=key, faults=plan.actions
        )
        return self.state.outbox.put(
            self.target,
            recipient=to,
            sender=SHOWN_NUMBER,
            provider_id=wamid,
            text=text,
            key=key,
            headers=(("type", post.type), ("payload", payload)),
            buttons=post.interactive.action.titles if isinstance(post, InteractivePost) else (),
        )

    async def _progress(self, shown: Posted, post: Post, plan: Plan) -> None:
        """Sent, then delivered; what was accepted and cannot go out is reported as failed."""
        closed = time.time() - self._heard.get(shown.recipient, 0) >= WINDOW
        bounce = plan.aftermath.code if plan.aftermath and plan.happens(Action.BOUNCE) else None
        code = int(bounce or UNDELIVERABLE) if plan.happens(Action.BOUNCE) else None
        code = WINDOW_CLOSED if closed and post.type != "template" else code
        half = self.state.behaviour.delivered_after / 2
        for word in ("failed",) if code else ("sent", "delivered"):
            await asyncio.sleep(half)
            self.state.announce(self._report(shown, word, code), plan)

    def _report(self, shown: Posted, word: str, code: int | None = None) -> Webhook:
        status: dict[str, object] = {"id": shown.provider_id, "status": word, "timestamp": str(int(time.time()))}
        status |= {"recipient_id": shown.recipient}
        status |= {"biz_opaque_callback_data": shown.key} if shown.key else {}
        status |= {"errors": [{"code": code, "title": ERRORS.get(code, "Failed")}]} if code else {}
        return self._post(f"{shown.provider_id} {word}", {"statuses": [status]})

    def _post(self, name: str, told: Mapping[str, object]) -> Webhook:
        number = {"display_phone_number": SHOWN_NUMBER, "phone_number_id": self._number_id}
        value = {"messaging_product": "whatsapp", "metadata": number, **told}
        entry = {"id": ACCOUNT, "changes": [{"field": "messages", "value": value}]}
        post = {"object": "whatsapp_business_account", "entry": [entry]}
        return _meta.signed_post(f"whatsapp {name}", lambda: self.state.callback(EVENTS), self._app_secret, post)


def _wrong_with(post: Post) -> int | None:
    """The code of the first thing that the account's templates would not take."""
    if not isinstance(post, TemplatePost):
        return None
    template = post.template
    if template.name not in TEMPLATES.values():
        return 132001
    if len(template.values("body")) != 3 or len(template.values("url")) != 1:
        return 132000
    bad = any(not text or "\n" in text or "\t" in text or "    " in text for text in template.values("body"))
    return 132012 if bad else None


def _wamid() -> str:
    return f"wamid.{secrets.token_urlsafe(33)}"


def _error(status: int, code: int) -> Response:
    return _meta.error(status, code, ERRORS.get(code, "The message was refused"))


LOOK_ALIKE = WhatsApp
