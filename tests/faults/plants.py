"""Six classic bugs of sending, each planted into the real code from outside, for the tests to find."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

from sqlalchemy.ext.asyncio import AsyncEngine

from activities._marks import Tried
from activities.sending import Sender
from orderack.domain.acknowledgement import SendKey, SendOutcome, SendState
from orderack.errors import InDoubt, Unavailable
from orderack.ledger.database import Database
from orderack.ledger.repository import SqlLedger
from orderack.ports import Channel, ClaimResult, Message, Sent, Terms


def _accepted(key: SendKey, sent: Sent) -> SendOutcome:
    return SendOutcome(channel=key.channel, state=SendState.ACCEPTED, provider_id=sent.provider_id)


@contextmanager
def send_before_claim() -> Iterator[None]:
    """The message goes out, and then the send is claimed."""

    async def once(self: Sender, channel: Channel, message: Message, give_up_at: datetime, **more: bool) -> SendOutcome:
        sent = await channel.send(message)
        claim = await self._ledger.claim(message.key, message, self._now(), self._sending.lease)
        return (
            await self._finish(message.key, _accepted(message.key, sent)) if claim.mine else self.finished(claim.send)
        )

    with patch.object(Sender, "once", once):
        yield


@contextmanager
def claim_after_send() -> Iterator[None]:
    """Look whether it went out, send, record: the usual way, which knows nothing of a send that was cut short."""

    async def once(self: Sender, channel: Channel, message: Message, give_up_at: datetime, **more: bool) -> SendOutcome:
        known = await self._ledger.send(str(message.key))
        if known is not None and known.state is SendState.ACCEPTED:
            return self.finished(known)
        outcome = _accepted(message.key, await channel.send(message))
        await self._ledger.claim(message.key, message, self._now(), timedelta(0))
        return await self._finish(message.key, outcome)

    with patch.object(Sender, "once", once):
        yield


@contextmanager
def resend_on_read_timeout() -> Iterator[None]:
    """No answer is taken for "not sent"."""
    usual = Sender._send

    async def send(
        self: Sender,
        channel: Channel,
        message: Message,
        claim: ClaimResult,
        tried: Tried,
        *,
        doubtful: bool,
        last: bool,
    ) -> SendOutcome:
        async def plainly(message: Message) -> Sent:
            try:
                return await sending(message)
            except InDoubt as doubt:
                raise Unavailable(str(doubt)) from None

        sending = channel.send
        with patch.object(channel, "send", plainly):
            return await usual(self, channel, message, claim, tried, doubtful=doubtful, last=last)

    with patch.object(Sender, "_send", send):
        yield


@contextmanager
def naive_begin() -> Iterator[None]:
    """What reads and then writes begins with a plain BEGIN."""
    usual = Database.__init__

    def made(self: Database, engine: AsyncEngine) -> None:
        usual(self, engine)
        self._writing = engine

    with patch.object(Database, "__init__", made):
        yield


@contextmanager
def missing_lease() -> Iterator[None]:
    """A claim holds nobody off."""
    usual = SqlLedger.claim

    async def claim(
        self: SqlLedger, key: SendKey, message: Message, now: datetime, lease: timedelta, terms: Terms | None = None
    ) -> ClaimResult:
        return await usual(self, key, message, now, timedelta(0), terms)

    with patch.object(SqlLedger, "claim", claim):
        yield
