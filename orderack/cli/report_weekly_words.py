"""The weekly report on a terminal: what matters in sentences, then every figure beside that of the week before."""

import sys
from pathlib import Path

import typer

from orderack.cli.printing import console, plain, print_table
from orderack.diagnostics.weekly import reaching, words
from orderack.diagnostics.weekly.figures import CustomerFigures, StoreReport, Weekly
from orderack.diagnostics.weekly.statistics import Share, Verdict
from orderack.diagnostics.wording import counted, duration


def print_weekly(found: Weekly, page: Path | None) -> None:
    """All of it."""
    for place, store in enumerate(found.stores):
        if place:
            typer.echo("")
        _store(store)
    if not found.stores:
        _say("There is no store: neither the policy nor the ledger names one.")
    if found.wismo is not None:
        typer.echo("")
        _say("Tickets that ask where an order is, of the weeks shown:")
        for said in found.wismo.sentences:
            _say(f"- {said}")
    typer.echo("")
    if not any(store.customer for store in found.stores):
        _say(found.rule)
    _say(f"Each week is looked at {found.settled_hours:g} hours after its end.")
    if page is not None:
        _say(f"Written: {page}")


def _store(store: StoreReport) -> None:
    week = store.week
    whose = f"; customer {store.customer[0].figures.customer}, week by week" if store.customer else ""
    orders = counted(week.orders, "order")
    _say(f"{store.store}: {week.week}, {words.span(week.monday)} ({store.time_zone}), {orders}{whose}")
    if store.customer:
        return _one_customer(store)
    for sentence in store.sentences:
        _say(f"- {sentence}")
    typer.echo("")
    print_table(
        ("figure", "this week", "week before", "difference", "verdict"),
        ((line.title, line.now, line.before, line.said, _verdict(line.verdict, line.why)) for line in store.lines),
    )
    _trend(store)
    _customers(store)
    _reach(store)
    _left_out(store)


def _verdict(verdict: Verdict | None, why: str) -> str:
    """Of none, only that there are too few; the rule below says the rest."""
    return why.partition(":")[0] if why.startswith("too few") else words.verdict_word(verdict)


def _trend(store: StoreReport) -> None:
    if len(store.weeks) < 3:
        return
    typer.echo("")
    _say("Week by week: told in time, first word, ERP receipt, promises kept, escalations, confirmed before receipt:")
    print_table(
        ("week", "orders", "told", "word p95", "receipt p95", "kept", "escalated", "early"),
        (
            (
                week.week,
                week.orders,
                _percent(week.told.in_time),
                duration(week.told.after.p95.seconds) if week.told.after.p95 else words.NOTHING,
                duration(week.receipts.after.p95.seconds) if week.receipts.after.p95 else words.NOTHING,
                _percent(week.all_promises),
                week.escalations.begun,
                len(week.confirmed.before_receipt),
            )
            for week in store.weeks
        ),
    )


def _percent(share: Share) -> str:
    return words.NOTHING if share.value is None else words.percent(share.value)


def _one_customer(store: StoreReport) -> None:
    columns = ("week", "orders", "with a fault", "promises kept", "changes", "cancelled", "unanswered")
    print_table(columns, ((one.week, *_row(one.figures)) for one in store.customer))
    for one in store.customer:
        for order in one.worst_orders:
            _say(f"- {one.week}, {order}")


def _customers(store: StoreReport) -> None:
    if not store.worst:
        return
    typer.echo("")
    _say(f"To whom {store.store} was least reliable, of {counted(store.customers, 'customer')}:")
    for each in store.worst:
        kept = f"; promises kept: {words.share(each.promises)}" if each.promises.of else ""
        _say(f"- {words.faults(each)}{kept}")


def _reach(store: StoreReport) -> None:
    if not store.reach.customers:
        return
    typer.echo("")
    _say(f"How buyers of {store.store} were reached:")
    print_table(reaching.COLUMNS, map(reaching.row, store.reach.channels))
    for said in reaching.suggestions(store.reach):
        _say(f"- {said}")


def _row(one: CustomerFigures) -> tuple[object, ...]:
    kept = words.share(one.promises)
    return one.orders, one.with_wrong.hits, kept, one.changes, one.cancelled, one.unanswered


def _left_out(store: StoreReport) -> None:
    week = store.week
    said = [
        f"{counted(number, 'order')} {what}"
        for number, what in (
            (week.shadow, "of the shadow run"),
            (week.without_content, "whose content never came"),
        )
        if number
    ]
    if said:
        _say(f"Left out: {' and '.join(said)}.")
    if store.of_nobody:
        _say(f"{words.which(store.of_nobody, 'order', 'names', 'name')} no customer.")


def _say(text: str) -> None:
    console().print(plain(text), markup=False, soft_wrap=not sys.stdout.isatty())
