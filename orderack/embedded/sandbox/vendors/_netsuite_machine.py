"""The sandbox NetSuite's OAuth 2.0 with client credentials: a certificate's key, assertions that it signed, tokens."""

import secrets
import time
from collections.abc import Mapping
from functools import cached_property

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

LIFE = 3600
"""Seconds that a token lives."""
HOUR = 3600


class Machine:
    """One integration with one certificate. The key is made when it is asked for, for it takes a moment."""

    def __init__(self) -> None:
        self.client_id = secrets.token_hex(32)
        self.certificate_id = secrets.token_urlsafe(24)
        self.tokens: dict[str, float] = {}
        """Tokens, and until when each is good."""

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=3072)

    @property
    def pem(self) -> str:
        """What the customer keeps."""
        form = serialization.PrivateFormat.PKCS8
        return self._key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    def token(self, form: Mapping[str, str], url: str) -> str | None:
        """A new token; None for an assertion that is none, or another grant. `url`: the token endpoint's own."""
        if form.get("grant_type") != "client_credentials" or not form.get("client_assertion_type", "").endswith(
            ":client-assertion-type:jwt-bearer"
        ):
            return None
        assertion = form.get("client_assertion", "")
        try:
            head = jwt.get_unverified_header(assertion)
            said = jwt.decode(
                assertion,
                self._key.public_key(),
                algorithms=["PS256"],
                audience=url,
                issuer=self.client_id,
                options={"require": ["iss", "aud", "iat", "exp", "scope"]},
            )
        except jwt.PyJWTError:
            return None
        if head.get("kid") != self.certificate_id or said["exp"] - said["iat"] >= HOUR:
            return None
        if "rest_webservices" not in str(said["scope"]).split(","):
            return None
        token = secrets.token_urlsafe(48)
        self.tokens[token] = time.monotonic() + LIFE
        return token

    def admits(self, header: str) -> bool:
        """Whether the Authorization header bears a token that is good."""
        scheme, _, token = header.partition(" ")
        return scheme == "Bearer" and self.tokens.get(token, 0.0) > time.monotonic()
