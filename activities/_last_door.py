"""The last door: every call by which an order changes something outside of the house goes through here, and nowhere
else in `activities/` (a test reads their source).

An activity has kept a shadow order's act long before it comes here. This door does not believe it: it asks the record
once more, by the order that the call itself names, so that a mistake in a workflow or an activity can't send (R166).
"""

from orderack.domain.assessment import Side
from orderack.domain.order import Order, OrderRef
from orderack.domain.source import Answered
from orderack.errors import Misconfigured, Unavailable
from orderack.ports import (
    Answers,
    Booking,
    Channel,
    Erp,
    Invoices,
    Message,
    Sent,
    SourceAnswer,
    StoredRevision,
)
from orderack.ports.digests import SendBook


class NobodyAsked(Unavailable):
    """Our own ledger did not answer at the door: that says nothing of the vendor behind it."""


class LastDoor:
    """Raises Misconfigured for a shadow order, before anything is asked of a vendor: a bug of ours, which pages."""

    def __init__(self, ledger: SendBook) -> None:
        self._ledger = ledger

    async def send(self, channel: Channel, message: Message) -> Sent:
        await self._pass(message.key.ref)
        return await channel.send(message)

    async def submit(self, erp: Erp, order: Order, revision: int) -> Booking:
        await self._pass(order.ref)
        return await erp.submit(order, revision)

    async def cancel(self, erp: Erp, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        await self._pass(ref)
        return await erp.cancel(ref, document_id, reason)

    async def invoice(self, erp: Invoices, ref: OrderRef, document_id: str) -> str:
        await self._pass(ref)
        return await erp.invoice(ref, document_id)

    async def answer(self, source: Answers, answer: SourceAnswer) -> Answered:
        await self._pass(answer.key.ref)
        return await source.answer(answer)

    async def _pass(self, ref: OrderRef) -> None:
        try:
            shadow = await self._ledger.is_shadow(ref)
        except Unavailable as error:
            raise NobodyAsked(str(error), error.retry_after) from None
        if shadow:
            raise Misconfigured("the order is in a shadow run: nothing of it may leave the house")


def is_shadow(stored: StoredRevision) -> bool:
    """Whether what this revision says and does is kept."""
    return stored.assessment.decision.side is Side.SHADOW
