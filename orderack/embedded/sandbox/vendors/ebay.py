"""eBay for one seller: the Sell Fulfillment API, the public key of its notifications, and ORDER_CONFIRMATION.

It signs as eBay's own libraries check: ECDSA with SHA-1 over the body as JSON without spaces, which is what it sends.
"""

import base64
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from typing import ClassVar
from urllib.parse import parse_qs
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order, PaymentStatus
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike, ShopDeed, bearer
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._ebay_order import Tree, theirs, written

ORDERS = "/sell/fulfillment/v1/order"
MOST = 200
_DATES = re.compile(r"(lastmodifieddate|creationdate):\[([^\].]+(?:\.\d+)?Z)\.\.([^\]]*)\]")
_FILTER = re.compile(
    r"((lastmodifieddate|creationdate):\[[^\]]+\]|orderfulfillmentstatus:\{(NOT_STARTED|FULFILLED)\|IN_PROGRESS\})"
)


class Ebay(LookAlike):
    """One seller's account, one application, one subscription."""

    target: ClassVar[Target] = Target.EBAY
    source: ClassVar[str] = "ebay"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._client, self._secret = f"Sandbox-PRD-{secrets.token_hex(8)}", f"PRD-{secrets.token_hex(16)}"
        self._refresh = f"v^1.1#i^1#r^1#{secrets.token_urlsafe(32)}"
        self._seller, self._application = (f"v^1.1#i^1#{secrets.token_urlsafe(32)}" for _ in range(2))
        self._verification = secrets.token_urlsafe(36)
        self._kid = str(uuid4())
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._orders: dict[str, Tree] = {}

    def routes(self) -> Sequence[BaseRoute]:
        lookup = Operation.LOOKUP
        return (
            Route("/identity/v1/oauth2/token", self._sign_in, methods=["POST"]),
            Route(ORDERS, self.endpoint(lookup, self._list), methods=["GET"]),
            Route(f"{ORDERS}/{{number:path}}", self.endpoint(lookup, self._get), methods=["GET"]),
            Route("/commerce/notification/v1/public_key/{kid}", self._public_key, methods=["GET"]),
        )

    def connection(self, url: str) -> Mapping[str, str]:
        return {
            "client_id": self._client,
            "client_secret": self._secret,
            "refresh_token": self._refresh,
            "verification_token": self._verification,
            "base_url": url,
        }

    def refused(self, code: str | None) -> Response:
        return problem(400, int(code) if code and code.isdigit() else 30700, "Invalid request")

    def throttled(self, retry_after: int) -> Response:
        answer = problem(429, 2001, "Too many requests.", "REQUEST")
        answer.headers["Retry-After"] = str(retry_after)
        return answer

    def failed(self, status: int) -> Response:
        return problem(status, 30500, "System error", "APPLICATION")

    def too_large(self) -> Response:
        return problem(413, 2004, "Request too large")

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        """Of an order that is placed and paid it posts; what is changed and cancelled later has to be looked for."""
        known = self._orders.get(order.number)
        if known is None and deed is not ShopDeed.PLACE:
            raise KeyError(order.number)
        paid = deed is ShopDeed.PAY or order.payment.status is not PaymentStatus.PENDING
        self._orders[order.number] = theirs(order, "PAID" if paid else "PENDING", deed is ShopDeed.CANCEL)
        return (self._told(order),) if deed in (ShopDeed.PLACE, ShopDeed.PAY) and paid else ()

    def _told(self, order: Order) -> Webhook:
        lines: list[JsonValue] = [
            {"orderLineItemId": line.line_id, "listingId": "110500000001", "quantity": int(line.quantity)}
            for line in order.lines
        ]
        now = written(datetime.now(UTC))
        notification: Tree = {
            "notificationId": f"{uuid4()}_{uuid4()}",
            "eventDate": now,
            "publishDate": now,
            "publishAttemptCount": 1,
            "data": {"order": {"orderId": order.number, "orderLineItems": lines}},
        }
        metadata: Tree = {"topic": "ORDER_CONFIRMATION", "schemaVersion": "1.0", "deprecated": False}
        told: Tree = {"metadata": metadata, "notification": notification}
        body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        return Webhook(
            name=f"ebay ORDER_CONFIRMATION {order.number}",
            url=lambda: self.state.callback(f"/intake/{order.store}/ebay"),
            signed=lambda url: {"Content-Type": "application/json", "X-EBAY-SIGNATURE": self._signature(body)},
            body=body,
        )

    def _signature(self, body: bytes) -> str:
        signature = base64.b64encode(self._key.sign(body, ec.ECDSA(hashes.SHA1()))).decode()  # noqa: S303 - as eBay does
        said = {"alg": "ecdsa", "kid": self._kid, "signature": signature, "digest": "SHA1"}
        return base64.b64encode(json.dumps(said).encode()).decode()

    async def _sign_in(self, request: Request) -> Response:
        right = base64.b64encode(f"{self._client}:{self._secret}".encode()).decode()
        if not compare_digest(request.headers.get("authorization", "").encode(), f"Basic {right}".encode()):
            return JSONResponse({"error": "invalid_client", "error_description": "client authentication failed"}, 401)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        grant = form.get("grant_type")
        if grant == "client_credentials":
            token = self._application
        elif grant == "refresh_token" and compare_digest(form.get("refresh_token", ""), self._refresh):
            token = self._seller
        else:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": token, "token_type": "Application Access Token", "expires_in": 7200})

    async def _public_key(self, request: Request) -> Response:
        if not bearer(request, self._application):
            return problem(401, 1001, "Invalid access token")
        if request.path_params["kid"] != self._kid:
            return problem(404, 195001, "The specified key id is invalid.")
        pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return JSONResponse({"key": pem.replace("\n", ""), "algorithm": "ECDSA", "digest": "SHA1"})

    async def _get(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._seller):
            return problem(401, 1001, "Invalid access token")
        found = self._orders.get(request.path_params["number"])
        return JSONResponse(found) if found is not None else problem(404, 32100, "Invalid order ID")

    async def _list(self, request: Request, plan: Plan) -> Response:
        """By the time of change or creation; cancellations are not explained here, as at eBay."""
        if not bearer(request, self._seller):
            return problem(401, 1001, "Invalid access token")
        query = request.query_params
        limit, offset, asked = query.get("limit", "50"), query.get("offset", "0"), query.get("filter", "")
        if not (limit.isdigit() and offset.isdigit() and 1 <= int(limit) <= MOST):
            return problem(400, 30810, "Invalid limit or offset")
        if query.get("fieldGroups") not in (None, "TAX_BREAKDOWN") or _FILTER.sub("", asked).strip(","):
            return problem(400, 30700, "Invalid filter or field group")
        found = [_shown(order) for order in self._orders.values() if _within(order, asked)]
        first, last = int(offset), int(offset) + int(limit)
        page: list[JsonValue] = [*found[first:last]]
        answer: Tree = {"orders": page, "total": len(found), "limit": int(limit), "offset": first}
        if len(found) > last:
            answer["next"] = str(request.url.include_query_params(offset=last))
        return JSONResponse(answer)


def _shown(order: Tree) -> Tree:
    cancel = order["cancelStatus"]
    return {**order, "cancelStatus": {**cancel, "cancelRequests": []} if isinstance(cancel, dict) else cancel}


def _within(order: Tree, asked: str) -> bool:
    for name, since, until in _DATES.findall(asked):
        at = str(order["lastModifiedDate" if name == "lastmodifieddate" else "creationDate"])
        if not since <= at <= (until or "9999"):
            return False
    return True


def problem(status: int, error: int, message: str, category: str = "REQUEST") -> Response:
    """In eBay's form."""
    told: Tree = {"errorId": error, "domain": "API_FULFILLMENT", "category": category, "message": message}
    return JSONResponse({"errors": [told]}, status)


LOOK_ALIKE = Ebay
