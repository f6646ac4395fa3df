"""`submit_to_erp`: book one revision in the ERP, once, however often it is asked."""

from collections.abc import Callable, Mapping
from datetime import datetime

from temporalio import activity

from activities._boundary import boundary
from activities._last_door import LastDoor, is_shadow
from activities._measured import erp_call
from activities._outages import Outages
from orderack.contracts import names
from orderack.contracts.activities import ErpAnswer, ErpSubmission, SubmitToErpRequest
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import ActKind, Erp, KeptAct, Ledger, StoredRevision
from orderack.telemetry import metrics


class SubmitToErp:
    """The external id makes it one booking; where we were cut off, the ERP is asked before anything is repeated."""

    def __init__(self, ledger: Ledger, erps: Mapping[str, Erp], outages: Outages, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._erps = erps
        self._outages = outages
        self._now = now
        self._door = LastDoor(ledger)

    @activity.defn(name=names.SUBMIT_TO_ERP)
    @boundary
    async def submit_to_erp(self, request: SubmitToErpRequest) -> ErpSubmission:
        """Submitted, refused with the ERP's reason, or booked on the spot. Raises Unavailable to be tried again."""
        kept = await self._ledger.write_and_read(request.journal, [request.revision])
        stored = kept.get(request.revision)
        if stored is None:
            raise Unavailable(f"revision {request.revision} is not in the ledger yet")
        if is_shadow(stored):
            return await self._keep(request)
        erp = self._erps.get(request.erp)
        if erp is None:
            raise Misconfigured(f"the ERP {request.erp} is not configured")
        try:
            async with self._outages.call(request.erp, request.ref):
                return await self._submit(erp, stored, request)
        except Refused as refusal:
            return ErpSubmission(answer=ErpAnswer.REFUSED, reason=str(refusal)[:500])

    async def _submit(self, erp: Erp, stored: StoredRevision, request: SubmitToErpRequest) -> ErpSubmission:
        try:
            with erp_call(request.erp, "submit"):
                booking = await self._door.submit(erp, stored.order, request.revision)
        except InDoubt as doubt:
            receipt = await erp.find(request.ref, request.revision)
            if receipt is None:
                raise Unavailable(f"cut off while submitting, and the ERP does not have it: {doubt}") from None
            return ErpSubmission(answer=ErpAnswer.SUBMITTED, document_id=receipt.document_id, receipt=receipt)
        if booking.receipt:
            metrics.ERP_RECEIPTS.labels(request.erp, booking.receipt.worst or "none").inc()
        return ErpSubmission(
            answer=ErpAnswer.SUBMITTED,
            document_id=booking.document_id,
            receipt=booking.receipt,
            reason="" if booking.receipt else booking.waits,
        )

    async def _keep(self, request: SubmitToErpRequest) -> ErpSubmission:
        """The old flow books it; its receipt is waited for, and asked for, as if it were ours."""
        act = KeptAct(
            ref=request.ref,
            revision=request.revision,
            kind=ActKind.SUBMIT,
            detail=request.erp,
            at=self._now(),
        )
        await self._ledger.keep_act(act, request.journal)
        return ErpSubmission(answer=ErpAnswer.KEPT)
