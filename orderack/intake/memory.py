"""What the record holds of one connection, for a source that needs it (`orderack.ports.Memory`)."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from orderack.contracts.journal import Stage
from orderack.domain.order import OrderRef
from orderack.errors import Unavailable
from orderack.intake.deliveries import KIND, inbox_of
from orderack.ports import Connection, Delivery, Given, Ledger, Recalls, Recorded, Source, Stands, StoredRevision

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
    """Numbers are ids of rows in the inbox: no two are the same, and a row that is there stays as it is."""

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

    async def delivery(self, delivery_id: str) -> Recorded | None:
        """See `orderack.ports.Memory.delivery`."""
        rows = await self._ledger.received(self._inbox, delivery_id)
        row = next((row for row in rows if row.external_id == delivery_id and row.kind == KIND and row.body), None)
        if row is None:
            return None
        return Recorded(delivery=Delivery.model_validate_json(row.body), number=row.id, at=row.received_at)

    async def number(self, purpose: str) -> Given:
        """See `orderack.ports.Memory.number`."""
        row = await self._ledger.receive(f"numbers/{self._inbox}", purpose, NUMBER, None, "", self._now())
        if row.announced_at is None:
            await self._ledger.announced(row.id, "given", self._now())
        return Given(number=row.id, at=row.received_at)
