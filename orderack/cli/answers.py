"""Asking an order for something, and what its answer looks like."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from orderack.cli.exits import NO
from orderack.cli.printing import print_facts, print_json, words
from orderack.cli.session import orders_door, run, the_ledger
from orderack.contracts.updates import HandoffReply, Reply
from orderack.domain.order import OrderRef
from orderack.errors import OrderAckError, OrderNotOpen, Unavailable
from orderack.ledger.catching_up import catch_up
from orderack.temporal.orders import Orders

R = TypeVar("R", bound=Reply)


def ask(
    ref: OrderRef, id: str, request: Callable[[Orders], Awaitable[R]], *, as_json: bool, write_down: bool = False
) -> None:
    """Send one request and print its answer. Exit code 1 when the order says no.

    A request that got no answer may yet be done: the message names the id under which repeating it is safe.
    `write_down`: what no step of the order's follows is brought to the ledger from here, if it is within reach.
    """
    show(ref, run(_ask(ref, id, request, write_down)), as_json=as_json)


async def _ask(ref: OrderRef, id: str, request: Callable[[Orders], Awaitable[R]], write_down: bool) -> R:
    orders = await orders_door()
    try:
        reply = await request(orders)
    except OrderNotOpen:
        raise OrderNotOpen(f"order {ref} is not open: it never came, or it has closed (`orderack find`)") from None
    except Unavailable as away:
        raise Unavailable(f"{away}; run it again with --id {id}, then it is done once") from away
    if write_down and reply.accepted:
        await _write_down(orders, ref)
    return reply


async def _write_down(orders: Orders, ref: OrderRef) -> None:
    try:
        async with the_ledger() as ledger:
            await catch_up(orders, ledger, ref)
    except OrderAckError as away:
        typer.echo(
            f"done; the board shows it with the order's next step, for it could not be written: {away}", err=True
        )


def show(ref: OrderRef, reply: Reply, *, as_json: bool) -> None:
    if as_json:
        print_json(reply)
    else:
        facts: list[tuple[str, object]] = [
            ("order", ref),
            ("answer", reply.message if reply.accepted else f"no: {reply.message}"),
            ("stage", words(reply.stage)),
            ("revision", reply.revision),
        ]
        if isinstance(reply, HandoffReply):
            facts += [("work may begin", reply.may_begin), *(("not yet", why) for why in reply.why_not)]
        print_facts(facts)
    if not reply.accepted:
        raise typer.Exit(NO)
