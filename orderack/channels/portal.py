"""The buyer's page: the message is there as soon as it is recorded, so nothing is sent and nothing can be in doubt.

Reading and affirming happen on the page itself (gateway), which is why the ceiling is E5.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from pydantic_settings import BaseSettings

from orderack.clients.wire import not_an_event
from orderack.domain.acknowledgement import Audience
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config


class PortalSettings(BaseSettings):
    """Nothing to set: the page is served by our own gateway."""

    model_config = settings_config("ORDERACK_PORTAL_")


class Portal:
    """The notification on the buyer's page."""

    name: ClassVar[str] = "portal"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.PAGE,
        audience=Audience.BUYER,
        address="page",
        evidence_ceiling=Grade.E5,
        idempotency=Idempotency.KEY,
        html=True,
        buttons=True,
        rate_per_second=1_000.0,
    )

    async def send(self, message: Message) -> Sent:
        """Accepted at once; `provider_id` is the page's link. Raises Unsupported when the message has no page."""
        if not message.content.link:
            raise Unsupported("link")
        return Sent(provider_id=message.content.link, detail="on the buyer's page")

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Never needed: sending again is the same page."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """No provider calls back, so no request can be genuine."""
        raise BadSignature("portal has no webhook")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """No provider calls back."""
        raise not_an_event("body", "portal has no webhook", "use the buyer's page")

    async def aclose(self) -> None:
        """Nothing is held open."""


CHANNEL: ChannelSpec = ChannelSpec(
    description="Notification on the buyer's page (our own gateway, no provider)",
    obtain="nothing to obtain; ORDERACK_PUBLIC_URL says where buyers reach the page",
    settings=PortalSettings,
    make=Portal,
    adapter=Portal,
    traps=(
        "The page is there for whoever has its link; that a message stands on it tells nobody. Something else has to "
        "bring the link, or the shop shows it.",
    ),
)
