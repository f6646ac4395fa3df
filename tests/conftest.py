"""Fixtures that more than one folder uses, and how a test run ends."""

import gc

import pytest

from orderack.temporal.ending import end

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
