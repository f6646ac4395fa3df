"""A small OpenID Connect provider: real RS256 tokens, PKCE checked, and every lie that a test asks of it."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

ISSUER = "https://login.example"
CLIENT = "orderack-board"
CLIENT_SECRET = "the board's secret"


@cache
def signing_key(name: str) -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@dataclass
class LoginProvider:
    """What it says of people, and how it misbehaves."""

    claims: dict[str, object] = field(
        default_factory=lambda: {"email": "ada@shop.example", "email_verified": True, "groups": ["desk"]}
    )
    lie: Callable[[dict[str, object]], object] = lambda claims: None
    """Changes the claims of the next token."""
    algorithm: str = "RS256"
    signed_by: str = "k1"
    kid: str = "k1"
    published: tuple[str, ...] = ("k1",)
    issuer: str = ISSUER
    away: bool = False
    asked: list[str] = field(default_factory=list)
    challenges: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By code: the PKCE challenge and the nonce that it was asked with."""

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def approve(self, address: str) -> dict[str, str]:
        """The person logs in there: what their browser comes back with."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
        code = f"code-{len(self.challenges)}"
        self.challenges[code] = (asked["code_challenge"], asked["nonce"])
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.away:
            raise httpx.ConnectError("away")
        match request.url.path:
            case "/.well-known/openid-configuration":
                return httpx.Response(200, json=self._description())
            case "/keys":
                return httpx.Response(200, json={"keys": [self._published(name) for name in self.published]})
            case "/token":
                return self._token(request)
        return httpx.Response(404)

    def _description(self) -> Mapping[str, str]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        }

    def _published(self, name: str) -> dict[str, object]:
        return {**RSAAlgorithm.to_jwk(signing_key(name).public_key(), as_dict=True), "kid": name, "use": "sig"}

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        challenge, nonce = self.challenges.pop(form.get("code", ""), ("", ""))
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        proved = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
        known = request.headers["authorization"].removeprefix("Basic ")
        if not proved or base64.b64decode(known).decode() != f"{CLIENT}:{CLIENT_SECRET}":
            return httpx.Response(400, json={"error": "invalid_grant"})
        now = datetime.now(UTC)
        told: dict[str, object] = {
            "iss": ISSUER,
            "aud": CLIENT,
            "sub": "u-1",
            "nonce": nonce,
            "iat": now,
            "exp": now + timedelta(minutes=5),
            **self.claims,
        }
        self.lie(told)
        return httpx.Response(200, json={"access_token": "a", "token_type": "Bearer", "id_token": self._signed(told)})

    def _signed(self, told: dict[str, object]) -> str:
        if self.algorithm == "none":
            return jwt.encode(told, None, algorithm="none", headers={"kid": self.kid})
        if self.algorithm == "HS256":
            return jwt.encode(told, "a shared secret that is long enough to be one", "HS256", headers={"kid": self.kid})
        return jwt.encode(told, signing_key(self.signed_by), algorithm=self.algorithm, headers={"kid": self.kid})
