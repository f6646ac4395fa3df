"""Revisions and journals: written twice, late and out of order, they say the same."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import text

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import ClockName, Entry, Event, Stage
from orderack.domain.order import OrderRef
from orderack.domain.response import LineAnswer, Outcome
from orderack.ledger.database import make_engine
from orderack.ledger.projection import project
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Table
from tests.ledger.samples import NOW, REF, asked, clock_entry, entry, journal, order, stored


async def _rows(url: str, table: str, columns: str = "*") -> list[tuple[object, ...]]:
    chosen = Table.metadata.tables[table]
    names = list(chosen.columns) if columns == "*" else [chosen.c[name] for name in columns.split()]
    engine = make_engine(url)
    async with engine.connect() as connection:
        rows = (await connection.execute(chosen.select().with_only_columns(*names))).all()
    await engine.dispose()
    return [tuple(row) for row in rows]


async def test_a_revision_comes_back_exactly_as_it_was_stored(ledger: SqlLedger) -> None:
    await ledger.save_revision(stored(), "f-1", journal([entry(1)]))
    assert await ledger.revision(REF, 1) == stored()
    assert await ledger.revision(REF, 2) is None


async def test_the_first_writer_of_a_revision_wins_and_its_journal_is_written_once(ledger: SqlLedger) -> None:
    await ledger.save_revision(stored(), "f-1", journal([entry(1)]))
    await ledger.save_revision(stored(order(total="99.00")), "f-2", journal([entry(1), entry(2)]))
    await ledger.save_revision(stored(), "f-1", journal([entry(1)]))
    assert await ledger.revision(REF, 1) == stored()
    assert [found.seq for found in await ledger.entries(REF)] == [1, 2]
    assert [past.fingerprint for past in (await ledger.past(asked(customer_id="C-7"))).orders] == ["f-1"]
    assert await ledger.verify_chain(REF) == []


async def test_twenty_writers_of_one_revision_and_journal_leave_one(ledger: SqlLedger, ledger_url: str) -> None:
    writes = (ledger.save_revision(stored(), "f-1", journal([entry(1), entry(2)])) for _ in range(20))
    await asyncio.gather(*writes)
    assert len(await ledger.entries(REF)) == 2
    assert len(await _rows(ledger_url, "audit")) == 3
    assert await ledger.verify_chain(REF) == []


async def test_a_journal_written_twice_is_one(ledger: SqlLedger) -> None:
    told = journal([entry(1, Event.ORDER_ACCEPTED), entry(2, Event.ASSESSED, note="straight")])
    await ledger.write(told)
    await ledger.write(told)
    assert await ledger.entries(REF) == list(told.entries)


async def test_entries_come_back_whole(ledger: SqlLedger) -> None:
    told = clock_entry(7, Event.CLOCK_BREACHED, ClockName.ACKNOWLEDGE, 1, after=61.000001)
    await ledger.write(journal([told]))
    assert await ledger.entries(REF) == [told]


async def test_a_journal_that_comes_late_adds_its_entries_and_moves_nothing_back(ledger: SqlLedger) -> None:
    await ledger.write(journal([entry(3), entry(4)], stage=Stage.CONFIRMED, revision=2))
    await ledger.write(journal([entry(1), entry(2)], stage=Stage.ASSESSING))
    await ledger.write(journal([], stage=Stage.REVIEW))
    row = await ledger.order(REF)
    assert row
    assert (row.stage, row.revision) == (Stage.CONFIRMED, 2)
    assert [found.seq for found in await ledger.entries(REF)] == [1, 2, 3, 4]


async def test_an_older_revision_stored_late_does_not_describe_the_order(ledger: SqlLedger) -> None:
    await ledger.save_revision(stored(order(total="30.00"), 2), "f-2", journal([entry(2)], revision=2))
    await ledger.save_revision(stored(order(total="20.00"), 1), "f-1", journal([entry(1)]))
    row = await ledger.order(REF)
    assert row
    assert (row.total, row.revision) == (Decimal("30.00"), 2)


async def test_an_order_is_known_from_the_first_word_about_it(ledger: SqlLedger) -> None:
    await ledger.write(journal([entry(1, Event.ERP_RECEIPT)], stage=Stage.AWAITING_ORDER, revision=0))
    row = await ledger.order(REF)
    assert row
    assert (row.stage, row.source, row.currency, row.total) == ("awaiting_order", "unknown", "XXX", Decimal(0))
    assert await ledger.order(OrderRef(store="north", number="none")) is None


@pytest.mark.parametrize("total", ["0", "0.1", "20.10", "99999999999999.9999", "0.0001", "1000.0"])
async def test_money_comes_back_digit_for_digit(ledger: SqlLedger, total: str) -> None:
    await ledger.save_revision(stored(order(total=total)), "f-1", journal())
    row = await ledger.order(REF)
    assert row
    assert str(row.total) == total


async def test_times_come_back_in_utc_whatever_zone_they_were_told_in(ledger: SqlLedger, ledger_url: str) -> None:
    east = datetime(2026, 3, 29, 2, 59, 59, 999999, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    await ledger.write(journal().model_copy(update={"next_due_at": east}))
    row = await ledger.order(REF)
    assert row
    assert row.next_due_at == east
    assert row.next_due_at.tzinfo is UTC
    assert await _rows(ledger_url, "orders", "next_due_at") == [(east,)]


async def test_text_that_postgresql_cannot_hold_does_not_block_an_order(ledger: SqlLedger) -> None:
    await ledger.write(journal([entry(1, note="bell \x00 and umlaut \u00fc and \U0001f600")]))
    assert [found.note for found in await ledger.entries(REF)] == ["bell \ufffd and umlaut \u00fc and \U0001f600"]
    event = await ledger.receive("web", "e-1", "order", None, "half a pair: \ud83d", NOW)
    assert event.body == "half a pair: \ufffd"
    assert await ledger.verify_chain(REF) == []


CLOCKS = (
    clock_entry(1, Event.CLOCK_STARTED, ClockName.ACKNOWLEDGE, 1),
    clock_entry(2, Event.CLOCK_MET, ClockName.ACKNOWLEDGE, 1, after=8),
    clock_entry(3, Event.CLOCK_BREACHED, ClockName.ERP_RECEIPT, 15, after=900),
    clock_entry(4, Event.CLOCK_MET, ClockName.ERP_RECEIPT, 15, after=1000),
    clock_entry(5, Event.CLOCK_STOPPED, ClockName.RESOLVE, 600, after=1000),
)


async def test_deadlines_are_met_breached_or_stopped_whether_or_not_their_start_was_told(
    ledger: SqlLedger, ledger_url: str
) -> None:
    for told in itertools.chain(reversed(CLOCKS), CLOCKS):
        await ledger.write(journal([told]))
    columns = "clock due_at owner started_at met_at breached_at stopped_at"
    at = [NOW + timedelta(seconds=seconds) for seconds in (8, 900, 1000)]
    assert sorted(await _rows(ledger_url, "deadlines", columns)) == [
        ("acknowledge_within", NOW + timedelta(minutes=1), "ops", NOW, at[0], None, None),
        ("erp_receipt_within", NOW + timedelta(minutes=15), "ops", None, at[2], at[1], None),
        ("resolve_within", NOW + timedelta(minutes=600), "ops", None, None, None, at[2]),
    ]


REVIEWED = (
    entry(1, Event.REVIEW_OPENED, note="high_value"),
    entry(2, Event.REVIEW_DECIDED, note="ask", after=60).model_copy(update={"owner": "mia"}),
    entry(3, Event.REVIEW_OPENED, note="incomplete", after=90),
    entry(4, Event.REVIEW_DECIDED, note="approve", after=120).model_copy(update={"owner": "max"}),
)


@pytest.mark.parametrize("told", list(itertools.permutations(REVIEWED))[::5])
async def test_each_review_gets_its_own_decision_in_whatever_order_they_are_told(
    ledger: SqlLedger, ledger_url: str, told: tuple[Entry, ...]
) -> None:
    for each in told:
        await ledger.write(journal([each]))
    assert sorted(await _rows(ledger_url, "reviews", "seq why verdict decided_by")) == [
        (1, "high_value", "ask", "mia"),
        (3, "incomplete", "approve", "max"),
    ]


def test_a_projection_does_not_depend_on_the_order_of_its_entries() -> None:
    told = [*CLOCKS, *(each.model_copy(update={"seq": each.seq + 10}) for each in REVIEWED)]
    assert project(told) == project(reversed(told))
    assert len(project(told).deadlines) == 3


async def test_a_handoff_is_offered_once_and_accepted_once(ledger: SqlLedger, ledger_url: str) -> None:
    request = HandOffRequest(
        ref=REF,
        revision=1,
        content_hash=order().content_hash,
        team="kitchen",
        owner="kim",
        document_id="SO-9",
        answers=(LineAnswer(line_id="1", outcome=Outcome.ACCEPT, accepted=Decimal("1.5")),),
        journal=journal([entry(1)], stage=Stage.HANDED_OFF),
    )
    ids = {await ledger.offer_handoff(request, NOW), await ledger.offer_handoff(request, NOW + timedelta(hours=1))}
    assert len(ids) == 1
    accepted = entry(2, Event.HANDOFF_ACCEPTED, after=60).model_copy(update={"owner": "kim"})
    again = entry(3, Event.HANDOFF_ACCEPTED, after=90).model_copy(update={"owner": "lee"})
    await ledger.write(journal([accepted, again], stage=Stage.HANDED_OFF))
    at = NOW + timedelta(seconds=60)
    assert await _rows(ledger_url, "handoffs", "team offered_at accepted_at accepted_by") == [
        ("kitchen", NOW, at, "kim")
    ]
    assert [found.ref for found in await ledger.find("SO-9")] == [REF]
    later = request.model_copy(update={"revision": 2, "document_id": None})
    assert await ledger.offer_handoff(later, NOW) not in ids


async def test_foreign_keys_hold(ledger_url: str) -> None:
    engine = make_engine(ledger_url)
    orphan = "INSERT INTO order_ids (store, number, system, id) VALUES ('north', 'none', 'erp', 'x')"
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        async with engine.begin() as connection:
            await connection.execute(text(orphan))
    await engine.dispose()


async def test_a_journal_is_written_and_its_orders_revisions_are_read_in_one_transaction(ledger: SqlLedger) -> None:
    assert await ledger.write_and_read(journal([entry(1)]), [1]) == {}
    assert await ledger.save_revision(stored(), "f-1", journal()) == stored()
    assert await ledger.write_and_read(journal([entry(2)]), [1, 2]) == {1: stored()}
    assert [found.seq for found in await ledger.entries(REF)] == [1, 2]


async def test_whoever_comes_second_is_told_the_revision_that_stands(ledger: SqlLedger) -> None:
    await ledger.save_revision(stored(), "f-1", journal())
    assert await ledger.save_revision(stored(order(total="99.00")), "f-2", journal()) == stored()
    await ledger.erase(REF, "grace", "asked by the buyer", NOW)
    assert await ledger.save_revision(stored(), "f-1", journal()) is None
    assert await ledger.write_and_read(journal(), [1]) == {}


@pytest.mark.parametrize("backwards", [False, True])
async def test_entries_that_come_one_by_one_in_any_order_leave_what_all_of_them_say(
    ledger: SqlLedger, backwards: bool
) -> None:
    told = [
        clock_entry(1, Event.CLOCK_STARTED, ClockName.REVIEW, 15),
        entry(2, Event.REVIEW_OPENED, note="look", after=1),
        clock_entry(3, Event.CLOCK_BREACHED, ClockName.REVIEW, 15, after=900),
        clock_entry(4, Event.CLOCK_STARTED, ClockName.CLAIM, 30, after=2),
        entry(5, Event.REVIEW_DECIDED, note="approve", after=1_000),
        clock_entry(6, Event.CLOCK_MET, ClockName.REVIEW, 15, after=1_000),
        entry(7, Event.SUBMITTED_TO_ERP, note="main", after=1_001),
        entry(8, Event.ERP_RECEIPT, note="SO-1", after=1_002),
        entry(9, Event.CONFIRMED, after=1_003),
    ]
    for place, one in enumerate(told[::-1] if backwards else told):
        await ledger.write(journal([one]))
        if place == len(told) // 2:
            await ledger.save_revision(stored(), "f-1", journal())
    assert await ledger.entries(REF) == told
    assert await ledger.verify_chain(REF) == []
    assert [row.ref for row in await ledger.find("SO-1")] == [REF]
