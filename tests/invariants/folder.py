"""A run's exports in a folder: written while its processes may still be up, read when they are gone.

account.json      what the run says of itself
providers.json    what the look-alikes accepted, and how often
ledger.db         a copy of the SQLite ledger, or
ledger.url        where a PostgreSQL ledger is
histories/        one file for each run of each order
logs/             what the processes wrote down
twin/             the same of a run of the same orders, in which all came once and in order
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote

import httpx
from pydantic import TypeAdapter
from sqlalchemy import make_url
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter

from orderack.contracts import names
from orderack.domain.value import Value
from orderack.embedded.sandbox.record import Acceptance, Tally
from tests.invariants import ledger_rows, lives
from tests.invariants.logs import Account, Run

AT_ONCE = 20
"""Histories that are fetched at a time."""


class Providers(Value):
    """The sandbox's own record, as its `/log` gives it."""

    accepted: tuple[Acceptance, ...]
    tally: tuple[Tally, ...] = ()


_BETWEEN = "~"


async def export(
    folder: Path, account: Account, client: Client, sandbox_url: str, ledger_url: str, logs: Iterable[Path] = ()
) -> None:
    """Write a run's logs. The histories are those of every order the server knows, open or closed."""
    _make(folder)
    (folder / "account.json").write_text(account.model_dump_json(indent=1))
    async with httpx.AsyncClient(timeout=60) as http:
        answer = (await http.get(f"{sandbox_url}/log")).raise_for_status()
    found = Providers.model_validate_json(answer.content)
    (folder / "providers.json").write_text(found.model_dump_json(indent=1))
    await export_histories(folder / "histories", client)
    copy_ledger(folder, ledger_url)
    for log in logs:
        _make(folder / "logs")
        (folder / "logs" / log.name).write_bytes(log.read_bytes())


async def export_histories(folder: Path, client: Client) -> None:
    """Every run of every order, each in a file of its own."""
    _make(folder)
    turns = asyncio.Semaphore(AT_ONCE)

    async def fetch(workflow_id: str, run_id: str) -> None:
        async with turns:
            history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        name = f"{quote(workflow_id, safe='')}{_BETWEEN}{run_id}.json"
        (folder / name).write_text(history.to_json())

    found = [each async for each in client.list_workflows(f"WorkflowType = '{names.WORKFLOW}'")]
    await asyncio.gather(*(fetch(each.id, each.run_id) for each in found))


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


def copy_ledger(folder: Path, url: str) -> None:
    """A consistent copy of a SQLite file; of a PostgreSQL database its address."""
    target = make_url(url)
    if target.get_backend_name() != "sqlite":
        (folder / "ledger.url").write_text(target.render_as_string(hide_password=False))
        return
    copy = folder / "ledger.db"
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(target.database or "")) as source, closing(sqlite3.connect(copy)) as written:
        source.backup(written)


async def read(folder: Path, converter: DataConverter | None = None) -> Run:
    """The run in this folder; a log that is not there is None. Replays the histories under the present code."""
    ledger, inbox = None, None
    if (url := _ledger_url(folder)) is not None:
        ledger, inbox = ledger_rows.read(url)
    histories = folder / "histories"
    return Run(
        account=Account.model_validate_json((folder / "account.json").read_bytes()),
        providers=_providers(folder / "providers.json"),
        ledger=ledger,
        inbox=inbox,
        lives=await lives.read(histories_in(histories), converter) if histories.is_dir() else None,
        twin=await read(folder / "twin", converter) if (folder / "twin").is_dir() else None,
        process_logs=_logs(folder / "logs"),
    )


def histories_in(folder: Path) -> list[WorkflowHistory]:
    """Every exported history; a server's list may lag, so a history without an order is as good as none."""
    return [
        WorkflowHistory.from_json(unquote(path.stem.partition(_BETWEEN)[0]), json.loads(path.read_text()))
        for path in sorted(folder.glob("*.json"))
    ]


def _ledger_url(folder: Path) -> str | None:
    if (folder / "ledger.db").exists():
        return f"sqlite:///{folder / 'ledger.db'}"
    address = folder / "ledger.url"
    return address.read_text() if address.exists() else None


_PROVIDERS: TypeAdapter[Providers] = TypeAdapter(Providers)


def _providers(file: Path) -> tuple[Acceptance, ...] | None:
    return _PROVIDERS.validate_json(file.read_bytes()).accepted if file.exists() else None


def _logs(folder: Path) -> tuple[tuple[str, str], ...] | None:
    if not folder.is_dir():
        return None
    return tuple((path.stem, path.read_text(errors="replace")) for path in sorted(folder.glob("*.log")))
