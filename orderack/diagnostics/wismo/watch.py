"""The watch itself: tickets in, figures out."""

from collections import Counter
from collections.abc import AsyncIterable, Collection, Iterable, Sequence
from datetime import UTC, datetime, tzinfo

from orderack.diagnostics.wismo.days import by_day, by_source, whole_days
from orderack.diagnostics.wismo.figures import Asked, Matched, PhraseCount, TicketCounts, WismoFigures
from orderack.diagnostics.wismo.finding import Judged, find_orders
from orderack.diagnostics.wismo.lead import lead
from orderack.diagnostics.wismo.phrases import decided_by
from orderack.diagnostics.wismo.rates import gap, rate
from orderack.diagnostics.wismo.splits import split_orders
from orderack.diagnostics.wismo.telling import noted, told
from orderack.ports.helpdesk import OURS, Ticket
from orderack.ports.wismo import WatchBook, WatchedOrder


async def watch(
    ledger: WatchBook,
    tickets: Iterable[Ticket] | AsyncIterable[Ticket],
    since: datetime,
    until: datetime,
    store: str | None = None,
    *,
    tags: Collection[str] = (),
    tickets_from: str = "file",
    zone: tzinfo = UTC,
    notes: Sequence[str] = (),
) -> WismoFigures:
    """Judge the tickets opened from `since` on and before `until`, find their orders, and reckon.

    `tags`: of the desk's own that mark such a ticket. `zone`: in which days begin. `notes` are passed on. A ticket that
    comes twice counts once. Raises Unavailable where the ledger or the helpdesk does not answer.
    """
    read, judged, ours = await _judged(tickets, since, until, tags)
    every = sorted(await find_orders(ledger, judged), key=lambda one: (one.at, one.ticket))
    orders = await ledger.watched_orders(since, until, store)
    counts = _counts(read, ours, every, orders, store)
    # whose an unmatched ticket is cannot be said, so one store's figures are of its matched ones
    asked = [one for one in every if store is None or (one.ref and one.ref.store == store)]
    return _figures(orders, asked, counts, since, until, store, tickets_from, zone, notes)


async def _judged(
    tickets: Iterable[Ticket] | AsyncIterable[Ticket], since: datetime, until: datetime, tags: Collection[str]
) -> tuple[int, Sequence[Judged], int]:
    """How many there are, those that ask, and how many our own messages opened. Of one id the last one counts."""
    by_id: dict[str, Judged | None] = {}
    ours: set[str] = set()
    async for ticket in _each(tickets):
        if not since <= ticket.created_at < until:
            continue
        phrase = decided_by(ticket, tags)
        by_id[ticket.id] = Judged(ticket, phrase) if phrase else None
        if ticket.ours or OURS in {tag.casefold() for tag in ticket.tags}:
            ours.add(ticket.id)
    judged = [one for id_, one in by_id.items() if one is not None and id_ not in ours]
    return len(by_id), judged, len(ours)


async def _each(tickets: Iterable[Ticket] | AsyncIterable[Ticket]) -> AsyncIterable[Ticket]:
    if isinstance(tickets, AsyncIterable):
        async for ticket in tickets:
            yield ticket
        return
    for ticket in tickets:
        yield ticket


def _counts(
    read: int, ours: int, every: Sequence[Asked], orders: Sequence[WatchedOrder], store: str | None
) -> TicketCounts:
    asked = [one for one in every if store is None or one.ref is None or one.ref.store == store]
    by = Counter(one.matched for one in asked)
    known = {order.ref for order in orders}
    phrases = Counter(one.phrase for one in asked)
    return TicketCounts(
        read=read,
        ours=ours,
        wismo=len(every),
        of_other_stores=len(every) - len(asked),
        by_number=by[Matched.NUMBER],
        by_email=by[Matched.EMAIL],
        ambiguous=by[Matched.AMBIGUOUS],
        unknown=by[Matched.UNKNOWN],
        of_earlier_orders=sum(one.ref is not None and one.ref not in known for one in asked),
        phrases=tuple(PhraseCount(phrase=phrase, tickets=count) for phrase, count in phrases.most_common()),
    )


def _figures(
    orders: Sequence[WatchedOrder],
    asked: Sequence[Asked],
    counts: TicketCounts,
    since: datetime,
    until: datetime,
    store: str | None,
    tickets_from: str,
    zone: tzinfo,
    notes: Sequence[str],
) -> WismoFigures:
    about = frozenset(one.ref for one in asked if one.ref)
    hits = sum(order.ref in about for order in orders)
    days = by_day(orders, asked, since, until, zone)
    found = WismoFigures(
        since=since,
        until=until,
        store=store,
        time_zone=str(zone),
        tickets_from=tickets_from,
        orders=len(orders),
        tickets=counts,
        tickets_per_100=100 * len(asked) / len(orders) if orders else None,
        rate=rate(hits, len(orders)),
        gap=gap(orders),
        days=days,
        sources=by_source(orders, about),
        splits=split_orders(orders, about, until),
        lead=lead(days, *whole_days(since, until, zone)),
        sentences=(),
        notes=(),
        asked=tuple(asked),
    )
    return found.model_copy(update={"sentences": told(found), "notes": (*notes, *noted(found))})
