"""`orderack temporal`: make a Temporal namespace ready, or see whether it is, and whether its orders fit this code."""

import os
import sys
from typing import Annotated

import typer

from orderack.cli.exits import NO
from orderack.cli.options import AsJson
from orderack.cli.printing import print_json
from orderack.cli.session import run
from orderack.domain.order import Name
from orderack.domain.value import Value
from orderack.temporal.connect import connect
from orderack.temporal.search_attributes import missing, register

app = typer.Typer(no_args_is_help=True, help="Make a Temporal namespace ready for orders, or check that it is.")

Last = Annotated[int, typer.Option("--last", min=1, max=10_000, help="So many open ones, and as many closed.")]


class SetUp(Value):
    namespace: Name
    added: tuple[Name, ...]


class Checked(Value):
    namespace: Name
    ready: bool
    missing: tuple[Name, ...]


@app.command()
def setup(as_json: AsJson = False) -> None:
    """Register the search attributes that orders use; says what it added. Running it again adds nothing.

    Example: TEMPORAL_ADDRESS=temporal.example:7233 orderack temporal setup

    Exit code 0: ready; 2: the server does not allow it; 3: it did not answer.
    """
    done = run(_setup())
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{done.namespace}: added {', '.join(done.added)}" if done.added else f"{done.namespace}: ready")


@app.command()
def check(as_json: AsJson = False) -> None:
    """Say whether the server answers and has the search attributes that orders use.

    Example: orderack temporal check

    Exit code 0: ready; 1: something is missing (`orderack temporal setup` adds it); 3: it did not answer.
    """
    found = run(_check())
    if as_json:
        print_json(found)
    elif found.ready:
        typer.echo(f"{found.namespace}: ready")
    else:
        typer.echo(
            f"{found.namespace}: search attributes are missing: {', '.join(found.missing)}. "
            "Remedy: orderack temporal setup.",
            err=True,
        )
    if not found.ready:
        raise typer.Exit(NO)


@app.command("replay-check")
def replay_check(last: Last = 100, as_json: AsJson = False) -> None:
    """Replay the last open and closed orders of the namespace under this code: may it be deployed with them running?

    Reads histories only; nothing is sent and no order is touched. Run it with the new code, before it takes over.

    Example: orderack temporal replay-check --last 500

    Exit code 0: all replay; 1: one does not (docs/operations/deploy.md says what then); 3: Temporal did not answer.
    """
    # The library does not know the workflows, so the process becomes the program that does.
    options = ["--last", str(last), *(["--json"] if as_json else [])]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "workers.replay_check", *options])  # noqa: S606  # no shell


async def _setup() -> SetUp:
    client = await connect()
    return SetUp(namespace=client.namespace, added=tuple(await register(client)))


async def _check() -> Checked:
    client = await connect()
    lacking = tuple(await missing(client))
    return Checked(namespace=client.namespace, ready=not lacking, missing=lacking)
