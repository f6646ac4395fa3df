"""`orderack worker`: workers for task queues, in the foreground."""

import os
import sys
from typing import Annotated

import typer

from orderack.cli.exits import bad
from orderack.contracts import names

QUEUES = (names.ORDERS_QUEUE, names.MESSAGING_QUEUE, names.ERP_QUEUE, names.SOURCES_QUEUE)

Which = Annotated[
    list[str] | None,
    typer.Option("--queues", help=f"Of {', '.join(QUEUES)}; comma separated or repeated; none: all.", metavar="QUEUES"),
]


def worker(queues: Which = None) -> None:
    """Run workers for these task queues until Ctrl-C or SIGTERM; then no more work is taken, and what is in flight may
    end within ORDERACK_WORKER_DRAIN_SECONDS.

    Run as many as you like, each for all queues or for some. docs/operations/production.md says how many, and which
    settings (ORDERACK_WORKER_...) let one take more.

    Example: orderack worker --queues orders,messaging

    Exit code 0: told to stop, and drained; 2: no such queue; 3: Temporal or the ledger did not answer.
    """
    wanted = chosen(queues or ())
    # The library knows neither workflows nor activities, so the process becomes the program that does. It keeps its id.
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "workers", *wanted])  # noqa: S606  # no shell wanted


def chosen(given: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The queues that were named, each once; all where none was. Raises InvalidInput for one that is none."""
    named = dict.fromkeys(part.strip() for value in given for part in value.split(",") if part.strip())
    if unknown := [name for name in named if name not in QUEUES]:
        raise bad("--queues", f"names no task queue: {', '.join(unknown)[:100]}", f"there are {', '.join(QUEUES)}")
    return tuple(named) or QUEUES
