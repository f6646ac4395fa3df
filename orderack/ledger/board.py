"""The record as operators look at it. Each query goes by an index over what is open or recent, for all stores at once.

What a workflow knows reaches the ledger with its next step, so that what was decided elsewhere a moment ago may still
stand here; what is decided on the board is written at once (`orderack.gateway.board.acts`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import Stage
from orderack.contracts.updates import ReviewVerdict
from orderack.domain.acknowledgement import SendState
from orderack.domain.order import OrderRef
from orderack.ledger import channel_book, exceptions
from orderack.ledger.board_due import next_due
from orderack.ledger.in_doubt import repeat_due_at, settled
from orderack.ledger.standing import LIVE, OPEN
from orderack.ledger.tables import Handoffs, Orders, Reviews, Revisions, Sends
from orderack.ports.board import (
    A_DAY,
    BANDS,
    LATELY,
    BoardRecord,
    ChannelFlow,
    ErpFlow,
    Flagged,
    InDoubt,
    Offered,
    Standing,
)

LISTED = 25
"""Of each store in each list."""

RECEIPTS = 300
"""The latest of an ERP from which its latency is told."""

UNKNOWN_SOURCE = "unknown"


async def board(session: AsyncSession, stores: Sequence[str], now: datetime) -> BoardRecord:
    """See `orderack.ports.BoardBook.board`."""
    offered, offers = await _offered(session, stores)
    return BoardRecord(
        standings=await _standings(session, stores, now),
        shadow=await _shadow(session, stores),
        due=await next_due(session, stores, now, LISTED),
        flagged=await _flagged(session, stores),
        offered=offered,
        offers=offers,
        in_doubt=await _in_doubt(session, stores),
        absent=await exceptions.of_stores(session, stores, LISTED),
        erps=await _erps(session, stores, now),
        channels=await _channels(session, stores, now),
        paused=tuple((await channel_book.paused(session)).values()),
    )


async def _standings(session: AsyncSession, stores: Sequence[str], now: datetime) -> tuple[Standing, ...]:
    came, ends = func.coalesce(col(Orders.trigger_at), col(Orders.received_at)), [now - band for band in BANDS]
    bands = [
        func.sum(case((came > ends[0], 1), else_=0)),
        *(func.sum(case((and_(came <= young, came > old), 1), else_=0)) for young, old in pairwise(ends)),
        func.sum(case((came <= ends[-1], 1), else_=0)),
    ]
    lately = func.sum(case((col(Orders.received_at) > now - LATELY, 1), else_=0))
    key = (col(Orders.store), col(Orders.source), _stage())
    query = (
        select(*key, func.count(), func.min(came), func.max(col(Orders.received_at)), lately, *bands)
        .where(col(Orders.store).in_(stores), col(Orders.stage).in_(OPEN), LIVE)
        .group_by(*key)
    )
    return tuple(
        Standing(
            store=store,
            source=source or UNKNOWN_SOURCE,
            stage=stage,
            orders=many,
            oldest_at=oldest,
            latest_at=latest,
            lately=fresh,
            bands=tuple(in_bands),
        )
        for store, source, stage, many, oldest, latest, fresh, *in_bands in (await session.execute(query)).all()
    )


async def _shadow(session: AsyncSession, stores: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Open shadow orders, counted apart: the old flow has their work."""
    query = (
        select(col(Orders.store), func.count())
        .where(col(Orders.store).in_(stores), col(Orders.stage).in_(OPEN), not_(LIVE))
        .group_by(col(Orders.store))
    )
    return tuple((store, many) for store, many in (await session.execute(query)).all())


def _stage() -> ColumnElement[str]:
    """A handoff is written with the step before it, in which its order was confirmed still."""
    offered = exists().where(
        col(Handoffs.store) == col(Orders.store),
        col(Handoffs.number) == col(Orders.number),
        col(Handoffs.revision) == col(Orders.revision),
    )
    given = and_(col(Orders.stage) == Stage.CONFIRMED, offered)
    return case((given, literal(str(Stage.HANDED_OFF))), else_=col(Orders.stage))


async def _flagged(session: AsyncSession, stores: Sequence[str]) -> tuple[Flagged, ...]:
    """Those whose next deadline comes first."""
    same = and_(col(Reviews.store) == col(Orders.store), col(Reviews.number) == col(Orders.number))
    first = (col(Orders.next_due_at).asc().nulls_last(), col(Reviews.opened_at))
    place = func.row_number().over(partition_by=col(Orders.store), order_by=first)
    found = (
        select(
            *(col(Orders.store), col(Orders.number), col(Orders.revision), col(Orders.source), col(Reviews.opened_at)),
            *(col(Reviews.why), col(Orders.owner), col(Orders.next_due_at), col(Orders.total), col(Orders.currency)),
            place.label("place"),
        )
        .join(Reviews, same)
        .where(col(Orders.store).in_(stores), col(Orders.stage) == Stage.REVIEW, LIVE)
        .where(or_(col(Reviews.decided_at).is_(None), col(Reviews.verdict) == ReviewVerdict.ASK))  # asked: still open
        .subquery()
    )
    query = select(found).where(found.c.place <= LISTED).order_by(found.c.next_due_at.asc().nulls_last())
    return tuple(
        Flagged(
            ref=OrderRef(store=store, number=number),
            revision=revision,
            source=source,
            opened_at=opened,
            why=why,
            owner=owner or None,
            due_at=due,
            total=total,
            currency=currency,
        )
        for store, number, revision, source, opened, why, owner, due, total, currency, _ in await session.execute(query)
    )


async def _offered(
    session: AsyncSession, stores: Sequence[str]
) -> tuple[tuple[Offered, ...], tuple[tuple[str, int], ...]]:
    """The longest waiting of each store, and how many there are."""
    same = and_(
        col(Handoffs.store) == col(Orders.store),
        col(Handoffs.number) == col(Orders.number),
        col(Handoffs.revision) == col(Orders.revision),
    )
    place = func.row_number().over(partition_by=col(Orders.store), order_by=col(Handoffs.offered_at))
    found = (
        select(
            *(col(Orders.store), col(Orders.number), col(Orders.revision), col(Handoffs.team)),
            func.coalesce(col(Orders.owner), col(Handoffs.owner)).label("owner"),
            *(col(Handoffs.offered_at), place.label("place")),
            func.count().over(partition_by=col(Orders.store)).label("many"),
        )
        .join(Handoffs, same)
        .where(col(Orders.store).in_(stores), col(Orders.stage).in_((Stage.CONFIRMED, Stage.HANDED_OFF)))
        .where(col(Handoffs.accepted_at).is_(None))
        .subquery()
    )
    query = select(found).where(found.c.place <= LISTED).order_by(found.c.offered_at)
    rows = (await session.execute(query)).all()
    offered = tuple(
        Offered(
            ref=OrderRef(store=row[0], number=row[1]), revision=row[2], team=row[3], owner=row[4], offered_at=row[5]
        )
        for row in rows
    )
    return offered, tuple({row[0]: row[7] for row in rows}.items())


async def _in_doubt(session: AsyncSession, stores: Sequence[str]) -> tuple[InDoubt, ...]:
    same = and_(col(Orders.store) == col(Sends.store), col(Orders.number) == col(Sends.number))
    since = func.coalesce(col(Sends.in_doubt_since), col(Sends.claimed_at))
    query = (
        select(
            *(col(Sends.store), col(Sends.number), col(Sends.channel), col(Sends.key), since),
            repeat_due_at().label("again_at"),
        )
        .join(Orders, same)
        .where(col(Sends.state) == SendState.UNKNOWN, col(Sends.store).in_(stores))
        .where(col(Orders.stage) != Stage.CLOSED, not_(settled()))
        .order_by(since)
        .limit(10 * LISTED)
    )
    return tuple(
        InDoubt(ref=OrderRef(store=store, number=number), channel=channel, key=key, since=at, repeat_due_at=again_at)
        for store, number, channel, key, at, again_at in await session.execute(query)
    )


async def _erps(session: AsyncSession, stores: Sequence[str], now: datetime) -> tuple[ErpFlow, ...]:
    waiting = await _waiting(session, stores)
    found: dict[tuple[str, str], ErpFlow] = {
        key: ErpFlow(store=key[0], erp=key[1], waiting=many, waiting_since=since)
        for key, (many, since) in waiting.items()
    }
    for erp in await _erp_names(session):
        told: dict[str, list[tuple[datetime, datetime | None]]] = {}
        for store, submitted, receipt in await _receipts(session, erp, stores, now):
            told.setdefault(store, []).append((receipt, submitted))
        for store, receipts in told.items():
            lately = tuple((at - since).total_seconds() for at, since in receipts if since and at > now - LATELY)
            known = found.get((store, erp)) or ErpFlow(store=store, erp=erp)
            found[store, erp] = known.model_copy(update={"receipt_at": receipts[0][0], "latencies": lately})
    return tuple(found.values())


async def _waiting(session: AsyncSession, stores: Sequence[str]) -> Mapping[tuple[str, str], tuple[int, datetime]]:
    same = and_(
        col(Revisions.store) == col(Orders.store),
        col(Revisions.number) == col(Orders.number),
        col(Revisions.revision) == col(Orders.content_revision),
    )
    since = func.coalesce(col(Revisions.submitted_to_erp_at), col(Revisions.recorded_at))
    query = (
        select(col(Orders.store), col(Revisions.erp), func.count(), func.min(since))
        .join(Revisions, same)
        .where(col(Orders.store).in_(stores), col(Orders.stage) == Stage.AWAITING_ERP, LIVE)
        .where(col(Revisions.erp).is_not(None), col(Revisions.erp_receipt_at).is_(None))
        .group_by(col(Orders.store), col(Revisions.erp))
    )
    rows = (await session.execute(query)).all()
    return {(store, str(erp)): (many, first) for store, erp, many, first in rows}


async def _erp_names(session: AsyncSession) -> Sequence[str]:
    """Every ERP that an order was ever for, one look into the index for each."""
    found: list[str] = []
    while name := (
        await session.execute(select(func.min(Revisions.erp)).where(col(Revisions.erp) > (found[-1] if found else "")))
    ).scalar_one():
        found.append(name)
    return found


async def _receipts(
    session: AsyncSession, erp: str, stores: Sequence[str], now: datetime
) -> Sequence[tuple[str, datetime | None, datetime]]:
    """The latest within a day, the last first."""
    receipt = col(Revisions.erp_receipt_at)
    query = (
        select(col(Revisions.store), col(Revisions.submitted_to_erp_at), receipt)
        .where(col(Revisions.erp) == erp, receipt > now - A_DAY, col(Revisions.store).in_(stores))
        .order_by(receipt.desc())
        .limit(RECEIPTS)
    )
    return [(store, since, at) for store, since, at in await session.execute(query) if at]


async def _channels(session: AsyncSession, stores: Sequence[str], now: datetime) -> tuple[ChannelFlow, ...]:
    """Of each channel that was ever sent by. What only waits for its turn, or is paused, has not failed."""
    found: dict[tuple[str, str], ChannelFlow] = {}
    for channel in await channel_book.channels(session):
        query = (
            select(col(Sends.store), col(Sends.state), func.count(), func.max(col(Sends.finished_at)))
            .where(col(Sends.channel) == channel, col(Sends.finished_at) > now - LATELY)
            .where(col(Sends.state).in_((SendState.ACCEPTED, *channel_book.FAILED)), channel_book.tried())
            .where(col(Sends.store).in_(stores))
            .group_by(col(Sends.store), col(Sends.state))
        )
        for store, state, many, last in (await session.execute(query)).all():
            assert last is not None
            known = found.get((store, channel)) or ChannelFlow(store=store, channel=channel)
            found[store, channel] = _with(known, state, many, last)
        for store in stores:
            found.setdefault((store, channel), ChannelFlow(store=store, channel=channel))
    return tuple(found.values())


def _with(known: ChannelFlow, state: str, many: int, last: datetime) -> ChannelFlow:
    if state == SendState.ACCEPTED:
        return known.model_copy(update={"accepted": many, "accepted_at": last})
    update: dict[str, object] = {"failed": known.failed + many}
    if known.failed_at is None or last > known.failed_at:
        update |= {"failed_at": last, "failure": state}
    if state == SendState.UNKNOWN:
        update |= {"in_doubt": many}
    return known.model_copy(update=update)
