"""kill -9 in the middle of a migration of the ledger (F13), on both databases: whole before, or whole after."""

import asyncio
import sqlite3
import sys
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from signal import SIGKILL

import psycopg
from sqlalchemy import make_url

from orderack.ledger import schema
from orderack.ledger.repository import open_ledger
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup
from tests.postgres import binaries, running

FROM = "0002"
"""The version that the ledger is taken back to: all later migrations are to be gone through again."""

_VICTIM = """
import asyncio, os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from orderack.ledger import schema

left = int(sys.argv[2])

@event.listens_for(Engine, "after_cursor_execute")
def struck(connection, cursor, statement, *rest):
    global left
    if statement.lstrip().split(" ")[0].upper() in ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(schema.upgrade(sys.argv[1]))
"""
"""Upgrades, and dies behind the n-th statement that changes something."""


async def migrations(rig: Rig) -> Outcome:
    """Die behind each statement in turn, until one run gets through; rows and schema are looked at each time."""
    wrong, fired = list[str](), 0
    with ExitStack() as servers:
        urls = [f"sqlite+aiosqlite:///{rig.folder}/migrated.db"]
        if (programs := binaries()) is not None:
            urls.append(servers.enter_context(running(programs)).new_database())
        for url in urls:
            deaths, found = await killed_at_each_statement(url, 4 if rig.short else 1)
            fired, wrong = fired + deaths, [*wrong, *found]
    return Outcome(fired=fired, orders=0, wrong=tuple(wrong), note=f"{fired} deaths on {len(urls)} databases")


async def killed_at_each_statement(url: str, step: int = 1) -> tuple[int, list[str]]:
    """How often the migration died, and what was wrong after a death. `step`: only each so many-th statement."""
    await (await open_ledger(url)).aclose()
    await schema.downgrade(url, FROM)
    await _plant(url)
    wrong: list[str] = []
    statement, deaths = 1, 0
    while await _dies(url, statement):
        deaths += 1
        if await schema.current(url) != FROM:
            wrong.append(f"{_kind(url)}: half a migration stands after statement {statement}")
        if not await _planted(url):
            wrong.append(f"{_kind(url)}: a row is gone after statement {statement}")
        statement += step
    if await schema.current(url) != schema.head():
        wrong.append(f"{_kind(url)}: the migration does not get through any more")
    if not await _planted(url):
        wrong.append(f"{_kind(url)}: the row is gone after the migration")
    return deaths, wrong


async def _dies(url: str, statement: int) -> bool:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _VICTIM, url, str(statement))
    code = await process.wait()
    if code not in (0, -SIGKILL):
        raise RuntimeError(f"the migration ended with {code}")
    return code == -SIGKILL


_ROW = ("demo", "KEPT-1", datetime(2026, 3, 2, tzinfo=UTC).isoformat(), "awaiting_erp")
_COLUMNS = (
    "store, number, received_at, updated_at, stage, revision, journal_seq, content_revision, quantities, "
    "chain_length, chain_head"
)


async def _plant(url: str) -> None:
    store, number, at, stage = _ROW
    values = f"'{store}', '{number}', '{at}', '{at}', '{stage}', 1, 0, 0, '{{}}', 0, ''"
    _run(url, f"INSERT INTO orders ({_COLUMNS}) VALUES ({values})")


async def _planted(url: str) -> bool:
    return _run(url, "SELECT number FROM orders") == [("KEPT-1",)]


def _run(url: str, statement: str) -> list[tuple[object, ...]]:
    target = make_url(url)
    if target.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(target.database or "")) as opened, opened:
            return opened.execute(statement).fetchall()
    words = f"host={target.host} port={target.port} user={target.username} dbname={target.database}"
    with psycopg.connect(words) as connection:
        answer = connection.execute(statement.encode())
        return answer.fetchall() if answer.description else []


def _kind(url: str) -> str:
    return make_url(url).get_backend_name()


FAULTS = (Fault("world_migration", "kill -9 within a migration, behind each statement (F13)", migrations, Setup()),)
