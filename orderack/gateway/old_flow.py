"""`POST /shadow/{store}/events`: what the old flow sent, to be compared with what we would have (docs/shadow.md)."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Request
from pydantic import Field, TypeAdapter, ValidationError

from orderack.domain.order import Name
from orderack.domain.shadow import KINDS, OldEvent
from orderack.domain.validation import problems_of
from orderack.domain.value import Value
from orderack.errors import InvalidInput, Unavailable
from orderack.gateway.failures import Denied, errors, problem
from orderack.gateway.openapi import KEYED, body_of
from orderack.gateway.parts import Parts
from orderack.gateway.paths import StoreName
from orderack.gateway.requests import demand_store, read_json
from orderack.ports import OldOutcome

log = structlog.get_logger(__name__)

router = APIRouter(tags=["shadow"])

_ONE: TypeAdapter[OldEvent] = TypeAdapter(OldEvent)
_MANY: TypeAdapter[tuple[OldEvent, ...]] = TypeAdapter(Annotated[tuple[OldEvent, ...], Field(max_length=1_000)])


class OldEventReply(Value):
    """What became of one event: `taken`, or `repeated` where its id had come before with the same content."""

    id: Name
    outcome: OldOutcome


class OldEventsReply(Value):
    events: tuple[OldEventReply, ...]


@router.post(
    "/shadow/{store}/events",
    status_code=202,
    response_model=OldEventsReply,
    responses=errors(401, 403, 404, 408, 409, 413, 415, 422, 503),
    openapi_extra=KEYED | body_of(OldEvent, many=True),
    summary="Tell what the old flow sent",
)
async def old_events(store: StoreName, request: Request, parts: Parts) -> OldEventsReply:
    """One event, or a list of up to 1,000, each with an id of its own: send them as often as you like. They are taken
    whole or not at all; nothing is sent to anybody for them."""
    demand_store(request, parts, store)
    events = _read(await read_json(request))
    try:
        outcomes = await parts.ledger.take_old_events(store, events, parts.now())
    except Unavailable as away:
        log.warning("the old flow's events were not recorded", why=str(away))
        raise Denied(503, "unavailable", "We could not record them. Send them again.") from away
    if OldOutcome.CONFLICT in outcomes:
        which = next(
            event.id for event, outcome in zip(events, outcomes, strict=True) if outcome is OldOutcome.CONFLICT
        )
        message = f"A different event with the id {which} came before; give each message its own id."
        raise Denied(409, "id_reused", message, recorded=True)
    replies = (OldEventReply(id=e.id, outcome=outcome) for e, outcome in zip(events, outcomes, strict=True))
    return OldEventsReply(events=tuple(replies))


def _read(body: bytes) -> tuple[OldEvent, ...]:
    try:
        many = body.lstrip().startswith(b"[")
        found = _MANY.validate_json(body, extra="forbid") if many else (_ONE.validate_json(body, extra="forbid"),)
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None
    for place, event in enumerate(found):
        try:
            event.means  # noqa: B018  # a word that nobody has mapped is refused
        except KeyError:
            raise problem(
                f"[{place}].kind", "is no kind of message that we know", f"send one of {', '.join(sorted(KINDS))}"
            ) from None
    return found
