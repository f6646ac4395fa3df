"""Login by OpenID Connect: discovery, the code flow with PKCE (S256), state and nonce, roles from a claim.

OpenID Connect Core 1.0 §3.1 and Discovery 1.0; RFC 7636 (PKCE); RFC 9207 (the answer's issuer). The ID token counts
only if the provider's own key signed it by an asymmetric algorithm, for this client, for this very attempt, and now.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import jwt
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from pydantic import SecretStr, ValidationError

from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.errors import Misconfigured, Unavailable
from orderack.gateway.board.once import is_loopback
from orderack.gateway.board.roles import LONGEST_NAME, GroupRoles, Role
from orderack.messages.clean import line

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signed by a private key. A shared secret, or no signature, is none of them."""

KEPT = timedelta(hours=1)
ASKED_AT_MOST_EVERY = timedelta(seconds=30)
"""Made-up key ids cost the provider no more than one request in this time."""
LEEWAY = timedelta(seconds=30)
LARGEST = 512 * 1024
LONGEST_TOKEN = 32_768
MOST_GROUPS = 1_000
PATIENCE = 10.0
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class LoginRefused(Exception):
    """Nobody is logged in; the text says why, to the person who tried."""


@dataclass(frozen=True)
class Client:
    """This board as the provider knows it."""

    issuer: str
    client_id: str
    client_secret: SecretStr
    scope: str
    name_claim: str
    roles_claim: str
    roles: GroupRoles
    redirect_uri: str

    def __post_init__(self) -> None:
        problem = (
            "ORDERACK_BOARD_OIDC_CLIENT_ID is missing"
            if not self.client_id
            else "ORDERACK_BOARD_OIDC_ROLES names no group: nobody could log in"
            if not self.roles.entries
            else "ORDERACK_BOARD_OIDC_SCOPE lacks `openid`"
            if "openid" not in self.scope.split()
            else ""
        )
        if problem:
            raise Misconfigured(problem)
        _demand_safe(self.issuer, "ORDERACK_BOARD_OIDC_ISSUER")


class Attempt(Value):
    """One login under way; it lies signed in the browser that began it."""

    state: Name
    nonce: Name
    verifier: Name
    next: Text


@dataclass(frozen=True)
class LoggedIn:
    name: str
    roles: Mapping[str, Role]


class _Provider(Value):
    """What discovery says, as far as it is needed."""

    issuer: Text
    authorization_endpoint: Text
    token_endpoint: Text
    jwks_uri: Text


@dataclass
class Oidc:
    """Logs people in. Raises LoginRefused, and Unavailable while the provider does not answer."""

    client: Client
    http: httpx.AsyncClient
    now: Callable[[], datetime]
    _provider: _Provider | None = None
    _keys: Mapping[str, jwt.PyJWK] = field(default_factory=dict)
    _fetched: datetime = _LONG_AGO
    _asked: datetime = _LONG_AGO

    async def begin(self, next_page: str) -> tuple[str, Attempt]:
        """Where the browser goes, and what it keeps meanwhile."""
        provider = await self._discover()
        attempt = Attempt(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            next=next_page,
        )
        address: str = prepare_grant_uri(
            provider.authorization_endpoint,
            client_id=self.client.client_id,
            response_type="code",
            redirect_uri=self.client.redirect_uri,
            scope=self.client.scope,
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=create_s256_code_challenge(attempt.verifier),
            code_challenge_method="S256",
        )
        return address, attempt

    async def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> LoggedIn:
        """Who it is, from what the provider sent the browser back with."""
        if not hmac.compare_digest(attempt.state.encode(), answer.get("state", "").encode()):
            raise LoginRefused("This login was not begun in this browser, or it has been used. Begin anew.")
        if answer.get("iss", self.client.issuer) != self.client.issuer:
            raise LoginRefused("The answer comes from another login provider.")
        if "code" not in answer:
            raise LoginRefused("The login provider did not let you in.")
        return self._logged_in(await self._claims(await self._redeem(answer["code"], attempt), attempt))

    async def _redeem(self, code: str, attempt: Attempt) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        secret = self.client.client_secret.get_secret_value()
        login = httpx.BasicAuth(self.client.client_id, secret) if secret else None
        if login is None:
            form["client_id"] = self.client.client_id
        body = await self._asked_for("POST", (await self._discover()).token_endpoint, data=form, auth=login)
        token = _object(body).get("id_token")
        if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
            raise LoginRefused("The login provider sent no ID token.")
        return token

    async def _claims(self, token: str, attempt: Attempt) -> Mapping[str, object]:
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise LoginRefused("The ID token is signed by a key that the provider does not publish.")
            found: Mapping[str, object] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.client.client_id,
                issuer=self.client.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise LoginRefused("The ID token has expired.") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise LoginRefused("The ID token does not hold.") from None
        nonce, party = found.get("nonce"), found.get("azp", self.client.client_id)
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), attempt.nonce.encode()):
            raise LoginRefused("The ID token is for another login.")
        if party != self.client.client_id or (isinstance(found["aud"], list) and set(found["aud"]) != {party}):
            raise LoginRefused("The ID token is for another client.")
        return found

    def _logged_in(self, claims: Mapping[str, object]) -> LoggedIn:
        name = claims.get(self.client.name_claim)
        unproved = self.client.name_claim == "email" and claims.get("email_verified", True) is not True
        if not isinstance(name, str) or not line(name) or unproved:
            raise LoginRefused(f"The login provider does not vouch for a name (`{self.client.name_claim}`).")
        roles = self.client.roles.of(_groups(claims, self.client.roles_claim))
        if not roles:
            raise LoginRefused("You are known, and have no role on this board. Ask whoever runs it.")
        return LoggedIn(line(name, LONGEST_NAME), roles)

    # -- the provider ---------------------------------------------------------------------------------------------

    async def _discover(self) -> _Provider:
        if self._provider is None:
            body = await self._asked_for("GET", f"{self.client.issuer.rstrip('/')}/.well-known/openid-configuration")
            try:
                found = _Provider.model_validate(_object(body))
            except ValidationError:
                raise Unavailable("the login provider's description lacks what is needed") from None
            if found.issuer != self.client.issuer:
                raise Misconfigured("ORDERACK_BOARD_OIDC_ISSUER is not the issuer that the provider says it is")
            for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                _demand_safe(address, "the login provider's description")
            self._provider = found
        return self._provider

    async def _key(self, kid: object) -> jwt.PyJWK | None:
        if not isinstance(kid, str):
            return None
        now = self.now()
        if (kid not in self._keys or now - self._fetched > KEPT) and now - self._asked > ASKED_AT_MOST_EVERY:
            self._asked = now
            self._keys = await self._fetch_keys()
            self._fetched = now
        return self._keys.get(kid)

    async def _fetch_keys(self) -> Mapping[str, jwt.PyJWK]:
        body = await self._asked_for("GET", (await self._discover()).jwks_uri)
        try:
            keys = jwt.PyJWKSet.from_dict(dict(_object(body))).keys
        except (jwt.PyJWTError, ValueError, AttributeError, TypeError):
            raise Unavailable("the login provider's keys cannot be read") from None
        return {key.key_id: key for key in keys if key.key_id}

    async def _asked_for(
        self,
        method: str,
        url: str,
        data: Mapping[str, str] | None = None,
        auth: httpx.BasicAuth | None = None,
    ) -> httpx.Response:
        try:
            found = await self.http.request(method, url, data=data, auth=auth, headers={"Accept": "application/json"})
        except httpx.HTTPError:
            raise Unavailable("the login provider does not answer") from None
        if httpx.codes.is_client_error(found.status_code) and method == "POST":
            raise LoginRefused("The login provider does not take this login any more. Begin anew.")
        if found.status_code != httpx.codes.OK or len(found.content) > LARGEST:
            raise Unavailable(f"the login provider answers {found.status_code}")
        return found


def _object(response: httpx.Response) -> Mapping[str, object]:
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable("the login provider's answer cannot be read")
    return found


def _groups(claims: Mapping[str, object], path: str) -> frozenset[str]:
    """The claim of that very name; else the path of names that its dots make (`realm_access.roles`)."""
    found: object = claims.get(path)
    if found is None:
        found = claims
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, str):
        return frozenset(found.split())
    return (
        frozenset(each for each in found[:MOST_GROUPS] if isinstance(each, str))
        if isinstance(found, list)
        else frozenset()
    )


def _demand_safe(address: str, where: str) -> None:
    """Secrets go over TLS alone, but for a provider on this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    local = host == "localhost" or is_loopback(host)
    if not host or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not local):
        raise Misconfigured(f"{where}: an address is not https")
