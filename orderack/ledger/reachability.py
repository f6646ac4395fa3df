"""What became of the messages to buyers, by channel: of one customer, or of all that were written to in a span of time.

A fact counts for the channel that it came by. What a buyer does on the order's page counts for the channel that had
sent the link. What machines did is not read at all.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
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
_ASKED_AT_ONCE = 100
"""Customers of one question; each has a few channels."""


async def reachability(session: AsyncSession, asked: ReachAsked) -> Reachability:
    """See `orderack.ports.Ledger.reachability`."""
    if not (asked.customer_id or asked.email):
        return Reachability()
    query = one_customer(by_id=bool(asked.customer_id))
    told = Told((await session.execute(query, of_customer(asked))).all())
    messages = tuple(told.messages())
    figures = figures_of(messages, asked.now)
    addresses = {**told.addresses, **asked.addresses}
    known = [(one.channel, addresses[one.channel]) for one in figures if one.channel in addresses]
    out = await _wants_none(session, known) if known else ()
    return Reachability(
        orders=told.orders,
        waiting=sum(not message.settled(asked.now) for message in messages),
        channels=figures,
        opted_out=tuple(sorted(channel for channel, _ in out)),
    )


async def _wants_none(session: AsyncSession, addresses: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those of the channels and addresses that want no messages."""
    key = tuple_(col(Reaches.channel), col(Reaches.address_sha256))
    columns = (col(Reaches.channel), col(Reaches.address_sha256), col(Reaches.opted_out_at), col(Reaches.opted_in_at))
    rows = await session.execute(select(*columns).where(key.in_(addresses)))
    return frozenset(
        (channel, address) for channel, address, out, in_ in rows if Reach(opted_out_at=out, opted_in_at=in_).opted_out
    )


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
    customers, learned = 0, list[_Customer]()
    async for one in _customers(session, within, now):
        customers += 1
        if Reachability(channels=one.figures).best is not None:
            learned.append(one)
    known, found = 0, list[CustomerSuggestion]()
    for one, reached in await _with_opt_outs(session, learned):
        known += reached.best is not None
        if hint := suggestion(reached):
            shown = None if one.id and reaches(one.id) else one.id
            found.append(CustomerSuggestion(store=one.store, customer_id=shown, suggestion=hint))
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
    async for row in await session.stream(in_span(within, now).execution_options(yield_per=_AT_ONCE)):
        told.take(row)
    return figures_of(told.messages(), now)


@dataclass(frozen=True, slots=True)
class _Customer:
    """All that is known of one. `addresses`: hashed, by channel."""

    store: str
    id: str | None
    figures: tuple[ChannelFigures, ...]
    addresses: Mapping[str, str]


async def _with_opt_outs(
    session: AsyncSession, customers: Sequence[_Customer]
) -> Sequence[tuple[_Customer, Reachability]]:
    """Each with the channels whose address wants no messages."""
    found = []
    for start in range(0, len(customers), _ASKED_AT_ONCE):
        some = customers[start : start + _ASKED_AT_ONCE]
        written_to = {pair for one in some for pair in one.addresses.items()}
        out = await _wants_none(session, sorted(written_to)) if written_to else frozenset()
        for one in some:
            opted_out = tuple(
                sorted(channel for channel, address in one.addresses.items() if (channel, address) in out)
            )
            found.append((one, Reachability(channels=one.figures, opted_out=opted_out)))
    return found


async def _customers(
    session: AsyncSession, within: Sequence[ColumnElement[bool]], now: datetime
) -> AsyncIterator[_Customer]:
    """Each customer who was written to, one after the other."""
    sent = of_many(within, now)
    whose = (sent.c.store, sent.c.customer_id, sent.c.email)
    query = with_facts(sent, now).add_columns(sent.c.customer_id, sent.c.email).order_by(*whose)
    key: tuple[str, str | None, str | None] | None = None
    told = Told()
    async for row in await session.stream(query.execution_options(yield_per=_AT_ONCE)):
        its = (row.store, row.customer_id, row.email)
        if key is not None and its != key:
            yield _Customer(key[0], key[1], figures_of(told.messages(), now), told.addresses)
            told = Told()
        key = its
        told.take(row)
    if key is not None:
        yield _Customer(key[0], key[1], figures_of(told.messages(), now), told.addresses)
