"""A page of tickets is asked for again where the desk is slow, limits us or cuts us off: it is only read."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from orderack.errors import Unavailable
from orderack.ports.helpdesk import Said

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""

ATTEMPTS = 5
"""Of one page, in a row."""
LONGEST = timedelta(minutes=5)
"""A desk that asks for more is left for later."""
_FIRST = timedelta(seconds=2)


async def patiently(ask: Callable[[], Awaitable[T]], pause: Pause, said: Said) -> T:
    """What `ask` gives, asked again after each Unavailable, when the desk says or after 2, 4, 8 … seconds.

    Raises the last Unavailable after five attempts, or at once where the desk asks for more than five minutes.
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return await ask()
        except Unavailable as error:
            wait = error.retry_after if error.retry_after is not None else _FIRST * 2**attempt
            if wait > LONGEST:
                raise
            said(f"{error}; asking again in {wait.total_seconds():.0f} s")
            await pause(wait.total_seconds())
    return await ask()
