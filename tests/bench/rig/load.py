"""Load: a fixed number of orders under way, and how many came through in a stretch of time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from tests.bench.processes import cpu

LOOK_EVERY = 0.02


class Stuck(Exception):
    """Orders did not come through in time."""


@dataclass(frozen=True)
class Lane:
    """One way for orders to go through: how one is handed in, and how many have come through."""

    name: str
    hand_in: Callable[[str, int], Awaitable[None]]
    """By the run's name and the order's place in it."""
    count: Callable[[str, str], int]
    """How many of `handed_off` and `delivered`, of this run."""
    processes: Mapping[str, int]
    """By what they are called: process ids whose CPU time is part of it."""


@dataclass(frozen=True)
class Round:
    """What went through in the stretch that was measured."""

    per_second: float
    cpu_ms: Mapping[str, float]
    """CPU time an order, by process."""


async def drive(lane: Lane, run: str, *, under_way: int, measured: float, patience: float = 60) -> Round:
    """Keep so many orders under way; measured once as many have come through, for so many seconds and at least as
    many orders again; then all come through. Raises Stuck."""
    orders = _Orders(lane, run, under_way)
    first = await orders.until(time.monotonic(), under_way, patience)
    start, spent = time.monotonic(), _spent(lane.processes)
    last = await orders.until(start + measured, first + under_way, patience)
    took, used = time.monotonic() - start, _spent(lane.processes)
    await orders.handed_in()
    await settled(lane, run, orders.number, patience)
    done = last - first
    return Round(done / took, {name: 1000 * (used[name] - spent[name]) / done for name in used})


class _Orders:
    """Handed in as others come through."""

    def __init__(self, lane: Lane, run: str, under_way: int) -> None:
        self._lane = lane
        self._run = run
        self._under_way = under_way
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def number(self) -> int:
        return len(self._tasks)

    async def until(self, moment: float, least: int, patience: float) -> int:
        """Go on until then, and until at least so many have come through; how many have. Raises Stuck."""
        deadline = time.monotonic() + patience
        while (done := self._top_up()) < least or time.monotonic() < moment:
            if time.monotonic() > deadline:
                raise Stuck(f"{self._lane.name}: {done} orders of {least} came through in {patience:g} s")
            await asyncio.sleep(LOOK_EVERY)
        return done

    async def handed_in(self) -> None:
        await asyncio.gather(*self._tasks)

    def _top_up(self) -> int:
        done = self._lane.count("handed_off", self._run)
        while self.number - done < self._under_way:
            self._tasks.append(asyncio.ensure_future(self._lane.hand_in(self._run, self.number)))
        return done


async def settled(lane: Lane, run: str, orders: int, patience: float) -> None:
    """Wait until all are handed off and both mails of each reported as delivered. Raises Stuck."""
    deadline = time.monotonic() + patience
    wanted = {"handed_off": orders, "delivered": 2 * orders}
    while any(lane.count(what, run) < number for what, number in wanted.items()):
        if time.monotonic() > deadline:
            stands = ", ".join(f"{lane.count(what, run)} of {number} {what}" for what, number in wanted.items())
            raise Stuck(f"{lane.name}: {stands} after {patience:g} s")
        await asyncio.sleep(0.05)


def _spent(processes: Mapping[str, int]) -> dict[str, float]:
    return {name: cpu(pid) for name, pid in processes.items()}


def names_of(rounds: Iterable[Round]) -> list[str]:
    """The processes, in their order."""
    return list(dict.fromkeys(name for one in rounds for name in one.cpu_ms))
