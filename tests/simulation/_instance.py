"""One run of the real workflow in this process, as a worker would hold it.

This is the only file that reaches into modules of the SDK that are not public (`temporalio.worker._workflow_instance`,
the core's protobufs). `requirements.lock` pins the SDK, and `test_calibration.py` compares what comes out with a real
server, so an SDK that behaves otherwise is noticed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.common import Priority, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInterceptorClassInput
from temporalio.worker._workflow_instance import WorkflowInstance, WorkflowInstanceDetails

from orderack.contracts import names
from orderack.temporal.converter import data_converter
from tests.simulation.agenda import moment
from tests.simulation.chance import SECOND
from workflows import OrderAcknowledgement
from workflows._state import OrderState
from workflows.interceptor import AroundOrders

CONVERTER = data_converter().payload_converter
FAILURES = data_converter().failure_converter
_FAILURE_CLASS = data_converter().failure_converter_class
_DEFINITION = workflow._Definition.must_from_class(OrderAcknowledgement)
_INTERCEPTOR = AroundOrders().workflow_interceptor_class(WorkflowInterceptorClassInput(unsafe_extern_functions={}))
_RUNNER = UnsandboxedWorkflowRunner()
_LOOP = asyncio.new_event_loop()
"""Only for an instance's constructor, which asks which loop is running."""

_TASK_TIMEOUT = timedelta(seconds=10)


@dataclass(frozen=True)
class Birth:
    """Who a run is."""

    workflow_id: str
    run_id: str
    seed: int
    at: int
    begin: Payload


class Instance:
    """The workflow's code with the SDK around it, fed with activations."""

    def __init__(self, birth: Birth) -> None:
        self._birth = birth
        self._sdk = _create(birth)

    def activate(
        self, jobs: Sequence[WorkflowActivationJob], at: int, history: int, *, replaying: bool
    ) -> WorkflowActivationCompletion:
        """What the workflow commands when these jobs reach it at that time."""
        activation = WorkflowActivation(run_id=self._birth.run_id, history_length=history, is_replaying=replaying)
        _stamp(activation, at)
        activation.jobs.extend(jobs)
        return self._sdk.activate(activation)

    def evict(self) -> None:
        """Let it go, as a worker does whose cache is full."""
        job = WorkflowActivationJob()
        job.remove_from_cache.message = "simulated"
        self.activate([job], self._birth.at, 0, replaying=True)

    @property
    def begun(self) -> bool:
        """Whether it has had its first task: the SDK makes the workflow's object then, and not before."""
        return self._sdk._object is not None  # type: ignore[attr-defined]

    @property
    def state(self) -> OrderState:
        """The workflow's own state, to be looked at and never changed."""
        order: OrderAcknowledgement = self._sdk._object  # type: ignore[attr-defined]
        return order._state

    @property
    def tasks(self) -> frozenset[str]:
        """The side effects that are under way."""
        order: OrderAcknowledgement = self._sdk._object  # type: ignore[attr-defined]
        return frozenset(order._tasks)


def begin_job(birth: Birth) -> WorkflowActivationJob:
    """The first job of a run."""
    job = WorkflowActivationJob()
    begin = job.initialize_workflow
    begin.workflow_type, begin.workflow_id = names.WORKFLOW, birth.workflow_id
    begin.arguments.append(birth.begin)
    begin.randomness_seed, begin.attempt = birth.seed, 1
    return job


def _stamp(activation: WorkflowActivation, at: int) -> None:
    whole = moment(at)
    activation.timestamp.seconds = int(whole.timestamp())
    activation.timestamp.nanos = (at % SECOND) * 1_000


def _create(birth: Birth) -> WorkflowInstance:
    at = moment(birth.at)
    info = workflow.Info(
        attempt=1,
        continued_run_id=None,
        cron_schedule=None,
        execution_timeout=None,
        first_execution_run_id=birth.run_id,
        headers={},
        namespace="default",
        original_execution_run_id=birth.run_id,
        parent=None,
        priority=Priority.default,
        raw_memo={},
        retry_policy=None,
        root=None,
        run_id=birth.run_id,
        run_timeout=None,
        search_attributes={},
        start_time=at,
        task_queue=names.ORDERS_QUEUE,
        task_timeout=_TASK_TIMEOUT,
        typed_search_attributes=TypedSearchAttributes([]),
        workflow_id=birth.workflow_id,
        workflow_start_time=at,
        workflow_type=names.WORKFLOW,
    )
    details = WorkflowInstanceDetails(
        payload_converter_factory=lambda: CONVERTER,
        failure_converter_class=_FAILURE_CLASS,
        interceptor_classes=[_INTERCEPTOR] if _INTERCEPTOR else [],
        defn=_DEFINITION,
        info=info,
        randomness_seed=birth.seed,
        extern_functions={"__temporal_assert_local_activity_valid": lambda activity: None},
        disable_eager_activity_execution=True,
        worker_level_failure_exception_types=[],
        patch_activation_callback=None,
        last_completion_result=Payloads(),
        last_failure=None,
    )
    asyncio._set_running_loop(_LOOP)
    try:
        return _RUNNER.create_instance(details)
    finally:
        asyncio._set_running_loop(None)
