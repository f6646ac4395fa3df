"""Processes of a bench: started with their output in a file, measured by their memory and their CPU time, and ended."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

READY = "ready"
"""What a process of a bench writes once it works."""

READY_WITHIN = 40.0


class Gone(Exception):
    """A process of the bench ended by itself, or never came up."""


def says_ready(written: str) -> bool:
    return READY in written.split()


@asynccontextmanager
async def started(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    ready: Callable[[str], bool] = says_ready,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m module …` while the block lasts; entered once what it wrote says that it works. Raises Gone."""
    process = await start(module, arguments, environment, log, ready)
    try:
        yield process
    finally:
        await end(process)


async def start(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    ready: Callable[[str], bool] = says_ready,
) -> asyncio.subprocess.Process:
    """The same without an end. Raises Gone."""
    with log.open("ab") as output:
        begin = output.tell()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", module, *arguments),
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    deadline = asyncio.get_running_loop().time() + READY_WITHIN
    while not ready(said := _written(log, begin)):
        if process.returncode is not None or asyncio.get_running_loop().time() > deadline:
            await end(process)
            raise Gone(f"{module} did not come up: {said[-600:]}")
        await asyncio.sleep(0.02)
    return process


def _written(log: Path, begin: int) -> str:
    return log.read_bytes()[begin:].decode(errors="replace")


async def end(process: asyncio.subprocess.Process) -> None:
    """End it, by force where it does not go."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 10)
    except TimeoutError:
        await kill(process)


async def kill(process: asyncio.subprocess.Process) -> None:
    """As a crash ends it: kill -9."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def memory(pid: int) -> int:
    """Resident bytes."""
    return int(psutil.Process(pid).memory_info().rss)


def cpu(pid: int) -> float:
    """Seconds of CPU so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine_memory() -> int:
    return int(psutil.virtual_memory().total)
