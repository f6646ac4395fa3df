"""Mailgun's messages endpoint, as its OpenAPI description has it, its webhooks, signed in their bodies, and
a route that forwards what buyers write."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import ClassVar

from email_validator import EmailNotValidError, validate_email
from pydantic import JsonValue
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.letters import BOUNDARY, letter, mailgun_form
from orderack.embedded.sandbox.look_alike import KEY_FIELD, Deed, LookAlike, ShopDeed
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

CALLBACK = "/webhooks/mailgun_email"
DOMAIN = "mg.shop.example"
SENDER = f"orders@{DOMAIN}"
OPTIONS = ("o:", "h:", "v:", "t:")
OPTIONS_MAX = 16 * 1024
"""Bytes of all fields that start with one of these, together."""
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Thunderbird/128.1"


@dataclass(frozen=True)
class Mail:
    """One mail as the account holds it."""

    id: str
    to: str
    subject: str
    variables: Mapping[str, str]


class Mailgun(LookAlike):
    """Takes mail for one domain, and posts each event by itself."""

    target: ClassVar[Target] = Target.MAILGUN
    channel: ClassVar[str] = "mailgun_email"
    source: ClassVar[str] = "mailgun_inbound"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self.api_key = f"key-{secrets.token_hex(16)}"
        self.signing_key = secrets.token_hex(16)
        self._mails: dict[str, Mail] = {}
        self._letters = 0

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/v3/{domain}/messages", self.endpoint(Operation.SEND, self._send), methods=["POST"]),
            Route("/v4/domains/{domain}", self.endpoint(Operation.LOOKUP, self._domain), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_MAILGUN_EMAIL_API_KEY": self.api_key,
            "ORDERACK_MAILGUN_EMAIL_DOMAIN": DOMAIN,
            "ORDERACK_MAILGUN_EMAIL_SENDER": SENDER,
            "ORDERACK_MAILGUN_EMAIL_WEBHOOK_SIGNING_KEY": self.signing_key,
            "ORDERACK_MAILGUN_EMAIL_BASE_URL": url,
        }

    def connection(self, url: str) -> Mapping[str, str]:
        return {"signing_key": self.signing_key, "spam_filter": "true"}

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        """The buyer writes a mail with its lines in a file; what happens to the order later nobody writes."""
        if deed not in (ShopDeed.PLACE, ShopDeed.CHANGE):
            return ()
        self._letters += 1
        hook = Webhook(
            name=f"mailgun route {order.number} {self._letters}",
            url=lambda: self.state.callback(f"/intake/{order.store}/{self.source}"),
            signed=lambda url: {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
            body=mailgun_form(letter(order, self._letters, table=True), self.signing_key, int(time.time())),
        )
        return (hook,)

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """An open that Mailgun's own tracking saw, or its unsubscribe link."""
        mail = self._mails.get(message.provider_id)
        if mail is None or deed not in (Deed.READ, Deed.OPT_OUT):
            return None
        return self._webhook(mail, "opened" if deed is Deed.READ else "unsubscribed", _seen())

    def refused(self, code: str | None) -> Response:
        """A status; its sentence is that of a wrong address."""
        return _message(int(code or 400), "'to' parameter is not a valid address. please check documentation.")

    def throttled(self, retry_after: int) -> Response:
        """The delay stands in the sentence, and nowhere else."""
        limit = "account-requests-per-sec limit exceeded"
        return _message(429, f"Domain {DOMAIN} is not allowed to send: {limit}, try again after {retry_after} seconds")

    def failed(self, status: int) -> Response:
        return _message(status, "Internal Server Error")

    def too_large(self) -> Response:
        return _message(413, "The message is bigger than 25 MB")

    def _stranger(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "")
        right = base64.b64encode(f"api:{self.api_key}".encode()).decode()
        if not hmac.compare_digest(given.encode(), f"Basic {right}".encode()):
            return PlainTextResponse("Forbidden", 401)
        if request.path_params["domain"] != DOMAIN:
            return _message(404, "Domain not found: " + request.path_params["domain"])
        return None

    async def _domain(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        return JSONResponse({"domain": {"name": DOMAIN, "state": "active", "type": "custom", "is_disabled": False}})

    async def _send(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        form = await request.form()
        if (wrong := refusal_of(form)) is not None:
            return _message(400, wrong)
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        variables = {name[2:]: value for name, value in fields.items() if name.startswith("v:")}
        mail = Mail(f"{secrets.token_hex(10)}@{DOMAIN}", fields["to"], fields["subject"], variables)
        self._mails[mail.id] = mail
        self._record(mail, fields, plan)
        self._announce(mail, plan)
        return JSONResponse({"id": f"<{mail.id}>", "message": "Queued. Thank you."})

    def _record(self, mail: Mail, fields: Mapping[str, str], plan: Plan) -> None:
        key = mail.variables.get(KEY_FIELD)
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=mail.id, recipient=mail.to, key=key, faults=plan.actions
        )
        self.state.outbox.put(
            self.target,
            recipient=mail.to,
            sender=parseaddr(fields["from"])[1],
            provider_id=mail.id,
            subject=mail.subject,
            text=fields.get("text", ""),
            html=fields.get("html"),
            key=key,
        )

    def _announce(self, mail: Mail, plan: Plan) -> None:
        """Accepted, then delivered or failed; opened later where people open their mail."""
        behaviour = self.state.behaviour
        bounced = plan.happens(Action.BOUNCE)
        self.state.announce(self._webhook(mail, "accepted", {}), plan)
        code = int((plan.aftermath and plan.aftermath.code) or 550)
        status: Mapping[str, JsonValue] = {"delivery-status": {"code": code if bounced else 250, "attempt-no": 1}}
        failed: Mapping[str, JsonValue] = {**status, "severity": "permanent", "reason": "bounce"}
        ended = self._webhook(mail, "failed", failed) if bounced else self._webhook(mail, "delivered", status)
        self.state.announce(ended, plan, behaviour.delivered_after)
        if behaviour.opened_after is not None and not bounced:
            opened = self._webhook(mail, "opened", _seen())
            self.state.announce(opened, plan, behaviour.delivered_after + behaviour.opened_after)

    def _webhook(self, mail: Mail, word: str, said: Mapping[str, JsonValue]) -> Webhook:
        headers: Mapping[str, JsonValue] = {"to": mail.to, "message-id": mail.id, "subject": mail.subject}
        event: Mapping[str, JsonValue] = {
            "event": word,
            "id": secrets.token_urlsafe(16),
            "timestamp": time.time(),
            "log-level": "error" if word == "failed" else "info",
            "recipient": mail.to,
            "message": {"headers": dict(headers)},
            "tags": [],
            "user-variables": dict(mail.variables),
            **said,
        }
        body = json.dumps({"signature": self._signature(), "event-data": dict(event)}).encode()
        return Webhook(
            name=f"mailgun {mail.id} {word}",
            url=lambda: self.state.callback(CALLBACK),
            signed=lambda url: {"Content-Type": "application/json", "User-Agent": "mailgun/treq-22.4.0"},
            body=body,
        )

    def _signature(self) -> Mapping[str, str]:
        timestamp, token = str(int(time.time())), secrets.token_hex(25)
        signed = hmac.new(self.signing_key.encode(), msg=(timestamp + token).encode(), digestmod=hashlib.sha256)
        return {"timestamp": timestamp, "token": token, "signature": signed.hexdigest()}


def refusal_of(form: FormData) -> str | None:
    """The sentence for the first thing that Mailgun would refuse."""
    options = sum(
        len(f"{name}{value}".encode()) for name, value in form.items() if name[:2] in ("o:", "h:", "v:", "t:")
    )
    checks = (
        ("from parameter is missing", not form.get("from")),
        ("'from' parameter is not a valid address. please check documentation.", not _valid(form.get("from"))),
        ("to parameter is missing", not form.get("to")),
        ("'to' parameter is not a valid address. please check documentation.", not _valid(form.get("to"))),
        ("Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified", not _content(form)),
        ("Send options (parameters starting with o:, h:, or v:) are limited to 16KB total", options > OPTIONS_MAX),
    )
    return next((sentence for sentence, wrong in checks if wrong), None)


def _content(form: FormData) -> bool:
    return any(form.get(name) for name in ("text", "html", "amp-html", "template"))


def _valid(address: object) -> bool:
    try:
        validate_email(parseaddr(str(address))[1], check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _seen() -> Mapping[str, JsonValue]:
    return {"ip": "127.0.0.1", "client-info": {"client-type": "email client", "user-agent": AGENT, "bot": ""}}


def _message(status: int, sentence: str) -> Response:
    return JSONResponse({"message": sentence}, status_code=status)


LOOK_ALIKE = Mailgun
