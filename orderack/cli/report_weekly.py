"""`orderack report weekly`: what was promised to buyers in a week, what was kept, and to whom least (R130, R131)."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated

import typer

from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson
from orderack.cli.printing import print_json
from orderack.cli.report_mail import Again, By, Emails, addresses, mail_channel, say
from orderack.cli.report_weekly_words import print_weekly
from orderack.cli.report_wismo import (
    DateOrder,
    From,
    Maps,
    Tags,
    Tickets,
    TicketsAsked,
    demand_libraries,
    of_desk,
    of_file,
    tickets_in,
)
from orderack.cli.session import run, the_ledger
from orderack.cli.zones import zone_of
from orderack.diagnostics.weekly.figures import Weekly
from orderack.diagnostics.weekly.letter import letter
from orderack.diagnostics.weekly.mailing import post_all, report_name
from orderack.diagnostics.weekly.report import TREND, Asked
from orderack.diagnostics.weekly.report import weekly as report_of
from orderack.diagnostics.weekly.store_zones import last_over, of_policy, zones
from orderack.diagnostics.weekly.weeks import Week, last_whole, parse_week
from orderack.domain.unknown_fields import closest
from orderack.ledger.repository import SqlLedger
from orderack.ports import Channel
from orderack.settings import Settings

WeekName = Annotated[
    str | None, typer.Option("--week", help="An ISO week that is over; default: the last one.", metavar="2026-W47")
]
Weeks = Annotated[int, typer.Option("--weeks", min=1, max=53, help="How many weeks the trend shows.")]
Store = Annotated[str | None, typer.Option("--store", help="This store only; default: every store.", metavar="NAME")]
Customer = Annotated[
    str | None, typer.Option("--customer", help="One customer week by week, by the store's own id.", metavar="ID")
]
Html = Annotated[Path | None, typer.Option("--html", help="Write the report as one page to this file.", metavar="FILE")]


def weekly(
    week: WeekName = None,
    weeks: Weeks = TREND,
    store: Store = None,
    customer: Customer = None,
    tickets: Tickets = None,
    desk: From = None,
    tags: Tags = None,
    maps: Maps = None,
    date_order: DateOrder = None,
    html: Html = None,
    emails: Emails = None,
    again: Again = False,
    channel: By = None,
    as_json: AsJson = False,
) -> None:
    """The week's record of reliability: promises kept and broken, beside the week before, and to whom least reliable.

    Orders count in the week in which they came, in their store's time zone; each week is looked at as long after its
    end as the last one is now, at most two days. Shadow orders are left out.

    Example: orderack report weekly --week 2026-W47 --html week.html

    Example: orderack report weekly --email ops@shop.example --email owner@shop.example

    Example: orderack report weekly --tickets export.csv --html week.html

    Example: orderack report weekly --store demo --customer C-42 --weeks 8

    Exit code 0: reported; 1: nothing is known of that customer, or an address was refused; 2: wrong usage or setting;
    3: no ledger answers, or it could not be mailed now.
    """
    now = datetime.now(UTC)
    to, by = addresses(emails), _demand_channel(emails, channel, customer, again=again)
    _demand_page(html)
    asks = _demand_tickets(tickets, desk, (tags, maps, date_order))
    found = run(_report(week, weeks, store, customer, now))
    if asks:
        about = _asked_about(found, store, tags)
        if tickets is not None:
            watched = run(of_file(tickets_in(tickets, maps or (), None, date_order), about))
        else:
            watched = run(of_desk(desk or "", about))
        found = found.model_copy(update={"wismo": watched})
    if html is not None:
        _write(found, html)
    if as_json:
        print_json(found)
    else:
        print_weekly(found, html)
    if by is not None and (code := run(_mail(found, by, to, store, again=again))):
        raise typer.Exit(code)
    if customer is not None and not any(one.figures.orders for each in found.stores for one in each.customer):
        typer.echo("No order of these weeks names that customer.", err=True)
        raise typer.Exit(NO)


async def _report(week: str | None, weeks: int, store: str | None, customer: str | None, now: datetime) -> Weekly:
    named = _named(week) if week else None
    async with the_ledger() as ledger:
        of = await _zones(ledger, named or last_whole(now, UTC), weeks, store)
        wanted = named or last_over(of, now)
        _demand_over(wanted, of, now)
        asked = Asked(week=wanted, weeks=weeks, now=now, zones=of, customer=customer, said=_say)
        return await report_of(ledger, asked)


def _demand_tickets(tickets: Path | None, desk: str | None, more: Sequence[object]) -> bool:
    """Whether tickets are to be read. Raises InvalidInput or Misconfigured before any work."""
    if tickets is None and desk is None:
        if any(more):
            raise bad("--tickets", "or --from is missing", "name the helpdesk's export, or the helpdesk")
        return False
    if tickets is not None and desk is not None:
        raise bad("--tickets", "stands beside --from", "give one of them")
    demand_libraries(None)
    return True


def _asked_about(found: Weekly, store: str | None, tags: Sequence[str] | None) -> TicketsAsked:
    """Tickets of all weeks shown; where there are several stores, in the days of the first."""
    if not found.stores:
        raise bad("--tickets", "there is no store to read them for", "leave it out")
    first = found.stores[0]
    zone = zone_of(first.store)
    return TicketsAsked(first.weeks[0].since, first.week.until, store, tuple(tags or ()), zone)


def _demand_channel(
    emails: Sequence[str] | None, channel: str | None, customer: str | None, *, again: bool
) -> Channel | None:
    """What mails it; None: nobody is to get it. Raises InvalidInput or Misconfigured before any work."""
    if not emails:
        if again or channel:
            raise bad("--email", "is missing", "say whom to mail the report to")
        return None
    if customer is not None:
        raise bad("--customer", "stands beside --email", "one customer's figures are for your screen: leave one out")
    return mail_channel(channel)


async def _mail(found: Weekly, channel: Channel, to: Sequence[str], store: str | None, *, again: bool) -> int:
    week = parse_week(found.week)
    async with the_ledger() as ledger:
        posted = await post_all(ledger, channel, to, report_name(week), store, letter(found), again=again)
    return say(posted)


def _named(text: str) -> Week:
    try:
        return parse_week(text)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise bad("--week", f"{text!r} {problem}", remedy) from None


async def _zones(ledger: SqlLedger, week: Week, weeks: int, store: str | None) -> dict[str, tzinfo]:
    """The stores of the report, each with its zone. Raises InvalidInput for a store that nobody knows."""
    known = await zones(ledger, of_policy(Settings().policy_dir), week, weeks)
    if store is None:
        return known
    if store not in known:
        guess = closest(store, sorted(known))
        raise bad("--store", f"there is no store {store!r}", f"did you mean {guess or ', '.join(known) or 'none'}?")
    return {store: known[store]}


def _demand_over(week: Week, zones: dict[str, tzinfo], now: datetime) -> None:
    """Raises InvalidInput for a week that some store is still in."""
    for store, zone in zones.items():
        if now < week.ends(zone):
            raise bad(
                "--week",
                f"{week} is not over for {store}: it ends {week.ends(zone).astimezone(zone):%d %b %Y, %H:%M %Z}",
                f"ask for {last_whole(now, zone)}",
            )


def _demand_page(html: Path | None) -> None:
    """Said before the work, not after it."""
    if html is None:
        return
    if html.is_dir() or not html.absolute().parent.is_dir():
        raise bad("--html", f"{html} cannot be written", "name a file in a folder that is there")
    from orderack.diagnostics.weekly.plots import demand_plots

    demand_plots()


def _write(found: Weekly, html: Path) -> None:
    from orderack.diagnostics.weekly.page import page

    try:
        html.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise bad("--html", f"{html} cannot be written: {error.strerror}", "name a file in a folder of yours") from None


def _say(words: str) -> None:
    if sys.stderr.isatty():
        typer.echo(words, err=True)
