"""The audit chain: it verifies as written, and tampering with any column of any fact is caught."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import Column, ColumnElement, Executable, delete, insert, select, update
from sqlalchemy import Table as SqlTable

from orderack.contracts.journal import ClockName, Event
from orderack.domain.acknowledgement import SendState
from orderack.domain.order import OrderRef
from orderack.ledger.audit import SUBJECTS
from orderack.ledger.database import make_engine
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Table
from tests.ledger.samples import LEASE, NOW, REF, clock_entry, entry, fact, journal, key, message, outcome, stored

OTHER = OrderRef(store="south", number="2002")

UNVOUCHED = {
    "timeline": set[str](),
    "sends": set[str](),
    "audit": set[str](),
    "evidence": {"id"},  # our own row number
    "revisions": {"submitted_to_erp_at", "erp_receipt_at"},  # made from the timeline, and made again at any time
}
"""Columns that no chain row covers, and why that is right. Every other column of these tables is tampered with."""


@pytest_asyncio.fixture
async def recorded(ledger: SqlLedger) -> SqlLedger:
    """An order with one of everything, and another order to move things to."""
    told = [entry(1), clock_entry(2, Event.CLOCK_MET, ClockName.ACKNOWLEDGE, 1)]
    await ledger.save_revision(stored(), "f-1", journal(told))
    for store, number in ((OTHER.store, REF.number), (REF.store, OTHER.number)):
        await ledger.write(journal(ref=OrderRef(store=store, number=number)))
    await ledger.claim(key(), message(key()), NOW, LEASE)
    await ledger.finish(key(), outcome(SendState.ACCEPTED, "p-1"), NOW)
    await ledger.record_evidence(REF, fact(), "raw words")
    return ledger


async def _run(url: str, *statements: Executable) -> None:
    engine = make_engine(url, foreign_keys=False)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(statement)
    await engine.dispose()


def _forged(column: Column[object], value: object) -> object:
    """Another value of the column's kind."""
    if column.name in ("store", "number"):
        return getattr(OTHER, column.name)
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, int):
        return value + 100
    if isinstance(value, str):
        return value + "x"
    return NOW if column.name.endswith(("_at", "_since")) else "forged"


@pytest_asyncio.fixture
async def one_row(recorded: SqlLedger, ledger_url: str) -> AsyncIterator[dict[str, dict[str, object]]]:
    """The first row of each vouched table."""
    engine = make_engine(ledger_url)
    async with engine.connect() as connection:
        yield {
            name: dict((await connection.execute(select(Table.metadata.tables[name]))).mappings().all()[0])
            for name in UNVOUCHED
        }
    await engine.dispose()


async def test_the_chain_of_a_record_left_alone_has_no_break(recorded: SqlLedger) -> None:
    assert await recorded.verify_chain(REF) == []
    assert await recorded.verify_chain(OrderRef(store=OTHER.store, number=REF.number)) == []
    assert await recorded.verify_chain(OrderRef(store="no", number="order")) == []


@pytest.mark.parametrize("table", UNVOUCHED)
async def test_tampering_with_any_column_is_caught(
    recorded: SqlLedger, ledger_url: str, one_row: dict[str, dict[str, object]], table: str
) -> None:
    target, row = Table.metadata.tables[table], one_row[table]
    caught = set()
    for column in target.columns:
        forged = row | {column.name: _forged(column, row[column.name])}
        await _run(ledger_url, update(target).where(*_is(target, row)).values({column.name: forged[column.name]}))
        if await recorded.verify_chain(REF):
            caught.add(column.name)
        await _run(ledger_url, update(target).where(*_is(target, forged)).values({column.name: row[column.name]}))
        assert await recorded.verify_chain(REF) == []
    assert caught == set(target.columns.keys()) - UNVOUCHED[table]


def _is(target: SqlTable, row: dict[str, object]) -> list[ColumnElement[bool]]:
    return [column == row[column.name] for column in target.primary_key]


@pytest.mark.parametrize("table", UNVOUCHED)
async def test_a_fact_that_vanishes_is_missed(recorded: SqlLedger, ledger_url: str, table: str) -> None:
    await _run(ledger_url, delete(Table.metadata.tables[table]))
    assert await recorded.verify_chain(REF) != []


async def test_a_fact_that_is_slipped_in_has_nothing_to_vouch_for_it(
    recorded: SqlLedger, ledger_url: str, one_row: dict[str, dict[str, object]]
) -> None:
    evidence: SqlTable = Table.metadata.tables["evidence"]
    forged = one_row["evidence"] | {"id": 99, "event_id": "ev-forged", "event": "affirmed", "grade": "E5"}
    await _run(ledger_url, insert(evidence).values(forged))
    (found,) = await recorded.verify_chain(REF)
    assert (found.position, found.subject, found.subject_id) == (0, "evidence", "smtp_email/ev-forged")


async def test_a_chain_cut_off_at_its_end_is_caught(recorded: SqlLedger, ledger_url: str) -> None:
    audit, evidence = Table.metadata.tables["audit"], Table.metadata.tables["evidence"]
    await _run(ledger_url, delete(evidence), delete(audit).where(audit.c.subject == "evidence"))
    assert [found.problem for found in await recorded.verify_chain(REF)] == [
        "the chain does not end where the order says"
    ]


async def test_content_can_be_erased_and_the_chain_still_holds(recorded: SqlLedger, ledger_url: str) -> None:
    erasures = [
        update(Table.metadata.tables[str(subject.table.__tablename__)]).values({content: None})
        for subject in SUBJECTS.values()
        for content in subject.erasable
    ]
    assert len(erasures) == 3
    await _run(ledger_url, *erasures)
    assert await recorded.verify_chain(REF) == []
    (send,) = await recorded.sends(REF)
    assert (send.message_json, len(send.body_sha256)) == ("", 64)
    assert await recorded.revision(REF, 1) is None


async def test_many_writers_at_once_never_fork_the_chain(ledger: SqlLedger) -> None:
    writes = [ledger.write(journal([entry(seq)])) for seq in range(1, 21)]
    facts = [ledger.record_evidence(REF, fact(f"ev-{n}"), "raw") for n in range(20)]
    await asyncio.gather(*writes, *facts)
    assert await ledger.verify_chain(REF) == []
    assert len(await ledger.entries(REF)) == len(await ledger.evidence(REF)) == 20
