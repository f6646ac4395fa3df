"""The store's own system delivers: it takes each acknowledgement as a signed webhook and brings it its own way.

The contract is ours (docs/webhook-channel.md): Standard Webhooks signatures both ways, one id per send for ever, and
events back that say what became of it. What that system reports it vouches for itself: nothing here proves more than
its word, so an assent is not taken by this door (POST /attestations binds one to the content it is about).
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings

from orderack.clients import standard_webhooks
from orderack.clients.http import Clock, Http, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import Moment, read
from orderack.domain.acknowledgement import Audience, Kind, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.replies import may_mean_the_order, opts_out
from orderack.domain.value import Value
from orderack.errors import InDoubt, Misconfigured, Refused, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_WEBHOOK_"

REPORTED = MappingProxyType(
    {
        "accepted": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "bounced": (EvidenceEvent.BOUNCED, None),
        "machine_touch": (EvidenceEvent.MACHINE_TOUCH, Grade.M),
        # how that system knows is hidden from us, so a reading is never more than probable
        "displayed": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "replied": (EvidenceEvent.REPLIED, Grade.E4),
        "affirmed": (EvidenceEvent.AFFIRMED, Grade.E5),
        "opted_out": (EvidenceEvent.OPTED_OUT, None),
        "opted_in": (EvidenceEvent.OPTED_IN, None),
    }
)
"""The words their system may report. Assent and refusal are attested instead, bound to the content's hash."""
SAID_BY_SOMEONE = frozenset({EvidenceEvent.REPLIED, EvidenceEvent.AFFIRMED})
"""Words that prove nothing without the address they came from."""

MAY_REFUSE = frozenset(
    {
        *(Reason.NO_RECIPIENT, Reason.BAD_RECIPIENT, Reason.OPTED_OUT, Reason.BLOCKED, Reason.CONTENT),
        *(Reason.TOO_LONG, Reason.UNSUPPORTED, Reason.EXPIRED, Reason.WINDOW_CLOSED, Reason.OTHER),
    }
)
"""The reasons their system may give for a refusal."""
REFUSED_STATUS = MappingProxyType({413: Reason.TOO_LONG, 414: Reason.TOO_LONG})
"""What a refusal without a reason means."""
EMPTY_IS_YES = frozenset({httpx.codes.ACCEPTED, httpx.codes.NO_CONTENT})
"""A 200 without our JSON is a proxy's or a parked domain's as likely as theirs."""


def _secrets(secret: SecretStr) -> SecretStr:
    standard_webhooks.secrets_of(secret.get_secret_value())
    return secret


class WebhookSettings(BaseSettings):
    """`ORDERACK_WEBHOOK_…`"""

    model_config = settings_config(_PREFIX)

    url: SecureUrl = Field(description="where your system takes acknowledgements: https, without a query")
    secret: Annotated[SecretStr, AfterValidator(_secrets)] = Field(
        description="`whsec_` and the base64 of at least 24 random bytes; while it is rotated two, with a comma between"
    )


class Delivery(Value):
    """The body that is posted. Version 1: fields may be added, none is renamed or removed."""

    version: Literal[1] = 1
    key: Text
    """This send, once and for ever: `{store}/{number}/{revision}/{kind}/{n}/webhook`. Give it back in events."""
    order: OrderRef
    revision: int
    kind: Kind
    language: Name
    recipient: Text
    """The buyer's e-mail address, as the order gives it; by `order` your system may know a better way to reach them."""
    store_name: Text
    subject: Text
    text: str
    html: str | None
    sms: Text | None
    chat: str | None
    link: Text | None
    """The buyer's own page. It is theirs alone: whoever has it can act for them."""
    open_label: Text
    affirm_label: Text
    """What a button says by which the buyer affirms having it; empty: this message does not ask."""


class _Taken(BaseModel):
    id: str | None = Field(default=None, max_length=200)


class _Refusal(BaseModel):
    reason: str = ""


class _Report(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: Name
    event: str = Field(min_length=1, max_length=100)
    key: Name | None = None
    sender: Name | None = None
    occurred_at: Moment
    text: Text = ""

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if not self.key and not self.sender:
            raise ValueError("needs the message's key, or the sender it came from")
        return self


class _Reports(BaseModel):
    events: tuple[_Report, ...] = Field(max_length=1_000)


_REPORTS = TypeAdapter(_Reports)


def message_id(key: str) -> str:
    """`webhook-id` and `Idempotency-Key`: the key's hash, for an order's number may hold what no header can."""
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:40]}"


class Webhook:
    """One acknowledgement to one system of the store's."""

    name: ClassVar[str] = "webhook"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.RECORD,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E5,
        idempotency=Idempotency.KEY,
        html=True,
        buttons=True,
        replies=True,
    )

    def __init__(self, settings: WebhookSettings, clock: Clock = utc_now) -> None:
        self._keys = standard_webhooks.secrets_of(settings.secret.get_secret_value())
        self._http = Http("The store's own system", settings.url, headers={"User-Agent": "orderack"}, clock=clock)

    async def send(self, message: Message) -> Sent:
        """POST the delivery. `provider_id`: the `id` of their answer, or our `webhook-id`."""
        name, body = message_id(message.key_text), _delivery(message).model_dump_json().encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": name,
            **standard_webhooks.sign(name, self._http.clock(), body, self._keys),
        }
        response = await self._http.send("POST", "", content=body, headers=headers)
        if response.status_code == httpx.codes.CONFLICT:
            return Sent(provider_id=_known_as(response) or name, detail="had it already")
        if response.is_success:
            if response.status_code in EMPTY_IS_YES and not response.content:
                return Sent(provider_id=name)
            return Sent(provider_id=self._http.read(_Taken, response).id or name)
        raise self._refusal(response)

    def _refusal(self, response: httpx.Response) -> Refused | InDoubt:
        code = str(response.status_code)
        if response.status_code == httpx.codes.GONE:
            raise Misconfigured(f"the store's own system wants nothing any more (410): check {_PREFIX}URL")
        self._http.ours_to_mend(response, f"{_PREFIX}URL and {_PREFIX}SECRET")
        if not response.is_client_error:
            return InDoubt(f"the store's own system answered {code}, which the contract does not know")
        reason = _reason(response) or REFUSED_STATUS.get(response.status_code, Reason.OTHER)
        return Refused(f"the store's own system refused it ({code})", reason, code)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Not needed: the same id again is the same send for ever, by the contract."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """Standard Webhooks: any of the live secrets, at most five minutes old."""
        standard_webhooks.verify(request, self._keys, self._http.clock())

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """Each item of `events`, in its order. Raises InvalidInput for what the contract does not allow."""
        return [self._event(report) for report in read(_REPORTS, request.body).events]

    def _event(self, report: _Report) -> ChannelEvent:
        meaning, grade = REPORTED.get(report.event, (EvidenceEvent.UNKNOWN, None))
        basis, text = f"{self.name}:{report.event}", report.text
        if meaning in SAID_BY_SOMEONE and not report.sender:
            meaning, grade, basis = EvidenceEvent.UNKNOWN, None, f"{basis}:no_sender"
        elif meaning is EvidenceEvent.REPLIED and opts_out(text):
            meaning, grade, basis = EvidenceEvent.OPTED_OUT, None, f"{self.name}:stop"
            text = text if may_mean_the_order(text) else ""
        return ChannelEvent(
            id=report.id,
            event=meaning,
            grade=grade,
            key=report.key,
            occurred_at=report.occurred_at,
            basis=basis,
            raw=report.model_dump_json()[:2_000],
            sender=report.sender,
            text=text,
        )

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


def _delivery(message: Message) -> Delivery:
    content = message.content
    return Delivery(
        key=message.key_text,
        order=message.key.ref,
        revision=message.key.revision,
        kind=message.kind,
        language=message.language,
        recipient=message.recipient,
        store_name=message.sender_name,
        subject=content.subject,
        text=content.text,
        html=content.html,
        sms=content.sms,
        chat=content.chat,
        link=content.link,
        open_label=content.open_label,
        affirm_label=content.affirm_label,
    )


def _known_as(response: httpx.Response) -> str | None:
    """Their id of what they had already, if they say it."""
    try:
        return _Taken.model_validate_json(response.content).id
    except ValidationError:
        return None


def _reason(response: httpx.Response) -> Reason | None:
    """The reason they give, if it is one that they may give."""
    try:
        word = _Refusal.model_validate_json(response.content).reason
    except ValidationError:
        return None
    return next((reason for reason in MAY_REFUSE if reason.value == word), None)


CHANNEL: ChannelSpec = ChannelSpec(
    description="The store's own system, by signed webhook",
    obtain="Your own: the address at which your system takes acknowledgements, and a secret that you make "
    "(docs/webhook-channel.md has the contract and a receiver)",
    settings=WebhookSettings,
    make=lambda: Webhook(WebhookSettings()),
    adapter=Webhook,
    webhook="Your system posts what became of each message to /webhooks/webhook, signed with the same secret",
    traps=(
        "Your system must know each webhook-id for ever: we send again under the same id whenever an answer was lost, "
        "and only your memory of it keeps the buyer from hearing twice.",
        "A 200 counts only with a JSON object in it: proxies and parked domains answer 200 to everything.",
        "What your system reports is its own word: a reading counts as probable, a button or a reply counts only with "
        "the address it came from, and an agreement to the content is attested instead (POST /attestations).",
        "There is one address for all stores of an installation; `order.store` in the body tells them apart.",
    ),
)
