"""`orderack ledger`: its schema, a copy of it, and back again."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from orderack.cli.exits import BROKEN, bad
from orderack.cli.ledger_reconcile import recall, rerun
from orderack.cli.options import AsJson
from orderack.cli.printing import print_json, when
from orderack.cli.session import demand_file, run
from orderack.domain.order import Name, OrderRef
from orderack.domain.value import Value
from orderack.errors import Refused
from orderack.ledger import backup as backups
from orderack.ledger import schema
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from orderack.ledger.verification import lost
from orderack.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The ledger's schema, a copy of it, and back again.")
app.command()(rerun)
app.command()(recall)

File = Annotated[Path, typer.Argument(help="The copy.", metavar="FILE")]
Force = Annotated[bool, typer.Option("--force", help="Also over a ledger that is newer than the copy.")]


class Migrated(Value):
    schema_version: Name
    before: Name | None


class BackedUp(Value):
    backup: backups.Copy
    sound: bool
    """Every audit chain in the copy stands as it was written."""
    broken: tuple[str, ...] = ()


class Restored(Value):
    backup: backups.Copy
    kept: str | None
    """Where the ledger that stood there before is kept."""


@app.command()
def migrate(as_json: AsJson = False) -> None:
    """Bring the ledger's schema to this code's. Running it again changes nothing; gateway and workers do it as well.

    Example: orderack ledger migrate

    Exit code 0: done, or nothing to do; 3: the ledger did not answer.
    """
    done = run(_migrate(Settings().ledger_url))
    if as_json:
        print_json(done)
    else:
        before = "made anew" if done.before is None else f"was {done.before}"
        typer.echo(f"schema {done.schema_version}" + (f" ({before})" if done.before != done.schema_version else ""))


@app.command()
def backup(file: File, as_json: AsJson = False) -> None:
    """Copy a ledger that is a file (SQLite), while it is in use, and verify the copy: its pages and every audit chain.

    The copy holds buyers' data: it is made readable for you alone. PostgreSQL: docs/operations/backup.md.

    Example: orderack ledger backup ledger-2026-11-21.db

    Exit code 0: copied and sound; 4: copied, and the record in it is not as it was written; 2: there is such a file,
    or the ledger is not a file; 3: there is no ledger.
    """
    source = backups.file_of(Settings().ledger_url)
    demand_file(Settings().ledger_url)
    if file.exists():
        raise bad("FILE", f"is there already: {file}", "name a new file")
    made = backups.copy(source, file)
    broken = _broken(file)
    if as_json:
        print_json(BackedUp(backup=made, sound=not broken, broken=broken))
    else:
        newest = f", the last change {when(made.newest)}" if made.newest else ""
        typer.echo(
            f"{file}: {made.orders} orders{newest}; " + (f"NOT sound: {', '.join(broken)}" if broken else "sound")
        )
    if broken:
        raise typer.Exit(BROKEN)


@app.command()
def restore(file: File, force: Force = False, as_json: AsJson = False) -> None:
    """Put a copy in the ledger's place. End the gateway and the workers first. What stood there is kept beside it.

    Then start them, and run `orderack doctor`: it names orders that run and that the copy does not know.

    Example: orderack ledger restore ledger-2026-11-21.db

    Exit code 0: restored; 1: refused: the copy is damaged, of newer code, or older than the ledger (--force);
    2: the ledger is not a file; 3: there is no such copy.
    """
    ledger = backups.file_of(Settings().ledger_url)
    broken = _broken(file)
    if broken and not force:
        raise Refused(f"the record in {file} is not as it was written ({', '.join(broken)}): --force restores it")
    made, kept = backups.restore(file, ledger, force=force, now=datetime.now(UTC))
    if as_json:
        print_json(Restored(backup=made, kept=str(kept) if kept else None))
        return
    typer.echo(f"restored {made.orders} orders from {file}" + (f"; the ledger before is {kept}" if kept else ""))
    typer.echo("Next: start the gateway and the workers, then `orderack doctor`.")


async def _migrate(url: str) -> Migrated:
    before = await schema.current(url)
    await schema.upgrade(url)
    return Migrated(schema_version=schema.head(), before=before)


def _broken(file: Path) -> tuple[str, ...]:
    """Orders in the copy whose chains do not stand. A copy of another schema is not looked into: its tables differ.

    Looking makes SQLite write beside the file and into it, so it is done in a copy.
    """
    if backups.describe(file).schema_version != schema.head():
        return ()
    with TemporaryDirectory() as folder:
        looked_at = Path(folder) / "ledger.db"
        backups.copy(file, looked_at)
        return run(_verified(f"sqlite+aiosqlite:///{looked_at}"))


async def _verified(url: str) -> tuple[str, ...]:
    ledger = SqlLedger(Database(make_engine(url)))
    broken: list[str] = []
    after: OrderRef | None = None
    try:
        while batch := await ledger.verify_next(None, after):
            broken += batch.broken
            after = batch.last
        return (*broken, *lost(await ledger.lost_orders(None)))
    finally:
        await ledger.aclose()
