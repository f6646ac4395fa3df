"""Telling others: each event is posted, signed, to each endpoint that listens, until it is taken or given up.

At least once: whoever is killed while posting leaves a lease behind, and when that runs out the event is posted again
under the same `webhook-id`. Each endpoint is served by a task of its own, so that a slow one holds up no other.
Endpoints are the operator's own (policy.yaml), so a private address is as good as a public one; what comes back is
neither followed (no redirects) nor read (only its status counts).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import structlog

from orderack.clients import standard_webhooks
from orderack.clients.http import retry_after
from orderack.domain.value import Value
from orderack.errors import OrderAckError
from orderack.gateway.endpoints import Endpoint, problems_of, served, subscriptions
from orderack.ports import DeliveryEnd, DeliveryState, DueEvent

if TYPE_CHECKING:  # the command line delivers a test without the whole gateway
    from orderack.gateway.parts import GatewayParts

log = structlog.get_logger(__name__)

SCHEDULE: tuple[timedelta, ...] = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Before each attempt: the example schedule of Standard Webhooks, a little over three days in all."""
JITTER = 0.1
"""Of the delay, at most: so that an endpoint that was away is not met by everything at once."""
BEHIND = SCHEDULE[1] * (1 + JITTER)
"""How long an order's later events wait behind one that failed: its first retry, and no longer."""

PATIENCE = timedelta(seconds=15)
"""For one post; Standard Webhooks advises 15 to 30 seconds."""
LEASE = timedelta(seconds=90)
"""How long what was claimed is left to us. No post begins that could outlive it."""
BATCH = 32
AT_ONCE = 4
"""Orders that one endpoint is told about at a time. Events of one order go one after the other."""
KEPT = timedelta(days=30)
"""How long a delivered event is remembered."""


class Answer(Value):
    """How one post ended: the status in `words`, or why there was none."""

    status: int | None = None
    words: str
    wait: timedelta | None = None
    """What the endpoint asked for (Retry-After), at most an hour."""

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The endpoint wants nothing any more, now or later."""
        return self.status == httpx.codes.GONE


def client() -> httpx.AsyncClient:
    """What posts: no redirects, and connections enough that endpoints never wait for one another's."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    return httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(PATIENCE.total_seconds()), follow_redirects=False)


async def post(http: httpx.AsyncClient, endpoint: Endpoint, message_id: str, body: str, now: datetime) -> Answer:
    """Post these very bytes once, signed as of now."""
    content = body.encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "orderack",
        **standard_webhooks.sign(message_id, now, content, endpoint.secrets),
    }
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            async with http.stream("POST", endpoint.url, content=content, headers=headers) as response:
                status = response.status_code
                return Answer(status=status, words=f"HTTP {status}", wait=retry_after(response.headers, now))
    except TimeoutError:
        return Answer(words=f"no answer within {PATIENCE.total_seconds():.0f} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(words=f"no answer ({type(error).__name__})")


def end_of(answer: Answer, attempt: int, now: datetime, chance: float = 0.0) -> DeliveryEnd:
    """What follows from an answer: taken, given up, or tried again later. `chance` (0 to 1) picks the jitter."""
    if answer.taken:
        return DeliveryEnd(state=DeliveryState.DELIVERED, answer=answer.words)
    if answer.gone or attempt >= len(SCHEDULE):
        return DeliveryEnd(state=DeliveryState.DEAD, answer=answer.words)
    delay = max(SCHEDULE[attempt] * (1 + JITTER * chance), answer.wait or timedelta(0))
    return DeliveryEnd(state=DeliveryState.PENDING, answer=answer.words, next_at=now + delay)


class Deliverer:
    """The background work: `work` fans out what is new, and sees to it that each endpoint is being served."""

    def __init__(
        self, parts: "GatewayParts", http: httpx.AsyncClient, chance: Callable[[], float] = random.random
    ) -> None:
        self._parts = parts
        self._http = http
        self._chance = chance
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._not_served: frozenset[str] = frozenset()

    async def work(self) -> int:
        """One round; how many events were new. Raises Unavailable when the ledger is away."""
        policy = self._parts.endpoints()
        self._complain(frozenset(name for name, one in policy.items() if any(problems_of(name, one))))
        new = await self._parts.ledger.fan_out(subscriptions(policy), self._parts.now())
        for endpoint in served(policy):
            running = self._serving.get(endpoint.name)
            if running is None or running.done():
                self._serving[endpoint.name] = asyncio.create_task(self._serve(endpoint))
        return new

    async def forget(self) -> int:
        """Remove what was delivered long ago."""
        return await self._parts.ledger.forget_events(self._parts.now() - KEPT)

    async def settled(self) -> None:
        """Wait until no endpoint is being served."""
        await asyncio.gather(*self._serving.values())

    async def aclose(self) -> None:
        """Stop. What is being posted is posted again when its lease has run out."""
        for task in self._serving.values():
            task.cancel()
        for task in self._serving.values():
            with suppress(asyncio.CancelledError):
                await task

    def _complain(self, not_served: frozenset[str]) -> None:
        for name in sorted(not_served - self._not_served):
            for problem in problems_of(name, self._parts.endpoints()[name]):
                log.error("endpoint not served", endpoint=name, problem=problem.problem, remedy=problem.remedy)
        self._not_served = not_served

    async def _serve(self, endpoint: Endpoint) -> None:
        """Everything that is due to one endpoint."""
        try:
            while batch := await self._parts.ledger.claim_events(endpoint.name, self._parts.now(), LEASE, BATCH):
                if not await self._tell_all(endpoint, batch):
                    return
        except OrderAckError as error:
            log.info("endpoint waits", endpoint=endpoint.name, why=type(error).__name__)
        except Exception:
            log.exception("endpoint cannot be served; tried again", endpoint=endpoint.name)

    async def _tell_all(self, endpoint: Endpoint, batch: Sequence[DueEvent]) -> bool:
        """Whether the endpoint is still there afterwards."""
        until = self._parts.now() + LEASE - PATIENCE
        turns = asyncio.Semaphore(AT_ONCE)
        by_order: dict[str, list[DueEvent]] = {}
        for due in batch:
            by_order.setdefault(str(due.ref), []).append(due)

        async def in_turn(events: Sequence[DueEvent]) -> bool:
            async with turns:
                return await self._tell_order(endpoint, events, until)

        return all(await asyncio.gather(*(in_turn(events) for events in by_order.values())))

    async def _tell_order(self, endpoint: Endpoint, events: Sequence[DueEvent], until: datetime) -> bool:
        """One order's events in their order; behind one that failed the rest waits for its first retry."""
        for place, due in enumerate(events):
            if self._parts.now() > until:
                await self._parts.ledger.release_events(events[place:], self._parts.now())
                return True
            answer = await post(self._http, endpoint, due.event_id, due.body, self._parts.now())
            end = await self._settle(endpoint, due, answer)
            if answer.gone:
                return False
            if end.next_at:
                behind = min(end.next_at, self._parts.now() + BEHIND)
                await self._parts.ledger.release_events(events[place + 1 :], behind)
                return True
        return True

    async def _settle(self, endpoint: Endpoint, due: DueEvent, answer: Answer) -> DeliveryEnd:
        now = self._parts.now()
        end = end_of(answer, due.attempt, now, self._chance())
        await self._parts.ledger.end_attempt(due, end, now)
        if answer.gone:
            buried = await self._parts.ledger.bury(endpoint.name, answer.words, now)
            remedy = "take it out of the policy; or mend it and run `orderack webhooks retry`"
            log.error("endpoint is gone (410)", endpoint=endpoint.name, dead=buried + 1, remedy=remedy)
        elif end.state is DeliveryState.DEAD:
            log.error("event given up", endpoint=endpoint.name, event=due.event_id, answer=answer.words)
        return end


@asynccontextmanager
async def delivering(parts: "GatewayParts") -> AsyncIterator[Deliverer]:
    """A deliverer for as long as the block runs."""
    async with client() as http:
        deliverer = Deliverer(parts, http)
        try:
            yield deliverer
        finally:
            await deliverer.aclose()
