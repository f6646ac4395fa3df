"""The ledger's schema and its versions."""

from collections.abc import Callable
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from orderack.ledger.database import Database, make_engine, translated

_ADVISORY_LOCK = 0x6F72_6465_7261_636B
"""PostgreSQL's name for "a migration of this ledger is running"."""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration: the migrations beside this file, on this connection."""
    found = Config()
    found.set_main_option("script_location", str(resources.files("orderack.ledger") / "migrations").replace("%", "%%"))
    found.attributes["connection"] = connection
    return found


def head() -> str:
    """The version this code needs."""
    return str(ScriptDirectory.from_config(config()).get_current_head())


def versions() -> frozenset[str]:
    """Every version that this code knows."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(config()).walk_revisions())


async def current(url: str) -> str | None:
    """The version of the database; None where there is no schema yet."""
    engine = make_engine(url)
    try:
        with translated():
            async with engine.connect() as connection:
                return await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())
    finally:
        await engine.dispose()


async def upgrade(url: str) -> None:
    """Bring the schema to the head, in one transaction; a second process waits its turn and finds nothing to do."""
    await _migrate(url, lambda connection: command.upgrade(config(connection), "head"))


async def downgrade(url: str, version: str) -> None:
    """Take the schema back to `version` (`base`: nothing left), in one transaction. Data of newer tables goes."""
    await _migrate(url, lambda connection: command.downgrade(config(connection), version))


async def _migrate(url: str, step: Callable[[Connection], None]) -> None:
    # Altering a table on SQLite copies and drops it, which foreign keys would take for a deletion.
    database = Database(make_engine(url, foreign_keys=False))
    try:
        async with database.write() as session:
            connection = await session.connection()
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _ADVISORY_LOCK})
            await connection.run_sync(step)
    finally:
        await database.aclose()
