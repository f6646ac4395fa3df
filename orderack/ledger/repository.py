"""The ledger as the product sees it: each call is one short transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text as sql

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import Entry, Journal
from orderack.domain.acknowledgement import SendKey, SendOutcome
from orderack.domain.evidence import EvidenceFact, Provenance
from orderack.domain.order import OrderRef
from orderack.ledger import attention, audit, inbox, orders, schema, searches, sends
from orderack.ledger.database import Database, make_engine
from orderack.ports import (
    UNSAID,
    ClaimResult,
    InboxEvent,
    Ledger,
    Message,
    OrderRow,
    PastOrder,
    StoredRevision,
    StoredSend,
)


async def open_ledger(url: str) -> "SqlLedger":
    """The ledger at this URL, its schema brought up to date first. Raises Misconfigured or Unavailable."""
    await schema.upgrade(url)
    return SqlLedger(Database(make_engine(url)))


class SqlLedger:
    """`orderack.ports.Ledger` on SQLite or PostgreSQL. Every call may raise Unavailable; nothing was written then."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_revision(self, stored: StoredRevision, fingerprint: str, journal: Journal) -> None:
        async with self._database.write() as session:
            await orders.save_revision(session, stored, fingerprint, journal)

    async def revision(self, ref: OrderRef, revision: int) -> StoredRevision | None:
        async with self._database.read() as session:
            return await orders.revision(session, ref, revision)

    async def write(self, journal: Journal) -> None:
        async with self._database.write() as session:
            order = await orders.lock_order(session, journal.ref)
            await orders.write_journal(session, order, journal)

    async def claim(self, key: SendKey, message: Message, now: datetime, lease: timedelta) -> ClaimResult:
        async with self._database.write() as session:
            return await sends.claim(session, key, message, now, lease)

    async def finish(self, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
        async with self._database.write() as session:
            return await sends.finish(session, key, outcome, now)

    async def doubt(self, key: SendKey, detail: str, now: datetime) -> None:
        async with self._database.write() as session:
            await sends.doubt(session, key, detail, now)

    async def send(self, key: str) -> StoredSend | None:
        async with self._database.read() as session:
            return await sends.send(session, key)

    async def sends(self, ref: OrderRef) -> Sequence[StoredSend]:
        async with self._database.read() as session:
            return await sends.sends(session, ref)

    async def send_by_provider_id(self, channel: str, provider_id: str) -> StoredSend | None:
        async with self._database.read() as session:
            return await sends.send_by_provider_id(session, channel, provider_id)

    async def sends_to(self, channel: str, recipient_sha256: str, since: datetime) -> Sequence[StoredSend]:
        async with self._database.read() as session:
            return await sends.sends_to(session, channel, recipient_sha256, since)

    async def record_evidence(
        self, ref: OrderRef, fact: EvidenceFact, raw: str, provenance: Provenance = UNSAID
    ) -> bool:
        async with self._database.write() as session:
            return await sends.record_evidence(session, ref, fact, raw, provenance)

    async def evidence(self, ref: OrderRef) -> Sequence[EvidenceFact]:
        async with self._database.read() as session:
            return await sends.evidence(session, ref)

    async def receive(
        self, source: str, external_id: str, kind: str, ref: OrderRef | None, body: str, now: datetime
    ) -> InboxEvent:
        async with self._database.write() as session:
            return await inbox.receive(session, source, external_id, kind, ref, body, now)

    async def announced(self, event_id: int, outcome: str, now: datetime) -> None:
        async with self._database.write() as session:
            await inbox.announced(session, event_id, outcome, now)

    async def unannounced(self, before: datetime, limit: int = 100) -> Sequence[InboxEvent]:
        async with self._database.read() as session:
            return await inbox.unannounced(session, before, limit)

    async def offer_handoff(self, request: HandOffRequest, now: datetime) -> str:
        async with self._database.write() as session:
            return await orders.offer_handoff(session, request, now)

    async def past_orders(self, store: str, customer_id: str, since: datetime) -> Sequence[PastOrder]:
        async with self._database.read() as session:
            return await searches.past_orders(session, store, customer_id, since)

    async def orders_by_fingerprint(self, fingerprint: str, since: datetime) -> Sequence[PastOrder]:
        async with self._database.read() as session:
            return await searches.orders_by_fingerprint(session, fingerprint, since)

    async def receipt_latencies(self, erp: str, limit: int = 500) -> Sequence[float]:
        async with self._database.read() as session:
            return await searches.receipt_latencies(session, erp, limit)

    async def queue_depth(self, store: str) -> int:
        async with self._database.read() as session:
            return await searches.queue_depth(session, store)

    async def order(self, ref: OrderRef) -> OrderRow | None:
        async with self._database.read() as session:
            return await searches.order(session, ref)

    async def find(self, text: str, limit: int = 20) -> Sequence[OrderRow]:
        async with self._database.read() as session:
            return await searches.find(session, text, limit)

    async def orders(self, stage: str | None = None, store: str | None = None, limit: int = 100) -> Sequence[OrderRow]:
        async with self._database.read() as session:
            return await searches.orders(session, stage, store, limit)

    async def entries(self, ref: OrderRef) -> Sequence[Entry]:
        async with self._database.read() as session:
            return await orders.entries(session, ref)

    async def open_handoffs(self, limit: int = 200) -> Sequence[attention.OpenHandoff]:
        """Handoffs that were offered and, as far as the ledger knows, not accepted; the longest waiting first."""
        async with self._database.read() as session:
            return await attention.open_handoffs(session, limit)

    async def doubts(self, limit: int = 200) -> Sequence[attention.Doubt]:
        """Sends of which nobody knows whether they went out, the longest waiting first."""
        async with self._database.read() as session:
            return await attention.doubts(session, limit)

    async def verify_chain(self, ref: OrderRef) -> Sequence[audit.Break]:
        """Every place where the order's record was tampered with; empty when it stands as written."""
        async with self._database.read() as session:
            return await audit.verify_chain(session, ref)

    async def ping(self) -> None:
        async with self._database.read() as session:
            await session.execute(sql("SELECT 1"))

    async def aclose(self) -> None:
        await self._database.aclose()


_CHECKED: type[Ledger] = SqlLedger
