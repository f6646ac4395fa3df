"""`orderack erase`: the personal data of one order, gone; the proof that it was there stays."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from orderack.cli.exits import bad
from orderack.cli.options import AsJson, By
from orderack.cli.printing import print_json, when
from orderack.cli.references import Ref, reference
from orderack.cli.session import orders_door, run, the_ledger
from orderack.domain.order import OrderRef
from orderack.errors import OrderUnknown, Refused
from orderack.ledger.erasure import Erasure
from orderack.temporal.open_orders import OpenOrders

Reason = Annotated[str, typer.Option("--reason", help="Why: it stands in the audit chain for good.", metavar="TEXT")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask again.")]


def erase(order: Ref, reason: Reason, by: By, yes: Yes = False, as_json: AsJson = False) -> None:
    """Erase the personal data of a closed order for good: content, messages, raw events, addresses, search keys.

    Their SHA-256 digests stay, so the audit chain still verifies; the erasure itself stands in it with --by and
    --reason: write no personal data there. Refused while the order is open. Repeating it is harmless. Backups, what
    providers keep and Temporal's own history (until its retention ends) are not reached: see docs/evidence-pack.md.

    Example: orderack erase demo/1001 --reason "asked by the buyer, ticket 88" --by grace --yes

    Exit code 0: erased, or erased before; 1: no such order, or it is open, or you said no; 2: no reason given, or
    nobody to ask and no --yes; 3: the ledger or Temporal did not answer.
    """
    ref = reference(order)
    if not reason.strip():
        raise bad("--reason", "is empty", "say why: it stands in the audit chain for good")
    if not yes and not _agreed(ref, as_json):
        raise Refused(f"{ref}: nothing was erased")
    done = run(_erase(ref, by, reason))
    if as_json:
        print_json(done)
    elif done.rows:
        typer.echo(f"{ref}: erased in {done.rows} rows; the digests stay, and the audit chain holds the erasure.")
    else:
        typer.echo(f"{ref}: nothing was left to erase; it was erased on {when(done.erased_at)} by {done.by}.")


def _agreed(ref: OrderRef, as_json: bool) -> bool:
    """The operator's own yes. Raises InvalidInput where nobody can be asked: a program, or no input at all."""
    if not as_json:
        typer.echo(f"Erase the personal data of {ref} for good? [y/N] ", nl=False, err=True)
    answer = "" if as_json or sys.stdin is None else sys.stdin.readline()
    if not answer:
        raise bad("--yes", "is missing", "nobody can be asked here: add --yes")
    return answer.strip().lower() in ("y", "yes")


async def _erase(ref: OrderRef, by: str, reason: str) -> Erasure:
    async with the_ledger() as ledger:
        if await ledger.order(ref) is None:
            raise OrderUnknown(f"the ledger has no order {ref}")
        orders = await orders_door()
        if await orders.list_open(OpenOrders(store=ref.store, number=ref.number)):
            raise Refused(f"order {ref} is still open: cancel or close it first, then erase it")
        done = await ledger.erase(ref, by, reason, datetime.now(UTC))
    if done is None:
        raise OrderUnknown(f"the ledger has no order {ref}")
    return done
