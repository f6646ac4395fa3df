"""Every invariant holds on a real run, and each thing made wrong in that run's logs is caught by its own."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from shutil import copytree

import pytest
import pytest_asyncio
from temporalio.api.common.v1 import Payload

from orderack.contracts.journal import Event, Stage
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.evidence import Grade
from orderack.embedded.sandbox.faults import Operation, Target
from tests.invariants import lives
from tests.invariants.altered import (
    account,
    drop_entries,
    drop_said,
    each_send,
    instead,
    late_by,
    life,
    life_of,
    ref,
    remade,
    repeat_entry,
    rows,
    say_as,
    stage,
    state,
    taken,
    with_taken,
    without_entries,
)
from tests.invariants.catalog import INVARIANTS, Finding, State, check
from tests.invariants.folder import histories_in, read
from tests.invariants.logs import Answered, Log, ReachRow, Run
from tests.invariants.record import CANCELLED, CHANGED, DOUBT, EARLY, LATE, RECORDED, SILENT, STRAIGHT
from tests.invariants.report import report
from workflows._state import OrderState

HOUR = timedelta(hours=1)
ELSEWHERE = {"I13", "I18", "I19"}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded run as it was exported."""
    made = tmp_path_factory.mktemp("invariants") / "run"
    copytree(RECORDED, made)
    with closing(sqlite3.connect(made / "ledger.db")) as ledger:
        ledger.executescript((made / "ledger.sql").read_text())
    (made / "logs").mkdir()
    (made / "logs" / "worker.log").write_text("working: orders, messaging, erp, sources\n")
    return made


@pytest_asyncio.fixture(scope="session")
async def run(folder: Path) -> Run:
    """With itself as its orderly twin."""
    found = await read(folder)
    return remade(found, twin=found)


def finding(run: Run, id: str) -> Finding:
    (found,) = check(run, tuple(one for one in INVARIANTS if one.id == id))
    return found


@pytest.mark.parametrize("id", [one.id for one in INVARIANTS if one.id not in ELSEWHERE])
async def test_it_holds_on_the_real_run(run: Run, id: str) -> None:
    found = finding(run, id)
    assert (found.violations, found.state) == ((), State.HELD)
    assert found.looked_at > 0


# -- what was made wrong --------------------------------------------------------------------------------------------


def no_message_on_record(run: Run) -> Run:
    return rows(run, acknowledgements=())


def weaker_grade(run: Run) -> Run:
    found = [row for row in run.rows.acknowledgements if row.grade is Grade.E2]
    return rows(
        run,
        acknowledgements=[remade(row, grade=Grade.E0) if row in found else row for row in run.rows.acknowledgements],
    )


def too_strong(run: Run) -> Run:
    first = run.rows.evidence[0]
    return rows(run, evidence=[remade(first, grade=Grade.E6), *run.rows.evidence[1:]])


def falling_revision(state: OrderState) -> None:
    last = state.timeline[-1]
    state.timeline[-1] = last.model_copy(update={"revision": 1})


def skipped_number(state: OrderState) -> None:
    for ack in state.said(Kind.UPDATE):
        ack.n += 1


def off_its_slot(state: OrderState) -> None:
    for ack in state.said(Kind.UPDATE):
        ack.decided_at -= timedelta(seconds=20)


def holding_twice(run: Run) -> Run:
    first = taken(run, LATE, "/holding/")
    key = (first.key or "").replace("/holding/1/", "/holding/2/")
    return with_taken(run, remade(first, key=key))


def claimed_late(run: Run) -> Run:
    return each_send(run, STRAIGHT, lambda row: remade(row, claimed_at=row.claimed_at + HOUR))


def booked_by_nobody(run: Run) -> Run:
    return remade(run, providers=[entry for entry in run.providers or () if "I-1/" not in (entry.key or "")])


def booked_twice(run: Run) -> Run:
    first = next(
        entry
        for entry in run.providers or ()
        if entry.target is Target.ERP and entry.operation is Operation.SEND and entry.recipient == str(ref(STRAIGHT))
    )
    return with_taken(run, remade(first, provider_id="SO-OTHER", repeated=True))


def told_to_the_erp_twice(run: Run) -> Run:
    first = next(
        entry
        for entry in run.providers or ()
        if entry.target is Target.ERP and entry.operation is Operation.SEND and entry.recipient == str(ref(STRAIGHT))
    )
    return with_taken(run, remade(first, repeated=False))


def untold(run: Run) -> Run:
    first, *rest = run.inbox or ()
    return late_by(remade(run, inbox=[remade(first, announced_at=None, outcome=""), *rest]), 1)


def without_a_word(run: Run) -> Run:
    first, *rest = run.inbox or ()
    return remade(run, inbox=[remade(first, outcome=""), *rest])


def another_note(run: Run) -> Run:
    first, *rest = run.rows.timeline
    return rows(run, timeline=[remade(first, note="something else"), *rest])


def later_entry(run: Run) -> Run:
    first, *rest = run.rows.timeline
    return rows(run, timeline=[remade(first, at=first.at + HOUR), *rest])


def invented_entry(run: Run) -> Run:
    last = run.rows.timeline[-1]
    return rows(run, timeline=[*run.rows.timeline, remade(last, seq=last.seq + 100)])


def other_bytes(run: Run) -> Run:
    return each_send(run, STRAIGHT, lambda row: remade(row, message=(row.message or "") + " "))


def other_digest(run: Run) -> Run:
    return each_send(run, STRAIGHT, lambda row: remade(row, message=None, message_sha256="0" * 64))


def strange_evidence(run: Run) -> Run:
    first = run.rows.evidence[0]
    return rows(run, evidence=[*run.rows.evidence, remade(first, n=99)])


def known_to_the_ledger_alone(run: Run) -> Run:
    return remade(run, lives=[one for one in run.lives or () if one.ref != ref(STRAIGHT)])


def begun_twice(run: Run) -> Run:
    began = life_of(run, STRAIGHT).started_at
    return life(run, STRAIGHT, started_at=(*began, began[0] + HOUR))


def named_in_a_note(run: Run) -> Run:
    first, *rest = run.rows.timeline
    return rows(run, timeline=[remade(first, note="from ada1@example.com"), *rest])


def named_in_public(run: Run) -> Run:
    return life(run, STRAIGHT, in_public=(*life_of(run, STRAIGHT).in_public, "invalid phone: +49305550001"))


def named_in_a_log(run: Run) -> Run:
    return remade(run, process_logs=(("gateway", "refused: Ada Example 1"),))


def opted_out_before(run: Run) -> Run:
    row = next(row for row in run.rows.sends if row.ref == ref(STRAIGHT) and row.state is SendState.ACCEPTED)
    out = ReachRow(
        channel=row.channel,
        address_sha256=row.recipient_sha256 or "",
        opted_out_at=row.claimed_at - HOUR,
        opted_in_at=None,
    )
    return rows(run, reaches=[*run.rows.reaches, out])


def claimed_for_ever(run: Run) -> Run:
    return late_by(each_send(run, STRAIGHT, lambda row: remade(row, state=SendState.CLAIMED)), 1)


def answered_and_lost(run: Run) -> Run:
    lost = Answered(ref=ref("I-LOST"), status=202, at=run.account.quiet_since)
    return account(run, answers=(*run.account.answers, lost))


def confirmed_too_early(run: Run) -> Run:
    entry = taken(run, STRAIGHT, "/confirmation/")
    return instead(run, entry, at=entry.at - HOUR)


def again(number: str, part: str) -> Callable[[Run], Run]:
    return lambda run: with_taken(run, taken(run, number, part))


WRONG: dict[str, tuple[str, Callable[[Run], Run]]] = {
    "a confirmation before its receipt": ("I1", confirmed_too_early),
    "a confirmation without any receipt": ("I1", lambda run: life(run, STRAIGHT, receipts=())),
    "a second holding message": ("I2", holding_twice),
    "no holding message where one was due": ("I2", lambda run: state(run, LATE, drop_said(Kind.HOLDING))),
    "a holding message to an order in time": (
        "I2",
        lambda run: state(run, STRAIGHT, say_as(Kind.CONFIRMATION, Kind.HOLDING)),
    ),
    "an update that skips a number": ("I3", lambda run: state(run, LATE, skipped_number)),
    "an update before its time": ("I3", lambda run: state(run, LATE, off_its_slot)),
    "an update of an order that is not escalated": (
        "I3",
        lambda run: state(run, STRAIGHT, say_as(Kind.CONFIRMATION, Kind.UPDATE)),
    ),
    "an update after the escalation": ("I3", lambda run: state(run, LATE, say_as(Kind.UPDATE, Kind.UPDATE, HOUR))),
    "a message taken twice": ("I4", again(STRAIGHT, "/confirmation/")),
    "an order booked anew": ("I4", told_to_the_erp_twice),
    "an alert taken twice though nothing crashed": ("I4", again(LATE, "/alert/")),
    "a message that was never claimed": (
        "I5",
        lambda run: each_send(run, STRAIGHT, lambda r: remade(r, key="other", provider_id="x")),
    ),
    "a claim after the message": ("I5", claimed_late),
    "an acceptance that no provider knows of": ("I5", booked_by_nobody),
    "an early receipt that was forgotten": ("I6", lambda run: state(run, EARLY, drop_entries(Event.ERP_RECEIPT))),
    "a receipt that counted twice": ("I6", lambda run: state(run, EARLY, repeat_entry(Event.ERP_RECEIPT))),
    "an order that ends unlike its twin": ("I7", lambda run: state(run, LATE, stage(Stage.REVIEW))),
    "a buyer who is told less than the twin's": (
        "I7",
        lambda run: remade(run, providers=[e for e in run.providers or () if "/update/" not in (e.key or "")]),
    ),
    "an order that the twin never had": ("I7", lambda run: remade(run, twin=known_to_the_ledger_alone(run))),
    "an event that nobody was told": ("I8", untold),
    "an event without an outcome": ("I8", without_a_word),
    "an order that was taken and lost": ("I8", answered_and_lost),
    "an entry that reads otherwise": ("I9", another_note),
    "an entry at a later time": ("I9", later_entry),
    "an entry that is not in the ledger": ("I9", lambda run: without_entries(run, STRAIGHT, Event.CONFIRMED)),
    "an entry that nobody made": ("I9", invented_entry),
    "a message that was changed": ("I9", other_bytes),
    "a message other than the history's": ("I9", other_digest),
    "a revision that falls": ("I10", lambda run: state(run, CHANGED, falling_revision)),
    "a message decided about an older revision": (
        "I10",
        lambda run: state(run, CHANGED, say_as(Kind.CONFIRMATION, Kind.QUESTION, HOUR)),
    ),
    "a message without its row": ("I10", no_message_on_record),
    "evidence of a message that never was": ("I11", strange_evidence),
    "evidence beyond what the channel can prove": ("I11", too_strong),
    "a grade that fell": ("I11", weaker_grade),
    "an order whose time is long past": ("I12", lambda run: late_by(run, 60)),
    "an order that still waits for the ERP": ("I12", lambda run: state(run, STRAIGHT, stage(Stage.AWAITING_ERP))),
    "an order without a workflow": ("I12", known_to_the_ledger_alone),
    "an order whose state cannot be told": ("I12", lambda run: life(run, STRAIGHT, state=None, unreplayable="no")),
    "a history that does not replay": ("I14", lambda run: life(run, STRAIGHT, unreplayable="NondeterminismError")),
    "an order begun twice": ("I15", begun_twice),
    "an order with two documents": ("I15", booked_twice),
    "a buyer named in the timeline": ("I16", named_in_a_note),
    "a buyer named in a failure": ("I16", named_in_public),
    "a buyer named in a log": ("I16", named_in_a_log),
    "a message after the opt-out": ("I17", opted_out_before),
    "a doubt that nobody sees": ("I20", lambda run: without_entries(run, DOUBT, Event.SEND_UNKNOWN)),
    "a send that is left half done": ("I20", claimed_for_ever),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_is_made_wrong_is_caught(run: Run, what: str) -> None:
    id, change = WRONG[what]
    found = finding(change(run), id)
    assert found.state is State.VIOLATED, what
    assert all(broken.order and broken.evidence for broken in found.violations)
    assert not report([found]).sound
    assert id in report([found]).words


def test_every_invariant_that_can_be_checked_is_caught_being_broken() -> None:
    assert {id for id, _ in WRONG.values()} == {one.id for one in INVARIANTS} - ELSEWHERE


# -- what is not known is not called held ---------------------------------------------------------------------------

FIELDS = {
    Log.INBOX: "inbox",
    Log.PROVIDERS: "providers",
    Log.LEDGER: "ledger",
    Log.HISTORIES: "lives",
    Log.TWIN: "twin",
}


@pytest.mark.parametrize("log", FIELDS)
async def test_without_its_log_an_invariant_is_not_checked(run: Run, log: Log) -> None:
    found = {one.id: one for one in check(remade(run, **{FIELDS[log]: None}))}
    blind = {one.id for one in INVARIANTS if log in one.needs}
    assert blind
    for id in blind:
        assert (found[id].state, found[id].looked_at) == (State.NOT_CHECKED, 0)
        assert log in found[id].why


async def test_what_a_run_has_no_case_of_is_not_checked(run: Run) -> None:
    assert finding(remade(run, lives=()), "I3").state is State.NOT_CHECKED


@pytest.mark.parametrize("id", sorted(ELSEWHERE))
async def test_what_no_log_shows_names_the_tests_that_do(run: Run, id: str) -> None:
    found = finding(run, id)
    assert found.state is State.NOT_CHECKED
    assert "tests/" in found.why


def test_the_tests_that_are_named_are_there() -> None:
    root = Path(__file__).parents[2]
    for one in INVARIANTS:
        for name in re.findall(r"tests/[\w/.]+", one.elsewhere):
            assert (root / name).exists(), (one.id, name)


# -- the run's own shape --------------------------------------------------------------------------------------------


async def test_the_run_has_a_case_for_everything_that_is_checked(run: Run) -> None:
    stages = {one.ref.number: one.state.stage for one in run.lives or () if one.state}
    assert stages[CANCELLED] is Stage.CANCELLED
    assert len(stages) == 8
    assert life_of(run, EARLY).receipts[0].via == "signal"
    assert {row.state for row in run.rows.sends} >= {SendState.ACCEPTED, SendState.UNKNOWN}
    assert any(row.opted_out_at for row in run.rows.reaches), SILENT


async def test_a_start_that_was_turned_away_is_not_stuck_unless_it_was_an_order_of_ours(run: Run) -> None:
    stranger = life(run, STRAIGHT, ref=ref("POISON"), state=None, turned_away=True)
    unknown_here = rows(stranger, orders=[row for row in run.rows.orders if row.ref != ref(STRAIGHT)])
    assert finding(unknown_here, "I12").state is State.HELD
    assert finding(life(run, STRAIGHT, state=None, turned_away=True), "I12").state is State.VIOLATED


async def test_a_provider_that_can_tell_no_repeat_may_have_one_for_each_crash(run: Run) -> None:
    twice = again(LATE, "/alert/")(run)
    assert finding(account(twice, crashes=1), "I4").state is State.HELD


async def test_a_history_with_a_step_left_out_does_not_replay(folder: Path) -> None:
    histories = histories_in(folder / "histories")
    broken = next(one for one in histories if one.workflow_id.endswith(STRAIGHT))
    events = broken.events
    gone = next(e for e in events if e.HasField("activity_task_scheduled_event_attributes"))
    gone.activity_task_scheduled_event_attributes.activity_type.name = "something_else"
    (one,) = await lives.read([broken])
    assert "NondeterminismError" in one.unreplayable or "Nondeterminism" in one.unreplayable


def test_the_recorded_run_names_no_machine() -> None:
    for path in (RECORDED / "histories").iterdir():
        text = path.read_text()
        assert set(re.findall(r'"identity": "([^"]*)"', text)) == {"worker"}, path.name
        assert "site-packages" not in text, path.name


async def test_signals_that_nobody_can_read_are_passed_over(folder: Path) -> None:
    """As the workflow passes them over: no argument, two, one that is no receipt."""
    history = next(one for one in histories_in(folder / "histories") if one.workflow_id.endswith(EARLY))
    told = next(e for e in history.events if e.HasField("workflow_execution_signaled_event_attributes"))
    for payloads in ([], [Payload(data=b"{}")] * 2, [Payload(metadata={"encoding": b"json/plain"}, data=b"{}")]):
        del told.workflow_execution_signaled_event_attributes.input.payloads[:]
        told.workflow_execution_signaled_event_attributes.input.payloads.extend(payloads)
        (one,) = await lives.read([history])
        assert all(receipt.via != "signal" for receipt in one.receipts)
