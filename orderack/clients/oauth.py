"""OAuth 2.0 for machines: one token, shared, renewed before it expires (RFC 6749, RFC 7523).

Client credentials, a refresh token and a signed assertion differ in the form alone, so the form is the caller's.
Nothing here shows a token, a secret or an assertion: not in an error, not in a log, not in a representation.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError

from orderack.clients.http import NO_HEADERS, Clock, Http, utc_now
from orderack.errors import InDoubt, Misconfigured, Unavailable

EARLY = timedelta(seconds=60)
"""A token is renewed this long before it expires, so that none expires on its way."""
UNSAID = timedelta(minutes=6)
"""How long a token is taken to live that does not say: used for five minutes, well below the shortest session that
a vendor who does not say lets one set (Salesforce: 15 minutes). One that dies sooner is met by a 401."""
LONGEST = timedelta(days=1)
SIGN_IN_SECONDS = 8.0
"""A sign-in and a send after it stay within the 30 s of one attempt (`clients.http.TOTAL_SECONDS`)."""
AGAIN_WITHIN = 3.0
"""A 401 that came later than this after the start leaves no time for a second send in the same attempt."""

NOT_NOW = frozenset({"access denied", "rate_limit_exceeded", "server_error", "slow_down", "temporarily_unavailable"})
"""`access denied` in two words is Zoho's throttle of sign-ins; `access_denied` in one is a refusal."""
KNOWN = frozenset(
    {
        "access_denied",
        "inactive_org",
        "inactive_user",
        "invalid_assertion",
        "invalid_client",
        "invalid_client_credentials",
        "invalid_client_id",
        "invalid_code",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "org_locked",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)
"""Words that may be repeated in an error; another text of the vendor's might hold what we sent."""


class _Answer(BaseModel):
    access_token: str | None = Field(default=None, pattern=r"^[\x21-\x7e]{1,16000}$")
    expires_in: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class _Token:
    text: str = field(repr=False)
    renew_at: datetime


class Tokens:
    """The token of one account. `setting`: what to check when the vendor does not let us in."""

    def __init__(
        self,
        http: Http,
        path: str,
        form: Callable[[], Mapping[str, str]],
        *,
        setting: str,
        auth: tuple[str, str] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """`form` is built anew for each sign-in, for an assertion carries the time. `auth`: HTTP Basic, where asked."""
        self._http = http
        self._path = path
        self._form = form
        self._setting = setting
        self._auth = auth
        self._clock = clock
        self._token: _Token | None = None
        self._under_way: asyncio.Task[_Token] | None = None

    def __repr__(self) -> str:
        return f"Tokens({self._http.vendor})"

    async def bearer(self) -> str:
        """A token that is good for another minute; callers at the same time share one request.

        Raises Unavailable (nothing was sent to anyone) when the vendor cannot be reached, is down or throttles us,
        or its answer says nothing; Misconfigured, naming the setting, when it does not let us in.
        """
        token = self._token
        if token is None or token.renew_at <= self._clock():
            token = await self._shared()
        return token.text

    def forget(self, refused: str | None = None) -> None:
        """The next call signs in anew. With `refused`, only if that token is still the one that is kept."""
        if self._token is not None and refused in (None, self._token.text):
            self._token = None

    async def aclose(self) -> None:
        """End a sign-in that is under way and close the connection pool."""
        if self._under_way is not None:
            self._under_way.cancel()
        await self._http.aclose()

    async def _shared(self) -> _Token:
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._sign_in())
            self._under_way.add_done_callback(self._ended)
        under_way = self._under_way
        try:
            return await asyncio.shield(under_way)  # a caller that gives up takes nobody else's token away
        except asyncio.CancelledError:
            if under_way.cancelled():
                raise Unavailable(f"{self._http.vendor}: the sign-in was ended") from None
            raise

    def _ended(self, task: asyncio.Task[_Token]) -> None:
        self._under_way = None
        if not task.cancelled() and task.exception() is None:
            self._token = task.result()

    async def _sign_in(self) -> _Token:
        vendor = self._http.vendor
        asked_at = self._clock()
        try:
            async with asyncio.timeout(SIGN_IN_SECONDS):
                response = await self._http.send(
                    "POST",
                    self._path,
                    content=urlencode(self._form()).encode(),
                    headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                    auth=self._auth,
                )
        except (InDoubt, TimeoutError):
            raise Unavailable(f"{vendor} did not let us sign in just now") from None
        answer = _read(response)
        word = (answer.error or "").lower() if answer else ""
        if word in NOT_NOW:
            raise Unavailable(f"{vendor} limits our sign-ins, or cannot take one now")
        if not response.is_success or word:
            said = f"{response.status_code} {word}" if word in KNOWN else str(response.status_code)
            raise Misconfigured(f"{vendor} did not let us sign in ({said}): check {self._setting}")
        if answer is None or not answer.access_token:
            raise Unavailable(f"{vendor} answered a sign-in without a token")
        return _Token(answer.access_token, asked_at + _life(answer.expires_in) - EARLY)


def _read(response: httpx.Response) -> _Answer | None:
    try:
        return _Answer.model_validate_json(response.content)
    except ValidationError:
        return None


def _life(seconds: int | None) -> timedelta:
    if seconds is None:
        return UNSAID
    return timedelta(seconds=min(max(seconds, 0), LONGEST.total_seconds()))


class SignedIn:
    """Requests with the token; after a 401 it signs in once and asks again, for a 401 was not done."""

    def __init__(self, http: Http, tokens: Tokens, *, scheme: str = "Bearer", header: str = "Authorization") -> None:
        """`scheme` stands before the token in `header`; empty: the token stands alone."""
        self.http = http
        self.tokens = tokens
        self._scheme = scheme
        self._header = header

    def __repr__(self) -> str:
        return f"SignedIn({self.http.vendor})"

    async def send(
        self, method: str, path: str, *, content: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> httpx.Response:
        """As `Http.send`, and what `Tokens.bearer` raises. A second 401 is returned."""
        started = asyncio.get_running_loop().time()
        token = await self.tokens.bearer()
        response = await self._once(token, method, path, content, headers)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return response
        self.tokens.forget(token)
        if asyncio.get_running_loop().time() - started > AGAIN_WITHIN:
            raise Unavailable(f"{self.http.vendor} was slow to say that we must sign in anew")
        return await self._once(await self.tokens.bearer(), method, path, content, headers)

    async def _once(
        self, token: str, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        signed = {**headers, self._header: f"{self._scheme} {token}".lstrip()}
        return await self.http.send(method, path, content=content, headers=signed)

    async def aclose(self) -> None:
        """Close both connection pools."""
        await self.tokens.aclose()
        await self.http.aclose()


def rsa_key(secret: SecretStr) -> SecretStr:
    """The key in PEM as `jwt_assertion` takes it. Raises ValueError, which never repeats it."""
    # an environment variable often holds the PEM on one line, with its line ends written as \n
    pem = secret.get_secret_value().replace("\\n", "\n").strip() + "\n"
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey) or key.key_size < 2_048:
        raise ValueError("not an RSA private key in PEM, of 2048 bits or more and without a passphrase")
    return SecretStr(pem)


RsaKey = Annotated[SecretStr, AfterValidator(rsa_key)]
"""A private key as a setting."""


def jwt_assertion(
    *,
    issuer: str,
    audience: str,
    key_pem: str,
    subject: str | None = None,
    scope: str | None = None,
    clock: Clock = utc_now,
    lifetime: timedelta = timedelta(minutes=3),
    algorithm: str = "RS256",
    key_id: str | None = None,
) -> str:
    """A signed assertion for the grant `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523), or for a client.

    `key_pem` comes from an `RsaKey`. Salesforce takes no assertion that lives longer than three minutes; NetSuite
    asks for PS256 and the `key_id` of the certificate that it was given.
    """
    now = clock()
    claims = {"iss": issuer, "aud": audience, "iat": int(now.timestamp()), "exp": int((now + lifetime).timestamp())}
    said = {name: text for name, text in (("sub", subject), ("scope", scope)) if text is not None}
    return jwt.encode(claims | said, key_pem, algorithm=algorithm, headers={"kid": key_id} if key_id else None)
