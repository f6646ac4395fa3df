"""The same past on PostgreSQL: the same simulation, to the last figure."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from orderack.diagnostics.whatif.result import Simulation
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Table
from tests.diagnostics.whatif.conftest import Past
from tests.diagnostics.whatif.shop import live, policy, simulated
from tests.diagnostics.whatif.test_against_the_real_assess import EDITS
from tests.postgres import Postgres

UNTIL = datetime(2027, 6, 1, tzinfo=UTC)
WANTED = ("a level for all", "a gate that measures", "a new rule at the top", "a source without a row", "another zone")


@pytest_asyncio.fixture(scope="module")
async def on_postgres(past: Past, postgres: Postgres, postgres_ledger_url: str) -> AsyncIterator[SqlLedger]:
    ledger = SqlLedger(Database(make_engine(postgres_ledger_url)))
    await live(ledger, past.in_force, past.steps)
    yield ledger
    await ledger.aclose()
    postgres.empty(postgres_ledger_url, [table.name for table in reversed(Table.metadata.sorted_tables)])


def timeless(found: Simulation) -> object:
    """All of it but when each ledger was written, which is now."""
    return without_times(found.model_dump(exclude={"made_at"}))


def without_times(part: object) -> object:
    if isinstance(part, dict):
        return {name: without_times(value) for name, value in part.items() if name != "at"}
    return [without_times(one) for one in part] if isinstance(part, list | tuple) else part


@pytest.mark.parametrize("name", [None, *WANTED])
async def test_the_same_past_is_simulated_alike_on_both(past: Past, on_postgres: SqlLedger, name: str | None) -> None:
    edit = [EDITS[name]] if name else []
    new = policy(past.folder, f"both-{WANTED.index(name) if name else 'none'}", *edit)
    here, there = [await simulated(one, past.in_force, new, until=UNTIL) for one in (past.ledger, on_postgres)]
    assert there.self_check.as_recorded == len(past.steps)
    assert bool(there.different) == bool(name)
    assert timeless(there) == timeless(here)
