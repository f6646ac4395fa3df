"""Everything that a report on a store's shadow run is made of, in one look. No buyer's data."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import AwareDatetime, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.acknowledgement import Audience, Kind
from orderack.domain.assessment import Assessment, Side
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.receipt import ErpReceipt
from orderack.domain.shadow import Figures
from orderack.domain.value import Value
from orderack.ledger import shadow
from orderack.ledger.counts import RECEIPT_KIND
from orderack.ledger.shadow_tables import OldEvents, ShadowActs, ShadowMessages
from orderack.ledger.tables import Inbox, Orders, Reviews, Revisions
from orderack.ports import ActKind, KeptAct

_FIGURES = tuple(Figures.model_fields)


class ShadowOrder(Value):
    """One order that ran in the shadow."""

    number: Name
    trigger_at: AwareDatetime
    stage: Name
    withheld: bool = False
    """Its first word was withheld until a person had looked."""
    held_for: Text = ""
    """Why a person was to look first; empty: nobody was."""
    revisions: int = 1
    """How many it has had."""
    booked: Mapping[int, AwareDatetime] = {}
    """Revision → when the ERP booked it by its own word, or else when we heard of it."""
    taken: frozenset[int] = frozenset()
    """Revisions whose receipt our order has taken. One that is no answer for the stock is not, and confirms nothing."""


class Kept(Value):
    """One message to the buyer that would have gone out by one channel."""

    number: Name
    kind: Kind
    revision: int
    n: int
    channel: Name
    at: AwareDatetime
    figures: Figures


class Old(Value):
    """One message that the old flow sent. `kind` None: it is none of ours."""

    id: Name
    number: Name
    kind: Kind | None
    said: Name
    at: AwareDatetime
    channel: Name
    revision: int | None = None
    figures: Figures


class ShadowFacts(Value):
    """All that is known of a store's shadow run since a moment."""

    store: Name
    orders: tuple[ShadowOrder, ...] = ()
    kept: tuple[Kept, ...] = ()
    old: tuple[Old, ...] = ()
    live: frozenset[str] = frozenset()
    """Numbers of the store's orders that are live, whenever they came."""
    before: frozenset[str] = frozenset()
    """Numbers of shadow orders from before then."""
    verdicts: tuple[shadow.Verdict, ...] = ()
    cutovers: tuple[shadow.Cutover, ...] = ()


class KeptText(Value):
    """One kept message with its words, for the person who looks into one order."""

    key: Name
    kind: Name
    revision: int
    channel: Name
    audience: Name
    role: Name
    at: AwareDatetime
    recipient_sha256: Name | None = None
    message_sha256: Name
    subject: str | None = None
    text: str | None = None


async def facts(session: AsyncSession, store: str, since: datetime | None) -> ShadowFacts:
    """Of the orders triggered since then; None: of all."""
    rows = (await session.execute(select(Orders).filter_by(store=store))).scalars().all()
    ours = [row for row in rows if row.side == Side.SHADOW and (since is None or _at(row) >= since)]
    numbers = {row.number for row in ours}
    revisions, held = await _revisions(session, store, numbers), await _held(session, store)
    booked = await _booked(session, store, revisions)
    return ShadowFacts(
        store=store,
        orders=tuple(
            ShadowOrder(
                number=row.number,
                trigger_at=_at(row),
                stage=row.stage,
                withheld=_withheld(revisions.get(row.number, ())),
                held_for=held.get(row.number, ""),
                revisions=len(revisions.get(row.number, ())) or 1,
                booked=booked.get(row.number, {}),
                taken=frozenset(one.revision for one in revisions.get(row.number, ()) if one.erp_receipt_at),
            )
            for row in ours
        ),
        kept=tuple([kept for kept in await _kept(session, store) if kept.number in numbers]),
        old=await _old(session, store, since),
        live=frozenset(row.number for row in rows if row.side != Side.SHADOW),
        before=frozenset(row.number for row in rows if row.side == Side.SHADOW) - numbers,
        verdicts=tuple(await shadow.verdicts(session, store)),
        cutovers=tuple(await shadow.cutovers(session, store)),
    )


async def kept_texts(session: AsyncSession, store: str, number: str) -> Sequence[KeptText]:
    """What would have gone out of one order, in its order."""
    query = select(ShadowMessages).filter_by(store=store, number=number).order_by(col(ShadowMessages.at))
    return [KeptText.model_validate(row.model_dump()) for row in (await session.execute(query)).scalars()]


async def kept_acts(session: AsyncSession, ref: OrderRef) -> Sequence[KeptAct]:
    """What else it would have done, in its order."""
    query = select(ShadowActs).filter_by(store=ref.store, number=ref.number).order_by(col(ShadowActs.at))
    rows = (await session.execute(query)).scalars()
    return [
        KeptAct(ref=ref, revision=row.revision, kind=ActKind(row.kind), detail=row.detail, at=row.at) for row in rows
    ]


def _at(row: Orders) -> datetime:
    return row.trigger_at or row.received_at


async def _revisions(session: AsyncSession, store: str, numbers: set[str]) -> Mapping[str, Sequence[Revisions]]:
    found: dict[str, list[Revisions]] = {}
    query = select(Revisions).filter_by(store=store).order_by(col(Revisions.revision))
    for row in (await session.execute(query)).scalars():
        if row.number in numbers:
            found.setdefault(row.number, []).append(row)
    return found


def _withheld(revisions: Sequence[Revisions]) -> bool:
    return bool(revisions) and Assessment.model_validate_json(revisions[0].assessment).decision.withhold_received


async def _held(session: AsyncSession, store: str) -> Mapping[str, str]:
    query = select(Reviews).filter_by(store=store).order_by(col(Reviews.seq).desc())
    return {row.number: row.why for row in (await session.execute(query)).scalars()}


async def _booked(
    session: AsyncSession, store: str, revisions: Mapping[str, Sequence[Revisions]]
) -> Mapping[str, Mapping[int, datetime]]:
    """The ERP's own time where its receipt was handed in, and never later than we heard of it. The timeline may lag
    behind the inbox: an order that waits for a person writes nothing."""
    found: dict[str, dict[int, datetime]] = {
        number: {row.revision: row.erp_receipt_at for row in rows if row.erp_receipt_at}
        for number, rows in revisions.items()
    }
    query = select(col(Inbox.number), col(Inbox.body)).where(
        col(Inbox.store) == store, col(Inbox.kind) == RECEIPT_KIND, col(Inbox.body) != ""
    )
    for number, body in await session.execute(query):
        try:
            receipt = ErpReceipt.model_validate_json(body)
        except ValidationError:
            continue  # the gateway has set it aside; it booked nothing here
        times = found.get(number or "")
        if times is not None:
            revision = receipt.revision or 1
            times[revision] = min(times.get(revision, receipt.recorded_at), receipt.recorded_at)
    return found


async def _kept(session: AsyncSession, store: str) -> Sequence[Kept]:
    query = select(ShadowMessages).filter_by(store=store, audience=Audience.BUYER).order_by(col(ShadowMessages.at))
    return [
        Kept.model_validate(row.model_dump() | {"figures": row.model_dump(include={*_FIGURES})})
        for row in (await session.execute(query)).scalars()
    ]


async def _old(session: AsyncSession, store: str, since: datetime | None) -> tuple[Old, ...]:
    query = select(OldEvents).filter_by(store=store).order_by(col(OldEvents.at), col(OldEvents.id))
    if since is not None:
        query = query.where(col(OldEvents.at) >= since)
    return tuple(
        Old.model_validate(row.model_dump() | {"figures": row.model_dump(include={*_FIGURES})})
        for row in (await session.execute(query)).scalars()
    )
