"""Alerts to the team in Slack, with a button to take note. Internal only: nothing here ever counts for the buyer.

chat.postMessage has no idempotency key and no events of delivery (messaging.md §6), so doubt is settled by a person
or by sending again, as the policy says.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import digest
from types import MappingProxyType
from typing import ClassVar, Literal
from urllib.parse import parse_qs

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.http import BaseUrl, Clock, Http, utc_now
from orderack.clients.wire import not_an_event, read, same, within
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Greeting, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_SLACK_"
WINDOW = timedelta(seconds=300)
TEXT_LIMIT = 12_000
"""Characters in all blocks; Slack refuses from about 13,200."""
FALLBACK_LIMIT = 40_000
SECTION_LIMIT = 3_000
AFFIRM = "orderack_affirm"
"""The button's action id; frozen, for buttons of old messages still work."""
KEY_FIELD = "orderack_key"

REFUSED_ERROR = MappingProxyType(
    {
        "channel_not_found": Reason.BAD_RECIPIENT,
        "not_in_channel": Reason.BAD_RECIPIENT,
        "is_archived": Reason.BAD_RECIPIENT,
        "user_not_found": Reason.BAD_RECIPIENT,
        "messages_tab_disabled": Reason.BLOCKED,
        "restricted_action": Reason.BLOCKED,
        "msg_too_long": Reason.TOO_LONG,
        "msg_blocks_too_long": Reason.TOO_LONG,
        "no_text": Reason.CONTENT,
        "invalid_blocks": Reason.CONTENT,
        "invalid_blocks_format": Reason.CONTENT,
        "too_many_attachments": Reason.CONTENT,
    }
)
OURS_TO_MEND = frozenset(
    {
        "account_inactive",
        "ekm_access_denied",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
NOT_NOW = frozenset({"rate_limited", "ratelimited", "request_timeout", "service_unavailable", "team_added_to_org"})
IN_DOUBT = frozenset({"fatal_error", "internal_error"})
"""Slack says of both that part of the operation may have succeeded."""

NEEDED_SCOPE = "chat:write"

_CHANNEL_ID = re.compile(r"^[CDGUW][A-Z0-9]{7,20}$")


class SlackSettings(BaseSettings):
    """`ORDERACK_SLACK_…`"""

    model_config = settings_config(_PREFIX)

    bot_token: SecretStr = Field(description="bot token (xoxb-…) with the scope chat:write")
    signing_secret: SecretStr = Field(description="signs the clicks on our buttons")
    default_channel: str = Field(description="the channel's id for alerts to a role that has none of its own")
    channels: dict[str, str] = Field(default={}, description='channel id by role, as JSON: {"ops": "C0123456789"}')
    base_url: BaseUrl = Field(default="https://slack.com", description="the sandbox's address in tests")


class _Posted(BaseModel):
    ok: bool
    error: str | None = None
    channel: str | None = None
    ts: str | None = None


class _Challenge(BaseModel):
    type: Literal["url_verification"]
    challenge: str = Field(min_length=1, max_length=1_000)


class _Action(BaseModel):
    action_id: str = Field(max_length=255)
    action_ts: str = Field(pattern=r"^\d{1,11}\.\d{1,6}$")
    value: str | None = Field(default=None, max_length=2_000)


class _Container(BaseModel):
    channel_id: str = Field(default="", max_length=30)
    message_ts: str = Field(default="", max_length=30)


class _Interaction(BaseModel):
    type: str
    actions: tuple[_Action, ...] = ()
    container: _Container = _Container()


_INTERACTION = TypeAdapter(_Interaction)


class Slack:
    """One message to one channel of the workspace."""

    name: ClassVar[str] = "slack"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.CHAT,
        audience=Audience.INTERNAL,
        address="chat:slack",
        evidence_ceiling=Grade.E5,
        idempotency=Idempotency.NONE,
        max_length=TEXT_LIMIT,
        buttons=True,
        rate_per_second=1.0,
    )

    def __init__(self, settings: SlackSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        login = {"Authorization": f"Bearer {settings.bot_token.get_secret_value()}"}
        self._http = Http("Slack", settings.base_url, headers=login, clock=clock)
        self._reads = Http("Slack", settings.base_url, headers=login, repeatable=True, clock=clock)

    async def send(self, message: Message) -> Sent:
        """chat.postMessage. The recipient is a role of the settings, or a channel's id. `provider_id`: `channel/ts`."""
        if len(message.content.text) > TEXT_LIMIT:
            raise Unsupported("max_length")
        response = await self._http.send(
            "POST",
            "/api/chat.postMessage",
            content=json.dumps(self._post(message), separators=(",", ":")).encode(),
            headers={"Content-Type": "application/json; charset=utf-8"},
        )
        if response.status_code != httpx.codes.OK:
            self._http.ours_to_mend(response, f"{_PREFIX}BASE_URL")
            code = str(response.status_code)
            raise Refused(f"Slack refused the message ({code})", Reason.OTHER, code)
        posted = self._http.read(_Posted, response)
        if not posted.ok:
            raise _fate(posted.error or "")
        if not posted.ts or not posted.channel:
            raise InDoubt("Slack answered ok without a message's ts")
        return Sent(provider_id=f"{posted.channel}/{posted.ts}")

    def _channel(self, recipient: str) -> str:
        own = self._settings
        return own.channels.get(recipient) or (recipient if _CHANNEL_ID.fullmatch(recipient) else own.default_channel)

    def _post(self, message: Message) -> dict[str, JsonValue]:
        return {
            "channel": self._channel(message.recipient),
            "text": _escaped(message.content.subject or message.content.text)[:FALLBACK_LIMIT],
            "blocks": _blocks(message),
            "metadata": {"event_type": "orderack", "event_payload": {KEY_FIELD: message.key_text}},
            "unfurl_links": False,
            "unfurl_media": False,
        }

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Needs history scopes that an alerting bot should not have."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """auth.test, and the scopes that its answer's header names."""
        response = await self._reads.send("POST", "/api/auth.test")
        self._reads.ours_to_mend(response, f"{_PREFIX}BOT_TOKEN and {_PREFIX}BASE_URL")
        answer = self._reads.read(_Posted, response)
        if not answer.ok:
            fate = _fate(answer.error or "")
            raise fate if isinstance(fate, Misconfigured) else Unavailable(str(fate))
        scopes = response.headers.get("x-oauth-scopes")
        if scopes is not None and NEEDED_SCOPE not in {scope.strip() for scope in scopes.split(",")}:
            raise Misconfigured(f"the token lacks the scope {NEEDED_SCOPE}: check {_PREFIX}BOT_TOKEN")
        return "signed in as a bot that may post"

    async def greet(self, request: RawRequest) -> Greeting | None:
        """Slack's url_verification: its challenge comes back, if Slack's signature holds."""
        if b"url_verification" not in request.body:
            return None
        await self.verify(request)  # first: reading costs more than proving
        try:
            asked = _Challenge.model_validate_json(request.body)
        except ValidationError:
            return None
        return Greeting(body=asked.challenge)

    async def verify(self, request: RawRequest) -> None:
        """The v0 signature over timestamp and raw body, at most 300 seconds old."""
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        signed = b"v0:" + timestamp.encode("utf-8", "replace") + b":" + request.body
        mac = digest(self._settings.signing_secret.get_secret_value().encode(), signed, sha256).hex()
        if not same(f"v0={mac}", request.headers.get("x-slack-signature", "")):
            raise BadSignature("the Slack signature does not fit")
        within(timestamp, self._http.clock(), WINDOW)

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """Clicks on our buttons (form field `payload`). Slack reports nothing else of a message that was sent."""
        payload = parse_qs(request.body.decode("utf-8", "replace")).get("payload")
        if not payload:
            raise not_an_event("payload", "not an interaction", "use this URL as the app's Interactivity request URL")
        interaction = read(_INTERACTION, payload[0].encode())
        return [self._click(interaction, action, payload[0]) for action in interaction.actions]

    def _click(self, interaction: _Interaction, action: _Action, raw: str) -> ChannelEvent:
        where = interaction.container
        affirmed = interaction.type == "block_actions" and action.action_id == AFFIRM
        return ChannelEvent(
            id=f"{where.channel_id}/{where.message_ts}/{action.action_ts}",
            event=EvidenceEvent.AFFIRMED if affirmed else EvidenceEvent.UNKNOWN,
            grade=Grade.E5 if affirmed else None,
            key=action.value if affirmed else None,
            provider_id=f"{where.channel_id}/{where.message_ts}",
            occurred_at=datetime.fromtimestamp(float(action.action_ts), UTC),
            basis=f"{self.name}:{interaction.type[:50]}:{action.action_id}",
            raw=raw[:2_000],
        )

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._http.aclose()
        await self._reads.aclose()


def _blocks(message: Message) -> list[JsonValue]:
    """Plain-text sections, so that an order's text can ping nobody, and the buttons."""
    text = message.content.text
    parts = [text[start : start + SECTION_LIMIT] for start in range(0, len(text), SECTION_LIMIT)]
    sections: list[JsonValue] = [
        {"type": "section", "text": {"type": "plain_text", "text": part, "emoji": False}} for part in parts
    ]
    buttons: list[JsonValue] = [_button("Got it", action_id=AFFIRM, value=message.key_text)]
    if message.content.link:
        buttons.append(_button("Open", action_id="orderack_open", url=message.content.link))
    return [*sections, {"type": "actions", "elements": buttons}]


def _button(label: str, **fields: JsonValue) -> JsonValue:
    return {"type": "button", "text": {"type": "plain_text", "text": label}, **fields}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fate(error: str) -> Unavailable | InDoubt | Refused | Misconfigured:
    """What Slack's `error` means for us."""
    word = error[:100]
    if error in OURS_TO_MEND:
        return Misconfigured(f"Slack refuses us ({word}): check {_PREFIX}BOT_TOKEN and the app's scopes")
    if error in NOT_NOW:
        return Unavailable(f"Slack cannot take it now ({word})")
    if error in IN_DOUBT:
        return InDoubt(f"Slack broke down ({word}): it may have been posted")
    return Refused(f"Slack refused the message ({word})", REFUSED_ERROR.get(error, Reason.OTHER), word)


CHANNEL: ChannelSpec = ChannelSpec(
    description="Alerts to the team in Slack",
    obtain="api.slack.com/apps: OAuth & Permissions (bot token), Basic Information (signing secret), Interactivity",
    settings=SlackSettings,
    make=lambda: Slack(SlackSettings()),
    adapter=Slack,
    webhook="the app's Interactivity & Shortcuts > Request URL (and Event Subscriptions, if you use them): this URL",
    traps=(
        "The bot posts only where it was invited: /invite it to each channel, also the private ones.",
        "Slack takes one message a second in a channel; a burst of alerts comes later, not never.",
        "There is no key and no report of delivery: a post cut off half-way is for a person to look at.",
        "What is said in Slack tells the team and never counts as telling the buyer.",
    ),
)
