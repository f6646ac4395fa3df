"""What waits for a person and no list of Temporal's shows: offered handoffs, sends in doubt, buyers' questions."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, case, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import Event, Stage
from orderack.domain.acknowledgement import SendState
from orderack.domain.order import Name, OrderRef
from orderack.domain.value import Value
from orderack.ledger.in_doubt import settled
from orderack.ledger.tables import Handoffs, Orders, Revisions, Sends, Timeline

ENDED = (Stage.CANCELLED, Stage.REJECTED, Stage.CLOSED)


class OpenHandoff(Value):
    """The confirmed revision that a team was offered."""

    ref: OrderRef
    revision: int
    team: Name
    offered_at: datetime


class Doubt(Value):
    """A send of which nobody knows whether it went out. It may have been settled since by a person."""

    ref: OrderRef
    key: Name
    since: datetime
    settled: bool = False
    """Nobody is asked any more, as far as the timeline knows: only the order knows for certain."""


async def open_handoffs(session: AsyncSession, limit: int) -> Sequence[OpenHandoff]:
    """Offered for the order's current revision; the longest waiting first.

    An acceptance reaches the ledger with the order's next step, so only the order knows whether one still waits.
    """
    same = and_(
        col(Orders.store) == col(Handoffs.store),
        col(Orders.number) == col(Handoffs.number),
        col(Orders.revision) == col(Handoffs.revision),
    )
    query = (
        select(Handoffs).join(Orders, same).where(col(Handoffs.accepted_at).is_(None), col(Orders.stage).not_in(ENDED))
    )
    rows = (await session.execute(query.order_by(col(Handoffs.offered_at)).limit(limit))).scalars()
    return [
        OpenHandoff(
            ref=OrderRef(store=handoff.store, number=handoff.number),
            revision=handoff.revision,
            team=handoff.team,
            offered_at=handoff.offered_at,
        )
        for handoff in rows
    ]


async def doubts(session: AsyncSession, limit: int) -> Sequence[Doubt]:
    """Sends that ended unknown, of orders not closed; the longest waiting first, and behind them the settled ones.

    The policy settles many by itself, and these stay here until their orders close: they must not fill the list.
    """
    same = and_(col(Orders.store) == col(Sends.store), col(Orders.number) == col(Sends.number))
    over = settled().label("settled")
    query = (
        select(Sends, over)
        .join(Orders, same)
        .where(col(Sends.state) == SendState.UNKNOWN, col(Orders.stage) != Stage.CLOSED)
    )
    rows = (await session.execute(query.order_by(over, col(Sends.claimed_at)).limit(limit))).all()
    return [
        Doubt(
            ref=OrderRef(store=send.store, number=send.number),
            key=send.key,
            since=send.in_doubt_since or send.claimed_at,
            settled=known,
        )
        for send, known in rows
    ]


async def asked(session: AsyncSession, limit: int) -> Sequence[OrderRef]:
    """Orders not closed with more questions than answers, the longest waiting first.

    An answer reaches the ledger with the order's next step, so only the order knows what is still open.
    """
    same = and_(col(Orders.store) == col(Timeline.store), col(Orders.number) == col(Timeline.number))
    counts = {Event.QUESTION_ASKED: 1, Event.QUESTION_ANSWERED: -1}
    query = (
        select(col(Timeline.store), col(Timeline.number))
        .join(Orders, same)
        .where(col(Timeline.event).in_(counts), col(Orders.stage) != Stage.CLOSED)
        .group_by(col(Timeline.store), col(Timeline.number))
        .having(func.sum(case(counts, value=col(Timeline.event), else_=0)) > 0)
        .order_by(func.min(col(Timeline.at)))
    )
    return [OrderRef(store=store, number=number) for store, number in await session.execute(query.limit(limit))]


async def open_refs(session: AsyncSession, before: datetime, limit: int) -> Sequence[OrderRef]:
    """Orders that came before then and have not ended, the longest open first."""
    query = (
        select(col(Orders.store), col(Orders.number))
        .where(col(Orders.stage).not_in(ENDED), col(Orders.received_at) < before)
        .order_by(col(Orders.received_at))
    )
    return [OrderRef(store=store, number=number) for store, number in await session.execute(query.limit(limit))]


async def with_content(session: AsyncSession, refs: Sequence[OrderRef]) -> Sequence[OrderRef]:
    """Those of these orders of which a revision is kept."""
    pairs = [(ref.store, ref.number) for ref in refs]
    of = (col(Revisions.store), col(Revisions.number))
    found = await session.execute(select(*of).where(tuple_(*of).in_(pairs)).distinct())
    return [OrderRef(store=store, number=number) for store, number in found]
