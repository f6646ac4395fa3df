"""`orderack review original`: the mail, its files, or the body that an order was read from, as it was received."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import AwareDatetime

from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson
from orderack.cli.original_parts import Original, original
from orderack.cli.printing import print_json, print_table, when
from orderack.cli.references import Ref, reference
from orderack.cli.session import run, the_ledger
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.errors import OrderUnknown
from orderack.ports import InboxEvent

Into = Annotated[
    Path | None, typer.Option("--save", help="Write its parts into this folder, opening none.", metavar="FOLDER")
]
Force = Annotated[bool, typer.Option("--force", help="Write over files of the same name.")]


class ShownPart(Value):
    number: int
    name: Text
    kind: Name
    bytes: int
    saved_as: Text = ""


class ShownOriginal(Value):
    connection: Name
    delivery: Name
    received_at: AwareDatetime
    parts: tuple[ShownPart, ...]
    left_out: tuple[Text, ...]


class ShownOriginals(Value):
    """What `--json` prints."""

    order: OrderRef
    originals: tuple[ShownOriginal, ...]


def show_original(order: Ref, save: Into = None, force: Force = False, as_json: AsJson = False) -> None:
    """What an order was read from, as it was received: the mail and its attachments, or what a system posted.

    Lists the parts, the newest delivery first; with --save it writes them, under names of our own making. Nothing is
    opened or shown: look at strangers' files with care.

    Example: orderack review original demo/1001 --save ./original

    Exit code 0: listed or saved; 1: no such order, or nothing is kept of what it came from; 2: a file is there already;
    3: the ledger did not answer.
    """
    ref = reference(order)
    originals = [original(row) for row in run(_rows(ref)) if row.body]
    files = save_parts(originals, save, force=force) if save is not None else {}
    shown = ShownOriginals(order=ref, originals=tuple(_shown(one, files) for one in originals))
    if as_json:
        print_json(shown)
    else:
        _print(shown)
    if not originals:
        raise typer.Exit(NO)


async def _rows(ref: OrderRef) -> Sequence[InboxEvent]:
    async with the_ledger() as ledger:
        row = await ledger.order(ref)
        stored = await ledger.revision(ref, row.revision) if row else None
        if row is None:
            raise OrderUnknown(f"no order {ref}")
        origin = stored.order.origin if stored else None
        named = origin.delivery if origin else None
        return await ledger.deliveries_of(ref, int(named) if named and named.isdecimal() else None)


def save_parts(originals: Sequence[Original], folder: Path, *, force: bool) -> dict[str, str]:
    """File → where it was written. Raises InvalidInput before anything is written where one is there already."""
    wanted = {part.file: part.data for one in originals for part in one.parts}
    there = [name for name in wanted if (folder / name).exists() or (folder / name).is_symlink()]
    if there and not force:
        raise bad("--save", f"{there[0]} is there already", "name another folder, or add --force")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, data in wanted.items():
            _write(folder / name, data, force=force)
    except OSError as error:
        raise bad("--save", f"cannot be written: {error.strerror}", "name a folder that you may write to") from None
    return {name: str(folder / name) for name in wanted}


def _write(file: Path, data: bytes, *, force: bool) -> None:
    """For the owner's eyes only; through no link that somebody may have laid there."""
    mode = os.O_TRUNC if force else os.O_EXCL
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | mode | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(data)


def _shown(one: Original, files: dict[str, str]) -> ShownOriginal:
    parts = tuple(
        ShownPart(
            number=part.number,
            name=part.name,
            kind=part.kind,
            bytes=len(part.data),
            saved_as=files.get(part.file, ""),
        )
        for part in one.parts
    )
    return ShownOriginal(
        connection=one.connection,
        delivery=one.delivery,
        received_at=one.received_at,
        parts=parts,
        left_out=one.left_out,
    )


def _print(shown: ShownOriginals) -> None:
    for one in shown.originals:
        typer.echo(f"{one.connection}, received {when(one.received_at)}")
        rows = [(part.number, part.name, part.kind, part.bytes, part.saved_as) for part in one.parts]
        print_table(("part", "name", "kind", "bytes", "saved as"), rows)
        for words in one.left_out:
            typer.echo(f"Not taken apart, and in the first part as far as it was kept: {words}.")
        typer.echo("")
    if not shown.originals:
        typer.echo(f"Nothing is kept of what {shown.order} came from: it was handed in, or has been erased.")
