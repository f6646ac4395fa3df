"""The orders that run, as the server knows them (`orderack.ports.sweeps.Runs`), and sweeps that run now."""

from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError

from orderack.contracts import names
from orderack.contracts.ids import order_ref, order_workflow_id
from orderack.domain.order import OrderRef
from orderack.errors import OrderNotOpen, Unavailable
from orderack.ports.sweeps import Place, Runs
from orderack.temporal.orders import WITHIN
from orderack.temporal.rpc import bounded

_OPEN = f"WorkflowType = '{names.WORKFLOW}' AND ExecutionStatus = 'Running'"


class OpenRuns:
    """Asked by listing and describing, which no server bills."""

    def __init__(self, client: Client, within: timedelta = WITHIN) -> None:
        self._client = client
        self._within = within

    async def open_orders(self) -> AsyncIterator[Place]:
        """See `orderack.ports.sweeps.Runs.open_orders`."""
        try:
            async for found in self._client.list_workflows(_OPEN, page_size=1_000):
                yield Place(since=found.start_time, ref=order_ref(found.id))
        except RPCError as error:
            raise Unavailable(f"Temporal does not list its orders ({error.status.name.lower()})") from None

    async def is_running(self, ref: OrderRef) -> bool:
        """See `orderack.ports.sweeps.Runs.is_running`."""
        described = await self._described(ref)
        return described is not None and described.status is WorkflowExecutionStatus.RUNNING

    async def is_trying(self, ref: OrderRef, activity: str) -> bool:
        """See `orderack.ports.sweeps.Runs.is_trying`."""
        described = await self._described(ref)
        pending = described.raw_description.pending_activities if described else ()
        return any(one.activity_type.name == activity for one in pending)

    async def _described(self, ref: OrderRef) -> WorkflowExecutionDescription | None:
        try:
            return await bounded(self._client.get_workflow_handle(order_workflow_id(ref)).describe(), self._within)
        except OrderNotOpen:
            return None


_CHECKED: type[Runs] = OpenRuns
