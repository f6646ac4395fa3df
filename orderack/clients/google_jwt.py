"""Tokens that Google signs to prove a request is its own: Google Chat's requests, Pub/Sub's pushes.

Google's page "Verify requests from Google Chat" and "Authentication for push subscriptions": RS256, the key named by
`kid` in a public document that says itself how long it may be kept (Cache-Control).
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate
from jwt.algorithms import RSAAlgorithm
from pydantic import BaseModel, TypeAdapter, ValidationError

from orderack.clients.http import Clock, Http, utc_now
from orderack.errors import BadSignature, InDoubt, Unavailable

KEYS_HOST = "https://www.googleapis.com"
OIDC_KEYS = "/oauth2/v3/certs"
"""Of ID tokens (JWKS): pushes of Pub/Sub, Chat with an HTTP endpoint URL as audience."""
CHAT_KEYS = "/service_accounts/v1/metadata/x509/chat@system.gserviceaccount.com"
"""Of Chat with the project number as audience (certificates by key id)."""
OIDC_ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
CHAT = "chat@system.gserviceaccount.com"
"""Who speaks for Google Chat: the issuer of one kind of token, the e-mail in the other."""

LEEWAY = timedelta(seconds=60)
SHORTEST, USUAL, LONGEST = timedelta(minutes=5), timedelta(hours=1), timedelta(hours=24)
"""How long keys are kept: what Google says within these bounds, or the middle one when it says nothing."""
NEW_KID_EVERY = timedelta(minutes=1)
"""Made-up key ids cost Google no more than one fetch in this time."""
AFTER_FAILURE = timedelta(seconds=5)
LONGEST_TOKEN = 8_192

_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])", re.IGNORECASE)
_BEARER = re.compile(r"bearer +([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class _Header(BaseModel):
    alg: Literal["RS256"]
    kid: str


class _Claims(BaseModel):
    exp: float
    iat: float
    email: str | None = None
    email_verified: bool = False


class _Jwk(BaseModel):
    kid: str
    kty: str
    n: str = ""
    e: str = ""


class _Jwks(BaseModel):
    keys: tuple[_Jwk, ...]


_DOCUMENT: TypeAdapter[_Jwks | dict[str, str]] = TypeAdapter(_Jwks | dict[str, str])
Keys = Mapping[str, RSAPublicKey]


class GoogleTokens:
    """Checks tokens for one audience. Its keys are fetched when they are needed, and kept as long as Google allows."""

    def __init__(
        self,
        http: Http,
        path: str,
        *,
        audience: str,
        issuers: frozenset[str],
        email: str | None,
        clock: Clock = utc_now,
    ) -> None:
        """`path` (OIDC_KEYS, CHAT_KEYS) is where the keys lie; `email`: None where such tokens carry none."""
        self._http = http
        self._path = path
        self._audience = audience
        self._issuers = issuers
        self._email = email
        self._clock = clock
        self._keys: Keys = {}
        self._good_until = _LONG_AGO
        self._not_before = _LONG_AGO
        """No fetch before this, whatever comes."""
        self._fetching = asyncio.Lock()

    async def verify(self, authorization: str) -> None:
        """Check an `Authorization` header (`Bearer <token>`).

        Raises BadSignature for whatever is wrong with it, Unavailable while Google's keys cannot be fetched.
        """
        bearer = _BEARER.fullmatch(authorization) if len(authorization) <= LONGEST_TOKEN else None
        if bearer is None:
            raise BadSignature("the request carries no token of Google")
        token = bearer[1]
        key = await self._key(_kid(token))
        try:
            found = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=list(self._issuers),
                # its clock is not ours to set: the times are held against our own below
                options={
                    "strict_aud": True,
                    "require": ["exp", "iat", "aud", "iss"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            claims = _Claims.model_validate(found, strict=True)
        except (jwt.PyJWTError, ValidationError, ValueError):
            raise BadSignature("the token is not Google's, or not for us") from None
        self._check(claims)

    def _check(self, claims: _Claims) -> None:
        now, leeway = self._clock().timestamp(), LEEWAY.total_seconds()
        # written so that a time which is no number fits neither
        if not (claims.iat - leeway <= now < claims.exp + leeway):
            raise BadSignature("the token has expired, or is from the future")
        if self._email is not None and (claims.email != self._email or not claims.email_verified):
            raise BadSignature("the token is another account's")

    async def _key(self, kid: str) -> RSAPublicKey:
        if (known := self._known(kid)) is not None:
            return known
        async with self._fetching:
            if (known := self._known(kid)) is not None:  # fetched while we waited
                return known
            now = self._clock()
            if now >= self._not_before:
                await self._fetch(now)
            elif now >= self._good_until:
                raise Unavailable("Google's public keys could not be fetched", self._not_before - now)
        if (known := self._known(kid)) is None:
            raise BadSignature("the token names a key that Google does not have")
        return known

    def _known(self, kid: str) -> RSAPublicKey | None:
        return self._keys.get(kid) if self._clock() < self._good_until else None

    async def _fetch(self, now: datetime) -> None:
        self._not_before = now + (NEW_KID_EVERY if now < self._good_until else AFTER_FAILURE)
        try:
            response = await self._http.send("GET", self._path)
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        keys = _keys(response)
        if not keys:
            raise Unavailable(f"{self._http.vendor} answered {response.status_code} and gave no public keys")
        self._keys = keys
        self._not_before = now + NEW_KID_EVERY
        self._good_until = now + _kept(response.headers.get("cache-control", ""))


def _kid(token: str) -> str:
    """Which key it names. Nothing is fetched for a token that could not be Google's."""
    try:
        return _Header.model_validate(jwt.get_unverified_header(token)).kid
    except (jwt.PyJWTError, ValidationError, ValueError, RecursionError):
        raise BadSignature("the token is not one that Google signs") from None


def _kept(cache_control: str) -> timedelta:
    told = _MAX_AGE.search(cache_control)
    return USUAL if told is None else min(max(timedelta(seconds=int(told[1])), SHORTEST), LONGEST)


def _keys(response: httpx.Response) -> Keys:
    """The RSA keys in Google's answer, of either form; none where it is something else."""
    if response.status_code != httpx.codes.OK:
        return {}
    try:
        found = _DOCUMENT.validate_json(response.content)
        keys: dict[str, object] = (
            {key.kid: RSAAlgorithm.from_jwk(key.model_dump()) for key in found.keys if key.kty == "RSA"}
            if isinstance(found, _Jwks)
            else {kid: load_pem_x509_certificate(pem.encode()).public_key() for kid, pem in found.items()}
        )
    except (ValidationError, ValueError, jwt.PyJWTError):
        return {}
    return {kid: key for kid, key in keys.items() if isinstance(key, RSAPublicKey)}
