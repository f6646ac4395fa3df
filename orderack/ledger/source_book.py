"""Orders as they stand at their sources, looks, and answers (`orderack.ports.SourceBook`)."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count

from sqlalchemy import Select, Update, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import Stage
from orderack.domain.order import OrderRef
from orderack.domain.source import Answered, AnswerKey, AnswerState
from orderack.ledger import inbox
from orderack.ledger.database import insert_new, row_count, upsert
from orderack.ledger.source_tables import Cursors, SourceAnswers, SourceOrders
from orderack.ledger.tables import Inbox, Orders, Revisions
from orderack.ports import Awaited, InboxEvent, KnownOrder

LONGEST_NUMBER = 200
"""Bytes of an order's number: it still is a `Name`, and fits a workflow's id however it is encoded there."""
BOOKED_WITHIN = timedelta(minutes=10)
"""An order that was announced is in the book by then."""

RETRIES = "retries"
"""The inbox's source of what people did with refused deliveries, before the connection. Frozen."""
RETRY = "retry"
"""Its kind. Frozen."""

_WAITING = (Stage.ASSESSING, Stage.AWAITING_ERP)


async def hold(
    session: AsyncSession, store: str, system: str, external_id: str, number: str, now: datetime, lease: timedelta
) -> KnownOrder | None:
    """See `orderack.ports.SourceBook.hold`."""
    key = (store, system, external_id)
    row = await session.get(SourceOrders, key)
    if row is None:
        await _begin(session, SourceOrders(store=store, system=system, external_id=external_id, number=number), now)
    free = or_(col(SourceOrders.held_until).is_(None), col(SourceOrders.held_until) <= now)
    of_it = {"store": store, "system": system, "external_id": external_id}
    claim = update(SourceOrders).filter_by(**of_it).where(free).values(held_until=now + lease)
    if not await row_count(session, claim.execution_options(synchronize_session=False)):
        return None
    return _known(await session.get_one(SourceOrders, key, populate_existing=True))


async def _begin(session: AsyncSession, row: SourceOrders, now: datetime) -> None:
    """Under its own number, or, where another order has that, with what nobody else has behind it."""
    for number in _numbers(row):
        if not await _taken(session, row.store, number, now):
            row.number = number
            break
    await insert_new(session, SourceOrders, row.model_dump())


def _numbers(row: SourceOrders) -> Iterator[str]:
    """Its own; with its id behind it; and others without end: whoever may choose numbers may have chosen those too."""
    yield row.number
    behind = f"{row.number}~{row.external_id}"
    if len(behind.encode()) <= LONGEST_NUMBER:
        yield behind
    for n in count(1):
        digest = sha256(f"{n}\n{row.system}\n{row.external_id}".encode()).hexdigest()
        yield f"{row.number[:40]}~{digest[:16]}"


async def _taken(session: AsyncSession, store: str, number: str, now: datetime) -> bool:
    """By an order of a source, by one that came otherwise, or by one that came just now and is not in the book yet."""
    of_it = {"store": store, "number": number}
    just_now = or_(col(Inbox.announced_at).is_(None), col(Inbox.announced_at) > now - BOOKED_WITHIN)
    others = (
        select(col(SourceOrders.number)).filter_by(**of_it),
        select(col(Orders.number)).filter_by(**of_it).where(col(Orders.source).is_not(None)),
        select(col(Inbox.number)).filter_by(**of_it, source=f"intake/{store}").where(just_now),
    )
    for other in others:
        if (await session.execute(other.limit(1))).first() is not None:
            return True
    return False


async def took(session: AsyncSession, known: KnownOrder) -> None:
    """See `orderack.ports.SourceBook.took`."""
    values = known.model_dump(include={"at", "content_hash", "payment", "cancelled"})
    await session.execute(_of(known).values(held_until=None, **values))


async def let_go(session: AsyncSession, known: KnownOrder) -> None:
    """See `orderack.ports.SourceBook.let_go`."""
    await session.execute(_of(known).values(held_until=None))


async def known_order(session: AsyncSession, store: str, system: str, external_id: str) -> KnownOrder | None:
    """See `orderack.ports.SourceBook.known_order`."""
    row = await session.get(SourceOrders, (store, system, external_id))
    return _known(row) if row else None


async def cursor(session: AsyncSession, name: str) -> str:
    """See `orderack.ports.SourceBook.cursor`."""
    row = await session.get(Cursors, name)
    return row.cursor if row else ""


async def looked(session: AsyncSession, name: str, cursor: str, now: datetime) -> None:
    """See `orderack.ports.SourceBook.looked`."""
    await upsert(session, Cursors, [{"name": name, "cursor": cursor, "looked_at": now}])


async def looked_at(session: AsyncSession) -> Sequence[tuple[str, datetime]]:
    """See `orderack.ports.SourceBook.looked_at`."""
    rows = (await session.execute(select(Cursors).order_by(col(Cursors.name)))).scalars()
    return [(row.name, row.looked_at) for row in rows]


async def answered(session: AsyncSession, key: AnswerKey) -> Answered | None:
    """See `orderack.ports.SourceBook.answered`."""
    row = await session.get(SourceAnswers, (key.ref.store, key.ref.number, key.revision, key.stage))
    return _answered(row) if row else None


async def record_answer(session: AsyncSession, key: AnswerKey, answer: Answered, now: datetime) -> Answered:
    """See `orderack.ports.SourceBook.record_answer`."""
    row = SourceAnswers(
        store=key.ref.store,
        number=key.ref.number,
        revision=key.revision,
        stage=key.stage,
        state=answer.state,
        reference=answer.reference,
        detail=answer.detail,
        at=answer.at or now,
    )
    if not await insert_new(session, SourceAnswers, row.model_dump()):
        pending = update(SourceAnswers).filter_by(
            store=row.store, number=row.number, revision=row.revision, stage=row.stage, state=AnswerState.PENDING
        )
        news = row.model_dump(include={"state", "reference", "detail", "at"})
        await session.execute(pending.values(**news).execution_options(synchronize_session=False))
    stands = await answered(session, key)
    assert stands is not None
    return stands


async def refused(session: AsyncSession, connection: str, limit: int) -> Sequence[InboxEvent]:
    """See `orderack.ports.SourceBook.refused`."""
    rows = (await session.execute(_refused_of(connection).order_by(col(Inbox.id).desc()).limit(limit))).scalars()
    return [inbox.as_event(row) for row in rows]


async def retry_refused(session: AsyncSession, connection: str, by: str, now: datetime, row: int | None) -> int:
    """Let refused deliveries be announced anew, unless nothing is kept of them; each act is a row of its own.

    The row is in the same transaction: what a delivery was refused for would be gone otherwise.
    """
    query = _refused_of(connection).where(col(Inbox.body) != "")
    if row is not None:
        query = query.filter_by(id=row)
    found = (await session.execute(query.with_for_update())).scalars().all()
    for one in found:
        act = {"delivery": one.external_id, "by": by, "was": one.outcome}
        session.add(
            Inbox(
                source=f"{RETRIES}/{connection}",
                external_id=f"{one.id}/{now.isoformat()}",
                kind=RETRY,
                body=json.dumps(act),
                received_at=now,
                announced_at=now,
                outcome=f"retried by {by}",
            )
        )
        one.announced_at, one.outcome = None, ""
    return len(found)


def _refused_of(connection: str) -> Select[Inbox]:
    """What was refused by the name of a field, or could not be read for a reason that no adapter foresaw."""
    no = or_(col(Inbox.outcome).startswith("refused"), col(Inbox.outcome) == "unreadable")
    return select(Inbox).filter_by(source=f"sources/{connection}").where(no)


async def deliveries_of(session: AsyncSession, ref: OrderRef, also: int | None, limit: int) -> Sequence[InboxEvent]:
    """See `orderack.ports.SourceBook.deliveries_of`."""
    its = or_(and_(col(Inbox.store) == ref.store, col(Inbox.number) == ref.number), col(Inbox.id) == also)
    query = select(Inbox).where(its, col(Inbox.source).startswith("sources/"))
    rows = (await session.execute(query.order_by(col(Inbox.id).desc()).limit(limit))).scalars()
    return [inbox.as_event(row) for row in rows]


async def awaited(session: AsyncSession, erp: str, since: datetime, limit: int) -> Sequence[Awaited]:
    """See `orderack.ports.SourceBook.awaited`."""
    same = and_(
        col(Orders.store) == col(Revisions.store),
        col(Orders.number) == col(Revisions.number),
        col(Orders.content_revision) == col(Revisions.revision),
    )
    query = (
        select(Revisions)
        .join(Orders, same)
        .where(
            col(Revisions.erp) == erp,
            col(Revisions.erp_receipt_at).is_(None),
            col(Revisions.recorded_at) >= since,
            col(Orders.stage).in_(_WAITING),
        )
        .order_by(col(Revisions.recorded_at))
        .limit(limit)
    )
    rows = (await session.execute(query)).scalars()
    return [
        Awaited(ref=OrderRef(store=row.store, number=row.number), revision=row.revision, since=row.recorded_at)
        for row in rows
    ]


def _of(known: KnownOrder) -> Update:
    return update(SourceOrders).filter_by(store=known.ref.store, system=known.system, external_id=known.external_id)


def _known(row: SourceOrders) -> KnownOrder:
    ref = OrderRef(store=row.store, number=row.number)
    return KnownOrder.model_validate(row.model_dump(exclude={"store", "number", "held_until"}) | {"ref": ref})


def _answered(row: SourceAnswers) -> Answered:
    return Answered(state=AnswerState(row.state), reference=row.reference, detail=row.detail, at=row.at)
