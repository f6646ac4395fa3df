"""Erasing the personal data of one order: the content goes, every hash stays, and the chain says who did it and why.

What stays names nobody by itself: ids, times, kinds, grades, line answers, and SHA-256 digests (of the order, of each
message, of the buyer together with the lines). A digest can be recognised by somebody who still has the same data.

That an address wants no messages stays as well, by its digest and for no order in particular: it would be a poor answer
to "forget me" to write again. When it last wrote to us is forgotten.
"""

from datetime import datetime
from functools import cache

from pydantic import AwareDatetime
from sqlalchemy import (
    ColumnElement,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.order import OrderRef, Text
from orderack.domain.value import Value
from orderack.ledger import audit
from orderack.ledger.database import row_count, sql_table
from orderack.ledger.orders import lock_order
from orderack.ledger.shadow_tables import ShadowMessages
from orderack.ledger.tables import Erasures, Evidence, Inbox, Orders, Reaches, Revisions, Sends, Touches

ERASED = "erased"
"""The outcome of an inbound event that was never announced and now has no content."""

_SHADOW_WORDS = (ShadowMessages.subject, ShadowMessages.text, ShadowMessages.recipient_sha256)
_SHARE = 33
"""Characters that are added to an inbound event's id to name one message's share in it."""


class Erasure(Value):
    """What was erased, or the erasure that stands when there was nothing left."""

    ref: OrderRef
    erased_at: AwareDatetime
    by: Text
    reason: Text
    rows: int
    """Rows that lost content now; 0: all of it was gone before."""


async def erase(session: AsyncSession, ref: OrderRef, by: str, reason: str, now: datetime) -> Erasure | None:
    """Erase the order's personal data in one transaction; None for an order that the ledger does not know.

    Repeating it erases what came since, if anything did, and is otherwise answered with the erasure that stands.
    """
    if await session.get(Orders, (ref.store, ref.number)) is None:
        return None
    order = await lock_order(session, ref)
    if session.get_bind().dialect.name == "sqlite":
        await session.execute(text("PRAGMA secure_delete=ON"))  # what is dropped is overwritten, not just unlinked
    rows = 0
    for statement in _statements(ref, now):
        rows += await row_count(session, statement.execution_options(synchronize_session=False))
    stands = await last(session, ref)
    if rows == 0 and stands is not None:
        return _erasure(stands, 0)
    order.email = order.phone = order.customer_id = order.fingerprint = None
    order.quantities = "{}"
    order.links_revoked_at = now
    fact = Erasures(store=ref.store, number=ref.number, erased_at=now, by=by, reason=reason)
    session.add(fact)
    await audit.append(session, order, "erasure", fact)
    return _erasure(fact, rows)


async def last(session: AsyncSession, ref: OrderRef) -> Erasures | None:
    """The latest erasure of this order."""
    query = select(Erasures).filter_by(store=ref.store, number=ref.number).order_by(col(Erasures.erased_at).desc())
    return (await session.execute(query.limit(1))).scalar_one_or_none()


async def is_erased(session: AsyncSession, ref: OrderRef) -> bool:
    """Whether its personal data was ever erased: what comes later is not kept either."""
    return await last(session, ref) is not None


async def forget_event(session: AsyncSession, event_id: int) -> None:
    """Empty an announced event of an erased order; that it came is still known, so a repeat is still a repeat."""
    await session.execute(_forget_event(), {"event": event_id})


@cache
def _forget_event() -> Update:
    named = exists().where(col(Erasures.store) == col(Inbox.store), col(Erasures.number) == col(Inbox.number))
    became = exists().where(
        *_made_of_event(),
        col(Erasures.store) == col(Evidence.store),
        col(Erasures.number) == col(Evidence.number),
    )
    event = update(sql_table(Inbox)).where(
        col(Inbox.id) == bindparam("event"), col(Inbox.body) != "", or_(named, became)
    )
    return event.values(body="")


def _statements(ref: OrderRef, now: datetime) -> tuple[Update, ...]:
    of_order = {"store": ref.store, "number": ref.number}
    sends, touches = update(Sends).filter_by(**of_order), update(Touches).filter_by(**of_order)
    inbox = update(Inbox).where(_inbox_of(ref))
    addresses = select(col(Sends.channel), col(Sends.recipient_sha256)).filter_by(**of_order)
    reaches = tuple_(col(Reaches.channel), col(Reaches.address_sha256)).in_(addresses)
    return (
        update(Reaches).where(reaches, col(Reaches.heard_at).is_not(None)).values(heard_at=None),
        update(Revisions).filter_by(**of_order).where(col(Revisions.content).is_not(None)).values(content=None),
        sends.where(or_(col(Sends.message).is_not(None), col(Sends.recipient_sha256).is_not(None))).values(
            message=None, recipient_sha256=None
        ),
        # A provider's own words for a refusal may repeat the address; the chain does not cover them.
        sends.where(col(Sends.state).not_in(("accepted",)), col(Sends.detail) != "").values(detail=""),
        update(ShadowMessages)
        .filter_by(**of_order)
        .where(or_(*(col(column).is_not(None) for column in _SHADOW_WORDS)))
        .values(subject=None, text=None, recipient_sha256=None),
        update(Evidence).filter_by(**of_order).where(col(Evidence.raw).is_not(None)).values(raw=None),
        touches.where(
            or_(*(col(column).is_not(None) for column in (Touches.address, Touches.user_agent, Touches.headers)))
        ).values(address=None, user_agent=None, headers=None),
        inbox.where(col(Inbox.announced_at).is_(None)).values(body="", announced_at=now, outcome=ERASED),
        inbox.where(col(Inbox.body) != "").values(body=""),
    )


def _inbox_of(ref: OrderRef) -> ColumnElement[bool]:
    """Events that name the order, and those that came before we knew whose they were but became its evidence."""
    mine = and_(col(Inbox.store) == ref.store, col(Inbox.number) == ref.number)
    of_order = (col(Evidence.store) == ref.store, col(Evidence.number) == ref.number)
    return or_(mine, exists().where(*of_order, *_made_of_event()), exists().where(*of_order, *_shares_in_event()))


def _made_of_event() -> tuple[ColumnElement[bool], ...]:
    """The evidence was made of the inbound event."""
    source = literal("webhooks/") + col(Evidence.channel)
    return (col(Evidence.event_id) == col(Inbox.external_id), col(Inbox.source) == source)


def _shares_in_event() -> tuple[ColumnElement[bool], ...]:
    """The evidence is one message's share in the inbound event, by its id (`orderack.gateway.watermarks.id_of`)."""
    source = literal("webhooks/") + col(Evidence.channel)
    length = func.length(col(Evidence.event_id))
    report = func.substr(col(Evidence.event_id), 1, case((length > _SHARE, length - _SHARE), else_=0))
    return (report == col(Inbox.external_id), col(Inbox.source) == source)


def _erasure(row: Erasures, rows: int) -> Erasure:
    ref = OrderRef(store=row.store, number=row.number)
    return Erasure(ref=ref, erased_at=row.erased_at, by=row.by, reason=row.reason, rows=rows)
