"""The rules by which Actions are counted, one a test."""

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from tests.history.actions import actions


def event(name: str, id: int = 10) -> HistoryEvent:
    return HistoryEvent(event_id=id, event_type=EventType.Value(f"EVENT_TYPE_{name}"))


def marker(name: str, task: int) -> HistoryEvent:
    made = event("MARKER_RECORDED")
    made.marker_recorded_event_attributes.marker_name = name
    made.marker_recorded_event_attributes.workflow_task_completed_event_id = task
    return made


def test_a_start_is_one_and_so_is_a_signal_that_starts() -> None:
    assert actions([event("WORKFLOW_EXECUTION_STARTED", 1)]).total() == 1
    both = [event("WORKFLOW_EXECUTION_STARTED", 1), event("WORKFLOW_EXECUTION_SIGNALED", 2)]
    assert actions(both).total() == 1
    assert actions([*both, event("WORKFLOW_EXECUTION_SIGNALED", 6)]).total() == 2


def test_a_run_after_continue_as_new_was_paid_for_by_the_one_before() -> None:
    started = event("WORKFLOW_EXECUTION_STARTED", 1)
    started.workflow_execution_started_event_attributes.continued_execution_run_id = "before"
    assert actions([event("WORKFLOW_EXECUTION_CONTINUED_AS_NEW"), started]).total() == 1


def test_local_activities_of_one_task_are_one() -> None:
    found = [marker("core_local_activity", 4), marker("core_local_activity", 4), marker("core_local_activity", 9)]
    assert actions(found).total() == 2


def test_every_attempt_of_an_activity_is_one() -> None:
    third = event("ACTIVITY_TASK_STARTED")
    third.activity_task_started_event_attributes.attempt = 3
    assert actions([event("ACTIVITY_TASK_SCHEDULED"), third]).total() == 3


def test_an_upsert_is_one_and_the_one_of_a_patch_is_free_but_its_marker_is_not() -> None:
    upsert, of_patch = (event("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES") for _ in range(2))
    fields = of_patch.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
    fields["TemporalChangeVersion"].data = b"[]"
    assert actions([upsert]).total() == 1
    assert actions([of_patch, marker("core_patch", 4)]).total() == 1


def test_tasks_completions_and_cancelled_timers_are_free() -> None:
    free = ("WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_COMPLETED", "ACTIVITY_TASK_COMPLETED", "TIMER_CANCELED")
    assert actions([event(name) for name in (*free, "TIMER_FIRED", "WORKFLOW_EXECUTION_COMPLETED")]).total() == 0


def test_updates_signals_and_timers_are_one_each() -> None:
    paid = ("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_SIGNALED", "TIMER_STARTED")
    assert actions([event(name) for name in paid]).total() == 3
