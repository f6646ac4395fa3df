"""Whether a store that has run in shadow went live without its gate having been asked (docs/shadow.md).

The policy is the floor: whoever may edit it can say `mode: live`. It is not forbidden, for a store that a forgotten
trial kept dark would tell its buyers nothing. It never goes unseen: it stands in the chain of the order with which it
was first seen, once for each version of the policy, and the doctor and the policy's check say so.
"""

from datetime import datetime

from pydantic import AwareDatetime
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.order import Name, OrderRef
from orderack.domain.value import Value
from orderack.ledger import audit
from orderack.ledger.database import insert_new
from orderack.ledger.orders import lock_order
from orderack.ledger.shadow_tables import Cutovers, GatesUnasked, ShadowMessages


class Unasked(Value):
    """A store that has run in shadow and was never cut over. `seen`: the first order that went live nevertheless."""

    store: Name
    shadow_orders: int
    seen: OrderRef | None = None
    seen_at: AwareDatetime | None = None
    policy_version: Name | None = None


async def unasked(session: AsyncSession, store: str) -> Unasked | None:
    """None: it never ran in shadow, or a cutover or a way back stands, and with it a person's name."""
    many = await _shadow_orders(session, store)
    if not many:
        return None
    query = select(GatesUnasked).filter_by(store=store).order_by(col(GatesUnasked.seen_at)).limit(1)
    row = (await session.execute(query)).scalar_one_or_none()
    if row is None:
        return Unasked(store=store, shadow_orders=many)
    return Unasked(
        store=store,
        shadow_orders=many,
        seen=OrderRef(store=store, number=row.number),
        seen_at=row.seen_at,
        policy_version=row.policy_version,
    )


async def note(session: AsyncSession, ref: OrderRef, policy_version: str, live_percent: int, now: datetime) -> bool:
    """See `orderack.ports.ShadowBook.note_gate`."""
    many = await _shadow_orders(session, ref.store)
    if not many:
        return False
    order = await lock_order(session, ref)
    fact = GatesUnasked(
        store=ref.store,
        number=ref.number,
        policy_version=policy_version,
        seen_at=now,
        live_percent=live_percent,
        shadow_orders=many,
    )
    if not await insert_new(session, GatesUnasked, fact.model_dump()):
        return False
    await audit.append(session, order, "gate_unasked", fact)
    return True


async def _shadow_orders(session: AsyncSession, store: str) -> int:
    """How many orders of the store were kept; none, where a step between shadow and live stands."""
    step = select(col(Cutovers.n)).where(col(Cutovers.store) == store).limit(1)
    if (await session.execute(step)).first() is not None:
        return 0
    kept = select(func.count(func.distinct(col(ShadowMessages.number)))).where(col(ShadowMessages.store) == store)
    return (await session.execute(kept)).scalar_one()
