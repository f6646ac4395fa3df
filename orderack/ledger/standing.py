"""How the record stands, in figures: each by a look into an index, or over what is open, not over all there ever was.

What a workflow knows reaches the ledger with its next step, so that a review that was decided a moment ago, or a send
that a person has settled, may still be counted until then.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import and_, case, func, literal, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import Stage
from orderack.domain.acknowledgement import SendState
from orderack.ledger import channel_book, exceptions, sweeps
from orderack.ledger.in_doubt import repeat_due_at, settled
from orderack.ledger.tables import (
    Deliveries,
    Handoffs,
    Inbox,
    Lanes,
    Orders,
    Outbox,
    Reviews,
    Revisions,
    Sends,
)
from orderack.ports import DeliveryState
from orderack.telemetry import metrics
from orderack.telemetry.readings import Reading

MOST = 1_000
"""Of what ought to be few: so many are looked at, the longest waiting first."""

LIVE = col(Orders.side).is_(None)
"""A shadow order waits for nobody: it is in no figure of the work (docs/shadow.md)."""

OPEN = (
    *(Stage.AWAITING_ORDER, Stage.ASSESSING, Stage.REVIEW, Stage.AWAITING_ERP),
    *(Stage.CONFIRMED, Stage.HANDED_OFF),
)


async def readings(session: AsyncSession, now: datetime) -> Sequence[Reading]:
    """Every figure that the ledger is asked for."""
    found = [reading async for store in _stores(session) for reading in await _of_store(session, store, now)]
    found += await _erps(session, now)
    found += await _doubts(session, now)
    found += await _turns(session, now)
    found += await _marks(session)
    found += await _inbox(session, now)
    found += await _outbox(session, now)
    found += await _absent(session, now)
    return found


async def _stores(session: AsyncSession) -> AsyncIterator[str]:
    """Every store that an order was ever of, one look into the index for each."""
    last = ""
    while name := (
        await session.execute(select(func.min(col(Orders.store))).where(col(Orders.store) > last))
    ).scalar_one():
        last = name
        yield name


async def _of_store(session: AsyncSession, store: str, now: datetime) -> Sequence[Reading]:
    label = metrics.store_label(store)
    counted = (
        select(col(Orders.stage), func.count())
        .where(col(Orders.store) == store, col(Orders.stage).in_(OPEN), LIVE)
        .group_by(col(Orders.stage))
    )
    found = [Reading(metrics.ORDERS, many, (label, stage)) for stage, many in (await session.execute(counted)).all()]
    review = (
        select(func.min(col(Reviews.opened_at)))
        .select_from(Orders)
        .join(Reviews, and_(col(Reviews.store) == col(Orders.store), col(Reviews.number) == col(Orders.number)))
        .where(col(Orders.store) == store, col(Orders.stage) == Stage.REVIEW, LIVE, col(Reviews.decided_at).is_(None))
    )
    found.append(Reading(metrics.REVIEW_AGE, _age((await session.execute(review)).scalar_one(), now), (label,)))
    its = and_(
        col(Handoffs.store) == col(Orders.store),
        col(Handoffs.number) == col(Orders.number),
        col(Handoffs.revision) == col(Orders.revision),
    )
    handoff = (
        select(func.min(col(Handoffs.offered_at)))
        .select_from(Orders)
        .join(Handoffs, its)
        .where(col(Orders.store) == store, col(Orders.stage) == Stage.HANDED_OFF, col(Handoffs.accepted_at).is_(None))
    )
    found.append(Reading(metrics.HANDOFF_AGE, _age((await session.execute(handoff)).scalar_one(), now), (label,)))
    return found


async def _erps(session: AsyncSession, now: datetime) -> Sequence[Reading]:
    """Orders that an ERP was given and has not answered for."""
    same = and_(
        col(Revisions.store) == col(Orders.store),
        col(Revisions.number) == col(Orders.number),
        col(Revisions.revision) == col(Orders.content_revision),
    )
    since = func.coalesce(col(Revisions.submitted_to_erp_at), col(Revisions.recorded_at))
    found: list[Reading] = []
    async for store in _stores(session):
        query = (
            select(col(Revisions.erp), func.count(), func.min(since))
            .select_from(Orders)
            .join(Revisions, same)
            .where(col(Orders.store) == store, col(Orders.stage) == Stage.AWAITING_ERP, LIVE)
            .where(col(Revisions.erp).is_not(None), col(Revisions.erp_receipt_at).is_(None))
            .group_by(col(Revisions.erp))
        )
        for erp, many, first in (await session.execute(query)).all():
            found.append(Reading(metrics.ERP_WAITING, many, (str(erp),)))
            found.append(Reading(metrics.ERP_WAIT_AGE, _age(first, now), (str(erp),)))
    return _together(found)


def _together(found: Sequence[Reading]) -> Sequence[Reading]:
    """Several stores' readings of one ERP: numbers are added up, of ages the highest counts."""
    totals: dict[tuple[metrics.Figure, tuple[str, ...]], float] = {}
    for figure, value, labels in found:
        known = totals.get((figure, labels), 0.0)
        totals[figure, labels] = known + value if figure is metrics.ERP_WAITING else max(known, value)
    return [Reading(figure, value, labels) for (figure, labels), value in totals.items()]


async def _doubts(session: AsyncSession, now: datetime) -> Sequence[Reading]:
    """Sends that ended unknown, of orders not closed, and that nobody has settled as far as the timeline knows.

    The oldest is of those that wait for a person: what the policy is about to have said again does not.
    """
    same = and_(col(Orders.store) == col(Sends.store), col(Orders.number) == col(Sends.number))
    found = (
        select(col(Sends.channel), col(Sends.in_doubt_since), repeat_due_at().label("again_at"))
        .join(Orders, same)
        .where(col(Sends.state) == SendState.UNKNOWN, col(Orders.stage) != Stage.CLOSED, not_(settled()))
        .subquery()
    )
    asked = case((or_(found.c.again_at.is_(None), found.c.again_at <= now), found.c.in_doubt_since))
    query = select(found.c.channel, func.count(), func.min(asked)).group_by(found.c.channel)
    rows = (await session.execute(query)).all()
    oldest = min((since for _, _, since in rows if since), default=None)
    counted = [Reading(metrics.IN_DOUBT, many, (channel,)) for channel, many, _ in rows]
    return [*counted, Reading(metrics.IN_DOUBT_AGE, _age(oldest, now))]


async def _turns(session: AsyncSession, now: datetime) -> Sequence[Reading]:
    query = select(col(Lanes.channel), func.max(col(Lanes.next_at))).group_by(col(Lanes.channel))
    rows = (await session.execute(query)).all()
    return [Reading(metrics.TURN_WAIT, max(0.0, (until - now).total_seconds()), (name,)) for name, until in rows]


async def _marks(session: AsyncSession) -> Sequence[Reading]:
    paused = (await channel_book.paused(session)).values()
    return [Reading(metrics.MARKED_DOWN, 1, (one.channel,)) for one in paused if one.is_mark]


async def _inbox(session: AsyncSession, now: datetime) -> Sequence[Reading]:
    waiting = col(Inbox.announced_at).is_(None)
    columns = (col(Inbox.kind), col(Inbox.received_at))
    few = select(*columns).where(waiting).order_by(col(Inbox.received_at)).limit(MOST).subquery()
    query = select(few.c.kind, func.count(), func.min(few.c.received_at)).group_by(few.c.kind)
    rows = (await session.execute(query)).all()
    counted = [Reading(metrics.INBOX, many, (kind,)) for kind, many, _ in rows]
    return [*counted, *(Reading(metrics.INBOX_AGE, _age(first, now), (kind,)) for kind, _, first in rows)]


async def _outbox(session: AsyncSession, now: datetime) -> Sequence[Reading]:
    """What was given up stays until a person has it tried again, so it is counted over its index alone."""
    found: list[Reading] = []
    for state in (DeliveryState.PENDING, DeliveryState.DEAD):
        few = select(literal(1)).select_from(Deliveries).where(col(Deliveries.state) == state).limit(MOST).subquery()
        many = (await session.execute(select(func.count()).select_from(few))).scalar_one()
        found.append(Reading(metrics.OUTBOX, many, (state,)))
    due = (
        select(col(Deliveries.event_id))
        .where(col(Deliveries.state) == DeliveryState.PENDING)
        .order_by(col(Deliveries.next_at))
        .limit(MOST)
    )
    pending = select(func.min(col(Outbox.created_at))).where(col(Outbox.event_id).in_(due))
    new = select(col(Outbox.created_at)).where(col(Outbox.fanned_out_at).is_(None)).order_by(col(Outbox.id)).limit(1)
    both = [(await session.execute(query)).scalar_one_or_none() for query in (pending, new)]
    return [*found, Reading(metrics.OUTBOX_AGE, _age(min((at for at in both if at), default=None), now))]


async def _absent(session: AsyncSession, now: datetime) -> Sequence[Reading]:
    """Exceptions; and how old each sweep's last complete round is, or its beginning where there was none."""
    found: list[Reading] = []
    for kind, many, first in await exceptions.standing(session):
        found.append(Reading(metrics.EXCEPTIONS, many, (kind,)))
        found.append(Reading(metrics.EXCEPTIONS_AGE, _age(first, now), (kind,)))
    swept = [(state.name, state.complete_at or state.began_at) for state in await sweeps.sweeps(session)]
    return [*found, *(Reading(metrics.SWEEP_AGE, _age(at, now), (name,)) for name, at in swept)]


def _age(since: datetime | None, now: datetime) -> float:
    """Seconds; of nothing, none."""
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
