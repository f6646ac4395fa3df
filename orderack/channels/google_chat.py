"""Alerts to the team in Google Chat, with a button to take note. Internal only: nothing here counts for the buyer.

A message carries a request id and a name of its own (messaging.md §10), both made from our key: Chat makes one message
of it, however often it is sent. It reports neither delivery nor reading.
"""

import hashlib
import html
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, ClassVar
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid5

import httpx
from pydantic import BaseModel, Field, JsonValue, StringConstraints, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.google_jwt import CHAT, CHAT_KEYS, KEYS_HOST, OIDC_ISSUERS, OIDC_KEYS, GoogleTokens
from orderack.clients.http import BaseUrl, Clock, Http, utc_now
from orderack.clients.oauth import RsaKey, SignedIn, Tokens, jwt_assertion
from orderack.clients.wire import Moment, read
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_GOOGLE_CHAT_"
SCOPE = "https://www.googleapis.com/auth/chat.bot"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_PATH = "/token"  # noqa: S105 - a path
TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
TEXT_LIMIT = 16_000
"""Characters; the bytes of the whole message are what Chat limits."""
BODY_LIMIT = 32_000
"""Bytes of a message (discovery document, messages.create)."""
RAW_LIMIT = 2_000
AFFIRM = "orderack_affirm"
"""The button's function; frozen, for buttons of old messages still work."""
KEY_FIELD = "orderack_key"

REFUSED_STATUS = MappingProxyType(
    {
        "INVALID_ARGUMENT": Reason.CONTENT,
        "NOT_FOUND": Reason.BAD_RECIPIENT,
        # the app is not, or no longer, in the space
        "PERMISSION_DENIED": Reason.BAD_RECIPIENT,
        "FAILED_PRECONDITION": Reason.OTHER,
    }
)
OURS_TO_MEND = frozenset(
    {
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "ACCOUNT_STATE_INVALID",
        "API_KEY_INVALID",
        "BILLING_DISABLED",
        "CONSUMER_INVALID",
        "CONSUMER_SUSPENDED",
        "SERVICE_DISABLED",
        "USER_PROJECT_DENIED",
        "UNAUTHENTICATED",
    }
)
"""Google's words (`details[].reason`, `status`) for a project or an account that is not set up."""
NOT_NOW = frozenset({"ABORTED", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "RATE_LIMIT_EXCEEDED"})
ALREADY_EXISTS = "ALREADY_EXISTS"

_SPACE = r"^spaces/[A-Za-z0-9_-]{1,100}$"
Space = Annotated[str, StringConstraints(pattern=_SPACE)]


class GoogleChatSettings(BaseSettings):
    """`ORDERACK_GOOGLE_CHAT_…`"""

    model_config = settings_config(_PREFIX)

    client_email: str = Field(description="the service account's e-mail address (client_email in its key file)")
    private_key: RsaKey = Field(description="the service account's private key in PEM (private_key in its key file)")
    audience: str = Field(
        min_length=1,
        description="the app's authentication audience: this gateway's webhook URL, or the Cloud project's number",
    )
    default_space: Space = Field(description="the space for alerts to a role that has none of its own: spaces/AAAA…")
    spaces: dict[str, Space] = Field(default={}, description='space by role, as JSON: {"ops": "spaces/AAAA1234567"}')
    base_url: BaseUrl = Field(default="https://chat.googleapis.com", description="the sandbox's address in tests")
    token_base_url: BaseUrl = Field(
        default="https://oauth2.googleapis.com", description="where one signs in; the sandbox's address in tests"
    )
    keys_base_url: BaseUrl = Field(
        default=KEYS_HOST, description="where Google publishes its keys; the sandbox's address in tests"
    )


class _Made(BaseModel):
    name: str = Field(pattern=r"^spaces/[^/\s]+/messages/[^/\s]+$", max_length=500)


class _Space(BaseModel):
    name: str
    display_name: str = Field(default="", alias="displayName")


class _Detail(BaseModel):
    reason: str = ""


class _Error(BaseModel):
    status: str = ""
    details: tuple[_Detail, ...] = ()


class _Failed(BaseModel):
    error: _Error


class _Parameter(BaseModel):
    key: str = ""
    value: str = Field(default="", max_length=2_000)


class _Action(BaseModel):
    method: str = Field(default="", alias="actionMethodName", max_length=200)
    parameters: tuple[_Parameter, ...] = ()


class _Named(BaseModel):
    name: str = Field(default="", max_length=500)


class _Interaction(BaseModel):
    type: str = Field(min_length=1, max_length=100)
    at: Moment = Field(alias="eventTime")
    message: _Named = _Named()
    space: _Named = _Named()
    user: _Named = _Named()
    action: _Action = _Action()


_INTERACTION = TypeAdapter(_Interaction)


class GoogleChat:
    """One message to one space."""

    name: ClassVar[str] = "google_chat"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.CHAT,
        audience=Audience.INTERNAL,
        address="chat:google_chat",
        evidence_ceiling=Grade.E5,
        idempotency=Idempotency.KEY,
        max_length=TEXT_LIMIT,
        buttons=True,
        rate_per_second=1.0,
    )

    def __init__(self, settings: GoogleChatSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http("Google Chat", settings.base_url, clock=clock)
        signing_in = Http("Google's sign-in", settings.token_base_url, clock=clock)
        setting = f"{_PREFIX}CLIENT_EMAIL and _PRIVATE_KEY"
        self._chat = SignedIn(self._http, Tokens(signing_in, TOKEN_PATH, self._form, setting=setting, clock=clock))
        self._keys = Http("Google's keys", settings.keys_base_url, repeatable=True, clock=clock)
        self._google = _tokens(self._keys, settings.audience, clock)

    def _form(self) -> dict[str, str]:
        own = self._settings
        assertion = jwt_assertion(
            issuer=own.client_email,
            audience=TOKEN_AUDIENCE,
            key_pem=own.private_key.get_secret_value(),
            scope=SCOPE,
            clock=self._http.clock,
        )
        return {"grant_type": GRANT, "assertion": assertion}

    async def send(self, message: Message) -> Sent:
        """spaces.messages.create. The recipient is a role of the settings, or a space. `provider_id`: its name."""
        body = json.dumps(_post(message), separators=(",", ":"), ensure_ascii=False).encode()
        if len(message.content.text) > TEXT_LIMIT or len(body) > BODY_LIMIT:
            raise Unsupported("max_length")
        space, own_name = self._space(message.recipient), _own_name(message.key_text)
        query = urlencode({"messageId": own_name, "requestId": str(uuid5(NAMESPACE_URL, message.key_text))})
        response = await self._chat.send(
            "POST",
            f"/v1/{space}/messages?{query}",
            content=body,
            headers={"Content-Type": "application/json; charset=utf-8"},
        )
        if response.status_code == httpx.codes.OK:
            return Sent(provider_id=self._http.read(_Made, response).name)
        error = _error(response)
        if response.status_code == httpx.codes.CONFLICT and error.status == ALREADY_EXISTS:
            return Sent(provider_id=f"{space}/messages/{own_name}", detail="it was there already")
        raise self._fate(response, error)

    def _space(self, recipient: str) -> str:
        own = self._settings
        return own.spaces.get(recipient) or (recipient if re.fullmatch(_SPACE, recipient) else own.default_space)

    def _fate(self, response: httpx.Response, error: _Error) -> Unavailable | InDoubt | Refused | Misconfigured:
        """What an answer other than 200 means for us. Google's sentence is dropped: it may repeat the message."""
        words = [*(detail.reason for detail in error.details), error.status]
        word = next((word for word in words if word), str(response.status_code))[:100]
        if OURS_TO_MEND.intersection(words) or response.status_code == httpx.codes.UNAUTHORIZED:
            return Misconfigured(
                f"Google Chat refuses us ({word}): check {_PREFIX}CLIENT_EMAIL, and the Chat API in the project"
            )
        if NOT_NOW.intersection(words):
            return Unavailable(f"Google Chat cannot take it now ({word})")
        if error.status not in REFUSED_STATUS:
            self._http.ours_to_mend(response, f"{_PREFIX}BASE_URL")
        if response.is_success or response.status_code == httpx.codes.CONFLICT:
            return InDoubt(f"Google Chat answered {word}, which leaves it open")
        return Refused(f"Google Chat refused ({word})", REFUSED_STATUS.get(error.status, Reason.OTHER), word)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Sending again settles it: its names are Chat's for as long as the message lives."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """Read the default space, which the app has to be a member of."""
        space = self._settings.default_space
        try:
            response = await self._chat.send("GET", f"/v1/{space}")
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        if response.status_code != httpx.codes.OK:
            fate = self._fate(response, _error(response))
            if isinstance(fate, Refused):
                raise Misconfigured(f"Google Chat does not show us {space}: check {_PREFIX}DEFAULT_SPACE") from None
            raise fate
        try:
            found = _Space.model_validate_json(response.content)
        except ValidationError:
            raise Unavailable("Google Chat answered a question with a body that says nothing") from None
        return f"signed in as {self._settings.client_email}; in {found.display_name or found.name}"

    async def verify(self, request: RawRequest) -> None:
        """The bearer token that Google signs for this app. It covers who speaks, not what is said."""
        await self._google.verify(request.headers.get("authorization", ""))

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The one interaction. Only our button means something: what the team writes to the app is nobody's answer."""
        found = read(_INTERACTION, request.body)
        affirmed = found.type == "CARD_CLICKED" and found.action.method == AFFIRM
        given = [parameter.value for parameter in found.action.parameters if parameter.key == KEY_FIELD]
        return [
            ChannelEvent(
                id=_event_id(found),
                event=EvidenceEvent.AFFIRMED if affirmed else EvidenceEvent.UNKNOWN,
                grade=Grade.E5 if affirmed else None,
                key=next(iter(given), None) if affirmed else None,
                provider_id=found.message.name or None,
                occurred_at=found.at.astimezone(UTC),
                basis=":".join(part for part in (self.name, found.type, found.action.method) if part),
                raw=_raw(request, found),
            )
        ]

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._chat.aclose()
        await self._keys.aclose()


def _tokens(http: Http, audience: str, clock: Clock) -> GoogleTokens:
    """Google signs in one of two ways, which the audience tells apart ("Verify requests from Google Chat")."""
    if audience.isdecimal():
        return GoogleTokens(http, CHAT_KEYS, audience=audience, issuers=frozenset({CHAT}), email=None, clock=clock)
    return GoogleTokens(http, OIDC_KEYS, audience=audience, issuers=OIDC_ISSUERS, email=CHAT, clock=clock)


def _own_name(key: str) -> str:
    return f"client-{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def _raw(request: RawRequest, found: _Interaction) -> str:
    """The whole body; of one that is too long, for it repeats the card, all that we read: who pressed is part of it."""
    whole = request.body.decode("utf-8", "replace")
    return whole if len(whole) <= RAW_LIMIT else found.model_dump_json(by_alias=True)[:RAW_LIMIT]


def _event_id(found: _Interaction) -> str:
    # Google gives interactions no id; the same person presses the same button twice at two times
    where = found.message.name or found.space.name
    parts = (found.type, found.action.method, where, found.user.name, found.at.isoformat())
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()


def _post(message: Message) -> dict[str, JsonValue]:
    """A card with the order, the words and the buttons; the line above it is what a notification shows."""
    content = message.content
    title = content.subject or message.key.ref.number
    fact: dict[str, JsonValue] = {"text": _plain(message.key.ref.number), "wrapText": True}
    fact["bottomLabel"] = message.sender_name or message.key.ref.store
    buttons: list[JsonValue] = [
        _button(
            content.affirm_label or "Got it",
            {"action": {"function": AFFIRM, "parameters": [{"key": KEY_FIELD, "value": message.key_text}]}},
        )
    ]
    if content.link:
        buttons.append(_button(content.open_label, {"openLink": {"url": content.link}}))
    widgets: list[JsonValue] = [
        {"decoratedText": fact},
        {"textParagraph": {"text": _plain(_below(title, content.chat or content.text))}},
        {"buttonList": {"buttons": buttons}},
    ]
    card: dict[str, JsonValue] = {"header": {"title": title[:200]}, "sections": [{"widgets": widgets}]}
    # `<users/all>` in a text pings the whole space, and nothing can escape it
    return {"text": title.replace("<", "‹"), "cardsV2": [{"cardId": "orderack", "card": card}]}


def _below(title: str, words: str) -> str:
    """The words without the title, where they begin with it."""
    return words.removeprefix(title).lstrip() or words


def _button(label: str, on_click: JsonValue) -> JsonValue:
    return {"text": label, "onClick": on_click}


def _plain(text: str) -> str:
    """Text of an order as text of a card, which is HTML."""
    return html.escape(text, quote=False)


def _error(response: httpx.Response) -> _Error:
    try:
        return _Failed.model_validate_json(response.content).error
    except ValidationError:
        return _Error()


CHANNEL: ChannelSpec = ChannelSpec(
    description="Alerts to the team in Google Chat",
    obtain=(
        "Google Cloud console, a project with the Google Chat API: IAM > Service accounts > Keys (client_email, "
        "private_key); Google Chat API > Configuration (authentication audience); the space's id is in its address "
        "in the browser (…/room/AAAA: spaces/AAAA)"
    ),
    settings=GoogleChatSettings,
    make=lambda: GoogleChat(GoogleChatSettings()),
    adapter=GoogleChat,
    webhook=(
        "Google Chat API > Configuration > Connection settings: HTTP endpoint URL, with the same authentication "
        "audience as in the settings; build the app as a Chat app, not as a Workspace add-on"
    ),
    traps=(
        "It tells your own team. Whatever happens here, the buyer has not been told.",
        "The app has to be a member of each space: add it there by @mentioning it, or messages to it are refused.",
        "Our answer to a press is a receipt and not a Chat message, so Chat may tell whoever pressed that the app did "
        "not answer. The press is recorded all the same.",
        "The proof Google sends covers who speaks and not what is said: keep the webhook on https.",
    ),
)
