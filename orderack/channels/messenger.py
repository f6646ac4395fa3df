"""Facebook Messenger: answers within 24 hours of the buyer's own words, approved utility templates after that.

A message has no idempotency key; our key comes back in the echo of each message (`metadata`), which settles a doubt.
Reading is reported by a watermark: everything sent up to then (messaging.md §9). The tag HUMAN_AGENT is for people's
own answers and is never used here.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr
from pydantic_settings import BaseSettings

from orderack.channels import _meta as meta
from orderack.channels._messenger_events import events_in
from orderack.clients.http import BaseUrl, Clock, Http, segment, utc_now
from orderack.domain.acknowledgement import Audience, Kind, Reason
from orderack.domain.evidence import Grade
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Greeting, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_MESSENGER_"
VERSION = "v25.0"
WINDOW = timedelta(hours=24)
MAX_LENGTH = 2_000
"""Characters of a text."""
BUTTONS_LIMIT = 640
"""Characters above buttons."""
PARAMETER_LIMITS = (200, 80, 300)
LANGUAGES = MappingProxyType({"en": "en", "de": "de", "fr": "fr", "es": "es"})

_TOKEN, _PAGE, _TEMPLATES = f"{_PREFIX}PAGE_ACCESS_TOKEN", f"{_PREFIX}PAGE_ID", f"{_PREFIX}TEMPLATES"
_RIGHTS = f"{_TOKEN} and the app's permission pages_messaging"
_RESTRICTED = f"the page ({_PAGE}): Facebook has restricted it"

CODES = meta.Codes(
    vendor="Messenger",
    settings=f"{_TOKEN} and {_PAGE}",
    refused={
        "10:2018278": Reason.WINDOW_CLOSED,
        "10:2018065": Reason.WINDOW_CLOSED,
        "100": Reason.CONTENT,
        "100:2018001": Reason.BAD_RECIPIENT,
        "551": Reason.BLOCKED,
        ":1545041": Reason.BLOCKED,
        ":2018108": Reason.BLOCKED,
        "2018108": Reason.BLOCKED,
    },
    ours_to_mend={
        "3": _RIGHTS,
        "10": _RIGHTS,
        "10:1893063": _RESTRICTED,
        "100:33": _PAGE,
        "190": _TOKEN,
        "230": _RIGHTS,
        "368": _RESTRICTED,
    },
    not_now={
        # also what a page gets whom the person has blocked: it goes to the next channel when its time is over
        "2": None,
        "4": timedelta(minutes=1),
        "613": timedelta(minutes=1),
        "80006": timedelta(minutes=1),
        "1200": None,
    },
    in_doubt=frozenset({"1"}),
)


class MessengerSettings(BaseSettings):
    """`ORDERACK_MESSENGER_…`"""

    model_config = settings_config(_PREFIX)

    page_id: str = Field(description="the page's id", pattern=r"^\d{1,30}$")
    page_access_token: SecretStr = Field(description="the page's token with pages_messaging")
    app_secret: SecretStr = Field(description="the app's secret; it signs what Meta posts to us")
    verify_token: SecretStr = Field(description="words of your choice; Meta repeats them when it tries the webhook")
    templates: dict[Kind, str] = Field(
        default={}, description='approved utility template by kind, as JSON: {"confirmation": "order_confirmed"}'
    )
    template_language: str = Field(default="en", description="code of the templates' language for any other language")
    base_url: BaseUrl = Field(default="https://graph.facebook.com", description="the sandbox's address in tests")


class _Answer(BaseModel):
    message_id: str = ""


class _Page(BaseModel):
    name: str = ""


class Messenger:
    """One message to one person, whom the page knows by an id of its own (PSID)."""

    name: ClassVar[str] = "messenger"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.CHAT,
        audience=Audience.BUYER,
        address="chat:messenger",
        evidence_ceiling=Grade.E5,
        idempotency=Idempotency.ECHO,
        max_length=MAX_LENGTH,
        buttons=True,
        replies=True,
        rate_per_second=300.0,
        window=WINDOW,
    )

    def __init__(self, settings: MessengerSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http(
            "Messenger",
            settings.base_url,
            headers={"Authorization": f"Bearer {settings.page_access_token.get_secret_value()}"},
            clock=clock,
            own_wait=CODES.own_wait,
        )
        self._path = f"/{VERSION}/{segment(settings.page_id)}"

    async def send(self, message: Message) -> Sent:
        """POST …/messages. `provider_id` is the message's mid. Raises Refused(WINDOW_CLOSED) where only a template
        may go out and there is none for this kind."""
        response = await self._http.send(
            "POST",
            f"{self._path}/messages",
            content=meta.encoded(self._body(message)),
            headers={"Content-Type": "application/json"},
        )
        if response.status_code != httpx.codes.OK:
            raise CODES.fate(response)
        if not (mid := self._http.read(_Answer, response).message_id):
            raise InDoubt("Messenger answered without a message's id")
        return Sent(provider_id=mid)

    def _body(self, message: Message) -> dict[str, JsonValue]:
        if not _PSID.fullmatch(message.recipient):
            raise Refused("the recipient is not a page-scoped id", Reason.BAD_RECIPIENT)
        opened = meta.opened(message, self._http.clock(), WINDOW)
        said = _free(message) if opened else self._template(message)
        return {
            "recipient": {"id": message.recipient},
            "messaging_type": "RESPONSE" if opened else "UTILITY",
            "message": {**said, "metadata": message.key_text},
        }

    def _template(self, message: Message) -> dict[str, JsonValue]:
        own = self._settings
        if (name := own.templates.get(message.kind)) is None:
            raise Refused("24 hours have passed, and this kind has no template", Reason.WINDOW_CLOSED, "no_template")
        texts = meta.parameters(message, PARAMETER_LIMITS)
        parameters: list[JsonValue] = [{"type": "text", "text": text} for text in texts]
        code = LANGUAGES.get(message.language.partition("-")[0].lower(), own.template_language)
        components: list[JsonValue] = [{"type": "body", "parameters": parameters}]
        return {"template": {"name": name, "language": {"code": code}, "components": components}}

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """A conversation can be read, but not searched for our key. The echo carries it instead."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """X-Hub-Signature-256 over the raw body."""
        meta.verify(request, self._settings.app_secret.get_secret_value())

    async def greet(self, request: RawRequest) -> Greeting | None:
        """Meta tries the webhook once, by GET, with our verify token."""
        return meta.greet(request, self._settings.verify_token.get_secret_value())

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """Echoes, reports by message and by watermark, and what buyers wrote or pressed."""
        return events_in(request, self.name)

    async def check(self) -> str:
        """Read the page's name."""
        try:
            response = await self._http.send("GET", f"{self._path}?fields=name")
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        if response.status_code != httpx.codes.OK:
            if isinstance(fate := CODES.fate(response), Refused):
                raise Misconfigured(f"Messenger does not show us the page: check {_PAGE}")
            raise fate
        try:
            page = _Page.model_validate_json(response.content)
        except ValueError:
            raise Unavailable("Messenger answered with a body that says nothing") from None
        return f"writes as the page {page.name[:100]}"

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


_PSID = re.compile(r"^\d{5,30}$")


def _free(message: Message) -> dict[str, JsonValue]:
    """Words above buttons that stay where they fit; else a text with the link, and a quick reply that affirms."""
    content = message.content
    affirm, label = message.key_text if content.affirm_label else "", meta.title(content.affirm_label)
    bare = content.chat or content.text
    buttons: list[JsonValue] = [{"type": "postback", "title": label, "payload": affirm}] if affirm else []
    if content.link:
        buttons.append({"type": "web_url", "title": meta.title(content.open_label), "url": content.link})
    if buttons and len(bare) <= BUTTONS_LIMIT:
        payload: JsonValue = {"template_type": "button", "text": bare, "buttons": buttons}
        return {"attachment": {"type": "template", "payload": payload}}
    replies: list[JsonValue] = [{"content_type": "text", "title": label, "payload": affirm}] if affirm else []
    return {"text": meta.worded(content, MAX_LENGTH), **({"quick_replies": replies} if replies else {})}


CHANNEL: ChannelSpec = ChannelSpec(
    description="Facebook Messenger, to buyers who have written to the store's page",
    obtain="developers.facebook.com: your app > Messenger > API settings (page id, token); Settings > Basic (secret)",
    settings=MessengerSettings,
    make=lambda: Messenger(MessengerSettings()),
    adapter=Messenger,
    webhook="Your app > Messenger > API settings > Webhooks: this URL as callback, your verify token, and the fields "
    "messages, messaging_postbacks, message_deliveries, message_reads, message_echoes, message_reactions, "
    "messaging_optins",
    traps=(
        "Messenger reaches only buyers who have written to the page: there is no sending by phone number or e-mail.",
        "More than 24 hours after the buyer's last words only approved utility templates go out; a kind without one in "
        "ORDERACK_MESSENGER_TEMPLATES then goes to the next channel. A template takes order number, store name and one "
        "line that says what happened.",
        "Reading is reported by a watermark, everything sent up to then, and not message by message.",
        "Without the field message_echoes a send that was cut off stays in doubt until a person settles it.",
        "Over 640 characters the affirming button is a quick reply, which goes away when the conversation goes on.",
    ),
)
