"""Microsoft Graph: a mailbox with its drafts, its sent items and its inbox, and notifications of what comes in."""

import asyncio
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import parse_qsl

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.inbox import Inbox, delivery_report, receipt_notice, reply
from orderack.embedded.sandbox.look_alike import KEY_HEADER, Deed, LookAlike, bearer
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

MAILBOX = "orders@shop.example.com"
EVENTS = "/webhooks/outlook"
HEADERS_MAX = 5
BYTES_MAX = 4 * 1024 * 1024
RECEIPT = "X-Sandbox-Read-Receipt"
"""How the sandbox remembers that one was asked for."""
_ID_FILTER = re.compile(r"internetMessageId eq '([^']+)'")
_NEWS_FILTER = re.compile(r"receivedDateTime ge (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Address(_Strict):
    address: str = ""
    name: str = ""


class Recipient(_Strict):
    emailAddress: Address


class Body(_Strict):
    contentType: str = "text"
    content: str = ""


class Header(_Strict):
    name: str
    value: str


class Message(_Strict):
    """As much of a message as is written to make a draft."""

    subject: str = ""
    body: Body = Body()
    toRecipients: list[Recipient] = []
    internetMessageId: str = Field(default="", pattern=r"^(<[^<>\s]+@[^<>\s]+>)?$")
    internetMessageHeaders: list[Header] = []
    isDeliveryReceiptRequested: bool = False
    isReadReceiptRequested: bool = False

    def header(self, name: str) -> str | None:
        return next((one.value for one in self.internetMessageHeaders if one.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class Stored:
    """One of ours in the mailbox. Its id is another one once it is sent."""

    id: str
    message: Message
    draft: bool

    def told(self) -> dict[str, object]:
        return {"id": self.id, "isDraft": self.draft, "internetMessageId": self.message.internetMessageId}


class Outlook(LookAlike):
    """The mailbox of one shop."""

    target: ClassVar[Target] = Target.OUTLOOK
    channel: ClassVar[str] = "outlook"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = f"eyJ0.sandbox-{secrets.token_urlsafe(24)}"
        self._tenant, self._client_id = secrets.token_hex(16), secrets.token_hex(16)
        self._client_secret, self._client_state = secrets.token_urlsafe(30), secrets.token_urlsafe(24)
        self._id_secret = secrets.token_urlsafe(32)
        self._inbox = Inbox()
        self._own: dict[str, Stored] = {}
        """Drafts and sent items, by id."""

    def routes(self) -> Sequence[BaseRoute]:
        user = "/v1.0/users/{user}"
        look, send = Operation.LOOKUP, Operation.SEND
        return (
            Route("/{tenant}/oauth2/v2.0/token", self._sign_in, methods=["POST"]),
            Route(f"{user}/mailFolders/inbox", self.endpoint(look, self._folder), methods=["GET"]),
            Route(f"{user}/mailFolders/inbox/messages", self.endpoint(look, self._arrived), methods=["GET"]),
            Route(f"{user}/messages", self.endpoint(look, self._search), methods=["GET"]),
            Route(f"{user}/messages", self.endpoint(look, self._make), methods=["POST"]),
            Route(f"{user}/messages/{{id}}", self.endpoint(look, self._delete), methods=["DELETE"]),
            Route(f"{user}/messages/{{id}}/$value", self.endpoint(look, self._mime), methods=["GET"]),
            Route(f"{user}/messages/{{id}}/send", self.endpoint(send, self._send), methods=["POST"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_OUTLOOK_TENANT_ID": self._tenant,
            "ORDERACK_OUTLOOK_CLIENT_ID": self._client_id,
            "ORDERACK_OUTLOOK_CLIENT_SECRET": self._client_secret,
            "ORDERACK_OUTLOOK_MAILBOX": MAILBOX,
            "ORDERACK_OUTLOOK_MESSAGE_ID_SECRET": self._id_secret,
            "ORDERACK_OUTLOOK_CLIENT_STATE": self._client_state,
            "ORDERACK_OUTLOOK_BASE_URL": url,
            "ORDERACK_OUTLOOK_TOKEN_URL": url,
        }

    def drafts(self) -> Sequence[Stored]:
        """What lies in Drafts now."""
        return tuple(stored for stored in self._own.values() if stored.draft)

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """A reply, or a receipt where one was asked for, lies in the inbox at once; what is posted is the hint."""
        match deed:
            case Deed.WRITE:
                letter = self._inbox.put(reply(message, text))
            case Deed.OPT_OUT:
                letter = self._inbox.put(reply(message, text or "unsubscribe"))
            case Deed.READ if (RECEIPT, "true") in message.headers:
                letter = self._inbox.put(receipt_notice(message))
            case _:
                return None
        return self._notification(letter.id)

    def refused(self, code: str | None) -> Response:
        """A status or a code of Graph's; no code: a recipient's address is at fault."""
        if code is not None and code.isdecimal():
            return _error(int(code), "ErrorAccessDenied" if code == "403" else "ErrorInvalidRequest")
        return _error(400, code or "ErrorInvalidRecipients")

    def throttled(self, retry_after: int) -> Response:
        return _error(429, "ApplicationThrottled", {"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return _error(status, "ServiceUnavailable" if status == 503 else "generalException")

    def too_large(self) -> Response:
        return _error(413, "RequestEntityTooLarge")

    async def words(self, request: Request) -> str:
        """The draft as well, whose sending names its id alone."""
        stored = self._own.get(request.path_params.get("id", ""))
        return "\n".join((await super().words(request), stored.message.model_dump_json() if stored else ""))

    async def _sign_in(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        if request.path_params["tenant"] != self._tenant:
            return JSONResponse({"error": "invalid_request"}, 400)
        if (form.get("client_id"), form.get("client_secret")) != (self._client_id, self._client_secret):
            return JSONResponse({"error": "invalid_client"}, 401)
        if form.get("grant_type") != "client_credentials" or not form.get("scope", "").endswith("/.default"):
            return JSONResponse({"error": "invalid_scope"}, 400)
        return JSONResponse({"token_type": "Bearer", "expires_in": 3_599, "access_token": self._token})

    def _stranger(self, request: Request) -> Response | None:
        if not bearer(request, self._token):
            return _error(401, "InvalidAuthenticationToken")
        if request.path_params["user"] != MAILBOX:
            return _error(404, "ErrorInvalidUser")
        return None

    async def _folder(self, request: Request, plan: Plan) -> Response:
        count = len(self._inbox.letters)
        told = {"id": "inbox", "displayName": "Inbox", "totalItemCount": count}
        return self._stranger(request) or JSONResponse(told)

    async def _search(self, request: Request, plan: Plan) -> Response:
        wanted = _ID_FILTER.fullmatch(request.query_params.get("$filter", ""))
        if (stranger := self._stranger(request)) is not None or wanted is None:
            return stranger or _error(400, "ErrorInvalidUrlQueryFilter")
        found = [stored.told() for stored in self._own.values() if stored.message.internetMessageId == wanted[1]]
        return JSONResponse({"value": found[: int(request.query_params.get("$top", "10"))]})

    async def _make(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        if len(await request.body()) > BYTES_MAX:
            return self.too_large()
        try:
            message = Message.model_validate_json(await request.body())
        except ValidationError:
            return _error(400, "RequestBodyRead")
        names = [header.name.lower() for header in message.internetMessageHeaders]
        if len(names) > HEADERS_MAX or not all(name.startswith("x-") for name in names):
            return _error(400, "ErrorInvalidInternetHeaderName")
        if message.body.contentType.lower() not in ("text", "html"):
            return _error(400, "RequestBodyRead")
        own = message.internetMessageId or f"<{secrets.token_hex(16)}@sandbox.outlook.invalid>"
        stored = Stored(secrets.token_hex(16), message.model_copy(update={"internetMessageId": own}), draft=True)
        self._own[stored.id] = stored
        return JSONResponse(stored.told(), 201)

    async def _delete(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        gone = self._own.pop(request.path_params["id"], None)
        return Response(status_code=204) if gone else _error(404, "ErrorItemNotFound")

    async def _send(self, request: Request, plan: Plan) -> Response:
        """202 and nothing else. The message leaves Drafts, and what lies in Sent Items has an id of its own."""
        if (stranger := self._stranger(request)) is not None:
            return stranger
        stored = self._own.get(request.path_params["id"])
        if stored is None or not stored.draft:
            return _error(404, "ErrorItemNotFound")
        recipients = [recipient.emailAddress.address for recipient in stored.message.toRecipients]
        if not recipients or not all(_valid(recipient) for recipient in recipients):
            return _error(400, "ErrorInvalidRecipients")
        del self._own[stored.id]
        sent = Stored(secrets.token_hex(16), stored.message, draft=False)
        self._own[sent.id] = sent
        for recipient in recipients:
            self._record(stored.message, recipient, plan)
        return Response(status_code=202)

    def _record(self, message: Message, recipient: str, plan: Plan) -> None:
        html = message.body.contentType.lower() == "html"
        asked = ((RECEIPT, "true"),) if message.isReadReceiptRequested else ()
        own = tuple((header.name, header.value) for header in message.internetMessageHeaders)
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=message.internetMessageId,
            recipient=recipient,
            key=message.header(KEY_HEADER),
            faults=plan.actions,
        )
        posted = self.state.outbox.put(
            self.target,
            recipient=recipient,
            sender=MAILBOX,
            provider_id=message.internetMessageId,
            subject=message.subject,
            text="" if html else message.body.content,
            html=message.body.content if html else None,
            key=message.header(KEY_HEADER),
            headers=(("Message-ID", message.internetMessageId), *own, *asked),
        )
        if plan.happens(Action.BOUNCE):
            self.state.courier.start(
                self._report(posted, "failed", (plan.aftermath and plan.aftermath.code) or "5.1.10")
            )
        elif message.isDeliveryReceiptRequested:
            self.state.courier.start(self._report(posted, "delivered", "2.0.0"))

    async def _report(self, message: Posted, action: str, code: str) -> None:
        await asyncio.sleep(self.state.behaviour.delivered_after)
        letter = self._inbox.put(delivery_report(message, action, code))
        self.state.announce(self._notification(letter.id), Plan())

    async def _arrived(self, request: Request, plan: Plan) -> Response:
        query = request.query_params
        since = _NEWS_FILTER.fullmatch(query.get("$filter", ""))
        if (stranger := self._stranger(request)) is not None or since is None:
            return stranger or _error(400, "ErrorInvalidUrlQueryFilter")
        found = self._inbox.since(datetime.strptime(since[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC))
        first, most = int(query.get("$skip", "0")), int(query.get("$top", "10"))
        told = [{"id": letter.id, "receivedDateTime": f"{letter.at:%Y-%m-%dT%H:%M:%SZ}"} for letter in found]
        return JSONResponse({"value": told[first : first + most]})

    async def _mime(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        letter = self._inbox.get(request.path_params["id"])
        return Response(letter.raw, media_type="text/plain") if letter else _error(404, "ErrorItemNotFound")

    def _notification(self, letter_id: str) -> Webhook:
        told = {
            "subscriptionId": "sandbox",
            "clientState": self._client_state,
            "changeType": "created",
            "resource": f"Users/sandbox/Messages/{letter_id}",
            "tenantId": self._tenant,
        }
        return Webhook(
            name=f"outlook notification {letter_id}",
            url=lambda: self.state.callback(EVENTS),
            signed=lambda url: {"Content-Type": "application/json"},
            body=json.dumps({"value": [told]}).encode(),
        )


def _valid(email: str) -> bool:
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _error(status: int, code: str, headers: Mapping[str, str] | None = None) -> Response:
    request = {"date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", "request-id": secrets.token_hex(16)}
    error = {"code": code, "message": "The sandbox says no.", "innerError": request}
    return JSONResponse({"error": error}, status, headers=headers)


LOOK_ALIKE = Outlook
