"""Inbound events: recorded once, announced once; what a crash left behind is found again."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.order import OrderRef
from orderack.ledger import counts, erasure, sends
from orderack.ledger.database import inserted, sql_table
from orderack.ledger.tables import Inbox
from orderack.ports import InboxEvent, Report


async def receive(
    session: AsyncSession, source: str, external_id: str, kind: str, ref: OrderRef | None, body: str, now: datetime
) -> InboxEvent:
    """See `orderack.ports.Ledger.receive`."""
    row = {
        "source": source,
        "external_id": external_id,
        "kind": kind,
        "store": ref.store if ref else None,
        "number": ref.number if ref else None,
        "body": body,
        "received_at": now,
        "outcome": "",
    }
    if stored := await inserted(session, Inbox, row):
        counts.received(session, source, kind, body)
        return _event({**stored, "new": True})
    counts.again(session, kind)
    query = select(Inbox).filter_by(source=source, external_id=external_id)
    return as_event((await session.execute(query)).scalar_one())


async def reported(session: AsyncSession, event: InboxEvent, report: Report, now: datetime) -> InboxEvent:
    """Record what the new event proves, and its outcome where it has one already."""
    if event.ref is None:
        raise ValueError("a report proves something of an order's message")
    await sends.record_evidence(session, event.ref, report.fact, report.raw, report.provenance)
    if report.outcome is None:
        return event
    await announced(session, event.id, report.outcome, now)
    return event.model_copy(update={"announced_at": now, "outcome": report.outcome})


_TOLD = (
    update(sql_table(Inbox))
    .where(col(Inbox.id) == bindparam("event"), col(Inbox.announced_at).is_(None))
    .values(announced_at=bindparam("now"), outcome=bindparam("what"))
    .returning(col(Inbox.kind))
)


async def announced(
    session: AsyncSession, event_id: int, outcome: str, now: datetime, ref: OrderRef | None = None
) -> None:
    """Mark the event as announced; the first outcome stands. Of an erased order no body is kept."""
    told = _TOLD.values(store=ref.store, number=ref.number) if ref else _TOLD
    marked = await session.execute(told, {"event": event_id, "now": now, "what": outcome})
    kind = marked.scalar_one_or_none()
    if kind is not None:
        counts.announced(session, kind, outcome)
    await erasure.forget_event(session, event_id)


async def unannounced(
    session: AsyncSession, before: datetime, limit: int, after: int, ref: OrderRef | None
) -> Sequence[InboxEvent]:
    """See `orderack.ports.Ledger.unannounced`."""
    query = select(Inbox).where(
        col(Inbox.announced_at).is_(None), col(Inbox.received_at) < before, col(Inbox.id) > after
    )
    if ref:
        query = query.filter_by(store=ref.store, number=ref.number)
    return [as_event(row) for row in (await session.execute(query.order_by(col(Inbox.id)).limit(limit))).scalars()]


def as_event(row: Inbox) -> InboxEvent:
    return _event(row.model_dump())


def _event(columns: dict[str, object]) -> InboxEvent:
    store, number = columns.pop("store"), columns.pop("number")
    ref = {"store": store, "number": number} if store and number else None
    return InboxEvent.model_validate(columns | {"ref": ref})
