"""The audit chain: it verifies as written, and tampering with any column of any fact is caught and named."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from sqlalchemy import delete, insert, update

from orderack.domain.acknowledgement import SendState
from orderack.domain.order import OrderRef
from orderack.ledger.audit import SUBJECTS
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Audit, Table
from tests.ledger.samples import NOW, REF, entry, fact, journal, key, outcome
from tests.ledger.tampering import OTHER, forged, is_, one_of_everything, rows, run

REFUSED = {"detail"}  # a provider's words may repeat the address: erasable

PACE = {"turn_at"}
"""How long a channel's rate made a message wait: no fact about the order."""

UNVOUCHED: dict[tuple[str, str | None], set[str]] = {
    ("timeline", None): set(),
    ("audit", None): set(),
    ("erasures", None): set(),
    ("gates_unasked", None): set(),
    ("handoffs", None): set(),
    ("revisions", None): set(),
    ("evidence", None): {"id"},  # our own row number
    ("sends", SendState.ACCEPTED): PACE,
    ("sends", SendState.REJECTED): REFUSED | PACE,
    ("sends", SendState.UNKNOWN): REFUSED | PACE,
}
"""Columns that neither a chain row covers nor a vouched fact makes, and why that is right. Every other one is tampered
with."""


@pytest_asyncio.fixture
async def recorded(ledger: SqlLedger) -> SqlLedger:
    await one_of_everything(ledger)
    return ledger


@pytest_asyncio.fixture
async def erased(recorded: SqlLedger) -> SqlLedger:
    assert await recorded.erase(REF, "grace", "asked by the buyer", NOW)
    return recorded


async def test_the_chain_of_a_record_left_alone_has_no_break(recorded: SqlLedger) -> None:
    assert await recorded.verify_chain(REF) == []
    assert await recorded.verify_chain(OrderRef(store=OTHER.store, number=REF.number)) == []
    assert await recorded.verify_chain(OrderRef(store="no", number="order")) == []


def test_every_vouched_table_is_tampered_with() -> None:
    tables = {str(subject.table.__tablename__) for subject in SUBJECTS.values()}
    assert tables | {"audit"} == {table for table, _ in UNVOUCHED}


@pytest.mark.parametrize(("table", "state"), UNVOUCHED, ids=str)
async def test_tampering_with_any_column_is_caught(
    recorded: SqlLedger, ledger_url: str, table: str, state: str | None
) -> None:
    if table == "erasures":
        await recorded.erase(REF, "grace", "asked by the buyer", NOW)
    target = Table.metadata.tables[table]
    row = next(row for row in await rows(ledger_url, table) if state in (None, row.get("state")))
    caught = set()
    for column in target.columns:
        changed = row | {column.name: forged(column, row[column.name])}
        await run(ledger_url, update(target).where(*is_(target, row)).values({column.name: changed[column.name]}))
        if found := await recorded.verify_chain(REF):
            caught.add(column.name)
            assert all(len(one.words) > 20 for one in found)
        await run(ledger_url, update(target).where(*is_(target, changed)).values({column.name: row[column.name]}))
    assert await recorded.verify_chain(REF) == [], "what one column was caught by must not be another's"
    assert caught == set(target.columns.keys()) - UNVOUCHED[table, state]


@pytest.mark.parametrize("table", sorted({table for table, _ in UNVOUCHED} - {"erasures"}))
async def test_a_fact_that_vanishes_is_missed(recorded: SqlLedger, ledger_url: str, table: str) -> None:
    await run(ledger_url, delete(Table.metadata.tables[table]))
    assert await recorded.verify_chain(REF) != []


async def test_an_erasure_that_vanishes_is_missed(erased: SqlLedger, ledger_url: str) -> None:
    await run(ledger_url, delete(Table.metadata.tables["erasures"]))
    problems = [found.problem for found in await erased.verify_chain(REF)]
    assert any("no erasure is on record" in problem for problem in problems)
    assert any("is missing" in problem for problem in problems)


@pytest.mark.parametrize(
    ("table", "changed", "name"),
    [
        ("evidence", {"id": 99, "event_id": "ev-forged", "grade": "E5"}, ("graded_evidence", "smtp_email/ev-forged")),
        ("evidence", {"id": 99, "event_id": "ev-forged", "form": 1}, ("evidence", "smtp_email/ev-forged")),
        ("timeline", {"seq": 9}, ("entry", "9")),
        ("handoffs", {"id": "h-2", "revision": 2}, ("handoff", "h-2")),
        ("sends", {"key": "k-2", "n": 2}, ("acceptance", "k-2")),
        ("sends", {"key": "k-2", "n": 2, "state": "rejected"}, ("refusal", "k-2")),
        ("revisions", {"revision": 2}, ("revision", "2")),
    ],
    ids=str,
)
async def test_a_fact_that_is_slipped_in_has_nothing_to_vouch_for_it(
    recorded: SqlLedger, ledger_url: str, table: str, changed: dict[str, object], name: tuple[str, str]
) -> None:
    row = (await rows(ledger_url, table))[0]
    await run(ledger_url, insert(Table.metadata.tables[table]).values(row | changed))
    (found,) = await recorded.verify_chain(REF)
    assert (found.position, found.subject, found.subject_id) == (0, *name)
    assert "slipped in" in found.words


async def test_a_chain_cut_off_at_its_end_is_caught(recorded: SqlLedger, ledger_url: str) -> None:
    chain, handoffs = Table.metadata.tables["audit"], Table.metadata.tables["handoffs"]
    await run(ledger_url, delete(handoffs), delete(chain).where(chain.c.subject == "handoff"))
    (found,) = await recorded.verify_chain(REF)
    assert found.words == "position 8, order: the chain ends at 8, the order says 9: its end was cut off or changed"


async def test_a_row_taken_out_is_named_by_its_place(recorded: SqlLedger, ledger_url: str) -> None:
    chain = Table.metadata.tables["audit"]
    await run(ledger_url, delete(chain).where(chain.c.position == 3))
    words = [found.words for found in await recorded.verify_chain(REF)]
    assert "position 4, chain: position 3 is missing before it" in words
    assert any("nothing in the chain vouches for it" in one for one in words)
    await run(ledger_url, delete(chain).where(chain.c.position.in_((4, 5))))
    assert "position 6, chain: positions 3 to 5 are missing before it" in [
        found.words for found in await recorded.verify_chain(REF)
    ]


async def test_two_rows_that_changed_places_are_named(recorded: SqlLedger, ledger_url: str) -> None:
    chain = Table.metadata.tables["audit"]
    for old, new in ((2, 99), (3, 2), (99, 3)):
        await run(ledger_url, update(chain).where(chain.c.position == old).values(position=new))
    found = [(one.position, one.problem) for one in await recorded.verify_chain(REF)]
    assert any(position == 2 and "rows were moved or slipped in" in problem for position, problem in found)
    assert (3, "was moved here from position 2") in found


async def test_a_row_slipped_into_the_middle_moves_those_behind_it(recorded: SqlLedger, ledger_url: str) -> None:
    chain = Table.metadata.tables["audit"]
    before = await rows(ledger_url, "audit")
    last = max(int(str(row["position"])) for row in before if row["store"] == REF.store and row["number"] == REF.number)
    for position in range(last, 3, -1):
        await run(ledger_url, update(chain).where(chain.c.position == position).values(position=position + 1))
    forged_row = next(row for row in before if row["position"] == 3) | {"position": 4}
    await run(ledger_url, insert(chain).values(forged_row))
    found = [(one.position, one.problem) for one in await recorded.verify_chain(REF)]
    assert any(position == 4 and "moved or slipped in" in problem for position, problem in found)
    assert (6, "was moved here from position 5") in found


async def test_a_refusal_that_turns_out_to_be_an_acceptance_is_no_break(recorded: SqlLedger) -> None:
    await recorded.finish(key(channel="twilio_sms"), outcome(SendState.ACCEPTED, "SM1"), NOW)
    assert await recorded.verify_chain(REF) == []


async def test_a_doubt_is_not_undone_by_a_straggler_that_says_less(recorded: SqlLedger) -> None:
    kept = await recorded.finish(key(kind=key().kind, channel="twilio_sms"), outcome(SendState.UNAVAILABLE), NOW)
    assert kept.state is SendState.REJECTED
    assert await recorded.verify_chain(REF) == []


async def test_content_gone_without_an_erasure_on_record_is_a_break(recorded: SqlLedger, ledger_url: str) -> None:
    for name, subject in SUBJECTS.items():
        table = Table.metadata.tables[str(subject.table.__tablename__)]
        for content in subject.erasable:
            before = await rows(ledger_url, table.name)
            await run(ledger_url, update(table).values({content: None}))
            problems = {found.problem for found in await recorded.verify_chain(REF)}
            assert problems == {f"its content ({content}) is gone, and no erasure is on record"}, name
            for row in before:
                await run(ledger_url, update(table).where(*is_(table, row)).values({content: row[content]}))


async def test_a_chain_whose_order_is_gone_is_named(recorded: SqlLedger, ledger_url: str) -> None:
    assert await recorded.lost_orders(None) == []
    orders = Table.metadata.tables["orders"]
    await run(ledger_url, delete(orders).where(orders.c.store == REF.store, orders.c.number == REF.number))
    assert await recorded.lost_orders(None) == await recorded.lost_orders(REF.store) == [REF]
    assert await recorded.lost_orders("south") == []
    (found,) = await recorded.verify_chain(REF)
    assert "the order itself is gone" in found.problem


async def test_many_orders_are_verified_in_batches_and_each_break_is_named_with_its_order(
    ledger: SqlLedger, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orderack.ledger.verification.BATCH_ROWS", 3)
    refs = [OrderRef(store=store, number=f"n-{n}") for store in ("a", "B", "ä") for n in range(4)]
    for ref in refs:
        await ledger.write(journal([entry(1), entry(2)], ref=ref))
    timeline = Table.metadata.tables["timeline"]
    for ref in (refs[1], refs[6]):
        where = (timeline.c.store == ref.store, timeline.c.number == ref.number, timeline.c.seq == 2)
        await run(ledger_url, update(timeline).where(*where).values(note="forged"))
    broken: set[str] = set()
    orders = batches = 0
    after: OrderRef | None = None
    while batch := await ledger.verify_next(None, after):
        broken |= set(batch.broken)
        orders, batches, after = orders + batch.orders, batches + 1, batch.last
    assert (broken, orders, batches) == ({str(refs[1]), str(refs[6])}, 12, 6)
    one = await ledger.verify_next("B", None)
    assert one
    assert one.last.store == "B"


async def test_many_writers_at_once_never_fork_the_chain(ledger: SqlLedger) -> None:
    writes = [ledger.write(journal([entry(seq)])) for seq in range(1, 21)]
    facts = [ledger.record_evidence(REF, fact(f"ev-{n}"), "raw") for n in range(20)]
    await asyncio.gather(*writes, *facts)
    assert await ledger.verify_chain(REF) == []
    assert len(await ledger.entries(REF)) == len(await ledger.evidence(REF)) == 20


async def test_a_record_that_is_being_written_verifies_at_every_moment(ledger: SqlLedger, ledger_url: str) -> None:
    looking = SqlLedger(Database(make_engine(ledger_url)))
    done = asyncio.Event()

    async def look() -> int:
        looks = 0
        while not done.is_set():
            assert await looking.verify_chain(REF) == []
            looks += 1
        return looks

    looker = asyncio.create_task(look())
    for n in range(60):
        await ledger.record_evidence(REF, fact(f"ev-{n}"), "raw")
    done.set()
    assert await looker > 1
    await looking.aclose()


async def test_what_was_recorded_in_the_old_form_still_verifies_and_is_still_guarded(
    recorded: SqlLedger, ledger_url: str
) -> None:
    """A chain row and evidence exactly as the code before form 2 wrote them."""
    evidence, chain, orders = (Table.metadata.tables[name] for name in ("evidence", "audit", "orders"))
    row = (await rows(ledger_url, "evidence"))[0] | {"id": 7, "event_id": "old", "form": 1}
    row |= dict.fromkeys(("content_sha256", "recipient_role", "actor", "assurance", "verified", "machine"))
    tail = [one for one in await rows(ledger_url, "audit") if one["number"] == REF.number and one["store"] == REF.store]
    made = Audit(
        store=REF.store,
        number=REF.number,
        position=len(tail) + 1,
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        subject="evidence",
        subject_id="smtp_email/old",
        content_hash=old_digest({name: row[name] for name in OLD_FORM}),
        prev_hash=str(tail[-1]["hash"]),
        hash="",
    )
    covered = ("store", "number", "position", "recorded_at", "subject", "subject_id", "content_hash", "prev_hash")
    made.hash = old_digest({name: getattr(made, name) for name in covered})
    of_order = (orders.c.store == REF.store, orders.c.number == REF.number)
    head = update(orders).where(*of_order).values(chain_length=made.position, chain_head=made.hash)
    await run(ledger_url, insert(evidence).values(row), insert(chain).values(made.model_dump()), head)
    assert await recorded.verify_chain(REF) == []
    await run(ledger_url, update(evidence).where(evidence.c.id == 7).values(grade="E5"))
    (found,) = await recorded.verify_chain(REF)
    assert (found.subject, found.subject_id) == ("evidence", "smtp_email/old")


OLD_FORM = ("event", "grade", "revision", "kind", "n", "occurred_at", "recorded_at", "basis", "raw_sha256")


def old_digest(content: dict[str, object]) -> str:
    """As the first release computed it."""

    def plain(value: object) -> str:
        assert isinstance(value, datetime)
        return value.astimezone(UTC).isoformat()

    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=plain)
    return hashlib.sha256(text.encode()).hexdigest()
