"""An ActiveCampaign account with one e-commerce connection, and an automation that mails who makes a purchase.

An order is made once per external id, and an update starts no automation: both as at the vendor's.
"""

import secrets
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.state import SandboxState

API = "/api/3"
CONNECTION = "1"

Cents = Annotated[int, Field(ge=0, le=2_147_483_647, strict=True)]


class Product(BaseModel):
    externalid: str
    name: str
    price: Cents
    quantity: Cents


class Update(BaseModel):
    """What an order is, once it is there."""

    model_config = ConfigDict(extra="allow")

    externalid: str = Field(min_length=1)
    email: Annotated[str, Field(pattern=r"^[^@\s,]+@[^@\s,]+$")]
    totalPrice: Cents
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    orderProducts: list[Product] = []
    orderNumber: str = ""
    orderUrl: str = ""


class New(Update):
    source: int
    connectionid: int
    customerid: int
    externalCreatedDate: str


class NewOrder(BaseModel):
    ecomOrder: New


class UpdatedOrder(BaseModel):
    ecomOrder: Update


class Customer(BaseModel):
    connectionid: str
    externalid: str
    email: str


class NewCustomer(BaseModel):
    ecomCustomer: Customer


_OBJECT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class ActiveCampaign(LookAlike):
    """One account."""

    target: ClassVar[Target] = Target.ACTIVECAMPAIGN

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = secrets.token_hex(36)
        self._customers: dict[str, str] = {}
        """E-mail address → id."""
        self._orders: dict[str, dict[str, JsonValue]] = {}
        """External id → the order, with its id."""

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route(f"{API}/ecomOrders", self.endpoint(Operation.SEND, self._make), methods=["POST"]),
            Route(f"{API}/ecomOrders", self.endpoint(Operation.LOOKUP, self._find), methods=["GET"]),
            Route(f"{API}/ecomOrders/{{id}}", self.endpoint(Operation.SEND, self._update), methods=["PUT"]),
            Route(f"{API}/ecomOrders/{{id}}", self.endpoint(Operation.LOOKUP, self._one), methods=["GET"]),
            Route(f"{API}/ecomCustomers", self.endpoint(Operation.LOOKUP, self._customer), methods=["GET", "POST"]),
            Route(f"{API}/users/me", self._me, methods=["GET"]),
            Route(f"{API}/connections/{{id}}", self._connection, methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_ACTIVECAMPAIGN_BASE_URL": url,
            "ORDERACK_ACTIVECAMPAIGN_API_TOKEN": self._token,
            "ORDERACK_ACTIVECAMPAIGN_CONNECTION_ID": CONNECTION,
        }

    def refused(self, code: str | None) -> Response:
        return _no(code or "field_invalid", "email")

    def throttled(self, retry_after: int) -> Response:
        return Response(status_code=429, headers={"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return JSONResponse({"message": "No."}, status_code=status)

    def too_large(self) -> Response:
        return Response(status_code=413)

    async def _make(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _stranger()
        try:
            new = NewOrder.model_validate_json(await request.body()).ecomOrder
        except ValidationError as error:
            return _no("field_invalid", str(error.errors()[0]["loc"][-1]))
        if str(new.connectionid) != CONNECTION:
            return _no("related_missing", "connectionid")
        if str(new.customerid) not in self._customers.values():
            return _no("related_missing", "customerid")
        if new.externalid in self._orders:
            return _no("duplicate", "externalid")
        kept: dict[str, JsonValue] = {"id": str(len(self._orders) + 1), **_OBJECT.validate_python(new.model_dump())}
        self._orders[new.externalid] = kept
        self._accepted(new, str(kept["id"]), plan)
        if new.source:
            self._mail(new, str(kept["id"]))
        return JSONResponse({"ecomOrder": kept}, status_code=201)

    async def _update(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _stranger()
        kept = self._kept(request)
        if kept is None:
            return _missing()
        try:
            update = UpdatedOrder.model_validate_json(await request.body()).ecomOrder
        except ValidationError as error:
            return _no("field_invalid", str(error.errors()[0]["loc"][-1]))
        kept.update(_OBJECT.validate_python(update.model_dump()))
        self._accepted(update, str(kept["id"]), plan)
        return JSONResponse({"ecomOrder": kept})

    def _accepted(self, order: Update, provider_id: str, plan: Plan) -> None:
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=provider_id,
            recipient=order.email,
            key=f"{order.externalid} {order.orderNumber}",
            faults=plan.actions,
        )

    def _mail(self, order: New, provider_id: str) -> None:
        """What the automation sends: words of its own, and the order's link."""
        lines = [f"{one.quantity} x {one.name}" for one in order.orderProducts]
        self.state.outbox.put(
            self.target,
            recipient=order.email,
            sender="automation: makes a purchase",
            provider_id=provider_id,
            subject=f"Your order {order.orderNumber}",
            text="\n".join([*lines, f"{order.totalPrice} {order.currency} (smallest unit)", order.orderUrl]),
            key=order.externalid,
        )

    async def _find(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _stranger()
        wanted = self._orders.get(request.query_params.get("filters[externalid]", ""))
        found: list[JsonValue] = [{"id": wanted["id"], "externalid": wanted["externalid"]}] if wanted else []
        return JSONResponse({"ecomOrders": found, "meta": {"total": str(len(found))}})

    async def _one(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _stranger()
        kept = self._kept(request)
        return _missing() if kept is None else JSONResponse({"ecomOrder": kept})

    def _kept(self, request: Request) -> dict[str, JsonValue] | None:
        return next((one for one in self._orders.values() if one["id"] == request.path_params["id"]), None)

    async def _customer(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _stranger()
        if request.method == "GET":
            email = request.query_params.get("filters[email]", "")
            found: list[JsonValue] = (
                [{"id": self._customers[email], "email": email}] if email in self._customers else []
            )
            return JSONResponse({"ecomCustomers": found, "meta": {"total": str(len(found))}})
        try:
            new = NewCustomer.model_validate_json(await request.body()).ecomCustomer
        except ValidationError as error:
            return _no("field_invalid", str(error.errors()[0]["loc"][-1]))
        if new.email in self._customers:
            return _no("duplicate", "externalid")
        self._customers[new.email] = str(len(self._customers) + 1)
        made: JsonValue = {"id": self._customers[new.email], **_OBJECT.validate_python(new.model_dump())}
        return JSONResponse({"ecomCustomer": made}, status_code=201)

    async def _me(self, request: Request) -> Response:
        return JSONResponse({"user": {"username": "sandbox"}}) if self._signed_in(request) else _stranger()

    async def _connection(self, request: Request) -> Response:
        if not self._signed_in(request):
            return _stranger()
        known = request.path_params["id"] == CONNECTION
        return JSONResponse({"connection": {"id": CONNECTION}}) if known else _missing()

    def _signed_in(self, request: Request) -> bool:
        return compare_digest(request.headers.get("api-token", "").encode(), self._token.encode())


def _stranger() -> Response:
    return JSONResponse({"message": "You do not have permission."}, status_code=403)


def _missing() -> Response:
    return JSONResponse({"message": "No Result found"}, status_code=404)


def _no(code: str, field: str) -> Response:
    error: JsonValue = {
        "title": "No.",
        "detail": "No.",
        "code": code,
        "source": {"pointer": f"/data/attributes/{field}"},
    }
    return JSONResponse({"errors": [error]}, status_code=422)


LOOK_ALIKE = ActiveCampaign
