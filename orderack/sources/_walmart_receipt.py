"""What Walmart is written: an acknowledgement, the cancellation of lines; and how either turned out."""

from collections.abc import Sequence
from decimal import Decimal

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from orderack.clients.wire import scrub
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.sources._walmart_wire import WalmartLine, WalmartOrder

BUYER_ASKED = "CUSTOMER_REQUESTED_SELLER_TO_CANCEL"
"""Only for lines of which Walmart says that the buyer wants them cancelled."""
KEEPS = (AnswerStage.RECEIVED, AnswerStage.CONFIRMED)


class _Fault(BaseModel):
    code: str = ""
    description: str = ""


class _Faults(BaseModel):
    error: tuple[_Fault, ...] | _Fault | None = None
    errors: tuple[_Fault, ...] | _Fault | None = None

    @property
    def first(self) -> _Fault:
        found = self.error or self.errors or ()
        return found if isinstance(found, _Fault) else next(iter(found), _Fault())


def why(response: httpx.Response) -> str:
    """Walmart's own word for a refusal, without anybody's data."""
    try:
        fault = _Faults.model_validate_json(response.content).first
    except ValidationError:
        fault = _Fault()
    return scrub(f"{response.status_code} {fault.code} {fault.description}")


def open_units(line: WalmartLine) -> Decimal:
    """Neither shipped nor cancelled."""
    return line.stands("created", "acknowledged")


def waits(order: WalmartOrder) -> bool:
    """Whether something of it is not acknowledged."""
    return any(line.stands("created") for line in order.lines)


def acknowledgement(order: WalmartOrder) -> JsonValue:
    """Every line that waits, for the marketplace that wants them named (Mexico)."""
    return {
        "orderAcknowledge": _lines(
            [_line(line, "Acknowledged", line.stands("created")) for line in order.left if line.stands("created")]
        )
    }


def cancellation(order: WalmartOrder, reason: str) -> JsonValue:
    """Every line of which something is open, with the reason; None where there is none."""
    lines = [
        _line(line, "Cancelled", open_units(line), BUYER_ASKED if line.buyer_cancels else reason)
        for line in order.left
        if open_units(line)
    ]
    return {"orderCancellation": _lines(lines)} if lines else None


def _lines(lines: Sequence[JsonValue]) -> JsonValue:
    return {"orderLines": {"orderLine": list(lines)}}


def _line(line: WalmartLine, status: str, quantity: Decimal, reason: str = "") -> JsonValue:
    stands: dict[str, JsonValue] = {
        "status": status,
        "statusQuantity": {"unitOfMeasurement": "EACH", "amount": f"{quantity.normalize():f}"},
    }
    if reason:
        stands["cancellationReason"] = reason
    return {"lineNumber": line.number, "orderLineStatuses": {"orderLineStatus": [stands]}}


def verdict(order: WalmartOrder, stage: AnswerStage, refusal: str) -> Answered:
    """How the answer stands, from how the order stands now: what was refused because it is so already stands."""
    left = order.left
    shipped = any(line.stands("shipped", "delivered") for line in left)
    if stage in KEEPS:
        if not left:
            return _refused("it is cancelled at Walmart")
        if waits(order):
            return _refused(refusal or "Walmart has not acknowledged every line")
        return Answered(state=AnswerState.ACCEPTED, detail="shipped already" if shipped else "acknowledged")
    if not left:
        return Answered(state=AnswerState.ACCEPTED, detail="cancelled")
    return _refused("not cancelled: it is shipped" if shipped else refusal or "Walmart has not cancelled every line")


def _refused(detail: str) -> Answered:
    return Answered(state=AnswerState.REFUSED, detail=detail)
