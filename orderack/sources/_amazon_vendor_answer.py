"""What Amazon's vendor direct fulfilment is answered: a whole purchase order, taken or rejected.

"The order must be accepted or rejected in its entirety. Partial shipment is not accepted" ("Submit an
acknowledgement", Selling Partner API). An order of which we have a part is therefore neither: it is left to a person,
who rejects it or finds the rest before the 24 hours are over. Every item is listed with what was ordered, for a
quantity "should not be zero" even where the code says no.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from types import MappingProxyType

from pydantic import BaseModel

from orderack.domain.order import Order
from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.source import AnswerStage
from orderack.ports import SourceAnswer
from orderack.sources._amazon_vendor_order import PurchaseOrder
from orderack.sources._reading import line_of, name_of

ACCEPT_CODE = "00"
"""Shipping 100 percent of what was ordered."""
OUT_OF_STOCK = "03"
WANTED: Mapping[AnswerStage, str] = MappingProxyType(
    {AnswerStage.CONFIRMED: "ACCEPTED", AnswerStage.REJECTED: "CANCELLED", AnswerStage.CANCELLED: "CANCELLED"}
)
"""The state in which a purchase order stands once the answer counts."""


class _Status(BaseModel):
    code: str
    description: str


class _Party(BaseModel):
    partyId: str


class _Quantity(BaseModel):
    amount: int
    unitOfMeasure: str = "Each"


class _Item(BaseModel):
    itemSequenceNumber: str
    buyerProductIdentifier: str | None
    vendorProductIdentifier: str | None
    acknowledgedQuantity: _Quantity


class _One(BaseModel):
    purchaseOrderNumber: str
    vendorOrderNumber: str
    acknowledgementDate: str
    acknowledgementStatus: _Status
    sellingParty: _Party
    shipFromParty: _Party
    itemAcknowledgements: list[_Item]


class Acknowledgement(BaseModel):
    """The body of submitAcknowledgement."""

    orderAcknowledgements: list[_One]


def not_whole(order: Order, answers: Sequence[LineAnswer]) -> tuple[str, ...]:
    """The lines that we cannot deliver as they were ordered, by their ids."""
    said = {answer.line_id: answer for answer in answers}
    return tuple(line.line_id for line in order.lines if not _whole(said.get(line.line_id), line.quantity))


def _whole(answer: LineAnswer | None, quantity: object) -> bool:
    return (
        answer is not None
        and answer.accepted == quantity
        and answer.outcome
        not in (
            Outcome.SUBSTITUTE,
            Outcome.HOLD,
        )
    )


def differs(found: PurchaseOrder, order: Order) -> bool:
    """Whether Amazon asks for something else now than what we have answered for."""
    theirs = {item.itemSequenceNumber: item.orderedQuantity.amount for item in found.orderDetails.items}
    return {line: many for line, many in theirs.items() if many} != {
        line.line_id: line.quantity for line in order.lines
    }


def acknowledgement(found: PurchaseOrder, answer: SourceAnswer, rejection_code: str) -> Acknowledgement:
    """All of it, with the parties and the items as Amazon has them."""
    details = found.orderDetails
    takes = answer.key.stage is AnswerStage.CONFIRMED
    said = "" if takes else line_of(answer.reason, 200) or "cannot be delivered"
    items = [
        _Item(
            itemSequenceNumber=item.itemSequenceNumber,
            buyerProductIdentifier=item.buyerProductIdentifier,
            vendorProductIdentifier=item.vendorProductIdentifier,
            acknowledgedQuantity=_Quantity(amount=item.orderedQuantity.amount),
        )
        for item in details.items
        if item.orderedQuantity.amount
    ]
    one = _One(
        purchaseOrderNumber=found.purchaseOrderNumber,
        vendorOrderNumber=name_of(answer.document_id) or answer.order.number,
        acknowledgementDate=f"{answer.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        acknowledgementStatus=_Status(
            code=ACCEPT_CODE if takes else rejection_code,
            description="shipping 100 percent of what was ordered" if takes else said,
        ),
        sellingParty=_Party(partyId=details.sellingParty.partyId),
        shipFromParty=_Party(partyId=details.shipFromParty.partyId),
        itemAcknowledgements=items,
    )
    return Acknowledgement(orderAcknowledgements=[one])
