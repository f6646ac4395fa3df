"""What waits for a person: one list from Temporal (reviews, escalations) and the ledger (handoffs, sends in doubt)."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import AwareDatetime

from orderack.contracts.journal import Stage
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.errors import OrderUnknown
from orderack.ledger.attention import Doubt, OpenHandoff
from orderack.ledger.repository import SqlLedger
from orderack.temporal.open_orders import OpenOrder, OpenOrders
from orderack.temporal.orders import Orders

_LAST = datetime.max.replace(tzinfo=UTC)


class Why(StrEnum):
    """What the person is wanted for."""

    REVIEW = "review"
    ESCALATED = "escalated"
    HANDOFF = "handoff"
    IN_DOUBT = "in_doubt"


class Waiting(Value):
    """One thing to do. `due_at` is the order's next deadline, None where none runs."""

    why: Why
    order: OrderRef
    owner: Name | None = None
    since: AwareDatetime
    due_at: AwareDatetime | None = None
    do: Text
    """The command that deals with it."""


async def waiting(orders: Orders, ledger: SqlLedger, store: str | None, limit: int) -> Sequence[Waiting]:
    """Everything that waits, the earliest deadline first. Raises Unavailable."""
    reviews, escalated, handoffs, doubts = await asyncio.gather(
        orders.list_open(OpenOrders(store=store, stage=Stage.REVIEW, limit=limit)),
        orders.list_open(OpenOrders(store=store, escalated=True, limit=limit)),
        ledger.open_handoffs(limit),
        ledger.doubts(limit),
    )
    found = [
        *(_review(row) for row in reviews),
        *(_escalated(row) for row in escalated),
        *(_handoff(row) for row in handoffs),
        *[_doubt(row) async for row in _still_in_doubt(orders, doubts)],
    ]
    return ordered(row for row in found if store in (None, row.order.store))[:limit]


def ordered(rows: Iterable[Waiting]) -> Sequence[Waiting]:
    """The earliest deadline first; among equals, what has waited longest."""
    return sorted(rows, key=lambda row: (row.due_at or _LAST, row.since))


async def _still_in_doubt(orders: Orders, doubts: Sequence[Doubt]) -> AsyncIterator[Doubt]:
    """The ledger keeps a send as it ended; the order knows whether a person has settled it since."""
    for ref in dict.fromkeys(doubt.ref for doubt in doubts):
        try:
            unknown = (await orders.status(ref)).unknown_sends
        except OrderUnknown:
            continue
        for doubt in doubts:
            if doubt.ref == ref and doubt.key in unknown:
                yield doubt


def _review(row: OpenOrder) -> Waiting:
    return _open(row, Why.REVIEW, f"orderack review approve|amend|ask|reject {row.ref}")


def _escalated(row: OpenOrder) -> Waiting:
    return _open(row, Why.ESCALATED, f"orderack status {row.ref}")


def _open(row: OpenOrder, why: Why, do: str) -> Waiting:
    return Waiting(why=why, order=row.ref, owner=row.owner or None, since=row.started_at, due_at=row.next_due_at, do=do)


def _handoff(row: OpenHandoff) -> Waiting:
    return Waiting(
        why=Why.HANDOFF,
        order=row.ref,
        owner=row.owner or row.team,
        since=row.offered_at,
        due_at=row.next_due_at,
        do=f"orderack accept {row.ref} --revision {row.revision}",
    )


def _doubt(row: Doubt) -> Waiting:
    return Waiting(why=Why.IN_DOUBT, order=row.ref, owner=row.owner, since=row.since, do=f"orderack settle {row.key} …")
