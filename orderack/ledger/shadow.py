"""The shadow run's rows: an order's side, what was kept, what the old flow did, people's verdicts, and cutovers."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime

from pydantic import AwareDatetime
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.assessment import Side
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.shadow import OldEvent
from orderack.domain.value import Value
from orderack.ledger.database import insert_new
from orderack.ledger.shadow_tables import Cutovers, OldEvents, ShadowActs, ShadowMessages, ShadowVerdicts
from orderack.ledger.tables import Orders
from orderack.ports import KeptAct, KeptMessage, OldOutcome, SideSaid


class Verdict(Value):
    """A person's word on a discrepancy (`subject` is its id), or on all of a kind (`kind/later`)."""

    subject: Name
    verdict: Name
    """`resolved` or `waived`."""
    by: Name
    at: AwareDatetime
    note: Text = ""
    expires_at: AwareDatetime | None = None


class Cutover(Value):
    """One step between shadow and live. `measured`: JSON of what allowed it, empty for a way back."""

    store: Name
    n: int = 0
    at: AwareDatetime
    by: Name
    live_percent: int
    back: bool
    note: Text = ""
    measured: str = ""


# -- sides ----------------------------------------------------------------------------------------------------------


async def is_shadow(session: AsyncSession, ref: OrderRef) -> bool:
    """See `orderack.ports.ShadowBook.is_shadow`."""
    query = select(col(Orders.side)).where(col(Orders.store) == ref.store, col(Orders.number) == ref.number)
    return (await session.execute(query)).scalar_one_or_none() == Side.SHADOW


async def of_these(session: AsyncSession, orders: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those of these orders (store and number) that are in a shadow run."""
    if not orders:
        return frozenset()
    of = (col(Orders.store), col(Orders.number))
    query = select(*of).where(tuple_(*of).in_(orders), col(Orders.side) == Side.SHADOW)
    return frozenset((store, number) for store, number in await session.execute(query))


async def side_said(session: AsyncSession, ref: OrderRef) -> SideSaid:
    """See `orderack.ports.ShadowBook.side_said`."""
    query = select(col(Orders.side), col(Orders.content_revision)).where(
        col(Orders.store) == ref.store, col(Orders.number) == ref.number
    )
    row = (await session.execute(query)).one_or_none()
    if row is not None and (row[0] is not None or row[1]):
        return SideSaid(decided=Side(row[0] or Side.LIVE))
    stands = await last_cutover(session, ref.store)
    return SideSaid(live_percent=stands.live_percent if stands else None)


def settle_side(order: Orders, wanted: Side) -> Side:
    """The order's side: what its first stored revision said, for all those after it."""
    if order.content_revision == 0 and order.side is None and wanted is Side.SHADOW:
        order.side = Side.SHADOW
    return Side(order.side or Side.LIVE)


# -- what was kept --------------------------------------------------------------------------------------------------


async def keep(session: AsyncSession, message: KeptMessage) -> None:
    """See `orderack.ports.ShadowBook.keep`."""
    key = message.key
    row = ShadowMessages(
        key=str(key),
        store=key.ref.store,
        number=key.ref.number,
        **key.model_dump(exclude={"ref"}),
        **message.model_dump(exclude={"key", "figures"}),
        **message.figures.model_dump(),
    )
    await insert_new(session, ShadowMessages, row.model_dump())


async def keep_act(session: AsyncSession, act: KeptAct) -> None:
    """Keep what was not done; the same again changes nothing."""
    row = {"store": act.ref.store, "number": act.ref.number, **act.model_dump(exclude={"ref"})}
    await insert_new(session, ShadowActs, row)


# -- what the old flow did ------------------------------------------------------------------------------------------


async def take_old_events(
    session: AsyncSession, store: str, events: Sequence[OldEvent], now: datetime
) -> Sequence[OldOutcome]:
    """See `orderack.ports.ShadowBook.take_old_events`."""
    return [await _take(session, store, event, now) for event in events]


async def _take(session: AsyncSession, store: str, event: OldEvent, now: datetime) -> OldOutcome:
    content = hashlib.sha256(event.model_dump_json().encode("utf-8", "replace")).hexdigest()
    row = OldEvents(
        store=store,
        id=event.id,
        number=event.order,
        said=event.kind,
        kind=event.means,
        at=event.at,
        channel=event.channel,
        revision=event.revision,
        **event.figures.model_dump(),
        recorded_at=now,
        content_sha256=content,
    )
    if await insert_new(session, OldEvents, row.model_dump()):
        return OldOutcome.TAKEN
    known = await session.get(OldEvents, (store, event.id))
    return OldOutcome.REPEATED if known and known.content_sha256 == content else OldOutcome.CONFLICT


# -- people's words -------------------------------------------------------------------------------------------------


async def judge(session: AsyncSession, store: str, verdict: Verdict) -> bool:
    """Add a verdict; False where the last word about its subject says the same already."""
    last = next((one for one in await verdicts(session, store) if one.subject == verdict.subject), None)
    if last is not None and last.model_dump(exclude={"at"}) == verdict.model_dump(exclude={"at"}):
        return False
    return await insert_new(session, ShadowVerdicts, {"store": store, **verdict.model_dump()})


async def verdicts(session: AsyncSession, store: str) -> Sequence[Verdict]:
    """The last word about each subject."""
    query = select(ShadowVerdicts).filter_by(store=store).order_by(col(ShadowVerdicts.at))
    rows = (await session.execute(query)).scalars()
    return list({row.subject: Verdict.model_validate(row.model_dump()) for row in rows}.values())


async def last_cutover(session: AsyncSession, store: str) -> Cutover | None:
    """What holds for the store's new orders now; None: nobody ever cut over, the policy's word holds."""
    query = select(Cutovers).filter_by(store=store).order_by(col(Cutovers.n).desc()).limit(1)
    row = (await session.execute(query)).scalar_one_or_none()
    return Cutover.model_validate(row.model_dump()) if row else None


async def cutovers(session: AsyncSession, store: str) -> Sequence[Cutover]:
    """Every step, the first one first."""
    rows = (await session.execute(select(Cutovers).filter_by(store=store).order_by(col(Cutovers.n)))).scalars()
    return [Cutover.model_validate(row.model_dump()) for row in rows]


async def cut_over(session: AsyncSession, step: Cutover) -> Cutover:
    """Take this step, unless the last one stands for the same share already; the one that stands now.

    Of two that are taken at once the first is the step, and the second is compared with it.
    """
    while True:
        stands = await last_cutover(session, step.store)
        if stands is not None and stands.live_percent == step.live_percent:
            return stands
        taken = step.model_copy(update={"n": stands.n + 1 if stands else 1})
        if await insert_new(session, Cutovers, taken.model_dump()):
            return taken
