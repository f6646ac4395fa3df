"""What waits for a person and stands in the ledger alone: handoffs nobody has accepted, sends in doubt."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import Stage
from orderack.domain.acknowledgement import SendState
from orderack.domain.order import Name, OrderRef
from orderack.domain.value import Value
from orderack.ledger.tables import Handoffs, Orders, Sends


class OpenHandoff(Value):
    """The confirmed revision that a team was offered."""

    ref: OrderRef
    revision: int
    team: Name
    owner: Name | None
    offered_at: datetime
    next_due_at: datetime | None


class Doubt(Value):
    """A send of which nobody knows whether it went out. It may have been settled since by a person."""

    ref: OrderRef
    key: Name
    owner: Name | None
    since: datetime


async def open_handoffs(session: AsyncSession, limit: int) -> Sequence[OpenHandoff]:
    """Offered for the order's current revision and not accepted; the longest waiting first."""
    same = and_(
        col(Orders.store) == col(Handoffs.store),
        col(Orders.number) == col(Handoffs.number),
        col(Orders.revision) == col(Handoffs.revision),
    )
    query = (
        select(Handoffs, Orders)
        .join(Orders, same)
        .where(col(Handoffs.accepted_at).is_(None), col(Orders.stage) == Stage.HANDED_OFF)
    )
    rows = (await session.execute(query.order_by(col(Handoffs.offered_at)).limit(limit))).all()
    return [
        OpenHandoff(
            ref=OrderRef(store=handoff.store, number=handoff.number),
            revision=handoff.revision,
            team=handoff.team,
            owner=order.owner or handoff.owner,
            offered_at=handoff.offered_at,
            next_due_at=order.next_due_at,
        )
        for handoff, order in rows
    ]


async def doubts(session: AsyncSession, limit: int) -> Sequence[Doubt]:
    """Sends that ended unknown, of orders not closed; the longest waiting first."""
    same = and_(col(Orders.store) == col(Sends.store), col(Orders.number) == col(Sends.number))
    query = (
        select(Sends, Orders)
        .join(Orders, same)
        .where(col(Sends.state) == SendState.UNKNOWN, col(Orders.stage) != Stage.CLOSED)
    )
    rows = (await session.execute(query.order_by(col(Sends.claimed_at)).limit(limit))).all()
    return [
        Doubt(
            ref=OrderRef(store=send.store, number=send.number),
            key=send.key,
            owner=order.owner,
            since=send.in_doubt_since or send.claimed_at,
        )
        for send, order in rows
    ]
