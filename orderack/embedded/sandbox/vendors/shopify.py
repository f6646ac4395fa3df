"""A Shopify shop: orders are placed in it, its webhooks tell of them, and its Admin API signs an app in, gives orders,
sets metafields, adds tags, and says no inside a 200.

It reads no GraphQL: of a document it looks which of ours it is. Orders whose number begins with 404 are not there; any
other can be written to, whether it was placed here or not. A tag is a change of the order, as it is at Shopify: it
posts `orders/updated`.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from typing import ClassVar
from urllib.parse import parse_qs

from pydantic import BaseModel, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike, ShopDeed
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._shopify_shop import TOPICS, Body, Shop, posted, told

COST = 20
"""Points of two mutations."""
UNKNOWN = "gid://shopify/Order/404"
TAG_MAX = 40
SHOP = "sandbox.myshopify.com"
_SINCE = re.compile(r"updated_at:>='([^']+)'")


class Metafield(BaseModel):
    ownerId: str
    namespace: str = Field(min_length=3, max_length=255)
    key: str = Field(min_length=3, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    type: str
    value: str = Field(min_length=1)


class Variables(BaseModel):
    order: str
    metafields: list[Metafield] = Field(min_length=1, max_length=25)
    tags: list[str]


class Wanted(BaseModel):
    """The variables of a query for one order, a page of its lines at a time."""

    id: str
    lines: int = Field(ge=1, le=250)
    after: str | None = None


class Search(BaseModel):
    since: str
    first: int = Field(ge=1, le=250)
    after: str | None = None


class Asked(BaseModel):
    query: str
    variables: dict[str, JsonValue] = {}


class Text(BaseModel):
    """As much of our record as the mailbox shows."""

    key: str = ""
    subject: str = ""
    text: str = ""
    state: str = ""
    """Where the order stands: it is an answer then, and no message."""


class Shopify(LookAlike):
    """One shop and one app that is installed in it."""

    target: ClassVar[Target] = Target.SHOPIFY
    source: ClassVar[str] = "shopify"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._client = secrets.token_hex(16)
        self._secret = f"shpss_{secrets.token_hex(16)}"
        self._token = f"shpat_{secrets.token_hex(16)}"
        self._metafields: dict[tuple[str, str, str], tuple[str, str]] = {}
        """Owner, namespace and key → the metafield's id and value."""
        self._orders = Shop()

    def routes(self) -> Sequence[BaseRoute]:
        write = self.endpoint(Operation.SEND, self._write)
        read = self.endpoint(Operation.LOOKUP, self._read)

        async def graphql(request: Request) -> Response:
            body = await request.body()
            if b"metafieldsSet" in body:
                return await write(request)
            return await read(request) if b"query Check" not in body else self._shop(request)

        return (
            Route("/admin/oauth/access_token", self._sign_in, methods=["POST"]),
            Route("/admin/api/2026-07/graphql.json", graphql, methods=["POST"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_SHOPIFY_NOTE_BASE_URL": url,
            "ORDERACK_SHOPIFY_NOTE_CLIENT_ID": self._client,
            "ORDERACK_SHOPIFY_NOTE_CLIENT_SECRET": self._secret,
        }

    def connection(self, url: str) -> Mapping[str, str]:
        return {"base_url": url, "client_id": self._client, "client_secret": self._secret}

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        body = self._orders.happens(deed, order)
        topics = TOPICS[deed]
        if deed is ShopDeed.PLACE and body["financial_status"] == "paid":
            topics = (*topics, "orders/paid")
        event = secrets.token_hex(16)
        return [self._webhook(topic, event, order.store, posted(topic, body)) for topic in topics]

    def _webhook(self, topic: str, event: str, store: str, body: Body) -> Webhook:
        raw = json.dumps(body, ensure_ascii=False).encode()
        signature = base64.b64encode(hmac.digest(self._secret.encode(), raw, hashlib.sha256)).decode()
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": SHOP,
            "X-Shopify-API-Version": "2026-07",
            "X-Shopify-Webhook-Id": secrets.token_hex(16),
            "X-Shopify-Event-Id": event,
            "X-Shopify-Triggered-At": datetime.now(UTC).isoformat(),
            "X-Shopify-Hmac-Sha256": signature,
        }
        path = f"/intake/{store}/{self.source}"
        return Webhook(f"shopify {topic}", lambda: self.state.callback(path), lambda url: headers, raw)

    def refused(self, code: str | None) -> Response:
        return _user_error(code or "INVALID", "ownerId")

    def throttled(self, retry_after: int) -> Response:
        status: JsonValue = {"maximumAvailable": 2000.0, "currentlyAvailable": 0, "restoreRate": 100.0}
        cost: JsonValue = {"requestedQueryCost": retry_after * 100, "actualQueryCost": None, "throttleStatus": status}
        error: JsonValue = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        return JSONResponse({"errors": [error], "extensions": {"cost": cost}})

    def failed(self, status: int) -> Response:
        return JSONResponse({"errors": "Internal Server Error"}, status_code=status)

    def too_large(self) -> Response:
        return Response(status_code=413)

    async def _sign_in(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        right = compare_digest(form.get("client_secret", "").encode(), self._secret.encode())
        if form.get("grant_type") != "client_credentials" or form.get("client_id") != self._client or not right:
            return JSONResponse({"error": "invalid_client"}, status_code=400)
        return JSONResponse({"access_token": self._token, "scope": "write_orders", "expires_in": 86_399})

    def _shop(self, request: Request) -> Response:
        return JSONResponse({"data": {"shop": {"name": "Sandbox"}}}) if self._signed_in(request) else _stranger()

    async def _read(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _stranger()
        try:
            asked = Asked.model_validate_json(await request.body())
            data = self._found(asked) if "order(id:" in asked.query else self._changed(asked)
        except ValidationError:
            return _invalid()
        return JSONResponse({"data": data})

    def _found(self, asked: Asked) -> Body:
        wanted = Wanted.model_validate(asked.variables)
        body = self._orders.find(wanted.id.rsplit("/", 1)[-1])
        return {"order": told(body, wanted.lines, wanted.after) if body else None}

    def _changed(self, asked: Asked) -> Body:
        search = Search.model_validate(asked.variables)
        since = _SINCE.fullmatch(search.since)
        found = self._orders.changed_since(since[1]) if since else ()
        begin = int(search.after or 0)
        end = begin + search.first
        nodes: list[JsonValue] = [{"id": str(one["id"]), "updated_at": one["updated_at"]} for one in found[begin:end]]
        more = end < len(found)
        page: Body = {"hasNextPage": more, "endCursor": str(end) if more else None}
        return {"orders": {"nodes": nodes, "pageInfo": page}}

    async def _write(self, request: Request, plan: Plan) -> Response:
        if not self._signed_in(request):
            return _stranger()
        try:
            asked = Variables.model_validate(Asked.model_validate_json(await request.body()).variables)
            value = Text.model_validate_json(asked.metafields[0].value)
        except ValidationError:
            return _invalid()
        if any(one.ownerId.startswith(UNKNOWN) for one in asked.metafields):
            return _user_error("INVALID", "ownerId")
        ids: list[JsonValue] = [{"id": self._set(one, value, plan)} for one in asked.metafields]
        long = any(len(tag) > TAG_MAX for tag in asked.tags)
        tagged: list[JsonValue] = [{"field": ["tags"]}] if long else []
        self._tag(asked.order.rsplit("/", 1)[-1], asked.tags, plan)
        return JSONResponse(
            {"data": {"metafieldsSet": {"metafields": ids, "userErrors": []}, "tagsAdd": {"userErrors": tagged}}}
        )

    def _tag(self, number: str, tags: Sequence[str], plan: Plan) -> None:
        body = self._orders.find(number)
        known = str(body["tags"]).split(", ") if body and body["tags"] else []
        if body is None or set(tags) <= set(known):
            return
        body["tags"] = ", ".join([*known, *tags])
        body["updated_at"] = datetime.now(UTC).replace(microsecond=0).isoformat()
        store = self._orders.store_of(number)
        self.state.announce(self._webhook("orders/updated", secrets.token_hex(16), store, body), plan)

    def _set(self, one: Metafield, text: Text, plan: Plan) -> str:
        """Set it. The same value under the same key again changes nothing."""
        name = (one.ownerId, one.namespace, one.key)
        known = self._metafields.get(name)
        repeated = known is not None and known[1] == one.value
        provider_id = known[0] if known else f"gid://shopify/Metafield/{1_069_229_000 + len(self._metafields)}"
        self._metafields[name] = (provider_id, one.value)
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=provider_id,
            recipient=one.ownerId,
            key=text.key or one.key,
            idempotency_key="/".join(name),
            repeated=repeated,
            faults=plan.actions,
        )
        if not repeated:
            self.state.outbox.put(
                self.target,
                recipient=one.ownerId,
                provider_id=provider_id,
                subject=text.subject or text.state,
                text=text.text or one.value,
                key=text.key or one.key,
            )
        return provider_id

    def _signed_in(self, request: Request) -> bool:
        return compare_digest(request.headers.get("x-shopify-access-token", "").encode(), self._token.encode())


def _stranger() -> Response:
    words = "[API] Invalid API key or access token (unrecognized login or wrong password)"
    return Response(json.dumps({"errors": words}), status_code=401, media_type="application/json")


def _invalid() -> Response:
    error: JsonValue = {"message": "Variable is invalid", "extensions": {"code": "INVALID_VARIABLE"}}
    return JSONResponse({"errors": [error]})


def _user_error(code: str, field: str) -> Response:
    error: JsonValue = {"field": ["metafields", "0", field], "code": code}
    return JSONResponse({"data": {"metafieldsSet": {"metafields": [], "userErrors": [error]}, "tagsAdd": None}})


LOOK_ALIKE = Shopify
