"""Orders as they were captured, each with what became of it: for reconciliation and the oversell report."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import Event
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Assessment
from orderack.domain.order import Order, OrderRef, PaymentStatus
from orderack.ledger.tables import Acknowledgements, OrderIds, Orders, Revisions, Timeline
from orderack.ports.captured import CapturedOrder

OFF = {Event.CANCELLED: "cancelled", Event.REJECTED: "rejected"}
_QUANTITIES: TypeAdapter[dict[str, Decimal]] = TypeAdapter(dict[str, Decimal])
_Key = tuple[str, str]


async def captured(session: AsyncSession, since: datetime, store: str | None) -> Sequence[CapturedOrder]:
    """Those whose content is known and that came since then, the oldest first."""
    of = col(Orders.trigger_at) >= since
    if store is not None:
        of = and_(of, col(Orders.store) == store)
    ids, booked, confirmed = await _ids(session, of), await _booked(session, of), await _confirmed(session, of)
    off = await _off(session, of)
    same = and_(_same(Revisions), col(Revisions.revision) == col(Orders.content_revision))
    columns = (col(Revisions.content), col(Revisions.assessment), col(Revisions.recorded_at))
    query = select(Orders, *columns).join(Revisions, same).where(of).order_by(col(Orders.trigger_at))
    return [
        _captured(row, content, assessment, recorded_at, ids[key], booked.get(key), confirmed.get(key), off.get(key))
        for row, content, assessment, recorded_at in await session.execute(query)
        for key in [(row.store, row.number)]
    ]


def _captured(
    row: Orders,
    content: str | None,
    assessed: str,
    recorded_at: datetime,
    ids: frozenset[str],
    booked_at: datetime | None,
    confirmed_at: datetime | None,
    off: tuple[str, datetime] | None,
) -> CapturedOrder:
    assessment, order = (
        Assessment.model_validate_json(assessed),
        Order.model_validate_json(content) if content else None,
    )
    decision = assessment.decision
    free = {line.line_id: line.available for line in assessment.stock if line.available is not None}
    return CapturedOrder(
        ref=OrderRef(store=row.store, number=row.number),
        captured_at=row.trigger_at or row.received_at,
        revision=row.content_revision,
        erp=decision.erp,
        ids=ids | {row.number},
        total=row.total,
        currency=row.currency or "",
        units=_QUANTITIES.validate_json(row.quantities),
        ended=off[0] if off else "",
        ended_at=off[1] if off else None,
        paid=order.payment.status is PaymentStatus.CONFIRMED if order else None,
        on_account=decision.work_on_account,
        confirmed_at=confirmed_at,
        booked_at=booked_at,
        overdue_at=recorded_at + decision.levels.erp_receipt_within,
        owner=row.owner or next(iter(decision.rota), None),
        stock={line.sku: free[line.line_id] for line in order.lines if line.line_id in free} if order else {},
    )


def _same(table: type[Revisions | OrderIds | Acknowledgements | Timeline]) -> ColumnElement[bool]:
    return and_(col(table.store) == col(Orders.store), col(table.number) == col(Orders.number))


async def _ids(session: AsyncSession, of: ColumnElement[bool]) -> Mapping[_Key, frozenset[str]]:
    query = select(col(OrderIds.store), col(OrderIds.number), col(OrderIds.id)).join(Orders, _same(OrderIds)).where(of)
    found = defaultdict[_Key, set[str]](set)
    for store, number, id_ in await session.execute(query):
        found[store, number].add(id_)
    return defaultdict(frozenset, {key: frozenset(ids) for key, ids in found.items()})


async def _booked(session: AsyncSession, of: ColumnElement[bool]) -> Mapping[_Key, datetime]:
    """When the ERP first had it."""
    at = func.min(col(Revisions.erp_receipt_at))
    query = select(col(Revisions.store), col(Revisions.number), at).join(Orders, _same(Revisions))
    query = query.where(of, col(Revisions.erp_receipt_at).is_not(None))
    rows = await session.execute(query.group_by(col(Revisions.store), col(Revisions.number)))
    return {(store, number): at for store, number, at in rows if at}


async def _confirmed(session: AsyncSession, of: ColumnElement[bool]) -> Mapping[_Key, datetime]:
    """When its buyer was first told "confirmed"."""
    table = Acknowledgements
    query = select(col(table.store), col(table.number), func.min(col(table.out_at))).join(Orders, _same(table))
    query = query.where(of, col(table.kind) == Kind.CONFIRMATION, col(table.out_at).is_not(None))
    rows = await session.execute(query.group_by(col(table.store), col(table.number)))
    return {(store, number): at for store, number, at in rows if at}


async def _off(session: AsyncSession, of: ColumnElement[bool]) -> Mapping[_Key, tuple[str, datetime]]:
    """How it ended, where it is off, and when."""
    columns = (col(Timeline.store), col(Timeline.number), col(Timeline.event), col(Timeline.at))
    query = select(*columns).join(Orders, _same(Timeline)).where(of, col(Timeline.event).in_(OFF))
    rows = await session.execute(query.order_by(col(Timeline.at).desc()))
    return {(store, number): (OFF[Event(event)], at) for store, number, event, at in rows}
