"""What became of the messages to buyers, by channel: of one customer, or of all that were written to in a span of time.

A fact counts for the channel that it came by. What a buyer does on the order's page counts for the channel that had
sent the link. What machines did is not read at all.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.address import reaches
from orderack.domain.reachability import (
    STRONGEST,
    ChannelFigures,
    CustomerSuggestion,
    Reachability,
    ReachReport,
    figures_of,
    suggestion,
)
from orderack.ledger.reach_queries import in_span, of_customer, of_many, one_customer, with_facts
from orderack.ledger.reach_rows import Told
from orderack.ledger.tables import Orders, Reaches, Sends
from orderack.ports import Reach, ReachAsked

_AT_ONCE = 1_000


async def reachability(session: AsyncSession, asked: ReachAsked) -> Reachability:
    """See `orderack.ports.Ledger.reachability`."""
    if not (asked.customer_id or asked.email):
        return Reachability()
    query = one_customer(by_id=bool(asked.customer_id))
    told = Told((await session.execute(query, of_customer(asked))).all())
    figures = figures_of(told.messages(), asked.now)
    addresses = {**told.addresses, **asked.addresses}
    known = [(one.channel, addresses[one.channel]) for one in figures if one.channel in addresses]
    opted_out = await _opted_out(session, known) if known else ()
    return Reachability(orders=told.orders, channels=figures, opted_out=opted_out)


async def _opted_out(session: AsyncSession, addresses: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Those of the channels whose address wants no messages."""
    key = tuple_(col(Reaches.channel), col(Reaches.address_sha256))
    columns = (col(Reaches.channel), col(Reaches.opted_out_at), col(Reaches.opted_in_at))
    rows = await session.execute(select(*columns).where(key.in_(addresses)))
    return tuple(sorted(channel for channel, out, in_ in rows if Reach(opted_out_at=out, opted_in_at=in_).opted_out))


async def reach_report(
    session: AsyncSession, since: datetime, until: datetime, now: datetime, store: str | None
) -> ReachReport:
    """How buyers were reached by what was sent from `since` on and before `until`, as is known `now`.

    Suggestions are of the customers who were written to then, by all that is known of them. Of one store, or of all;
    shadow orders have no part in it.
    """
    within = [col(Sends.claimed_at) >= since, col(Sends.claimed_at) < until, col(Orders.side).is_(None)]
    if store is not None:
        within.append(col(Orders.store) == store)
    customers = known = 0
    found: list[CustomerSuggestion] = []
    async for of_store, customer, figures in _customers(session, within, now):
        reached = Reachability(channels=figures)
        customers, known = customers + 1, known + (reached.best is not None)
        if hint := suggestion(reached):
            shown = None if customer and reaches(customer) else customer
            found.append(CustomerSuggestion(store=of_store, customer_id=shown, suggestion=hint))
    found.sort(key=lambda one: (-one.suggestion.lead, one.store, one.customer_id or ""))
    return ReachReport(
        channels=await _sent_in(session, within, now),
        customers=customers,
        known=known,
        suggestions=len(found),
        strongest=tuple(found[:STRONGEST]),
    )


async def _sent_in(
    session: AsyncSession, within: Sequence[ColumnElement[bool]], now: datetime
) -> tuple[ChannelFigures, ...]:
    told = Told()
    async for row in await session.stream(in_span(within).execution_options(yield_per=_AT_ONCE)):
        told.take(row)
    return figures_of(told.messages(), now)


async def _customers(
    session: AsyncSession, within: Sequence[ColumnElement[bool]], now: datetime
) -> AsyncIterator[tuple[str, str | None, tuple[ChannelFigures, ...]]]:
    """Each customer who was written to, one after the other: store, id, and all that is known of them."""
    sent = of_many(within, now)
    whose = (sent.c.store, sent.c.customer_id, sent.c.email)
    query = with_facts(sent).add_columns(sent.c.customer_id, sent.c.email).order_by(*whose)
    key: tuple[str, str | None, str | None] | None = None
    told = Told()
    async for row in await session.stream(query.execution_options(yield_per=_AT_ONCE)):
        its = (row.store, row.customer_id, row.email)
        if key is not None and its != key:
            yield key[0], key[1], figures_of(told.messages(), now)
            told = Told()
        key = its
        told.take(row)
    if key is not None:
        yield key[0], key[1], figures_of(told.messages(), now)
