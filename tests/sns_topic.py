"""An SNS topic of the tests: its certificate, and posts signed as AWS documents it, by other code than ours."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pydantic import JsonValue

TOPIC = "arn:aws:sns:eu-central-1:123456789012:orders"
HOME = "http://127.0.0.1:9/sns"
CERTIFICATE = "/SimpleNotificationService-6aad65c2f9911b05cd53efda11f913f9.pem"


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def certificate(now: datetime) -> x509.Certificate:
    """One that holds for a month around that time."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key().public_key())
    made = made.serial_number(7).not_valid_before(now - timedelta(days=15)).not_valid_after(now + timedelta(days=15))
    return made.sign(key(), hashes.SHA256())


def pem(now: datetime) -> bytes:
    return certificate(now).public_bytes(Encoding.PEM)


def post(message: str, at: datetime, version: str = "2", **more: JsonValue) -> bytes:
    """A notification, or what `more` makes of it."""
    fields: dict[str, JsonValue] = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": message,
        "Timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
        "SigningCertURL": f"{HOME}{CERTIFICATE}",
        "UnsubscribeURL": f"{HOME}/?Action=Unsubscribe",
        **more,
    }
    fields = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({**fields, "SignatureVersion": version, "Signature": signature(fields, version)}).encode()


def confirmation(at: datetime, url: str, **more: JsonValue) -> bytes:
    """A subscription that asks to be confirmed at `url`."""
    asked = {"Type": "SubscriptionConfirmation", "Subject": None, "Token": "2336412f37", "SubscribeURL": url}
    return post("You have chosen to subscribe to the topic.", at, **{**asked, **more})


def signature(fields: Mapping[str, JsonValue], version: str) -> str:
    """Base64 of RSA PKCS #1 v1.5 over the documented lines."""
    if fields["Type"] == "Notification":
        names = ["Message", "MessageId", *(["Subject"] if "Subject" in fields else []), "Timestamp", "TopicArn", "Type"]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{fields[name]}\n" for name in names)
    digest = {"1": hashes.SHA1(), "2": hashes.SHA256()}[version]
    return base64.b64encode(key().sign(text.encode(), padding.PKCS1v15(), digest)).decode()
