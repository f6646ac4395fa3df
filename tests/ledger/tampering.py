"""A record with one of everything, and hands that get at its tables past the ledger."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache

from sqlalchemy import Column, ColumnElement, Engine, Executable, NullPool, create_engine, select, text
from sqlalchemy import Table as SqlTable

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import ClockName, Event
from orderack.domain.acknowledgement import Audience, Kind, Reason, SendOutcome, SendState
from orderack.domain.evidence import Assurance, Provenance
from orderack.domain.order import OrderRef
from orderack.domain.shadow import Figures
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Table
from orderack.ports import KeptMessage
from tests.ledger.samples import LEASE, NOW, REF, clock_entry, entry, fact, journal, key, message, outcome, stored

OTHER = OrderRef(store="south", number="2002")

Row = dict[str, object]


async def one_of_everything(ledger: SqlLedger) -> None:
    """An order with every kind of fact but an erasure, and other orders to move things to."""
    told = [entry(1), clock_entry(2, Event.CLOCK_MET, ClockName.ACKNOWLEDGE, 1)]
    await ledger.save_revision(stored(), "f-1", journal(told))
    for store, number in ((OTHER.store, REF.number), (REF.store, OTHER.number)):
        await ledger.write(journal(ref=OrderRef(store=store, number=number)))
    await ledger.keep(kept(OrderRef(store=REF.store, number="SHADOW")))
    assert await ledger.note_gate(REF, "policy-1", 100, NOW)
    refused, doubted = key(channel="twilio_sms"), key(Kind.RECEIVED)
    for one in (key(), refused, doubted):
        await ledger.claim(one, message(one), NOW, LEASE)
    no = SendOutcome(channel="twilio_sms", state=SendState.REJECTED, reason=Reason.BAD_RECIPIENT, detail="21211 no")
    await ledger.finish(refused, no, NOW)
    await ledger.finish(doubted, outcome(SendState.UNKNOWN), NOW)
    await ledger.finish(key(), outcome(SendState.ACCEPTED, "p-1"), NOW)
    origin = Provenance(content_sha256="c" * 64, actor="the provider", assurance=Assurance.PROVIDER, verified=True)
    await ledger.record_evidence(REF, fact(), "raw words", origin)
    await ledger.offer_handoff(handoff(), NOW)


def kept(ref: OrderRef) -> KeptMessage:
    """A shadow order's, so that its store has run in shadow."""
    return KeptMessage(
        key=key().model_copy(update={"ref": ref}),
        audience=Audience.BUYER,
        role="buyer",
        at=NOW,
        recipient_sha256="a" * 64,
        message_sha256="b" * 64,
        text="kept",
        figures=Figures(),
    )


def handoff() -> HandOffRequest:
    return HandOffRequest(
        ref=REF,
        revision=1,
        content_hash="a" * 64,
        team="kitchen",
        owner="ops",
        document_id="SO-1",
        answers=(),
        journal=journal(),
    )


@cache
def hands(url: str) -> Engine:
    """Without the driver's thread, and with no connection kept: this is most of what tampering tests do."""
    return create_engine(url.replace("+aiosqlite", ""), hide_parameters=True, poolclass=NullPool)


async def run(url: str, *statements: Executable) -> None:
    """Past every constraint, as somebody who owns the database can."""
    with hands(url).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            connection.execute(statement)


async def rows(url: str, table: str) -> list[Row]:
    target = Table.metadata.tables[table]
    with hands(url).connect() as connection:
        found = connection.execute(select(target).order_by(*target.primary_key)).mappings().all()
    return [dict(row) for row in found]


def forged(column: Column[object], value: object) -> object:
    """Another value of the column's kind."""
    if column.name in ("store", "number"):
        return getattr(OTHER, column.name)
    if isinstance(value, bool):
        return not value
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, int | Decimal):
        return value + 100
    if isinstance(value, str):
        return value + "x"
    return NOW if column.name.endswith(("_at", "_since")) else "forged"


def is_(target: SqlTable, row: Mapping[str, object]) -> list[ColumnElement[bool]]:
    return [column == row[column.name] for column in target.primary_key]
