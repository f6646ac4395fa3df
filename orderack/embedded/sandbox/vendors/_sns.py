"""One SNS topic and its HTTPS subscription: nothing is posted until the other side has confirmed that it wants it."""

import base64
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.state import SandboxState

AGAIN = 10.0
"""Seconds after which a subscription that nobody confirmed is asked about again."""
XML = "text/xml"


@cache
def _key() -> rsa.RSAPrivateKey:
    """Made once in a process: it takes a tenth of a second."""
    return rsa.generate_private_key(65_537, 2_048)


class Topic:
    """Posts what is published to `path` of the gateway, signed by the certificate that it shows. `path` may change."""

    def __init__(self, state: SandboxState, arn: str, path: str) -> None:
        self._state = state
        self._arn = arn
        self.path = path
        self._token = secrets.token_hex(64)
        self._certificate = f"/SimpleNotificationService-{secrets.token_hex(16)}.pem"
        self._asked_at = 0.0
        self.confirmed = False

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/", self._confirm, methods=["GET"]),
            Route(self._certificate, self._pem, methods=["GET"]),
        )

    async def _pem(self, request: Request) -> Response:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.sandbox.invalid")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(_key().public_key())
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=365))
        return Response(made.sign(_key(), hashes.SHA256()).public_bytes(Encoding.PEM), media_type="text/plain")

    async def _confirm(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked != {"Action": "ConfirmSubscription", "TopicArn": self._arn, "Token": self._token}:
            return Response(
                "<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>", 400, None, XML
            )
        self.confirmed = True
        return Response(f"<SubscriptionArn>{self._arn}:{uuid4()}</SubscriptionArn>", 200, None, XML)

    def subscribe(self, url: str) -> None:
        """Ask the gateway to confirm, unless it has or was asked just now. `url` is where this topic is mounted."""
        if self.confirmed or not self._state.behaviour.webhooks or time.monotonic() - self._asked_at < AGAIN:
            return
        self._asked_at = time.monotonic()
        query = f"Action=ConfirmSubscription&TopicArn={self._arn}&Token={self._token}"
        body = self._signed(
            url,
            {
                "Type": "SubscriptionConfirmation",
                "MessageId": str(uuid4()),
                "Token": self._token,
                "TopicArn": self._arn,
                "Message": f"You have chosen to subscribe to the topic {self._arn}.",
                "SubscribeURL": f"{url}/?{query}",
                "Timestamp": _now(),
            },
        )
        asked = Webhook("sns confirmation", lambda: self._state.callback(self.path), lambda url: _headers(body), body)
        self._state.courier.post(asked, 0)

    def published(self, name: str, url: str, message: str) -> Webhook:
        """A notification, which waits for the subscription to be confirmed."""
        body = self._signed(
            url,
            {
                "Type": "Notification",
                "MessageId": str(uuid4()),
                "TopicArn": self._arn,
                "Subject": "Amazon SES Email Event Notification",
                "Message": message,
                "Timestamp": _now(),
            },
        )
        return Webhook(
            name=name,
            url=lambda: self._state.callback(self.path) if self.confirmed else None,
            signed=lambda to: _headers(body),
            body=body,
        )

    def _signed(self, url: str, fields: Mapping[str, str]) -> bytes:
        lines = "".join(f"{name}\n{fields[name]}\n" for name in sorted(fields))
        signature = _key().sign(lines.encode(), padding.PKCS1v15(), hashes.SHA256())
        signed = {
            **fields,
            "SignatureVersion": "2",
            "Signature": base64.b64encode(signature).decode(),
            "SigningCertURL": f"{url}{self._certificate}",
        }
        return json.dumps(signed, indent=2).encode()


def _now() -> str:
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"


def _headers(body: bytes) -> Mapping[str, str]:
    fields = json.loads(body)
    return {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": fields["Type"],
        "x-amz-sns-message-id": fields["MessageId"],
        "x-amz-sns-topic-arn": fields["TopicArn"],
    }
