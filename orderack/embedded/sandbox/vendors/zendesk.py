"""Zendesk's tickets as its description (Support API 2.0.0) has them, and the webhook that a trigger calls."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import ClassVar

from email_validator import EmailNotValidError, validate_email
from pydantic import JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import KEY_FIELD, Deed, LookAlike
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._zendesk_tickets import (
    AGENT,
    AGENT_ID,
    Body,
    Comment,
    Import,
    Requester,
    Ticket,
    TicketIn,
    iso,
    requester_id,
    shown,
)

CALLBACK = "/webhooks/zendesk"
ADMIN = "admin@shop.example"
"""Who may export and import tickets."""
TEAM = "team"
GROUPS = {"ops": 360_001}
BODY_MAX = 65_535
KEY_MAX = 255
PAGE = 100
EXPORT_PAGE = 100
"""Zendesk has a thousand; here fewer, so that a small sandbox has several pages."""
RECENT = timedelta(minutes=1)


class Zendesk(LookAlike):
    """One account with one agent; its triggers mail every public comment to the requester."""

    target: ClassVar[Target] = Target.ZENDESK
    channel: ClassVar[str] = "zendesk"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = secrets.token_urlsafe(30)
        self._admin_token = secrets.token_urlsafe(30)
        self._secret = secrets.token_urlsafe(32)
        self._tickets: dict[int, Ticket] = {}
        self._keys: dict[str, tuple[bytes, int]] = {}

    def routes(self) -> Sequence[BaseRoute]:
        tickets = "/api/v2/tickets"
        return (
            Route(tickets, self.endpoint(Operation.LOOKUP, self._list), methods=["GET"]),
            Route(tickets, self.endpoint(Operation.SEND, self._create), methods=["POST"]),
            Route(f"{tickets}/{{id:int}}", self.endpoint(Operation.SEND, self._update), methods=["PUT"]),
            Route(f"{tickets}/{{id:int}}/audits", self.endpoint(Operation.LOOKUP, self._audits), methods=["GET"]),
            Route("/api/v2/imports/tickets", self.endpoint(Operation.SEND, self._import), methods=["POST"]),
            Route("/api/v2/incremental/tickets/cursor", self.endpoint(Operation.LOOKUP, self._export), methods=["GET"]),
            Route("/api/v2/users/me", self.endpoint(Operation.LOOKUP, self._me), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        login = {"BASE_URL": url, "EMAIL": AGENT, "API_TOKEN": self._token}
        return {
            **{f"ORDERACK_ZENDESK_{name}": value for name, value in login.items()},
            "ORDERACK_ZENDESK_WEBHOOK_SECRET": self._secret,
            **{f"ORDERACK_ZENDESK_NOTE_{name}": value for name, value in login.items()},
            "ORDERACK_ZENDESK_NOTE_GROUPS": json.dumps(GROUPS),
            "ORDERACK_HELPDESK_ZENDESK_BASE_URL": url,
            "ORDERACK_HELPDESK_ZENDESK_EMAIL": ADMIN,
            "ORDERACK_HELPDESK_ZENDESK_API_TOKEN": self._admin_token,
        }

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """The requester answers the mail: a public comment of theirs, of which the trigger tells."""
        if deed not in (Deed.WRITE, Deed.OPT_OUT) or "@" not in message.recipient:
            return None
        ticket = self._tickets[int(message.provider_id)]
        self._touch(ticket)
        said = {
            "event": "comment",
            "ticket_id": str(ticket.id),
            "author_email": message.recipient,
            "text": text or "STOP",
            "at": iso(ticket.updated),
        }
        body = json.dumps(said, indent=2).encode()
        return Webhook(
            name=f"zendesk {ticket.id} comment",
            url=lambda: self.state.callback(CALLBACK),
            signed=lambda url: {"Content-Type": "application/json; charset=utf-8", **self._signature(body)},
            body=body,
        )

    def close(self, ticket_id: int) -> None:
        """What Zendesk does some days after a ticket is solved: nobody can write on it any more."""
        self._tickets[ticket_id].status = "closed"

    def delete(self, ticket_id: int) -> None:
        """An agent deletes it; the export goes on naming it."""
        self._tickets[ticket_id].status = "deleted"
        self._touch(self._tickets[ticket_id])

    def expire(self) -> None:
        """The administrator's token is revoked."""
        self._admin_token = secrets.token_urlsafe(30)

    def refused(self, code: str | None) -> Response:
        """The field at fault in a 422."""
        return _invalid(code or "requester", "is not valid")

    def throttled(self, retry_after: int) -> Response:
        headers = {"Retry-After": str(retry_after)}
        return _error(429, "TooManyRequests", "The rate limit was exceeded", headers)

    def failed(self, status: int) -> Response:
        return _error(status, "InternalError", "Something went wrong")

    def too_large(self) -> Response:
        return _error(413, "PayloadTooLarge", "The request is too large")

    def _signature(self, body: bytes) -> Mapping[str, str]:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        mac = hmac.new(self._secret.encode(), at.encode() + body, hashlib.sha256)
        return {
            "X-Zendesk-Webhook-Signature": base64.b64encode(mac.digest()).decode(),
            "X-Zendesk-Webhook-Signature-Timestamp": at,
        }

    def _stranger(self, request: Request) -> Response | None:
        return None if self._who(request) else JSONResponse({"error": "Couldn't authenticate you"}, status_code=401)

    def _who(self, request: Request) -> str | None:
        """Whose login the request carries."""
        given = request.headers.get("authorization", "").encode()
        for who, token in ((AGENT, self._token), (ADMIN, self._admin_token)):
            if compare_digest(given, b"Basic " + base64.b64encode(f"{who}/token:{token}".encode())):
                return who
        return None

    def _no_admin(self, request: Request) -> Response | None:
        if (stranger := self._stranger(request)) is not None or self._who(request) == ADMIN:
            return stranger
        error = {"title": "Forbidden", "message": "You do not have access to this page."}
        return JSONResponse({"error": error}, status_code=403)

    async def _me(self, request: Request, plan: Plan) -> Response:
        role = "admin" if self._who(request) == ADMIN else "agent"
        me = {"id": AGENT_ID, "email": self._who(request), "role": role}
        return self._stranger(request) or JSONResponse({"user": me})

    async def _import(self, request: Request, plan: Plan) -> Response:
        """A ticket as another system had it, with the time at which it was opened there."""
        if (refused := self._no_admin(request)) is not None:
            return refused
        try:
            told = Import.model_validate_json(await request.body()).ticket
        except ValidationError:
            return _error(400, "BadRequest", "The body is no ticket")
        ticket = self._kept(told.subject, None, told.tags, None, told.requester.email, told.created_at)
        ticket.description = told.description
        return JSONResponse({"ticket": shown(ticket)}, status_code=201)

    async def _export(self, request: Request, plan: Plan) -> Response:
        """The tickets by the time they changed, a page at a time, and the users that they name if these are wanted."""
        if (refused := self._no_admin(request)) is not None:
            return refused
        cursor, start = request.query_params.get("cursor"), request.query_params.get("start_time", "")
        if cursor is None and not start.isdecimal():
            return _error(400, "StartTimeRequired", "start_time is required")
        if cursor is None and int(start) > (datetime.now(UTC) - RECENT).timestamp():
            return _error(422, "InvalidValue", "Too recent start_time. Use a start_time older than 60 seconds")
        since, place = _place(cursor) if cursor else (int(start), 0)
        changed = [one for one in self._tickets.values() if one.updated.timestamp() >= since]
        changed.sort(key=lambda one: (one.updated, one.id))
        page = changed[place : place + EXPORT_PAGE]
        end = place + len(page)
        body: dict[str, JsonValue] = {
            "tickets": [shown(one) for one in page],
            "after_cursor": base64.urlsafe_b64encode(f"{since}|{end}".encode()).decode(),
            "before_cursor": None,
            "end_of_stream": end >= len(changed),
        }
        if "users" in request.query_params.get("include", "").split(","):
            body["users"] = [{"id": requester_id(one), "email": one.requester, "role": "end-user"} for one in page]
        return JSONResponse(body)

    async def _list(self, request: Request, plan: Plan) -> Response:
        wanted = request.query_params.get("external_id")
        found = [shown(one) for one in self._tickets.values() if wanted in (None, one.external_id)]
        return self._stranger(request) or JSONResponse({"tickets": found, "count": len(found)})

    async def _audits(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        ticket = self._tickets.get(request.path_params["id"])
        if ticket is None:
            return _error(404, "RecordNotFound", "Not found")
        after = request.query_params.get("page[after]", "0")
        start = int(after) if after.isdecimal() else 0
        end = start + min(int(request.query_params.get("page[size]", PAGE)), PAGE)
        meta = {"has_more": end < len(ticket.audits), "after_cursor": str(end)}
        return JSONResponse({"audits": ticket.audits[start:end], "meta": meta})

    async def _create(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        raw, key = await request.body(), request.headers.get("idempotency-key", "")
        if len(key) > KEY_MAX:
            return _error(400, "IdempotentRequestError", "The key is too long")
        if known := self._keys.get(key):
            return self._again(known, raw, key, plan)
        read = _read(raw)
        if isinstance(read, Response):
            return read
        ticket = self._open(read)
        if key:
            self._keys[key] = (raw, ticket.id)
        self._record(ticket, read, plan, key)
        return JSONResponse({"ticket": shown(ticket)}, 201, {"x-idempotency-lookup": "miss"} if key else None)

    def _again(self, known: tuple[bytes, int], raw: bytes, key: str, plan: Plan) -> Response:
        body, ticket_id = known
        if body != raw:
            return _error(400, "IdempotentRequestError", "The request body differs from the key's first")
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=str(ticket_id),
            idempotency_key=key,
            repeated=True,
            faults=plan.actions,
        )
        return JSONResponse({"ticket": shown(self._tickets[ticket_id])}, 201, {"x-idempotency-lookup": "hit"})

    async def _update(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        ticket = self._tickets.get(request.path_params["id"])
        if ticket is None:
            return _error(404, "RecordNotFound", "Not found")
        read = _read(await request.body())
        if isinstance(read, Response):
            return read
        if ticket.status == "closed":
            return _invalid("status", "closed prevents ticket update")
        if read.safe_update and read.updated_stamp != iso(ticket.updated):
            return _error(409, "UpdateConflict", "Safe Update prevented the update due to outdated ticket data")
        self._touch(ticket)
        self._record(ticket, read, plan, "")
        return JSONResponse({"ticket": shown(ticket), "audit": ticket.audits[-1]})

    def _open(self, read: TicketIn) -> Ticket:
        requester = read.requester.email if read.requester else AGENT
        ticket = self._kept(read.subject, read.external_id, read.tags or [], read.group_id, requester, None)
        ticket.description = read.comment.body if read.comment else ""
        return ticket

    def _kept(
        self,
        subject: str,
        external_id: str | None,
        tags: list[str],
        group_id: int | None,
        requester: str,
        created: datetime | None,
    ) -> Ticket:
        now = datetime.now(UTC).replace(microsecond=0)
        ticket = Ticket(
            id=35_436 + len(self._tickets),
            subject=subject,
            external_id=external_id,
            tags=tags,
            group_id=group_id,
            requester=requester,
            updated=now,
            created=created or now,
        )
        self._tickets[ticket.id] = ticket
        return ticket

    def _touch(self, ticket: Ticket) -> None:
        """Its time is in whole seconds, and later with every change."""
        now = datetime.now(UTC).replace(microsecond=0)
        ticket.updated = max(now, ticket.updated + timedelta(seconds=1))

    def _record(self, ticket: Ticket, read: TicketIn, plan: Plan, idempotency_key: str) -> None:
        comment = read.comment or Comment()
        ticket.audits.append(
            {
                "id": 206_091 + len(ticket.audits),
                "ticket_id": ticket.id,
                "created_at": iso(ticket.updated),
                "author_id": AGENT_ID,
                "metadata": {"system": {}, "custom": read.metadata},
                "events": [{"type": "Comment", "body": comment.body, "public": comment.public}],
            }
        )
        key = read.metadata.get(KEY_FIELD)
        recipient = ticket.requester if comment.public else TEAM
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=str(ticket.id),
            recipient=recipient,
            key=str(key) if key else None,
            idempotency_key=idempotency_key or None,
            faults=plan.actions,
        )
        self.state.outbox.put(
            self.target,
            recipient=recipient,
            sender=AGENT,
            provider_id=str(ticket.id),
            subject=ticket.subject,
            text=comment.body,
            html=comment.html_body,
            key=str(key) if key else None,
        )


def _read(raw: bytes) -> TicketIn | Response:
    """The ticket in a request, or what Zendesk says of one that it does not take."""
    try:
        ticket = Body.model_validate_json(raw).ticket
    except ValidationError:
        return _error(400, "BadRequest", "The body is no ticket")
    if ticket.comment is None or not (ticket.comment.body or ticket.comment.html_body):
        return _invalid("description", "cannot be blank")
    if len(ticket.comment.body) > BODY_MAX:
        return _invalid("comment", "is too long")
    if ticket.requester is not None and not _valid(ticket.requester):
        return _invalid("requester", "Email is not properly formatted")
    if ticket.group_id is not None and ticket.group_id not in GROUPS.values():
        return _invalid("group", "is invalid")
    return ticket


def _valid(requester: Requester) -> bool:
    try:
        validate_email(requester.email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return bool(requester.name)


def _place(cursor: str) -> tuple[int, int]:
    """Since when, and how many were given. A cursor that is none begins anew."""
    try:
        since, _, place = base64.urlsafe_b64decode(cursor).decode().partition("|")
        return int(since), int(place)
    except ValueError:
        return 0, 0


def _invalid(field_: str, problem: str) -> Response:
    details: JsonValue = {field_: [{"description": f"{field_}: {problem}", "error": "InvalidValue"}]}
    body = {"error": "RecordInvalid", "description": "Record validation errors", "details": details}
    return JSONResponse(body, status_code=422)


def _error(status: int, error: str, description: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": error, "description": description}, status_code=status, headers=headers)


LOOK_ALIKE = Zendesk
