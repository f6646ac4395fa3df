"""What is handed to an order before its task has begun is refused: it would carry the time of the task before.

A question that nobody answered in time is delivered to the next worker with the whole history, the events included
that a waiting task is to bring. The SDK (temporalio 1.35.0) then runs the order through those events too, at the time
of its last task, and keeps what the order commands for the real task. A replay has the right time, commands something
else, and the order is stuck. Refused, the worker forgets the order: whoever asked may ask again, and the task replays.
"""

from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker._command_aware_visitor import CommandInfo
from temporalio.workflow import Info

from orderack.temporal.rpc import AHEAD


class InTimeRunner(UnsandboxedWorkflowRunner):
    """Orders that refuse what runs ahead of their task.

    Without the SDK's sandbox, which forbids clocks, chance and files while an order runs and costs time at each step:
    the stories, the recorded histories and their fingerprints run inside it (tests/workflows, tests/replay).
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _InTime(super().create_instance(det))


class _InTime(WorkflowInstance):
    def __init__(self, order: WorkflowInstance) -> None:
        self._order = order
        self._events = 0
        self._bytes = 0

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if self._ahead(act):
            return _refused(act)
        self._events, self._bytes = act.history_length, act.history_size_bytes
        return self._order.activate(act)

    def _ahead(self, act: WorkflowActivation) -> bool:
        """More events, but no new task: each task's beginning says how large the history is by then, and it grows.

        Of a server that does not say (0; the time-skipping one) nothing is refused.
        """
        news = any(job.WhichOneof("variant") != "query_workflow" for job in act.jobs)
        return news and act.history_length > self._events and 0 < act.history_size_bytes == self._bytes

    def get_serialization_context(self, command_info: CommandInfo | None) -> SerializationContext | None:
        return self._order.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: CommandInfo | None) -> StorageDriverStoreContext:
        return self._order.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._order.get_info()

    def get_thread_id(self) -> int | None:
        return self._order.get_thread_id()


def _refused(act: WorkflowActivation) -> WorkflowActivationCompletion:
    completion = WorkflowActivationCompletion(run_id=act.run_id)
    completion.failed.failure.CopyFrom(Failure(message=AHEAD))
    return completion
