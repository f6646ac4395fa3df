"""Sweeps that somebody wants now: begun, or joined where one of that name is under way."""

from datetime import timedelta

from temporalio.client import Client, ScheduleActionExecutionStartWorkflow, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError
from temporalio.service import RPCError

from orderack.contracts import names
from orderack.contracts.looks import SweepRequest, SweepResult
from orderack.errors import Unavailable
from orderack.temporal.orders import WITHIN
from orderack.temporal.rpc import bounded
from orderack.temporal.schedules import LONGEST_SWEEP, id_of


class Begun:
    """A sweep that runs."""

    def __init__(self, handle: WorkflowHandle[object, SweepResult], *, joined: bool) -> None:
        self.joined = joined
        """Its schedule, or somebody else, had begun it."""
        self._handle = handle

    async def result(self) -> SweepResult:
        """Wait for its end. Raises Unavailable where it could not go through all, and says why."""
        try:
            return await self._handle.result()
        except WorkflowFailureError as error:
            raise Unavailable(_reason(error.cause)) from None
        except (RPCError, RuntimeError) as error:
            raise Unavailable("Temporal does not answer; the sweep goes on without us") from error


async def begin(client: Client, request: SweepRequest, within: timedelta = WITHIN) -> Begun:
    """Run a sweep now. One that runs already, by its schedule or by hand, is joined. Raises Unavailable."""
    running = await bounded(_scheduled(client, request), within)
    if running:
        return Begun(client.get_workflow_handle(running, result_type=SweepResult), joined=True)
    id_ = f"{id_of(request)}/now"
    start = client.start_workflow(
        names.WORKFLOW_SWEEP,
        request,
        id=id_,
        task_queue=names.ORDERS_QUEUE,
        execution_timeout=LONGEST_SWEEP,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        static_summary=id_,
        result_type=SweepResult,
    )
    return Begun(await bounded(start, within), joined=False)


async def _scheduled(client: Client, request: SweepRequest) -> str | None:
    """The workflow that its schedule has under way."""
    try:
        described = await client.get_schedule_handle(id_of(request)).describe()
    except RPCError as error:
        if "not found" in str(error).lower():
            return None
        raise
    ids = [
        one.workflow_id
        for one in described.info.running_actions
        if isinstance(one, ScheduleActionExecutionStartWorkflow)
    ]
    return ids[0] if ids else None


def _reason(cause: BaseException | None) -> str:
    """The innermost failure's own words."""
    while isinstance(cause, ActivityError) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, ApplicationError | FailureError) and cause.message:
        return cause.message
    return "the sweep was ended"
