"""`hand_off`: offer the confirmed revision to the team that does the work."""

from collections.abc import Callable
from datetime import datetime

from temporalio import activity

from activities._boundary import boundary
from orderack.contracts import names
from orderack.contracts.activities import HandOffRequest, HandOffResult
from orderack.ports import Ledger


class HandOff:
    def __init__(self, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._now = now

    @activity.defn(name=names.HAND_OFF)
    @boundary
    async def hand_off(self, request: HandOffRequest) -> HandOffResult:
        """Stored once by order and revision; offered twice, it is the same handoff."""
        return HandOffResult(handoff_id=await self._ledger.offer_handoff(request, self._now()))
