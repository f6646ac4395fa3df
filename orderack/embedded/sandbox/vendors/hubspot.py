"""HubSpot: the transactional single send (v3), one mail per sendId, with no word about it afterwards; and deals."""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from typing import ClassVar

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike, ShopDeed, bearer
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._hubspot_deals import PORTAL, SOURCE, HubSpotDeals

TEMPLATES = {142000001: "Order news", 142000002: "Order confirmation"}
"""The transactional e-mails that the account has, by id."""


class Mail(BaseModel):
    to: str
    sender: str | None = Field(default=None, alias="from")
    send_id: str | None = Field(default=None, alias="sendId")


class SingleSend(BaseModel):
    """HubSpot is strict about its own names."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email_id: int = Field(alias="emailId")
    message: Mail
    custom: dict[str, str] = Field(default={}, alias="customProperties")
    contact: dict[str, str] = Field(default={}, alias="contactProperties")


class HubSpot(LookAlike):
    """One account with the transactional e-mail add-on."""

    target: ClassVar[Target] = Target.HUBSPOT
    source: ClassVar[str] = SOURCE

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = f"pat-eu1-{uuid.uuid4()}"
        self._deals = HubSpotDeals(self, self._token)
        self._sent: dict[str, str] = {}

    def routes(self) -> Sequence[BaseRoute]:
        send = self.endpoint(Operation.SEND, self._send)
        account = self.endpoint(Operation.LOOKUP, self._account)
        return (
            Route("/marketing/v3/transactional/single-email/send", send, methods=["POST"]),
            Route("/account-info/v3/details", account, methods=["GET"]),
            *self._deals.routes(),
        )

    def connection(self, url: str) -> Mapping[str, str]:
        return self._deals.connection(url)

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        return self._deals.shop(deed, order)

    def environment(self, url: str) -> Mapping[str, str]:
        news, confirmation = TEMPLATES
        return {
            "ORDERACK_HUBSPOT_EMAIL_TOKEN": self._token,
            "ORDERACK_HUBSPOT_EMAIL_EMAIL_ID": str(news),
            "ORDERACK_HUBSPOT_EMAIL_EMAIL_IDS": f'{{"confirmation": {confirmation}}}',
            "ORDERACK_HUBSPOT_EMAIL_BASE_URL": url,
        }

    def refused(self, code: str | None) -> Response:
        """A result of the send (`ADDRESS_OPTED_OUT`), or a status."""
        if code is not None and code.isdecimal():
            return _error(int(code), "VALIDATION_ERROR", "Invalid input")
        return _status(secrets.token_hex(12), "COMPLETE", code or "INVALID_TO_ADDRESS")

    def throttled(self, retry_after: int) -> Response:
        body = {
            "status": "error",
            "message": "You have reached your ten_secondly_rolling limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": str(uuid.uuid4()),
            "policyName": "TEN_SECONDLY_ROLLING",
        }
        return JSONResponse(body, status_code=429, headers={"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return _error(status, "INTERNAL_ERROR", "internal error")

    def too_large(self) -> Response:
        return _error(413, "PAYLOAD_TOO_LARGE", "The request is too large")

    async def _account(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._token):
            return _stranger()
        return JSONResponse({"portalId": PORTAL, "accountType": "STANDARD", "timeZone": "Europe/Berlin"})

    async def _send(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._token):
            return _stranger()
        try:
            single = SingleSend.model_validate_json(await request.body())
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            return _error(400, "VALIDATION_ERROR", "Invalid input JSON", where or None)
        if single.email_id not in TEMPLATES:
            return _error(400, "VALIDATION_ERROR", "There is no such transactional email", "emailId")
        if not _valid(single.message.to):
            return _status(secrets.token_hex(12), "COMPLETE", "INVALID_TO_ADDRESS")
        return self._accept(single, plan)

    def _accept(self, single: SingleSend, plan: Plan) -> Response:
        mail = single.message
        known = self._sent.get(mail.send_id or "")
        status_id = known or secrets.token_hex(12)
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=status_id,
            recipient=mail.to,
            key=mail.send_id,
            idempotency_key=mail.send_id,
            repeated=known is not None,
            faults=plan.actions,
        )
        if known is not None:
            return _status(known, "COMPLETE", "IDEMPOTENT_IGNORE")
        if mail.send_id:
            self._sent[mail.send_id] = status_id
        self.state.outbox.put(
            self.target,
            recipient=mail.to,
            sender=mail.sender or TEMPLATES[single.email_id],
            provider_id=status_id,
            subject=single.custom.get("subject", ""),
            text=f"{TEMPLATES[single.email_id]}: order {single.custom.get('order_number', '')}",
            html=_template(single.custom),
            key=mail.send_id,
        )
        return _status(status_id, "PENDING")


def _template(custom: Mapping[str, str]) -> str:
    """The account's template, which prints values as they are."""
    link = custom.get("link")
    button = f'<p><a href="{link}">{custom.get("open_label", "")}</a></p>' if link else ""
    return f"<h1>{custom.get('store', '')}</h1><p>{custom.get('html_lines', '')}</p>{button}"


def _valid(email: str) -> bool:
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _status(status_id: str, status: str, result: str | None = None) -> Response:
    return JSONResponse({"status": status, "statusId": status_id, **({"sendResult": result} if result else {})})


def _stranger() -> Response:
    return _error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")


def _error(status: int, category: str, message: str, where: str | None = None) -> Response:
    body = {
        "status": "error",
        "message": message,
        "correlationId": str(uuid.uuid4()),
        "category": category,
        **({"errors": [{"message": message, "in": where}]} if where else {}),
    }
    return JSONResponse(body, status_code=status)


LOOK_ALIKE = HubSpot
