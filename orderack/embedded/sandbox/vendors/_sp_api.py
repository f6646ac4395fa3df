"""What every look-alike of Amazon's Selling Partner API has: Login with Amazon, its token, its words for no."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hmac import compare_digest
from urllib.parse import parse_qs

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.state import SandboxState

Tree = dict[str, JsonValue]


class SellingPartnerApi(LookAlike):
    """One application that one account has authorised."""

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._client = f"amzn1.application-oa2-client.{secrets.token_hex(16)}"
        self._secret = f"amzn1.oa2-cs.v1.{secrets.token_hex(24)}"
        self._refresh = f"Atzr|{secrets.token_urlsafe(32)}"
        self._access = f"Atza|{secrets.token_urlsafe(32)}"

    def routes(self) -> Sequence[BaseRoute]:
        return (Route("/auth/o2/token", self._sign_in, methods=["POST"]),)

    def connection(self, url: str) -> Mapping[str, str]:
        return {
            "client_id": self._client,
            "client_secret": self._secret,
            "refresh_token": self._refresh,
            "base_url": url,
            "login_url": url,
        }

    def refused(self, code: str | None) -> Response:
        return problem(400, code or "InvalidInput", "Invalid input")

    def throttled(self, retry_after: int) -> Response:
        answer = problem(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")
        answer.headers["x-amzn-RateLimit-Limit"] = str(1 / max(retry_after, 1))
        return answer

    def failed(self, status: int) -> Response:
        return problem(status, "InternalFailure", "We encountered an internal error. Please try again.")

    def too_large(self) -> Response:
        return problem(413, "RequestEntityTooLarge", "The request size exceeded the maximum accepted size")

    async def _sign_in(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        right = compare_digest(form.get("client_secret", "").encode(), self._secret.encode())
        if form.get("client_id") != self._client or not right:
            return JSONResponse({"error": "invalid_client"}, 401)
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self._refresh:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": self._access, "token_type": "bearer", "expires_in": 3600})

    def stranger(self, request: Request) -> Response | None:
        """Amazon's 403, for a token that is none and for one that has expired alike."""
        given = request.headers.get("x-amz-access-token", "")
        if compare_digest(given.encode(), self._access.encode()):
            return None
        return problem(403, "Unauthorized", "Access to requested resource is denied.")


def problem(status: int, code: str, message: str) -> Response:
    """In Amazon's form."""
    return JSONResponse({"errors": [{"code": code, "message": message, "details": ""}]}, status)


def money(value: Decimal, currency: str) -> Tree:
    return {"amount": f"{value.normalize():f}", "currencyCode": currency}


def written(at: datetime) -> str:
    """Amazon's clock shows seconds."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def moment(text: str | None) -> datetime | None:
    """A time in the query; None where it is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
