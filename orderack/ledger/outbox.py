"""Events for others: written with the timeline, fanned out to endpoints, leased, delivered or given up.

An event's row is made in the transaction that writes its timeline entry, so that neither exists without the other.
A lease is an attempt's number and a time: whoever is killed while posting leaves both, and the next takes over.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import Entry, Event, Journal
from orderack.contracts.outbound import ALL, PUBLISHED, Outbound, OutboundData, Published
from orderack.domain.assessment import Side
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.ledger import counts, shadow
from orderack.ledger.database import insert_all, insert_new, row_count
from orderack.ledger.tables import Deliveries, Outbox
from orderack.ports import DeliveryEnd, DeliveryState, DueEvent, Subscription


class DeadEvent(Value):
    """A delivery that was given up; a person decides whether it is tried again."""

    event_id: Name
    type: Name
    endpoint: Name
    ref: OrderRef
    attempts: int
    last_at: AwareDatetime | None
    last_answer: Text


class Standing(Value):
    """How an endpoint fares."""

    endpoint: Name
    pending: int = 0
    delivered: int = 0
    dead: int = 0


def event_id(ref: OrderRef, seq: int) -> str:
    """The event's `webhook-id`: the same for the same entry, whoever writes it and whenever."""
    name = f"{quote(ref.store, safe='')}/{quote(ref.number, safe='')}/{seq}"
    return f"msg_{hashlib.sha256(name.encode()).hexdigest()[:32]}"


# -- written with the timeline ------------------------------------------------------------------------------------


async def publish(
    session: AsyncSession, journal: Journal, fresh: Sequence[Entry], timeline: Sequence[Entry], side: Side
) -> None:
    """Write the events of new timeline entries of which others are told; of a confirmation by the whole timeline."""
    told = [(entry, PUBLISHED[entry.event]) for entry in fresh if entry.event in PUBLISHED]
    await insert_all(session, Outbox, [_event(journal, entry, published, timeline, side) for entry, published in told])


def _event(
    journal: Journal, entry: Entry, published: Published, timeline: Sequence[Entry], side: Side
) -> Mapping[str, object]:
    ref = journal.ref
    data = OutboundData(
        store=ref.store,
        number=ref.number,
        revision=entry.revision,
        seq=entry.seq,
        stage=journal.stage,
        note=entry.note or None if published.note else None,
        clock=entry.clock,
        due_at=entry.due_at,
        erp_document_id=_document(entry, timeline),
        status_path=f"/orders/{quote(ref.store, safe='')}/{quote(ref.number, safe='')}",
        side=side if side is Side.SHADOW else None,
    )
    body = Outbound(type=published.type, timestamp=entry.at, data=data).model_dump_json(exclude_none=True)
    return {
        "event_id": event_id(ref, entry.seq),
        "type": published.type,
        "store": ref.store,
        "number": ref.number,
        "body": body,
        "created_at": datetime.now(UTC),
    }


def _document(entry: Entry, timeline: Sequence[Entry]) -> str | None:
    """The ERP's document: a receipt's note is its id, and a confirmation stands on the latest receipt before it."""
    if entry.event is Event.ERP_RECEIPT:
        return entry.note or None
    if entry.event is not Event.CONFIRMED:
        return None
    receipts = [one for one in timeline if one.event is Event.ERP_RECEIPT and one.seq < entry.seq]
    return max(receipts, key=lambda one: one.seq).note or None if receipts else None


# -- fanned out ---------------------------------------------------------------------------------------------------


async def has_new(session: AsyncSession) -> bool:
    """Whether there is anything to fan out: asked first, because a write shuts other writers out."""
    query = select(exists().where(col(Outbox.fanned_out_at).is_(None)))
    return bool((await session.execute(query)).scalar_one())


async def fan_out(session: AsyncSession, subscriptions: Sequence[Subscription], now: datetime, limit: int) -> int:
    """See `orderack.ports.Outbox.fan_out`."""
    query = select(Outbox).where(col(Outbox.fanned_out_at).is_(None)).order_by(col(Outbox.id)).limit(limit)
    events = (await session.execute(query.with_for_update(skip_locked=True))).scalars().all()
    kept = await shadow.of_these(session, {(event.store, event.number) for event in events})
    for event in events:
        for subscription in subscriptions:
            if _wanted(subscription, event) and (subscription.shadow or (event.store, event.number) not in kept):
                row = Deliveries(
                    event_id=event.event_id,
                    endpoint=subscription.endpoint,
                    state=DeliveryState.PENDING,
                    next_at=now,
                )
                await insert_new(session, Deliveries, row.model_dump())
        event.fanned_out_at = now
    return len(events)


def _wanted(subscription: Subscription, event: Outbox) -> bool:
    heard = ALL in subscription.events or event.type in subscription.events
    return heard and (not subscription.stores or event.store in subscription.stores)


# -- leased and settled -------------------------------------------------------------------------------------------


async def has_due(session: AsyncSession, endpoint: str, now: datetime) -> bool:
    """Whether anything is due to the endpoint: asked first, because a write shuts other writers out."""
    query = select(exists().where(*_due(endpoint, now)))
    return bool((await session.execute(query)).scalar_one())


async def claim(
    session: AsyncSession, endpoint: str, now: datetime, lease: timedelta, limit: int
) -> Sequence[DueEvent]:
    """See `orderack.ports.Outbox.claim_events`."""
    query = (
        select(Deliveries, Outbox)
        .join(Outbox, col(Outbox.event_id) == col(Deliveries.event_id))
        .where(*_due(endpoint, now))
        .order_by(col(Outbox.id))
        .limit(limit)
        .with_for_update(skip_locked=True, of=Deliveries)
    )
    due = []
    for delivery, event in (await session.execute(query)).all():
        delivery.attempts += 1
        delivery.last_at, delivery.next_at = now, now + lease
        due.append(
            DueEvent(
                event_id=event.event_id,
                endpoint=endpoint,
                ref=OrderRef(store=event.store, number=event.number),
                body=event.body,
                attempt=delivery.attempts,
            )
        )
    return due


async def end_attempt(session: AsyncSession, due: DueEvent, end: DeliveryEnd, now: datetime) -> bool:
    """See `orderack.ports.Outbox.end_attempt`."""
    ended = update(Deliveries).where(*_mine(due)).values(last_at=now, last_answer=end.answer, state=end.state)
    mine = await row_count(session, ended.values(next_at=end.next_at)) == 1
    if mine:
        counts.posted(session, due.endpoint, end.state)
    return mine


async def release(session: AsyncSession, due: Sequence[DueEvent], next_at: datetime) -> None:
    """See `orderack.ports.Outbox.release_events`."""
    for one in due:
        await session.execute(update(Deliveries).where(*_mine(one)).values(next_at=next_at, attempts=one.attempt - 1))


async def bury(session: AsyncSession, endpoint: str, answer: str, now: datetime) -> int:
    """See `orderack.ports.Outbox.bury`."""
    pending = update(Deliveries).filter_by(endpoint=endpoint, state=DeliveryState.PENDING)
    buried = pending.values(state=DeliveryState.DEAD, next_at=None, last_at=now, last_answer=answer)
    many = await row_count(session, buried)
    counts.posted(session, endpoint, DeliveryState.DEAD, many)
    return many


async def retry(session: AsyncSession, now: datetime, event_id: str | None) -> int:
    """Make dead deliveries pending again, with every attempt before them: of one event, or all."""
    found = update(Deliveries).filter_by(state=DeliveryState.DEAD)
    if event_id is not None:
        found = found.filter_by(event_id=event_id)
    return await row_count(session, found.values(state=DeliveryState.PENDING, attempts=0, next_at=now))


async def forget(session: AsyncSession, before: datetime) -> int:
    """See `orderack.ports.Outbox.forget_events`."""
    told = delete(Deliveries).where(col(Deliveries.state) == DeliveryState.DELIVERED, col(Deliveries.last_at) < before)
    await session.execute(told)
    kept = exists().where(col(Deliveries.event_id) == col(Outbox.event_id))
    old = and_(col(Outbox.fanned_out_at).is_not(None), col(Outbox.created_at) < before)
    return await row_count(session, delete(Outbox).where(old, ~kept))


def _due(endpoint: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Deliveries.endpoint) == endpoint,
        col(Deliveries.state) == DeliveryState.PENDING,
        col(Deliveries.next_at) <= now,
    )


def _mine(due: DueEvent) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Deliveries.event_id) == due.event_id,
        col(Deliveries.endpoint) == due.endpoint,
        col(Deliveries.state) == DeliveryState.PENDING,
        col(Deliveries.attempts) == due.attempt,
    )


# -- shown to operators -------------------------------------------------------------------------------------------


async def dead(session: AsyncSession, limit: int) -> Sequence[DeadEvent]:
    """Deliveries that were given up, the oldest event first."""
    query = (
        select(Deliveries, Outbox)
        .join(Outbox, col(Outbox.event_id) == col(Deliveries.event_id))
        .where(col(Deliveries.state) == DeliveryState.DEAD)
        .order_by(col(Outbox.id), col(Deliveries.endpoint))
        .limit(limit)
    )
    return [
        DeadEvent(
            event_id=event.event_id,
            type=event.type,
            endpoint=delivery.endpoint,
            ref=OrderRef(store=event.store, number=event.number),
            attempts=delivery.attempts,
            last_at=delivery.last_at,
            last_answer=delivery.last_answer,
        )
        for delivery, event in (await session.execute(query)).all()
    ]


async def standings(session: AsyncSession) -> Sequence[Standing]:
    """How many events stand how, for each endpoint that was ever told one."""
    query = select(col(Deliveries.endpoint), col(Deliveries.state), func.count()).group_by(
        col(Deliveries.endpoint), col(Deliveries.state)
    )
    counts: dict[str, dict[str, int]] = {}
    for endpoint, state, count in (await session.execute(query)).all():
        counts.setdefault(endpoint, {})[state] = count
    return [Standing.model_validate({"endpoint": name, **found}) for name, found in sorted(counts.items())]
