"""Walmart's orders and our connection to it, for its tests."""

import copy
import json
from pathlib import Path

from orderack.ports import Connection, Delivery, RawRequest, Snapshot
from orderack.sources.walmart import Walmart, WalmartSettings
from tests.conformance.source import NOW

PAYLOADS = Path(__file__).resolve().parents[1] / "payloads" / "walmart"


US, MX, EVENT = (json.loads((PAYLOADS / f"{name}.json").read_text()) for name in ("us_order", "mx_order", "po_created"))


CONNECTION = Connection(store="shop", system="walmart", source="walmart", country="US")


def walmart(base_url: str = "http://127.0.0.1:9", **more: object) -> Walmart:
    settings = WalmartSettings(
        client_id="id-1",
        client_secret="secret-of-the-api",
        webhook_user="orderack",
        webhook_password="password-of-the-hook",
        webhook_secret="secret-of-the-hook",
        base_url=base_url,
        **more,
    )
    return Walmart(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_WALMART_", clock=lambda: NOW)


def request(body: bytes, **headers: str) -> RawRequest:
    return RawRequest(url="https://orders.example.com/intake/shop/walmart", headers=headers, body=body)


def stands(order: dict, *statuses: tuple[str, str]) -> dict:
    """The order with every line's units standing so."""
    changed = copy.deepcopy(order)
    for line in changed["orderLines"]["orderLine"]:
        line["orderLineStatuses"]["orderLineStatus"] = [
            {"status": status, "statusQuantity": {"unitOfMeasurement": "EACH", "amount": amount}}
            for status, amount in statuses or [("Acknowledged", line["orderLineQuantity"]["amount"])]
        ]
    return changed


async def taken(order: object, source: Walmart | None = None) -> Snapshot:
    source = source or walmart()
    (reading,) = await source.read(Delivery(id="1", body=json.dumps(order)))
    await source.aclose()
    assert isinstance(reading, Snapshot)
    return reading
