"""`POST /intake/{store}`: the canonical order in; its reference and what happens next out."""

import structlog
from fastapi import APIRouter, Request
from pydantic import AwareDatetime

from orderack.contracts.journal import Stage
from orderack.contracts.updates import SubmitReply, SubmitVerdict
from orderack.domain.intake import parse_order
from orderack.domain.order import Order, Text
from orderack.domain.value import Value
from orderack.errors import InvalidInput, Misconfigured, Unavailable
from orderack.gateway.announce import InboxKind, announce_earlier, announce_order
from orderack.gateway.failures import Denied, errors, problem
from orderack.gateway.openapi import KEYED, body_of
from orderack.gateway.parts import GatewayParts, Parts
from orderack.gateway.paths import StoreName, status_url
from orderack.gateway.requests import demand_store, read_json

log = structlog.get_logger(__name__)

router = APIRouter(tags=["orders"])

_ID_ROOM = 100
"""Of the number, in the inbox's id: the content hash behind it already makes it unique."""


class IntakeReply(Value):
    """We have the order. `verdict` says what it was to us; nothing here is a confirmation."""

    reference: Text
    verdict: SubmitVerdict
    revision: int
    stage: Stage
    next: Text
    acknowledge_by: AwareDatetime | None = None
    status_url: Text


@router.post(
    "/intake/{store}",
    status_code=202,
    response_model=IntakeReply,
    responses=errors(401, 403, 404, 408, 409, 413, 415, 422, 503),
    openapi_extra=KEYED | body_of(Order),
    summary="Hand in an order",
)
async def intake(store: StoreName, request: Request, parts: Parts) -> IntakeReply:
    """Send it as often as you like: the same content is one order, other content under the same number is a proposed
    change. 202 means recorded and under way; 503 with `recorded: true` means recorded, and announced by us later."""
    demand_store(request, parts, store)
    body = await read_json(request)
    order = parse_order(body)
    if isinstance(order, tuple):
        raise InvalidInput(order)
    if order.store != store:
        raise problem("store", "is not the store of this address", "send it to the intake of its own store")
    return await take_order(parts, order, body.decode("utf-8-sig"))


async def take_order(parts: GatewayParts, order: Order, body: str) -> IntakeReply:
    """Record, announce, answer."""
    structlog.contextvars.bind_contextvars(order=str(order.ref))
    external_id = f"{order.number[:_ID_ROOM]}:{order.content_hash}"
    source = f"intake/{order.store}"
    row = await parts.ledger.receive(source, external_id, InboxKind.ORDER, order.ref, body, parts.now())
    try:
        if row.announced_at is None:
            await announce_earlier(parts, row)
        reply = await announce_order(parts, row, order)
    except (Unavailable, Misconfigured) as away:
        log.warning("order recorded, not announced", row=row.id, why=str(away))
        message = "We have recorded the order and will work on it as soon as we can; sending it again is harmless."
        raise Denied(503, "unavailable", message, recorded=True) from away
    return _reply(parts, order, reply, seen=row.announced_at is not None)


def _reply(parts: GatewayParts, order: Order, reply: SubmitReply, *, seen: bool) -> IntakeReply:
    verdict = reply.verdict
    if verdict is SubmitVerdict.INVALID:
        raise InvalidInput(reply.problems)
    if verdict is SubmitVerdict.CLOSED and not seen:
        message = "The order is closed and can take no change. What you sent is in our record; speak to the store."
        raise Denied(409, "order_closed", message, recorded=True)
    if verdict is SubmitVerdict.ACCEPTED and seen:
        # Temporal answers a repeat with the first answer.
        verdict = SubmitVerdict.REPEATED
    return IntakeReply(
        reference=str(order.ref),
        verdict=verdict,
        revision=reply.revision,
        stage=reply.stage,
        next=reply.next,
        acknowledge_by=reply.acknowledge_by,
        status_url=status_url(parts.public_url, order.ref),
    )
