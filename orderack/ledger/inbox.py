"""Inbound events: recorded once, announced once; what a crash left behind is found again."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.order import OrderRef
from orderack.ledger import counts, erasure
from orderack.ledger.database import insert_new
from orderack.ledger.tables import Inbox
from orderack.ports import InboxEvent


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
    if await insert_new(session, Inbox, row):
        counts.received(session, source, kind, body)
    else:
        counts.again(session, kind)
    query = select(Inbox).filter_by(source=source, external_id=external_id)
    return as_event((await session.execute(query)).scalar_one())


async def announced(
    session: AsyncSession, event_id: int, outcome: str, now: datetime, ref: OrderRef | None = None
) -> None:
    """Mark the event as announced; the first outcome stands. Of an erased order no body is kept."""
    whose = {"store": ref.store, "number": ref.number} if ref else {}
    told = update(Inbox).filter_by(id=event_id, announced_at=None).values(announced_at=now, outcome=outcome, **whose)
    kind = (await session.execute(told.returning(col(Inbox.kind)))).scalar_one_or_none()
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
    ref = OrderRef(store=row.store, number=row.number) if row.store and row.number else None
    return InboxEvent.model_validate(row.model_dump(exclude={"store", "number"}) | {"ref": ref})
