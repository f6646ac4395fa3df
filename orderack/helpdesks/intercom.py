"""Intercom's conversations that a customer began, by its conversation search.

What a bot or a teammate began holds the customer's words further down only, which a search does not give: such a
conversation counts as ours, and is not judged.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from orderack.clients.http import BaseUrl, Clock, utc_now
from orderack.clients.intercom import Conversation, IntercomApi
from orderack.clients.reply_text import plain
from orderack.errors import Unavailable
from orderack.helpdesks._patience import Pause, patiently
from orderack.ports.helpdesk import Said, Ticket, quiet
from orderack.registry import HelpdeskSpec, settings_config

_PREFIX = "ORDERACK_HELPDESK_INTERCOM_"
BY_CUSTOMER = "customer_initiated"


class IntercomDeskSettings(BaseSettings):
    """`ORDERACK_HELPDESK_INTERCOM_…`"""

    model_config = settings_config(_PREFIX)

    access_token: SecretStr = Field(description="an access token that may read conversations")
    base_url: BaseUrl = Field(
        default="https://api.intercom.io", description="https://api.eu.intercom.io or api.au for those regions"
    )


class IntercomDesk:
    """One workspace's conversations."""

    name: ClassVar[str] = "intercom"

    def __init__(self, settings: IntercomDeskSettings, clock: Clock = utc_now, pause: Pause = asyncio.sleep) -> None:
        self._api = IntercomApi(_PREFIX, settings.base_url, settings.access_token, clock)
        self._pause = pause

    async def tickets(self, since: datetime, until: datetime, said: Said = quiet) -> AsyncIterator[Ticket]:
        """See `orderack.ports.helpdesk`."""
        after, seen = "", set[str]()
        while True:
            page, after = await self._page(since, until, after, said)
            for conversation in page:
                ticket = _ticket(conversation)
                if since <= ticket.created_at < until:
                    yield ticket
            if not after:
                return
            if after in seen:
                raise Unavailable("Intercom's search goes round in a circle")
            seen.add(after)

    async def _page(
        self, since: datetime, until: datetime, after: str, said: Said
    ) -> tuple[tuple[Conversation, ...], str]:
        return await patiently(lambda: self._api.conversations(since, until, after), self._pause, said)

    async def check(self) -> str:
        """Ask whose token it is."""
        return await self._api.whoami()

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._api.aclose()


def _ticket(conversation: Conversation) -> Ticket:
    source = conversation.source
    return Ticket(
        id=conversation.id,
        created_at=datetime.fromtimestamp(conversation.created_at, UTC),
        subject=plain(source.subject).strip(),
        text=plain(source.body).strip(),
        email=source.author.email or None,
        tags=frozenset(tag.name for tag in (conversation.tags.tags if conversation.tags else ())),
        ours=source.delivered_as != BY_CUSTOMER,
    )


HELPDESK: HelpdeskSpec = HelpdeskSpec(
    description="Intercom's conversations that customers began",
    obtain="Intercom Developer Hub, your app: Authentication (access token), with the right to read conversations",
    settings=IntercomDeskSettings,
    make=lambda: IntercomDesk(IntercomDeskSettings()),
)
