"""Posts the look-alikes' webhooks: after a delay, again when not taken, and then gives up."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

import httpx

_log = logging.getLogger(__name__)

BACK_OFF = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each further attempt."""

AT_ONCE = 10
"""Requests under way: a receiver that is slow is not asked by everyone at once, nor twice for the same."""


@dataclass(frozen=True)
class Webhook:
    """One callback. `url` is asked at every attempt: the receiver may start later than the sandbox."""

    name: str
    url: Callable[[], str | None]
    signed: Callable[[str], Mapping[str, str]]
    """Headers for this URL, made afresh at every attempt: signatures carry the time."""
    body: bytes


@dataclass
class Courier:
    """Delivers webhooks in the background. `aclose` ends what is under way."""

    delivered: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        # trust_env off: a proxy of the surroundings must not come between two processes of one machine.
        self._client = httpx.AsyncClient(timeout=5.0, trust_env=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)

    def post(self, webhook: Webhook, after: float) -> None:
        """Deliver `webhook` in `after` seconds."""
        self.start(self._deliver(webhook, after))

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` until it is done or the sandbox ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, webhook: Webhook, after: float) -> None:
        await asyncio.sleep(after)
        for pause in (*BACK_OFF, None):
            if await self._attempt(webhook):
                self.delivered += 1
                return
            if pause is not None:
                await asyncio.sleep(pause)
        self.dropped += 1
        _log.warning("webhook dropped: %s, not taken in %d attempts", webhook.name, len(BACK_OFF) + 1)

    async def _attempt(self, webhook: Webhook) -> bool:
        url = webhook.url()
        if url is None:
            return False
        try:
            async with self._turns:
                answer = await self._client.post(url, content=webhook.body, headers=dict(webhook.signed(url)))
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.is_success
