"""The schema: migrations and models agree, up and down, on both databases."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Inspector, inspect

from orderack.errors import Misconfigured
from orderack.ledger import schema
from orderack.ledger.database import make_engine
from orderack.ledger.repository import open_ledger
from orderack.ledger.tables import Table
from tests.ledger.at_once import at_once


async def _tables(url: str) -> set[str]:
    engine = make_engine(url)
    async with engine.connect() as connection:
        inspector: Inspector = await connection.run_sync(inspect)
        names = await connection.run_sync(lambda _: inspector.get_table_names())
    await engine.dispose()
    return set(names) - {"alembic_version"}


async def test_models_and_migrations_describe_the_same_schema(ledger_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Table.metadata))

    engine = make_engine(ledger_url)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert found == []


async def test_the_schema_goes_up_down_and_up_again(empty_url: str) -> None:
    assert await schema.current(empty_url) is None
    await schema.upgrade(empty_url)
    assert await schema.current(empty_url) == schema.head()
    assert await _tables(empty_url) == set(Table.metadata.tables)
    await schema.downgrade(empty_url, "base")
    assert await _tables(empty_url) == set()
    await schema.upgrade(empty_url)
    await schema.upgrade(empty_url)
    assert await _tables(empty_url) == set(Table.metadata.tables)


UPGRADE = """
from orderack.ledger import schema

async def main(number, url):
    await schema.upgrade(url)
"""


async def test_processes_that_upgrade_at_once_all_succeed(empty_url: str) -> None:
    assert await at_once(4, UPGRADE, empty_url) == ([0] * 4, "")
    assert await schema.current(empty_url) == schema.head()


async def test_opening_a_ledger_makes_its_folder_and_its_schema(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/new/folder/ledger.db"
    ledger = await open_ledger(url)
    await ledger.ping()
    await ledger.aclose()
    assert await schema.current(url) == schema.head()


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "mysql://somewhere/x", "postgresql://127.0.0.1/x", "nonsense"])
async def test_a_url_we_cannot_use_is_named_as_a_setting_to_mend(url: str) -> None:
    with pytest.raises(Misconfigured, match="ORDERACK_DATABASE_URL"):
        await open_ledger(url)
