"""One Fishbowl server of a customer's own: few seats, an import that says nothing, and a database that may be asked."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._fishbowl_books import Books, No

SEATS = 2
_ROWS = TypeAdapter(list[list[str]])
Does = Callable[[Request, Plan], Awaitable[Response]]


class Fishbowl(LookAlike):
    """Issues an order at once (`books_after` 0), or takes it as an estimate that somebody issues so long after."""

    target: ClassVar[Target] = Target.FISHBOWL

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self.books = Books(state.stock)
        self._login = {"username": "orderack", "password": secrets.token_urlsafe(16)}
        self.sessions: set[str] = set()
        self.approved = True
        """Whether Fishbowl's administrator has let our application in."""

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/api/login", self.endpoint(Operation.LOOKUP, self._sign_in), methods=["POST"]),
            Route("/api/logout", self.endpoint(Operation.LOOKUP, self._sign_out), methods=["POST"]),
            Route("/api/data-query", self.endpoint(Operation.LOOKUP, self._inside(self._query)), methods=["GET"]),
            Route(
                "/api/import/Sales-Order", self.endpoint(Operation.SEND, self._inside(self._import)), methods=["POST"]
            ),
            Route(
                "/api/sales-orders/{order:int}",
                self.endpoint(Operation.CANCEL, self._inside(self._delete)),
                methods=["DELETE"],
            ),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_ERP_FISHBOWL_BASE_URL": url,
            "ORDERACK_ERP_FISHBOWL_USER_NAME": self._login["username"],
            "ORDERACK_ERP_FISHBOWL_PASSWORD": self._login["password"],
            "ORDERACK_ERP_FISHBOWL_CURRENCIES": '{"EUR": "Euro", "GBP": "Pound"}',
        }

    def expire(self) -> None:
        """End every session, as an administrator can."""
        self.sessions.clear()

    def refused(self, code: str | None) -> Response:
        """A sentence of the REST interface; or, for a number, the older interface's code inside a 200."""
        if code is not None and code.isdigit():
            return JSONResponse({"statusCode": int(code), "statusMessage": "not accepted"})
        return _said(400, code or "not accepted")

    def throttled(self, retry_after: int) -> Response:
        answer = _said(429, "Too many requests.")
        answer.headers["Retry-After"] = str(retry_after)
        return answer

    def failed(self, status: int) -> Response:
        return _said(status, "Internal error.")

    def too_large(self) -> Response:
        return _said(413, "Too large.")

    async def _sign_in(self, request: Request, plan: Plan) -> Response:
        try:
            body = json.loads(await request.body())
        except ValueError:
            return _said(400, "The body is not JSON.")
        if {name: body.get(name) for name in self._login} != self._login:
            return _said(401, "Invalid username or password.")
        if not isinstance(body.get("appId"), int) or not body.get("appName") or not self.approved:
            return _said(401, "This integrated application has not been approved.")
        if len(self.sessions) >= SEATS:
            return _said(401, "The login limit has been reached for the server's key.")
        token = secrets.token_hex(16)
        self.sessions.add(token)
        return JSONResponse({"token": token, "user": {"userFullName": "orderack", "moduleAccessList": []}})

    async def _sign_out(self, request: Request, plan: Plan) -> Response:
        self.sessions.discard(_token(request))
        return Response(status_code=200)

    def _inside(self, does: Does) -> Does:
        async def answer(request: Request, plan: Plan) -> Response:
            if _token(request) not in self.sessions:
                return _said(401, "Invalid authorization token.")
            try:
                return await does(request, plan)
            except No as no:
                return _said(no.status, str(no))

        return answer

    async def _query(self, request: Request, plan: Plan) -> Response:
        if request.headers.get("content-type") != "application/sql":
            raise No("The query must be application/sql.", 415)
        return JSONResponse(self.books.query((await request.body()).decode()))

    async def _import(self, request: Request, plan: Plan) -> Response:
        try:
            rows = _ROWS.validate_json(await request.body(), strict=True)
        except ValidationError:
            raise No("The rows must be arrays of text.") from None
        after, lost = self.state.behaviour.books_after, plan.happens(Action.LOSE)
        order_id, number, new = self.books.take(rows, waits=after > 0 or lost)
        note = dict(zip(rows[0], rows[2], strict=True)).get("Note", "")
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=f"{number}#{order_id}",
            recipient=number,
            key=note.partition("\n")[0],
            repeated=not new,
            faults=plan.actions,
        )
        if after > 0 and not lost:
            self.state.courier.start(self._issue_later(order_id, after))
        return Response(status_code=200)

    async def _issue_later(self, order_id: int, after: float) -> None:
        await asyncio.sleep(after)
        self.books.issue(order_id)

    async def _delete(self, request: Request, plan: Plan) -> Response:
        order_id = int(request.path_params["order"])
        number = self.books.remove(order_id)
        self.state.log.accept(
            self.target, Operation.CANCEL, provider_id=f"{number}#{order_id}", recipient=number, faults=plan.actions
        )
        return Response(status_code=204)


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def _said(status: int, message: str) -> Response:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    return JSONResponse({"timeStamp": stamp, "status": status, "message": message}, status_code=status)


LOOK_ALIKE = Fishbowl
