"""What is remembered of sources: each order as it last stood there, where polling left off, what was answered."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import AwareDatetime

from orderack.domain.order import Name, OrderRef, PaymentStatus
from orderack.domain.source import Answered, AnswerKey
from orderack.domain.value import Value
from orderack.ports.inbox_event import InboxEvent


class KnownOrder(Value):
    """An order of a source as we last took it. Everything but the first two is empty until then."""

    ref: OrderRef
    system: Name
    external_id: Name
    at: AwareDatetime | None = None
    content_hash: Name | None = None
    payment: PaymentStatus | None = None
    cancelled: bool = False

    @property
    def taken(self) -> bool:
        return self.content_hash is not None


class Awaited(Value):
    """A revision that an ERP was given, or is expected to get, and has not answered for."""

    ref: OrderRef
    revision: int
    since: AwareDatetime


class SourceBook(Protocol):
    """Every write is keyed and may be repeated."""

    async def hold(
        self, store: str, system: str, external_id: str, number: str, now: datetime, lease: timedelta
    ) -> KnownOrder | None:
        """The order, held for us alone until `let_go`, `took` or the lease's end; None: somebody else holds it.

        A number that another order of the store's has already, wherever that came from, is told apart by what stands
        behind it: a stranger who chooses a number never speaks for the order that has it.
        """
        ...

    async def took(self, known: KnownOrder) -> None:
        """What we made of it stands; the hold ends."""
        ...

    async def let_go(self, known: KnownOrder) -> None: ...

    async def known_order(self, store: str, system: str, external_id: str) -> KnownOrder | None: ...

    async def cursor(self, name: str) -> str:
        """Where the last look of that name ended; empty: there was none."""
        ...

    async def looked(self, name: str, cursor: str, now: datetime) -> None: ...

    async def looked_at(self) -> Sequence[tuple[str, datetime]]:
        """Every look by name, and when it last succeeded."""
        ...

    async def answered(self, key: AnswerKey) -> Answered | None: ...

    async def record_answer(self, key: AnswerKey, answered: Answered, now: datetime) -> Answered:
        """Store it; an answer that is accepted or refused stays as it is. Returns what stands."""
        ...

    async def refused(self, connection: str, limit: int = 20) -> Sequence[InboxEvent]:
        """Deliveries of this connection (`store/system`) that could not be taken as they are, the newest first."""
        ...

    async def deliveries_of(self, ref: OrderRef, also: int | None = None, limit: int = 20) -> Sequence[InboxEvent]:
        """What this order was read from, the newest first; one that has been erased has no body. `also`: the row that
        the order itself names (`Origin.delivery`), where several orders were in one."""
        ...

    async def awaited(self, erp: str, since: datetime, limit: int = 200) -> Sequence[Awaited]:
        """Revisions that wait for this ERP's receipt, the oldest first, that began to wait since then."""
        ...
