"""Connections and transactions: one short transaction per call, and what the ledger's weather is called outside."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from functools import cache, wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from sqlalchemy import CursorResult, Executable, event, insert, inspect
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.sql.dml import ReturningInsert

from orderack.errors import Misconfigured, Unavailable
from orderack.ledger import counts
from orderack.ledger.prompt import TAKES_LOCK, open_prompt
from orderack.ledger.tables import Table
from orderack.telemetry import metrics

BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for another process's write before it gives up."""

_WRITES = "orderack_writes"
metrics.LEDGER_ERRORS.labels(OperationalError.__name__)  # stands at nought: no rate can be told of a first sample
_READ, _WRITE = metrics.LEDGER.labels("read"), metrics.LEDGER.labels("write")

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def make_engine(url: str, *, foreign_keys: bool = True) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite://…` or `postgresql+psycopg://…`. Raises Misconfigured for any other URL."""
    target = _parsed(url)
    if target.drivername == "sqlite+aiosqlite":
        return _sqlite(target, foreign_keys)
    return create_async_engine(target, hide_parameters=True, pool_pre_ping=True, pool_size=10)


def _parsed(url: str) -> URL:
    with suppress(ArgumentError, ValueError):
        parsed = make_url(url)
        if parsed.drivername in ("sqlite+aiosqlite", "postgresql+psycopg") and parsed.database:
            return parsed
    raise Misconfigured(
        "ORDERACK_DATABASE_URL must be sqlite+aiosqlite:///<file> or postgresql+psycopg://<host>/<database>"
    )


def _sqlite(url: URL, foreign_keys: bool) -> AsyncEngine:
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, hide_parameters=True, connect_args={"async_creator_fn": open_prompt})

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, below
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "synchronous=FULL", f"foreign_keys={int(foreign_keys)}"):
            cursor.execute(f"PRAGMA {pragma}")
        _write_ahead(cursor)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # Read, then write in a plain BEGIN fails for most of several writers (reliability.md §0, 8).
        immediate = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql(TAKES_LOCK if immediate else "BEGIN")

    return engine


def _write_ahead(cursor: DBAPICursor) -> None:
    """Switch a new file to WAL, once for ever. SQLite does not wait for its lock here, so we do."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


class Database:
    """Where sessions come from. Whatever keeps the database from answering is raised as Unavailable."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._users = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._writing = engine.execution_options(**{_WRITES: True})
        # SQLite has one writer at a time. Waiting here is fair and prompt; its own busy handler polls.
        self._turn: AbstractAsyncContextManager[None] = (
            asyncio.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        )

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """One consistent look."""
        with translated(), self._in_use(), _READ.time():
            async with AsyncSession(self._engine, expire_on_commit=False) as session:
                yield session

    @asynccontextmanager
    async def write(self, *, autoflush: bool = True) -> AsyncGenerator[AsyncSession]:
        """One transaction, committed at the end or not at all.

        `autoflush` off: what was changed by the ORM is written at the end, once, and not before each statement.
        """
        with translated(), self._in_use(), _WRITE.time():
            made = AsyncSession(self._writing, expire_on_commit=False, autoflush=autoflush)
            async with self._turn, made as session, session.begin():
                yield session
        counts.committed(session)

    async def forget_log(self) -> None:
        """Write SQLite's log back into its file and empty it: it holds the pages as they were before."""
        if self._engine.dialect.name == "sqlite":
            with translated():
                async with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                    await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def aclose(self) -> None:
        """Close every connection, once the calls under way have given theirs back: a later one would stay open."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), BUSY_TIMEOUT_MS / 1000)
        await self._engine.dispose()

    @contextmanager
    def _in_use(self) -> Generator[None]:
        self._users += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._idle.set()


def uncut(ledger: type[T]) -> type[T]:
    """Let every call of this class run to its end, also when its caller is cancelled: whole, or not at all.

    A connection that is cut off between BEGIN and its pool keeps SQLite's write lock until it is collected.
    """
    for name, call in list(vars(ledger).items()):
        if iscoroutinefunction(call) and not name.startswith("_"):
            setattr(ledger, name, _to_its_end(call))
    return ledger


def _to_its_end(call: Callable[P, Coroutine[None, None, R]]) -> Callable[P, Coroutine[None, None, R]]:
    @wraps(call)
    async def whole(*args: P.args, **kwargs: P.kwargs) -> R:
        task = asyncio.create_task(call(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():  # whoever cancels again waits as well: nobody may close the database under it
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            raise

    return whole


@contextmanager
def translated() -> Generator[None]:
    """Raise Unavailable for a locked, lost or missing database; its message carries neither SQL nor data."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        reason = type(error.orig).__name__
        metrics.LEDGER_ERRORS.labels(reason).inc()
        raise Unavailable(f"the ledger's database does not answer ({reason}); nothing was written") from None
    except (PoolTimeout, OSError) as error:
        reason = type(error).__name__
        metrics.LEDGER_ERRORS.labels(reason).inc()
        raise Unavailable(f"the ledger's database does not answer ({reason}); nothing was written") from None


async def insert_new(session: AsyncSession, table: type[Table], row: Mapping[str, object]) -> bool:
    """Insert the row unless its key is taken; whether it went in. A concurrent insert of the key is waited for."""
    return (await session.execute(_new(table, _dialect(session)), row)).first() is not None


async def inserted(session: AsyncSession, table: type[Table], row: Mapping[str, object]) -> dict[str, object] | None:
    """Insert the row as `insert_new` does; as it is stored, or None."""
    statement = _new(table, _dialect(session), whole=True)
    stored = (await session.execute(statement, row)).mappings().one_or_none()
    return None if stored is None else {str(name): value for name, value in stored.items()}


async def insert_all(session: AsyncSession, table: type[Table], rows: Sequence[Mapping[str, object]]) -> None:
    """Insert the rows, all of the same columns, in one go. None of their keys may be taken."""
    if rows:
        await session.execute(insert(sql_table(table)), rows)


async def upsert(session: AsyncSession, table: type[Table], rows: Sequence[Mapping[str, object]]) -> None:
    """Insert the rows; where a primary key is taken, replace the columns that the rows name."""
    if not rows:
        return
    statement = _insert(table, _dialect(session))
    keys = [column.name for column in sql_table(table).primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


async def row_count(session: AsyncSession, statement: Executable) -> int:
    """Run the update or delete; how many rows it touched."""
    return cast("CursorResult[tuple[()]]", await session.execute(statement)).rowcount


@cache
def _new(table: type[Table], dialect: str, *, whole: bool = False) -> ReturningInsert[tuple[object, ...]]:
    """Made once: it costs more than what it does."""
    columns = sql_table(table).c if whole else sql_table(table).primary_key
    return _insert(table, dialect).on_conflict_do_nothing().returning(*columns)


def _insert(table: type[Table], dialect: str) -> postgresql.Insert | sqlite.Insert:
    return (sqlite.insert if dialect == "sqlite" else postgresql.insert)(sql_table(table))


def _dialect(session: AsyncSession) -> str:
    return session.get_bind().dialect.name


def sql_table(table: type[Table]) -> SqlTable:
    """The table itself, for queries over its columns."""
    return cast("SqlTable", inspect(table).local_table)
