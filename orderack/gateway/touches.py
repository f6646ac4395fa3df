"""`/t/{token}`: the open pixel. `/l/{token}`: a tracked link. A touch is recorded, and nothing else happens by it."""

from collections.abc import Callable, Mapping

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.background import BackgroundTask

from orderack.domain.acknowledgement import Audience, SendKey
from orderack.domain.store import TouchRules
from orderack.domain.web_address import web_address
from orderack.errors import BadSignature, OrderAckError
from orderack.gateway.gone import gone
from orderack.gateway.parts import GatewayParts, Parts
from orderack.gateway.touch_desk import TouchDesk
from orderack.links import BUYER, PageLink
from orderack.touch_links import TouchLink
from orderack.touches import MARKS, OFF, Touch, What, in_force

log = structlog.get_logger(__name__)

router = APIRouter(tags=["buyer"])

GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""A transparent pixel."""

_IMAGE = {"Content-Type": "image/gif", "Cross-Origin-Resource-Policy": "cross-origin"}


_ANSWERS: dict[int | str, dict[str, object]] = {404: {"description": "No such link", "content": {"text/html": {}}}}


@router.head("/t/{token:path}", response_class=Response, summary="The head of an image")
@router.get(
    "/t/{token:path}", response_class=Response, responses={200: {"content": {"image/gif": {}}}}, summary="An image"
)
async def pixel(token: str, request: Request, parts: Parts) -> Response:
    """One transparent pixel, whatever the token is, and also while the record is away."""
    link = _read(parts, token)
    ours = link if link and link.what is What.PIXEL else None
    noting = BackgroundTask(_note, request, parts, ours.key, ours.what) if ours else None
    return Response(GIF, headers=_IMAGE, background=noting)


@router.head(
    "/l/{token:path}",
    response_class=Response,
    status_code=303,
    responses=_ANSWERS,
    summary="The head of a message's link",
)
@router.get("/l/{token:path}", response_class=Response, status_code=303, responses=_ANSWERS, summary="A message's link")
async def follow(token: str, request: Request, parts: Parts) -> Response:
    """On to where the link's own signature says; nothing in the request can name another place."""
    link = _read(parts, token)
    target = _TARGETS[link.what](parts, link) if link else ""
    if not link or not target:
        return gone(parts, request)
    return RedirectResponse(target, 303, background=BackgroundTask(_note, request, parts, link.key, link.what))


async def note_touch(request: Request, parts: GatewayParts, link: PageLink) -> None:
    """The buyer's page was opened by this link: a touch of the message that carried it, if one did. Never fails."""
    if link.carrier is None or link.role != BUYER:
        return
    try:
        counts = await _links_count(parts, link.carrier)
    except OrderAckError as error:
        log.warning("touch not recorded", why=type(error).__name__)
        return
    if counts:
        await _note(request, parts, link.carrier, What.PAGE)


async def _links_count(parts: GatewayParts, key: SendKey) -> bool:
    """False where the buyer's country switches touches off, or the revision's content is gone."""
    stored = await parts.ledger.revision(key.ref, key.revision)
    return stored is not None and in_force(_rules(parts, key.ref.store), stored.order).links


def _rules(parts: GatewayParts, store: str) -> TouchRules:
    known = parts.stores.get(store)
    return known.touches if known else OFF


async def _note(request: Request, parts: GatewayParts, key: SendKey, what: What) -> None:
    channel, rules = parts.channels.get(key.channel), _rules(parts, key.ref.store)
    internal = channel is not None and channel.traits.audience is not Audience.BUYER
    if internal or not (rules.pixel if what is What.PIXEL else rules.links):
        return
    desk = request.app.state.touch_desk
    assert isinstance(desk, TouchDesk)
    touch = Touch(
        send_key=str(key),
        what=what,
        method=request.method,
        address=request.client.host[:500] if request.client else "",
        user_agent=request.headers.get("user-agent", "")[:500],
        headers={name: request.headers[name][:500] for name in MARKS if name in request.headers},
        at=parts.now(),
    )
    await desk.take(touch)


def _read(parts: GatewayParts, token: str) -> TouchLink | None:
    try:
        return parts.touch_links.read(token)
    except BadSignature:
        return None


def _page(parts: GatewayParts, link: TouchLink) -> str:
    """The page by a link exactly as old as this one, bound to the same channel and recipient."""
    key = link.key
    return parts.links.again(
        PageLink(ref=key.ref, role=BUYER, via=key.channel, recipient=link.recipient, carrier=key, made_at=link.made_at)
    )


def _shop(parts: GatewayParts, link: TouchLink) -> str:
    store = parts.stores.get(link.key.ref.store)
    return web_address(store.url or "") if store else ""


_TARGETS: Mapping[What, Callable[[GatewayParts, TouchLink], str]] = {
    What.PIXEL: lambda parts, link: "",
    What.PAGE: _page,
    What.SHOP: _shop,
    What.HONEYPOT: _page,
}
"""Where each leads; empty: nowhere. The honeypot too leads to the page: a person who gets there has lost nothing."""
