"""What a provider does not post is fetched: each such channel's mailbox is read, and what it holds is taken as the
webhooks' route takes it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog

from orderack.errors import Misconfigured, OrderAckError
from orderack.gateway.background import Job
from orderack.gateway.parts import GatewayParts
from orderack.gateway.webhooks import take
from orderack.ports import ChannelEvent, Polls

log = structlog.get_logger(__name__)

OVERLAP = timedelta(minutes=10)
"""How far each look reaches behind the last one: a mail may be listed later than the time it bears."""
REACH = timedelta(days=7)
"""How far the first look reaches. What was taken before is the same event again, and harmless."""


class Polling:
    """One channel's mailbox."""

    def __init__(self, parts: GatewayParts, channel: str, adapter: Polls) -> None:
        self._parts = parts
        self._channel = channel
        self._adapter = adapter
        self._looked_at: datetime | None = None
        self._taken: frozenset[str] = frozenset()

    async def work(self) -> int:
        """Look once; how many events were new to this process. What cannot be taken now is looked for again.

        Raises Unavailable or Misconfigured: the next look reaches as far back as this one.
        """
        began = self._parts.now()
        since = self._looked_at - OVERLAP if self._looked_at else began - REACH
        try:
            events = await self._adapter.poll(since)
        except Misconfigured as error:
            log.error("a mailbox cannot be read", channel=self._channel, why=str(error))
            raise
        taken = {event.id for event in events} & self._taken
        fresh = [event for event in events if event.id not in taken]
        taken |= {event.id for event in fresh if await self._take(event)}
        self._taken = frozenset(taken)
        self._looked_at = began
        return len([event for event in fresh if event.id in taken])

    async def _take(self, event: ChannelEvent) -> bool:
        """Whether it is in our record. One that no code foresaw keeps none of the others from it."""
        try:
            async with self._parts.turns.of(f"webhooks/{self._channel}", event.id):
                await take(self._parts, self._channel, event)
        except OrderAckError:
            raise
        except Exception:
            log.exception("an event from a mailbox cannot be taken", channel=self._channel)
            return False
        return True


def polling_jobs(parts: GatewayParts) -> Sequence[Job]:
    """One for each channel whose provider has to be asked: none waits for another. The first look is at once."""
    jobs = []
    for name, adapter in _asked(parts):
        bell = parts.bells.of(name)
        bell.set()
        jobs.append(Job(f"read the mailbox of {name}", parts.poll_every, Polling(parts, name, adapter).work, bell))
    return jobs


def _asked(parts: GatewayParts) -> Iterable[tuple[str, Polls]]:
    return [(name, adapter) for name, adapter in sorted(parts.channels.items()) if isinstance(adapter, Polls)]
