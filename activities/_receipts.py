"""Receipts that an ERP did not push: asked for, recorded as if it had, and told to their orders once."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

import structlog

from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.errors import Misconfigured, Unavailable
from orderack.ports import Awaited, Erp, FindsSeveral, InboxEvent, Ledger
from orderack.ports.orders_door import NewsDoor

log = structlog.get_logger(__name__)


async def receipts_of(erp: Erp, asked: Sequence[Awaited]) -> AsyncIterator[ErpReceipt]:
    """What the ERP has booked of these; asked for all at once where it can say."""
    if isinstance(erp, FindsSeveral):
        for found in await erp.find_several(asked) if asked else ():
            yield found
        return
    for one in asked:
        receipt = await erp.find(one.ref, one.revision)
        if receipt is not None:
            yield receipt


class Telling:
    """Records a receipt and tells it through the one door. The same receipt by both ways is one."""

    def __init__(self, ledger: Ledger, orders: NewsDoor, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._orders = orders
        self._now = now

    async def record(self, erp: str, receipt: ErpReceipt) -> InboxEvent:
        """The inbox's row, new or known: as one that was pushed."""
        return await self._ledger.receive(
            f"receipts/{erp}",
            receipt.id,
            "erp_receipt",
            OrderRef(store=receipt.store, number=receipt.number),
            receipt.model_dump_json(),
            self._now(),
        )

    async def tell(self, erp: str, row: InboxEvent) -> bool:
        """Whether it was told now. What was told before, or has been erased, is not; what cannot be, others will."""
        if row.announced_at is not None or not row.body:
            return False
        try:
            told = await self._orders.receipt(ErpReceipt.model_validate_json(row.body))
        except (Unavailable, Misconfigured) as error:
            log.info("receipt left to the sweep", row=row.id, erp=erp, why=type(error).__name__)
            return False
        await self._ledger.announced(row.id, told, self._now())
        return True
