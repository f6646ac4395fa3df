"""Who makes a statement of the ledger on SQLite: the loop on the spot, or the connection's thread where it may wait."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from orderack.ledger.database import Database, make_engine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest_asyncio.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    engine = make_engine(f"sqlite+aiosqlite:///{file}")

    @event.listens_for(engine.sync_engine, "connect")
    def _tell_thread(connection: DBAPIConnection, _: object) -> None:
        connection.create_function("thread", 0, threading.get_ident)

    made = Database(engine)
    async with made.write() as session:
        await session.execute(text("CREATE TABLE words (word TEXT)"))
    yield made
    await made.aclose()


@contextmanager
def somebody_writes(file: Path) -> Iterator[sqlite3.Connection]:
    other = sqlite3.connect(file, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield other
    finally:
        other.close()


async def thread_of(database: Database, *, writing: bool) -> int:
    async with database.write() if writing else database.read() as session:
        return int((await session.execute(text("SELECT thread()"))).scalar_one())


async def words(database: Database) -> list[str]:
    async with database.read() as session:
        return list((await session.execute(text("SELECT word FROM words"))).scalars())


async def test_what_holds_the_lock_is_done_on_the_spot_and_a_read_that_may_be_long_is_not(database: Database) -> None:
    here = threading.get_ident()
    for _ in range(2):  # a connection that was given back begins anew
        assert await thread_of(database, writing=True) == here
        assert await thread_of(database, writing=False) != here


async def test_a_writer_that_has_to_wait_for_another_holds_up_nobody(database: Database, file: Path) -> None:
    async def write() -> None:
        async with database.write() as session:
            await session.execute(text("INSERT INTO words VALUES ('ours')"))

    with somebody_writes(file) as other:
        waiting = asyncio.create_task(write())
        turns = 0
        for _ in range(20):
            await asyncio.sleep(0.01)
            turns += 1
        assert turns == 20
        assert not waiting.done()
        assert await words(database) == []  # nor is a reader
        other.execute("COMMIT")
        await waiting
    assert await words(database) == ["ours"]


async def test_what_was_broken_off_leaves_nothing_and_the_lock_is_free(database: Database, file: Path) -> None:
    async def half() -> None:
        async with database.write() as session:
            await session.execute(text("INSERT INTO words VALUES ('half')"))
            raise LookupError

    with pytest.raises(LookupError):
        await half()
    assert await words(database) == []
    with somebody_writes(file):
        pass
    assert await thread_of(database, writing=False) != threading.get_ident()
