"""What stands between Temporal and an order's handlers.

A signal with the wrong number of arguments is kept in quarantine: left to the SDK it would wedge the order. What
Temporal's page shows of an order is written when the page asks for it, and not at each of its steps.
"""

from temporalio import workflow
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.worker import (
    HandleQueryInput,
    HandleSignalInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from workflows.order_acknowledgement import OrderAcknowledgement, signal_names


class _Around(WorkflowInboundInterceptor):
    async def handle_signal(self, input: HandleSignalInput) -> None:
        order = workflow.instance()
        if isinstance(order, OrderAcknowledgement) and input.signal in signal_names() and len(input.args) != 1:
            order.quarantine(input.signal, f"it takes one JSON object, not {len(input.args)} arguments")
            return
        await super().handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> object:
        answer = await super().handle_query(input)
        order = workflow.instance()
        if isinstance(order, OrderAcknowledgement) and isinstance(answer, WorkflowMetadata):
            answer.current_details = order.details()
        return answer


class AroundOrders(Interceptor):
    """Give it to every worker of the `orders` queue."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        return _Around
