"""Fixtures that more than one folder uses, and how a test run ends."""

import functools
import gc

import httpx
import pytest

from orderack.temporal.ending import end

# Each client without a context of its own reads all certificate authorities: 25 ms in most of these tests.
httpx._transports.default.create_ssl_context = functools.cache(httpx.create_ssl_context)  # type: ignore[attr-defined]

pytest_plugins = ["tests.postgres", "tests.ledger_fixture"]

_ENDED = pytest.StashKey[int]()


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
