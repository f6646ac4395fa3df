"""`orderack watch`: the open orders, live: Temporal's lists, which cost no Action, and never an order itself."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from orderack.cli.options import AsJson
from orderack.cli.printing import console, print_json, table, when
from orderack.cli.session import orders_door, run
from orderack.domain.value import Value
from orderack.errors import Unavailable
from orderack.temporal.open_orders import OpenOrder, OpenOrders
from orderack.temporal.orders import Orders

Store = Annotated[str | None, typer.Option("--store", help="Only this store's orders.", metavar="NAME")]
Once = Annotated[bool, typer.Option("--once", help="Print the table once and end.")]
Every = Annotated[float, typer.Option(min=0.5, max=3_600, help="Seconds between two looks.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="At most so many orders.")]


class OpenNow(Value):
    at: datetime
    orders: tuple[OpenOrder, ...]


def watch(
    store: Store = None, once: Once = False, every: Every = 2.0, limit: Limit = 50, as_json: AsJson = False
) -> None:
    """Watch the open orders, the earliest deadline first, until Ctrl-C. With --json: one object per look.

    Example: orderack watch --store demo --every 5

    Exit code 0; 3: Temporal does not answer; 130: ended by Ctrl-C.
    """
    query = OpenOrders(store=store, limit=limit)
    live = sys.stdout.isatty() and not (once or as_json)
    run(_live(query, every) if live else _print_on(query, None if once else every, as_json))


async def _print_on(query: OpenOrders, every: float | None, as_json: bool) -> None:
    """One look after the other, for a pipe; a single one where `every` is None."""
    orders = await orders_door()
    while True:
        seen = await _look(orders, query)
        if as_json:
            print_json(seen)
        else:
            console().print(_picture(seen))
        sys.stdout.flush()
        if every is None:
            return
        await asyncio.sleep(every)


async def _live(query: OpenOrders, every: float) -> None:
    """A look that fails keeps the last picture, and says so under it."""
    orders = await orders_door()
    seen = await _look(orders, query)
    with Live(_picture(seen), console=console(), auto_refresh=False) as live:
        while True:
            await asyncio.sleep(every)
            note = ""
            try:
                seen = await _look(orders, query)
            except Unavailable as away:
                note = f"{away}; looking again"
            live.update(_picture(seen, note), refresh=True)


async def _look(orders: Orders, query: OpenOrders) -> OpenNow:
    return OpenNow(at=datetime.now().astimezone(), orders=tuple(await orders.list_open(query)))


def _picture(seen: OpenNow, note: str = "") -> Group:
    line = f"{len(seen.orders)} open at {when(seen.at)}" + (f"; {note}" if note else "")
    columns = ("order", "attention", "owner", "next due", "evidence", "since")
    return Group(table(columns, _rows(seen.orders)), Text(line))


def _rows(orders: Sequence[OpenOrder]) -> Sequence[Sequence[object]]:
    return [
        (row.ref, row.stage if row.stage != "open" else None, row.owner, row.next_due_at, row.evidence, row.started_at)
        for row in orders
    ]
