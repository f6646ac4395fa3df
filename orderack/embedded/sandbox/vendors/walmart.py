"""Walmart Marketplace: released orders, an acknowledgement within its own clock, cancellations line by line.

It is stricter than Walmart in one thing: what is not acknowledged in time is cancelled on the spot
(`Behaviour.acknowledged_within`), where Walmart counts it against the seller first.
"""

import base64
import json
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar
from urllib.parse import parse_qs, urlencode

from pydantic import JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Handler, LookAlike, ShopDeed
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._walmart_order import REASONS, Cancel, Kept

AUTO_CANCELLED = "AUTO_CANCELLED"
LIFE = 900
"""Seconds that a token lives."""


class Walmart(LookAlike):
    """One seller's account in the United States."""

    target: ClassVar[Target] = Target.WALMART
    source: ClassVar[str] = "walmart"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._client, self._secret = str(uuid.uuid4()), secrets.token_urlsafe(40)
        self._user, self._password = "orderack", secrets.token_urlsafe(16)
        self._tokens: dict[str, float] = {}
        self._orders: dict[str, Kept] = {}
        self._seen: set[str] = set()
        """Ids of calls, of which each may be used once."""

    def routes(self) -> Sequence[BaseRoute]:
        def route(path: str, operation: Operation, handler: Handler, method: str) -> Route:
            return Route(path, self.endpoint(operation, handler), methods=[method])

        return (
            Route("/v3/token", self._token, methods=["POST"]),
            route("/v3/orders/released", Operation.LOOKUP, self._released, "GET"),
            route("/v3/orders", Operation.LOOKUP, self._list, "GET"),
            route("/v3/orders/{id}", Operation.LOOKUP, self._one, "GET"),
            route("/v3/orders/{id}/acknowledge", Operation.SEND, self._acknowledge, "POST"),
            route("/v3/orders/{id}/cancel", Operation.CANCEL, self._cancel, "POST"),
        )

    def connection(self, url: str) -> Mapping[str, str]:
        return {
            "client_id": self._client,
            "client_secret": self._secret,
            "webhook_user": self._user,
            "webhook_password": self._password,
            "base_url": url,
        }

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        """Buyers pay at once and cannot edit: of a change nothing is posted, it is found by asking."""
        if deed is ShopDeed.PLACE:
            kept = Kept(f"{secrets.randbelow(9 * 10**12) + 10**12}", order, time.monotonic(), datetime.now(UTC))
            kept.stands = {line.line_id: {"Created": line.quantity} for line in order.lines}
            self._orders[kept.id] = kept
            return [self._event("PO_CREATED", kept)]
        kept = self.of(order)
        kept.modified = datetime.now(UTC)
        if deed is ShopDeed.CHANGE:
            kept.order = order
            kept.stands = {
                line.line_id: kept.stands.get(line.line_id, {"Created": line.quantity}) for line in order.lines
            }
        if deed is ShopDeed.CANCEL:
            return [self._give_up(kept, "CUSTOMER_CANCELLED")]
        return []

    def of(self, order: Order) -> Kept:
        """How this order of ours is kept. Raises KeyError for one that is not there."""
        found = [kept for kept in self._orders.values() if kept.order.ref == order.ref]
        if not found:
            raise KeyError(str(order.ref))
        return found[-1]

    def _give_up(self, kept: Kept, reason: str) -> Webhook:
        kept.reason, kept.modified = reason, datetime.now(UTC)
        for line in kept.stands:
            kept.move(line, ("Created", "Acknowledged"), "Cancelled")
        return self._event("PO_LINE_AUTOCANCELLED", kept)

    def _tick(self) -> None:
        """Cancel what nobody acknowledged in time."""
        for kept in self._orders.values():
            late = time.monotonic() - kept.placed >= self.state.behaviour.acknowledged_within
            if late and kept.units("Created"):
                self.state.log.count(self.target, Operation.CANCEL, AUTO_CANCELLED)
                self.state.announce(self._give_up(kept, AUTO_CANCELLED), Plan())

    def _event(self, kind: str, kept: Kept) -> Webhook:
        store = kept.order.store
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        source: JsonValue = {"eventType": kind, "eventTime": at, "eventId": str(uuid.uuid4())}
        payload: JsonValue = {
            "partnerId": "10000000001",
            "purchaseOrderId": kept.id,
            "customerOrderId": kept.order.number,
            "orderDate": kept.order.trigger_at.isoformat(),
            "shipNodeType": "SellerFulfilled",
            "orderLines": [
                {
                    "lineNumber": line.line_id,
                    "sku": line.sku,
                    "quantity": {"unitOfMeasure": "EACH", "measurementValue": f"{line.quantity:f}"},
                }
                for line in kept.order.lines
            ],
        }
        login = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        return Webhook(
            name=f"walmart {kind} {kept.order.ref}",
            url=lambda: self.state.callback(f"/intake/{store}/walmart"),
            signed=lambda url: {"Authorization": f"Basic {login}", "Content-Type": "application/json"},
            body=json.dumps({"source": source, "payload": payload}).encode(),
        )

    def refused(self, code: str | None) -> Response:
        return _error(400, code or "INVALID_REQUEST_CONTENT.GMP_ORDER_API", "Request is not allowed for this order.")

    def throttled(self, retry_after: int) -> Response:
        answer = _error(429, "REQUEST_THRESHOLD_VIOLATED.GMP_GATEWAY_API", "Too many requests")
        answer.headers["x-current-token-count"] = "0"
        answer.headers["x-next-replenish-time"] = str(int((time.time() + retry_after) * 1000))
        return answer

    def failed(self, status: int) -> Response:
        return _error(status, "SYSTEM_ERROR.GMP_GATEWAY_API", "Internal error")

    def too_large(self) -> Response:
        return _error(413, "INVALID_REQUEST_CONTENT.GMP_GATEWAY_API", "Too large")

    async def _token(self, request: Request) -> Response:
        login = base64.b64encode(f"{self._client}:{self._secret}".encode()).decode()
        if not _headed(request):
            return _error(400, "INVALID_REQUEST_HEADER.GMP_GATEWAY_API", "WM_QOS.CORRELATION_ID or WM_SVC.NAME missing")
        if not secrets.compare_digest(request.headers.get("authorization", "").encode(), f"Basic {login}".encode()):
            return _error(401, "UNAUTHORIZED.GMP_GATEWAY_API", "Unauthorized")
        if (await request.form()).get("grant_type") != "client_credentials":
            return _error(400, "INVALID_TOKEN.GMP_GATEWAY_API", "grant_type")
        token = f"eyJ{secrets.token_urlsafe(60)}"
        self._tokens[token] = time.monotonic() + LIFE
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": LIFE})

    def expire(self) -> None:
        """End every token."""
        self._tokens.clear()

    def _stranger(self, request: Request) -> Response | None:
        """What keeps this request out; None: nothing. The clock is looked at."""
        self._tick()
        if self._tokens.get(request.headers.get("wm_sec.access_token", ""), 0) <= time.monotonic():
            return _error(401, "UNAUTHORIZED.GMP_GATEWAY_API", "Unauthorized token or incorrect authorization header")
        call = request.headers.get("wm_qos.correlation_id", "")
        if not _headed(request) or call in self._seen:
            return _error(400, "INVALID_REQUEST_HEADER.GMP_GATEWAY_API", "WM_QOS.CORRELATION_ID is not new")
        self._seen.add(call)
        return None

    async def _released(self, request: Request, plan: Plan) -> Response:
        return self._stranger(request) or self._page(
            request, [kept for kept in self._orders.values() if kept.units("Created")]
        )

    async def _list(self, request: Request, plan: Plan) -> Response:
        if refused := self._stranger(request):
            return refused
        asked = request.query_params
        since = datetime.fromisoformat(asked.get("lastModifiedStartDate", "1970-01-01T00:00:00Z"))
        number, status = asked.get("purchaseOrderId"), asked.get("status")
        found = [
            kept
            for kept in self._orders.values()
            if kept.modified >= since and number in (None, kept.id) and (not status or kept.units(status))
        ]
        return self._page(request, found)

    def _page(self, request: Request, found: Sequence[Kept]) -> Response:
        limit, start = int(request.query_params.get("limit", "100")), int(request.query_params.get("poIndex", "0"))
        if not 1 <= limit <= 200:
            return _error(400, "INVALID_REQUEST_PARAM.GMP_ORDER_API", "limit")
        end = start + limit
        asked = {name: values[-1] for name, values in parse_qs(request.url.query).items()}
        following = "?" + urlencode({**asked, "hasMoreElements": "true", "poIndex": str(end)})
        shapes: list[JsonValue] = [kept.shape for kept in found[start:end]]
        meta: JsonValue = {
            "totalCount": len(found),
            "limit": limit,
            "nextCursor": following if end < len(found) else None,
        }
        # one order alone comes without its list, as it does from systems that write XML first
        elements: JsonValue = shapes[0] if len(shapes) == 1 else shapes
        return JSONResponse({"list": {"meta": meta, "elements": {"order": elements}}})

    async def _one(self, request: Request, plan: Plan) -> Response:
        if refused := self._stranger(request):
            return refused
        kept = self._orders.get(request.path_params["id"])
        return JSONResponse({"order": kept.shape}) if kept else _missing()

    async def _acknowledge(self, request: Request, plan: Plan) -> Response:
        """Again is allowed; of what is shipped or cancelled it is not."""
        if refused := self._stranger(request):
            return refused
        kept = self._orders.get(request.path_params["id"])
        if kept is None:
            return _missing()
        if not kept.units("Created", "Acknowledged") or kept.units("Shipped", "Delivered"):
            return self.refused(None)
        repeated = not kept.units("Created")
        for line in kept.stands:
            kept.move(line, ("Created",), "Acknowledged")
        self._accepted(Operation.SEND, kept, plan, repeated=repeated)
        return JSONResponse({"order": kept.shape})

    async def _cancel(self, request: Request, plan: Plan) -> Response:
        if refused := self._stranger(request):
            return refused
        kept = self._orders.get(request.path_params["id"])
        try:
            lines = Cancel.model_validate_json(await request.body()).cancellation.lines.lines
        except ValidationError as error:
            return _error(400, "INVALID_REQUEST_CONTENT.GMP_ORDER_API", str(error.errors()[0]["loc"]))
        if kept is None:
            return _missing()
        for line in lines:
            for status in line.statuses.statuses:
                units = Decimal(status.quantity.amount)
                stands = kept.stands.get(line.number, {})
                open_units = stands.get("Created", Decimal(0)) + stands.get("Acknowledged", Decimal(0))
                if status.reason not in REASONS or units > open_units:
                    return self.refused(None)
                kept.move(line.number, ("Created", "Acknowledged"), "Cancelled", units)
                kept.reason = status.reason
        self._accepted(Operation.CANCEL, kept, plan, repeated=False)
        return JSONResponse({"order": kept.shape})

    def _accepted(self, operation: Operation, kept: Kept, plan: Plan, *, repeated: bool) -> None:
        kept.modified = kept.modified if repeated else datetime.now(UTC)
        self.state.log.accept(
            self.target,
            operation,
            provider_id=kept.id,
            recipient=kept.order.number,
            key=str(kept.order.ref),
            repeated=repeated,
            faults=plan.actions,
        )


def _headed(request: Request) -> bool:
    return bool(request.headers.get("wm_qos.correlation_id")) and bool(request.headers.get("wm_svc.name"))


def _missing() -> Response:
    return _error(404, "CONTENT_NOT_FOUND.GMP_ORDER_API", "Purchase order was not found")


def _error(status: int, code: str, words: str) -> Response:
    one = {"code": code, "field": "data", "description": words, "severity": "ERROR", "category": "DATA"}
    return JSONResponse({"error": [one]}, status_code=status)


LOOK_ALIKE = Walmart
