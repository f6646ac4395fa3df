"""A task in Zoho CRM for the people who look after an order. Internal only: it never counts for the buyer.

Zoho knows no idempotency key: ours stands in a unique field that the customer's admin has made, and a second task with
it is refused with the first one's id. `trigger` is empty, so that no workflow rule of theirs writes to the buyer about
what we save (R202). Success and failure are said for each record inside a 200, 201, 202 or 207 (commerce.md §6).
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from orderack.channels._crm_task import id_in, is_urgent, task_due, task_key, task_subject, task_text
from orderack.clients.http import LONGEST_WAIT, BaseUrl, Clock, Http, utc_now
from orderack.clients.oauth import SignedIn, Tokens
from orderack.clients.wire import not_an_event, scrub
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, InDoubt, Misconfigured, OrderAckError, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_ZOHO_TASK_"
LOGIN = f"{_PREFIX}CLIENT_ID, {_PREFIX}CLIENT_SECRET, {_PREFIX}REFRESH_TOKEN"
TEXT_LIMIT = 32_000
"""Characters of a task's Description."""
SYSTEM = "zoho"
"""How an order names its id in Zoho (`external_ids[].system`)."""

NOT_NOW: Mapping[str, timedelta | None] = MappingProxyType(
    {
        "LIMIT_EXCEEDED": LONGEST_WAIT,
        "LIMIT_REACHED": LONGEST_WAIT,
        "RECORD_LOCKED": None,
        "TOO_MANY_REQUESTS": None,
    }
)
"""Credits are counted over 24 hours; a lock and too many at once pass."""
IN_DOUBT = frozenset({"INTERNAL_ERROR", "INTERNAL_SERVER_ERROR"})
OURS_TO_MEND = MappingProxyType(
    {
        "AUTHENTICATION_FAILURE": LOGIN,
        "DEPENDENT_FIELD_MISSING": f"which fields your layout of Tasks requires, beside those of {_PREFIX}…",
        "EXPECTED_FIELD_MISSING": f"which fields your layout of Tasks requires, beside those of {_PREFIX}…",
        "FEATURE_NOT_SUPPORTED": f"the edition of the account behind {_PREFIX}REFRESH_TOKEN",
        "INVALID_MODULE": f"whether the user of {_PREFIX}REFRESH_TOKEN may see Tasks",
        "INVALID_REQUEST_METHOD": f"{_PREFIX}BASE_URL",
        "INVALID_TOKEN": f"{LOGIN}, and that {_PREFIX}BASE_URL is of the same data centre",
        "INVALID_URL_PATTERN": f"{_PREFIX}BASE_URL",
        "MANDATORY_NOT_FOUND": f"which fields your layout of Tasks requires, beside those of {_PREFIX}…",
        "NO_PERMISSION": f"what the user of {_PREFIX}REFRESH_TOKEN may do",
        "OAUTH_SCOPE_MISMATCH": f"the scopes of {_PREFIX}REFRESH_TOKEN",
    }
)
"""Codes that no other message would fare better with, and where to look."""
REFUSED = MappingProxyType(
    {
        "DUPLICATE_DATA": Reason.OTHER,
        "INVALID_DATA": Reason.CONTENT,
        "NOT_APPROVED": Reason.BLOCKED,
        "RECORD_IN_BLUEPRINT": Reason.BLOCKED,
    }
)

_ID = re.compile(r"^\d{10,25}$")


class ZohoTaskSettings(BaseSettings):
    """`ORDERACK_ZOHO_TASK_…`"""

    model_config = settings_config(_PREFIX)

    client_id: str = Field(description="client id of the API console (1000.…)")
    client_secret: SecretStr = Field(description="client secret of the API console")
    refresh_token: SecretStr = Field(
        description="refresh token with the scopes ZohoCRM.modules.tasks.CREATE and ZohoCRM.org.READ"
    )
    key_field: str = Field(
        pattern=r"^[A-Za-z]\w{0,99}$", description="API name of the field of Tasks that holds our key: unique, 255 long"
    )
    owners: dict[str, str] = Field(default={}, description='user id by role, as JSON: {"ops": "4150868000000000001"}')
    default_owner: str | None = Field(default=None, description="user id for a role without one of its own")
    base_url: BaseUrl = Field(
        default="https://www.zohoapis.com", description="of your data centre: .eu, .in, .com.au …"
    )
    login_url: BaseUrl = Field(default="https://accounts.zoho.com", description="of the same data centre")


class _Twin(BaseModel):
    id: str = Field(pattern=_ID.pattern)


class _Details(BaseModel):
    id: str | None = None
    api_name: str | None = None
    duplicate_record: _Twin | None = None


class _Record(BaseModel):
    """What became of one record, or of the whole request."""

    code: str
    status: str
    details: _Details = _Details()


class _Saved(BaseModel):
    data: tuple[_Record, ...] = Field(min_length=1, max_length=1)


class _Company(BaseModel):
    company_name: str = Field(max_length=300)


class _Account(BaseModel):
    org: tuple[_Company, ...] = Field(min_length=1)


class ZohoTask:
    """One task for one message to one role."""

    name: ClassVar[str] = "zoho_task"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.RECORD,
        audience=Audience.INTERNAL,
        address="chat:zoho_task",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.KEY,
        max_length=TEXT_LIMIT,
        rate_per_second=5.0,
        needs_order=True,
    )

    def __init__(self, settings: ZohoTaskSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http("Zoho CRM", settings.base_url, clock=clock)
        login = Http("Zoho accounts", settings.login_url, clock=clock)
        where = f"{LOGIN} and {_PREFIX}LOGIN_URL (each data centre has its own)"
        tokens = Tokens(login, "/oauth/v2/token", self._form, setting=where, clock=clock)
        self._signed_in = SignedIn(self._http, tokens, scheme="Zoho-oauthtoken")

    def _form(self) -> Mapping[str, str]:
        return {
            "grant_type": "refresh_token",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
            "refresh_token": self._settings.refresh_token.get_secret_value(),
        }

    async def send(self, message: Message) -> Sent:
        """POST /crm/v8/Tasks with one record; the record's own status decides."""
        text = task_text(message)
        if len(text) > TEXT_LIMIT:
            raise Unsupported("max_length")
        body: JsonValue = {"data": [self._task(message, text)], "trigger": []}
        response = await self._signed_in.send(
            "POST",
            "/crm/v8/Tasks",
            content=json.dumps(body, separators=(",", ":"), sort_keys=True).encode(),
            headers={"Content-Type": "application/json"},
        )
        record = self._record(response)
        if response.is_success and record.status == "success":
            if not _ID.match(record.details.id or ""):
                raise InDoubt("Zoho answered success without a task's id")
            return Sent(provider_id=record.details.id)
        if record.code == "DUPLICATE_DATA" and record.details.api_name == self._settings.key_field:
            return self._there_already(record.details)
        raise self._refusal(response, record)

    def _record(self, response: httpx.Response) -> _Record:
        """What is said of our one record, else of the request. A success that says nothing raises InDoubt."""
        try:
            return _Saved.model_validate_json(response.content).data[0]
        except ValidationError:
            pass
        try:
            return _Record.model_validate_json(response.content)
        except ValidationError:
            if response.is_success:
                raise InDoubt(f"Zoho answered {response.status_code} with a body that says nothing") from None
            return _Record(code="", status="error")

    def _there_already(self, details: _Details) -> Sent:
        twin = details.duplicate_record.id if details.duplicate_record else details.id
        return Sent(provider_id=twin if _ID.match(twin or "") else None, detail="it was there already")

    def _task(self, message: Message, text: str) -> dict[str, JsonValue]:
        own, due, about = self._settings, task_due(message.order), id_in(SYSTEM, message.order)
        owner = own.owners.get(message.recipient) or own.default_owner
        task: dict[str, JsonValue] = {
            own.key_field: task_key(message),
            "Subject": task_subject(message),
            "Description": text,
        }
        if is_urgent(message):
            task["Priority"] = "High"
        if due:
            task["Due_Date"] = due.isoformat()
        if owner:
            task["Owner"] = {"id": owner}
        if about and _ID.match(about):
            task |= {"What_Id": {"id": about}, "$se_module": "Sales_Orders"}
        return task

    def _refusal(self, response: httpx.Response, record: _Record) -> OrderAckError:
        code = scrub(record.code)
        if code in NOT_NOW:
            return Unavailable(f"Zoho CRM cannot take it now ({code})", NOT_NOW[code])
        if code in IN_DOUBT:
            return InDoubt(f"Zoho CRM leaves it open ({code})")
        from_settings = {
            "Owner": f"{_PREFIX}OWNERS, {_PREFIX}DEFAULT_OWNER",
            self._settings.key_field: f"{_PREFIX}KEY_FIELD",
        }
        where = from_settings.get(record.details.api_name or "") or OURS_TO_MEND.get(code)
        if where is not None:
            return Misconfigured(f"Zoho CRM answered {code}: check {where}")
        if not response.is_success:
            self._http.ours_to_mend(response, f"{LOGIN} and {_PREFIX}BASE_URL")
        said = f"{response.status_code} {code}".strip()
        return Refused(f"Zoho CRM refused the task ({said})", REFUSED.get(code, Reason.OTHER), said)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Not needed: the key is known for ever, so sending again settles it."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """Zoho posts nothing to us."""
        raise BadSignature("Zoho CRM posts no events of these tasks")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """None: see `verify`."""
        raise not_an_event("body", "Zoho CRM posts no events of these tasks", "register no webhook for them")

    async def check(self) -> str:
        """GET /crm/v8/org: whose account we are let into."""
        response = await self._signed_in.send("GET", "/crm/v8/org")
        if not response.is_success:
            raise self._refusal(response, self._record(response))
        try:
            account = self._http.read(_Account, response)
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        return f"signed in to Zoho CRM of {scrub(account.org[0].company_name)}"

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._signed_in.aclose()


CHANNEL: ChannelSpec = ChannelSpec(
    description="Tasks in Zoho CRM for the people who look after an order (internal)",
    obtain=(
        "Zoho API console: a server-based client and its refresh token, in the account's own data centre; the field: "
        "Setup > Modules and Fields > Tasks, single line, no duplicates; its API name: Setup > Developer Hub > APIs"
    ),
    settings=ZohoTaskSettings,
    make=lambda: ZohoTask(ZohoTaskSettings()),
    adapter=ZohoTask,
    traps=(
        "A workflow rule on Sales Orders that mails the buyer runs on every save: our tasks start none, but a rule "
        "that sends its own confirmation would still tell the buyer twice.",
        "Client, refresh token and both addresses belong to one data centre (.com, .eu, .in …); of another one Zoho "
        "says only that the client is invalid.",
        "A refresh token gives ten access tokens in ten minutes and keeps fifteen alive, the sixteenth ends the first: "
        "more workers than that need another refresh token.",
        "The key's field must allow no duplicate values: without that a doubt may end in two tasks.",
    ),
)
