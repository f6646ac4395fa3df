"""`orderack sweep`: ask the ERPs for every order now, and see to the exceptions that are found."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from temporalio.client import Client

from orderack.cli.exits import AWAY, NO, bad
from orderack.cli.options import AsJson, By
from orderack.cli.printing import cell, console, plain, print_json, print_table, words
from orderack.cli.references import Ref, reference
from orderack.cli.session import run, the_ledger
from orderack.contracts.looks import SweepRequest, SweepResult
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.ledger.repository import SqlLedger
from orderack.policy.load import load_policy
from orderack.ports.sweeps import BOOKS, ExceptionKind, OpenException, SweepState
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.schedules import sweep_name
from orderack.temporal.sweeps import begin

app = typer.Typer(no_args_is_help=True, help="Orders that are absent somewhere: find them, see to them.")

OneErp = Annotated[str | None, typer.Option("--erp", help="Only this ERP, as the policy names it.", metavar="NAME")]
Store = Annotated[str | None, typer.Option("--store", help="Only this store's orders.", metavar="NAME")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]
Closed = Annotated[bool, typer.Option("--closed", help="Those that are closed, the latest first.")]
What = Annotated[str, typer.Option("--note", help="What you did about it.", metavar="TEXT")]
OneKind = Annotated[ExceptionKind | None, typer.Option("--kind", help="Only that of this kind; none: all of it.")]

TELL_EVERY = 2.0
"""Seconds between two words of progress."""


class Swept(Value):
    """How one sweep ended. `why`: what it could not be done for."""

    name: Name
    complete: bool
    found: SweepResult | None = None
    why: Text = ""


class AllSwept(Value):
    sweeps: tuple[Swept, ...]
    exceptions: tuple["Listed", ...]
    """Those that are open now."""


class Listed(Value):
    """An exception, and what its owner does next."""

    order: OrderRef
    kind: ExceptionKind
    revision: int
    system: Text
    since: datetime
    opened_at: datetime
    owner: Name | None
    next_step: Text
    closed_at: datetime | None = None
    closed_by: Name | None = None
    note: Text = ""
    claimed_by: Name | None = None
    claimed_at: datetime | None = None
    told_to: Name | None = None
    told_at: datetime | None = None
    """When that owner was last told of it."""


class ListedAll(Value):
    exceptions: tuple[Listed, ...]


class Statuses(Value):
    sweeps: tuple[SweepState, ...]
    never: tuple[Name, ...] = ()
    """ERPs of the policy that were never swept."""


@app.command()
def now(erp: OneErp = None, as_json: AsJson = False) -> None:
    """Ask each ERP for every order that it has not receipted, and compare ledger, Temporal and inbox; then show it.

    A sweep that is under way is joined, never doubled. Ended early, the sweep itself goes on.

    Example: orderack sweep now --erp netsuite

    Exit code 0: nothing is absent; 1: exceptions are open (orderack sweep list); 2: the policy has no such ERP; 3: an
    ERP, Temporal or the ledger did not answer.
    """
    names = _erps()
    if erp is not None and erp not in names:
        raise bad("--erp", f"is no ERP of a store: {erp}", f"name one of {', '.join(names) or 'the policy'}")
    wanted = [SweepRequest(erp=erp)] if erp else [*(SweepRequest(erp=name) for name in names), SweepRequest()]
    swept, found = run(_now(wanted))
    if as_json:
        print_json(AllSwept(sweeps=swept, exceptions=found))
    else:
        _show_swept(swept)
        _show_open(found)
    if not all(one.complete for one in swept):
        raise typer.Exit(AWAY)
    if found:
        raise typer.Exit(NO)


@app.command("list")
def list_open(store: Store = None, closed: Closed = False, limit: Limit = 200, as_json: AsJson = False) -> None:
    """Orders that are absent somewhere: which, where, since when, whose, who has it in hand, what its owner does next.

    Example: orderack sweep list --store demo

    Exit code 0, also when there are none; 3: the ledger did not answer.
    """
    found = run(_exceptions(store, limit, closed=closed))
    if as_json:
        print_json(ListedAll(exceptions=found))
    elif closed:
        rows = ((one.order, words(one.kind), one.closed_at, one.closed_by or "by itself", one.note) for one in found)
        print_table(("order", "absent", "closed", "by", "why"), rows)
    else:
        _show_open(found)


@app.command()
def claim(order: Ref, by: By, kind: OneKind = None, as_json: AsJson = False) -> None:
    """Take an order's open exceptions in hand: their owner is not reminded of them any more. It closes nothing.

    The button under the message that tells an owner of exceptions does the same, for all that the message names.

    Example: orderack sweep claim demo/1001 --by grace

    Exit code 0: yours, also where somebody had claimed it before; 1: the order has no open exception; 2: who is
    missing; 3: the ledger did not answer.
    """
    ref = reference(order)
    if not by.strip():
        raise bad("--by", "is empty", "say who has it in hand")
    claimed = run(_claim(ref, by.strip()[:200], kind))
    if as_json:
        print_json(ListedAll(exceptions=tuple(map(_listed, claimed))))
    else:
        for one in claimed:
            typer.echo(f"{ref}: {words(one.kind)} is in {plain(one.claimed_by or '')}'s hands. Next: {one.next_step}")


@app.command()
def resolve(order: Ref, note: What, by: By, kind: OneKind = None, as_json: AsJson = False) -> None:
    """Close an order's open exceptions: you have seen to it. Sweeps do not open them again for this revision.

    Example: orderack sweep resolve demo/1001 --note "entered in the ERP by hand, SO-118"

    Exit code 0: closed; 1: the order has no open exception; 2: who or why is missing; 3: the ledger did not answer.
    """
    ref = reference(order)
    if not by.strip():
        raise bad("--by", "is empty", "say who closes it")
    if not note.strip():
        raise bad("--note", "is empty", "say what was done about it")
    closed = run(_resolve(ref, by.strip()[:200], note.strip()[:2_000], kind))
    if as_json:
        print_json(ListedAll(exceptions=tuple(map(_listed, closed))))
    else:
        for one in closed:
            typer.echo(f"{ref}: {words(one.kind)} is closed.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """The last sweep of each ERP and of the books: when, how many were asked about, what came of it, what kept it.

    Example: orderack sweep status

    Exit code 0, also where an ERP could not be asked; 3: the ledger did not answer.
    """
    states = run(_states())
    try:
        wanted = [*(f"erp/{name}" for name in _erps()), BOOKS]
    except Misconfigured:
        wanted = []
    never = tuple(name for name in wanted if name not in {state.name for state in states})
    if as_json:
        print_json(Statuses(sweeps=states, never=never))
        return
    columns = ("sweep", "state", "last step", "last complete", "asked", "of", "unanswered", "receipted", "opened")
    rows = [
        (
            *(one.name, _state(one), one.at, one.complete_at or "never", one.asked, one.waiting),
            *(one.unanswered, one.receipted, one.opened),
        )
        for one in states
    ]
    print_table(columns, rows)
    for one in states:
        if one.failure:
            console().print(cell(f"{one.name}: {one.failure}"), soft_wrap=True)
    for name in never:
        typer.echo(f"{name} was never swept: is a worker of the queues sources and erp running?")


def _state(state: SweepState) -> str:
    if state.failure:
        return "could not go on"
    return "under way" if state.ended_at is None else "complete"


def _show_swept(swept: Sequence[Swept]) -> None:
    columns = ("sweep", "asked", "unanswered", "receipted", "opened", "closed", "")
    rows = []
    for one in swept:
        found = one.found
        counts = (found.asked, found.unanswered, found.receipted, found.opened, found.closed) if found else (None,) * 5
        rows.append((one.name, *counts, "done" if one.complete else f"could not go on: {one.why}"))
    print_table(columns, rows)


def _show_open(found: Sequence[Listed]) -> None:
    if not found:
        typer.echo("Nothing is absent, as far as it could be asked (orderack sweep status).")
        return
    rows = [
        (one.order, words(one.kind), one.system, one.since, one.owner, one.claimed_by or "nobody", one.next_step)
        for one in found
    ]
    if not console().is_terminal:
        print_table(("order", "absent", "where", "since", "owner", "claimed by", "next"), rows)
        return
    print_table(("order", "absent", "where", "since", "owner", "claimed by"), (row[:-1] for row in rows))
    for kind in dict.fromkeys(one.kind for one in found):
        step = next(one.next_step for one in found if one.kind is kind)
        console().print(cell(f"{words(kind)}: {step}"), soft_wrap=True)


def _erps() -> Sequence[str]:
    """The ERPs that stores book in. Raises Misconfigured."""
    policy = load_policy(Settings().policy_dir)
    return sorted({store.erp.name for store in policy.stores.values() if store.erp})


async def _now(wanted: Sequence[SweepRequest]) -> tuple[tuple[Swept, ...], tuple[Listed, ...]]:
    async with the_ledger() as ledger:
        client = await connect()
        telling = asyncio.create_task(_tell(ledger, {sweep_name(one) for one in wanted}))
        try:
            swept = await asyncio.gather(*(_sweep(client, one) for one in wanted))
        finally:
            telling.cancel()
        return tuple(swept), tuple(map(_listed, await ledger.exceptions()))


async def _sweep(client: Client, request: SweepRequest) -> Swept:
    name = sweep_name(request)
    begun = await begin(client, request)
    if begun.joined:
        typer.echo(f"{name}: a sweep is under way already; waiting for that one.", err=True)
    try:
        found = await begun.result()
    except Unavailable as away:
        return Swept(name=name, complete=False, why=str(away))
    return Swept(name=name, complete=not found.cannot, found=found, why=found.cannot)


async def _tell(ledger: SqlLedger, names: set[str]) -> None:
    """How far they are, on stderr, as often as something moves."""
    said: dict[str, str] = {}
    while True:
        await asyncio.sleep(TELL_EVERY)
        for one in await ledger.sweeps():
            line = f"{one.name}: {one.asked} of {one.waiting} asked" + (f"; {one.failure}" if one.failure else "")
            if one.name in names and (one.ended_at is None or one.failure) and said.get(one.name) != line:
                said[one.name] = line
                typer.echo(line, err=True)


async def _exceptions(store: str | None, limit: int, *, closed: bool) -> tuple[Listed, ...]:
    async with the_ledger() as ledger:
        return tuple(map(_listed, await ledger.exceptions(store, limit, closed=closed)))


async def _resolve(ref: OrderRef, by: str, note: str, kind: ExceptionKind | None) -> Sequence[OpenException]:
    async with the_ledger() as ledger:
        closed = await ledger.resolve(ref, by, note, datetime.now(UTC), kind)
    if not closed:
        raise Refused(f"the order {ref} has no open exception" + (f" of kind {words(kind)}" if kind else ""))
    return closed


async def _claim(ref: OrderRef, by: str, kind: ExceptionKind | None) -> Sequence[OpenException]:
    async with the_ledger() as ledger:
        claimed = await ledger.claim_exceptions(ref, by, datetime.now(UTC), kind)
    if not claimed:
        raise Refused(f"the order {ref} has no open exception" + (f" of kind {words(kind)}" if kind else ""))
    return claimed


async def _states() -> tuple[SweepState, ...]:
    async with the_ledger() as ledger:
        return tuple(await ledger.sweeps())


def _listed(one: OpenException) -> Listed:
    return Listed(
        order=one.ref,
        next_step=one.next_step,
        **one.model_dump(exclude={"ref", "seen_at", "reopened", "told"}),
    )


AllSwept.model_rebuild()
