"""Zendesk's tickets, by its cursor-based incremental export with the requesters beside them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from orderack.clients.http import BaseUrl, Clock, utc_now
from orderack.clients.zendesk import TAG, ExportedTicket, Zendesk
from orderack.helpdesks._patience import Pause, patiently
from orderack.ports.helpdesk import Said, Ticket, quiet
from orderack.registry import HelpdeskSpec, settings_config

_PREFIX = "ORDERACK_HELPDESK_ZENDESK_"
GONE = "deleted"


class ZendeskDeskSettings(BaseSettings):
    """`ORDERACK_HELPDESK_ZENDESK_…`"""

    model_config = settings_config(_PREFIX)

    base_url: BaseUrl = Field(description="your account's address, https://<subdomain>.zendesk.com")
    email: str = Field(description="an administrator's e-mail address: only they may export tickets")
    api_token: SecretStr = Field(description="an API token of the account")


class ZendeskDesk:
    """One account's tickets."""

    name: ClassVar[str] = "zendesk"

    def __init__(self, settings: ZendeskDeskSettings, clock: Clock = utc_now, pause: Pause = asyncio.sleep) -> None:
        login = (settings.email, settings.api_token.get_secret_value())
        self._desk = Zendesk(_PREFIX, settings.base_url, login, clock)
        self._pause = pause

    async def tickets(self, since: datetime, until: datetime, said: Said = quiet) -> AsyncIterator[Ticket]:
        """See `orderack.ports.helpdesk`. Deleted tickets are left out."""
        after = ""
        while True:
            page, after = await self._page(since, after, said)
            for exported in page:
                if since <= exported.created_at < until and exported.status != GONE:
                    yield _ticket(exported)
            if not after:
                return

    async def _page(self, since: datetime, after: str, said: Said) -> tuple[tuple[ExportedTicket, ...], str]:
        return await patiently(lambda: self._desk.export(since, after), self._pause, said)

    async def check(self) -> str:
        """Ask whose login it is."""
        return await self._desk.whoami()

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._desk.aclose()


def _ticket(exported: ExportedTicket) -> Ticket:
    return Ticket(
        id=str(exported.id),
        created_at=exported.created_at,
        subject=exported.subject or "",
        text=exported.description or "",
        email=exported.email,
        tags=frozenset(exported.tags),
        ours=TAG in exported.tags,
    )


HELPDESK: HelpdeskSpec = HelpdeskSpec(
    description="Zendesk's tickets, by its incremental export",
    obtain="Zendesk Admin Center: Apps and integrations > APIs > API tokens, as an administrator",
    settings=ZendeskDeskSettings,
    make=lambda: ZendeskDesk(ZendeskDeskSettings()),
)
