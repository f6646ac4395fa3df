"""A world of its own for each test, over a real SQLite ledger."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from orderack.ledger.database import Database
from orderack.ledger.repository import SqlLedger
from orderack.messages import MessageRenderer
from tests.activities.world import World
from tests.ledger_fixture import engine_of, own_file


@pytest.fixture(scope="session")
def renderer() -> MessageRenderer:
    return MessageRenderer(Path(__file__).parents[2] / "policy" / "messages")


@pytest_asyncio.fixture
async def own_ledger(sqlite_template: Path, sqlite_folder: Path) -> AsyncIterator[SqlLedger]:
    with own_file(sqlite_template, sqlite_folder) as url:
        ledger = SqlLedger(Database(engine_of(url)))
        yield ledger
        await ledger.aclose()


@pytest_asyncio.fixture
async def world(own_ledger: SqlLedger, renderer: MessageRenderer) -> World:
    """One order, revision 1, is in the ledger."""
    made = World(own_ledger, renderer)
    await made.save()
    return made
