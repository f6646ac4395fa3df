"""`orderack source refused` and `retry`: what could not be taken as it came, its original, and taking it after all."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import AwareDatetime

from orderack.cli.connection_names import named
from orderack.cli.exits import bad
from orderack.cli.options import AsJson, By
from orderack.cli.original_command import save_parts
from orderack.cli.original_parts import original
from orderack.cli.printing import print_json, print_table
from orderack.cli.session import run, the_ledger
from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.errors import Refused
from orderack.policy.load import load_policy
from orderack.ports import InboxEvent
from orderack.settings import Settings

One = Annotated[str, typer.Argument(help="The connection, such as demo/shopify.", metavar="STORE/SYSTEM")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")]
Into = Annotated[
    Path | None, typer.Option("--save", help="Write each as it came into this folder, opening none.", metavar="FOLDER")
]
Force = Annotated[bool, typer.Option("--force", help="Write over files of the same name.")]
Id = Annotated[
    int | None,
    typer.Argument(
        min=1, max=2**31 - 1, help="The delivery's id, as `source refused` lists it.", metavar="DELIVERY_ID"
    ),
]
All = Annotated[bool, typer.Option("--all", help="Every delivery of the connection that is refused.")]


class RefusedDelivery(Value):
    id: int
    delivery: Name
    """The name that it has at its sender, as far as it gives one."""
    received_at: AwareDatetime
    why: Text
    saved_as: tuple[str, ...] = ()


class RefusedDeliveries(Value):
    connection: Name
    deliveries: tuple[RefusedDelivery, ...]


class Retried(Value):
    connection: Name
    retried: int


def refused(name: One, save: Into = None, force: Force = False, limit: Limit = 20, as_json: AsJson = False) -> None:
    """The latest deliveries that could not be taken as they came, and which field was wrong.

    They are kept as they came: --save writes them. Once the sender has mended one and sends it again, that is a new
    delivery; where the fault was here (a field that the policy did not know), `orderack source retry` takes it anew.

    Example: orderack source refused demo/shopify --save ./refused

    Exit code 0: listed (also when there are none); 2: there is no such connection, or a file is there already; 3: the
    ledger did not answer.
    """
    named([name], load_policy(Settings().policy_dir))
    rows = run(_refused(name, limit))
    originals = [original(row) for row in rows if row.body]
    files = save_parts(originals, save, force=force) if save is not None else {}
    saved = {one.id: tuple(files[part.file] for part in one.parts if part.file in files) for one in originals}
    found = RefusedDeliveries(connection=name, deliveries=tuple(_shown(row, saved.get(row.id, ())) for row in rows))
    if as_json:
        print_json(found)
    elif not found.deliveries:
        typer.echo(f"{name}: nothing was refused.")
    else:
        print_table(("id", "received", "why"), ((one.id, one.received_at, one.why) for one in found.deliveries))
        for file in (file for one in found.deliveries for file in one.saved_as):
            typer.echo(f"wrote {file}")
        typer.echo(f"Mended here? `orderack source try {name} FILE`, then `orderack source retry {name} ID`.", err=True)


def retry(name: One, by: By, delivery: Id = None, all_: All = False, as_json: AsJson = False) -> None:
    """Take refused deliveries anew, as they came: for when the fault was here and is mended.

    The gateway reads them again within seconds. What can't be read still is refused again; an order that has moved on
    meanwhile is not set back. A connection's row in the policy holds from the next start of workers and gateway on:
    edit it, start them again, then retry. Who retried what, and why it had been refused, stays in the ledger.

    Example: orderack source retry demo/shopify --all --by grace

    Exit code 0: they are read anew; 1: there is none to retry; 2: there is no such connection; 3: the ledger did not
    answer.
    """
    named([name], load_policy(Settings().policy_dir))
    if (delivery is None) is not all_:
        wrong = "is missing" if delivery is None else "stands beside --all"
        raise bad("DELIVERY_ID", wrong, f"name one that `orderack source refused {name}` lists, or --all")
    retried = run(_retry(name, by, delivery))
    if not retried:
        raise Refused(f"{name}: {'nothing was refused' if all_ else f'no delivery {delivery} is refused'}")
    if as_json:
        print_json(Retried(connection=name, retried=retried))
    else:
        typer.echo(f"{retried} to be read anew; `orderack source refused {name}` lists what is refused again.")


def _shown(row: InboxEvent, saved_as: tuple[str, ...]) -> RefusedDelivery:
    return RefusedDelivery(
        id=row.id,
        delivery=row.external_id,
        received_at=row.received_at,
        why=row.outcome.partition(": ")[2] or row.outcome,
        saved_as=saved_as,
    )


async def _refused(name: str, limit: int) -> Sequence[InboxEvent]:
    async with the_ledger() as ledger:
        return await ledger.refused(name, limit)


async def _retry(name: str, by: str, delivery: int | None) -> int:
    async with the_ledger() as ledger:
        return await ledger.retry_refused(name, by, datetime.now(UTC), delivery)
