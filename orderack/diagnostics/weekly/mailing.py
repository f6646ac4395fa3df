"""Mailing a report by one of the installation's own channels: once to each address, however often it is asked.

Each attempt is claimed in the ledger before the message goes out and ended there after it. What was cut off in between
may have gone out, so it is said and not sent again by itself.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from orderack.diagnostics.weekly.weeks import Week
from orderack.domain.acknowledgement import Kind, SendKey
from orderack.domain.address import address_sha256
from orderack.domain.order import OrderRef, Text
from orderack.domain.value import Value
from orderack.errors import InDoubt, OrderAckError, Refused, Unavailable
from orderack.ports import Channel, Message, Rendered
from orderack.ports.reliability import MailEnd, Mailing

UNDER_WAY = timedelta(minutes=5)
"""An attempt that began less than this ago may still be on its way; no channel takes as long."""

EVERYTHING = "every-store"


def report_name(week: Week) -> str:
    """Under which the weekly report stands in the ledger, whoever mails it. Frozen."""
    return f"weekly/{week}"


class MailBook(Protocol):
    """The ledger, as far as mailing needs it."""

    async def mailings(self, report: str) -> Sequence[Mailing]:
        """Every attempt to mail this report to this address."""
        ...

    async def begin_mailing(self, report: str, n: int, now: datetime) -> Mailing | None:
        """Claim the attempt; None where another has it."""
        ...

    async def end_mailing(self, mailing: Mailing, how: MailEnd) -> None:
        """How the attempt ended."""
        ...


class Fate(StrEnum):
    """What became of one address."""

    SENT = "sent"
    ALREADY = "already"
    """It was mailed before."""
    UNDER_WAY = "under_way"
    """Another run is at it."""
    IN_DOUBT = "in_doubt"
    """It may have gone out, now or before."""
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class Posted(Value):
    """What became of the report for one address."""

    address: Text
    fate: Fate
    detail: Text = ""


class Post(Value):
    """One report to one address."""

    report: Text
    """`weekly/2026-W47`: with the store and the address it is one mail."""
    store: Text | None
    """None: of every store."""
    address: Text
    content: Rendered

    @property
    def id(self) -> str:
        """Which mail it is; the address only as its SHA-256."""
        return f"{self.report}/{self.store or EVERYTHING}/{address_sha256(self.address)}"

    def message(self, channel: str, n: int) -> Message:
        """As a channel sends it. Its key is the mail's identity, and makes its Message-ID."""
        ref = OrderRef(store=self.store or EVERYTHING, number=f"{self.report}/{address_sha256(self.address)[:16]}")
        key = SendKey(ref=ref, revision=1, kind=Kind.ALERT, n=n, channel=channel)
        return Message(key=key, recipient=self.address, kind=Kind.ALERT, language="en", content=self.content)


async def post(book: MailBook, channel: Channel, one: Post, now: datetime, *, again: bool) -> Posted:
    """Send it, unless it went out before. Raises Misconfigured, and nothing was sent; Unavailable for the ledger."""
    earlier = await book.mailings(one.id)
    if found := _before(earlier, now, again=again):
        return Posted(address=one.address, fate=found[0], detail=found[1])
    mailing = await book.begin_mailing(one.id, (earlier[-1].n if earlier else 0) + 1, now)
    if mailing is None:
        return Posted(address=one.address, fate=Fate.UNDER_WAY, detail="another run is sending it")
    try:
        sent = await channel.send(one.message(channel.name, mailing.n))
    except InDoubt as error:
        await book.end_mailing(mailing, MailEnd.IN_DOUBT)
        return Posted(address=one.address, fate=Fate.IN_DOUBT, detail=str(error))
    except OrderAckError as error:
        await book.end_mailing(mailing, MailEnd.NOT_SENT)
        if isinstance(error, Refused | Unavailable):
            fate = Fate.REFUSED if isinstance(error, Refused) else Fate.UNAVAILABLE
            return Posted(address=one.address, fate=fate, detail=str(error))
        raise
    await book.end_mailing(mailing, MailEnd.SENT)
    return Posted(address=one.address, fate=Fate.SENT, detail=sent.provider_id or "")


async def post_all(
    book: MailBook,
    channel: Channel,
    to: Sequence[str],
    report: str,
    store: str | None,
    content: Rendered,
    *,
    again: bool = False,
) -> Sequence[Posted]:
    """One after the other, in their order; what fails for one address keeps none from the others."""
    try:
        return [
            await post(
                book,
                channel,
                Post(report=report, store=store, address=address, content=content),
                datetime.now(UTC),
                again=again,
            )
            for address in to
        ]
    finally:
        await channel.aclose()


def _before(earlier: Sequence[Mailing], now: datetime, *, again: bool) -> tuple[Fate, str] | None:
    """Why it is not sent now; None: it is."""
    for attempt in earlier:
        if attempt.end is MailEnd.BEGUN and now - attempt.at < UNDER_WAY:
            return Fate.UNDER_WAY, f"another run began at {attempt.at:%d %b %H:%M UTC}"
    if again:
        return None
    for attempt in earlier:
        if attempt.end is MailEnd.SENT:
            return Fate.ALREADY, f"on {attempt.at:%d %b %Y, %H:%M UTC}"
    for attempt in earlier:
        if attempt.end is not MailEnd.NOT_SENT:
            return Fate.IN_DOUBT, f"cut off on {attempt.at:%d %b %Y, %H:%M UTC}: it may have gone out"
    return None
