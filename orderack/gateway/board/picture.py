"""All that the board shows of one order: what it says of itself, what the record has, how it differs from before."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from zoneinfo import ZoneInfo

from orderack.contracts.journal import Entry, Event, Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.claims import claim
from orderack.domain.difference import Change, Changed, difference
from orderack.domain.flags import fingerprint
from orderack.domain.order import Address, Line, Order, OrderRef
from orderack.domain.response import LineAnswer
from orderack.domain.sayable import recorded, sayable
from orderack.domain.store import StoreProfile
from orderack.errors import OrderUnknown, Refused, Unavailable
from orderack.gateway.board import words
from orderack.gateway.board.parts import Board
from orderack.ports import OrderRow, Past, PastAsked, PastOrder, StoredRevision

HISTORY = timedelta(days=365)
ALIKE = timedelta(days=2)
SHOWN_ENTRIES = 400

ENDED = (Stage.CANCELLED, Stage.REJECTED, Stage.CLOSED)


@dataclass(frozen=True)
class Differs:
    """One thing that is not as it was: in words, before and after."""

    what: str
    was: str
    now: str


@dataclass(frozen=True)
class Habit:
    """What this customer usually orders of one article."""

    sku: str
    quantity: Decimal
    usual: Decimal | None
    times: int

    @property
    def unusual(self) -> bool:
        return self.usual is not None and (self.quantity > 3 * self.usual or self.quantity * 3 < self.usual)


@dataclass(frozen=True)
class History:
    """What the record knows of this customer."""

    orders: int
    median_total: Decimal | None
    latest_at: datetime | None
    habits: tuple[Habit, ...]
    alike: tuple[OrderRef, ...]


@dataclass(frozen=True)
class Picture:
    """One order as of now."""

    ref: OrderRef
    store: StoreProfile
    now: datetime
    row: OrderRow | None
    status: OrderStatus | None
    away: bool
    """The order cannot be asked now: what is shown is the record's."""
    stored: StoredRevision | None
    previous: StoredRevision | None
    entries: tuple[Entry, ...]
    history: History | None

    @property
    def zone(self) -> ZoneInfo:
        return words.zone(self.store.time_zone)

    @property
    def stage(self) -> str:
        return self.status.stage if self.status else self.row.stage if self.row else Stage.ASSESSING

    @property
    def revision(self) -> int:
        return self.status.revision if self.status else self.row.revision if self.row else 0

    @property
    def order(self) -> Order | None:
        return self.stored.order if self.stored else None

    @property
    def say(self) -> str:
        """What may be told the buyer."""
        if self.status:
            return sayable(self.status, self.zone)
        return recorded(self.ref.number, self.stage, self.row.updated_at if self.row else self.now, self.zone)

    @property
    def evidence(self) -> tuple[str, ...]:
        """Of each message what may be said of it, the latest first."""
        said = self.status.acknowledgements if self.status else ()
        return tuple(claim(each, self.zone) for each in reversed(said))

    @property
    def changes(self) -> tuple[Differs, ...]:
        if self.stored is None or self.previous is None:
            return ()
        return tuple(_differs(self.previous.order, self.stored.order))

    @property
    def in_review(self) -> bool:
        return self.stage == Stage.REVIEW and self.status is not None

    @property
    def offered(self) -> bool:
        """The confirmed revision waits for its team's word."""
        status = self.status
        return bool(
            status
            and status.stage is Stage.HANDED_OFF
            and status.confirmed_revision == status.revision
            and status.handoff_accepted_by is None
        )

    @property
    def ended(self) -> bool:
        return self.stage in ENDED

    def answer(self, line_id: str) -> LineAnswer | None:
        """The ERP's answer for the line of the current revision."""
        answers = self.status.answers if self.status else ()
        return next((each for each in answers if each.line_id == line_id), None)


async def look(board: Board, ref: OrderRef) -> Picture | None:
    """None where there is no such order. Raises Unavailable: no ledger."""
    status, told, away = await _ask(board, ref)
    row = await board.ledger.order(ref)
    if row is None and status is None:
        return None
    revision = status.revision if status else row.revision if row else 0
    stored = await board.ledger.revision(ref, revision)
    return Picture(
        ref=ref,
        store=board.stores.get(ref.store) or StoreProfile(id=ref.store, display_name=ref.store),
        now=board.now(),
        row=row,
        status=status,
        away=away,
        stored=stored,
        previous=await _previous(board, ref, revision, status),
        entries=_together(told, await board.ledger.entries(ref)),
        history=await _history(board, stored.order) if stored else None,
    )


async def _ask(board: Board, ref: OrderRef) -> tuple[OrderStatus | None, tuple[Entry, ...], bool]:
    """What the order says of itself, and whether it is out of reach: two queries, never repeated by themselves."""
    try:
        status, timeline = await asyncio.gather(board.orders.status(ref), board.orders.timeline(ref))
    except OrderUnknown:
        return None, (), False
    except (Unavailable, Refused):
        return None, (), True
    return status, timeline.entries, False


async def _previous(board: Board, ref: OrderRef, revision: int, status: OrderStatus | None) -> StoredRevision | None:
    """The revision that was confirmed last before this one, else the one before it."""
    confirmed = status.confirmed_revision if status else None
    earlier = confirmed if confirmed and confirmed < revision else revision - 1
    return await board.ledger.revision(ref, earlier) if earlier > 0 else None


def _together(told: Sequence[Entry], written: Sequence[Entry]) -> tuple[Entry, ...]:
    """The latest first: the record lags by a step, and the order itself forgets the oldest."""
    found = {entry.seq: entry for entry in (*written, *told)}
    return tuple(found[seq] for seq in sorted(found, reverse=True)[:SHOWN_ENTRIES])


async def _history(board: Board, order: Order) -> History:
    now = board.now()
    asked = PastAsked(
        store=order.store,
        customer_id=order.customer.id,
        since=now - HISTORY,
        fingerprint=fingerprint(order),
        alike_since=now - ALIKE,
        erp=None,
    )
    return history_of(order, await board.ledger.past(asked))


def history_of(order: Order, past: Past) -> History:
    """This order beside the customer's others."""
    others = [each for each in past.orders if each.ref != order.ref]
    totals = [each.total for each in others if each.currency == order.currency]
    quantities: dict[str, Decimal] = {}
    for each in order.lines:
        quantities[each.sku] = quantities.get(each.sku, Decimal(0)) + each.quantity
    return History(
        orders=len(others),
        median_total=median(totals) if totals else None,
        latest_at=max((each.trigger_at for each in others), default=None),
        habits=tuple(
            Habit(sku, quantity, _usual(sku, [each.quantities for each in others]), _times(sku, others))
            for sku, quantity in quantities.items()
        ),
        alike=tuple(each.ref for each in past.alike if each.ref != order.ref)[:5],
    )


def _usual(sku: str, past: Sequence[Mapping[str, Decimal]]) -> Decimal | None:
    found = [quantities[sku] for quantities in past if sku in quantities]
    return median(found) if found else None


def _times(sku: str, past: Sequence[PastOrder]) -> int:
    return sum(sku in each.quantities for each in past)


_WHERE: Mapping[Changed, str] = {
    Changed.QUANTITY: "Quantity",
    Changed.UNIT_PRICE: "Unit price",
    Changed.LINE_INSTRUCTIONS: "Line instructions",
    Changed.INSTRUCTIONS: "Instructions",
    Changed.ADDRESS: "Delivery address",
    Changed.WINDOW: "Delivery window",
}


def _differs(before: Order, after: Order) -> Iterator[Differs]:
    old, new = ({each.line_id: each for each in order.lines} for order in (before, after))
    for change in difference(before, after):
        where = _WHERE.get(change.what, words.spelled(change.what))
        if change.line_id is None:
            yield Differs(where, _around(before, change), _around(after, change))
            continue
        was, now = old.get(change.line_id), new.get(change.line_id)
        either = now or was
        yield Differs(
            f"{where}: {either.sku if either else change.line_id}", _in_line(was, change), _in_line(now, change)
        )


def _in_line(line: Line | None, change: Change) -> str:
    if line is None:
        return ""
    match change.what:
        case Changed.UNIT_PRICE:
            return words.number(line.unit_price)
        case Changed.LINE_INSTRUCTIONS:
            return line.instructions or ""
        case Changed.DESIGN:
            return line.design or ""
        case Changed.DIETARY:
            return line.dietary or ""
        case Changed.QUANTITY:
            return words.number(line.quantity)
    return f"{words.number(line.quantity)} x {line.sku} {line.description}".strip()


def _around(order: Order, change: Change) -> str:
    totals, window, pickup = order.totals, order.delivery_window, order.pickup
    match change.what:
        case Changed.INSTRUCTIONS:
            return order.instructions or ""
        case Changed.ADDRESS:
            return address(order.delivery_address)
        case Changed.PICKUP:
            return f"{pickup.location} {pickup.at or ''}".strip() if pickup else ""
        case Changed.WINDOW:
            return f"{window.start:%d %b %H:%M} – {window.end:%d %b %H:%M %Z}" if window else ""
        case Changed.TERMS:
            return order.payment.terms or ""
        case Changed.TOTAL:
            return words.money(totals.total, order.currency)
    return words.money(getattr(totals, change.what, Decimal(0)), order.currency)


def address(where: Address | None) -> str:
    """On one line."""
    if where is None:
        return ""
    town = " ".join(filter(None, (where.postal_code, where.city)))
    parts = (where.name, where.company, where.street, where.street2, town, where.region, where.country)
    return ", ".join(filter(None, parts))


BY_A_PERSON = frozenset(
    {Event.REVIEW_DECIDED, Event.CLAIMED, Event.HANDOFF_ACCEPTED, Event.SEND_SETTLED, Event.QUESTION_ANSWERED}
)
"""Entries whose `owner` is the person who did it."""
