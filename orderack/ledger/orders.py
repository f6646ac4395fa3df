"""Orders, their revisions and their timeline: how a journal and a revision are written.

Every write about an order begins by locking its row, so that one order has one writer at a time: checks made under
the lock hold, locks are taken in one order, and the audit chain cannot fork.
"""

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import Entry, Event, Journal, Stage
from orderack.domain.assessment import Side
from orderack.domain.order import Order, OrderRef
from orderack.ledger import audit, counts, outbox, shadow
from orderack.ledger.database import insert_all, insert_new, sql_table, upsert
from orderack.ledger.projection import PROJECTED, REVISION_MARKS, Projection, project, touched
from orderack.ledger.tables import Deadlines, Handoffs, OrderIds, Orders, Reviews, Revisions, Timeline
from orderack.ports import ActKind, KeptAct, StoredRevision

ERP_SYSTEM = "erp"
"""The `system` of an ERP's document id."""


async def lock_order(session: AsyncSession, ref: OrderRef) -> Orders:
    """The order's row, locked until the transaction ends; made where this is the first word about it."""
    query = select(Orders).where(col(Orders.store) == ref.store, col(Orders.number) == ref.number).with_for_update()
    order = (await session.execute(query)).scalar_one_or_none()
    if order is None:
        now = datetime.now(UTC)
        first = Orders(
            store=ref.store, number=ref.number, received_at=now, updated_at=now, stage=Stage.AWAITING_ORDER, revision=0
        )
        await insert_new(session, Orders, first.model_dump())
        order = (await session.execute(query)).scalar_one()
    return order


async def write_journal(
    session: AsyncSession, order: Orders, journal: Journal, marks: Collection[Event] = frozenset()
) -> None:
    """Append the entries not yet there, and move the order's standing on unless a later journal already has.

    `marks`: entries, perhaps written earlier, that have something to say about a row which the caller made.
    """
    earlier = await _earlier(session, order, journal, marks)
    known = {entry.seq for entry in earlier}
    by_seq = {entry.seq: entry for entry in journal.entries if entry.seq not in known}
    fresh = [entry for _, entry in sorted(by_seq.items())]
    rows = [{"store": order.store, "number": order.number, **entry.model_dump()} for entry in fresh]
    await insert_all(session, Timeline, rows)
    await audit.append_all(session, order, "entry", rows)
    timeline = [*earlier, *fresh]
    side = Side(order.side or Side.LIVE)
    await outbox.publish(session, journal, fresh, timeline, side)
    last = max((entry.seq for entry in journal.entries), default=0)
    if last >= order.journal_seq:
        order.journal_seq = last
        order.stage, order.revision = journal.stage, journal.revision
        order.owner, order.next_due_at, order.next_clock = journal.owner, journal.next_due_at, journal.next_clock
    order.updated_at = datetime.now(UTC)
    counts.entries(session, order.store, fresh, len(journal.entries), side)
    counts.receipts(session, fresh, timeline)
    news = [*fresh, *(entry for entry in earlier if entry.event in marks)]
    await _apply(session, journal.ref, touched(project(timeline), news))


async def _earlier(session: AsyncSession, order: Orders, journal: Journal, marks: Collection[Event]) -> Sequence[Entry]:
    """The timeline as it is; empty also where nothing in it can matter to this journal."""
    read = marks or any(entry.seq <= order.journal_seq or entry.event in _LOOKS_BACK for entry in journal.entries)
    return await entries(session, journal.ref) if order.journal_seq and read else ()


_LOOKS_BACK = PROJECTED | {Event.CONFIRMED}
"""What these entries say depends on earlier ones: see `projection`, and `outbox` for the confirmation's document."""

_TIMELINE = (
    select(*sql_table(Timeline).c)
    .where(col(Timeline.store) == bindparam("store"), col(Timeline.number) == bindparam("number"))
    .order_by(col(Timeline.seq))
)


async def entries(session: AsyncSession, ref: OrderRef) -> Sequence[Entry]:
    """The timeline, by seq."""
    rows = (await session.execute(_TIMELINE, {"store": ref.store, "number": ref.number})).mappings()
    return [Entry.model_validate(dict(row)) for row in rows]


async def _apply(session: AsyncSession, ref: OrderRef, told: Projection) -> None:
    """Bring deadlines, reviews, ERP times and acceptances in line with what the timeline tells."""
    of = {"store": ref.store, "number": ref.number}
    await upsert(session, Deadlines, [of | row.model_dump() for row in told.deadlines])
    await upsert(session, Reviews, [of | row.model_dump() for row in told.reviews])
    await _mark_revisions(session, ref, told)
    for document_id in told.document_ids:
        await insert_new(session, OrderIds, of | {"system": ERP_SYSTEM, "id": document_id})


async def _mark_revisions(session: AsyncSession, ref: OrderRef, told: Projection) -> None:
    for times in told.erp_times:
        await session.execute(
            update(sql_table(Revisions))
            .filter_by(store=ref.store, number=ref.number, revision=times.revision)
            .values(submitted_to_erp_at=times.submitted_to_erp_at, erp_receipt_at=times.erp_receipt_at)
        )
    for accepted in told.acceptances:
        await session.execute(
            update(sql_table(Handoffs))
            .filter_by(store=ref.store, number=ref.number, revision=accepted.revision, accepted_at=None)
            .values(accepted_at=accepted.accepted_at, accepted_by=accepted.accepted_by)
        )


async def save_revision(
    session: AsyncSession, stored: StoredRevision, fingerprint: str, journal: Journal
) -> StoredRevision | None:
    """See `orderack.ports.Ledger.save_revision`."""
    order = await lock_order(session, stored.order.ref)
    new = await session.get(Revisions, (order.store, order.number, stored.revision)) is None
    if new:
        stored = _on_its_side(order, stored)
        content = stored.order.model_dump_json()
        row = Revisions(
            store=order.store,
            number=order.number,
            revision=stored.revision,
            recorded_at=datetime.now(UTC),
            content_hash=stored.content_hash,
            content=content,
            content_sha256=audit.sha256(content),
            assessment=stored.assessment.model_dump_json(),
            explanation=stored.explanation,
            fingerprint=fingerprint,
            erp=stored.assessment.decision.erp,
        )
        await insert_all(session, Revisions, [row.model_dump()])
        await audit.append(session, order, "revision", row)
        if stored.revision >= order.content_revision:
            for name, value in describe(stored.order, stored.revision, fingerprint).items():
                setattr(order, name, value)
        for external in stored.order.external_ids:
            ids = {"store": order.store, "number": order.number, "system": external.system, "id": external.id}
            await insert_new(session, OrderIds, ids)
    await write_journal(session, order, journal, marks=REVISION_MARKS if new else ())
    return stored if new else await revision(session, stored.order.ref, stored.revision)


def _on_its_side(order: Orders, stored: StoredRevision) -> StoredRevision:
    """The revision as a part of its order, which is on one side for ever: under the lock the first one decides."""
    assessment = stored.assessment
    side = shadow.settle_side(order, assessment.decision.side)
    if side is assessment.decision.side:
        return stored
    decision = assessment.decision.model_copy(update={"side": side})
    return stored.model_copy(update={"assessment": assessment.model_copy(update={"decision": decision})})


def describe(content: Order, revision: int, fingerprint: str) -> Mapping[str, object]:
    """The order's own columns, by which it is found, as this revision makes them."""
    return {
        "content_revision": revision,
        "source": content.source,
        "trigger_at": content.trigger_at,
        "customer_id": content.customer.id,
        "email": normal_email(content.contacts.email or "") or None,
        "phone": digits(content.contacts.phone or "") or None,
        "currency": content.currency,
        "total": content.totals.total,
        "fingerprint": fingerprint,
        "quantities": json.dumps({sku: str(quantity) for sku, quantity in _quantities(content).items()}),
    }


def _quantities(content: Order) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in content.lines:
        found[line.sku] = found.get(line.sku, Decimal(0)) + line.quantity
    return found


def normal_email(text: str) -> str:
    """As compared: without surrounding blanks, letter case folded."""
    return text.strip().casefold()


def digits(text: str) -> str:
    """As phone numbers are compared: nothing but its ASCII digits."""
    return "".join(character for character in text if character in "0123456789")


async def revision(session: AsyncSession, ref: OrderRef, number: int) -> StoredRevision | None:
    """The revision as stored; None where it is unknown or its content was erased."""
    row = await session.get(Revisions, (ref.store, ref.number, number))
    if row is None or row.content is None:
        return None
    return StoredRevision.model_validate_json(
        f'{{"order":{row.content},"assessment":{row.assessment},"revision":{row.revision}'
        f',"content_hash":{json.dumps(row.content_hash)},"explanation":{json.dumps(row.explanation)}}}'
    )


async def offer_handoff(session: AsyncSession, request: HandOffRequest, now: datetime) -> str:
    """Store the handoff unless this revision has one, and its journal; its id. Of a shadow order none is offered."""
    ref = request.ref
    order = await lock_order(session, ref)
    id_ = handoff_id(ref, request.revision)
    if order.side == Side.SHADOW:
        act = KeptAct(ref=ref, revision=request.revision, kind=ActKind.HAND_OFF, detail=request.team, at=now)
        await shadow.keep_act(session, act)
        await write_journal(session, order, request.journal)
        return id_
    new = await session.get(Handoffs, id_) is None
    if new:
        answers = json.dumps([answer.model_dump(mode="json") for answer in request.answers])
        row = Handoffs(
            **request.model_dump(exclude={"ref", "answers", "journal"}),
            id=id_,
            store=ref.store,
            number=ref.number,
            answers=answers,
            offered_at=now,
        )
        await insert_all(session, Handoffs, [row.model_dump()])
        await audit.append(session, order, "handoff", row)
        if request.document_id:
            ids = {"store": ref.store, "number": ref.number, "system": ERP_SYSTEM, "id": request.document_id}
            await insert_new(session, OrderIds, ids)
    await write_journal(session, order, request.journal, marks=(Event.HANDOFF_ACCEPTED,) if new else ())
    return id_


def handoff_id(ref: OrderRef, revision: int) -> str:
    """The same for the same order and revision, whoever asks and whenever; short, whatever the order's number."""
    name = f"{quote(ref.store, safe='')}/{quote(ref.number, safe='')}/{revision}"
    return f"handoff-{uuid.uuid5(uuid.NAMESPACE_URL, name)}"
