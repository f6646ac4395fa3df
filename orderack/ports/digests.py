"""What the owners of exceptions are told: one digest for each, kept before it goes out and sent like any message."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from pydantic import AwareDatetime

from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.assessment import Side
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.ports.channel import Message, Rendered
from orderack.ports.channel_book import Pause, Terms
from orderack.ports.ledger import ClaimResult, StoredSend
from orderack.ports.sweeps import ExceptionKind, OpenException

EVERY_STORE = "every-store"
"""Stands for the store in a digest's key: its exceptions may be of several."""
_NUMBER = "exceptions/"


class DigestState(StrEnum):
    """How a digest stands. Frozen names."""

    OPEN = "open"
    """Not out yet: it is tried at every sweep, and what is found until then joins it."""
    TOLD = "told"
    IN_DOUBT = "in_doubt"
    """It may have gone out. It is not sent again; the reminder is another message."""
    REFUSED = "refused"
    """Every channel said no."""
    OVER = "over"
    """It was settled before it could go out."""


class Untold(Value):
    """An open exception that nobody has claimed, with what its order is worth."""

    exception: OpenException
    side: Side | None = None
    """None: no such order is in the ledger, or nobody has assessed it."""
    total: Decimal | None = None
    currency: Name | None = None


class DigestItem(Value):
    """One line of a digest. `news`: its owner has not heard of it before."""

    of: Untold
    news: bool


class DigestSend(Value):
    """How a digest stands with one channel."""

    channel: Name
    state: SendState
    reason: Text = ""
    detail: Text = ""


class Digest(Value):
    """What one owner is to be told; the items are those that still stand, are his, and are claimed by nobody."""

    id: int
    team: Name
    owner: Name
    state: DigestState
    made_at: AwareDatetime
    version: int
    """Grows with every item that joins, so that what was rendered before is not sent in its place."""
    items: tuple[DigestItem, ...] = ()
    sends: tuple[DigestSend, ...] = ()
    problem: Text = ""
    """Why it has not gone out."""

    @property
    def under_way(self) -> frozenset[str]:
        """Channels by which it may have gone out, and nobody knows yet."""
        return frozenset(one.channel for one in self.sends if one.state is SendState.CLAIMED)

    def key(self, channel: str) -> SendKey:
        """Its identity by this channel."""
        ref = OrderRef(store=EVERY_STORE, number=f"{_NUMBER}{self.id}")
        return SendKey(ref=ref, revision=1, kind=Kind.ALERT, n=1, channel=channel)


def digest_of(ref: OrderRef) -> int:
    """The digest that a key's `ref` names. Raises ValueError for an order's."""
    if ref.store != EVERY_STORE or not ref.number.startswith(_NUMBER):
        raise ValueError("an order's key is no digest's")
    return int(ref.number.removeprefix(_NUMBER))


class SendBook(Protocol):
    """What sending asks of the record: the part of `Ledger` that claims, settles and paces."""

    async def claim(
        self, key: SendKey, message: Message, now: datetime, lease: timedelta, terms: Terms | None = None
    ) -> ClaimResult:
        """See `Ledger.claim`."""
        ...

    async def finish(self, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
        """See `Ledger.finish`."""
        ...

    async def doubt(self, key: SendKey, detail: str, now: datetime, until: datetime) -> None:
        """See `Ledger.doubt`."""
        ...

    async def turn(self, key: SendKey, rate_per_second: float, now: datetime) -> datetime:
        """See `ChannelBook.turn`."""
        ...

    async def is_shadow(self, ref: OrderRef) -> bool:
        """See `ShadowBook.is_shadow`."""
        ...

    async def pause(self, pause: Pause) -> bool:
        """See `ChannelBook.pause`."""
        ...

    async def probe(self, channel: str, now: datetime, again_at: datetime) -> bool:
        """See `ChannelBook.probe`."""
        ...

    async def lift(self, channel: str) -> bool:
        """See `ChannelBook.lift`."""
        ...


class DigestBook(Protocol):
    """Digests in the record. Every write is keyed and may be repeated."""

    async def untold(self, limit: int = 10_000) -> Sequence[Untold]:
        """Open exceptions that nobody has claimed, none of a shadow order's.

        First those that nobody was told of, the longest waiting first; then those that were told of longest ago.
        """
        ...

    async def gather(self, team: str, owner: str, found: Sequence[OpenException], now: datetime) -> int:
        """Put them into the owner's digest: the one that has not begun to go out, or a new one; how many joined.

        One that was told of since it was read, has closed or is claimed by now is left out: two sweeps tell it once.
        """
        ...

    async def open_digests(self) -> Sequence[Digest]: ...

    async def claim_digest(
        self,
        version: int,
        key: SendKey,
        message: Message,
        now: datetime,
        lease: timedelta,
        terms: Terms | None,
        leg: Collection[str] = (),
    ) -> ClaimResult:
        """As `Ledger.claim` for a digest's key. Raises Unavailable where it has grown since that version, and where
        another channel of the `leg` has it or may have it.

        What was certainly not sent is said anew: it takes these bytes. What is in doubt keeps its own.
        """
        ...

    async def finish_digest(self, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
        """As `Ledger.finish` for a digest's key. What has ended keeps its SHA-256 and loses its words."""
        ...

    async def doubt_digest(self, key: SendKey, detail: str, now: datetime, until: datetime) -> None: ...

    async def digest_turn(self, key: SendKey, rate_per_second: float, now: datetime) -> datetime: ...

    async def digest_is_shadow(self, digest: int) -> bool:
        """Whether any order of it is in a shadow run."""
        ...

    async def end_digest(self, digest: int, state: DigestState, problem: str, now: datetime) -> None:
        """Say how it stands; one that has ended stays as it is."""
        ...

    async def claim_exceptions(
        self, ref: OrderRef, by: str, now: datetime, kind: ExceptionKind | None = None
    ) -> Sequence[OpenException]:
        """Somebody has an order's open exceptions in hand, so nobody is reminded of them; the last word stands."""
        ...

    async def take_digest(self, key: str, now: datetime) -> int | None:
        """Its reader pressed the message's button: what nobody has claimed of it is his now. How many that were.

        None: it is no digest's key.
        """
        ...

    async def digests_in_trouble(self, before: datetime) -> Sequence[Digest]:
        """Not out since before then, in doubt or refused, and something of it still stands and is claimed by nobody."""
        ...


class DigestWords(Protocol):
    """Turns a digest into words. Raises Misconfigured when a wording is missing or broken."""

    def render(self, digest: Digest, language: str) -> Rendered: ...
