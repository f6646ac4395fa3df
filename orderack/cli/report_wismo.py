"""`orderack report wismo`: how often buyers ask where their order is, and which orders they ask about (R13, R174)."""

import sys
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from orderack import helpdesks
from orderack.cli.exits import NO, bad
from orderack.cli.gap_commands import First
from orderack.cli.options import AsJson
from orderack.cli.printing import console, plain, print_json, print_table
from orderack.cli.session import run, the_ledger
from orderack.cli.zones import zone_of
from orderack.domain.unknown_fields import closest
from orderack.errors import Misconfigured
from orderack.ledger.repository import SqlLedger
from orderack.policy.duration import parse_duration
from orderack.policy.load import PolicyInvalid, load_policy
from orderack.ports.helpdesk import Ticket
from orderack.settings import Settings

if TYPE_CHECKING:
    from orderack.diagnostics.wismo.figures import GapFigures, Rate, WismoFigures
    from orderack.diagnostics.wismo.ticket_file import TicketFile

FURTHEST = timedelta(days=36_500)
"""Any helpdesk is younger."""

TOLD_EVERY = 500
"""Tickets after which the screen says how many there are."""

Tickets = Annotated[
    Path | None, typer.Option("--tickets", help="The helpdesk's export: CSV, NDJSON or Parquet.", metavar="FILE")
]
From = Annotated[
    str | None, typer.Option("--from", help="Read the helpdesk itself: zendesk or intercom.", metavar="DESK")
]
Since = Annotated[str, typer.Option("--since", help="How far back, such as 30d.", metavar="DURATION")]
Store = Annotated[str | None, typer.Option("--store", help="This store only; default: every store.", metavar="NAME")]
Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--wismo-tag", help="A tag by which the desk itself marks such tickets; again for more.", metavar="TAG"
    ),
]
Maps = Annotated[
    list[str] | None,
    typer.Option("--map", help="With --tickets: what a column means, such as text=Body.", metavar="MEANING=COLUMN"),
]
Zone = Annotated[
    str | None,
    typer.Option("--time-zone", help="In which days begin, and times that name no zone are.", metavar="NAME"),
]
DateOrder = Annotated[
    First | None, typer.Option("--date-order", help="With --tickets: which comes first in 03/04/2026.")
]
Html = Annotated[Path | None, typer.Option("--html", help="Write the report as one page to this file.", metavar="FILE")]


def wismo(
    tickets: Tickets = None,
    desk: From = None,
    since: Since = "30d",
    store: Store = None,
    tags: Tags = None,
    maps: Maps = None,
    zone: Zone = None,
    date_order: DateOrder = None,
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Count the tickets that ask where an order is, and join them to what the buyers were told and when.

    A ticket is judged by its subject and first message (English, German, French, Spanish) and by the desk's own tags;
    its order is found by the number in it, or by its requester's address. Its words and addresses are not kept.

    Example: orderack report wismo --tickets export.csv --html wismo.html

    Example: orderack report wismo --from zendesk --since 60d --wismo-tag where_is_my_order

    Exit code 0: reported; 1: no order or no ticket in this time; 2: wrong usage, file or setting; 3: the ledger or the
    helpdesk is away.
    """
    if (tickets is None) == (desk is None):
        raise bad("--tickets", "or --from has to be given, one of them", "name the export's file, or the helpdesk")
    if desk is not None and (maps or date_order):
        raise bad("--map", "and --date-order are about a file", "leave them out with --from")
    demand_libraries(html)
    if desk is not None:
        _demand_desk(desk)
    now = datetime.now(UTC)
    asked = TicketsAsked(_back(since, now), now, store, tuple(tags or ()), _zone(zone, store))
    if tickets is not None:
        found = run(of_file(tickets_in(tickets, maps or (), zone, date_order), asked))
    else:
        found = run(of_desk(desk or "", asked))
    if html is not None:
        from orderack.diagnostics.wismo.page import write_page

        write_page(found, html, now)
    if as_json:
        print_json(found)
    else:
        _show(found, html)
    if not found.orders or not found.tickets.read:
        raise typer.Exit(NO)


@dataclass(frozen=True)
class TicketsAsked:
    """Tickets and orders of which time, which store, and what marks a ticket."""

    since: datetime
    until: datetime
    store: str | None
    tags: tuple[str, ...]
    zone: tzinfo


def demand_libraries(html: Path | None) -> None:
    """Raises Misconfigured, or InvalidInput for a page that has no place."""
    if missing := [name for name in ("polars", "scipy", "matplotlib") if find_spec(name) is None]:
        raise Misconfigured(f'{", ".join(missing)} is not installed: pip install "orderack[reports]"')
    if html is not None and (html.is_dir() or not html.absolute().parent.is_dir()):
        raise bad("--html", f"{html} cannot be written", "name a file in a folder that is there")


def _back(since: str, now: datetime) -> datetime:
    """So long ago. Raises InvalidInput."""
    try:
        back = parse_duration(since)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise bad("--since", problem, remedy) from None
    if back > FURTHEST:
        raise bad("--since", f"{since!r} is further back than there are tickets", "write it as 30d")
    return now - back


def _zone(name: str | None, store: str | None) -> tzinfo:
    if name is None:
        return zone_of(store) if store else UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise bad("--time-zone", f"{name!r} is no time zone", "write it as Europe/Berlin") from None


async def _demand_store(ledger: SqlLedger, asked: TicketsAsked) -> None:
    """Raises InvalidInput for a store that neither the policy nor the ledger's orders of that time know."""
    if asked.store is None:
        return
    known = {*await ledger.stores_with_orders(asked.since, asked.until), *_of_policy()}
    if asked.store not in known:
        guess = closest(asked.store, sorted(known)) or ", ".join(sorted(known)) or "none"
        raise bad("--store", f"there is no store {asked.store!r}", f"did you mean {guess}?")


def _of_policy() -> Sequence[str]:
    try:
        return tuple(load_policy(Settings().policy_dir).stores)
    except PolicyInvalid:
        return ()


def tickets_in(file: Path, maps: Sequence[str], zone: str | None, first: First | None) -> "TicketFile":
    """The export's tickets. Raises InvalidInput."""
    from orderack.diagnostics.wismo.ticket_file import read_tickets

    order: Literal["day", "month"] | None = first.value if first else None
    return read_tickets(file, maps, zone or "UTC", order)


async def of_file(read: "TicketFile", asked: TicketsAsked) -> "WismoFigures":
    """What the export shows beside the ledger."""
    notes = (*read.notes, *_none(read, asked.since))
    async with the_ledger() as ledger:
        found = await _watch(ledger, read.tickets, asked, "file", notes)
    return found.model_copy(update={"columns": read.columns})


def _none(read: "TicketFile", since: datetime) -> Sequence[str]:
    """Said where no ticket of the file is of this time: the export is an old one."""
    if not read.tickets or any(ticket.created_at >= since for ticket in read.tickets):
        return ()
    last = max(ticket.created_at for ticket in read.tickets)
    return (f"No ticket of the file is of this time: the last was opened {last:%d %b %Y}. Go back further by --since.",)


async def of_desk(name: str, asked: TicketsAsked) -> "WismoFigures":
    """What the helpdesk's tickets show beside the ledger. Raises InvalidInput, Misconfigured or Unavailable."""
    async with the_ledger() as ledger, _opened(name, asked) as tickets:
        return await _watch(ledger, tickets, asked, name, ())


async def _watch(
    ledger: SqlLedger,
    tickets: Iterable[Ticket] | AsyncIterable[Ticket],
    asked: TicketsAsked,
    tickets_from: str,
    notes: Sequence[str],
) -> "WismoFigures":
    from orderack.diagnostics.wismo.watch import watch

    await _demand_store(ledger, asked)
    return await watch(
        ledger,
        tickets,
        asked.since,
        asked.until,
        asked.store,
        tags=asked.tags,
        tickets_from=tickets_from,
        zone=asked.zone,
        notes=notes,
    )


def _demand_desk(name: str) -> None:
    """Raises InvalidInput for a helpdesk that there is none of, Misconfigured for what it lacks."""
    specs = helpdesks.load()
    if name not in specs:
        raise bad("--from", f"there is no helpdesk {name!r}", f"there are {', '.join(specs)}; or give --tickets FILE")
    if lacks := helpdesks.build([name]).not_configured.get(name):
        raise Misconfigured(f"{name} is not configured: {'; '.join(lacks)}. Get them from {specs[name].obtain}")


@asynccontextmanager
async def _opened(name: str, asked: TicketsAsked) -> AsyncIterator[AsyncIterator[Ticket]]:
    """The helpdesk's tickets."""
    desk = helpdesks.build([name])[name]
    try:
        yield _counted(desk.tickets(asked.since, asked.until, _progress), name)
    finally:
        await desk.aclose()


async def _counted(tickets: AsyncIterator[Ticket], name: str) -> AsyncIterator[Ticket]:
    """Says how far it is, where somebody looks on."""
    place = 0
    async for ticket in tickets:
        place += 1
        if place % TOLD_EVERY == 0:
            _progress(f"{place:,} tickets of {name} …")
        yield ticket


def _progress(words: str) -> None:
    if sys.stderr.isatty():
        typer.echo(plain(words), err=True)


def _show(found: "WismoFigures", html: Path | None) -> None:
    from orderack.diagnostics.wismo.telling import EFFECTS, NAMES, probability

    for sentence in found.sentences:
        _say(f"- {sentence}")
    if found.orders:
        typer.echo("")
        print_table(
            ("orders that were", "says", "with it", "without it", "ratio", "why"),
            (
                (
                    NAMES[one.split],
                    EFFECTS[one.effect],
                    _share(one.with_it),
                    _share(one.without_it),
                    f"{one.ratio:.1f} ({one.ratio_low:.1f}–{one.ratio_high:.1f})" if one.ratio is not None else "",
                    probability(one.p_held) if one.p_held is not None else one.why,
                )
                for one in found.splits
            ),
        )
        typer.echo("")
        _tables(found)
    if found.notes:
        typer.echo("")
        for note in found.notes:
            _say(f"Mind: {note}")
    _read(found)
    if html is not None:
        _say(f"Written: {html}")


def _tables(found: "WismoFigures") -> None:
    heading = ("orders", "asked about", "first message p95", "ERP receipt p50", "p95", "confirmed early")
    print_table(
        ("source", *heading),
        ((one.source, one.rate.orders, _share(one.rate), *_gap(one.gap)) for one in found.sources),
    )
    typer.echo("")
    print_table(
        ("day", "tickets", *heading),
        ((one.day, one.tickets, one.gap.orders, _share(one.rate), *_gap(one.gap)) for one in found.days),
    )


def _gap(gap: "GapFigures") -> tuple[object, ...]:
    from orderack.diagnostics.wording import duration

    times = (gap.received_p95, gap.receipt_p50, gap.receipt_p95)
    return (*("" if time is None else duration(time) for time in times), gap.confirmed_early)


def _share(rate: "Rate | None") -> str:
    return f"{rate.per_100:.1f} of 100 ({rate.low:.1f}–{rate.high:.1f})" if rate else ""


def _read(found: "WismoFigures") -> None:
    if found.tickets.phrases:
        typer.echo("")
        print_table(("decided by", "tickets"), ((one.phrase, one.tickets) for one in found.tickets.phrases[:12]))
    if found.columns:
        typer.echo("")
        print_table(("meaning", "column", "found by"), ((one.meaning, one.column, one.how) for one in found.columns))
        typer.echo("Another column: --map MEANING=COLUMN.")


def _say(words: str) -> None:
    console().print(plain(words), markup=False, soft_wrap=not sys.stdout.isatty())
