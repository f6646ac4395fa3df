"""HubSpot's CRM objects (v3) around a deal, and the batches of events that it signs (v3) and posts."""

import base64
import hashlib
import hmac
import html
import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Endpoint, Handler, LookAlike, ShopDeed, bearer
from orderack.embedded.sandbox.vendors._deals import Deal, Deals, Note
from orderack.embedded.sandbox.vendors._hubspot_objects import KINDS, NUMBER, PURCHASE_ORDER, TERMS, properties_of

SOURCE = "hubspot_deal"
PORTAL = 143000001
INLINE = 100
"""So many associations stand in a deal itself; the rest has to be asked for."""
NOTE_TO_DEAL = 214


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Filter(_Strict):
    propertyName: str
    operator: str
    value: str


class _Filters(_Strict):
    filters: list[_Filter] = Field(max_length=6)


class _Search(_Strict):
    filterGroups: list[_Filters] = Field(min_length=1, max_length=5)
    sorts: list[str] = []
    properties: list[str] = []
    limit: int = Field(default=10, ge=1, le=200)
    after: str = "0"


class _Input(_Strict):
    id: str


class _Batch(_Strict):
    inputs: list[_Input] = Field(max_length=100)
    properties: list[str]
    propertiesWithHistory: list[str] = []


class _Type(_Strict):
    associationCategory: str = Field(pattern="^HUBSPOT_DEFINED$")
    associationTypeId: int = Field(ge=NOTE_TO_DEAL, le=NOTE_TO_DEAL)


class _Association(_Strict):
    to: _Input
    types: list[_Type] = Field(min_length=1)


class _NewNote(_Strict):
    properties: dict[str, str]
    associations: list[_Association] = Field(min_length=1)


class HubSpotDeals:
    """The deals of the account whose token and app secret these are."""

    def __init__(self, vendor: LookAlike, token: str) -> None:
        self._vendor = vendor
        self._token = token
        self._client_secret = str(uuid.uuid4())
        self._deals = Deals(vendor.state, Target.HUBSPOT, lambda: str(9_000_000_000 + secrets.randbelow(10**9)))

    def routes(self) -> Sequence[BaseRoute]:
        def look_up(handler: Handler) -> Endpoint:
            return self._vendor.endpoint(Operation.LOOKUP, self._let_in(handler))

        write = self._vendor.endpoint(Operation.SEND, self._let_in(self._write))
        objects = "/crm/v3/objects"
        return (
            Route(f"{objects}/deals", look_up(self._list), methods=["GET"]),
            Route(f"{objects}/deals/search", look_up(self._search), methods=["POST"]),
            Route(f"{objects}/deals/{{deal}}", look_up(self._one), methods=["GET"]),
            Route("/crm/v4/objects/deals/{deal}/associations/{kind}", look_up(self._linked), methods=["GET"]),
            Route(f"{objects}/notes", write, methods=["POST"]),
            Route(f"{objects}/{{kind}}/batch/read", look_up(self._batch), methods=["POST"]),
        )

    def connection(self, url: str) -> Mapping[str, str]:
        return {
            "base_url": url,
            "token": self._token,
            "client_secret": self._client_secret,
            "portal_id": str(PORTAL),
            "number_property": NUMBER,
            "terms_property": TERMS,
            "purchase_order_property": PURCHASE_ORDER,
        }

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        deal = self._deals.happen(deed, order)
        if deed is ShopDeed.PAY:
            return ()
        changed = "amount" if deed is ShopDeed.CHANGE else "dealstage"
        events = [_event(deal, "deal.propertyChange", changed)]
        if deed is ShopDeed.PLACE:
            events.insert(0, _event(deal, "deal.creation"))
        body = json.dumps(events).encode()

        def signed(url: str) -> Mapping[str, str]:
            at = str(int(datetime.now(UTC).timestamp() * 1000))
            text = b"POST" + url.encode() + body + at.encode()
            mac = hmac.new(self._client_secret.encode(), text, hashlib.sha256)
            return {
                "Content-Type": "application/json",
                "X-HubSpot-Request-Timestamp": at,
                "X-HubSpot-Signature-v3": base64.b64encode(mac.digest()).decode(),
            }

        path, state = f"/intake/{order.store}/{SOURCE}", self._vendor.state
        return [Webhook(f"deal {deal.id} {changed}", lambda: state.callback(path), signed, body)]

    def _let_in(self, handler: Handler) -> Handler:
        async def answer(request: Request, plan: Plan) -> Response:
            if not bearer(request, self._token):
                return _error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
            try:
                return await handler(request, plan)
            except ValidationError as error:
                where = ".".join(map(str, error.errors()[0]["loc"]))
                return _error(400, "VALIDATION_ERROR", f"Invalid input JSON: {where}")

        return answer

    async def _list(self, request: Request, plan: Plan) -> Response:
        deals = self._deals.since(datetime.min.replace(tzinfo=UTC))
        limit = min(int(request.query_params.get("limit", "10")), 100)
        return JSONResponse({"results": [_thing(deal.id, properties_of(deal), ()) for deal in deals[:limit]]})

    async def _search(self, request: Request, plan: Plan) -> Response:
        search = _Search.model_validate_json(await request.body())
        (wanted,) = search.filterGroups[0].filters
        if (wanted.propertyName, wanted.operator) != ("hs_lastmodifieddate", "GTE"):
            return _error(400, "VALIDATION_ERROR", "this account is only searched by hs_lastmodifieddate")
        since = datetime.fromtimestamp(int(wanted.value) / 1000, UTC)
        found, start = self._deals.since(since), int(search.after)
        page = found[start : start + search.limit]
        body: dict[str, JsonValue] = {
            "total": len(found),
            "results": [_thing(deal.id, properties_of(deal), search.properties) for deal in page],
        }
        if start + search.limit < len(found):
            body["paging"] = {"next": {"after": str(start + search.limit)}}
        return JSONResponse(body)

    async def _one(self, request: Request, plan: Plan) -> Response:
        deal = self._deals.get(request.path_params["deal"])
        if deal is None:
            return _error(404, "OBJECT_NOT_FOUND", "Object not found. objectId are usually numeric.")
        found = _thing(deal.id, properties_of(deal), request.query_params.get("properties", "").split(","))
        kinds = [kind for kind in request.query_params.get("associations", "").split(",") if kind]
        linked = {kind: self._ids(deal, kind) for kind in kinds}
        found["associations"] = {kind.replace("_", " "): _refs(kind, ids) for kind, ids in linked.items() if ids}
        return JSONResponse(found)

    async def _linked(self, request: Request, plan: Plan) -> Response:
        deal = self._deals.get(request.path_params["deal"])
        if deal is None:
            return _error(404, "OBJECT_NOT_FOUND", "Object not found.")
        start, limit = int(request.query_params.get("after", "0")), int(request.query_params.get("limit", "100"))
        ids = self._ids(deal, request.path_params["kind"])
        rows: list[JsonValue] = [{"toObjectId": int(one), "associationTypes": []} for one in ids[start : start + limit]]
        more: dict[str, JsonValue] = {"paging": {"next": {"after": str(start + limit)}}}
        return JSONResponse({"results": rows} | (more if start + limit < len(ids) else {}))

    def _ids(self, deal: Deal, kind: str) -> Sequence[str]:
        return [str(one["id"]) for one in KINDS[kind](deal)] if kind in KINDS else ()

    async def _batch(self, request: Request, plan: Plan) -> Response:
        batch, kind = _Batch.model_validate_json(await request.body()), request.path_params["kind"]
        if kind not in KINDS:
            return _error(404, "OBJECT_NOT_FOUND", f"Unable to infer object type from: {kind}")
        deals = self._deals.since(datetime.min.replace(tzinfo=UTC))
        things = {str(one["id"]): one for deal in deals for one in KINDS[kind](deal)}
        there = [things[one.id] for one in batch.inputs if one.id in things]
        results = [_thing(str(one["id"]), one, batch.properties) for one in there]
        status = 200 if len(there) == len(batch.inputs) else 207
        return JSONResponse({"status": "COMPLETE", "results": results}, status_code=status)

    async def _write(self, request: Request, plan: Plan) -> Response:
        new = _NewNote.model_validate_json(await request.body())
        text = new.properties.get("hs_note_body", "")
        if not new.properties.get("hs_timestamp", "").isdigit() or len(text) > 65_536:
            return _error(400, "VALIDATION_ERROR", "Property values were not valid: hs_timestamp")
        deal = self._deals.get(new.associations[0].to.id)
        if deal is None:
            return _error(400, "VALIDATION_ERROR", "One or more associations are not valid")
        note = Note(str(70_000_000_000 + secrets.randbelow(10**9)), "Note", html.unescape(text.replace("<br>", "\n")))
        self._deals.note(deal, note, plan)
        return JSONResponse(_thing(note.id, {"hs_note_body": text}, ()), status_code=201)


def _error(status: int, category: str, message: str) -> Response:
    body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category}
    return JSONResponse(body, status_code=status)


def _event(deal: Deal, kind: str, changed: str | None = None) -> JsonValue:
    event: dict[str, JsonValue] = {
        "eventId": secrets.randbelow(10**9),
        "subscriptionId": 1234,
        "portalId": PORTAL,
        "appId": 98765,
        "occurredAt": int(deal.modified.timestamp() * 1000),
        "subscriptionType": kind,
        "attemptNumber": 0,
        "objectId": int(deal.id),
        "changeSource": "CRM_UI",
    }
    return event | ({"propertyName": changed} if changed else {})


def _thing(id: str, properties: Mapping[str, JsonValue], wanted: Sequence[str]) -> dict[str, JsonValue]:
    """An object with the properties that were asked for and are set; HubSpot names unknown ones not at all."""
    shown: dict[str, JsonValue] = {
        name: value for name, value in properties.items() if name != "id" and (not wanted or name in wanted)
    }
    return {"id": id, "properties": shown, "archived": False}


def _refs(kind: str, ids: Sequence[str]) -> JsonValue:
    name = f"deal_to_{kind.rstrip('s')}"
    found: dict[str, JsonValue] = {"results": [{"id": one, "type": name} for one in ids[:INLINE]]}
    return found | ({"paging": {"next": {"after": ids[INLINE]}}} if len(ids) > INLINE else {})
