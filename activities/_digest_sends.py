"""A digest's sends to the sender: what it asks of the record for an order's message is asked for a digest's."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from orderack.domain.acknowledgement import SendKey, SendOutcome
from orderack.domain.order import OrderRef
from orderack.ports import ChannelBook, ClaimResult, Message, Pause, StoredSend, Terms
from orderack.ports.digests import DigestBook, SendBook, digest_of


class _Ledger(ChannelBook, DigestBook, Protocol):
    """What of the record a digest's sends need."""


class DigestSends:
    """`version`: as of which the digest was rendered. `leg`: the channels of which one is to carry it."""

    def __init__(self, ledger: _Ledger, version: int, leg: Sequence[str]) -> None:
        self._ledger = ledger
        self._version = version
        self._leg = leg

    async def claim(
        self, key: SendKey, message: Message, now: datetime, lease: timedelta, terms: Terms | None = None
    ) -> ClaimResult:
        return await self._ledger.claim_digest(self._version, key, message, now, lease, terms, self._leg)

    async def finish(self, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
        return await self._ledger.finish_digest(key, outcome, now)

    async def doubt(self, key: SendKey, detail: str, now: datetime, until: datetime) -> None:
        await self._ledger.doubt_digest(key, detail, now, until)

    async def turn(self, key: SendKey, rate_per_second: float, now: datetime) -> datetime:
        return await self._ledger.digest_turn(key, rate_per_second, now)

    async def is_shadow(self, ref: OrderRef) -> bool:
        """The last door's question, asked of every order that the digest names."""
        return await self._ledger.digest_is_shadow(digest_of(ref))

    async def pause(self, pause: Pause) -> bool:
        return await self._ledger.pause(pause)

    async def probe(self, channel: str, now: datetime, again_at: datetime) -> bool:
        return await self._ledger.probe(channel, now, again_at)

    async def lift(self, channel: str) -> bool:
        return await self._ledger.lift(channel)


_CHECKED: type[SendBook] = DigestSends
