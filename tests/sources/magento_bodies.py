"""Magento's order and our connection to it, for its tests."""

import base64
import copy
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue

from orderack.domain.source import AnswerKey, AnswerStage
from orderack.embedded.sandbox import signatures
from orderack.ports import Connection, RawRequest, Snapshot, SourceAnswer
from orderack.sources._magento_order import snapshot_of
from orderack.sources._magento_wire import Ordered
from orderack.sources.magento import Magento, MagentoSettings
from tests.conformance.peer import json_answer
from tests.conformance.source import NOW

HERE = Path(__file__).resolve().parents[1] / "payloads" / "magento"


BODY = (HERE / "order.json").read_bytes()


ORDER: dict[str, JsonValue] = json.loads(BODY)


KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()


TOKEN = "token-of-the-integration"


CLIENT = "client-of-ours"


def connection(**fields: str) -> Connection:
    return Connection(
        store="shop", system="magento", source="shop", country="SA", time_zone="Asia/Riyadh", fields=fields
    )


def magento(base_url: str = "http://127.0.0.1:9", now: datetime = NOW, **settings: object) -> Magento:
    given_ = {"base_url": base_url, "access_token": TOKEN, "webhook_secret": KEY, "event_client_id": CLIENT}
    made = MagentoSettings(_env_file=None, **({"event_keys_url": base_url} | given_ | settings))
    return Magento(connection(), made, "ORDERACK_SOURCE_SHOP_MAGENTO_", clock=lambda: now)


def by_module(body: bytes, at: datetime = NOW) -> RawRequest:
    headers = signatures.standard_webhooks(KEY, "msg_1", int(at.timestamp()), body)
    return RawRequest(url="https://shop.example/intake/shop/magento", headers=headers, body=body)


def like(parts: Mapping[str, object] | None = None, **order: object) -> dict[str, JsonValue]:
    """The order of the payloads with other fields, and other extension attributes."""
    body = copy.deepcopy(ORDER) | order
    if parts:
        body["extension_attributes"] |= parts  # type: ignore[operator]
    return body  # type: ignore[return-value]


def snapshot(body: JsonValue, **fields: str) -> Snapshot:
    return snapshot_of(Ordered.model_validate_json(json.dumps(body)), connection(**fields))


# ------------------------------------------------------------------------------------------------ what is told


def told(stage: AnswerStage = AnswerStage.CONFIRMED) -> SourceAnswer:
    order = snapshot(ORDER).order
    return SourceAnswer(
        key=AnswerKey(ref=order.ref, revision=1, stage=stage),
        order=order,
        external_id="361",
        document_id="SO-1",
        reason="out of stock" if stage is AnswerStage.REJECTED else "",
        page_url="https://shop.example/o/1",
        now=NOW,
    )


NOTHING = json_answer(200, {"items": [], "total_count": 0})
