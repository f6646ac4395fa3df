"""A ledger with one whole story in it, and its pack."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from orderack.dispute.pack import members, zipped
from orderack.dispute.verifier import Report, verify
from orderack.ledger.database import Database, make_engine
from orderack.ledger.record import OrderRecord
from orderack.ledger.repository import SqlLedger
from tests.dispute.story import REF, tell

EXPORTED = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)

Files = dict[str, bytes]


@pytest_asyncio.fixture(scope="session")
async def told_ledger(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the story; copy it before you change it."""
    path = tmp_path_factory.mktemp("story") / "ledger.db"
    shutil.copy(sqlite_template, path)
    ledger = SqlLedger(Database(make_engine(f"sqlite+aiosqlite:///{path}")))
    await tell(ledger)
    await ledger._database.forget_log()
    await ledger.aclose()
    return path


@pytest_asyncio.fixture
async def story(told_ledger: Path, tmp_path: Path) -> AsyncIterator[SqlLedger]:
    """The story in a ledger of the test's own."""
    shutil.copy(told_ledger, tmp_path / "ledger.db")
    ledger = SqlLedger(Database(make_engine(f"sqlite+aiosqlite:///{tmp_path}/ledger.db")))
    yield ledger
    await ledger.aclose()


@pytest_asyncio.fixture(scope="session")
async def record(told_ledger: Path) -> OrderRecord:
    ledger = SqlLedger(Database(make_engine(f"sqlite+aiosqlite:///{told_ledger}")))
    found = await ledger.order_record(REF)
    await ledger.aclose()
    assert found
    return found


@pytest.fixture(scope="session")
def files(record: OrderRecord) -> Files:
    """The pack's files."""
    return members(record, UTC, EXPORTED)


def report_on(files: Files, folder: Path) -> Report:
    """What the verifier says of a pack with these files."""
    path = folder / "pack.zip"
    path.write_bytes(zipped(files))
    return verify(str(path))
