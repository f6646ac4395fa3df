"""`invoice_in_erp`: have the ERP invoice what it has booked."""

from collections.abc import Callable, Mapping
from datetime import datetime

from temporalio import activity

from activities._boundary import boundary
from activities._last_door import LastDoor
from activities._measured import erp_call
from activities._outages import Outages
from orderack.contracts import names
from orderack.contracts.activities import Invoiced, InvoiceRequest
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import ActKind, Erp, Invoices, KeptAct, Ledger


class InvoiceInErp:
    def __init__(self, ledger: Ledger, erps: Mapping[str, Erp], outages: Outages, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._erps = erps
        self._outages = outages
        self._now = now
        self._door = LastDoor(ledger)

    @activity.defn(name=names.INVOICE_IN_ERP)
    @boundary
    async def invoice_in_erp(self, request: InvoiceRequest) -> Invoiced:
        """The invoice's id, or why there is none. Raises Unavailable to be tried again: the adapter looks first; and
        while the ERP is paused or marked down."""
        await self._ledger.write(request.journal)
        if await self._ledger.is_shadow(request.ref):
            return await self._keep(request)
        erp = self._erps.get(request.erp)
        if erp is None:
            raise Misconfigured(f"the ERP {request.erp} is not configured")
        if not isinstance(erp, Invoices):
            return Invoiced(invoice_id=None, reason=f"{request.erp} is not asked for invoices: it has no such call")
        try:
            async with self._outages.call(request.erp, request.ref):
                return Invoiced(invoice_id=await self._invoice(erp, request))
        except Refused as refusal:
            return Invoiced(invoice_id=None, reason=str(refusal)[:500])

    async def _invoice(self, erp: Invoices, request: InvoiceRequest) -> str:
        try:
            with erp_call(request.erp, "invoice"):
                return await self._door.invoice(erp, request.ref, request.document_id)
        except InDoubt as doubt:
            raise Unavailable(f"cut off while invoicing: {doubt}") from None

    async def _keep(self, request: InvoiceRequest) -> Invoiced:
        act = KeptAct(
            ref=request.ref,
            revision=request.journal.revision,
            kind=ActKind.INVOICE,
            detail=f"{request.erp} {request.document_id}",
            at=self._now(),
        )
        await self._ledger.keep_act(act, request.journal)
        return Invoiced(invoice_id=None, reason="kept: the order is in a shadow run")
