"""What sweeps ask of the ledger: the part of `SqlLedger` that is `orderack.ports.sweeps.SweepBook`."""

from collections.abc import Collection, Sequence
from datetime import datetime

from orderack.domain.order import OrderRef
from orderack.ledger import attention, captured, exceptions, sweeps
from orderack.ledger.database import Database, uncut
from orderack.ports.captured import CapturedOrder
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


_CHECKED: type[SweepBook] = SweepRecord
