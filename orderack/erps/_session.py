"""One session of one installation, shared by all who ask at the same time: seats are few, and each costs money."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from orderack.errors import InDoubt, Misconfigured, Unavailable

S = TypeVar("S")

SIGN_OUT_SECONDS = 3.0
"""Nobody waits longer for a good-bye."""


class SharedSession(Generic[S]):
    """Signed in by the first who needs it. `lingers`: kept until `aclose`; else given back when nobody uses it."""

    def __init__(
        self, sign_in: Callable[[], Awaitable[S]], sign_out: Callable[[S], Awaitable[None]], *, lingers: bool
    ) -> None:
        self._sign_in = sign_in
        self._sign_out = sign_out
        self._lingers = lingers
        self._session: S | None = None
        self._users = 0
        self._door = asyncio.Lock()

    @asynccontextmanager
    async def seat(self) -> AsyncIterator[None]:
        """Count as a user of the session, which is given back with the last one unless it lingers."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0 and not self._lingers:
                # a caller that is cancelled gives the seat back as well
                await asyncio.shield(self._give_back())

    async def get(self) -> S:
        """The session; callers at the same time share one sign-in. Raises what the sign-in raises."""
        async with self._door:
            if self._session is None:
                self._session = await self._sign_in()
            return self._session

    def forget(self, session: S) -> None:
        """It has ended there. The next `get` signs in anew, unless somebody already did."""
        if self._session == session:
            self._session = None

    async def aclose(self) -> None:
        """Give the session back, whoever uses it."""
        self._users = 0
        await self._give_back()

    async def _give_back(self) -> None:
        async with self._door:
            session, self._session = (None, self._session) if self._users else (self._session, None)
            if session is None:
                return
            try:
                async with asyncio.timeout(SIGN_OUT_SECONDS):
                    await self._sign_out(session)
            except (Unavailable, InDoubt, Misconfigured, TimeoutError):
                return  # it expires there by itself
