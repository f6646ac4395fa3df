"""A page of tickets is asked for again where the desk is slow, limits us or cuts us off: it is only read."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from orderack.errors import Unavailable

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""

ATTEMPTS = 6
"""Of one page, in a row."""
LONGEST = timedelta(minutes=5)
"""A desk that asks for more is left for later."""
_FIRST = timedelta(seconds=2)


async def patiently(ask: Callable[[], Awaitable[T]], pause: Pause = asyncio.sleep) -> T:
    """What `ask` gives, asked again after each Unavailable, when the desk says or after 2, 4, 8 … seconds.

    Raises the last Unavailable after six attempts, or at once where the desk asks for more than five minutes.
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return await ask()
        except Unavailable as error:
            wait = error.retry_after if error.retry_after is not None else _FIRST * 2**attempt
            if wait > LONGEST:
                raise
            await pause(max(wait.total_seconds(), 0.0))
    return await ask()
