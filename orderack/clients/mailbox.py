"""A mailbox that is read again and again: what its mails say about our messages, as events.

Nothing in it is marked, moved or deleted: several gateways may read it, and so may people.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import structlog
from pydantic import AwareDatetime

from orderack.clients.bounces import MailReport, read
from orderack.clients.own_message_ids import OwnMessageIds
from orderack.domain.value import Value
from orderack.errors import Unavailable
from orderack.ports import ChannelEvent

log = structlog.get_logger(__name__)

AT_A_TIME = 100
"""Mails fetched in one look. A mailbox that holds more is read on with the next one."""
TRIES = 3
"""A mail that cannot be fetched so often (it may be too large) holds up the others no longer."""


class Arrived(Value):
    """One mail, as it came."""

    at: AwareDatetime
    mail: bytes


class Mailbox(Protocol):
    """A vendor's mailbox."""

    async def arrived(self, since: datetime) -> Sequence[str]:
        """The ids of all mails that arrived since then, the oldest first; a mail keeps its id."""
        ...

    async def mail(self, mail_id: str) -> Arrived | None:
        """One of them; None: it has been deleted since."""
        ...


class MailboxEvents:
    """Reads each mail once, and tells what it said for as long as it is asked about that time."""

    def __init__(self, channel: str, mailbox: Mailbox, ids: OwnMessageIds) -> None:
        self._channel = channel
        self._mailbox = mailbox
        self._ids = ids
        self._read: dict[str, Sequence[ChannelEvent]] = {}
        self._failed: Counter[str] = Counter()
        self._unfinished: datetime | None = None
        """From when on there are mails that have not been read."""

    async def since(self, since: datetime) -> Sequence[ChannelEvent]:
        """The events of all mails since then, the oldest first, as far as they have been read.

        Raises what the mailbox raises; what was read until then is not read again.
        """
        since = min(since, self._unfinished or since)
        self._unfinished = since
        listed = await self._mailbox.arrived(since)
        unread = [mail_id for mail_id in listed if mail_id not in self._read]
        for mail_id in unread[:AT_A_TIME]:
            self._read[mail_id] = await self._events(mail_id)
        self._read = {mail_id: self._read[mail_id] for mail_id in listed if mail_id in self._read}
        self._failed = Counter({mail_id: self._failed[mail_id] for mail_id in unread if mail_id in self._failed})
        if len(unread) <= AT_A_TIME:
            self._unfinished = None
        return [event for events in self._read.values() for event in events]

    async def _events(self, mail_id: str) -> Sequence[ChannelEvent]:
        try:
            found = await self._mailbox.mail(mail_id)
        except Unavailable:
            self._failed[mail_id] += 1
            if self._failed[mail_id] < TRIES:
                raise
            log.warning("a mail cannot be fetched and is left unread", channel=self._channel)
            return ()
        if found is None:
            return ()
        try:
            reports = read(found.mail, self._ids)
            return [self._event(mail_id, place, found, one) for place, one in enumerate(reports)]
        except Exception:  # what no code foresaw in one mail must not keep all others from being read, for ever
            log.exception("a mail cannot be read and is left unread", channel=self._channel)
            return ()

    def _event(self, mail_id: str, place: int, found: Arrived, report: MailReport) -> ChannelEvent:
        return ChannelEvent(
            id=hashlib.sha256(f"{mail_id}\n{place}".encode()).hexdigest(),
            event=report.event,
            grade=report.grade,
            key=report.key,
            provider_id=report.message_id,
            occurred_at=found.at,
            basis=f"{self._channel}:{report.word}"[:300],
            raw=report.raw,
            sender=report.sender,
            text=report.text,
            machine=report.machine,
        )
