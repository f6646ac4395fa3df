"""The accounts a sandbox pretends to have: made at start, valid for this sandbox only."""

import base64
import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass(frozen=True)
class Credentials:
    """What our adapters must present, and what the look-alikes sign with."""

    sendgrid_api_key: str
    sendgrid_signing_key: ec.EllipticCurvePrivateKey
    twilio_account_sid: str
    twilio_auth_token: str
    slack_token: str
    slack_signing_secret: str
    erp_api_key: str
    erp_webhook_secret: str
    """Standard Webhooks: `whsec_` and base64."""

    @classmethod
    def make(cls) -> "Credentials":
        """Random ones."""
        return cls(
            sendgrid_api_key=f"SG.sandbox.{secrets.token_urlsafe(24)}",
            sendgrid_signing_key=ec.generate_private_key(ec.SECP256R1()),
            twilio_account_sid=f"AC{secrets.token_hex(16)}",
            twilio_auth_token=secrets.token_hex(16),
            slack_token=f"xoxb-sandbox-{secrets.token_urlsafe(18)}",
            slack_signing_secret=secrets.token_hex(16),
            erp_api_key=secrets.token_urlsafe(24),
            erp_webhook_secret="whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        )

    @property
    def sendgrid_public_key(self) -> str:
        """Base64 of the SPKI DER, as SendGrid's settings API gives it."""
        der = self.sendgrid_signing_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()
