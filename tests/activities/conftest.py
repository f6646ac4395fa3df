"""A world of its own for each test, over a real SQLite ledger."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from orderack.messages import MessageRenderer
from tests.activities.world import World


@pytest.fixture(scope="session")
def renderer() -> MessageRenderer:
    return MessageRenderer(Path(__file__).parents[2] / "policy" / "messages")


@pytest_asyncio.fixture
async def own_ledger(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[SqlLedger]:
    file = shutil.copy(sqlite_template, tmp_path / "ledger.db")
    ledger = SqlLedger(Database(make_engine(f"sqlite+aiosqlite:///{file}")))
    yield ledger
    await ledger.aclose()


@pytest_asyncio.fixture
async def world(own_ledger: SqlLedger, renderer: MessageRenderer) -> World:
    """One order, revision 1, is in the ledger."""
    made = World(own_ledger, renderer)
    await made.save()
    return made
