"""A generic HTTP ERP: takes orders once, books them a while later, and pushes signed receipts."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar
from urllib.parse import quote, unquote

from pydantic import BaseModel, Field, JsonValue, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.erp_books import ERP, Booking, Books
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike, bearer
from orderack.embedded.sandbox.state import SandboxState

CALLBACK = f"/receipts/{ERP}"
ORDER = "/orders/{order:path}"
"""Store and number, percent-encoded: either may hold a slash, so they are read from the path as it was sent."""
_REVISION: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=1)])


class Submission(BaseModel):
    order: Order
    revision: Annotated[int, Field(ge=1)] = 1

    @property
    def key(self) -> str:
        """The idempotency key that this submission must carry."""
        return f"{quote(self.order.store, safe='')}/{quote(self.order.number, safe='')}/{self.revision}"


class Cancellation(BaseModel):
    document_id: str | None = None
    reason: str = ""


class AskedLine(BaseModel):
    line_id: str
    sku: str
    quantity: Decimal


class Inquiry(BaseModel):
    lines: list[AskedLine]


class Erp(LookAlike):
    """Protocol of docs/erp-http.md, and `/announce`: an order that reached the ERP by another way than us."""

    target: ClassVar[Target] = Target.ERP

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._books = Books(state.stock)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/orders", self.endpoint(Operation.SEND, self._submit), methods=["POST"]),
            Route(ORDER, self.endpoint(Operation.LOOKUP, self._find), methods=["GET"]),
            Route(f"{ORDER}/cancellation", self.endpoint(Operation.CANCEL, self._cancel), methods=["POST"]),
            Route("/availability", self.endpoint(Operation.AVAILABILITY, self._availability), methods=["POST"]),
            Route("/announce", self._announce, methods=["POST"]),
        )

    def refused(self, code: str | None) -> Response:
        return JSONResponse({"document_id": None, "status": "refused", "reason": code or "not accepted"})

    def throttled(self, retry_after: int) -> Response:
        return _problem(429, "too many requests", {"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return _problem(status, "internal error")

    def too_large(self) -> Response:
        return _problem(413, "too large")

    def _stranger(self, request: Request) -> Response | None:
        return None if bearer(request, self.state.credentials.erp_api_key) else _problem(401, "unknown API key")

    async def _submit(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            submission = Submission.model_validate_json(await request.body())
        except ValidationError as error:
            return _invalid(error)
        if request.headers.get("idempotency-key") != submission.key:
            return _problem(422, f"Idempotency-Key must be {submission.key}")
        known = self._books.get(submission.order.ref, submission.revision)
        if known is not None and known.order.content_hash != submission.order.content_hash:
            return _problem(409, "this revision was submitted with another content")
        booking = known or self._books.open(submission.order, submission.revision)
        self._record(submission, booking, plan, repeated=known is not None)
        if known is None and not plan.happens(Action.LOSE):
            booking = self._start(booking, plan)
        return _booking(booking, 200 if known else 201)

    def _record(self, submission: Submission, booking: Booking, plan: Plan, *, repeated: bool) -> None:
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=booking.document_id,
            recipient=str(submission.order.ref),
            key=submission.key,
            idempotency_key=submission.key,
            repeated=repeated,
            faults=plan.actions,
        )

    def _start(self, booking: Booking, plan: Plan) -> Booking:
        """Book now or a while later; either way the receipt is pushed."""
        after = self.state.behaviour.books_after
        if after == 0:
            return self._book(booking, plan) or booking
        self.state.courier.start(self._book_later(booking, plan, after))
        return booking

    async def _book_later(self, booking: Booking, plan: Plan, after: float) -> None:
        await asyncio.sleep(after)
        self._book(booking, plan)

    def _book(self, booking: Booking, plan: Plan) -> Booking | None:
        booked = self._books.book(booking.order.ref, booking.revision)
        if booked is not None and booked.receipt is not None:
            self.state.announce(self._webhook(booked.receipt), plan)
        return booked

    def _webhook(self, receipt: ErpReceipt) -> Webhook:
        body = receipt.model_dump_json().encode()
        secret = self.state.credentials.erp_webhook_secret
        message_id = f"msg_{receipt.document_id}_{receipt.revision}"
        return Webhook(
            name=f"erp receipt {receipt.id}",
            url=lambda: self.state.callback(CALLBACK),
            signed=lambda url: {
                "Content-Type": "application/json",
                **signatures.standard_webhooks(secret, message_id, int(time.time()), body),
            },
            body=body,
        )

    async def _find(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            revision = _REVISION.validate_python(request.query_params.get("revision"))
            booking = self._books.get(_ref(request), revision)
        except ValidationError as error:
            return _invalid(error)
        if booking is None or booking.receipt is None:
            return _problem(404, "no receipt of this order")
        return JSONResponse(booking.receipt.model_dump(mode="json"))

    async def _cancel(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            Cancellation.model_validate_json(await request.body())
            ref = _ref(request)
        except ValidationError as error:
            return _invalid(error)
        document_id = self._books.cancel(ref)
        if document_id is None:
            return _problem(404, "unknown order")
        self.state.log.accept(
            self.target,
            Operation.CANCEL,
            provider_id=document_id,
            recipient=str(ref),
            key=str(ref),
            faults=plan.actions,
        )
        return JSONResponse({"document_id": document_id, "status": "cancelled"})

    async def _availability(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            inquiry = Inquiry.model_validate_json(await request.body())
        except ValidationError as error:
            return _invalid(error)
        answers = [(line, self.state.stock.answer(line.sku, line.quantity)) for line in inquiry.lines]
        lines = [
            {"line_id": line.line_id} | stock.model_dump(mode="json", include={"verdict", "available", "expected_on"})
            for line, stock in answers
        ]
        return JSONResponse({"lines": lines})

    async def _announce(self, request: Request) -> Response:
        """Book an order that we did not submit, and push its receipt. A sandbox control, not part of the protocol."""
        try:
            submission = Submission.model_validate_json(await request.body())
        except ValidationError as error:
            return _invalid(error)
        order, revision = submission.order, submission.revision
        booking = self._book(self._books.get(order.ref, revision) or self._books.open(order, revision), Plan())
        return _booking(booking, 201) if booking is not None else _problem(409, "the order was cancelled")


def _ref(request: Request) -> OrderRef:
    """The order in the path. Raises ValidationError when it names none."""
    sent = bytes(request.scope["raw_path"]).decode("ascii").split("/orders/", 1)[1]
    store, _, rest = sent.partition("/")
    return OrderRef(store=unquote(store), number=unquote(rest.partition("/")[0]))


def _booking(booking: Booking, status: int) -> Response:
    receipt: JsonValue = booking.receipt.model_dump(mode="json") if booking.receipt else None
    return JSONResponse(
        {"document_id": booking.document_id, "status": "booked" if booking.receipt else "queued", "receipt": receipt},
        status_code=status,
    )


def _invalid(error: ValidationError) -> Response:
    problems = [f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()]
    return _problem(422, "; ".join(problems))


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"reason": detail}, status_code=status, headers=headers)
