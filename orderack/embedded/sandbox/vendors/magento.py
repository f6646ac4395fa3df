"""An Adobe Commerce shop: orders over its REST API, comments on them, and Adobe's signed events about them.

A comment that notifies the customer is a mail to the buyer: it stands in the outbox, so that a second message shows.
"""

import base64
import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order, PaymentStatus
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike, ShopDeed, bearer
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._magento import Kept, whole

KEY_PATH = "/prod/keys/pub-key-sandbox.pem"
EVENT = "com.adobe.commerce.observer.sales_order_save_commit_after"
LARGEST_PAGE = 300
_FILTER = "searchCriteria[filterGroups][0][filters][0]"


class History(BaseModel):
    """A comment. Magento is strict about the names that it has, and about which of them are needed."""

    model_config = ConfigDict(extra="forbid")

    comment: str = Field(min_length=1)
    is_customer_notified: int = Field(ge=0, le=1)
    is_visible_on_front: int = Field(ge=0, le=1)
    parent_id: int


class NewComment(BaseModel):
    statusHistory: History


@cache
def _signing_key() -> rsa.RSAPrivateKey:
    """Adobe's, made when the first event is signed."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


class Magento(LookAlike):
    """One shop, one integration, and one project of Adobe's that is sent its events."""

    target: ClassVar[Target] = Target.MAGENTO
    source: ClassVar[str] = "magento"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = secrets.token_hex(16)
        self._client_id = secrets.token_hex(16)
        self._orders: dict[int, Kept] = {}

    def routes(self) -> Sequence[BaseRoute]:
        comments = "/rest/V1/orders/{order:int}/comments"
        return (
            Route("/rest/V1/orders", self.endpoint(Operation.LOOKUP, self._search), methods=["GET"]),
            Route("/rest/V1/orders/{order:int}", self.endpoint(Operation.LOOKUP, self._one), methods=["GET"]),
            Route(comments, self.endpoint(Operation.LOOKUP, self._comments), methods=["GET"]),
            Route(comments, self.endpoint(Operation.SEND, self._comment), methods=["POST"]),
            Route(f"/keys{KEY_PATH}", self._key, methods=["GET"]),
        )

    def connection(self, url: str) -> Mapping[str, str]:
        return {
            "base_url": url,
            "access_token": self._token,
            "event_client_id": self._client_id,
            "event_keys_url": f"{url}/keys",
        }

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        now = datetime.now(UTC).replace(microsecond=0)
        kept = next((one for one in self._orders.values() if one.order.ref == order.ref), None)
        if deed is ShopDeed.PLACE and kept is None:
            kept = self._place(order, now)
        if kept is None:
            raise KeyError(str(order.ref))
        kept.updated = now
        match deed:
            case ShopDeed.CHANGE:
                kept.order = order
            case ShopDeed.PAY:
                kept.paid, kept.state = True, "processing"
            case ShopDeed.CANCEL:
                kept.state = "canceled"
        return [self._event(kept, now)]

    def _place(self, order: Order, now: datetime) -> Kept:
        number = len(self._orders) + 1
        paid = order.payment.status is PaymentStatus.CONFIRMED
        placed = order.trigger_at.astimezone(UTC).replace(microsecond=0)
        self._orders[number] = Kept(number, order, "processing" if paid else "new", paid, placed, now)
        return self._orders[number]

    def _event(self, kept: Kept, now: datetime) -> Webhook:
        """Adobe's: the order without its extension attributes, and the same id at every attempt."""
        event_id = str(uuid.uuid4())
        value = {name: said for name, said in whole(kept).items() if name != "extension_attributes"}
        body = json.dumps(
            {
                "specversion": "1.0",
                "id": event_id,
                "type": EVENT,
                "time": now.isoformat(),
                "datacontenttype": "application/json",
                "data": {"key": str(uuid.uuid4()), "value": value, "source": "sandbox.production"},
                "recipientclientid": self._client_id,
            }
        ).encode()

        def signed(url: str) -> Mapping[str, str]:
            # the first key has been retired: only the second signature can be verified
            signature = base64.b64encode(_signing_key().sign(body, padding.PKCS1v15(), SHA256())).decode()
            return {
                "Content-Type": "application/cloudevents+json; charset=UTF-8",
                "x-adobe-event-id": event_id,
                "x-adobe-event-code": EVENT,
                "x-adobe-digital-signature-1": base64.b64encode(secrets.token_bytes(256)).decode(),
                "x-adobe-digital-signature-2": signature,
                "x-adobe-public-key1-path": "/prod/keys/pub-key-retired.pem",
                "x-adobe-public-key2-path": KEY_PATH,
            }

        path = f"/intake/{kept.order.store}/{self.source}"
        return Webhook(f"{EVENT} {kept.id}", lambda: self.state.callback(path), signed, body)

    def refused(self, code: str | None) -> Response:
        return _no(int(code) if code and code.isdecimal() else 400, "The request is not valid.")

    def throttled(self, retry_after: int) -> Response:
        return Response(status_code=429, headers={"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return _no(status, "Internal Error. Details are available in Magento log file.")

    def too_large(self) -> Response:
        return Response("<html>Request Entity Too Large</html>", status_code=413, media_type="text/html")

    async def _key(self, request: Request) -> Response:
        pem = _signing_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return Response(pem, media_type="application/x-pem-file")

    async def _search(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._token):
            return _stranger()
        asked = request.query_params
        name, value = asked.get(f"{_FILTER}[field]"), asked.get(f"{_FILTER}[value]", "")
        condition = asked.get(f"{_FILTER}[conditionType]", "eq")
        if condition not in ("eq", "gteq"):
            return _no(400, "Internal Error.")
        found = [whole(kept) for kept in sorted(self._orders.values(), key=lambda one: one.updated)]
        if name is not None:
            found = [one for one in found if _fits(str(one.get(name)), condition, value)]
        size = min(int(asked.get("searchCriteria[pageSize]", "20")), LARGEST_PAGE)
        pages = max(1, -(-len(found) // size))
        page = min(int(asked.get("searchCriteria[currentPage]", "1")), pages)  # beyond the last: the last one again
        items: JsonValue = [*found[(page - 1) * size : page * size]]
        return JSONResponse({"items": items, "search_criteria": {}, "total_count": len(found)})

    async def _one(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._token):
            return _stranger()
        kept = self._orders.get(request.path_params["order"])
        return _missing() if kept is None else JSONResponse(whole(kept))

    async def _comments(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._token):
            return _stranger()
        kept = self._orders.get(request.path_params["order"])
        if kept is None:
            return _missing()
        return JSONResponse({"items": kept.comments, "search_criteria": {}, "total_count": len(kept.comments)})

    async def _comment(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._token):
            return _stranger()
        kept = self._orders.get(request.path_params["order"])
        if kept is None:
            return _missing()
        try:
            new = NewComment.model_validate_json(await request.body()).statusHistory
        except ValidationError as error:
            where = str(error.errors()[0]["loc"][-1])
            return _no(400, f'"{where}" is required. Enter and try again.')
        number = len(kept.comments) + 1
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        kept.comments.append({**new.model_dump(), "entity_id": number, "created_at": now, "entity_name": "order"})
        self._record(kept, new, f"{kept.id}/{number}", plan)
        return JSONResponse(True)

    def _record(self, kept: Kept, new: History, provider_id: str, plan: Plan) -> None:
        key = new.comment.strip().splitlines()[-1]
        recipient = f"order {kept.id}"
        if new.is_customer_notified:
            recipient = kept.order.contacts.email or "the buyer"
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=provider_id, recipient=recipient, key=key, faults=plan.actions
        )
        self.state.outbox.put(self.target, recipient=recipient, provider_id=provider_id, text=new.comment, key=key)


def _fits(said: str, condition: str, value: str) -> bool:
    return said >= value if condition == "gteq" else said == value


def _no(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status_code=status)


def _stranger() -> Response:
    body = {"message": "The consumer isn't authorized to access %resources.", "parameters": {"resources": "Orders"}}
    return JSONResponse(body, status_code=401)


def _missing() -> Response:
    return _no(404, "The entity that was requested doesn't exist. Verify the entity and try again.")


LOOK_ALIKE = Magento
