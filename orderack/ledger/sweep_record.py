"""What sweeps ask of the ledger: the part of `SqlLedger` that is `SweepBook` and `DigestBook`."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from orderack.domain.acknowledgement import SendKey, SendOutcome
from orderack.domain.order import OrderRef
from orderack.ledger import attention, captured, exceptions, sweep_digests, sweep_sends, sweeps
from orderack.ledger.database import Database, uncut
from orderack.ports import ClaimResult, Message, StoredSend, Terms
from orderack.ports.captured import CapturedOrder
from orderack.ports.digests import Digest, DigestBook, DigestState, Untold
from orderack.ports.sweeps import (
    ExceptionKind,
    Finding,
    NotReceipted,
    OpenException,
    Place,
    Settled,
    SweepBook,
    SweepState,
    Unannounced,
)


@uncut
class SweepRecord:
    """Each call is one short transaction."""

    _database: Database

    async def not_receipted(
        self, erp: str, before: datetime, after: Place | None, limit: int
    ) -> Sequence[NotReceipted]:
        async with self._database.read() as session:
            return await sweeps.not_receipted(session, erp, before, after, limit)

    async def count_not_receipted(self, erp: str, before: datetime) -> int:
        async with self._database.read() as session:
            return await sweeps.count_not_receipted(session, erp, before)

    async def asked_by_nobody(self, erps: Collection[str], limit: int) -> Sequence[NotReceipted]:
        async with self._database.read() as session:
            return await sweeps.asked_by_nobody(session, erps, limit)

    async def settle(self, findings: Sequence[Finding], now: datetime) -> Settled:
        if not findings:
            return Settled()
        async with self._database.write() as session:
            return await exceptions.settle(session, findings, now)

    async def close_over(self, erp: str, now: datetime) -> int:
        async with self._database.write() as session:
            return await exceptions.close_over(session, erp, now)

    async def close_unseen(self, since: datetime, now: datetime) -> int:
        async with self._database.write() as session:
            return await exceptions.close_unseen(session, since, now)

    async def exceptions(
        self, store: str | None = None, limit: int = 200, *, closed: bool = False
    ) -> Sequence[OpenException]:
        async with self._database.read() as session:
            return await exceptions.exceptions(session, store, limit, closed=closed)

    async def resolve(
        self, ref: OrderRef, by: str, note: str, now: datetime, kind: ExceptionKind | None = None
    ) -> Sequence[OpenException]:
        async with self._database.write() as session:
            return await exceptions.resolve(session, ref, by, note, now, kind)

    async def captured(self, since: datetime, store: str | None = None) -> Sequence[CapturedOrder]:
        """Orders that came since then, with what became of each."""
        async with self._database.read() as session:
            return await captured.captured(session, since, store)

    async def swept(self, state: SweepState) -> None:
        async with self._database.write() as session:
            await sweeps.swept(session, state)

    async def sweeps(self) -> Sequence[SweepState]:
        async with self._database.read() as session:
            return await sweeps.sweeps(session)

    async def open_after(self, before: datetime, after: Place | None, limit: int) -> Sequence[Place]:
        async with self._database.read() as session:
            return await sweeps.open_after(session, before, after, limit)

    async def with_content(self, refs: Sequence[OrderRef]) -> Sequence[OrderRef]:
        """Those of these orders (some hundreds at a time) of which a revision is kept."""
        async with self._database.read() as session:
            return await attention.with_content(session, refs)

    async def orders_unannounced(self, before: datetime, limit: int) -> Sequence[Unannounced]:
        async with self._database.read() as session:
            return await sweeps.orders_unannounced(session, before, limit)

    # -- what their owners are told -------------------------------------------------------------------------------

    async def untold(self, limit: int = 10_000) -> Sequence[Untold]:
        async with self._database.read() as session:
            return await sweep_digests.untold(session, limit)

    async def gather(self, team: str, owner: str, found: Sequence[OpenException], now: datetime) -> int:
        async with self._database.write() as session:
            return await sweep_digests.gather(session, team, owner, found, now)

    async def open_digests(self) -> Sequence[Digest]:
        async with self._database.read() as session:
            return await sweep_digests.open_digests(session)

    async def digests_in_trouble(self, before: datetime) -> Sequence[Digest]:
        async with self._database.read() as session:
            return await sweep_digests.in_trouble(session, before)

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
        async with self._database.write() as session:
            return await sweep_sends.claim(session, version, key, message, now, lease, terms, leg)

    async def finish_digest(self, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
        async with self._database.write() as session:
            return await sweep_sends.finish(session, key, outcome, now)

    async def doubt_digest(self, key: SendKey, detail: str, now: datetime, until: datetime) -> None:
        async with self._database.write() as session:
            await sweep_sends.doubt(session, key, detail, now, until)

    async def digest_turn(self, key: SendKey, rate_per_second: float, now: datetime) -> datetime:
        async with self._database.write() as session:
            return await sweep_sends.turn(session, key, rate_per_second, now)

    async def digest_is_shadow(self, digest: int) -> bool:
        async with self._database.read() as session:
            return await sweep_digests.is_shadow(session, digest)

    async def end_digest(self, digest: int, state: DigestState, problem: str, now: datetime) -> None:
        async with self._database.write() as session:
            await sweep_digests.end(session, digest, state, problem, now)

    async def claim_exceptions(
        self, ref: OrderRef, by: str, now: datetime, kind: ExceptionKind | None = None
    ) -> Sequence[OpenException]:
        async with self._database.write() as session:
            return await sweep_digests.claim(session, ref, by, now, kind)

    async def take_digest(self, key: str, now: datetime) -> int | None:
        async with self._database.write() as session:
            return await sweep_digests.take(session, key, now)


_CHECKED: type[SweepBook] = SweepRecord
_CHECKED_TOO: type[DigestBook] = SweepRecord
