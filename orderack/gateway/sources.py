"""`/intake/{store}/{system}`: orders as the systems they are made in tell of them, in those systems' own words."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Request, Response
from pydantic import ValidationError

from orderack.domain.validation import problems_of
from orderack.domain.value import Value
from orderack.errors import InvalidInput, OrderAckError
from orderack.gateway.failures import Denied, errors
from orderack.gateway.limits import PROVED
from orderack.gateway.parts import GatewayParts, Parts
from orderack.gateway.paths import StoreName
from orderack.gateway.requests import raw_request, read_body
from orderack.ports import Delivery, Greeting, Greets, InboxEvent, RawRequest, Responds, Source

log = structlog.get_logger(__name__)

router = APIRouter(tags=["orders"])

SystemName = Annotated[str, Path(min_length=1, max_length=100, description="the system, as the policy names it")]

PATIENCE = 2.0
"""Seconds that the sender waits for us to tell the order. What is recorded is told in any case; some give us 5 s."""

LARGE = 64 * 1024
"""Bytes of a body that takes too long to be taken apart (an interchange of thousands of orders) while others wait."""


class DeliveriesReply(Value):
    """Everything in the request is in our record."""

    deliveries: int


_ANSWERS = errors(401, 404, 408, 413, 414, 415, 422, 503)
_ANSWERS[200] = {"description": "Recorded; or the answer that the system asks for", "content": {"text/plain": {}}}


@router.post(
    "/intake/{store}/{system}",
    response_model=DeliveriesReply,
    responses=_ANSWERS,
    summary="Tell of orders in a system's own words",
)
async def from_source(
    store: StoreName, system: SystemName, request: Request, parts: Parts
) -> Response | DeliveriesReply:
    """Signed as that system signs. 200 means recorded: what it says is read and told at once, or as soon as we can."""
    source = _source(parts, store, system)
    raw = raw_request(request, await read_body(request, source.traits.max_body), parts)
    if (greeting := await _greeting(source, raw)) is not None:
        return _response(greeting)
    await source.verify(raw)
    request.scope[PROVED] = True
    deliveries = await _deliveries(source, raw)
    rows = [await parts.intake.record(source, delivery) for delivery in deliveries]
    await _tell(parts, [row for row in rows if row.announced_at is None])
    if isinstance(source, Responds):
        return _response(await source.respond(raw, _recorded(deliveries, rows)))
    return DeliveriesReply(deliveries=len(rows))


@router.get("/intake/{store}/{system}", response_model=DeliveriesReply, include_in_schema=False)
async def greeted(store: StoreName, system: SystemName, request: Request, parts: Parts) -> Response | DeliveriesReply:
    """For systems that try the address first."""
    return await from_source(store, system, request, parts)


def _source(parts: GatewayParts, store: str, system: str) -> Source:
    found = parts.sources.get(f"{store}/{system}")
    if found is None:
        raise Denied(404, "source_unknown", "This store has no such connection, or it is not configured.")
    return found


async def _greeting(source: Source, raw: RawRequest) -> Greeting | None:
    if not isinstance(source, Greets):
        return None
    try:
        return await source.greet(raw)
    except ValidationError as error:  # what the adapter did not foresee
        raise InvalidInput(problems_of(error)) from None


async def _deliveries(source: Source, raw: RawRequest) -> Sequence[Delivery]:
    try:
        if len(raw.body) <= LARGE:
            return source.deliveries(raw)
        return await asyncio.to_thread(source.deliveries, raw)
    except ValidationError as error:  # what the adapter did not foresee
        raise InvalidInput(problems_of(error)) from None


async def _tell(parts: GatewayParts, rows: Sequence[InboxEvent]) -> None:
    """Announce what was recorded, in the order in which it came; whoever sent it does not wait for it for long."""
    if not rows:
        return
    task = asyncio.create_task(_announce(parts, rows))
    parts.under_way.add(task)
    task.add_done_callback(parts.under_way.discard)
    await asyncio.wait([task], timeout=PATIENCE)


async def _announce(parts: GatewayParts, rows: Sequence[InboxEvent]) -> None:
    for row in rows:
        try:
            async with parts.turns.of(row.source, row.external_id):
                await parts.intake.announce(row)
        except OrderAckError as error:
            log.info("delivery left to the sweep", row=row.id, source=row.source, why=type(error).__name__)
        except Exception:
            log.exception("delivery cannot be told", row=row.id, source=row.source)


def _recorded(deliveries: Sequence[Delivery], rows: Sequence[InboxEvent]) -> Sequence[Delivery]:
    """Each as it stands in the record; one whose content has been erased since is taken to be what came now."""
    stored = (Delivery.model_validate_json(row.body) if row.body else None for row in rows)
    return [then or now for now, then in zip(deliveries, stored, strict=True)]


def _response(greeting: Greeting) -> Response:
    return Response(greeting.body, greeting.status, media_type=greeting.media_type)
