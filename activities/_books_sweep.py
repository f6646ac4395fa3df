"""One sweep of the books: whatever the ledger, Temporal and the inbox do not agree about becomes an exception."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from activities._erp_sweep import World, told
from orderack.contracts.journal import Stage
from orderack.domain.order import OrderRef
from orderack.ports.sweeps import ExceptionKind, Finding, Place

SETTLING = timedelta(minutes=5)
"""An order that has just begun, or came in just now, need not be everywhere yet."""
AT_ONCE = 500
MOST = 10_000
"""Of what ought to be none."""
ENDED = frozenset({Stage.CANCELLED, Stage.REJECTED, Stage.CLOSED})


class BooksSweep:
    """Short, so that one which was cut off simply begins again: what it finds is keyed."""

    def __init__(self, world: World, asked: Collection[str]) -> None:
        self.waiting = self.opened = self.closed = 0
        self._world = world
        self._asked = asked
        self._began = world.now()
        self._before = self._began - SETTLING

    async def run(self) -> None:
        """Raises Unavailable where Temporal or the ledger does not answer: nothing that is open is closed then."""
        running = await self._not_in_ledger()
        await self._not_running(running)
        await self._not_announced()
        await self._asked_by_nobody()
        self.closed += await self._world.ledger.close_unseen(self._began, self._world.now())

    async def _not_in_ledger(self) -> set[OrderRef]:
        """Every order that runs; those of which the ledger has no content are exceptions."""
        running, page = set[OrderRef](), list[Place]()
        async for place in self._world.runs.open_orders():
            running.add(place.ref)
            if place.since < self._before:
                page.append(place)
            if len(page) == AT_ONCE:
                await self._unknown(page)
                page.clear()
        await self._unknown(page)
        self.waiting = len(running)
        return running

    async def _unknown(self, page: Sequence[Place]) -> None:
        kept = set(await self._world.ledger.with_content([place.ref for place in page])) if page else set()
        lacking = [place for place in page if place.ref not in kept]
        await self._settle(
            [
                self._finding(place.ref, ExceptionKind.NOT_IN_LEDGER, place.since, "temporal")
                for place in lacking
                if await self._world.runs.is_running(place.ref)
            ]
        )

    async def _not_running(self, running: Collection[OrderRef]) -> None:
        """Open in the ledger, and the server itself knows no open run: its list may lag."""
        last: Place | None = None
        while page := await self._world.ledger.open_after(self._before, last, AT_ONCE):
            last = page[-1]
            for place in page:
                if place.ref not in running and not await self._world.runs.is_running(place.ref):
                    await self._stands_still(place)

    async def _stands_still(self, place: Place) -> None:
        row = await self._world.ledger.order(place.ref)  # it may have ended since the page was read
        if row is not None and row.stage not in ENDED:
            owner = row.owner or self._world.owner(place.ref.store)
            await self._settle(
                [self._finding(place.ref, ExceptionKind.NOT_RUNNING, place.since, "temporal", owner=owner)]
            )

    async def _not_announced(self) -> None:
        await self._settle(
            [
                self._finding(one.ref, ExceptionKind.NOT_ANNOUNCED, one.received_at, one.system, event=one.event)
                for one in await self._world.ledger.orders_unannounced(self._before, MOST)
            ]
        )

    async def _asked_by_nobody(self) -> None:
        found = await self._world.ledger.asked_by_nobody(self._asked, MOST)
        live = [one for one in found if one.stage is not Stage.REVIEW and not one.shadow]
        late = [one for one in live if one.overdue_at <= self._world.now()]
        await self._settle(
            [
                self._finding(one.ref, ExceptionKind.NO_ERP_TO_ASK, one.since, one.erp or "", owner=one.owner)
                for one in late
            ]
        )

    async def _settle(self, findings: Sequence[Finding]) -> None:
        settled = await self._world.ledger.settle(findings, self._world.now())
        self.opened += len(settled.opened)
        for exception in settled.opened:
            told(exception)

    def _finding(
        self,
        ref: OrderRef,
        kind: ExceptionKind,
        since: datetime,
        system: str,
        *,
        event: int | None = None,
        owner: str | None = None,
    ) -> Finding:
        owner = owner or self._world.owner(ref.store)
        return Finding(ref=ref, kind=kind, system=system, since=since, owner=owner, event=event)
