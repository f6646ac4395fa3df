"""Exceptions: opened once, closed by themselves or by a person, and owned as long as they are open."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, join, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.order import OrderRef
from orderack.ledger.attention import ENDED
from orderack.ledger.database import insert_new
from orderack.ledger.sweep_tables import Exceptions
from orderack.ledger.tables import Orders, Revisions
from orderack.ports.sweeps import IN_ERP, ExceptionKind, Finding, OpenException, Settled

RECEIPTED = "its receipt came"
NOT_SO = "no longer found"
_IN_BOOKS = frozenset(ExceptionKind) - IN_ERP
OPEN = col(Exceptions.closed_at).is_(None)
WITH_ORDERS = (
    join(
        Exceptions,
        Orders,
        and_(col(Orders.store) == col(Exceptions.store), col(Orders.number) == col(Exceptions.number)),
        isouter=True,
    )
).outerjoin(
    Revisions,
    and_(
        col(Revisions.store) == col(Exceptions.store),
        col(Revisions.number) == col(Exceptions.number),
        col(Revisions.revision) == col(Exceptions.revision),
    ),
)
"""Each exception with its order, as far as the ledger has it."""


async def settle(session: AsyncSession, findings: Sequence[Finding], now: datetime) -> Settled:
    """See `orderack.ports.sweeps.SweepBook.settle`."""
    opened, closed = list[OpenException](), 0
    for finding in findings:
        closed += await _close_others(session, finding, now)
        if finding.kind is not None and (row := await _found(session, finding, finding.kind, now)):
            opened.append(exception(row))
    return Settled(opened=tuple(opened), closed=closed)


async def _found(session: AsyncSession, finding: Finding, kind: ExceptionKind, now: datetime) -> Exceptions | None:
    """The row, where it is opened by this, for the first time or anew."""
    if kind in IN_ERP and not await _still_waits(session, finding):
        return None
    key = (finding.ref.store, finding.ref.number, str(kind), finding.revision)
    made = Exceptions(
        store=finding.ref.store,
        number=finding.ref.number,
        kind=kind,
        revision=finding.revision,
        system=finding.system,
        event=finding.event,
        since=finding.since,
        opened_at=now,
        seen_at=now,
        owner=finding.owner,
    )
    if await insert_new(session, Exceptions, made.model_dump()):
        return made
    row = await session.get_one(Exceptions, key, with_for_update=True)
    row.seen_at = now
    if row.closed_at is None or row.closed_by is not None:
        row.owner = finding.owner if row.closed_at is None else row.owner
        return None
    row.opened_at, row.since, row.owner = now, finding.since, finding.owner
    row.closed_at, row.note, row.reopened = None, "", row.reopened + 1
    row.claimed_by = row.claimed_at = row.told_to = row.told_at = None
    row.told = 0
    return row


async def _still_waits(session: AsyncSession, finding: Finding) -> bool:
    """Its receipt may have come, or its end, while the ERP was asked."""
    of_it = and_(col(Orders.store) == finding.ref.store, col(Orders.number) == finding.ref.number)
    same = and_(
        col(Revisions.store) == col(Orders.store),
        col(Revisions.number) == col(Orders.number),
        col(Revisions.revision) == finding.revision,
    )
    now = select(col(Orders.stage), col(Orders.content_revision), col(Revisions.erp_receipt_at)).join(Revisions, same)
    row = (await session.execute(now.where(of_it))).one_or_none()
    return row is not None and not _why_over(finding.revision, *row)


async def _close_others(session: AsyncSession, finding: Finding, now: datetime) -> int:
    """What an ERP's sweep found of the order before, and does not find now. The books' are closed all at once."""
    if finding.kind in _IN_BOOKS:
        return 0
    query = select(Exceptions).filter_by(store=finding.ref.store, number=finding.ref.number)
    query = query.where(OPEN, col(Exceptions.kind).in_(IN_ERP))
    others = [
        row
        for row in (await session.execute(query)).scalars()
        if finding.kind is None or (row.kind, row.revision) != (finding.kind, finding.revision)
    ]
    for row in others:
        row.closed_at, row.note = now, finding.note or f"found {finding.kind} instead"
    return len(others)


async def close_over(session: AsyncSession, erp: str, now: datetime) -> int:
    """See `orderack.ports.sweeps.SweepBook.close_over`."""
    columns = (Exceptions, col(Orders.stage), col(Orders.content_revision), col(Revisions.erp_receipt_at))
    query = select(*columns).select_from(WITH_ORDERS)
    query = query.where(OPEN, col(Exceptions.kind).in_(IN_ERP), col(Exceptions.system) == erp)
    found = (await session.execute(query)).all()
    over = [(row, why) for row, stage, now_at, at in found if (why := _why_over(row.revision, stage, now_at, at))]
    for row, why in over:
        row.closed_at, row.note = now, why
    return len(over)


async def close_unseen(session: AsyncSession, since: datetime, now: datetime) -> int:
    """See `orderack.ports.sweeps.SweepBook.close_unseen`."""
    unseen = update(Exceptions).where(OPEN, col(Exceptions.kind).in_(_IN_BOOKS), col(Exceptions.seen_at) < since)
    closed = await session.execute(unseen.values(closed_at=now, note=NOT_SO).returning(col(Exceptions.store)))
    return len(closed.all())


async def exceptions(session: AsyncSession, store: str | None, limit: int, *, closed: bool) -> Sequence[OpenException]:
    """See `orderack.ports.sweeps.SweepBook.exceptions`. What the next sweep will close is not open any more."""
    query = select(Exceptions).select_from(WITH_ORDERS)
    query = query.where(col(Exceptions.closed_at).is_not(None) if closed else and_(OPEN, stands()))
    if store is not None:
        query = query.where(col(Exceptions.store) == store)
    order = (col(Exceptions.closed_at).desc(),) if closed else (col(Exceptions.since), col(Exceptions.number))
    return [exception(row) for row in (await session.execute(query.order_by(*order).limit(limit))).scalars()]


async def of_stores(session: AsyncSession, stores: Sequence[str], limit: int) -> tuple[OpenException, ...]:
    """The longest open of each store's live orders, and of what has no order yet."""
    query = select(Exceptions).select_from(WITH_ORDERS).order_by(col(Exceptions.since), col(Exceptions.number))
    found = list[OpenException]()
    for store in stores:
        of_store = query.where(OPEN, stands(), col(Orders.side).is_(None), col(Exceptions.store) == store)
        found += [exception(row) for row in (await session.execute(of_store.limit(limit))).scalars()]
    return tuple(found)


async def resolve(
    session: AsyncSession, ref: OrderRef, by: str, note: str, now: datetime, kind: ExceptionKind | None
) -> Sequence[OpenException]:
    """See `orderack.ports.sweeps.SweepBook.resolve`."""
    query = select(Exceptions).filter_by(store=ref.store, number=ref.number).where(OPEN).with_for_update()
    if kind is not None:
        query = query.filter_by(kind=kind)
    rows = (await session.execute(query.order_by(col(Exceptions.since)))).scalars().all()
    for row in rows:
        row.closed_at, row.closed_by, row.note = now, by, note
    return [exception(row) for row in rows]


async def standing(session: AsyncSession) -> Sequence[tuple[str, int, datetime]]:
    """How many are open of each kind, and since when the first of them is."""
    query = select(col(Exceptions.kind), func.count(), func.min(col(Exceptions.opened_at))).select_from(WITH_ORDERS)
    rows = await session.execute(query.where(OPEN, stands()).group_by(col(Exceptions.kind)))
    return [(kind, many, first) for kind, many, first in rows]


def stands() -> ColumnElement[bool]:
    """Whether an open one still is. The books' until a sweep finds it otherwise; an ERP's until `_why_over` says so."""
    waits = and_(
        col(Orders.stage).not_in(ENDED),
        col(Orders.content_revision) == col(Exceptions.revision),
        col(Revisions.erp_receipt_at).is_(None),
    )
    return or_(col(Exceptions.kind).in_(_IN_BOOKS), waits)


def _why_over(revision: int, stage: str | None, present: int | None, receipt_at: datetime | None) -> str:
    """Why an ERP's exception of this revision has closed by itself; empty: it has not."""
    if receipt_at is not None:
        return RECEIPTED
    if stage is None:
        return "the ledger does not have the order"
    if stage in ENDED:
        return f"the order has ended: {stage}"
    return "it was changed" if present != revision else ""


def exception(row: Exceptions) -> OpenException:
    """The row as everyone else sees it."""
    ref = OrderRef(store=row.store, number=row.number)
    return OpenException.model_validate(row.model_dump(exclude={"store", "number", "event"}) | {"ref": ref})
