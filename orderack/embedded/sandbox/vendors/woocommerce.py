"""A WooCommerce shop: orders are placed in it, its webhooks tell of them, and WordPress's REST API gives them and takes
notes, with a key of its own and its words for no.

Every order number takes notes, but those that begin with 404; only orders that were placed here are given. A customer
note would be a mail to the buyer: the look-alike writes that mail into the outbox, so that a double acknowledgement
shows. Its webhooks' delivery ids are made of the webhook and the second, as WooCommerce makes them.
"""

import hashlib
import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from typing import ClassVar, Literal

from pydantic import BaseModel, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike, ShopDeed
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._woocommerce_shop import TOPICS, Body, Shop

ROOT = "/wp-json/wc/v3"
UNKNOWN = "404"
"""How the numbers of orders begin that this shop does not have."""


class NewNote(BaseModel):
    note: str = Field(min_length=1)
    customer_note: bool = False


class Search(BaseModel):
    """The arguments of a list of orders that ours are asked for with."""

    modified_after: datetime
    dates_are_gmt: Literal["true"]
    orderby: Literal["id"]
    order: Literal["asc"]
    per_page: int = Field(ge=1, le=100)
    page: int = Field(ge=1)
    status: Literal["any", "trash"] = "any"


class WooCommerce(LookAlike):
    """One shop."""

    target: ClassVar[Target] = Target.WOOCOMMERCE
    source: ClassVar[str] = "woocommerce"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._key = f"ck_{secrets.token_hex(20)}"
        self._secret = f"cs_{secrets.token_hex(20)}"
        self._notes: dict[str, list[dict[str, JsonValue]]] = {}
        self._last = 280
        self._orders = Shop()
        self._webhook_secret = secrets.token_urlsafe(30)

    def routes(self) -> Sequence[BaseRoute]:
        notes = f"{ROOT}/orders/{{order:int}}/notes"
        return (
            Route(notes, self.endpoint(Operation.SEND, self._write), methods=["POST"]),
            Route(notes, self.endpoint(Operation.LOOKUP, self._read), methods=["GET"]),
            Route(f"{notes}/{{note:int}}", self.endpoint(Operation.SEND, self._delete), methods=["DELETE"]),
            Route(f"{ROOT}/orders", self.endpoint(Operation.LOOKUP, self._list), methods=["GET"]),
            Route(f"{ROOT}/orders/{{order:int}}", self.endpoint(Operation.LOOKUP, self._give), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_WOOCOMMERCE_NOTE_BASE_URL": url,
            "ORDERACK_WOOCOMMERCE_NOTE_CONSUMER_KEY": self._key,
            "ORDERACK_WOOCOMMERCE_NOTE_CONSUMER_SECRET": self._secret,
        }

    def connection(self, url: str) -> Mapping[str, str]:
        keys = {"consumer_key": self._key, "consumer_secret": self._secret}
        return {"base_url": url, **keys, "webhook_secret": self._webhook_secret}

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        body = self._orders.happens(deed, order)
        return [self._webhook(number, topic, order.store, body) for number, topic in enumerate(TOPICS[deed], 142)]

    def _webhook(self, number: int, topic: str, store: str, body: Body) -> Webhook:
        raw = json.dumps(body).encode()
        resource, _, event = topic.partition(".")
        second = int(datetime.now(UTC).timestamp())
        headers = {
            "Content-Type": "application/json",
            "X-WC-Webhook-Source": "https://shop.example/",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-Signature": b64encode(hmac.digest(self._webhook_secret.encode(), raw, "sha256")).decode(),
            "X-WC-Webhook-ID": str(number),
            "X-WC-Webhook-Delivery-ID": hashlib.md5(f"{number}{second}".encode(), usedforsecurity=False).hexdigest(),
        }
        path = f"/intake/{store}/{self.source}"
        return Webhook(f"woocommerce {topic}", lambda: self.state.callback(path), lambda url: headers, raw)

    def refused(self, code: str | None) -> Response:
        return _no(404, code or "woocommerce_rest_shop_order_invalid_id")

    def throttled(self, retry_after: int) -> Response:
        return Response(status_code=429, headers={"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return _no(status, "internal_server_error")

    def too_large(self) -> Response:
        return Response("<html>Request Entity Too Large</html>", status_code=413, media_type="text/html")

    async def _write(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _no(401, "woocommerce_rest_cannot_create")
        order = str(request.path_params["order"])
        if order.startswith(UNKNOWN):
            return _no(404, "woocommerce_rest_shop_order_invalid_id")
        try:
            new = NewNote.model_validate_json(await request.body())
        except ValidationError as error:
            missing = any(item["type"] == "missing" for item in error.errors())
            return _no(400, "rest_missing_callback_param" if missing else "rest_invalid_param")
        note = self._keep(order, new)
        self._record(order, new, f"{order}/{note['id']}", plan)
        return JSONResponse(note, status_code=201)

    def _keep(self, order: str, new: NewNote) -> dict[str, JsonValue]:
        self._last += 1
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        note: dict[str, JsonValue] = {
            "id": self._last,
            "author": "system",
            "date_created": now,
            "date_created_gmt": now,
            "note": new.note,
            "customer_note": new.customer_note,
        }
        self._notes.setdefault(order, []).insert(0, note)
        return note

    def _record(self, order: str, new: NewNote, provider_id: str, plan: Plan) -> None:
        """The note names its send in its last line; the vendor knows no more of a key."""
        key = new.note.strip().splitlines()[-1]
        recipient = f"the buyer of order {order}" if new.customer_note else f"order {order}"
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=provider_id, recipient=recipient, key=key, faults=plan.actions
        )
        self.state.outbox.put(self.target, recipient=recipient, provider_id=provider_id, text=new.note, key=key)

    async def _read(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _no(401, "woocommerce_rest_cannot_view")
        order, kind = str(request.path_params["order"]), request.query_params.get("type", "any")
        if order.startswith(UNKNOWN):
            return _no(404, "woocommerce_rest_shop_order_invalid_id")
        kept = self._notes.get(order, [])
        wanted = [note for note in kept if kind == "any" or note["customer_note"] is (kind == "customer")]
        return JSONResponse(wanted)

    async def _delete(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _no(401, "woocommerce_rest_cannot_delete")
        if request.query_params.get("force") != "true":
            return _no(501, "woocommerce_rest_trash_not_supported")
        kept = self._notes.get(str(request.path_params["order"]), [])
        gone = [note for note in kept if note["id"] == request.path_params["note"]]
        for note in gone:
            kept.remove(note)
        return JSONResponse(gone[0]) if gone else _no(404, "woocommerce_rest_invalid_id")

    async def _list(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _no(401, "woocommerce_rest_cannot_view")
        asked = request.query_params
        if asked.get("_fields") == "id":
            return JSONResponse([{"id": 727}])
        try:
            search = Search.model_validate(dict(asked))
        except ValidationError:
            return _no(400, "rest_invalid_param")
        found = self._orders.modified_after(search.modified_after.replace(tzinfo=UTC), search.status == "trash")
        begin = (search.page - 1) * search.per_page
        return JSONResponse(list(found[begin : begin + search.per_page]))

    async def _give(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _no(401, "woocommerce_rest_cannot_view")
        body = self._orders.find(request.path_params["order"])
        return JSONResponse(body) if body else _no(404, "woocommerce_rest_shop_order_invalid_id")

    def _signed_in(self, request: Request) -> bool:
        expected = "Basic " + b64encode(f"{self._key}:{self._secret}".encode()).decode()
        return compare_digest(request.headers.get("authorization", "").encode(), expected.encode())


def _no(status: int, code: str) -> Response:
    return JSONResponse({"code": code, "message": "No.", "data": {"status": status}}, status_code=status)


LOOK_ALIKE = WooCommerce
