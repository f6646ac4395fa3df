"""`orderack ledger rerun` and `recall`: after a restore, ledger and Temporal give each other what only one has."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from temporalio.client import Client

from orderack.cli.doctor_orders import only_in_ledger, only_in_temporal
from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson
from orderack.cli.printing import print_json, print_table
from orderack.cli.references import reference
from orderack.cli.session import run, the_ledger
from orderack.contracts.journal import Journal
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.flags import fingerprint
from orderack.domain.order import OrderRef
from orderack.domain.value import Value
from orderack.errors import OrderAckError, Refused
from orderack.ledger.repository import SqlLedger
from orderack.ports import StoredRevision
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from orderack.temporal.recalled import recalled

Named = Annotated[list[str] | None, typer.Argument(help="Orders, such as demo/1001.", metavar="[STORE/NUMBER]...")]
Every = Annotated[bool, typer.Option("--all", help="Every one that `orderack doctor` names.")]


class Mended(Value):
    """What became of one order."""

    order: str
    done: bool
    said: str


class AllMended(Value):
    orders: tuple[Mended, ...]


Step = Callable[[Client, SqlLedger, OrderRef], Awaitable[str]]
Lacking = Callable[[Client, SqlLedger, datetime], Awaitable[Sequence[OrderRef]]]


def rerun(orders: Named = None, every: Every = False, as_json: AsJson = False) -> None:
    """Begin orders anew that stand open in the ledger and do not run: after Temporal was restored from an older copy.

    What a provider accepted before is not sent again, and the ERP is asked before it is told. One that was confirmed,
    or changed, is left to you: the buyer would hear of it out of turn.

    Example: orderack ledger rerun demo/1001

    Exit code 0: all run; 1: one is left to you; 3: Temporal or the ledger did not answer.
    """
    _mend(orders, every, as_json, _rerun, only_in_ledger)


def recall(orders: Named = None, every: Every = False, as_json: AsJson = False) -> None:
    """Write orders' content back into the ledger from Temporal: after the ledger was restored from an older copy.

    The orders go on by themselves then. Their earlier messages and evidence stay lost to the ledger.

    Example: orderack ledger recall demo/1001

    Exit code 0: all are in the ledger; 1: one could not be read back; 3: Temporal or the ledger did not answer.
    """
    _mend(orders, every, as_json, _recall, only_in_temporal)


def _mend(orders: list[str] | None, every: bool, as_json: bool, step: Step, lacking: Lacking) -> None:
    if bool(orders) == every:
        raise bad("STORE/NUMBER", "is missing, or there is too much of it", "name orders, or --all")
    done = tuple(run(_each([reference(one) for one in orders or ()], step, lacking)))
    if as_json:
        print_json(AllMended(orders=done))
    elif done:
        print_table(("order", "done", "what"), ((one.order, one.done, one.said) for one in done))
    else:
        typer.echo("Ledger and Temporal know the same orders.")
    if not all(one.done for one in done):
        raise typer.Exit(NO)


async def _each(refs: Sequence[OrderRef], step: Step, lacking: Lacking) -> list[Mended]:
    client = await connect()
    done: list[Mended] = []
    async with the_ledger() as ledger:
        for ref in refs or await lacking(client, ledger, datetime.now(UTC)):
            try:
                done.append(Mended(order=str(ref), done=True, said=await step(client, ledger, ref)))
            except OrderAckError as error:
                done.append(Mended(order=str(ref), done=False, said=str(error)))
    return done


async def _rerun(client: Client, ledger: SqlLedger, ref: OrderRef) -> str:
    stored = await ledger.revision(ref, 1)
    if stored is None:
        raise Refused("the ledger does not have its content")
    if await ledger.revision(ref, 2) is not None:
        raise Refused("it was changed: hand in its present content under a number of its own, or call the buyer")
    sends = await ledger.sends(ref)
    if any(one.identity.kind is Kind.CONFIRMATION and one.state is SendState.ACCEPTED for one in sends):
        raise Refused("it is confirmed, and only its changes and questions would be waited for: leave it as it is")
    reply = await Orders(client).submit(stored.order)
    return f"runs again: {reply.verdict}"


async def _recall(client: Client, ledger: SqlLedger, ref: OrderRef) -> str:
    known = await recalled(client, ref)
    if not known:
        raise Refused("its history does not hold its content: it waits for it, or began without it")
    orders = Orders(client)
    status, timeline = await orders.status(ref), await orders.timeline(ref)
    journal = Journal(ref=ref, stage=status.stage, revision=status.revision, entries=timeline.entries)
    for order, assessment in known:
        stored = StoredRevision(
            order=order, revision=assessment.revision, content_hash=order.content_hash, assessment=assessment
        )
        await ledger.save_revision(stored, fingerprint(order), journal)
    return f"in the ledger again, revision {', '.join(str(assessment.revision) for _, assessment in known)}"
