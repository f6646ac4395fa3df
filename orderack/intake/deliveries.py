"""What a source delivered: kept as it came, read, and told to the orders it is about (docs/adr/0013).

A delivery is recorded before anything is made of it, so nothing that reads badly is lost; it is marked as announced
once every order in it knows. Everything here may happen twice, and to two deliveries of one order at once.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from pydantic import ValidationError

from orderack.contracts.journal import Stage
from orderack.contracts.updates import CancelRequest, ChangeRequest, PaymentChanged, SubmitVerdict
from orderack.domain.intake import parse_order
from orderack.domain.order import Order, OrderRef
from orderack.domain.problem import Problem
from orderack.domain.validation import problems_of
from orderack.errors import InvalidInput, Misconfigured, OrderNotOpen, Unavailable
from orderack.ports import Delivery, Fetches, Hint, InboxEvent, KnownOrder, Ledger, Skipped, Snapshot, Source, Standing
from orderack.ports.orders_door import NewsDoor

log = structlog.get_logger(__name__)

KIND = "delivery"
"""The inbox's kind of what a source sent. Frozen."""

LEASE = timedelta(seconds=20)
"""How long one order of a source is held by who takes it: longer than a change and a payment may take to be told."""


class Outcome(StrEnum):
    """What became of a delivery: the strongest of what became of its orders. Frozen names."""

    SUBMITTED = "submitted"
    CHANGE_PROPOSED = "change_proposed"
    CANCELLED = "cancelled"
    PAYMENT_CHANGED = "payment_changed"
    TOO_LATE = "too_late"
    """It is about an order that has ended, and would have changed it."""
    REFUSED = "refused"
    """It cannot be taken as it is; the row's outcome says which field."""
    STALE = "stale"
    NO_NEWS = "no_news"
    SKIPPED = "skipped"


_STRONGEST = tuple(Outcome)


def inbox_of(store: str, system: str) -> str:
    """The inbox's source of a connection's deliveries. Frozen."""
    return f"sources/{store}/{system}"


class Intake:
    """Takes deliveries of every connection. `sources`: by `store/system`."""

    def __init__(
        self, ledger: Ledger, orders: NewsDoor, sources: Mapping[str, Source], now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._orders = orders
        self._sources = sources
        self._now = now

    async def record(self, source: Source, delivery: Delivery) -> InboxEvent:
        """Keep it. Raises Unavailable where that cannot be done: whoever sent it has to send it again."""
        name = inbox_of(source.connection.store, source.connection.system)
        body = delivery.model_dump_json()
        return await self._ledger.receive(name, delivery.id, KIND, None, body, self._now())

    async def announce(self, row: InboxEvent) -> str:
        """Read it and tell the orders in it; what became of it. Announced before: nothing is done.

        Raises Unavailable or Misconfigured: not now, and the sweep tries again.
        """
        if row.announced_at is not None or not row.body:
            return row.outcome
        source = self._source(row)
        delivery = Delivery.model_validate_json(row.body)
        try:
            outcome, ref = await self._take(source, delivery, row)
        except InvalidInput as refused:
            outcome, ref = self._refused(refused.problems, source, row), None
        except ValidationError as error:  # what the adapter did not foresee
            outcome, ref = self._refused(problems_of(error), source, row), None
        await self._ledger.announced(row.id, outcome, self._now(), ref)
        return outcome

    @staticmethod
    def _refused(wrong: Sequence[Problem], source: Source, row: InboxEvent) -> str:
        problems = "; ".join(f"{one.field}: {one.problem}" for one in wrong)
        log.warning("a delivery is refused", row=row.id, connection=str(source.connection), problems=problems)
        return f"{Outcome.REFUSED}: {problems}"[:2_000]

    def _source(self, row: InboxEvent) -> Source:
        connection = row.source.removeprefix("sources/")
        if connection not in self._sources:
            raise Misconfigured(f"the connection {connection} is not configured; `orderack sources` says what it lacks")
        return self._sources[connection]

    async def _take(self, source: Source, delivery: Delivery, row: InboxEvent) -> tuple[str, OrderRef | None]:
        """What became of it, and whose it is where it is one order's."""
        told: list[tuple[Outcome, OrderRef]] = []
        for reading in await source.read(delivery):
            found = await self._fetch(source, reading) if isinstance(reading, Hint) else [reading]
            told += [await self._snapshot(one, source, row) for one in found if isinstance(one, Snapshot)]
        refs = {ref for _, ref in told}
        outcomes = {outcome for outcome, _ in told}
        strongest = next((outcome for outcome in _STRONGEST if outcome in outcomes), Outcome.SKIPPED)
        return strongest, refs.pop() if len(refs) == 1 else None

    async def _fetch(self, source: Source, hint: Hint) -> list[Snapshot | Skipped]:
        if not isinstance(source, Fetches):
            raise Misconfigured(f"{source.connection} gives hints and cannot be asked: that is a fault of the adapter")
        return [one for one in await source.fetch(hint.external_id) if not isinstance(one, Hint)]

    async def _snapshot(self, snapshot: Snapshot, source: Source, row: InboxEvent) -> tuple[Outcome, OrderRef]:
        """Tell what is new in it, holding the order so that nobody tells something older or newer meanwhile."""
        order, system = snapshot.order, source.connection.system
        known = await self._ledger.hold(order.store, system, snapshot.external_id, order.number, self._now(), LEASE)
        if known is None:
            raise Unavailable(f"order {order.ref} is being taken by another delivery", LEASE)
        try:
            outcome, stands = await self._tell(snapshot, _named(order, known, row), known)
        except BaseException:
            await self._ledger.let_go(known)
            raise
        await self._ledger.took(stands)
        return outcome, known.ref

    async def _tell(self, snapshot: Snapshot, order: Order, known: KnownOrder) -> tuple[Outcome, KnownOrder]:
        if known.at is not None and snapshot.at < known.at:
            return Outcome.STALE, known
        if snapshot.upon is not None and snapshot.upon != known.content_hash:
            raise Unavailable(f"order {order.ref} has changed meanwhile: its change is read again", LEASE)
        if snapshot.standing is Standing.NOT_YET:
            return Outcome.SKIPPED, known
        stands = known.model_copy(update={"at": snapshot.at})
        if snapshot.standing is Standing.CANCELLED:
            outcome = await self._cancel(snapshot, known)
            # what was never taken (a deal that is not won yet) may be cancelled once it has been
            return outcome, stands.model_copy(update={"cancelled": known.taken})
        # open once more as it was (a deal that is won again): its order has ended, and that is worth a person's look
        outcome = Outcome.TOO_LATE if known.cancelled else Outcome.NO_NEWS
        if order.content_hash != known.content_hash:
            outcome = await self._content(snapshot, order, known)
        if known.taken and order.payment.status is not known.payment:
            outcome = min(outcome, await self._pay(snapshot, order), key=_STRONGEST.index)
        update = {"content_hash": order.content_hash, "payment": order.payment.status}
        return outcome, stands.model_copy(update=update)

    async def _content(self, snapshot: Snapshot, order: Order, known: KnownOrder) -> Outcome:
        """Of two states of one moment nobody knows which is the later: there, one that it had before is a repeat."""
        if known.taken and (known.at is None or snapshot.at > known.at):
            with suppress(OrderNotOpen):
                return await self._change(snapshot, order)
        return await self._submit(order)

    async def _change(self, snapshot: Snapshot, order: Order) -> Outcome:
        """Told by its time and not by its content alone: an order that is edited back to what it was has changed."""
        checked = parse_order(order.model_dump_json())
        if isinstance(checked, tuple):
            raise InvalidInput(checked)
        identity = f"{snapshot.at.isoformat()}/{order.content_hash}"
        reply = await self._orders.change(order.ref, ChangeRequest(id=identity, order=order, by=order.source))
        if reply.accepted:
            return Outcome.CHANGE_PROPOSED
        return Outcome.TOO_LATE if reply.stage in ENDED else Outcome.NO_NEWS

    async def _submit(self, order: Order) -> Outcome:
        reply = await self._orders.submit(order)
        if reply.verdict is SubmitVerdict.INVALID:
            raise InvalidInput(reply.problems)
        return _OUTCOME[reply.verdict]

    async def _pay(self, snapshot: Snapshot, order: Order) -> Outcome:
        status = order.payment.status
        identity = f"{order.origin.system if order.origin else ''}/{snapshot.at.isoformat()}/{status}"
        changed = PaymentChanged(id=identity[:200], status=status, occurred_at=snapshot.at)
        await self._orders.payment(order.ref, changed)
        return Outcome.PAYMENT_CHANGED

    async def _cancel(self, snapshot: Snapshot, known: KnownOrder) -> Outcome:
        if known.cancelled or not known.taken:
            return Outcome.NO_NEWS  # of an order that we never took, nobody was told anything
        request = CancelRequest(
            id=f"{known.system}/{snapshot.external_id}"[:200], by=snapshot.order.source, reason=snapshot.reason
        )
        try:
            reply = await self._orders.cancel(known.ref, request)
        except OrderNotOpen:
            return Outcome.TOO_LATE
        return Outcome.CANCELLED if reply.accepted else Outcome.TOO_LATE


ENDED = frozenset({Stage.CANCELLED, Stage.REJECTED, Stage.CLOSED})

_OUTCOME: Mapping[SubmitVerdict, Outcome] = {
    SubmitVerdict.ACCEPTED: Outcome.SUBMITTED,
    SubmitVerdict.REPEATED: Outcome.NO_NEWS,
    SubmitVerdict.CHANGE_PROPOSED: Outcome.CHANGE_PROPOSED,
    SubmitVerdict.CLOSED: Outcome.TOO_LATE,
}


def _named(order: Order, known: KnownOrder, row: InboxEvent) -> Order:
    """Under the number that it has with us, saying where the original is."""
    origin = order.origin.model_copy(update={"delivery": str(row.id)}) if order.origin else None
    return order.model_copy(update={"number": known.ref.number, "origin": origin})
