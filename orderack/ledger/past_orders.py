"""Reading the past for a what-if: what was assessed, what was known then, and what was measured of it since.

Whole tables of a month are read, each once and in a stream, in one transaction: nothing here is for a running order.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, case, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.journal import Event
from orderack.domain.assessment import Assessment
from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.ledger.counts import RECEIPT_KIND
from orderack.ledger.database import sql_table
from orderack.ledger.orders import describe
from orderack.ledger.tables import (
    Acknowledgements,
    Deadlines,
    Erasures,
    Inbox,
    Orders,
    Reviews,
    Revisions,
    Table,
    Timeline,
)
from orderack.ports.past_orders import (
    EarlierRevision,
    ErpLatency,
    PastClock,
    PastEvent,
    PastMessage,
    PastReview,
    PastRevision,
    PastTimes,
)

AT_ONCE = 500
"""Rows fetched at a time."""

TOLD = (Event.CLAIMED, Event.CONFIRMED, Event.CANCELLED, Event.REJECTED, Event.CLOSED)
"""Entries of the timeline that a replay of the clocks needs."""

_QUANTITIES: TypeAdapter[dict[str, Decimal]] = TypeAdapter(dict[str, Decimal])


@dataclass(frozen=True)
class Span:
    """Revisions recorded from `since` on and before `until`, of one store or of all."""

    since: datetime
    until: datetime
    store: str | None = None


class PastOrders:
    """One consistent look at a span of the past; every call belongs to the transaction it was made in."""

    def __init__(self, session: AsyncSession, span: Span) -> None:
        self._session = session
        self._span = span

    async def count(self) -> int:
        """Revisions that `revisions` will bring."""
        query = select(func.count()).select_from(Revisions).where(*self._recorded())
        return int((await self._session.execute(query)).scalar_one())

    async def without_content(self) -> int:
        """Orders that came in the span and of which no revision was ever stored."""
        query = select(func.count()).select_from(Orders).where(col(Orders.content_revision) == 0)
        query = query.where(col(Orders.received_at) >= self._span.since, col(Orders.received_at) < self._span.until)
        return int((await self._session.execute(query.where(self._of_store(Orders)))).scalar_one())

    async def revisions(self) -> AsyncIterator[PastRevision]:
        """Every revision of the span, the oldest first."""
        order = (col(Revisions.recorded_at), col(Revisions.store), col(Revisions.number), col(Revisions.revision))
        columns = (
            *(col(Revisions.store), col(Revisions.number), col(Revisions.revision), col(Revisions.recorded_at)),
            *(col(Revisions.content), col(Revisions.assessment), col(Revisions.explanation)),
            *(col(Revisions.submitted_to_erp_at), col(Revisions.erp_receipt_at)),
        )
        query = select(*columns).where(*self._recorded()).order_by(*order)
        found = await self._session.stream(query.execution_options(yield_per=AT_ONCE))
        async for store, number, revision, recorded_at, content, assessment, explanation, submitted, receipt in found:
            yield PastRevision(
                ref=OrderRef.model_construct(store=store, number=number),
                revision=revision,
                recorded_at=recorded_at,
                content=None if content is None else Order.model_validate_json(content),
                assessment=Assessment.model_validate_json(assessment),
                explanation=explanation,
                submitted_to_erp_at=submitted,
                erp_receipt_at=receipt,
            )

    async def earlier(self, history: timedelta) -> Sequence[EarlierRevision]:
        """What assessments of the span could see of other orders: those whose clock began so long before it, or later.

        Of an erased order the digest of buyer and lines is left: it is still known for another's duplicate.
        """
        erased = (col(Erasures.store) == col(Revisions.store), col(Erasures.number) == col(Revisions.number))
        columns = (
            *(col(Revisions.store), col(Revisions.number), col(Revisions.revision), col(Revisions.recorded_at)),
            *(col(Revisions.fingerprint), col(Orders.trigger_at), col(Orders.customer_id), col(Orders.quantities)),
            # The order's own columns are its latest revision's; of the others only their content tells.
            case((col(Orders.content_revision) > col(Revisions.revision), col(Revisions.content)), else_=None),
            select(func.min(col(Erasures.erased_at))).where(*erased).scalar_subquery(),
        )
        of_order = (col(Orders.store) == col(Revisions.store), col(Orders.number) == col(Revisions.number))
        query = select(*columns).join(Orders, (of_order[0]) & (of_order[1]))
        query = query.where(
            col(Orders.trigger_at) >= self._span.since - history, col(Revisions.recorded_at) < self._span.until
        )
        query = query.order_by(col(Revisions.recorded_at))
        found: list[EarlierRevision] = []
        rows = await self._session.stream(query.where(self._of_store(Orders)).execution_options(yield_per=AT_ONCE))
        async for (
            store,
            number,
            revision,
            recorded_at,
            print_,
            trigger_at,
            customer,
            quantities,
            content,
            erased_at,
        ) in rows:
            if content is not None:
                told = describe(Order.model_validate_json(content), revision, print_)
                trigger_at, customer, quantities = told["trigger_at"], told["customer_id"], told["quantities"]
            found.append(
                EarlierRevision(
                    ref=OrderRef.model_construct(store=store, number=number),
                    revision=revision,
                    recorded_at=recorded_at,
                    trigger_at=trigger_at,
                    customer_id=customer,
                    fingerprint=print_,
                    quantities=_QUANTITIES.validate_python(json.loads(quantities)),
                    erased_at=erased_at,
                )
            )
        return found

    async def latencies(self, history: timedelta) -> Sequence[ErpLatency]:
        """Every receipt of every ERP, by the time it came."""
        submitted, receipt = col(Revisions.submitted_to_erp_at), col(Revisions.erp_receipt_at)
        query = select(col(Revisions.erp), submitted, receipt).where(receipt >= submitted)
        query = query.where(receipt >= self._span.since - history, receipt < self._span.until).order_by(receipt)
        return [
            ErpLatency(erp=erp, receipt_at=to, seconds=(to - since).total_seconds())
            for erp, since, to in (await self._session.execute(query)).all()
            if erp and since and to
        ]

    async def times(self) -> Mapping[OrderRef, PastTimes]:
        """What was measured, of each order of which anything was."""
        found: dict[tuple[str, str], PastTimes] = defaultdict(PastTimes)
        await self._clocks(found)
        await self._reviews(found)
        await self._messages(found)
        await self._events(found)
        await self._booked(found)
        return {OrderRef.model_construct(store=store, number=number): times for (store, number), times in found.items()}

    async def _clocks(self, found: dict[tuple[str, str], PastTimes]) -> None:
        columns = (
            *(col(Deadlines.store), col(Deadlines.number), col(Deadlines.clock), col(Deadlines.due_at)),
            *(col(Deadlines.started_at), col(Deadlines.met_at)),
            *(col(Deadlines.breached_at), col(Deadlines.stopped_at)),
        )
        query = select(*columns).where(col(Deadlines.due_at) >= self._span.since).order_by(col(Deadlines.due_at))
        rows = await self._session.stream(query.where(self._of_store(Deadlines)).execution_options(yield_per=AT_ONCE))
        async for store, number, clock, due_at, started, met, breached, stopped in rows:
            found[store, number].clocks.append(PastClock(clock, due_at, started, met, breached, stopped))

    async def _reviews(self, found: dict[tuple[str, str], PastTimes]) -> None:
        query = select(Reviews).where(col(Reviews.opened_at) >= self._span.since).order_by(col(Reviews.seq))
        for row in (await self._session.execute(query.where(self._of_store(Reviews)))).scalars():
            flags = tuple(name for name in row.why.split(", ") if name)
            review = PastReview(row.revision, row.opened_at, flags, row.decided_at, row.verdict)
            found[row.store, row.number].reviews.append(review)

    async def _messages(self, found: dict[tuple[str, str], PastTimes]) -> None:
        columns = (
            *(col(Acknowledgements.store), col(Acknowledgements.number), col(Acknowledgements.revision)),
            *(col(Acknowledgements.kind), col(Acknowledgements.first_claimed_at)),
            *(col(Acknowledgements.out_at), col(Acknowledgements.receipt_at)),
        )
        query = select(*columns).where(col(Acknowledgements.first_claimed_at) >= self._span.since)
        query = query.where(self._of_store(Acknowledgements)).order_by(col(Acknowledgements.first_claimed_at))
        rows = await self._session.stream(query.execution_options(yield_per=AT_ONCE))
        async for store, number, revision, kind, claimed, out_at, receipt_at in rows:
            found[store, number].messages.append(PastMessage(revision, kind, claimed, out_at, receipt_at))

    async def _events(self, found: dict[tuple[str, str], PastTimes]) -> None:
        columns = (
            *(col(Timeline.store), col(Timeline.number), col(Timeline.at)),
            *(col(Timeline.event), col(Timeline.revision), col(Timeline.note)),
        )
        query = select(*columns).where(col(Timeline.at) >= self._span.since, col(Timeline.event).in_(TOLD))
        query = query.where(self._of_store(Timeline)).order_by(col(Timeline.seq))
        rows = await self._session.stream(query.execution_options(yield_per=AT_ONCE))
        async for store, number, at, event, revision, note in rows:
            with suppress(ValueError):  # an entry that a newer version wrote
                found[store, number].events.append(PastEvent(at, Event(event), revision, note))

    async def _booked(self, found: dict[tuple[str, str], PastTimes]) -> None:
        """The ERP's own word. Of an erased order it is gone, and one that came with the answer to a holding message
        never stood here: then it is not known."""
        query = select(col(Inbox.store), col(Inbox.number), col(Inbox.body))
        query = query.where(col(Inbox.kind) == RECEIPT_KIND, col(Inbox.received_at) >= self._span.since)
        rows = await self._session.stream(query.where(self._of_store(Inbox)).execution_options(yield_per=AT_ONCE))
        async for store, number, body in rows:
            times = found.get((store or "", number or ""))
            if times is None or not body:
                continue
            with suppress(ValidationError):  # the gateway has set it aside; it booked nothing here
                receipt = ErpReceipt.model_validate_json(body)
                revision = receipt.revision or 1
                times.booked[revision] = min(times.booked.get(revision, receipt.recorded_at), receipt.recorded_at)

    def _recorded(self) -> tuple[ColumnElement[bool], ...]:
        at = col(Revisions.recorded_at)
        return at >= self._span.since, at < self._span.until, self._of_store(Revisions)

    def _of_store(self, table: type[Table]) -> ColumnElement[bool]:
        return true() if self._span.store is None else sql_table(table).c.store == self._span.store
