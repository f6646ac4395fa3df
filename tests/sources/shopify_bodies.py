"""Shopify's order and our connection to it, for its tests."""

import base64
import copy
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_client_schema, default_field_resolver, graphql_sync
from pydantic import JsonValue, SecretStr

from orderack.ports import Connection, Delivery, RawRequest, Reading, Snapshot
from orderack.sources import _shopify_graphql as graph
from orderack.sources.shopify import Shopify, ShopifySettings
from tests.conformance.source import NOW, SPECS

PAYLOADS = Path(__file__).parents[1] / "payloads" / "shopify"


BODY = (PAYLOADS / "order_paid.json").read_bytes()


ORDER: dict[str, JsonValue] = json.loads(BODY)


SECRET, OLD, TOKEN = "shpss_fedcba9876543210", "shpss_0000000000000000", "shpat_test_only_00000001"


URL = "https://gateway.example/intake/shop/shopify"


Change = Callable[[dict[str, JsonValue]], object]


def shopify(base_url: str = "https://fjordlight.myshopify.com", **connection: object) -> Shopify:
    settings = ShopifySettings(
        base_url=base_url, client_id="0123456789abcdef", client_secret=SecretStr(SECRET),
        webhook_secrets=SecretStr(f"{OLD}, shpss_notifications"),
    )  # fmt: skip
    given = {"store": "shop", "system": "shopify", "source": "shop", "time_zone": "Europe/Berlin", **connection}
    return Shopify(Connection.model_validate(given), settings, clock=lambda: NOW)


def signature(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def posted(body: bytes, topic: str = "orders/create", secret: str = SECRET, **headers: str) -> RawRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    own = {
        "x-shopify-topic": topic,
        "x-shopify-hmac-sha256": signature(body, secret),
        "x-shopify-shop-domain": "fjordlight.myshopify.com",
        "x-shopify-webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        "x-shopify-event-id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
        "x-shopify-triggered-at": "2026-11-21T09:00:05.123456789Z",
    }
    return RawRequest(url=URL, headers={name: text for name, text in (own | named).items() if text}, body=body)


async def readings(order: object, topic: str = "orders/updated", **connection: object) -> Sequence[Reading]:
    source = shopify(**connection)
    found = await source.read(Delivery(id="1", topic=topic, body=json.dumps(order)))
    await source.aclose()
    return found


async def reading(change: Change = lambda order: None, **connection: object) -> Snapshot:
    """The sample of ours with one thing changed, as it is read."""
    order = copy.deepcopy(ORDER)
    change(order)
    (found,) = await readings(order, **connection)
    assert isinstance(found, Snapshot)
    return found


def setting(**fields: JsonValue) -> Change:
    return lambda order: order.update(fields)


def part(order: dict[str, JsonValue], *path: str | int) -> dict[str, JsonValue]:
    found: JsonValue = order
    for step in path:
        found = found[step]
    assert isinstance(found, dict)
    return found


def bag(paid: str, shop: str | None = None, currency: str = "EUR") -> JsonValue:
    return {
        "shop_money": {"amount": shop or paid, "currency_code": "USD"},
        "presentment_money": {"amount": paid, "currency_code": currency},
    }


# What is asked for, against Shopify's own schema.


@cache
def schema() -> GraphQLSchema:
    path = SPECS / "shopify" / "admin-graphql-2026-07-orders-introspection.json"
    introspection = json.loads(path.read_text())
    return build_client_schema(introspection.get("data", introspection), assume_valid=True)


needs_specs = pytest.mark.skipif(not SPECS.is_dir(), reason="the vendors' descriptions are not beside this checkout")


def _money(amount: str, shop: str) -> JsonValue:
    money = {"shopMoney": {"amount": shop, "currencyCode": "USD"}}
    return {**money, "presentmentMoney": {"amount": amount, "currencyCode": "EUR"}}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _as_graphql(bag: JsonValue) -> JsonValue:
    if not isinstance(bag, dict):
        return None
    shop, paid = bag["shop_money"], bag["presentment_money"]
    assert isinstance(shop, dict)
    assert isinstance(paid, dict)
    return _money(str(paid["amount"]), str(shop["amount"]))


def _place_of(place: JsonValue) -> JsonValue:
    assert isinstance(place, dict)
    return {_camel(name): value for name, value in place.items()} | {"countryCodeV2": place["country_code"]}


def in_graphql(order: Mapping[str, JsonValue], first: int, after: str | None) -> dict[str, object]:
    """The order as Shopify's own schema has it, written from its field names and not from our query."""
    lines = order["line_items"]
    assert isinstance(lines, list)
    begin = int(after or 0)
    nodes: list[JsonValue] = []
    for line in lines[begin : begin + first]:
        assert isinstance(line, dict)
        allocations = line["discount_allocations"]
        assert isinstance(allocations, list)
        nodes.append(
            {
                **{_camel(name): value for name, value in line.items()},
                "id": f"gid://shopify/LineItem/{line['id']}",
                "originalUnitPriceSet": _as_graphql(line["price_set"]),
                "variant": {"legacyResourceId": str(line["variant_id"])} if line["variant_id"] else None,
                "product": {"legacyResourceId": str(line["product_id"])} if line["product_id"] else None,
                "customAttributes": [{"key": one["name"], "value": one["value"]} for one in line["properties"]],
                "discountAllocations": [{"allocatedAmountSet": _as_graphql(one["amount_set"])} for one in allocations],
            }
        )
    bags = {_camel(name): _as_graphql(value) for name, value in order.items() if name.endswith("_set")}
    ways = order["shipping_lines"]
    assert isinstance(ways, list)
    customer = order["customer"]
    assert isinstance(customer, dict)
    more = begin + first < len(lines)
    zero = _money("0.00", "0.00")
    attributes = order["note_attributes"]
    assert isinstance(attributes, list)
    return {
        **{_camel(name): value for name, value in order.items()},
        **bags,
        "legacyResourceId": str(order["id"]),
        "currencyCode": order["currency"],
        "presentmentCurrencyCode": order["presentment_currency"],
        "displayFinancialStatus": str(order["financial_status"]).upper(),
        "totalTipReceivedSet": zero,
        "currentShippingPriceSet": _money("8.00", "9.60"),
        "customAttributes": [{"key": one["name"], "value": one["value"]} for one in attributes],
        "customer": {
            "legacyResourceId": str(customer["id"]), "firstName": "Ada", "lastName": "Example",
            "defaultEmailAddress": {"emailAddress": "ada@example.com"}, "defaultPhoneNumber": None,
        },
        "shippingAddress": _place_of(order["shipping_address"]),
        "billingAddress": _place_of(order["billing_address"]),
        "retailLocation": None,
        "shippingLines": {"nodes": [
            {**{_camel(name): value for name, value in way.items()},
             "originalPriceSet": _as_graphql(way["price_set"]),
             "discountedPriceSet": _as_graphql(way["discounted_price_set"])}
            for way in ways
        ]},
        "lineItems": {
            "nodes": nodes,
            "pageInfo": {"hasNextPage": more, "hasPreviousPage": False, "endCursor": str(begin + first)},
        },
    }  # fmt: skip


def answered(order: Mapping[str, JsonValue], after: str | None = None, first: int = graph.LINES) -> dict[str, object]:
    """Our query, run by graphql-core over the order as Shopify's schema has it."""
    variables = {"id": f"gid://shopify/Order/{order['id']}", "lines": first, "after": after}
    result = graphql_sync(
        schema(), graph.ORDER, {"order": in_graphql(order, first, after)}, variable_values=variables,
        field_resolver=default_field_resolver,
    )  # fmt: skip
    assert result.errors is None
    assert result.data is not None
    return {"data": result.data}
