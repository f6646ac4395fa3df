"""Billable Actions of a run, counted from its own history.

One rule a line. Source: Temporal's documentation, "Temporal Cloud Actions", checked against the dev server's `action`
metric by `tests/bench/history.py`. A history does not show deduplicated and rejected updates, queries and heartbeats:
an order that answers at once and is asked nothing has none of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

LOCAL_ACTIVITY = "core_local_activity"
PATCH = "core_patch"
CHANGE_VERSION = "TemporalChangeVersion"


def actions(events: Iterable[HistoryEvent]) -> Counter[str]:
    """How many Actions of each kind this history cost."""
    found: Counter[str] = Counter()
    local_in: set[int] = set()
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            _marker(event, found, local_in)
        elif event.event_type in RULES:
            name, cost = RULES[event.event_type]
            found[name] += cost(event)
    return +found


def _marker(event: HistoryEvent, found: Counter[str], local_in: set[int]) -> None:
    """All local activities of one workflow task are one Action; a patch's marker is one."""
    marker = event.marker_recorded_event_attributes
    if marker.marker_name == LOCAL_ACTIVITY and marker.workflow_task_completed_event_id not in local_in:
        local_in.add(marker.workflow_task_completed_event_id)
        found["local activities of a task"] += 1
    elif marker.marker_name == PATCH:
        found["patch"] += 1


def _started(event: HistoryEvent) -> int:
    """A start is one; the run after a continue-as-new was paid for by its command."""
    return 0 if event.workflow_execution_started_event_attributes.continued_execution_run_id else 1


def _signaled(event: HistoryEvent) -> int:
    """A signal is one; one that starts the run (event 2, before any task) is one together with the start."""
    return 0 if event.event_id == 2 else 1


def _retries(event: HistoryEvent) -> int:
    """Every attempt is one; the first is counted where the activity is scheduled."""
    return event.activity_task_started_event_attributes.attempt - 1


def _upserted(event: HistoryEvent) -> int:
    """An upsert call is one, however many attributes; the one that a patch makes is free."""
    upserted = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
    return 0 if CHANGE_VERSION in upserted else 1


def _one(event: HistoryEvent) -> int:
    return 1


RULES: Mapping[int, tuple[str, Callable[[HistoryEvent], int]]] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: ("start", _started),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: ("signal", _signaled),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: ("update", _one),
    EventType.EVENT_TYPE_TIMER_STARTED: ("timer", _one),
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: ("activity", _one),
    EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: ("activity retry", _retries),
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: ("search attributes", _upserted),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: ("continue as new", _one),
}
