"""What owners are told of exceptions: gathered from those that are open, once each, and who has them in hand."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from orderack.domain.acknowledgement import SendState
from orderack.domain.assessment import Side
from orderack.domain.order import OrderRef
from orderack.ledger.database import insert_new, row_count, sql_table
from orderack.ledger.exceptions import OPEN, WITH_ORDERS, exception, stands
from orderack.ledger.sweep_sends import BEGUN
from orderack.ledger.sweep_tables import DigestItems, Digests, DigestSends, Exceptions
from orderack.ledger.tables import Orders
from orderack.ports.digests import Digest, DigestItem, DigestSend, DigestState, Untold
from orderack.ports.sweeps import ExceptionKind, OpenException

_UNCLAIMED = col(Exceptions.claimed_by).is_(None)
_LIVE = or_(col(Orders.side).is_(None), col(Orders.side) != Side.SHADOW)
_COLUMNS = (Exceptions, col(Orders.side), col(Orders.content_revision), col(Orders.total), col(Orders.currency))
_OF_ITEM = and_(
    col(DigestItems.store) == col(Exceptions.store),
    col(DigestItems.number) == col(Exceptions.number),
    col(DigestItems.kind) == col(Exceptions.kind),
    col(DigestItems.revision) == col(Exceptions.revision),
)


async def untold(session: AsyncSession, limit: int) -> Sequence[Untold]:
    """See `orderack.ports.digests.DigestBook.untold`."""
    told, since = col(Exceptions.told_at), (col(Exceptions.since), col(Exceptions.number))
    rows = await session.execute(_standing().order_by(told.is_not(None), told, *since).limit(limit))
    return [_untold(row, side, content, total, of) for row, side, content, total, of in rows.all()]


def _standing() -> Select[Exceptions, str | None, int, Decimal | None, str | None]:
    query = select(*_COLUMNS).select_from(WITH_ORDERS)
    return query.where(OPEN, stands(), _UNCLAIMED, _LIVE)


def _untold(
    row: Exceptions, side: str | None, content: int | None, total: Decimal | None, currency: str | None
) -> Untold:
    """Of an order of which no revision is stored, nobody has said yet whether it is a shadow order."""
    return Untold.model_validate(
        {
            "exception": exception(row),
            "side": Side(side or Side.LIVE) if content else None,
            "total": total,
            "currency": currency,
        }
    )


# -- gathered -------------------------------------------------------------------------------------------------------


async def gather(session: AsyncSession, team: str, owner: str, found: Sequence[OpenException], now: datetime) -> int:
    """See `orderack.ports.digests.DigestBook.gather`."""
    mine = [one for one in found if await _take(session, one, owner, now)]
    if not mine:
        return 0
    digest = await _joinable(session, team, owner, now)
    for one in mine:
        row = DigestItems(
            digest=digest.id or 0,
            store=one.ref.store,
            number=one.ref.number,
            kind=one.kind,
            revision=one.revision,
            news=_is_news(one, owner),
        )
        await insert_new(session, DigestItems, row.model_dump())
    digest.version += 1
    return len(mine)


def _is_news(one: OpenException, owner: str) -> bool:
    return one.told == 0 or one.told_to != owner


async def _take(session: AsyncSession, one: OpenException, owner: str, now: datetime) -> bool:
    """Whether it stands as it was read: another sweep may have told of it, a person may have claimed it."""
    again = update(Exceptions).where(*_this(one), OPEN, _UNCLAIMED, col(Exceptions.told) == one.told)
    same = col(Exceptions.told_to).is_(None) if one.told_to is None else col(Exceptions.told_to) == one.told_to
    told = 1 if _is_news(one, owner) else one.told + 1
    return await row_count(session, again.where(same).values(told=told, told_to=owner, told_at=now)) == 1


def _this(one: OpenException) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Exceptions.store) == one.ref.store,
        col(Exceptions.number) == one.ref.number,
        col(Exceptions.kind) == one.kind,
        col(Exceptions.revision) == one.revision,
    )


async def _joinable(session: AsyncSession, team: str, owner: str, now: datetime) -> Digests:
    """The owner's digest that has certainly not begun to go out, locked; or a new one."""
    begun = exists().where(col(DigestSends.digest) == col(Digests.id), col(DigestSends.state).in_(BEGUN))
    query = select(Digests).filter_by(team=team, owner=owner, state=DigestState.OPEN).where(~begun)
    row = (await session.execute(query.order_by(col(Digests.id)).limit(1).with_for_update())).scalar_one_or_none()
    if row is not None and not await _begun(session, row):  # it may have begun while we waited for the lock
        return row
    made = Digests(team=team, owner=owner, state=DigestState.OPEN, made_at=now, at=now)
    session.add(made)
    await session.flush()
    return made


async def _begun(session: AsyncSession, row: Digests) -> bool:
    query = select(exists().where(col(DigestSends.digest) == row.id, col(DigestSends.state).in_(BEGUN)))
    return bool((await session.execute(query)).scalar_one())


# -- as they stand --------------------------------------------------------------------------------------------------


async def open_digests(session: AsyncSession) -> Sequence[Digest]:
    """See `orderack.ports.digests.DigestBook.open_digests`."""
    rows = await session.execute(select(Digests).filter_by(state=DigestState.OPEN).order_by(col(Digests.id)))
    return [await _digest(session, row) for row in rows.scalars().all()]


async def in_trouble(session: AsyncSession, before: datetime) -> Sequence[Digest]:
    """See `orderack.ports.digests.DigestBook.digests_in_trouble`."""
    late = and_(col(Digests.state) == DigestState.OPEN, col(Digests.made_at) < before)
    ended = col(Digests.state).in_((DigestState.IN_DOUBT, DigestState.REFUSED))
    rows = await session.execute(select(Digests).where(or_(late, ended)).order_by(col(Digests.id)))
    found = [await _digest(session, row, _NOT_TOLD_SINCE) for row in rows.scalars().all()]
    return [one for one in found if one.items]


_LATER, _TOLD = aliased(DigestItems), aliased(Digests)
_NOT_TOLD_SINCE = ~exists().where(
    col(_LATER.store) == col(DigestItems.store),
    col(_LATER.number) == col(DigestItems.number),
    col(_LATER.kind) == col(DigestItems.kind),
    col(_LATER.revision) == col(DigestItems.revision),
    col(_LATER.digest) > col(DigestItems.digest),
    col(_TOLD.id) == col(_LATER.digest),
    col(_TOLD.state) == DigestState.TOLD,
)
"""Of an item: no later digest told of it."""


async def _digest(session: AsyncSession, row: Digests, which: ColumnElement[bool] | None = None) -> Digest:
    sends = await session.execute(select(DigestSends).filter_by(digest=row.id).order_by(col(DigestSends.channel)))
    return Digest(
        **row.model_dump(exclude={"at"}),
        items=tuple(await _items(session, row, which)),
        sends=tuple(
            DigestSend(channel=send.channel, state=SendState(send.state), reason=send.reason, detail=send.detail)
            for send in sends.scalars()
        ),
    )


async def _items(session: AsyncSession, row: Digests, which: ColumnElement[bool] | None) -> Sequence[DigestItem]:
    query = _standing().add_columns(col(DigestItems.news)).join(DigestItems, _OF_ITEM)
    query = query.where(col(DigestItems.digest) == row.id, col(Exceptions.told_to) == row.owner)
    if which is not None:
        query = query.where(which)
    rows = await session.execute(query.order_by(col(Exceptions.since), col(Exceptions.number)))
    return [
        DigestItem(of=_untold(one, side, content, total, currency), news=news)
        for one, side, content, total, currency, news in rows.all()
    ]


async def end(session: AsyncSession, digest: int, state: DigestState, problem: str, now: datetime) -> None:
    """See `orderack.ports.digests.DigestBook.end_digest`."""
    stands_open = update(Digests).filter_by(id=digest, state=DigestState.OPEN)
    await session.execute(stands_open.values(state=state, problem=problem, at=now))


async def is_shadow(session: AsyncSession, digest: int) -> bool:
    """See `orderack.ports.digests.DigestBook.digest_is_shadow`."""
    order = and_(col(Orders.store) == col(DigestItems.store), col(Orders.number) == col(DigestItems.number))
    kept = select(col(DigestItems.digest)).join(Orders, order)
    kept = kept.where(col(DigestItems.digest) == digest, col(Orders.side) == Side.SHADOW)
    return (await session.execute(kept.limit(1))).first() is not None


# -- in hand --------------------------------------------------------------------------------------------------------


async def claim(
    session: AsyncSession, ref: OrderRef, by: str, now: datetime, kind: ExceptionKind | None
) -> Sequence[OpenException]:
    """See `orderack.ports.digests.DigestBook.claim_exceptions`."""
    query = select(Exceptions).filter_by(store=ref.store, number=ref.number).where(OPEN).with_for_update()
    if kind is not None:
        query = query.filter_by(kind=kind)
    rows = (await session.execute(query.order_by(col(Exceptions.since)))).scalars().all()
    for row in rows:
        row.claimed_by, row.claimed_at = by, now
    return [exception(row) for row in rows]


async def take(session: AsyncSession, key: str, now: datetime) -> int | None:
    """See `orderack.ports.digests.DigestBook.take_digest`."""
    query = select(Digests).join(DigestSends, col(DigestSends.digest) == col(Digests.id))
    row = (await session.execute(query.where(col(DigestSends.key) == key))).scalar_one_or_none()
    if row is None:
        return None
    its = exists().where(_OF_ITEM, col(DigestItems.digest) == row.id)
    mine = update(sql_table(Exceptions)).where(OPEN, _UNCLAIMED, col(Exceptions.told_to) == row.owner, its)
    return await row_count(session, mine.values(claimed_by=row.owner, claimed_at=now))
