"""`orderack audit`: is the record as it was written? Checkpoints that are kept elsewhere, and the verification."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import AwareDatetime

from orderack.cli.audit_triggers import triggers
from orderack.cli.exits import BROKEN, bad
from orderack.cli.options import AsJson
from orderack.cli.printing import cell, console, print_json, when
from orderack.cli.references import reference
from orderack.cli.session import run, the_ledger
from orderack.diagnostics.wording import counted
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.errors import OrderUnknown
from orderack.ledger import checkpoint as checkpoints
from orderack.ledger.repository import SqlLedger
from orderack.ledger.verification import Break, lost
from orderack.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Is the record as it was written, and is every way in complete? Checkpoints, verification, triggers.",
)
app.command()(triggers)

Output = Annotated[Path, typer.Option("--output", help="The file to write; it must not exist.", metavar="FILE")]
Store = Annotated[str | None, typer.Option("--store", help="Orders of this store only.", metavar="NAME")]
Orders = Annotated[list[str] | None, typer.Argument(help="Orders, such as demo/1001.", metavar="[STORE/NUMBER]...")]
Every = Annotated[bool, typer.Option("--all", help="Every order in the ledger.")]
Against = Annotated[
    Path | None, typer.Option("--against", help="A checkpoint made earlier and kept elsewhere.", metavar="FILE")
]

_NEXT = (
    "What to do: change nothing, copy the database as it is, and find out who can write to it. Compare with a "
    "checkpoint (--against), a backup, or a dispute pack handed out earlier; each says what stood there before."
)
_PROGRESS_ROWS = 50_000


class Checkpoint(Value):
    """What was written."""

    file: Text
    orders: int
    taken_at: AwareDatetime
    sha256: Name
    signed: bool


class BrokenOrder(Value):
    order: Text
    breaks: tuple[Break, ...]


class Verification(Value):
    """What was found."""

    sound: bool
    orders: int
    rows: int
    broken: tuple[BrokenOrder, ...]
    checkpoint: checkpoints.Header | None = None
    signature: bool | None = None
    """Of the checkpoint; None: it bears none, or there is no secret to check it with."""


@app.command()
def checkpoint(output: Output, store: Store = None, as_json: AsJson = False) -> None:
    """Write the head of every order's audit chain to a file. Keep it where nobody who runs this database can write.

    A chain that is written anew, head and all, looks sound from inside; against a checkpoint it does not. The file
    holds order numbers and digests, nothing of the buyers. It is signed where ORDERACK_SECRET is set. Note down the
    SHA-256 that is printed, or have somebody else note it.

    Example: orderack audit checkpoint --output heads-2026-03-02.jsonl

    Exit code 0: written; 2: the file cannot be written; 3: the ledger did not answer.
    """
    made = run(_checkpoint(output, store))
    if as_json:
        print_json(made)
        return
    signed = "signed with ORDERACK_SECRET" if made.signed else "not signed: ORDERACK_SECRET is not set"
    typer.echo(f"{output}: the heads of {made.orders} orders at {when(made.taken_at)}; {signed}.")
    typer.echo(f"SHA-256 of its seal: {made.sha256}")
    typer.echo("Keep the file where nobody who can write this database can change it.")


async def _checkpoint(output: Path, store: str | None) -> Checkpoint:
    now, secret = datetime.now(UTC), Settings().secret.get_secret_value()
    seal = checkpoints.Sealing(secret).seal
    async with the_ledger() as ledger:
        try:
            with output.open("x", encoding="utf-8", newline="\n") as target:
                async for line, so_far in checkpoints.written(ledger.heads(store), now, store, secret):
                    target.write(line)
                    seal = so_far
        except OSError as error:
            raise bad(
                "--output", f"cannot be written: {error.strerror}", "name a new file in a folder of yours"
            ) from None
    return Checkpoint(
        file=str(output), orders=seal.orders, taken_at=now, sha256=seal.sha256, signed=seal.hmac_sha256 is not None
    )


@app.command()
def verify(
    orders: Orders = None, every: Every = False, store: Store = None, against: Against = None, as_json: AsJson = False
) -> None:
    """Verify the audit chain of orders: every edit, gap, change of order and insertion is named.

    With --against, each chain must also run through the head that the checkpoint saw.

    Example: orderack audit verify demo/1001

    Example: orderack audit verify --all --against heads-2026-03-02.jsonl

    Exit code 0: the record is as it was written; 4: it is not; 1: no such order; 2: wrong usage, or no checkpoint;
    3: the ledger did not answer.
    """
    if sum((bool(orders), every, store is not None)) != 1:
        raise bad("STORE/NUMBER", "is missing, or there is too much of it", "name orders, or --all, or --store NAME")
    found = run(_verify([reference(order) for order in orders or ()], store, against, show=not as_json))
    if as_json:
        print_json(found)
    else:
        _print(found)
    if not found.sound:
        raise typer.Exit(BROKEN)


async def _verify(refs: Sequence[OrderRef], store: str | None, against: Path | None, *, show: bool) -> Verification:
    checked = checkpoints.check(against, Settings().secret.get_secret_value()) if against else None
    broken: dict[str, tuple[Break, ...]] = {}
    orders = rows = 0
    async with the_ledger() as ledger:
        async for count, length, found in _one_by_one(ledger, refs) if refs else _all(ledger, store, show):
            orders, rows, broken = orders + count, rows + length, {**broken, **found}
        if against:
            wanted = {(ref.store, ref.number) for ref in refs}
            heads = (
                head
                for head in checkpoints.read(against)
                if (not wanted or (head.store, head.number) in wanted) and store in (None, head.store)
            )
            for batch in checkpoints.batches(heads):
                for order, breaks in (await ledger.compare(batch)).items():
                    broken[order] = (*broken.get(order, ()), *breaks)
    signature = checked.signature if checked else None
    return Verification(
        sound=not broken and signature is not False,
        orders=orders,
        rows=rows,
        broken=tuple(BrokenOrder(order=order, breaks=breaks) for order, breaks in sorted(broken.items())),
        checkpoint=checked.header if checked else None,
        signature=signature,
    )


Step = tuple[int, int, Mapping[str, tuple[Break, ...]]]
"""Orders verified, rows of their chains, and what broke."""


async def _one_by_one(ledger: SqlLedger, refs: Sequence[OrderRef]) -> AsyncIterator[Step]:
    for ref in refs:
        breaks = tuple(await ledger.verify_chain(ref))
        record = await ledger.order(ref)
        if record is None and not breaks:
            raise OrderUnknown(f"the ledger has no order {ref}")
        yield 1, await ledger.chain_length(ref), {str(ref): breaks} if breaks else {}


async def _all(ledger: SqlLedger, store: str | None, show: bool) -> AsyncIterator[Step]:
    after: OrderRef | None = None
    orders = rows = told = 0
    while batch := await ledger.verify_next(store, after):
        yield batch.orders, batch.rows, batch.broken
        after, orders, rows = batch.last, orders + batch.orders, rows + batch.rows
        if show and rows - told >= _PROGRESS_ROWS:
            told = rows
            typer.echo(f"{orders} orders, {rows} rows verified …", err=True)
    yield 0, 0, lost(await ledger.lost_orders(store))


def _print(found: Verification) -> None:
    for one in found.broken:
        for broken in one.breaks:
            console().print(cell(f"{one.order}: {broken.words}"), soft_wrap=True)
    kept = f", and run through the checkpoint of {when(found.checkpoint.taken_at)}" if found.checkpoint else ""
    if found.signature is False:
        typer.echo("The checkpoint's signature is not this installation's: it was made elsewhere, or made up.")
    looked_at = f"{counted(found.orders, 'order')}, {counted(found.rows, 'chain row')}"
    if found.sound and not found.rows:
        typer.echo(f"{looked_at}: there was nothing to verify{kept}.")
        return
    if found.sound:
        typer.echo(f"{looked_at}: all stand as they were written{kept}.")
        return
    typer.echo(f"{looked_at}: {counted(len(found.broken), 'order')} not as written.")
    typer.echo(_NEXT)
    sys.stdout.flush()
