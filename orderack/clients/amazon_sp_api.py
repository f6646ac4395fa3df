"""Amazon's Selling Partner API: signed in by Login with Amazon, within its rates, its errors as our fates.

A token stands in `x-amz-access-token` and lives an hour. One that has expired is answered 403, as a missing role is
(Selling Partner API, "Connecting" and the usage plans; commerce.md §16), so a 403 is tried once more with a new token.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

import httpx
from pydantic import BaseModel, Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, Http, utc_now
from orderack.clients.oauth import Tokens
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import scrub
from orderack.errors import Misconfigured, Refused

M = TypeVar("M", bound=BaseModel)
Party = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,2000}$")]
ENDPOINTS: Mapping[str, str] = MappingProxyType(
    {
        "na": "https://sellingpartnerapi-na.amazon.com",
        "eu": "https://sellingpartnerapi-eu.amazon.com",
        "fe": "https://sellingpartnerapi-fe.amazon.com",
    }
)
LOGIN = "https://api.amazon.com"
_NO_TOKEN = frozenset({401, 403})


class SellingPartnerLogin(BaseSettings):
    """What every account at the Selling Partner API is signed in with."""

    client_id: Party = Field(description="the application's LWA client id (amzn1.application-oa2-client.…)")
    client_secret: SecretStr = Field(description="the application's LWA client secret")
    refresh_token: SecretStr = Field(description="the refresh token (Atzr|…) that authorising the application gave")
    region: Literal["na", "eu", "fe"] = Field(
        default="na", description="na (the Americas), eu (Europe, India, Middle East) or fe (Japan, Australia, SG)"
    )
    base_url: SecureUrl | None = Field(default=None, description="another endpoint than the region's, or the sandbox")
    login_url: SecureUrl = Field(default=LOGIN, description="where Login with Amazon answers; the sandbox's in tests")


class _Error(BaseModel):
    code: str = ""
    message: str = ""


class _Errors(BaseModel):
    errors: list[_Error] = []


class SellingPartner:
    """One account's requests."""

    def __init__(self, settings: SellingPartnerLogin, prefix: str, *, clock: Clock = utc_now) -> None:
        base = settings.base_url or ENDPOINTS[settings.region]
        self.login = f"{prefix}CLIENT_ID, {prefix}CLIENT_SECRET and {prefix}REFRESH_TOKEN"
        self.reads = Http("Amazon", base, repeatable=True, clock=clock, own_wait=_rate)
        self.writes = Http("Amazon", base, clock=clock, own_wait=_rate)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": settings.refresh_token.get_secret_value(),
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
        }
        at_login = Http("Login with Amazon", settings.login_url, repeatable=True, clock=clock)
        self.tokens = Tokens(at_login, "/auth/o2/token", lambda: form, setting=self.login, clock=clock)

    async def get(self, model: type[M], path: str) -> M | None:
        """What lies there; None: nothing does (404).

        Raises Unavailable, Misconfigured, and Refused with Amazon's code where the request itself is wrong.
        """
        response = await self._sent(self.reads, "GET", path, None)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        self._check(self.reads, response)
        return self.reads.read(model, response)

    async def post(self, model: type[M], path: str, content: bytes) -> M:
        """What it is answered. Raises the four fates, or InDoubt where it may have been taken."""
        response = await self._sent(self.writes, "POST", path, content)
        self._check(self.writes, response)
        return self.writes.read(model, response)

    async def _sent(self, http: Http, method: str, path: str, content: bytes | None) -> httpx.Response:
        token = await self.tokens.bearer()
        response = await self._once(token, http, method, path, content)
        if response.status_code not in _NO_TOKEN:
            return response
        self.tokens.forget(token)  # and not one that another request has fetched meanwhile
        return await self._once(await self.tokens.bearer(), http, method, path, content)

    async def _once(self, token: str, http: Http, method: str, path: str, content: bytes | None) -> httpx.Response:
        headers = {"x-amz-access-token": token, "Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        return await http.send(method, path, content=content, headers=headers)

    def _check(self, http: Http, response: httpx.Response) -> None:
        if response.is_success:
            return
        status = response.status_code
        if status in _NO_TOKEN:
            raise Misconfigured(f"Amazon answered {status}: check {self.login}, and the roles of the application")
        error = _error(response)
        if status in {400, 404, 413, 415, 422}:
            raise Refused(f"Amazon answered {status} {scrub(error.code)}: {scrub(error.message)}", code=error.code)
        http.ours_to_mend(response, f"{self.login}, and the region")
        raise Refused(f"Amazon answered {status}", code=str(status))

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self.tokens.aclose()
        await self.reads.aclose()
        await self.writes.aclose()


def _error(response: httpx.Response) -> _Error:
    try:
        found = _Errors.model_validate_json(response.content).errors
    except ValidationError:
        found = []
    return found[0] if found else _Error()


def _rate(response: httpx.Response) -> timedelta | None:
    """How long one request more takes to become free: `x-amzn-RateLimit-Limit` is in requests a second."""
    try:
        rate = float(response.headers.get("x-amzn-ratelimit-limit", ""))
    except ValueError:
        return None
    return timedelta(seconds=min(1 / rate, 3600)) if rate > 0 else None
