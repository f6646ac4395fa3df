"""`/webhooks/{channel}`: what a provider reports about messages: delivered, bounced, read, replied."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Request, Response
from pydantic import ValidationError

from orderack.domain.validation import problems_of
from orderack.domain.value import Value
from orderack.errors import InvalidInput, OrderAckError
from orderack.gateway.announce import InboxKind, Outcome, announce_channel_event, announce_report
from orderack.gateway.failures import Denied, errors
from orderack.gateway.limits import PROVED
from orderack.gateway.parts import GatewayParts, Parts
from orderack.gateway.remember import SPEAKS
from orderack.gateway.requests import MAX_BATCH, raw_request, read_body
from orderack.gateway.weighing import Weighed, weighed
from orderack.ports import Channel, ChannelEvent, Greeting, Greets, InboxEvent, Polls, RawRequest

log = structlog.get_logger(__name__)

router = APIRouter(tags=["webhooks"])

ChannelName = Annotated[str, Path(min_length=1, max_length=100, description="the channel's name")]


class Taken(StrEnum):
    """What became of one event."""

    TOLD = "told"
    WAITING = "waiting"
    CONFLICT = "conflict"


class WebhookReply(Value):
    """All events of the request are in our record (docs/adr/0009)."""

    events: int
    waiting: int
    """How many of them the order is told later: it, or the message they are about, is out of reach for now."""


_ANSWERS = errors(401, 404, 408, 409, 413, 414, 415, 422, 503)
_ANSWERS[200] = {"description": "Every event is recorded; or the answer to a greeting", "content": {"text/plain": {}}}


@router.post(
    "/webhooks/{channel}", response_model=WebhookReply, responses=_ANSWERS, summary="Report what became of messages"
)
async def webhook(channel: ChannelName, request: Request, parts: Parts) -> WebhookReply | Response:
    """Signed as that provider signs. The same event twice is one event; 200 means that every event is recorded.

    A provider that only tries whether this address is ours gets the answer it asks for, and nothing is recorded.
    """
    adapter = _channel(parts, channel)
    raw = raw_request(request, await read_body(request, MAX_BATCH), parts)
    if (greeting := await _greeting(adapter, raw)) is not None:
        return Response(greeting.body, greeting.status, media_type=greeting.media_type)
    await adapter.verify(raw)
    request.scope[PROVED] = True
    taken, events = [], _events(adapter, raw)
    if isinstance(adapter, Polls):  # a hint: the mailbox is read at once
        parts.bells.of(channel).set()
    for event in events:
        async with parts.turns.of(f"webhooks/{channel}", event.id):
            taken.append(await take(parts, channel, event))
    if Taken.CONFLICT in taken:
        raise Denied(
            409, "id_reused", "A different event with this id came before; the first one stands.", recorded=True
        )
    return WebhookReply(events=len(taken), waiting=taken.count(Taken.WAITING))


@router.get(
    "/webhooks/{channel}", response_model=WebhookReply, responses=_ANSWERS, summary="The same, or a greeting, by GET"
)
async def webhook_by_get(channel: ChannelName, request: Request, parts: Parts) -> WebhookReply | Response:
    """For providers that report by GET, or try the address so before they post to it."""
    return await webhook(channel, request, parts)


@router.head("/webhooks/{channel}", include_in_schema=False)
async def is_there(channel: ChannelName, parts: Parts) -> Response:
    """Some providers look first whether anything answers here."""
    _channel(parts, channel)
    return Response()


def _channel(parts: GatewayParts, name: str) -> Channel:
    if name not in parts.channels:
        raise Denied(404, "channel_unknown", "We have no such channel.")
    return parts.channels[name]


async def _greeting(adapter: Channel, raw: RawRequest) -> Greeting | None:
    if not isinstance(adapter, Greets):
        return None
    try:
        return await adapter.greet(raw)
    except ValidationError as error:  # what the adapter did not foresee
        raise InvalidInput(problems_of(error)) from None


def _events(adapter: Channel, raw: RawRequest) -> Sequence[ChannelEvent]:
    try:
        return adapter.events(raw)
    except ValidationError as error:  # what the adapter did not foresee
        raise InvalidInput(problems_of(error)) from None


async def take(parts: GatewayParts, channel: str, event: ChannelEvent) -> Taken:
    """Record the event and tell it. Once recorded it is ours: what keeps us from telling it is the sweep's concern.

    Whoever calls holds the event's lock (`GatewayParts.turns`). Raises Unavailable where it could not be recorded.
    """
    heard_at = parts.now()
    found = None if event.watermark else await weighed(parts, channel, event, heard_at, weigh=True)
    row = await _record(parts, channel, event, found, heard_at)
    if not row.body:
        return Taken.TOLD  # told long ago, and erased with its order
    first = event if row.new else ChannelEvent.model_validate_json(row.body)
    if not _repeats(first, event):
        log.error("an event's id came again with another content", channel=channel, row=row.id)
        return Taken.CONFLICT
    if row.announced_at is not None:
        return Taken.TOLD
    try:
        if row.new and found is not None:
            outcome = await announce_report(parts, row, channel, found)
        else:
            outcome = await announce_channel_event(parts, row, channel, first, weigh=True)
    except OrderAckError as error:
        log.info("event left to the sweep", row=row.id, channel=channel, why=type(error).__name__)
        return Taken.WAITING
    return Taken.WAITING if outcome == Outcome.WAITING else Taken.TOLD


async def _record(
    parts: GatewayParts, channel: str, event: ChannelEvent, found: Weighed | None, heard_at: datetime
) -> InboxEvent:
    """The event with what it proves; and where nobody has to hear of it, that this is so."""
    ref, report = None, None
    if found is not None:
        event, ref, report = found.event, found.key.ref, found.report
        if not found.news and event.event not in SPEAKS:
            report = report.model_copy(update={"outcome": Outcome.NO_NEWS})
    body = event.model_dump_json()
    return await parts.ledger.receive(
        f"webhooks/{channel}", event.id, InboxKind.CHANNEL_EVENT, ref, body, heard_at, report
    )


def _repeats(first: ChannelEvent, event: ChannelEvent) -> bool:
    """Whether this is what came first, as far as a provider's repeat can be told: some put a new time on it, and
    binding the first to its message may have added a key and a word to its basis."""
    same = (first.provider_id, first.sender, first.text) == (event.provider_id, event.sender, event.text)
    return same and first.basis.startswith(event.basis) and event.key in (None, first.key)
