"""Many orders on all processors; the same seed gives the same run, on however many."""

import gc
import logging
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b

import structlog

from tests.simulation.storm import ONCE_TOLD, TWICE_TOLD
from tests.simulation.story import Ending, Outcome, Story

CHUNK = 100
"""Orders that a process takes at a time."""

TOLD_TWICE = 40
"""Every so-many-th order's story is told twice more, and must end the same (I7)."""

SWEEP = 25
"""Orders between two collections of what they left: a collector that looks at every turn costs a tenth of the run."""

KEPT = 200
"""Violations of a run that are kept with their dumps."""


@dataclass(frozen=True)
class Found:
    """One order that broke a rule."""

    seed: int
    index: int
    rule: str
    text: str
    at: str
    dump: str

    @property
    def command(self) -> str:
        """How to see it again."""
        return f".venv/bin/python -m tests.simulation --seed {self.seed} --only {self.index}"


@dataclass
class Part:
    """What came of some orders in a row."""

    counts: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    days: float = 0.0

    @property
    def trace(self) -> str:
        """One hash of every command of every order."""
        return blake2b("".join(self.traces).encode(), digest_size=16).hexdigest()

    def add(self, other: "Part") -> None:
        """Take in what came of the orders after these."""
        self.counts.update(other.counts)
        self.reached.update(other.reached)
        self.found += other.found
        self.traces += other.traces
        self.days += other.days


def told_twice(seed: int, index: int) -> tuple[Outcome | None, Outcome | None]:
    """How one story ends with and without what must make no difference."""
    return tuple(Story(seed, index, rates).live().outcome for rates in (TWICE_TOLD, ONCE_TOLD))  # type: ignore[return-value]


def some(seed: int, first: int, after_last: int) -> Part:
    """The orders from `first` on, one after the other."""
    part = Part()
    for index in range(first, after_last):
        ending = Story(seed, index).live()
        _count(part, seed, ending)
        if index % TOLD_TWICE == 0:
            _compare(part, seed, index)
        if index % SWEEP == 0:
            gc.collect()
    return part


def _count(part: Part, seed: int, ending: Ending) -> None:
    part.counts.update(ending.counts)
    part.reached.update(ending.reached)
    part.traces.append(ending.trace)
    part.days += ending.days
    if broken := ending.violation:
        part.found.append(Found(seed, ending.index, broken.rule, broken.text, broken.at, ending.dump))


def _compare(part: Part, seed: int, index: int) -> None:
    part.counts["told twice"] += 1
    with_it, without = told_twice(seed, index)
    if with_it != without:
        part.found.append(Found(seed, index, "I7", f"I7: {with_it} with repeats, {without} without", "the end", ""))


def all_of(seed: int, orders: int, processes: int, tell: Callable[[Part], None]) -> Part:
    """Orders 0 to `orders`. `tell` hears of each part as it is done."""
    whole = Part()
    for part in _parts(seed, orders, processes):
        whole.add(part)
        del whole.found[KEPT:]
        tell(whole)
    return whole


def _parts(seed: int, orders: int, processes: int) -> Iterator[Part]:
    firsts = range(0, orders, CHUNK)
    if processes <= 1:
        yield from (some(seed, first, min(first + CHUNK, orders)) for first in firsts)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_settle) as pool:
        done = [pool.submit(some, seed, first, min(first + CHUNK, orders)) for first in firsts]
        for future in done:
            yield future.result()


def be_quiet() -> None:
    """No log: a simulated channel without a key is no operator's to mend."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _settle() -> None:
    """What was imported stays, and is not looked through again."""
    be_quiet()
    gc.collect()
    gc.freeze()
    gc.disable()


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))
