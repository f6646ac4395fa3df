"""Making the weekly report in a process of its own.

It takes seconds of processor time and hundreds of megabytes, which a worker's event loop and memory do not feel there.
"""

import asyncio
import sys
from contextlib import suppress
from datetime import datetime, timedelta

from pydantic import ValidationError

from orderack.contracts.reports import WeeklyMailed
from orderack.domain.value import Value
from orderack.errors import Misconfigured, OrderAckError, Refused, Unavailable

PROGRAM = "orderack.diagnostics.weekly"
KINDS: tuple[type[OrderAckError], ...] = (Unavailable, Refused, Misconfigured)


class Ended(Value):
    """What the process says in its last line: one of the two."""

    mailed: WeeklyMailed | None = None
    failed: str = ""
    kind: str = ""
    """The error's name, one of `KINDS`."""
    retry_after: timedelta | None = None


async def mailed_apart(as_of: datetime) -> WeeklyMailed:
    """See `mailed_by_itself.mail_weekly`; raises what it raises. The process ends with whoever waits for it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", PROGRAM, as_of.isoformat()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return _read(said, process.returncode)


def _read(said: bytes, code: int | None) -> WeeklyMailed:
    try:
        ended = Ended.model_validate_json(said.splitlines()[-1])
    except (IndexError, ValidationError):
        raise Unavailable(f"the report was cut off (exit code {code}); the worker's log may say why") from None
    if ended.mailed is not None:
        return ended.mailed
    if ended.kind == Unavailable.__name__:
        raise Unavailable(ended.failed, ended.retry_after)
    raise next(kind for kind in KINDS if kind.__name__ == ended.kind)(ended.failed)
