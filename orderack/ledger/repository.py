"""The ledger as the product sees it: each call is one short transaction."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from sqlalchemy import text as sql

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import Entry, Journal
from orderack.domain.acknowledgement import SendKey, SendOutcome
from orderack.domain.evidence import EvidenceFact, Provenance
from orderack.domain.order import OrderRef
from orderack.ledger import (
    attention,
    board,
    channel_book,
    checkpoint,
    erasure,
    gap_times,
    inbox,
    orders,
    outbox,
    page_links,
    past_orders,
    record,
    schema,
    searches,
    sends,
    standing,
    touches,
    verification,
    wismo,
)
from orderack.ledger.database import Database, make_engine, uncut
from orderack.ledger.reach_record import ReachRecord
from orderack.ledger.report_record import ReportRecord
from orderack.ledger.shadow_ledger import ShadowLedger
from orderack.ledger.source_record import SourceRecord
from orderack.ledger.sweep_record import SweepRecord
from orderack.ports import (
    UNSAID,
    BoardRecord,
    ClaimResult,
    DeliveryEnd,
    DueEvent,
    EvidenceRecord,
    GatewayLedger,
    Health,
    InboxEvent,
    Message,
    OrderRow,
    Past,
    PastAsked,
    Pause,
    Reach,
    Report,
    Reported,
    StoredRevision,
    StoredSend,
    Subscription,
    Terms,
)
from orderack.ports.wismo import NamedOrder, WatchedOrder
from orderack.telemetry.readings import Reading
from orderack.touches import GradedTouch, SettledTouch, Touch


async def open_ledger(url: str) -> "SqlLedger":
    """The ledger at this URL, its schema brought up to date first. Raises Misconfigured or Unavailable."""
    await schema.upgrade(url)
    return SqlLedger(Database(make_engine(url)))


@uncut
class SqlLedger(ReachRecord, ShadowLedger, SourceRecord, SweepRecord, ReportRecord):
    """`orderack.ports.Ledger` on SQLite or PostgreSQL. Every call may raise Unavailable; nothing was written then."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_revision(self, stored: StoredRevision, fingerprint: str, journal: Journal) -> StoredRevision | None:
        async with self._database.write(autoflush=False) as session:
            return await orders.save_revision(session, stored, fingerprint, journal)

    async def revision(self, ref: OrderRef, revision: int) -> StoredRevision | None:
        async with self._database.read() as session:
            return await orders.revision(session, ref, revision)

    async def write(self, journal: Journal) -> None:
        async with self._database.write(autoflush=False) as session:
            order = await orders.lock_order(session, journal.ref)
            await orders.write_journal(session, order, journal)

    async def write_and_read(self, journal: Journal, revisions: Collection[int]) -> Mapping[int, StoredRevision]:
        async with self._database.write(autoflush=False) as session:
            order = await orders.lock_order(session, journal.ref)
            await orders.write_journal(session, order, journal)
            found = [await orders.revision(session, journal.ref, revision) for revision in revisions]
            return {stored.revision: stored for stored in found if stored}

    async def claim(
        self, key: SendKey, message: Message, now: datetime, lease: timedelta, terms: Terms | None = None
    ) -> ClaimResult:
        async with self._database.write() as session:
            return await sends.claim(session, key, message, now, lease, terms)

    async def finish(self, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
        async with self._database.write() as session:
            return await sends.finish(session, key, outcome, now)

    async def doubt(self, key: SendKey, detail: str, now: datetime, until: datetime) -> None:
        async with self._database.write() as session:
            await sends.doubt(session, key, detail, now, until)

    async def send(self, key: str) -> StoredSend | None:
        async with self._database.read() as session:
            return await sends.send(session, key)

    async def sends(self, ref: OrderRef) -> Sequence[StoredSend]:
        async with self._database.read() as session:
            return await sends.sends(session, ref)

    async def reported(self, key: str | None, channel: str, provider_id: str | None) -> Reported | None:
        async with self._database.read() as session:
            return await sends.reported(session, key, channel, provider_id)

    async def sends_to(self, channel: str, recipient_sha256: str, since: datetime) -> Sequence[StoredSend]:
        async with self._database.read() as session:
            return await sends.sends_to(session, channel, recipient_sha256, since)

    async def reach(self, channel: str, address_sha256: str) -> Reach:
        async with self._database.read() as session:
            return await channel_book.reach(session, channel, address_sha256)

    async def heard(self, channel: str, address_sha256: str, at: datetime) -> None:
        async with self._database.write() as session:
            await channel_book.heard(session, channel, address_sha256, at)

    async def opted(self, channel: str, address_sha256: str, *, out: bool, at: datetime, basis: str) -> None:
        async with self._database.write() as session:
            await channel_book.opted(session, channel, address_sha256, out=out, at=at, basis=basis)

    async def paused(self) -> Mapping[str, Pause]:
        async with self._database.read() as session:
            return await channel_book.paused(session)

    async def pause(self, pause: Pause) -> bool:
        async with self._database.write() as session:
            return await channel_book.pause(session, pause)

    async def resume(self, channel: str) -> bool:
        async with self._database.write() as session:
            return await channel_book.resume(session, channel)

    async def probe(self, channel: str, now: datetime, again_at: datetime) -> bool:
        async with self._database.write() as session:
            return await channel_book.probe(session, channel, now, again_at)

    async def lift(self, channel: str) -> bool:
        async with self._database.write() as session:
            return await channel_book.lift(session, channel)

    async def turn(self, key: SendKey, rate_per_second: float, now: datetime) -> datetime:
        async with self._database.write() as session:
            return await channel_book.turn(session, key, rate_per_second, now)

    async def health(self) -> Mapping[str, Health]:
        async with self._database.read() as session:
            return await channel_book.health(session)

    async def record_evidence(
        self, ref: OrderRef, fact: EvidenceFact, raw: str, provenance: Provenance = UNSAID
    ) -> bool:
        async with self._database.write() as session:
            return await sends.record_evidence(session, ref, fact, raw, provenance)

    async def evidence(self, ref: OrderRef) -> Sequence[EvidenceFact]:
        async with self._database.read() as session:
            return await sends.evidence(session, ref)

    async def evidence_records(self, ref: OrderRef) -> Sequence[EvidenceRecord]:
        async with self._database.read() as session:
            return await record.evidence_records(session, ref)

    async def receive(
        self,
        source: str,
        external_id: str,
        kind: str,
        ref: OrderRef | None,
        body: str,
        now: datetime,
        report: Report | None = None,
    ) -> InboxEvent:
        async with self._database.write() as session:
            event = await inbox.receive(session, source, external_id, kind, ref, body, now)
            return await inbox.reported(session, event, report, now) if report and event.new else event

    async def announced(self, event_id: int, outcome: str, now: datetime, ref: OrderRef | None = None) -> None:
        async with self._database.write() as session:
            await inbox.announced(session, event_id, outcome, now, ref)

    async def unannounced(
        self, before: datetime, limit: int = 100, *, after: int = 0, ref: OrderRef | None = None
    ) -> Sequence[InboxEvent]:
        async with self._database.read() as session:
            return await inbox.unannounced(session, before, limit, after, ref)

    async def fan_out(self, subscriptions: Sequence[Subscription], now: datetime, limit: int = 500) -> int:
        async with self._database.read() as session:
            if not await outbox.has_new(session):
                return 0
        async with self._database.write() as session:
            return await outbox.fan_out(session, subscriptions, now, limit)

    async def claim_events(self, endpoint: str, now: datetime, lease: timedelta, limit: int) -> Sequence[DueEvent]:
        async with self._database.read() as session:
            if not await outbox.has_due(session, endpoint, now):
                return ()
        async with self._database.write() as session:
            return await outbox.claim(session, endpoint, now, lease, limit)

    async def end_attempt(self, due: DueEvent, end: DeliveryEnd, now: datetime) -> bool:
        async with self._database.write() as session:
            return await outbox.end_attempt(session, due, end, now)

    async def release_events(self, due: Sequence[DueEvent], next_at: datetime) -> None:
        async with self._database.write() as session:
            await outbox.release(session, due, next_at)

    async def bury(self, endpoint: str, answer: str, now: datetime) -> int:
        async with self._database.write() as session:
            return await outbox.bury(session, endpoint, answer, now)

    async def forget_events(self, before: datetime) -> int:
        async with self._database.write() as session:
            return await outbox.forget(session, before)

    async def retry_events(self, now: datetime, event_id: str | None = None) -> int:
        """Bring dead deliveries back, of one event or of all, with every attempt before them; how many there were."""
        async with self._database.write() as session:
            return await outbox.retry(session, now, event_id)

    async def dead_events(self, limit: int = 200) -> Sequence[outbox.DeadEvent]:
        """Deliveries that were given up, the oldest event first."""
        async with self._database.read() as session:
            return await outbox.dead(session, limit)

    async def endpoint_standings(self) -> Sequence[outbox.Standing]:
        """How many events are pending, delivered and dead, for each endpoint that was ever told one."""
        async with self._database.read() as session:
            return await outbox.standings(session)

    async def received(self, source: str, prefix: str, limit: int = 20) -> Sequence[InboxEvent]:
        async with self._database.read() as session:
            return await page_links.received(session, source, prefix, limit)

    async def links_revoked_at(self, ref: OrderRef) -> datetime | None:
        async with self._database.read() as session:
            return await page_links.revoked_at(session, ref)

    async def revoke_links(self, ref: OrderRef, now: datetime) -> bool:
        async with self._database.write() as session:
            return await page_links.revoke(session, ref, now)

    async def record_touches(self, found: Sequence[Touch]) -> int:
        async with self._database.write() as session:
            return await touches.record(session, found)

    async def settled_touches(self, before: datetime, limit: int = 100) -> Sequence[SettledTouch]:
        async with self._database.read() as session:
            return await touches.settled(session, before, limit)

    async def grade_touch(self, graded: GradedTouch, now: datetime) -> InboxEvent | None:
        async with self._database.write() as session:
            return await touches.grade(session, graded, now)

    async def forget_touches(self, before: datetime) -> int:
        async with self._database.write() as session:
            forgotten = await touches.forget(session, before)
        if forgotten:
            await self._database.forget_log()
        return forgotten

    async def offer_handoff(self, request: HandOffRequest, now: datetime) -> str:
        async with self._database.write(autoflush=False) as session:
            return await orders.offer_handoff(session, request, now)

    async def past(self, asked: PastAsked) -> Past:
        async with self._database.read() as session:
            return await searches.past(session, asked)

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

    async def asked(self, limit: int = 200) -> Sequence[OrderRef]:
        """Orders with questions of the buyer's that, as far as the ledger knows, nobody has answered."""
        async with self._database.read() as session:
            return await attention.asked(session, limit)

    async def board(self, stores: Sequence[str], now: datetime) -> BoardRecord:
        async with self._database.read() as session:
            return await board.board(session, stores, now)

    async def verify_chain(self, ref: OrderRef) -> Sequence[verification.Break]:
        """Every place where the order's record was tampered with; empty when it stands as written."""
        async with self._database.read() as session:
            return await verification.verify_chain(session, ref)

    async def verify_next(self, store: str | None, after: OrderRef | None) -> verification.Verified | None:
        """Verify the next batch of orders after this one; None after the last."""
        async with self._database.read() as session:
            return await verification.verify_next(session, store, after)

    async def chain_length(self, ref: OrderRef) -> int:
        """Rows of the order's chain, as the order itself says."""
        async with self._database.read() as session:
            return await verification.chain_length(session, ref)

    async def lost_orders(self, store: str | None) -> Sequence[OrderRef]:
        """Orders of which a chain or facts are left while the order itself is gone."""
        async with self._database.read() as session:
            return await verification.lost_orders(session, store)

    async def heads(self, store: str | None) -> AsyncIterator[checkpoint.Head]:
        """Every chain's head as of one moment."""
        async with self._database.read() as session:
            async for head in checkpoint.heads(session, store):
                yield head

    async def compare(self, kept: Sequence[checkpoint.Head]) -> Mapping[str, tuple[verification.Break, ...]]:
        """Orders whose chain no longer goes through the head that was kept."""
        async with self._database.read() as session:
            return await checkpoint.compare(session, kept)

    async def order_record(self, ref: OrderRef) -> record.OrderRecord | None:
        """All that the order's chain vouches for, as of one moment; None for an unknown order."""
        async with self._database.read() as session:
            return await record.order_record(session, ref)

    async def erase(self, ref: OrderRef, by: str, reason: str, now: datetime) -> erasure.Erasure | None:
        """Erase the order's personal data; None for an unknown order. Whoever asks makes sure that it is not open."""
        async with self._database.write() as session:
            done = await erasure.erase(session, ref, by, reason, now)
        if done and done.rows:
            await self._database.forget_log()
        return done

    @asynccontextmanager
    async def past_orders(self, span: past_orders.Span) -> AsyncIterator[past_orders.PastOrders]:
        """One consistent look at a span of the past, for as long as the block lasts."""
        async with self._database.read() as session:
            await verification.one_look(session)
            yield past_orders.PastOrders(session, span)

    async def open_refs(self, before: datetime, limit: int) -> Sequence[OrderRef]:
        """Orders that came before then and have not ended."""
        async with self._database.read() as session:
            return await attention.open_refs(session, before, limit)

    async def clock(self) -> datetime | None:
        """The database server's time; None where the ledger is a file."""
        async with self._database.read() as session:
            if session.get_bind().dialect.name == "sqlite":
                return None
            found: datetime = (await session.execute(sql("SELECT clock_timestamp()"))).scalar_one()
            return found

    async def gap_times(self, since: datetime, store: str | None) -> AsyncIterator[gap_times.GapTimes]:
        """The times of each order triggered since then, from its trigger to its confirmation."""
        async with self._database.read() as session:
            async for row in gap_times.gap_times(session, since, store):
                yield row

    async def watched_orders(self, since: datetime, until: datetime, store: str | None) -> Sequence[WatchedOrder]:
        async with self._database.read() as session:
            return await wismo.watched_orders(session, since, until, store)

    async def named_orders(
        self, words: Collection[str], emails: Collection[str], store: str | None
    ) -> Sequence[NamedOrder]:
        async with self._database.read() as session:
            return await wismo.named_orders(session, words, emails, store)

    async def readings(self, now: datetime) -> Sequence[Reading]:
        """How the record stands, in figures."""
        async with self._database.read() as session:
            return await standing.readings(session, now)

    async def ping(self) -> None:
        async with self._database.read() as session:
            await session.execute(sql("SELECT 1"))

    async def aclose(self) -> None:
        await self._database.aclose()


_CHECKED: type[GatewayLedger] = SqlLedger
