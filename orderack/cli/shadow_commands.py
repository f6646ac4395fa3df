"""`orderack shadow`: a store's shadow run: the old flow's events in, the comparison out, people's verdicts on it."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from orderack.cli.exits import bad
from orderack.cli.options import AsJson, By
from orderack.cli.printing import console, plain, print_facts, print_json, print_table, when, words
from orderack.cli.references import Ref, reference
from orderack.cli.session import run, the_ledger
from orderack.cli.shadow_store import (
    BUDGET,
    SETTLE,
    Budget,
    Settle,
    Since,
    Store,
    live_percent,
    moment,
    report_of,
    span,
    terms,
    the_store,
)
from orderack.diagnostics.shadow.compare import KIND_OF
from orderack.diagnostics.shadow.gate import Wanted, ask
from orderack.diagnostics.shadow.page import page, share
from orderack.diagnostics.shadow.reading import COLUMNS, read_events
from orderack.diagnostics.shadow.report import TITLES, Difference, Report, Terms, Timing
from orderack.diagnostics.wording import counted
from orderack.domain.order import Name, OrderRef
from orderack.domain.shadow import OldEvent
from orderack.domain.value import Value
from orderack.errors import OrderUnknown, Refused
from orderack.ledger.shadow import Verdict
from orderack.ledger.shadow_facts import KeptText
from orderack.ports import KeptAct, OldOutcome

app = typer.Typer(
    no_args_is_help=True, help="A shadow run: what would have gone out against what the old flow did (docs/shadow.md)."
)

AT_ONCE = 1_000
"""Events in one transaction."""
EVERYTHING = Terms(settle=timedelta(0), budget=timedelta(0))
"""Under these terms every discrepancy of any other terms is found."""

File = Annotated[Path, typer.Argument(help="CSV with a header or NDJSON; - reads standard input.", metavar="FILE")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column", help="Our field=the file's column, where it is not found by itself.", metavar="OURS=THEIRS"
    ),
]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="The old flow's word=our kind, or other.", metavar="WORD=KIND")
]
Id = Annotated[str, typer.Argument(help="The discrepancy's id, as the report names it.", metavar="ID")]
Html = Annotated[Path | None, typer.Option("--html", help="Write the report as one page too.", metavar="FILE")]
Reason = Annotated[str, typer.Option("--reason", help="Why it may stand.", metavar="TEXT")]


class Imported(Value):
    """What became of a file's events."""

    store: Name
    taken: int
    repeated: int
    conflicts: tuple[Name, ...]
    """Ids under which another event came before; the first one stands."""


class Judged(Value):
    store: Name
    verdict: Verdict
    changed: bool
    """False: the same was said before."""


class KeptMessages(Value):
    order: OrderRef
    kept: tuple[KeptText, ...]
    acts: tuple[KeptAct, ...]


@app.command("import")
def import_(
    file: File, store: Store = None, column: Columns = None, kind: Kinds = None, as_json: AsJson = False
) -> None:
    """Take in what the old flow sent: for which order, which kind, when, to which channel, and its figures.

    The columns are found by their usual names (order, kind, at; id, channel, revision, total, currency, lines,
    promise_on). A row without an id is known again by its content. The same file twice changes nothing.

    Example: orderack shadow import sent.csv --store demo --kind "Order Confirmation=confirmation"

    Exit code 0: taken in; 1: some ids were used for other events before; 2: the file can't be read so; 3: the
    ledger did not answer.
    """
    name = the_store(store)
    columns, kinds = _pairs("--column", column), _pairs("--kind", kind)
    for ours in columns:
        if ours not in COLUMNS:
            raise bad("--column", f"{ours!r} is no field of ours", f"use {', '.join(COLUMNS)}")
    events = read_events(_text(file), columns, kinds)
    done = run(_import(name, events))
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{name}: {done.taken} events taken in, {done.repeated} known before.")
        for id_ in done.conflicts:
            typer.echo(plain(f"orderack: {id_}: another event came under this id before, and stands"), err=True)
    if done.conflicts:
        raise typer.Exit(1)


@app.command()
def report(
    store: Store = None,
    since: Since = None,
    settle: Settle = SETTLE,
    budget: Budget = BUDGET,
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Compare, order by order, what would have gone out with what the old flow sent.

    Example: orderack shadow report --store demo --since 7d --html shadow.html

    Exit code 0, whatever is found (`orderack cutover` says whether it is good enough); 2: wrong input; 3: the
    ledger did not answer.
    """
    name, now, how = the_store(store), datetime.now(UTC), terms(settle, budget)
    found, percent = run(_report(name, how, now, moment(since, now)))
    if html is not None:
        _write(html, page(found, ask(found, Wanted())))
    if as_json:
        print_json(found)
        return
    _print(found, percent)
    if html is not None:
        typer.echo(f"The page: {html}")


@app.command()
def show(order: Ref, as_json: AsJson = False) -> None:
    """The messages of one shadow order as they would have gone out, and what else it would have done.

    Example: orderack shadow show demo/1001

    Exit code 0; 1: nothing was kept of that order; 3: the ledger did not answer.
    """
    ref = reference(order)
    kept, acts = run(_kept(ref))
    if not kept and not acts:
        raise OrderUnknown(f"nothing was kept of {ref}: it is no shadow order, or nothing would have gone out yet")
    if as_json:
        print_json(KeptMessages(order=ref, kept=tuple(kept), acts=tuple(acts)))
        return
    for one in kept:
        to = one.role if one.recipient_sha256 is None else f"{one.role} {one.recipient_sha256[:12]}"
        head = f"{words(one.kind)}, revision {one.revision}, by {one.channel} to {to}, {when(one.at)}"
        console().print(plain(head), soft_wrap=True, markup=False, style="bold")
        print_facts((("subject", one.subject), ("sha256", one.message_sha256)))
        console().print(plain(one.text or "(erased)"), soft_wrap=True, markup=False)
    if acts:
        rows = [(when(act.at), str(act.revision), words(act.kind), act.detail) for act in acts]
        print_table(("at", "revision", "would have been", "where"), rows)


@app.command()
def resolve(
    id_: Id,
    by: By,
    note: Annotated[str, typer.Option("--note", help="What was found, or mended.", metavar="TEXT")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Say that a discrepancy is resolved: understood, and mended or right as it is. It stays in the record.

    Example: orderack shadow resolve d-3fa9c1e2b7 --store demo --by grace --note "the web form's mapping is mended"

    Exit code 0: recorded, or it was before; 1: there is no such discrepancy; 2: wrong input; 3: no ledger.
    """
    _judge(the_store(store), id_, Verdict(subject=id_, verdict="resolved", by=by, at=_now(), note=note), as_json)


@app.command()
def waive(
    by: By,
    reason: Reason,
    id_: Annotated[str | None, typer.Argument(help="The discrepancy's id.", metavar="ID")] = None,
    kind: Annotated[Difference | None, typer.Option("--kind", help="Instead of one: all of this kind.")] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="How long it holds; of a kind it has to end.", metavar="DURATION")
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Let a discrepancy stand, by name; or all of a kind, for a time.

    Example: orderack shadow waive --kind old_confirmed_before_receipt --for 14d --by grace --reason "ends with it"

    Exit code 0: recorded, or it was before; 1: there is no such discrepancy; 2: wrong input; 3: no ledger.
    """
    if (id_ is None) is (kind is None):
        raise bad("ID", "is missing" if id_ is None else "stands beside --kind", "name one discrepancy, or --kind")
    if kind is not None and for_ is None:
        raise bad("--for", "is missing", "all of a kind can be waived for a time only: --for 14d")
    if kind is Difference.OURS_BEFORE_RECEIPT:
        raise bad("--kind", "can't be waived", "a confirmation of ours before the ERP's receipt is a bug: report it")
    subject = id_ if id_ is not None else f"{KIND_OF}{kind}"
    now = _now()
    expires = now + span("--for", for_) if for_ else None
    verdict = Verdict(subject=subject, verdict="waived", by=by, at=now, note=reason, expires_at=expires)
    _judge(the_store(store), id_, verdict, as_json)


def _judge(store: str, id_: str | None, verdict: Verdict, as_json: bool) -> None:
    for name, text in (("--by", verdict.by), ("--note or --reason", verdict.note)):
        if not text.strip():
            raise bad(name, "is empty", "it stands in the record for good")
    changed = run(_record(store, id_, verdict))
    if as_json:
        print_json(Judged(store=store, verdict=verdict, changed=changed))
    else:
        until = f" until {when(verdict.expires_at)}" if verdict.expires_at else ""
        said = "" if changed else " (it was before)"
        typer.echo(plain(f"{verdict.subject}: {verdict.verdict} by {verdict.by}{until}{said}"))


async def _record(store: str, id_: str | None, verdict: Verdict) -> bool:
    async with the_ledger() as ledger:
        if id_ is not None:
            found = await report_of(ledger, store, EVERYTHING, verdict.at)
            if id_ not in {one.id for one in found.discrepancies}:
                raise Refused(f"there is no discrepancy {id_} in {store}: `orderack shadow report` names them")
        return await ledger.judge(store, verdict)


async def _import(store: str, events: Sequence[OldEvent]) -> Imported:
    tally: Counter[OldOutcome] = Counter()
    conflicts: list[str] = []
    async with the_ledger() as ledger:
        for begin in range(0, len(events), AT_ONCE):
            batch = events[begin : begin + AT_ONCE]
            outcomes = await ledger.take_old_events(store, batch, _now())
            tally.update(outcomes)
            conflicts += [e.id for e, how in zip(batch, outcomes, strict=True) if how is OldOutcome.CONFLICT]
            if len(events) > AT_ONCE:
                typer.echo(f"{begin + len(batch)} of {len(events)}", err=True)
    return Imported(
        store=store,
        taken=tally[OldOutcome.TAKEN],
        repeated=tally[OldOutcome.REPEATED],
        conflicts=tuple(conflicts),
    )


async def _report(store: str, how: Terms, now: datetime, since: datetime | None) -> tuple[Report, int]:
    async with the_ledger() as ledger:
        return await report_of(ledger, store, how, now, since), await live_percent(ledger, store)


async def _kept(ref: OrderRef) -> tuple[Sequence[KeptText], Sequence[KeptAct]]:
    async with the_ledger() as ledger:
        return await ledger.kept_texts(ref), await ledger.kept_acts(ref)


def _print(found: Report, percent: int) -> None:
    print_facts(
        (
            ("store", found.store),
            ("new orders", f"{percent} in 100 live, the others in the shadow"),
            ("compared", f"{counted(found.orders, 'shadow order')} ({found.young} more too young)"),
            ("alike", f"{found.alike} ({share(found)})"),
            ("no word at all", found.untold or None),
            ("confirmed before the ERP's receipt", f"ours {found.ours_before_receipt}, old {found.old_before_receipt}"),
        )
    )
    print_table(("message", "ours", "p50 s", "p95 s", "old", "p50 s", "p95 s"), map(_timing, found.timing))
    rows = [
        (one.id, one.order, TITLES[one.kind], words(one.message or ""), one.ours, one.old, _stands(one.verdict))
        for one in found.discrepancies
    ]
    if rows:
        print_table(("id", "order", "what", "message", "ours", "old", "verdict"), rows)
    for kind in dict.fromkeys(one.kind for one in found.open):
        one = next(one for one in found.open if one.kind is kind)
        console().print(f"{TITLES[kind]} ({kind}): {one.resolve}.", soft_wrap=True, markup=False)
    many = counted(len(found.discrepancies), "discrepancy", "discrepancies")
    typer.echo(f"{many}, {len(found.open)} open.")


def _timing(timing: Timing) -> tuple[object, ...]:
    ours, old = timing.ours, timing.old
    name = words(timing.message or "first word")
    return name, ours.orders, ours.p50, ours.p95, old.orders, old.p50, old.p95


def _stands(verdict: Verdict | None) -> str:
    return f"{verdict.verdict} by {verdict.by}" if verdict else "open"


def _pairs(option: str, given: Sequence[str] | None) -> Mapping[str, str]:
    found = dict(one.split("=", 1) for one in given or () if "=" in one)
    if len(found) < len(given or ()):
        raise bad(option, "is not NAME=NAME, or names one thing twice", "write it as in the example (--help)")
    return found


def _text(file: Path) -> str:
    """The file's text. Raises InvalidInput."""
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise bad(str(file), f"cannot be read: {reason}", "name a CSV or NDJSON file in UTF-8") from None


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise bad("--html", f"cannot be written: {error.strerror}", "name a file in a folder that is there") from None


def _now() -> datetime:
    return datetime.now(UTC)
