"""`orderack temporal`: make a Temporal namespace ready, or see whether it is."""

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


async def _setup() -> SetUp:
    client = await connect()
    return SetUp(namespace=client.namespace, added=tuple(await register(client)))


async def _check() -> Checked:
    client = await connect()
    lacking = tuple(await missing(client))
    return Checked(namespace=client.namespace, ready=not lacking, missing=lacking)
