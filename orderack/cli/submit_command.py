"""`orderack submit`: hand in an order."""

from pathlib import Path
from typing import Annotated

import typer

from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson
from orderack.cli.printing import print_facts, print_json, words
from orderack.cli.reading import read_order
from orderack.cli.session import orders_door, run
from orderack.contracts.updates import SubmitReply, SubmitVerdict
from orderack.domain.order import Order
from orderack.errors import InvalidInput
from orderack.policy.load import FILE, load_policy
from orderack.settings import Settings

File = Annotated[Path, typer.Argument(help="The order as JSON; - reads standard input.", metavar="FILE")]


def submit(file: File, as_json: AsJson = False) -> None:
    """Hand in an order; prints its reference, its stage and what happens next.

    The same order again is harmless; other content under the same number is a proposed change.

    Example: orderack submit order.json

    Exit code 0: taken; 1: the order is closed; 2: the order is wrong; 3: nobody answered, so submit it again.
    """
    order = read_order(file)
    demand_known(order)
    reply = run(hand_in(order))
    if reply.verdict is SubmitVerdict.INVALID:
        raise InvalidInput(reply.problems)
    if as_json:
        print_json(reply)
    else:
        print_facts(
            (
                ("order", order.ref),
                ("verdict", words(reply.verdict)),
                ("revision", reply.revision or None),
                ("stage", words(reply.stage)),
                ("next", reply.next),
                ("acknowledge by", reply.acknowledge_by),
            )
        )
    if reply.verdict is SubmitVerdict.CLOSED:
        raise typer.Exit(NO)


async def hand_in(order: Order) -> SubmitReply:
    """The door's answer. Raises Unavailable where nobody answers."""
    return await (await orders_door()).submit(order)


def demand_known(order: Order) -> None:
    """A store or source without a row in the policy is refused here, where a policy is at hand."""
    folder = Settings().policy_dir
    if not (folder / FILE).is_file():
        return
    policy = load_policy(folder)
    for field, value, rows in (("store", order.store, policy.stores), ("source", order.source, policy.sources)):
        if value not in rows:
            raise bad(field, f"has no row in the policy ({folder})", f"use one of: {', '.join(sorted(rows))}")
