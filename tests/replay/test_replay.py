"""Orders that are running replay on this version of the workflow: every recorded history, and two planted faults."""

import asyncio
import re

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from orderack.contracts import looks, names
from orderack.temporal.converter import data_converter
from tests.history.stage import runner
from tests.replay.histories import BEFORE, FOLDER, WORKER, recorded
from tests.replay.looks import LOOKS, LOOKS_FOLDER
from tests.replay.stories import STORIES
from workflows import WORKFLOWS, _calls, _steps
from workflows.interceptor import AroundOrders

HISTORIES = recorded()
OLD_WAYS = recorded(BEFORE)
TAKEN = recorded(LOOKS_FOLDER)


async def replay(history: WorkflowHistory) -> None:
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=data_converter(),
        interceptors=[AroundOrders()],
        workflow_runner=runner(),
    )
    async with asyncio.timeout(60):  # a history that makes no sense would keep the replayer waiting
        await replayer.replay_workflow(history)


@pytest.mark.parametrize("name", HISTORIES)
async def test_an_order_recorded_before_replays(name: str) -> None:
    await replay(HISTORIES[name])


@pytest.mark.parametrize("name", OLD_WAYS)
async def test_an_order_that_passed_a_change_before_it_was_made_goes_on_in_the_old_way(name: str) -> None:
    await replay(OLD_WAYS[name])


@pytest.mark.parametrize("name", TAKEN)
async def test_a_look_recorded_before_replays(name: str) -> None:
    await replay(TAKEN[name])


@pytest.mark.parametrize("name", ["an_erp_swept_by_two_workers", "the_books_swept"])
async def test_a_sweep_that_asks_for_something_else_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "sweep_erp", looks.sweep_books)
    monkeypatch.setattr(looks, "sweep_books", looks.look_at_erp)
    with pytest.raises(NondeterminismError):
        await replay(TAKEN[name])


async def test_a_step_taken_in_another_way_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_calls, "assess_here", _calls.assess_patiently)
    with pytest.raises(NondeterminismError):
        await replay(HISTORIES["erp_gated"])


async def test_a_step_left_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_steps, "needs_handoff", lambda state: False)
    with pytest.raises(NondeterminismError):
        await replay(HISTORIES["ack_gated_to_its_close"])


def test_every_story_is_recorded() -> None:
    assert {re.sub(r"-\d+$", "", name) for name in HISTORIES} == set(STORIES)
    assert {"continued_as_new-1", "continued_as_new-2"} <= set(HISTORIES)
    assert set(OLD_WAYS) <= set(STORIES)


def test_every_look_is_recorded_and_each_of_their_activities_is_held() -> None:
    assert set(TAKEN) == set(LOOKS)
    held = {
        event.activity_task_scheduled_event_attributes.activity_type.name
        for history in TAKEN.values()
        for event in history.events
    }
    assert {names.LOOK_AT_SOURCE, names.LOOK_AT_ERP, names.SWEEP_ERP, names.SWEEP_BOOKS} <= held
    ended = {history.events[-1].event_type for history in TAKEN.values()}
    assert {EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED} == ended


def test_the_histories_hold_every_message_and_every_activity() -> None:
    held = set()
    for history in HISTORIES.values():
        for event in history.events:
            held.add(event.workflow_execution_signaled_event_attributes.signal_name)
            held.add(event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name)
            held.add(event.activity_task_scheduled_event_attributes.activity_type.name)
    kinds = ("SIGNAL_", "UPDATE_")
    said = {value for name, value in vars(names).items() if name.startswith(kinds)}
    called = {names.ASSESS, names.SUBMIT_TO_ERP, names.CANCEL_IN_ERP, names.ACKNOWLEDGE, names.HAND_OFF, names.RECORD}
    assert said | called <= held


def test_the_histories_hold_continue_as_new_retries_and_expired_timers() -> None:
    held = {event.event_type for history in HISTORIES.values() for event in history.events}
    wanted = ("WORKFLOW_EXECUTION_CONTINUED_AS_NEW", "TIMER_FIRED", "TIMER_CANCELED", "WORKFLOW_EXECUTION_COMPLETED")
    assert {EventType.Value(f"EVENT_TYPE_{name}") for name in wanted} <= held


def test_the_histories_name_no_machine_and_no_path() -> None:
    for path in FOLDER.rglob("*.json"):
        text = path.read_text()
        assert set(re.findall(r'"identity": "([^"]*)"', text)) == {WORKER}, path.name
        assert "site-packages" not in text, path.name
