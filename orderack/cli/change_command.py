"""`orderack change`: propose the next revision of an order."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import typer

from orderack.cli.answers import ask
from orderack.cli.exits import bad
from orderack.cli.options import AsJson, By, Note, OrderFile, RequestId, request_id
from orderack.cli.partial_change import PartialChange, merged
from orderack.cli.reading import read_order
from orderack.cli.references import Ref, reference
from orderack.cli.session import orders_door, run, the_ledger
from orderack.contracts.updates import ChangeRequest
from orderack.domain.order import Order, OrderRef
from orderack.errors import Unavailable

Lines = Annotated[list[str] | None, typer.Option("--line", help="The line to change. Repeat it.", metavar="ID")]
Quantities = Annotated[
    list[str] | None,
    typer.Option("--quantity", help="Its new quantity; 0 takes the line out. One for each --line.", metavar="N"),
]
Instructions = Annotated[str | None, typer.Option(help="The order's new instructions.", metavar="TEXT")]


def change(
    order: Ref,
    by: By,
    file: OrderFile = None,
    line: Lines = None,
    quantity: Quantities = None,
    instructions: Instructions = None,
    note: Note = "",
    id: RequestId = None,
    as_json: AsJson = False,
) -> None:
    """Propose a change: the whole new order from a file, or a few fields over the current revision in the ledger.

    A new quantity moves the total by what the line's price says; discount, tax and shipping stay as they were
    (where they change too, hand in the whole order).

    Example: orderack change demo/1001 --line 2 --quantity 30 --note "buyer called"

    Exit code 0: taken as the next revision; 1: the order says no; 2: the change is wrong; 3: no answer.
    """
    ref = reference(order)
    wanted = PartialChange(quantities=_quantities(line or (), quantity or ()), instructions=instructions)
    if (file is None) == wanted.empty:
        raise bad("change", "needs --order, or else --line and --quantity or --instructions", "name one of the two")
    content = read_order(file) if file else run(_over_current(ref, wanted))
    request = ChangeRequest(id=request_id(id), order=content, by=by, note=note)
    ask(ref, request.id, lambda orders: orders.change(ref, request), as_json=as_json)


async def _over_current(ref: OrderRef, wanted: PartialChange) -> Order:
    """The current revision (the order says which; the ledger has its content) with the change in it."""
    status = await (await orders_door()).status(ref)
    async with the_ledger() as ledger:
        stored = await ledger.revision(ref, status.revision)
    if stored is None:
        raise Unavailable(f"revision {status.revision} of {ref} is not in the ledger yet; try again in a moment")
    return merged(stored.order, wanted)


def _quantities(lines: Sequence[str], quantities: Sequence[str]) -> dict[str, Decimal]:
    if len(lines) != len(quantities):
        raise bad("--quantity", "does not stand once for every --line", "give each --line its --quantity")
    return {line: _number(quantity) for line, quantity in zip(lines, quantities, strict=True)}


def _number(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except ArithmeticError:
        found = Decimal("NaN")
    if not found.is_finite() or found < 0:
        raise bad("--quantity", "is not a quantity", "write a number such as 30 or 2.5, or 0 to take the line out")
    return found
