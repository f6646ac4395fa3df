"""Questions across orders: what operators look for, and what an assessment asks of the past."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, func, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.ids import order_ref
from orderack.contracts.journal import Stage
from orderack.domain.assessment import Side
from orderack.domain.order import OrderRef
from orderack.ledger.orders import digits, normal_email
from orderack.ledger.tables import OrderIds, Orders, Revisions
from orderack.ports import OrderRow, Past, PastAsked, PastOrder

NOT_QUEUED = (Stage.AWAITING_ORDER, Stage.HANDED_OFF, Stage.CANCELLED, Stage.REJECTED, Stage.CLOSED)
"""Not yet accepted, handed off, or ended."""

UNKNOWN_SOURCE, NO_CURRENCY = "unknown", "XXX"
"""Of an order whose content has not come yet (its ERP receipt came first). XXX is ISO 4217's "no currency"."""

PHONE_DIGITS = 7
"""Fewer digits than this are not taken for a phone number."""


async def order(session: AsyncSession, ref: OrderRef) -> OrderRow | None:
    """The order's standing."""
    row = await session.get(Orders, (ref.store, ref.number))
    return _order_row(row) if row else None


async def orders(session: AsyncSession, stage: str | None, store: str | None, limit: int) -> Sequence[OrderRow]:
    """Orders in that stage and store: what is due first comes first, what waits for nothing last."""
    query = select(Orders).order_by(col(Orders.next_due_at).asc().nulls_last(), col(Orders.received_at))
    if stage is not None:
        query = query.where(col(Orders.stage) == stage)
    if store is not None:
        query = query.where(col(Orders.store) == store)
    return [_order_row(row) for row in (await session.execute(query.limit(limit))).scalars()]


async def find(session: AsyncSession, text: str, limit: int) -> Sequence[OrderRow]:
    """Exact matches, each over its own index; the latest touched first."""
    wanted = text.strip()
    if not wanted:
        return []
    keys = (col(Orders.store), col(Orders.number))
    matches = [select(*keys).where(condition) for condition in _conditions(wanted)]
    matches.append(select(col(OrderIds.store), col(OrderIds.number)).where(col(OrderIds.id) == wanted))
    query = select(Orders).where(tuple_(*keys).in_(union(*matches))).order_by(col(Orders.updated_at).desc())
    return [_order_row(row) for row in (await session.execute(query.limit(limit))).scalars()]


def _conditions(wanted: str) -> Iterator[ColumnElement[bool]]:
    yield col(Orders.number) == wanted
    yield col(Orders.customer_id) == wanted
    if "@" in wanted:
        yield col(Orders.email) == normal_email(wanted)
    if len(digits(wanted)) >= PHONE_DIGITS and not any(character.isalpha() for character in wanted):
        yield col(Orders.phone) == digits(wanted)
    if "/" in wanted:
        store, _, number = wanted.partition("/")
        yield and_(col(Orders.store) == store, col(Orders.number) == number)
    try:
        ref = order_ref(wanted)
    except ValueError:
        return
    yield and_(col(Orders.store) == ref.store, col(Orders.number) == ref.number)


async def past(session: AsyncSession, asked: PastAsked) -> Past:
    """See `orderack.ports.Ledger.past`."""
    of_customer = and_(col(Orders.store) == asked.store, col(Orders.customer_id) == asked.customer_id)
    return Past(
        orders=await _past(session, of_customer, asked.since) if asked.customer_id else (),
        alike=await _past(session, col(Orders.fingerprint) == asked.fingerprint, asked.alike_since),
        latencies=await _latencies(session, asked.erp, asked.latencies, shadow=asked.shadow) if asked.erp else (),
        queue_depth=await _queue_depth(session, asked.store),
    )


async def _past(session: AsyncSession, condition: ColumnElement[bool], since: datetime) -> tuple[PastOrder, ...]:
    query = select(Orders).where(condition, col(Orders.trigger_at) >= since).order_by(col(Orders.trigger_at).desc())
    return tuple(
        PastOrder(
            ref=OrderRef(store=row.store, number=row.number),
            trigger_at=row.trigger_at or row.received_at,
            total=row.total or Decimal(0),
            currency=row.currency or NO_CURRENCY,
            fingerprint=row.fingerprint or "",
            quantities={sku: Decimal(quantity) for sku, quantity in json.loads(row.quantities).items()},
        )
        for row in (await session.execute(query)).scalars()
    )


async def _latencies(session: AsyncSession, erp: str, limit: int, *, shadow: bool) -> tuple[float, ...]:
    """A shadow order is never submitted by us, so that none of them counts among the live ones'."""
    submitted, receipt = col(Revisions.submitted_to_erp_at), col(Revisions.erp_receipt_at)
    if shadow:
        submitted = col(Revisions.recorded_at)
    query = select(submitted, receipt).where(col(Revisions.erp) == erp, receipt >= submitted)
    if shadow:
        same = and_(col(Orders.store) == col(Revisions.store), col(Orders.number) == col(Revisions.number))
        query = query.join(Orders, same).where(col(Orders.side) == Side.SHADOW)
    rows = (await session.execute(query.order_by(receipt.desc()).limit(limit))).all()
    return tuple((to - since).total_seconds() for since, to in rows if since and to)


async def _queue_depth(session: AsyncSession, store: str) -> int:
    query = select(func.count()).select_from(Orders).where(col(Orders.store) == store)
    return (await session.execute(query.where(col(Orders.stage).not_in(NOT_QUEUED)))).scalar_one()


def _order_row(row: Orders) -> OrderRow:
    return OrderRow(
        ref=OrderRef(store=row.store, number=row.number),
        source=row.source or UNKNOWN_SOURCE,
        customer_id=row.customer_id,
        stage=row.stage,
        revision=row.revision,
        owner=row.owner,
        next_due_at=row.next_due_at,
        total=row.total if row.total is not None else Decimal(0),
        currency=row.currency or NO_CURRENCY,
        trigger_at=row.trigger_at or row.received_at,
        updated_at=row.updated_at,
        side=Side(row.side or Side.LIVE),
    )
