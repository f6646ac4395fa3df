"""Fixtures that more than one folder uses, and how a test run ends."""

import functools
import gc
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from orderack.temporal.ending import end

# Each client without a context of its own reads all certificate authorities: 25 ms in most of these tests.
httpx._transports.default.create_ssl_context = functools.cache(httpx.create_ssl_context)  # type: ignore[attr-defined]

# And each request in the same process looks through every folder of `sys.path` for a module that is not there.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # how Python is told that there is none

pytest_plugins = ["tests.postgres", "tests.ledger_fixture"]

PROCESSES = {"deploy", "e2e", "faults"}
"""Folders whose tests start whole installations."""

_ENDED = pytest.StashKey[int]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in an order that spreads the heavy ones: three real installations at once are slower than they may be.

    Always the same order; those with processes of their own come in the first half, so that none is left for the end.
    """
    items.sort(key=lambda item: _place(item.path.relative_to(item.config.rootpath)))


def _place(file: Path) -> tuple[float, str]:
    drawn = zlib.crc32(str(file).encode())
    return (drawn / 2 if file.parts[1] in PROCESSES else drawn, str(file))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Twelve thousand tests are a heap that each full collection would walk through: seconds, in every worker."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_ENDED] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without the interpreter's teardown, which a Temporal client can abort after every test has passed."""
    if _ENDED in config.stash and not hasattr(config, "workerinput"):
        end(config.stash[_ENDED])
