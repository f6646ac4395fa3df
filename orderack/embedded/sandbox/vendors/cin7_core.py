"""A Cin7 Core account: sales in two steps, product availability, and webhooks without a signature.

An order is a draft until `books_after` is over and is authorised then; stock that is not there is back-ordered. SKUs
that begin with 404 are not there, and more than 60 calls a minute are answered by 503 where `limited` is set.
"""

import asyncio
import json
import secrets
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._cin7_core_books import (
    AUTHORISED,
    DRAFT,
    NOT_AVAILABLE,
    UNKNOWN,
    VOIDED,
    Books,
    NewOrder,
    NewSale,
    SaleRecord,
)

CALLBACK = "/receipts/cin7_core"
CURRENCY = "EUR"
CUSTOMER = "Web shop"
TAX_RULE = "Tax on Sales"
CHARGES = {"SHIPPING": "Shipping", "DISCOUNT": "Discount", "FEES": "Surcharge", "CREDIT": "Gift card"}
A_MINUTE, CALLS = 60.0, 60


class Cin7Core(LookAlike):
    """One account with one application's key."""

    target: ClassVar[Target] = Target.CIN7_CORE

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._account = str(uuid.uuid4())
        self._key = str(uuid.uuid4())
        self._webhook_secret = secrets.token_urlsafe(24)
        self._calls: deque[float] = deque()
        self.limited = False
        """Whether it counts calls: a demonstration of an hour's orders in a minute would only show the limit."""
        self.list_lags = 0.0
        """Seconds until a new sale is seen in the list."""
        self.currency = CURRENCY
        self.books = Books(state.stock)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/sale", self.endpoint(Operation.SEND, self._open), methods=["POST"]),
            Route("/sale", self.endpoint(Operation.SEND, self._change), methods=["PUT"]),
            Route("/sale", self.endpoint(Operation.LOOKUP, self._get), methods=["GET"]),
            Route("/sale", self._delete, methods=["DELETE"]),
            Route("/sale/order", self.endpoint(Operation.SEND, self._write), methods=["POST"]),
            Route("/saleList", self.endpoint(Operation.LOOKUP, self._list), methods=["GET"]),
            Route("/customer", self.endpoint(Operation.LOOKUP, self._customers), methods=["GET"]),
            Route("/ref/productavailability", self.endpoint(Operation.AVAILABILITY, self._free), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        settings = {
            "ACCOUNT_ID": self._account,
            "APPLICATION_KEY": self._key,
            "CUSTOMER": CUSTOMER,
            "TAX_RULE": TAX_RULE,
            "WEBHOOK_SECRET": self._webhook_secret,
            "BASE_URL": url,
            **{f"{name}_CHARGE": product for name, product in CHARGES.items()},
        }
        return {f"ORDERACK_ERP_CIN7_CORE_{name}": value for name, value in settings.items()}

    def refused(self, code: str | None) -> Response:
        return _no(400, code or "The sale is not accepted.")

    def throttled(self, retry_after: int) -> Response:
        """Never a 429."""
        answer = _no(503, "You reached 60 calls per minute API limit.")
        answer.headers["Retry-After"] = str(retry_after)
        return answer

    def failed(self, status: int) -> Response:
        return _no(status, "Internal server error.")

    def too_large(self) -> Response:
        return _no(413, "Request entity too large.")

    def _stranger(self, request: Request) -> Response | None:
        now = time.monotonic()
        while self._calls and now - self._calls[0] > A_MINUTE:
            self._calls.popleft()
        if self.limited and len(self._calls) >= CALLS:
            return _no(503, "You reached 60 calls per minute API limit.")
        self._calls.append(now)
        given = request.headers.get("api-auth-accountid", ""), request.headers.get("api-auth-applicationkey", "")
        if all(compare_digest(a.encode(), b.encode()) for a, b in zip(given, (self._account, self._key), strict=True)):
            return None
        return _no(403, "Incorrect credentials!")

    async def _open(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            content = NewSale.model_validate_json(await request.body())
        except ValidationError:
            return _unreadable()
        if content.CustomerID is None and content.Customer != CUSTOMER:
            return _no(400, "Customer was not found.")
        if content.TaxRule != TAX_RULE or not content.SkipQuote:
            return _no(400, "The tax rule was not found, or the quote is not authorised.")
        sale = self.books.open(content)
        sale.listed_at = time.monotonic() + self.list_lags
        self._record(sale, "sale", plan)
        return JSONResponse(self._shown(sale))

    async def _change(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        content = NewSale.model_validate_json(await request.body())
        sale = self.books.get(content.ID or "")
        if sale is None or sale.status not in (DRAFT, NOT_AVAILABLE):
            return _no(400, "The sale cannot be changed.")
        sale.content = content
        return JSONResponse(self._shown(sale))

    async def _write(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            order = NewOrder.model_validate_json(await request.body())
        except ValidationError:
            return _unreadable()
        sale = self.books.get(order.SaleID)
        if sale is None or sale.status not in (DRAFT, NOT_AVAILABLE):
            return _no(400, "Order status must be DRAFT or NOT AVAILABLE.")
        for line in order.Lines:
            if line.SKU.startswith(UNKNOWN):
                return _no(400, f"Product with SKU '{line.SKU}' was not found.")
            if abs(line.Quantity * line.Price - line.Total) > 0.01:
                return _no(400, f"Total of {line.SKU} is not quantity times price.")
        if any(charge.Description not in CHARGES.values() for charge in order.AdditionalCharges):
            return _no(400, "Service product was not found.")
        self.books.write(sale, order)
        self._record(sale, "order", plan)
        if order.Status == AUTHORISED and not plan.happens(Action.LOSE):
            self._start(sale, order, plan)
        return JSONResponse(self._shown_order(sale) | {"SaleID": sale.id})

    def _record(self, sale: SaleRecord, step: str, plan: Plan) -> None:
        """The order's key is the submission's, as its mark says; the sale alone books nothing."""
        key, who = f"sale {sale.content.ExternalID}", str(sale.content.ExternalID)
        if step == "order" and sale.order is not None:
            mark = json.loads(sale.order.Memo.rpartition("[orderack ")[2].removesuffix("]"))
            key = f"{quote(mark['store'], safe='')}/{quote(mark['number'], safe='')}/{mark['revision']}"
            who = f"{mark['store']}/{mark['number']}"
        number = sale.number if step == "order" else sale.id
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=number, recipient=who, key=key, faults=plan.actions
        )

    def _start(self, sale: SaleRecord, order: NewOrder, plan: Plan) -> None:
        after = self.state.behaviour.books_after

        async def later() -> None:
            await asyncio.sleep(after)
            if sale.order is order and sale.status == DRAFT:
                self._authorise(sale, plan)

        if after == 0:
            self._authorise(sale, plan)
        else:
            self.state.courier.start(later())

    def _authorise(self, sale: SaleRecord, plan: Plan) -> None:
        self.books.authorise(sale)
        body = json.dumps(
            {"SaleID": sale.id, "SaleOrderNumber": sale.number, "EventType": "Sale/OrderAuthorised"}
        ).encode()
        webhook = Webhook(
            name=f"cin7 order authorised {sale.number}",
            url=lambda: self.state.callback(CALLBACK),
            signed=lambda url: {"Content-Type": "application/json", "X-Orderack-Secret": self._webhook_secret},
            body=body,
        )
        self.state.announce(webhook, plan)

    async def _get(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        sale = self.books.get(request.query_params.get("ID", ""))
        return JSONResponse(self._shown(sale)) if sale else _no(400, "Sale was not found.")

    async def _delete(self, request: Request) -> Response:
        """Void or undo: voiding is a cancellation, undoing the first step of a change."""
        void = request.query_params.get("Void", "false") == "true"
        operation = Operation.CANCEL if void else Operation.SEND
        return await self.endpoint(operation, self._void if void else self._undo)(request)

    async def _void(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        sale = self.books.get(request.query_params.get("ID", ""))
        if sale is None or sale.invoiced:
            return _no(400, "The sale cannot be voided.")
        self.books.undo(sale, VOIDED)
        who = str(sale.content.ExternalID)
        self.state.log.accept(
            self.target, Operation.CANCEL, provider_id=sale.number, recipient=who, key=who, faults=plan.actions
        )
        return JSONResponse(self._shown(sale))

    async def _undo(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        sale = self.books.get(request.query_params.get("ID", ""))
        if sale is None or sale.invoiced or sale.status == VOIDED:
            return _no(400, "The sale cannot be undone.")
        self.books.undo(sale, DRAFT)
        return JSONResponse(self._shown(sale))

    async def _list(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        now = time.monotonic()
        asked = request.query_params
        limit, page = int(asked.get("Limit", "100")), int(asked.get("Page", "1"))
        found = [
            sale
            for sale in self.books.of(asked.get("ExternalID"))
            if sale.listed_at <= now and _time(sale) > asked.get("UpdatedSince", "")
        ][(page - 1) * limit : page * limit]
        rows = [
            {
                "SaleID": sale.id,
                "OrderNumber": sale.number,
                "ExternalID": sale.content.ExternalID,
                "CustomerReference": sale.content.CustomerReference,
                "OrderStatus": sale.status,
                "Status": self._status(sale),
                "Updated": _time(sale),
            }
            for sale in found
        ]
        return JSONResponse({"SaleList": rows, "Total": len(rows), "Page": page})

    async def _customers(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        name = request.query_params.get("Name", "")
        rows = [] if name.startswith(UNKNOWN) else [{"ID": str(uuid.uuid5(uuid.NAMESPACE_OID, name)), "Name": name}]
        return JSONResponse({"CustomerList": rows, "Total": len(rows), "Page": 1})

    async def _free(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        sku = request.query_params.get("Sku", "")
        rows = [] if sku.startswith(UNKNOWN) else [self.books.free(sku)]
        return JSONResponse({"ProductAvailabilityList": rows, "Total": len(rows), "Page": 1})

    def _shown(self, sale: SaleRecord) -> dict[str, Any]:
        return sale.content.model_dump(exclude_none=True) | {
            "ID": sale.id,
            "Status": self._status(sale),
            "CustomerCurrency": self.currency,
            "CombinedInvoiceStatus": "INVOICED" if sale.invoiced else "NOT INVOICED",
            "CombinedShippingStatus": "NOT SHIPPED",
            "LastModifiedOn": _time(sale),
            "Order": self._shown_order(sale),
        }

    def _shown_order(self, sale: SaleRecord) -> dict[str, Any]:
        lines = sale.order.Lines if sale.order else []
        booked = sale.status == AUTHORISED
        shown = [
            line.model_dump()
            | {"SKU": self.books.shown_sku(line) if booked else line.SKU}
            | {"BackorderQuantity": float(self.books.back_ordered(line)) if booked else 0}
            for line in lines
        ]
        return {
            "SaleOrderNumber": sale.number or None,
            "Status": sale.status,
            "Memo": sale.order.Memo if sale.order else None,
            "Lines": shown,
            "AdditionalCharges": [charge.model_dump() for charge in sale.order.AdditionalCharges] if sale.order else [],
        }

    def _status(self, sale: SaleRecord) -> str:
        if sale.status != AUTHORISED or sale.order is None:
            return VOIDED if sale.status == VOIDED else "DRAFT"
        return "BACKORDERED" if any(self.books.back_ordered(line) for line in sale.order.Lines) else "ORDERED"


def _time(sale: SaleRecord) -> str:
    return sale.modified.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _unreadable() -> Response:
    return _no(500, "Error parsing the request: unexpected character.")


def _no(status: int, text: str) -> Response:
    return JSONResponse([{"ErrorCode": status, "Exception": text}], status_code=status)


LOOK_ALIKE = Cin7Core
