"""`look_at_source`, `look_at_erp`: ask those who do not tell us of their news by themselves."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from temporalio import activity

from activities._boundary import boundary
from activities._receipts import Telling, receipts_of
from orderack.contracts import names
from orderack.contracts.looks import ErpLook, LookResult, SourceLook
from orderack.errors import Misconfigured, OrderAckError
from orderack.intake.deliveries import Intake
from orderack.ports import Awaited, Erp, Ledger, Looks, Source
from orderack.ports.orders_door import NewsDoor

log = structlog.get_logger(__name__)

MOST_PAGES = 50
"""Of one look. A longer backlog is taken up by the next."""

REACH = timedelta(days=7)
"""An order that has waited longer than this for its ERP has long been a person's."""

FRESH = timedelta(minutes=10)
"""Orders that began to wait since then are asked about at every look, as far as that goes; older ones take turns."""


class Look:
    """What is found is recorded first and told at once; what cannot be told now, the gateway's sweep tells."""

    def __init__(
        self,
        ledger: Ledger,
        orders: NewsDoor,
        sources: Mapping[str, Source],
        erps: Mapping[str, Erp],
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._telling = Telling(ledger, orders, now)
        self._sources = sources
        self._erps = erps
        self._now = now
        self._intake = Intake(ledger, orders, sources, now)

    @activity.defn(name=names.LOOK_AT_SOURCE)
    @boundary
    async def look_at_source(self, look: SourceLook) -> LookResult:
        """Every new order and change since the last look, page by page; the cursor moves once a page is recorded."""
        name = f"{look.store}/{look.system}"
        source = self._sources.get(name)
        if not isinstance(source, Looks):
            raise Misconfigured(f"the connection {name} is not configured, or cannot be asked")
        found = told = 0
        for _ in range(MOST_PAGES):
            looked = await source.look(await self._ledger.cursor(name), self._now())
            rows = [await self._intake.record(source, delivery) for delivery in looked.deliveries]
            await self._ledger.looked(name, looked.cursor, self._now())
            fresh = [row for row in rows if row.announced_at is None]
            found += len(fresh)
            for row in fresh:
                try:
                    await self._intake.announce(row)
                    told += 1
                except OrderAckError as error:
                    log.info("delivery left to the sweep", row=row.id, source=name, why=type(error).__name__)
            if not looked.more:
                break
        return LookResult(found=found, told=told)

    @activity.defn(name=names.LOOK_AT_ERP)
    @boundary
    async def look_at_erp(self, look: ErpLook) -> LookResult:
        """The receipts of orders that wait for this ERP, told to their orders. The probe; `sweep_erp` asks of all."""
        erp = self._erps.get(look.erp)
        if erp is None:
            raise Misconfigured(f"the ERP {look.erp} is not configured")
        now = self._now()
        waiting = await self._ledger.awaited(look.erp, now - REACH, limit=2_000)
        name = f"erp/{look.erp}"
        found = told = 0
        last = await self._ledger.cursor(name)
        asked = _in_turn(waiting, last, now, look.at_most)
        async for receipt in receipts_of(erp, asked):
            found += 1
            told += await self._telling.tell(look.erp, await self._telling.record(look.erp, receipt))
        old = [str(one.ref) for one in asked if one.since <= now - FRESH]
        await self._ledger.looked(name, old[-1] if old else last, self._now())
        return LookResult(found=found, told=told, waiting=len(waiting))


def _in_turn(waiting: Sequence[Awaited], last: str, now: datetime, at_most: int) -> Sequence[Awaited]:
    """Those to ask about now: the fresh ones, the newest first, and of the others the next after the last one asked."""
    fresh = [one for one in waiting if one.since > now - FRESH][::-1][: max(1, at_most * 2 // 3)]
    old = [one for one in waiting if one.since <= now - FRESH]
    places = [place for place, one in enumerate(old) if str(one.ref) == last]
    begin = places[0] + 1 if places else 0
    return [*fresh, *(old[begin:] + old[:begin])[: at_most - len(fresh)]]
