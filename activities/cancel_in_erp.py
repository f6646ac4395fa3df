"""`cancel_in_erp`: tell the ERP that an order is off."""

from collections.abc import Callable, Mapping
from datetime import datetime

from temporalio import activity

from activities._boundary import boundary
from activities._last_door import LastDoor
from activities._measured import erp_call
from activities._outages import Outages
from orderack.contracts import names
from orderack.contracts.activities import CancelInErpRequest, ErpAnswer, ErpSubmission
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import ActKind, Erp, KeptAct, Ledger

ON_ITS_WAY = 7
"""Times that an ERP is asked for an order that it does not know, within a minute: what we were cut off from while
submitting may still be landing there, and nobody would tell us."""


class CancelInErp:
    def __init__(self, ledger: Ledger, erps: Mapping[str, Erp], outages: Outages, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._erps = erps
        self._outages = outages
        self._now = now
        self._door = LastDoor(ledger)

    @activity.defn(name=names.CANCEL_IN_ERP)
    @boundary
    async def cancel_in_erp(self, request: CancelInErpRequest) -> ErpSubmission:
        """`not_found`: it does not know the order (yet); the workflow waits for it to land. Raises Unavailable to be
        tried again, also while the order may still be on its way, and while the ERP is paused or marked down."""
        await self._ledger.write(request.journal)
        if await self._ledger.is_shadow(request.ref):
            return await self._keep(request)
        erp = self._erps.get(request.erp)
        if erp is None:
            raise Misconfigured(f"the ERP {request.erp} is not configured")
        try:
            async with self._outages.call(request.erp, request.ref):
                known = await self._cancel(erp, request)
        except Refused as refusal:
            return ErpSubmission(answer=ErpAnswer.REFUSED, document_id=request.document_id, reason=str(refusal)[:500])
        if not known and activity.info().attempt < ON_ITS_WAY:
            raise Unavailable(f"{request.erp} does not know the order, which may be on its way there")
        return ErpSubmission(
            answer=ErpAnswer.SUBMITTED if known else ErpAnswer.NOT_FOUND, document_id=request.document_id
        )

    async def _cancel(self, erp: Erp, request: CancelInErpRequest) -> bool:
        try:
            with erp_call(request.erp, "cancel"):
                return await self._door.cancel(erp, request.ref, request.document_id, request.reason)
        except InDoubt as doubt:
            raise Unavailable(f"cut off while cancelling; cancelling twice is harmless: {doubt}") from None

    async def _keep(self, request: CancelInErpRequest) -> ErpSubmission:
        """The old flow has to tell it."""
        act = KeptAct(
            ref=request.ref,
            revision=request.journal.revision,
            kind=ActKind.CANCEL,
            detail=request.erp,
            at=self._now(),
        )
        await self._ledger.keep_act(act, request.journal)
        return ErpSubmission(answer=ErpAnswer.KEPT, document_id=request.document_id)
