"""One state of an order that a look brought, as a delivery."""

import hashlib
import json
from collections.abc import Mapping

from pydantic import JsonValue

from orderack.ports import Delivery


def delivery_of(order: Mapping[str, JsonValue], *names: JsonValue) -> Delivery:
    """The same state has the same id, and another one another: clocks that count in seconds are not trusted alone.

    `names`: what a person knows it by: the order's number, the time of its last change.
    """
    body = json.dumps(order, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    known = "@".join(str(name) for name in names if isinstance(name, str) and name.isprintable())[:150]
    return Delivery(id=f"{known}#{hashlib.sha256(body.encode()).hexdigest()[:16]}", body=body)
