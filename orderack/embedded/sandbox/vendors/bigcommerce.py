"""A BigCommerce store: orders in its own words, webhooks that only name them, and metafields, each key once.

Its answers to a stranger, to an order that is not there and to an empty list are BigCommerce's own: 401, 404 and 204.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from typing import ClassVar

from pydantic import BaseModel, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order, PaymentStatus
from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Handler, LookAlike, ShopDeed
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._bigcommerce import Kept, consignments, fees, head, places, product

STORE = "sandbox1"
LARGEST_PAGE = 250
SCOPES: Mapping[ShopDeed, tuple[str, ...]] = {
    ShopDeed.PLACE: ("created",),
    ShopDeed.CHANGE: ("updated",),
    ShopDeed.PAY: ("statusUpdated", "updated"),
    ShopDeed.CANCEL: ("statusUpdated", "updated"),
}


class NewMetafield(BaseModel):
    permission_set: str = Field(pattern="^(app_only|read|write|read_and_sf_access|write_and_sf_access)$")
    namespace: str = Field(min_length=1, max_length=64)
    key: str = Field(min_length=1, max_length=64)
    value: str = Field(min_length=1, max_length=65_535)
    description: str = Field(default="", max_length=255)


class BigCommerce(LookAlike):
    """One store and one API account."""

    target: ClassVar[Target] = Target.BIGCOMMERCE
    source: ClassVar[str] = "bigcommerce"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = secrets.token_hex(16)
        self._client_secret = secrets.token_hex(32)
        self._orders: dict[int, Kept] = {}
        self._last = 99

    def routes(self) -> Sequence[BaseRoute]:
        v2, v3 = f"/stores/{STORE}/v2/orders", f"/stores/{STORE}/v3/orders/{{order:int}}"
        parts: Mapping[str, Callable[[Kept], list[JsonValue]]] = {
            "products": lambda kept: [product(line, n) for n, line in enumerate(kept.order.lines, 1)],
            "shipping_addresses": lambda kept: list(places(kept.order)),
            "coupons": lambda kept: [],
        }
        return (
            Route(v2, self.endpoint(Operation.LOOKUP, self._list), methods=["GET"]),
            Route(f"{v2}/count", self.endpoint(Operation.LOOKUP, self._count), methods=["GET"]),
            Route(f"{v2}/{{order:int}}", self.endpoint(Operation.LOOKUP, self._one), methods=["GET"]),
            *(
                Route(f"{v2}/{{order:int}}/{name}", self.endpoint(Operation.LOOKUP, self._part(rows)), methods=["GET"])
                for name, rows in parts.items()
            ),
            Route(f"{v3}/metafields", self.endpoint(Operation.LOOKUP, self._metafields), methods=["GET"]),
            Route(f"{v3}/metafields", self.endpoint(Operation.SEND, self._write), methods=["POST"]),
        )

    def connection(self, url: str) -> Mapping[str, str]:
        return {
            "base_url": url,
            "store_hash": STORE,
            "access_token": self._token,
            "client_secret": self._client_secret,
        }

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        now = datetime.now(UTC).replace(microsecond=0)
        kept = self._find(order)
        if deed is ShopDeed.PLACE and kept is None:
            kept = self._place(order, now)
        if kept is None:
            raise KeyError(str(order.ref))
        kept.modified = now
        match deed:
            case ShopDeed.CHANGE:
                kept.order = order
            case ShopDeed.PAY:
                kept.status = 11
            case ShopDeed.CANCEL:
                kept.status = 5
        return [self._webhook(scope, kept, order.store, now) for scope in SCOPES[deed]]

    def _find(self, order: Order) -> Kept | None:
        """By our number, which is BigCommerce's own from the second deed on."""
        names = {str(order.ref)}
        return next(
            (
                kept
                for kept in self._orders.values()
                if str(kept.order.ref) in names or f"{kept.order.store}/{kept.id}" in names
            ),
            None,
        )

    def _place(self, order: Order, now: datetime) -> Kept:
        free = order.number.isdecimal() and len(order.number) < 16 and int(order.number) not in self._orders
        self._last = number = int(order.number) if free else max((self._last, *self._orders)) + 1
        status = 11 if order.payment.status is PaymentStatus.CONFIRMED else 7
        placed = order.trigger_at.astimezone(UTC).replace(microsecond=0)
        self._orders[number] = Kept(number, order, status, placed, now)
        return self._orders[number]

    def _webhook(self, scope: str, kept: Kept, store: str, now: datetime) -> Webhook:
        body = json.dumps(
            {
                "scope": f"store/order/{scope}",
                "store_id": "1025646",
                "data": {"type": "order", "id": kept.id},
                "hash": hashlib.sha1(secrets.token_bytes(16), usedforsecurity=False).hexdigest(),
                "created_at": int(now.timestamp()),
                "producer": f"stores/{STORE}",
            }
        ).encode()
        message_id, secret = f"msg_{secrets.token_hex(12)}", base64.b64encode(self._client_secret.encode()).decode()

        def signed(url: str) -> Mapping[str, str]:
            at = int(datetime.now(UTC).timestamp())
            return {
                "Content-Type": "application/json",
                **signatures.standard_webhooks(secret, message_id, at, body),
            }

        path = f"/intake/{store}/{self.source}"
        return Webhook(f"store/order/{scope} {kept.id}", lambda: self.state.callback(path), signed, body)

    def refused(self, code: str | None) -> Response:
        return _title(int(code) if code and code.isdecimal() else 422, "The request was not valid.")

    def throttled(self, retry_after: int) -> Response:
        headers = {"X-Rate-Limit-Requests-Left": "0", "X-Rate-Limit-Time-Reset-Ms": str(retry_after * 1000)}
        return Response(status_code=429, headers=headers)

    def failed(self, status: int) -> Response:
        return _title(status, "Internal Server Error")

    def too_large(self) -> Response:
        return Response(status_code=413)

    async def _list(self, request: Request, plan: Plan) -> Response:
        if (no := self._stranger(request)) is not None:
            return no
        asked = request.query_params
        since = datetime.fromisoformat(asked.get("min_date_modified", "1970-01-01T00:00:00+00:00"))
        limit, page = min(int(asked.get("limit", "50")), LARGEST_PAGE), int(asked.get("page", "1"))
        found = sorted((one for one in self._orders.values() if one.modified >= since), key=lambda one: one.modified)
        return _rows([head(one) for one in found[(page - 1) * limit : page * limit]])

    async def _count(self, request: Request, plan: Plan) -> Response:
        return self._stranger(request) or JSONResponse({"count": len(self._orders), "statuses": []})

    async def _one(self, request: Request, plan: Plan) -> Response:
        kept = self._orders.get(request.path_params["order"])
        if (no := self._stranger(request)) is not None:
            return no
        if kept is None:
            return _not_there()
        found, asked = head(kept), request.query_params
        if "consignments" in asked.get("include", "") and asked.get("consignment_structure") == "object":
            found["consignments"] = consignments(kept.order, kept.id)
        if "fees" in asked.get("include", ""):
            found["fees"] = fees(kept.order)
        return JSONResponse(found)

    def _part(self, rows: Callable[[Kept], list[JsonValue]]) -> Handler:
        async def answer(request: Request, plan: Plan) -> Response:
            kept = self._orders.get(request.path_params["order"])
            if (no := self._stranger(request)) is not None:
                return no
            if kept is None:
                return _not_there()
            limit, page = int(request.query_params.get("limit", "50")), int(request.query_params.get("page", "1"))
            return _rows(rows(kept)[(page - 1) * limit : page * limit])

        return answer

    async def _metafields(self, request: Request, plan: Plan) -> Response:
        kept = self._orders.get(request.path_params["order"])
        if (no := self._stranger(request)) is not None:
            return no
        if kept is None:
            return _title(404, "Resource not found.")
        asked = request.query_params
        found: list[JsonValue] = [
            dict(one)
            for (namespace, key), one in kept.metafields.items()
            if asked.get("namespace", namespace) == namespace and asked.get("key", key) == key
        ]
        return JSONResponse({"data": found, "meta": {"pagination": {"total": len(found)}}})

    async def _write(self, request: Request, plan: Plan) -> Response:
        kept = self._orders.get(request.path_params["order"])
        if (no := self._stranger(request)) is not None:
            return no
        if kept is None:
            return _title(404, "Resource not found.")
        try:
            new = NewMetafield.model_validate_json(await request.body())
        except ValidationError:
            return _title(422, "The metafield is not valid.")
        name = (new.namespace, new.key)
        if name in kept.metafields:
            return _title(409, "The metafield conflicts with another metafield.")
        made: dict[str, JsonValue] = {"id": 6 + len(kept.metafields), "resource_id": kept.id, **new.model_dump()}
        kept.metafields[name] = made
        self._record(kept, new, str(made["id"]), plan)
        return JSONResponse({"data": made, "meta": {}})

    def _record(self, kept: Kept, new: NewMetafield, provider_id: str, plan: Plan) -> None:
        key = new.value.strip().splitlines()[-1]
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=provider_id,
            recipient=f"order {kept.id}",
            key=key,
            idempotency_key=f"{kept.id}/{new.namespace}/{new.key}",
            faults=plan.actions,
        )
        self.state.outbox.put(
            self.target,
            recipient=f"order {kept.id}",
            provider_id=provider_id,
            subject=f"{new.namespace}.{new.key}",
            text=new.value,
            key=key,
        )

    def _stranger(self, request: Request) -> Response | None:
        given = request.headers.get("x-auth-token", "")
        if not compare_digest(given.encode(), self._token.encode()):
            return _title(401, "Unauthorized")
        return None if "json" in request.headers.get("accept", "") else _title(406, "Not acceptable")


def _title(status: int, title: str) -> Response:
    return JSONResponse({"status": status, "title": title, "type": "about:blank"}, status_code=status)


def _not_there() -> Response:
    return JSONResponse([{"status": 404, "message": "The requested resource was not found."}], status_code=404)


def _rows(rows: Sequence[Mapping[str, JsonValue] | JsonValue]) -> Response:
    return JSONResponse(list(rows)) if rows else Response(status_code=204)


LOOK_ALIKE = BigCommerce
