"""One look at something that does not tell us of its news by itself; a schedule starts it again and again."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy

from orderack.contracts import looks, names
from orderack.contracts.looks import LookRequest, LookResult

PATIENCE = timedelta(minutes=4)
"""For all of one look. What it did not get to, the next one does."""


@workflow.defn(name=names.WORKFLOW_LOOK)
class Look:
    """A feed of orders, or an ERP's receipts. Its schedule skips a look while the last one is not done."""

    @workflow.run
    async def run(self, request: LookRequest) -> LookResult:
        """What it brought. A failure is seen here, in the Temporal UI, and the next look tries again."""
        retry = RetryPolicy(initial_interval=timedelta(seconds=5), maximum_attempts=3)
        if request.source is not None:
            store = request.source.store
            return await workflow.execute_activity(
                looks.look_at_source,
                request.source,
                task_queue=names.SOURCES_QUEUE,
                start_to_close_timeout=PATIENCE,
                schedule_to_close_timeout=PATIENCE,
                heartbeat_timeout=timedelta(seconds=20),
                retry_policy=retry,
                priority=Priority(fairness_key=store),
                summary=f"look at {request.source.system} for {store}",
            )
        if request.erp is not None:
            return await workflow.execute_activity(
                looks.look_at_erp,
                request.erp,
                task_queue=names.ERP_QUEUE,
                start_to_close_timeout=PATIENCE,
                schedule_to_close_timeout=PATIENCE,
                heartbeat_timeout=timedelta(seconds=20),
                retry_policy=retry,
                summary=f"ask {request.erp.erp} for receipts",
            )
        return LookResult()
