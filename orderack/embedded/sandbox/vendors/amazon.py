"""Amazon's Orders API 2026-01-01 for one seller: orders of invented buyers, and ORDER_CHANGE by an SNS topic.

An order keeps the number that it has with us. What an Amazon order has no place for (a customer's id, dietary needs)
is not in it.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar
from uuid import uuid4

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Address, Line, Order, PaymentStatus
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._sns import Topic
from orderack.embedded.sandbox.vendors._sp_api import SellingPartnerApi, Tree, moment, money, problem, written

ORDERS = "/orders/2026-01-01/orders"
MARKETPLACE = "A1PA6795UKMFR9"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:order-change"
STATUSES = frozenset(
    {"PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE"}
)
DATASETS: Mapping[str, tuple[str, ...]] = {
    "BUYER": ("buyer",),
    "RECIPIENT": ("recipient",),
    "PROCEEDS": ("proceeds",),
    "FULFILLMENT": (),
    "PAYMENT": ("payment",),
    "TAX": ("tax",),
    "EXPENSE": (),
    "PROMOTION": (),
    "CANCELLATION": (),
    "PACKAGES": (),
    "FULFILLMENT_ORDERS": (),
}
"""What is left out of an order unless it is asked for."""
KNOWN = frozenset(
    {
        *("createdAfter", "createdBefore", "lastUpdatedAfter", "lastUpdatedBefore", "fulfillmentStatuses"),
        *("marketplaceIds", "fulfilledBy", "maxResultsPerPage", "paginationToken", "includedData"),
    }
)


class Amazon(SellingPartnerApi):
    """One seller, who ships himself."""

    target: ClassVar[Target] = Target.AMAZON
    source: ClassVar[str] = "amazon"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._topic = Topic(state, TOPIC, "/intake/shop/amazon")
        self._url = ""
        self._orders: dict[str, Tree] = {}

    def routes(self) -> Sequence[BaseRoute]:
        return (
            *super().routes(),
            Route(ORDERS, self.endpoint(Operation.LOOKUP, self._search), methods=["GET"]),
            Route(f"{ORDERS}/{{number:path}}", self.endpoint(Operation.LOOKUP, self._get), methods=["GET"]),
            *self._topic.routes(),
        )

    def connection(self, url: str) -> Mapping[str, str]:
        self._url = url
        own = {"marketplace_ids": MARKETPLACE, "sns_topic_arn": TOPIC, "sns_base_url": url}
        return {**super().connection(url), **own}

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        known = self._orders.get(order.number)
        if known is None and deed is not ShopDeed.PLACE:
            raise KeyError(order.number)
        paid = deed is ShopDeed.PAY or order.payment.status is not PaymentStatus.PENDING
        status = "CANCELLED" if deed is ShopDeed.CANCEL else "UNSHIPPED" if paid else "PENDING"
        self._orders[order.number] = theirs(order, status)
        self._topic.path = f"/intake/{order.store}/amazon"
        if not self._url:
            return ()  # nobody is connected: there is no topic to post from
        self._topic.subscribe(self._url)
        change = json.dumps(_change(order, status))
        return (self._topic.published(f"amazon ORDER_CHANGE {order.number}", self._url, change),)

    async def _get(self, request: Request, plan: Plan) -> Response:
        if (stranger := self.stranger(request)) is not None:
            return stranger
        found = self._orders.get(request.path_params["number"])
        if found is None:
            return problem(404, "NotFound", "The requested resource is not found")
        wanted = _wanted(request)
        return JSONResponse({"order": _shown(found, wanted)}) if wanted is not None else _invalid("includedData")

    async def _search(self, request: Request, plan: Plan) -> Response:
        if (stranger := self.stranger(request)) is not None:
            return stranger
        query = dict(request.query_params)
        if (wrong := _wrong(query)) is not None:
            return _invalid(wrong)
        wanted = _wanted(request)
        if wanted is None:
            return _invalid("includedData")
        since = moment(query.get("lastUpdatedAfter") or query.get("createdAfter")) or datetime.max.replace(tzinfo=UTC)
        by = "lastUpdatedTime" if "lastUpdatedAfter" in query else "createdTime"
        found = [one for one in self._orders.values() if _matches(one, query) and str(one[by]) >= written(since)]
        size = int(query.get("maxResultsPerPage", "100"))
        first = int(urlsafe_b64decode(query["paginationToken"])) if "paginationToken" in query else 0
        page: list[JsonValue] = [_shown(one, wanted) for one in found[first : first + size]]
        more = urlsafe_b64encode(str(first + size).encode()).decode() if len(found) > first + size else None
        pagination: Tree = {"nextToken": more} if more else {}
        return JSONResponse(
            {"orders": page, "pagination": pagination, "lastUpdatedBefore": written(datetime.now(UTC))},
            headers={"x-amzn-RateLimit-Limit": "0.0056"},
        )


def _invalid(name: str) -> Response:
    return problem(400, "InvalidInput", f"Invalid value for {name}")


def _wrong(query: Mapping[str, str]) -> str | None:
    """The first parameter that Amazon would not take."""
    if unknown := query.keys() - KNOWN:
        return min(unknown)
    if ("createdAfter" in query) == ("lastUpdatedAfter" in query):
        return "createdAfter"
    for name in ("createdAfter", "lastUpdatedAfter"):
        if name in query and moment(query[name]) is None:
            return name
    if (
        not query.get("maxResultsPerPage", "100").isdigit()
        or not 1 <= int(query.get("maxResultsPerPage", "100")) <= 100
    ):
        return "maxResultsPerPage"
    if not set(query.get("fulfillmentStatuses", "PENDING").split(",")) <= STATUSES:
        return "fulfillmentStatuses"
    if not set(query.get("fulfilledBy", "MERCHANT").split(",")) <= {"MERCHANT", "AMAZON"}:
        return "fulfilledBy"
    return _wrong_token(query.get("paginationToken"))


def _wrong_token(token: str | None) -> str | None:
    try:
        if token is not None:
            int(urlsafe_b64decode(token))
    except ValueError:
        return "paginationToken"
    return None


def _wanted(request: Request) -> frozenset[str] | None:
    """The datasets that are asked for; None: one of them is none."""
    asked = frozenset(filter(None, request.query_params.get("includedData", "").split(",")))
    return asked if asked <= DATASETS.keys() else None


def _shown(order: Tree, wanted: frozenset[str]) -> Tree:
    hidden = {field for name, fields in DATASETS.items() if name not in wanted for field in fields}
    shown = {name: value for name, value in order.items() if name not in hidden}
    if "PROCEEDS" not in wanted and isinstance(items := shown["orderItems"], list):
        shown["orderItems"] = [
            {k: v for k, v in one.items() if k != "proceeds"} for one in items if isinstance(one, dict)
        ]
    return shown


def _matches(order: Tree, query: Mapping[str, str]) -> bool:
    fulfilment = order["fulfillment"]
    assert isinstance(fulfilment, dict)
    statuses, by = query.get("fulfillmentStatuses"), query.get("fulfilledBy")
    marketplaces = query.get("marketplaceIds")
    return (
        (statuses is None or str(fulfilment["fulfillmentStatus"]) in statuses.split(","))
        and (by is None or str(fulfilment["fulfilledBy"]) in by.split(","))
        and (marketplaces is None or MARKETPLACE in marketplaces.split(","))
    )


def _change(order: Order, status: str) -> Tree:
    """ORDER_CHANGE 1.0 as EventBridge passes it on. It names neither prices nor the address."""
    now = written(datetime.now(UTC))
    summary: Tree = {"MarketplaceId": MARKETPLACE, "OrderStatus": status.title(), "FulfillmentType": "MFN"}
    change: Tree = {
        "NotificationLevel": "OrderLevel",
        "SellerId": "A0SANDBOX",
        "AmazonOrderId": order.number,
        "OrderChangeType": "OrderStatusChange",
        "OrderChangeTrigger": {"TimeOfOrderChange": now, "ChangeReason": None},
        "Summary": summary,
    }
    detail: Tree = {
        "NotificationVersion": "1.0",
        "NotificationType": "ORDER_CHANGE",
        "PayloadVersion": "1.0",
        "EventTime": now,
        "Payload": {"OrderChangeNotification": change},
        "NotificationMetadata": {"NotificationId": str(uuid4()), "PublishTime": now},
    }
    return {"version": "0", "detail-type": "ORDER_CHANGE", "source": "aws.partner/sellingpartnerapi", "detail": detail}


def theirs(order: Order, status: str) -> Tree:
    """The order as Amazon would have it. Of an order that is not paid for it shows no money."""
    totals, pending = order.totals, status == "PENDING"
    kinds = {
        "ITEM": sum((line.amount for line in order.lines), Decimal(0)),
        "SHIPPING": totals.shipping,
        "DISCOUNT": totals.discount,
        "TAX": totals.tax,
        "OTHER": totals.fees - totals.credit,
    }
    breakdowns: list[JsonValue] = [
        {"type": kind, "subtotal": money(value, order.currency)} for kind, value in kinds.items() if value
    ]
    proceeds: Tree = {"grandTotal": money(totals.total, order.currency), "breakdowns": breakdowns}
    buyer: Tree = {"buyerName": order.customer.name, "buyerEmail": order.contacts.email}
    if order.purchase_order:
        buyer["buyerPurchaseOrderNumber"] = order.purchase_order
    made: Tree = {
        "orderId": order.number,
        "createdTime": written(order.trigger_at),
        "lastUpdatedTime": written(datetime.now(UTC)),
        "programs": ["IN_STORE_PICK_UP"] if order.pickup else [],
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": MARKETPLACE, "marketplaceName": "Amazon.de"},
        "buyer": buyer,
        "recipient": _recipient(order),
        "payment": {"paymentExecutions": [{"paymentMethod": order.payment.method}] if order.payment.method else []},
        "fulfillment": _fulfilment(order, status),
        "orderItems": [_item(line, order.currency, pending) for line in order.lines],
    }
    return made if pending else {**made, "proceeds": proceeds}


def _fulfilment(order: Order, status: str) -> Tree:
    made: Tree = {"fulfillmentStatus": status, "fulfilledBy": "MERCHANT", "fulfillmentServiceLevel": "STANDARD"}
    if window := order.delivery_window:
        made["deliverByWindow"] = {"earliestDateTime": written(window.start), "latestDateTime": written(window.end)}
    return made


def _recipient(order: Order) -> Tree:
    made: Tree = {}
    place = order.delivery_address
    if order.pickup:
        place = Address(name=order.pickup.location, street="", city="", country="DE")
    if place:
        made["deliveryAddress"] = {
            "name": place.name,
            "companyName": place.company,
            "addressLine1": place.street,
            "addressLine2": place.street2 or "",
            "addressLine3": "",
            "city": place.city,
            "stateOrRegion": place.region,
            "postalCode": place.postal_code,
            "countryCode": place.country,
            "phone": order.contacts.phone,
        }
    if order.instructions:
        made["deliveryPreference"] = {"addressInstruction": order.instructions}
    return made


def _item(line: Line, currency: str, pending: bool) -> Tree:
    product: Tree = {"asin": "B0SANDBOX1", "title": line.description, "sellerSku": line.sku}
    made: Tree = {"orderItemId": line.line_id, "quantityOrdered": int(line.quantity), "product": product}
    if pending:
        return made
    breakdowns: list[JsonValue] = [{"type": "ITEM", "subtotal": money(line.amount, currency)}]
    if line.discount:
        breakdowns.append({"type": "DISCOUNT", "subtotal": money(line.discount, currency)})
    product["price"] = {"unitPrice": money(line.unit_price, currency)}
    made["proceeds"] = {"proceedsTotal": money(line.amount - line.discount, currency), "breakdowns": breakdowns}
    if line.instructions:
        made["fulfillment"] = {"packing": {"giftOption": {"giftMessage": line.instructions}}}
    return made


LOOK_ALIKE = Amazon
