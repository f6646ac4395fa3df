"""Touches: like ones are one row with a count; each row is graded once, and forgets its address in time."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.acknowledgement import SendState
from orderack.domain.evidence import Assurance, EvidenceEvent
from orderack.domain.order import OrderRef
from orderack.ledger import inbox, sends
from orderack.ledger.database import row_count
from orderack.ledger.orders import lock_order
from orderack.ledger.tables import Evidence, Sends, Touches
from orderack.ports import InboxEvent
from orderack.touches import GradedTouch, SettledTouch, Touch

MOST = 200
"""Rows of one send. Its last row counts whatever comes after it: a thousand opens don't fill the ledger."""

SOURCE = "touches"
"""Of inbox events."""


async def record(session: AsyncSession, touches: Sequence[Touch]) -> int:
    """See `orderack.ports.TouchBook.record_touches`. Orders are locked in one order, so that no two callers wait."""
    by_send: dict[str, list[Touch]] = {}
    for touch in touches:
        by_send.setdefault(touch.send_key, []).append(touch)
    query = select(Sends).where(col(Sends.key).in_(by_send), col(Sends.message).is_not(None))
    found = (await session.execute(query.order_by(col(Sends.store), col(Sends.number), col(Sends.key)))).scalars().all()
    for send in found:
        await lock_order(session, OrderRef(store=send.store, number=send.number))
        await _count(session, send, sorted(by_send[send.key], key=lambda touch: touch.at))
    return sum(len(by_send[send.key]) for send in found)


async def _count(session: AsyncSession, send: Sends, touches: Sequence[Touch]) -> None:
    known = {row.id: row for row in await _rows(session, send)}
    for touch in touches:
        row = known.get(touch.id)
        if row is None and len(known) >= MOST:
            row = max(known.values(), key=lambda row: (row.first_at, row.id))
        if row is None:
            row = known[touch.id] = _row(send, touch)
            session.add(row)
            continue
        row.count += 1
        row.last_at = max(row.last_at, touch.at)


async def _rows(session: AsyncSession, send: Sends) -> Sequence[Touches]:
    query = select(Touches).filter_by(store=send.store, number=send.number, send_key=send.key)
    return (await session.execute(query)).scalars().all()


def _row(send: Sends, touch: Touch) -> Touches:
    return Touches(
        id=touch.id,
        store=send.store,
        number=send.number,
        send_key=send.key,
        what=touch.what,
        method=touch.method,
        address=touch.address or None,
        user_agent=touch.user_agent or None,
        headers=json.dumps(dict(touch.headers), sort_keys=True) if touch.headers else None,
        first_at=touch.at,
        last_at=touch.at,
        count=1,
    )


async def settled(session: AsyncSession, before: datetime, limit: int) -> Sequence[SettledTouch]:
    """See `orderack.ports.TouchBook.settled_touches`."""
    query = select(Touches).where(col(Touches.graded_at).is_(None), col(Touches.first_at) <= before)
    rows = (await session.execute(query.order_by(col(Touches.first_at)).limit(limit))).scalars().all()
    if not rows:
        return []
    of_rows = select(Sends).where(col(Sends.key).in_({row.send_key for row in rows}))
    found = (await session.execute(of_rows)).scalars().all()
    company = {send.key: await _rows(session, send) for send in found}
    arrivals = {send.key: await _arrived_at(session, send) for send in found}
    return [
        SettledTouch(
            touch=_touch(row),
            others=tuple(_touch(other) for other in company[row.send_key] if other.id != row.id),
            arrived_at=arrivals[row.send_key],
            last_at=row.last_at,
            count=row.count,
        )
        for row in rows
    ]


async def _arrived_at(session: AsyncSession, send: Sends) -> datetime:
    of_send = {name: getattr(send, name) for name in ("store", "number", "revision", "kind", "n", "channel")}
    query = select(col(Evidence.occurred_at)).filter_by(**of_send, event=EvidenceEvent.DELIVERED)
    delivered = (await session.execute(query.order_by(col(Evidence.occurred_at)).limit(1))).scalar_one_or_none()
    accepted = send.finished_at if send.state == SendState.ACCEPTED else None
    return delivered or accepted or send.claimed_at


def _touch(row: Touches) -> Touch:
    headers: Mapping[str, str] = json.loads(row.headers) if row.headers else {}
    return Touch.model_validate(
        {
            **row.model_dump(include={"send_key", "what", "method"}),
            "address": row.address or "",
            "user_agent": row.user_agent or "",
            "headers": headers,
            "at": row.first_at,
        }
    )


async def grade(session: AsyncSession, graded: GradedTouch, now: datetime) -> InboxEvent | None:
    """See `orderack.ports.TouchBook.grade_touch`."""
    await lock_order(session, graded.ref)
    row = await session.get(Touches, graded.touch_id)
    if row is None or row.graded_at is not None:
        return None
    row.graded_at, row.grade = now, graded.verdict.grade
    row.reasons = json.dumps(graded.verdict.reasons)
    await sends.record_evidence(session, graded.ref, graded.fact, graded.raw, graded.provenance)
    if graded.announce_as is None:
        return None
    body = graded.fact.model_dump_json()
    return await inbox.receive(session, SOURCE, graded.fact.id, graded.announce_as, graded.ref, body, now)


async def forget(session: AsyncSession, before: datetime) -> int:
    """See `orderack.ports.TouchBook.forget_touches`. The audit chain keeps the raw event's hash, and so it holds."""
    held = (Touches.address, Touches.user_agent, Touches.headers)
    touches = (
        update(Touches)
        .where(col(Touches.graded_at).is_not(None), col(Touches.last_at) < before)
        .where(or_(*(col(column).is_not(None) for column in held)))
        .values(address=None, user_agent=None, headers=None)
    )
    raw = (
        update(Evidence)
        .filter_by(assurance=Assurance.NONE)
        .where(col(Evidence.recorded_at) < before, col(Evidence.raw).is_not(None))
        .values(raw=None)
    )
    return await row_count(session, touches) + await row_count(session, raw)
