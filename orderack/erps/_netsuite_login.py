"""Two ways into NetSuite: a signature on each request, or a token for a signed assertion (commerce.md §12).

Token-based authentication (OAuth 1.0) is what older integrations have; those made since release 2027.1 can only have
OAuth 2.0 with client credentials, "machine to machine".
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import httpx

from orderack.clients import oauth1
from orderack.clients.http import NO_HEADERS, Clock, Http
from orderack.clients.oauth import SignedIn, Tokens, jwt_assertion

TOKEN = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - a path
SCOPE = "rest_webservices"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Login(Protocol):
    """Sends what it is given as one who may."""

    async def send(
        self, method: str, path: str, *, content: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> httpx.Response:
        """As `Http.send`."""
        ...

    async def aclose(self) -> None:
        """Close the connection pools."""
        ...


class Signed:
    """Token-based authentication. `nonce` is said once in each second."""

    def __init__(self, http: Http, url: str, keys: oauth1.Keys, nonce: Callable[[], str]) -> None:
        self._http = http
        self._url = url
        self._keys = keys
        self._nonce = nonce

    async def send(
        self, method: str, path: str, *, content: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> httpx.Response:
        """Sign and send."""
        signature = oauth1.authorization(
            self._keys, method, f"{self._url}{path}", nonce=self._nonce(), at=self._http.clock()
        )
        return await self._http.send(method, path, content=content, headers={**headers, "Authorization": signature})

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


def machine(
    http: Http, url: str, *, client_id: str, certificate_id: str, key_pem: str, setting: str, clock: Clock
) -> SignedIn:
    """OAuth 2.0 with client credentials: the certificate's key signs an assertion, once for each token."""

    def form() -> Mapping[str, str]:
        assertion = jwt_assertion(
            issuer=client_id,
            audience=f"{url}{TOKEN}",
            key_pem=key_pem,
            scope=SCOPE,
            clock=clock,
            algorithm="PS256",
            key_id=certificate_id,
        )
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion,
        }

    tokens = Tokens(Http(http.vendor, url, clock=clock), TOKEN, form, setting=setting, clock=clock)
    return SignedIn(http, tokens)
