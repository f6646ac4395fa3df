"""E-mail to the buyer through Salesforce's own Send Email action, from an organization-wide address.

Process Builder is out of support since 2025-12-31 (R190), so the action is called itself. It knows no idempotency
key and reports nothing afterwards: a send that was cut off stays in doubt, and no more is claimed than acceptance.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, Field, JsonValue, TypeAdapter, ValidationError

from orderack.clients.email_address import one_address
from orderack.clients.http import Clock, utc_now
from orderack.clients.salesforce import Salesforce, SalesforceSettings
from orderack.clients.wire import not_an_event
from orderack.domain.acknowledgement import Audience
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, InDoubt, Refused, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_SALESFORCE_EMAIL_"


def _sender(text: str) -> str:
    try:
        return one_address(text)
    except Refused:
        raise ValueError("not one e-mail address") from None


class SalesforceEmailSettings(SalesforceSettings):
    """`ORDERACK_SALESFORCE_EMAIL_…`"""

    model_config = settings_config(_PREFIX)

    sender: Annotated[str, AfterValidator(_sender)] = Field(description="a verified organization-wide e-mail address")


class _Done(BaseModel):
    is_success: bool = Field(alias="isSuccess")


_DONE: TypeAdapter[tuple[_Done, ...] | _Done] = TypeAdapter(tuple[_Done, ...] | _Done)
"""Salesforce's page shows an object, the service answers with an array of one."""


class SalesforceEmail:
    """One message to one address."""

    name: ClassVar[str] = "salesforce_email"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.EMAIL,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.NONE,
        html=True,
        rate_per_second=5.0,
    )

    def __init__(self, settings: SalesforceEmailSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._salesforce = Salesforce(settings, clock)

    async def send(self, message: Message) -> Sent:
        """POST actions/standard/emailSimple. Salesforce gives no id; its errors lie inside the answer's array."""
        response = await self._salesforce.send("POST", "/actions/standard/emailSimple", self._inputs(message))
        if not response.is_success:
            raise self._salesforce.refusal(response)
        try:
            done = _DONE.validate_json(response.content)
        except ValidationError:
            done = ()
        results = (done,) if isinstance(done, _Done) else done
        if len(results) != 1:
            raise InDoubt("Salesforce answered with a body that says nothing")
        if not results[0].is_success:
            raise self._salesforce.refusal(response)
        return Sent()

    def _inputs(self, message: Message) -> JsonValue:
        content = message.content
        return {
            "inputs": [
                {
                    "emailAddresses": one_address(message.recipient),
                    "emailSubject": " ".join(content.subject.split()) or message.kind.value,
                    "emailBody": content.html or content.text,
                    "sendRichBody": content.html is not None,
                    "senderType": "OrgWideEmailAddress",
                    "senderAddress": self._settings.sender,
                }
            ]
        }

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """The action leaves no record that could be found."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """Salesforce posts nothing to us."""
        raise BadSignature("Salesforce posts no events of its e-mails")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """None: see `verify`."""
        raise not_an_event("body", "Salesforce posts no events of its e-mails", "register no webhook for them")

    async def check(self) -> str:
        """Whether we are let in, and what is left of the day's requests."""
        return await self._salesforce.check()

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._salesforce.aclose()


CHANNEL: ChannelSpec = ChannelSpec(
    description="E-mail to the buyer through Salesforce's Send Email action",
    obtain=(
        "Salesforce: Setup > External Client App Manager (client credentials, or JWT bearer with your certificate; "
        "scope api); the sender: Setup > Organization-Wide Addresses, verified; the domain: Setup > My Domain"
    ),
    settings=SalesforceEmailSettings,
    make=lambda: SalesforceEmail(SalesforceEmailSettings()),
    adapter=SalesforceEmail,
    traps=(
        "Process Builder is out of support; a Flow that mails buyers when an order is saved would tell them twice, "
        "so switch it off for orders that are acknowledged here.",
        "The action has no key against repeats: a send that was cut off is in doubt, and your policy says what then.",
        "These mails count against the account's daily limit of workflow e-mails; when it is spent we wait an hour.",
        "Salesforce tells us neither delivery nor bounce of them.",
    ),
)
