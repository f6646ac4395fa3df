"""The next deadline of each open order, and which clock it is.

An order tells its record with every step when its next clock ends, and which one that is. A row that was last written
before it told that names none: then the clock is recognised, by what started it and how long the order's own service
levels give it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Assessment, ServiceLevels
from orderack.domain.order import Order, OrderRef
from orderack.ledger.standing import LIVE, OPEN
from orderack.ledger.tables import Acknowledgements, Handoffs, Orders, Reviews, Revisions, Timeline
from orderack.ports.board import A_DAY, Due

NEAR = timedelta(seconds=2)
"""A clock starts within the step that is recorded, and scaled clocks are exact to the second at best."""

NOBODYS = ClockName.STAY_OPEN
"""At its end the order is closed: nobody has to do anything by then."""


@dataclass(frozen=True)
class Began:
    """When what an order's clocks run from happened; None: it has not."""

    order: datetime | None = None
    review: datetime | None = None
    submitted: datetime | None = None
    offered: datetime | None = None
    escalated: datetime | None = None
    reassigned: datetime | None = None
    partner_due: datetime | None = None


def which(due_at: datetime, began: Began, levels: ServiceLevels) -> ClockName | None:
    """The clock that ends then; None where no clock that concerns people does."""
    return next((name for name, at in _ends(began, levels, due_at) if abs(due_at - at) <= NEAR), None)


def _ends(began: Began, levels: ServiceLevels, due_at: datetime) -> Iterator[tuple[ClockName, datetime]]:
    spans = (
        (ClockName.ACKNOWLEDGE, began.order, levels.acknowledge_within),
        (ClockName.ERP_BUDGET, began.order, levels.erp_budget),
        (ClockName.HOLD, began.order, levels.hold_after),
        (ClockName.REVIEW, began.review, levels.review_within),
        (ClockName.CLAIM, began.review, levels.claim_within),
        (ClockName.CLAIM, began.offered, levels.claim_within),
        (ClockName.CLAIM, began.reassigned, levels.claim_within),
        (ClockName.REVIEW, began.reassigned, levels.review_within),
        (ClockName.ERP_RECEIPT, began.submitted, levels.erp_receipt_within),
    )
    yield from ((name, start + span) for name, start, span in spans if start)
    if began.partner_due:
        yield ClockName.PARTNER, began.partner_due
        yield ClockName.PARTNER_WARNING, began.partner_due - levels.partner_margin
    if began.escalated:
        times = max(1, round((due_at - began.escalated) / levels.update_every))
        yield ClockName.UPDATE, began.escalated + times * levels.update_every
        yield ClockName.RESOLVE, began.escalated + (levels.resolve_within or levels.resolve_at_least)
        if levels.resolve_within is None and due_at.second == 0:  # the end of the store's day, in whichever zone it is
            yield ClockName.RESOLVE, due_at


async def next_due(session: AsyncSession, stores: Sequence[str], now: datetime, listed: int) -> tuple[Due, ...]:
    """The first so many of each store that end within a day. One that is long over says that nobody is at work."""
    rows = await _rows(session, stores, now, listed)
    unnamed = [OrderRef(store=row.store, number=row.number) for row in rows if not row.clock]
    entries = await _entries(session, unnamed)
    found = []
    for row in rows:
        ref = OrderRef(store=row.store, number=row.number)
        if row.clock:
            found.append(Due(ref=ref, clock=row.clock, due_at=row.due_at, owner=row.owner or None, stage=row.stage))
            continue
        said = entries.get(ref, {})
        began = Began(
            order=row.came,
            review=row.review,
            submitted=row.submitted,
            offered=row.offered,
            escalated=said.get(Event.ESCALATED),
            reassigned=said.get(Event.REASSIGNED),
            partner_due=_partner_due(row.content),
        )
        clock = which(row.due_at, began, _levels(row.assessment))
        if clock or row.stage not in (Stage.CONFIRMED, Stage.HANDED_OFF):
            found.append(Due(ref=ref, clock=clock, due_at=row.due_at, owner=row.owner or None, stage=row.stage))
    return tuple(found)


class _Row(NamedTuple):
    store: str
    number: str
    due_at: datetime
    clock: str | None
    owner: str | None
    stage: str
    came: datetime
    review: datetime | None
    submitted: datetime | None
    offered: datetime | None
    assessment: str | None
    content: str | None


def _told() -> ColumnElement[bool]:
    """The buyer has had a word, which the order itself tells the record with its next step only."""
    return exists().where(
        col(Acknowledgements.store) == col(Orders.store),
        col(Acknowledgements.number) == col(Orders.number),
        col(Acknowledgements.kind) != Kind.ALERT,
        col(Acknowledgements.out_at).is_not(None),
    )


async def _rows(session: AsyncSession, stores: Sequence[str], now: datetime, listed: int) -> Sequence[_Row]:
    """By the index on `next_due_at`: what is due within a day, and not all that is open. Live orders alone."""
    its = and_(col(Revisions.store) == col(Orders.store), col(Revisions.number) == col(Orders.number))
    review = and_(col(Reviews.store) == col(Orders.store), col(Reviews.number) == col(Orders.number))
    handoff = and_(col(Handoffs.store) == col(Orders.store), col(Handoffs.number) == col(Orders.number))
    place = func.row_number().over(partition_by=col(Orders.store), order_by=col(Orders.next_due_at))
    first = (
        select(col(Orders.store), col(Orders.number), place.label("place"))
        .where(col(Orders.next_due_at) > now - A_DAY, col(Orders.next_due_at) < now + A_DAY)
        .where(col(Orders.store).in_(stores), col(Orders.stage).in_(OPEN), LIVE)
        .where(or_(col(Orders.next_clock).is_(None), col(Orders.next_clock) != NOBODYS))
        .where(or_(col(Orders.next_clock).is_(None), col(Orders.next_clock) != ClockName.ACKNOWLEDGE, ~_told()))
        .subquery()
    )
    query = (
        select(
            *(col(Orders.store), col(Orders.number), col(Orders.next_due_at), col(Orders.next_clock)),
            *(col(Orders.owner), col(Orders.stage)),
            *(func.coalesce(col(Orders.trigger_at), col(Orders.received_at)), func.max(col(Reviews.opened_at))),
            *(col(Revisions.submitted_to_erp_at), col(Handoffs.offered_at)),
            *(col(Revisions.assessment), col(Revisions.content)),
        )
        .join(first, and_(first.c.store == col(Orders.store), first.c.number == col(Orders.number)))
        .outerjoin(Revisions, and_(its, col(Revisions.revision) == col(Orders.content_revision)))
        .outerjoin(Reviews, and_(review, col(Reviews.decided_at).is_(None)))
        .outerjoin(Handoffs, and_(handoff, col(Handoffs.revision) == col(Orders.revision)))
        .where(first.c.place <= listed)
        .group_by(
            *(col(Orders.store), col(Orders.number), col(Revisions.store), col(Revisions.number)),
            *(col(Revisions.revision), col(Handoffs.id)),
        )
        .order_by(col(Orders.next_due_at))
    )
    return [_Row._make(row) for row in (await session.execute(query)).all()]


async def _entries(session: AsyncSession, refs: Sequence[OrderRef]) -> dict[OrderRef, dict[str, datetime]]:
    """When each of these orders was last escalated, and last given to somebody else."""
    found: dict[OrderRef, dict[str, datetime]] = {}
    for store in {ref.store for ref in refs}:
        query = (
            select(col(Timeline.number), col(Timeline.event), func.max(col(Timeline.at)))
            .where(col(Timeline.store) == store, col(Timeline.number).in_([r.number for r in refs if r.store == store]))
            .where(col(Timeline.event).in_((Event.ESCALATED, Event.REASSIGNED)))
            .group_by(col(Timeline.number), col(Timeline.event))
        )
        for number, event, at in await session.execute(query):
            found.setdefault(OrderRef(store=store, number=number), {})[event] = at
    return found


def _levels(assessment: str | None) -> ServiceLevels:
    try:
        return Assessment.model_validate_json(assessment or "").decision.levels
    except ValidationError:
        return ServiceLevels()


def _partner_due(content: str | None) -> datetime | None:
    if not content or '"partner_deadline":null' in content:
        return None
    try:
        partner = Order.model_validate_json(content).partner_deadline
    except ValidationError:
        return None
    return partner.due_at if partner else None
