"""Worker Deployments: which build an order runs on, and when it moves to another. Off unless a build id is set.

Only the `orders` queue has versions. Activities keep to contracts whose names are frozen, so their workers are replaced
one by one; orders replay their history, so a build that answers it differently must not be given them.
"""

from typing import NoReturn

from temporalio import workflow
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    ContinueAsNewInput,
    Interceptor,
    WorkerDeploymentConfig,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from orderack.settings import Settings

_BEHAVIORS = {"pinned": VersioningBehavior.PINNED, "auto_upgrade": VersioningBehavior.AUTO_UPGRADE}


def deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    """This process's place in the Worker Deployment that the settings name; None: they name no build."""
    if not settings.build_id:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=settings.deployment, build_id=settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=_BEHAVIORS[settings.versioning],
    )


class MovesOn(Interceptor):
    """A pinned order that continues as new goes on under the current build: there is no history to replay then."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        if workflow.info().get_current_deployment_version():
            input.initial_versioning_behavior = workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE
        super().continue_as_new(input)
