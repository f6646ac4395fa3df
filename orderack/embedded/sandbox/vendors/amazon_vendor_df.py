"""Amazon's vendor direct fulfilment (2021-12-28): purchase orders, and acknowledgements that are judged a while later.

An acknowledgement is taken with a transaction's id at once; whether it stands is known after a delay. As Amazon does,
it refuses one that does not name all items with all that was ordered, and one of an order that was answered before.
"""

import time
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Address, Line, Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._sp_api import SellingPartnerApi, Tree, moment, money, problem, written

ORDERS = "/vendor/directFulfillment/orders/2021-12-28"
TRANSACTIONS = "/vendor/directFulfillment/transactions/2021-12-28/transactions"
STATUSES = frozenset({"NEW", "SHIPPED", "ACCEPTED", "CANCELLED"})
LONGEST = timedelta(days=7)
SELLING, SHIP_FROM, BILL_TO = "SANDB", "WH01", "AMAZON-DE"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Status(Strict):
    code: str = Field(pattern=r"^\d{2}$")
    description: str = ""


class Party(Strict):
    partyId: str = Field(min_length=1)


class Quantity(Strict):
    amount: int = Field(gt=0)
    unitOfMeasure: str = Field(pattern="^Each$")


class Item(Strict):
    itemSequenceNumber: str
    buyerProductIdentifier: str | None = None
    vendorProductIdentifier: str | None = None
    acknowledgedQuantity: Quantity


class Acknowledged(Strict):
    purchaseOrderNumber: str
    vendorOrderNumber: str = Field(min_length=1)
    acknowledgementDate: AwareDatetime
    acknowledgementStatus: Status
    sellingParty: Party
    shipFromParty: Party
    itemAcknowledgements: list[Item]


class Submitted(Strict):
    orderAcknowledgements: list[Acknowledged] = Field(min_length=1)


@dataclass
class Transaction:
    """What became of one submission, once its time has come."""

    judged_at: float
    errors: list[JsonValue]


class AmazonVendorDf(SellingPartnerApi):
    """One vendor."""

    target: ClassVar[Target] = Target.AMAZON_VENDOR_DF
    source: ClassVar[str] = "amazon_vendor_df"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._orders: dict[str, Tree] = {}
        self._transactions: dict[str, Transaction] = {}

    def routes(self) -> Sequence[BaseRoute]:
        lookup = Operation.LOOKUP
        return (
            *super().routes(),
            Route(f"{ORDERS}/purchaseOrders", self.endpoint(lookup, self._list), methods=["GET"]),
            Route(f"{ORDERS}/purchaseOrders/{{number:path}}", self.endpoint(lookup, self._get), methods=["GET"]),
            Route(f"{ORDERS}/acknowledgements", self.endpoint(Operation.SEND, self._acknowledge), methods=["POST"]),
            Route(f"{TRANSACTIONS}/{{name}}", self.endpoint(lookup, self._transaction), methods=["GET"]),
        )

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        """Amazon posts nothing of it. A purchase order is never paid for there, and never changed."""
        known = self._orders.get(order.number)
        if known is None and deed is not ShopDeed.PLACE:
            raise KeyError(order.number)
        if known is None:
            self._orders[order.number] = theirs(order)
        elif deed is ShopDeed.CANCEL:
            _details(known)["orderStatus"] = "CANCELLED"
        return ()

    async def _list(self, request: Request, plan: Plan) -> Response:
        if (stranger := self.stranger(request)) is not None:
            return stranger
        query = dict(request.query_params)
        after, before = moment(query.get("createdAfter")), moment(query.get("createdBefore"))
        if after is None or before is None or before - after > LONGEST:
            return problem(400, "InvalidInput", "createdAfter and createdBefore are required, seven days apart at most")
        if query.get("status", "NEW") not in STATUSES or not query.get("limit", "10").isdigit():
            return problem(400, "InvalidInput", "Invalid status or limit")
        found = [
            one
            for one in self._orders.values()
            if query.get("status") in (None, _details(one)["orderStatus"])
            and written(after) <= str(_details(one)["orderDate"]) <= written(before)
        ]
        first = int(b64decode(query["nextToken"])) if "nextToken" in query else 0
        size = min(int(query.get("limit", "10")), 100)
        page: list[JsonValue] = [*found[first : first + size]]
        token = b64encode(str(first + size).encode()).decode()
        pagination: Tree = {"nextToken": token} if len(found) > first + size else {}
        return JSONResponse({"orders": page, "pagination": pagination}, headers={"x-amzn-RateLimit-Limit": "10"})

    async def _get(self, request: Request, plan: Plan) -> Response:
        if (stranger := self.stranger(request)) is not None:
            return stranger
        found = self._orders.get(request.path_params["number"])
        return JSONResponse(found) if found is not None else problem(404, "NotFound", "No such purchase order")

    async def _acknowledge(self, request: Request, plan: Plan) -> Response:
        if (stranger := self.stranger(request)) is not None:
            return stranger
        try:
            submitted = Submitted.model_validate_json(await request.body())
        except ValidationError as error:
            return problem(400, "InvalidInput", f"{error.error_count()} fields are not as they have to be")
        name = f"{datetime.now(UTC):%Y%m%d%H%M%S}-{uuid4()}"
        found = [self._wrong(one) for one in submitted.orderAcknowledgements]
        errors: list[JsonValue] = [one for one in found if one is not None]
        for one in submitted.orderAcknowledgements:
            self.state.log.accept(
                self.target,
                Operation.SEND,
                provider_id=name,
                recipient=one.acknowledgementStatus.code,
                key=one.purchaseOrderNumber,
                repeated=bool(errors),
                faults=plan.actions,
            )
            if not errors:
                accepted = one.acknowledgementStatus.code == "00"
                _details(self._orders[one.purchaseOrderNumber])["orderStatus"] = "ACCEPTED" if accepted else "CANCELLED"
        judged_at = time.monotonic() + self.state.behaviour.books_after
        self._transactions[name] = Transaction(judged_at, errors)
        return JSONResponse({"transactionId": name}, 202)

    def _wrong(self, one: Acknowledged) -> Tree | None:
        known = self._orders.get(one.purchaseOrderNumber)
        if known is None:
            return {"code": "PO_NOT_FOUND", "message": "There is no such purchase order"}
        details = _details(known)
        if details["orderStatus"] != "NEW":
            return {"code": "PO_ALREADY_ACKNOWLEDGED", "message": f"The order is {details['orderStatus']}"}
        items = details["items"]
        assert isinstance(items, list)
        asked = {str(item["itemSequenceNumber"]): item["orderedQuantity"] for item in items if isinstance(item, dict)}
        said = {item.itemSequenceNumber: item.acknowledgedQuantity.model_dump() for item in one.itemAcknowledgements}
        if asked != said or (one.sellingParty.partyId, one.shipFromParty.partyId) != (SELLING, SHIP_FROM):
            return {"code": "INCOMPLETE", "message": "All items with all quantities and both parties are needed"}
        return None

    async def _transaction(self, request: Request, plan: Plan) -> Response:
        if (stranger := self.stranger(request)) is not None:
            return stranger
        name = request.path_params["name"]
        found = self._transactions.get(name)
        if found is None:
            return problem(404, "NotFound", "No such transaction")
        if time.monotonic() < found.judged_at:
            return JSONResponse({"transactionStatus": {"transactionId": name, "status": "Processing"}})
        told: Tree = {"transactionId": name, "status": "Failure" if found.errors else "Success"}
        if found.errors:
            told["errors"] = {"errors": found.errors}
        return JSONResponse({"transactionStatus": told})


def _details(order: Tree) -> Tree:
    found = order["orderDetails"]
    assert isinstance(found, dict)
    return found


def theirs(order: Order) -> Tree:
    """The order as Amazon would send it to a vendor: no discounts, no shipping; net prices and the tax on them."""
    dates: Tree = {"requiredShipDate": written(order.trigger_at + timedelta(days=1))}
    if order.delivery_window:
        dates["promisedDeliveryDate"] = written(order.delivery_window.end)
    shipment: Tree = {
        "isPriorityShipment": False,
        "isPslipRequired": True,
        "shipMethod": "UPS_2ND",
        "shipmentDates": dates,
        "messageToCustomer": "Thank you for shopping at Amazon",
    }
    tax: Tree = {"taxAmount": money(order.totals.tax, order.currency), "type": "TOTAL"}
    details: Tree = {
        "customerOrderNumber": f"C-{order.number}",
        "orderDate": written(order.trigger_at),
        "orderStatus": "NEW",
        "shipmentDetails": shipment,
        "taxTotal": {"taxLineItem": [tax]},
        "sellingParty": {"partyId": SELLING},
        "shipFromParty": {"partyId": SHIP_FROM},
        "shipToParty": _ship_to(order.delivery_address),
        "billToParty": {"partyId": BILL_TO},
        "items": [_item(line, order.currency) for line in order.lines],
    }
    return {"purchaseOrderNumber": order.number, "orderDetails": details}


def _ship_to(place: Address | None) -> Tree:
    if place is None:
        return {"name": "xxxxx", "addressLine1": "xxxxx", "stateOrRegion": "", "countryCode": "DE"}
    return {
        "name": place.name or "Customer",
        "addressLine1": place.street,
        "addressLine2": place.street2,
        "city": place.city,
        "stateOrRegion": place.region or "",
        "postalCode": place.postal_code,
        "countryCode": place.country,
    }


def _item(line: Line, currency: str) -> Tree:
    each = line.amount / line.quantity if line.subtotal is None else line.unit_price
    made: Tree = {
        "itemSequenceNumber": line.line_id,
        "buyerProductIdentifier": "B0SANDBOX1",
        "vendorProductIdentifier": line.sku,
        "title": line.description,
        "orderedQuantity": {"amount": int(line.quantity), "unitOfMeasure": "Each"},
        "netPrice": money(Decimal(each), currency),
    }
    if line.instructions:
        made["giftDetails"] = {"giftMessage": line.instructions}
    return made


LOOK_ALIKE = AmazonVendorDf
