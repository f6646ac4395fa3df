"""An order of BigCommerce's with all that stands beside it, and the source that asks for it."""

import base64
import copy
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue, TypeAdapter

from orderack.clients.wire import read
from orderack.embedded.sandbox import signatures
from orderack.ports import Connection, RawRequest, Snapshot
from orderack.sources._bigcommerce_order import snapshot_of
from orderack.sources._bigcommerce_wire import Whole
from orderack.sources.bigcommerce import BigCommerce, BigCommerceSettings
from tests.conformance.peer import json_answer
from tests.conformance.source import NOW

HERE = Path(__file__).resolve().parents[1] / "payloads" / "bigcommerce"
BODY = (HERE / "webhook.json").read_bytes().strip()
ORDER: dict[str, JsonValue] = json.loads((HERE / "order.json").read_text())
CLIENT_SECRET = "c" * 20 + "lient-secret"
TOKEN = "token-of-the-account"
WHOLE = TypeAdapter(Whole)


def connection() -> Connection:
    return Connection(store="shop", system="bigcommerce", source="shop", country="DE", time_zone="Europe/Berlin")


def bigcommerce(base_url: str = "http://127.0.0.1:9", **settings: object) -> BigCommerce:
    given_ = {"store_hash": "abc123", "access_token": TOKEN, "client_secret": CLIENT_SECRET, "base_url": base_url}
    made = BigCommerceSettings(_env_file=None, **(given_ | settings))
    return BigCommerce(connection(), made, "ORDERACK_SOURCE_SHOP_BIGCOMMERCE_", clock=lambda: NOW)


def signed(body: bytes, at: datetime = NOW, secret: str = CLIENT_SECRET) -> RawRequest:
    key = base64.b64encode(secret.encode()).decode()
    headers = signatures.standard_webhooks(key, "msg_1", int(at.timestamp()), body)
    return RawRequest(url="https://shop.example/intake/shop/bigcommerce", headers=headers, body=body)


def like(order: Mapping[str, object] | None = None, **parts: object) -> dict[str, JsonValue]:
    """The order of the payloads, with other fields of its own, or other parts beside it."""
    body = copy.deepcopy(ORDER)
    body["order"] |= order or {}  # type: ignore[operator]
    return body | parts  # type: ignore[operator]


def snapshot(body: JsonValue) -> Snapshot:
    return snapshot_of(read(WHOLE, json.dumps(body).encode()), connection())


REFUND = {
    "total_amount": 34,
    "total_tax": 3.8,
    "items": [
        {"item_type": "PRODUCT", "item_id": 116, "quantity": 1},
        {"item_type": "SHIPPING", "item_id": 81, "quantity": 1},
    ],
    "payments": [{"is_declined": False}],
}


HEAD, LINES = json_answer(200, ORDER["order"]), json_answer(200, ORDER["products"])
COUPONS = json_answer(200, ORDER["coupons"])
