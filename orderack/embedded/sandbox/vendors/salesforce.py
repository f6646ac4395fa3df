"""One Salesforce account: its sign-in, tasks upserted by a key of the customer's, Send Email, opportunities."""

import re
import secrets
import string
from collections.abc import Mapping, Sequence
from datetime import date
from hmac import compare_digest
from types import MappingProxyType
from typing import ClassVar

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Handler, LookAlike, ShopDeed
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._salesforce_deals import SOURCE, SalesforceDeals

DATA = "/services/data/v{version:int}.0"
KEY_FIELD = "OrderAck_Key__c"
"""The field that the account's admin has made on Activity."""
SENDER = "orders@shop.example.com"
OWNER = "005000000000001AAA"
ALLOWANCE = 15_000
LONGEST: Mapping[str, int] = MappingProxyType({"Subject": 255, "Description": 32_000, "Priority": 255, "Status": 255})
STATUSES: Mapping[str, int] = MappingProxyType(
    {"REQUEST_LIMIT_EXCEEDED": 403, "INVALID_SESSION_ID": 401, "NOT_FOUND": 404, "INSUFFICIENT_ACCESS": 403}
)
_ID = re.compile(r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$")
_FIELDS: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class Mail(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    emailAddresses: str
    emailSubject: str
    emailBody: str
    sendRichBody: bool = False
    senderType: str = "CurrentUser"
    senderAddress: str | None = None


class Mails(BaseModel):
    inputs: list[Mail] = Field(min_length=1)


class Salesforce(LookAlike):
    """The answers are the REST API's: errors as an array, a spent allowance as a 403."""

    target: ClassVar[Target] = Target.SALESFORCE
    source: ClassVar[str] = SOURCE

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._deals = SalesforceDeals(self)
        self._client_id = f"3MVG9{secrets.token_urlsafe(48)}"
        self._client_secret = secrets.token_hex(32).upper()
        self._tokens: set[str] = set()
        self._tasks: dict[str, str] = {}
        self._asked = 0

    def routes(self) -> Sequence[BaseRoute]:
        task = self.endpoint(Operation.SEND, self._task)
        return (
            Route("/services/oauth2/token", self._token, methods=["POST"]),
            Route(f"{DATA}/sobjects/Task/{{field}}/{{value:path}}", task, methods=["PATCH"]),
            Route(f"{DATA}/actions/standard/emailSimple", self.endpoint(Operation.SEND, self._mail), methods=["POST"]),
            Route(f"{DATA}/limits", self.endpoint(Operation.LOOKUP, self._limits), methods=["GET"]),
            *self._deals.routes(DATA, self._let_in),
        )

    def connection(self, url: str) -> Mapping[str, str]:
        return {
            "base_url": url,
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            **self._deals.connection(),
        }

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        return self._deals.shop(deed, order)

    def environment(self, url: str) -> Mapping[str, str]:
        login = {"BASE_URL": url, "CLIENT_ID": self._client_id, "CLIENT_SECRET": self._client_secret}
        channels = ("ORDERACK_SALESFORCE_TASK_", "ORDERACK_SALESFORCE_EMAIL_")
        return {
            **{f"{prefix}{name}": value for prefix in channels for name, value in login.items()},
            "ORDERACK_SALESFORCE_TASK_EXTERNAL_ID_FIELD": KEY_FIELD,
            "ORDERACK_SALESFORCE_TASK_OWNERS": f'{{"ops": "{OWNER}"}}',
            "ORDERACK_SALESFORCE_EMAIL_SENDER": SENDER,
        }

    def expire(self) -> None:
        """End every session, as an administrator can."""
        self._tokens.clear()

    def refused(self, code: str | None) -> Response:
        """An error code of the REST API."""
        return _error(code or "INVALID_EMAIL_ADDRESS", "refused")

    def throttled(self, retry_after: int) -> Response:
        """Salesforce has no 429, and does not say when to come back."""
        return _error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    def failed(self, status: int) -> Response:
        return _error("UNKNOWN_EXCEPTION", "An unexpected error occurred.", status=status)

    def too_large(self) -> Response:
        return _error("REQUEST_TOO_LARGE", "The request is too large.", status=413)

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        if form.get("grant_type") != "client_credentials":
            return _oauth_error("unsupported_grant_type", "grant type not supported")
        known = zip((self._client_id, self._client_secret), ("client_id", "client_secret"), strict=True)
        if not all(compare_digest(right.encode(), str(form.get(name, "")).encode()) for right, name in known):
            return _oauth_error("invalid_client", "invalid client credentials")
        token = f"00Dxx0000000001!{secrets.token_urlsafe(60)}"
        self._tokens.add(token)
        issued = {"access_token": token, "token_type": "Bearer", "scope": "api", "issued_at": "1795253400000"}
        # no expires_in, and an address that nobody should believe
        return JSONResponse(
            issued | {"instance_url": "https://elsewhere.invalid", "id": "https://elsewhere.invalid/id"}
        )

    def _known(self, request: Request) -> bool:
        self._asked += 1
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme == "Bearer" and token in self._tokens

    def _let_in(self, handler: Handler) -> Handler:
        async def answer(request: Request, plan: Plan) -> Response:
            return await handler(request, plan) if self._known(request) else _stranger()

        return answer

    async def _limits(self, request: Request, plan: Plan) -> Response:
        if not self._known(request):
            return _stranger()
        return JSONResponse({"DailyApiRequests": {"Max": ALLOWANCE, "Remaining": ALLOWANCE - self._asked}})

    async def _task(self, request: Request, plan: Plan) -> Response:
        if not self._known(request):
            return _stranger()
        if request.path_params["field"] != KEY_FIELD:
            return _error("NOT_FOUND", "Provided external ID field does not exist or is not accessible")
        key = request.path_params["value"]
        try:
            fields = _FIELDS.validate_json(await request.body())
        except ValidationError:
            return _error("JSON_PARSER_ERROR", "Unexpected character")
        if (wrong := wrong_with(fields, key)) is not None:
            code, message, field = wrong
            return _error(code, message, field)
        known = self._tasks.get(key)
        task = known or "00T" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(15))
        self._tasks[key] = task
        self._record(fields, key, task, plan, repeated=known is not None)
        body = {"id": task, "success": True, "errors": [], "created": known is None}
        return JSONResponse(body, status_code=200 if known else 201)

    def _record(self, fields: Mapping[str, JsonValue], key: str, task: str, plan: Plan, *, repeated: bool) -> None:
        owner = str(fields.get("OwnerId", "integration user"))
        named = key.rpartition("~")[0] or key
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=task,
            recipient=owner,
            key=named,
            idempotency_key=key,
            repeated=repeated,
            faults=plan.actions,
        )
        if not repeated:
            self.state.outbox.put(
                self.target,
                recipient=owner,
                provider_id=task,
                subject=str(fields.get("Subject", "")),
                text=str(fields.get("Description", "")),
                key=named,
            )

    async def _mail(self, request: Request, plan: Plan) -> Response:
        if not self._known(request):
            return _stranger()
        try:
            mails = Mails.model_validate_json(await request.body()).inputs
        except ValidationError as error:
            return _error("INVALID_ARGUMENT_TYPE", ".".join(map(str, error.errors()[0]["loc"])))
        failures = [failure for mail in mails if (failure := _wrong_mail(mail))]
        if failures:
            return JSONResponse([_action([failure]) for failure in failures], status_code=400)
        for mail in mails:
            self._deliver(mail, plan)
        return JSONResponse([_action(None) for _ in mails])

    def _deliver(self, mail: Mail, plan: Plan) -> None:
        mail_id = f"mail-{secrets.token_hex(8)}"
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=mail_id, recipient=mail.emailAddresses, faults=plan.actions
        )
        self.state.outbox.put(
            self.target,
            recipient=mail.emailAddresses,
            sender=mail.senderAddress or "",
            provider_id=mail_id,
            subject=mail.emailSubject,
            text="" if mail.sendRichBody else mail.emailBody,
            html=mail.emailBody if mail.sendRichBody else None,
        )


def wrong_with(fields: Mapping[str, JsonValue], key: str) -> tuple[str, str, str | None] | None:
    """The code, the sentence and the field of the first thing that Salesforce would refuse in a task."""
    writable = {*LONGEST, "ActivityDate", "WhatId", "WhoId", "OwnerId"}
    unknown = [name for name in fields if name not in writable]
    if unknown:
        return "INVALID_FIELD", f"No such column '{unknown[0]}' on sobject of type Task", None
    if not all(isinstance(value, str) for value in fields.values()):
        return "JSON_PARSER_ERROR", "Cannot deserialize instance of string", None
    if len(key) > 255:
        return "STRING_TOO_LONG", f"{KEY_FIELD}: data value too large", KEY_FIELD
    for name, longest in LONGEST.items():
        if len(str(fields.get(name, ""))) > longest:
            return "STRING_TOO_LONG", f"{name}: data value too large (max length={longest})", name
    for name in ("WhatId", "WhoId", "OwnerId"):
        if name in fields and not _ID.match(str(fields[name])):
            return "MALFORMED_ID", f"{name}: id value of incorrect type", name
    return None if _is_date(fields.get("ActivityDate")) else ("JSON_PARSER_ERROR", "Cannot deserialize date", None)


def _is_date(value: JsonValue) -> bool:
    try:
        return value is None or bool(date.fromisoformat(str(value)))
    except ValueError:
        return False


def _wrong_mail(mail: Mail) -> Mapping[str, JsonValue] | None:
    if mail.senderType == "OrgWideEmailAddress" and mail.senderAddress != SENDER:
        return _failure("INVALID_FIELD", "the sender is no organization-wide address")
    if not mail.emailBody or not mail.emailSubject:
        return _failure("REQUIRED_FIELD_MISSING", "Missing required input parameter: emailBody")
    addresses = mail.emailAddresses.split(",")
    valid = [address for address in addresses if _valid(address.strip())]
    if len(valid) != len(addresses) or len(addresses) > 5:
        return _failure("INVALID_EMAIL_ADDRESS", "Invalid email address")
    return None


def _valid(email: str) -> bool:
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _failure(code: str, message: str) -> Mapping[str, JsonValue]:
    return {"statusCode": code, "message": message, "fields": []}


def _action(errors: Sequence[Mapping[str, JsonValue]] | None) -> dict[str, object]:
    return {"actionName": "emailSimple", "errors": errors, "isSuccess": errors is None, "outputValues": None}


def _oauth_error(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=400)


def _stranger() -> Response:
    return _error("INVALID_SESSION_ID", "Session expired or invalid")


def _error(code: str, message: str, field: str | None = None, status: int | None = None) -> Response:
    item: dict[str, JsonValue] = {"message": message, "errorCode": code}
    if field is not None:
        item["fields"] = [field]
    return JSONResponse([item], status_code=status or STATUSES.get(code, 400))


LOOK_ALIKE = Salesforce
