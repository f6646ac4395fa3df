"""An Oracle NetSuite account: the REST record service for sales orders, SuiteQL, and our own SuiteScript in it.

Every order waits in Pending Approval until `books_after` is over; then a workflow of the account approves it, stock is
committed, and the script pushes the receipt. Customers and items whose names begin with 404 are not there.
"""

import asyncio
import json
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._netsuite_books import (
    BILLED,
    CHARGES,
    CLOSED,
    GUEST,
    PENDING_APPROVAL,
    PENDING_FULFILLMENT,
    Books,
    Document,
    PutOrder,
)
from orderack.embedded.sandbox.vendors._netsuite_machine import LIFE, Machine
from orderack.embedded.sandbox.vendors._oauth1 import Guard

CALLBACK = "/receipts/netsuite"
RECORDS = "/services/rest/record/v1"
TOKEN = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - a path
ACCOUNT = "TSTDRV1"
_FROM = re.compile(r"\bFROM (\w+)\b")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_IN_IDS = re.compile(r"item IN \(([\d, ]+)\)")


class Question(BaseModel):
    q: str


class CloseLine(BaseModel):
    model_config = ConfigDict(extra="forbid")

    line: int
    isClosed: bool


class CloseLines(BaseModel):
    items: list[CloseLine] = Field(min_length=1)


class Patch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    memo: str = Field("", max_length=999)
    item: CloseLines


class Transform(BaseModel):
    externalId: str


class NetSuite(LookAlike):
    """One account."""

    target: ClassVar[Target] = Target.NETSUITE

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._guard = Guard(ACCOUNT, _pair(), _pair())
        self._webhook_secret = "whsec_" + b64encode(secrets.token_bytes(24)).decode()
        self._books = Books(state.stock)
        self.machine = Machine()

    def routes(self) -> Sequence[BaseRoute]:
        order, invoice = f"{RECORDS}/salesOrder", f"{RECORDS}/invoice"
        return (
            Route(f"{order}/eid:{{eid}}", self.endpoint(Operation.SEND, self._put), methods=["PUT"]),
            Route(f"{order}/eid:{{eid}}", self.endpoint(Operation.LOOKUP, self._get), methods=["GET"]),
            Route(f"{order}/{{id:int}}", self.endpoint(Operation.CANCEL, self._patch), methods=["PATCH"]),
            Route(
                f"{order}/{{id:int}}/!transform/invoice",
                self.endpoint(Operation.SEND, self._transform),
                methods=["POST"],
            ),
            Route(f"{invoice}/eid:{{eid}}", self.endpoint(Operation.LOOKUP, self._invoice), methods=["GET"]),
            Route("/services/rest/query/v1/suiteql", self._suiteql, methods=["POST"]),
            Route(TOKEN, self._token, methods=["POST"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        charges = zip(("SHIPPING_ITEM", "DISCOUNT_ITEM", "FEES_ITEM", "CREDIT_ITEM"), CHARGES, strict=True)
        settings = {
            "ACCOUNT": ACCOUNT,
            "CONSUMER_KEY": self._guard.consumer[0],
            "CONSUMER_SECRET": self._guard.consumer[1],
            "TOKEN_ID": self._guard.token[0],
            "TOKEN_SECRET": self._guard.token[1],
            "WEBHOOK_SECRET": self._webhook_secret,
            "GUEST_CUSTOMER": GUEST,
            "BASE_URL": url,
            **dict(charges),
        }
        return {f"ORDERACK_ERP_NETSUITE_{name}": value for name, value in settings.items()}

    def by_certificate(self) -> Mapping[str, str]:
        """The settings of the other login, which take the place of the token's three and the consumer key."""
        settings = {
            "CONSUMER_KEY": self.machine.client_id,
            "CERTIFICATE_ID": self.machine.certificate_id,
            "PRIVATE_KEY": self.machine.pem,
        }
        return {f"ORDERACK_ERP_NETSUITE_{name}": value for name, value in settings.items()}

    def refused(self, code: str | None) -> Response:
        return _no(400, code or "USER_ERROR", "The transaction is not accepted.")

    def throttled(self, retry_after: int) -> Response:
        answer = _no(429, "CONCURRENCY_LIMIT_EXCEEDED", "Concurrent request limit exceeded.")
        answer.headers["Retry-After"] = str(retry_after)
        return answer

    def failed(self, status: int) -> Response:
        return _no(status, "UNEXPECTED_ERROR", "An unexpected error occurred. Error ID: sandbox")

    def too_large(self) -> Response:
        return _no(413, "REQUEST_TOO_LARGE", "The request is too large.")

    def _stranger(self, request: Request) -> Response | None:
        header = request.headers.get("authorization", "")
        if self._guard.admits(request.method, str(request.url), header) or self.machine.admits(header):
            return None
        return _no(401, "INVALID_LOGIN", "Invalid login attempt.")

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        token = self.machine.token(form, str(request.url))
        if token is None:
            return JSONResponse({"error": "invalid_client"}, status_code=400)
        return JSONResponse({"access_token": token, "expires_in": str(LIFE), "token_type": "Bearer"})

    async def _put(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            content = PutOrder.model_validate_json(await request.body())
        except ValidationError as error:
            return _invalid(error)
        unknown = [number for number, line in enumerate(content.item.items) if not self._books.sku_of(line.item.id)]
        if unknown:
            return _no(400, "INVALID_KEY_OR_REF", "Invalid item reference key.", f"item.items[{unknown[0]}].item")
        known = self._books.get(request.path_params["eid"])
        if known is not None and request.query_params.get("replace") != "item":
            return _no(400, "USER_ERROR", "The lines would be there twice.")
        if known is not None and known.status == BILLED:
            return _no(400, "USER_ERROR", "The order was billed.")
        same = known is not None and known.content == content
        document = self._books.put(request.path_params["eid"], content)
        self._record(document, plan, repeated=same)
        if not plan.happens(Action.LOSE):
            await self._start(document, plan)
        where = str(request.url.replace(query="", path=request.url.path.partition("eid:")[0] + str(document.id)))
        return Response(status_code=204, headers={"Location": where})

    def _record(self, document: Document, plan: Plan, *, repeated: bool) -> None:
        mark = document.mark
        key = f"{quote(mark['store'], safe='')}/{quote(mark['number'], safe='')}/{mark['revision']}"
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=document.tran_id,
            recipient=f"{mark['store']}/{mark['number']}",
            key=key,
            idempotency_key=key,
            repeated=repeated,
            faults=plan.actions,
        )

    async def _start(self, document: Document, plan: Plan) -> None:
        after, content = self.state.behaviour.books_after, document.content

        async def later() -> None:
            await asyncio.sleep(after)
            if document.content is content and document.status == PENDING_APPROVAL:
                self._approve(document, plan)

        if after == 0:
            self._approve(document, plan)
        else:
            self.state.courier.start(later())

    def _approve(self, document: Document, plan: Plan) -> None:
        self._books.approve(document)
        self.state.announce(self._webhook(document), plan)

    def _webhook(self, document: Document) -> Webhook:
        """What docs/erps/netsuite/orderack_receipt.js posts; written here anew."""
        mark = document.mark
        count = len(document.content.item.items)
        lines = [self._books.line(document, number) for number in range(1, count + 1)]
        body = json.dumps(
            {
                "id": f"{document.id}/{mark['revision']}",
                "store": mark["store"],
                "number": mark["number"],
                "revision": mark["revision"],
                "document_id": document.tran_id,
                "recorded_at": _time(document.created if mark["revision"] == 1 else document.modified),
                "lines": [_verdict(line) for line in lines if "custcol_orderack_line" in line],
            }
        ).encode()
        message = f"netsuite-{document.id}-{mark['revision']}"
        return Webhook(
            name=f"netsuite receipt {document.tran_id}",
            url=lambda: self.state.callback(CALLBACK),
            signed=lambda url: {
                "Content-Type": "application/json",
                **signatures.standard_webhooks(self._webhook_secret, message, int(time.time()), body),
            },
            body=body,
        )

    async def _get(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        document = self._books.get(request.path_params["eid"])
        if document is None:
            return _not_there()
        content = document.content.model_dump(exclude_none=True, exclude={"item"})
        count = len(document.content.item.items)
        return JSONResponse(
            content
            | {
                "links": [],
                "id": str(document.id),
                "externalId": document.external_id,
                "tranId": document.tran_id,
                "createdDate": _time(document.created),
                "lastModifiedDate": _time(document.modified),
                "orderStatus": {"id": min(document.status, PENDING_FULFILLMENT)},
                "status": {"id": document.status, "refName": STATUS[document.status]},
                "item": {
                    "links": [],
                    "items": [self._books.line(document, number) for number in range(1, count + 1)],
                    "totalResults": count,
                },
            }
        )

    async def _patch(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        document = self._books.by_id(request.path_params["id"])
        if document is None:
            return _not_there()
        try:
            patch = Patch.model_validate_json(await request.body())
        except ValidationError as error:
            return _invalid(error)
        self._books.close(document, {line.line for line in patch.item.items if line.isClosed})
        who = f"{document.mark['store']}/{document.mark['number']}"
        self.state.log.accept(
            self.target,
            Operation.CANCEL,
            provider_id=document.tran_id,
            recipient=who,
            key=who,
            faults=plan.actions,
        )
        return Response(status_code=204)

    async def _transform(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        document = self._books.by_id(request.path_params["id"])
        if document is None or document.status != PENDING_FULFILLMENT:
            return _no(400, "INVALID_INITIALIZE_REF", "You can not initialize invoice: invalid reference.")
        wanted = Transform.model_validate_json(await request.body())
        if not self._books.invoice(wanted.externalId, document):
            return _no(400, "DUP_RCRD", "This record already exists.")
        mark = document.mark
        number = self._books.invoiced(wanted.externalId)
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=f"INV{number}",
            recipient=f"{mark['store']}/{mark['number']}",
            key=f"invoice {wanted.externalId}",
            faults=plan.actions,
        )
        return Response(status_code=204, headers={"Location": f"{RECORDS}/invoice/{number}"})

    async def _invoice(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        number = self._books.invoiced(request.path_params["eid"])
        if number is None:
            return _not_there()
        return JSONResponse({"links": [], "id": str(number), "tranId": f"INV{number}"})

    async def _suiteql(self, request: Request) -> Response:
        """A question about stock meets the faults of availability, any other those of look-ups."""
        stock = b"aggregateitemlocation" in await request.body()
        operation = Operation.AVAILABILITY if stock else Operation.LOOKUP
        return await self.endpoint(operation, self._asked)(request)

    async def _asked(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        if request.headers.get("prefer") != "transient":
            return _no(400, "INVALID_HEADER", "The Prefer header must be transient.")
        question = Question.model_validate_json(await request.body()).q
        table = found[1] if (found := _FROM.search(question)) else ""
        if table == "transaction":
            rows = self._books.standings({literal.replace("''", "'") for literal in _LITERAL.findall(question)})
        elif table == "aggregateitemlocation" and (ids := _IN_IDS.search(question)):
            rows = [{"id": one, "available": str(self._books.free(one))} for one in ids[1].split(", ")]
        elif table in ("item", "customer", "currency"):
            rows = self._named(table, question)
        else:
            return _no(400, "INVALID_PARAMETER", "Invalid search query.")
        items: list[dict[str, Any]] = [{"links": [], **row} for row in rows]
        return JSONResponse({"links": [], "count": len(items), "hasMore": False, "items": items, "offset": 0})

    def _named(self, table: str, question: str) -> list[dict[str, str]]:
        names = {literal.replace("''", "'") for literal in _LITERAL.findall(question.partition("IN (")[2])}
        return [{"id": known, "name": name} for name in sorted(names) if (known := self._books.id_of(table, name))]


STATUS = {
    PENDING_APPROVAL: "Pending Approval",
    PENDING_FULFILLMENT: "Pending Fulfillment",
    BILLED: "Billed",
    CLOSED: "Closed",
}


def _verdict(line: Mapping[str, Any]) -> dict[str, Any]:
    item, ordered, line_id = line["custcol_orderack_line"].split(" ", 2)
    can = line["quantity"] - line.get("quantityBackOrdered", 0)
    if line["isClosed"]:
        said: dict[str, Any] = {"verdict": "unavailable"}
    elif line["item"]["id"] != item:
        said = {"verdict": "substituted", "substitute_sku": line["item"]["refName"]}
    elif can >= float(ordered):
        said = {"verdict": "available"}
    elif can > 0:
        said = {"verdict": "partial", "quantity": can}
    else:
        said = {"verdict": "backordered"}
    if said["verdict"] in ("partial", "backordered") and "expectedShipDate" in line:
        said["expected_on"] = line["expectedShipDate"]
    return {"line_id": line_id, **said}


def _time(at: Any) -> str:
    return str(at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _pair() -> tuple[str, str]:
    return secrets.token_hex(32), secrets.token_hex(32)


def _not_there() -> Response:
    return _no(404, "NONEXISTENT_ID", "The record instance does not exist. Provide a valid record instance ID.")


def _invalid(error: ValidationError) -> Response:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    return _no(400, "INVALID_CONTENT", f"Invalid content in the request body: {path}: {first['msg']}.", path)


def _no(status: int, code: str, detail: str, path: str = "") -> Response:
    problem = {"detail": detail, "o:errorCode": code, **({"o:errorPath": path} if path else {})}
    body = {"type": "about:blank", "title": "Error", "status": status, "o:errorDetails": [problem]}
    return JSONResponse(body, status_code=status, media_type="application/vnd.oracle.resource+json")


LOOK_ALIKE = NetSuite
