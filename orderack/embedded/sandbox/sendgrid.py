"""SendGrid's mail send (v3), as its OpenAPI description has it, its signed event webhook, and its Inbound Parse."""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.letters import BOUNDARY, letter, sendgrid_form
from orderack.embedded.sandbox.look_alike import KEY_FIELD, LookAlike, ShopDeed, bearer
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

CALLBACK = "/webhooks/sendgrid_email"
CUSTOM_ARGS_MAX = 10_000
"""Bytes."""
RECIPIENTS_MAX = 1_000
READER_IP = "127.0.0.1"
"""All readers are on this machine."""


class Address(BaseModel):
    email: str | None = None
    name: str | None = None


class Personalization(BaseModel):
    to: list[Address] = []
    cc: list[Address] = []
    bcc: list[Address] = []
    subject: str | None = None
    headers: dict[str, str] = {}
    custom_args: dict[str, JsonValue] = {}


class Content(BaseModel):
    type: str = ""
    value: str = ""


class Mail(BaseModel):
    """The request body; `from` is a keyword."""

    model_config = {"populate_by_name": True, "alias_generator": lambda name: "from" if name == "sender" else name}

    personalizations: list[Personalization] = []
    sender: Address = Address()
    subject: str | None = None
    content: list[Content] = []
    template_id: str | None = None
    headers: dict[str, str] = {}
    custom_args: dict[str, JsonValue] = {}
    categories: list[str] = []

    def recipients(self) -> list[tuple[Address, Personalization]]:
        return [(to, part) for part in self.personalizations for to in (*part.to, *part.cc, *part.bcc)]

    def body(self, kind: str) -> str | None:
        return next((content.value for content in self.content if content.type == kind), None)


class SendGrid(LookAlike):
    """Takes mail, and posts its events to the gateway in signed batches."""

    target: ClassVar[Target] = Target.SENDGRID
    source: ClassVar[str] = "sendgrid_inbound"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._mails: dict[str, Mail] = {}
        self._letters = 0

    def connection(self, url: str) -> Mapping[str, str]:
        return {"public_key": self.state.credentials.sendgrid_public_key}

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        """The buyer writes a mail, which is posted raw; what happens to the order later nobody writes."""
        if deed not in (ShopDeed.PLACE, ShopDeed.CHANGE):
            return ()
        self._letters += 1
        body, key = sendgrid_form(letter(order, self._letters)), self.state.credentials.sendgrid_signing_key
        hook = Webhook(
            name=f"sendgrid inbound {order.number} {self._letters}",
            url=lambda: self.state.callback(f"/intake/{order.store}/{self.source}"),
            signed=lambda url: {
                "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
                **signatures.sendgrid(key, int(time.time()), body),
            },
            body=body,
        )
        return (hook,)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/v3/mail/send", self.endpoint(Operation.SEND, self._send), methods=["POST"]),
            Route("/v3/scopes", self.endpoint(Operation.LOOKUP, self._scopes), methods=["GET"]),
            Route("/sandbox/public_key", self._public_key, methods=["GET"]),
        )

    def refused(self, code: str | None) -> Response:
        """A status, or the field that is at fault in a 400 (`personalizations.0.to.0.email`)."""
        if code is not None and code.isdecimal():
            return _errors(int(code), "access forbidden" if code == "403" else "invalid request")
        return _errors(400, "Does not contain a valid address.", code or "personalizations.0.to.0.email")

    def throttled(self, retry_after: int) -> Response:
        headers = {
            "Retry-After": str(retry_after),
            "X-RateLimit-Limit": "600",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int(time.time()) + retry_after),
        }
        return _errors(429, "too many requests", headers=headers)

    def failed(self, status: int) -> Response:
        return _errors(status, "internal server error")

    def too_large(self) -> Response:
        return _errors(413, "content too large")

    async def _public_key(self, request: Request) -> Response:
        return JSONResponse({"public_key": self.state.credentials.sendgrid_public_key})

    async def _scopes(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self.state.credentials.sendgrid_api_key):
            return _errors(401, "The provided authorization grant is invalid, expired, or revoked")
        return JSONResponse({"scopes": ["mail.send", "2fa_required"]})

    async def _send(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self.state.credentials.sendgrid_api_key):
            return _errors(401, "The provided authorization grant is invalid, expired, or revoked")
        if not request.headers.get("content-type", "").startswith("application/json"):
            return _errors(400, "Content-Type should be application/json.")
        try:
            mail = Mail.model_validate_json(await request.body())
        except ValidationError as error:
            return _errors(400, "Bad Request", ".".join(str(part) for part in error.errors()[0]["loc"]) or None)
        if (wrong := wrong_with(mail)) is not None:
            field, message = wrong
            return _errors(400, message, field)
        message_id = secrets.token_urlsafe(16)
        self._mails[message_id] = mail.model_copy(update={"content": []})
        self._record(mail, message_id, plan)
        self._announce(mail, message_id, plan)
        return Response(status_code=202, headers={"X-Message-Id": message_id})

    def _record(self, mail: Mail, message_id: str, plan: Plan) -> None:
        for to, part in mail.recipients():
            key = (mail.custom_args | part.custom_args).get(KEY_FIELD)
            named = str(key) if key is not None else None
            self.state.log.accept(
                self.target,
                Operation.SEND,
                provider_id=message_id,
                recipient=to.email or "",
                key=named,
                faults=plan.actions,
            )
            self.state.outbox.put(
                self.target,
                recipient=to.email or "",
                sender=mail.sender.email or "",
                provider_id=message_id,
                subject=part.subject or mail.subject or "",
                text=mail.body("text/plain") or "",
                html=mail.body("text/html"),
                key=named,
                headers=tuple((mail.headers | part.headers).items()),
            )

    def _announce(self, mail: Mail, message_id: str, plan: Plan) -> None:
        """Processed and delivered (or bounced) in one batch, as SendGrid gathers them; opens in a later one."""
        behaviour = self.state.behaviour
        bounced = plan.happens(Action.BOUNCE)
        outcome = "bounce" if bounced else "delivered"
        code = (plan.aftermath and plan.aftermath.code) or "5.1.1"
        said: Mapping[str, JsonValue] = (
            {"type": "bounce", "status": code, "reason": f"550 {code} The account does not exist"}
            if bounced
            else {"response": "250 OK"}
        )
        batch = self._events(mail, message_id, "processed", {}) + self._events(mail, message_id, outcome, said)
        self.state.announce(self._webhook(message_id, batch), plan, behaviour.delivered_after)
        if behaviour.opened_after is not None and not bounced:
            opened = self._events(mail, message_id, "open", {"sg_machine_open": False, "ip": READER_IP})
            self.state.announce(
                self._webhook(message_id, opened), plan, behaviour.delivered_after + behaviour.opened_after
            )

    def report(self, message: Posted, event: str, agent: str, said: Mapping[str, JsonValue]) -> None:
        """Post what the service's own tracking saw (`open`, `click`) of this recipient's copy of its own mail."""
        mail = self._mails.get(message.provider_id)
        if mail is None:
            return
        seen = {"useragent": agent, "ip": READER_IP, **said}
        events = [
            one for one in self._events(mail, message.provider_id, event, seen) if one["email"] == message.recipient
        ]
        self.state.announce(self._webhook(message.provider_id, events), Plan())

    def _events(
        self, mail: Mail, message_id: str, event: str, said: Mapping[str, JsonValue]
    ) -> list[dict[str, JsonValue]]:
        return [
            {
                **mail.custom_args,
                **part.custom_args,
                **({"category": list[JsonValue](mail.categories)} if mail.categories else {}),
                "email": to.email,
                "timestamp": int(time.time()),
                "smtp-id": f"<{message_id}@sandbox.invalid>",
                "event": event,
                "sg_event_id": secrets.token_urlsafe(16),
                "sg_message_id": f"{message_id}.sandbox-{number}",
                **said,
            }
            for number, (to, part) in enumerate(mail.recipients())
        ]

    def _webhook(self, message_id: str, events: list[dict[str, JsonValue]]) -> Webhook:
        # the service ends its body with CR LF: whoever verifies parsed and re-printed JSON fails here too
        body = json.dumps(events).encode() + b"\r\n"
        key = self.state.credentials.sendgrid_signing_key
        return Webhook(
            name=f"sendgrid {message_id} {events[-1]['event']}",
            url=lambda: self.state.callback(CALLBACK),
            signed=lambda url: {
                "Content-Type": "application/json",
                **signatures.sendgrid(key, int(time.time()), body),
            },
            body=body,
        )


def wrong_with(mail: Mail) -> tuple[str, str] | None:
    """The field and the service's sentence for the first thing it would refuse."""
    recipients = mail.recipients()
    bad = next((n for n, (to, _) in enumerate(recipients) if not _valid(to.email)), None)
    subjects = mail.subject or all(part.subject for part in mail.personalizations)
    args = (mail.custom_args | part.custom_args for part in mail.personalizations)
    checks = (
        ("personalizations", "The personalizations field is required and must have at least one personalization.")
        if not mail.personalizations
        else None,
        (
            "personalizations.0.to",
            "The to array is required for all personalization objects, and must have at least one",
        )
        if not all(part.to for part in mail.personalizations)
        else None,
        ("from.email", "The from object must be provided for every email send.") if not mail.sender.email else None,
        ("from.email", "The from email does not contain a valid address.") if not _valid(mail.sender.email) else None,
        (f"personalizations.0.to.{bad}.email", "Does not contain a valid address.") if bad is not None else None,
        ("personalizations", "Too many recipients.") if len(recipients) > RECIPIENTS_MAX else None,
        ("subject", "The subject is required.") if not (subjects or mail.template_id) else None,
        ("content", "Unless a valid template_id is provided, the content parameter is required.")
        if not (mail.content or mail.template_id)
        else None,
        ("content.0.value", "The content value must be a string at least one character in length.")
        if not all(content.value for content in mail.content)
        else None,
        ("custom_args", "The custom_args may not exceed 10000 bytes.")
        if any(len(json.dumps(values).encode()) > CUSTOM_ARGS_MAX for values in args)
        else None,
    )
    return next((check for check in checks if check is not None), None)


def _valid(email: str | None) -> bool:
    try:
        validate_email(email or "", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _errors(status: int, message: str, field: str | None = None, headers: Mapping[str, str] | None = None) -> Response:
    error = {"message": message} | ({"field": field} if field else {})
    return JSONResponse({"errors": [error]}, status_code=status, headers=headers)
