"""Push notifications to the team's phones through ntfy (docs.ntfy.sh/publish). Internal only.

Publishing has no idempotency key and reports nothing back, so doubt is for a person, or for the policy.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

import httpx
from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings

from orderack.clients.http import BaseUrl, Clock, Http, utc_now
from orderack.clients.wire import not_an_event
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, InDoubt, Refused, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_NTFY_"
LIMIT = 4_096
"""Bytes of a message; ntfy makes a file of a longer one."""

REFUSED_STATUS = MappingProxyType({400: Reason.CONTENT, 413: Reason.TOO_LONG, 507: Reason.BLOCKED})


class NtfySettings(BaseSettings):
    """`ORDERACK_NTFY_…`"""

    model_config = settings_config(_PREFIX)

    topic: str = Field(description="the topic that the team's phones have subscribed to")
    token: SecretStr = Field(description="access token (tk_…) that may write to the topic")
    base_url: BaseUrl = Field(default="https://ntfy.sh", description="your own server's address, or the sandbox's")


class _Published(BaseModel):
    id: str = Field(min_length=1, max_length=100)


class Ntfy:
    """One notification to one topic."""

    name: ClassVar[str] = "ntfy"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.CHAT,
        audience=Audience.INTERNAL,
        address="chat:ntfy",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.NONE,
        max_length=LIMIT,
        rate_per_second=0.2,
    )

    def __init__(self, settings: NtfySettings, clock: Clock = utc_now) -> None:
        self._topic = settings.topic
        token = settings.token.get_secret_value()
        self._http = Http("ntfy", settings.base_url, headers={"Authorization": f"Bearer {token}"}, clock=clock)

    async def send(self, message: Message) -> Sent:
        """POST / with the message as JSON. `provider_id` is ntfy's id of it."""
        text = message.content.chat or message.content.text
        if len(text.encode()) > LIMIT:
            raise Unsupported("max_length")
        body: dict[str, str] = {"topic": self._topic, "title": message.content.subject, "message": text}
        if message.content.link:
            body["click"] = message.content.link
        response = await self._http.send("POST", "/", content=json.dumps(body).encode())
        if response.status_code == httpx.codes.OK:
            return Sent(provider_id=self._http.read(_Published, response).id)
        if response.is_success:
            raise InDoubt(f"ntfy answered {response.status_code}, which it does not document")
        self._http.ours_to_mend(response, f"{_PREFIX}TOKEN, {_PREFIX}TOPIC and {_PREFIX}BASE_URL")
        code = str(response.status_code)
        raise Refused(f"ntfy refused it ({code})", REFUSED_STATUS.get(response.status_code, Reason.OTHER), code)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Its cache knows texts, not keys: two equal updates could not be told apart."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """ntfy posts nothing to us, so no request can be genuine."""
        raise BadSignature("ntfy has no webhook")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """ntfy posts nothing to us."""
        raise not_an_event("body", "ntfy has no webhook", "send it nowhere")

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


CHANNEL: ChannelSpec = ChannelSpec(
    description="Push notifications to the team's phones through ntfy",
    obtain="ntfy.sh or your own server: make a topic nobody can guess; Account > Access tokens",
    settings=NtfySettings,
    make=lambda: Ntfy(NtfySettings()),
    adapter=Ntfy,
    traps=("Whoever knows the name of a topic that is not reserved can read it: reserve it, or run your own server.",),
)
