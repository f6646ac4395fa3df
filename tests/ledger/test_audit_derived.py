"""What is made from vouched facts is what people read: `audit verify` makes it again, and names what differs."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import delete, insert, update

from orderack.contracts.journal import ClockName, Entry, Event
from orderack.domain.acknowledgement import SendState
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Table
from tests.ledger.samples import LEASE, NOW, REF, clock_entry, entry, journal, key, message, outcome
from tests.ledger.tampering import Row, forged, is_, one_of_everything, rows, run

SAID_ONLY: Mapping[str, set[str]] = {
    "orders": {
        *("store", "number"),  # its name: under another one the chain has no order
        *("received_at", "updated_at", "links_revoked_at"),  # our own clock and an operator's word
        *("stage", "revision", "owner", "next_due_at", "next_clock"),  # what the workflow last said
    },
    "acknowledgements": set(),
    "deadlines": set(),
    "reviews": set(),
    "order_ids": set(),
    "handoffs": set(),
    "revisions": set(),
}
"""Columns that no fact is left to compare with. Every other one of these tables is tampered with."""


@pytest_asyncio.fixture
async def recorded(ledger: SqlLedger) -> SqlLedger:
    await one_of_everything(ledger)
    accepted = Entry(seq=8, at=NOW + timedelta(hours=2), event=Event.HANDOFF_ACCEPTED, revision=1, owner="lin")
    told = (
        clock_entry(3, Event.CLOCK_BREACHED, ClockName.HOLD, 15, after=900),
        entry(4, Event.REVIEW_OPENED, note="a flag"),
        entry(5, Event.REVIEW_DECIDED, note="approved"),
        entry(6, Event.SUBMITTED_TO_ERP),
        entry(7, Event.ERP_RECEIPT, note="SO-9"),
    )
    await ledger.write(journal([*told, accepted]))
    return ledger


async def test_a_record_left_alone_agrees_with_its_facts_and_still_does_when_it_is_erased(recorded: SqlLedger) -> None:
    assert await recorded.verify_chain(REF) == []
    assert await recorded.erase(REF, "grace", "asked by the buyer", NOW)
    assert await recorded.verify_chain(REF) == []


@pytest.mark.parametrize("table", SAID_ONLY)
async def test_tampering_with_any_column_that_is_read_is_caught(
    recorded: SqlLedger, ledger_url: str, table: str
) -> None:
    target = Table.metadata.tables[table]
    of_order = [
        row for row in await rows(ledger_url, table) if (row["store"], row["number"]) == (REF.store, REF.number)
    ]
    row = of_order[-1]
    read = [column for column in target.columns if column.name not in SAID_ONLY[table]]
    caught = set()
    for column in read:
        changed = row | {column.name: forged(column, row[column.name])}
        await run(ledger_url, update(target).where(*is_(target, row)).values({column.name: changed[column.name]}))
        if await recorded.verify_chain(REF):
            caught.add(column.name)
        await run(ledger_url, update(target).where(*is_(target, changed)).values({column.name: row[column.name]}))
    assert await recorded.verify_chain(REF) == [], "what one column was caught by must not be another's"
    assert caught == {column.name for column in read}


@pytest.mark.parametrize(
    ("table", "changed", "words"),
    [
        (
            "acknowledgements",
            {"grade": "E5"},
            "outside the chain, acknowledgement 1/confirmation/1: its grade is E5, the vouched facts make it E2",
        ),
        ("acknowledgements", {"assent": "assented"}, "its assent is assented, the vouched facts make it empty"),
        ("handoffs", {"accepted_by": "mallory"}, "who accepted it, or when, is not what the timeline says"),
        ("reviews", {"verdict": "rejected"}, "its verdict is rejected, the vouched facts make it approved"),
        ("sends", {"recipient_sha256": "0" * 64}, "is not that of the address the message went to"),
    ],
)
async def test_the_difference_is_named(
    recorded: SqlLedger, ledger_url: str, table: str, changed: Row, words: str
) -> None:
    target = Table.metadata.tables[table]
    row = next(row for row in await rows(ledger_url, table) if row.get("kind", "confirmation") == "confirmation")
    await run(ledger_url, update(target).where(*is_(target, row)).values(changed))
    (found,) = await recorded.verify_chain(REF)
    assert words in found.words


async def test_an_order_that_is_found_by_another_address_is_named_without_the_address(
    recorded: SqlLedger, ledger_url: str
) -> None:
    target = Table.metadata.tables["orders"]
    where = (target.c.store == REF.store, target.c.number == REF.number)
    await run(ledger_url, update(target).where(*where).values(email="mallory@example.com"))
    (found,) = await recorded.verify_chain(REF)
    assert found.words == "outside the chain, order: its email is not what its facts make it"
    batch = await recorded.verify_next(None, None)
    assert batch
    assert list(batch.broken) == [str(REF)]
    record = await recorded.order_record(REF)
    assert record
    assert record.breaks == (found,)


@pytest.mark.parametrize("table", ["acknowledgements", "deadlines", "reviews"])
async def test_a_row_that_vanishes_or_is_made_up_is_named(recorded: SqlLedger, ledger_url: str, table: str) -> None:
    target = Table.metadata.tables[table]
    row = (await rows(ledger_url, table))[0]
    others: dict[str, Row] = {"acknowledgements": {"n": 9}, "deadlines": {"due_at": NOW}, "reviews": {"seq": 9}}
    another = others[table]
    await run(ledger_url, insert(target).values(row | another))
    assert [found.problem for found in await recorded.verify_chain(REF)] == ["is made of no vouched fact"]
    await run(ledger_url, delete(target).where(*is_(target, row | another)))
    await run(ledger_url, delete(target).where(*is_(target, row)))
    assert [found.problem for found in await recorded.verify_chain(REF)] == ["is missing: vouched facts make one"]


async def test_where_the_chain_is_broken_nothing_is_derived_from_it(recorded: SqlLedger, ledger_url: str) -> None:
    evidence = Table.metadata.tables["evidence"]
    await run(ledger_url, update(evidence).values(grade="E5"))
    (found,) = await recorded.verify_chain(REF)
    assert found.subject == "graded_evidence"


async def test_a_send_that_is_still_under_way_is_no_difference(recorded: SqlLedger) -> None:
    again = key(channel="portal")
    await recorded.claim(again, message(again), NOW + timedelta(minutes=5), LEASE)
    assert await recorded.verify_chain(REF) == []
    await recorded.finish(again, outcome(SendState.UNAVAILABLE), NOW + timedelta(minutes=6))
    assert await recorded.verify_chain(REF) == []
