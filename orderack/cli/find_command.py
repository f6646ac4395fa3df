"""`orderack find`: any id, e-mail address or phone number → what may be said of the order."""

import asyncio
from typing import Annotated

import typer

from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson
from orderack.cli.printing import cell, console, print_json
from orderack.cli.references import reference
from orderack.cli.session import orders_door, run, the_ledger
from orderack.cli.zones import zone_of
from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.order import OrderRef, Text
from orderack.domain.sayable import recorded, sayable
from orderack.domain.value import Value
from orderack.errors import InvalidInput, OrderUnknown
from orderack.ports import OrderRow
from orderack.temporal.orders import Orders

What = Annotated[str, typer.Argument(help="An id of any system, an e-mail address or a phone number.", metavar="TEXT")]
Limit = Annotated[int, typer.Option(min=1, max=100, help="At most so many orders, the latest touched first.")]


class Found(Value):
    """One order, and what is true and safe to tell its buyer."""

    order: OrderRef
    stage: Stage
    say: Text


class FoundOrders(Value):
    found: tuple[Found, ...]


def find(text: What, limit: Limit = 10, as_json: AsJson = False) -> None:
    """Find orders by any id, e-mail address or phone number, and say what is true and safe to tell the buyer.

    Example: orderack find ada@example.com

    Exit code 0: found; 1: nothing found; 3: the ledger, Temporal or a worker did not answer.
    """
    if not text.strip():
        raise bad("TEXT", "is empty", "give an id, an e-mail address or a phone number")
    found = run(_find(text, limit))
    if as_json:
        print_json(FoundOrders(found=found))
    elif found:
        for one in found:
            console().print(cell(f"{one.order}  {one.say}"), soft_wrap=True)
    else:
        typer.echo("orderack: no order has that id, e-mail address or phone number; check the spelling", err=True)
    if not found:
        raise typer.Exit(NO)


async def _find(text: str, limit: int) -> tuple[Found, ...]:
    async with the_ledger() as ledger:
        rows = await ledger.find(text, limit)
    orders = await orders_door()
    if rows:
        return tuple(await asyncio.gather(*(_say(orders, row) for row in rows)))
    # The ledger hears of an order at its first step: one that came this second is known to Temporal alone.
    try:
        status = await orders.status(reference(text))
    except (OrderUnknown, InvalidInput):
        return ()
    return (_found(status),)


async def _say(orders: Orders, row: OrderRow) -> Found:
    try:
        return _found(await orders.status(row.ref))
    except OrderUnknown:
        said = recorded(row.ref.number, row.stage, row.updated_at, zone_of(row.ref.store))
        return Found(order=row.ref, stage=Stage(row.stage), say=said)


def _found(status: OrderStatus) -> Found:
    return Found(order=status.ref, stage=status.stage, say=sayable(status, zone_of(status.ref.store)))
