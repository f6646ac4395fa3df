"""The ledger on both databases: whoever asks for `ledger` runs twice."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from orderack.ledger import schema
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Table
from tests.postgres import Postgres

DATABASES = ("sqlite", "postgres")


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a schema."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.new_database()
    yield url
    server.drop_database(url)


@pytest_asyncio.fixture(scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    await schema.upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest_asyncio.fixture(scope="session")
async def postgres_ledger_url(postgres: Postgres) -> str:
    """A migrated PostgreSQL database for the session: emptying it is much quicker than making another."""
    url = postgres.new_database()
    await schema.upgrade(url)
    return url


@pytest.fixture(scope="session")
def sqlite_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each test has its own SQLite ledger, under one name: engines are made once for a URL."""
    return tmp_path_factory.mktemp("ledger")


@contextmanager
def own_file(template: Path, folder: Path) -> Iterator[str]:
    """The URL of a copy of the template, gone afterwards with its log."""
    shutil.copy(template, folder / "ledger.db")
    yield f"sqlite+aiosqlite:///{folder}/ledger.db"
    for file in folder.glob("ledger.db*"):
        file.unlink()


@pytest.fixture(params=DATABASES)
def ledger_url(request: pytest.FixtureRequest, sqlite_folder: Path) -> Iterator[str]:
    """The URL of a migrated database with nothing in it."""
    if request.param == "sqlite":
        with own_file(request.getfixturevalue("sqlite_template"), sqlite_folder) as made:
            yield made
        return
    url: str = request.getfixturevalue("postgres_ledger_url")
    server: Postgres = request.getfixturevalue("postgres")
    yield url
    server.empty(url, [table.name for table in reversed(Table.metadata.sorted_tables)])


@cache
def engine_of(url: str) -> AsyncEngine:
    """It keeps the statements it has compiled: half of what most of these tests would compute.

    Nobody cuts the power here, so SQLite waits for no disk, as PostgreSQL does not (`fsync=off`).
    """
    engine = make_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", lambda made, _: made.execute("PRAGMA synchronous=OFF"))
    return engine


@pytest_asyncio.fixture
async def ledger(ledger_url: str) -> AsyncIterator[SqlLedger]:
    """A ledger of the test's own, with connections of its own."""
    found = SqlLedger(Database(engine_of(ledger_url)))
    yield found
    await found.aclose()
