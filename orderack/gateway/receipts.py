"""`POST /receipts/{erp}`: the ERP says that it booked orders, in its own words, or in ours with an API key."""

from enum import StrEnum
from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Request
from pydantic import Field, TypeAdapter, ValidationError

from orderack.domain.intake import SHORTER, nameable
from orderack.domain.order import Name, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.validation import problems_of
from orderack.domain.value import Value
from orderack.errors import InvalidInput, Misconfigured, Unavailable
from orderack.gateway.announce import InboxKind, announce_receipt
from orderack.gateway.failures import Denied, errors, problem
from orderack.gateway.keys import Grant
from orderack.gateway.limits import PROVED
from orderack.gateway.openapi import KEYED_OR_SIGNED, body_of
from orderack.gateway.parts import GatewayParts, Parts
from orderack.gateway.requests import grants, raw_request, read_body

log = structlog.get_logger(__name__)

router = APIRouter(tags=["receipts"])

ErpName = Annotated[str, Path(min_length=1, max_length=100, description="the ERP's name in the policy")]

_ONE: TypeAdapter[ErpReceipt] = TypeAdapter(ErpReceipt)
_MANY: TypeAdapter[tuple[ErpReceipt, ...]] = TypeAdapter(Annotated[tuple[ErpReceipt, ...], Field(max_length=1_000)])


class ReceiptOutcome(StrEnum):
    TOLD = "told"
    LATE = "late"
    REPEATED = "repeated"
    CONFLICT = "conflict"
    RECORDED = "recorded"


class ReceiptReply(Value):
    """What became of one receipt: `told` to its order, `late` (closed), `repeated`, or `recorded` until we can tell it.

    `conflict`: another receipt bore this id before; ours is the first, and an operator is told.
    """

    id: Name
    outcome: ReceiptOutcome


class ReceiptsReply(Value):
    receipts: tuple[ReceiptReply, ...]


@router.post(
    "/receipts/{erp}",
    status_code=202,
    response_model=ReceiptsReply,
    responses=errors(401, 403, 404, 408, 409, 413, 414, 415, 422, 503),
    openapi_extra=KEYED_OR_SIGNED | body_of(ErpReceipt, many=True),
    summary="Report that orders are booked",
)
async def receipts(erp: ErpName, request: Request, parts: Parts) -> ReceiptsReply:
    """Signed as that ERP signs, or one canonical receipt (or a list) with an API key that bears the ERP's name."""
    if erp not in parts.erps:
        raise Denied(404, "erp_unknown", "We have no such ERP.")
    body = await read_body(request)
    if held := grants(request, parts):
        found = _canonical(erp, body, held)
    else:
        raw = raw_request(request, body, parts)
        parts.erps[erp].verify(raw)
        request.scope[PROVED] = True
        try:
            found = tuple(parts.erps[erp].receipts(raw))
        except ValidationError as error:  # what the adapter did not foresee
            raise InvalidInput(problems_of(error)) from None
        await _speaks_for(parts, erp, found)
    for place, receipt in enumerate(found):
        if receipt.store not in parts.stores:
            raise problem(f"[{place}].store", "is no store of ours", "send the store's id as the policy names it")
        if not nameable(receipt.number):
            raise problem(f"[{place}].number", "is too long once it is percent-encoded", SHORTER)
    return await _take(parts, erp, found)


def _canonical(erp: str, body: bytes, held: tuple[Grant, ...]) -> tuple[ErpReceipt, ...]:
    """Receipts in our own words. A shop's key can't say that the ERP booked something: only the ERP's can."""
    open_stores = {grant.store for grant in held if grant.name == erp}
    if not open_stores:
        raise Denied(403, "wrong_key", "Only a key that bears this ERP's name may send its receipts.")
    try:
        many = body.lstrip().startswith(b"[")
        found = (
            _MANY.validate_json(body, strict=True, extra="forbid")
            if many
            else (_ONE.validate_json(body, strict=True, extra="forbid"),)
        )
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None
    for place, receipt in enumerate(found):
        if receipt.erp != erp:
            raise problem(f"[{place}].erp", "is not the ERP of this address", f"send {erp}")
        if receipt.store not in open_stores:
            raise Denied(403, "wrong_store", "Your key is for another store.")
    return found


async def _speaks_for(parts: GatewayParts, erp: str, found: tuple[ErpReceipt, ...]) -> None:
    """One installation's signature says nothing of what another has booked: only of orders that were given to it."""
    for receipt in found:
        if receipt.store not in parts.stores or parts.erp_of(receipt.store) in (None, erp):
            continue
        ref = OrderRef(store=receipt.store, number=receipt.number)
        row = await parts.ledger.order(ref)
        given = await parts.ledger.revision(ref, row.revision) if row else None
        if given is None or given.assessment.decision.erp != erp:  # it may have been given to it before a change of ERP
            raise Denied(403, "wrong_erp", "The store's orders are booked in another ERP than yours.")


async def _take(parts: GatewayParts, erp: str, found: tuple[ErpReceipt, ...]) -> ReceiptsReply:
    """Record all of them before answering for any: a receipt that is in the inbox is never lost."""
    replies = []
    for receipt in found:
        async with parts.turns.of(f"receipts/{erp}", receipt.id):
            structlog.contextvars.bind_contextvars(order=f"{receipt.store}/{receipt.number}")
            replies.append(ReceiptReply(id=receipt.id, outcome=await _one(parts, erp, receipt)))
    outcomes = {reply.outcome for reply in replies}
    if ReceiptOutcome.CONFLICT in outcomes:
        message = "A different receipt with this id came before; give each receipt its own id."
        raise Denied(409, "id_reused", message, recorded=True)
    if ReceiptOutcome.RECORDED in outcomes:
        raise Denied(503, "unavailable", "Recorded; we tell the order as soon as we can.", recorded=True)
    return ReceiptsReply(receipts=tuple(replies))


async def _one(parts: GatewayParts, erp: str, receipt: ErpReceipt) -> ReceiptOutcome:
    ref = OrderRef(store=receipt.store, number=receipt.number)
    body = receipt.model_dump_json()
    row = await parts.ledger.receive(f"receipts/{erp}", receipt.id, InboxKind.ERP_RECEIPT, ref, body, parts.now())
    if not row.body:
        return ReceiptOutcome.REPEATED  # told long ago, and erased with its order
    if ErpReceipt.model_validate_json(row.body) != receipt:
        log.error("a receipt's id came again with another content", erp=erp, row=row.id)
        return ReceiptOutcome.CONFLICT
    if row.announced_at is not None:
        return ReceiptOutcome.REPEATED
    try:
        return ReceiptOutcome(await announce_receipt(parts, row, receipt))
    except (Unavailable, Misconfigured) as away:
        log.warning("receipt recorded, not announced", row=row.id, why=str(away))
        return ReceiptOutcome.RECORDED
