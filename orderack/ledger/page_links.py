"""Links to the buyer's page: from when on they count, and what came in through them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.order import OrderRef
from orderack.ledger.inbox import as_event
from orderack.ledger.tables import Inbox, Orders
from orderack.ports import InboxEvent

_LAST = "f" * 64
"""Behind a prefix: no hexadecimal id that begins so sorts after it, whatever the database's collation."""


async def revoked_at(session: AsyncSession, ref: OrderRef) -> datetime | None:
    """See `orderack.ports.Ledger.links_revoked_at`."""
    query = select(col(Orders.links_revoked_at)).filter_by(store=ref.store, number=ref.number)
    return (await session.execute(query)).scalar_one_or_none()


async def revoke(session: AsyncSession, ref: OrderRef, now: datetime) -> bool:
    """See `orderack.ports.Ledger.revoke_links`."""
    known = update(Orders).filter_by(store=ref.store, number=ref.number).values(links_revoked_at=now)
    return (await session.execute(known.returning(col(Orders.number)))).first() is not None


async def received(session: AsyncSession, source: str, prefix: str, limit: int) -> Sequence[InboxEvent]:
    """See `orderack.ports.Ledger.received`. Reads the unique index on (source, external_id), never the whole inbox."""
    ids = col(Inbox.external_id)
    query = select(Inbox).filter_by(source=source).where(ids >= prefix, ids <= prefix + _LAST)
    rows = (await session.execute(query.order_by(col(Inbox.id).desc()).limit(limit))).scalars()
    return [as_event(row) for row in rows]
