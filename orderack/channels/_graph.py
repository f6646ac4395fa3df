"""What Microsoft Graph says no with, and a mailbox read through it."""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from urllib.parse import quote, urlencode

import httpx
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from orderack.clients.http import WRONG_KEY_OR_URL, Http, retry_after, segment
from orderack.clients.mailbox import Arrived
from orderack.clients.oauth import SignedIn
from orderack.domain.acknowledgement import Reason
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable

PREFIX = "ORDERACK_OUTLOOK_"
PAGE = 200
MOST_PAGES = 50

REFUSED_CODE = MappingProxyType(
    {
        "ErrorInvalidRecipients": Reason.BAD_RECIPIENT,
        "ErrorInvalidSmtpAddress": Reason.BAD_RECIPIENT,
        "ErrorRecipientNotFound": Reason.BAD_RECIPIENT,
        "ErrorMessageSizeExceeded": Reason.TOO_LONG,
        "ErrorContentConversionFailed": Reason.CONTENT,
        "ErrorInvalidInternetHeaderName": Reason.CONTENT,
        "RequestBodyRead": Reason.CONTENT,
        "ErrorMessageSubmissionBlocked": Reason.BLOCKED,
    }
)
REFUSED_STATUS = MappingProxyType({413: Reason.TOO_LONG})
NOT_NOW = frozenset(
    {
        *(
            "ApplicationThrottled",
            "ErrorExceededMessageLimit",
            "ErrorExceededConnectionCount",
            "ErrorMailboxConcurrency",
        ),
        *("ErrorMailboxMoveInProgress", "ErrorMailboxStoreUnavailable", "ErrorServerBusy", "MailboxConcurrency"),
        *("ErrorMessageTransientError", "TooManyRequests"),
    }
)
OURS_TO_MEND = frozenset(
    {
        *(
            "ErrorAccessDenied",
            "ErrorInvalidUser",
            "ErrorNonExistentMailbox",
            "ErrorQuotaExceeded",
            "ErrorSendAsDenied",
        ),
        *("Authorization_RequestDenied", "MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI"),
    }
)
LEAVES_IT_OPEN = frozenset({"ErrorItemNotFound", "ErrorIrresolvableConflict", "ErrorItemSave"})
"""The draft is not there to be sent, or changes under our hands: it may be on its way."""
_OPEN_STATUS = frozenset({409, 412, 423})


class Listed(BaseModel):
    """A message in a list."""

    id: str = Field(min_length=1, max_length=1_000)
    isDraft: bool = False
    internetMessageId: str | None = None
    receivedDateTime: AwareDatetime | None = None


class Listing(BaseModel):
    """A page of a list."""

    value: tuple[Listed, ...]


class _Error(BaseModel):
    code: str = Field(default="", max_length=100)


class _ErrorBody(BaseModel):
    error: _Error


class Inbox:
    """The mailbox, read through Graph. Its ids stay the same wherever a mail is moved."""

    def __init__(self, reading: SignedIn, user: str) -> None:
        self._reading = reading
        self._user = user
        self._at: dict[str, datetime] = {}

    async def get(self, path: str) -> httpx.Response:
        """A reading request. Raises Unavailable or Misconfigured; 404 is returned."""
        headers = {"Prefer": 'IdType="ImmutableId"'}
        response = await self._reading.send("GET", f"{self._user}{path}", headers=headers)
        if not response.is_success and response.status_code != httpx.codes.NOT_FOUND:
            error = before(self._reading.http, response)
            raise Misconfigured(f"{error}: check {PREFIX}MAILBOX") if isinstance(error, Refused) else error
        return response

    async def arrived(self, since: datetime) -> Sequence[str]:
        """See `orderack.clients.mailbox.Mailbox`."""
        found: dict[str, datetime] = {}
        for page in range(MOST_PAGES):
            asked = {
                "$filter": f"receivedDateTime ge {since:%Y-%m-%dT%H:%M:%SZ}",
                "$orderby": "receivedDateTime asc",
                "$select": "id,receivedDateTime",
                "$top": str(PAGE),
                "$skip": str(page * PAGE),
            }
            response = await self.get(f"/mailFolders/inbox/messages?{urlencode(asked, quote_via=quote)}")
            self._reading.http.ours_to_mend(response, f"{PREFIX}MAILBOX and {PREFIX}BASE_URL")
            listed = self._reading.http.read(Listing, response).value
            found |= {mail.id: mail.receivedDateTime or since for mail in listed}
            if len(listed) < PAGE:
                break
        self._at = found
        return list(found)

    async def mail(self, mail_id: str) -> Arrived | None:
        """See `orderack.clients.mailbox.Mailbox`."""
        response = await self.get(f"/messages/{segment(mail_id)}/$value")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        return Arrived(at=self._at[mail_id], mail=response.content)


def before(http: Http, response: httpx.Response) -> Refused | Unavailable | Misconfigured:
    """What a no means before anything was sent."""
    error = fate(http, response)
    return Unavailable(str(error)) if isinstance(error, InDoubt) else error


def fate(http: Http, response: httpx.Response) -> Refused | Unavailable | Misconfigured | InDoubt:
    """What Graph's no means for us. Its sentence is dropped: it may repeat the recipient."""
    try:
        word = _ErrorBody.model_validate_json(response.content).error.code
    except ValidationError:
        word = ""
    word = word if word.isidentifier() and word.isascii() else ""
    code = f"{response.status_code} {word}".strip()
    if word in NOT_NOW:
        return Unavailable(f"Outlook cannot take it now ({code})", retry_after(response.headers, http.clock()))
    if word in LEAVES_IT_OPEN or response.status_code in _OPEN_STATUS:
        return InDoubt(f"Outlook does not know the draft as it was ({code}): it may be on its way")
    if word in OURS_TO_MEND or (response.status_code in WRONG_KEY_OR_URL and word not in REFUSED_CODE):
        return Misconfigured(f"Outlook refuses us ({code}): check {PREFIX}MAILBOX and the app's permissions")
    reason = REFUSED_CODE.get(word) or REFUSED_STATUS.get(response.status_code, Reason.OTHER)
    return Refused(f"Outlook refused the message ({code})", reason, code)
