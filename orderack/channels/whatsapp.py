"""WhatsApp through Meta's Cloud API: free words within 24 hours of the buyer's own, approved templates after that.

A message has no idempotency key; our key comes back in its status reports (`biz_opaque_callback_data`), which settles
a doubt (messaging.md §5). Much that is wrong with a message is told later, in a report with status `failed`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr
from pydantic_settings import BaseSettings

from orderack.channels import _meta as meta
from orderack.channels._whatsapp_events import events_in
from orderack.clients.http import BaseUrl, Clock, Http, segment, utc_now
from orderack.domain.acknowledgement import Audience, Kind, Reason
from orderack.domain.evidence import Grade
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Greeting, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_WHATSAPP_"
VERSION = "v23.0"
WINDOW = timedelta(hours=24)
MAX_LENGTH = 4_096
"""Characters of a text."""
INTERACTIVE_LIMIT = 1_024
"""Characters above a button."""
BUTTON_ID_LIMIT = 256
PARAMETER_LIMITS = (200, 80, 300)
"""Characters of a template's three values, so that its own words have room below 1,024."""
LANGUAGES = MappingProxyType({"en": "en", "de": "de", "fr": "fr", "es": "es"})
"""Meta's codes of the languages that our messages are written in."""

_TOKEN, _TEMPLATES, _NUMBER = f"{_PREFIX}ACCESS_TOKEN", f"{_PREFIX}TEMPLATES", f"{_PREFIX}PHONE_NUMBER_ID"
_ACCOUNT = f"the account in the WhatsApp Manager, and {_TOKEN}"

CODES = meta.Codes(
    vendor="WhatsApp",
    settings=f"{_TOKEN} and {_NUMBER}",
    refused={
        "100": Reason.CONTENT,
        "131008": Reason.CONTENT,
        "131009": Reason.CONTENT,
        "131021": Reason.BAD_RECIPIENT,
        "131026": Reason.BAD_RECIPIENT,
        "131030": Reason.BAD_RECIPIENT,
        "131047": Reason.WINDOW_CLOSED,
        "131049": Reason.BLOCKED,
        "131050": Reason.OPTED_OUT,
        "131051": Reason.CONTENT,
        "131052": Reason.CONTENT,
        "131053": Reason.CONTENT,
        "130472": Reason.BLOCKED,
        "130497": Reason.BLOCKED,
        "132005": Reason.TOO_LONG,
        "132007": Reason.CONTENT,
        "132015": Reason.BLOCKED,
    },
    ours_to_mend={
        "0": _TOKEN,
        "3": _TOKEN,
        "10": _TOKEN,
        "33": _NUMBER,
        "100:33": _NUMBER,
        "190": _TOKEN,
        "368": _ACCOUNT,
        "131005": _TOKEN,
        "131031": _ACCOUNT,
        "131037": _ACCOUNT,
        "131042": _ACCOUNT,
        "131045": _NUMBER,
        "132000": _TEMPLATES,
        "132001": _TEMPLATES,
        "132012": _TEMPLATES,
        "132016": _TEMPLATES,
        "133010": _NUMBER,
    },
    not_now={
        "2": None,
        "4": timedelta(minutes=1),
        "80007": timedelta(minutes=1),
        "130429": timedelta(seconds=1),
        "131016": None,
        # too many of our messages were blocked or reported: the number is held back for long
        "131048": timedelta(hours=1),
        # one message to the same person every six seconds
        "131056": timedelta(seconds=6),
        "131057": timedelta(minutes=5),
        "133004": None,
    },
    in_doubt=frozenset({"1", "131000"}),
)


class WhatsAppSettings(BaseSettings):
    """`ORDERACK_WHATSAPP_…`"""

    model_config = settings_config(_PREFIX)

    phone_number_id: str = Field(description="the id (not the number) of the number that writes", pattern=r"^\d{1,30}$")
    access_token: SecretStr = Field(description="a system user's token with whatsapp_business_messaging")
    app_secret: SecretStr = Field(description="the app's secret; it signs what Meta posts to us")
    verify_token: SecretStr = Field(description="words of your choice; Meta repeats them when it tries the webhook")
    templates: dict[Kind, str] = Field(
        default={}, description='approved template by kind of message, as JSON: {"confirmation": "order_confirmed"}'
    )
    template_language: str = Field(default="en", description="code of the templates' language for any other language")
    template_link_base: str | None = Field(
        default=None, description="what the address in the templates' link button begins with; empty: they have none"
    )
    template_affirm: bool = Field(default=False, description="the confirmation's template ends with a quick reply")
    base_url: BaseUrl = Field(default="https://graph.facebook.com", description="the sandbox's address in tests")


class _Accepted(BaseModel):
    id: str = ""
    message_status: str = ""


class _Answer(BaseModel):
    messages: tuple[_Accepted, ...] = ()


class _Number(BaseModel):
    verified_name: str = ""
    quality_rating: str = ""


class WhatsApp:
    """One message to one number."""

    name: ClassVar[str] = "whatsapp"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.CHAT,
        audience=Audience.BUYER,
        address="chat:whatsapp",
        evidence_ceiling=Grade.E5,
        idempotency=Idempotency.ECHO,
        max_length=MAX_LENGTH,
        buttons=True,
        replies=True,
        rate_per_second=80.0,
        window=WINDOW,
    )

    def __init__(self, settings: WhatsAppSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http(
            "WhatsApp",
            settings.base_url,
            headers={"Authorization": f"Bearer {settings.access_token.get_secret_value()}"},
            clock=clock,
            own_wait=CODES.own_wait,
        )
        self._path = f"/{VERSION}/{segment(settings.phone_number_id)}"

    async def send(self, message: Message) -> Sent:
        """POST …/messages. `provider_id` is the message's wamid. Raises Refused(WINDOW_CLOSED) where only a template
        may go out and there is none for this kind."""
        response = await self._http.send(
            "POST",
            f"{self._path}/messages",
            content=meta.encoded(self._body(message)),
            headers={"Content-Type": "application/json"},
        )
        if response.status_code != httpx.codes.OK:
            raise CODES.fate(response)
        accepted = next(iter(self._http.read(_Answer, response).messages), _Accepted())
        if not accepted.id:
            raise InDoubt("WhatsApp answered without a message's id")
        if accepted.message_status == "paused":  # its template was: nothing goes out
            raise Refused("WhatsApp holds the template back (paused)", Reason.BLOCKED, "paused")
        return Sent(provider_id=accepted.id, detail=accepted.message_status[:100])

    def _body(self, message: Message) -> dict[str, JsonValue]:
        if not _NUMBER_FORM.fullmatch(message.recipient):
            raise Refused("the recipient is not a phone number", Reason.BAD_RECIPIENT)
        opened = meta.opened(message, self._http.clock(), WINDOW)
        return {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": message.recipient.removeprefix("+"),
            "biz_opaque_callback_data": message.key_text,
            **(_free(message) if opened else self._template(message)),
        }

    def _template(self, message: Message) -> dict[str, JsonValue]:
        own = self._settings
        if (name := own.templates.get(message.kind)) is None:
            raise Refused("24 hours have passed, and this kind has no template", Reason.WINDOW_CLOSED, "no_template")
        texts = meta.parameters(message, PARAMETER_LIMITS)
        components: list[JsonValue] = [{"type": "body", "parameters": [{"type": "text", "text": t} for t in texts]}]
        if own.template_link_base:
            suffix = _suffix(message.content.link or "", own.template_link_base)
            components.append(_button(len(components) - 1, "url", {"type": "text", "text": suffix}))
        if own.template_affirm and message.kind is Kind.CONFIRMATION:
            pressed: JsonValue = {"type": "payload", "payload": message.key_text}
            components.append(_button(len(components) - 1, "quick_reply", pressed))
        code = LANGUAGES.get(message.language.partition("-")[0].lower(), own.template_language)
        template: JsonValue = {"name": name, "language": {"code": code}, "components": components}
        return {"type": "template", "template": template}

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Meta cannot be asked for a message. Its status reports carry our key instead."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """X-Hub-Signature-256 over the raw body."""
        meta.verify(request, self._settings.app_secret.get_secret_value())

    async def greet(self, request: RawRequest) -> Greeting | None:
        """Meta tries the webhook once, by GET, with our verify token."""
        return meta.greet(request, self._settings.verify_token.get_secret_value())

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """Status reports and what buyers wrote or pressed; one request may bring many of both."""
        return events_in(request, self.name)

    async def check(self) -> str:
        """Read the number's own entry."""
        try:
            response = await self._http.send("GET", f"{self._path}?fields=verified_name,quality_rating")
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        if response.status_code != httpx.codes.OK:
            if isinstance(fate := CODES.fate(response), Refused):
                raise Misconfigured(f"WhatsApp does not show us the number: check {_NUMBER}")
            raise fate
        try:
            number = _Number.model_validate_json(response.content)
        except ValueError:
            raise Unavailable("WhatsApp answered with a body that says nothing") from None
        return f"writes as {number.verified_name[:100]}, quality {number.quality_rating[:20].lower() or 'unknown'}"

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


_NUMBER_FORM = re.compile(r"^\+?[1-9]\d{6,14}$")


def _free(message: Message) -> dict[str, JsonValue]:
    """Words with the affirming button, else with the link's, where they fit above one; else a text with the link."""
    content, key = message.content, message.key_text
    whole = meta.worded(content, MAX_LENGTH)
    if content.affirm_label and len(whole) <= INTERACTIVE_LIMIT and len(key) <= BUTTON_ID_LIMIT:
        reply: JsonValue = {"type": "reply", "reply": {"id": key, "title": meta.title(content.affirm_label)}}
        return _interactive("button", whole, {"buttons": [reply]})
    bare = content.chat or content.text
    if content.link and not content.affirm_label and len(bare) <= INTERACTIVE_LIMIT:
        opens: JsonValue = {"display_text": meta.title(content.open_label), "url": content.link}
        return _interactive("cta_url", bare, {"name": "cta_url", "parameters": opens})
    return {"type": "text", "text": {"preview_url": False, "body": whole}}


def _interactive(kind: str, text: str, action: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": text}, "action": dict(action)}}


def _button(index: int, kind: str, parameter: JsonValue) -> JsonValue:
    return {"type": "button", "sub_type": kind, "index": str(index), "parameters": [parameter]}


def _suffix(link: str, base: str) -> str:
    """What is left of the page's address behind the template's own part of it."""
    if not link.startswith(base) or link == base:
        raise Misconfigured(f"the page's address does not begin with {_PREFIX}TEMPLATE_LINK_BASE")
    return link.removeprefix(base)


CHANNEL: ChannelSpec = ChannelSpec(
    description="WhatsApp messages to the buyer through Meta's Cloud API",
    obtain="developers.facebook.com: your app > WhatsApp > API Setup (phone number id), Settings > Basic (app secret); "
    "business.facebook.com: System users (token); WhatsApp Manager: Message templates",
    settings=WhatsAppSettings,
    make=lambda: WhatsApp(WhatsAppSettings()),
    adapter=WhatsApp,
    webhook="Your app > WhatsApp > Configuration: this URL as callback, your verify token, and the field `messages`",
    traps=(
        "More than 24 hours after the buyer's last message only approved templates go out; a kind without a template "
        "in ORDERACK_WHATSAPP_TEMPLATES then goes to the next channel.",
        "A template takes three values in this order: order number, store name, one line that says what happened; then "
        "a link button where TEMPLATE_LINK_BASE is set, and last, in the confirmation's where TEMPLATE_AFFIRM is set, "
        "a quick reply.",
        "`read` may come without `delivered`, and never where the buyer has switched read receipts off: no report "
        "proves nothing.",
        "A message over 1,024 characters carries no button; the buyer affirms it by a word or on the page.",
        "A template that Meta still assesses holds its messages back; if Meta drops them, a failure is reported later.",
    ),
)
