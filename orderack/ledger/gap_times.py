"""The times of each order from its trigger to its confirmation: what the gap doctor asks of the ledger."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from decimal import Decimal

from pydantic import AwareDatetime
from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef, Text
from orderack.domain.value import Value
from orderack.ledger.tables import Acknowledgements, Orders, Reviews, Revisions

_AT_ONCE = 1_000


class GapTimes(Value):
    """One order; None: it has not happened, or not yet. All are of the first revision."""

    ref: OrderRef
    source: Text
    trigger_at: AwareDatetime
    received_at: AwareDatetime
    """When the ledger first heard of it."""
    submitted_to_erp_at: AwareDatetime | None
    erp_receipt_at: AwareDatetime | None
    confirmed_at: AwareDatetime | None
    """When a channel took its confirmation."""
    quantities: Mapping[str, Decimal]
    held: bool = False
    """A person had to decide about it, or it ended before the ERP was to have it: no system's delay."""


async def gap_times(session: AsyncSession, since: datetime, store: str | None) -> AsyncIterator[GapTimes]:
    """Orders triggered since then, by their trigger. One whose content has not come is left out: it has no trigger."""
    same = and_(col(Revisions.store) == col(Orders.store), col(Revisions.number) == col(Orders.number))
    out = (
        select(func.min(col(Acknowledgements.out_at)))
        .where(
            col(Acknowledgements.store) == col(Orders.store),
            col(Acknowledgements.number) == col(Orders.number),
            col(Acknowledgements.revision) == 1,
            col(Acknowledgements.kind) == Kind.CONFIRMATION,
        )
        .correlate(Orders)
        .scalar_subquery()
    )
    reviewed = (
        exists()
        .where(
            col(Reviews.store) == col(Orders.store),
            col(Reviews.number) == col(Orders.number),
            col(Reviews.revision) == 1,
        )
        .correlate(Orders)
    )
    ended = col(Orders.stage).in_((Stage.CANCELLED, Stage.REJECTED))
    query = (
        select(
            col(Orders.store),
            col(Orders.number),
            col(Orders.source),
            col(Orders.trigger_at),
            col(Orders.received_at),
            col(Revisions.submitted_to_erp_at),
            col(Revisions.erp_receipt_at),
            out,
            col(Orders.quantities),
            or_(reviewed, and_(ended, col(Revisions.submitted_to_erp_at).is_(None))),
        )
        .outerjoin(Revisions, and_(same, col(Revisions.revision) == 1))
        .where(col(Orders.trigger_at) >= since)
        .order_by(col(Orders.trigger_at))
    )
    if store is not None:
        query = query.where(col(Orders.store) == store)
    rows = await session.stream(query.execution_options(yield_per=_AT_ONCE))
    async for of_store, number, source, trigger, received, submitted, receipt, confirmed, quantities, held in rows:
        yield GapTimes(
            ref=OrderRef(store=of_store, number=number),
            source=source or "",
            trigger_at=trigger,
            received_at=received,
            submitted_to_erp_at=submitted,
            erp_receipt_at=receipt,
            confirmed_at=confirmed,
            quantities={sku: Decimal(quantity) for sku, quantity in json.loads(quantities).items()},
            held=bool(held),
        )
