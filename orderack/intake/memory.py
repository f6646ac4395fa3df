"""What the record holds of one connection, for a source that needs it (`orderack.ports.Memory`)."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from orderack.contracts.journal import Stage
from orderack.domain.order import OrderRef
from orderack.errors import Unavailable
from orderack.intake.deliveries import KIND, inbox_of
from orderack.ports import (
    Connection,
    Delivery,
    Given,
    InboxEvent,
    Ledger,
    Recalls,
    Source,
    Stands,
    StoredRevision,
)

SOON = timedelta(seconds=5)
"""When to look again for a revision that is being assessed."""

NUMBER = "number"
"""The inbox's kind of a number that was given. Frozen."""

_ENDED = frozenset({Stage.CANCELLED, Stage.REJECTED, Stage.CLOSED})


def recall(sources: Mapping[str, Source], ledger: Ledger, now: Callable[[], datetime]) -> None:
    """Give every source that needs one its memory."""
    for source in sources.values():
        if isinstance(source, Recalls):
            source.recall(ConnectionMemory(ledger, source.connection, now))


class ConnectionMemory:
    """Numbers are rows of the inbox: one for what a number is for, and one for the place that it has in its series."""

    def __init__(self, ledger: Ledger, connection: Connection, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._connection = connection
        self._inbox = inbox_of(connection.store, connection.system)
        self._now = now

    async def order(self, external_id: str) -> Stands | None:
        """See `orderack.ports.Memory.order`."""
        here = self._connection
        known = await self._ledger.known_order(here.store, here.system, external_id)
        if known is None or known.content_hash is None or known.at is None:
            return None
        latest, said = await self._latest(known.ref, known.content_hash)
        row = await self._ledger.order(known.ref)
        if latest is None or not (said or (row is not None and row.stage in _ENDED)):
            raise Unavailable(f"order {known.ref} as it was last sent is not in the record yet", SOON)
        return Stands(order=latest.order, content_hash=known.content_hash, at=known.at)

    async def _latest(self, ref: OrderRef, content_hash: str) -> tuple[StoredRevision | None, bool]:
        """The last revision, and whether what the source said last is one of them."""
        latest, said = None, False
        while found := await self._ledger.revision(ref, latest.revision + 1 if latest else 1):
            latest, said = found, said or found.order.content_hash == content_hash
        return latest, said

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """See `orderack.ports.Memory.delivery`."""
        rows = await self._ledger.received(self._inbox, delivery_id)
        row = next((row for row in rows if row.external_id == delivery_id and row.kind == KIND and row.body), None)
        return Delivery.model_validate_json(row.body) if row is not None else None

    async def number(self, purpose: str, series: str, first: int = 1) -> Given:
        """See `orderack.ports.Memory.number`.

        Whoever takes a place first sees to it that the one before it is written down for what it is for. So a process
        that dies between the two leaves no gap, and of several that ask for the same at once, each gets the same.
        """
        while True:
            last = await self._last_place(series)
            rows = await self._ledger.received(self._given, purpose)
            if (known := next((row for row in rows if row.external_id == purpose), None)) is not None:
                return _given_by(known)
            number = f"{max(last + 1, first):09d}"
            place = await self._ledger.receive(self._places(series), number, NUMBER, None, purpose, self._now())
            owner = await self._written_down(place)
            if place.body == purpose:
                return _given_by(owner)

    async def _last_place(self, series: str) -> int:
        """The last number that was taken; by now it is written down for what it is for. 0: none was."""
        rows = await self._ledger.received(self._places(series), "", 1)
        for last in rows:
            await self._written_down(last)
        return max((int(row.external_id) for row in rows), default=0)

    async def _written_down(self, place: InboxEvent) -> InboxEvent:
        owner = await self._ledger.receive(self._given, place.body, NUMBER, None, place.external_id, self._now())
        for row in (owner, place):
            if row.announced_at is None:  # nobody is to be told of it: the sweep has no business with it
                await self._ledger.announced(row.id, "given", self._now())
        return owner

    @property
    def _given(self) -> str:
        """Purpose → number."""
        return f"numbers/{self._inbox}"

    def _places(self, series: str) -> str:
        """Number → purpose."""
        return f"{self._given}/{series}"


def _given_by(row: InboxEvent) -> Given:
    return Given(number=int(row.body), at=row.received_at)
