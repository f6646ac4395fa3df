"""Worker Deployments: which build of the workers takes new orders. Running orders stay with the build they began on."""

import asyncio
from datetime import timedelta

from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode

from orderack.errors import Misconfigured, Unavailable

DEPLOYMENT = "orderack"
"""The deployment's name on every server."""

_AGAIN = 0.2
"""Seconds between tries while the server has not seen the first poll of a new build yet."""


def version(build_id: str) -> WorkerDeploymentVersion:
    """What a worker of this build calls itself."""
    return WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build_id)


async def make_current(client: Client, build_id: str, within: timedelta = timedelta(seconds=30)) -> None:
    """Send new orders to this build, whose workers must be polling. Again with the same build: nothing happens.

    Without a current build orders wait unstarted, since the order workflow is pinned to one. Raises Unavailable when
    no worker of the build shows up `within`, Misconfigured when the server refuses.
    """
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=DEPLOYMENT,
        build_id=build_id,
        identity=client.identity,
        ignore_missing_task_queues=True,
    )
    try:
        async with asyncio.timeout(within.total_seconds()):
            while not await _accepted(client, request):  # noqa: ASYNC110 (the server has nothing to wait on)
                await asyncio.sleep(_AGAIN)
    except TimeoutError:
        raise Unavailable(f"no worker of build {build_id} polls; start one") from None


async def _accepted(client: Client, request: SetWorkerDeploymentCurrentVersionRequest) -> bool:
    try:
        await client.workflow_service.set_worker_deployment_current_version(request)
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.UNAVAILABLE):
            return False
        raise Misconfigured(
            f"Temporal refused build {request.build_id} ({error.status.name}): {error.message}"
        ) from error
    return True
