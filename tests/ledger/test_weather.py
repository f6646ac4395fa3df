"""A database that is locked, gone or contended: Unavailable in plain words, and no lost or half-written work."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from orderack.errors import Unavailable
from orderack.ledger import database
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger, open_ledger
from tests.ledger.at_once import at_once
from tests.ledger.samples import LEASE, NOW, REF, entry, journal, key, message, stored
from tests.postgres import Postgres


async def test_a_locked_file_is_unavailable_and_says_neither_sql_nor_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    await (await open_ledger(url)).aclose()
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    holder, ledger = Database(make_engine(url)), SqlLedger(Database(make_engine(url)))
    async with holder.write() as session:
        _ = await session.connection()
        with pytest.raises(Unavailable) as caught:
            await ledger.claim(key(), message(key()), NOW, LEASE)
        assert "does not answer (OperationalError)" in str(caught.value)
        assert not any(word in str(caught.value) for word in ("SELECT", "INSERT", "ada@", REF.number))
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        await ledger.ping()  # readers are not in the writer's way
    assert (await ledger.claim(key(), message(key()), NOW, LEASE)).first
    await ledger.aclose()
    await holder.aclose()


async def test_a_server_that_is_gone_is_unavailable(postgres: Postgres) -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{postgres.port}/no_such_database"
    ledger = SqlLedger(Database(make_engine(url)))
    with pytest.raises(Unavailable, match="does not answer"):
        await ledger.ping()
    with pytest.raises(Unavailable, match="does not answer"):
        await open_ledger("postgresql+psycopg://nobody@127.0.0.1:1/ledger")
    await ledger.aclose()


async def test_after_lost_connections_the_next_call_gets_a_new_one(postgres: Postgres) -> None:
    url = postgres.new_database()
    ledger = await open_ledger(url)
    await ledger.ping()
    postgres.drop_connections(url)
    await ledger.ping()
    await ledger.aclose()


async def test_a_call_cancelled_half_way_is_whole_or_not_at_all_and_blocks_nobody(ledger: SqlLedger) -> None:
    for delay in [step * 0.0001 for step in range(60)]:
        task = asyncio.create_task(ledger.save_revision(stored(), "f-1", journal([entry(1), entry(2)])))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.wait([task])
    await ledger.save_revision(stored(), "f-1", journal([entry(1), entry(2)]))
    assert await ledger.verify_chain(REF) == []
    assert len(await ledger.entries(REF)) == 2


async def test_a_call_cancelled_twice_has_ended_when_its_caller_has(ledger: SqlLedger) -> None:
    for step in range(20):
        task = asyncio.create_task(ledger.write(journal([entry(step + 1)])))
        await asyncio.sleep(0.0003 * step)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert [other for other in asyncio.all_tasks() if "SqlLedger.write" in repr(other.get_coro())] == []


async def test_a_ledger_that_is_closed_waits_for_the_calls_under_way(ledger: SqlLedger, ledger_url: str) -> None:
    own = await open_ledger(ledger_url)
    calls = [asyncio.create_task(own.write(journal([entry(step + 1)]))) for step in range(8)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.sleep(0)
    await own.aclose()
    assert all(call.done() for call in calls)
    assert [entry.seq for entry in await ledger.entries(REF)] in [list(range(1, n + 1)) for n in range(9)]


WRITER = """
from tests.ledger.samples import entry, journal
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger

async def main(writer, url, count):
    ledger = SqlLedger(Database(make_engine(url)))
    for n in range(int(count)):
        await ledger.write(journal([entry(writer * int(count) + n + 1)]))
    await ledger.aclose()
"""


async def test_four_processes_that_read_then_write_never_fail_and_never_fork_the_chain(
    ledger: SqlLedger, ledger_url: str
) -> None:
    count = 40
    assert await at_once(4, WRITER, ledger_url, str(count)) == ([0] * 4, "")
    assert [found.seq for found in await ledger.entries(REF)] == list(range(1, 4 * count + 1))
    assert await ledger.verify_chain(REF) == []


async def test_four_writers_in_one_process_never_fail(ledger: SqlLedger) -> None:
    async def writer(name: int) -> None:
        for n in range(50):
            mine = key(n=name * 50 + n)
            assert (await ledger.claim(mine, message(mine), NOW, timedelta(seconds=30))).mine

    await asyncio.gather(*(writer(name) for name in range(4)))
    assert len(await ledger.sends(REF)) == 200
