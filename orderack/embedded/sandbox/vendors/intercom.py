"""Intercom's contact search and messages as its description (2.15) has them, and its signed notifications."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Deed, LookAlike, bearer
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

CALLBACK = "/webhooks/intercom"
ADMIN_ID = 991_267
ADMIN = f"admin {ADMIN_ID}"
STRANGER = "stranger@"
"""Everybody is a contact but whose address begins so."""


SEARCH_PAGE = 20
"""Conversations of one page where the request names none; 150 at most."""


class Filter(BaseModel):
    field: str
    operator: str
    value: str


class Search(BaseModel):
    query: Filter


class When(BaseModel):
    """A condition on when a conversation began; of a date Intercom takes these operators."""

    field: Literal["created_at"]
    operator: Literal["=", "<", ">"]
    value: int

    def holds(self, at: int) -> bool:
        """Whether it holds of this time, in seconds since 1970; by the day, as Intercom may do it."""
        day, asked = at // 86_400, self.value // 86_400
        return day == asked if self.operator == "=" else day < asked if self.operator == "<" else day > asked


class Whens(BaseModel):
    operator: Literal["AND"]
    value: list[When]


class Paging(BaseModel):
    per_page: int = SEARCH_PAGE
    starting_after: str | None = None


class ConversationSearch(BaseModel):
    query: Whens
    pagination: Paging = Paging()


class Beginner(BaseModel):
    type: Literal["user", "lead", "contact"]
    id: str


class Beginning(BaseModel):
    """What POST /conversations takes; `from` is a keyword."""

    model_config = {"alias_generator": lambda name: "from" if name == "sender" else name}

    sender: Beginner
    body: str
    subject: str = ""
    created_at: int | None = None


class Sender(BaseModel):
    type: Literal["admin"]
    id: int


class Recipient(BaseModel):
    type: Literal["user", "lead"]
    id: str


class Mail(BaseModel):
    """The request body of a message; `from` is a keyword."""

    model_config = {"alias_generator": lambda name: "from" if name == "sender" else name}

    message_type: Literal["email", "in_app"]
    subject: str = ""
    body: str | None = None
    template: Literal["plain", "personal"] | None = None
    sender: Sender
    to: Recipient


class Intercom(LookAlike):
    """One workspace with one teammate; a contact comes to be when it is first searched for."""

    target: ClassVar[Target] = Target.INTERCOM
    channel: ClassVar[str] = "intercom"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = secrets.token_urlsafe(30)
        self._secret = secrets.token_hex(20)
        self._contacts: dict[str, str] = {}
        self._unsubscribed: set[str] = set()
        self._last_id = 18
        self._conversations: list[dict[str, JsonValue]] = []

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/contacts/search", self.endpoint(Operation.LOOKUP, self._search), methods=["POST"]),
            Route("/conversations", self.endpoint(Operation.SEND, self._begin), methods=["POST"]),
            Route("/conversations/search", self.endpoint(Operation.LOOKUP, self._began), methods=["POST"]),
            Route("/messages", self.endpoint(Operation.SEND, self._send), methods=["POST"]),
            Route("/me", self.endpoint(Operation.LOOKUP, self._me), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_INTERCOM_ACCESS_TOKEN": self._token,
            "ORDERACK_INTERCOM_CLIENT_SECRET": self._secret,
            "ORDERACK_INTERCOM_ADMIN_ID": str(ADMIN_ID),
            "ORDERACK_INTERCOM_BASE_URL": url,
            "ORDERACK_HELPDESK_INTERCOM_ACCESS_TOKEN": self._token,
            "ORDERACK_HELPDESK_INTERCOM_BASE_URL": url,
        }

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """The contact answers the mail, or unsubscribes by its link."""
        if deed is Deed.WRITE:
            return self._notification("conversation.user.replied", _conversation(message, text))
        if deed is Deed.OPT_OUT:
            self._unsubscribed.add(message.recipient)
            return self._notification("contact.unsubscribed", {"contact": self._shown(message.recipient)})
        return None

    def refused(self, code: str | None) -> Response:
        return _errors(422, code or "parameter_not_found", "No subject supplied for email message")

    def throttled(self, retry_after: int) -> Response:
        # Intercom names the end of its window, not a delay
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + retry_after)}
        return _errors(429, "rate_limit_exceeded", "You have exceeded the rate limit", headers)

    def failed(self, status: int) -> Response:
        return _errors(status, "server_error", "Something went wrong")

    def too_large(self) -> Response:
        return _errors(413, "client_error", "The request is too large")

    def _notification(self, topic: str, item: JsonValue) -> Webhook:
        told: dict[str, JsonValue] = {
            "type": "notification_event",
            "app_id": "sandbox",
            "id": f"notif_{secrets.token_hex(8)}",
            "topic": topic,
            "created_at": int(time.time()),
            "delivery_attempts": 1,
            "data": {"type": "notification_event_data", "item": item},
        }
        body = json.dumps(told).encode()
        mac = hmac.new(self._secret.encode(), body, hashlib.sha1)
        headers = {"Content-Type": "application/json", "X-Hub-Signature": f"sha1={mac.hexdigest()}"}
        return Webhook(
            name=f"intercom {topic} {told['id']}",
            url=lambda: self.state.callback(CALLBACK),
            signed=lambda url: headers,
            body=body,
        )

    def _stranger(self, request: Request) -> Response | None:
        return None if bearer(request, self._token) else _errors(401, "unauthorized", "Access Token Invalid")

    async def _me(self, request: Request, plan: Plan) -> Response:
        me = {"type": "admin", "id": str(ADMIN_ID), "app": {"type": "app", "id_code": "sandbox"}}
        return self._stranger(request) or JSONResponse(me)

    async def _search(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            query = Search.model_validate_json(await request.body()).query
        except ValidationError:
            return _errors(400, "parameter_invalid", "The query is not valid")
        if (query.field, query.operator) != ("email", "="):
            return _errors(400, "parameter_invalid", "The sandbox searches for addresses only")
        found = [] if query.value.startswith(STRANGER) else [self._shown(query.value)]
        pages = {"type": "pages", "page": 1, "per_page": 50, "total_pages": 1}
        return JSONResponse({"type": "list", "data": found, "total_count": len(found), "pages": pages})

    def _shown(self, email: str) -> dict[str, JsonValue]:
        contact_id = hashlib.sha256(email.encode()).hexdigest()[:24]
        self._contacts[contact_id] = email
        return {
            "type": "contact",
            "id": contact_id,
            "role": "user",
            "email": email,
            "unsubscribed_from_emails": email in self._unsubscribed,
            "marked_email_as_spam": False,
            "has_hard_bounced": False,
        }

    def expire(self) -> None:
        """The app's token is revoked."""
        self._token = secrets.token_urlsafe(30)

    def tag(self, conversation_id: str, name: str) -> None:
        """A teammate tags it."""
        conversation = next(one for one in self._conversations if one["id"] == conversation_id)
        conversation["tags"] = {"type": "tag.list", "tags": [{"type": "tag", "id": "1", "name": name}]}

    async def _begin(self, request: Request, plan: Plan) -> Response:
        """A contact begins a conversation."""
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            told = Beginning.model_validate_json(await request.body())
        except ValidationError:
            return _errors(400, "parameter_invalid", "The conversation is not valid")
        if told.sender.id not in self._contacts:
            return _errors(404, "not_found", "User Not Found")
        at, number = told.created_at or int(time.time()), len(self._conversations) + 471
        author: JsonValue = {"type": "user", "id": told.sender.id, "email": self._contacts[told.sender.id]}
        self._conversations.append(_listed(number, at, "customer_initiated", told.subject, told.body, author))
        begun = {"type": "user_message", "id": str(number), "created_at": at, "body": told.body}
        return JSONResponse(begun | {"message_type": "inapp", "conversation_id": str(number)})

    async def _began(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            asked = ConversationSearch.model_validate_json(await request.body())
        except ValidationError:
            return _errors(400, "parameter_invalid", "The sandbox searches by created_at only")
        found = [one for one in self._conversations if all(when.holds(_began_at(one)) for when in asked.query.value)]
        after = asked.pagination.starting_after or "0"
        size, start = min(asked.pagination.per_page, 150), int(after) if after.isdecimal() else 0
        pages: dict[str, JsonValue] = {"type": "pages", "page": start // size + 1, "per_page": size}
        pages["total_pages"] = -(-len(found) // size)
        if start + size < len(found):
            pages["next"] = {"per_page": size, "starting_after": str(start + size)}
        listed: JsonValue = list(found[start : start + size])
        return JSONResponse(
            {"type": "conversation.list", "conversations": listed, "total_count": len(found), "pages": pages}
        )

    async def _send(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            mail = Mail.model_validate_json(await request.body())
        except ValidationError as error:
            return _errors(400, "parameter_invalid", f"{error.errors()[0]['loc']} is invalid")
        if not mail.body:
            return _errors(400, "parameter_invalid", "Body is required")
        if not mail.subject or mail.template is None:
            return _errors(422, "parameter_not_found", "No subject supplied for email message")
        if mail.sender.id != ADMIN_ID:
            return _errors(404, "admin_not_found", "Admin not found")
        if mail.to.id not in self._contacts:
            return _errors(404, "not_found", "User Not Found")
        return self._accept(mail, plan)

    def _accept(self, mail: Mail, plan: Plan) -> Response:
        self._last_id += 1
        recipient = self._contacts[mail.to.id]
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=str(self._last_id), recipient=recipient, faults=plan.actions
        )
        self.state.outbox.put(
            self.target,
            recipient=recipient,
            sender=ADMIN,
            provider_id=str(self._last_id),
            subject=mail.subject,
            text=mail.body or "",
            html=mail.body,
        )
        return JSONResponse(
            {
                "type": "admin_message",
                "id": str(self._last_id),
                "created_at": int(time.time()),
                "subject": mail.subject,
                "body": mail.body,
                "message_type": mail.message_type,
                "owner": {"type": "admin", "id": str(ADMIN_ID), "name": "Sandbox"},
            }
        )


def _listed(
    number: int, at: int, delivered_as: str, subject: str, body: str, author: JsonValue
) -> dict[str, JsonValue]:
    """A conversation as lists and searches have it."""
    source: JsonValue = {
        "type": "conversation",
        "id": str(403_918_000 + number),
        "delivered_as": delivered_as,
        "subject": subject,
        "body": _paragraph(body),
        "author": author,
    }
    return {
        "type": "conversation",
        "id": str(number),
        "created_at": at,
        "updated_at": at,
        "source": source,
        "state": "open",
        "open": True,
        "tags": {"type": "tag.list", "tags": []},
    }


def _began_at(conversation: Mapping[str, JsonValue]) -> int:
    at = conversation["created_at"]
    return at if isinstance(at, int) else 0


def _paragraph(text: str) -> str:
    words = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<p>{words}</p>"


def _conversation(message: Posted, text: str) -> dict[str, JsonValue]:
    """The conversation that a contact's answer to a message begins."""
    author: JsonValue = {"type": "user", "id": "contact", "email": message.recipient}
    part: JsonValue = {
        "type": "conversation_part",
        "id": secrets.token_hex(4),
        "part_type": "comment",
        "body": _paragraph(text),
        "author": author,
    }
    return {
        "type": "conversation",
        "id": f"6{message.provider_id}",
        "source": {
            "type": "email",
            "id": message.provider_id,
            "delivered_as": "admin_initiated",
            "subject": message.subject,
        },
        "conversation_parts": {"type": "conversation_part.list", "conversation_parts": [part], "total_count": 1},
    }


def _errors(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    body = {"type": "error.list", "request_id": secrets.token_hex(8), "errors": [{"code": code, "message": message}]}
    return JSONResponse(body, status_code=status, headers=headers)


LOOK_ALIKE = Intercom
