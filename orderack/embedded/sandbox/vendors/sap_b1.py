"""One SAP Business One company behind its Service Layer: few sessions, drafts while an approval is active, no key that
would keep a document from being made twice. An integration beside it pushes our signed receipts."""

import asyncio
import base64
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar
from urllib.parse import unquote

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.receipt import LineVerdict, StockVerdict
from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._sap_b1_books import KEY, LINE, REVISION, Books, Kept, No, Row

ROOT = "/b1s/v1"
CALLBACK = "/receipts/sap_b1"
SEATS = 2
"""Licences for the Service Layer."""
SESSION_SECONDS = 30 * 60
OPTIONS = frozenset({"$filter", "$orderby", "$top", "$select", "$expand"})
_EQUALS = re.compile(r"(\w+(?:/\w+)*) eq '((?:[^']|'')*)'")
Does = Callable[[Request, Plan], Awaitable[Response]]


class SapB1(LookAlike):
    """Books an order at once (`books_after` 0), or when its approval has come, so long after it was sent."""

    target: ClassVar[Target] = Target.SAP_B1

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self.books = Books(state.stock)
        self._login = {"CompanyDB": "SBODEMOUS", "UserName": "orderack", "Password": secrets.token_urlsafe(16)}
        self._secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self.sessions: dict[str, tuple[str, float]] = {}
        """Session → its node, and when it was last used."""

    def routes(self) -> Sequence[BaseRoute]:
        look, send = Operation.LOOKUP, Operation.SEND
        table: tuple[tuple[str, str, Operation, Does], ...] = (
            ("GET", "/Orders", look, self._listed(self.books.orders)),
            ("GET", "/Drafts", look, self._listed(self.books.drafts)),
            ("GET", "/Invoices", look, self._listed(self.books.invoices)),
            ("GET", "/BusinessPartners", look, self._partners),
            ("GET", "/Items", Operation.AVAILABILITY, self._items),
            ("GET", "/$crossjoin(PurchaseOrders,PurchaseOrders/DocumentLines)", Operation.AVAILABILITY, self._join),
            ("POST", "/Orders", send, self._add),
            ("POST", "/Invoices", send, self._invoice),
            ("PATCH", "/Orders({entry:int})", send, self._changed(self.books.orders)),
            ("PATCH", "/Drafts({entry:int})", send, self._changed(self.books.drafts)),
            ("POST", "/Orders({entry:int})/Cancel", Operation.CANCEL, self._cancel),
            ("DELETE", "/Drafts({entry:int})", Operation.CANCEL, self._remove),
        )
        return (
            Route(f"{ROOT}/Login", self.endpoint(look, self._sign_in), methods=["POST"]),
            Route(f"{ROOT}/Logout", self.endpoint(look, self._sign_out), methods=["POST"]),
            *(
                Route(f"{ROOT}{path}", self.endpoint(operation, self._inside(does)), methods=[method])
                for method, path, operation, does in table
            ),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        login = {"COMPANY_DB": "CompanyDB", "USER_NAME": "UserName", "PASSWORD": "Password"}
        return {
            "ORDERACK_ERP_SAP_B1_BASE_URL": f"{url}{ROOT}",
            **{f"ORDERACK_ERP_SAP_B1_{ours}": self._login[theirs] for ours, theirs in login.items()},
            "ORDERACK_ERP_SAP_B1_CARD_CODE": "C20000",
            "ORDERACK_ERP_SAP_B1_WEBHOOK_SECRET": self._secret,
        }

    def expire(self) -> None:
        """End every session, as half an hour without a request does."""
        self.sessions.clear()

    def refused(self, code: str | None) -> Response:
        known = code is not None and re.fullmatch(r"-?\d+", code)
        return _error(No(int(code or 0) if known else -5002, "not accepted" if known or not code else code))

    def throttled(self, retry_after: int) -> Response:
        answer = _error(No(-1, "too many requests", 429))
        answer.headers["Retry-After"] = str(retry_after)
        return answer

    def failed(self, status: int) -> Response:
        return _error(No(-1, "the service is not available", status))

    def too_large(self) -> Response:
        return _error(No(-1, "the request is too large", 413))

    async def _sign_in(self, request: Request, plan: Plan) -> Response:
        self._forget_old()
        body = await _json(request)
        if {name: body.get(name) for name in self._login} != self._login:
            return _error(No(-304, "Fail to get DB Credentials from SLD", 401))
        if len(self.sessions) >= SEATS:
            return _error(No(-1, "All licences of this user are in use"))
        session, node = secrets.token_hex(16), f".node{secrets.randbelow(9) + 1}"
        self.sessions[session] = (node, time.monotonic())
        answer = JSONResponse({"SessionId": session, "Version": "1000290", "SessionTimeout": 30})
        answer.headers.append("Set-Cookie", f"B1SESSION={session};HttpOnly;SameSite=None")
        answer.headers.append("Set-Cookie", f"ROUTEID={node}; path=/")
        return answer

    async def _sign_out(self, request: Request, plan: Plan) -> Response:
        self.sessions.pop(request.cookies.get("B1SESSION", ""), None)
        return Response(status_code=204)

    def _forget_old(self) -> None:
        now = time.monotonic()
        self.sessions = {key: one for key, one in self.sessions.items() if now - one[1] < SESSION_SECONDS}

    def _inside(self, does: Does) -> Does:
        """Only with both cookies of a session that has not ended."""

        async def answer(request: Request, plan: Plan) -> Response:
            self._forget_old()
            session = request.cookies.get("B1SESSION", "")
            node, _ = self.sessions.get(session, ("", 0.0))
            if not node or request.cookies.get("ROUTEID") != node:
                return _error(No(301, "Invalid session or session already timeout.", 401))
            self.sessions[session] = (node, time.monotonic())
            if set(request.query_params) - OPTIONS:
                return _error(No(-1000, "unknown query option"))
            try:
                return await does(request, plan)
            except No as no:
                return _error(no)

        return answer

    def _listed(self, shelf: dict[int, Kept]) -> Does:
        async def answer(request: Request, plan: Plan) -> Response:
            conditions = _conditions(request, " or ")
            kept = [one for _, one in sorted(shelf.items()) if any(one.text(name) == said for name, said in conditions)]
            return JSONResponse({"value": [one.shown() for one in kept[: int(request.query_params.get("$top", "20"))]]})

        return answer

    async def _partners(self, request: Request, plan: Plan) -> Response:
        name, wanted = _condition(request)
        column = {"CardCode": 0, "EmailAddress": 1}.get(name)
        if column is None:
            raise No(-1000, f"Property '{name}' of 'BusinessPartner' is invalid")
        return JSONResponse(
            {"value": [{"CardCode": one[0]} for one in self.books.partners.items() if one[column] == wanted]}
        )

    async def _items(self, request: Request, plan: Plan) -> Response:
        conditions = _conditions(request, " or ")
        if any(name != "ItemCode" for name, _ in conditions):
            raise No(-1000, "bad filter")
        return JSONResponse({"value": self.books.items([code for _, code in conditions])})

    async def _join(self, request: Request, plan: Plan) -> Response:
        text = request.query_params.get("$filter", "").removeprefix(
            "PurchaseOrders/DocEntry eq PurchaseOrders/DocumentLines/DocEntry and "
        )
        conditions = dict(_parsed(text, " and "))
        return JSONResponse({"value": self.books.purchases(conditions["PurchaseOrders/DocumentLines/ItemCode"])})

    async def _add(self, request: Request, plan: Plan) -> Response:
        after = self.state.behaviour.books_after
        lost = plan.happens(Action.LOSE)
        kept = self.books.add(await _json(request), draft=after > 0 or lost)
        self._log(kept, plan)
        if after > 0 and not lost:
            self.state.courier.start(self._approve_later(kept.entry, plan, after))
        elif not lost:
            self._push(kept, plan)
        quiet = "return-no-content" in request.headers.get("prefer", "")
        if quiet:
            return Response(status_code=204)
        if kept.entry in self.books.drafts:
            raise No(-2028, "No matching records found (ODBC -2028)")
        return JSONResponse(kept.shown(), 201)

    def _changed(self, shelf: dict[int, Kept]) -> Does:
        async def answer(request: Request, plan: Plan) -> Response:
            kept = _kept(shelf, request)
            replace = request.headers.get("b1s-replacecollectionsonpatch") == "true"
            self.books.change(kept, await _json(request), request.headers.get("if-match"), replace=replace)
            self._log(kept, plan)
            if kept.entry in self.books.orders:
                self._push(kept, plan)
            return Response(status_code=204)

        return answer

    async def _invoice(self, request: Request, plan: Plan) -> Response:
        kept = self.books.invoice(await _json(request))
        self._log(kept, plan)
        quiet = "return-no-content" in request.headers.get("prefer", "")
        return Response(status_code=204) if quiet else JSONResponse(kept.shown(), 201)

    async def _cancel(self, request: Request, plan: Plan) -> Response:
        kept = _kept(self.books.orders, request)
        self.books.cancel(kept)
        self._log(kept, plan, Operation.CANCEL)
        return Response(status_code=204)

    async def _remove(self, request: Request, plan: Plan) -> Response:
        kept = _kept(self.books.drafts, request)
        del self.books.drafts[kept.entry]
        self._log(kept, plan, Operation.CANCEL)
        return Response(status_code=204)

    def _log(self, kept: Kept, plan: Plan, operation: Operation = Operation.SEND) -> None:
        key = f"{kept.text(KEY)}/{kept.text(REVISION)}"
        self.state.log.accept(
            self.target,
            operation,
            provider_id=str(kept.entry),
            recipient=kept.text(KEY),
            key=key,
            faults=plan.actions,
        )

    async def _approve_later(self, entry: int, plan: Plan, after: float) -> None:
        await asyncio.sleep(after)
        if (kept := self.books.approve(entry)) is not None:
            self._push(kept, plan)

    def _push(self, kept: Kept, plan: Plan) -> None:
        body = json.dumps(self._receipt(kept)).encode()
        message_id = f"msg_{kept.entry}_{kept.text(REVISION)}"
        webhook = Webhook(
            name=f"sap_b1 receipt {kept.number}",
            url=lambda: self.state.callback(CALLBACK),
            signed=lambda url: {
                "Content-Type": "application/json",
                **signatures.standard_webhooks(self._secret, message_id, int(time.time()), body),
            },
            body=body,
        )
        self.state.announce(webhook, plan)

    def _receipt(self, kept: Kept) -> Row:
        store, _, number = kept.text(KEY).partition("/")
        lines: list[JsonValue] = []
        for row in kept.rows:
            if not row.get(LINE):
                continue
            asked = kept.open(row)
            answer = self.state.stock.answer(str(row["ItemCode"]), asked)
            has = {StockVerdict.AVAILABLE: asked, StockVerdict.PARTIAL: answer.available}.get(answer.verdict)
            lines.append(
                LineVerdict(
                    line_id=str(row.get(LINE)).rpartition("~")[0],
                    verdict=answer.verdict,
                    quantity=has or None,
                    expected_on=answer.expected_on,
                ).model_dump(mode="json")
            )
        return {
            "id": f"{kept.entry}/{kept.text(REVISION)}",
            "store": unquote(store),
            "number": unquote(number),
            "revision": int(kept.text(REVISION)),
            "document_id": str(kept.number),
            "recorded_at": kept.changed.isoformat(),
            "lines": lines,
        }


def _conditions(request: Request, between: str) -> list[tuple[str, str]]:
    return _parsed(request.query_params.get("$filter", ""), between)


def _parsed(text: str, between: str) -> list[tuple[str, str]]:
    """`field eq 'text'` conditions, and nothing else. Raises No where a string ends early."""
    found, at = [], 0
    while match := _EQUALS.match(text, at):
        found.append((match[1], match[2].replace("''", "'")))
        at = match.end()
        if text.startswith(between, at):
            at += len(between)
        elif at != len(text):
            break
    if not found or at != len(text):
        raise No(-1000, "bad filter")
    return found


def _condition(request: Request) -> tuple[str, str]:
    (condition,) = _conditions(request, " and ")
    return condition


def _kept(shelf: Mapping[int, Kept], request: Request) -> Kept:
    kept = shelf.get(request.path_params["entry"])
    if kept is None:
        raise No(-2028, "No matching records found (ODBC -2028)", 404)
    return kept


async def _json(request: Request) -> Row:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise No(-1001, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise No(-1001, "the body is not an object")
    return body


def _error(no: No) -> Response:
    body = {"error": {"code": no.code, "message": {"lang": "en-us", "value": str(no)}}}
    return JSONResponse(body, status_code=no.status)


LOOK_ALIKE = SapB1
