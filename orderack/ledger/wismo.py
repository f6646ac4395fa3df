"""Orders as the watch on "where is my order" tickets needs them: the gap's times, and what else befell their buyers."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Side
from orderack.domain.order import OrderRef
from orderack.ledger.gap_times import gap_times
from orderack.ledger.orders import normal_email
from orderack.ledger.shadow_tables import OldEvents
from orderack.ledger.tables import Acknowledgements, Deadlines, OrderIds, Orders, Timeline
from orderack.ports.wismo import NamedOrder, WatchedOrder

_ENDED = (Stage.CANCELLED, Stage.REJECTED, Stage.CLOSED)
_AT_ONCE = 500
"""Words of one question; SQLite takes 32,766 values in a statement, and an older one 999."""

_Key = tuple[str, str]


async def watched_orders(
    session: AsyncSession, since: datetime, until: datetime, store: str | None
) -> Sequence[WatchedOrder]:
    """See `orderack.ports.wismo.WatchBook.watched_orders`."""
    of = and_(col(Orders.trigger_at) >= since, col(Orders.trigger_at) < until)
    if store is not None:
        of = and_(of, col(Orders.store) == store)
    told, held = await _first_out(session, of, None), await _first_out(session, of, Kind.HOLDING)
    promised, escalated, shadow = (
        await _promised(session, of),
        await _escalated(session, of),
        await _shadow(session, of),
    )
    old = {kind: await _old(session, of, kind) for kind in (None, Kind.HOLDING, Kind.CONFIRMATION)} if shadow else {}
    found = []
    async for row in gap_times(session, since, store):
        key = (row.ref.store, row.ref.number)
        if row.trigger_at >= until:
            continue
        ghost = key in shadow
        found.append(
            WatchedOrder(
                ref=row.ref,
                source=row.source,
                trigger_at=row.trigger_at,
                told_at=(old[None] if ghost else told).get(key),
                promised_at=promised.get(key),
                confirmed_at=old[Kind.CONFIRMATION].get(key) if ghost else row.confirmed_at,
                erp_receipt_at=row.erp_receipt_at,
                held=key in (old[Kind.HOLDING] if ghost else held),
                escalated=key in escalated,
            )
        )
    return found


def _same(table: type[Acknowledgements | Deadlines | OldEvents | OrderIds | Timeline]) -> ColumnElement[bool]:
    return and_(col(table.store) == col(Orders.store), col(table.number) == col(Orders.number))


async def _first_out(session: AsyncSession, of: ColumnElement[bool], kind: Kind | None) -> Mapping[_Key, datetime]:
    """When the first acknowledgement of this kind went out; None: of any kind that tells the buyer."""
    table = Acknowledgements
    query = select(col(table.store), col(table.number), func.min(col(table.out_at))).join(Orders, _same(table))
    query = query.where(of, col(table.kind) == kind if kind else col(table.kind) != Kind.ALERT)
    return _times(await session.execute(query.group_by(col(table.store), col(table.number))))


async def _promised(session: AsyncSession, of: ColumnElement[bool]) -> Mapping[_Key, datetime]:
    table = Deadlines
    query = select(col(table.store), col(table.number), func.min(col(table.due_at))).join(Orders, _same(table))
    query = query.where(of, col(table.clock) == ClockName.ACKNOWLEDGE)
    return _times(await session.execute(query.group_by(col(table.store), col(table.number))))


async def _old(session: AsyncSession, of: ColumnElement[bool], kind: Kind | None) -> Mapping[_Key, datetime]:
    """When the old flow first sent this kind of message; None: any that has a kind of ours."""
    table = OldEvents
    query = select(col(table.store), col(table.number), func.min(col(table.at))).join(Orders, _same(table))
    query = query.where(of, col(table.kind) == kind if kind else col(table.kind).is_not(None))
    return _times(await session.execute(query.group_by(col(table.store), col(table.number))))


def _times(rows: Iterable[tuple[str, str, datetime | None]]) -> Mapping[_Key, datetime]:
    return {(store, number): at for store, number, at in rows if at}


async def _escalated(session: AsyncSession, of: ColumnElement[bool]) -> frozenset[_Key]:
    query = select(col(Timeline.store), col(Timeline.number)).join(Orders, _same(Timeline))
    rows = await session.execute(query.where(of, col(Timeline.event) == Event.ESCALATED))
    return frozenset((store, number) for store, number in rows)


async def _shadow(session: AsyncSession, of: ColumnElement[bool]) -> frozenset[_Key]:
    query = select(col(Orders.store), col(Orders.number)).where(of, col(Orders.side) == Side.SHADOW)
    return frozenset((store, number) for store, number in await session.execute(query))


async def named_orders(
    session: AsyncSession, words: Collection[str], emails: Collection[str], store: str | None
) -> Sequence[NamedOrder]:
    """See `orderack.ports.wismo.WatchBook.named_orders`."""
    of_store = true() if store is None else col(Orders.store) == store
    of_store = and_(of_store, col(Orders.trigger_at).is_not(None))
    rest = (col(Orders.store), col(Orders.number), col(Orders.trigger_at), col(Orders.stage))
    found: dict[tuple[str, str, str], NamedOrder] = {}
    for some in _some(words):
        for query in (
            select(col(Orders.number), *rest).where(of_store, col(Orders.number).in_(some)),
            select(col(OrderIds.id), *rest).join(Orders, _same(OrderIds)).where(of_store, col(OrderIds.id).in_(some)),
        ):
            found |= _named(await session.execute(query))
    for some in _some({normal_email(email) for email in emails}):
        of_buyer = select(col(Orders.email), *rest).where(of_store, col(Orders.email).in_(some))
        found |= _named(await session.execute(of_buyer))
    return list(found.values())


def _some(words: Collection[str]) -> Iterator[Sequence[str]]:
    every = sorted(words)
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]


def _named(
    rows: Iterable[tuple[str | None, str, str, datetime | None, str]],
) -> dict[tuple[str, str, str], NamedOrder]:
    return {
        (goes_by, store, number): NamedOrder(goes_by, OrderRef(store=store, number=number), at, stage not in _ENDED)
        for goes_by, store, number, at, stage in rows
        if goes_by and at
    }
