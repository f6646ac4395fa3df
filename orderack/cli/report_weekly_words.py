"""The weekly report on a terminal: what matters in sentences, then every figure beside that of the week before."""

import sys
from pathlib import Path

import typer

from orderack.cli.printing import console, plain, print_table
from orderack.diagnostics.weekly import words
from orderack.diagnostics.weekly.figures import CustomerFigures, StoreReport, Weekly
from orderack.diagnostics.weekly.statistics import Verdict


def print_weekly(found: Weekly, page: Path | None) -> None:
    """All of it."""
    for place, store in enumerate(found.stores):
        if place:
            typer.echo("")
        _store(store)
    if not found.stores:
        _say("There is no store: neither the policy nor the ledger names one.")
    typer.echo("")
    _say(found.rule)
    _say(f"Each week is looked at {found.settled_hours:g} hours after its end.")
    if page is not None:
        _say(f"Written: {page}")


def _store(store: StoreReport) -> None:
    week = store.week
    _say(f"{store.store}: {week.week}, {words.span(week.monday)} ({store.time_zone}), {week.orders} orders")
    for sentence in store.sentences:
        _say(f"- {sentence}")
    typer.echo("")
    print_table(
        ("figure", "this week", "week before", "difference", "verdict"),
        ((line.title, line.now, line.before, line.said, _verdict(line.verdict, line.why)) for line in store.lines),
    )
    _trend(store)
    _customers(store)
    _left_out(store)


def _verdict(verdict: Verdict | None, why: str) -> str:
    word = words.verdict_word(verdict)
    return f"{word}: {why}" if why else word


def _trend(store: StoreReport) -> None:
    if len(store.weeks) < 3:
        return
    typer.echo("")
    print_table(
        ("week", "orders", "told in time", "first word p95", "receipt p95", "promises kept", "escalated", "early"),
        (
            (
                week.week,
                week.orders,
                words.share(week.told.in_time),
                words.duration(week.told.after.p95.seconds) if week.told.after.p95 else "none",
                words.duration(week.receipts.after.p95.seconds) if week.receipts.after.p95 else "none",
                words.share(week.all_promises),
                week.escalations.begun,
                len(week.confirmed.before_receipt),
            )
            for week in store.weeks
        ),
    )


def _customers(store: StoreReport) -> None:
    if store.customer:
        typer.echo("")
        columns = ("week", *_COLUMNS[1:])
        print_table(columns, ((one.week, *_row(one.figures)[1:]) for one in store.customer))
        for one in store.customer:
            for order in one.worst_orders:
                _say(f"- {one.week}, {order}")
    elif store.worst:
        typer.echo("")
        _say(f"To whom {store.store} was least reliable, of {store.customers} customers:")
        print_table(_COLUMNS, map(_row, store.worst))


_COLUMNS = ("customer", "orders", "with a fault", "promises kept", "what went wrong", "changes", "cancelled")


def _row(one: CustomerFigures) -> tuple[object, ...]:
    wrong = ", ".join(f"{each.what} ({each.orders})" for each in one.wrong)
    return (
        one.customer,
        one.orders,
        one.with_wrong.hits,
        words.share(one.promises),
        wrong,
        one.changes,
        one.cancelled,
    )


def _left_out(store: StoreReport) -> None:
    week = store.week
    said = [
        f"{number} {what}"
        for number, what in (
            (week.shadow, "of the shadow run"),
            (week.without_content, "whose content never came"),
        )
        if number
    ]
    if said:
        _say(f"Left out: orders {' and '.join(said)}.")
    if store.of_nobody:
        _say(f"{store.of_nobody} orders name no customer.")


def _say(text: str) -> None:
    console().print(plain(text), markup=False, soft_wrap=not sys.stdout.isatty())
