"""What a sweep goes through: revisions without a receipt, open orders, deliveries that were never handed on."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.assessment import Assessment, Side
from orderack.domain.order import OrderRef
from orderack.domain.value import Value
from orderack.ledger.attention import ENDED
from orderack.ledger.database import upsert
from orderack.ledger.sweep_tables import Sweeps
from orderack.ledger.tables import Deadlines, Inbox, Orders, Revisions, Timeline
from orderack.ports.sweeps import NotReceipted, Place, SweepState, Unannounced

_ORDERS = ("order", "delivery")
"""The inbox's kinds that an order comes in by."""
_SHOWN = 120
"""Characters of a delivery's id that stand for an order's number."""
_SELDOM = ("complete_at", "failed_at")


async def not_receipted(
    session: AsyncSession, erp: str, before: datetime, after: Place | None, limit: int
) -> Sequence[NotReceipted]:
    """See `orderack.ports.sweeps.SweepBook.not_receipted`."""
    its = and_(col(Revisions.erp) == erp, col(Revisions.recorded_at) < before)
    return await _rows(session, its if after is None else and_(its, _behind(after)), limit)


async def count_not_receipted(session: AsyncSession, erp: str, before: datetime) -> int:
    """See `orderack.ports.sweeps.SweepBook.count_not_receipted`."""
    query = select(func.count()).select_from(Revisions).join(Orders, _PRESENT).where(_OPEN)
    query = query.where(col(Revisions.erp) == erp, col(Revisions.recorded_at) < before)
    return (await session.execute(query)).scalar_one()


async def asked_by_nobody(session: AsyncSession, erps: Collection[str], limit: int) -> Sequence[NotReceipted]:
    """See `orderack.ports.sweeps.SweepBook.asked_by_nobody`."""
    return await _rows(session, or_(col(Revisions.erp).is_(None), col(Revisions.erp).not_in(erps)), limit)


_IN_TIME = (col(Revisions.recorded_at), col(Revisions.store), col(Revisions.number))
_PRESENT = and_(
    col(Orders.store) == col(Revisions.store),
    col(Orders.number) == col(Revisions.number),
    col(Orders.content_revision) == col(Revisions.revision),
)
_OPEN = and_(col(Revisions.erp_receipt_at).is_(None), col(Orders.stage).not_in(ENDED))


class _Found(Value):
    """One row of `_not_receipted`."""

    store: str
    number: str
    revision: int
    erp: str | None
    stage: Stage
    recorded_at: datetime
    updated_at: datetime
    owner: str | None
    side: str | None
    assessment: str
    due_at: datetime | None
    draft: bool


_COLUMNS = (
    *(col(Revisions.store), col(Revisions.number), col(Revisions.revision), col(Revisions.erp), col(Orders.stage)),
    *(col(Revisions.recorded_at), col(Revisions.assessment)),
    *(col(Orders.updated_at), col(Orders.owner), col(Orders.side)),
    select(func.max(col(Deadlines.due_at)))
    .where(
        col(Deadlines.store) == col(Revisions.store),
        col(Deadlines.number) == col(Revisions.number),
        col(Deadlines.clock) == ClockName.ERP_RECEIPT,
    )
    .correlate(Revisions)
    .scalar_subquery()
    .label("due_at"),
    exists()
    .where(
        col(Timeline.store) == col(Revisions.store),
        col(Timeline.number) == col(Revisions.number),
        col(Timeline.revision) == col(Revisions.revision),
        col(Timeline.event) == Event.ERP_WAITS,
    )
    .label("draft"),
)


async def _rows(session: AsyncSession, which: ColumnElement[bool], limit: int) -> Sequence[NotReceipted]:
    query = select(*_COLUMNS).join(Orders, _PRESENT).where(_OPEN, which).order_by(*_IN_TIME).limit(limit)
    return [_waiting(_Found.model_validate(dict(row))) for row in (await session.execute(query)).mappings()]


def _behind(place: Place) -> ColumnElement[bool]:
    at, store, number = _IN_TIME
    return or_(
        at > place.since,
        and_(at == place.since, store > place.ref.store),
        and_(at == place.since, store == place.ref.store, number > place.ref.number),
    )


def _waiting(row: _Found) -> NotReceipted:
    """Its clock runs from the submission; before that is in the ledger, from the last we heard of the order."""
    decision = Assessment.model_validate_json(row.assessment).decision
    within = decision.levels.erp_receipt_within
    begun = row.recorded_at if row.due_at else max(row.recorded_at, row.updated_at)
    return NotReceipted(
        ref=OrderRef(store=row.store, number=row.number),
        revision=row.revision,
        erp=row.erp,
        stage=row.stage,
        since=row.recorded_at,
        overdue_at=max(begun + within, row.due_at or begun),
        owner=row.owner or next(iter(decision.rota), None),
        draft=row.draft,
        shadow=row.side == Side.SHADOW,
    )


async def open_after(session: AsyncSession, before: datetime, after: Place | None, limit: int) -> Sequence[Place]:
    """See `orderack.ports.sweeps.SweepBook.open_after`."""
    at, store, number = col(Orders.received_at), col(Orders.store), col(Orders.number)
    query = select(at, store, number).where(col(Orders.stage).not_in(ENDED), at < before)
    if after is not None:
        later_store = and_(at == after.since, store > after.ref.store)
        later_number = and_(at == after.since, store == after.ref.store, number > after.ref.number)
        query = query.where(or_(at > after.since, later_store, later_number))
    rows = await session.execute(query.order_by(at, store, number).limit(limit))
    return [Place(since=since, ref=OrderRef(store=store, number=number)) for since, store, number in rows]


async def orders_unannounced(session: AsyncSession, before: datetime, limit: int) -> Sequence[Unannounced]:
    """See `orderack.ports.sweeps.SweepBook.orders_unannounced`."""
    query = (
        select(Inbox)
        .where(col(Inbox.announced_at).is_(None), col(Inbox.received_at) < before, col(Inbox.kind).in_(_ORDERS))
        .order_by(col(Inbox.received_at), col(Inbox.id))
    )
    return [_unannounced(row) for row in (await session.execute(query.limit(limit))).scalars()]


def _unannounced(row: Inbox) -> Unannounced:
    """`intake/<store>`, `sources/<store>/<system>`."""
    store = row.store or row.source.partition("/")[2].partition("/")[0] or row.source
    number = row.number or f"delivery {row.external_id}"[:_SHOWN]
    ref = OrderRef(store=store, number=number)
    return Unannounced(ref=ref, event=row.id or 0, system=row.source, received_at=row.received_at)


async def swept(session: AsyncSession, state: SweepState) -> None:
    """See `orderack.ports.sweeps.SweepBook.swept`."""
    row = state.model_dump()
    for name in _SELDOM:
        if row[name] is None:
            del row[name]
    known = await session.get(Sweeps, state.name)
    await upsert(session, Sweeps, [row if known else {**dict.fromkeys(_SELDOM), **row}])


async def sweeps(session: AsyncSession) -> Sequence[SweepState]:
    """See `orderack.ports.sweeps.SweepBook.sweeps`."""
    rows = (await session.execute(select(Sweeps).order_by(col(Sweeps.name)))).scalars()
    return [SweepState.model_validate(row.model_dump()) for row in rows]
