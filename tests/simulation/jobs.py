"""What sdk-core tells a workflow: one function for each job of an activation."""

from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob as Job
from temporalio.exceptions import ApplicationError

from tests.simulation._instance import CONVERTER, FAILURES
from tests.simulation.agenda import moment
from tests.simulation.chance import SECOND

EVENTS = {"signal_workflow": 1, "do_update": 2, "fire_timer": 1, "resolve_activity": 2, "initialize_workflow": 1}
"""Events that a job stands for in a history, about: continue-as-new looks at their number."""


def signal(name: str, payloads: Sequence[Payload]) -> Job:
    job = Job()
    job.signal_workflow.signal_name = name
    job.signal_workflow.input.extend(payloads)
    return job


def update(name: str, update_id: str, payloads: Sequence[Payload]) -> Job:
    job = Job()
    made = job.do_update
    made.id, made.protocol_instance_id, made.name, made.run_validator = update_id, update_id, name, True
    made.input.extend(payloads)
    return job


def query(name: str) -> Job:
    job = Job()
    job.query_workflow.query_id, job.query_workflow.query_type = "q", name
    return job


def timer(seq: int) -> Job:
    job = Job()
    job.fire_timer.seq = seq
    return job


def patch(patch_id: str) -> Job:
    job = Job()
    job.notify_has_patch.patch_id = patch_id
    return job


def resolved(seq: int, result: Payload | None, *, local: bool = False) -> Job:
    """The activity ended well."""
    job = _resolution(seq, local)
    job.resolve_activity.result.completed.SetInParent()
    if result is not None:
        job.resolve_activity.result.completed.result.CopyFrom(result)
    return job


def failed(seq: int, activity: str, cause: Failure, why: "RetryState.ValueType", *, local: bool = False) -> Job:
    """The activity is given up: `cause` is how its last attempt ended."""
    job = _resolution(seq, local)
    failure = job.resolve_activity.result.failed.failure
    failure.message = "activity task failed"
    failure.cause.CopyFrom(cause)
    _about(failure, seq, activity, why)
    return job


def cancelled(seq: int, activity: str) -> Job:
    """The workflow asked for it, and hears of it at once (`TRY_CANCEL`)."""
    job = _resolution(seq, False)
    failure = job.resolve_activity.result.cancelled.failure
    failure.message = "Activity cancelled"
    failure.cause.message = "Cancelled"
    failure.cause.canceled_failure_info.SetInParent()
    _about(failure, seq, activity, RetryState.RETRY_STATE_UNSPECIFIED)
    return job


def backoff(seq: int, attempt: int, wait: int, scheduled_at: int) -> Job:
    """A local activity's next attempt is too far away to wait for it: the workflow takes a timer."""
    job = _resolution(seq, True)
    told = job.resolve_activity.result.backoff
    told.attempt = attempt
    told.backoff_duration.CopyFrom(duration(wait))
    told.original_schedule_time.FromDatetime(moment(scheduled_at))
    return job


def timed_out(kind: "TimeoutType.ValueType") -> Failure:
    failure = Failure(message="activity timeout")
    failure.timeout_failure_info.timeout_type = kind
    return failure


def application(error: ApplicationError) -> Failure:
    failure = Failure()
    FAILURES.to_failure(error, CONVERTER, failure)
    return failure


def duration(length: int) -> Duration:
    return Duration(seconds=length // SECOND, nanos=length % SECOND * 1_000)


def length(given: Duration) -> int:
    return given.seconds * SECOND + given.nanos // 1_000


def in_order(found: Sequence[Job]) -> list[Job]:
    """As sdk-core hands them over: the start, then patches, signals and updates, the rest, local activities last."""
    return sorted(found, key=_rank)


def _rank(job: Job) -> int:
    match job.WhichOneof("variant"):
        case "initialize_workflow":
            return 0
        case "notify_has_patch":
            return 1
        case "signal_workflow" | "do_update":
            return 2
        case "resolve_activity" if job.resolve_activity.is_local:
            return 4
        case _:
            return 3


def _resolution(seq: int, local: bool) -> Job:
    job = Job()
    job.resolve_activity.seq, job.resolve_activity.is_local = seq, local
    return job


def _about(failure: Failure, seq: int, activity: str, why: "RetryState.ValueType") -> None:
    info = failure.activity_failure_info
    info.activity_id, info.activity_type.name, info.retry_state = str(seq), activity, why
