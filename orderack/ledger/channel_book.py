"""What is remembered of channels and addresses, and whose turn it is to send (docs/adr/0012).

A channel's own row in `lanes` holds its next free instant. A send that finds it near takes it, and it moves on by one
interval: that alone keeps the rate, whoever sends. A send that finds it far is told when to ask again: its store's
lane hands out such times one after the other, at the rate divided by the lanes that are as long, so nobody queues
behind another store, and those who come back come one by one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import load_only
from sqlmodel import col

from orderack.domain.acknowledgement import Reason, SendKey, SendState
from orderack.ledger.database import insert_new, row_count
from orderack.ledger.tables import Lanes, Pauses, Reaches, Sends
from orderack.ports import NO_LATER, SOON, Health, Pause, Reach

IN_TIME = timedelta(seconds=5)
"""A send that comes later than this after the time it was told queues anew."""

AS_LONG = timedelta(seconds=5)
"""A lane that ends no earlier than this before a turn competes for it; a shorter one will long be empty."""

APART = timedelta(seconds=10)
"""A lane that was asked for so far ahead of us was booked by a clock that is wrong. It is begun anew: what a worker
three hours ahead has booked would else keep the channel silent for three hours."""

CHANNELS_OWN = ""
"""The `store` of the row that belongs to the channel itself."""

FAILED = (SendState.REJECTED, SendState.UNKNOWN, SendState.UNAVAILABLE)


async def reach(session: AsyncSession, channel: str, address_sha256: str) -> Reach:
    """See `orderack.ports.ChannelBook.reach`."""
    row = await session.get(Reaches, (channel, address_sha256))
    return Reach.model_validate(row.model_dump(exclude={"channel", "address_sha256"})) if row else Reach()


async def heard(session: AsyncSession, channel: str, address_sha256: str, at: datetime) -> None:
    """See `orderack.ports.ChannelBook.heard`."""
    row = await _reach(session, channel, address_sha256)
    row.heard_at = max(row.heard_at or at, at)


async def opted(
    session: AsyncSession, channel: str, address_sha256: str, *, out: bool, at: datetime, basis: str
) -> None:
    """See `orderack.ports.ChannelBook.opted`."""
    row = await _reach(session, channel, address_sha256)
    known = [word for word in (row.opted_out_at, row.opted_in_at) if word is not None]
    if known and at < max(known):
        return
    if out:
        row.opted_out_at = at
    else:
        row.opted_in_at = at
    row.basis = basis


async def _reach(session: AsyncSession, channel: str, address_sha256: str) -> Reaches:
    """The address's row, made if need be and locked."""
    key = (channel, address_sha256)
    row = await session.get(Reaches, key, with_for_update=True)
    if row is None:
        await insert_new(session, Reaches, Reaches(channel=channel, address_sha256=address_sha256).model_dump())
        row = await session.get_one(Reaches, key, with_for_update=True)
    return row


async def paused(session: AsyncSession) -> Mapping[str, Pause]:
    """See `orderack.ports.ChannelBook.paused`."""
    rows = (await session.execute(select(Pauses))).scalars()
    return {row.channel: Pause.model_validate(row.model_dump()) for row in rows}


async def pause(session: AsyncSession, wanted: Pause) -> bool:
    """See `orderack.ports.ChannelBook.pause`."""
    if await insert_new(session, Pauses, wanted.model_dump()):
        return True
    if wanted.probe_at is not None:
        return False
    marked = update(Pauses).filter_by(channel=wanted.channel).where(col(Pauses.probe_at).is_not(None))
    taken_over = await row_count(session, marked.values(**wanted.model_dump(exclude={"channel"}))) > 0
    return taken_over or await insert_new(session, Pauses, wanted.model_dump())  # it was lifted in between


async def resume(session: AsyncSession, channel: str) -> bool:
    """See `orderack.ports.ChannelBook.resume`."""
    return await row_count(session, delete(Pauses).filter_by(channel=channel)) > 0


async def probe(session: AsyncSession, channel: str, now: datetime, again_at: datetime) -> bool:
    """See `orderack.ports.ChannelBook.probe`."""
    probe_at = col(Pauses.probe_at)
    due = update(Pauses).filter_by(channel=channel).where(or_(probe_at <= now, probe_at > now + NO_LATER))
    return await row_count(session, due.values(probe_at=again_at)) > 0


async def lift(session: AsyncSession, channel: str) -> bool:
    """See `orderack.ports.ChannelBook.lift`."""
    marked = delete(Pauses).filter_by(channel=channel).where(col(Pauses.probe_at).is_not(None))
    return await row_count(session, marked) > 0


async def turn(session: AsyncSession, key: SendKey, rate_per_second: float, now: datetime) -> datetime:
    """See `orderack.ports.ChannelBook.turn`. Raises LookupError for a send that was never claimed."""
    lanes = await _lanes(session, key, now)
    send = (await session.execute(select(Sends).filter_by(key=str(key)).options(_TURN_ONLY))).scalar_one_or_none()
    if send is None:
        raise LookupError("a send must be claimed before it has a turn")
    return await _turn(session, key, lanes, send, rate_per_second, now)


class HasTurn(Protocol):
    """The row of a send: an order's, or a digest's."""

    turn_at: datetime | None
    in_doubt_since: datetime | None


async def take_turn(
    session: AsyncSession, key: SendKey, send: HasTurn, rate_per_second: float, now: datetime
) -> datetime:
    """The same in the transaction of its claim, which holds the send's row and has not written it yet."""
    with session.no_autoflush:
        return await _turn(session, key, await _lanes(session, key, now), send, rate_per_second, now)


async def _turn(
    session: AsyncSession,
    key: SendKey,
    lanes: Mapping[str, Lanes],
    send: HasTurn,
    rate_per_second: float,
    now: datetime,
) -> datetime:
    own, lane = lanes[CHANNELS_OWN], lanes[key.ref.store]
    if send.turn_at is not None and send.turn_at > now + SOON:
        return send.turn_at
    interval, free = timedelta(seconds=1 / rate_per_second), max(own.next_at, now)
    if await _may_book(session, key, free, lane, send, now):
        own.next_at, own.asked_at, send.turn_at = free + interval, now, free
        return free
    send.turn_at = max(lane.next_at, own.next_at, now + SOON) + interval  # later than what is waited for
    lane.next_at = send.turn_at + interval * await _others(session, key, send.turn_at - AS_LONG)
    lane.asked_at = now
    return send.turn_at


_TURN_ONLY = load_only(Sends.turn_at, Sends.in_doubt_since)  # type: ignore[arg-type]  # SQLModel's columns


async def _may_book(
    session: AsyncSession, key: SendKey, free: datetime, lane: Lanes, send: HasTurn, now: datetime
) -> bool:
    """Whether it may have this instant: it comes when it was told to, or its store has none waiting.

    What nobody has booked goes to whoever asks, or a late worker's sends would queue anew for ever. The second half of
    what can be booked is kept for the shorter lanes: two that come at the same pace would else shut each other out.
    """
    if free <= now or free > now + SOON:
        return free <= now
    if lane.next_at > now and not _in_time(send, now):
        return False
    return free <= now + SOON / 2 or not await _others(session, key, now, lane.next_at)


def _in_time(send: HasTurn, now: datetime) -> bool:
    """Whether it comes when it was told to. One in doubt could not come before its lease ended."""
    return send.turn_at is not None and (send.in_doubt_since is not None or send.turn_at >= now - IN_TIME)


async def _lanes(session: AsyncSession, key: SendKey, now: datetime) -> Mapping[str, Lanes]:
    """The channel's own row and the store's, locked; made if need be, the store's only under the lock on the other."""
    stores = (CHANNELS_OWN, key.ref.store)
    query = select(Lanes).filter_by(channel=key.channel).where(col(Lanes.store).in_(stores))
    query = query.order_by(col(Lanes.store)).with_for_update()
    found = {row.store: row for row in (await session.execute(query)).scalars()}
    for store in stores:
        if store not in found:
            row = Lanes(channel=key.channel, store=store, next_at=now, asked_at=now)
            await insert_new(session, Lanes, row.model_dump())
            found = {row.store: row for row in (await session.execute(query)).scalars()}
    for row in found.values():
        if row.asked_at > now + APART:
            row.next_at = row.asked_at = now
    return found


async def _others(session: AsyncSession, key: SendKey, after: datetime, until: datetime | None = None) -> int:
    """The channel's other lanes that end after this (and before that)."""
    query = select(func.count()).select_from(Lanes).filter_by(channel=key.channel)
    query = query.where(col(Lanes.store).not_in((CHANNELS_OWN, key.ref.store)), col(Lanes.next_at) > after)
    if until is not None:
        query = query.where(col(Lanes.next_at) < until)
    return (await session.execute(query)).scalar_one()


async def health(session: AsyncSession) -> Mapping[str, Health]:
    """See `orderack.ports.ChannelBook.health`. What only waited for its turn, or was paused, has not failed."""
    found = {}
    for channel in await channels(session):
        accepted = await _last(session, channel, SendState.ACCEPTED)
        failures = [row for state in FAILED if (row := await _last(session, channel, state))]
        failed = max(failures, key=lambda row: row[0], default=None)
        found[channel] = Health(
            accepted_at=accepted[0] if accepted else None,
            failed_at=failed[0] if failed else None,
            failure=failed[1] if failed else "",
        )
    return found


async def channels(session: AsyncSession) -> Sequence[str]:
    """Every channel that was ever sent by, one look into the index for each."""
    found: list[str] = []
    while name := (
        await session.execute(select(func.min(Sends.channel)).where(col(Sends.channel) > (found[-1] if found else "")))
    ).scalar_one():
        found.append(name)
    return found


def tried() -> ColumnElement[bool]:
    """Of a send: it has not only waited for its turn, and its channel was not paused."""
    came = or_(col(Sends.turn_at).is_(None), col(Sends.turn_at) <= col(Sends.finished_at))
    return or_(col(Sends.state) != SendState.UNAVAILABLE, and_(came, col(Sends.reason) != Reason.PAUSED))


async def _last(session: AsyncSession, channel: str, state: SendState) -> tuple[datetime, str] | None:
    """When the last send of this channel ended so, and its state and reason in words."""
    query = select(col(Sends.finished_at), col(Sends.reason)).filter_by(channel=channel, state=state).where(tried())
    query = query.where(col(Sends.finished_at).is_not(None)).order_by(col(Sends.finished_at).desc()).limit(1)
    row = (await session.execute(query)).first()
    if row is None or row[0] is None:
        return None
    return row[0], f"{state}: {row[1]}" if row[1] else str(state)
