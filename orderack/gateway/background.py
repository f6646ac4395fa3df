"""What the gateway does besides answering: jobs that run again and again while it is up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from orderack.errors import OrderAckError
from orderack.telemetry import metrics

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Job:
    """One of them. `work` does what is to be done now and returns how much that was; it may be cut off anywhere."""

    name: str
    every: timedelta
    work: Callable[[], Awaitable[int]]
    bell: asyncio.Event | None = None
    """Whoever sets it has the work done at once; it is cleared when the work begins."""


@asynccontextmanager
async def running(jobs: Sequence[Job]) -> AsyncIterator[None]:
    """The jobs run within the block."""
    tasks = [asyncio.create_task(_repeat(job), name=job.name) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _repeat(job: Job) -> None:
    """Until cancelled. Nothing may end it: it is what keeps a recorded event from being lost."""
    while True:
        await _until_due(job)
        try:
            if done := await job.work():
                log.info("background job", job=job.name, done=done)
            outcome = "done"
        except OrderAckError as error:
            log.info("background job waits", job=job.name, why=type(error).__name__)
            outcome = "waits"
        except Exception:
            log.exception("background job failed; it goes on", job=job.name)
            outcome = "failed"
        metrics.JOBS.labels(job.name, outcome).inc()


async def _until_due(job: Job) -> None:
    if job.bell is None:
        await asyncio.sleep(job.every.total_seconds())
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(job.every.total_seconds()):
            await job.bell.wait()
    job.bell.clear()
