"""An order's whole record as it was vouched for: the chain's rows, each with its fact; its evidence with its origin.

A dispute pack is made of nothing else, so what no chain row vouches for cannot slip into one.
"""

from collections.abc import Mapping, Sequence

from pydantic import AwareDatetime, TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.evidence import Assurance, EvidenceFact, Provenance
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.ledger import audit
from orderack.ledger.audit import SUBJECTS, Subject
from orderack.ledger.database import sql_table
from orderack.ledger.tables import Audit, Evidence, Orders
from orderack.ledger.verification import Break, breaks_of, one_look
from orderack.ports import EvidenceRecord

Plain = str | int | bool | None
_REASONS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])


class ChainRow(Value):
    """One row of the chain, and the fact it vouches for as that stands now."""

    position: int
    recorded_at: Name
    """As it is hashed: ISO 8601 in UTC."""
    subject: Name
    subject_id: Text
    content_hash: Name
    prev_hash: str
    hash: Name
    fact: Mapping[str, Plain] | None = None
    """The vouched columns, as they are hashed; None where a later row vouches for the same fact, or it is gone."""
    content: str | None = None
    """What the fact's SHA-256 is of: the message, the order, the raw event; None: none, or erased."""


class OrderRecord(Value):
    """All of it, as of one moment."""

    ref: OrderRef
    received_at: AwareDatetime
    length: int
    head: str
    rows: tuple[ChainRow, ...]
    breaks: tuple[Break, ...]
    """What the ledger's own verification found; empty when the record stands as it was written."""


async def order_record(session: AsyncSession, ref: OrderRef) -> OrderRecord | None:
    """The record; None for an order that the ledger does not know."""
    await one_look(session)
    order = await session.get(Orders, (ref.store, ref.number))
    if order is None:
        return None
    rows = await _chain(session, ref)
    last = {(row.subject, row.subject_id): row.position for row in rows}
    found: dict[int, tuple[Mapping[str, Plain], str | None]] = {}
    for name, subject in SUBJECTS.items():
        for id_, fact, content in await _facts(session, subject, ref):
            if position := last.get((name, id_)):
                found[position] = (fact, content)
    return OrderRecord(
        ref=ref,
        received_at=order.received_at,
        length=order.chain_length,
        head=order.chain_head,
        rows=tuple(_with(row, found.get(row.position)) for row in rows),
        breaks=tuple(await breaks_of(session, ref)),
    )


async def evidence_records(session: AsyncSession, ref: OrderRef) -> Sequence[EvidenceRecord]:
    """See `orderack.ports.Ledger.evidence_records`."""
    query = select(Evidence).filter_by(store=ref.store, number=ref.number).order_by(col(Evidence.id))
    return [_evidence(row) for row in (await session.execute(query)).scalars()]


async def _chain(session: AsyncSession, ref: OrderRef) -> list[ChainRow]:
    query = select(Audit).filter_by(store=ref.store, number=ref.number).order_by(col(Audit.position))
    return [
        ChainRow.model_validate({name: audit.plain(value) for name, value in row.model_dump().items()})
        for row in (await session.execute(query)).scalars()
    ]


async def _facts(
    session: AsyncSession, subject: Subject, ref: OrderRef
) -> list[tuple[str, Mapping[str, Plain], str | None]]:
    table = sql_table(subject.table)
    query = select(table).where(table.c.store == ref.store, table.c.number == ref.number)
    for name, values in subject.only.items():
        query = query.where(table.c[name].in_(values))
    (content,) = subject.erasable or (None,)
    return [
        (
            audit.identity(subject, row),
            TypeAdapter(dict[str, Plain]).validate_python({name: audit.plain(row[name]) for name in subject.vouched}),
            None if content is None else row[content],
        )
        for row in (found._asdict() for found in (await session.execute(query)))
    ]


def _with(row: ChainRow, found: tuple[Mapping[str, Plain], str | None] | None) -> ChainRow:
    return row if found is None else row.model_copy(update={"fact": found[0], "content": found[1]})


def _evidence(row: Evidence) -> EvidenceRecord:
    return EvidenceRecord(
        fact=EvidenceFact.model_validate(row.model_dump(exclude={"id"}) | {"id": row.event_id}),
        provenance=Provenance(
            content_sha256=row.content_sha256,
            recipient_role=row.recipient_role or "buyer",
            actor=row.actor or "",
            assurance=Assurance(row.assurance) if row.assurance else Assurance.PROVIDER,
            verified=bool(row.verified),
            machine=_REASONS.validate_json(row.machine) if row.machine else (),
        ),
        recorded_at=row.recorded_at,
        raw=row.raw,
        raw_sha256=row.raw_sha256,
    )
