"""A Cin7 Omni account: sales orders in lists of results, stock by branch; it posts nothing.

An order that is to be approved is a draft until `books_after` is over. Codes that begin with 404 have no stock, and
more than three calls a second or 60 a minute are answered by 429 where `limited` is set.
"""

import asyncio
import base64
import json
import re
import secrets
import time
from collections import deque
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Any, ClassVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._cin7_omni_books import Books, Document, NewOrder, literals, read

BRANCH = 3
MOST = 250
"""Orders in one request, and rows in one answer."""
LIMITS: Sequence[tuple[float, int]] = ((1.0, 3), (60.0, 60))
"""Seconds, and the calls in them."""


class Cin7Omni(LookAlike):
    """One account with one API connection."""

    target: ClassVar[Target] = Target.CIN7_OMNI

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._username, self._key = "orderack", secrets.token_hex(16)
        self._calls: deque[float] = deque(maxlen=100)
        self.limited = False
        """Whether it counts calls."""
        self.ignores_lines = False
        """Whether a change leaves the lines as they are: what it really does is not published."""
        self.books = Books(state.stock)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/v1/SalesOrders", self.endpoint(Operation.SEND, self._post), methods=["POST"]),
            Route("/v1/SalesOrders", self._changed, methods=["PUT"]),
            Route("/v1/SalesOrders", self.endpoint(Operation.LOOKUP, self._list), methods=["GET"]),
            Route("/v1/SalesOrders/{id:int}", self.endpoint(Operation.LOOKUP, self._get), methods=["GET"]),
            Route("/v1/Stock", self.endpoint(Operation.AVAILABILITY, self._stock), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        settings = {
            "USERNAME": self._username,
            "CONNECTION_KEY": self._key,
            "BRANCH": str(BRANCH),
            "BASE_URL": url,
        }
        return {f"ORDERACK_ERP_CIN7_OMNI_{name}": value for name, value in settings.items()}

    def refused(self, code: str | None) -> Response:
        return _results(400, code or "The order is not accepted.")

    def throttled(self, retry_after: int) -> Response:
        return JSONResponse("API call limit exceeded.", 429, {"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return JSONResponse({"message": "An error has occurred."}, status)

    def too_large(self) -> Response:
        return JSONResponse({"message": "Request entity too large."}, 413)

    def _stranger(self, request: Request) -> Response | None:
        now = time.monotonic()
        if self.limited and any(sum(1 for at in self._calls if now - at < span) >= most for span, most in LIMITS):
            return self.throttled(1)
        self._calls.append(now)
        login = base64.b64encode(f"{self._username}:{self._key}".encode()).decode()
        if compare_digest(request.headers.get("authorization", "").encode(), f"Basic {login}".encode()):
            return None
        return JSONResponse({"message": "Authorization has been denied for this request."}, 401)

    async def _post(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        sent = _one(await request.body())
        document = self.books.open(sent) if isinstance(sent, NewOrder) else sent
        if isinstance(document, str):
            return _results(400, document)
        self._record(document, plan)
        if document.fields["isApproved"]:
            self._hold(document, plan)
        return _results(200, document=document)

    async def _changed(self, request: Request) -> Response:
        """A change; or a cancellation, where that is what it changes."""
        void = re.search(rb'"isVoid":\s*true', await request.body()) is not None
        return await self.endpoint(Operation.CANCEL if void else Operation.SEND, self._put)(request)

    async def _put(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        sent = _one(await request.body())
        if isinstance(sent, NewOrder) and self.ignores_lines:
            sent = sent.model_copy(update={"lineItems": None})
        document = self.books.change(sent) if isinstance(sent, NewOrder) else sent
        if isinstance(document, str):
            return _results(200, document)
        if isinstance(sent, NewOrder) and sent.isVoid:
            who = document.reference
            self.state.log.accept(
                self.target, Operation.CANCEL, provider_id=who, recipient=who, key=who, faults=plan.actions
            )
        elif isinstance(sent, NewOrder) and sent.lineItems is not None:
            self._record(document, plan)
        return _results(200, document=document)

    def _record(self, document: Document, plan: Plan) -> None:
        mark = json.loads(document.fields["internalComments"].rpartition("[orderack ")[2].removesuffix("]"))
        key = f"{quote(mark['store'], safe='')}/{quote(mark['number'], safe='')}/{mark['revision']}"
        who = f"{mark['store']}/{mark['number']}"
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=document.reference, recipient=who, key=key, faults=plan.actions
        )

    def _hold(self, document: Document, plan: Plan) -> None:
        """A person approves it a while later, or never."""
        document.fields["isApproved"] = False
        after = self.state.behaviour.books_after

        async def later() -> None:
            await asyncio.sleep(after)
            if not document.fields["isVoid"]:
                self.books.approve(document)

        if plan.happens(Action.LOSE):
            return
        if after == 0:
            self.books.approve(document)
        else:
            self.state.courier.start(later())

    async def _list(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        wanted = {text.upper() for text in literals(request.query_params.get("where", ""), "reference")}
        return JSONResponse([one.shown for one in self.books.all() if one.reference.upper() in wanted][:MOST])

    async def _get(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        document = self.books.get(request.path_params["id"])
        return JSONResponse(document.shown) if document else JSONResponse({"message": "Not found."}, 404)

    async def _stock(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        where = request.query_params.get("where", "")
        if f"branchId={BRANCH}" not in where:
            return JSONResponse([])
        units = [self.books.unit(code, BRANCH) for code in literals(where, "code")]
        return JSONResponse([unit for unit in units if unit is not None])


def _one(body: bytes) -> NewOrder | str:
    """The single order of the list that was sent."""
    try:
        content: Any = json.loads(body)
    except ValueError:
        return "The request is not JSON."
    if not isinstance(content, list) or len(content) != 1:
        return f"Send a list of up to {MOST} orders."
    return read(NewOrder, content[0])


def _results(status: int, error: str = "", document: Document | None = None) -> Response:
    row = {
        "index": 0,
        "success": document is not None,
        "id": document.id if document else 0,
        "code": document.reference if document else None,
        "errors": [error] if error else [],
    }
    return JSONResponse([row], status)


LOOK_ALIKE = Cin7Omni
