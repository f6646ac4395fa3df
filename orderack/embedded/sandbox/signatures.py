"""How each vendor signs what it posts to us. Pure: the time and the secret are given."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec


def standard_webhooks(secret: str, message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """Headers by the Standard Webhooks scheme: HMAC-SHA256 over `id.timestamp.body`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def twilio(auth_token: str, url: str, form: Mapping[str, str]) -> Mapping[str, str]:
    """Header by Twilio's scheme: HMAC-SHA1 over the full URL and the sorted form fields."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    signature = hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)
    return {"X-Twilio-Signature": base64.b64encode(signature).decode()}


def sendgrid(key: ec.EllipticCurvePrivateKey, timestamp: int, body: bytes) -> Mapping[str, str]:
    """Headers of SendGrid's signed event webhook: ECDSA P-256 / SHA-256 over timestamp and raw body."""
    signature = key.sign(str(timestamp).encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": str(timestamp),
    }
