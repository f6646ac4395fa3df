"""Reliability per customer (R130): what each was promised, what went wrong, to whom the store was least reliable."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from orderack.contracts.journal import ClockName, Event
from orderack.diagnostics.weekly.figures import CustomerFigures, CustomerWeek, Wrong
from orderack.diagnostics.weekly.promises import TO_BUYERS, End
from orderack.diagnostics.weekly.seeing import Seen
from orderack.diagnostics.weekly.statistics import Share
from orderack.domain.acknowledgement import Kind
from orderack.domain.address import address_sha256, reaches

BROKEN = {
    ClockName.ACKNOWLEDGE: "told late",
    ClockName.HOLD: "held late",
    ClockName.RESOLVE: "not resolved in time",
    ClockName.PARTNER: "past a partner's deadline",
}
ESCALATED, EARLY = "escalated", "confirmed before the ERP's receipt"
UNDELIVERABLE, DOUBTFUL, UNANSWERED = "no channel took a message", "a send in doubt", "a question not answered"

LISTED = 10
"""Customers that the report names."""

_DIGITS = 8


def shown_id(customer: str) -> str:
    """The store's id; one that is an address itself is not shown, only marked so that it can be told from others."""
    return f"address #{address_sha256(customer)[:_DIGITS]}" if reaches(customer) else customer


def wrong(one: Seen) -> Iterator[str]:
    """What went wrong for the order's buyer, each once."""
    broken = {run.clock for run in one.promises if run.end is End.BROKEN}
    yield from (words for clock, words in BROKEN.items() if clock in broken)
    if one.early:
        yield EARLY
    if one.events[Event.ESCALATED]:
        yield ESCALATED
    if one.events[Event.UNDELIVERABLE]:
        yield UNDELIVERABLE
    if one.doubts_left:
        yield DOUBTFUL
    if one.unanswered:
        yield UNANSWERED


def by_customer(orders: Sequence[Seen]) -> dict[str, list[Seen]]:
    """The orders of each customer; those of nobody are left out."""
    found = defaultdict[str, list[Seen]](list)
    for one in orders:
        if one.order.customer_id:
            found[one.order.customer_id].append(one)
    return dict(found)


def figures(customer: str, orders: Sequence[Seen]) -> CustomerFigures:
    """One customer's."""
    counted = defaultdict[str, int](int)
    for one in orders:
        for what in wrong(one):
            counted[what] += 1
    ends = [run.end for one in orders for run in one.promises if run.clock in TO_BUYERS]
    kept = ends.count(End.KEPT)
    return CustomerFigures(
        customer=shown_id(customer),
        orders=len(orders),
        told=Share(hits=sum(one.in_time for one in orders if one.owed), of=sum(one.owed for one in orders)),
        held=Share(hits=sum(one.said(Kind.HOLDING) for one in orders), of=len(orders)),
        confirmed=Share(hits=sum(bool(one.confirmed_at) for one in orders), of=len(orders)),
        quietly=Share(hits=sum(_quietly(one) for one in orders), of=len(orders)),
        promises=Share(hits=kept, of=kept + ends.count(End.BROKEN)),
        with_wrong=Share(hits=sum(any(wrong(one)) for one in orders), of=len(orders)),
        wrong=tuple(
            Wrong(what=what, orders=many)
            for what, many in sorted(counted.items(), key=lambda each: (-each[1], each[0]))
        ),
        changes=sum(one.events[Event.CHANGE_PROPOSED] for one in orders),
        cancelled=sum(one.events[Event.CANCELLED] > 0 for one in orders),
        unanswered=sum(one.unanswered for one in orders),
    )


def _quietly(one: Seen) -> bool:
    return bool(one.confirmed_at) and not one.events[Event.ESCALATED]


def least_reliable(of: dict[str, list[Seen]], listed: int = LISTED) -> tuple[CustomerFigures, ...]:
    """Those with anything wrong, the worst first: by the lower end of the interval of the share of their orders in
    which something went wrong, so that one unlucky order ranks below three of four; then by how many there were."""
    concerned = {name: orders for name, orders in of.items() if any(any(wrong(one)) for one in orders)}
    all_ = [figures(name, orders) for name, orders in sorted(concerned.items())]
    return tuple(sorted(all_, key=lambda one: (-_surely(one.with_wrong), -one.with_wrong.hits))[:listed])


def _surely(share: Share) -> float:
    return share.interval.low if share.interval else 0.0


def of_customer(week: str, customer: str, orders: Sequence[Seen]) -> CustomerWeek:
    """One week of one customer, with the orders in which something went wrong."""
    bad = [(one, tuple(wrong(one))) for one in orders]
    return CustomerWeek(
        week=week,
        figures=figures(customer, orders),
        worst_orders=tuple(f"{one.order.ref}: {', '.join(what)}" for one, what in bad if what),
    )
