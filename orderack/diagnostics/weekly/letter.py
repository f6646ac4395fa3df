"""The report as a mail: a summary as text, and HTML that mail programs can read. Its pictures are on the page only."""

from collections.abc import Iterator

from orderack.diagnostics.weekly import reaching, words
from orderack.diagnostics.weekly.figures import StoreReport, Weekly
from orderack.diagnostics.weekly.templates_of import TEMPLATES
from orderack.diagnostics.wording import counted
from orderack.ports import Rendered

NAMED = 5
"""Customers that the mail names of each store."""


def letter(report: Weekly) -> Rendered:
    """Subject, text and HTML."""
    return Rendered(
        subject=f"Record of reliability, {report.week}",
        text="\n".join(_text(report)) + "\n",
        html=TEMPLATES.get_template("weekly_mail.html").render(r=report, named=NAMED),
    )


def _text(report: Weekly) -> Iterator[str]:
    yield f"Record of reliability, {report.week}"
    for store in report.stores:
        yield ""
        orders = counted(store.week.orders, "order")
        yield f"{store.store}: {orders}, {words.span(store.week.monday)} ({store.time_zone})"
        yield from (f"- {sentence}" for sentence in store.sentences)
        yield ""
        yield from (_line(line.title, line.now, line.before, line.said) for line in store.lines)
        yield from _customers(store)
        yield from _reach(store)
        if store.week.shadow:
            yield f"Left out: {counted(store.week.shadow, 'order')} of the shadow run."
    if report.wismo is not None:
        yield ""
        yield "Tickets that ask where an order is, of the weeks shown:"
        yield from (f"- {said}" for said in report.wismo.sentences)
    yield ""
    yield report.rule
    yield f"Each week was looked at {report.settled_hours:g} hours after its end."


def _line(title: str, now: str, before: str, said: str) -> str:
    return f"  {title}: {now} (week before: {before}; {said})"


def _customers(store: StoreReport) -> Iterator[str]:
    if store.worst:
        yield ""
        yield f"To whom {store.store} was least reliable, of {counted(store.customers, 'customer')}:"
        yield from (f"- {words.faults(one)}" for one in store.worst[:NAMED])


def _reach(store: StoreReport) -> Iterator[str]:
    if store.reach.customers:
        yield ""
        yield f"How buyers of {store.store} were reached:"
        yield from (f"- {reaching.said(one)}" for one in store.reach.channels)
        yield from (f"- {said}" for said in reaching.suggestions(store.reach))
