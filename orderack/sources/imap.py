"""Orders that come as mail into a mailbox, which is looked into again and again (IMAP4rev1, RFC 3501).

Nothing in it is moved or deleted; nothing is marked unless a setting says so. A mail's UID says where the next look
begins; a mailbox that was made anew (another UIDVALIDITY) is read again from some days back, and what is known by its
Message-ID is not taken twice.
"""

import asyncio
import imaplib
import re
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import ClassVar

from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError, model_validator

from orderack.clients.http import Clock, utc_now
from orderack.errors import BadSignature, Misconfigured, Unavailable
from orderack.ports import Connection, Delivery, Looked, RawRequest, Reading, SourceKind, SourceTraits
from orderack.registry import SourceSpec
from orderack.sources._mail import MailReader, MailSettings, delivery_of
from orderack.sources._mail_parts import LARGEST

AT_A_TIME = 25
"""Mails of one look."""
FIRST_LOOK = timedelta(days=1)
OVERLAP = timedelta(days=7)
"""How far back a mailbox is read that was made anew."""
PATIENCE = 30.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SIZE = re.compile(rb"RFC822\.SIZE (\d{1,12})")
_UID = re.compile(rb"UID (\d{1,10})")
_VALIDITY = re.compile(rb"(\d{1,10})")


class ImapSettings(MailSettings):
    """`ORDERACK_SOURCE_<STORE>_IMAP_…`"""

    host: str = Field(description="the mail server's name")
    port: int = Field(default=993, ge=1, le=65535, description="its port for IMAP over TLS")
    user: str = Field(description="the mailbox's user name")
    password: SecretStr = Field(description="its password; an app password where the provider demands one")
    folder: str = Field(default="INBOX", min_length=1, max_length=200, description="the folder that orders arrive in")
    tls: bool = Field(default=True, description="false for a server on this machine only")
    authentication_server: str | None = Field(
        default=None,
        max_length=253,
        description="the name that begins the Authentication-Results of the server that receives this mailbox's mail; "
        "without it every order goes to a person",
    )
    mark_seen: bool = Field(default=False, description="mark mails as read once they are recorded")

    @model_validator(mode="after")
    def _private(self) -> "ImapSettings":
        if not self.tls and not _is_this_machine(self.host):
            raise ValueError("TLS may be off for a server on this machine only: passwords and orders are in the mail")
        if not (self.folder.isascii() and self.folder.isprintable() and '"' not in self.folder):
            raise ValueError("FOLDER: write its name as the server does (letters beyond a-z in modified UTF-7)")
        return self


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Cursor(BaseModel):
    """Where a look ended."""

    validity: int = 0
    before: int = 0
    """The UID where the look before it ended: those from there to `upto` are recorded by the next one."""
    upto: int = 0
    at: datetime


_CURSOR = TypeAdapter(_Cursor)


class Imap:
    """Looks into one folder."""

    name: ClassVar[str] = "imap"
    traits: ClassVar[SourceTraits] = SourceTraits(kind=SourceKind.EMAIL, pushes=False, poll_every=timedelta(seconds=30))

    def __init__(self, connection: Connection, settings: ImapSettings, clock: Clock = utc_now) -> None:
        self.connection = connection
        self._settings = settings
        self._clock = clock
        self._reader = MailReader(connection, settings, settings.authentication_server)

    async def verify(self, request: RawRequest) -> None:
        """A mailbox posts nothing."""
        raise BadSignature("a mailbox is looked into; it posts nothing")

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """A mailbox posts nothing."""
        return ()

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """See `_mail.MailReader`."""
        return await self._reader.read(delivery, self._clock())

    async def look(self, cursor: str, now: datetime) -> Looked:
        """The next mails, the oldest first. Raises Unavailable, Misconfigured."""
        return await asyncio.to_thread(self._look, _cursor_of(cursor, now), now)

    async def check(self) -> str:
        """Log in and open the folder, changing nothing."""
        return await asyncio.to_thread(self._check)

    def _check(self) -> str:
        with self._session(readonly=True) as mailbox:
            count = _asked(mailbox.uid("SEARCH", "ALL"))
            return f"the folder {self._settings.folder} holds {len(count[0].split())} mails"

    def _look(self, cursor: _Cursor, now: datetime) -> Looked:
        with self._session(readonly=not self._settings.mark_seen) as mailbox:
            validity = _validity(mailbox)
            again = cursor.validity != validity
            if self._settings.mark_seen and not again and cursor.upto > cursor.before:
                _asked(mailbox.uid("STORE", f"{cursor.before + 1}:{cursor.upto}", "+FLAGS.SILENT", r"(\Seen)"))
            known = 0 if again else cursor.upto
            found = _asked(mailbox.uid("SEARCH", _since(cursor.at) if again else f"UID {known + 1}:*"))
            # `n:*` names the last mail even where its UID is smaller (RFC 3501 §6.4.8)
            uids = sorted(uid for word in (found[0] or b"").split() if word.isdigit() and (uid := int(word)) > known)
            chosen = uids[:AT_A_TIME]
            deliveries = [one for uid in chosen if (one := _fetch(mailbox, uid)) is not None]
        reached = _Cursor(validity=validity, before=known, upto=max([known, *chosen]), at=now)
        return Looked(deliveries=tuple(deliveries), cursor=reached.model_dump_json(), more=len(uids) > len(chosen))

    @contextmanager
    def _session(self, *, readonly: bool) -> Iterator[imaplib.IMAP4]:
        """Logged in, the folder open; every failure in our words."""
        mailbox: imaplib.IMAP4 | None = None
        try:
            mailbox = self._connect()
            _login(mailbox, self._settings)
            said, _ = mailbox.select(f'"{self._settings.folder}"', readonly=readonly)
            if said != "OK":
                raise Misconfigured(f"the mail server has no folder {self._settings.folder}: check FOLDER")
            yield mailbox
        except ssl.SSLCertVerificationError:
            raise Misconfigured("the mail server's certificate is not valid for HOST") from None
        except (OSError, imaplib.IMAP4.error, EOFError):
            raise Unavailable("the mail server cannot be reached, or broke off", timedelta(minutes=1)) from None
        finally:
            if mailbox is not None:
                _leave(mailbox)

    def _connect(self) -> imaplib.IMAP4:
        host, port = self._settings.host, self._settings.port
        if self._settings.tls:
            return imaplib.IMAP4_SSL(host, port, ssl_context=ssl.create_default_context(), timeout=PATIENCE)
        return imaplib.IMAP4(host, port, timeout=PATIENCE)

    async def aclose(self) -> None:
        """Every look leaves the mailbox by itself."""


def _login(mailbox: imaplib.IMAP4, settings: ImapSettings) -> None:
    try:
        mailbox.login(settings.user, settings.password.get_secret_value())
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        if b"UNAVAILABLE" in str(error).encode().upper():  # RFC 5530: the login is not what is wrong
            raise
        raise Misconfigured("the mail server refuses the login: check USER and PASSWORD") from None


def _leave(mailbox: imaplib.IMAP4) -> None:
    try:
        mailbox.logout()
    except (OSError, imaplib.IMAP4.error, EOFError):
        mailbox.shutdown()


def _asked(answer: tuple[str, Sequence[bytes | tuple[bytes, bytes] | None]]) -> list[bytes]:
    said, data = answer
    if said != "OK":
        raise Unavailable("the mail server refuses a command")
    return [one if isinstance(one, bytes) else b"" for one in data] or [b""]


def _validity(mailbox: imaplib.IMAP4) -> int:
    found = mailbox.untagged_responses.get("UIDVALIDITY", [b""])[0]
    match = _VALIDITY.match(found if isinstance(found, bytes) else b"")
    if match is None:
        raise Unavailable("the mail server does not say its UIDVALIDITY")
    return int(match[1])


def _since(at: datetime) -> str:
    return f"SINCE {at.day}-{_MONTHS[at.month - 1]}-{at.year}"


def _fetch(mailbox: imaplib.IMAP4, uid: int) -> Delivery | None:
    """One mail, as far as it is kept; None: it has been deleted since."""
    said, data = mailbox.uid("FETCH", str(uid), f"(UID RFC822.SIZE INTERNALDATE BODY.PEEK[]<0.{LARGEST}>)")
    if said != "OK":
        raise Unavailable("the mail server refuses to give a mail")
    for one in data:
        if isinstance(one, tuple) and (named := _UID.search(one[0])) and int(named[1]) == uid:
            size = _SIZE.search(one[0])
            return delivery_of(one[1], _arrived(one[0]), cut=bool(size and int(size[1]) > LARGEST))
    return None


def _arrived(head: bytes) -> datetime:
    """The server's own time of arrival."""
    local = imaplib.Internaldate2tuple(head)
    try:
        return utc_now() if local is None else datetime.fromtimestamp(time.mktime(local), UTC)
    except (OverflowError, ValueError):
        return utc_now()


def _cursor_of(text: str, now: datetime) -> _Cursor:
    """Where to begin; without a cursor, or with one that is none of ours, a day back."""
    if not text:
        return _Cursor(at=now - FIRST_LOOK)
    try:
        found = _CURSOR.validate_json(text)
    except ValidationError:
        return _Cursor(at=now - OVERLAP)
    return found.model_copy(update={"at": found.at - OVERLAP})


SOURCE: SourceSpec = SourceSpec(
    description="Orders by e-mail in a mailbox (IMAP)",
    obtain="The mailbox's provider: IMAP on, an app password where it demands one",
    settings=ImapSettings,
    adapter=Imap,
    make=lambda connection, prefix: Imap(connection, ImapSettings(_env_prefix=prefix)),
    trigger="the mail arrives in the folder",
    traps=(
        "Gmail and Microsoft 365 let passwords in only as app passwords, or not at all.",
        "A folder that people move mails out of within half a minute hides them from us: use a folder of its own.",
        "Mails become orders without a person only with AUTHENTICATION_SERVER set, and only from the policy's "
        "`partners`.",
    ),
)
