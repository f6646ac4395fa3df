"""Zoho CRM's deals, the sales orders made of them, and the webhook of a workflow rule with a secret in its header."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Handler, LookAlike, ShopDeed
from orderack.embedded.sandbox.vendors._deals import Deal, Deals, Note
from orderack.embedded.sandbox.vendors._zoho_answers import said, whole
from orderack.embedded.sandbox.vendors._zoho_records import DEAL, NUMBER, PURCHASE_ORDER, RECORDS, TERMS, Record, only

SOURCE = "zoho_deal"
HEADER = "X-Orderack-Secret"
LONGEST_PAGE = 200


class _Note(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    Note_Title: str = Field(max_length=120)
    Note_Content: str = Field(min_length=1, max_length=32_000)


class _Notes(BaseModel):
    model_config = ConfigDict(extra="forbid")

    data: list[_Note] = Field(min_length=1, max_length=1)
    trigger: list[str] | None = None


def new_id() -> str:
    return f"{DEAL}{secrets.randbelow(10**12):012d}"


class ZohoDeals:
    """The deals of one account."""

    def __init__(self, vendor: LookAlike) -> None:
        self._vendor = vendor
        self._secret = secrets.token_urlsafe(24)
        self._deals = Deals(vendor.state, Target.ZOHO, new_id)

    def routes(self, let_in: Callable[[Handler], Handler]) -> Sequence[BaseRoute]:
        """`let_in` turns strangers away."""

        def got(path: str, handler: Handler) -> BaseRoute:
            return Route(path, self._vendor.endpoint(Operation.LOOKUP, let_in(handler)), methods=["GET"])

        deals = "/crm/v8/Deals"
        write = self._vendor.endpoint(Operation.SEND, let_in(self._write))
        return (
            got(deals, self._list),
            *(got(f"/crm/v8/{path}", self._part(begins, rows)) for path, (begins, rows) in RECORDS.items()),
            Route(f"{deals}/{{id}}/Notes", write, methods=["POST"]),
        )

    def connection(self) -> Mapping[str, str]:
        return {
            "webhook_secret": self._secret,
            "number_field": NUMBER,
            "terms_field": TERMS,
            "purchase_order_field": PURCHASE_ORDER,
        }

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        """The workflow rule runs whenever a deal is edited; nobody pays one."""
        deal = self._deals.happen(deed, order)
        if deed is ShopDeed.PAY:
            return ()
        time = deal.modified.strftime("%Y-%m-%d %H:%M:%S.%f")
        body = json.dumps({"module": "Deals", "ids": [deal.id], "time": time}).encode()
        headers = {"Content-Type": "application/json", HEADER: self._secret}
        path, state = f"/intake/{order.store}/{SOURCE}", self._vendor.state
        return [Webhook(f"deal {deal.id} {deed}", lambda: state.callback(path), lambda url: headers, body)]

    async def _list(self, request: Request, plan: Plan) -> Response:
        asked = request.query_params
        since = datetime.fromisoformat(request.headers.get("if-modified-since", "1970-01-01T00:00:00+00:00"))
        if "fields" not in asked or int(asked.get("per_page", "200")) > LONGEST_PAGE:
            return whole("REQUIRED_PARAM_MISSING" if "fields" not in asked else "INVALID_DATA", 400)
        size, page = int(asked.get("per_page", "200")), int(asked.get("page", "1"))
        found = [deal for deal in self._deals.since(since) if deal.modified > since]
        if not found:
            return Response(status_code=304 if "if-modified-since" in request.headers else 204)
        rows = [
            only(RECORDS["Deals/{id}"][1](deal)[0], asked["fields"]) for deal in found[(page - 1) * size : page * size]
        ]
        more = page * size < len(found)
        info: JsonValue = {"per_page": size, "count": len(rows), "page": page, "more_records": more}
        return JSONResponse({"data": rows, "info": info})

    def _part(self, begins: str, rows: Callable[[Deal], Sequence[Record]]) -> Handler:
        async def answer(request: Request, plan: Plan) -> Response:
            named = request.path_params["id"]
            if not (named.isdigit() and 10 <= len(named) <= 25):
                return whole("INVALID_DATA", 400)
            deal = self._deals.get(DEAL + named.removeprefix(begins)) if named.startswith(begins) else None
            found = rows(deal) if deal else ()
            fields = request.query_params.get("fields")
            return JSONResponse({"data": [only(row, fields) for row in found]}) if found else Response(status_code=204)

        return answer

    async def _write(self, request: Request, plan: Plan) -> Response:
        deal = self._deals.get(request.path_params["id"])
        if deal is None:
            return whole("INVALID_DATA", 400)
        try:
            new = _Notes.model_validate_json(await request.body())
        except ValidationError as error:
            return said("INVALID_DATA", {"api_name": str(error.errors()[0]["loc"][-1])}, 202)
        rules = "" if new.trigger == [] else "\n\nWorkflow rules ran on this record."
        note = Note(new_id(), new.data[0].Note_Title, f"{new.data[0].Note_Content}{rules}")
        self._deals.note(deal, note, plan)
        return said("SUCCESS", {"id": note.id}, 201)
