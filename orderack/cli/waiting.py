"""What waits for a person: from Temporal's lists (reviews, escalations) and the ledger's.

The ledger's are handoffs, sends in doubt, buyers' questions, and orders that a sweep found absent.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import AwareDatetime

from orderack.cli.printing import when
from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus, QuestionStatus
from orderack.contracts.search_attributes import SHADOW
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.errors import OrderUnknown
from orderack.ledger.attention import Doubt, OpenHandoff
from orderack.ledger.outbox import DeadEvent
from orderack.ledger.repository import SqlLedger
from orderack.ports.sweeps import OpenException
from orderack.temporal.open_orders import OpenOrder, OpenOrders
from orderack.temporal.orders import Orders

_LAST = datetime.max.replace(tzinfo=UTC)
_AT_ONCE = 20
"""Orders asked at the same time."""


class Why(StrEnum):
    """What the person is wanted for."""

    REVIEW = "review"
    ESCALATED = "escalated"
    HANDOFF = "handoff"
    IN_DOUBT = "in_doubt"
    QUESTION = "question"
    UNTOLD = "untold"
    """Another system was never told what happened to the order."""
    ABSENT = "absent"
    """A sweep did not find it where it has to be."""


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
    reviews, escalated, handoffs, doubts, asked, untold = await asyncio.gather(
        orders.list_open(OpenOrders(store=store, stage=Stage.REVIEW, limit=limit)),
        orders.list_open(OpenOrders(store=store, escalated=True, limit=limit)),
        ledger.open_handoffs(limit),
        ledger.doubts(limit),
        ledger.asked(limit),
        ledger.dead_events(limit),
    )
    absent = await ledger.exceptions(store, limit)
    handoffs = [row for row in handoffs if store in (None, row.ref.store)]
    doubts = [row for row in doubts if store in (None, row.ref.store)]
    asked = [ref for ref in asked if store in (None, ref.store)]
    untold = [event for event in untold if store in (None, event.ref.store)]
    now = await _standings(orders, {row.ref for row in handoffs} | {row.ref for row in doubts} | set(asked))
    found = [
        *(_open(row, Why.REVIEW, f"orderack review approve|amend|ask|reject {row.ref}") for row in reviews),
        *(_open(row, Why.ESCALATED, f"orderack status {row.ref}") for row in escalated),
        *(_handoff(row, now[row.ref]) for row in handoffs if row.ref in now and _offered(row, now[row.ref])),
        *(_doubt(row, now[row.ref]) for row in doubts if row.ref in now and row.key in now[row.ref].unknown_sends),
        *(_question(now[ref], question) for ref in asked if ref in now for question in _unanswered(now[ref])),
        *(_untold(event) for event in {(event.ref, event.endpoint): event for event in reversed(untold)}.values()),
        *(_absent(one) for one in absent),
    ]
    return ordered(found)[:limit]


async def shadow_waiting(orders: Orders, store: str | None, limit: int) -> Sequence[Waiting]:
    """What of the shadow run would wait for a person; nobody has to do it. Raises Unavailable."""
    reviews, escalated = await asyncio.gather(
        orders.list_open(OpenOrders(store=store, stage=f"{SHADOW}_{Stage.REVIEW}", limit=limit)),
        orders.list_open(OpenOrders(store=store, stage=f"{SHADOW}_escalated", limit=limit)),
    )
    found = [
        *(_open(row, Why.REVIEW, f"orderack shadow show {row.ref}") for row in reviews),
        *(_open(row, Why.ESCALATED, f"orderack shadow show {row.ref}") for row in escalated),
    ]
    return ordered(found)[:limit]


async def _standings(orders: Orders, refs: Collection[OrderRef]) -> Mapping[OrderRef, OrderStatus]:
    """The ledger lags by a step, and a person's word is no step: the orders themselves say what still waits."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def ask(ref: OrderRef) -> OrderStatus | None:
        async with turn:
            try:
                return await orders.status(ref)
            except OrderUnknown:
                return None

    found = await asyncio.gather(*(ask(ref) for ref in refs))
    return {status.ref: status for status in found if status}


def ordered(rows: Iterable[Waiting]) -> Sequence[Waiting]:
    """The earliest deadline first; among equals, what has waited longest."""
    return sorted(rows, key=lambda row: (row.due_at or _LAST, row.since))


def _open(row: OpenOrder, why: Why, do: str) -> Waiting:
    return Waiting(why=why, order=row.ref, owner=row.owner or None, since=row.started_at, due_at=row.next_due_at, do=do)


def _offered(row: OpenHandoff, now: OrderStatus) -> bool:
    return now.stage is Stage.HANDED_OFF and now.revision == row.revision and now.handoff_accepted_by is None


def _handoff(row: OpenHandoff, now: OrderStatus) -> Waiting:
    return Waiting(
        why=Why.HANDOFF,
        order=row.ref,
        owner=now.handoff_owner or row.team,
        since=row.offered_at,
        due_at=now.next_due_at,
        do=f"orderack accept {row.ref} --revision {row.revision}",
    )


def _untold(event: DeadEvent) -> Waiting:
    """Once for each order and endpoint, since the first of its events that was given up."""
    since = event.last_at or datetime.now(UTC)
    return Waiting(why=Why.UNTOLD, order=event.ref, since=since, do="orderack webhooks dead")


def _absent(one: OpenException) -> Waiting:
    return Waiting(why=Why.ABSENT, order=one.ref, owner=one.owner, since=one.opened_at, do="orderack sweep list")


def _doubt(row: Doubt, now: OrderStatus) -> Waiting:
    """The policy may have its turn first: then there is nothing to do unless one knows better."""
    again_at = now.repeats_due.get(row.key)
    return Waiting(
        why=Why.IN_DOUBT,
        order=row.ref,
        owner=now.owner,
        since=row.since,
        due_at=again_at or now.next_due_at,
        do=f"{f'said again {when(again_at)}; before: ' if again_at else ''}orderack settle {row.key} …",
    )


def _unanswered(now: OrderStatus) -> Sequence[QuestionStatus]:
    """What the buyer asked and nobody has answered."""
    return [question for question in now.questions if question.answered_at is None]


def _question(now: OrderStatus, question: QuestionStatus) -> Waiting:
    return Waiting(
        why=Why.QUESTION,
        order=now.ref,
        owner=now.owner,
        since=question.at,
        due_at=now.next_due_at,
        do=f"orderack answer {now.ref} {question.id} …",
    )
