"""Amazon SES's SendEmail (API v2), as botocore's service model has it, and its events by an SNS topic."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import ClassVar

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import KEY_FIELD, Deed, LookAlike
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._sigv4 import wrong_with
from orderack.embedded.sandbox.vendors._sns import Topic

CALLBACK = "/webhooks/ses_email"
REGION = "eu-central-1"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:orderack-sandbox"
CONFIGURATION_SET = "orderack"
SENDER = "orders@shop.example"
RECIPIENTS_MAX = 50
TAG_MAX = 256
TAG_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
READER = {"ipAddress": "127.0.0.1", "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Thunderbird/128.1"}

ERRORS: Mapping[str, tuple[int, str]] = {
    "BadRequestException": (400, "Illegal address"),
    "MessageRejected": (400, "Email address is not verified."),
    "NotFoundException": (404, "Configuration set does not exist."),
    "TooManyRequestsException": (429, "Maximum sending rate exceeded."),
    "LimitExceededException": (400, "Daily message quota exceeded."),
    "AccountSuspendedException": (400, "The account's ability to send email has been permanently restricted."),
    "SendingPausedException": (400, "The account's ability to send email is currently paused."),
    "MissingAuthenticationToken": (403, "Missing Authentication Token"),
    "UnrecognizedClientException": (403, "The security token included in the request is invalid."),
    "InvalidSignatureException": (403, "The request signature we calculated does not match the one you provided."),
    "RequestExpired": (403, "Signature expired."),
    "InternalServiceErrorException": (500, "Internal failure"),
}
"""Code to status and sentence; a code that is not here (a fault may name any) is a 400."""


class Part(BaseModel):
    Data: str = ""


class Body(BaseModel):
    Text: Part | None = None
    Html: Part | None = None


class Simple(BaseModel):
    Subject: Part
    Body: Body


class Content(BaseModel):
    Simple: Simple


class Destination(BaseModel):
    ToAddresses: list[str] = []
    CcAddresses: list[str] = []
    BccAddresses: list[str] = []


class Tag(BaseModel):
    Name: str
    Value: str


class Mail(BaseModel):
    FromEmailAddress: str = ""
    Destination: Destination
    Content: Content
    EmailTags: list[Tag] = []
    ConfigurationSetName: str | None = None

    @property
    def recipients(self) -> Sequence[str]:
        return (*self.Destination.ToAddresses, *self.Destination.CcAddresses, *self.Destination.BccAddresses)

    @property
    def key(self) -> str | None:
        """Our key, which spans as many tags as it needs."""
        ours = [tag for tag in self.EmailTags if tag.Name.startswith(KEY_FIELD)]
        text = "".join(tag.Value for tag in sorted(ours, key=lambda tag: (len(tag.Name), tag.Name)))
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode(errors="replace") if text else None


class Ses(LookAlike):
    """Takes mail, and publishes its events to the topic that its configuration set names."""

    target: ClassVar[Target] = Target.SES
    channel: ClassVar[str] = "ses_email"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self.key = (f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))
        self.topic = Topic(state, TOPIC, CALLBACK)
        self._url = ""
        self._mails: dict[str, Mail] = {}

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/v2/email/outbound-emails", self.endpoint(Operation.SEND, self._send), methods=["POST"]),
            Route("/v2/email/account", self.endpoint(Operation.LOOKUP, self._account), methods=["GET"]),
            Route(
                "/v2/email/configuration-sets/{name}/event-destinations",
                self.endpoint(Operation.LOOKUP, self._destinations),
                methods=["GET"],
            ),
            *self.topic.routes(),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_SES_EMAIL_ACCESS_KEY_ID": self.key[0],
            "ORDERACK_SES_EMAIL_SECRET_ACCESS_KEY": self.key[1],
            "ORDERACK_SES_EMAIL_REGION": REGION,
            "ORDERACK_SES_EMAIL_SENDER": SENDER,
            "ORDERACK_SES_EMAIL_CONFIGURATION_SET": CONFIGURATION_SET,
            "ORDERACK_SES_EMAIL_SNS_TOPIC_ARN": TOPIC,
            "ORDERACK_SES_EMAIL_BASE_URL": url,
            "ORDERACK_SES_EMAIL_SNS_BASE_URL": url,
        }

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """An open that SES's own tracking saw, or a complaint by which they want no more."""
        mail = self._mails.get(message.provider_id)
        if mail is None or deed not in (Deed.READ, Deed.OPT_OUT):
            return None
        if deed is Deed.READ:
            return self._webhook(mail, message.provider_id, "Open", {"open": {**READER, "timestamp": _now()}})
        complaint: Mapping[str, JsonValue] = {
            "complainedRecipients": [{"emailAddress": message.recipient}],
            "complaintFeedbackType": "abuse",
            "timestamp": _now(),
        }
        return self._webhook(mail, message.provider_id, "Complaint", {"complaint": dict(complaint)})

    def refused(self, code: str | None) -> Response:
        return _error(code or "BadRequestException")

    def throttled(self, retry_after: int) -> Response:
        """SES names no delay."""
        return _error("TooManyRequestsException")

    def failed(self, status: int) -> Response:
        return _error("InternalServiceErrorException", status)

    def too_large(self) -> Response:
        return _error("BadRequestException", 413)

    async def _stranger(self, request: Request) -> Response | None:
        code = wrong_with(
            request.method,
            request.url.path,
            request.headers,
            await request.body(),
            key=self.key,
            scope=f"{REGION}/ses",
        )
        self._url = f"{request.base_url}{self.target}"
        return _error(code) if code else None

    async def _account(self, request: Request, plan: Plan) -> Response:
        if (stranger := await self._stranger(request)) is not None:
            return stranger
        quota = {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": float(len(self._mails))}
        account = {"SendingEnabled": True, "ProductionAccessEnabled": True, "EnforcementStatus": "HEALTHY"}
        return JSONResponse({**account, "SendQuota": quota})

    async def _destinations(self, request: Request, plan: Plan) -> Response:
        if (stranger := await self._stranger(request)) is not None:
            return stranger
        if request.path_params["name"] != CONFIGURATION_SET:
            return _error("NotFoundException")
        kinds = ["SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "OPEN", "CLICK", "DELIVERY_DELAY"]
        destination = {"Name": "orderack", "Enabled": True, "MatchingEventTypes": kinds}
        return JSONResponse({"EventDestinations": [{**destination, "SnsDestination": {"TopicArn": TOPIC}}]})

    async def _send(self, request: Request, plan: Plan) -> Response:
        if (stranger := await self._stranger(request)) is not None:
            return stranger
        try:
            mail = Mail.model_validate_json(await request.body())
        except ValidationError:
            return _error("BadRequestException", sentence="1 validation error detected")
        if (wrong := refusal_of(mail)) is not None:
            return _error(wrong[0], sentence=wrong[1])
        message_id = f"0107{secrets.token_hex(6)}-{secrets.token_hex(16)}-000000"
        self._mails[message_id] = mail
        self._record(mail, message_id, plan)
        if mail.ConfigurationSetName:
            self.topic.subscribe(self._url)
            self._announce(mail, message_id, plan)
        return JSONResponse({"MessageId": message_id})

    def _record(self, mail: Mail, message_id: str, plan: Plan) -> None:
        content = mail.Content.Simple
        for to in mail.recipients:
            self.state.log.accept(
                self.target,
                Operation.SEND,
                provider_id=message_id,
                recipient=to,
                key=mail.key,
                faults=plan.actions,
            )
            self.state.outbox.put(
                self.target,
                recipient=to,
                sender=parseaddr(mail.FromEmailAddress)[1],
                provider_id=message_id,
                subject=content.Subject.Data,
                text=content.Body.Text.Data if content.Body.Text else "",
                html=content.Body.Html.Data if content.Body.Html else None,
                key=mail.key,
            )

    def _announce(self, mail: Mail, message_id: str, plan: Plan) -> None:
        """Send, then Delivery or Bounce; an Open later where people open their mail."""
        behaviour = self.state.behaviour
        self.state.announce(self._webhook(mail, message_id, "Send", {"send": {}}), plan)
        bounced = plan.happens(Action.BOUNCE)
        word, said = ("Bounce", self._bounce(mail, plan)) if bounced else ("Delivery", self._delivery(mail))
        self.state.announce(self._webhook(mail, message_id, word, said), plan, behaviour.delivered_after)
        if behaviour.opened_after is not None and not bounced:
            opened = self._webhook(mail, message_id, "Open", {"open": {**READER, "timestamp": _now()}})
            self.state.announce(opened, plan, behaviour.delivered_after + behaviour.opened_after)

    def _bounce(self, mail: Mail, plan: Plan) -> Mapping[str, JsonValue]:
        code = (plan.aftermath and plan.aftermath.code) or "5.1.1"
        soft = code.startswith("4")
        recipients: list[JsonValue] = [
            {"emailAddress": to, "action": "failed", "status": code, "diagnosticCode": f"smtp; 550 {code}"}
            for to in mail.recipients
        ]
        kind = {"bounceType": "Transient" if soft else "Permanent", "bounceSubType": "General"}
        return {"bounce": {**kind, "bouncedRecipients": recipients, "timestamp": _now()}}

    def _delivery(self, mail: Mail) -> Mapping[str, JsonValue]:
        recipients = list[JsonValue](mail.recipients)
        return {
            "delivery": {"timestamp": _now(), "recipients": recipients, "smtpResponse": "250 2.6.0 Message received"}
        }

    def _webhook(self, mail: Mail, message_id: str, word: str, said: Mapping[str, JsonValue]) -> Webhook:
        tags: dict[str, JsonValue] = {tag.Name: [tag.Value] for tag in mail.EmailTags}
        about: dict[str, JsonValue] = {
            "timestamp": _now(),
            "source": mail.FromEmailAddress,
            "messageId": message_id,
            "destination": list[JsonValue](mail.recipients),
            "headersTruncated": False,
            "tags": {"ses:configuration-set": [mail.ConfigurationSetName], **tags},
        }
        event = {"eventType": word, "mail": about, **said}
        return self.topic.published(f"ses {message_id} {word}", self._url, json.dumps(event))


def refusal_of(mail: Mail) -> tuple[str, str] | None:
    """The code and the sentence for the first thing that SES would refuse."""
    tags = [text for tag in mail.EmailTags for text in (tag.Name, tag.Value)]
    body = mail.Content.Simple.Body
    checks = (
        ("BadRequestException", "Illegal address") if not all(map(_valid, mail.recipients)) else None,
        ("BadRequestException", "Destination is required") if not mail.recipients else None,
        ("BadRequestException", "Recipient count exceeds 50.") if len(mail.recipients) > RECIPIENTS_MAX else None,
        ("MessageRejected", "Email address is not verified.")
        if parseaddr(mail.FromEmailAddress)[1] != SENDER
        else None,
        ("BadRequestException", "Body is required") if body.Text is None and body.Html is None else None,
        ("BadRequestException", "Tag names and values: letters, digits, _ and -, at most 256 of them")
        if not all(text and len(text) <= TAG_MAX and set(text) <= TAG_CHARACTERS for text in tags)
        else None,
        ("BadRequestException", "Duplicate tag names")
        if len({tag.Name for tag in mail.EmailTags}) < len(mail.EmailTags)
        else None,
        ("NotFoundException", f"Configuration set <{mail.ConfigurationSetName}> does not exist.")
        if mail.ConfigurationSetName not in (None, CONFIGURATION_SET)
        else None,
    )
    return next((check for check in checks if check is not None), None)


def _valid(address: str) -> bool:
    try:
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _now() -> str:
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"


def _error(code: str, status: int | None = None, sentence: str = "") -> Response:
    usual, said = ERRORS.get(code, (400, "The request was refused"))
    headers = {"x-amzn-ErrorType": code}
    return JSONResponse({"message": sentence or said}, status_code=status or usual, headers=headers)


LOOK_ALIKE = Ses
