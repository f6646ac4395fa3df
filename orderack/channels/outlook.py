"""E-mail from an Outlook mailbox (Microsoft Graph v1.0), sent in two steps so that a doubt can be settled.

`sendMail` answers 202 and gives no id. So a draft is made first, with our own Message-ID, and then sent: as long as it
is a draft it has not gone out, and there is never more than one of a message, for the one that is found is sent and no
other made. Graph reports no delivery: bounces, receipts and replies are mails in the same mailbox (messaging.md §8).
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings

from orderack.channels._graph import PREFIX, Inbox, Listed, Listing, before, fate
from orderack.channels._order_mail import SUPPRESSED, header_key, one_line_subject
from orderack.clients.bounces import KEY_HEADER
from orderack.clients.email_address import EmailAddress, one_address
from orderack.clients.http import BaseUrl, Clock, Http, segment, utc_now
from orderack.clients.mailbox import MailboxEvents
from orderack.clients.oauth import SignedIn, Tokens
from orderack.clients.own_message_ids import IdSecret, OwnMessageIds
from orderack.clients.wire import MOST_UNPROVED, read, same
from orderack.domain.acknowledgement import Audience
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, InDoubt, Misconfigured, OrderAckError, Refused
from orderack.ports import ChannelEvent, Greeting, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

SCOPE = "https://graph.microsoft.com/.default"


class OutlookSettings(BaseSettings):
    """`ORDERACK_OUTLOOK_…`"""

    model_config = settings_config(PREFIX)

    tenant_id: str = Field(min_length=1, description="directory (tenant) id of the app registration")
    client_id: str = Field(description="application (client) id")
    client_secret: SecretStr = Field(description="a client secret of that app")
    mailbox: EmailAddress = Field(description="the address messages come from, and into which bounces and replies go")
    message_id_secret: IdSecret = Field(
        description="a long random text of your own: nobody can then guess our Message-IDs, and no forged bounce counts"
    )
    client_state: Annotated[SecretStr, Field(min_length=16, max_length=128)] | None = Field(
        default=None, description="clientState of the change notifications; empty: none are taken"
    )
    request_receipts: bool = Field(default=False, description="ask for delivery and read receipts; buyers dislike it")
    base_url: BaseUrl = Field(default="https://graph.microsoft.com", description="Microsoft Graph, or the sandbox")
    token_url: BaseUrl = Field(default="https://login.microsoftonline.com", description="Microsoft's sign-in")


class _Folder(BaseModel):
    displayName: str = Field(max_length=200)
    totalItemCount: int


class _Notification(BaseModel):
    subscriptionId: str
    clientState: str = ""


class _Notifications(BaseModel):
    """Change and lifecycle notifications."""

    value: tuple[_Notification, ...] = Field(min_length=1, max_length=1_000)


_NOTIFICATIONS = TypeAdapter(_Notifications)


class _EmailAddress(BaseModel):
    address: str


class _Recipient(BaseModel):
    emailAddress: _EmailAddress


class _Body(BaseModel):
    contentType: str
    content: str


class _Header(BaseModel):
    name: str
    value: str


class _Draft(BaseModel):
    """A new message. Graph takes no headers but those that begin with x-."""

    internetMessageId: str
    subject: str
    body: _Body
    toRecipients: tuple[_Recipient, ...]
    internetMessageHeaders: tuple[_Header, ...]
    isDeliveryReceiptRequested: bool
    isReadReceiptRequested: bool


class Outlook:
    """One message to one address."""

    name: ClassVar[str] = "outlook"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.EMAIL,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E4,
        idempotency=Idempotency.LOOKUP,
        html=True,
        replies=True,
        rate_per_second=0.5,
    )

    def __init__(self, settings: OutlookSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        tokens = Tokens(
            Http("Microsoft's sign-in", settings.token_url, clock=clock),
            f"/{segment(settings.tenant_id)}/oauth2/v2.0/token",
            lambda: {
                "grant_type": "client_credentials",
                "client_id": settings.client_id,
                "client_secret": settings.client_secret.get_secret_value(),
                "scope": SCOPE,
            },
            setting=f"{PREFIX}TENANT_ID, {PREFIX}CLIENT_ID and {PREFIX}CLIENT_SECRET",
            clock=clock,
        )
        self._user = f"/v1.0/users/{segment(settings.mailbox)}"
        self._sending = SignedIn(Http("Outlook", settings.base_url, clock=clock), tokens)
        self._reading = SignedIn(Http("Outlook", settings.base_url, repeatable=True, clock=clock), tokens)
        self._ids = OwnMessageIds(settings.message_id_secret, settings.mailbox.rpartition("@")[2])
        self._inbox = Inbox(self._reading, self._user)
        self._events = MailboxEvents(self.name, self._inbox, self._ids)

    async def send(self, message: Message) -> Sent:
        """Find or make the draft, then send it. `provider_id` is our Message-ID, by which reports come back.

        What fails before the draft is sent is Unavailable. A draft that is refused is deleted.
        """
        recipient = one_address(message.recipient)
        message_id = self._ids.of(message.key_text)
        sent, draft_id = await self._find(message_id)
        if sent:
            return Sent(provider_id=message_id, detail="it had been sent before")
        draft_id = draft_id or await self._draft(message, recipient, message_id)
        path = f"{self._user}/messages/{segment(draft_id)}"
        response = await self._sending.send("POST", f"{path}/send", content=b"")
        if response.status_code == httpx.codes.ACCEPTED:
            return Sent(provider_id=message_id)
        if response.is_success:
            raise InDoubt(f"Outlook answered {response.status_code}, which it does not document")
        error = fate(self._sending.http, response)
        if isinstance(error, Refused):
            with contextlib.suppress(OrderAckError):  # it is refused all the same
                await self._reading.send("DELETE", path)
        raise error

    async def _find(self, message_id: str) -> tuple[bool, str | None]:
        """Whether a message with this id went out, and the draft of it that has not."""
        asked = {"$filter": f"internetMessageId eq '{message_id}'", "$select": "id,isDraft", "$top": "10"}
        response = await self._reading.send("GET", f"{self._user}/messages?{urlencode(asked, quote_via=quote)}")
        if not response.is_success:
            raise before(self._reading.http, response)
        found = self._reading.http.read(Listing, response).value
        return any(not mail.isDraft for mail in found), min((mail.id for mail in found), default=None)

    async def _draft(self, message: Message, recipient: str, message_id: str) -> str:
        own, content = self._settings, message.content
        draft = _Draft(
            internetMessageId=message_id,
            subject=one_line_subject(message),
            body=_Body(
                contentType="html" if content.html is not None else "text", content=content.html or content.text
            ),
            toRecipients=(_Recipient(emailAddress=_EmailAddress(address=recipient)),),
            internetMessageHeaders=(
                _Header(name=KEY_HEADER, value=header_key(message)),
                _Header(name="X-Auto-Response-Suppress", value=SUPPRESSED),
            ),
            isDeliveryReceiptRequested=own.request_receipts,
            isReadReceiptRequested=own.request_receipts,
        )
        response = await self._reading.send(
            "POST",
            f"{self._user}/messages",
            content=draft.model_dump_json().encode(),
            headers={"Content-Type": "application/json"},
        )
        if not response.is_success:
            raise before(self._reading.http, response)
        made = self._reading.http.read(Listed, response)
        if made.internetMessageId not in (None, message_id):  # it could not be found again, nor would a bounce count
            raise Misconfigured(f"Outlook gives our messages another Message-ID: check {PREFIX}MAILBOX")
        return made.id

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Ask for our Message-ID: a draft has not been sent, and `send` sends that very one."""
        message_id = self._ids.of(message.key_text)
        sent, _ = await self._find(message_id)
        return Sent(provider_id=message_id, detail="found in the mailbox") if sent else None

    async def poll(self, since: datetime) -> Sequence[ChannelEvent]:
        """What mails that have come since then say about our messages."""
        return await self._events.since(since)

    async def check(self) -> str:
        """Ask for the inbox: whether we may read it."""
        response = await self._inbox.get("/mailFolders/inbox?$select=displayName,totalItemCount")
        self._reading.http.ours_to_mend(response, f"{PREFIX}MAILBOX and {PREFIX}BASE_URL")
        folder = self._reading.http.read(_Folder, response)
        return f"signed in; {self._settings.mailbox} has {folder.totalItemCount} mails in {folder.displayName}"

    async def greet(self, request: RawRequest) -> Greeting | None:
        """Graph tries the address of a new subscription with a token, which it wants back as plain text."""
        if self._settings.client_state is None:
            return None
        tokens = parse_qs(urlsplit(request.url).query).get("validationToken", [])
        if not tokens:
            return None
        if len(tokens) > 1:
            raise BadSignature("no validation token of Graph's")
        return Greeting(body=tokens[0])

    async def verify(self, request: RawRequest) -> None:
        """Every notification carries the clientState that the subscription was made with; nothing else proves it."""
        expected = self._settings.client_state
        if expected is None:
            raise BadSignature(f"notifications are not switched on: {PREFIX}CLIENT_STATE")
        if len(request.body) > MOST_UNPROVED:
            raise BadSignature("no notification of Graph's is so large")
        try:
            notifications = _Notifications.model_validate_json(request.body)
        except ValidationError:
            raise BadSignature("no notification of Graph's") from None
        genuine = [same(expected.get_secret_value(), one.clientState) for one in notifications.value]
        if not all(genuine):
            raise BadSignature("the clientState does not fit")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """None: a notification is only a hint that the mailbox is worth a look."""
        read(_NOTIFICATIONS, request.body)
        return ()

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._sending.aclose()
        await self._reading.aclose()


CHANNEL: ChannelSpec = ChannelSpec(
    description="E-mail from an Outlook mailbox through Microsoft Graph",
    obtain=(
        "Microsoft Entra admin center: App registrations > a new one; API permissions > Microsoft Graph > Application: "
        "Mail.Send and Mail.ReadWrite, with admin consent; Certificates & secrets > New client secret; limit it to the "
        "mailbox with an application access policy"
    ),
    settings=OutlookSettings,
    make=lambda: Outlook(OutlookSettings()),
    adapter=Outlook,
    webhook=(
        "optional, for news within seconds: POST /subscriptions for /users/{mailbox}/mailFolders('inbox')/messages, "
        "created, with CLIENT_STATE as clientState (renew it within 7 days); without it the inbox is read every minute"
    ),
    traps=(
        "sendMail gives no id back, so each message is made as a draft first: nobody should tidy up this mailbox's "
        "Drafts folder, and Sent Items has to be kept for as long as a send is in doubt.",
        "Graph reports no delivery: bounces and receipts are mails in this mailbox's inbox, and count only if they "
        "carry our own Message-ID.",
        "Exchange sends read receipts by itself when a mail is opened or marked as read: such a one proves that it "
        "arrived, and only a receipt that a person let go proves more. REQUEST_RECEIPTS is off, for buyers dislike it.",
        "A mailbox sends 30 mails a minute and 10,000 a day, with four requests at a time.",
    ),
)
