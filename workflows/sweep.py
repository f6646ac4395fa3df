"""The missing-in-ERP sweep: a schedule starts it again and again, and an operator when he likes (R134, R135, R150)."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from orderack.contracts import looks, names
from orderack.contracts.looks import SweepRequest, SweepResult

LONGEST = timedelta(hours=6)
"""For all of one sweep: at two orders in a second, forty thousand of them."""

SILENT = timedelta(seconds=15)
"""A worker that says nothing for so long is dead, and another goes on."""

RETRY = RetryPolicy(initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=1), maximum_attempts=8)
"""Some minutes of an outage. After that it is said that the ERP could not be asked, and the next sweep tries again."""


@workflow.defn(name=names.WORKFLOW_SWEEP)
class Sweep:
    """One activity, which goes on where it was when its worker dies or its ERP is away for a while."""

    @workflow.run
    async def run(self, request: SweepRequest) -> SweepResult:
        """What it found. A failure is seen here, in the Temporal UI, and in `orderack sweep status`."""
        if request.erp is None:
            return await workflow.execute_activity(
                looks.sweep_books,
                request,
                task_queue=names.ERP_QUEUE,
                start_to_close_timeout=LONGEST,
                heartbeat_timeout=SILENT,
                retry_policy=RETRY,
                summary="compare ledger, Temporal and inbox",
            )
        return await workflow.execute_activity(
            looks.sweep_erp,
            request,
            task_queue=names.ERP_QUEUE,
            start_to_close_timeout=LONGEST,
            heartbeat_timeout=SILENT,
            retry_policy=RETRY,
            summary=f"ask {request.erp} for every order",
        )
