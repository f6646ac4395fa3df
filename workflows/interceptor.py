"""A signal with the wrong number of arguments is kept in quarantine; left to the SDK it would wedge the order."""

from temporalio import workflow
from temporalio.worker import HandleSignalInput, Interceptor, WorkflowInboundInterceptor, WorkflowInterceptorClassInput

from workflows.order_acknowledgement import OrderAcknowledgement, signal_names


class _OneArgument(WorkflowInboundInterceptor):
    async def handle_signal(self, input: HandleSignalInput) -> None:
        order = workflow.instance()
        if isinstance(order, OrderAcknowledgement) and input.signal in signal_names() and len(input.args) != 1:
            order.quarantine(input.signal, f"it takes one JSON object, not {len(input.args)} arguments")
            return
        await super().handle_signal(input)


class OneArgument(Interceptor):
    """Give it to every worker of the `orders` queue."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        return _OneArgument
