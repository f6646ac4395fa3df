"""The one place that turns our errors into Temporal's, and that heartbeats.

Temporal matches retry rules by the type's name, so the names here are frozen.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from orderack.errors import InDoubt, InvalidInput, Misconfigured, OrderAckError, Refused, Unavailable

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

QUIET_FOR = timedelta(seconds=2)
"""A heartbeat is a billed Action: the first one is sent only by an activity that is still busy after this."""

BEAT = timedelta(seconds=1)
MENDED_IN = timedelta(minutes=5)
"""Something of ours is set wrong: tried again at this pace, and goes on by itself once somebody has mended it."""

LONGEST = 300
"""Characters of an error's text that enter history."""


def boundary(
    work: Callable[Concatenate[S, P], Awaitable[R]],
) -> Callable[Concatenate[S, P], Awaitable[R]]:
    """An activity whose errors are Temporal failures, and which heartbeats while it lasts."""

    @wraps(work)
    async def bounded(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        async with _heartbeat():
            try:
                return await work(self, *args, **kwargs)
            except OrderAckError as error:
                raise translate(error) from None

    return bounded


def translate(error: OrderAckError) -> ApplicationError:
    """The Temporal failure of one of our errors: what is retried, when, and what is not."""
    text, name = str(error)[:LONGEST], type(error).__name__
    match error:
        case Unavailable(retry_after=after):
            name = Unavailable.__name__  # of whatever kind
            return ApplicationError(text, type=name, next_retry_delay=after, category=ApplicationErrorCategory.BENIGN)
        case InDoubt():
            return ApplicationError(text, type=name)
        case Misconfigured():
            return ApplicationError(text, type=name, next_retry_delay=MENDED_IN)
        case Refused() | InvalidInput():
            return ApplicationError(text, type=name, non_retryable=True)
        case _:
            return ApplicationError(text, type=name)


@asynccontextmanager
async def _heartbeat() -> AsyncIterator[None]:
    if not activity.in_activity() or activity.info().is_local:
        yield
        return
    beating = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


async def _beat() -> None:
    await asyncio.sleep(QUIET_FOR.total_seconds())
    while True:
        activity.heartbeat()
        await asyncio.sleep(BEAT.total_seconds())
