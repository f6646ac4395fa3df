"""Reading what became of the orders of a span: each table once, in one consistent look, joined by the orders' key.

A span's orders are found by their store and the time of their trigger. Everything recorded of them is read, also what
came after the span; whoever counts decides until when it is looked at.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import ClockName, Event
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Side
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.ledger.database import sql_table
from orderack.ledger.standing import LIVE
from orderack.ledger.tables import (
    Acknowledgements,
    Deadlines,
    Evidence,
    Handoffs,
    Orders,
    Reviews,
    Revisions,
    Table,
    Timeline,
)
from orderack.ports.past_orders import PastClock, PastReview
from orderack.ports.reliability import Entered, ErpAnswer, Lives, OfferedWork, OrderLife, Proved, SaidMessage

Ts = TypeVarTuple("Ts")

AT_ONCE = 2_000
"""Rows fetched at a time."""

ENTRIES = (
    *(Event.REVIEW_OPENED, Event.ESCALATED, Event.DE_ESCALATED, Event.REASSIGNED, Event.CHANGE_PROPOSED),
    *(Event.CANCEL_REQUESTED, Event.CANCELLED, Event.REJECTED, Event.DECLINED, Event.HANDED_OFF, Event.UNDELIVERABLE),
    *(Event.SEND_UNKNOWN, Event.SEND_SETTLED, Event.QUESTION_ASKED, Event.QUESTION_ANSWERED, Event.CLOCK_BREACHED),
)
"""Entries of the timeline that tell of reliability."""

DISPUTED = ", disputed"
"""How the note of a request to cancel ends that disputes the charge (`workflows._requests.cancel`): nowhere else is
it kept."""


@dataclass(frozen=True)
class Cohort:
    """The orders of one store whose clock began from `since` on and before `until`; of one customer, or of all."""

    store: str
    since: datetime
    until: datetime
    customer: str | None = None


async def lives(session: AsyncSession, cohort: Cohort) -> Lives:
    """Every live order of the cohort, the oldest first."""
    query = select(col(Orders.number), col(Orders.customer_id), col(Orders.trigger_at)).where(LIVE, *_of(cohort))
    found: dict[str, OrderLife] = {}
    async for number, customer, at in _rows(session, query.order_by(col(Orders.trigger_at))):
        ref = OrderRef.model_construct(store=cohort.store, number=number)
        if at is not None:  # the span is of its trigger
            found[number] = OrderLife(ref=ref, customer_id=customer, trigger_at=at)
    await _messages(session, cohort, found)
    await _erp(session, cohort, found)
    await _clocks(session, cohort, found)
    await _reviews(session, cohort, found)
    await _entries(session, cohort, found)
    await _proofs(session, cohort, found)
    await _handoffs(session, cohort, found)
    shadow, empty = await _left_out(session, cohort)
    return Lives(orders=list(found.values()), shadow=shadow, without_content=empty)


async def stores(session: AsyncSession, since: datetime, until: datetime) -> Sequence[str]:
    """Stores that had an order in the span, live or not."""
    came = func.coalesce(col(Orders.trigger_at), col(Orders.received_at))
    query = select(col(Orders.store)).where(came >= since, came < until).distinct().order_by(col(Orders.store))
    return list((await session.execute(query)).scalars())


def _of(cohort: Cohort) -> tuple[ColumnElement[bool], ...]:
    at = col(Orders.trigger_at)
    span = (col(Orders.store) == cohort.store, at >= cohort.since, at < cohort.until)
    return span if cohort.customer is None else (*span, col(Orders.customer_id) == cohort.customer)


async def _left_out(session: AsyncSession, cohort: Cohort) -> tuple[int, int]:
    """How many were in the shadow, and how many never had content."""
    shadow = select(func.count()).select_from(Orders).where(*_of(cohort), col(Orders.side) == Side.SHADOW)
    heard = col(Orders.received_at)
    empty = select(func.count()).select_from(Orders).where(col(Orders.store) == cohort.store)
    empty = empty.where(col(Orders.trigger_at).is_(None), heard >= cohort.since, heard < cohort.until)
    return (await session.execute(shadow)).scalar_one(), (await session.execute(empty)).scalar_one()


def _joined(query: Select[*Ts], table: type[Table], cohort: Cohort) -> Select[*Ts]:
    """That query over the rows of the cohort's live orders."""
    own = sql_table(table).c
    same = and_(own.store == col(Orders.store), own.number == col(Orders.number))
    return query.select_from(Orders).join(sql_table(table), same).where(LIVE, *_of(cohort))


async def _rows(session: AsyncSession, query: Select[*Ts]) -> AsyncIterator[Row[*Ts]]:
    """By the thousand: each step of the driver is a change of stacks, which costs more than the row."""
    found = await session.stream(query.execution_options(yield_per=AT_ONCE))
    async for some in found.partitions():
        for row in some:
            yield row


Found = dict[str, OrderLife]


async def _messages(session: AsyncSession, cohort: Cohort, found: Found) -> None:
    table = Acknowledgements
    query = select(col(table.number), col(table.revision), col(table.kind), col(table.n), col(table.out_at))
    query = query.where(col(table.out_at).is_not(None), col(table.kind) != Kind.ALERT).order_by(col(table.out_at))
    async for number, revision, kind, n, out_at in _rows(session, _joined(query, table, cohort)):
        if out_at is not None:
            found[number].messages.append(SaidMessage(revision, kind, n, out_at))


async def _erp(session: AsyncSession, cohort: Cohort, found: Found) -> None:
    table, submitted, receipt = Revisions, col(Revisions.submitted_to_erp_at), col(Revisions.erp_receipt_at)
    query = select(col(table.number), col(table.revision), submitted, receipt)
    query = query.where(or_(submitted.is_not(None), receipt.is_not(None))).order_by(col(table.revision))
    async for number, revision, to, back in _rows(session, _joined(query, table, cohort)):
        found[number].erp.append(ErpAnswer(revision, to, back))


async def _clocks(session: AsyncSession, cohort: Cohort, found: Found) -> None:
    table = Deadlines
    query = select(
        *(col(table.number), col(table.clock), col(table.due_at), col(table.started_at)),
        *(col(table.met_at), col(table.breached_at), col(table.stopped_at)),
    ).order_by(col(table.due_at))
    async for number, clock, due_at, started, met, breached, stopped in _rows(session, _joined(query, table, cohort)):
        found[number].clocks.append(PastClock(clock, due_at, started, met, breached, stopped))


async def _reviews(session: AsyncSession, cohort: Cohort, found: Found) -> None:
    table = Reviews
    query = select(
        *(col(table.number), col(table.revision), col(table.opened_at), col(table.why)),
        *(col(table.decided_at), col(table.verdict)),
    ).order_by(col(table.seq))
    async for number, revision, opened_at, why, decided_at, verdict in _rows(session, _joined(query, table, cohort)):
        flags = tuple(name for name in why.split(", ") if name)
        found[number].reviews.append(PastReview(revision, opened_at, flags, decided_at, verdict))


async def _entries(session: AsyncSession, cohort: Cohort, found: Found) -> None:
    table = Timeline
    query = select(
        *(col(table.number), col(table.at), col(table.event), col(table.revision), col(table.clock), col(table.note))
    )
    query = query.where(col(table.event).in_(ENTRIES)).order_by(col(table.seq))
    async for number, at, event, revision, clock, note in _rows(session, _joined(query, table, cohort)):
        disputed = event == Event.CANCEL_REQUESTED and note.endswith(DISPUTED)
        with suppress(ValueError):  # a clock that a newer version started
            named = ClockName(clock) if clock else None
            found[number].entries.append(Entered(at, Event(event), revision, named, disputed))


async def _proofs(session: AsyncSession, cohort: Cohort, found: Found) -> None:
    table = Evidence
    query = select(
        *(col(table.number), col(table.revision), col(table.kind), col(table.n)),
        *(col(table.event), col(table.grade), col(table.occurred_at)),
    ).order_by(col(table.occurred_at))
    async for number, revision, kind, n, event, grade, at in _rows(session, _joined(query, table, cohort)):
        with suppress(ValueError):  # a word that a newer version wrote
            found[number].proofs.append(Proved(revision, kind, n, EvidenceEvent(event), Grade(grade), at))


async def _handoffs(session: AsyncSession, cohort: Cohort, found: Found) -> None:
    table = Handoffs
    query = select(col(table.number), col(table.revision), col(table.offered_at), col(table.accepted_at))
    query = query.order_by(col(table.revision))
    async for number, revision, offered_at, accepted_at in _rows(session, _joined(query, table, cohort)):
        found[number].handoffs.append(OfferedWork(revision, offered_at, accepted_at))
