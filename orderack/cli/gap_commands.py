"""`orderack gap`: the gap doctor. Why buyers are told "confirmed" before the ERP has the order."""

import sys
from datetime import UTC, datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson
from orderack.cli.printing import console, plain, print_facts, print_json, print_table
from orderack.cli.session import run, the_ledger
from orderack.errors import Misconfigured
from orderack.policy.duration import parse_duration

if TYPE_CHECKING:
    from orderack.diagnostics.gap.diagnose import Report
    from orderack.diagnostics.gap.figures import Diagnosis
    from orderack.ledger.gap_times import GapTimes

app = typer.Typer(
    no_args_is_help=True,
    help='The gap doctor: why buyers are told "confirmed" before the ERP has the order.',
)


class First(StrEnum):
    """What comes first in 03/04/2026."""

    DAY = "day"
    MONTH = "month"


Orders = Annotated[
    Path | None, typer.Option("--orders", help="The shop's orders: number, time, channel, items.", metavar="FILE")
]
Erp = Annotated[
    Path | None, typer.Option("--erp", help="What the ERP booked: the shop's number, time of receipt.", metavar="FILE")
]
Confirmations = Annotated[
    Path | None, typer.Option("--confirmations", help="What buyers were sent: number, time.", metavar="FILE")
]
Integration = Annotated[
    Path | None,
    typer.Option("--integration", help="The webhook's or middleware's log: number, times.", metavar="FILE"),
]
Stock = Annotated[
    Path | None, typer.Option("--stock", help="The ERP's stock figures: item, quantity, time.", metavar="FILE")
]
Maps = Annotated[
    list[str] | None,
    typer.Option("--map", help="What a column means, such as erp.id=web_order.", metavar="LOG.MEANING=COLUMN"),
]
Zones = Annotated[
    list[str] | None,
    typer.Option(
        "--time-zone",
        help="Zone of times that name none (default UTC), and of the hours shown; erp=NAME for one log's.",
        metavar="[LOG=]NAME",
    ),
]
DateOrder = Annotated[
    First | None, typer.Option("--date-order", help="Which comes first in 03/04/2026; default: as the rows show.")
]
Ledger = Annotated[bool, typer.Option("--ledger", help="This installation's own orders, instead of files.")]
Since = Annotated[str, typer.Option("--since", help="With --ledger: how far back, such as 30d.", metavar="DURATION")]
Store = Annotated[str | None, typer.Option("--store", help="With --ledger: this store only.", metavar="NAME")]
Html = Annotated[Path | None, typer.Option("--html", help="Write the report as one page to this file.", metavar="FILE")]
Lists = Annotated[
    Path | None, typer.Option("--lists", help="Write every list whole, as CSV, to this folder.", metavar="FOLDER")
]


@app.command()
def diagnose(
    orders: Orders = None,
    erp: Erp = None,
    confirmations: Confirmations = None,
    integration: Integration = None,
    stock: Stock = None,
    maps: Maps = None,
    zones: Zones = None,
    date_order: DateOrder = None,
    ledger: Ledger = False,
    since: Since = "30d",
    store: Store = None,
    html: Html = None,
    lists: Lists = None,
    as_json: AsJson = False,
) -> None:
    """Name the cause of the gap between confirmation and ERP receipt: a queue, the trigger, several, or no verdict.

    Reads CSV, NDJSON or Parquet of a shop that need not run orderack, finds the columns by itself, joins the orders and
    tests what the delay depends on. It takes 500 orders in both logs; with fewer it refuses and says how many more.

    Example: orderack gap diagnose --orders orders.csv --erp erp.csv --confirmations mails.ndjson --html gap.html

    Example: orderack gap diagnose --ledger --since 30d

    Exit code 0: a verdict; 1: no verdict; 2: a log cannot be used, or a column is not found; 3: no ledger answers.
    """
    _demand_libraries()
    files = {
        name: file
        for name, file in (
            ("orders", orders),
            ("erp", erp),
            ("confirmations", confirmations),
            ("integration", integration),
            ("stock", stock),
        )
        if file is not None
    }
    if ledger:
        found = _of_ledger(files, since, store)
    else:
        found = _of_files(files, tuple(maps or ()), tuple(zones or ()), date_order.value if date_order else None)
    _write(found, html, lists)
    if as_json:
        print_json(found.diagnosis)
    else:
        _show(found.diagnosis, html, lists)
    if found.diagnosis.verdict.value == "refused":
        raise typer.Exit(NO)


def _demand_libraries() -> None:
    if missing := [name for name in ("polars", "scipy", "matplotlib") if find_spec(name) is None]:
        raise Misconfigured(f'{", ".join(missing)} is not installed: pip install "orderack[reports]"')


def _of_files(
    files: dict[str, Path], maps: tuple[str, ...], zones: tuple[str, ...], first: Literal["day", "month"] | None
) -> "Report":
    from orderack.diagnostics.gap.diagnose import Options, diagnose

    for name in ("orders", "erp"):
        if name not in files:
            raise bad(f"--{name}", "is missing", "give --orders FILE and --erp FILE, or --ledger")
    return diagnose(files, Options(maps=maps, zones=zones, first=first))


def _of_ledger(files: dict[str, Path], since: str, store: str | None) -> "Report":
    from orderack.diagnostics.gap.from_ledger import diagnose_rows

    if files:
        raise bad("--ledger", "stands beside a log's file", "give files, or --ledger")
    try:
        back = parse_duration(since)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise bad("--since", problem, remedy) from None
    return diagnose_rows(run(_rows(datetime.now(UTC) - back, store)))


async def _rows(since: datetime, store: str | None) -> "list[GapTimes]":
    async with the_ledger() as opened:
        return [row async for row in opened.gap_times(since, store)]


def _write(found: "Report", html: Path | None, lists: Path | None) -> None:
    if html is not None:
        from orderack.diagnostics.gap.page import write_page

        if sys.stderr.isatty():
            typer.echo("drawing the page …", err=True)
        write_page(found, html, datetime.now(UTC))
    if lists is not None:
        from orderack.diagnostics.gap.listing import write_lists

        write_lists(found.signals, found.joined, lists)


def _show(found: "Diagnosis", html: Path | None, lists: Path | None) -> None:
    """The verdict first, then why, what to do, and what was read."""
    from orderack.diagnostics.gap.words import percent
    from orderack.diagnostics.wording import duration

    _say(found.sentence)
    typer.echo("")
    for title, sentences in (("Why", found.why), ("What to do", found.next), ("Mind", found.notes)):
        if sentences:
            typer.echo(f"{title}:")
            for each in sentences:
                _say(f"- {each}")
            typer.echo("")
    print_table(
        ("channel", "orders", "verdict", "agree", "median", "95 %", "early"),
        (
            (
                each.channel,
                each.ruling.orders,
                f"{each.ruling.verdict}, {each.ruling.orders_missing} more needed"
                if each.ruling.orders_missing
                else each.ruling.verdict,
                percent(each.ruling.confidence) if each.ruling.confidence else "",
                duration(each.ruling.delay.median.value) if each.ruling.delay else "",
                duration(each.ruling.delay.p95) if each.ruling.delay else "",
                percent(each.ruling.sequence.early_share.value) if each.ruling.sequence else "",
            )
            for each in found.channels
        ),
    )
    typer.echo("")
    _signals(found)
    typer.echo("")
    _read(found)
    for written in (html, lists):
        if written is not None:
            _say(f"Written: {written}")


def _signals(found: "Diagnosis") -> None:
    s = found.signals
    print_facts(
        [
            ("confirmed before the receipt", s.confirmed_before_receipt),
            ("not to be found in the ERP", f"{s.not_in_erp} (too recent to tell: {s.too_recent})"),
            ("oversold", s.oversold if s.oversold is not None else f"cannot be said: {s.oversold_why}"),
            (
                "unseen by planning",
                f"{s.unseen_mean:.1f} {s.unseen_unit} on average, {s.unseen_peak:g} at most; "
                f"{s.unseen_lost:g} more of orders that are not in the ERP at all",
            ),
        ]
    )


def _read(found: "Diagnosis") -> None:
    print_table(
        ("log", "file", "rows", "orders", "repeated", "unreadable", "joined"),
        (
            (
                each.log,
                each.file,
                each.rows,
                each.orders,
                each.repeated,
                each.unreadable,
                "; ".join(f"{one.orders} {one.writing}" for one in each.joined),
            )
            for each in found.logs
        ),
    )
    if found.mapping:
        typer.echo("")
        print_table(
            ("meaning", "column", "found by"),
            ((f"{each.log}.{each.meaning}", each.column, each.how) for each in found.mapping),
        )
        typer.echo("Another column: --map MEANING=COLUMN.")


def _say(words: str) -> None:
    console().print(plain(words), markup=False, soft_wrap=not sys.stdout.isatty())
