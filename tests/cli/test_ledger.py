"""`orderack ledger`: its schema, a copy made while it is written, and back again."""

import asyncio
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from orderack.cli.main import run
from orderack.ledger import schema
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from tests.ledger.tampering import one_of_everything

ORDER = "INSERT INTO inbox (source, external_id, kind, body, received_at, outcome) VALUES ('t', ?, 'order', '', ?, '')"


@pytest.fixture
def ledger(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A migrated ledger that the settings name."""
    file = tmp_path / "ledger.db"
    file.write_bytes(sqlite_template.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORDERACK_DATABASE_URL", f"sqlite+aiosqlite:///{file}")
    return file


def write(file: Path, name: str, at: str) -> None:
    with closing(sqlite3.connect(file, timeout=30)) as opened, opened:
        opened.execute(ORDER, (name, at))


def names(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as opened:
        return [name for (name,) in opened.execute("SELECT external_id FROM inbox ORDER BY id")]


def test_migrating_makes_the_schema_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORDERACK_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/new.db")
    assert run(["ledger", "migrate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema_version": schema.head(), "before": None}
    assert run(["ledger", "migrate"]) == 0
    assert capsys.readouterr().out == f"schema {schema.head()}\n"


def test_a_copy_is_made_while_others_write_and_is_whole(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()

    def busy() -> None:
        place = 0
        while not stop.is_set():
            place += 1
            write(ledger, f"n{place:06}", "2026-11-21 10:00:00")

    writer = threading.Thread(target=busy)
    writer.start()
    try:
        assert run(["ledger", "backup", "copy.db", "--json"]) == 0
    finally:
        stop.set()
        writer.join()
    told = json.loads(capsys.readouterr().out)
    assert told["sound"]
    held = names(ledger.with_name("copy.db"))
    assert held == names(ledger)[: len(held)]
    assert ledger.with_name("copy.db").stat().st_mode & 0o777 == 0o600
    assert not list(ledger.parent.glob("copy.db?*"))


def test_a_file_that_is_there_is_not_written_over(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "backup", ledger.name]) == 2
    assert "is there already" in capsys.readouterr().err


def test_no_ledger_is_copied_where_there_is_none(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger.unlink()
    assert run(["ledger", "backup", "copy.db"]) == 3
    assert not ledger.with_name("copy.db").exists()


def test_a_database_server_is_backed_up_by_its_own_tools(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORDERACK_DATABASE_URL", "postgresql+psycopg://ledger:hunter2@127.0.0.1/ledger")
    assert run(["ledger", "backup", "copy.db"]) == 2
    err = capsys.readouterr().err
    assert "pg_dump" in err
    assert "hunter2" not in err


def test_what_came_after_the_copy_is_given_up_only_when_told_and_kept_beside(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(ledger, "before", "2026-11-21 10:00:00")
    assert run(["ledger", "backup", "copy.db"]) == 0
    write(ledger, "after", "2026-11-21 11:00:00")
    capsys.readouterr()
    assert run(["ledger", "restore", "copy.db"]) == 1
    assert "--force" in capsys.readouterr().err
    assert names(ledger) == ["before", "after"]
    assert run(["ledger", "restore", "copy.db", "--force", "--json"]) == 0
    assert names(ledger) == ["before"]
    kept = Path(json.loads(capsys.readouterr().out)["kept"])
    assert names(kept) == ["before", "after"]


def test_a_ledger_that_is_lost_is_restored_whole(ledger: Path) -> None:
    write(ledger, "one", "2026-11-21 10:00:00")
    assert run(["ledger", "backup", "copy.db"]) == 0
    ledger.unlink()
    assert run(["ledger", "restore", "copy.db"]) == 0
    assert names(ledger) == ["one"]


@pytest.mark.parametrize("harm", ["cut off", "no ledger", "of newer code"])
def test_a_copy_that_is_not_one_is_refused_and_nothing_is_touched(
    ledger: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(ledger, "one", "2026-11-21 10:00:00")
    copy = ledger.with_name("copy.db")
    assert run(["ledger", "backup", copy.name]) == 0
    if harm == "cut off":
        copy.write_bytes(copy.read_bytes()[:30_000])
    elif harm == "no ledger":
        copy.write_bytes(b"name,number\n" * 50)
    else:
        with closing(sqlite3.connect(copy)) as opened, opened:
            opened.execute("UPDATE alembic_version SET version_num = '9999'")
    assert run(["ledger", "restore", copy.name, "--force"]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert names(ledger) == ["one"]


async def fill(url: str) -> None:
    ledger = SqlLedger(Database(make_engine(url)))
    await one_of_everything(ledger)
    await ledger.aclose()


def test_a_record_that_is_not_as_it_was_written_is_found_in_the_copy(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill(f"sqlite+aiosqlite:///{ledger}"))
    assert run(["ledger", "backup", "sound.db"]) == 0
    with closing(sqlite3.connect(ledger)) as opened, opened:
        opened.execute("UPDATE revisions SET content_hash = 'another'")
    assert run(["ledger", "backup", "forged.db", "--json"]) == 4
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["sound"], told["broken"]) == (False, ["north/1001"])
    assert run(["ledger", "restore", "forged.db"]) == 1
    assert "not as it was written" in capsys.readouterr().err
