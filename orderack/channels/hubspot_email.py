"""E-mail through HubSpot's transactional single send: the customer's own template, filled with our validated values.

`message.sendId` is our key: "No more than one email will be sent per sendId" (HubSpot's description, 2026-08-21), so
doubt is settled by sending again. The values go as custom properties only: a contact property would be written to
the contact and read back from there, where it may differ from the order that was validated (R189).
HubSpot takes the request and sends later; it posts nothing of these mails, so no more is claimed than acceptance.
"""

import html
import json
from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

import httpx
from pydantic import BaseModel, Field, JsonValue, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.email_address import one_address
from orderack.clients.http import LONGEST_WAIT, BaseUrl, Clock, Http, retry_after, utc_now
from orderack.clients.wire import not_an_event, scrub
from orderack.domain.acknowledgement import Audience, Kind, Reason
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, InDoubt, Misconfigured, OrderAckError, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_HUBSPOT_EMAIL_"
TEMPLATE = f"{_PREFIX}EMAIL_ID and {_PREFIX}EMAIL_IDS"

TAKEN = frozenset({"IDEMPOTENT_IGNORE", "QUEUED", "SENT"})
"""Send results; IDEMPOTENT_IGNORE: it has the mail of this sendId already."""
REFUSED_RESULT = MappingProxyType(
    {
        "ADDRESS_LIST_BOMBED": Reason.BLOCKED,
        "ADDRESS_ONLY_ACCEPTED_ON_PROD": Reason.BAD_RECIPIENT,
        "ADDRESS_OPTED_OUT": Reason.OPTED_OUT,
        "BLOCKED_ADDRESS": Reason.BLOCKED,
        "BLOCKED_DOMAIN": Reason.BLOCKED,
        "BRAND_RECIPIENT_FATIGUE_SUPPRESSED": Reason.BLOCKED,
        "CONTACT_VIEW_PERMISSION": Reason.BLOCKED,
        "CORRUPT_INPUT": Reason.CONTENT,
        "EMAIL_UNCONFIRMED": Reason.BLOCKED,
        "GDPR_DOI_ENABLED": Reason.BLOCKED,
        "GRAYMAIL_SUPPRESSED": Reason.BLOCKED,
        "HUBL_LIMIT_EXCEEDED": Reason.TOO_LONG,
        "INVALID_TO_ADDRESS": Reason.BAD_RECIPIENT,
        "LOW_CONTACT_QUALITY_SCORE": Reason.BLOCKED,
        "MISSING_CONTENT": Reason.CONTENT,
        "MISSING_REQUIRED_PARAMETER": Reason.CONTENT,
        "MTA_IGNORE": Reason.BLOCKED,
        "NON_MARKETABLE_CONTACT": Reason.BLOCKED,
        "PREVIOUSLY_BOUNCED": Reason.BAD_RECIPIENT,
        "PREVIOUSLY_UNSUBSCRIBED_BRAND": Reason.OPTED_OUT,
        "PREVIOUSLY_UNSUBSCRIBED_BUSINESS_UNIT": Reason.OPTED_OUT,
        "PREVIOUSLY_UNSUBSCRIBED_MESSAGE": Reason.OPTED_OUT,
        "PREVIOUSLY_UNSUBSCRIBED_PORTAL": Reason.OPTED_OUT,
        "PREVIOUS_SPAM": Reason.OPTED_OUT,
        "QUARANTINED_ADDRESS": Reason.BLOCKED,
        "RECIPIENT_FATIGUE_SUPPRESSED": Reason.BLOCKED,
        "TEMPLATE_RENDER_EXCEPTION": Reason.CONTENT,
        "TOO_MANY_RECIPIENTS": Reason.OTHER,
        "UNDELIVERABLE": Reason.BAD_RECIPIENT,
        "VALIDATION_FAILED": Reason.CONTENT,
    }
)
OURS_TO_MEND = MappingProxyType(
    {
        "CAMPAIGN_CANCELLED": TEMPLATE,
        "CANCELLED_ABUSE": f"the account behind {_PREFIX}TOKEN",
        "EMAIL_DISABLED": TEMPLATE,
        "INVALID_APP_ID_ATTRIBUTION": f"{_PREFIX}TOKEN",
        "INVALID_FROM_ADDRESS": f"{_PREFIX}SENDER",
        "MARKETING_ACTIVATION_DISALLOWED": TEMPLATE,
        "MISSING_TEMPLATE_PROPERTIES": TEMPLATE,
        "PORTAL_AUTHENTICATION_FAILURE": f"{_PREFIX}TOKEN",
        "PORTAL_EXPIRED": f"the account behind {_PREFIX}TOKEN",
        "PORTAL_MISSING_MARKETING_SCOPE": f"{_PREFIX}TOKEN",
        "PORTAL_NOT_AUTHORIZED_FOR_APPLICATION": f"{_PREFIX}TOKEN",
        "PORTAL_SUSPENDED": f"the account behind {_PREFIX}TOKEN",
        "UBB_GOVERNANCE_MISSING": f"the account behind {_PREFIX}TOKEN",
        "UNCONFIGURED_SENDING_DOMAIN": f"{_PREFIX}SENDER",
    }
)
"""Send results that no other message would fare better with, and where to look."""
NOT_NOW = MappingProxyType(
    {"ATTACHMENT_DOWNLOAD_QUEUE_FULL": None, "PORTAL_OVER_LIMIT": LONGEST_WAIT, "THROTTLED": None}
)
IN_DOUBT = frozenset({"IDEMPOTENT_FAIL"})
"""It could not tell whether it knows the sendId."""
NOT_NOW_STATUS = frozenset({423, 477})
"""Locked; the account is being moved between data centres (with Retry-After)."""
REFUSED_STATUS = MappingProxyType({413: Reason.TOO_LONG})
RECIPIENT_FIELDS = frozenset({"message.to", "to"})
OUR_FIELDS = MappingProxyType({"emailId": TEMPLATE, "from": f"{_PREFIX}SENDER", "message.from": f"{_PREFIX}SENDER"})
"""Fields of a 400 (`errors[].in`) that come from our settings."""
_ANGLES = str.maketrans("<>", "‹›")


class HubspotEmailSettings(BaseSettings):
    """`ORDERACK_HUBSPOT_EMAIL_…`"""

    model_config = settings_config(_PREFIX)

    token: SecretStr = Field(description="private app token (pat-…) with the scope transactional-email")
    email_id: PositiveInt = Field(description="id of the transactional e-mail that serves every kind of message")
    email_ids: dict[Kind, PositiveInt] = Field(
        default={}, description='e-mails of their own by kind, as JSON: {"confirmation": 123456789}'
    )
    sender: str | None = Field(default=None, description="From header; empty: the e-mail's own")
    base_url: BaseUrl = Field(default="https://api.hubapi.com", description="the sandbox's address in tests")


class _Status(BaseModel):
    status: str
    status_id: str = Field(alias="statusId", min_length=1, max_length=200)
    send_result: str | None = Field(default=None, alias="sendResult")


class _ErrorDetail(BaseModel):
    where: str | None = Field(default=None, alias="in")


class _Error(BaseModel):
    category: str = ""
    sub_category: str | None = Field(default=None, alias="subCategory")
    errors: tuple[_ErrorDetail, ...] = ()


class _Account(BaseModel):
    portal_id: int = Field(alias="portalId")


class HubspotEmail:
    """One message to one address, in a template of the customer's."""

    name: ClassVar[str] = "hubspot_email"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.EMAIL,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.KEY,
        html=True,
        rate_per_second=10.0,
    )

    def __init__(self, settings: HubspotEmailSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http(
            "HubSpot",
            settings.base_url,
            headers={"Authorization": f"Bearer {settings.token.get_secret_value()}"},
            clock=clock,
        )

    async def send(self, message: Message) -> Sent:
        """POST /marketing/v3/transactional/single-email/send. The answer's statusId is the provider's id."""
        response = await self._http.send(
            "POST",
            "/marketing/v3/transactional/single-email/send",
            content=json.dumps(self._body(message), separators=(",", ":"), sort_keys=True).encode(),
            headers={"Content-Type": "application/json"},
        )
        if not response.is_success:
            raise self._refusal(response)
        answer = self._http.read(_Status, response)
        word = answer.send_result or ("" if answer.status != "CANCELED" else answer.status)
        if word and word not in TAKEN:
            raise _fate(scrub(word))
        return Sent(provider_id=answer.status_id, detail=scrub(word))

    def _body(self, message: Message) -> dict[str, JsonValue]:
        own = self._settings
        return {
            "emailId": own.email_ids.get(message.kind, own.email_id),
            "message": {
                "to": one_address(message.recipient),
                "sendId": message.key_text,
                **({"from": own.sender} if own.sender else {}),
            },
            "customProperties": dict(properties(message)),
        }

    def _refusal(self, response: httpx.Response) -> OrderAckError:
        self._http.ours_to_mend(response, f"{_PREFIX}TOKEN, its scope, {TEMPLATE} and {_PREFIX}BASE_URL")
        if response.status_code in NOT_NOW_STATUS:
            wait = retry_after(response.headers, self._http.clock())
            return Unavailable(f"HubSpot cannot take it now ({response.status_code})", wait)
        try:
            error = _Error.model_validate_json(response.content)
        except ValidationError:
            error = _Error()
        fields = [detail.where or "" for detail in error.errors]
        for setting in (OUR_FIELDS[field] for field in fields if field in OUR_FIELDS):
            return Misconfigured(f"HubSpot refuses what {setting} says")
        to = any(field in RECIPIENT_FIELDS for field in fields)
        reason = Reason.BAD_RECIPIENT if to else REFUSED_STATUS.get(response.status_code, Reason.OTHER)
        code = scrub(f"{response.status_code} {error.sub_category or error.category}").strip()
        return Refused(f"HubSpot refused the message ({code})", reason, code)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """HubSpot finds a send by its own statusId only; the key is known for ever, so sending again settles it."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """HubSpot posts nothing about these mails."""
        raise BadSignature("HubSpot posts no events of transactional e-mails")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """None: see `verify`."""
        raise not_an_event("body", "HubSpot posts no events of transactional e-mails", "register no webhook for them")

    async def check(self) -> str:
        """GET /account-info/v3/details: whose account the token opens."""
        response = await self._http.send("GET", "/account-info/v3/details")
        self._http.ours_to_mend(response, f"{_PREFIX}TOKEN and {_PREFIX}BASE_URL")
        try:
            account = self._http.read(_Account, response)
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        return f"signed in to HubSpot account {account.portal_id}"

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


def properties(message: Message) -> MappingProxyType[str, str]:
    """What the template reads as `{{ custom.<name> }}`: text only, for HubSpot takes no lists.

    A template prints a value as it is, so whatever a buyer wrote is escaped; a subject cannot be, and gives up its
    angle brackets instead.
    """
    content = message.content
    subject = " ".join(content.subject.split()) or message.kind.value
    lines = "<br>".join(html.escape(line) for line in content.text.splitlines())
    return MappingProxyType(
        {
            "order_number": html.escape(message.key.ref.number),
            "store": html.escape(message.sender_name or message.key.ref.store),
            "kind": message.kind.value,
            "subject": subject.translate(_ANGLES),
            "html_lines": lines,
            "link": html.escape(content.link or ""),
            "open_label": html.escape(content.open_label),
            "affirm_label": html.escape(content.affirm_label),
        }
    )


def _fate(word: str) -> OrderAckError:
    if word in NOT_NOW:
        return Unavailable(f"HubSpot cannot send it now ({word})", NOT_NOW[word])
    if word in IN_DOUBT:
        return InDoubt(f"HubSpot leaves it open ({word})")
    if word in OURS_TO_MEND:
        return Misconfigured(f"HubSpot answered {word}: check {OURS_TO_MEND[word]}")
    return Refused(f"HubSpot refused the message ({word})", REFUSED_RESULT.get(word, Reason.OTHER), word)


CHANNEL: ChannelSpec = ChannelSpec(
    description="E-mail through HubSpot, in a template of your own (transactional e-mail add-on)",
    obtain=(
        "HubSpot: Settings > Integrations > Private Apps (scope transactional-email); the e-mail: Marketing > Email, "
        "type Transactional, saved for the single-send API, which shows its id"
    ),
    settings=HubspotEmailSettings,
    make=lambda: HubspotEmail(HubspotEmailSettings()),
    adapter=HubspotEmail,
    traps=(
        "The template prints {{ custom.subject }}, order_number, store, kind, html_lines, link, open_label and "
        "affirm_label; a contact token ({{ contact.… }}) may differ from the order that was validated, so use none.",
        "HubSpot answers at once and sends later: a mail that it drops afterwards is not reported to us, "
        "so no more than acceptance is ever claimed.",
        "It needs the transactional e-mail add-on; the marketing single send would turn the buyer into a billable "
        "marketing contact.",
        "A list of order lines comes as one piece of HTML (html_lines), for HubSpot takes no lists.",
    ),
)
