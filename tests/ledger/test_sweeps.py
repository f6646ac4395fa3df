"""What sweeps ask of the record, on both databases: pages without gaps, exceptions that open once, captured orders."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import SendState
from orderack.domain.order import OrderRef
from orderack.ledger.repository import SqlLedger
from orderack.ports.sweeps import ExceptionKind, Finding, OpenException, SweepState
from tests.ledger.samples import LEASE, REF, clock_entry, entry, journal, key, message, order, outcome, stored

SOON = timedelta(seconds=1)


def later() -> datetime:
    """Revisions are stamped with the machine's time."""
    return datetime.now(UTC) + timedelta(hours=1)


async def waiting(ledger: SqlLedger, *numbers: str) -> list[OrderRef]:
    made = []
    for number in numbers:
        content = order(number, external=f"gid-{number}")
        await ledger.save_revision(stored(content), "f", journal(ref=content.ref, stage=Stage.AWAITING_ERP))
        made.append(content.ref)
    return made


def missing(ref: OrderRef, kind: ExceptionKind | None = ExceptionKind.MISSING_IN_ERP, note: str = "") -> Finding:
    return Finding(ref=ref, revision=1, kind=kind, system="main", since=later(), owner="ops", note=note)


async def kinds(ledger: SqlLedger) -> list[tuple[str, str]]:
    return [(one.ref.number, one.kind) for one in await ledger.exceptions()]


async def test_pages_go_through_every_order_without_a_receipt_once(ledger: SqlLedger) -> None:
    refs = await waiting(ledger, *(f"{number}" for number in range(9)))
    await ledger.write(journal([entry(2, Event.ERP_RECEIPT)], ref=refs[3], stage=Stage.CONFIRMED))
    await ledger.write(journal([entry(2, Event.CANCELLED)], ref=refs[5], stage=Stage.CANCELLED))
    found, place = list[str](), None
    while page := await ledger.not_receipted("main", later(), place, 2):
        found += [one.ref.number for one in page]
        place = page[-1].place
    assert found == ["0", "1", "2", "4", "6", "7", "8"]
    assert await ledger.count_not_receipted("main", later()) == 7
    assert await ledger.count_not_receipted("another", later()) == 0
    assert [one.ref.number for one in await ledger.asked_by_nobody(["another"], 2)] == ["0", "1"]
    assert await ledger.asked_by_nobody(["main"], 2) == []


async def test_an_order_is_late_when_its_own_clock_says_so(ledger: SqlLedger) -> None:
    (ref,) = await waiting(ledger, "1")
    (before,) = await ledger.not_receipted("main", later(), None, 9)
    assert before.overdue_at > datetime.now(UTC) + timedelta(minutes=14), "from the last that was heard of it"
    started = clock_entry(2, Event.CLOCK_STARTED, ClockName.ERP_RECEIPT, 60 * 24 * 365 * 30)
    await ledger.write(journal([started], ref=ref, stage=Stage.AWAITING_ERP))
    (after,) = await ledger.not_receipted("main", later(), None, 9)
    assert after.overdue_at == started.due_at
    assert (after.owner, after.draft) == ("ops", False)


async def test_only_the_present_revision_waits(ledger: SqlLedger) -> None:
    (ref,) = await waiting(ledger, "1")
    changed = order("1", total="30.00", external="gid-1")
    await ledger.save_revision(stored(changed, 2), "f", journal([entry(3)], ref=ref, revision=2))
    assert [one.revision for one in await ledger.not_receipted("main", later(), None, 9)] == [2]


async def test_two_sweeps_at_once_open_an_exception_once(ledger: SqlLedger) -> None:
    (ref,) = await waiting(ledger, "1")
    settled = await asyncio.gather(*(ledger.settle([missing(ref)], later()) for _ in range(6)))
    assert sum(len(one.opened) for one in settled) == 1
    assert await kinds(ledger) == [("1", "missing_in_erp")]


async def test_another_kind_takes_the_place_of_the_first_and_a_receipt_of_both(ledger: SqlLedger) -> None:
    (ref,) = await waiting(ledger, "1")
    await ledger.settle([missing(ref, ExceptionKind.NOT_SUBMITTED)], later())
    assert (await ledger.settle([missing(ref)], later())).closed == 1
    assert await kinds(ledger) == [("1", "missing_in_erp")]
    assert (await ledger.settle([missing(ref, None, "its receipt came")], later())).closed == 1
    assert await kinds(ledger) == []
    closed = await ledger.exceptions(closed=True)
    assert {one.note for one in closed} == {"found missing_in_erp instead", "its receipt came"}


async def test_a_change_is_an_exception_of_its_own(ledger: SqlLedger) -> None:
    (ref,) = await waiting(ledger, "1")
    await ledger.settle([missing(ref)], later())
    await ledger.resolve(ref, "ann", "by hand", later())
    changed = order("1", total="30.00", external="gid-1")
    await ledger.save_revision(
        stored(changed, 2), "f", journal([entry(3)], ref=ref, revision=2, stage=Stage.AWAITING_ERP)
    )
    settled = await ledger.settle([missing(ref).model_copy(update={"revision": 2})], later())
    assert [one.revision for one in settled.opened] == [2], "what a person closed was about the revision before"


async def test_an_exception_of_an_order_that_the_ledger_does_not_know_is_kept_all_the_same(ledger: SqlLedger) -> None:
    ghost = OrderRef(store="demo", number="GHOST")
    found = missing(ghost, ExceptionKind.NOT_IN_LEDGER).model_copy(update={"revision": 0})
    now = later()
    await ledger.settle([found], now)
    assert await ledger.close_unseen(now, now) == 0
    assert await kinds(ledger) == [("GHOST", "not_in_ledger")]
    assert await ledger.close_unseen(now + SOON, now + SOON) == 1
    (closed,) = await ledger.exceptions(closed=True)
    assert (closed.closed_by, closed.note) == (None, "no longer found")


async def test_exceptions_are_one_stores_or_alls_the_longest_waiting_first(ledger: SqlLedger) -> None:
    await waiting(ledger, "1", "2")
    finds = [missing(OrderRef(store=REF.store, number=number)) for number in ("2", "1")]
    old = finds[0].model_copy(update={"since": later() - timedelta(days=1)})
    await ledger.settle([finds[1], old], later())
    assert [one.ref.number for one in await ledger.exceptions()] == ["2", "1"]
    assert await ledger.exceptions("south") == []
    assert len(await ledger.exceptions(limit=1)) == 1


async def test_the_last_complete_and_the_last_failed_sweep_are_remembered_beside_the_present_one(
    ledger: SqlLedger,
) -> None:
    now = later()
    first = SweepState(name="erp/main", run="a", began_at=now, at=now, ended_at=now, complete_at=now, waiting=3)
    await ledger.swept(first)
    failed = SweepState(name="erp/main", run="b", began_at=now, at=now + SOON, failed_at=now + SOON, failure="away")
    await ledger.swept(failed)
    (state,) = await ledger.sweeps()
    assert (state.run, state.complete_at, state.failed_at, state.failure) == ("b", now, now + SOON, "away")
    await ledger.swept(SweepState(name="books", run="c", began_at=now, at=now))
    assert [one.name for one in await ledger.sweeps()] == ["books", "erp/main"]


async def test_the_figures_count_what_is_open_and_how_old_each_sweep_is(ledger: SqlLedger) -> None:
    (ref,) = await waiting(ledger, "1")
    now = later()
    await ledger.settle([missing(ref)], now)
    await ledger.swept(SweepState(name="erp/main", run="a", began_at=now, at=now, complete_at=now))
    found = {
        (one.figure.name, *one.labels): one.value
        for one in await ledger.readings(now + timedelta(minutes=5))
        if one.figure.name.startswith(("orderack_exceptions", "orderack_sweep"))
    }
    assert found == {
        ("orderack_exceptions", "missing_in_erp"): 1,
        ("orderack_exceptions_oldest_seconds", "missing_in_erp"): 300,
        ("orderack_sweep_age_seconds", "erp/main"): 300,
    }


@pytest.mark.parametrize("kind", ExceptionKind)
def test_every_kind_has_a_next_step(kind: ExceptionKind) -> None:
    now = later()
    found = OpenException(ref=REF, kind=kind, revision=1, system="", since=now, opened_at=now, seen_at=now, owner=None)
    assert found.next_step


async def test_a_captured_order_comes_with_what_became_of_it(ledger: SqlLedger) -> None:
    (ref,) = await waiting(ledger, REF.number)
    await ledger.write(
        journal([entry(2, Event.ERP_RECEIPT, note="SO-9", after=60), entry(3, Event.CANCELLED, after=90)], ref=ref)
    )
    confirmation = key(ref=ref)
    at = entry(9, after=70).at
    await ledger.claim(confirmation, message(confirmation), at, LEASE)
    await ledger.finish(confirmation, outcome(SendState.ACCEPTED, "p-1"), at)
    (found,) = await ledger.captured(entry(1).at - SOON)
    assert found.ids == {REF.number, "SO-9", f"gid-{REF.number}"}
    assert (found.booked_at, found.confirmed_at) == (entry(2, after=60).at, at)
    assert (found.ended, found.ended_at) == ("cancelled", entry(3, after=90).at)
    assert (found.currency, found.erp, found.paid) == ("EUR", "main", False)
    assert await ledger.captured(entry(1).at + SOON) == []
    assert await ledger.captured(entry(1).at - SOON, "south") == []


async def test_workers_of_the_version_before_can_open_exceptions_beside_those_that_tell_owners(
    ledger: SqlLedger,
) -> None:
    """The schema is migrated first, and they name the columns that they know."""
    of_old = "store, number, kind, revision, system, since, opened_at, seen_at, reopened, note"
    at = later()
    values = {"store": "north", "number": "1", "kind": "not_running", "system": "books", "at": at, "note": ""}
    async with ledger._database.write() as session:
        row = "(:store, :number, :kind, 0, :system, :at, :at, :at, 0, :note)"
        await session.execute(text(f"INSERT INTO exceptions ({of_old}) VALUES {row}"), values)
    (one,) = await ledger.untold()
    assert (one.exception.told, one.exception.told_to) == (0, None)
