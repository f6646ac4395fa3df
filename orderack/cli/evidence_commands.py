"""`orderack evidence`: what is known of an order's messages, and the pack for a dispute."""

import hashlib
import os
from datetime import UTC, datetime, tzinfo
from importlib import resources
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from pydantic import AwareDatetime, TypeAdapter

from orderack.cli.exits import BROKEN, bad
from orderack.cli.options import AsJson
from orderack.cli.printing import cell, console, escaped, print_json, print_table, when
from orderack.cli.references import Ref, reference
from orderack.cli.session import run, the_ledger
from orderack.cli.zones import zone_of
from orderack.dispute import verifier
from orderack.dispute.against import against as compare
from orderack.dispute.case import Told, build
from orderack.dispute.pack import Files, pack
from orderack.dispute.wording import reworded
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.proof import Mark, Proof
from orderack.domain.value import Value
from orderack.errors import OrderUnknown
from orderack.ledger.record import OrderRecord
from orderack.settings import Settings

app = typer.Typer(no_args_is_help=True, help="What is known of an order's messages; the pack for a dispute.")

Zone = Annotated[
    str | None, typer.Option("--zone", help="Time zone of the times; default: the store's.", metavar="NAME")
]
Output = Annotated[
    Path | None, typer.Option("--output", help="The zip to write; default: evidence-STORE-NUMBER.zip.", metavar="FILE")
]
Against = Annotated[
    Path | None, typer.Option("--against", help="A checkpoint that was kept elsewhere.", metavar="CHECKPOINT")
]
Pack = Annotated[Path, typer.Argument(help="A pack, or the folder it was unpacked into.", metavar="FILE")]


class Shown(Value):
    """One message, what may be said of it, and what proves that."""

    kind: Kind
    revision: int
    n: int
    claim: Text
    out_at: AwareDatetime | None
    grade: Grade | None
    proof: Proof


class ShownOrder(Value):
    order: OrderRef
    erased_at: AwareDatetime | None
    record_sound: bool
    messages: tuple[Shown, ...]


class Exported(Value):
    """The pack that was written."""

    order: OrderRef
    file: Text
    size: int
    sha256: Name
    fingerprint: Name
    """SHA-256 of its manifest: whoever has a pack with the same one has the same pack."""
    chain_length: int
    chain_head: str
    problems: tuple[str, ...]


@app.command()
def show(order: Ref, zone: Zone = None, as_json: AsJson = False) -> None:
    """The messages of an order, what may be said of each, and what proves it. From the ledger alone.

    Example: orderack evidence show demo/1001

    Exit code 0: shown; 4: shown, but the record does not agree with its audit chain; 1: no such order; 3: the ledger
    did not answer.
    """
    ref = reference(order)
    record, of_zone = run(_record(ref)), _zone(zone, ref)
    case = build(record)
    erased = case.erasures[-1].erased_at if case.erasures else None
    if as_json:
        messages = tuple(_shown(told, of_zone) for told in case.told)
        print_json(ShownOrder(order=ref, erased_at=erased, record_sound=not record.breaks, messages=messages))
    else:
        if erased:
            typer.echo(f"Personal data of this order was erased on {when(erased)}.")
        for told in case.told:
            console().print(cell(told.claim(of_zone)), soft_wrap=True)
        columns = ("message", "rev", "out", "grade", "receipt", "reading", "assent")
        print_table(columns, (_row(told) for told in case.told))
    _exit_if_broken(record, quiet=as_json)


@app.command()
def export(order: Ref, output: Output = None, zone: Zone = None, as_json: AsJson = False) -> None:
    """Write the pack for a dispute: a timeline to read, messages as sent, evidence, the audit chain, a verifier.

    It verifies without us: `python3 verify.py` in the unpacked folder. It holds the buyer's data and links, so hand it
    only to whom it concerns. The same record gives the same bytes, but for the time of the export, which
    SOURCE_DATE_EPOCH sets.

    Example: orderack evidence export demo/1001 --output case.zip

    Exit code 0: written; 4: written, but the record does not agree with its audit chain; 1: no such order; 2: the file
    cannot be written; 3: the ledger did not answer.
    """
    ref = reference(order)
    file = output or Path(f"evidence-{_safe(ref.store)}-{_safe(ref.number)}.zip")
    at, of_zone = _exported_at(), _zone(zone, ref)
    if file.exists():
        raise bad("--output", f"{file} is there already", "name another file; no pack is overwritten")
    record = run(_record(ref))
    content = pack(record, of_zone, at)
    try:
        with file.open("xb") as target:
            target.write(content)
    except OSError as error:
        raise bad("--output", f"cannot be written: {error.strerror}", "name a new file in a folder of yours") from None
    found = verifier.verify(str(file))
    made = Exported(
        order=ref,
        file=str(file),
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        fingerprint=found.fingerprint,
        chain_length=record.length,
        chain_head=record.head,
        problems=tuple(found.problems),
    )
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{file}: {made.size} bytes, {made.chain_length} chain rows. Fingerprint {made.fingerprint}")
        typer.echo(f"Check it with `orderack evidence verify {file}`, or unpack it and run `python3 verify.py`.")
        typer.echo("It holds the buyer's data and links: hand it only to whom it concerns.")
    _exit_if_broken(record, quiet=as_json)


@app.command()
def verify(file: Pack, against: Against = None, as_json: AsJson = False) -> None:
    """Verify a pack: every file, every fact, every link of the chain, every claim's grade. Needs no ledger.

    With --against, its chain must also run through the head that a checkpoint saw (`orderack audit checkpoint`): a
    pack made from a chain that was written anew holds by itself, and does not hold against that.

    Example: orderack evidence verify case.zip

    Example: orderack evidence verify case.zip --against heads-2026-03-02.jsonl

    Exit code 0: everything holds; 4: something does not, and it is named; 2: this is no pack that can be read.
    """
    try:
        report = verifier.verify(str(file))
        compared = compare(file, against, Settings().secret.get_secret_value()) if against else None
    except verifier.Unreadable as error:
        raise bad(
            str(file), str(error), "name a pack made by `orderack evidence export`, as it was handed over"
        ) from None
    files = verifier.read_pack(str(file))
    foreign = files.get("verify.py") != _own_verifier()
    report.problems += [] if report.problems or foreign else _reworded(files)
    if as_json:
        more: dict[str, object] = {
            "own_verifier": not foreign,
            "against": compared and compared.model_dump(mode="json"),
        }
        typer.echo(escaped(_REPORT.dump_json({**report.as_json(), **more}).decode()))
    else:
        for line in report.lines():
            console().print(cell(line), soft_wrap=True)
        if foreign:
            typer.echo("The verify.py inside is not this installation's; this installation's was used.")
        if compared:
            console().print(cell(compared.words), soft_wrap=True)
    if report.code or (compared and compared.problem):
        raise typer.Exit(BROKEN)


_REPORT: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


def _own_verifier() -> bytes:
    return (resources.files("orderack.dispute") / "verifier.py").read_bytes()


def _reworded(files: Files) -> list[str]:
    """What was written by this version is written alike again: a sentence altered alone shows."""
    try:
        return [
            f"{name} is not what this program writes of the chain: its words were altered" for name in reworded(files)
        ]
    except (ValueError, KeyError, TypeError):
        return ["its sentences could not be written again from its chain"]


async def _record(ref: OrderRef) -> OrderRecord:
    async with the_ledger() as ledger:
        found = await ledger.order_record(ref)
    if found is None:
        raise OrderUnknown(f"the ledger has no order {ref}")
    return found


def _exit_if_broken(record: OrderRecord, *, quiet: bool) -> None:
    if not record.breaks:
        return
    if not quiet:
        typer.echo("The record does not agree with its audit chain:", err=True)
        for one in record.breaks:
            typer.echo(str(cell(one.words)), err=True)
        typer.echo("See `orderack audit verify --help`.", err=True)
    raise typer.Exit(BROKEN)


def _zone(name: str | None, ref: OrderRef) -> tzinfo:
    if name is None:
        return zone_of(ref.store)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise bad("--zone", "is no time zone", "name one such as Europe/London") from None


def _exported_at() -> datetime:
    """See reproducible-builds.org, SOURCE_DATE_EPOCH: seconds since 1970."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(given), UTC)
    except (ValueError, OverflowError, OSError):
        raise bad("SOURCE_DATE_EPOCH", "is no number of seconds", "unset it, or give seconds since 1970") from None


def _safe(text: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in text)[:80]


def _shown(told: Told, zone: tzinfo) -> Shown:
    return Shown(
        kind=told.kind,
        revision=told.revision,
        n=told.n,
        claim=told.claim(zone),
        out_at=told.out_at,
        grade=told.grade,
        proof=told.proof,
    )


def _row(told: Told) -> tuple[object, ...]:
    proof = told.proof
    word = {True: "yes, ", False: "no, ", None: ""}[proof.assented]
    name = f"{told.kind}{f' {told.n}' if told.n > 1 else ''}".replace("_", " ")
    marks = (_mark(proof.receipt), _mark(proof.reading), word + _mark(proof.assent))
    return name, told.revision, told.out_at, told.grade, *marks


def _mark(mark: Mark | None) -> str:
    return f"{when(mark.at)} ({mark.grade})" if mark else ""
