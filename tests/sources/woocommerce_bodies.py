"""WooCommerce's order and our connection to it, for its tests."""

import base64
import copy
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import JsonValue, SecretStr

from orderack.ports import Connection, Delivery, RawRequest, Reading, Snapshot
from orderack.sources.woocommerce import Woocommerce, WoocommerceSettings
from tests.conformance.source import NOW

PAYLOADS = Path(__file__).parents[1] / "payloads" / "woocommerce"


BODY = (PAYLOADS / "order_processing.json").read_bytes()


ORDER: dict[str, JsonValue] = json.loads(BODY)


KEY, SECRET, SIGNING = "ck_0123456789abcdef", "cs_fedcba9876543210", "one-secret-of-many"


URL = "https://gateway.example/intake/shop/woocommerce"


Change = Callable[[dict[str, JsonValue]], object]


def shop(base_url: str = "http://127.0.0.1:9", secret: str = f"{SIGNING},another", **connection: object) -> Woocommerce:
    settings = WoocommerceSettings(
        base_url=base_url, consumer_key=SecretStr(KEY), consumer_secret=SecretStr(SECRET),
        webhook_secret=SecretStr(secret),
    )  # fmt: skip
    given = {"store": "shop", "system": "woocommerce", "source": "shop", "time_zone": "Europe/Berlin", **connection}
    return Woocommerce(Connection.model_validate(given), settings, clock=lambda: NOW)


def posted(body: bytes, topic: str = "order.updated", secret: str = SIGNING, **headers: str) -> RawRequest:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    own = {
        "x-wc-webhook-source": "https://shop.example/",
        "x-wc-webhook-topic": topic,
        "x-wc-webhook-signature": base64.b64encode(digest).decode(),
        "x-wc-webhook-id": "142",
        "x-wc-webhook-delivery-id": "0bf4a7e8e3d2b5a1c6f9",
    }
    return RawRequest(
        url=URL, headers=own | {name.replace("_", "-"): text for name, text in headers.items()}, body=body
    )


async def readings(order: object, topic: str = "order.updated", **connection: object) -> Sequence[Reading]:
    source = shop(**connection)
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


GONE = object()
