"""`orderack queue`: everything that waits for a person."""

from collections.abc import Sequence
from typing import Annotated

import typer

from orderack.cli.options import AsJson
from orderack.cli.printing import cell, console, print_json, print_table, words
from orderack.cli.session import orders_door, run, the_ledger
from orderack.cli.waiting import Waiting, shadow_waiting, waiting
from orderack.domain.value import Value

Store = Annotated[str | None, typer.Option("--store", help="Only this store's orders.", metavar="NAME")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")]


class Queue(Value):
    waiting: tuple[Waiting, ...]


Shadow = Annotated[bool, typer.Option("--shadow", help="Of shadow orders instead: what would wait, were they live.")]


def queue(store: Store = None, limit: Limit = 200, shadow: Shadow = False, as_json: AsJson = False) -> None:
    """Orders that need a person, the earliest deadline first: reviews, escalations, handoffs, sends in
    doubt, questions, events that another system never took, orders that a sweep found absent.

    Reviews and escalations come from Temporal's lists; each order offered to a team, with a send in doubt or
    with a question is asked itself (one query, which Temporal Cloud bills).

    Example: orderack queue --store demo

    Exit code 0, also when nothing waits; 3: Temporal or the ledger did not answer.
    """
    found = run(_waiting(store, limit, shadow=shadow))
    if as_json:
        print_json(Queue(waiting=tuple(found)))
    elif found:
        _print(found)
    else:
        typer.echo("Nothing waits for a person.")


def _print(found: Sequence[Waiting]) -> None:
    rows = [(words(row.why), row.order, row.owner, row.due_at, row.do) for row in found]
    if not console().is_terminal:
        print_table(("why", "order", "owner", "due", "do"), rows)
        return
    print_table(("why", "order", "owner", "due"), (row[:-1] for row in rows))
    for row in found:  # below it: a command that a narrow column folds can't be copied
        console().print(cell(row.do), soft_wrap=True)


async def _waiting(store: str | None, limit: int, *, shadow: bool) -> Sequence[Waiting]:
    orders = await orders_door()
    if shadow:
        return await shadow_waiting(orders, store, limit)
    async with the_ledger() as ledger:
        return await waiting(orders, ledger, store, limit)
