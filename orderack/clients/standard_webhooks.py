"""Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`, several live secrets for rotation."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from orderack.clients.wire import same, within
from orderack.errors import BadSignature
from orderack.ports import RawRequest

WINDOW = timedelta(minutes=5)
_LONGEST_HEADER = 4_096


def secrets_of(text: str) -> tuple[bytes, ...]:
    """The keys in `whsec_<base64>[,whsec_<base64>]`. Raises ValueError, which never repeats them."""
    try:
        keys = tuple(base64.b64decode(part.strip().removeprefix("whsec_"), validate=True) for part in text.split(","))
    except (binascii.Error, ValueError):
        raise ValueError("not `whsec_` and base64; separate two with a comma") from None
    if any(len(key) < 16 for key in keys):
        raise ValueError("a secret needs at least 16 bytes")
    return keys


def sign(message_id: str, at: datetime, body: bytes, secrets: Sequence[bytes]) -> Mapping[str, str]:
    """The headers that prove these bytes are ours: one signature for each live secret, so that they can be rotated."""
    timestamp = str(int(at.timestamp()))
    signatures = " ".join(f"v1,{_signature(key, message_id, timestamp, body)}" for key in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signatures}


def verify(request: RawRequest, secrets: Sequence[bytes], now: datetime) -> None:
    """Raise BadSignature unless one `v1` signature fits one live secret, at most five minutes old or early."""
    name = request.headers.get("webhook-id", "")
    timestamp = request.headers.get("webhook-timestamp", "")
    given = request.headers.get("webhook-signature", "")
    if not name or len(given) > _LONGEST_HEADER:
        raise BadSignature("webhook-id or webhook-signature is missing")
    expected = [_signature(key, name, timestamp, request.body) for key in secrets]
    offered = [part.removeprefix("v1,") for part in given.split() if part.startswith("v1,")]
    if not any(same(right, candidate) for right in expected for candidate in offered):
        raise BadSignature("the webhook's signature does not fit")
    within(timestamp, now, WINDOW)


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "replace") + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
