"""What is remembered of sources: the part of `SqlLedger` that is `orderack.ports.SourceBook`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from orderack.domain.order import OrderRef
from orderack.domain.source import Answered, AnswerKey
from orderack.ledger import source_book
from orderack.ledger.database import Database, uncut
from orderack.ports import Awaited, InboxEvent, KnownOrder, SourceBook


@uncut
class SourceRecord:
    """Each call is one short transaction."""

    _database: Database

    async def hold(
        self, store: str, system: str, external_id: str, number: str, now: datetime, lease: timedelta
    ) -> KnownOrder | None:
        async with self._database.write() as session:
            return await source_book.hold(session, store, system, external_id, number, now, lease)

    async def took(self, known: KnownOrder) -> None:
        async with self._database.write() as session:
            await source_book.took(session, known)

    async def let_go(self, known: KnownOrder) -> None:
        async with self._database.write() as session:
            await source_book.let_go(session, known)

    async def known_order(self, store: str, system: str, external_id: str) -> KnownOrder | None:
        async with self._database.read() as session:
            return await source_book.known_order(session, store, system, external_id)

    async def cursor(self, name: str) -> str:
        async with self._database.read() as session:
            return await source_book.cursor(session, name)

    async def looked(self, name: str, cursor: str, now: datetime) -> None:
        async with self._database.write() as session:
            await source_book.looked(session, name, cursor, now)

    async def looked_at(self) -> Sequence[tuple[str, datetime]]:
        async with self._database.read() as session:
            return await source_book.looked_at(session)

    async def answered(self, key: AnswerKey) -> Answered | None:
        async with self._database.read() as session:
            return await source_book.answered(session, key)

    async def record_answer(self, key: AnswerKey, answered: Answered, now: datetime) -> Answered:
        async with self._database.write() as session:
            return await source_book.record_answer(session, key, answered, now)

    async def refused(self, connection: str, limit: int = 20) -> Sequence[InboxEvent]:
        async with self._database.read() as session:
            return await source_book.refused(session, connection, limit)

    async def retry_refused(self, connection: str, by: str, now: datetime, row: int | None = None) -> int:
        """Let refused deliveries be announced anew, one or all, and record who did; how many there were."""
        async with self._database.write() as session:
            return await source_book.retry_refused(session, connection, by, now, row)

    async def deliveries_of(self, ref: OrderRef, also: int | None = None, limit: int = 20) -> Sequence[InboxEvent]:
        async with self._database.read() as session:
            return await source_book.deliveries_of(session, ref, also, limit)

    async def awaited(self, erp: str, since: datetime, limit: int = 200) -> Sequence[Awaited]:
        async with self._database.read() as session:
            return await source_book.awaited(session, erp, since, limit)


_CHECKED: type[SourceBook] = SourceRecord
