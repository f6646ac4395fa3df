"""Salesforce's REST API: signing in at the customer's My Domain, and what its error codes mean.

The token answer names an `instance_url`; it is not followed, for every request goes to the domain that was set, and no
answer may send us elsewhere. A spent daily allowance is a 403, not a 429 (commerce.md §3), without Retry-After.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Self

import httpx
from pydantic import (
    BaseModel,
    Field,
    JsonValue,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings

from orderack.clients.http import LONGEST_WAIT, BaseUrl, Clock, Http
from orderack.clients.oauth import SignedIn, Tokens, jwt_assertion, rsa_key
from orderack.clients.wire import scrub
from orderack.domain.acknowledgement import Reason
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Refused, Unavailable

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

NOT_NOW: Mapping[str, timedelta | None] = MappingProxyType(
    {
        "LIMIT_EXCEEDED": LONGEST_WAIT,
        "MASS_MAIL_LIMIT_EXCEEDED": LONGEST_WAIT,
        "REQUEST_LIMIT_EXCEEDED": LONGEST_WAIT,
        "SERVER_UNAVAILABLE": None,
        "SINGLE_EMAIL_LIMIT_EXCEEDED": LONGEST_WAIT,
        "UNABLE_TO_LOCK_ROW": None,
    }
)
"""Not done; the allowances are counted over 24 hours."""
IN_DOUBT = frozenset({"UNKNOWN_EXCEPTION"})
OURS_TO_MEND = MappingProxyType(
    {
        "API_CURRENTLY_DISABLED": "whether the API is enabled for the account behind {prefix}CLIENT_ID",
        "API_DISABLED_FOR_ORG": "whether the edition of the account behind {prefix}CLIENT_ID has the API",
        "FUNCTIONALITY_NOT_ENABLED": "the permissions of the user that {prefix}CLIENT_ID runs as",
        "INACTIVE_OWNER_OR_USER": "{prefix}OWNERS and {prefix}DEFAULT_OWNER",
        "INSUFFICIENT_ACCESS": "the permissions of the user that {prefix}CLIENT_ID runs as",
        "INSUFFICIENT_ACCESS_OR_READONLY": "the permissions of the user that {prefix}CLIENT_ID runs as",
        "INVALID_FIELD": "the field names in {prefix}… and whether the user may see them",
        "INVALID_FIELD_FOR_INSERT_UPDATE": "the field names in {prefix}… and whether the user may write them",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "the picklists of what {prefix}… makes (Priority: High)",
        "INVALID_SESSION_ID": "{prefix}CLIENT_ID and what belongs to it",
        "INVALID_TYPE": "{prefix}API_VERSION and the user's permissions",
        "NOT_FOUND": "the field names in {prefix}…, {prefix}API_VERSION and {prefix}BASE_URL",
        "NO_MASS_MAIL_PERMISSION": "the permissions of the user that {prefix}CLIENT_ID runs as",
        "ORG_LOCKED": "the account behind {prefix}CLIENT_ID",
        "REQUIRED_FIELD_MISSING": "which fields your Salesforce requires of the records that {prefix}… makes",
        "STORAGE_LIMIT_EXCEEDED": "the storage of the account behind {prefix}CLIENT_ID",
        "UNSUPPORTED_API_VERSION": "{prefix}API_VERSION",
    }
)
"""Codes that no other message would fare better with, and where to look."""
REFUSED = MappingProxyType(
    {
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Reason.OTHER,
        "ENTITY_IS_DELETED": Reason.OTHER,
        "FIELD_CUSTOM_VALIDATION_EXCEPTION": Reason.CONTENT,
        "FIELD_FILTER_VALIDATION_EXCEPTION": Reason.CONTENT,
        "FIELD_INTEGRITY_EXCEPTION": Reason.CONTENT,
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": Reason.OTHER,
        "INVALID_CROSS_REFERENCE_KEY": Reason.OTHER,
        "INVALID_EMAIL_ADDRESS": Reason.BAD_RECIPIENT,
        "JSON_PARSER_ERROR": Reason.CONTENT,
        "MALFORMED_ID": Reason.OTHER,
        "STRING_TOO_LONG": Reason.TOO_LONG,
    }
)
FROM_SETTINGS = frozenset({"OwnerId"})
"""A code about one of these fields is about our settings, whatever the code."""


class SalesforceSettings(BaseSettings):
    """What every channel to Salesforce needs. One of two logins: a client secret, or a user and a private key."""

    base_url: BaseUrl = Field(description="your My Domain, https://<name>.my.salesforce.com")
    client_id: str = Field(description="consumer key of the connected (or external client) app")
    client_secret: SecretStr | None = Field(
        default=None, description="consumer secret, for the client credentials flow"
    )
    username: str | None = Field(default=None, description="user that the app acts for, for the JWT bearer flow")
    private_key: SecretStr | None = Field(
        default=None, description="RSA private key in PEM whose certificate the app has, for the JWT bearer flow"
    )
    audience: BaseUrl = Field(
        default="https://login.salesforce.com", description="https://test.salesforce.com for a Salesforce sandbox (JWT)"
    )
    api_version: str = Field(default="v65.0", pattern=r"^v\d{2,3}\.0$", description="version of the REST API")

    @field_validator("private_key")
    @classmethod
    def _is_a_key(cls, secret: SecretStr | None) -> SecretStr | None:
        return None if secret is None else rsa_key(secret)

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.client_secret is None) == (self.username is None or self.private_key is None):
            prefix = self.model_config.get("env_prefix", "")
            raise ValueError(f"set either {prefix}CLIENT_SECRET, or {prefix}USERNAME and {prefix}PRIVATE_KEY")
        return self


class _Detail(BaseModel):
    status_code: str = Field(default="", alias="statusCode")
    message: str = ""
    fields: tuple[str, ...] | None = None


class _Failure(BaseModel):
    """One item of an error's array: of the API itself, or of an action or an upsert with its own list."""

    error_code: str = Field(default="", alias="errorCode")
    message: str = ""
    fields: tuple[str, ...] | None = None
    errors: tuple[_Detail, ...] | None = None


class Problem(BaseModel):
    """The first thing that Salesforce says is wrong."""

    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()


class _Allowance(BaseModel):
    most: int = Field(alias="Max")
    left: int = Field(alias="Remaining")


class _Limits(BaseModel):
    requests: _Allowance = Field(alias="DailyApiRequests")


_FAILURES: TypeAdapter[tuple[_Failure, ...]] = TypeAdapter(tuple[_Failure, ...])


class Salesforce:
    """One account, for one channel or one connection."""

    def __init__(self, settings: SalesforceSettings, clock: Clock, prefix: str | None = None) -> None:
        """`prefix`: of the settings, where it is not the class's own."""
        self._settings = settings
        self._clock = clock
        self._prefix = str(settings.model_config.get("env_prefix", "")) if prefix is None else prefix
        self.http = Http("Salesforce", settings.base_url, clock=clock)
        login = "CLIENT_SECRET" if settings.client_secret else "USERNAME, {}PRIVATE_KEY, {}AUDIENCE"
        self._setting = f"{self._prefix}CLIENT_ID, {self._prefix}{login.format(self._prefix, self._prefix)}"
        tokens = Tokens(
            Http("Salesforce", settings.base_url, clock=clock),
            "/services/oauth2/token",
            self._form,
            setting=f"{self._setting} and {self._prefix}BASE_URL",
            clock=clock,
        )
        self._signed_in = SignedIn(self.http, tokens)

    def __repr__(self) -> str:
        return "Salesforce()"

    def _form(self) -> Mapping[str, str]:
        own = self._settings
        if own.client_secret is not None:
            secret = own.client_secret.get_secret_value()
            return {"grant_type": "client_credentials", "client_id": own.client_id, "client_secret": secret}
        key = own.private_key.get_secret_value() if own.private_key else ""
        assertion = jwt_assertion(
            issuer=own.client_id, subject=own.username, audience=own.audience, key_pem=key, clock=self._clock
        )
        return {"grant_type": JWT_BEARER, "assertion": assertion}

    async def send(self, method: str, path: str, body: JsonValue = None) -> httpx.Response:
        """One request below `/services/data/<version>`; raises as `SignedIn.send`."""
        content = None if body is None else json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        path = f"/services/data/{self._settings.api_version}{path}"
        return await self._signed_in.send(method, path, content=content, headers=headers)

    def refusal(self, response: httpx.Response) -> OrderAckError:
        """What an answer that is no success means."""
        problem = first_problem(response)
        fate = self._fate(problem)
        if fate is not None:
            return fate
        self.http.ours_to_mend(response, f"{self._setting} and {self._prefix}BASE_URL")
        code = f"{response.status_code} {problem.code}".strip()
        return Refused(f"Salesforce refused it ({code})", REFUSED.get(problem.code, Reason.OTHER), code)

    def _fate(self, problem: Problem) -> OrderAckError | None:
        code = problem.code
        if code in NOT_NOW:
            return Unavailable(f"Salesforce cannot take it now ({code})", NOT_NOW[code])
        if code in IN_DOUBT:
            return InDoubt(f"Salesforce leaves it open ({code})")
        wrong = [field for field in problem.fields if field in FROM_SETTINGS]
        where = OURS_TO_MEND["INACTIVE_OWNER_OR_USER"] if wrong else OURS_TO_MEND.get(code)
        if where is not None:
            return Misconfigured(f"Salesforce answered {code}: check {where.format(prefix=self._prefix)}")
        return None

    async def check(self) -> str:
        """GET /limits: whether we are let in, and how much of the day's allowance is left."""
        response = await self.send("GET", "/limits")
        if not response.is_success:
            raise self.refusal(response)
        try:
            left = self.http.read(_Limits, response).requests
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        return f"signed in to Salesforce; {left.left} of {left.most} API requests are left of the last 24 hours"

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._signed_in.aclose()


def first_problem(response: httpx.Response) -> Problem:
    """The first error of the array (or of the one object) in the body; an empty one when there is none to read."""
    try:
        failures = _FAILURES.validate_json(response.content)
    except ValidationError:
        try:
            failures = (_Failure.model_validate_json(response.content),)
        except ValidationError:
            return Problem()
    for failure in failures:
        if failure.error_code:
            return Problem(code=scrub(failure.error_code), message=failure.message, fields=failure.fields or ())
        for detail in failure.errors or ():
            return Problem(code=scrub(detail.status_code), message=detail.message, fields=detail.fields or ())
    return Problem()
