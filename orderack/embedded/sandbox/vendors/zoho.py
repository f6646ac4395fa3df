"""One Zoho CRM account: its sign-in by refresh token, tasks that say for each what became of it, and deals."""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import date
from hmac import compare_digest
from types import MappingProxyType
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Handler, LookAlike, ShopDeed
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._zoho_answers import said, whole
from orderack.embedded.sandbox.vendors._zoho_deals import SOURCE, ZohoDeals

KEY_FIELD = "OrderAck_Key"
"""The unique field that the account's admin has made on Tasks."""
OWNER = "4150868000000225001"
TEXTS: Mapping[str, int] = MappingProxyType({"Subject": 255, "Description": 32_000, "Priority": 255, KEY_FIELD: 255})
LOOKUPS = ("Owner", "What_Id")
STATUSES: Mapping[str, int] = MappingProxyType(
    {"INVALID_TOKEN": 401, "OAUTH_SCOPE_MISMATCH": 401, "NO_PERMISSION": 403, "INVALID_MODULE": 400}
)
"""Codes that are said of the whole request."""
_ID = re.compile(r"^\d{10,25}$")


class Tasks(BaseModel):
    model_config = ConfigDict(extra="forbid")

    data: list[dict[str, JsonValue]]
    trigger: list[str] | None = None
    """None: every workflow rule runs."""


class Zoho(LookAlike):
    """A 202 may well be a failure, and a second task with one key is refused with the first one's id."""

    target: ClassVar[Target] = Target.ZOHO
    source: ClassVar[str] = SOURCE

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._deals = ZohoDeals(self)
        self._login = {
            "client_id": f"1000.{secrets.token_hex(15).upper()}",
            "client_secret": secrets.token_hex(21),
            "refresh_token": f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}",
        }
        self._tokens: set[str] = set()
        self._tasks: dict[str, str] = {}

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/oauth/v2/token", self._token, methods=["POST"]),
            Route("/crm/v8/Tasks", self.endpoint(Operation.SEND, self._create), methods=["POST"]),
            Route("/crm/v8/org", self.endpoint(Operation.LOOKUP, self._org), methods=["GET"]),
            *self._deals.routes(self._let_in),
        )

    def connection(self, url: str) -> Mapping[str, str]:
        return {**self._login, "base_url": url, "login_url": url, **self._deals.connection()}

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        return self._deals.shop(deed, order)

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            **{f"ORDERACK_ZOHO_TASK_{name.upper()}": value for name, value in self._login.items()},
            "ORDERACK_ZOHO_TASK_KEY_FIELD": KEY_FIELD,
            "ORDERACK_ZOHO_TASK_OWNERS": f'{{"ops": "{OWNER}"}}',
            "ORDERACK_ZOHO_TASK_BASE_URL": url,
            "ORDERACK_ZOHO_TASK_LOGIN_URL": url,
        }

    def expire(self) -> None:
        """End every access token, as the sixteenth ends the first."""
        self._tokens.clear()

    def refused(self, code: str | None) -> Response:
        """A code of the API: of the request, or of its one record."""
        code = code or "INVALID_DATA"
        return whole(code, STATUSES[code]) if code in STATUSES else said(code, {"api_name": "Subject"})

    def throttled(self, retry_after: int) -> Response:
        answer = whole("TOO_MANY_REQUESTS", 429)
        answer.headers["Retry-After"] = str(retry_after)
        return answer

    def failed(self, status: int) -> Response:
        return whole("INTERNAL_ERROR", status)

    def too_large(self) -> Response:
        return whole("INVALID_DATA", 413)

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        if form.get("grant_type") != "refresh_token":
            return JSONResponse({"error": "unsupported_grant_type"})
        for name, right in self._login.items():
            if not compare_digest(right.encode(), str(form.get(name, "")).encode()):
                # a refusal inside HTTP 200, as Zoho has it
                return JSONResponse({"error": "invalid_code" if name == "refresh_token" else "invalid_client"})
        token = f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"
        self._tokens.add(token)
        return JSONResponse({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    def _known(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme == "Zoho-oauthtoken" and token in self._tokens

    def _let_in(self, handler: Handler) -> Handler:
        async def answer(request: Request, plan: Plan) -> Response:
            return await handler(request, plan) if self._known(request) else whole("INVALID_TOKEN", 401)

        return answer

    async def _org(self, request: Request, plan: Plan) -> Response:
        if not self._known(request):
            return whole("INVALID_TOKEN", 401)
        return JSONResponse({"org": [{"company_name": "Fjordlight", "zgid": "763257580"}]})

    async def _create(self, request: Request, plan: Plan) -> Response:
        if not self._known(request):
            return whole("INVALID_TOKEN", 401)
        try:
            tasks = Tasks.model_validate_json(await request.body())
        except ValidationError:
            return whole("INVALID_DATA", 400)
        if len(tasks.data) != 1:
            return whole("INVALID_DATA", 400)
        (task,) = tasks.data
        if (wrong := wrong_with(task)) is not None:
            code, field = wrong
            return said(code, {"api_name": field})
        return self._save(task, tasks.trigger, plan)

    def _save(self, task: Mapping[str, JsonValue], trigger: list[str] | None, plan: Plan) -> Response:
        key = str(task.get(KEY_FIELD, ""))
        known = self._tasks.get(key.casefold()) if key else None
        task_id = known or f"4150868{secrets.randbelow(10**12):012d}"
        owner = task.get("Owner")
        recipient = str(owner["id"]) if isinstance(owner, dict) else "integration user"
        named = key.rpartition("~")[0] or key or None
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=task_id,
            recipient=recipient,
            key=named,
            idempotency_key=key or None,
            repeated=known is not None,
            faults=plan.actions,
        )
        if known is not None:
            return said("DUPLICATE_DATA", {"api_name": KEY_FIELD, "duplicate_record": {"id": known, "module": "Tasks"}})
        self._tasks[key.casefold() or task_id] = task_id
        rules = "" if trigger == [] else "\n\nWorkflow rules ran on this record."
        self.state.outbox.put(
            self.target,
            recipient=recipient,
            provider_id=task_id,
            subject=str(task.get("Subject", "")),
            text=f"{task.get('Description', '')}{rules}",
            key=named,
        )
        details: dict[str, JsonValue] = {"id": task_id, "Created_Time": "2026-11-21T09:30:00+00:00"}
        return said("SUCCESS", details, status=201)


def wrong_with(task: Mapping[str, JsonValue]) -> tuple[str, str] | None:
    """The code and the field of the first thing that Zoho would refuse in a task."""
    if not task.get("Subject"):
        return "MANDATORY_NOT_FOUND", "Subject"
    for name, longest in TEXTS.items():
        value = task.get(name, "")
        if not isinstance(value, str) or len(value) > longest:
            return "INVALID_DATA", name
    for name in LOOKUPS:
        value = task.get(name, {"id": OWNER})
        if not isinstance(value, dict) or not _ID.match(str(value.get("id"))):
            return "INVALID_DATA", name
    if "What_Id" in task and "$se_module" not in task:
        return "DEPENDENT_FIELD_MISSING", "$se_module"
    return None if _is_date(task.get("Due_Date")) else ("INVALID_DATA", "Due_Date")


def _is_date(value: JsonValue) -> bool:
    try:
        return value is None or bool(date.fromisoformat(str(value)))
    except ValueError:
        return False


LOOK_ALIKE = Zoho
