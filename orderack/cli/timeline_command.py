"""`orderack timeline`: what happened to one order, line by line."""

from typing import Annotated

import typer

from orderack.cli.options import AsJson
from orderack.cli.printing import print_json, print_table, when, words
from orderack.cli.references import Ref, reference
from orderack.cli.session import orders_door, run, the_ledger
from orderack.contracts.journal import Entry
from orderack.contracts.queries import Timeline
from orderack.domain.order import OrderRef
from orderack.errors import OrderUnknown

FromLedger = Annotated[bool, typer.Option("--all", help="From the ledger: every entry, also of an order long closed.")]


def timeline(order: Ref, from_ledger: FromLedger = False, as_json: AsJson = False) -> None:
    """What happened to an order: the latest entries as the order itself tells them, or all from the ledger.

    Example: orderack timeline demo/1001 --all

    Exit code 0: known; 1: no such order; 3: Temporal, a worker or the ledger did not answer.
    """
    ref = reference(order)
    found = run(_recorded(ref) if from_ledger else _told(ref))
    if as_json:
        print_json(found)
    else:
        print_table(("at", "rev", "event", "what"), map(_row, found.entries))


async def _told(ref: OrderRef) -> Timeline:
    return await (await orders_door()).timeline(ref)


async def _recorded(ref: OrderRef) -> Timeline:
    async with the_ledger() as ledger:
        entries = await ledger.entries(ref)
    if not entries:
        raise OrderUnknown(f"the ledger has no order {ref}")
    return Timeline(ref=ref, entries=tuple(entries))


def _row(entry: Entry) -> tuple[object, ...]:
    what = (
        entry.note,
        words(entry.clock) if entry.clock else "",
        f"due {when(entry.due_at)}" if entry.due_at else "",
        f"owner {entry.owner}" if entry.owner else "",
    )
    return entry.at, entry.revision or None, words(entry.event), "; ".join(part for part in what if part)
