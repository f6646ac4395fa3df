"""Salesforce opportunities as SOQL brings them, notes on them, and the call of the Apex class that we supply."""

import base64
import json
import re
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Address, Order
from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Handler, LookAlike, ShopDeed
from orderack.embedded.sandbox.vendors._deals import Deal, Deals, Note, Row
from orderack.embedded.sandbox.vendors._salesforce_soql import Malformed, Query, parsed

SOURCE = "salesforce_deal"
NUMBER, TERMS, PURCHASE_ORDER, WINDOW = "OrderNumber__c", "Payment_Terms__c", "PO_Number__c", "Delivery_Window__c"
GIFT = "Gift_Message__c"
"""The fields that the account's admin has made on Opportunity."""
WON, LOST = "Closed Won", "Closed Lost"
_ID = re.compile(r"Id = '(\w{15}(?:\w{3})?)'")
_SINCE = re.compile(r"LastModifiedDate >= (\S+Z)")
_TITLED = re.compile(r"ParentId = '(\w{18})' AND Title = '([^']*)'")
_PARTS = ("Street", "City", "State", "PostalCode", "Country")


class _NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    ParentId: str = Field(pattern=r"^\w{18}$")
    Title: str = Field(min_length=1, max_length=80)
    Body: str = Field(max_length=32_000)
    IsPrivate: bool = False


def _id(prefix: str) -> str:
    return prefix + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(18 - len(prefix)))


class SalesforceDeals:
    """The opportunities of an account with several currencies."""

    def __init__(self, vendor: LookAlike) -> None:
        self._vendor = vendor
        self._secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        self._deals = Deals(vendor.state, Target.SALESFORCE, lambda: _id("006"))

    def routes(self, data: str, let_in: Callable[[Handler], Handler]) -> Sequence[BaseRoute]:
        """Below the API's version; `let_in` turns strangers away."""
        look_up = self._vendor.endpoint(Operation.LOOKUP, let_in(self._query))
        write = self._vendor.endpoint(Operation.SEND, let_in(self._write))
        return (
            Route(f"{data}/query", look_up, methods=["GET"]),
            Route(f"{data}/sobjects/Note", write, methods=["POST"]),
        )

    def connection(self) -> Mapping[str, str]:
        return {
            "webhook_secret": self._secret,
            "number_field": NUMBER,
            "terms_field": TERMS,
            "purchase_order_field": PURCHASE_ORDER,
        }

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        """The account's Flow runs when the stage or the amount has changed; nobody pays an opportunity."""
        deal = self._deals.happen(deed, order)
        if deed is ShopDeed.PAY:
            return ()
        body, message = json.dumps({"id": deal.id}, separators=(",", ":")).encode(), f"msg_{secrets.token_hex(16)}"

        def signed(url: str) -> Mapping[str, str]:
            at = int(datetime.now(UTC).timestamp())
            return {
                "Content-Type": "application/json",
                **signatures.standard_webhooks(self._secret, message, at, body),
            }

        path, state = f"/intake/{order.store}/{SOURCE}", self._vendor.state
        return [Webhook(f"opportunity {deal.id} {deed}", lambda: state.callback(path), signed, body)]

    async def _query(self, request: Request, plan: Plan) -> Response:
        try:
            query = parsed(request.query_params.get("q", ""))
            records = [query.of(record) for record in self._where(query)]
        except Malformed as error:
            return _error(error.code, str(error))
        return JSONResponse({"totalSize": len(records), "done": True, "records": records})

    def _where(self, query: Query) -> Sequence[Mapping[str, JsonValue]]:
        rows: list[Mapping[str, JsonValue]]
        if (found := _ID.fullmatch(query.where)) and query.kind == "Opportunity":
            deals = self._deals.since(datetime.min.replace(tzinfo=UTC))
            rows = [_opportunity(deal) for deal in deals if deal.id.startswith(found.group(1))]
        elif (found := _SINCE.fullmatch(query.where)) and query.kind == "Opportunity":
            rows = [_opportunity(deal) for deal in self._deals.since(datetime.fromisoformat(found.group(1)))]
        elif (found := _TITLED.fullmatch(query.where)) and query.kind == "Note":
            deal = self._deals.get(found.group(1))
            notes = deal.notes if deal else []
            rows = [{"Id": note.id, "Title": note.title} for note in notes if note.title == found.group(2)]
        else:
            raise Malformed("MALFORMED_QUERY", "unexpected token in WHERE")
        return rows[query.offset : query.offset + query.limit]

    async def _write(self, request: Request, plan: Plan) -> Response:
        try:
            new = _NewNote.model_validate_json(await request.body())
        except ValidationError as error:
            where, kind = error.errors()[0]["loc"][0], error.errors()[0]["type"]
            code = "INVALID_FIELD" if kind == "extra_forbidden" else "STRING_TOO_LONG"
            return _error(code, f"{where}: data value is wrong")
        deal = self._deals.get(new.ParentId)
        if deal is None:
            return _error("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        note = Note(_id("002"), new.Title, new.Body)
        self._deals.note(deal, note, plan)
        return JSONResponse({"id": note.id, "success": True, "errors": []}, status_code=201)


def _error(code: str, message: str) -> Response:
    return JSONResponse([{"message": message, "errorCode": code}], status_code=400)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def _opportunity(deal: Deal) -> Mapping[str, JsonValue]:
    """All that can be asked of one. Salesforce keeps no taxes: they are a line."""
    order = deal.order
    lines = deal.rows(lambda n: f"00k{deal.id[3:12]}{n:06d}", taxes=True)
    contact: JsonValue = {
        "Name": (order.delivery_address.name if order.delivery_address else None) or order.customer.name,
        "Email": order.contacts.email,
        "Phone": order.contacts.phone,
        "MobilePhone": None,
    }
    return {
        "Id": deal.id,
        "Name": f"Order {order.number}",
        "Amount": float(order.totals.total),
        "StageName": WON if deal.won else LOST,
        "IsWon": deal.won,
        "Description": order.instructions,
        "CurrencyIsoCode": order.currency,
        "LastModifiedDate": _stamp(deal.modified),
        "LastStageChangeDate": _stamp(order.trigger_at if deal.won else deal.modified),
        NUMBER: order.number,
        TERMS: order.payment.terms,
        PURCHASE_ORDER: order.purchase_order,
        WINDOW: deal.window(),
        GIFT: None,
        "Account": {
            "Id": f"001{deal.id[3:]}",
            "Name": order.customer.name,
            "AccountNumber": order.customer.id,
            "Phone": None,
            **_address("Shipping", order.delivery_address),
            **_address("Billing", order.billing_address),
        },
        "OpportunityLineItems": [_line(row, n) for n, row in enumerate(lines)],
        "OpportunityContactRoles": [
            {
                "ContactId": f"003{deal.id[3:]}",
                "IsPrimary": True,
                "Contact": contact,
                "CreatedDate": _stamp(deal.placed),
            }
        ],
    }


def _address(kind: str, where: Address | None) -> Mapping[str, JsonValue]:
    said: Sequence[str | None] = (None,) * len(_PARTS)
    if where is not None:
        street = "\r\n".join(filter(None, (where.street, where.street2)))
        said = (street, where.city, where.region, where.postal_code, where.country)
    return {f"{kind}{part}": value for part, value in zip(_PARTS, said, strict=True)}


def _line(row: Row, place: int) -> JsonValue:
    """`Discount` is a percentage, and is in `TotalPrice`."""
    return {
        "Id": row.id,
        "Quantity": float(row.quantity),
        "UnitPrice": float(row.price),
        "TotalPrice": float(row.amount),
        "Description": row.note,
        "ProductCode": row.sku,
        "Product2Id": f"01t{row.id[3:]}",
        "Product2": {"Name": row.name},
        "SortOrder": place,
    }
