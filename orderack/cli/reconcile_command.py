"""`orderack reconcile` and `orderack oversell`: the ledger against what other systems say, every row in one class."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from orderack import erps
from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson
from orderack.cli.printing import NOTHING, print_json, print_table, words
from orderack.cli.session import run, the_ledger
from orderack.diagnostics.reconcile import asking
from orderack.diagnostics.reconcile.compare import compare, stock
from orderack.diagnostics.reconcile.oversell import OversellReport, left_over
from orderack.diagnostics.reconcile.oversell import oversell as oversell_of
from orderack.diagnostics.reconcile.page import PageTable, write_page
from orderack.diagnostics.reconcile.reading import Input, overrides, read
from orderack.diagnostics.reconcile.records import Difference, Reconciled, Row, Side, Totals
from orderack.errors import Misconfigured
from orderack.policy.duration import parse_duration
from orderack.policy.load import load_policy
from orderack.policy.model import Policy
from orderack.ports.captured import CapturedOrder
from orderack.settings import Settings

ErpFile = Annotated[Path | None, typer.Option("--erp", help="The ERP's list of orders.", metavar="FILE")]
Ask = Annotated[bool, typer.Option("--ask", help="Ask the ERPs themselves, order by order, at a sweep's pace.")]
Paid = Annotated[Path | None, typer.Option("--payments", help="The payments' list.", metavar="FILE")]
Offers = Annotated[Path | None, typer.Option("--marketplace", help="A marketplace's stock list.", metavar="FILE")]
Since = Annotated[str, typer.Option("--since", help="How far back orders are taken.", metavar="30d")]
Store = Annotated[str | None, typer.Option("--store", help="Only this store's orders.", metavar="NAME")]
Html = Annotated[Path | None, typer.Option("--html", help="Write it as a page, too.", metavar="FILE")]
Map = Annotated[list[str] | None, typer.Option("--map", help="Say which column is what.", metavar="erp.total=COLUMN")]


LONGEST = timedelta(days=3_650)
TELL_EVERY = 50
"""Orders between two words of progress."""


def reconcile(
    erp: ErpFile = None,
    ask: Ask = False,
    payments: Paid = None,
    marketplace: Offers = None,
    since: Since = "30d",
    store: Store = None,
    html: Html = None,
    map_: Map = None,
    as_json: AsJson = False,
) -> None:
    """Compare the ledger's orders with the ERP's list, the payments' and a marketplace's stock (CSV, NDJSON, Parquet).

    Every row of every file and every order of the span ends in exactly one class. Which column is what is guessed by
    its name, said on standard error, and overridden by --map.

    Example: orderack reconcile --erp erp.csv --payments payments.csv --since 30d --html differences.html

    Exit code 0: no differences; 1: there are some; 2: a file or a column is wrong; 3: the ledger or an ERP is away.
    """
    if erp is None and not ask and payments is None and marketplace is None:
        raise bad("--erp", "is missing, and so are the others", "name a list to compare with, or --ask")
    if erp is not None and ask:
        raise bad("--ask", "is one too many", "name the ERP's list, or have it asked, not both")
    told = overrides(map_ or ())
    paths = {Side.ERP: erp, Side.PAYMENTS: payments, Side.MARKETPLACE: marketplace}
    inputs = [read(side, path, told) for side, path in paths.items() if path is not None]
    for one in inputs:
        _show_columns(one)
    policy = load_policy(Settings().policy_dir)
    now = datetime.now(UTC)
    began = now - _span(since)
    ours, rows = run(_ours(began, store, policy, ask=ask))
    sides = {one.side: one.rows for one in inputs} | ({Side.ERP: rows} if ask else {})
    found = _compared(sides, ours, now, policy)
    if html is not None:
        write_page(html, "Reconciliation", f"Orders since {began:%Y-%m-%d %H:%M} UTC.", _tables(found), now)
    if as_json:
        print_json(found)
    else:
        for table in _tables(found):
            typer.echo(f"{table.title}:" if table.rows else f"{table.title}: none.")
            if table.rows:
                print_table(table.columns, table.rows)
                typer.echo("")
    if found.differences:
        raise typer.Exit(NO)


def oversell(since: Since = "30d", store: Store = None, html: Html = None, as_json: AsJson = False) -> None:
    """Units that were promised while the ERP did not know of them, beyond the stock it had: per sku, with each gap.

    The stock is what the ERP said when each order was looked at; where it said nothing, the units are counted apart.

    Example: orderack oversell --since 30d --html oversell.html

    Exit code 0: nothing was oversold; 1: something was; 2: a value is wrong; 3: the ledger is away.
    """
    now = datetime.now(UTC)
    began = now - _span(since)
    ours, _ = run(_ours(began, store, None, ask=False))
    report = oversell_of(ours)
    if html is not None:
        write_page(html, "Oversell by the gap", _told(report), _oversold(report), now)
    if as_json:
        print_json(report)
    else:
        typer.echo(_told(report))
        for table in _oversold(report):
            if table.rows:
                print_table(table.columns, table.rows)
                typer.echo("")
    if report.oversold:
        raise typer.Exit(NO)


def _span(text: str) -> timedelta:
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise bad("--since", str(error), "write it as 30d or 12h") from None
    if not timedelta() < found <= LONGEST:
        raise bad("--since", "is too little or too much", f"up to {LONGEST.days} days")
    return found


async def _ours(
    since: datetime, store: str | None, policy: Policy | None, *, ask: bool
) -> tuple[Sequence[CapturedOrder], tuple[Row, ...]]:
    """The orders; and, where they are to be asked, what their ERPs say of them."""
    async with the_ledger() as ledger:
        ours = await ledger.captured(since, store)
    if not ask or policy is None:
        return ours, ()
    built = erps.build({name: row.system for name, row in policy.erps.items()})
    try:
        if absent := sorted({order.erp for order in ours if order.erp} - built.ready.keys()):
            raise Misconfigured(f"cannot be asked, not set up here: {', '.join(absent)} (orderack erps)")
        return ours, await asking.asked(built.ready, ours, Settings().sweep_per_second, _progress(len(ours)))
    finally:
        for erp in built.ready.values():
            await erp.aclose()


def _progress(of: int) -> Callable[[int], None]:
    def tell(place: int) -> None:
        if place % TELL_EVERY == 0:
            typer.echo(f"{place} of {of} orders asked about", err=True)

    return tell


def _compared(
    sides: Mapping[Side, Sequence[Row]], ours: Sequence[CapturedOrder], now: datetime, policy: Policy
) -> Reconciled:
    rotas = [team.rota for team in policy.teams.values() if team.rota]
    owner = rotas[0][0] if rotas else None
    totals, differences = list[Totals](), list[Difference]()
    for side, rows in sides.items():
        if side is Side.MARKETPLACE:
            total, found = stock(rows, *left_over(ours), lambda: owner)
        else:
            total, found = compare(side, rows, ours, now, lambda: owner)
        totals.append(total)
        differences += found
    return Reconciled(totals=tuple(totals), differences=tuple(differences))


def _show_columns(one: Input) -> None:
    taken = ", ".join(f"{role} = {column}" for role, column in one.columns.items())
    typer.echo(f"--{one.side} {one.file}: {len(one.rows)} rows; {taken}", err=True)
    for note in one.notes:
        typer.echo(f"--{one.side}: {note}", err=True)


def _tables(found: Reconciled) -> Sequence[PageTable]:
    """The sums, and the differences of each side."""
    sums = [
        (str(one.side), words(kind), str(one.by_row.get(kind, 0)), str(one.by_order.get(kind, 0)))
        for one in found.totals
        for kind in (*one.by_row, *(kind for kind in one.by_order if kind not in one.by_row))
    ]
    sums += [(str(one.side), "all", str(one.rows), str(one.ours)) for one in found.totals]
    made = [PageTable("Sums", ("side", "class", "rows", "orders"), sorted(sums, key=lambda row: row[0]))]
    columns = ("what", "difference", "here", "there", "rows", "owner", "next")
    for one in found.totals:
        rows = [
            (each.what, words(each.kind), each.here, each.there, _lines(each), each.owner or NOTHING, each.next_step)
            for each in found.differences
            if each.side is one.side
        ]
        made.append(PageTable(f"Differences from the {one.side}", columns, rows))
    return made


def _lines(each: Difference) -> str:
    shown = ", ".join(map(str, each.lines[:5]))
    return f"{shown} …" if len(each.lines) > 5 else shown or NOTHING


def _told(report: OversellReport) -> str:
    return (
        f"{report.oversold:f} of {report.units:f} promised units were oversold, in {report.orders} orders; "
        f"of {report.unknown:f} units nobody knew the stock."
    )


def _oversold(report: OversellReport) -> Sequence[PageTable]:
    skus = [
        (one.sku, f"{one.units:f}", f"{one.oversold:f}", f"{one.unknown:f}", str(len(one.windows)))
        for one in report.skus
    ]
    windows = [
        (
            *(one.sku, str(one.ref), f"{one.captured_at:%Y-%m-%d %H:%M:%S}"),
            f"{one.ends_at:%Y-%m-%d %H:%M:%S}" if one.ends_at else "open",
            *(f"{one.units:f}", f"{one.stock or 0:f}", f"{one.before:f}", f"{one.oversold:f}"),
            "yes" if one.confirmed_within else "no",
        )
        for sku in report.skus
        for one in sku.windows
    ]
    return [
        PageTable("By sku", ("sku", "units", "oversold", "stock unknown", "gaps"), skus),
        PageTable(
            "Gaps with oversold units (UTC)",
            ("sku", "order", "captured", "in the ERP", "units", "stock", "in gaps before", "oversold", "confirmed"),
            windows,
        ),
    ]
