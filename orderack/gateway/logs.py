"""The gateway's log: what happened and where. What an exception says, and the values around it, may be the buyer's."""

import traceback
from types import TracebackType
from typing import TextIO

import structlog
from structlog.typing import ExcInfo

_DEEPEST = 30


def configure() -> None:
    """Once, when the process starts. Without it structlog writes every local variable beside a traceback."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.set_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=write_places),
        ]
    )


def write_places(out: TextIO, exc_info: ExcInfo) -> None:
    """The exception's type, and the places it came through."""
    kind, error, _ = exc_info
    out.write(
        f"\n{kind.__name__} at {place_of(error)}\n" + "".join(traceback.format_tb(error.__traceback__, -_DEEPEST))
    )


def place_of(error: BaseException) -> str:
    """Where it was raised: file, line and function."""
    trace: TracebackType | None = error.__traceback__
    frames = traceback.extract_tb(trace)
    return f"{frames[-1].filename}:{frames[-1].lineno} {frames[-1].name}" if frames else "nowhere"
