"""Bringing to the record what an order has told, and would bring itself with its next step.

A claim or an acceptance is followed by no step of the order's for hours, or days. Whoever asks for one writes it down:
the same entries under the order's own numbers, so that the order's next step writes none of them twice.
"""

from typing import Protocol

from orderack.contracts.journal import Journal
from orderack.contracts.queries import OrderStatus, Timeline
from orderack.domain.order import OrderRef
from orderack.ports import Ledger


class Asked(Protocol):
    """The part of `orderack.temporal.orders.Orders` by which an order says how it stands."""

    async def timeline(self, ref: OrderRef) -> Timeline: ...

    async def status(self, ref: OrderRef) -> OrderStatus: ...


async def catch_up(orders: Asked, ledger: Ledger, ref: OrderRef) -> None:
    """Two queries, and one write if there is news. Raises Unavailable when either side does not answer."""
    timeline = await orders.timeline(ref)
    status = await orders.status(ref)
    known = {entry.seq for entry in await ledger.entries(ref)}
    news = tuple(entry for entry in timeline.entries if entry.seq not in known)
    if news:
        await ledger.write(
            Journal(
                ref=ref,
                stage=status.stage,
                revision=status.revision,
                owner=status.owner,
                next_due_at=status.next_due_at,
                next_clock=status.next_clock,
                entries=news,
            )
        )
