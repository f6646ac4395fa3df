"""E-mail from a Gmail or Google Workspace mailbox (Gmail API v1, discovery revision 20261005).

Gmail has no idempotency key and reports nothing: our own Message-ID finds a message that is in doubt, and bounces,
receipt notices and replies are mails in the same mailbox, which is read (messaging.md §7). A push of Pub/Sub says only
that there is news.
"""

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import ClassVar, Self
from urllib.parse import urlencode

import httpx
from pydantic import (
    BaseModel,
    Field,
    JsonValue,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings

from orderack.channels._order_mail import composed
from orderack.clients.email_address import EmailAddress
from orderack.clients.google_jwt import KEYS_HOST, OIDC_ISSUERS, OIDC_KEYS, GoogleTokens
from orderack.clients.http import WRONG_KEY_OR_URL, BaseUrl, Clock, Http, retry_after, segment, utc_now
from orderack.clients.mailbox import Arrived, MailboxEvents
from orderack.clients.oauth import RsaKey, SignedIn, Tokens, jwt_assertion
from orderack.clients.own_message_ids import IdSecret, OwnMessageIds
from orderack.clients.wire import read
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, Misconfigured, Refused, Unavailable
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_GMAIL_"
SCOPES = "https://www.googleapis.com/auth/gmail.send https://www.googleapis.com/auth/gmail.readonly"
"""To send, and to read what came back. Searching by Message-ID needs more than `gmail.metadata`."""
ARRIVED = "-in:sent -in:draft -in:chats"
"""Wherever it was sorted, except what went out."""
PAGE = 500
MOST_PAGES = 20

NOT_NOW = frozenset(
    {
        *("rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded", "quotaExceeded", "limitExceeded"),
        *("concurrentLimitExceeded", "backendError"),
    }
)
"""Gmail throttles with 403 as well as with 429 (R193)."""
REFUSED_REASON = MappingProxyType({"uploadTooLarge": Reason.TOO_LONG, "messageTooLarge": Reason.TOO_LONG})
REFUSED_STATUS = MappingProxyType({413: Reason.TOO_LONG})
REFUSED_SAYING = (
    (re.compile(r"\b(recipient|invalid to header|to header)\b", re.IGNORECASE), Reason.BAD_RECIPIENT),
    (re.compile(r"\b(too large|size)\b", re.IGNORECASE), Reason.TOO_LONG),
    (re.compile(r"\b(raw|message body|mime)\b", re.IGNORECASE), Reason.CONTENT),
)
"""A 400 has one reason, `invalidArgument`, and says in a sentence which argument."""
OURS_TO_MEND = frozenset({"failedPrecondition", "accessNotConfigured", "insufficientPermissions", "domainPolicy"})


class GmailSettings(BaseSettings):
    """`ORDERACK_GMAIL_…`: a service account that acts for the mailbox, or the mailbox's own refresh token."""

    model_config = settings_config(_PREFIX)

    mailbox: EmailAddress = Field(description="the address messages come from, and into which bounces and replies go")
    sender_name: str = Field(default="", description="the name shown beside the address; empty: the store's")
    message_id_secret: IdSecret = Field(
        description="a long random text of your own: nobody can then guess our Message-IDs, and no forged bounce counts"
    )
    service_account_email: str | None = Field(
        default=None, description="client_email in the service account's JSON key"
    )
    service_account_key: RsaKey | None = Field(
        default=None, description="private_key in the service account's JSON key"
    )
    client_id: str | None = Field(default=None, description="OAuth client, where no service account is used")
    client_secret: SecretStr | None = Field(default=None, description="its secret")
    refresh_token: SecretStr | None = Field(default=None, description="the mailbox's consent to that client")
    request_receipts: bool = Field(default=False, description="ask readers' mail programs for a receipt notice")
    push_audience: str | None = Field(default=None, description="audience of the Pub/Sub push subscription's token")
    push_email: str | None = Field(default=None, description="service account that signs those pushes")
    base_url: BaseUrl = Field(default="https://gmail.googleapis.com", description="Gmail's API, or the sandbox")
    token_url: BaseUrl = Field(default="https://oauth2.googleapis.com/token", description="Google's sign-in")
    keys_url: BaseUrl = Field(default=KEYS_HOST, description="where Google's public keys lie")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.push_audience) is not bool(self.push_email):
            # whoever has any service account of Google's can have a token made for our audience
            raise ValueError(f"{_PREFIX}PUSH_AUDIENCE and {_PREFIX}PUSH_EMAIL go together")
        if self.service_account_email and self.service_account_key:
            return self
        if self.client_id and self.client_secret and self.refresh_token:
            return self
        raise ValueError(
            f"{_PREFIX}SERVICE_ACCOUNT_EMAIL and _SERVICE_ACCOUNT_KEY are missing, or {_PREFIX}CLIENT_ID, "
            "_CLIENT_SECRET and _REFRESH_TOKEN"
        )

    def sign_in_form(self, clock: Clock) -> dict[str, str]:
        """What Google's sign-in is asked with now."""
        if self.service_account_email and self.service_account_key:
            assertion = jwt_assertion(
                issuer=self.service_account_email,
                audience=self.token_url,
                key_pem=self.service_account_key.get_secret_value(),
                subject=self.mailbox,
                scope=SCOPES,
                clock=clock,
            )
            return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        return {
            "grant_type": "refresh_token",
            "client_id": self.client_id or "",
            "client_secret": self.client_secret.get_secret_value() if self.client_secret else "",
            "refresh_token": self.refresh_token.get_secret_value() if self.refresh_token else "",
        }


class _Accepted(BaseModel):
    id: str = Field(min_length=1, max_length=200)


class _List(BaseModel):
    messages: tuple[_Accepted, ...] = ()
    nextPageToken: str | None = Field(default=None, max_length=2_000)


class _Mail(BaseModel):
    raw: str
    internalDate: int = Field(ge=0, le=253_402_300_799_000)


class _Profile(BaseModel):
    emailAddress: str


class _ErrorItem(BaseModel):
    reason: str = Field(default="", max_length=100)


class _Error(BaseModel):
    message: str = ""
    errors: tuple[_ErrorItem, ...] = ()
    status: str = Field(default="", max_length=100)


class _ErrorBody(BaseModel):
    error: _Error


class _Push(BaseModel):
    """A Pub/Sub push; what it wraps (`emailAddress`, `historyId`) is not needed to look."""

    message: dict[str, JsonValue]
    subscription: str


_PUSH = TypeAdapter(_Push)


class _Inbox:
    """The mailbox, read through the API."""

    def __init__(self, reading: SignedIn, user: str) -> None:
        self._reading = reading
        self._user = user

    async def get(self, path: str) -> httpx.Response:
        """A reading request. Raises Unavailable or Misconfigured; 404 is returned."""
        response = await self._reading.send("GET", f"{self._user}{path}")
        if not response.is_success and response.status_code != httpx.codes.NOT_FOUND:
            error = _fate(self._reading.http, response)
            raise Misconfigured(f"{error}: check {_PREFIX}MAILBOX") if isinstance(error, Refused) else error
        return response

    async def search(self, query: str) -> Sequence[str]:
        """Ids of all messages that the query finds, in Gmail's own order: the newest first."""
        found: list[str] = []
        asked = {"q": query, "includeSpamTrash": "true", "maxResults": str(PAGE)}
        for _ in range(MOST_PAGES):
            response = await self.get(f"/messages?{urlencode(asked)}")
            self._reading.http.ours_to_mend(response, f"{_PREFIX}MAILBOX and {_PREFIX}BASE_URL")
            listed = self._reading.http.read(_List, response)
            found += [message.id for message in listed.messages]
            if listed.nextPageToken is None:
                break
            asked["pageToken"] = listed.nextPageToken
        return found

    async def arrived(self, since: datetime) -> Sequence[str]:
        """See `orderack.clients.mailbox.Mailbox`."""
        return list(reversed(await self.search(f"after:{int(since.timestamp())} {ARRIVED}")))

    async def mail(self, mail_id: str) -> Arrived | None:
        """See `orderack.clients.mailbox.Mailbox`."""
        response = await self.get(f"/messages/{segment(mail_id)}?format=raw")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        mail = self._reading.http.read(_Mail, response)
        try:
            raw = base64.urlsafe_b64decode(mail.raw + "=" * (-len(mail.raw) % 4))
        except ValueError:
            raise Unavailable("Gmail gave a mail that cannot be decoded") from None
        return Arrived(at=datetime.fromtimestamp(mail.internalDate / 1_000, UTC), mail=raw)


class Gmail:
    """One message to one address."""

    name: ClassVar[str] = "gmail"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.EMAIL,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E4,
        idempotency=Idempotency.LOOKUP,
        html=True,
        replies=True,
        rate_per_second=2.0,
    )

    def __init__(self, settings: GmailSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._clock = clock
        tokens = Tokens(
            Http("Google's sign-in", settings.token_url, clock=clock),
            "",
            lambda: settings.sign_in_form(clock),
            setting=f"{_PREFIX}SERVICE_ACCOUNT_KEY or {_PREFIX}REFRESH_TOKEN, and that it may act for {_PREFIX}MAILBOX",
            clock=clock,
        )
        self._user = f"/gmail/v1/users/{segment(settings.mailbox)}"
        self._sending = SignedIn(Http("Gmail", settings.base_url, clock=clock), tokens)
        self._reading = SignedIn(Http("Gmail", settings.base_url, repeatable=True, clock=clock), tokens)
        self._ids = OwnMessageIds(settings.message_id_secret, settings.mailbox.rpartition("@")[2])
        self._inbox = _Inbox(self._reading, self._user)
        self._events = MailboxEvents(self.name, self._inbox, self._ids)
        self._keys = Http("Google", settings.keys_url, repeatable=True, clock=clock)
        self._pushes = GoogleTokens(
            self._keys,
            OIDC_KEYS,
            audience=settings.push_audience or "",
            issuers=OIDC_ISSUERS,
            email=settings.push_email,
            clock=clock,
        )

    async def send(self, message: Message) -> Sent:
        """POST …/messages/send with the whole mail. `provider_id` is our Message-ID, by which reports come back."""
        own, message_id = self._settings, self._ids.of(message.key_text)
        mail = composed(message, own.mailbox, own.sender_name, message_id, self._clock(), own.request_receipts)
        raw = base64.urlsafe_b64encode(mail).decode()
        response = await self._sending.send(
            "POST",
            f"{self._user}/messages/send",
            content=f'{{"raw":"{raw}"}}'.encode(),
            headers={"Content-Type": "application/json"},
        )
        if not response.is_success:
            raise _fate(self._sending.http, response)
        accepted = self._sending.http.read(_Accepted, response)
        return Sent(provider_id=message_id, detail=f"Gmail's id {accepted.id}")

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Search the mailbox for our Message-ID: what Gmail has taken it has put there."""
        message_id = self._ids.of(message.key_text)
        found = await self._inbox.search(f"rfc822msgid:{message_id.strip('<>')}")
        return Sent(provider_id=message_id, detail=f"Gmail's id {found[0]}") if found else None

    async def poll(self, since: datetime) -> Sequence[ChannelEvent]:
        """What mails that have come since then say about our messages."""
        return await self._events.since(since)

    async def check(self) -> str:
        """GET …/profile: whose mailbox it is."""
        response = await self._inbox.get("/profile")
        self._reading.http.ours_to_mend(response, f"{_PREFIX}MAILBOX and {_PREFIX}BASE_URL")
        return f"signed in to the mailbox {self._reading.http.read(_Profile, response).emailAddress}"

    async def verify(self, request: RawRequest) -> None:
        """The push's token: signed by Google, for our audience, for the subscription's own service account."""
        if not self._settings.push_audience:
            raise BadSignature(f"pushes are not switched on: {_PREFIX}PUSH_AUDIENCE")
        await self._pushes.verify(request.headers.get("authorization", ""))

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """None: a push is only a hint that the mailbox is worth a look, and anybody's mail causes one."""
        read(_PUSH, request.body)
        return ()

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._sending.aclose()
        await self._reading.aclose()
        await self._keys.aclose()


def _fate(http: Http, response: httpx.Response) -> Refused | Unavailable | Misconfigured:
    """What Gmail's no means for us. Its sentence is dropped: it may repeat the recipient."""
    try:
        error = _ErrorBody.model_validate_json(response.content).error
    except ValidationError:
        error = _Error()
    word = next((item.reason for item in error.errors if item.reason), error.status)
    word = word if word.isidentifier() and word.isascii() else ""
    code = f"{response.status_code} {word}".strip()
    if word in NOT_NOW:
        return Unavailable(f"Gmail is limiting our rate ({code})", retry_after(response.headers, http.clock()))
    if word in OURS_TO_MEND or response.status_code in WRONG_KEY_OR_URL:
        return Misconfigured(f"Gmail refuses us ({code}): check {_PREFIX}MAILBOX, its login and its scopes")
    said = next((reason for pattern, reason in REFUSED_SAYING if pattern.search(error.message)), None)
    reason = REFUSED_REASON.get(word) or REFUSED_STATUS.get(response.status_code) or said or Reason.OTHER
    return Refused(f"Gmail refused the message ({code})", reason, code)


CHANNEL: ChannelSpec = ChannelSpec(
    description="E-mail from a Gmail or Google Workspace mailbox",
    obtain=(
        "Google Cloud console: enable the Gmail API; a service account with domain-wide delegation (Admin console > "
        "Security > API controls) for gmail.send and gmail.readonly, or an OAuth client and the mailbox's consent"
    ),
    settings=GmailSettings,
    make=lambda: Gmail(GmailSettings()),
    adapter=Gmail,
    webhook=(
        "optional, for news within seconds: users.watch on the mailbox (renew it within 7 days) with a Pub/Sub topic "
        "whose push subscription posts here with a token; without it the mailbox is read every minute"
    ),
    traps=(
        "Gmail reports no delivery: a bounce is a mail in the mailbox, so give it a mailbox that may be read whole, "
        "and leave bounces and replies in it.",
        "A bounce, a notice or a reply counts only if it carries our own Message-ID, which nobody can guess; with "
        "another MESSAGE_ID_SECRET what comes back on earlier messages counts no more.",
        "Throttling comes as 403 as well as 429, and a mailbox sends 2,000 mails a day (500 without Workspace).",
        "A receipt notice that the reader's program sent by itself proves that the mail arrived, not that it was read.",
    ),
)
