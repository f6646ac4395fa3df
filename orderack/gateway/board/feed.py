"""One look at the record and at Temporal's lists for everybody who watches, and no more often than they can bear.

While nobody watches nothing is read. A look that took long is followed by a longer rest, so that the board takes at
most a tenth of one connection's time. What does not answer keeps its last figures, with their age.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Protocol, TypeVar

import structlog

from orderack.contracts.journal import Stage
from orderack.domain.order import OrderRef
from orderack.errors import OrderAckError
from orderack.ports import BoardBook, BoardRecord
from orderack.temporal.open_orders import OpenOrder, OpenOrders

log = structlog.get_logger(__name__)

T = TypeVar("T")

LISTED = 200
"""Open orders of one list of Temporal's."""
REST = 10.0
"""What took one second is not done again for ten."""
AGAIN = 5.0
"""Seconds until what failed is tried again."""
PATIENCE = 5.0
"""Seconds that a look may take."""
SOON = 0.5
"""Seconds that anybody waits for a look while there is an older picture."""


class Lists(Protocol):
    """Temporal's lists: free of Actions."""

    async def list_open(self, query: OpenOrders | None = None) -> Sequence[OpenOrder]: ...


@dataclass(frozen=True)
class OpenLists:
    """Who is needed, as Temporal's visibility has it."""

    escalated: tuple[OpenOrder, ...] = ()
    reviews: tuple[OpenOrder, ...] = ()

    @property
    def cut(self) -> bool:
        """Whether there are more than were listed."""
        return len(self.escalated) >= LISTED


@dataclass(frozen=True)
class Look:
    """One part of the picture: its last figures, when they were read, and whether the last try failed."""

    at: datetime | None = None
    away: bool = False


@dataclass(frozen=True)
class Snapshot:
    """What everybody sees, each their own stores of it."""

    version: int = 0
    record: BoardRecord | None = None
    record_look: Look = Look()
    lists: OpenLists | None = None
    lists_look: Look = Look()
    asked: tuple[OrderRef, ...] = ()


@dataclass
class _Part:
    """When a part is due again."""

    every: float
    due: float = 0.0

    def done(self, began: float, *, answered: bool) -> None:
        """What failed is tried again soon, however long it took to fail: it may be back."""
        now = monotonic()
        self.due = now + (max(self.every, REST * (now - began)) if answered else max(self.every, AGAIN))


@dataclass
class Feed:
    """The shared look. `looks` counts how often the world was asked, `watching` who keeps a line open."""

    book: BoardBook
    orders: Lists
    stores: Callable[[], Sequence[str]]
    now: Callable[[], datetime]
    tick: timedelta = timedelta(seconds=2)
    looks: int = 0
    watching: int = 0
    _snapshot: Snapshot = Snapshot()
    _parts: dict[str, _Part] = field(default_factory=dict)
    _looking: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tick = self.tick.total_seconds()
        self._parts = {"record": _Part(tick), "lists": _Part(2 * tick), "asked": _Part(15 * tick)}

    async def snapshot(self) -> Snapshot:
        """The picture, no older than it may be. What does not answer soon is not waited for: its age is shown."""
        self._look()
        if tasks := set(self._looking.values()):
            known = self._snapshot.record_look != Look() and self._snapshot.lists_look != Look()
            await asyncio.wait(tasks, timeout=SOON if known else PATIENCE + 1)
        return self._snapshot

    def fresh(self) -> None:
        """Something was done here: the next look is made at once."""
        for name in ("record", "lists"):
            self._parts[name].due = 0.0

    async def watch(self) -> AsyncGenerator[Snapshot]:
        """Picture after picture, until whoever watches leaves."""
        self.watching += 1
        try:
            while True:
                yield await self.snapshot()
                await asyncio.sleep(self.tick.total_seconds())
        finally:
            self.watching -= 1

    async def aclose(self) -> None:
        """End what is under way."""
        for task in (tasks := tuple(self._looking.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self) -> None:
        """Begin what is due and not under way."""
        reads = {"record": self._record, "lists": self._lists, "asked": self._asked}
        for name, read in reads.items():
            if name not in self._looking and monotonic() >= self._parts[name].due:
                self.looks += 1
                task = asyncio.create_task(read(self._parts[name]), name=f"board: {name}")
                self._looking[name] = task
                task.add_done_callback(partial(self._looked, name))

    def _looked(self, name: str, task: asyncio.Task[None]) -> None:
        self._looking.pop(name, None)

    async def _record(self, part: _Part) -> None:
        began = monotonic()
        found = await self._answer(self.book.board(tuple(self.stores()), self.now()))
        look = Look(self.now()) if found else replace(self._snapshot.record_look, away=True)
        self._show(replace(self._snapshot, record=found or self._snapshot.record, record_look=look))
        part.done(began, answered=found is not None)

    async def _lists(self, part: _Part) -> None:
        began = monotonic()
        found = await self._answer(self._read_lists())
        look = Look(self.now()) if found else replace(self._snapshot.lists_look, away=True)
        self._show(replace(self._snapshot, lists=found or self._snapshot.lists, lists_look=look))
        part.done(began, answered=found is not None)

    async def _asked(self, part: _Part) -> None:
        began = monotonic()
        found = await self._answer(self.book.asked(LISTED))
        if found is not None:
            self._show(replace(self._snapshot, asked=tuple(found)))
        part.done(began, answered=found is not None)

    async def _read_lists(self) -> OpenLists:
        escalated = tuple(await self.orders.list_open(OpenOrders(escalated=True, limit=LISTED)))
        reviews = tuple(await self.orders.list_open(OpenOrders(stage=Stage.REVIEW, limit=LISTED)))
        return OpenLists(escalated, reviews)

    async def _answer(self, asked: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout(PATIENCE):
                return await asked
        except (OrderAckError, TimeoutError) as error:
            log.info("the board keeps its last figures", why=type(error).__name__)
        return None

    def _show(self, snapshot: Snapshot) -> None:
        self._snapshot = replace(snapshot, version=snapshot.version + 1)
