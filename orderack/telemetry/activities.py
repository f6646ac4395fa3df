"""Around every activity: whose it is, for every line that is logged within it; attempts after the first; clock skew."""

from datetime import UTC, datetime

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from orderack.telemetry import logs, metrics


class _Watched(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> object:
        info = activity.info()
        if info.attempt > 1:
            metrics.RETRIES.labels(info.activity_type).inc()
        if not info.is_local:  # of a local activity this machine's own clock says when it began
            metrics.CLOCK_SKEW.set((datetime.now(UTC) - info.started_time).total_seconds())
        ids = {
            "workflow_id": info.workflow_id,
            "run_id": info.workflow_run_id,
            "activity": info.activity_type,
            "attempt": info.attempt,
        }
        with logs.about(**ids, **logs.order_of(info.workflow_id)):
            return await super().execute_activity(input)


class Watching(Interceptor):
    """Give it to every worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Watched(next)
