"""One session of one installation, shared by all who ask at the same time: seats are few, and each costs money."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from orderack.errors import OrderAckError, Unavailable

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
        self._arriving: asyncio.Future[S] | None = None
        self._users = 0
        self._closed = False
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
        """The session; callers at the same time share one sign-in. Raises what it raises, or Unavailable once closed.

        A caller that is cancelled leaves the sign-in to end by itself: nobody else could give that seat back.
        """
        async with self._door:
            if self._session is None and self._closed:
                raise Unavailable("this process is ending, and signs in nowhere")
            if self._session is None:
                self._session = await self._arrival()
            return self._session

    def forget(self, session: S) -> None:
        """It has ended there. The next `get` signs in anew, unless somebody already did."""
        if self._session == session:
            self._session = None

    async def aclose(self) -> None:
        """Give the session back, whoever uses it; there is none after it."""
        self._closed = True
        await self._give_back()

    async def _arrival(self) -> S:
        """The sign-in that is under way, or came after its caller had gone; else a new one."""
        arriving = self._under_way() or asyncio.ensure_future(self._sign_in())
        self._arriving = arriving
        session = await asyncio.shield(arriving)
        self._arriving = None
        return session

    def _under_way(self) -> asyncio.Future[S] | None:
        task = self._arriving
        failed = task is not None and task.done() and (task.cancelled() or task.exception() is not None)
        return None if failed else task

    async def _give_back(self) -> None:
        async with self._door:
            if self._users and not self._closed:
                return
            try:
                async with asyncio.timeout(SIGN_OUT_SECONDS):
                    if self._under_way() is not None:
                        self._session = await self._arrival()
                    session, self._session = self._session, None
                    if session is not None:
                        await self._sign_out(session)
            except (OrderAckError, TimeoutError):
                return  # it expires there by itself
