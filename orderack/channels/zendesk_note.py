"""Internal notes in Zendesk for the team: a private comment on the order's ticket, or a private ticket where there is
none. The buyer sees neither, so nothing here ever counts as telling the buyer (R188).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from orderack.clients.http import BaseUrl, Clock, utc_now
from orderack.clients.wire import not_an_event
from orderack.clients.zendesk import MAX_LENGTH, Entry, Zendesk
from orderack.domain.acknowledgement import Audience
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_ZENDESK_NOTE_"


class ZendeskNoteSettings(BaseSettings):
    """`ORDERACK_ZENDESK_NOTE_…`"""

    model_config = settings_config(_PREFIX)

    base_url: BaseUrl = Field(description="your account's address, https://<subdomain>.zendesk.com")
    email: str = Field(description="the agent who writes: the e-mail address the API token is used with")
    api_token: SecretStr = Field(description="an API token of the account")
    groups: dict[str, int] = Field(
        default={}, description='group id by role, as JSON: {"ops": 360000000001}; a new ticket goes to it'
    )


class ZendeskNote:
    """One private comment for a role of ours."""

    name: ClassVar[str] = "zendesk_note"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.RECORD,
        audience=Audience.INTERNAL,
        address="chat:zendesk_note",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.LOOKUP,
        max_length=MAX_LENGTH,
        rate_per_second=1.5,
    )

    def __init__(self, settings: ZendeskNoteSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        login = (settings.email, settings.api_token.get_secret_value())
        self._desk = Zendesk(_PREFIX, settings.base_url, login, clock)

    async def send(self, message: Message) -> Sent:
        """A private comment. The recipient is a role; `provider_id` is the ticket's id."""
        if len(message.content.text) > MAX_LENGTH:
            raise Unsupported("max_length")
        entry = Entry(
            key=message.key_text,
            reference=str(message.key.ref),
            subject=" ".join(message.content.subject.split()) or message.kind.value,
            text=message.content.text,
            public=False,
            group_id=self._settings.groups.get(message.recipient),
        )
        return Sent(provider_id=await self._desk.put(entry))

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """The ticket of the order whose audits name our key."""
        found = await self._desk.find(str(message.key.ref), message.key_text)
        return Sent(provider_id=found) if found else None

    async def check(self) -> str:
        """Ask whose login it is."""
        return await self._desk.whoami()

    async def verify(self, request: RawRequest) -> None:
        """A note calls nobody back, so no request can be genuine."""
        raise BadSignature("zendesk_note has no webhook")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """A note calls nobody back."""
        raise not_an_event("body", "zendesk_note has no webhook", "register the webhook of `zendesk` instead")

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._desk.aclose()


CHANNEL: ChannelSpec = ChannelSpec(
    description="Internal notes in Zendesk, on the order's ticket",
    obtain="Zendesk Admin Center: Apps and integrations > APIs > API tokens; People > Team > Groups (the group's id)",
    settings=ZendeskNoteSettings,
    make=lambda: ZendeskNote(ZendeskNoteSettings()),
    adapter=ZendeskNote,
    traps=(
        "A note goes on the order's ticket that the buyer can answer, but only agents see it. An agent who makes it "
        "public by hand tells the buyer, and this record knows nothing of that.",
        "A group that Zendesk does not know is refused as a setting to mend, for no other note would fare better.",
        "Triggers for new tickets also run for private ones: leave out tickets tagged `orderack` where they send mail.",
    ),
)
