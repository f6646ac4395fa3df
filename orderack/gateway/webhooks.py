"""`POST /webhooks/{channel}`: what a provider reports about messages: delivered, bounced, read, replied."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Request

from orderack.domain.value import Value
from orderack.errors import OrderAckError
from orderack.gateway.announce import InboxKind, announce_channel_event
from orderack.gateway.binding import bind, find_send
from orderack.gateway.failures import Denied, errors
from orderack.gateway.parts import GatewayParts, Parts
from orderack.gateway.requests import raw_request, read_body
from orderack.ports import ChannelEvent

log = structlog.get_logger(__name__)

router = APIRouter(tags=["webhooks"])

ChannelName = Annotated[str, Path(min_length=1, max_length=100, description="the channel's name")]


class WebhookReply(Value):
    """How many events the request held; all of them are in our record."""

    events: int


@router.post(
    "/webhooks/{channel}",
    status_code=202,
    response_model=WebhookReply,
    responses=errors(401, 404, 413, 415, 422, 503),
    summary="Report what became of messages",
)
async def webhook(channel: ChannelName, request: Request, parts: Parts) -> WebhookReply:
    """Signed as that provider signs. The same event twice is one event."""
    if channel not in parts.channels:
        raise Denied(404, "channel_unknown", "We have no such channel.")
    raw = raw_request(request, await read_body(request), parts)
    adapter = parts.channels[channel]
    adapter.verify(raw)
    events = adapter.events(raw)
    for event in events:
        await _take(parts, channel, event)
    return WebhookReply(events=len(events))


async def _take(parts: GatewayParts, channel: str, event: ChannelEvent) -> None:
    """Once recorded it is ours: what keeps us from announcing it is the sweep's concern, not the provider's."""
    bound = await bind(parts, channel, event)
    send = await find_send(parts, channel, bound)
    ref = send.identity.ref if send else None
    row = await parts.ledger.receive(
        f"webhooks/{channel}", event.id, InboxKind.CHANNEL_EVENT, ref, bound.model_dump_json(), parts.now()
    )
    if row.announced_at is not None:
        return
    try:
        first = ChannelEvent.model_validate_json(row.body)
        await announce_channel_event(parts, row, channel, first, weigh=True)
    except OrderAckError as error:
        log.info("event left to the sweep", row=row.id, channel=channel, why=type(error).__name__)
