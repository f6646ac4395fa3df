"""Calls to Temporal: bounded in time, their failures in our words."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio.client import (
    RPCTimeoutOrCancelledError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.service import RPCError, RPCStatusCode

from orderack.errors import Misconfigured, OrderAckError, OrderNotOpen, Refused, Unavailable

R = TypeVar("R")

RETRY_AFTER = timedelta(seconds=5)

AHEAD = "the order has news to take first: ask again"
"""What a worker answers to a question that overtook an order's task (`workers.ahead`)."""

_AGAIN = 0.2
"""Seconds until such a question is asked again; the task is about to run."""

_AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
        # "Workflow task is not scheduled yet", "worker is failing this order's task": later it may answer.
        RPCStatusCode.FAILED_PRECONDITION,
    }
)


async def bounded(call: Awaitable[R], within: timedelta) -> R:
    """Await a client call.

    Raises Unavailable when the server, or a worker for this order, does not answer in time; OrderNotOpen when there
    is no open order of that id; Refused when the workflow said no; Misconfigured when the server's set-up forbids it.
    """
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await call
    except (TimeoutError, RPCTimeoutOrCancelledError) as error:
        raise Unavailable("no answer from Temporal or from a worker in time", RETRY_AFTER) from error
    except WorkflowUpdateFailedError as error:
        raise Refused(f"the order refused: {error.cause}") from error
    except WorkflowQueryFailedError as error:
        raise Refused(f"the order could not answer: {error.message}") from error
    except RPCError as error:
        raise _told(error) from error
    except RuntimeError as error:
        # A lazy client connects at its first call and fails in this way (temporalio 1.35).
        if "connect" not in str(error):
            raise
        raise Unavailable("Temporal does not answer", RETRY_AFTER) from error


async def answered(ask: Callable[[timedelta], Awaitable[R]], within: timedelta) -> R:
    """Ask a running order, each time for a third of that, until it is not ahead of its task. For `bounded`.

    A worker that forgets an order over one such question may lose another that it has in hand.
    """
    while True:
        try:
            return await ask(within / 3)
        except WorkflowQueryFailedError as error:
            if AHEAD not in error.message:
                raise
        except RPCError as error:
            if error.status not in (RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED):
                raise
        await asyncio.sleep(_AGAIN)


def _told(error: RPCError) -> OrderAckError:
    if error.status in _AWAY:
        return Unavailable("Temporal does not answer", RETRY_AFTER)
    if error.status is RPCStatusCode.NOT_FOUND and not error.message.startswith("Namespace"):
        return OrderNotOpen("there is no open order of that number")
    if "search attribute" in error.message.lower():
        return Misconfigured(f"{error.message}: register them with `orderack temporal setup`")
    return Misconfigured(f"Temporal refused the call ({error.status.name}): {error.message}")
