"""The life of a worker process: working, told to stop, drained."""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from temporalio.worker import Worker

BEAT_SECONDS = 5.0


async def until_told(
    stop: asyncio.Event, workers: Mapping[str, Worker], drain_seconds: float, health: Path | None
) -> None:
    """Run these workers until `stop` is set, then take no more work and let what is in flight end.

    All of them stop at once, so that the whole takes `drain_seconds` and a moment however many there are. Activities
    that still run then are cut off; Temporal gives them to another worker. Raises what a worker fails with.
    """
    runs = {queue: asyncio.create_task(worker.run(), name=queue) for queue, worker in workers.items()}
    told, beats = asyncio.create_task(stop.wait()), asyncio.create_task(_beat(health))
    _say(f"working: {', '.join(workers)}")
    try:
        await asyncio.wait({told, *runs.values()}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            _say(f"stopping: no more work is taken; what is in flight may end within {drain_seconds:g} s")
        await _drain(workers, runs, drain_seconds)
    finally:
        for task in (told, beats):
            task.cancel()
        _forget(health)


async def _drain(workers: Mapping[str, Worker], runs: Mapping[str, asyncio.Task[None]], within: float) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    # One that is told before it runs at all takes the word with it: else nobody would ever tell it again.
    await asyncio.gather(*(worker.shutdown() for queue, worker in workers.items() if not runs[queue].done()))
    await asyncio.gather(*runs.values())
    took = loop.time() - begun
    rest = "nothing was left in flight" if took < within else "what was still in flight goes to another worker"
    _say(f"stopped after {took:.1f} s: {rest}")


async def _beat(health: Path | None) -> None:
    """Touch the file again and again: it grows old when this process hangs."""
    while health is not None:
        _touch(health)
        await asyncio.sleep(BEAT_SECONDS)


def _touch(health: Path) -> None:
    with suppress(OSError):
        health.touch()


def _forget(health: Path | None) -> None:
    if health is not None:
        with suppress(OSError):
            health.unlink(missing_ok=True)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
